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

use super::{all_failed, shorten};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mosip_prov_engine::shell::quote_all;
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
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut out, byte| {
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

/// Sorts the paths by kind with the shell's own tests and leaves the existing ones, links followed by where they lead
/// to, in `$@`; then stats, digests and reads them. Lines: `k=` a letter for each path; `d=` for each missing one how
/// many of its last parts are missing; `v=` targets of links; one line of `stat` for each in `$@`; `q=` which of them
/// can be digested; the digests; `c=` which of those are read; their content; `%`; what `stat` said of missing ones.
const SORT: &str = r#"n=$#; k=; d=; v=
for p do
  if [ -L "$p" ]; then
    t=$(readlink -- "$p" | base64 | tr -d '\n')
    r=$(readlink -f -- "$p" 2>/dev/null && echo /); r=${r%?/}
    set -- "$@" "$p"
    if [ -n "$r" ] && [ -e "$r" ]; then set -- "$@" "$r"; k=${k}L; else k=${k}l; r=; fi
    v="$v $t:$(printf %s "$r" | base64 | tr -d '\n')"
  elif [ -e "$p" ]; then
    k=${k}e; set -- "$@" "$p"
  else
    a=$p; i=0
    while [ -n "$a" ] && [ ! -e "$a" ] && [ ! -L "$a" ]; do
      case $a in */*) a=${a%/*} ;; *) a= ;; esac
      i=$((i + 1))
    done
    if [ ! -d "${a:-/}" ]; then k=${k}n; elif [ -x "${a:-/}" ]; then k=${k}m; else k=${k}x; fi
    d="$d $i"
  fi
done
u=
case $k in *[mn]*)
  w=$#
  u=$(j=0
    for p do
      [ "$j" -lt "$n" ] || break
      j=$((j + 1))
      [ -e "$p" ] || [ -L "$p" ] || set -- "$@" "$p"
    done
    shift "$w"
    stat -c . -- "$@" 2>&1) ;;
esac
shift "$n"
s=; [ $# -eq 0 ] || s=$(stat -c '%s %f %u %g %U:%G' -- "$@" 2>/dev/null)
IFS='
'; set -f; q=; z=
for l in $s; do
  p=$1; shift
  if [ -L "$p" ] || [ ! -f "$p" ]; then q=$q-; elif [ -r "$p" ]; then
    q=${q}r; set -- "$@" "$p"; z="$z${l%% *}
"
  else q=${q}u; fi
done
h=; [ $# -eq 0 ] || h=$(sha256sum -- "$@" 2>/dev/null | sed -n 's/^\\\{0,1\}\([0-9a-f]\{64\}\) .*/\1/p')
printf '%s\n' "k=$k" "d=$d" "v=$v"
[ -z "$s" ] || printf '%s\n' "$s"
printf '%s\n' "q=$q"
[ -z "$h" ] || printf '%s\n' "$h"
"#;

const READ: &str = r#"c=
for l in $z; do
  p=$1; shift
  case $p in /proc/*|/sys/*) l=0 ;; esac
  if [ "$l" -gt 0 ] && [ "$l" -le 65536 ]; then c=${c}y; set -- "$@" "$p"; else c=${c}-; fi
done
printf '%s\n' "c=$c"
[ $# -eq 0 ] || cat -- "$@" 2>/dev/null | base64
"#;

fn script(subjects: &[&str], content: bool) -> String {
    let read = if content { READ } else { "echo c=\n" };
    format!(
        "set -- {}\n{SORT}{read}printf '%%\\n%s\\n' \"$u\"\n",
        quote_all(subjects.iter().copied())
    )
}

struct Parts<'a> {
    kinds: &'a str,
    depths: Vec<usize>,
    links: Vec<(&'a str, &'a str)>,
    stats: Vec<&'a str>,
    digestible: &'a str,
    digests: Vec<&'a str>,
    read: &'a str,
    content: Vec<u8>,
    unseen: &'a str,
}

fn parts(output: &str) -> Option<Parts<'_>> {
    let (body, unseen) = output.split_once("\n%").unwrap_or((output, ""));
    let mut lines = body.lines().peekable();
    let kinds = lines.next()?.strip_prefix("k=")?;
    let depths = lines.next()?.strip_prefix("d=")?;
    let depths = depths.split_whitespace().map(|d| d.parse().ok()).collect::<Option<_>>()?;
    let links = lines.next()?.strip_prefix("v=")?;
    let links = links.split_whitespace().map(|l| l.split_once(':')).collect::<Option<_>>()?;
    let mut stats = Vec::new();
    let digestible = loop {
        let line = lines.next()?;
        match line.strip_prefix("q=") {
            Some(rest) => break rest,
            None => stats.push(line),
        }
    };
    let mut digests = Vec::new();
    let read = loop {
        let line = lines.next()?;
        match line.strip_prefix("c=") {
            Some(rest) => break rest,
            None => digests.push(line),
        }
    };
    let encoded: String = lines.collect();
    Some(Parts {
        kinds,
        depths,
        links,
        stats,
        digestible,
        digests,
        read,
        content: BASE64.decode(encoded).unwrap_or_default(),
        unseen: unseen.trim_start_matches('\n'),
    })
}

/// The answer's line for each of the existing paths, in order.
fn entry_lines(parts: &Parts<'_>) -> Option<Vec<String>> {
    if parts.digestible.len() != parts.stats.len() {
        return None;
    }
    let digestible = parts.digestible.matches('r').count();
    let mut digests = (parts.digests.len() == digestible).then(|| parts.digests.iter());
    let mut reads = parts.read.chars();
    let mut content = parts.content.as_slice();
    let mut lines = Vec::new();
    for (stat, class) in parts.stats.iter().zip(parts.digestible.chars()) {
        let (size, rest) = stat.split_once(' ')?;
        let (raw_mode, owner) = rest.split_once(' ')?;
        let raw_mode = u32::from_str_radix(raw_mode, 16).ok()?;
        let kind = match raw_mode & 0o170_000 {
            0o100_000 => "regular",
            0o040_000 => "directory",
            0o120_000 => "link",
            _ => "other",
        };
        let mut line = format!("{kind} {:o} {size} {owner}", raw_mode & 0o7777);
        match class {
            'r' => {
                let digest = digests.as_mut().and_then(Iterator::next).copied().unwrap_or("unreadable");
                line.push(' ');
                line.push_str(digest);
                if reads.next() == Some('y') {
                    let length: usize = size.parse().ok()?;
                    let (mine, rest) = content.split_at(length.min(content.len()));
                    content = rest;
                    // A file that changed while it was read would shift the others: the digest tells.
                    if self::digest(mine) == digest {
                        line.push(' ');
                        line.push_str(&BASE64.encode(mine));
                    }
                } else if size == "0" && digest == self::digest(b"") {
                    line.push_str(" =");
                }
            }
            'u' => line.push_str(" unreadable"),
            _ => line.push_str(" -"),
        }
        lines.push(line);
    }
    Some(lines)
}

fn split(output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
    let not_understood = || all_failed(subjects.len(), &shorten(output));
    let Some(parts) = parts(output) else {
        return not_understood();
    };
    if parts.kinds.len() != subjects.len() {
        return not_understood();
    }
    let expected: usize = parts.kinds.chars().map(|k| match k { 'L' => 2, 'e' | 'l' => 1, _ => 0 }).sum();
    let entries = match entry_lines(&parts) {
        Some(lines) if lines.len() == expected => Ok(lines),
        _ => Err("something vanished or could not be seen while it was looked at; try again".to_owned()),
    };
    let missing = parts.kinds.chars().filter(|k| matches!(k, 'm' | 'n')).count();
    let proven = parts
        .unseen
        .lines()
        .filter(|line| line.ends_with(": No such file or directory") || line.ends_with(": Not a directory"))
        .count();
    let mut entries = entries.map(Vec::into_iter);
    let mut depths = parts.depths.iter();
    let mut links = parts.links.iter();
    let mut next_entry = || match &mut entries {
        Ok(lines) => lines.next().ok_or_else(|| "the output breaks off".to_owned()),
        Err(reason) => Err(reason.clone()),
    };
    subjects
        .iter()
        .zip(parts.kinds.chars())
        .map(|(path, kind)| match kind {
            'e' => next_entry(),
            'l' | 'L' => {
                let own = next_entry();
                let other = if kind == 'L' { next_entry() } else { Ok("dangling".into()) };
                let (target, leads_to) = links.next().ok_or("the output breaks off")?;
                let own = own?;
                Ok(format!("{} {target} {leads_to}\n{}", own.trim_end_matches(" -"), other?))
            }
            _ => {
                let depth = *depths.next().ok_or("the output breaks off")?;
                let above = above(path, depth);
                match kind {
                    'x' => Err(format!("{above}: Permission denied")),
                    _ if proven != missing => Err(shorten(parts.unseen)),
                    'n' => Ok(format!("blocked {above}")),
                    _ => Ok(format!("absent {above}")),
                }
            }
        })
        .collect()
}

/// `path` without its last `depth` parts.
fn above(path: &str, depth: usize) -> &str {
    let mut rest = path;
    for _ in 0..depth {
        rest = rest.rsplit_once('/').map_or("", |(head, _)| head);
    }
    if rest.is_empty() { "/" } else { rest }
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
