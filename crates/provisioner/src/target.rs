//! From a host's variables to what is needed to reach it: Ansible's connection variables, with Ansible's precedence
//! (the inventory wins over the command line's `-u` and `--private-key`).

use crate::settings::Settings;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_inventory::vars::HostVars;
use mosip_prov_preflight::paths::expand_tilde;
use mosip_prov_preflight::ssh_keys;
use mosip_prov_transport::{HostKeyPolicy, Secret, SshArgs, Target, parse_ssh_args};
use std::path::PathBuf;
use std::time::Duration;

/// What is said of the way to a host besides its target: applied over `~/.ssh/config`, which is read when connecting.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recipe {
    /// Options in `ansible_ssh_common_args` and its like.
    pub args: SshArgs,
    /// The login user, if the inventory or the command line names one.
    pub user: Option<String>,
    /// The port, if the inventory names one.
    pub port: Option<u16>,
    /// The command line says what to do about host keys, so nothing else does.
    pub pinned: bool,
}

/// Reads variables of one host, collecting what is wrong.
struct Reader<'a> {
    vars: &'a HostVars,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// The first of `names` that is set.
    fn string(&mut self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| {
            self.problems
                .take(self.vars.string(name).map_err(Into::into))
                .flatten()
                .filter(|s| !s.is_empty())
        })
    }

    fn int(&mut self, names: &[&str]) -> Option<i64> {
        names
            .iter()
            .find_map(|name| self.problems.take(self.vars.int(name).map_err(Into::into)).flatten())
    }

    fn bool(&mut self, names: &[&str]) -> Option<bool> {
        names
            .iter()
            .find_map(|name| self.problems.take(self.vars.bool(name).map_err(Into::into)).flatten())
    }

    fn secret(&mut self, names: &[&str]) -> Option<Secret> {
        names.iter().find_map(|name| {
            self.problems
                .take(self.vars.secret(name).map_err(Into::into))
                .flatten()
                .map(|s| Secret::from(s.expose().to_owned()))
        })
    }

    fn place(&self, names: &[&str]) -> Option<Location> {
        names.iter().find_map(|name| self.vars.location(name))
    }

    fn error(&mut self, names: &[&str], message: String, help: &str) {
        let place = self.place(names);
        self.problems.push(Diagnostic::error(message).at(place).help(help));
    }
}

const KEY: [&str; 2] = ["ansible_ssh_private_key_file", "ansible_private_key_file"];
const ARGS: [&str; 3] = ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"];
const PORT: [&str; 2] = ["ansible_port", "ansible_ssh_port"];

/// What is needed to reach the host of `vars`; `None` when something is wrong, which is then in `problems`.
pub(crate) fn target_of(vars: &HostVars, settings: &Settings, problems: &mut Diagnostics) -> Option<(Target, Recipe)> {
    let mut r = Reader { vars, problems };
    let name = vars.host().to_string();
    let method = r.string(&["ansible_become_method"]);
    if let Some(method) = method.filter(|m| m != "sudo") {
        r.error(
            &["ansible_become_method"],
            format!("{name}: become by {method} is not supported"),
            "sudo is the only method; remove ansible_become_method or set it to sudo",
        );
    }
    let connection = r
        .string(&["ansible_connection"])
        .or_else(|| settings.connection.clone())
        .unwrap_or_else(|| "ssh".to_owned());
    let (mut target, recipe) = match connection.as_str() {
        "local" => (Target::local(&name), Recipe::default()),
        "ssh" | "smart" | "paramiko" | "paramiko_ssh" | "ansible.builtin.ssh" => ssh(&name, settings, &mut r)?,
        other => {
            r.error(
                &["ansible_connection"],
                format!("{name}: connection {other} is not supported"),
                "ssh and local are the connections there are",
            );
            return None;
        }
    };
    target.sudo.password = r
        .secret(&["ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"])
        .or_else(|| settings.become_password.clone());
    if let Some(program) = r.string(&["ansible_become_exe"]) {
        target.sudo.program = program;
    }
    let timeout = r.int(&["ansible_timeout", "ansible_ssh_timeout"]);
    let timeout = timeout
        .and_then(|t| u64::try_from(t).ok())
        .filter(|t| *t > 0)
        .map(Duration::from_secs);
    if let Some(timeout) = timeout.or(settings.connect_timeout) {
        target.timeouts.connect = timeout;
        // A host that may take long to let us in may take as long to let us become root; one that must let us in quickly
        // may still ask a directory who its users are.
        target.sudo.timeout = target.sudo.timeout.max(timeout);
    }
    target.timeouts.command = settings.command_timeout;
    Some((target, recipe))
}

fn ssh(name: &str, settings: &Settings, r: &mut Reader<'_>) -> Option<(Target, Recipe)> {
    let address = r
        .string(&["ansible_host", "ansible_ssh_host"])
        .unwrap_or_else(|| name.to_owned());
    let user = r
        .string(&["ansible_user", "ansible_ssh_user"])
        .or_else(|| settings.user.clone());
    let port = r.int(&PORT);
    let port = match port.map(u16::try_from) {
        None => None,
        Some(Ok(port)) if port > 0 => Some(port),
        Some(_) => {
            r.error(
                &PORT,
                format!("{name}: {} is no port", port.unwrap_or_default()),
                "ports are 1 to 65535",
            );
            return None;
        }
    };
    let key = r
        .string(&KEY)
        .map(|k| expand_tilde(&k))
        .or_else(|| settings.private_key.clone());
    if let Some(problem) = key.as_ref().and_then(|k| ssh_keys::check(k, r.place(&KEY))) {
        let fatal = problem.is_error();
        r.problems.push(problem);
        if fatal {
            return None;
        }
    }
    let mut target = Target::ssh(name, &address, user.clone().unwrap_or_default());
    if let Some(port) = port {
        target.port = port;
    }
    if let Some(key) = key {
        target.keys = vec![key];
    }
    target.password = r
        .secret(&["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"])
        .or_else(|| settings.ssh_password.clone());
    known_hosts(settings, &mut target, r);
    let args: Vec<String> = ARGS.iter().filter_map(|var| r.string(&[var])).collect();
    let args = match parse_ssh_args(&args.join(" ")) {
        Ok(args) => args,
        Err(error) => {
            r.error(
                &ARGS,
                format!("{name}: {error}"),
                "write the options as for ssh itself, for example -o ProxyJump=bastion",
            );
            return None;
        }
    };
    let place = r.place(&ARGS);
    for warning in &args.warnings {
        r.problems.push(Diagnostic::warning(warning.clone()).at(place.clone()));
    }
    Some((
        target,
        Recipe {
            args,
            user,
            port,
            pinned: settings.host_keys.is_some(),
        },
    ))
}

fn known_hosts(settings: &Settings, target: &mut Target, r: &mut Reader<'_>) {
    let checking = r.bool(&["ansible_host_key_checking", "ansible_ssh_host_key_checking"]);
    target.host_keys = match (settings.host_keys, checking) {
        (Some(policy), _) => policy,
        (None, Some(false)) => {
            let place = r.place(&["ansible_host_key_checking", "ansible_ssh_host_key_checking"]);
            // Said once, whatever the number of hosts: findings of one place are the same finding.
            r.problems.push(
                Diagnostic::warning("host keys are not checked: whoever answers at an address is believed")
                    .at(place)
                    .help("remove ansible_host_key_checking=False: new keys are then learned at first contact, and changed ones refused"),
            );
            HostKeyPolicy::Off
        }
        (None, _) => HostKeyPolicy::AcceptNew,
    };
    if let Some(file) = &settings.known_hosts {
        target.known_hosts = vec![PathBuf::from(file)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provisioner;

    #[test]
    fn a_host_that_may_be_slow_to_let_us_in_may_be_slow_to_let_us_become_root() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("hosts.ini");
        let text = "plain\nslow ansible_timeout=300\nquick ansible_timeout=5\nhere ansible_connection=local\n";
        std::fs::write(&file, text).expect("written");
        let of = |host: &str, said: Option<u64>| {
            let settings = Settings {
                inventory: vec![file.display().to_string()],
                connect_timeout: said.map(Duration::from_secs),
                ..Settings::default()
            };
            let provisioner = Provisioner::load(settings.clone()).expect("an inventory");
            let vars = provisioner.vars_of(host).expect("a host");
            let (target, _) = target_of(vars, &settings, &mut Diagnostics::new()).expect("a target");
            (target.timeouts.connect.as_secs(), target.sudo.timeout.as_secs())
        };
        assert_eq!(of("plain", None), (10, 30));
        assert_eq!(of("plain", Some(300)), (300, 300));
        assert_eq!(of("plain", Some(5)), (5, 30));
        // The inventory counts above the command line.
        assert_eq!(of("slow", Some(5)), (300, 300));
        assert_eq!(of("quick", Some(300)), (5, 30));
        assert_eq!(of("here", Some(300)).1, 300);
    }
}
