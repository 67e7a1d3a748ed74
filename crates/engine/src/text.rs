//! Text that came from a target: data, shown without its control sequences and at a bounded length.

use mosip_prov_events::text::is_unsafe;

/// The largest text of an error's detail, in bytes.
pub(crate) const DETAIL_LIMIT: usize = 64 * 1024;

/// `text` without escape sequences and control characters (newline and tab stay), so that no terminal obeys it.
pub fn sanitize(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\u{1b}' => skip_escape(&mut chars),
            '\r' => {}
            // C0, DEL and C1 controls, and the characters that reorder or hide text.
            c if is_unsafe(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        // CSI … final byte
        Some('[') => {
            chars.next();
            while let Some(&c) = chars.peek() {
                if c.is_control() {
                    return;
                }
                chars.next();
                if ('\u{40}'..='\u{7e}').contains(&c) {
                    return;
                }
            }
        }
        // OSC, DCS, PM, APC … until BEL or ST, on one line
        Some(']' | 'P' | '^' | '_' | 'X') => {
            while let Some(&c) = chars.peek() {
                if c == '\n' {
                    return;
                }
                chars.next();
                if c == '\u{7}' {
                    return;
                }
                if c == '\u{1b}' {
                    if chars.peek() == Some(&'\\') {
                        chars.next();
                    }
                    return;
                }
            }
        }
        Some(c) if c.is_ascii_graphic() => {
            chars.next();
        }
        _ => {}
    }
}

/// The end of `text`, at most `limit` bytes, with a word on what was left out.
pub(crate) fn tail(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut start = text.len() - limit;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    format!("[{start} bytes left out]\n{}", &text[start..])
}

/// What a person needs of a failed tool's output: its own error lines where it marks them (`E:`, `error`, `emerg`),
/// else the last lines.
pub(crate) fn gist(output: &str) -> String {
    let lines: Vec<&str> = output
        .lines()
        .map(str::trim_end)
        .filter(|l| !l.trim().is_empty())
        .collect();
    let marked: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|l| {
            let lower = l.to_ascii_lowercase();
            lower.starts_with("e:")
                || lower.contains("[emerg]")
                || lower.starts_with("error")
                || lower.contains(": error")
        })
        .collect();
    let chosen: Vec<&str> = if marked.is_empty() {
        lines.iter().rev().take(4).rev().copied().collect()
    } else {
        marked.into_iter().take(4).collect()
    };
    let mut text = chosen.join("; ");
    if text.len() > 600 {
        let mut end = 600;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_lose_their_power() {
        assert_eq!(sanitize("a\u{1b}[31mred\u{1b}[0m\tb\r\n"), "ared\tb\n");
        assert_eq!(sanitize("\u{1b}]0;title\u{7}x"), "x");
        assert_eq!(sanitize("\u{1b}]52;c;ZXZpbA==\u{1b}\\x"), "x");
        assert_eq!(sanitize("\u{8}\u{9b}2J"), "\u{fffd}\u{fffd}2J");
        assert_eq!(sanitize("\u{1b}"), "");
        assert_eq!(sanitize("\u{1b}[unfinished"), "nfinished");
        // An override, an isolate, a mark, a tag; a line drawn over another.
        assert_eq!(
            sanitize("\u{202e}a\u{2066}b\u{61c}c\u{e0041}"),
            "\u{fffd}a\u{fffd}b\u{fffd}c\u{fffd}"
        );
        assert_eq!(sanitize("failed\rok    "), "failedok    ");
        // As bytes C1 controls are no UTF-8, and so never come this far as controls.
        assert_eq!(sanitize(&String::from_utf8_lossy(b"\x9b2J\xff")), "\u{fffd}2J\u{fffd}");
    }

    #[test]
    fn the_gist_prefers_the_tools_own_error_lines() {
        let apt = "Reading package lists...\nBuilding...\nE: Unable to locate package nginy\n";
        assert_eq!(gist(apt), "E: Unable to locate package nginy");
        assert_eq!(gist("one\ntwo\n"), "one; two");
        assert_eq!(gist(""), "");
    }

    #[test]
    fn the_tail_is_bounded_and_whole() {
        assert_eq!(tail("short", 10), "short");
        assert!(tail(&"ü".repeat(100), 11).ends_with("üüüüü"));
    }
}
