//! The words of a format, in the files that libFuzzer takes as dictionaries: one `"word"` a line, with `\xNN` for bytes.

/// Reads such a file.
///
/// # Errors
/// The number of the line that is none.
pub fn parse(text: &str) -> Result<Vec<Vec<u8>>, usize> {
    let mut words = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        words.push(word(line).ok_or(number + 1)?);
    }
    Ok(words)
}

fn word(line: &str) -> Option<Vec<u8>> {
    let mut bytes = line.strip_prefix('"')?.strip_suffix('"')?.bytes();
    let mut word = Vec::new();
    while let Some(byte) = bytes.next() {
        word.push(match byte {
            b'"' => return None,
            b'\\' => match bytes.next()? {
                b'x' => {
                    let digits = [bytes.next()?, bytes.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                other @ (b'\\' | b'"') => other,
                _ => return None,
            },
            other => other,
        });
    }
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_as_libfuzzer_reads_them() {
        let text = "# marks\n\"[\"\n\n\"a\\\"b\\\\\"\n\"\\x0a\\xff\"\n";
        assert_eq!(parse(text), Ok(vec![b"[".to_vec(), b"a\"b\\".to_vec(), vec![10, 255]]));
        for (text, line) in [
            ("\"a\"\nb", 2),
            ("\"a", 1),
            ("\"\"", 1),
            ("\"\\xg0\"", 1),
            ("\"a\"b\"", 1),
        ] {
            assert_eq!(parse(text), Err(line), "{text}");
        }
    }
}
