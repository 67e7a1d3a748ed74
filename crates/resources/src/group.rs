//! A group: present or absent.

use crate::probe::passwd::AskGroup;
use crate::settle::settle;
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};

/// A group of the host.
#[derive(Debug, Clone)]
pub struct Group {
    name: String,
    present: bool,
    gid: Option<u32>,
    system: bool,
}

impl Group {
    /// The group exists.
    pub fn present(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            present: true,
            gid: None,
            system: false,
        }
    }

    /// The group does not exist.
    pub fn absent(name: impl Into<String>) -> Self {
        Self {
            present: false,
            ..Self::present(name)
        }
    }

    /// Its number. Default: the next free one.
    #[must_use]
    pub fn gid(mut self, gid: u32) -> Self {
        self.gid = Some(gid);
        self
    }

    /// When it is made: a system group, with a low number. Default: no.
    #[must_use]
    pub fn system(mut self) -> Self {
        self.system = true;
        self
    }
}

impl Resource for Group {
    fn kind(&self) -> &'static str {
        "group"
    }

    fn questions(&self) -> Vec<Question> {
        vec![AskGroup(self.name.clone()).question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let name = &self.name;
        let what = format!("group {name}");
        let word = quote(name);
        let there = answers.get(&AskGroup(name.clone()))?;
        let change = |verb: &str, before: Shown, after: Shown, script: String| {
            Decision::Change(
                Change::new(format!("{verb} {what}"))
                    .differs(what.as_str(), before, after)
                    .step(Shell::new(script.clone(), script))
                    .touching([Touch::Kind("group"), Touch::Path("/etc/group".into())]),
            )
        };
        let gid = |gid: u32| Shown::text(format!("number {gid}"));
        let decision = match (there, self.present, self.gid) {
            (Some(entry), true, Some(wanted)) if entry.gid != wanted => change(
                "renumber",
                gid(entry.gid),
                gid(wanted),
                format!("groupmod -g {wanted} -- {word}"),
            ),
            (Some(_), true, _) => Decision::nothing(format!("{what} exists")),
            (None, true, wanted) => {
                let mut script = "groupadd".to_owned();
                if self.system {
                    script.push_str(" -r");
                }
                if let Some(wanted) = wanted {
                    script.push_str(&format!(" -g {wanted}"));
                }
                change(
                    "make",
                    Shown::Absent,
                    Shown::text("present"),
                    format!("{script} -- {word}"),
                )
            }
            (None, false, _) => Decision::nothing(format!("{what} does not exist")),
            (Some(_), false, _) => change(
                "remove",
                Shown::text("present"),
                Shown::Absent,
                format!("groupdel -- {word}"),
            ),
        };
        settle(answers, &self.questions(), Ok(decision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_nothing};

    #[test]
    fn a_group_is_made_numbered_and_removed() {
        let there = t::group(Answers::new(), "docker", true);
        let missing = t::group(Answers::new(), "docker", false);
        expect_nothing(&Group::present("docker"), &there);
        expect_nothing(&Group::absent("docker"), &missing);
        let script = |group: &Group, answers| t::scripts(&expect_change(group, answers));
        assert_eq!(
            script(&Group::present("docker").system(), &missing),
            "groupadd -r -- docker"
        );
        assert_eq!(
            script(&Group::present("docker").gid(7), &there),
            "groupmod -g 7 -- docker"
        );
        assert_eq!(script(&Group::absent("docker"), &there), "groupdel -- docker");
    }
}
