//! What a machine must be before anything on it is changed.

use mosip_prov_resources::{Answers, Ask, AskFacts, DecideError, Decision, Question, Resource};

/// The machine runs Debian or one of its family, with systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuitableSystem;

impl Resource for SuitableSystem {
    fn kind(&self) -> &'static str {
        "system"
    }

    fn questions(&self) -> Vec<Question> {
        vec![AskFacts.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let facts = answers.get(&AskFacts)?;
        let system = format!("{} {}", facts.distribution, facts.version);
        let system = system.trim();
        if !facts.has_apt {
            return Err(DecideError::impossible_help(
                format!("the machine runs {system}, which has no apt"),
                "give it Ubuntu or Debian",
            ));
        }
        if facts.init != "systemd" {
            return Err(DecideError::impossible_help(
                format!(
                    "process 1 of the machine is {:?}, and Docker is run by systemd",
                    facts.init
                ),
                "give it a system that boots with systemd",
            ));
        }
        Ok(Decision::nothing(format!(
            "{system} on {}, {} processors, {} MiB",
            facts.architecture, facts.vcpus, facts.memtotal_mb
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::Facts;
    use mosip_prov_resources::testing::{self as t, expect_error, expect_nothing};

    #[test]
    fn only_apt_and_systemd_will_do() {
        let good = Facts {
            distribution: "ubuntu".into(),
            version: "22.04".into(),
            architecture: "x86_64".into(),
            vcpus: 4,
            memtotal_mb: 16_000,
            init: "systemd".into(),
            has_apt: true,
            ..Facts::default()
        };
        let of = |facts: &Facts| t::facts(Answers::new(), facts);
        assert_eq!(
            expect_nothing(&SuitableSystem, &of(&good)),
            "ubuntu 22.04 on x86_64, 4 processors, 16000 MiB"
        );
        let alpine = Facts {
            has_apt: false,
            ..good.clone()
        };
        assert!(expect_error(&SuitableSystem, &of(&alpine)).contains("has no apt"));
        let other = Facts {
            init: "runit".into(),
            ..good
        };
        assert!(expect_error(&SuitableSystem, &of(&other)).contains("runit"));
    }
}
