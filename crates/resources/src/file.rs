//! A file, a folder, a link, or nothing at a path.
//!
//! ```
//! use mosip_prov_resources::{File, Task};
//!
//! let tasks = [
//!     Task::new("create the certificate folder", File::directory("/etc/nginx/ssl").mode(0o750).group("www-data")),
//!     Task::new(
//!         "configure sudo",
//!         File::content("/etc/sudoers.d/deploy", "deploy ALL=(ALL) NOPASSWD: ALL\n").mode(0o440).validate("visudo -cf \"$1\""),
//!     ),
//! ];
//! ```
//!
//! Content is replaced as a whole and atomically, only when it differs; when mode, owner or group alone differ they
//! alone are set. A link at the path of a file is replaced by the file, never written through: what it points to
//! belongs to someone else. A link to a folder counts as that folder. A folder is never replaced by a file, nor a file
//! by a folder or a link: that is an error that says so.

pub(crate) mod plan;

use crate::probe::file::{Entry, EntryKind, FileAsk, FileState};
use crate::settle::settle;
use crate::source::Source;
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{
    Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch, WriteFiles,
};
use plan::{Attributes, Planned};

/// What is at a path.
#[derive(Debug, Clone)]
pub struct File {
    pub(crate) path: String,
    pub(crate) wanted: Wanted,
    pub(crate) attributes: Attributes,
    pub(crate) validate: Option<String>,
    pub(crate) keep_first: Option<String>,
    pub(crate) sensitive: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Content(Source),
    Directory,
    Absent,
    Link(String),
}

impl File {
    fn new(path: impl Into<String>, wanted: Wanted) -> Self {
        let path = path.into();
        let trimmed = path.trim_end_matches('/');
        Self {
            path: if trimmed.is_empty() { path } else { trimmed.to_owned() },
            wanted,
            attributes: Attributes::default(),
            validate: None,
            keep_first: None,
            sensitive: false,
        }
    }

    /// A regular file with this content at `path`, an absolute path. Its folder must exist.
    pub fn content(path: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::new(path, Wanted::Content(source.into()))
    }

    /// A folder at `path`; missing ones above it are made too.
    pub fn directory(path: impl Into<String>) -> Self {
        Self::new(path, Wanted::Directory)
    }

    /// Nothing at `path`: a folder goes with all that is in it. The root and the system's own folders directly below
    /// it are refused.
    pub fn absent(path: impl Into<String>) -> Self {
        Self::new(path, Wanted::Absent)
    }

    /// A symbolic link at `path` that says `target`.
    pub fn link(path: impl Into<String>, target: impl Into<String>) -> Self {
        Self::new(path, Wanted::Link(target.into()))
    }

    /// Permission bits, for example `0o640`. Default: as they are; for something new 0644, for a folder 0755.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.attributes.mode = Some(mode & 0o7777);
        self
    }

    /// Owner, a name or number. Default: as it is; for something new `root`.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.attributes.owner = Some(owner.into());
        self
    }

    /// Group, a name or number. Default: as it is; for something new `root`.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.attributes.group = Some(group.into());
        self
    }

    /// A fragment of `sh` that must succeed before the file is replaced; `$1` is the candidate's path. What it prints
    /// becomes the error's message. Default: none.
    #[must_use]
    pub fn validate(mut self, fragment: impl Into<String>) -> Self {
        self.validate = Some(fragment.into());
        self
    }

    /// Keeps a copy of the file that is replaced at this path, unless something is there already. Default: none.
    #[must_use]
    pub fn keep_first(mut self, path: impl Into<String>) -> Self {
        self.keep_first = Some(path.into());
        self
    }

    /// The content is never shown, and what is there is not read beyond its SHA-256. Default: shown.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    pub(crate) fn is_sensitive(&self) -> bool {
        self.sensitive || matches!(&self.wanted, Wanted::Content(Source::Fixed(content)) if content.is_sensitive())
    }

    pub(crate) fn ask(&self) -> FileAsk {
        let ask = FileAsk::new(self.path.as_str());
        if matches!(self.wanted, Wanted::Content(_)) && !self.is_sensitive() {
            ask.with_content()
        } else {
            ask
        }
    }
}

impl Resource for File {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![self.ask().question()];
        if let Wanted::Content(source) = &self.wanted {
            questions.extend(source.questions());
        }
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        plan::absolute(&self.path)?;
        let decided = match &self.wanted {
            Wanted::Content(_) => self.decide_content(answers),
            Wanted::Directory => self.decide_directory(answers),
            Wanted::Absent => self.decide_absent(answers),
            Wanted::Link(target) => self.decide_link(answers, target),
        };
        settle(answers, &self.questions(), decided)
    }
}

impl File {
    fn touches(&self) -> Vec<Touch> {
        let mut touches = vec![Touch::Path(self.path.clone())];
        touches.extend(self.keep_first.clone().map(Touch::Path));
        touches
    }

    fn decide_content(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let mut change = match plan::plan(self, answers)? {
            Planned::Same { reason } => return Ok(Decision::nothing(reason)),
            Planned::Attributes { differences, script } => plan::set_attributes(&self.path, differences, script),
            Planned::Write { differences, file } => {
                let mut change = Change::new(format!("write {}", self.path)).step(WriteFiles {
                    files: vec![file],
                    validate: self.validate.clone(),
                });
                change.differences = differences;
                change
            }
        };
        change.touches = self.touches();
        Ok(change.into())
    }

    fn decide_directory(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let path = &self.path;
        let attributes = self.attributes.or(0o755);
        let there = |entry: &Entry, reason: String| match plan::attributes_change(path, entry, &self.attributes) {
            None => Decision::nothing(reason),
            Some(change) => change.into(),
        };
        match answers.get(&self.ask())? {
            FileState::Entry(entry) if entry.kind == EntryKind::Directory => Ok(there(
                &entry,
                format!("{path} is a folder with the right mode and owner"),
            )),
            FileState::Link {
                target,
                leads_to: Some((_, entry)),
            } if entry.kind == EntryKind::Directory => {
                Ok(there(&entry, format!("{path} is a link to the folder {target}")))
            }
            FileState::Absent { .. } => {
                let script = format!(
                    "mkdir -p -- {} && (umask 077 && mkdir -- {path}) && {}",
                    quote(plan::folder_of(path)),
                    attributes.script(path),
                    path = quote(path),
                );
                Ok(Change::new(format!("make the folder {path}"))
                    .differs(format!("folder {path}"), Shown::Absent, Shown::text(attributes.shown()))
                    .step(Shell::new(format!("mkdir {path}"), script))
                    .touching(self.touches())
                    .into())
            }
            FileState::Blocked { by } => Err(plan::blocked(path, &by)),
            state => Err(DecideError::impossible_help(
                format!("{path} should be a folder but is {}", plan::describe(&state)),
                "remove or move it, then run again",
            )),
        }
    }

    fn decide_absent(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let path = &self.path;
        if plan::is_system_folder(path) {
            return Err(DecideError::impossible(format!(
                "{path} belongs to the system and is never removed"
            )));
        }
        let state = answers.get(&self.ask())?;
        if matches!(state, FileState::Absent { .. } | FileState::Blocked { .. }) {
            return Ok(Decision::nothing(format!("{path} is not there")));
        }
        Ok(Change::new(format!("remove {path}"))
            .differs(path.as_str(), Shown::text(plan::describe(&state)), Shown::Absent)
            .step(Shell::new(format!("rm {path}"), format!("rm -rf -- {}", quote(path))))
            .touching(self.touches())
            .into())
    }

    fn decide_link(&self, answers: &Answers, target: &str) -> Result<Decision, DecideError> {
        let path = &self.path;
        let link = |before: Shown| {
            Decision::Change(
                Change::new(format!("link {path} to {target}"))
                    .differs(format!("link {path}"), before, Shown::text(target))
                    .step(Shell::new(
                        format!("ln -s {target} {path}"),
                        format!("ln -sfn -- {} {}", quote(target), quote(path)),
                    ))
                    .touching(self.touches()),
            )
        };
        match answers.get(&self.ask())? {
            FileState::Link { target: present, .. } if present == target => {
                Ok(Decision::nothing(format!("{path} is a link to {target}")))
            }
            FileState::Link { target: present, .. } => Ok(link(Shown::text(present))),
            FileState::Absent { nearest_folder } => {
                plan::parent_exists(path, &nearest_folder, answers, &self.ask().question())?;
                Ok(link(Shown::Absent))
            }
            FileState::Blocked { by } => Err(plan::blocked(path, &by)),
            state @ FileState::Entry(_) => Err(DecideError::impossible_help(
                format!("{path} should be a link to {target} but is {}", plan::describe(&state)),
                "remove or move it, then run again",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
