//! Words of an INI host line, as Python's `shlex.split(line, comments=True)` cuts them, each character with the
//! column it came from.

/// A word and where its characters stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word with quotes and escapes taken out.
    pub text: String,
    /// For each character of `text` its index in the line, counted in characters from 0.
    pub columns: Vec<usize>,
    /// Index of the word's first character in the line, a quote included.
    pub start: usize,
}

/// Why a line is not words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordError {
    /// What is wrong.
    pub message: &'static str,
    /// Where, counted in characters from 0.
    pub column: usize,
}

/// Cuts `line`; `#` starts a comment anywhere outside quotes.
///
/// # Errors
/// A quote that is not closed, or a backslash at the end.
pub fn split(line: &str) -> Result<Vec<Word>, WordError> {
    let chars: Vec<char> = line.chars().collect();
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        match c {
            ' ' | '\t' | '\r' | '\n' => {
                words.extend(word.take());
                at += 1;
            }
            '#' => break,
            _ => {
                let current = word.get_or_insert_with(|| Word {
                    text: String::new(),
                    columns: Vec::new(),
                    start: at,
                });
                at = match c {
                    '\\' => {
                        let escaped = *chars.get(at + 1).ok_or(WordError {
                            message: "nothing follows the backslash",
                            column: at,
                        })?;
                        current.push(escaped, at + 1);
                        at + 2
                    }
                    '\'' | '"' => quoted(&chars, at, current)?,
                    plain => {
                        current.push(plain, at);
                        at + 1
                    }
                };
            }
        }
    }
    words.extend(word);
    Ok(words)
}

impl Word {
    fn push(&mut self, c: char, column: usize) {
        self.text.push(c);
        self.columns.push(column);
    }

    /// The column (from 0) of the text after the first `chars` characters of the word.
    pub fn column_after(&self, chars: usize) -> usize {
        self.columns
            .get(chars)
            .copied()
            .unwrap_or_else(|| self.columns.last().map_or(self.start, |last| last + 1))
    }
}

fn quoted(chars: &[char], open: usize, word: &mut Word) -> Result<usize, WordError> {
    let quote = chars[open];
    let mut at = open + 1;
    loop {
        match chars.get(at) {
            None => {
                return Err(WordError {
                    message: "the quote is not closed",
                    column: open,
                });
            }
            Some(c) if *c == quote => return Ok(at + 1),
            Some('\\') if quote == '"' => {
                let next = *chars.get(at + 1).ok_or(WordError {
                    message: "the quote is not closed",
                    column: open,
                })?;
                if next != '\\' && next != '"' {
                    word.push('\\', at);
                }
                word.push(next, at + 1);
                at += 2;
            }
            Some(c) => {
                word.push(*c, at);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    fn texts(line: &str) -> Vec<String> {
        split(line).expect("splits").into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn words_as_shlex_gives_them() {
        let cases: [(&str, &[&str]); 9] = [
            ("a b=c", &["a", "b=c"]),
            ("a b='c d' # rest", &["a", "b=c d"]),
            ("a b=c#d e=f", &["a", "b=c"]),
            (r#"a b="x \"y\" \n z""#, &["a", r#"b=x "y" \n z"#]),
            (r"a b=\#c", &["a", "b=#c"]),
            (r"a b='c\d'", &["a", r"b=c\d"]),
            ("a ''", &["a", ""]),
            ("a b='#c'", &["a", "b=#c"]),
            ("a b=\"it's\"", &["a", "b=it's"]),
        ];
        for (line, wanted) in cases {
            assert_eq!(texts(line), wanted, "{line}");
        }
    }

    #[test]
    fn open_quotes_are_placed() {
        assert_eq!(split("a b='c").expect_err("open").column, 4);
        assert_eq!(split(r"a b=\").expect_err("open").column, 4);
    }

    #[test]
    fn columns_point_into_the_line() {
        let words = split("vm1  k='v w'").expect("splits");
        assert_eq!(words[1].start, 5);
        assert_eq!(words[1].column_after(2), 8);
    }
}
