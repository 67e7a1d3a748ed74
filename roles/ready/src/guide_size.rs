//! What the guide asks of each machine. Less is told, and used all the same.

use crate::room;
use mosip_prov_preflight::guide::{Short, WantedSize};
use mosip_prov_preflight::room::Disk;
use mosip_prov_resources::{Answers, Ask, AskFacts, DecideError, Decision, Question, Resource};

/// The machine is as large as the guide asks, and runs the system that it is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuideSize(WantedSize);

impl GuideSize {
    /// At least this large.
    pub fn new(wanted: WantedSize) -> Self {
        Self(wanted)
    }
}

impl Resource for GuideSize {
    fn kind(&self) -> &'static str {
        "size"
    }

    fn questions(&self) -> Vec<Question> {
        vec![AskFacts.question(), Disk::ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let facts = answers.get(&AskFacts)?;
        let instead = |short: Short| match short.own {
            true => format!("{} instead of {} ({})", short.have, short.want, short.variable),
            false => format!("{} instead of {}", short.have, short.want),
        };
        let short = self.0.short(&facts, room::disk(answers)?);
        let short: Vec<String> = short.into_iter().map(instead).collect();
        let mut remarks = Vec::new();
        if !short.is_empty() {
            remarks.push(format!(
                "the machine has less than the guide asks for: {}",
                short.join(", ")
            ));
        }
        if facts.distribution != "ubuntu" || facts.version != "22.04" {
            remarks.push(format!(
                "it runs {} {}, and the guide is written for Ubuntu 22.04",
                facts.distribution, facts.version
            ));
        }
        if remarks.is_empty() {
            return Ok(Decision::nothing("it is as the guide asks"));
        }
        Err(DecideError::impossible_help(
            remarks.join("; "),
            "this is told only, and the run goes on; check_guide_sizes: false keeps it quiet",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_preflight::guide::Size;
    use mosip_prov_resources::Facts;
    use mosip_prov_resources::testing::{self as t, expect_error, expect_nothing};

    const fn size(vcpus: u32, memory_gib: u64, disk_gib: u64) -> Size {
        Size {
            vcpus,
            memory_gib,
            disk_gib,
        }
    }

    fn host(vcpus: u32, memtotal_mb: u64, disk_gib: u64, system: (&str, &str)) -> Answers {
        let facts = Facts {
            distribution: system.0.into(),
            version: system.1.into(),
            vcpus,
            memtotal_mb,
            ..Facts::default()
        };
        let line = format!("/dev/vda1 {} 1 {} 1% /", disk_gib * 1024 * 1024, disk_gib * 1000);
        t::command(t::facts(Answers::new(), &facts), &Disk::ask().0, 0, &line)
    }

    #[test]
    fn what_falls_short_is_told_in_one_sentence() {
        let wanted = GuideSize::new(WantedSize::new(size(12, 32, 128), size(0, 0, 0)));
        let ubuntu = ("ubuntu", "22.04");
        // A machine of 32 GiB shows somewhat less.
        assert_eq!(
            expect_nothing(&wanted, &host(12, 31_900, 124, ubuntu)),
            "it is as the guide asks"
        );
        let error = expect_error(&wanted, &host(4, 16_000, 40, ("debian", "12.4")));
        assert!(
            error.starts_with(
                "the machine has less than the guide asks for: 4 virtual processors instead of 12, 15.6 GiB of memory \
                 instead of 32 GiB, a disk of 40 GiB instead of 128 GiB; it runs debian 12.4, and the guide is written for \
                 Ubuntu 22.04"
            ),
            "{error}"
        );
        let error = expect_error(&wanted, &host(12, 32_768, 128, ("ubuntu", "24.04")));
        assert!(error.starts_with("it runs ubuntu 24.04"), "{error}");
        let own = GuideSize::new(WantedSize::new(size(12, 32, 128), size(2, 0, 8)));
        let error = expect_error(&own, &host(1, 32_768, 40, ubuntu));
        assert!(
            error.contains("asks for: 1 virtual processors instead of 2 (check_min_vcpus)"),
            "{error}"
        );
    }
}
