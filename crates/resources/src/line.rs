//! One line in a file, as Ansible's `lineinfile` has it.
//!
//! ```
//! use mosip_prov_resources::Line;
//!
//! let port = Line::new("/etc/ssh/sshd_config", "PermitRootLogin no").regexp("^#?PermitRootLogin ");
//! ```
//!
//! The rules: the last line that matches the expression becomes the line; without a match a line that is exactly so
//! already suffices; else the line is inserted after (before) the last line that matches `insert_after`
//! (`insert_before`), or at the end. A link is followed: its target is rewritten. Files up to 64 KiB.

use crate::file::plan;
use crate::probe::file::{Entry, EntryKind, FileAsk, FileState};
use crate::settle::settle;
use mosip_prov_engine::{
    Answers, Ask, Change, Content, DecideError, Decision, FileToWrite, Question, Resource, Shown, Touch, WriteFiles,
};
use regex::Regex;

/// One line in a file.
#[derive(Debug, Clone)]
pub struct Line {
    path: String,
    line: String,
    regexp: Option<String>,
    place: Place,
    present: bool,
    create: Option<u32>,
    validate: Option<String>,
}

/// Where something new goes.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    End,
    Start,
    After(String),
    Before(String),
}

impl Line {
    /// The file at `path`, an absolute path, has this line, given without its newline.
    pub fn new(path: impl Into<String>, line: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line: line.into(),
            regexp: None,
            place: Place::End,
            present: true,
            create: None,
            validate: None,
        }
    }

    /// The last line that matches this expression is replaced; with [`Line::absent`] all that match go. Syntax of the
    /// `regex` crate. Default: none, the line itself is looked for.
    #[must_use]
    pub fn regexp(mut self, expression: impl Into<String>) -> Self {
        self.regexp = Some(expression.into());
        self
    }

    /// The file does not have the line.
    #[must_use]
    pub fn absent(mut self) -> Self {
        self.present = false;
        self
    }

    /// A new line goes after the last one that matches this expression, or at the end. Default: at the end.
    #[must_use]
    pub fn insert_after(mut self, expression: impl Into<String>) -> Self {
        self.place = Place::After(expression.into());
        self
    }

    /// A new line goes before the last one that matches this expression, or at the end.
    #[must_use]
    pub fn insert_before(mut self, expression: impl Into<String>) -> Self {
        self.place = Place::Before(expression.into());
        self
    }

    /// A new line goes to the start of the file.
    #[must_use]
    pub fn at_start(mut self) -> Self {
        self.place = Place::Start;
        self
    }

    /// A missing file is made, with this mode, for root. Default: that is an error.
    #[must_use]
    pub fn create(mut self, mode: u32) -> Self {
        self.create = Some(mode);
        self
    }

    /// A fragment of `sh` that must succeed before the file is replaced; `$1` is the candidate. Default: none.
    #[must_use]
    pub fn validate(mut self, fragment: impl Into<String>) -> Self {
        self.validate = Some(fragment.into());
        self
    }

    fn edit(&self, text: &str) -> Result<String, DecideError> {
        let mut lines = split_lines(text);
        let wanted = format!("{}\n", self.line);
        let is_line = |line: &str| line.trim_end_matches(['\n', '\r']) == self.line;
        let regexp = self.regexp.as_deref().map(expression).transpose()?;
        if !self.present {
            lines.retain(|line| match &regexp {
                Some(regexp) => !regexp.is_match(trimmed(line)),
                None => !is_line(line),
            });
            return Ok(lines.concat());
        }
        let found = regexp
            .as_ref()
            .and_then(|regexp| lines.iter().rposition(|line| regexp.is_match(trimmed(line))))
            .or_else(|| lines.iter().rposition(|line| is_line(line)));
        match found {
            Some(at) => {
                if lines[at] != wanted {
                    lines[at] = wanted;
                }
            }
            None => insert(&mut lines, &self.place, vec![wanted])?,
        }
        Ok(lines.concat())
    }
}

pub(crate) fn trimmed(line: &str) -> &str {
    line.trim_end_matches(['\n', '\r'])
}

pub(crate) fn split_lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

pub(crate) fn expression(text: &str) -> Result<Regex, DecideError> {
    Regex::new(text).map_err(|error| DecideError::impossible(format!("not a regular expression: {error}")))
}

/// Inserts `new` lines at their place; a last line without newline gets one first.
pub(crate) fn insert(lines: &mut Vec<String>, place: &Place, new: Vec<String>) -> Result<(), DecideError> {
    let matching = |text: &str, lines: &[String]| -> Result<Option<usize>, DecideError> {
        let expression = expression(text)?;
        Ok(lines.iter().rposition(|line| expression.is_match(trimmed(line))))
    };
    let at = match place {
        Place::End => lines.len(),
        Place::Start => 0,
        Place::After(text) => matching(text, lines)?.map_or(lines.len(), |at| at + 1),
        Place::Before(text) => matching(text, lines)?.unwrap_or(lines.len()),
    };
    if let Some(last) = at
        .checked_sub(1)
        .and_then(|before| lines.get_mut(before))
        .filter(|line| !line.ends_with('\n'))
    {
        last.push('\n');
    }
    lines.splice(at..at, new);
    Ok(())
}

/// A file that is edited by a pure function; shared with [`crate::Block`].
pub(crate) struct Edit<'a> {
    pub path: &'a str,
    pub create: Option<u32>,
    pub present: bool,
    pub validate: Option<&'a str>,
    /// What is wanted, in words: `the line …`.
    pub what: &'a str,
}

impl Edit<'_> {
    pub fn ask(path: &str) -> FileAsk {
        FileAsk::new(path).with_content()
    }

    pub fn decide(
        &self,
        answers: &Answers,
        edit: impl Fn(&str) -> Result<String, DecideError>,
    ) -> Result<Decision, DecideError> {
        plan::absolute(self.path)?;
        let question = Self::ask(self.path).question();
        settle(answers, std::slice::from_ref(&question), self.decide_now(answers, edit))
    }

    fn decide_now(
        &self,
        answers: &Answers,
        edit: impl Fn(&str) -> Result<String, DecideError>,
    ) -> Result<Decision, DecideError> {
        let ask = Self::ask(self.path);
        match answers.get(&ask)? {
            FileState::Entry(entry) => self.rewrite(self.path, &entry, edit),
            FileState::Link {
                leads_to: Some((path, entry)),
                ..
            } => self.rewrite(&path, &entry, edit),
            FileState::Absent { .. } | FileState::Blocked { .. } if !self.present => {
                Ok(Decision::nothing(format!("{} is not there", self.path)))
            }
            FileState::Absent { nearest_folder } => {
                let Some(mode) = self.create else {
                    return Err(DecideError::impossible_help(
                        format!("{} is not there, so it cannot get {}", self.path, self.what),
                        "allow the task to make the file, or install what brings it before",
                    ));
                };
                plan::parent_exists(self.path, &nearest_folder, answers, &ask.question())?;
                let file = FileToWrite {
                    path: self.path.to_owned(),
                    content: Content::public(edit("")?),
                    mode,
                    owner: "root".into(),
                    group: "root".into(),
                    keep_first: None,
                };
                Ok(self.write(Shown::Absent, file))
            }
            state => Err(DecideError::impossible(format!(
                "{} cannot get {}: it is {}",
                self.path,
                self.what,
                plan::describe(&state)
            ))),
        }
    }

    fn rewrite(
        &self,
        path: &str,
        entry: &Entry,
        edit: impl Fn(&str) -> Result<String, DecideError>,
    ) -> Result<Decision, DecideError> {
        let problem = match (&entry.content, entry.kind) {
            (_, EntryKind::Directory | EntryKind::Other) => "it is not a file",
            (None, _) if entry.digest.is_none() => "it cannot be read; let the task run as root or as its owner",
            (None, _) if entry.size > crate::probe::file::CONTENT_LIMIT => "it is larger than 64 KiB",
            (None, _) => "it changed while it was read; run again",
            (Some(content), _) => match std::str::from_utf8(content) {
                Err(_) => "it is not UTF-8 text",
                Ok(text) => {
                    let after = edit(text)?;
                    if after == text {
                        let has = if self.present { "has" } else { "does not have" };
                        return Ok(Decision::nothing(format!("{path} {has} {}", self.what)));
                    }
                    let file = FileToWrite {
                        path: path.to_owned(),
                        content: Content::public(after),
                        mode: entry.mode,
                        owner: entry.uid.to_string(),
                        group: entry.gid.to_string(),
                        keep_first: None,
                    };
                    return Ok(self.write(Shown::text(text), file));
                }
            },
        };
        Err(DecideError::impossible(format!("{path} cannot be edited: {problem}")))
    }

    fn write(&self, before: Shown, file: FileToWrite) -> Decision {
        let path = file.path.clone();
        let after = plan::shown(file.content.bytes(), false);
        let verb = if self.present { "put into" } else { "remove from" };
        Change::new(format!("{verb} {path} {}", self.what))
            .differs(format!("content of {path}"), before, after)
            .step(WriteFiles {
                files: vec![file],
                validate: self.validate.map(str::to_owned),
            })
            .touching([Touch::Path(path)])
            .into()
    }
}

impl Resource for Line {
    fn kind(&self) -> &'static str {
        "line"
    }

    fn questions(&self) -> Vec<Question> {
        vec![Edit::ask(&self.path).question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        if self.line.contains('\n') {
            return Err(DecideError::impossible("a line cannot hold a newline; use a block"));
        }
        let what = match (&self.regexp, self.present) {
            (Some(regexp), false) => format!("a line matching `{regexp}`"),
            _ => format!("the line `{}`", self.line),
        };
        let edit = Edit {
            path: &self.path,
            create: self.create,
            present: self.present,
            validate: self.validate.as_deref(),
            what: &what,
        };
        edit.decide(answers, |text| self.edit(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_error, expect_nothing};
    use mosip_prov_engine::Step;

    fn edited(line: &Line, text: &str) -> String {
        line.edit(text).expect("edits")
    }

    #[test]
    fn lines_are_replaced_inserted_and_removed_as_ansible_does() {
        let line = |text: &str| Line::new("/f", text);
        assert_eq!(edited(&line("b"), "a\nb\nc\n"), "a\nb\nc\n");
        assert_eq!(edited(&line("c"), "a\nb"), "a\nb\nc\n");
        assert_eq!(edited(&line("b"), "a\nb"), "a\nb\n");
        assert_eq!(edited(&line("x=2").regexp("^x="), "x=0\nx=1\ny\n"), "x=0\nx=2\ny\n");
        assert_eq!(edited(&line("x=2").regexp("^z="), "x=2\ny\n"), "x=2\ny\n");
        assert_eq!(edited(&line("n").insert_after("^a"), "a1\na2\nb\n"), "a1\na2\nn\nb\n");
        assert_eq!(edited(&line("n").insert_after("^b$"), "a\nb"), "a\nb\nn\n");
        assert_eq!(edited(&line("n").insert_before("^a"), "a1\na2\nb\n"), "a1\nn\na2\nb\n");
        assert_eq!(edited(&line("n").insert_before("nowhere"), "a\n"), "a\nn\n");
        assert_eq!(edited(&line("n").at_start(), "a\n"), "n\na\n");
        assert_eq!(edited(&line("").regexp("^#").absent(), "#a\nb\n#c\n"), "b\n");
        assert_eq!(edited(&line("b").absent(), "a\nb\nb"), "a\n");
    }

    #[test]
    fn editing_twice_changes_nothing_more() {
        for line in [
            Line::new("/f", "x=2").regexp("^x="),
            Line::new("/f", "n").insert_after("^a"),
            Line::new("/f", "n").insert_before("^a"),
            Line::new("/f", "a").absent(),
        ] {
            for text in ["", "a\n", "x=1", "a\nx=1\nb", "n"] {
                let once = edited(&line, text);
                assert_eq!(edited(&line, &once), once, "{line:?} {text:?}");
            }
        }
    }

    #[test]
    fn the_file_keeps_its_mode_and_owner_and_links_are_followed() {
        let answers = t::file(Answers::new(), "/f", 0o600, "1000", "root", "a\n");
        let change = expect_change(&Line::new("/f", "b"), &answers);
        let [Step::WriteFiles(write)] = change.steps.as_slice() else {
            panic!()
        };
        assert_eq!((write.files[0].mode, write.files[0].owner.as_str()), (0o600, "1000"));
        let answers = t::link_to_file(Answers::new(), "/f", "/real", "a\n");
        let change = expect_change(&Line::new("/f", "b"), &answers);
        assert_eq!(change.touches, [Touch::Path("/real".into())]);
    }

    #[test]
    fn a_missing_file_is_an_error_unless_it_may_be_made() {
        let answers = t::file_absent(Answers::new(), "/f");
        assert!(expect_error(&Line::new("/f", "b"), &answers).contains("/f is not there"));
        expect_change(&Line::new("/f", "b").create(0o644), &answers);
        expect_nothing(&Line::new("/f", "b").absent(), &answers);
    }

    #[test]
    fn what_is_not_text_is_left_alone() {
        let answers = t::file(Answers::new(), "/f", 0o644, "root", "root", [0xff]);
        assert!(expect_error(&Line::new("/f", "b"), &answers).contains("not UTF-8"));
        assert!(Line::new("/f", "b").regexp("(").edit("").is_err());
    }
}
