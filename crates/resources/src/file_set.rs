//! Several files that are only right together: a configuration, the certificate and key it names. All candidates are
//! written beside their places, checked together, then put in place; when the check fails nothing was replaced.
//!
//! ```
//! use mosip_prov_resources::{Content, File, FileSet};
//!
//! let set = FileSet::new()
//!     .file(File::content("/etc/x/cert.pem", "…").mode(0o640))
//!     .file(File::content("/etc/x/key.pem", Content::sensitive("…")).mode(0o600))
//!     .validate("check-pair \"$1\" \"$2\"");
//! ```

use crate::file::File;
use crate::file::plan::{self, Planned};
use crate::settle::settle;
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{Answers, Change, DecideError, Decision, Question, Resource, Shell, Touch, WriteFiles};

/// Files written together.
#[derive(Debug, Clone, Default)]
pub struct FileSet {
    files: Vec<File>,
    validate: Option<String>,
}

impl FileSet {
    /// No file yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more file, made by [`File::content`]; they are put in place in this order. A check of its own
    /// ([`File::validate`]) is not looked at.
    #[must_use]
    pub fn file(mut self, file: File) -> Self {
        self.files.push(file);
        self
    }

    /// A fragment of `sh` that must succeed before anything is replaced. `$1`, `$2`, … are, in the order of the files,
    /// the candidate of each that differs and the present path of each that does not. What it prints becomes the
    /// error's message. Default: none.
    #[must_use]
    pub fn validate(mut self, fragment: impl Into<String>) -> Self {
        self.validate = Some(fragment.into());
        self
    }
}

impl Resource for FileSet {
    fn kind(&self) -> &'static str {
        "file_set"
    }

    fn questions(&self) -> Vec<Question> {
        self.files.iter().flat_map(Resource::questions).collect()
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        settle(answers, &self.questions(), self.decide_now(answers))
    }
}

impl FileSet {
    fn decide_now(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let mut differences = Vec::new();
        let mut candidates = Vec::new();
        let mut scripts = Vec::new();
        let mut touches = Vec::new();
        let mut arguments = Vec::new();
        for file in &self.files {
            plan::absolute(&file.path)?;
            arguments.push(quote(&file.path).into_owned());
            match plan::plan(file, answers)? {
                Planned::Same { .. } => continue,
                Planned::Attributes {
                    differences: more,
                    script,
                } => {
                    differences.extend(more);
                    scripts.push((file.path.as_str(), script));
                }
                Planned::Write {
                    differences: more,
                    file: candidate,
                } => {
                    differences.extend(more);
                    touches.extend(candidate.keep_first.clone().map(Touch::Path));
                    candidates.push(candidate);
                    if let Some(last) = arguments.last_mut() {
                        *last = format!("\"${{{}}}\"", candidates.len());
                    }
                }
            }
            touches.push(Touch::Path(file.path.clone()));
        }
        if touches.is_empty() {
            return Ok(Decision::nothing(format!(
                "all {} files have the right content, mode and owner",
                self.files.len()
            )));
        }
        let names: Vec<&str> = candidates
            .iter()
            .map(|c| c.path.as_str())
            .chain(scripts.iter().map(|(path, _)| *path))
            .collect();
        let verb = if candidates.is_empty() {
            "set mode and owner of"
        } else {
            "write"
        };
        let mut change = Change::new(format!("{verb} {}", names.join(", ")));
        if !candidates.is_empty() {
            let validate = self
                .validate
                .as_ref()
                .map(|fragment| format!("set -- {}\n{fragment}", arguments.join(" ")));
            change = change.step(WriteFiles {
                files: candidates,
                validate,
            });
        }
        for (path, script) in scripts {
            change = change.step(Shell::new(format!("chmod {path}"), script));
        }
        change.differences = differences;
        Ok(change.touching(touches).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_nothing};
    use mosip_prov_engine::{Content, Step};

    fn set() -> FileSet {
        FileSet::new()
            .file(File::content("/e/cert", "cert").mode(0o640))
            .file(File::content("/e/key", Content::sensitive("key")).mode(0o600))
            .file(File::content("/e/conf", "conf").mode(0o640))
            .validate("check \"$1\" \"$2\" \"$3\"")
    }

    fn answers(cert: &str, key: &str, key_mode: u32, conf: &str) -> Answers {
        let answers = t::file(Answers::new(), "/e/cert", 0o640, "root", "root", cert);
        let answers = t::file(answers, "/e/key", key_mode, "root", "root", key);
        t::file(answers, "/e/conf", 0o640, "root", "root", conf)
    }

    #[test]
    fn only_what_differs_is_written_and_the_check_sees_all() {
        expect_nothing(&set(), &answers("cert", "key", 0o600, "conf"));
        let change = expect_change(&set(), &answers("old", "key", 0o600, "old"));
        let [Step::WriteFiles(write)] = change.steps.as_slice() else {
            panic!("{change:?}")
        };
        let paths: Vec<&str> = write.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["/e/cert", "/e/conf"]);
        assert_eq!(
            write.validate.as_deref(),
            Some("set -- \"${1}\" /e/key \"${2}\"\ncheck \"$1\" \"$2\" \"$3\"")
        );
    }

    #[test]
    fn a_mode_alone_is_set_without_writing() {
        let change = expect_change(&set(), &answers("cert", "key", 0o644, "conf"));
        assert_eq!(t::scripts(&change), "chown -- root:root /e/key && chmod 0600 /e/key");
        assert_eq!(change.touches, [Touch::Path("/e/key".into())]);
    }

    #[test]
    fn a_secret_stays_one() {
        let change = expect_change(&set(), &answers("cert", "other", 0o600, "conf"));
        assert!(!format!("{change:?}").contains("other"));
    }
}
