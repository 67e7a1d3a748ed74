//! What a task can do with a target: ask, apply, move files, wait for its return.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::error::TransportError;
use crate::gate::Permit;
use crate::target::Target;

/// The user a request is run as after becoming someone else, such as `root`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BecomeUser(String);

impl BecomeUser {
    /// A user name of the target. It is checked when it is used: see [`crate::error::BecomeError::BadUserName`].
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who runs a request on the target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    /// The user that logged in.
    Login,
    /// Another user, reached through sudo.
    Become(BecomeUser),
}

impl Identity {
    /// `root`, through sudo where the login user is someone else.
    pub fn root() -> Self {
        Self::Become(BecomeUser::new("root"))
    }

    /// Another user by name.
    pub fn user(name: impl Into<String>) -> Self {
        Self::Become(BecomeUser::new(name))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login => f.write_str("the login user"),
            Self::Become(user) => f.write_str(user.as_str()),
        }
    }
}

/// One script for one round trip.
///
/// The script runs in a subshell of a POSIX `sh`, with `LC_ALL=C`, umask 022 and the home directory of its user as the working
/// directory; `sbin` directories are on the `PATH`. `$$` is the shell that serves all requests: a script ends itself by `exit`.
#[derive(Clone, Default)]
pub struct Request {
    /// POSIX shell text, without NUL bytes.
    pub script: String,
    /// Bytes the script can read on its standard input; empty reads as end of file at once.
    pub payload: Bytes,
    /// How long it may run on the target; without it [`crate::target::Timeouts::command`] counts.
    pub timeout: Option<Duration>,
    /// Neither script nor payload may appear in a log, an error or a recording.
    pub sensitive: bool,
}

impl Request {
    /// A script without payload, with the target's own time limit.
    pub fn new(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            ..Self::default()
        }
    }

    /// The same with bytes on standard input.
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// The same with its own time limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same, never to be shown.
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Request");
        if self.sensitive {
            out.field("script", &"(sensitive)");
        } else {
            out.field("script", &self.script);
        }
        out.field("payload_bytes", &self.payload.len())
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// What a request left behind. A status other than 0 is an answer, not an error.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// Standard output, byte for byte.
    pub stdout: Bytes,
    /// Standard error, byte for byte.
    pub stderr: Bytes,
    /// Exit status; 128 + n when the script was ended by signal n.
    pub status: i32,
}

impl Response {
    /// Whether the status is 0.
    pub fn success(&self) -> bool {
        self.status == 0
    }

    /// Standard output as text; bytes that are not UTF-8 are replaced.
    pub fn stdout_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Standard error as text; bytes that are not UTF-8 are replaced.
    pub fn stderr_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}

impl fmt::Debug for Response {
    // Output may hold secrets of a sensitive request, so only its size shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("stdout_bytes", &self.stdout.len())
            .field("stderr_bytes", &self.stderr.len())
            .field("status", &self.status)
            .finish()
    }
}

/// Which of the two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line of a watched request, without its line end. A carriage return ends a line as well (progress bars).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLine {
    /// Where it was written.
    pub stream: Stream,
    /// The text; bytes that are not UTF-8 are replaced.
    pub line: String,
}

/// What the connection to one host has cost so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExchangeStats {
    /// Round trips after login: requests asked or applied, uploads and downloads count one for each request they make.
    pub exchanges: u64,
    /// Channels (or local processes) opened.
    pub channels: u64,
    /// Connections made; more than 1 after a reconnect.
    pub connects: u64,
    /// Bytes of scripts and payloads sent.
    pub bytes_out: u64,
    /// Bytes of output received.
    pub bytes_in: u64,
    /// Time until it was the host's turn to be logged in to.
    pub wait_time: Duration,
    /// Time until the transport was encrypted and the host key accepted.
    pub connect_time: Duration,
    /// Time to log in.
    pub auth_time: Duration,
    /// Time to open shells, sudo included.
    pub sudo_time: Duration,
    /// Time spent in exchanges.
    pub exchange_time: Duration,
    /// Of `connect_time`: until the TCP connection was there.
    pub tcp_time: Duration,
    /// Of `exchange_time`: what the target itself took, by its own clock, which counts hundredths of a second.
    pub remote_time: Duration,
    /// Time spent sending large contents, exchanges not counted.
    pub upload_time: Duration,
}

/// A target that a task talks to. One per host and run, shared by reference.
///
/// Requests of one identity run one after the other; different identities run side by side.
#[async_trait]
pub trait Host: Send + Sync {
    /// The inventory name.
    fn name(&self) -> &str;

    /// Read-only questions, in one round trip. When the connection was lost it is made again and the question repeated once.
    ///
    /// # Errors
    /// Everything in [`crate::error::ErrorKind`]; a script that fails is not an error but a [`Response`] with its status.
    async fn ask(&self, identity: &Identity, request: Request) -> Result<Response, TransportError>;

    /// A change, in one round trip. Never repeated on its own: a connection lost half-way leaves the outcome open.
    ///
    /// # Errors
    /// As [`Host::ask`].
    async fn apply(
        &self,
        permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
    ) -> Result<Response, TransportError>;

    /// A change that takes long: each line of output goes to `lines` while it runs, on a channel of its own. The response holds
    /// the last mebibyte of each stream.
    ///
    /// # Errors
    /// As [`Host::ask`].
    async fn apply_watched(
        &self,
        permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
        lines: mpsc::Sender<OutputLine>,
    ) -> Result<Response, TransportError>;

    /// Puts large content into a new temporary file of the login user, mode 0600, and returns its path. The caller moves it away
    /// or removes it.
    ///
    /// # Errors
    /// As [`Host::ask`].
    async fn upload(&self, permit: &Permit<'_>, content: Bytes) -> Result<String, TransportError>;

    /// The content of a file of at most `limit` bytes.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::File`] when it cannot be read, [`crate::error::ErrorKind::OutputTooLarge`] when it is larger.
    async fn download(&self, identity: &Identity, path: &str, limit: usize) -> Result<Bytes, TransportError>;

    /// Drops the connection and waits until the host answers again; with `old_boot_id` (the text of
    /// `/proc/sys/kernel/random/boot_id` before), until it answers from a later boot.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::NoReturn`] with the last failure once the deadline has passed; at once when waiting cannot help.
    async fn wait_for_return(&self, deadline: Duration, old_boot_id: Option<&str>) -> Result<(), TransportError>;

    /// What was spent so far.
    fn stats(&self) -> ExchangeStats;

    /// Ends shells and connection. The host may be used again, which connects anew.
    async fn close(&self);
}

/// Makes hosts out of targets: [`crate::RemoteConnector`] for real ones, [`crate::fake::FakeConnector`] for tests.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Connects and logs in.
    ///
    /// # Errors
    /// Why the host cannot be used; [`TransportError::is_unreachable`] tells those that count as unreachable.
    async fn connect(&self, target: &Target) -> Result<Arc<dyn Host>, TransportError>;
}
