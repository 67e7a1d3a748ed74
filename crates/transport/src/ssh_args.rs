//! `ansible_ssh_common_args` and its like: the options of `ssh` that mean something to us.

use std::path::PathBuf;

use crate::error::ErrorKind;
use crate::target::{HostKeyPolicy, Jump, Target};

/// A jump host as written: `[user@]host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JumpSpec {
    /// Name or address, or an alias of the ssh configuration.
    pub host: String,
    /// Who logs in there, if said.
    pub user: Option<String>,
    /// The port, if said.
    pub port: Option<u16>,
}

impl JumpSpec {
    /// Reads one hop; `ssh://` in front and brackets around IPv6 addresses are allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("ssh://").unwrap_or(text).trim();
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) if !user.is_empty() => (Some(user.to_string()), rest),
            Some(_) => return None,
            None => (None, text),
        };
        let (host, port) = if let Some(bracketed) = rest.strip_prefix('[') {
            let (host, after) = bracketed.split_once(']')?;
            (host, after.strip_prefix(':'))
        } else {
            match rest.split_once(':') {
                // More than one colon is a bare IPv6 address.
                Some((_, port)) if port.contains(':') => (rest, None),
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            }
        };
        let port = port.map(str::parse).transpose().ok()?;
        (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| Self {
            host: host.to_string(),
            user,
            port,
        })
    }

    /// The hop with what it leaves out taken from a target.
    pub fn resolve(&self, target: &Target) -> Jump {
        Jump {
            address: self.host.clone(),
            port: self.port.unwrap_or(22),
            user: self.user.clone().unwrap_or_else(|| target.user.clone()),
            keys: Vec::new(),
        }
    }
}

/// What was said on the command line of `ssh`, or in its configuration. `None` where nothing was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SshArgs {
    /// `HostName`: where to connect in place of the name.
    pub host_name: Option<String>,
    /// `-J`, `ProxyJump`, or a `ProxyCommand` that is `ssh -W %h:%p`; empty for `none`.
    pub jumps: Option<Vec<JumpSpec>>,
    /// `StrictHostKeyChecking`. `ask` reads as accept-new: nobody can be asked in the middle of a run.
    pub host_keys: Option<HostKeyPolicy>,
    /// `UserKnownHostsFile`; `/dev/null` is kept.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// `HostKeyAlias`.
    pub host_key_alias: Option<String>,
    /// `-p`, `Port`.
    pub port: Option<u16>,
    /// `-l`, `User`.
    pub user: Option<String>,
    /// `-i`, `IdentityFile`, in order.
    pub keys: Vec<PathBuf>,
    /// `IdentitiesOnly`.
    pub identities_only: Option<bool>,
    /// `IdentityAgent`.
    pub agent: Option<crate::target::AgentSource>,
    /// `ConnectTimeout` in seconds.
    pub connect_timeout: Option<u64>,
    /// `-F`: another configuration file.
    pub config_file: Option<PathBuf>,
    /// Options that were left out, each with the reason.
    pub warnings: Vec<String>,
}

/// Options that change nothing for us: how OpenSSH shares connections, keeps them up or shows itself.
const HARMLESS: &[&str] = &[
    "batchmode",
    "checkhostip",
    "compression",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "escapechar",
    "forwardagent",
    "forwardx11",
    "hashknownhosts",
    "kbdinteractiveauthentication",
    "loglevel",
    "passwordauthentication",
    "preferredauthentications",
    "pubkeyauthentication",
    "gssapiauthentication",
    "requesttty",
    "serveraliveinterval",
    "serveralivecountmax",
    "tcpkeepalive",
    "updatehostkeys",
    "visualhostkey",
];

/// Reads a string of `ssh` options.
///
/// # Errors
/// [`ErrorKind::BadRequest`] when the quoting is broken, a value is missing or cannot be read. Options that are not for us are
/// warnings, not errors.
pub fn parse_ssh_args(text: &str) -> Result<SshArgs, ErrorKind> {
    let bad = |why: String| ErrorKind::BadRequest(format!("{why} in the ssh arguments {text:?}"));
    let words = shlex::split(text).ok_or_else(|| bad("a quote is not closed".into()))?;
    let mut args = SshArgs::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            args.warnings
                .push(format!("{word:?} is not an option of ssh and was left out"));
            continue;
        };
        let mut rest = letters.chars();
        while let Some(letter) = rest.next() {
            match letter {
                '4' | '6' | 'A' | 'a' | 'C' | 'f' | 'K' | 'k' | 'N' | 'n' | 'q' | 's' | 'T' | 't' | 'v' | 'X' | 'x'
                | 'Y' => {
                    if letter == '6' || letter == '4' {
                        args.warnings.push(format!("-{letter} has no effect"));
                    }
                }
                _ => {
                    let attached = rest.as_str().to_string();
                    let value = if attached.is_empty() {
                        words.next()
                    } else {
                        Some(attached)
                    };
                    let value = value.ok_or_else(|| bad(format!("-{letter} has no value")))?;
                    args.letter(letter, &value).map_err(bad)?;
                    break;
                }
            }
        }
    }
    Ok(args)
}

impl SshArgs {
    fn letter(&mut self, letter: char, value: &str) -> Result<(), String> {
        match letter {
            'J' => self.option("proxyjump", value),
            'p' => self.option("port", value),
            'l' => self.option("user", value),
            'i' => self.option("identityfile", value),
            'F' => {
                self.config_file = Some(expand_home(value));
                Ok(())
            }
            'o' => {
                let (name, value) = value
                    .split_once('=')
                    .or_else(|| value.split_once(char::is_whitespace))
                    .ok_or_else(|| format!("-o {value} has no value"))?;
                self.option(&name.trim().to_ascii_lowercase(), value.trim())
            }
            _ => {
                self.warnings.push(format!("-{letter} {value} has no effect"));
                Ok(())
            }
        }
    }

    /// Takes one option by its name in lower case, as configuration files and `ssh -G` have it.
    pub(crate) fn option(&mut self, name: &str, value: &str) -> Result<(), String> {
        let value = value.trim_matches('"');
        match name {
            "hostname" => self.host_name = Some(value.into()),
            "proxyjump" => {
                self.jumps = Some(if value.eq_ignore_ascii_case("none") {
                    Vec::new()
                } else {
                    let hop = |hop: &str| JumpSpec::parse(hop).ok_or_else(|| format!("{hop:?} is not a jump host"));
                    value.split(',').map(hop).collect::<Result<_, _>>()?
                });
            }
            "proxycommand" => match jump_of_command(value) {
                Some(jumps) => self.jumps = Some(jumps),
                None => self
                    .warnings
                    .push(format!("ProxyCommand {value:?} cannot be run here; use ProxyJump")),
            },
            "stricthostkeychecking" => {
                self.host_keys = Some(match value.to_ascii_lowercase().as_str() {
                    "yes" | "true" => HostKeyPolicy::Strict,
                    "no" | "off" | "false" => HostKeyPolicy::Off,
                    _ => HostKeyPolicy::AcceptNew,
                });
            }
            "userknownhostsfile" => {
                let files = shlex::split(value).unwrap_or_else(|| vec![value.to_string()]);
                self.known_hosts = Some(files.iter().map(|file| expand_home(file)).collect());
            }
            "hostkeyalias" => self.host_key_alias = Some(value.into()),
            "port" => self.port = Some(value.parse().map_err(|_| format!("{value:?} is not a port"))?),
            "user" => self.user = Some(value.into()),
            "identityfile" => {
                if !value.eq_ignore_ascii_case("none") {
                    self.keys.push(expand_home(value));
                }
            }
            "identitiesonly" => self.identities_only = Some(value.eq_ignore_ascii_case("yes")),
            "identityagent" => {
                self.agent = match value {
                    "SSH_AUTH_SOCK" => Some(crate::target::AgentSource::Environment),
                    "none" => Some(crate::target::AgentSource::None),
                    // A variable to look up, which is what the environment already is.
                    _ if value.starts_with('$') => None,
                    path => Some(crate::target::AgentSource::Socket(expand_home(path))),
                };
            }
            "connecttimeout" => self.connect_timeout = value.parse().ok(),
            _ if HARMLESS.contains(&name) => {}
            _ => self.warnings.push(format!("option {name} has no effect")),
        }
        Ok(())
    }

    /// Lets what is said here count for a target, over what it has so far.
    pub fn apply_to(&self, target: &mut Target) {
        if let Some(address) = &self.host_name {
            target.address = address.clone();
        }
        if let Some(port) = self.port {
            target.port = port;
        }
        if let Some(user) = &self.user {
            target.user = user.clone();
        }
        if let Some(policy) = self.host_keys {
            target.host_keys = policy;
        }
        if let Some(files) = &self.known_hosts {
            target.known_hosts = files.clone();
        }
        if let Some(alias) = &self.host_key_alias {
            target.host_key_alias = Some(alias.clone());
        }
        for key in &self.keys {
            if !target.keys.contains(key) {
                target.keys.push(key.clone());
            }
        }
        if let Some(only) = self.identities_only {
            target.default_keys = !only;
        }
        if let Some(agent) = &self.agent {
            target.agent = agent.clone();
        }
        if let Some(seconds) = self.connect_timeout {
            target.timeouts.connect = std::time::Duration::from_secs(seconds);
        }
        if let Some(jumps) = &self.jumps {
            target.jumps = jumps.iter().map(|jump| jump.resolve(target)).collect();
        }
    }
}

/// The jump host of `ssh … -W %h:%p … [user@]host`, which is how ProxyJump was written before there was ProxyJump.
fn jump_of_command(command: &str) -> Option<Vec<JumpSpec>> {
    let words = shlex::split(command)?;
    let mut words = words.iter().map(String::as_str);
    let program = words.next()?;
    if program != "ssh" && !program.ends_with("/ssh") {
        return None;
    }
    let (mut forwards, mut port, mut user, mut host, mut before) = (false, None, None, None, Vec::new());
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix('-') else {
            if host.replace(word).is_some() {
                return None;
            }
            continue;
        };
        let mut rest = option.chars();
        let letter = rest.next()?;
        if "46AaCfgKkMNnqsTtVvXxYy".contains(letter) {
            continue;
        }
        let value = match rest.as_str() {
            "" => words.next()?,
            attached => attached,
        };
        match letter {
            'W' => forwards = value == "%h:%p" || value == "[%h]:%p",
            'p' => port = Some(value.parse().ok()?),
            'l' => user = Some(value.to_string()),
            'J' => before = value.split(',').map(JumpSpec::parse).collect::<Option<_>>()?,
            // A key of its own for the jump host cannot be told from here.
            'o' | 'i' | 'F' => {}
            _ => return None,
        }
    }
    let mut jump = JumpSpec::parse(host?)?;
    jump.port = port.or(jump.port);
    jump.user = user.or(jump.user);
    before.push(jump);
    forwards.then_some(before)
}

/// A path with `~` in front as the home directory.
pub fn expand_home(path: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    for prefix in ["~/", "%d/", "${HOME}/"] {
        if let (Some(rest), Some(home)) = (path.strip_prefix(prefix), home()) {
            return home.join(rest);
        }
    }
    PathBuf::from(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(text: &str) -> JumpSpec {
        JumpSpec::parse(text).expect("a hop")
    }

    #[test]
    fn hops() {
        let spec = |host: &str, user: Option<&str>, port| JumpSpec {
            host: host.into(),
            user: user.map(Into::into),
            port,
        };
        assert_eq!(hop("bastion"), spec("bastion", None, None));
        assert_eq!(hop("ubuntu@bastion:2222"), spec("bastion", Some("ubuntu"), Some(2222)));
        assert_eq!(hop("ssh://u@[::1]:22"), spec("::1", Some("u"), Some(22)));
        assert_eq!(hop("fe80::1"), spec("fe80::1", None, None));
        for bad in ["", "@x", "x:port", "a b", "[::1"] {
            assert_eq!(JumpSpec::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn common_args_as_operators_write_them() {
        let args = parse_ssh_args(
            "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -J u@b1:2200,b2 -p2222 -vC -i ~/.ssh/k -o 'ServerAliveInterval 30'",
        )
        .expect("readable");
        assert_eq!(args.host_keys, Some(HostKeyPolicy::Off));
        assert_eq!(args.known_hosts, Some(vec![PathBuf::from("/dev/null")]));
        assert_eq!(args.jumps, Some(vec![hop("u@b1:2200"), hop("b2")]));
        assert_eq!(args.port, Some(2222));
        assert_eq!(args.keys.len(), 1);
        assert!(args.warnings.is_empty(), "{:?}", args.warnings);
    }

    #[test]
    fn a_proxy_command_that_is_a_jump() {
        for (command, expected) in [
            ("ssh -W %h:%p -q ubuntu@bastion", Some(vec![hop("ubuntu@bastion")])),
            ("ssh -p 2222 -W %h:%p bastion", Some(vec![hop("bastion:2222")])),
            (
                "/usr/bin/ssh -o StrictHostKeyChecking=no -W [%h]:%p -l bob bastion",
                Some(vec![hop("bob@bastion")]),
            ),
            ("ssh -J first -W %h:%p second", Some(vec![hop("first"), hop("second")])),
            ("nc -X connect -x proxy:3128 %h %p", None),
            ("ssh bastion nc %h %p", None),
            ("ssh -W %h:%p -ä bastion", None),
        ] {
            let args = parse_ssh_args(&format!("-o ProxyCommand=\"{command}\"")).expect("readable");
            assert_eq!(args.jumps, expected, "{command}");
            assert_eq!(args.warnings.is_empty(), expected.is_some(), "{command}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_what_is_not_for_us_a_warning() {
        for bad in ["-o", "-p x", "-J a:b", "-o \"x", "-o Port"] {
            assert!(parse_ssh_args(bad).is_err(), "{bad}");
        }
        let args = parse_ssh_args("-L 80:x:80 -o Ciphers=aes128-ctr stray").expect("readable");
        assert_eq!(args.warnings.len(), 3, "{:?}", args.warnings);
    }

    #[test]
    fn none_takes_jumps_away() {
        let mut target = Target::ssh("vm1", "10.0.0.1", "ubuntu");
        parse_ssh_args("-J b").expect("readable").apply_to(&mut target);
        assert_eq!(
            (target.jumps[0].address.as_str(), target.jumps[0].user.as_str()),
            ("b", "ubuntu")
        );
        parse_ssh_args("-o ProxyJump=none")
            .expect("readable")
            .apply_to(&mut target);
        assert!(target.jumps.is_empty());
    }
}
