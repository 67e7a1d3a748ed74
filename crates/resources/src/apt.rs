//! Debian packages: present, at a version, at the latest version, absent.
//!
//! ```
//! use mosip_prov_resources::{Apt, Task};
//! use std::time::Duration;
//!
//! let tasks = [
//!     Task::new("refresh the package index", Apt::update_cache().max_age(Duration::from_secs(3600))),
//!     Task::new("install nginx", Apt::present(["nginx"])),
//!     Task::new("install docker", Apt::present(["docker-ce"]).version("docker-ce", "5:20.10.*").hold()),
//! ];
//! ```
//!
//! One `apt-get` for all that is missing. It never asks, keeps changed configuration files, waits for the dpkg and apt
//! locks (saying who holds them), and first completes an installation that was interrupted.

use crate::apt_cache::AptUpdate;
use crate::apt_script::AptScript;
use crate::apt_upgrade::{AptClean, AptUpgrade, UpgradeKind};
use crate::probe::package::{AskPackage, PackageState, PackageStatus};
use crate::settle::settle;
use mosip_prov_engine::shell::quote_all;
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long apt may take, unless said otherwise.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3600);
/// How long to wait for locks, unless said otherwise.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(600);

/// Where the resources about Debian packages begin.
#[derive(Debug, Clone, Copy)]
pub struct Apt;

impl Apt {
    /// These packages are installed, at whatever version.
    pub fn present<N: Into<String>>(names: impl IntoIterator<Item = N>) -> AptPackages {
        AptPackages::new(names, Wanted::Present)
    }

    /// These packages are not installed. Configuration files stay unless [`AptPackages::purge`] is said.
    pub fn absent<N: Into<String>>(names: impl IntoIterator<Item = N>) -> AptPackages {
        AptPackages::new(names, Wanted::Absent)
    }

    /// The package index is fresh.
    pub fn update_cache() -> AptUpdate {
        AptUpdate::new()
    }

    /// The installed packages are upgraded.
    pub fn upgrade(kind: UpgradeKind) -> AptUpgrade {
        AptUpgrade::new(kind)
    }

    /// Packages that nothing needs any more are gone; with `purge` their configuration files too.
    pub fn autoremove(purge: bool) -> AptClean {
        AptClean::autoremove(purge)
    }

    /// Downloaded package files that can no longer be downloaded are gone.
    pub fn autoclean() -> AptClean {
        AptClean::autoclean()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Present,
    Latest,
    Absent,
}

/// Packages that are installed, or not.
#[derive(Debug, Clone)]
pub struct AptPackages {
    names: Vec<String>,
    wanted: Wanted,
    versions: BTreeMap<String, String>,
    hold: bool,
    purge: bool,
    recommends: bool,
    allow_downgrade: bool,
    timeout: Duration,
    lock_timeout: Duration,
}

impl AptPackages {
    fn new<N: Into<String>>(names: impl IntoIterator<Item = N>, wanted: Wanted) -> Self {
        let mut unique: Vec<String> = Vec::new();
        for name in names.into_iter().map(Into::into) {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        Self {
            names: unique,
            wanted,
            versions: BTreeMap::new(),
            hold: false,
            purge: false,
            recommends: true,
            allow_downgrade: false,
            timeout: TIMEOUT,
            lock_timeout: LOCK_TIMEOUT,
        }
    }

    /// The package `name`, one of those named, at this version; `*` stands for anything: `5:20.10.*`. Default: any.
    #[must_use]
    pub fn version(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        let name = name.into();
        if !self.names.contains(&name) {
            self.names.push(name.clone());
        }
        self.versions.insert(name, version.into());
        self
    }

    /// At the newest version that apt offers. Default: any version will do.
    #[must_use]
    pub fn latest(mut self) -> Self {
        self.wanted = Wanted::Latest;
        self
    }

    /// Held at their version by `apt-mark hold`. Default: not touched.
    #[must_use]
    pub fn hold(mut self) -> Self {
        self.hold = true;
        self
    }

    /// With [`Apt::absent`]: their configuration files go too. Default: they stay.
    #[must_use]
    pub fn purge(mut self) -> Self {
        self.purge = true;
        self
    }

    /// Without the packages that these recommend. Default: with them, as the host is configured.
    #[must_use]
    pub fn no_recommends(mut self) -> Self {
        self.recommends = false;
        self
    }

    /// An older version may replace a newer one. Default: that is an error of apt.
    #[must_use]
    pub fn allow_downgrade(mut self) -> Self {
        self.allow_downgrade = true;
        self
    }

    /// How long apt may take, waiting for locks not counted. Default: one hour.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long to wait for the dpkg and apt locks. Default: 10 minutes.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    fn ask(&self, name: &str) -> AskPackage {
        let ask = AskPackage::new(name);
        if self.wanted == Wanted::Latest || self.versions.contains_key(name) {
            ask.with_candidate()
        } else {
            ask
        }
    }
}

impl Resource for AptPackages {
    fn kind(&self) -> &'static str {
        "apt"
    }

    fn questions(&self) -> Vec<Question> {
        self.names.iter().map(|name| self.ask(name).question()).collect()
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let decided = match self.wanted {
            Wanted::Absent => self.decide_absent(answers),
            Wanted::Present | Wanted::Latest => self.decide_present(answers),
        };
        settle(answers, &self.questions(), decided)
    }
}

impl AptPackages {
    fn step(&self, summary: String, body: &str) -> Shell {
        let script = AptScript {
            lock_timeout: self.lock_timeout,
            body,
            restart_services: false,
        };
        Shell::new(summary, script.render()).long(self.timeout + self.lock_timeout)
    }

    fn decide_present(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let mut change = Change::new("");
        let mut wanted_words = Vec::new();
        let mut shown_words = Vec::new();
        let mut to_hold = Vec::new();
        let mut reasons = Vec::new();
        let mut unknown = Vec::new();
        for name in &self.names {
            let state = answers.get(&self.ask(name))?;
            let pin = self.versions.get(name).map(String::as_str);
            let before = match &state.status {
                PackageStatus::Installed { version } => {
                    let fits = match pin {
                        Some(pin) => matches(pin, version),
                        None if self.wanted == Wanted::Latest => {
                            state.candidate.as_ref().is_none_or(|candidate| candidate == version)
                        }
                        None => true,
                    };
                    if fits {
                        reasons.push(format!("{name} {version} is installed"));
                        if self.hold && !state.held {
                            to_hold.push(name.as_str());
                            change = change.differs(format!("hold of {name}"), Shown::Absent, Shown::text(version));
                        }
                        continue;
                    }
                    Shown::text(version)
                }
                PackageStatus::Broken { state } => Shown::text(state),
                PackageStatus::Absent { .. } => {
                    if state.candidate.is_none() && answers.pending_for(&self.ask(name).question()).is_none() {
                        unknown.push(no_such_package(name, &state));
                        continue;
                    }
                    Shown::Absent
                }
            };
            let after = match (pin, &state.candidate) {
                (Some(pin), _) => pin.to_owned(),
                (None, Some(candidate)) => candidate.clone(),
                (None, None) => "the newest version".to_owned(),
            };
            shown_words.push(match (pin, &state.candidate) {
                (None, None) => name.clone(),
                _ => format!("{name} {after}"),
            });
            change = change.differs(format!("package {name}"), before, Shown::text(after));
            wanted_words.push(pin.map_or_else(|| name.clone(), |pin| format!("{name}={pin}")));
            if self.hold {
                to_hold.push(name);
            }
        }
        if !unknown.is_empty() {
            return Err(DecideError::impossible_help(
                unknown.join("; "),
                "correct the name, refresh the package index before this task, or add the repository that has it",
            ));
        }
        if wanted_words.is_empty() && to_hold.is_empty() {
            return Ok(Decision::nothing(reasons.join(", ")));
        }
        let mut body = "repair\n".to_owned();
        if !wanted_words.is_empty() {
            let mut options = String::new();
            if !self.recommends {
                options.push_str(" --no-install-recommends");
            }
            if self.allow_downgrade {
                options.push_str(" --allow-downgrades");
            }
            if self.hold || !self.versions.is_empty() {
                options.push_str(" --allow-change-held-packages");
            }
            body.push_str(&format!(
                "apt{options} install -- {}\n",
                quote_all(wanted_words.iter().map(String::as_str))
            ));
        }
        if !to_hold.is_empty() {
            body.push_str(&format!(
                "apt-mark -q hold -- {} || exit\n",
                quote_all(to_hold.iter().copied())
            ));
        }
        change.summary = if wanted_words.is_empty() {
            format!("hold {}", to_hold.join(", "))
        } else {
            format!("install {}", shown_words.join(", "))
        };
        let summary = if wanted_words.is_empty() {
            format!("apt-mark hold {}", to_hold.join(" "))
        } else {
            format!("apt-get install {}", wanted_words.join(" "))
        };
        Ok(change.step(self.step(summary, &body)).into())
    }

    fn decide_absent(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let mut change = Change::new("");
        let mut words = Vec::new();
        for name in &self.names {
            let before = match answers.get(&self.ask(name))?.status {
                PackageStatus::Installed { version } => version,
                PackageStatus::Broken { state } => state,
                PackageStatus::Absent { config_files: true } if self.purge => "configuration files".into(),
                PackageStatus::Absent { .. } => continue,
            };
            change = change.differs(format!("package {name}"), Shown::text(before), Shown::Absent);
            words.push(name.as_str());
        }
        if words.is_empty() {
            return Ok(Decision::nothing(format!("{}: not installed", self.names.join(", "))));
        }
        let verb = if self.purge { "purge" } else { "remove" };
        change.summary = format!("{verb} {}", words.join(", "));
        let summary = format!("apt-get {verb} {}", words.join(" "));
        let body = format!(
            "repair\napt --allow-change-held-packages {verb} -- {}\n",
            quote_all(words.iter().copied())
        );
        Ok(change.step(self.step(summary, &body)).into())
    }
}

fn no_such_package(name: &str, state: &PackageState) -> String {
    if !state.providers.is_empty() {
        return format!(
            "{name} is no package itself; {} provide it: name one of them",
            state.providers.join(", ")
        );
    }
    if state.similar.is_empty() {
        format!("no package named {name}")
    } else {
        format!("no package named {name}; apt-cache knows {}", state.similar.join(", "))
    }
}

/// Whether `version` is `pattern`, in which `*` stands for anything.
pub(crate) fn matches(pattern: &str, version: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = version.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_error, expect_nothing};
    use mosip_prov_engine::{Step, Touch};

    #[test]
    fn installed_packages_are_left_alone_and_missing_ones_installed_together() {
        let answers = t::package(Answers::new(), "nginx", Some("1.22.1-9"), None);
        assert_eq!(
            expect_nothing(&Apt::present(["nginx"]), &answers),
            "nginx 1.22.1-9 is installed"
        );
        let answers = t::package(answers, "curl", None, Some("7.88"));
        let answers = t::package_raw(answers, "vim", "config-files\ncandidate 9.0");
        let change = expect_change(&Apt::present(["nginx", "curl", "vim"]), &answers);
        assert_eq!(change.summary, "install curl 7.88, vim 9.0");
        assert!(t::scripts(&change).ends_with("repair\napt install -- curl vim\n"));
        assert_eq!(change.touches, [Touch::Everything]);
        assert!(matches!(&change.steps[0], Step::Shell(shell) if shell.long));
    }

    #[test]
    fn versions_are_pinned_and_held() {
        let docker = Apt::present(["docker-ce"]).version("docker-ce", "5:20.10.*").hold();
        let at = |raw: &str| t::package_raw(Answers::new(), "docker-ce", raw);
        expect_nothing(&docker, &at("installed 5:20.10.24~3 held"));
        let change = expect_change(&docker, &at("installed 5:20.10.24~3"));
        assert!(t::scripts(&change).ends_with("repair\napt-mark -q hold -- docker-ce || exit\n"));
        let change = expect_change(&docker, &at("installed 5:24.0.1\ncandidate 5:24.0.2"));
        assert!(t::scripts(&change).contains("apt --allow-change-held-packages install -- 'docker-ce=5:20.10.*'"));
        assert_eq!(change.differences[0].before, Shown::text("5:24.0.1"));
    }

    #[test]
    fn the_latest_is_what_apt_offers() {
        let latest = Apt::present(["curl"]).latest();
        expect_nothing(&latest, &t::package(Answers::new(), "curl", Some("8"), Some("8")));
        expect_change(&latest, &t::package(Answers::new(), "curl", Some("7"), Some("8")));
    }

    #[test]
    fn a_name_that_apt_does_not_know_is_an_error_that_helps() {
        let answers = t::package_raw(Answers::new(), "ngnix", "absent\nsimilar nginx");
        let error = expect_error(&Apt::present(["ngnix"]), &answers);
        assert!(
            error.starts_with("no package named ngnix; apt-cache knows nginx"),
            "{error}"
        );
        let answers = t::package_raw(Answers::new(), "mta", "absent\nvirtual exim4 postfix");
        assert!(expect_error(&Apt::present(["mta"]), &answers).contains("exim4, postfix provide it"));
        // A fresh host in check mode: the index is not refreshed yet.
        let pending = t::package(Answers::new(), "nginx", None, None)
            .with_pending("refresh the package index", vec![Touch::Kind("package")]);
        assert_eq!(
            expect_change(&Apt::present(["nginx"]), &pending).summary,
            "install nginx"
        );
    }

    #[test]
    fn packages_are_removed_and_purged() {
        let answers = t::package_raw(Answers::new(), "snapd", "config-files");
        expect_nothing(&Apt::absent(["snapd"]), &answers);
        let change = expect_change(&Apt::absent(["snapd"]).purge(), &answers);
        assert!(t::scripts(&change).contains("purge -- snapd"));
    }

    #[test]
    fn an_interrupted_installation_is_no_installation() {
        let answers = t::package_raw(Answers::new(), "nginx", "broken half-configured 1.22");
        assert!(t::scripts(&expect_change(&Apt::present(["nginx"]), &answers)).contains("\nrepair\n"));
    }

    #[test]
    fn patterns_match_as_apts_do() {
        assert!(matches("1.22*", "1.22.1-9") && matches("*", "x") && matches("1*-9", "1.22-9") && matches("1", "1"));
        assert!(!matches("1.22*", "1.3") && !matches("1", "11") && !matches("1*2*3", "13"));
    }
}
