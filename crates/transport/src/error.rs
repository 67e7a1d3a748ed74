//! What can go wrong on the way to a host, as types. Each says what was wanted, what happened, where, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

/// A failure with the host it concerns.
#[derive(Debug)]
pub struct TransportError {
    /// The inventory name.
    pub host: String,
    /// What happened.
    pub kind: ErrorKind,
}

impl TransportError {
    /// Joins a host and what happened there.
    pub fn new(host: impl Into<String>, kind: impl Into<ErrorKind>) -> Self {
        Self {
            host: host.into(),
            kind: kind.into(),
        }
    }

    /// Whether the same attempt may succeed a moment later without anyone doing something.
    pub fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }

    /// Whether the host counts as unreachable (exit code 4), as opposed to a task that failed on a host that answers.
    pub fn is_unreachable(&self) -> bool {
        self.kind.is_unreachable()
    }

    /// What the operator can do about it.
    pub fn remedy(&self) -> String {
        self.kind.remedy()
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.kind)?;
        let remedy = self.kind.remedy();
        if !remedy.is_empty() {
            write!(f, ". {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.kind)
    }
}

/// Why no connection came about, before anyone was asked to log in.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Nothing listens there.
    #[error("connection refused")]
    Refused,
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The network has no way there.
    #[error("no route to the host ({0})")]
    NoRoute(io::Error),
    /// The name has no address.
    #[error("the name does not resolve ({0})")]
    Name(io::Error),
    /// Closed before the login: sshd does so above `MaxStartups` and while it starts.
    #[error("the server closed the connection before the login")]
    DroppedEarly,
    /// A jump host would not pass the connection on.
    #[error("the jump host {jump} could not open the connection ({reason})")]
    JumpRefused {
        /// Which one.
        jump: String,
        /// What it said.
        reason: String,
        /// Whether it may work later.
        transient: bool,
    },
    /// Any other failure of the network.
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as K;
        match error.kind() {
            K::ConnectionRefused => Self::Refused,
            K::TimedOut => Self::Timeout(Duration::ZERO),
            K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::AddrNotAvailable => Self::NoRoute(error),
            K::ConnectionReset | K::ConnectionAborted | K::UnexpectedEof | K::BrokenPipe => Self::DroppedEarly,
            _ => Self::Io(error),
        }
    }
}

/// Why the server's key was not accepted.
#[derive(Debug, Error)]
pub enum HostKeyError {
    /// Another key of the same kind is on record.
    #[error(
        "the host key of {address} has changed: {} line {line} has {expected}, the server showed {algorithm} {got}",
        file.display()
    )]
    Changed {
        /// Name looked up.
        address: Box<str>,
        /// Kind of key.
        algorithm: Box<str>,
        /// Where the other key is recorded.
        file: Box<Path>,
        /// Line in that file, from 1.
        line: usize,
        /// SHA256 fingerprint on record.
        expected: Box<str>,
        /// SHA256 fingerprint shown.
        got: Box<str>,
    },
    /// The key (or the authority that signed it) is marked `@revoked`.
    #[error("the host key {got} of {address} is marked as revoked in {} line {line}", file.display())]
    Revoked {
        /// Name looked up.
        address: String,
        /// The file that says so.
        file: PathBuf,
        /// Line in that file, from 1.
        line: usize,
        /// SHA256 fingerprint shown.
        got: String,
    },
    /// Nothing is known and the policy is strict.
    #[error("the host key of {address} is not known: it showed {algorithm} {got}")]
    Unknown {
        /// Name looked up.
        address: String,
        /// Kind of key.
        algorithm: String,
        /// SHA256 fingerprint shown.
        got: String,
    },
    /// A host certificate that does not hold.
    #[error("the host certificate of {address} is not valid: {reason}")]
    Certificate {
        /// Name looked up.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A known_hosts file cannot be read or written.
    #[error("cannot use {} for host keys: {source}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why a private key file cannot be used.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// It is not there.
    #[error("the key file {} does not exist", .0.display())]
    Missing(PathBuf),
    /// Others than the owner can read it.
    #[error("the key file {} can be read by others (mode {mode:04o})", path.display())]
    TooOpen {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is encrypted and nobody gave a passphrase.
    #[error("the key file {} is encrypted and there is no passphrase for it", .0.display())]
    PassphraseNeeded(PathBuf),
    /// The passphrase does not open it.
    #[error("the passphrase does not open the key file {}", .0.display())]
    WrongPassphrase(PathBuf),
    /// Not a private key this program can read.
    #[error("the key file {} is not a usable private key: {reason}", path.display())]
    Unparsable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It cannot be read.
    #[error("cannot read the key file {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why becoming another user failed.
#[derive(Debug, Error)]
pub enum BecomeError {
    /// sudo wants a password and none was given.
    #[error("sudo wants a password to become {user}")]
    PasswordRequired {
        /// Whom to become.
        user: String,
    },
    /// sudo did not take the password.
    #[error("sudo did not accept the password to become {user}")]
    WrongPassword {
        /// Whom to become.
        user: String,
    },
    /// The login user may not.
    #[error("sudo does not allow the login user to become {user}: {said}")]
    NotAllowed {
        /// Whom to become.
        user: String,
        /// sudo's own words.
        said: String,
    },
    /// There is no sudo.
    #[error("there is no sudo on the target ({said})")]
    NoSudo {
        /// What the shell said.
        said: String,
    },
    /// `requiretty` is set.
    #[error("sudo asks for a terminal (requiretty)")]
    RequireTty,
    /// No such user on the target.
    #[error("there is no user {user} on the target")]
    UnknownUser {
        /// Whom to become.
        user: String,
    },
    /// The name has characters no user name has.
    #[error("{user:?} is not a user name")]
    BadUserName {
        /// As given.
        user: String,
    },
    /// sudo neither answered nor failed, such as when it waits for a second factor.
    #[error("sudo did not answer within {limit:?}; it said: {said}")]
    NoAnswer {
        /// How long was waited.
        limit: Duration,
        /// Its words so far.
        said: String,
    },
    /// Anything else sudo said.
    #[error("sudo failed with status {status} to become {user}: {said}")]
    Other {
        /// Whom to become.
        user: String,
        /// Exit status.
        status: i32,
        /// Its words.
        said: String,
    },
}

/// What happened. Match on it; never on the text.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection.
    #[error("cannot connect to {address}: {cause}")]
    Unreachable {
        /// Name or address and port.
        address: String,
        /// Why.
        cause: ConnectError,
        /// How often it was tried.
        attempts: u32,
    },
    /// The server's identity is not what it should be.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// The login was refused.
    #[error("{address} refused the login of {user} (tried: {})", if tried.is_empty() { "nothing, no key or password is at hand".to_string() } else { tried.join(", ") })]
    Auth {
        /// Name or address and port.
        address: Box<str>,
        /// Who wanted to log in.
        user: Box<str>,
        /// What was tried, in order, such as `key ~/.ssh/id_ed25519` or `password`.
        tried: Vec<String>,
        /// What the server still offers.
        offered: Vec<String>,
    },
    /// A key file cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// sudo did not work.
    #[error(transparent)]
    Become(#[from] BecomeError),
    /// A request took longer than it may. What it started was ended on the target.
    #[error("the request did not finish within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
        /// What it had written to standard error by then.
        stderr: String,
    },
    /// The connection broke after the login.
    #[error("the connection was lost while {doing}")]
    ConnectionLost {
        /// What was going on.
        doing: String,
    },
    /// The shell that serves requests ended in the middle of one; scripts that kill `$$` do that.
    #[error("the shell on the target ended in the middle of a request (status {}): {said}", status.map_or("unknown".to_string(), |s| s.to_string()))]
    ShellEnded {
        /// Its exit status.
        status: Option<i32>,
        /// Its last words on standard error.
        said: String,
    },
    /// No shell could be started for the login user (`nologin`, a broken profile).
    #[error("the login shell does not run commands (status {}): {said}", status.map_or("unknown".to_string(), |s| s.to_string()))]
    NoShell {
        /// Exit status.
        status: Option<i32>,
        /// What it printed.
        said: String,
    },
    /// There is nowhere to write on the target.
    #[error("no space to work in on the target: {said}")]
    NoSpace {
        /// Which places were tried or what failed.
        said: String,
    },
    /// More output than allowed.
    #[error("the request wrote {size} bytes, more than the {limit} allowed")]
    OutputTooLarge {
        /// Bytes written, or at least that many.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A file on the target.
    #[error("cannot read {path} on the target: {said}")]
    File {
        /// Which.
        path: String,
        /// What the target said.
        said: String,
    },
    /// The host did not come back.
    #[error("the host did not return within {deadline:?}{}", last.as_ref().map(|e| format!(" (last: {})", e.kind)).unwrap_or_default())]
    NoReturn {
        /// How long was waited.
        deadline: Duration,
        /// The last failure.
        last: Option<Box<TransportError>>,
    },
    /// The server or the shell did something that is not in the protocol.
    #[error("the two sides do not understand each other: {0}")]
    Protocol(String),
    /// The request itself cannot be sent.
    #[error("the request is not usable: {0}")]
    BadRequest(String),
    /// Something on this machine.
    #[error("{doing}: {source}")]
    Local {
        /// What was going on.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A scripted fake met something it has no answer for.
    #[error("the fake host has no answer for: {0}")]
    Unexpected(String),
}

impl ErrorKind {
    /// See [`TransportError::is_transient`].
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { cause, .. } => match cause {
                ConnectError::Refused
                | ConnectError::Timeout(_)
                | ConnectError::NoRoute(_)
                | ConnectError::DroppedEarly
                | ConnectError::Io(_) => true,
                ConnectError::JumpRefused { transient, .. } => *transient,
                // EAI_AGAIN cannot be told from an unknown name here, and a mistyped name should fail at once.
                ConnectError::Name(_) => false,
            },
            Self::ConnectionLost { .. } => true,
            _ => false,
        }
    }

    /// See [`TransportError::is_unreachable`].
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::HostKey(_)
                | Self::Auth { .. }
                | Self::KeyFile(_)
                | Self::ConnectionLost { .. }
                | Self::NoShell { .. }
                | Self::NoReturn { .. }
        )
    }

    /// See [`TransportError::remedy`]. Empty when there is nothing to add.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreachable { cause, attempts, .. } => {
                let advice = match cause {
                    ConnectError::Refused => "Is sshd running there, on that port?",
                    ConnectError::Timeout(_) | ConnectError::NoRoute(_) => {
                        "Is the machine up, the address right, and no firewall or missing VPN in between?"
                    }
                    ConnectError::Name(_) => "Check ansible_host, or the DNS entry",
                    ConnectError::DroppedEarly => {
                        "Too many logins at once (MaxStartups), or the address is blocked there (fail2ban)?"
                    }
                    ConnectError::JumpRefused { .. } => "Check the address as seen from the jump host, and AllowTcpForwarding there",
                    ConnectError::Io(_) => "",
                };
                if *attempts > 1 {
                    format!("Tried {attempts} times. {advice}")
                } else {
                    advice.to_string()
                }
            }
            Self::HostKey(HostKeyError::Changed { file, line, .. }) => format!(
                "If the machine was rebuilt, remove line {line} of {}; if not, someone may be in between",
                file.display()
            ),
            Self::HostKey(HostKeyError::Revoked { .. }) => "Do not connect; ask who revoked it".into(),
            Self::HostKey(HostKeyError::Unknown { .. }) => {
                "Compare the fingerprint with the machine's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub) and add it, or choose accept-new"
                    .into()
            }
            Self::HostKey(HostKeyError::Certificate { .. }) => "Have the host certificate renewed, or check the @cert-authority line".into(),
            Self::HostKey(HostKeyError::File { .. }) => "Check its owner and mode".into(),
            Self::Auth { offered, .. } if !offered.is_empty() => {
                format!("The server takes: {}. Check the user name and that the key is in authorized_keys", offered.join(", "))
            }
            Self::Auth { .. } => "Check the user name and that the key is in authorized_keys".into(),
            Self::KeyFile(KeyFileError::TooOpen { path, .. }) => format!("Run: chmod 600 {}", path.display()),
            Self::KeyFile(KeyFileError::Missing(_)) => "Check ansible_ssh_private_key_file".into(),
            Self::KeyFile(KeyFileError::PassphraseNeeded(_)) => "Load it into an agent (ssh-add), or run where it can be asked for".into(),
            Self::Become(BecomeError::PasswordRequired { .. }) => {
                "Run with -K, or set ansible_become_password, or allow NOPASSWD for the user".into()
            }
            Self::Become(BecomeError::NotAllowed { .. }) => "Give the user sudo rights on the target".into(),
            Self::Become(BecomeError::NoSudo { .. }) => "Install sudo, or log in as that user".into(),
            Self::Become(BecomeError::RequireTty) => "Add to sudoers: Defaults:USER !requiretty".into(),
            Self::Become(BecomeError::WrongPassword { .. }) => "It was tried once only, so that the account is not locked".into(),
            Self::Become(BecomeError::NoAnswer { .. }) => {
                "See what holds sudo up there (a second factor, a directory of users, load), or give a longer --timeout".into()
            }
            Self::NoShell { .. } => "Give the user a shell such as /bin/bash".into(),
            Self::NoSpace { .. } => "Free space in /dev/shm, /run or /tmp of the target, or make one of them writable".into(),
            Self::Timeout { .. } => "Raise the time limit, or see what holds it up on the target".into(),
            _ => String::new(),
        }
    }
}
