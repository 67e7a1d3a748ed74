//! The exit codes, all in one place. Scripts rely on these numbers.

use mosip_prov::RunOutcome;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All hosts fine, or there was nothing to do with hosts.
    Ok,
    /// Usage, inventory, variables or files are wrong: nothing was connected to or touched.
    Inputs,
    /// A task failed on some host, or a host was refused.
    Failed,
    /// `plan --exit-code`: something would change.
    Pending,
    /// Some host was unreachable, and no task failed.
    Unreachable,
    /// Interrupted.
    Interrupted,
}

impl Exit {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Inputs => 1,
            Self::Failed => 2,
            Self::Pending => 3,
            Self::Unreachable => 4,
            Self::Interrupted => 130,
        }
    }

    /// How a run ended. `pending`: that something would change counts (`plan --exit-code`), unless something is wrong.
    pub fn of_run(outcome: RunOutcome, pending: bool) -> Self {
        match outcome {
            RunOutcome::Ok if pending => Self::Pending,
            RunOutcome::Ok => Self::Ok,
            RunOutcome::Failed => Self::Failed,
            RunOutcome::Unreachable => Self::Unreachable,
            RunOutcome::Interrupted => Self::Interrupted,
        }
    }
}

/// The codes as the help shows them.
pub const HELP: &str = "\
Exit codes:
  0    all hosts fine (plan --exit-code: and nothing to change)
  1    usage, inventory, variables or files wrong: nothing was connected to
  2    a task failed on some host, or apply refused one
  3    plan --exit-code: something would change
  4    some host unreachable (2 when a task failed as well)
  130  interrupted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_documented_ones() {
        let all = [
            Exit::Ok,
            Exit::Inputs,
            Exit::Failed,
            Exit::Pending,
            Exit::Unreachable,
            Exit::Interrupted,
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 130]);
        let documented: Vec<_> = HELP
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next()?.parse::<u8>().ok())
            .collect();
        assert_eq!(documented, all.map(Exit::code));
        let page = include_str!("../../../docs/command-line.md");
        for exit in all {
            assert!(
                page.contains(&format!("\n| {} | ", exit.code())),
                "{exit:?} in docs/command-line.md"
            );
        }
    }

    #[test]
    fn pending_changes_do_not_hide_what_is_wrong() {
        assert_eq!(Exit::of_run(RunOutcome::Ok, true), Exit::Pending);
        assert_eq!(Exit::of_run(RunOutcome::Failed, true), Exit::Failed);
        assert_eq!(Exit::of_run(RunOutcome::Unreachable, true), Exit::Unreachable);
        assert_eq!(Exit::of_run(RunOutcome::Interrupted, false), Exit::Interrupted);
    }
}
