//! Differences as an operator reads them: one line for short values, a unified diff for files.

use crate::paint::{Paint, Tone};
use crate::text::neutral;
use mosip_prov_events::Difference;
use similar::{ChangeTag, TextDiff};

/// Lines of unchanged text shown around each change.
const CONTEXT: usize = 3;

/// The lines that show `difference`, without line ends. Short values give one line (`mode: 0644 -> 0600`), texts of
/// several lines a unified diff.
pub fn render(difference: &Difference, paint: Paint) -> Vec<String> {
    let what = neutral(&difference.what).replace('\n', " ");
    let before = difference.before.as_deref();
    let after = difference.after.as_deref();
    if is_short(before) && is_short(after) {
        return vec![format!(
            "{what}: {} -> {}",
            paint.tone(Tone::Removed, &value(before)),
            paint.tone(Tone::Added, &value(after)),
        )];
    }
    let (old, new) = (neutral(before.unwrap_or("")), neutral(after.unwrap_or("")));
    let name = |side: Option<&str>, label: &str| match side {
        Some(_) => format!("{what} ({label})"),
        None => "(does not exist)".to_owned(),
    };
    let mut lines = vec![
        paint.tone(Tone::Strong, &format!("--- {}", name(before, "before"))),
        paint.tone(Tone::Strong, &format!("+++ {}", name(after, "after"))),
    ];
    let diff = TextDiff::from_lines(old.as_ref(), new.as_ref());
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        lines.push(paint.tone(Tone::Place, &hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let (sign, tone) = match change.tag() {
                ChangeTag::Delete => ('-', Some(Tone::Removed)),
                ChangeTag::Insert => ('+', Some(Tone::Added)),
                ChangeTag::Equal => (' ', None),
            };
            let line = format!("{sign}{}", change.value().trim_end_matches('\n'));
            lines.push(match tone {
                Some(tone) => paint.tone(tone, &line),
                None => line,
            });
            if change.missing_newline() {
                lines.push("\\ No newline at end of file".to_owned());
            }
        }
    }
    lines
}

/// How many lines come and go, for places that show no diff. `None` for short values.
pub fn size(difference: &Difference) -> Option<(usize, usize)> {
    let (before, after) = (difference.before.as_deref(), difference.after.as_deref());
    if is_short(before) && is_short(after) {
        return None;
    }
    let diff = TextDiff::from_lines(before.unwrap_or(""), after.unwrap_or(""));
    let count = |tag| diff.iter_all_changes().filter(|c| c.tag() == tag).count();
    Some((count(ChangeTag::Insert), count(ChangeTag::Delete)))
}

fn is_short(value: Option<&str>) -> bool {
    value.is_none_or(|v| !v.contains('\n') && v.len() <= 200)
}

fn value(value: Option<&str>) -> String {
    match value {
        None => "(none)".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(text) => neutral(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(before: Option<&str>, after: Option<&str>) -> Difference {
        Difference {
            what: "/etc/x".into(),
            before: before.map(Into::into),
            after: after.map(Into::into),
        }
    }

    fn shown(before: Option<&str>, after: Option<&str>) -> String {
        render(&difference(before, after), Paint::new(false)).join("\n")
    }

    #[test]
    fn short_values_take_one_line() {
        assert_eq!(shown(Some("0644"), Some("0600")), "/etc/x: 0644 -> 0600");
        assert_eq!(shown(None, Some("1.22")), "/etc/x: (none) -> 1.22");
        assert_eq!(shown(Some("a"), Some("")), "/etc/x: a -> (empty)");
        assert_eq!(size(&difference(Some("a"), None)), None);
    }

    #[test]
    fn texts_give_a_unified_diff() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let after = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
        assert_eq!(
            shown(Some(before), Some(after)),
            "--- /etc/x (before)\n+++ /etc/x (after)\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8"
        );
        assert_eq!(size(&difference(Some(before), Some(after))), Some((1, 1)));
    }

    #[test]
    fn a_new_file_and_a_missing_line_end() {
        assert_eq!(
            shown(None, Some("a\nb")),
            "--- (does not exist)\n+++ /etc/x (after)\n@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file"
        );
    }

    #[test]
    fn what_the_target_wrote_cannot_steer_the_terminal() {
        let text = shown(Some("a\n\x1b]0;title\x07\n"), Some("a\n"));
        assert!(!text.contains('\x1b') && !text.contains('\x07'), "{text:?}");
    }
}
