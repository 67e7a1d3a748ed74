//! Decisions: what follows from the answers. Deciding is pure; only the engine carries a change out.

use crate::question::Touch;
use crate::step::Step;
use std::fmt;
use std::time::Duration;

/// What a task concluded from the answers.
#[derive(Debug, Clone)]
pub enum Decision {
    /// The host is as it should be.
    Nothing {
        /// Why nothing is to be done, for example `nginx 1.22.1 is installed`.
        reason: String,
    },
    /// Something differs.
    Change(Change),
    /// It cannot be known before earlier changes are carried out (check mode only).
    Unknown {
        /// Why, for example `unit nginx comes with a package that is not installed yet`.
        reason: String,
    },
    /// A state that is waited for has not come; asked again until the task's patience ends.
    NotYet {
        /// What is waited for, and what is there instead.
        reason: String,
    },
    /// What is waited for says that it cannot come. It may have said so of how things were before a change of ours, so it
    /// is asked again, and believed when it still says so [`FIRM`] (or half of the task's patience) later.
    Failing {
        /// What it says.
        reason: String,
        /// What to do about it.
        help: Option<String>,
    },
}

/// How long something must go on saying that it fails before it is believed.
pub const FIRM: Duration = Duration::from_secs(15);

impl Decision {
    /// Nothing to do, because of `reason`.
    pub fn nothing(reason: impl Into<String>) -> Self {
        Self::Nothing { reason: reason.into() }
    }

    /// Not to be known yet, because of `reason`.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }
}

/// A difference, and the steps that close it.
#[derive(Debug, Clone)]
pub struct Change {
    /// What will be done, in a few words: `install nginx 1.22.1`.
    pub summary: String,
    /// The differences, for `--diff`, plans and reports.
    pub differences: Vec<Difference>,
    /// What to do, in order; the first failure stops.
    pub steps: Vec<Step>,
    /// Which answers may be different afterwards.
    pub touches: Vec<Touch>,
}

impl Change {
    /// A change that touches everything unless [`Change::touches`] says less.
    pub fn new(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            differences: Vec::new(),
            steps: Vec::new(),
            touches: vec![Touch::Everything],
        }
    }

    /// Its scripts that are given secrets.
    pub(crate) fn secretive(&self) -> impl Iterator<Item = &crate::step::Shell> {
        self.steps.iter().filter_map(|step| match step {
            Step::Shell(shell) if shell.payload.is_sensitive() => Some(shell),
            _ => None,
        })
    }

    /// The same, with a difference to show.
    #[must_use]
    pub fn differs(mut self, what: impl Into<String>, before: Shown, after: Shown) -> Self {
        self.differences.push(Difference {
            what: what.into(),
            before,
            after,
        });
        self
    }

    /// The same, with one more step.
    #[must_use]
    pub fn step(mut self, step: impl Into<Step>) -> Self {
        self.steps.push(step.into());
        self
    }

    /// The same, touching only `touches`.
    #[must_use]
    pub fn touching(mut self, touches: impl IntoIterator<Item = Touch>) -> Self {
        self.touches = touches.into_iter().collect();
        self
    }
}

impl From<Change> for Decision {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

/// One thing before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs: `content of /etc/nginx/nginx.conf`, `mode`, `package nginx`.
    pub what: String,
    /// As it is.
    pub before: Shown,
    /// As it will be.
    pub after: Shown,
}

/// A value as it may be shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown {
    /// It does not exist.
    Absent,
    /// Text; several lines are shown as a diff.
    Text(String),
    /// A secret: only that it is there (and, where known, a digest to tell two apart is not shown either).
    Masked,
    /// Not text, or too large to show.
    Binary {
        /// Its size in bytes.
        bytes: u64,
    },
}

impl Shown {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Masked => f.write_str("***"),
            Self::Binary { bytes } => write!(f, "{bytes} bytes"),
        }
    }
}
