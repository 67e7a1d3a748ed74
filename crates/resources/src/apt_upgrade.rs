//! Upgrades of installed packages, removal of what nothing needs, and of downloads that are out of date. What would
//! happen is known from apt's own simulation, so that a host with nothing to do says so, and a plan lists the versions.

use crate::apt::{LOCK_TIMEOUT, TIMEOUT};
use crate::apt_script::AptScript;
use crate::probe::apt_simulation::{AskSimulation, Install, Simulation};
use crate::settle::settle;
use mosip_prov_engine::shell::quote_all;
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};
use std::time::Duration;

/// Which upgrades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpgradeKind {
    /// All, even when packages must be removed for it: `apt-get dist-upgrade`.
    Dist,
    /// All for which nothing must be removed; new packages may come: `apt-get upgrade --with-new-pkgs`.
    Safe,
    /// Only those whose new version comes from a security archive.
    SecurityOnly,
}

/// Upgrades installed packages. Made by [`crate::Apt::upgrade`].
#[derive(Debug, Clone)]
pub struct AptUpgrade {
    kind: UpgradeKind,
    timeout: Duration,
    lock_timeout: Duration,
}

impl AptUpgrade {
    pub(crate) fn new(kind: UpgradeKind) -> Self {
        Self {
            kind,
            timeout: TIMEOUT,
            lock_timeout: LOCK_TIMEOUT,
        }
    }

    /// How long it may take, waiting for locks not counted. Default: one hour.
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

    fn arguments(&self) -> &'static str {
        match self.kind {
            UpgradeKind::Dist | UpgradeKind::SecurityOnly => "dist-upgrade",
            UpgradeKind::Safe => "upgrade --with-new-pkgs",
        }
    }
}

impl Resource for AptUpgrade {
    fn kind(&self) -> &'static str {
        "apt_upgrade"
    }

    fn questions(&self) -> Vec<Question> {
        vec![AskSimulation::new(self.arguments()).question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let simulation = answers.get(&AskSimulation::new(self.arguments()))?;
        settle(answers, &self.questions(), Ok(self.decide_from(&simulation)))
    }
}

impl AptUpgrade {
    fn decide_from(&self, simulation: &Simulation) -> Decision {
        let security = self.kind == UpgradeKind::SecurityOnly;
        let installs: Vec<&Install> = simulation
            .installs
            .iter()
            // A new package is no upgrade of its own: apt brings it where an upgrade needs it.
            .filter(|install| !security || (install.is_security() && install.old.is_some()))
            .collect();
        let removes = if security { &[][..] } else { &simulation.removes };
        let mut change = Change::new("");
        for install in &installs {
            let before = install.old.as_ref().map_or(Shown::Absent, Shown::text);
            change = change.differs(format!("package {}", install.name), before, Shown::text(&install.new));
        }
        for (name, version) in removes {
            change = change.differs(format!("package {name}"), Shown::text(version), Shown::Absent);
        }
        if simulation.broken {
            change = change.differs(
                "installed packages",
                Shown::text("an installation was interrupted"),
                Shown::text("completed and upgraded"),
            );
        } else if installs.is_empty() && removes.is_empty() {
            let what = if security {
                "no security upgrade is offered"
            } else {
                "all packages are up to date"
            };
            return Decision::nothing(if simulation.kept_back.is_empty() {
                what.to_owned()
            } else {
                format!("{what}; kept back: {}", simulation.kept_back.join(", "))
            });
        }
        change.summary = match (simulation.broken, installs.len()) {
            (true, _) => "complete an interrupted installation and upgrade".to_owned(),
            (false, 1) => format!("upgrade {} to {}", installs[0].name, installs[0].new),
            (false, count) => format!("upgrade {count} packages"),
        };
        let (summary, command) = if security && simulation.broken {
            ("dpkg --configure -a".to_owned(), String::new())
        } else if security {
            let words: Vec<String> = installs.iter().map(|i| format!("{}={}", i.name, i.new)).collect();
            (
                format!("apt-get install --only-upgrade of {} packages", words.len()),
                format!(
                    "apt --only-upgrade install -- {}\n",
                    quote_all(words.iter().map(String::as_str))
                ),
            )
        } else {
            (
                format!("apt-get {}", self.arguments()),
                format!("apt {}\n", self.arguments()),
            )
        };
        let script = AptScript {
            lock_timeout: self.lock_timeout,
            body: &format!("repair\n{command}"),
            restart_services: true,
        };
        change
            .step(Shell::new(summary, script.render()).long(self.timeout + self.lock_timeout))
            .into()
    }
}

/// Removes what is not needed any more. Made by [`crate::Apt::autoremove`] and [`crate::Apt::autoclean`].
#[derive(Debug, Clone)]
pub struct AptClean {
    arguments: &'static str,
    lock_timeout: Duration,
}

impl AptClean {
    pub(crate) fn autoremove(purge: bool) -> Self {
        Self {
            arguments: if purge { "autoremove --purge" } else { "autoremove" },
            lock_timeout: LOCK_TIMEOUT,
        }
    }

    pub(crate) fn autoclean() -> Self {
        Self {
            arguments: "autoclean",
            lock_timeout: LOCK_TIMEOUT,
        }
    }

    /// How long to wait for the locks. Default: 10 minutes.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }
}

impl Resource for AptClean {
    fn kind(&self) -> &'static str {
        if self.arguments == "autoclean" {
            "apt_autoclean"
        } else {
            "apt_autoremove"
        }
    }

    fn questions(&self) -> Vec<Question> {
        vec![AskSimulation::new(self.arguments).question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let simulation = answers.get(&AskSimulation::new(self.arguments))?;
        let autoclean = self.arguments == "autoclean";
        let gone = if autoclean {
            &simulation.deletes
        } else {
            &simulation.removes
        };
        if gone.is_empty() && !simulation.broken {
            let reason = if autoclean {
                "no downloaded package file is out of date"
            } else {
                "no package is left that nothing needs"
            };
            return settle(answers, &self.questions(), Ok(Decision::nothing(reason)));
        }
        let what = if autoclean { "downloaded file of" } else { "package" };
        let mut change = Change::new(match gone.len() {
            0 => "complete an interrupted installation".to_owned(),
            1 => format!("remove the {what} {}", gone[0].0),
            count if autoclean => format!("remove {count} downloaded package files"),
            count => format!("remove {count} packages that nothing needs"),
        });
        for (name, version) in gone {
            change = change.differs(format!("{what} {name}"), Shown::text(version), Shown::Absent);
        }
        let script = AptScript {
            lock_timeout: self.lock_timeout,
            body: &format!("repair\napt {}\n", self.arguments),
            restart_services: false,
        };
        let change = change
            .step(Shell::new(format!("apt-get {}", self.arguments), script.render()).long(TIMEOUT + self.lock_timeout));
        Ok(if autoclean && !simulation.broken {
            change.touching([Touch::Path("/var/cache/apt".into())]).into()
        } else {
            change.into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_nothing, expect_unknown};

    const OUTPUT: &str = "Inst libc6 [2.36-9] (2.36-10 Debian-Security:12/stable-security [amd64])\n\
        Inst tzdata [2023c] (2024a Debian:12.5/stable-updates [all])\n\
        Inst linux-6.1 (6.1.76 Debian-Security:12/stable-security [amd64])\nRemv old [1.0]";

    #[test]
    fn all_or_security_only() {
        let answers = t::apt_simulation(Answers::new(), "dist-upgrade", OUTPUT);
        let change = expect_change(&AptUpgrade::new(UpgradeKind::Dist), &answers);
        assert_eq!(
            (change.summary.as_str(), change.differences.len()),
            ("upgrade 3 packages", 4)
        );
        assert!(t::scripts(&change).ends_with("repair\napt dist-upgrade\n"));
        let change = expect_change(&AptUpgrade::new(UpgradeKind::SecurityOnly), &answers);
        assert_eq!(
            (change.summary.as_str(), change.differences.len()),
            ("upgrade libc6 to 2.36-10", 1)
        );
        assert!(t::scripts(&change).ends_with("repair\napt --only-upgrade install -- libc6=2.36-10\n"));
    }

    #[test]
    fn nothing_to_do_says_what_is_kept_back() {
        let answers = t::apt_simulation(
            Answers::new(),
            "upgrade --with-new-pkgs",
            "The following packages have been kept back:\n  snapd\n0 upgraded",
        );
        let upgrade = AptUpgrade::new(UpgradeKind::Safe);
        assert_eq!(
            expect_nothing(&upgrade, &answers),
            "all packages are up to date; kept back: snapd"
        );
        let pending = answers.with_pending("refresh", vec![Touch::Kind("apt-lists")]);
        expect_unknown(&upgrade, &pending);
    }

    #[test]
    fn an_interrupted_installation_is_completed() {
        let answers = t::apt_simulation(Answers::new(), "dist-upgrade", "broken");
        for kind in [UpgradeKind::Dist, UpgradeKind::SecurityOnly] {
            let change = expect_change(&AptUpgrade::new(kind), &answers);
            assert!(change.summary.starts_with("complete an interrupted installation"));
        }
    }

    #[test]
    fn leftovers_are_removed() {
        let answers = t::apt_simulation(Answers::new(), "autoremove --purge", "Purg old [1.0]");
        assert_eq!(
            expect_change(&AptClean::autoremove(true), &answers).summary,
            "remove the package old"
        );
        let answers = t::apt_simulation(answers, "autoclean", "Del nginx 1.22 [5 kB]\nDel curl 7 [5 kB]");
        let change = expect_change(&AptClean::autoclean(), &answers);
        assert_eq!(change.summary, "remove 2 downloaded package files");
        assert_eq!(change.touches, [Touch::Path("/var/cache/apt".into())]);
        let answers = t::apt_simulation(Answers::new(), "autoclean", "Reading package lists...");
        expect_nothing(&AptClean::autoclean(), &answers);
    }
}
