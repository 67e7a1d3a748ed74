//! The text of an input file, cut into lines as Python cuts them, so that every finding can show its line.

use crate::diagnostic::Location;
use std::path::Path;
use std::sync::Arc;

/// A file's text by lines, with the name it is reported under.
#[derive(Clone)]
pub struct SourceText {
    file: Arc<Path>,
    lines: Vec<Arc<str>>,
    hidden: bool,
}

impl std::fmt::Debug for SourceText {
    /// Without the text, which may be that of a vault.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceText")
            .field("file", &self.file)
            .field("lines", &self.lines.len())
            .finish_non_exhaustive()
    }
}

impl SourceText {
    /// Cuts `text` into lines. With `hidden` (decrypted vault files) no location will ever carry a line's text.
    pub fn new(file: &Path, text: &str, hidden: bool) -> Self {
        Self::cut(file, split_lines(without_mark(text)), hidden)
    }

    /// The same with lines as YAML has them, which end at line feeds and carriage returns alone.
    pub(crate) fn of_yaml(file: &Path, text: &str, hidden: bool) -> Self {
        let lines = split_at(without_mark(text), |c| matches!(c, '\n' | '\r'));
        Self::cut(file, lines, hidden)
    }

    fn cut(file: &Path, lines: Vec<&str>, hidden: bool) -> Self {
        Self {
            file: Arc::from(file),
            lines: lines.into_iter().map(Arc::from).collect(),
            hidden,
        }
    }

    /// The file's name.
    pub fn file(&self) -> &Arc<Path> {
        &self.file
    }

    /// Drops the lines of a hidden text, once everything is read from them.
    pub(crate) fn forget_hidden(&mut self) {
        if self.hidden {
            self.lines = Vec::new();
        }
    }

    /// True when the lines must not be shown.
    pub fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// All lines, without their line ends.
    pub fn lines(&self) -> &[Arc<str>] {
        &self.lines
    }

    /// The place at `line` and `column`, both counted from 1.
    pub fn at(&self, line: usize, column: usize) -> Location {
        let text = line
            .checked_sub(1)
            .and_then(|i| self.lines.get(i))
            .filter(|_| !self.hidden)
            .cloned();
        Location::at(
            self.file.clone(),
            u32::try_from(line).unwrap_or(u32::MAX),
            u32::try_from(column).unwrap_or(u32::MAX),
            text,
        )
    }

    /// The whole file.
    pub fn whole(&self) -> Location {
        Location::at(self.file.clone(), 0, 0, None)
    }
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Lines as Python's `str.splitlines` gives them.
pub(crate) fn split_lines(text: &str) -> Vec<&str> {
    split_at(text, |c| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    })
}

fn split_at(text: &str, is_break: fn(char) -> bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !is_break(c) {
            continue;
        }
        lines.push(&text[start..at]);
        start = at + c.len_utf8();
        if c == '\r' && chars.peek().is_some_and(|(_, next)| *next == '\n') {
            chars.next();
            start += 1;
        }
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{SourceText, split_lines};
    use std::path::Path;

    #[test]
    fn lines_of_yaml_are_those_that_its_places_count() {
        let source = SourceText::of_yaml(Path::new("f"), "\u{feff}a: \"\u{2028}\u{c}\"\r\nb: [\rc\n", false);
        let lines: Vec<&str> = source.lines().iter().map(|line| &**line).collect();
        assert_eq!(lines, ["a: \"\u{2028}\u{c}\"", "b: [", "c"]);
    }

    #[test]
    fn lines_as_python_cuts_them() {
        assert_eq!(split_lines("a\nb\r\nc\rd\n\ne"), ["a", "b", "c", "d", "", "e"]);
        assert_eq!(split_lines(""), Vec::<&str>::new());
        assert_eq!(split_lines("x\n"), ["x"]);
    }
}
