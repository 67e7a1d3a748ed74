//! The settings of the upgrade, as `defaults.yml` documents them.

use mosip_prov_resources::UpgradeKind;
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::vars::{HostVars, ValueError};
use std::time::Duration;

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which upgrades.
    pub kind: UpgradeKind,
    /// Packages to install afterwards.
    pub additional: Vec<String>,
    /// Whether what nothing needs any more goes.
    pub autoremove: bool,
    /// Whether old downloads go.
    pub autoclean: bool,
    /// How old the package index may be.
    pub index_age: Duration,
    /// How long to wait for locks.
    pub lock_timeout: Duration,
    /// Whether a machine that needs it is rebooted.
    pub reboot: bool,
    /// How long to wait for its return.
    pub reboot_timeout: Duration,
}

struct Reader<'a> {
    vars: &'a HostVars,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn take<T>(&mut self, value: Result<Option<T>, ValueError>) -> Option<T> {
        self.problems.take(value.map_err(Diagnostic::from)).flatten()
    }

    fn error(&mut self, name: &str, message: String, help: &str) {
        let place = self.vars.location(name);
        self.problems.push(Diagnostic::error(message).at(place).help(help));
    }

    fn bool(&mut self, name: &str) -> bool {
        self.take(self.vars.bool(name)).unwrap_or(false)
    }

    fn seconds(&mut self, name: &str) -> Duration {
        let number = self.take(self.vars.int(name)).unwrap_or(0);
        match u64::try_from(number) {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                self.error(
                    name,
                    format!("{name} is {number}, and a number of seconds is wanted"),
                    "give 0 or more",
                );
                Duration::ZERO
            }
        }
    }

    fn packages(&mut self, name: &str) -> Vec<String> {
        let mut packages = Vec::new();
        for package in self.take(self.vars.string_list(name, true)).unwrap_or_default() {
            let package = package.trim().to_owned();
            match package.strip_suffix('-').or_else(|| package.strip_suffix('+')) {
                // apt takes these endings for "remove" and "install".
                Some(_) if !is_package(&package) || package.ends_with('-') => self.bad_package(name, &package),
                _ if !is_package(&package) => self.bad_package(name, &package),
                _ if packages.contains(&package) => {}
                _ => packages.push(package),
            }
        }
        packages
    }

    fn bad_package(&mut self, name: &str, package: &str) {
        self.error(
            name,
            format!("{name} has \"{package}\", which is no name of a package"),
            "names have lower-case letters, digits, and + - . only, for example [htop, nfs-common]",
        );
    }
}

/// Whether `name` can be a package's name, by Debian's policy, with an architecture after a colon.
fn is_package(name: &str) -> bool {
    let (name, architecture) = name.split_once(':').unwrap_or((name, "any"));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(plain)
        && !architecture.is_empty()
        && architecture
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

impl Settings {
    /// Reads them; all that is wrong goes into `problems`, and then there are none.
    pub fn read(vars: &HostVars, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let mut reader = Reader { vars, problems };
        let dist = reader.bool("apt_upgrade_dist");
        let all = reader.bool("apt_upgrade_all");
        let made = Self {
            kind: match (dist, all) {
                (true, _) => UpgradeKind::Dist,
                (false, true) => UpgradeKind::Safe,
                (false, false) => UpgradeKind::SecurityOnly,
            },
            additional: reader.packages("apt_upgrade_additional_packages"),
            autoremove: reader.bool("apt_autoremove"),
            autoclean: reader.bool("apt_autoclean"),
            index_age: reader.seconds("apt_upgrade_cache_valid_time"),
            lock_timeout: reader.seconds("apt_upgrade_lock_timeout"),
            reboot: reader.bool("apt_reboot_if_required"),
            reboot_timeout: reader.seconds("apt_reboot_timeout"),
        };
        (problems.error_count() == before).then_some(made)
    }
}
