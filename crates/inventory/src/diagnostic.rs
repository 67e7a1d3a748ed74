//! What is wrong with an input file, and where: the one form in which every mistake in inventories, variables and
//! files is reported.

use indexmap::IndexSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A place in a file: what an operator needs to find the mistake with an editor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// The file, as it was named or found. Command line values use names such as `-e` in angle brackets.
    pub file: Arc<Path>,
    /// Line, counted from 1; 0 when the whole file is meant.
    pub line: u32,
    /// Column in characters, counted from 1; 0 when the whole line is meant.
    pub column: u32,
    /// The line itself, without its line end. `None` when it must not be shown (vault) or there is none.
    pub text: Option<Arc<str>>,
}

impl Location {
    /// The whole of `file`.
    pub fn file(file: impl Into<PathBuf>) -> Self {
        Self {
            file: Arc::from(file.into()),
            line: 0,
            column: 0,
            text: None,
        }
    }

    /// The given line and column (both counted from 1) of `file`.
    pub fn at(file: Arc<Path>, line: u32, column: u32, text: Option<Arc<str>>) -> Self {
        Self {
            file,
            line,
            column,
            text,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

/// Whether a finding stops the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Said, and the run goes on.
    Warning,
    /// Nothing connects while there is one.
    Error,
}

/// One finding about the inputs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// Whether it stops the run.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop; never contains a secret.
    pub message: String,
    /// Where, when it is known.
    pub location: Option<Location>,
    /// Further places that belong to it (the first of two duplicates, the links of a cycle), each with what it is.
    pub related: Vec<(Location, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            location: None,
            related: Vec::new(),
            help: None,
        }
    }

    /// A warning without a place yet.
    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    /// The same, at `location`.
    #[must_use]
    pub fn at(mut self, location: impl Into<Option<Location>>) -> Self {
        self.location = location.into();
        self
    }

    /// The same, with what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, with a further place.
    #[must_use]
    pub fn related(mut self, location: Location, what: impl Into<String>) -> Self {
        self.related.push((location, what.into()));
        self
    }

    /// True when it stops the run.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    /// The plain form, for logs and tests: `error: message`, then the place with its line and a caret, then help.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{word}: {}", self.message)?;
        if let Some(location) = &self.location {
            write_place(f, location, None)?;
        }
        for (location, what) in &self.related {
            write_place(f, location, Some(what))?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, location: &Location, what: Option<&str>) -> fmt::Result {
    write!(f, "\n  --> {location}")?;
    if let Some(what) = what {
        write!(f, " ({what})")?;
    }
    if let (Some(text), true) = (&location.text, location.line > 0) {
        let number = location.line.to_string();
        // Tabs become one space, so that the caret stands under its character.
        write!(f, "\n  {number} | {}", text.replace('\t', " "))?;
        if location.column > 0 {
            let gutter = " ".repeat(number.len());
            let indent = " ".repeat(location.column as usize - 1);
            write!(f, "\n  {gutter} | {indent}^")?;
        }
    }
    Ok(())
}

impl std::error::Error for Diagnostic {}

/// All that is wrong, collected before anything connects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(IndexSet<Diagnostic>);

impl Diagnostics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one, unless the very same is there already.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.insert(diagnostic);
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in other {
            self.push(diagnostic);
        }
    }

    /// Keeps the value of an `Ok`, collects the finding of an `Err`.
    pub fn take<T>(&mut self, result: Result<T, Diagnostic>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(diagnostic) => {
                self.push(diagnostic);
                None
            }
        }
    }

    /// True when at least one stops the run.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    /// How many stop the run.
    pub fn error_count(&self) -> usize {
        self.0.iter().filter(|d| d.is_error()).count()
    }

    /// In the order found.
    pub fn iter(&self) -> indexmap::set::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// True when nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = indexmap::set::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
