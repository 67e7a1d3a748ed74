//! What text may do to whoever reads it: which characters steer a terminal, or turn or hide what is written.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character steers a terminal (C0, DEL and C1 controls), ends a line where none is seen to end, turns the writing
/// direction, or takes no place at all where a reader would look for something: with these, text says one thing and shows
/// another. The joiners that some scripts are written with are not among them.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' // marks of direction
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // embeddings, overrides, isolates
            | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}' // seen by nobody
            | '\u{fff9}'..='\u{fffb}' // annotations
            | '\u{e0000}'..='\u{e007f}') // tags
}

/// A JSON text with every such character that JSON allows as it is (DEL, C1, marks of direction) as `\uXXXX`: it says the same, and
/// steers no terminal that it is shown on. For JSON on one line, or with line ends and blanks between its values.
pub fn safe_json(json: &str) -> Cow<'_, str> {
    // Outside of strings JSON has nothing of the kind but line ends, and within strings those are escaped already.
    let escaped = |c: char| c != '\n' && is_unsafe(c);
    if !json.contains(escaped) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if escaped(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_and_steers_nothing() {
        let all: String = (0..=0x0010_ffff)
            .filter_map(char::from_u32)
            .filter(|c| is_unsafe(*c))
            .collect();
        let text = format!("a\u{9b}2J \u{7f} Grüße 日本 e\u{301} a\u{200d}b {all}");
        let json = serde_json::to_string_pretty(&[&text]).expect("JSON");
        let safe = safe_json(&json);
        assert!(!safe.contains(|c| c != '\n' && is_unsafe(c)), "{safe:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&safe).expect("JSON"), [text]);
        assert!(matches!(safe_json("{\"a\": \"ü\"}"), Cow::Borrowed(_)));
    }

    #[test]
    fn languages_are_left_alone() {
        for text in ["Grüße", "ქართული", "हिन्दी क्‍ष", "العربية", "日本", "አማርኛ", "👨‍👩‍👧"]
        {
            assert!(!text.contains(is_unsafe), "{text}");
        }
        for text in [
            "\u{9b}",
            "\u{1b}",
            "\r",
            "\u{7f}",
            "\u{202e}",
            "\u{2067}",
            "\u{61c}",
            "\u{e0041}",
        ] {
            assert!(text.contains(is_unsafe), "{text:?}");
        }
    }
}
