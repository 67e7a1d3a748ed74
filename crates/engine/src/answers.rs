//! Answers: what is known about a host, as a task sees it while it decides.

use crate::question::{Question, RawAnswer, Touch};
use std::collections::HashMap;
use std::sync::Arc;

/// A question together with the type of its answer.
pub trait Ask {
    /// What the answer says.
    type Answer;

    /// The question as it travels.
    fn question(&self) -> Question;

    /// Reads the answer's text. `Err` says what was not understood.
    fn read(&self, raw: &str) -> Result<Self::Answer, String>;
}

/// Why an answer is not to be had. Always an error of the task that asked, never "nothing to do".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The task decides from a question that it did not name in `questions()`.
    #[error("the task reads the answer to {question} without having asked it; this is a mistake in the resource")]
    NotAsked {
        /// The question.
        question: String,
    },
    /// The target could not answer it.
    #[error("could not find out {question}: {reason}")]
    Unanswered {
        /// The question.
        question: String,
        /// What the target said.
        reason: String,
    },
    /// The answer was not understood.
    #[error("the answer to {question} was not understood: {reason}")]
    NotUnderstood {
        /// The question.
        question: String,
        /// What was wrong with it.
        reason: String,
    },
}

/// How a task of this run ended on this host, for the tasks after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was to be done.
    Ok,
    /// Something was changed (in check mode: would be).
    Changed,
    /// It was skipped.
    Skipped,
    /// It failed, and the failure was ignored.
    Failed,
    /// Check mode could not tell.
    Unknown,
}

/// A change that check mode did not carry out, and what it would have touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The task's name.
    pub task: String,
    /// What it would have touched.
    pub touches: Vec<Touch>,
}

/// The answers a decision rests on. Made by the engine for a run, and by tests from data.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    known: HashMap<Question, RawAnswer>,
    pending: Vec<Pending>,
    outcomes: HashMap<Arc<str>, Outcome>,
    check_mode: bool,
}

impl Answers {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, knowing that the target answered `text` to `question`.
    #[must_use]
    pub fn with(mut self, question: Question, text: impl Into<String>) -> Self {
        self.known.insert(question, Ok(text.into()));
        self
    }

    /// The same, knowing that `question` could not be answered.
    #[must_use]
    pub fn with_failure(mut self, question: Question, reason: impl Into<String>) -> Self {
        self.known.insert(question, Err(reason.into()));
        self
    }

    /// The same, in check mode with a change that was not carried out.
    #[must_use]
    pub fn with_pending(mut self, task: impl Into<String>, touches: Vec<Touch>) -> Self {
        self.check_mode = true;
        self.add_pending(task.into(), touches);
        self
    }

    /// The typed answer to `ask`.
    pub fn get<A: Ask>(&self, ask: &A) -> Result<A::Answer, AskError> {
        let question = ask.question();
        match self.known.get(&question) {
            None => Err(AskError::NotAsked {
                question: format!("{question:?}"),
            }),
            Some(Err(reason)) => Err(AskError::Unanswered {
                question: format!("{question:?}"),
                reason: reason.clone(),
            }),
            Some(Ok(text)) => ask.read(text).map_err(|reason| AskError::NotUnderstood {
                question: format!("{question:?}"),
                reason,
            }),
        }
    }

    /// In check mode: the name of an earlier task whose change, had it been carried out, may have changed the answer
    /// to `question`. A decision that rests on such an answer is [`crate::Decision::Unknown`].
    pub fn pending_for(&self, question: &Question) -> Option<&str> {
        self.pending
            .iter()
            .find(|p| p.touches.iter().any(|t| question.disturbed_by(t)))
            .map(|p| p.task.as_str())
    }

    /// In check mode: the name of the first earlier task whose change touches `everything` (installs, commands), so
    /// that things absent now may exist by then.
    pub fn pending_everything(&self) -> Option<&str> {
        self.pending
            .iter()
            .find(|p| p.touches.contains(&Touch::Everything))
            .map(|p| p.task.as_str())
    }

    /// How an earlier task of the same role ended on this host; `None` when it has not run.
    pub fn outcome(&self, task: &str) -> Option<Outcome> {
        self.outcomes.get(task).copied()
    }

    /// Whether nothing is carried out in this run.
    pub fn check_mode(&self) -> bool {
        self.check_mode
    }

    pub(crate) fn set_check_mode(&mut self, check: bool) {
        self.check_mode = check;
    }

    pub(crate) fn knows(&self, question: &Question) -> bool {
        self.known.contains_key(question)
    }

    pub(crate) fn raw(&self, question: &Question) -> Option<&RawAnswer> {
        self.known.get(question)
    }

    pub(crate) fn learn(&mut self, question: Question, answer: RawAnswer) {
        self.known.insert(question, answer);
    }

    /// Forgets what `touches` may have changed.
    pub(crate) fn forget(&mut self, touches: &[Touch]) {
        self.known
            .retain(|question, _| !touches.iter().any(|touch| question.disturbed_by(touch)));
    }

    pub(crate) fn forget_questions(&mut self, questions: &[Question]) {
        for question in questions {
            self.known.remove(question);
        }
    }

    pub(crate) fn add_pending(&mut self, task: String, touches: Vec<Touch>) {
        self.pending.push(Pending { task, touches });
    }

    /// Takes over what `other` knows of `questions`, and what check mode left undone there.
    pub(crate) fn take_over(&mut self, other: &Self, questions: &[Question]) {
        for question in questions {
            if let Some(answer) = other.known.get(question) {
                self.known.insert(question.clone(), answer.clone());
            }
        }
        for pending in &other.pending {
            if !self.pending.contains(pending) {
                self.pending.push(pending.clone());
            }
        }
    }

    pub(crate) fn forget_outcomes(&mut self) {
        self.outcomes.clear();
    }

    pub(crate) fn set_outcome(&mut self, task: &str, outcome: Outcome) {
        self.outcomes.insert(Arc::from(task), outcome);
    }
}
