//! A file that is fetched: from a URL by the target itself, from a file on the target, or from a file of the machine that
//! runs this program, for sites without internet.
//!
//! ```
//! use mosip_prov_resources::download::{ArchiveKind, VersionCheck};
//! use mosip_prov_resources::{Download, Task};
//!
//! let sum = "0".repeat(64);
//! let rke = Task::new(
//!     "install rke",
//!     Download::url("/usr/local/bin/rke", "https://example.org/rke_linux-amd64")
//!         .sha256(sum)
//!         .mode(0o755)
//!         .version(VersionCheck::new("\"$1\" --version", "v1.3.10")),
//! );
//! let terraform = Task::new(
//!     "install terraform",
//!     Download::url("/usr/local/bin/terraform", "https://example.org/terraform_linux_amd64.zip")
//!         .member(ArchiveKind::Zip, "terraform")
//!         .mode(0o755)
//!         .version(VersionCheck::new("\"$1\" version", "1.2.9")),
//! );
//! ```
//!
//! What is fetched is written beside its place, compared with the checksum, asked for its version, and only then renamed
//! into place: there is never half a file, and whatever is wrong with the new one leaves the old one as it was. A
//! transfer that breaks off is taken up where it stopped; what cannot get better (404, an unknown host's certificate)
//! fails at once.
//!
//! When the file is right:
//! - with a version check, when the check finds the version, whatever the checksum;
//! - else with a checksum of the file ([`Download::sha256`], or [`Download::member_sha256`] of an unpacked member), when
//!   it is that; a file of this machine or of the target is its own checksum;
//! - else when there is a file at all, since there is nothing to compare with.

mod origin;
pub(crate) mod script;
mod version;

use crate::file::plan::{self, Attributes};
use crate::probe::command::AskCommand;
use crate::probe::file::{Entry, EntryKind, FileAsk, FileState};
use crate::settle::settle;
use mosip_prov_engine::{
    Answers, Ask, Change, DecideError, Decision, FileToWrite, Question, Resource, Shell, Shown, Touch, WriteFiles,
};
pub use origin::{ArchiveKind, LocalFile, LocalFileError, Origin, is_sha256, shown_url};
pub(crate) use origin::{sound_sum, source_is_there};
use std::time::Duration;
pub use version::VersionCheck;

/// How long fetching may take, unless the task says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(3600);

/// A file that is fetched.
#[derive(Debug, Clone)]
pub struct Download {
    path: String,
    origin: Origin,
    sha256: Option<String>,
    member: Option<(ArchiveKind, String)>,
    member_sha256: Option<String>,
    attributes: Attributes,
    version: Option<VersionCheck>,
    timeout: Duration,
}

impl Download {
    /// The file at `path`, an absolute path whose folder exists, from `origin`.
    pub fn new(path: impl Into<String>, origin: Origin) -> Self {
        Self {
            path: path.into(),
            origin,
            sha256: None,
            member: None,
            member_sha256: None,
            attributes: Attributes::default(),
            version: None,
            timeout: TIMEOUT,
        }
    }

    /// The file at `path` from a `http` or `https` URL, fetched by the target with its `curl` or `wget`.
    pub fn url(path: impl Into<String>, url: impl Into<String>) -> Self {
        Self::new(path, Origin::Url(url.into()))
    }

    /// The file at `path` as a copy of `source`, an absolute path on the target.
    pub fn on_target(path: impl Into<String>, source: impl Into<String>) -> Self {
        Self::new(path, Origin::OnTarget(source.into()))
    }

    /// The file at `path` from a file of the machine that runs this program.
    pub fn local(path: impl Into<String>, file: LocalFile) -> Self {
        Self::new(path, Origin::Local(file))
    }

    /// SHA-256, in hex, of what is fetched: of the archive when a member is taken. Default: not compared.
    #[must_use]
    pub fn sha256(mut self, sum: impl Into<String>) -> Self {
        self.sha256 = Some(sum.into().to_ascii_lowercase());
        self
    }

    /// What is fetched is an archive, and the file is its member of that name, as the archive spells it. Default: the
    /// file is what is fetched.
    #[must_use]
    pub fn member(mut self, kind: ArchiveKind, name: impl Into<String>) -> Self {
        self.member = Some((kind, name.into()));
        self
    }

    /// SHA-256, in hex, of the member. Default: not compared.
    #[must_use]
    pub fn member_sha256(mut self, sum: impl Into<String>) -> Self {
        self.member_sha256 = Some(sum.into().to_ascii_lowercase());
        self
    }

    /// Permission bits. Default: as they are; for something new 0644.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.attributes.mode = Some(mode & 0o7777);
        self
    }

    /// Owner, a name or number. Default: as it is; for something new the task's user.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.attributes.owner = Some(owner.into());
        self
    }

    /// Group, a name or number. Default: as it is; for something new that of the task's user.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.attributes.group = Some(group.into());
        self
    }

    /// The file is asked for its version: a right one is left alone, and a wrong one never put in place. Default: not
    /// asked.
    #[must_use]
    pub fn version(mut self, check: VersionCheck) -> Self {
        self.version = Some(check);
        self
    }

    /// How long fetching may take. Default: [`TIMEOUT`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The checksum that the file at its place must have, as far as it is known beforehand.
    fn wanted_sum(&self, source: Option<&str>) -> Option<String> {
        if self.member.is_some() {
            return self.member_sha256.clone();
        }
        self.sha256.clone().or_else(|| source.map(str::to_owned))
    }

    /// Errors that no host can help.
    fn sound(&self) -> Result<(), DecideError> {
        plan::absolute(&self.path)?;
        self.origin.sound()?;
        for sum in [&self.sha256, &self.member_sha256].into_iter().flatten() {
            origin::sound_sum(sum)?;
        }
        if let Some((_, name)) = &self.member
            && (name.is_empty() || name.contains(['\0', '\n']))
        {
            return Err(DecideError::impossible(format!(
                "{name:?} is no name of a member of an archive"
            )));
        }
        if let (Origin::Local(file), Some(wanted)) = (&self.origin, &self.sha256)
            && file.sha256() != wanted
        {
            return Err(wrong_sum(&file.path().display().to_string(), file.sha256(), wanted));
        }
        Ok(())
    }
}

pub(crate) fn wrong_sum(of: &str, found: &str, wanted: &str) -> DecideError {
    DecideError::impossible_help(
        format!("the SHA-256 of {of} is {found}, and {wanted} is wanted"),
        "compare both with what the project publishes; bring the right file, or correct the checksum",
    )
}

/// Who the task runs as, as numbers: `1000:1000`.
pub(crate) fn ask_user() -> AskCommand {
    AskCommand("echo \"$(id -u):$(id -g)\"".to_owned())
}

/// What [`ask_user`] answered: user and group.
fn user(answers: &Answers) -> Result<(String, String), DecideError> {
    let said = answers.get(&ask_user())?.output;
    let (uid, gid) = said.trim().split_once(':').unwrap_or(("0", "0"));
    Ok((uid.to_owned(), gid.to_owned()))
}

/// Sends the archive `file` to where [`script::sent`] looks for it, for the task's user alone; asks [`ask_user`].
pub(crate) fn send_archive(beside: &str, file: &LocalFile, answers: &Answers) -> Result<WriteFiles, DecideError> {
    let (owner, group) = user(answers)?;
    Ok(WriteFiles {
        files: vec![FileToWrite {
            path: script::part(beside, "archive"),
            content: file.read()?,
            mode: 0o600,
            owner,
            group,
            keep_first: None,
        }],
        validate: None,
    })
}

/// The regular file behind `state`, as itself or through a link.
fn regular(state: &FileState) -> Option<&Entry> {
    match state {
        FileState::Entry(entry)
        | FileState::Link {
            leads_to: Some((_, entry)),
            ..
        } if entry.kind == EntryKind::Regular => Some(entry),
        _ => None,
    }
}

impl Resource for Download {
    fn kind(&self) -> &'static str {
        "download"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![FileAsk::new(self.path.as_str()).question()];
        if let Origin::OnTarget(source) = &self.origin {
            questions.push(FileAsk::new(source.as_str()).question());
        }
        if let Some(check) = &self.version {
            questions.push(check.ask(&self.path).question());
        }
        if matches!(self.origin, Origin::Local(_)) {
            questions.push(ask_user().question());
        }
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        self.sound()?;
        settle(answers, &self.questions(), self.decided(answers))
    }
}

impl Download {
    fn decided(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let path = &self.path;
        let ask = FileAsk::new(path.as_str());
        let state = answers.get(&ask)?;
        match &state {
            FileState::Absent { nearest_folder } => {
                plan::parent_exists(path, nearest_folder, answers, &ask.question())?;
            }
            FileState::Blocked { by } => return Err(plan::blocked(path, by)),
            FileState::Entry(entry) if entry.kind != EntryKind::Regular => {
                return Err(DecideError::impossible_help(
                    format!("{path} should be a file but is {}", plan::describe(&state)),
                    "remove or move it, then run again",
                ));
            }
            FileState::Entry(_) | FileState::Link { .. } => {}
        }
        let mut said = None;
        if let Some(entry) = regular(&state) {
            let right = match &self.version {
                Some(check) => {
                    let answer = answers.get(&check.ask(path))?;
                    let holds = answer.status == 0 && check.holds(&answer.output);
                    said = Some(answer.output);
                    holds.then(|| format!("{path} is version {}", check.wanted()))
                }
                None => match (self.wanted_sum(None).or(self.source_sum(answers)?), &entry.digest) {
                    (None, _) => Some(format!("{path} is there, and nothing to compare it with")),
                    (Some(wanted), Some(found)) => {
                        (wanted == *found).then(|| format!("{path} has the right content, mode and owner"))
                    }
                    (Some(_), None) => {
                        return Err(DecideError::impossible_help(
                            format!("{path} is there but its content cannot be read"),
                            "let the task run as root or as the file's owner",
                        ));
                    }
                },
            };
            if let Some(reason) = right {
                // What a link leads to belongs to someone else.
                let attributes = match &state {
                    FileState::Entry(entry) => plan::attributes_change(path, entry, &self.attributes),
                    _ => None,
                };
                return Ok(match attributes {
                    None => Decision::nothing(reason),
                    Some(change) => change.into(),
                });
            }
        }
        self.fetch(answers, &state, said)
    }

    /// The checksum of the source, where the source can be asked.
    fn source_sum(&self, answers: &Answers) -> Result<Option<String>, DecideError> {
        if self.member.is_some() {
            return Ok(None);
        }
        Ok(match &self.origin {
            Origin::Url(_) => None,
            Origin::Local(file) => Some(file.sha256().to_owned()),
            Origin::OnTarget(source) => match regular(&answers.get(&FileAsk::new(source.as_str()))?) {
                Some(entry) => entry.digest.clone(),
                // Gone since it was copied: what there is stays.
                None => None,
            },
        })
    }

    fn fetch(&self, answers: &Answers, state: &FileState, said: Option<String>) -> Result<Decision, DecideError> {
        let path = &self.path;
        let before = match (state, &said) {
            (FileState::Absent { .. }, _) => Shown::Absent,
            (_, Some(text)) if !text.trim().is_empty() => Shown::text(text.trim()),
            (_, Some(_)) => Shown::text("it does not tell its version"),
            (state, None) => Shown::text(match regular(state).and_then(|entry| entry.digest.as_deref()) {
                Some(sum) => format!("SHA-256 {sum}"),
                None => plan::describe(state),
            }),
        };
        let after = match (&self.version, self.wanted_sum(None).or(self.source_sum(answers)?)) {
            (Some(check), _) => Shown::text(format!("version {}", check.wanted())),
            (None, Some(sum)) => Shown::text(format!("SHA-256 {sum}")),
            (None, None) => Shown::text(format!("as in {}", self.origin)),
        };
        let (kind, summary) = match &self.member {
            Some((_, name)) => ("take", format!("take {path} from {name} of {}", self.origin)),
            None => ("fetch", format!("fetch {path} from {}", self.origin)),
        };
        let change = Change::new(summary)
            .differs(path.as_str(), before, after)
            .touching([Touch::Path(path.clone())]);
        let kept = match state {
            FileState::Entry(entry) => Some(self.attributes.or_as(entry)),
            _ => None,
        };
        let mode = kept
            .as_ref()
            .map_or(self.attributes.mode.unwrap_or(0o644), |kept| kept.mode);
        let place = script::Place {
            path,
            owner: match &kept {
                Some(kept) => Some(format!("{}:{}", kept.owner, kept.group)),
                None => self.attributes.owners(),
            },
            mode,
            member: self.member.as_ref().map(|(kind, name)| (*kind, name.as_str())),
            member_sha256: self.member_sha256.as_deref(),
            validate: self.version.as_ref().map(|check| check.validate(path)),
        };
        let label = format!("{kind} {path}");
        Ok(match &self.origin {
            Origin::Url(url) => {
                let script = script::fetch(&script::Fetch {
                    url,
                    sha256: self.sha256.as_deref(),
                    beside: path,
                }) + &script::put(&place);
                change.step(Shell::new(label, script).long(self.timeout)).into()
            }
            Origin::OnTarget(source) => {
                let question = FileAsk::new(source.as_str());
                origin::source_is_there(source, &answers.get(&question)?, self.sha256.as_deref())?;
                let script = script::copy(source, path, self.sha256.as_deref()) + &script::put(&place);
                change.step(Shell::new(label, script).long(self.timeout)).into()
            }
            Origin::Local(file) if self.member.is_some() => {
                let script = script::sent(path) + &script::put(&place);
                change
                    .step(send_archive(path, file, answers)?)
                    .step(Shell::new(label, script).long(self.timeout))
                    .into()
            }
            Origin::Local(file) => {
                let (owner, group) = match kept {
                    Some(kept) => (kept.owner, kept.group),
                    None => {
                        let (uid, gid) = user(answers)?;
                        let Attributes { owner, group, .. } = self.attributes.clone();
                        (owner.unwrap_or(uid), group.unwrap_or(gid))
                    }
                };
                let write = WriteFiles {
                    files: vec![FileToWrite {
                        path: path.clone(),
                        content: file.read()?,
                        mode,
                        owner,
                        group,
                        keep_first: None,
                    }],
                    validate: place.validate,
                };
                change.step(write).into()
            }
        })
    }
}

#[cfg(test)]
mod tests;
