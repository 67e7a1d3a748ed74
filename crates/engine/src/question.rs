//! Questions: what a task must know about its host before it can decide. Questions of one kind are asked together,
//! by one fragment of shell; those of all tasks of a role travel in one exchange.

use std::fmt;
use std::hash::{Hash, Hasher};

/// One kind of question: how a number of them are asked at once, and how their answers are told apart.
///
/// A probe is a unit struct; `&'static dyn Probe` is its identity together with [`Probe::name`].
pub trait Probe: Send + Sync + 'static {
    /// The name of this kind, unique in the program, for example `file`.
    fn name(&self) -> &'static str;

    /// A POSIX `sh` fragment that answers all `subjects`, reading only. Its standard output is text without NUL
    /// bytes, seen by [`Probe::split`]; its standard error is kept for error messages. It runs with `LC_ALL=C`.
    fn script(&self, subjects: &[&str]) -> String;

    /// The answers in the order of `subjects`. `Err` in place of one says that this question could not be answered,
    /// and why; absence is an answer, not an error.
    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer>;

    /// Whether the answer about `subject` may be another once `touch` has happened. The default is yes for everything,
    /// which is always safe and costs one more question.
    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        let _ = (subject, touch);
        true
    }
}

/// What came back for one question: the text of the answer, or why there is none.
pub type RawAnswer = Result<String, String>;

/// A question about one subject (a path, a package name, …).
#[derive(Clone)]
pub struct Question {
    probe: &'static dyn Probe,
    subject: String,
}

impl Question {
    /// Asks `probe` about `subject`.
    pub fn new(probe: &'static dyn Probe, subject: impl Into<String>) -> Self {
        Self {
            probe,
            subject: subject.into(),
        }
    }

    /// The kind of question.
    pub fn probe(&self) -> &'static dyn Probe {
        self.probe
    }

    /// What it is about.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether `touch` may have changed the answer.
    pub fn disturbed_by(&self, touch: &Touch) -> bool {
        matches!(touch, Touch::Everything) || self.probe.disturbed_by(&self.subject, touch)
    }
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        self.probe.name() == other.probe.name() && self.subject == other.subject
    }
}

impl Eq for Question {}

impl Hash for Question {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.probe.name().hash(state);
        self.subject.hash(state);
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.probe.name(), self.subject)
    }
}

/// What a change has touched, or may have: decides which answers are forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Touch {
    /// A path, everything beneath it, and the listing of its parents.
    Path(String),
    /// One thing of a kind, for example `("unit", "nginx.service")`. The kind is a probe's name.
    Thing(&'static str, String),
    /// Everything of a kind.
    Kind(&'static str),
    /// Anything on the host: a package was installed, a command was run.
    Everything,
}

impl Touch {
    /// Whether this touches `path`: the very path, something above it (it may have vanished or appeared with it), or
    /// something beneath it.
    pub fn concerns_path(&self, path: &str) -> bool {
        match self {
            Touch::Path(touched) => is_within(path, touched) || is_within(touched, path),
            Touch::Everything => true,
            Touch::Thing(..) | Touch::Kind(_) => false,
        }
    }
}

fn is_within(inner: &str, outer: &str) -> bool {
    let outer = outer.trim_end_matches('/');
    inner == outer || (inner.starts_with(outer) && inner.as_bytes().get(outer.len()) == Some(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_concerns_itself_its_parents_and_what_is_beneath() {
        let touch = Touch::Path("/etc/nginx".into());
        assert!(touch.concerns_path("/etc/nginx"));
        assert!(touch.concerns_path("/etc/nginx/nginx.conf"));
        assert!(touch.concerns_path("/etc"));
        assert!(!touch.concerns_path("/etc/nginx2"));
        assert!(!touch.concerns_path("/var"));
    }
}
