//! What has to happen so that one file is right; shared by the resources that write files.

use super::{File, Wanted};
use crate::probe::file::{CONTENT_LIMIT, Entry, EntryKind, FileState, digest};
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{
    Answers, Ask, Change, Content, DecideError, Difference, FileToWrite, Question, Shell, Shown, Touch,
};

/// Mode, owner and group, as far as they are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes {
    pub mode: Option<u32>,
    pub owner: Option<String>,
    pub group: Option<String>,
}

/// Mode, owner and group of something new.
pub(crate) struct FullAttributes {
    pub mode: u32,
    pub owner: String,
    pub group: String,
}

impl Attributes {
    /// Owner and group as `chown` takes them: `root:adm`, `root`, `:adm`. `None` when neither is asked for.
    pub fn owners(&self) -> Option<String> {
        let group = self.group.as_ref().map(|group| format!(":{group}"));
        match (&self.owner, group) {
            (None, None) => None,
            (owner, group) => Some(format!(
                "{}{}",
                owner.as_deref().unwrap_or_default(),
                group.unwrap_or_default()
            )),
        }
    }

    /// With defaults for something new.
    pub fn or(&self, mode: u32) -> FullAttributes {
        FullAttributes {
            mode: self.mode.unwrap_or(mode),
            owner: self.owner.clone().unwrap_or_else(|| "root".into()),
            group: self.group.clone().unwrap_or_else(|| "root".into()),
        }
    }

    /// With what is there as defaults.
    pub fn or_as(&self, entry: &Entry) -> FullAttributes {
        // The number when the name is unknown to the host: chown would refuse the name.
        let name = |name: &str, number: u32| {
            if name == "UNKNOWN" {
                number.to_string()
            } else {
                name.to_owned()
            }
        };
        FullAttributes {
            mode: self.mode.unwrap_or(entry.mode),
            owner: self.owner.clone().unwrap_or_else(|| name(&entry.owner, entry.uid)),
            group: self.group.clone().unwrap_or_else(|| name(&entry.group, entry.gid)),
        }
    }
}

impl FullAttributes {
    pub fn shown(&self) -> String {
        format!("{:04o} {}:{}", self.mode, self.owner, self.group)
    }

    /// Sets them; owner first, since changing it clears setuid bits.
    pub fn script(&self, path: &str) -> String {
        self.set_by("chown", path)
    }

    /// The same for a folder, whose owner and group all in it gets too.
    pub fn script_for_all_in(&self, folder: &str) -> String {
        self.set_by("chown -R", folder)
    }

    fn set_by(&self, chown: &str, path: &str) -> String {
        let path = quote(path);
        format!(
            "{chown} -- {}:{} {path} && chmod {:04o} {path}",
            quote(&self.owner),
            quote(&self.group),
            self.mode
        )
    }
}

/// What has to happen for a file with content.
pub(crate) enum Planned {
    Same {
        reason: String,
    },
    Attributes {
        differences: Vec<Difference>,
        script: String,
    },
    Write {
        differences: Vec<Difference>,
        file: FileToWrite,
    },
}

fn difference(what: String, before: Shown, after: Shown) -> Difference {
    Difference { what, before, after }
}

/// The differences between what is there and what is asked for.
pub(crate) fn attribute_differences(path: &str, entry: &Entry, wanted: &Attributes) -> Vec<Difference> {
    let mut differences = Vec::new();
    if let Some(mode) = wanted.mode.filter(|mode| *mode != entry.mode) {
        let shown = |mode: u32| Shown::text(format!("{mode:04o}"));
        differences.push(difference(format!("mode of {path}"), shown(entry.mode), shown(mode)));
    }
    if let Some(owner) = wanted.owner.as_deref().filter(|owner| !entry.is_owned_by(owner)) {
        differences.push(difference(
            format!("owner of {path}"),
            Shown::text(&entry.owner),
            Shown::text(owner),
        ));
    }
    if let Some(group) = wanted.group.as_deref().filter(|group| !entry.is_of_group(group)) {
        differences.push(difference(
            format!("group of {path}"),
            Shown::text(&entry.group),
            Shown::text(group),
        ));
    }
    differences
}

/// What differs in mode, owner and group, and the script that sets them.
fn attributes_plan(path: &str, entry: &Entry, wanted: &Attributes) -> Option<(Vec<Difference>, String)> {
    let differences = attribute_differences(path, entry, wanted);
    (!differences.is_empty()).then(|| (differences, wanted.or_as(entry).script(path)))
}

/// What sets mode, owner and group where they differ.
pub(crate) fn attributes_change(path: &str, entry: &Entry, wanted: &Attributes) -> Option<Change> {
    attributes_plan(path, entry, wanted).map(|(differences, script)| set_attributes(path, differences, script))
}

/// The change of mode, owner and group alone, by `script`.
pub(crate) fn set_attributes(path: &str, differences: Vec<Difference>, script: String) -> Change {
    let mut change = Change::new(format!("set mode and owner of {path}"))
        .step(Shell::new(format!("chmod {path}"), script))
        .touching([Touch::Path(path.to_owned())]);
    change.differences = differences;
    change
}

/// A content as it may be shown.
pub(crate) fn shown(content: &[u8], sensitive: bool) -> Shown {
    if sensitive {
        return Shown::Masked;
    }
    match std::str::from_utf8(content) {
        Ok(text) if content.len() as u64 <= CONTENT_LIMIT && !text.contains('\0') => Shown::text(text),
        _ => Shown::Binary {
            bytes: content.len() as u64,
        },
    }
}

fn shown_entry(entry: &Entry, sensitive: bool) -> Shown {
    match (&entry.content, sensitive) {
        (_, true) => Shown::Masked,
        (Some(content), false) => shown(content, false),
        (None, false) => Shown::Binary { bytes: entry.size },
    }
}

/// Plans a file with content.
pub(crate) fn plan(file: &File, answers: &Answers) -> Result<Planned, DecideError> {
    let path = &file.path;
    let Wanted::Content(source) = &file.wanted else {
        return Err(DecideError::impossible(format!(
            "{path}: only a file with content can be one of several"
        )));
    };
    let ask = file.ask();
    let state = answers.get(&ask)?;
    let content = source.make(answers)?;
    let sensitive = file.is_sensitive() || content.is_sensitive();
    let write = |before: Vec<Difference>, attributes: FullAttributes| {
        let content = if sensitive {
            Content::sensitive(content.bytes().clone())
        } else {
            content.clone()
        };
        Planned::Write {
            differences: before,
            file: FileToWrite {
                path: path.clone(),
                content,
                mode: attributes.mode,
                owner: attributes.owner,
                group: attributes.group,
                keep_first: file.keep_first.clone(),
            },
        }
    };
    let of_content = format!("content of {path}");
    match state {
        FileState::Entry(entry) if entry.kind == EntryKind::Regular => {
            let Some(present) = &entry.digest else {
                return Err(DecideError::impossible_help(
                    format!("{path} is there but its content cannot be read"),
                    "let the task run as root or as the file's owner",
                ));
            };
            if *present == digest(content.bytes()) {
                return Ok(match attributes_plan(path, &entry, &file.attributes) {
                    None => Planned::Same {
                        reason: format!("{path} has the right content, mode and owner"),
                    },
                    Some((differences, script)) => Planned::Attributes { differences, script },
                });
            }
            let mut differences = vec![difference(
                of_content,
                shown_entry(&entry, sensitive),
                shown(content.bytes(), sensitive),
            )];
            differences.extend(attribute_differences(path, &entry, &file.attributes));
            Ok(write(differences, file.attributes.or_as(&entry)))
        }
        FileState::Absent { nearest_folder } => {
            parent_exists(path, &nearest_folder, answers, &ask.question())?;
            let attributes = file.attributes.or(0o644);
            let differences = vec![
                difference(of_content, Shown::Absent, shown(content.bytes(), sensitive)),
                difference(
                    format!("mode and owner of {path}"),
                    Shown::Absent,
                    Shown::text(attributes.shown()),
                ),
            ];
            Ok(write(differences, attributes))
        }
        FileState::Link { target, .. } => {
            let attributes = file.attributes.or(0o644);
            let differences = vec![
                difference(
                    format!("kind of {path}"),
                    Shown::text(format!("link to {target}")),
                    Shown::text("file"),
                ),
                difference(of_content, Shown::Absent, shown(content.bytes(), sensitive)),
            ];
            Ok(write(differences, attributes))
        }
        FileState::Blocked { by } => Err(blocked(path, &by)),
        state @ FileState::Entry(_) => Err(DecideError::impossible_help(
            format!("{path} should be a file but is {}", describe(&state)),
            "remove or move it, then run again",
        )),
    }
}

/// What is there, in words.
pub(crate) fn describe(state: &FileState) -> String {
    match state {
        FileState::Absent { .. } | FileState::Blocked { .. } => "not there".into(),
        FileState::Link { target, .. } => format!("a link to {target}"),
        FileState::Entry(entry) => match entry.kind {
            EntryKind::Regular => format!("a file of {} bytes", entry.size),
            EntryKind::Directory => "a folder".into(),
            EntryKind::Other => "a device, socket or pipe".into(),
        },
    }
}

/// The folder a path is in.
pub(crate) fn folder_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    }
}

/// An error when `path` is not absolute or climbs.
pub(crate) fn absolute(path: &str) -> Result<(), DecideError> {
    if path.starts_with('/') && !path.split('/').any(|part| part == "..") && !path.contains('\0') {
        return Ok(());
    }
    Err(DecideError::impossible_help(
        format!("{path:?} is not an absolute path"),
        "name the whole path from / on, without ..; ~ and relative paths mean different places for different users",
    ))
}

/// An error naming the folder that is missing; not when an earlier task that was not carried out may make it.
pub(crate) fn parent_exists(
    path: &str,
    nearest: &str,
    answers: &Answers,
    question: &Question,
) -> Result<(), DecideError> {
    let folder = folder_of(path);
    if nearest == folder || answers.pending_for(question).is_some() {
        return Ok(());
    }
    Err(DecideError::impossible_help(
        format!("{path} cannot be written: its folder {folder} does not exist ({nearest} does)"),
        "have a task before this one make the folder, or install the package that brings it",
    ))
}

pub(crate) fn blocked(path: &str, by: &str) -> DecideError {
    DecideError::impossible(format!("{path} cannot exist: {by} is not a folder"))
}

/// The root and the system's folders directly below it.
pub(crate) fn is_system_folder(path: &str) -> bool {
    const FOLDERS: [&str; 22] = [
        "bin",
        "boot",
        "dev",
        "etc",
        "home",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "lost+found",
        "media",
        "mnt",
        "opt",
        "proc",
        "root",
        "run",
        "sbin",
        "snap",
        "srv",
        "sys",
        "tmp",
        "usr",
    ];
    let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    match (parts.next(), parts.next()) {
        (None, _) => true,
        (Some(first), None) => FOLDERS.contains(&first) || first == "var",
        _ => false,
    }
}
