//! Tasks: a resource, and when and how it is to be brought about.

use crate::answers::{Answers, AskError};
use crate::decision::Decision;
use crate::question::Question;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A state of the host that a task brings about. One file each in the resources crate; whoever embeds the engine
/// writes more of their own.
pub trait Resource: Send + Sync + 'static {
    /// The name of the kind, as an operator would say it: `file`, `apt`, `unit`.
    fn kind(&self) -> &'static str;

    /// All that must be known to decide. The same questions for the whole run.
    fn questions(&self) -> Vec<Question>;

    /// What follows from the answers. Pure: no clock, no file, no connection.
    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError>;

    /// Whether a failure of this says that what the role changed before is bad: a service that does not come up, a port
    /// that does not answer. Files that the role has replaced are put back then.
    fn judges(&self) -> bool {
        false
    }

    /// How often and how long to ask again while the decision is [`Decision::NotYet`].
    fn patience(&self) -> Patience {
        Patience::default()
    }
}

/// Why a task could not decide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// An answer is missing.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The host is in a state in which the task cannot be done.
    #[error("{what}")]
    Impossible {
        /// What was wanted and what is there instead.
        what: String,
        /// What to do about it.
        help: Option<String>,
    },
}

impl DecideError {
    /// The task cannot be done: `what`.
    pub fn impossible(what: impl Into<String>) -> Self {
        Self::Impossible {
            what: what.into(),
            help: None,
        }
    }

    /// The task cannot be done: `what`; `help` says what to do.
    pub fn impossible_help(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Impossible {
            what: what.into(),
            help: Some(help.into()),
        }
    }

    /// What to do about it, when that is known.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Impossible { help, .. } => help.as_deref(),
            Self::Ask(_) => None,
        }
    }
}

/// How a state that has not come yet is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Time between two askings.
    pub every: Duration,
    /// Time after which the task fails.
    pub at_most: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            at_most: Duration::from_secs(60),
        }
    }
}

/// Who a task runs as on the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum RunAs {
    /// As the play says.
    #[default]
    Play,
    /// As the login user, whatever the play says.
    Login,
    /// As this user.
    User(String),
}

/// What a condition concluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Do the task.
    Do,
    /// Skip it, for this reason.
    Skip(String),
}

type Predicate = dyn Fn(&Answers) -> Result<Verdict, DecideError> + Send + Sync;

/// A condition on a task, decided from answers.
#[derive(Clone)]
pub struct Condition {
    pub(crate) questions: Vec<Question>,
    pub(crate) predicate: Arc<Predicate>,
}

impl Condition {
    /// A condition that needs the answers to `questions`.
    pub fn new(
        questions: Vec<Question>,
        predicate: impl Fn(&Answers) -> Result<Verdict, DecideError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            questions,
            predicate: Arc::new(predicate),
        }
    }
}

/// Trying again after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// How many more times.
    pub count: u32,
    /// Time between two tries.
    pub delay: Duration,
}

/// A resource with its name and circumstances. A handler is a task that runs only when it was notified.
#[derive(Clone)]
pub struct Task {
    pub(crate) name: Arc<str>,
    pub(crate) resource: Arc<dyn Resource>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) condition: Option<Condition>,
    pub(crate) notify: Vec<Arc<str>>,
    pub(crate) retries: Option<Retries>,
    pub(crate) run_as: RunAs,
    pub(crate) delegate_to: Option<String>,
    pub(crate) run_once: bool,
    pub(crate) ignore_errors: bool,
    pub(crate) no_log: bool,
    pub(crate) consult: Vec<Consult>,
}

/// Questions that another machine answers.
#[derive(Debug, Clone)]
pub(crate) struct Consult {
    pub host: String,
    pub run_as: RunAs,
    pub questions: Vec<Question>,
}

impl Task {
    /// A task that brings about `resource`.
    pub fn new(name: impl Into<Arc<str>>, resource: impl Resource) -> Self {
        Self {
            name: name.into(),
            resource: Arc::new(resource),
            tags: BTreeSet::new(),
            condition: None,
            notify: Vec::new(),
            retries: None,
            run_as: RunAs::Play,
            delegate_to: None,
            run_once: false,
            ignore_errors: false,
            no_log: false,
            consult: Vec::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it brings about.
    pub fn resource(&self) -> &dyn Resource {
        self.resource.as_ref()
    }

    /// Its tags.
    pub fn tags(&self) -> &BTreeSet<String> {
        &self.tags
    }

    /// The handlers it notifies when it changes something.
    pub fn notifies(&self) -> impl Iterator<Item = &str> {
        self.notify.iter().map(AsRef::as_ref)
    }

    /// The same with a tag, by which `--tags` and `--skip-tags` choose.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.insert(tag.into());
        self
    }

    /// The same, done only when `condition` says so.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.condition = Some(condition);
        self
    }

    /// The same, notifying the handler of that name when it changes something.
    #[must_use]
    pub fn notify(mut self, handler: impl Into<Arc<str>>) -> Self {
        self.notify.push(handler.into());
        self
    }

    /// The same, tried again on failure.
    #[must_use]
    pub fn retries(mut self, count: u32, delay: Duration) -> Self {
        self.retries = Some(Retries { count, delay });
        self
    }

    /// The same, as another user than the play's.
    #[must_use]
    pub fn run_as(mut self, run_as: RunAs) -> Self {
        self.run_as = run_as;
        self
    }

    /// The same, carried out on the host of that name in place of the play's host.
    #[must_use]
    pub fn delegate_to(mut self, host: impl Into<String>) -> Self {
        self.delegate_to = Some(host.into());
        self
    }

    /// The same, done once for the batch, on its first host.
    #[must_use]
    pub fn run_once(mut self) -> Self {
        self.run_once = true;
        self
    }

    /// The same; a failure is reported and the host goes on.
    #[must_use]
    pub fn ignore_errors(mut self) -> Self {
        self.ignore_errors = true;
        self
    }

    /// The same; its differences and output are never shown.
    #[must_use]
    pub fn no_log(mut self) -> Self {
        self.no_log = true;
        self
    }

    /// The same, decided with answers of another machine as well: `questions` are put to the host of that name, inside
    /// `--limit` or not, as `run_as` there, and what it answers stands beside the answers of the task's own machine, in
    /// place of them where both are asked the same. The other machine is only read, without its lock, and only where the
    /// task cannot be decided without it (by an answer that is missing); where it cannot be asked then, the task fails.
    #[must_use]
    pub fn consult(mut self, host: impl Into<String>, run_as: RunAs, questions: Vec<Question>) -> Self {
        self.consult.push(Consult {
            host: host.into(),
            run_as,
            questions,
        });
        self
    }

    /// Whether the machines it consults must be asked in any case: they are asked what its own is, and theirs counts.
    pub(crate) fn must_consult(&self) -> bool {
        let own = self.questions();
        self.consult.iter().flat_map(|c| &c.questions).any(|q| own.contains(q))
    }

    /// The other machines that carry it out or are asked for it.
    pub(crate) fn others(&self) -> impl Iterator<Item = &str> {
        let consulted = self.consult.iter().map(|c| c.host.as_str());
        self.delegate_to.as_deref().into_iter().chain(consulted)
    }

    /// All questions to the task's own machine: those of the condition, then those of the resource.
    pub fn questions(&self) -> Vec<Question> {
        let mut all = self.condition.as_ref().map(|c| c.questions.clone()).unwrap_or_default();
        all.extend(self.resource.questions());
        all
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name)
            .field("kind", &self.resource.kind())
            .finish_non_exhaustive()
    }
}
