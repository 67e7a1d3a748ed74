//! `~/.ssh/config` through `ssh -G`, the one program that implements all of it; a small reader where there is no `ssh`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::error::ErrorKind;
use crate::ssh_args::{SshArgs, expand_home};

/// Key files that `ssh -G` lists when the configuration names none.
const DEFAULT_KEYS: &[&str] = &[
    "id_rsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "id_xmss",
    "id_dsa",
];

/// What the ssh configuration says of a host, with defaults of OpenSSH itself left out.
///
/// `file` is another configuration file (`-F`); `user` and `port` are those already known, for `Match` lines that ask for them.
///
/// # Errors
/// [`ErrorKind::Local`] when a configuration cannot be read; [`ErrorKind::BadRequest`] with ssh's own words when it is wrong.
pub async fn resolve_ssh_config(
    host: &str,
    user: Option<&str>,
    port: Option<u16>,
    file: Option<&Path>,
) -> Result<SshArgs, ErrorKind> {
    if host.is_empty() || host.starts_with('-') {
        return Err(ErrorKind::BadRequest(format!("{host:?} is not a host")));
    }
    let mut command = Command::new("ssh");
    command.arg("-G").stdin(Stdio::null());
    if let Some(file) = file {
        command.arg("-F").arg(file);
    }
    if let Some(user) = user.filter(|user| !user.is_empty()) {
        command.arg("-l").arg(user);
    }
    if let Some(port) = port {
        command.arg("-p").arg(port.to_string());
    }
    match command.arg("--").arg(host).output().await {
        Ok(output) if output.status.success() => Ok(read_dump(host, &String::from_utf8_lossy(&output.stdout))),
        Ok(output) => Err(ErrorKind::BadRequest(format!(
            "ssh -G {host} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => read_files(host, file),
        Err(source) => Err(ErrorKind::Local {
            doing: "running ssh -G".into(),
            source,
        }),
    }
}

/// Reads the output of `ssh -G`, which names every option; those at OpenSSH's default say nothing.
fn read_dump(host: &str, dump: &str) -> SshArgs {
    let mut args = SshArgs::default();
    let mut keys = Vec::new();
    let mut no_keys = false;
    for line in dump.lines() {
        let Some((name, value)) = line.split_once(' ') else {
            continue;
        };
        match name {
            "identityfile" if value == "none" => no_keys = true,
            "identityfile" => keys.push(expand_home(value)),
            "hostname" if value.eq_ignore_ascii_case(host) => {}
            "stricthostkeychecking" if value == "ask" => {}
            "userknownhostsfile" if value == default_known_hosts() => {}
            "connecttimeout" if value == "none" => {}
            "hostname"
            | "port"
            | "user"
            | "proxyjump"
            | "proxycommand"
            | "stricthostkeychecking"
            | "userknownhostsfile"
            | "hostkeyalias"
            | "identitiesonly"
            | "identityagent"
            | "connecttimeout" => {
                if let Err(warning) = args.option(name, value) {
                    args.warnings.push(warning);
                }
            }
            _ => {}
        }
    }
    if no_keys && keys.is_empty() {
        // Not those at their usual places either.
        args.identities_only = Some(true);
    } else if !is_default_list(&keys) {
        args.keys = keys;
    }
    args
}

fn default_known_hosts() -> String {
    let one = |name: &str| expand_home(&format!("~/.ssh/{name}")).to_string_lossy().into_owned();
    format!("{} {}", one("known_hosts"), one("known_hosts2"))
}

fn is_default_list(keys: &[PathBuf]) -> bool {
    let folder = expand_home("~/.ssh/x");
    keys.iter().all(|key| {
        key.parent() == folder.parent()
            && key
                .file_name()
                .is_some_and(|name| DEFAULT_KEYS.iter().any(|default| name == *default))
    }) && keys.len() != 1
}

fn read_files(host: &str, file: Option<&Path>) -> Result<SshArgs, ErrorKind> {
    let files = match file {
        Some(file) => vec![file.to_path_buf()],
        None => vec![expand_home("~/.ssh/config"), PathBuf::from("/etc/ssh/ssh_config")],
    };
    let mut args = SshArgs::default();
    for path in files {
        match std::fs::read_to_string(&path) {
            Ok(text) => read_config(host, &text, &mut args),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => {}
            Err(source) => {
                return Err(ErrorKind::Local {
                    doing: format!("reading {}", path.display()),
                    source,
                });
            }
        }
    }
    Ok(args)
}

/// The part of ssh_config(5) that matters here: `Host` blocks and the options we know; the first value of an option counts.
fn read_config(host: &str, text: &str, args: &mut SshArgs) {
    let mut applies = true;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once(|c: char| c.is_ascii_whitespace() || c == '=') else {
            continue;
        };
        let name = name.to_ascii_lowercase();
        let value = value
            .trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '=')
            .trim();
        match name.as_str() {
            "host" => applies = host_line_matches(value, host),
            "match" => {
                applies = value.eq_ignore_ascii_case("all");
                if !applies {
                    args.warnings
                        .push(format!("Match {value} needs the ssh program to be read"));
                }
            }
            "include" => args
                .warnings
                .push(format!("Include {value} needs the ssh program to be read")),
            _ if !applies => {}
            _ => {
                let set = match name.as_str() {
                    "hostname" => args.host_name.is_some(),
                    "port" => args.port.is_some(),
                    "user" => args.user.is_some(),
                    "proxyjump" | "proxycommand" => args.jumps.is_some(),
                    "stricthostkeychecking" => args.host_keys.is_some(),
                    "userknownhostsfile" => args.known_hosts.is_some(),
                    "hostkeyalias" => args.host_key_alias.is_some(),
                    "identitiesonly" => args.identities_only.is_some(),
                    "identityagent" => args.agent.is_some(),
                    "connecttimeout" => args.connect_timeout.is_some(),
                    // Every one counts.
                    "identityfile" => false,
                    _ => true,
                };
                if !set {
                    let value = if name == "hostname" {
                        value.replace("%h", host)
                    } else {
                        value.to_string()
                    };
                    if let Err(warning) = args.option(&name, &value) {
                        args.warnings.push(warning);
                    }
                }
            }
        }
    }
}

/// The door of [`crate::fuzzing`] to both readers.
pub(crate) fn fuzzing(host: &str, text: &str, dump: bool) -> SshArgs {
    if dump {
        return read_dump(host, text);
    }
    let mut args = SshArgs::default();
    read_config(host, text, &mut args);
    args
}

fn host_line_matches(patterns: &str, host: &str) -> bool {
    let mut positive = false;
    for pattern in patterns
        .split_ascii_whitespace()
        .map(|pattern| pattern.trim_matches('"'))
    {
        match pattern.strip_prefix('!') {
            Some(negated) if crate::known_hosts::wildcard(negated.as_bytes(), host.as_bytes()) => return false,
            Some(_) => {}
            None => positive |= crate::known_hosts::wildcard(pattern.as_bytes(), host.as_bytes()),
        }
    }
    positive
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::HostKeyPolicy;

    const CONFIG: &str = "\
# ours
Host vm1 vm2 !vm2
  HostName %h.internal
  User ubuntu
  Port=2222
  IdentityFile /keys/one
  ProxyJump jump@bastion:2200
  StrictHostKeyChecking accept-new

Host *.internal
  User nobody

Host *
  User fallback
  IdentityFile /keys/all
";

    #[test]
    fn blocks_apply_by_pattern_and_the_first_value_counts() {
        let mut args = SshArgs::default();
        read_config("vm1", CONFIG, &mut args);
        assert_eq!(args.host_name.as_deref(), Some("vm1.internal"));
        assert_eq!((args.user.as_deref(), args.port), (Some("ubuntu"), Some(2222)));
        assert_eq!(args.keys, [PathBuf::from("/keys/one"), PathBuf::from("/keys/all")]);
        assert_eq!(args.jumps.as_ref().map(Vec::len), Some(1));
        assert_eq!(args.host_keys, Some(HostKeyPolicy::AcceptNew));
        let mut args = SshArgs::default();
        read_config("vm2", CONFIG, &mut args);
        assert_eq!((args.user.as_deref(), args.port), (Some("fallback"), None));
    }

    #[test]
    fn no_key_file_is_not_a_key_file_called_none() {
        let args = read_dump("vm1", "user root\nidentitiesonly no\nidentityfile none\n");
        assert_eq!(args.keys, Vec::<PathBuf>::new());
        assert_eq!(args.identities_only, Some(true));
        let args = read_dump("vm1", "identitiesonly no\nidentityfile /keys/one\n");
        assert_eq!(args.keys, [PathBuf::from("/keys/one")]);
        assert_eq!(args.identities_only, Some(false));
    }

    #[tokio::test]
    #[ignore = "needs openssh"]
    async fn our_reader_agrees_with_ssh_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config");
        std::fs::write(&file, CONFIG).expect("written");
        for host in ["vm1", "vm2", "x.internal", "other"] {
            let theirs = resolve_ssh_config(host, None, None, Some(&file)).await.expect("ssh -G");
            let mut ours = SshArgs::default();
            read_config(host, CONFIG, &mut ours);
            assert_eq!(ours.host_name, theirs.host_name, "{host}");
            assert_eq!(ours.user, theirs.user, "{host}");
            assert_eq!(ours.port.unwrap_or(22), theirs.port.unwrap_or(22), "{host}");
            assert_eq!(ours.keys, theirs.keys, "{host}");
            assert_eq!(ours.jumps, theirs.jumps, "{host}");
            assert_eq!(ours.host_keys, theirs.host_keys, "{host}");
        }
    }
}
