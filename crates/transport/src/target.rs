//! Everything that is needed to reach one host, with nothing left to look up.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// A password or passphrase: never shown by `Debug`, wiped when dropped.
pub type Secret = SecretString;

/// How a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionKind {
    /// Over the network.
    Ssh,
    /// The machine this program runs on.
    Local,
}

/// What happens with a host key that is not known yet. A changed or revoked key is refused by all but [`HostKeyPolicy::Off`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HostKeyPolicy {
    /// Refuse it.
    Strict,
    /// Take it and write it down.
    #[default]
    AcceptNew,
    /// Check nothing: anyone who answers is believed.
    Off,
}

/// How to become another user. The method is sudo, the only one there is.
#[derive(Debug, Clone)]
pub struct SudoSettings {
    /// Asked for by sudo; `None` tries without and says so when one is needed.
    pub password: Option<Secret>,
    /// The program, `sudo` by default.
    pub program: String,
    /// Time until sudo must have answered.
    pub timeout: Duration,
}

impl Default for SudoSettings {
    fn default() -> Self {
        Self {
            password: None,
            program: "sudo".into(),
            timeout: Duration::from_secs(30),
        }
    }
}

/// Time limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first packet until logged in, each attempt on its own.
    pub connect: Duration,
    /// For a request that has no limit of its own.
    pub command: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            command: Duration::from_secs(300),
        }
    }
}

/// Where keys held by an agent come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AgentSource {
    /// The socket named by `SSH_AUTH_SOCK`, if there is one.
    #[default]
    Environment,
    /// This socket.
    Socket(PathBuf),
    /// No agent.
    None,
}

/// One machine on the way to the target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Jump {
    /// Name or address, as it is looked up in known_hosts.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Who logs in there.
    pub user: String,
    /// Keys to try there; empty means those of the target.
    pub keys: Vec<PathBuf>,
}

/// One host, resolved by the caller from inventory variables.
#[derive(Debug, Clone)]
pub struct Target {
    /// The inventory name, used in messages.
    pub name: String,
    /// Over the network or here.
    pub connection: ConnectionKind,
    /// Name or IP address to connect to.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// The login user; for a local target the user this program runs as is taken.
    pub user: String,
    /// Private key files to offer, in order. A certificate `KEY-cert.pub` beside one is offered first.
    pub keys: Vec<PathBuf>,
    /// Also try the agent and `~/.ssh/id_*`; off with `IdentitiesOnly yes`.
    pub default_keys: bool,
    /// The agent to ask.
    pub agent: AgentSource,
    /// Login password, tried after keys.
    pub password: Option<Secret>,
    /// What to do with an unknown host key.
    pub host_keys: HostKeyPolicy,
    /// Files to look host keys up in; new keys go to the first. Empty means `~/.ssh/known_hosts`, with the system's own file read too.
    pub known_hosts: Vec<PathBuf>,
    /// Name to look up in known_hosts in place of address and port (`HostKeyAlias`).
    pub host_key_alias: Option<String>,
    /// How to become another user.
    pub sudo: SudoSettings,
    /// Machines to go through, nearest first.
    pub jumps: Vec<Jump>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// How often a connection is tried while the failure is transient; at least 1.
    pub attempts: u32,
    /// Bytes of output one request may produce.
    pub output_limit: usize,
}

impl Target {
    /// A host over SSH on port 22, with defaults everywhere else.
    pub fn ssh(name: impl Into<String>, address: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            connection: ConnectionKind::Ssh,
            address: address.into(),
            port: 22,
            user: user.into(),
            keys: Vec::new(),
            default_keys: true,
            agent: AgentSource::Environment,
            password: None,
            host_keys: HostKeyPolicy::AcceptNew,
            known_hosts: Vec::new(),
            host_key_alias: None,
            sudo: SudoSettings::default(),
            jumps: Vec::new(),
            timeouts: Timeouts::default(),
            attempts: 3,
            output_limit: 64 << 20,
        }
    }

    /// The machine this program runs on.
    pub fn local(name: impl Into<String>) -> Self {
        Self {
            connection: ConnectionKind::Local,
            ..Self::ssh(name, "localhost", "")
        }
    }
}
