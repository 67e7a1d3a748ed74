//! What is at a path: kind, mode, owner, SHA-256 and, when asked for, the content of small files. All paths together
//! take one `stat`, one `sha256sum` and one `cat | base64`; links cost a few processes each.
//!
//! Absent is told apart from "not to be seen": a path counts as absent only when the nearest folder above it can be
//! searched and `stat` itself says "No such file or directory" or "Not a directory".
//!
//! An answer is one line (two for a link):
//! `absent NEAREST-FOLDER-ABOVE` · `blocked NON-FOLDER-ABOVE` ·
//! `regular|directory|other MODE SIZE UID GID OWNER:GROUP [SHA256|unreadable|- [BASE64]]` ·
//! `link MODE SIZE UID GID OWNER:GROUP BASE64-TARGET BASE64-FINAL-PATH` with the line of the final path, or `dangling`.

mod asking;

use super::shorten;
use asking::{script, split};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};
use sha2::{Digest as _, Sha256};

/// Content up to this size, in bytes, is brought along by [`FileAsk::with_content`].
pub const CONTENT_LIMIT: u64 = 64 * 1024;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// Nothing.
    Absent {
        /// The nearest folder above it that exists.
        nearest_folder: String,
    },
    /// Nothing, and nothing can be: something above it is not a folder.
    Blocked {
        /// What is not a folder.
        by: String,
    },
    /// A file, a folder or something else.
    Entry(Entry),
    /// A symbolic link.
    Link {
        /// What it says, as written.
        target: String,
        /// The path it finally leads to, and what is there; `None` when it leads nowhere.
        leads_to: Option<(String, Entry)>,
    },
}

/// The kind of an [`Entry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    Regular,
    /// A folder.
    Directory,
    /// A device, socket or pipe.
    Other,
}

/// A file, a folder or something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its kind.
    pub kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky: `0o640`.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Owner's name; `UNKNOWN` when the number has none.
    pub owner: String,
    /// Group's name; `UNKNOWN` when the number has none.
    pub group: String,
    /// SHA-256 of a regular file's content, in lower-case hex; `None` when it may not be read.
    pub digest: Option<String>,
    /// The content of a regular file, when asked for and not larger than [`CONTENT_LIMIT`].
    pub content: Option<Vec<u8>>,
}

impl Entry {
    /// Whether it belongs to `owner`, a name or a number.
    pub fn is_owned_by(&self, owner: &str) -> bool {
        self.owner == owner || self.uid.to_string() == owner
    }

    /// Whether its group is `group`, a name or a number.
    pub fn is_of_group(&self, group: &str) -> bool {
        self.group == group || self.gid.to_string() == group
    }
}

/// Asks what is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAsk {
    path: String,
    content: bool,
}

impl FileAsk {
    /// Asks about `path`, an absolute path, without its content.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content: false,
        }
    }

    /// The same, with the content of a small regular file.
    #[must_use]
    pub fn with_content(mut self) -> Self {
        self.content = true;
        self
    }
}

impl Ask for FileAsk {
    type Answer = FileState;

    fn question(&self) -> Question {
        if self.content {
            Question::new(&ContentProbe, self.path.as_str())
        } else {
            Question::new(&FileProbe, self.path.as_str())
        }
    }

    fn read(&self, raw: &str) -> Result<FileState, String> {
        read_state(raw).ok_or_else(|| format!("no state of a file: {}", shorten(raw)))
    }
}

/// The SHA-256 of `bytes` in lower-case hex, as in [`Entry::digest`].
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `bytes` in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// The kind of question behind [`FileAsk::new`].
pub struct FileProbe;

/// The kind of question behind [`FileAsk::with_content`].
pub struct ContentProbe;

impl Probe for FileProbe {
    fn name(&self) -> &'static str {
        "file"
    }

    fn script(&self, subjects: &[&str]) -> String {
        script(subjects, false)
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        split(output, subjects)
    }

    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        touch.concerns_path(subject)
    }
}

impl Probe for ContentProbe {
    fn name(&self) -> &'static str {
        "content"
    }

    fn script(&self, subjects: &[&str]) -> String {
        script(subjects, true)
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        split(output, subjects)
    }

    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        touch.concerns_path(subject)
    }
}

fn read_state(raw: &str) -> Option<FileState> {
    let (kind, rest) = raw.split_once(' ')?;
    match kind {
        "absent" => Some(FileState::Absent {
            nearest_folder: rest.to_owned(),
        }),
        "blocked" => Some(FileState::Blocked { by: rest.to_owned() }),
        "link" => {
            let (line, other) = raw.split_once('\n')?;
            let mut last = line.rsplit(' ');
            let final_path = decode(last.next()?)?;
            let target = decode(last.next()?)?;
            let leads_to = match other {
                "dangling" => None,
                line => Some((final_path, read_entry(line)?)),
            };
            Some(FileState::Link {
                target: target.strip_suffix('\n').unwrap_or(&target).to_owned(),
                leads_to,
            })
        }
        _ => read_entry(raw).map(FileState::Entry),
    }
}

fn decode(text: &str) -> Option<String> {
    let bytes = BASE64.decode(text).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_entry(line: &str) -> Option<Entry> {
    let (kind, rest) = line.split_once(' ')?;
    let kind = match kind {
        "regular" => EntryKind::Regular,
        "directory" => EntryKind::Directory,
        "other" => EntryKind::Other,
        _ => return None,
    };
    let mut words = rest.splitn(5, ' ');
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let size = words.next()?.parse().ok()?;
    let uid = words.next()?.parse().ok()?;
    let gid = words.next()?.parse().ok()?;
    // Names of some directories hold blanks: the digest and the content are found from the right.
    let rest = words.next()?;
    let (owners, digest, content) = match rest.rsplit_once(' ')? {
        (owners, digest @ ("-" | "unreadable")) => (owners, digest, None),
        (owners, digest) if is_digest(digest) => (owners, digest, None),
        (front, content) => {
            let (owners, digest) = front.rsplit_once(' ')?;
            let content = match content {
                "=" => Vec::new(),
                encoded => BASE64.decode(encoded).ok()?,
            };
            (owners, digest, Some(content))
        }
    };
    let (owner, group) = owners.split_once(':')?;
    Some(Entry {
        kind,
        mode,
        size,
        uid,
        gid,
        owner: owner.to_owned(),
        group: group.to_owned(),
        digest: is_digest(digest).then(|| digest.to_owned()),
        content,
    })
}

fn is_digest(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit())
}
