//! A block of lines in a file between two marker lines, as Ansible's `blockinfile` has it: a block that Ansible left
//! is taken over when the marker is the same.
//!
//! ```
//! use mosip_prov_resources::Block;
//!
//! let limits = Block::new("/etc/security/limits.conf", "* soft nofile 1048576\n")
//!     .marker("# {mark} ANSIBLE MANAGED BLOCK - SYSTEM LIMITS");
//! ```

use crate::line::{Edit, Place, insert, split_lines, trimmed};
use mosip_prov_engine::{Answers, Ask, DecideError, Decision, Question, Resource};

/// A block of lines in a file.
#[derive(Debug, Clone)]
pub struct Block {
    path: String,
    text: String,
    marker: String,
    place: Place,
    present: bool,
    create: Option<u32>,
    validate: Option<String>,
}

impl Block {
    /// The file at `path`, an absolute path, has these lines. An empty text removes the block.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
            marker: "# {mark} ANSIBLE MANAGED BLOCK".into(),
            place: Place::End,
            present: true,
            create: None,
            validate: None,
        }
    }

    /// The marker lines: `{mark}` becomes `BEGIN` and `END`. Default: `# {mark} ANSIBLE MANAGED BLOCK`.
    #[must_use]
    pub fn marker(mut self, marker: impl Into<String>) -> Self {
        self.marker = marker.into();
        self
    }

    /// The file does not have the block.
    #[must_use]
    pub fn absent(mut self) -> Self {
        self.present = false;
        self
    }

    /// A new block goes after the last line that matches this expression, or at the end. Default: at the end.
    #[must_use]
    pub fn insert_after(mut self, expression: impl Into<String>) -> Self {
        self.place = Place::After(expression.into());
        self
    }

    /// A new block goes before the last line that matches this expression, or at the end.
    #[must_use]
    pub fn insert_before(mut self, expression: impl Into<String>) -> Self {
        self.place = Place::Before(expression.into());
        self
    }

    /// A new block goes to the start of the file.
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

    fn is_wanted(&self) -> bool {
        self.present && !self.text.is_empty()
    }

    fn edit(&self, text: &str) -> Result<String, DecideError> {
        let begin = self.marker.replace("{mark}", "BEGIN");
        let end = self.marker.replace("{mark}", "END");
        if begin == end || begin.contains('\n') {
            return Err(DecideError::impossible(format!(
                "the marker {:?} must be one line with {{mark}} in it",
                self.marker
            )));
        }
        let mut lines = split_lines(text);
        let mut block = Vec::new();
        if self.is_wanted() {
            block.push(format!("{begin}\n"));
            block.extend(self.text.lines().map(|line| format!("{line}\n")));
            block.push(format!("{end}\n"));
        }
        let position = |marker: &str| lines.iter().rposition(|line| trimmed(line) == marker);
        match (position(&begin), position(&end)) {
            (Some(a), Some(b)) => {
                lines.splice(a.min(b)..=a.max(b), block);
            }
            _ if block.is_empty() => {}
            _ => insert(&mut lines, &self.place, block)?,
        }
        Ok(lines.concat())
    }
}

impl Resource for Block {
    fn kind(&self) -> &'static str {
        "block"
    }

    fn questions(&self) -> Vec<Question> {
        vec![Edit::ask(&self.path).question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let what = format!("the block `{}`", self.marker.replace("{mark}", "…"));
        let edit = Edit {
            path: &self.path,
            create: self.create,
            present: self.is_wanted(),
            validate: self.validate.as_deref(),
            what: &what,
        };
        edit.decide(answers, |text| self.edit(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_nothing};

    fn edited(block: &Block, text: &str) -> String {
        block.edit(text).expect("edits")
    }

    const BLOCK: &str = "# BEGIN ANSIBLE MANAGED BLOCK\nx\ny\n# END ANSIBLE MANAGED BLOCK\n";

    #[test]
    fn a_block_is_inserted_replaced_and_removed() {
        let block = Block::new("/f", "x\ny");
        assert_eq!(edited(&block, ""), BLOCK);
        assert_eq!(edited(&block, "a"), format!("a\n{BLOCK}"));
        assert_eq!(edited(&block, &format!("a\n{BLOCK}b\n")), format!("a\n{BLOCK}b\n"));
        let old = "a\n# BEGIN ANSIBLE MANAGED BLOCK\nold\n# END ANSIBLE MANAGED BLOCK\nb\n";
        assert_eq!(edited(&block, old), format!("a\n{BLOCK}b\n"));
        assert_eq!(edited(&block.clone().absent(), old), "a\nb\n");
        assert_eq!(edited(&Block::new("/f", ""), old), "a\nb\n");
        assert_eq!(
            edited(&block.clone().insert_after("^a"), "a\nb\n"),
            format!("a\n{BLOCK}b\n")
        );
        assert_eq!(edited(&block.clone().at_start(), "a\n"), format!("{BLOCK}a\n"));
        let twice = edited(&block, &edited(&block, "a"));
        assert_eq!(twice, format!("a\n{BLOCK}"));
    }

    #[test]
    fn a_marker_without_its_partner_starts_a_new_block() {
        let block = Block::new("/f", "x\ny");
        assert_eq!(
            edited(&block, "# BEGIN ANSIBLE MANAGED BLOCK\nold\n"),
            format!("# BEGIN ANSIBLE MANAGED BLOCK\nold\n{BLOCK}")
        );
        assert!(Block::new("/f", "x").marker("# no mark").edit("").is_err());
    }

    #[test]
    fn ansibles_block_is_taken_over() {
        let text = "# BEGIN ANSIBLE MANAGED BLOCK - SYSTEM LIMITS\n* soft nofile 1\n# END ANSIBLE MANAGED BLOCK - SYSTEM LIMITS\n";
        let block = |limit: &str| {
            Block::new("/f", format!("* soft nofile {limit}\n"))
                .marker("# {mark} ANSIBLE MANAGED BLOCK - SYSTEM LIMITS")
        };
        let answers = t::file(Answers::new(), "/f", 0o644, "root", "root", text);
        expect_nothing(&block("1"), &answers);
        let change = expect_change(&block("2"), &answers);
        assert_eq!(
            format!("{:?}", change.differences[0].after).matches("BEGIN").count(),
            1,
            "no second block"
        );
    }
}
