//! The settings of a node's preparation, as `defaults.yml` documents them.

use crate::daemon::Daemon;
use indexmap::IndexMap;
use mosip_prov_resources::Facts;
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::value::Value;
use mosip_prov_resources::vars::{HostVars, ValueError};
use mosip_prov_rke2::Distribution;
use std::sync::Arc;
use std::time::Duration;

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Packages that every node has.
    pub required_packages: Vec<String>,
    /// Kernel modules.
    pub kernel_modules: Vec<String>,
    /// Lines of limits.conf(5).
    pub limits: Vec<String>,
    /// Kernel settings, those of bridges included.
    pub sysctl: IndexMap<String, String>,
    /// Whether swap goes.
    pub disable_swap: bool,
    /// Docker, in which the cluster's parts run; `None` where the distribution brings a runtime of its own.
    pub docker: Option<Docker>,
    /// How long to wait for the locks of dpkg and apt.
    pub lock_timeout: Duration,
}

/// Docker on a node.
#[derive(Debug, Clone)]
pub struct Docker {
    /// Where it comes from.
    pub from: DockerFrom,
    /// Whether another Docker that is there is replaced.
    pub replace: bool,
    /// Who is in group docker.
    pub user: String,
    /// Docker's own settings.
    pub daemon: Daemon,
}

/// Where Docker comes from.
#[derive(Debug, Clone)]
pub enum DockerFrom {
    /// The distribution: `docker.io`.
    Distribution,
    /// Docker's own repository: `docker-ce`.
    Vendor {
        /// The version, held; `None` is the newest, not held.
        version: Option<String>,
        /// The variables that name repository and key, to be evaluated with the host's facts.
        vars: HostVars,
    },
}

impl DockerFrom {
    /// The packages, Docker itself first.
    pub fn packages(&self) -> &'static [&'static str] {
        match self {
            Self::Distribution => &["docker.io"],
            Self::Vendor { .. } => &["docker-ce", "docker-ce-cli", "containerd.io"],
        }
    }
}

/// The text of variable `name` on a host with these facts.
///
/// # Errors
/// When its template is wrong or it is empty.
pub(crate) fn with_facts(vars: &HostVars, facts: &Facts, name: &str) -> Result<String, String> {
    let vars = vars.clone().with_facts(Arc::new(facts.to_vars()));
    match vars.string(name) {
        Ok(Some(text)) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Ok(_) => Err(format!("{name} is empty")),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads variables of one host and collects what is wrong.
pub(crate) struct Reader<'a> {
    pub vars: &'a HostVars,
    pub problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn take<T>(&mut self, value: Result<Option<T>, ValueError>) -> Option<T> {
        self.problems.take(value.map_err(Diagnostic::from)).flatten()
    }

    pub fn error(&mut self, name: &str, message: String, help: &str) {
        let place = self.vars.set_at(name);
        self.problems.push(Diagnostic::error(message).at(place).help(help));
    }

    pub fn warn(&mut self, name: &str, message: String, help: &str) {
        let place = self.vars.set_at(name);
        self.problems.push(Diagnostic::warning(message).at(place).help(help));
    }

    pub fn bool(&mut self, name: &str) -> bool {
        let value = self.vars.bool(name);
        self.take(value).unwrap_or(false)
    }

    pub fn text(&mut self, name: &str) -> String {
        let value = self.vars.string(name);
        self.take(value).unwrap_or_default().trim().to_owned()
    }

    pub fn map(&mut self, name: &str) -> IndexMap<Arc<str>, Value> {
        let value = self.vars.map(name);
        self.take(value).unwrap_or_default()
    }

    fn seconds(&mut self, name: &str) -> Duration {
        let value = self.vars.int(name);
        let number = self.take(value).unwrap_or(0);
        match u64::try_from(number) {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let message = format!("{name} is {number}, and a number of seconds is wanted");
                self.error(name, message, "give 0 or more");
                Duration::ZERO
            }
        }
    }

    /// A list of names, each once.
    fn names(&mut self, name: &str, what: &str, is_one: impl Fn(&str) -> bool, help: &str) -> Vec<String> {
        let value = self.vars.string_list(name, true);
        let mut names: Vec<String> = Vec::new();
        for one in self.take(value).unwrap_or_default() {
            let one = one.trim().to_owned();
            if !is_one(&one) {
                self.error(
                    name,
                    format!("{name} has \"{one}\", which is no name of a {what}"),
                    help,
                );
            } else if !names.contains(&one) {
                names.push(one);
            }
        }
        names
    }

    fn limits(&mut self, name: &str) -> Vec<String> {
        const HELP: &str = "write an entry as {domain: \"*\", type: soft, item: nofile, value: 1048576}, or as the line \"* soft nofile 1048576\"";
        let value = self.vars.get(name);
        let items = match self.take(value) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::List(items)) => items,
            Some(other) => {
                let message = format!("{name} is a {}, and a list is wanted", other.kind());
                self.error(name, message, HELP);
                return Vec::new();
            }
        };
        let mut lines = Vec::new();
        for item in items {
            let words: Option<Vec<String>> = match &item {
                Value::Map(_) => ["domain", "type", "item", "value"]
                    .into_iter()
                    .map(|key| item.get(key).and_then(scalar))
                    .collect(),
                other => scalar(other).map(|line| line.split_whitespace().map(str::to_owned).collect()),
            };
            match words.as_deref() {
                Some([domain, kind, of, value])
                    if matches!(kind.as_str(), "soft" | "hard" | "-")
                        && [domain, of, value].into_iter().all(|w| is_word(w)) =>
                {
                    lines.push(format!("{domain} {kind} {of} {value}"));
                }
                _ => self.error(name, format!("{name} has an entry that is no limit: {item:?}"), HELP),
            }
        }
        lines
    }

    fn sysctl(&mut self, name: &str) -> IndexMap<String, String> {
        // Bridged traffic goes through iptables, on which the network of a cluster rests.
        let mut settings: IndexMap<String, String> = [
            ("net.bridge.bridge-nf-call-iptables".to_owned(), "1".to_owned()),
            ("net.bridge.bridge-nf-call-ip6tables".to_owned(), "1".to_owned()),
        ]
        .into();
        for (key, value) in self.map(name) {
            let text = match &value {
                Value::Bool(_) | Value::Null => None,
                other => scalar(other),
            };
            match text
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty() && !text.contains('\n'))
            {
                Some(text) => {
                    settings.insert(key.to_string(), text);
                }
                None => self.error(
                    name,
                    format!(
                        "{name} sets {key} to a {}, which is no value of a kernel setting",
                        value.kind()
                    ),
                    "give a number (1, not yes), or several in one string: \"1024 65535\"",
                ),
            }
        }
        settings
    }

    fn docker(&mut self) -> Docker {
        Docker {
            from: self.docker_from(),
            replace: self.bool("docker_replace_other_version"),
            user: self.docker_user(),
            daemon: Daemon::read(self),
        }
    }

    fn docker_from(&mut self) -> DockerFrom {
        if self.bool("docker_install_from_apt") {
            return DockerFrom::Distribution;
        }
        let version = self.text("docker_version");
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '~' | '+' | '-' | '*');
        if !version.chars().all(plain) {
            self.error(
                "docker_version",
                format!("docker_version is \"{version}\", which is no version of a package"),
                "`apt-cache madison docker-ce` on a host shows them, for example 5:20.10.24~3-0~ubuntu-jammy; 5:20.10.* is the newest of these",
            );
        }
        // Wrong templates are found now, with the facts of some host.
        let some = Facts {
            distribution: "ubuntu".into(),
            version: "22.04".into(),
            codename: "jammy".into(),
            architecture: "x86_64".into(),
            has_apt: true,
            ..Facts::default()
        };
        for (name, help) in [
            (
                "docker_apt_repository",
                "write it as in sources.list: deb [arch=amd64] https://download.docker.com/linux/ubuntu {{ ansible_distribution_release }} stable",
            ),
            (
                "docker_apt_gpg_key",
                "give the URL of the key: https://download.docker.com/linux/ubuntu/gpg",
            ),
        ] {
            if let Err(what) = with_facts(self.vars, &some, name) {
                let message = if what.contains(name) {
                    what
                } else {
                    format!("{name}: {what}")
                };
                self.error(name, message, help);
            }
        }
        DockerFrom::Vendor {
            version: Some(version).filter(|version| !version.is_empty()),
            vars: self.vars.clone(),
        }
    }

    fn docker_user(&mut self) -> String {
        let before = self.problems.error_count();
        let user = self.text("docker_user");
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if user.is_empty() && self.problems.error_count() == before {
            self.error(
                "docker_user",
                "docker_user is not set, and neither is ansible_user, which it is by default".into(),
                "set docker_user to the user that RKE logs in as",
            );
        } else if !user.chars().all(plain) || user.starts_with('-') {
            self.error(
                "docker_user",
                format!("docker_user is \"{user}\", which is no name of a user"),
                "use letters, digits, and _ - .",
            );
        }
        user
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        other => other.as_str().map(str::to_owned),
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && !word.starts_with('#') && !word.contains(char::is_whitespace)
}

/// Whether `name` can be a package's name, by Debian's policy.
fn is_package(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !name.ends_with('-')
        && name.chars().all(plain)
}

fn is_module(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

impl Settings {
    /// Reads them; all that is wrong goes into `problems`, and then there are none.
    pub fn read(vars: &HostVars, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let mut reader = Reader { vars, problems };
        let distribution = Distribution::read(vars, reader.problems);
        let made = Self {
            required_packages: reader.names(
                "required_packages",
                "package",
                is_package,
                "names have lower-case letters, digits, and + - . only, for example [curl, nfs-common]",
            ),
            kernel_modules: reader.names(
                "kernel_modules",
                "kernel module",
                is_module,
                "names have letters, digits, _ and - only, for example [br_netfilter, overlay]",
            ),
            limits: reader.limits("system_limits"),
            sysctl: reader.sysctl("sysctl_params"),
            disable_swap: reader.bool("disable_swap"),
            docker: (distribution != Some(Distribution::Rke2)).then(|| reader.docker()),
            lock_timeout: reader.seconds("apt_lock_timeout"),
        };
        (problems.error_count() == before).then_some(made)
    }
}
