//! Free space on the disk that packages, images and data go to.

use mosip_prov_preflight::room::Disk;
use mosip_prov_resources::{Answers, Ask, DecideError, Decision, Question, Resource};

/// The disk, where `df` describes one.
pub(crate) fn disk(answers: &Answers) -> Result<Option<Disk>, DecideError> {
    Ok(Disk::parse(&answers.get(&Disk::ask())?.output))
}

/// The root file system has at least so much free space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeDisk {
    mib: u64,
}

impl FreeDisk {
    /// At least `mib` MiB.
    pub fn at_least_mib(mib: u64) -> Self {
        Self { mib }
    }
}

impl Resource for FreeDisk {
    fn kind(&self) -> &'static str {
        "disk"
    }

    fn questions(&self) -> Vec<Question> {
        vec![Disk::ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let Some(disk) = disk(answers)? else {
            return Err(DecideError::impossible(format!(
                "`df -Pk /` does not describe the root file system: {:?}",
                answers.get(&Disk::ask())?.output
            )));
        };
        if disk.free_mib < self.mib {
            return Err(DecideError::impossible_help(
                format!("/ has {} MiB free, and {} are wanted", disk.free_mib, self.mib),
                "make room (apt-get clean, journalctl --vacuum-size=100M), give the machine a larger disk, or set \
                 check_min_free_disk",
            ));
        }
        Ok(Decision::nothing(format!("/ has {} MiB free", disk.free_mib)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_preflight::room::DF;
    use mosip_prov_resources::testing::{self as t, expect_error, expect_nothing};

    #[test]
    fn free_space_is_compared_and_an_odd_answer_is_an_error() {
        let host = |line: &str| t::command(Answers::new(), DF, 0, line);
        let wanted = FreeDisk::at_least_mib(2048);
        assert_eq!(
            expect_nothing(&wanted, &host("/dev/sda1 20509264 4121832 15320308 22% /")),
            "/ has 14961 MiB free"
        );
        let error = expect_error(&wanted, &host("/dev/sda1 20509264 19000000 1024000 95% /"));
        assert!(error.starts_with("/ has 1000 MiB free, and 2048 are wanted"), "{error}");
        assert!(expect_error(&wanted, &host("df: not found")).contains("does not describe"));
    }
}
