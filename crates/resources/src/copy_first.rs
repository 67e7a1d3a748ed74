//! The first original of a file, kept: `to` becomes a copy of `from` (content, mode, owner, times) while nothing is at
//! `to`, and is never overwritten.

use crate::file::plan;
use crate::probe::file::{EntryKind, FileAsk, FileState};
use crate::settle::settle;
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};

/// Keeps the first original of a file.
#[derive(Debug, Clone)]
pub struct CopyFirst {
    from: String,
    to: String,
}

impl CopyFirst {
    /// Copies the file `from` to `to` unless something is there; both absolute paths.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
        }
    }
}

impl Resource for CopyFirst {
    fn kind(&self) -> &'static str {
        "copy_first"
    }

    fn questions(&self) -> Vec<Question> {
        vec![
            FileAsk::new(self.from.as_str()).question(),
            FileAsk::new(self.to.as_str()).question(),
        ]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let Self { from, to } = self;
        plan::absolute(from)?;
        plan::absolute(to)?;
        if !matches!(
            answers.get(&FileAsk::new(to.as_str()))?,
            FileState::Absent { .. } | FileState::Blocked { .. }
        ) {
            return Ok(Decision::nothing(format!("{to} is there already and is kept")));
        }
        let is_file = match answers.get(&FileAsk::new(from.as_str()))? {
            FileState::Entry(entry)
            | FileState::Link {
                leads_to: Some((_, entry)),
                ..
            } => entry.kind == EntryKind::Regular,
            _ => false,
        };
        if !is_file {
            let what = format!("{from} is to be kept as {to} but is not there");
            return settle(answers, &self.questions(), Err(DecideError::impossible(what)));
        }
        // A hard link fails when something has come to `to` meanwhile, where a rename would replace it.
        let script = format!(
            "t=$(mktemp {to}.XXXXXX) && cp -p -- {from} \"$t\" && ln -- \"$t\" {to}\ns=$?\nrm -f -- \"$t\"\nexit $s",
            to = quote(to),
            from = quote(from),
        );
        Ok(Change::new(format!("keep {from} as {to}"))
            .differs(to.as_str(), Shown::Absent, Shown::text(format!("a copy of {from}")))
            .step(Shell::new(format!("cp -p {from} {to}"), script))
            .touching([Touch::Path(to.clone())])
            .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_error, expect_nothing, expect_unknown};

    #[test]
    fn it_is_copied_once() {
        let keep = CopyFirst::new("/e/a", "/e/a.orig");
        let there = t::file(Answers::new(), "/e/a", 0o640, "root", "root", "x");
        let kept = t::file(there.clone(), "/e/a.orig", 0o640, "root", "root", "y");
        expect_nothing(&keep, &kept);
        let change = expect_change(&keep, &t::file_absent(there, "/e/a.orig"));
        assert_eq!(change.touches, [Touch::Path("/e/a.orig".into())]);
    }

    #[test]
    fn a_missing_original_is_an_error_unless_it_may_come() {
        let keep = CopyFirst::new("/e/a", "/e/a.orig");
        let answers = t::file_absent(t::file_absent(Answers::new(), "/e/a"), "/e/a.orig");
        assert!(expect_error(&keep, &answers).contains("/e/a is to be kept"));
        expect_unknown(&keep, &answers.with_pending("install a", vec![Touch::Everything]));
    }

    #[test]
    fn the_script_never_overwrites() {
        let folder = tempfile::tempdir().expect("folder");
        let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
        std::fs::write(path("it's"), "first").expect("written");
        let keep = CopyFirst::new(path("it's"), path("orig"));
        let answers = t::file(Answers::new(), &path("it's"), 0o644, "root", "root", "first");
        let change = expect_change(&keep, &t::file_absent(answers, &path("orig")));
        let run = || {
            let script = t::scripts(&change);
            std::process::Command::new("sh")
                .args(["-c", &script])
                .output()
                .expect("sh")
                .status
                .success()
        };
        assert!(run());
        std::fs::write(path("it's"), "second").expect("written");
        assert!(!run());
        assert_eq!(std::fs::read_to_string(path("orig")).expect("kept"), "first");
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 2);
    }
}
