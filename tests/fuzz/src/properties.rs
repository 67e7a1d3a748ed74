//! What must hold of several targets' results.

use mosip_prov_events::text::is_unsafe;
use mosip_prov_inventory::diagnostic::{Diagnostics, Location};

/// Every place that findings name is in `text`: its line is there and shown as it is, its column is at most one behind the end.
/// With `hidden` no line is shown.
pub fn in_text(found: &Diagnostics, text: &str, hidden: bool) {
    in_lines(found, &lines(text), text.len(), hidden);
}

/// The same of a text of `size` bytes that is cut into lines otherwise.
pub fn in_lines(found: &Diagnostics, lines: &[&str], size: usize, hidden: bool) {
    for finding in found.iter() {
        let places = finding
            .location
            .iter()
            .chain(finding.related.iter().map(|(place, _)| place));
        for place in places {
            place_in(place, lines, hidden);
        }
        // The caret under the column is drawn without more room than the line takes.
        assert!(
            finding.to_string().len() <= 4096 + 16 * size,
            "a finding larger than what it is about: {} bytes",
            finding.to_string().len()
        );
    }
}

/// The place is in the text, as [`in_text`] says.
pub fn place_in(place: &Location, lines: &[&str], hidden: bool) {
    assert!(!hidden || place.text.is_none(), "a hidden line is shown: {place}");
    if place.line == 0 {
        return;
    }
    let number = place.line as usize;
    // The end of a text without a last line end may be meant by the line behind it.
    assert!(number <= lines.len() + 1, "line {number} of {}", lines.len());
    let line = lines.get(number - 1).copied().unwrap_or_default();
    if let Some(shown) = &place.text {
        assert_eq!(&**shown, line, "line {number} is shown otherwise");
    }
    let length = line.chars().count();
    assert!(
        place.column as usize <= length + 1,
        "column {} of line {number}, which has {length}",
        place.column
    );
}

/// The lines of `text`, cut at every end of line that Python knows, without a byte order mark before the first.
pub fn lines(text: &str) -> Vec<&str> {
    cut(text, |c| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    })
}

/// The lines of `text` as YAML has them.
pub fn yaml_lines(text: &str) -> Vec<&str> {
    cut(text, |c| matches!(c, '\n' | '\r'))
}

fn cut(text: &str, is_end: fn(char) -> bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while let Some(at) = rest.find(is_end) {
        lines.push(&rest[..at]);
        let end = if rest[at..].starts_with("\r\n") {
            2
        } else {
            rest[at..].chars().next().map_or(1, char::len_utf8)
        };
        rest = &rest[at + end..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// Nothing in `text` steers a terminal, or turns or hides what is written; line ends and tabs may stand in it.
pub fn harmless(text: &str) {
    if let Some(found) = text.chars().find(|c| !matches!(c, '\n' | '\t') && is_unsafe(*c)) {
        panic!("{found:?} in {text:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_inventory::diagnostic::Diagnostic;
    use std::path::Path;
    use std::sync::Arc;

    fn found(line: u32, column: u32, shown: Option<&str>) -> Diagnostics {
        let place = Location::at(Arc::from(Path::new("f")), line, column, shown.map(Arc::from));
        let mut found = Diagnostics::new();
        found.push(Diagnostic::error("wrong").at(place));
        found
    }

    fn holds(check: impl FnOnce() + std::panic::UnwindSafe) -> bool {
        std::panic::catch_unwind(check).is_ok()
    }

    #[test]
    fn places_outside_of_the_text_are_told() {
        let text = "one\r\ntwo";
        for (line, column, shown, well) in [
            (1, 1, Some("one"), true),
            (2, 4, Some("two"), true),
            (2, 5, Some("two"), false),
            (2, 1, Some("one"), false),
            (4, 1, None, false),
            (0, 0, None, true),
        ] {
            assert_eq!(
                holds(|| in_text(&found(line, column, shown), text, false)),
                well,
                "{line}:{column} {shown:?}"
            );
        }
        assert!(!holds(|| in_text(&found(1, 1, Some("one")), text, true)));
    }

    #[test]
    fn what_steers_a_terminal_is_told() {
        for text in ["\x1b[2J", "\u{9b}1m", "\u{202e}", "\x07", "\r", "\u{200b}", "\u{feff}"] {
            assert!(!holds(|| harmless(text)), "{text:?}");
        }
        harmless("Grüße\n\t日本");
    }
}
