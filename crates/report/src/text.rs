//! Text as it may be shown: control characters made visible, lines cut to a width, times and counts in words.

use mosip_prov_events::text::is_unsafe;
pub use mosip_prov_events::text::safe_json;
use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` with everything that could steer a terminal or hide what is written made visible: control characters
/// (`\x1b`), and the marks that turn the writing direction (`\u{202e}`). A tab becomes a space. Line ends are kept.
pub fn neutral(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && is_unsafe(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => out.push(c),
            '\t' => out.push(' '),
            '\r' if chars.peek() == Some(&'\n') => {}
            c if is_unsafe(c) => {
                let code = u32::from(c);
                if code <= 0xff {
                    out.push_str(&format!("\\x{code:02x}"));
                } else {
                    out.push_str(&format!("\\u{{{code:x}}}"));
                }
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The same on one line: line ends become spaces too.
pub fn neutral_line(text: &str) -> String {
    let text = neutral(text.trim_end());
    text.lines().map(str::trim_end).collect::<Vec<_>>().join(" ")
}

/// How many columns `text` takes on a terminal. It must hold no control sequences.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` cut to at most `columns`, with `...` at the end when something was cut off.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(3);
    let mut used = 0;
    let mut out = String::new();
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w > room {
            break;
        }
        used += w;
        out.push(c);
    }
    out.push_str(&"..."[..columns.min(3)]);
    Cow::Owned(out)
}

/// `text` filled with spaces up to `columns`.
pub fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// A span of time in words: `850 ms`, `3.2 s`, `2 min 05 s`, `1 h 02 min`.
pub fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match milliseconds {
        0..=999 => format!("{milliseconds} ms"),
        1000..=59_999 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        60_000..=3_599_999 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `1 host`, `2 hosts`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// At most `most` of `names`, and how many more there are: `vm1, vm2 and 4 more`.
pub fn names<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let shown: Vec<_> = names.iter().take(most).map(AsRef::as_ref).collect();
    let rest = names.len() - shown.len();
    match rest {
        0 => shown.join(", "),
        _ => format!("{} and {rest} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_become_visible() {
        assert_eq!(neutral("\x1b[2Jgone\x07\u{9b}1m"), "\\x1b[2Jgone\\x07\\x9b1m");
        assert_eq!(neutral("a\tb\r\nc\rd"), "a b\nc\\x0dd");
        assert_eq!(neutral("exe\u{202e}fdp"), "exe\\u{202e}fdp");
        assert_eq!(neutral("Grüße, 日本"), "Grüße, 日本");
        assert_eq!(neutral_line("one\ntwo\n"), "one two");
    }

    #[test]
    fn cut_counts_columns() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer line", 8), "longe...");
        assert_eq!(cut("日本日本日本", 8), "日本...");
        assert_eq!(cut("abc", 2), "..");
        assert_eq!(pad("日本", 6), "日本  ");
    }

    #[test]
    fn times_and_counts_in_words() {
        assert_eq!(duration(0), "0 ms");
        assert_eq!(duration(3_249), "3.2 s");
        assert_eq!(duration(125_000), "2 min 05 s");
        assert_eq!(duration(3_725_000), "1 h 02 min");
        assert_eq!(count(1, "host"), "1 host");
        assert_eq!(count(0, "host"), "0 hosts");
        assert_eq!(names(&["a", "b", "c"], 2), "a, b and 1 more");
        assert_eq!(names(&["a"], 2), "a");
    }
}
