//! Writing POSIX `sh`: quoting, and the framing by which several answers share one output.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` as one word of `sh`, whatever it holds. NUL bytes, which no shell word can hold, are dropped.
pub fn quote(text: &str) -> Cow<'_, str> {
    let plain = !text.is_empty()
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'/' | b'.' | b'-' | b'_' | b':' | b'=' | b'@' | b'%' | b'+' | b',')
        });
    if plain {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("'\\''"),
            '\0' => {}
            c => out.push(c),
        }
    }
    out.push('\'');
    Cow::Owned(out)
}

/// `words` quoted and joined by blanks.
pub fn quote_all<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// A fragment that runs `fragment` and prints its text output as a frame: `STATUS LENGTH` on a line, then the text.
/// Trailing newlines are dropped, as by any command substitution; standard error joins the text. Read back by [`split_frames`].
pub fn frame(fragment: &str) -> String {
    let mut out = String::with_capacity(fragment.len() + 96);
    let _ = write!(
        out,
        "o=$({{ {fragment}\n}} 2>&1)\ns=$?\nprintf '%s %s\\n%s\\n' \"$s\" \"${{#o}}\" \"$o\"\n"
    );
    out
}

/// The text of `bytes` with every byte that is not UTF-8 as `?`: as many bytes as came, so that lengths still fit.
pub fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

/// One frame: the exit status of its fragment, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Exit status.
    pub status: i32,
    /// The text, without trailing newlines.
    pub text: &'a str,
}

/// Reads what a sequence of [`frame`]d fragments printed. `Err` says at which frame the output broke off.
pub fn split_frames(output: &str) -> Result<Vec<Frame<'_>>, String> {
    let mut frames = Vec::new();
    let mut rest = output;
    while !rest.trim_matches('\n').is_empty() {
        let broken = || format!("the output breaks off at part {}", frames.len() + 1);
        // Frames within a frame lose their last newlines, and with them the line of an empty text.
        let (head, tail) = rest.split_once('\n').unwrap_or((rest, ""));
        let (status, length) = head.split_once(' ').ok_or_else(broken)?;
        let status = status.parse().map_err(|_| broken())?;
        let length: usize = length.parse().map_err(|_| broken())?;
        let text = tail.get(..length).ok_or_else(broken)?;
        rest = tail[length..].strip_prefix('\n').unwrap_or(&tail[length..]);
        frames.push(Frame { status, text });
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn sh(script: &str) -> String {
        let out = Command::new("sh")
            .env("LC_ALL", "C")
            .args(["-c", script])
            .output()
            .expect("sh runs");
        String::from_utf8(out.stdout).expect("text")
    }

    #[test]
    fn quoted_words_come_back_whole() {
        for word in [
            "", "a b", "it's", "$(x)", "`x`", "a\nb", "*", "~", "!", "\\", "\"", "ü", "-n",
        ] {
            assert_eq!(sh(&format!("printf %s {}", quote(word))), word, "{word:?}");
        }
    }

    #[test]
    fn frames_keep_status_and_text_apart() {
        let script = [
            frame("echo one; echo two"),
            frame("printf 'ü'"),
            frame("echo bad >&2; exit 3"),
            frame(":"),
        ]
        .concat();
        let output = sh(&script);
        let frames = split_frames(&output).expect("whole");
        assert_eq!(
            frames,
            [
                Frame {
                    status: 0,
                    text: "one\ntwo"
                },
                Frame { status: 0, text: "ü" },
                Frame { status: 3, text: "bad" },
                Frame { status: 0, text: "" },
            ]
        );
    }

    #[test]
    fn frames_within_a_frame_may_end_empty() {
        let inner = [frame("echo one"), frame(":")].concat();
        let output = sh(&frame(&inner));
        let outer = split_frames(&output).expect("whole");
        let frames = split_frames(outer[0].text).expect("whole");
        assert_eq!(
            frames,
            [Frame { status: 0, text: "one" }, Frame { status: 0, text: "" }]
        );
    }

    #[test]
    fn what_is_not_utf8_spoils_no_frame() {
        let script = [frame("printf '\\351'"), frame("echo two")].concat();
        let out = Command::new("sh")
            .env("LC_ALL", "C")
            .args(["-c", &script])
            .output()
            .expect("sh runs");
        let text = text_of(&out.stdout);
        let frames = split_frames(&text).expect("whole");
        assert_eq!((frames[0].text, frames[1].text), ("?", "two"));
    }

    #[test]
    fn an_output_that_breaks_off_is_an_error() {
        assert!(split_frames("0 3").is_err());
        assert!(split_frames("0 10\nabc").is_err());
        assert!(split_frames("garbage\n").is_err());
    }
}
