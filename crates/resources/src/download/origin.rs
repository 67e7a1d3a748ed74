//! Where a fetched file comes from.

use super::regular;
use crate::file::plan;
use crate::probe::file::{FileState, digest, hex};
use bytes::Bytes;
use mosip_prov_engine::{Content, DecideError};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The kinds of archives that can be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    /// `tar`, compressed by gzip.
    TarGz,
    /// `tar`, compressed by xz.
    TarXz,
    /// `zip`.
    Zip,
}

impl ArchiveKind {
    /// The kind by the end of a file's name or a URL's path: `.tar.gz`, `.tgz`, `.tar.xz`, `.txz`, `.zip`.
    pub fn of(name: &str) -> Option<Self> {
        let name = name.split(['?', '#']).next().unwrap_or(name).to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if ends(&[".tar.gz", ".tgz"]) {
            Some(Self::TarGz)
        } else if ends(&[".tar.xz", ".txz"]) {
            Some(Self::TarXz)
        } else if ends(&[".zip"]) {
            Some(Self::Zip)
        } else {
            None
        }
    }
}

/// Where a fetched file comes from.
#[derive(Clone)]
pub enum Origin {
    /// A `http` or `https` URL, which the target itself fetches.
    Url(String),
    /// An absolute path on the target.
    OnTarget(String),
    /// A file of the machine that runs this program.
    Local(LocalFile),
}

impl Origin {
    /// Errors that no host can help.
    pub(crate) fn sound(&self) -> Result<(), DecideError> {
        match self {
            Self::Url(url) => {
                let whole = ["http://", "https://"]
                    .iter()
                    .find_map(|start| url.strip_prefix(start))
                    .is_some_and(|rest| {
                        !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
                    });
                if whole {
                    return Ok(());
                }
                Err(DecideError::impossible_help(
                    format!("{:?} is no URL to fetch from", shown_url(url)),
                    "give a whole URL that starts with https:// or http://",
                ))
            }
            Self::OnTarget(path) => plan::absolute(path),
            Self::Local(_) => Ok(()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(&shown_url(url)),
            Self::OnTarget(path) => f.write_str(path),
            Self::Local(file) => write!(f, "{} of this machine", file.path().display()),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `url` as it may be shown: without user, password and query, which may be what opens a private store.
pub fn shown_url(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (path, query) = match path.find(['?', '#']) {
        Some(at) => (&path[..at], "?…"),
        None => (path, ""),
    };
    let scheme = if scheme.is_empty() {
        String::new()
    } else {
        format!("{scheme}://")
    };
    format!("{scheme}{host}{path}{query}")
}

/// Whether `text` is a SHA-256 in hex.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

pub(crate) fn sound_sum(sum: &str) -> Result<(), DecideError> {
    if is_sha256(sum) {
        return Ok(());
    }
    Err(DecideError::impossible_help(
        format!("{sum:?} is no SHA-256"),
        "give the 64 hexadecimal digits that sha256sum prints",
    ))
}

/// An error when the source on the target is not a readable file with the wanted checksum; else its checksum.
pub(crate) fn source_is_there(source: &str, state: &FileState, wanted: Option<&str>) -> Result<String, DecideError> {
    let Some(entry) = regular(state) else {
        return Err(DecideError::impossible_help(
            format!("{source} should be a file on the host but is {}", plan::describe(state)),
            "bring the file to that place on the host, or correct the path",
        ));
    };
    match (&entry.digest, wanted) {
        (None, _) => Err(DecideError::impossible_help(
            format!("{source} is there but cannot be read"),
            "make it readable for the task's user",
        )),
        (Some(found), Some(wanted)) if found != wanted => Err(super::wrong_sum(source, found, wanted)),
        (Some(found), _) => Ok(found.clone()),
    }
}

/// Why a file of this machine cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum LocalFileError {
    /// It cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is a folder, a device or the like.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// What there is.
        path: PathBuf,
    },
}

/// A file of the machine that runs this program, known by its checksum. Its content is read when a target needs it, held
/// once for all of them, and let go of when the last has it. Cheap to clone; clones share.
#[derive(Clone)]
pub struct LocalFile {
    path: Arc<Path>,
    sha256: Arc<str>,
    held: Arc<Mutex<Weak<Vec<u8>>>>,
}

/// What was read, for as long as anybody has it.
struct Held(Arc<Vec<u8>>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl LocalFile {
    /// Reads the file at `path` once, for its checksum.
    ///
    /// # Errors
    /// When there is no readable file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, LocalFileError> {
        let path = path.into();
        let unreadable = |source| LocalFileError::Unreadable {
            path: path.clone(),
            source,
        };
        let mut file = std::fs::File::open(&path).map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(LocalFileError::NotAFile { path });
        }
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer).map_err(unreadable)? {
                0 => break,
                n => hasher.update(&buffer[..n]),
            }
        }
        Ok(Self {
            sha256: hex(&hasher.finalize()).into(),
            path: path.into(),
            held: Arc::default(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its SHA-256 when it was opened, in lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Its content, which must still be what it was when it was opened: a decision rests on it.
    pub(crate) fn read(&self) -> Result<Content, DecideError> {
        // Whoever comes while another reads waits and shares.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let content = match held.upgrade() {
            Some(content) => content,
            None => {
                let shown = self.path.display();
                let content = std::fs::read(&self.path).map_err(|error| {
                    DecideError::impossible(format!("{shown} of this machine cannot be read any more: {error}"))
                })?;
                let now = digest(&content);
                if now != *self.sha256 {
                    return Err(DecideError::impossible_help(
                        format!("{shown} of this machine was changed while the run went on"),
                        "leave it as it is until the run has ended, and run again",
                    ));
                }
                let content = Arc::new(content);
                *held = Arc::downgrade(&content);
                content
            }
        };
        Ok(Content::public(Bytes::from_owner(Held(content))))
    }
}

impl fmt::Debug for LocalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalFile({})", self.path.display())
    }
}
