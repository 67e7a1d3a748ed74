//! The proof that something works, asked until it is given: a service answers, a cluster is ready. When it is not given
//! in time, what the role changed before is judged bad, and files that it replaced are put back.
//!
//! ```
//! use mosip_prov_resources::Health;
//!
//! let docker = Health::of("Docker", "docker version --format '{{.Server.Version}}'");
//! ```

use crate::probe::command::AskCommand;
use crate::probe::shorten;
use crate::settle::settle;
use mosip_prov_engine::{Answers, Ask, DecideError, Decision, Patience, Question, Resource};
use std::time::Duration;

/// Something that works, as a script proves.
#[derive(Debug, Clone)]
pub struct Health {
    what: String,
    script: String,
    patience: Patience,
}

impl Health {
    /// `what` works when this fragment of POSIX `sh` succeeds. It must only read: it also runs in check mode. What it
    /// prints is the reason shown, or what is wrong.
    pub fn of(what: impl Into<String>, script: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            script: script.into(),
            patience: Patience::default(),
        }
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

    fn ask(&self) -> AskCommand {
        // A tool that is not there is what is waited for, or what is wrong; never a question without an answer.
        AskCommand(format!("(\n{}\n) 2>&1 || exit 1", self.script))
    }
}

impl Resource for Health {
    fn kind(&self) -> &'static str {
        "health"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let answer = answers.get(&self.ask())?;
        let said = shorten(&answer.output);
        let decision = if answer.status == 0 {
            Decision::nothing(match answer.output.trim() {
                "" => format!("{} answers", self.what),
                _ => format!("{} answers: {said}", self.what),
            })
        } else if let Some(task) = answers
            .pending_everything()
            // Any change may alter what a script finds; what installs is the likeliest.
            .or_else(|| answers.pending_for(&self.ask().question()))
        {
            Decision::unknown(format!("{} is asked when \"{task}\" has been done", self.what))
        } else {
            Decision::NotYet {
                reason: format!("{} does not answer: {said}", self.what),
            }
        };
        settle(answers, &self.questions(), Ok(decision))
    }

    /// What does not work condemns what was changed before.
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
    fn it_is_waited_for_and_judged_by() {
        let docker = Health::of("Docker", "docker version").for_at_most(Duration::from_secs(5));
        assert!(docker.judges());
        assert_eq!(docker.patience().at_most, Duration::from_secs(5));
        let said = |status: i32, output: &str| t::command(Answers::new(), &docker.ask().0, status, output);
        assert_eq!(
            expect_nothing(&docker, &said(0, "20.10.24\n")),
            "Docker answers: 20.10.24"
        );
        assert_eq!(expect_nothing(&docker, &said(0, "")), "Docker answers");
        let Ok(Decision::NotYet { reason }) = docker.decide(&said(1, "Is the docker daemon running?")) else {
            panic!("not waited for");
        };
        assert_eq!(reason, "Docker does not answer: Is the docker daemon running?");
        let pending = said(1, "docker: not found").with_pending("install Docker", vec![Touch::Everything]);
        assert_eq!(
            expect_unknown(&docker, &pending),
            "Docker is asked when \"install Docker\" has been done"
        );
    }

    #[test]
    fn a_missing_tool_is_an_answer() {
        let health = Health::of("it", "no-such-tool --at-all");
        for shell in t::sh_available() {
            let script = health.ask().0;
            let subjects = [script.as_str()];
            let probe = health.questions()[0].probe();
            let answers = probe.split(&t::ask_with(shell, probe, &subjects), &subjects);
            let answer = answers[0].clone().expect("answered");
            assert!(answer.starts_with("1\n"), "{shell:?} {answer}");
        }
    }
}
