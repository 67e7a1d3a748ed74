//! A file or folder of the user who runs the task: the deployment node's login user, whose name nobody needs to know.
//!
//! ```
//! use mosip_prov_cluster::UserFile;
//!
//! let folder = UserFile::folder("/home/ubuntu/rancher/mosip").mode(0o750);
//! let file = UserFile::new("/home/ubuntu/rancher/mosip/cluster.yml", "cluster_name: mosip\n").mode(0o640);
//! ```

use crate::settle::settle;
use mosip_prov_resources::probe::file::{Entry, EntryKind, FileAsk, FileState, digest};
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::{
    Answers, Ask, Change, Content, DecideError, Decision, Question, Resource, Shell, Shown, Touch,
};

/// A file or folder of the user who runs the task.
#[derive(Debug, Clone)]
pub struct UserFile {
    path: String,
    content: Option<String>,
    mode: u32,
}

impl UserFile {
    /// A file with this content at `path`, an absolute path whose folder exists by then. Its content is shown when it
    /// differs.
    pub fn new(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content: Some(content.into()),
            mode: 0o644,
        }
    }

    /// A folder at `path`, an absolute path; missing ones above it are made too.
    pub fn folder(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content: None,
            mode: 0o755,
        }
    }

    /// Permission bits. Default: 0644, for a folder 0755.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode & 0o7777;
        self
    }

    fn ask(&self) -> FileAsk {
        let ask = FileAsk::new(self.path.as_str());
        if self.content.is_some() {
            ask.with_content()
        } else {
            ask
        }
    }

    /// What brings the mode about; `None` when it is right.
    fn mode_change(&self, entry: &Entry) -> Option<Change> {
        let path = &self.path;
        (entry.mode != self.mode).then(|| {
            let script = format!("chmod {:o} -- {}", self.mode, quote(path));
            Change::new(format!("set the mode of {path}"))
                .differs(
                    format!("mode of {path}"),
                    Shown::text(format!("{:04o}", entry.mode)),
                    Shown::text(format!("{:04o}", self.mode)),
                )
                .step(Shell::new(format!("chmod {path}"), script))
                .touching([Touch::Path(path.clone())])
        })
    }

    fn write(&self, content: &str, before: Shown) -> Change {
        let path = &self.path;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let script = format!(
            "umask 077\nt=$(mktemp {folder}/.{name}.XXXXXX) || exit\ntrap 'rm -f -- \"$t\"' EXIT\n\
             cat >\"$t\" && chmod {:o} -- \"$t\" && mv -f -- \"$t\" {path}",
            self.mode,
            folder = quote(folder),
            name = quote(name),
            path = quote(path),
        );
        Change::new(format!("write {path}"))
            .differs(format!("content of {path}"), before, Shown::text(content))
            .step(Shell::new(format!("write {path}"), script).reading(Content::public(content.to_owned())))
            .touching([Touch::Path(path.clone())])
    }

    fn decided(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let path = &self.path;
        let entry = match answers.get(&self.ask())? {
            FileState::Blocked { by } => {
                return Err(DecideError::impossible_help(
                    format!("{path} cannot be made: {by} is not a folder"),
                    "move it away, or give another folder",
                ));
            }
            FileState::Absent { .. } => {
                return Ok(match &self.content {
                    Some(content) => self.write(content, Shown::Absent).into(),
                    None => {
                        let quoted = quote(path);
                        let script = format!("mkdir -p -- {quoted} && chmod {:o} -- {quoted}", self.mode);
                        Change::new(format!("make {path}"))
                            .differs(path.as_str(), Shown::Absent, Shown::text("a folder"))
                            .step(Shell::new(format!("mkdir {path}"), script))
                            .touching([Touch::Path(path.clone())])
                            .into()
                    }
                });
            }
            FileState::Entry(entry) => entry,
            FileState::Link {
                leads_to: Some((_, entry)),
                ..
            } if self.content.is_none() => entry,
            FileState::Link { target, .. } => {
                return Err(DecideError::impossible_help(
                    format!("{path} is a link to {target}"),
                    "remove it, then run again",
                ));
            }
        };
        match (&self.content, entry.kind) {
            (None, EntryKind::Directory) => Ok(match self.mode_change(&entry) {
                Some(change) => change.into(),
                None => Decision::nothing(format!("{path} is there")),
            }),
            (Some(content), EntryKind::Regular) => {
                if entry.digest.as_deref() == Some(digest(content.as_bytes()).as_str()) {
                    return Ok(match self.mode_change(&entry) {
                        Some(change) => change.into(),
                        None => Decision::nothing(format!("{path} has the right content and mode")),
                    });
                }
                let before = match &entry.content {
                    Some(bytes) if may_hold_secrets(bytes) => Shown::Masked,
                    Some(bytes) => Shown::text(String::from_utf8_lossy(bytes)),
                    None => Shown::Binary { bytes: entry.size },
                };
                Ok(self.write(content, before).into())
            }
            (wanted, _) => {
                let wanted = if wanted.is_some() { "a file" } else { "a folder" };
                Err(DecideError::impossible_help(
                    format!("{path} should be {wanted}, and is something else"),
                    "remove or move it, then run again",
                ))
            }
        }
    }
}

/// Whether a file that somebody else wrote says what nobody else should read: `cluster.yml` has a place for the passwords of
/// registries, the keys of object stores, and private keys.
fn may_hold_secrets(content: &[u8]) -> bool {
    let text = String::from_utf8_lossy(content).to_lowercase();
    ["password", "secret", "access_key", "ssh_key:", "private key", "token"]
        .iter()
        .any(|word| text.contains(word))
}

impl Resource for UserFile {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        settle(answers, &self.questions(), self.decided(answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_error, expect_nothing};

    #[test]
    fn a_file_is_written_corrected_and_left_alone() {
        let file = UserFile::new("/b/cluster.yml", "new\n").mode(0o640);
        let absent = t::file_absent(Answers::new(), "/b/cluster.yml");
        assert!(t::scripts(&expect_change(&file, &absent)).contains("chmod 640"));
        let right = t::file(Answers::new(), "/b/cluster.yml", 0o640, "ubuntu", "ubuntu", "new\n");
        expect_nothing(&file, &right);
        let open = t::file(Answers::new(), "/b/cluster.yml", 0o644, "ubuntu", "ubuntu", "new\n");
        assert_eq!(t::scripts(&expect_change(&file, &open)), "chmod 640 -- /b/cluster.yml");
        let other = t::file(Answers::new(), "/b/cluster.yml", 0o640, "ubuntu", "ubuntu", "old\n");
        let change = expect_change(&file, &other);
        assert_eq!(change.differences[0].before, Shown::text("old\n"));
        assert_eq!(change.differences[0].after, Shown::text("new\n"));
        let theirs = "private_registries:\n- password: geheim\n";
        let theirs = t::file(Answers::new(), "/b/cluster.yml", 0o640, "ubuntu", "ubuntu", theirs);
        assert_eq!(expect_change(&file, &theirs).differences[0].before, Shown::Masked);
        let folder = t::directory(Answers::new(), "/b/cluster.yml", 0o755, "root", "root");
        assert!(expect_error(&file, &folder).contains("should be a file"));
    }

    #[test]
    fn a_folder_is_made_with_those_above_it() {
        let folder = UserFile::folder("/b/mosip").mode(0o750);
        let absent = t::absent_below(Answers::new(), "/b/mosip", "/");
        assert_eq!(
            t::scripts(&expect_change(&folder, &absent)),
            "mkdir -p -- /b/mosip && chmod 750 -- /b/mosip"
        );
        expect_nothing(
            &folder,
            &t::directory(Answers::new(), "/b/mosip", 0o750, "ubuntu", "ubuntu"),
        );
    }
}
