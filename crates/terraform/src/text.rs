//! What a program wrote, as it may be kept and shown: without control characters, and bounded.

use mosip_prov_events::text::is_unsafe;

/// Longest message that is kept, in characters.
pub const MESSAGE_LIMIT: usize = 16 * 1024;
/// Longest name or word that is kept, in characters.
pub const WORD_LIMIT: usize = 1024;

/// `text` without escape sequences; other control characters, and those that turn or hide what is written, become U+FFFD.
/// Line ends and tabs stay. Cut after `limit` characters, which then ends in `…`.
pub fn clean(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    let mut chars = text.chars().peekable();
    let mut kept = 0;
    while let Some(c) = chars.next() {
        let shown = match c {
            '\n' | '\t' => c,
            '\r' => continue,
            '\u{1b}' => {
                skip_sequence(&mut chars);
                continue;
            }
            c if is_unsafe(c) => '\u{fffd}',
            c => c,
        };
        if kept == limit {
            out.push('…');
            break;
        }
        out.push(shown);
        kept += 1;
    }
    out
}

/// What follows an escape: `[` and parameters up to a letter, `]` up to BEL or `ESC \`, or one character.
fn skip_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
        Some(']') => {
            while let Some(c) = chars.next() {
                match c {
                    '\u{7}' => break,
                    '\u{1b}' => {
                        chars.next();
                        break;
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// A message.
pub(crate) fn message(text: &str) -> String {
    clean(text.trim(), MESSAGE_LIMIT)
}

/// An address, a name, a word: one line.
pub(crate) fn word(text: &str) -> String {
    clean(text, WORD_LIMIT).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(
            clean("a\x1b[2Jb\x1b]0;t\x07c\rd\x07\u{202e}\u{200b}\n", 99),
            "abcd\u{fffd}\u{fffd}\u{fffd}\n"
        );
        assert_eq!(clean("\x1b]8;;x\x1b\\y\x1b", 99), "y");
        assert_eq!(word("a\nb"), "a b");
    }

    #[test]
    fn it_is_bounded() {
        assert_eq!(clean("äöü", 3), "äöü");
        assert_eq!(clean("äöüß", 3), "äöü…");
    }
}
