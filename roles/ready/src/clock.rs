//! Clocks that agree: the certificates of a cluster are made on the deployment node, and are not valid yet on a machine
//! that is behind it.

use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::{Answers, Ask, DecideError, Decision, Question, Resource};

/// The machine's clock shows what the deployment node's does. The task consults the deployment node for
/// [`SameTime::elsewhere`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SameTime {
    within: u64,
}

/// Both are asked one after the other, with a login between them at most.
const HERE: &str = "date -u +%s";
const THERE: &str = "date -u +%s # of the deployment node";

impl SameTime {
    /// The clocks are apart by so many seconds at most.
    pub fn within_seconds(within: u64) -> Self {
        Self { within }
    }

    /// What the deployment node is asked.
    pub fn elsewhere(self) -> Question {
        AskCommand(THERE.into()).question()
    }
}

fn seconds(answers: &Answers, script: &str) -> Result<i64, DecideError> {
    let answer = answers.get(&AskCommand(script.into()))?;
    answer.output.trim().parse().map_err(|_| {
        DecideError::impossible(format!(
            "`date` does not tell the time: it ended with {} and said {:?}",
            answer.status, answer.output
        ))
    })
}

impl Resource for SameTime {
    fn kind(&self) -> &'static str {
        "clock"
    }

    fn questions(&self) -> Vec<Question> {
        vec![AskCommand(HERE.into()).question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let apart = seconds(answers, HERE)? - seconds(answers, THERE)?;
        let so_far = apart.unsigned_abs();
        let way = if apart < 0 { "behind" } else { "ahead of" };
        if so_far > self.within {
            return Err(DecideError::impossible_help(
                format!("the machine's clock is {so_far} s {way} the deployment node's"),
                "have both set by NTP (timedatectl set-ntp true), or set check_max_clock_skew",
            ));
        }
        Ok(Decision::nothing(match so_far {
            0..=1 => "the clock is right".to_owned(),
            _ => format!("the clock is {so_far} s {way} the deployment node's"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_error, expect_nothing};

    #[test]
    fn a_clock_that_is_far_off_is_named_with_its_way() {
        let at = |here: &str, there: &str| t::command(t::command(Answers::new(), HERE, 0, here), THERE, 0, there);
        let clock = SameTime::within_seconds(60);
        assert_eq!(
            expect_nothing(&clock, &at("1700000000", "1700000001")),
            "the clock is right"
        );
        assert!(expect_nothing(&clock, &at("1700000060", "1700000000")).contains("60 s ahead of"));
        assert!(
            expect_error(&clock, &at("1700000000", "1700003600")).starts_with("the machine's clock is 3600 s behind")
        );
        assert!(expect_error(&clock, &at("1700000100", "1700000000")).contains("100 s ahead of"));
        assert!(expect_error(&clock, &at("", "1700000000")).contains("does not tell the time"));
    }

    #[test]
    fn the_two_questions_are_not_one() {
        let clock = SameTime::within_seconds(1);
        assert_ne!(clock.questions(), [clock.elsewhere()]);
    }
}
