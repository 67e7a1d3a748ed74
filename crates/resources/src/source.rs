//! Where a file's content comes from: known beforehand, or made from answers (facts, other files) while deciding.

use crate::probe::facts::{AskFacts, Facts};
use mosip_prov_engine::{Answers, Ask, Content, DecideError, Question};
use std::fmt;
use std::sync::Arc;

type Make = dyn Fn(&Answers) -> Result<Content, DecideError> + Send + Sync;

/// A file's content.
#[derive(Clone)]
pub enum Source {
    /// Known when the task list is made.
    Fixed(Content),
    /// Made from the answers to `questions` while deciding; pure.
    Computed {
        /// What must be known.
        questions: Vec<Question>,
        /// Makes the content from the answers to `questions`.
        make: Arc<Make>,
    },
}

impl Source {
    /// Content made from the answers to `questions`.
    pub fn computed(
        questions: Vec<Question>,
        make: impl Fn(&Answers) -> Result<Content, DecideError> + Send + Sync + 'static,
    ) -> Self {
        Self::Computed {
            questions,
            make: Arc::new(make),
        }
    }

    /// Content made from the host's facts, shown in diffs. What `make` returns as `Err` becomes the task's error.
    pub fn from_facts(make: impl Fn(&Facts) -> Result<String, String> + Send + Sync + 'static) -> Self {
        Self::computed(vec![AskFacts.question()], move |answers| {
            let facts = answers.get(&AskFacts)?;
            make(&facts).map(Content::public).map_err(DecideError::impossible)
        })
    }

    /// What must be known to make it.
    pub fn questions(&self) -> Vec<Question> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Computed { questions, .. } => questions.clone(),
        }
    }

    /// The content itself.
    pub fn make(&self, answers: &Answers) -> Result<Content, DecideError> {
        match self {
            Self::Fixed(content) => Ok(content.clone()),
            Self::Computed { make, .. } => make(answers),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(content) => write!(f, "Fixed({content:?})"),
            Self::Computed { questions, .. } => write!(f, "Computed({questions:?})"),
        }
    }
}

impl From<Content> for Source {
    fn from(content: Content) -> Self {
        Self::Fixed(content)
    }
}

impl From<&str> for Source {
    /// Content that may be shown in diffs.
    fn from(text: &str) -> Self {
        Self::Fixed(Content::public(text.as_bytes().to_vec()))
    }
}

impl From<String> for Source {
    /// Content that may be shown in diffs.
    fn from(text: String) -> Self {
        Self::Fixed(Content::public(text.into_bytes()))
    }
}
