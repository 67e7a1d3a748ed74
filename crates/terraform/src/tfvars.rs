//! Files of values, `terraform.tfvars`: read with the place of each value, and changed so that all else stays as it is,
//! byte for byte.
//!
//! The syntax is that of HCL's attributes, <https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md>: `name = expression`,
//! comments, quoted strings with escapes and templates, heredocs, brackets over several lines. Expressions are not evaluated:
//! of a value that is more than a quoted string, only the extent is known.

use mosip_prov_inventory::SourceText;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use std::ops::Range;
use std::path::Path;

/// A file of values.
#[derive(Clone)]
pub struct Tfvars {
    text: String,
    source: SourceText,
    entries: Vec<Entry>,
}

impl std::fmt::Debug for Tfvars {
    /// Without the text, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
        f.debug_struct("Tfvars").field("names", &names).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Entry {
    name: String,
    /// Of the value, in bytes.
    value: Range<usize>,
    /// The string, when it is a quoted one without templates.
    string: Option<String>,
}

/// A value and where it stands.
#[derive(Clone)]
pub struct Found {
    /// The string; `None` when the value is something else, or has a template in it.
    pub string: Option<String>,
    /// Where the value begins. The line is not shown, unless it is of a variable that holds no secret: see
    /// [`Tfvars::get`].
    pub place: Location,
}

impl Tfvars {
    /// Reads the text of `file`.
    ///
    /// # Errors
    /// What is no attribute, and names that are set twice, each with its place.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Diagnostics> {
        let source = SourceText::new(file, text, false);
        let mut scanner = Scanner {
            text,
            at: 0,
            unclosed: None,
        };
        if text.starts_with('\u{feff}') {
            scanner.at = '\u{feff}'.len_utf8();
        }
        let mut found = Diagnostics::new();
        let mut entries: Vec<Entry> = Vec::new();
        let place = |at: usize| location(&source, text, at, false);
        while scanner.skip_blank() {
            let start = scanner.at;
            match scanner.attribute() {
                Ok(entry) => {
                    if let Some(first) = entries.iter().find(|other| other.name == entry.name) {
                        found.push(
                            Diagnostic::error(format!("{} is set twice", entry.name))
                                .at(place(start))
                                .related(place(first.value.start), "first here")
                                .help("keep one of the two"),
                        );
                    }
                    entries.push(entry);
                }
                Err((at, what)) => {
                    found.push(Diagnostic::error(what).at(place(at)).help(
                        "values are written as: name = \"value\"; see https://developer.hashicorp.com/terraform/language/values/variables",
                    ));
                    break;
                }
            }
        }
        if let Some(at) = scanner.unclosed {
            let problem = Diagnostic::error("here a comment begins that does not end");
            found.push(problem.at(place(at)).help("close it with */"));
        }
        if found.has_errors() {
            return Err(found);
        }
        Ok(Self {
            text: text.to_owned(),
            source,
            entries,
        })
    }

    /// The text as it is now.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names, in the order written.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The value of `name`. Its place has the line with it: ask for those only that hold no secret.
    pub fn get(&self, name: &str) -> Option<Found> {
        let entry = self.entries.iter().find(|entry| entry.name == name)?;
        Some(Found {
            string: entry.string.clone(),
            place: location(&self.source, &self.text, entry.value.start, true),
        })
    }

    /// All quoted strings, with their names. Their places have no line with them.
    pub fn strings(&self) -> impl Iterator<Item = (&str, &str, Location)> {
        self.entries.iter().filter_map(|entry| {
            let string = entry.string.as_deref()?;
            Some((
                entry.name.as_str(),
                string,
                location(&self.source, &self.text, entry.value.start, false),
            ))
        })
    }

    /// Sets `name` to a string: in its place where it is set, else in a line of its own at the end. All else stays as it is.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let quoted = quoted(value);
        let mut text = self.text.clone();
        match self.entries.iter().find(|entry| entry.name == name) {
            Some(entry) => text.replace_range(entry.value.clone(), &quoted),
            None => {
                let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push_str(end);
                }
                text.push_str(&format!("{name} = {quoted}{end}"));
            }
        }
        let file = self.source.file().to_path_buf();
        // What is put in is an attribute with a quoted string.
        Self::parse(&file, &text).unwrap_or_else(|_| self.clone())
    }
}

fn location(source: &SourceText, text: &str, at: usize, with_line: bool) -> Location {
    let before = &text[..at.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let column = before[start..].trim_start_matches('\u{feff}').chars().count() + 1;
    let mut place = source.at(line, column);
    // Lines end at a line feed alone here, others than those of `source`.
    let shown = text[start..]
        .lines()
        .next()
        .map(|line| line.trim_start_matches('\u{feff}'));
    place.text = shown.filter(|_| with_line).map(Into::into);
    place
}

/// `value` as a quoted string of HCL.
pub fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

type Wrong = (usize, String);

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Where a comment begins that does not end.
    unclosed: Option<usize>,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    /// Passes over a comment, which is left at its line's end.
    fn comment(&mut self) -> bool {
        let rest = self.rest();
        if rest.starts_with('#') || rest.starts_with("//") {
            self.at += rest.find('\n').unwrap_or(rest.len());
            return true;
        }
        if rest.starts_with("/*") {
            let end = rest.find("*/").map(|end| end + 2);
            let whole = rest.len();
            if end.is_none() {
                self.unclosed = Some(self.at);
            }
            self.at += end.unwrap_or(whole);
            return true;
        }
        false
    }

    /// Passes over blanks, lines and comments; false at the end.
    fn skip_blank(&mut self) -> bool {
        loop {
            if self.peek().is_some_and(char::is_whitespace) {
                self.bump();
            } else if !self.comment() {
                return self.peek().is_some();
            }
        }
    }

    fn skip_blanks_of_line(&mut self) {
        loop {
            if self.peek().is_some_and(|c| c.is_whitespace() && c != '\n') {
                self.bump();
            } else if !(self.rest().starts_with("/*") && self.comment()) {
                return;
            }
        }
    }

    fn attribute(&mut self) -> Result<Entry, Wrong> {
        let start = self.at;
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let length = self.rest().find(|c| !is_name(c)).unwrap_or(self.rest().len());
        let name = self.rest()[..length].to_owned();
        if name.is_empty() {
            return Err((start, "here the name of a variable is wanted".into()));
        }
        self.at += length;
        self.skip_blanks_of_line();
        if self.peek() != Some('=') {
            return Err((self.at, format!("after the name {name} there must be a =")));
        }
        self.bump();
        self.skip_blanks_of_line();
        let from = self.at;
        let to = self.expression(&name)?;
        if from == to {
            return Err((from, format!("{name} has no value")));
        }
        let string = unquoted(&self.text[from..to]);
        Ok(Entry {
            name,
            value: from..to,
            string,
        })
    }

    /// Passes over a value, up to its line's end or a comment outside of brackets. Returns where it ends.
    fn expression(&mut self, name: &str) -> Result<usize, Wrong> {
        let mut open: Vec<(char, usize)> = Vec::new();
        let mut end = self.at;
        while let Some(c) = self.peek() {
            match c {
                '\n' if open.is_empty() => break,
                '"' => self.string(name)?,
                '<' if self.rest().starts_with("<<") && self.heredoc(name)? => {}
                '#' | '/' if self.comment_begins() => {
                    if open.is_empty() && !self.rest().starts_with("/*") {
                        break;
                    }
                    self.comment();
                    continue;
                }
                '[' | '{' | '(' => {
                    open.push((c, self.at));
                    self.bump();
                }
                ']' | '}' | ')' => {
                    let wanted = match c {
                        ']' => '[',
                        '}' => '{',
                        _ => '(',
                    };
                    if open.pop().is_none_or(|(bracket, _)| bracket != wanted) {
                        return Err((
                            self.at,
                            format!("the value of {name} closes a bracket that is not open: {c}"),
                        ));
                    }
                    self.bump();
                }
                c => {
                    self.bump();
                    if c.is_whitespace() {
                        continue;
                    }
                }
            }
            end = self.at;
        }
        match open.last() {
            Some((bracket, at)) => Err((
                *at,
                format!("the value of {name} has a bracket that is not closed: {bracket}"),
            )),
            None => Ok(end),
        }
    }

    fn comment_begins(&self) -> bool {
        ["#", "//", "/*"].iter().any(|sign| self.rest().starts_with(sign))
    }

    /// Passes over a quoted string, with templates in it, which may hold strings themselves.
    fn string(&mut self, name: &str) -> Result<(), Wrong> {
        let start = self.at;
        let unclosed = || (start, format!("the value of {name} has a quote that is not closed"));
        self.bump();
        loop {
            match self.peek() {
                None | Some('\n') => return Err(unclosed()),
                Some('"') => {
                    self.bump();
                    return Ok(());
                }
                Some('\\') => {
                    self.bump();
                    self.bump();
                }
                Some('$' | '%') if self.rest().starts_with("$${") || self.rest().starts_with("%%{") => self.at += 3,
                Some('$' | '%') if self.rest()[1..].starts_with('{') => {
                    self.at += 2;
                    let mut depth = 1;
                    while depth > 0 {
                        match self.peek() {
                            None => return Err(unclosed()),
                            Some('"') => {
                                self.string(name)?;
                                continue;
                            }
                            Some('{') => depth += 1,
                            Some('}') => depth -= 1,
                            Some(_) => {}
                        }
                        self.bump();
                    }
                }
                Some(_) => self.bump(),
            }
        }
    }

    /// Passes over a heredoc; false when it is none.
    fn heredoc(&mut self, name: &str) -> Result<bool, Wrong> {
        let start = self.at;
        let head = self.rest().lines().next().unwrap_or_default();
        let word = head[2..].trim_start_matches('-').trim_end();
        if word.is_empty() || !word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
            return Ok(false);
        }
        let word = word.to_owned();
        let mut at = self.at;
        let mut lines = self.rest().split_inclusive('\n');
        at += lines.next().map_or(0, str::len);
        for line in lines {
            let trimmed = line.trim_end_matches('\n').trim_end_matches('\r');
            if trimmed.trim_start() == word {
                self.at = at + trimmed.len();
                return Ok(true);
            }
            at += line.len();
        }
        Err((
            start,
            format!("the value of {name} is a heredoc that is not closed by {word}"),
        ))
    }
}

/// The string that a quoted value is; `None` when it is another value, or has a template in it.
fn unquoted(value: &str) -> Option<String> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::new();
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                '"' => out.push('"'),
                '\\' => out.push('\\'),
                kind @ ('u' | 'U') => {
                    let digits = if kind == 'u' { 4 } else { 8 };
                    let code: String = chars.by_ref().take(digits).collect();
                    out.push(char::from_u32(u32::from_str_radix(&code, 16).ok()?)?);
                }
                _ => return None,
            },
            '$' | '%' if chars.peek() == Some(&'{') => return None,
            '$' | '%' if chars.peek() == Some(&c) => {
                out.push(c);
                let mut ahead = chars.clone();
                ahead.next();
                if ahead.peek() == Some(&'{') {
                    // `$${` is `${`.
                    chars.next();
                    chars.next();
                    out.push('{');
                }
            }
            c => out.push(c),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests;
