//! Steps: changes as data. The engine alone runs them, behind the gate.

use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// One step of a change.
#[derive(Debug, Clone)]
pub enum Step {
    /// A script on the target.
    Shell(Shell),
    /// Files put in place atomically.
    WriteFiles(WriteFiles),
    /// Restarts the machine and waits for its return.
    Reboot {
        /// How long to wait for the host to answer again.
        timeout: Duration,
    },
}

/// A script on the target.
#[derive(Debug, Clone)]
pub struct Shell {
    /// What it does, in a few words, for progress and errors: `apt-get install nginx`.
    pub summary: String,
    /// POSIX `sh`, run with `LC_ALL=C`. A failure is a status that is not 0.
    pub script: String,
    /// What the script reads on its standard input.
    pub payload: Content,
    /// How long it may take; `None` is the run's command timeout.
    pub timeout: Option<Duration>,
    /// It may take long: its output is followed line by line while it runs.
    pub long: bool,
}

impl Shell {
    /// A script without input, not long.
    pub fn new(summary: impl Into<String>, script: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            script: script.into(),
            payload: Content::public(Bytes::new()),
            timeout: None,
            long: false,
        }
    }

    /// The same, reading `payload` on its standard input.
    #[must_use]
    pub fn reading(mut self, payload: Content) -> Self {
        self.payload = payload;
        self
    }

    /// The same, followed while it runs, for at most `timeout`.
    #[must_use]
    pub fn long(mut self, timeout: Duration) -> Self {
        self.long = true;
        self.timeout = Some(timeout);
        self
    }
}

impl From<Shell> for Step {
    fn from(shell: Shell) -> Self {
        Self::Shell(shell)
    }
}

/// One file or several that are only right together, put in place atomically: each is written beside its place with
/// its mode and owner set, all are checked by `validate`, then each is renamed into place. When the check fails nothing
/// was replaced.
#[derive(Debug, Clone)]
pub struct WriteFiles {
    /// The files, renamed in this order.
    pub files: Vec<FileToWrite>,
    /// A fragment of `sh` that must succeed before anything is replaced; `$1`, `$2`, … are the candidates' paths in
    /// the order of `files`. What it prints becomes the error's message.
    pub validate: Option<String>,
}

/// One file of a [`WriteFiles`].
#[derive(Debug, Clone)]
pub struct FileToWrite {
    /// Absolute path. Its folder exists.
    pub path: String,
    /// What it will hold.
    pub content: Content,
    /// Permission bits, for example `0o640`.
    pub mode: u32,
    /// Owner, a name or number.
    pub owner: String,
    /// Group, a name or number.
    pub group: String,
    /// Before the first replacement the present file is copied to this path, unless something is there already.
    pub keep_first: Option<String>,
}

impl From<WriteFiles> for Step {
    fn from(write: WriteFiles) -> Self {
        Self::WriteFiles(write)
    }
}

/// Bytes that go to a target, and whether they may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    bytes: Bytes,
    sensitive: bool,
}

impl Content {
    /// Content that may be shown in diffs.
    pub fn public(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            sensitive: false,
        }
    }

    /// Content that is never shown.
    pub fn sensitive(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            sensitive: true,
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether it must not be shown.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sensitive {
            f.write_str("***")
        } else {
            write!(f, "{} bytes", self.bytes.len())
        }
    }
}
