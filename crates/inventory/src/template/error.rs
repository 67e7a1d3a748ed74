//! What can go wrong when a value is evaluated, and how it is told.

use crate::diagnostic::{Diagnostic, Location};
use std::fmt;
use std::sync::Arc;

/// What kind of mistake stopped an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueErrorKind {
    /// A name that is set nowhere.
    Undefined {
        /// The name, with the attributes that were asked of it (`nginx.port`).
        name: String,
    },
    /// A name that is set nowhere because it is a fact, known only once the host was asked.
    NeedsFact {
        /// The fact (`ansible_default_ipv4`).
        name: String,
    },
    /// A variable whose value needs the variable itself.
    Cycle {
        /// The variables in the order they need each other; the first stands again at the end.
        chain: Vec<String>,
    },
    /// The template cannot be parsed.
    Syntax {
        /// What the parser wanted and found.
        message: String,
    },
    /// A filter, test, function or method was given what it cannot work on, or does not exist.
    Filter {
        /// Its name.
        name: String,
        /// What is wrong with its input.
        message: String,
    },
    /// An operator was given what it cannot work on.
    Operation {
        /// What is wrong.
        message: String,
    },
    /// A lookup failed or is refused.
    Lookup {
        /// The lookup plugin.
        plugin: String,
        /// Why.
        message: String,
    },
    /// A value of another type was wanted.
    Type {
        /// The variable.
        name: String,
        /// What was wanted (`boolean`).
        wanted: &'static str,
        /// What it is (`list`).
        got: &'static str,
    },
    /// A template uses something of Jinja or Ansible that this program leaves out on purpose.
    Unsupported {
        /// What.
        what: String,
    },
    /// Evaluation went deeper or became larger than any honest template does.
    Limit {
        /// Which limit.
        message: String,
    },
}

/// Why a value could not be evaluated, where, and through which variables it was reached. Holds no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ValueError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: ValueErrorKind,
    location: Option<Location>,
    /// Innermost first.
    chain: Vec<(Arc<str>, Option<Location>)>,
    help: Option<String>,
    /// Byte offset and line inside the template.
    span: Option<(usize, u32)>,
    /// Set when the location is settled and outer frames must not touch it.
    placed: bool,
}

impl ValueError {
    /// An error of `kind`, without a place yet.
    pub fn new(kind: ValueErrorKind) -> Self {
        Self(Box::new(Inner {
            kind,
            location: None,
            chain: Vec::new(),
            help: None,
            span: None,
            placed: false,
        }))
    }

    /// What kind of mistake it is.
    pub fn kind(&self) -> &ValueErrorKind {
        &self.0.kind
    }

    /// Where the mistake is, as far as it is known.
    pub fn location(&self) -> Option<&Location> {
        self.0.location.as_ref()
    }

    /// The variables through which the mistake was reached, the one that holds it first.
    pub fn chain(&self) -> &[(Arc<str>, Option<Location>)] {
        &self.0.chain
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// True when the cause is a name that is not defined (yet).
    pub fn is_undefined(&self) -> bool {
        matches!(
            self.0.kind,
            ValueErrorKind::Undefined { .. } | ValueErrorKind::NeedsFact { .. }
        )
    }

    /// The same, at `location` unless it has a place.
    #[must_use]
    pub fn at(mut self, location: Option<Location>) -> Self {
        if self.0.location.is_none() {
            self.0.location = location;
        }
        self
    }

    /// The same, with what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    pub(crate) fn undefined(name: impl Into<String>) -> Self {
        Self::new(ValueErrorKind::Undefined { name: name.into() })
    }

    pub(crate) fn filter(name: &str, message: impl Into<String>) -> Self {
        Self::new(ValueErrorKind::Filter {
            name: name.into(),
            message: message.into(),
        })
    }

    pub(crate) fn operation(message: impl Into<String>) -> Self {
        Self::new(ValueErrorKind::Operation {
            message: message.into(),
        })
    }

    pub(crate) fn syntax(message: impl Into<String>) -> Self {
        Self::new(ValueErrorKind::Syntax {
            message: message.into(),
        })
    }

    pub(crate) fn lookup(plugin: &str, message: impl Into<String>) -> Self {
        Self::new(ValueErrorKind::Lookup {
            plugin: plugin.into(),
            message: message.into(),
        })
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::new(ValueErrorKind::Unsupported { what: what.into() })
    }

    /// Marks where inside the template it happened, unless that is known.
    pub(crate) fn span(mut self, offset: usize, line: u32) -> Self {
        if self.0.span.is_none() && !self.0.placed {
            self.0.span = Some((offset, line));
        }
        self
    }

    /// Turns the place inside the template into one in the file where the template stands.
    pub(crate) fn place(mut self, template: &str, location: Option<&Location>, whole_file: bool) -> Self {
        if self.0.placed {
            return self;
        }
        self.0.placed = true;
        let Some(location) = location else {
            return self;
        };
        if self.0.location.is_some() {
            return self;
        }
        let mut found = location.clone();
        if let Some((offset, line)) = self.0.span {
            if whole_file {
                found.line = line;
                // The parser may point into the middle of a character.
                let offset = template.floor_char_boundary(offset);
                let start = template[..offset].rfind('\n').map_or(0, |i| i + 1);
                found.column = column(&template[start..], offset.saturating_sub(start));
                found.text = template[start..].lines().next().map(Arc::from);
            } else if let Some(text) = &location.text
                && let Some(at) = text.find(template)
            {
                // The template stands in one piece on its line, so the very character can be named.
                found.column = column(text, at + offset);
            }
        }
        self.0.location = Some(found);
        self
    }

    /// Masks every one of `secrets` in what the error says.
    pub(crate) fn masked(mut self, secrets: &[Arc<str>]) -> Self {
        let clean = |text: &mut String| {
            for secret in secrets {
                if text.contains(&**secret) {
                    *text = text.replace(&**secret, "***");
                }
            }
        };
        match &mut self.0.kind {
            ValueErrorKind::Undefined { name } | ValueErrorKind::NeedsFact { name } => clean(name),
            ValueErrorKind::Cycle { chain } => chain.iter_mut().for_each(clean),
            ValueErrorKind::Filter { name, message } => {
                clean(name);
                clean(message);
            }
            ValueErrorKind::Lookup { plugin, message } => {
                clean(plugin);
                clean(message);
            }
            ValueErrorKind::Syntax { message }
            | ValueErrorKind::Operation { message }
            | ValueErrorKind::Limit { message } => clean(message),
            ValueErrorKind::Unsupported { what } => clean(what),
            ValueErrorKind::Type { .. } => {}
        }
        if let Some(help) = &mut self.0.help {
            clean(help);
        }
        self
    }

    /// Moves the place down by the lines that stood before the template proper.
    pub(crate) fn shift_lines(mut self, lines: u32) -> Self {
        if let Some(location) = &mut self.0.location
            && location.line > 0
        {
            location.line += lines;
        }
        self
    }

    pub(crate) fn push_link(mut self, name: &Arc<str>, location: Option<&Location>) -> Self {
        self.0.chain.push((Arc::clone(name), location.cloned()));
        self
    }

    /// The sentence that says what is wrong, without place and help.
    pub fn message(&self) -> String {
        match &self.0.kind {
            ValueErrorKind::Undefined { name } => format!("'{name}' is undefined"),
            ValueErrorKind::NeedsFact { name } => {
                format!("'{name}' is a fact of the host and is known only once the host was asked")
            }
            ValueErrorKind::Cycle { chain } => {
                format!("the value of '{}' needs itself: {}", chain[0], chain.join(" -> "))
            }
            ValueErrorKind::Syntax { message } => format!("the template cannot be parsed: {message}"),
            ValueErrorKind::Filter { name, message } => format!("'{name}': {message}"),
            ValueErrorKind::Operation { message } | ValueErrorKind::Limit { message } => message.clone(),
            ValueErrorKind::Lookup { plugin, message } => format!("lookup '{plugin}': {message}"),
            ValueErrorKind::Type { name, wanted, got } => {
                format!("'{name}' must be a {wanted}, and it is a {got}")
            }
            ValueErrorKind::Unsupported { what } => format!("{what} is not supported"),
        }
    }

    fn default_help(&self) -> Option<String> {
        match &self.0.kind {
            ValueErrorKind::Undefined { name } => Some(format!(
                "set '{name}' in the inventory, in group_vars or with -e, or give it a default: {{{{ {name} | default('…') }}}}"
            )),
            ValueErrorKind::NeedsFact { .. } => Some(
                "it cannot be checked beforehand; set the variable itself to make it independent of the host".into(),
            ),
            ValueErrorKind::Cycle { .. } => Some("give one of them a value of its own".into()),
            _ => None,
        }
    }
}

/// The column (from 1) of the character at byte `offset` of `line`.
fn column(line: &str, offset: usize) -> u32 {
    let chars = line.char_indices().take_while(|(i, _)| *i < offset).count();
    u32::try_from(chars + 1).unwrap_or(u32::MAX)
}

impl fmt::Debug for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueError")
            .field("kind", &self.0.kind)
            .field("location", &self.0.location)
            .field("chain", &self.0.chain)
            .finish()
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        if let Some(location) = &self.0.location {
            write!(f, " ({location})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ValueError {}

impl From<ValueError> for Diagnostic {
    fn from(error: ValueError) -> Self {
        let mut diagnostic = Diagnostic::error(error.message()).at(error.0.location.clone());
        for (position, (name, location)) in error.0.chain.iter().enumerate() {
            let Some(location) = location else { continue };
            let same = error
                .0
                .location
                .as_ref()
                .is_some_and(|l| l.file == location.file && l.line == location.line);
            if position == 0 && same {
                continue;
            }
            diagnostic = diagnostic.related(location.clone(), format!("needed by '{name}'"));
        }
        diagnostic.help = error.0.help.clone().or_else(|| error.default_help());
        diagnostic
    }
}
