//! No swap: none is on, and `/etc/fstab` brings none back.
//!
//! ```
//! use mosip_prov_resources::Swap;
//!
//! let off = Swap::off();
//! ```
//!
//! Entries of fstab are commented out where they stand, and everything else in the file stays. A host without swap and
//! without entries is right as it is.

use crate::line::{Edit, split_lines};
use crate::probe::swap::AskSwap;
use crate::settle::settle;
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};
use std::time::Duration;

const FSTAB: &str = "/etc/fstab";

/// How long swapping in may take: what was swapped out must be read back.
const TIMEOUT: Duration = Duration::from_secs(900);

const SWAPOFF: &str = "swapoff -a
[ -e /proc/swaps ] || exit 0
left=$(sed 1d /proc/swaps) || exit
[ -z \"$left\" ] || { echo \"swap is still on: $left\" >&2; exit 1; }";

/// No swap. Made by [`Swap::off`].
#[derive(Debug, Clone, Copy)]
pub struct Swap {
    _off: (),
}

impl Swap {
    /// The host does not swap, now and after each boot.
    pub fn off() -> Self {
        Self { _off: () }
    }
}

/// The table with its swap entries (fstab(5), the third field) commented out.
fn without_swap(text: &str) -> String {
    let mut lines = split_lines(text);
    for line in &mut lines {
        let mut words = line.split_whitespace();
        let comment = words.clone().next().is_some_and(|word| word.starts_with('#'));
        if !comment && words.nth(2) == Some("swap") {
            line.insert_str(0, "# ");
        }
    }
    lines.concat()
}

impl Resource for Swap {
    fn kind(&self) -> &'static str {
        "swap"
    }

    fn questions(&self) -> Vec<Question> {
        vec![AskSwap.question(), Edit::ask(FSTAB).question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        settle(answers, &self.questions(), decide(answers))
    }
}

fn decide(answers: &Answers) -> Result<Decision, DecideError> {
    let on = answers.get(&AskSwap)?;
    let edit = Edit {
        path: FSTAB,
        create: None,
        // A missing table has no entries.
        present: false,
        validate: None,
        what: "an entry that brings swap",
    };
    let table = match edit.decide(answers, |text| Ok(without_swap(text)))? {
        Decision::Change(change) => Some(change),
        Decision::Nothing { .. } => None,
        other => return Ok(other),
    };
    if on.is_empty() && table.is_none() {
        return Ok(Decision::nothing(format!("no swap is on, and {FSTAB} has none")));
    }
    let mut change = Change::new(match (on.is_empty(), &table) {
        (true, _) => format!("comment swap out of {FSTAB}"),
        (false, None) => "switch swap off".to_owned(),
        (false, Some(_)) => format!("switch swap off and comment it out of {FSTAB}"),
    });
    let mut touches = Vec::new();
    // The table first: what is switched off must not come back with a boot in between.
    if let Some(table) = table {
        change.differences.extend(table.differences);
        change.steps.extend(table.steps);
        touches.extend(table.touches);
        // systemd makes units of the table's entries.
        change = change.step(Shell::new(
            "systemctl daemon-reload",
            "if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi",
        ));
        touches.push(Touch::Kind("unit"));
    }
    if !on.is_empty() {
        change = change
            .differs("swap", Shown::text(on.join("\n")), Shown::Absent)
            .step(Shell::new("swapoff -a", SWAPOFF).long(TIMEOUT));
        touches.push(Touch::Kind("swap"));
    }
    Ok(change.touching(touches).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_nothing};

    const TABLE: &str = "# <fs> <point> <type>\nUUID=1 / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n/swap.img\tnone\tswap\tsw\t0\t0\n# /old none swap sw 0 0\n/dev/swap /swap ext4 defaults 0 0\n";

    fn host(swaps: &[&str], table: &str) -> Answers {
        t::file(t::swap(Answers::new(), swaps), FSTAB, 0o644, "root", "root", table)
    }

    #[test]
    fn entries_are_commented_out_and_the_rest_stays() {
        let after = without_swap(TABLE);
        assert_eq!(
            after,
            "# <fs> <point> <type>\nUUID=1 / ext4 defaults 0 1\n# UUID=2 none swap sw 0 0\n# /swap.img\tnone\tswap\tsw\t0\t0\n# /old none swap sw 0 0\n/dev/swap /swap ext4 defaults 0 0\n"
        );
        assert_eq!(without_swap(&after), after);
        assert_eq!(without_swap("/s none swap sw 0 0"), "# /s none swap sw 0 0");
    }

    #[test]
    fn a_host_without_swap_is_right() {
        assert_eq!(
            expect_nothing(&Swap::off(), &host(&[], "")),
            "no swap is on, and /etc/fstab has none"
        );
        expect_nothing(&Swap::off(), &t::file_absent(t::swap(Answers::new(), &[]), FSTAB));
    }

    #[test]
    fn swap_is_switched_off_only_where_it_is_on() {
        let change = expect_change(&Swap::off(), &host(&[], TABLE));
        assert_eq!(change.summary, "comment swap out of /etc/fstab");
        assert!(!t::scripts(&change).contains("swapoff"));
        let change = expect_change(&Swap::off(), &host(&["/dev/zram0"], ""));
        assert_eq!(t::scripts(&change), SWAPOFF);
        assert_eq!(change.touches, [Touch::Kind("swap")]);
        let change = expect_change(&Swap::off(), &host(&["/swap.img"], TABLE));
        assert_eq!((change.steps.len(), change.differences.len()), (3, 2));
    }
}
