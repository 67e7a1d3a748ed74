//! A state that comes by itself: a port that opens, a path that appears. Asked again until it is there.
//!
//! ```
//! use mosip_prov_resources::WaitFor;
//! use std::time::Duration;
//!
//! let wait = WaitFor::port("127.0.0.1", 6443).for_at_most(Duration::from_secs(120));
//! ```

use crate::probe::file::{FileAsk, FileState};
use crate::probe::listening::AskPort;
use mosip_prov_engine::{Answers, Ask, DecideError, Decision, Patience, Question, Resource};
use std::time::Duration;

/// Waits, as seen from the target.
#[derive(Debug, Clone)]
pub struct WaitFor {
    what: What,
    present: bool,
    patience: Patience,
}

#[derive(Debug, Clone)]
enum What {
    Port(AskPort),
    Path(String),
}

impl WaitFor {
    fn new(what: What) -> Self {
        Self {
            what,
            present: true,
            patience: Patience::default(),
        }
    }

    /// Until a TCP port accepts connections; `localhost` and loopback addresses mean the target itself.
    pub fn port(host: impl Into<String>, port: u16) -> Self {
        Self::new(What::Port(AskPort {
            host: host.into(),
            port,
        }))
    }

    /// Until something is at this path.
    pub fn path(path: impl Into<String>) -> Self {
        Self::new(What::Path(path.into()))
    }

    /// The opposite: until the port is closed, the path is gone.
    #[must_use]
    pub fn absent(mut self) -> Self {
        self.present = false;
        self
    }

    /// How long to wait before the task fails. Default: 60 s.
    #[must_use]
    pub fn for_at_most(mut self, at_most: Duration) -> Self {
        self.patience.at_most = at_most;
        self
    }

    /// Time between two askings. Default: 1 s.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Self {
        self.patience.every = every;
        self
    }
}

impl Resource for WaitFor {
    fn kind(&self) -> &'static str {
        "wait_for"
    }

    fn questions(&self) -> Vec<Question> {
        match &self.what {
            What::Port(ask) => vec![ask.question()],
            What::Path(path) => vec![FileAsk::new(path.as_str()).question()],
        }
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let (present, reason) = match &self.what {
            What::Port(ask) => {
                let open = answers.get(ask)?;
                let state = if open { "open" } else { "closed" };
                (open, format!("port {} of {} is {state}", ask.port, ask.host))
            }
            What::Path(path) => {
                let state = answers.get(&FileAsk::new(path.as_str()))?;
                let there = !matches!(state, FileState::Absent { .. } | FileState::Blocked { .. });
                let state = if there { "there" } else { "not there" };
                (there, format!("{path} is {state}"))
            }
        };
        if present == self.present {
            return Ok(Decision::nothing(reason));
        }
        // Nothing that would bring it about has been carried out: waiting would be in vain.
        let pending = self
            .questions()
            .iter()
            .find_map(|q| answers.pending_for(q))
            .map(str::to_owned);
        Ok(match pending {
            Some(task) => Decision::unknown(format!("{reason}, but \"{task}\" comes first and may change that")),
            None => Decision::NotYet { reason },
        })
    }

    /// What does not come to answer tells of what was changed before.
    fn judges(&self) -> bool {
        true
    }

    fn patience(&self) -> Patience {
        self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_nothing, expect_unknown};
    use mosip_prov_engine::Touch;

    #[test]
    fn it_is_not_yet_until_it_is() {
        let wait = WaitFor::path("/run/x.sock");
        let missing = t::file_absent(Answers::new(), "/run/x.sock");
        assert!(
            matches!(wait.decide(&missing), Ok(Decision::NotYet { reason }) if reason == "/run/x.sock is not there")
        );
        expect_nothing(&wait.clone().absent(), &missing);
        expect_unknown(&wait, &missing.with_pending("start x", vec![Touch::Everything]));
        let port = WaitFor::port("localhost", 80).for_at_most(Duration::from_secs(5));
        let ask = AskPort {
            host: "localhost".into(),
            port: 80,
        };
        expect_nothing(&port, &Answers::new().with(ask.question(), "open"));
        assert_eq!(port.patience().at_most, Duration::from_secs(5));
    }
}
