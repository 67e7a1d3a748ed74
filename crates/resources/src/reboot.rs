//! A reboot when the distribution asks for one and the setting allows it.

use crate::probe::reboot::AskRebootRequired;
use crate::settle::settle;
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shown, Step, Touch};
use std::time::Duration;

/// Reboots when `/run/reboot-required` is there.
#[derive(Debug, Clone)]
pub struct Reboot {
    allowed: bool,
    timeout: Duration,
}

impl Reboot {
    /// Reboots when it is needed and `allowed`; otherwise only says whether it is needed, and for which packages.
    pub fn if_required(allowed: bool) -> Self {
        Self {
            allowed,
            timeout: Duration::from_secs(600),
        }
    }

    /// How long to wait for the host to answer again. Default: 10 minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Resource for Reboot {
    fn kind(&self) -> &'static str {
        "reboot"
    }

    fn questions(&self) -> Vec<Question> {
        vec![AskRebootRequired.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let decision = match answers.get(&AskRebootRequired)? {
            None => Decision::nothing("no reboot is required"),
            Some(packages) => {
                let why = if packages.is_empty() {
                    "a reboot is required".to_owned()
                } else {
                    format!("a reboot is required by {}", packages.join(", "))
                };
                if self.allowed {
                    Change::new("reboot")
                        .differs("reboot", Shown::text(why), Shown::text("done"))
                        .step(Step::Reboot { timeout: self.timeout })
                        .touching([Touch::Everything])
                        .into()
                } else {
                    Decision::nothing(format!("{why}, but is not allowed by the settings"))
                }
            }
        };
        settle(answers, &self.questions(), Ok(decision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{expect_change, expect_nothing};

    #[test]
    fn it_reboots_only_when_required_and_allowed() {
        let required = Answers::new().with(AskRebootRequired.question(), "yes\nlibc6\nlinux-base\nlibc6");
        assert_eq!(
            expect_nothing(&Reboot::if_required(false), &required),
            "a reboot is required by libc6, linux-base, but is not allowed by the settings"
        );
        let change = expect_change(&Reboot::if_required(true), &required);
        assert!(matches!(change.steps.as_slice(), [Step::Reboot { .. }]));
        let not = Answers::new().with(AskRebootRequired.question(), "no");
        expect_nothing(&Reboot::if_required(true), &not);
    }
}
