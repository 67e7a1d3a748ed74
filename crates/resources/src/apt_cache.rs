//! apt's package index: refreshed when it is older than allowed, missing, or older than the lists of sources.

use crate::apt::LOCK_TIMEOUT;
use crate::apt_script::AptScript;
use crate::probe::apt_lists::AskAptLists;
use crate::settle::settle;
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};
use std::time::Duration;

/// Refreshes apt's package index. Made by [`crate::Apt::update_cache`].
#[derive(Debug, Clone)]
pub struct AptUpdate {
    max_age: Duration,
    timeout: Duration,
    lock_timeout: Duration,
}

impl AptUpdate {
    pub(crate) fn new() -> Self {
        Self {
            max_age: Duration::from_secs(3600),
            timeout: Duration::from_secs(900),
            lock_timeout: LOCK_TIMEOUT,
        }
    }

    /// The age up to which the index counts as fresh; zero refreshes always. Default: one hour.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// How long it may take, waiting for locks not counted. Default: 15 minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long to wait for the locks. Default: 10 minutes.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }
}

/// Lines of `sh` for an [`AptScript`] that fetch the index, with `options` of apt-get. It ends well even when some sources
/// failed, and says so in warnings only; the index is then not refreshed.
pub(crate) fn refresh(options: &str) -> String {
    format!(
        r"apt -o Acquire::Retries=3 {options} update
if grep -q '^W: \(Failed to fetch\|Some index files failed\)' $E; then
  sed -n 's/^W: Failed to fetch/E: Failed to fetch/p' $E >&2
  exit 100
fi
touch -- /var/lib/apt/lists"
    )
}

impl Resource for AptUpdate {
    fn kind(&self) -> &'static str {
        "apt_update"
    }

    fn questions(&self) -> Vec<Question> {
        vec![AskAptLists.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let lists = answers.get(&AskAptLists)?;
        let before = match lists.age {
            None => Shown::Absent,
            Some(_) if lists.sources_newer => Shown::text("older than the lists of sources"),
            Some(age) if age >= self.max_age.as_secs() => Shown::text(format!("{age} s old")),
            Some(age) => {
                let reason = format!(
                    "the package index is {age} s old, less than {} s",
                    self.max_age.as_secs()
                );
                return settle(answers, &self.questions(), Ok(Decision::nothing(reason)));
            }
        };
        let body = refresh("");
        let script = AptScript {
            lock_timeout: self.lock_timeout,
            body: &body,
            restart_services: false,
        };
        Ok(Change::new("refresh the package index")
            .differs("package index", before, Shown::text("fresh"))
            .step(Shell::new("apt-get update", script.render()).long(self.timeout + self.lock_timeout))
            .touching([
                Touch::Kind("apt-lists"),
                Touch::Kind("package"),
                Touch::Kind("apt-simulation"),
            ])
            .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_nothing};

    #[test]
    fn it_is_refreshed_by_age() {
        let update = AptUpdate::new().max_age(Duration::from_secs(3600));
        expect_nothing(&update, &t::apt_lists_age(Answers::new(), Some(60)));
        let change = expect_change(&update, &t::apt_lists_age(Answers::new(), Some(4000)));
        assert_eq!(change.differences[0].before, Shown::text("4000 s old"));
        assert!(!change.touches.contains(&Touch::Everything));
        expect_change(&update, &t::apt_lists_age(Answers::new(), None));
        let newer = Answers::new().with(AskAptLists.question(), "1000 900 950");
        expect_change(&update, &newer);
    }
}
