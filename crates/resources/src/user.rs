//! A user: present with its groups, shell and home, or absent.
//!
//! ```
//! use mosip_prov_resources::User;
//!
//! let user = User::present("ubuntu").groups(["docker"], true);
//! ```

use crate::probe::passwd::{AskUser, UserEntry};
use crate::settle::settle;
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};

/// A user of the host.
#[derive(Debug, Clone)]
pub struct User {
    name: String,
    present: bool,
    groups: Option<(Vec<String>, bool)>,
    shell: Option<String>,
    home: Option<String>,
    uid: Option<u32>,
    system: bool,
}

impl User {
    /// The user exists.
    pub fn present(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            present: true,
            groups: None,
            shell: None,
            home: None,
            uid: None,
            system: false,
        }
    }

    /// The user does not exist; its home stays.
    pub fn absent(name: impl Into<String>) -> Self {
        Self {
            present: false,
            ..Self::present(name)
        }
    }

    /// Its groups beside the primary one: with `append` at least these, without it exactly these. They must exist.
    /// Default: as they are.
    #[must_use]
    pub fn groups<G: Into<String>>(mut self, groups: impl IntoIterator<Item = G>, append: bool) -> Self {
        self.groups = Some((groups.into_iter().map(Into::into).collect(), append));
        self
    }

    /// Login shell. Default: as it is; for a new user the host's default.
    #[must_use]
    pub fn shell(mut self, path: impl Into<String>) -> Self {
        self.shell = Some(path.into());
        self
    }

    /// Home folder, entered for the user; files are not moved. Default: as it is; for a new user `/home/NAME`.
    #[must_use]
    pub fn home(mut self, path: impl Into<String>) -> Self {
        self.home = Some(path.into());
        self
    }

    /// Its number. Default: the next free one. The number of a user that exists is never changed: that is an error.
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// When it is made: a system user, with a low number and no home made. Default: no.
    #[must_use]
    pub fn system(mut self) -> Self {
        self.system = true;
        self
    }
}

impl Resource for User {
    fn kind(&self) -> &'static str {
        "user"
    }

    fn questions(&self) -> Vec<Question> {
        vec![AskUser(self.name.clone()).question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let entry = answers.get(&AskUser(self.name.clone()))?;
        let decided = match (entry, self.present) {
            (None, false) => Ok(Decision::nothing(format!("user {} does not exist", self.name))),
            (Some(_), false) => Ok(self.change(
                "remove",
                vec![(String::new(), Shown::text("present"), Shown::Absent)],
                format!("userdel -- {}", quote(&self.name)),
            )),
            (None, true) => Ok(self.add()),
            (Some(entry), true) => self.modify(&entry),
        };
        settle(answers, &self.questions(), decided)
    }
}

impl User {
    fn change(&self, verb: &str, differences: Vec<(String, Shown, Shown)>, script: String) -> Decision {
        let mut change = Change::new(format!("{verb} user {}", self.name));
        for (what, before, after) in differences {
            change = change.differs(format!("{what}user {}", self.name), before, after);
        }
        change
            .step(Shell::new(script.clone(), script))
            .touching([
                Touch::Kind("user"),
                Touch::Path("/etc/passwd".into()),
                Touch::Path("/etc/group".into()),
                Touch::Path(self.home.clone().unwrap_or_else(|| format!("/home/{}", self.name))),
            ])
            .into()
    }

    fn add(&self) -> Decision {
        let mut script = "useradd".to_owned();
        script.push_str(if self.system { " -r" } else { " -m" });
        let mut option = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                script.push_str(&format!(" {flag} {}", quote(&value)));
            }
        };
        option("-u", self.uid.map(|uid| uid.to_string()));
        option("-d", self.home.clone());
        option("-s", self.shell.clone());
        option(
            "-G",
            self.groups
                .as_ref()
                .map(|(groups, _)| groups.join(","))
                .filter(|groups| !groups.is_empty()),
        );
        script.push_str(&format!(" -- {}", quote(&self.name)));
        self.change(
            "make",
            vec![(String::new(), Shown::Absent, Shown::text("present"))],
            script,
        )
    }

    fn modify(&self, entry: &UserEntry) -> Result<Decision, DecideError> {
        if let Some(uid) = self.uid.filter(|uid| *uid != entry.uid) {
            return Err(DecideError::impossible_help(
                format!("user {} should have the number {uid} but has {}", self.name, entry.uid),
                "changing it would leave files with the old owner; do that by hand or take the number that is there",
            ));
        }
        let mut differences = Vec::new();
        let mut script = "usermod".to_owned();
        if let Some(shell) = self.shell.as_ref().filter(|shell| **shell != entry.shell) {
            differences.push(("shell of ".into(), Shown::text(&entry.shell), Shown::text(shell)));
            script.push_str(&format!(" -s {}", quote(shell)));
        }
        if let Some(home) = self.home.as_ref().filter(|home| **home != entry.home) {
            differences.push(("home of ".into(), Shown::text(&entry.home), Shown::text(home)));
            script.push_str(&format!(" -d {}", quote(home)));
        }
        if let Some((wanted, append)) = &self.groups {
            let primary = entry.groups.first();
            let others: Vec<&String> = entry.groups.iter().skip(1).collect();
            let missing: Vec<&str> = wanted
                .iter()
                .filter(|group| !entry.groups.contains(group))
                .map(String::as_str)
                .collect();
            let surplus = !append && others.iter().any(|group| !wanted.contains(group));
            if !missing.is_empty() || surplus {
                let before = others.iter().map(|g| g.as_str()).collect::<Vec<_>>().join(" ");
                let (flag, list, after) = if *append {
                    let after = [before.as_str(), missing.join(" ").as_str()].join(" ");
                    ("-a -G", missing.join(","), after.trim().to_owned())
                } else {
                    let list: Vec<&str> = wanted
                        .iter()
                        .filter(|g| Some(*g) != primary)
                        .map(String::as_str)
                        .collect();
                    ("-G", list.join(","), list.join(" "))
                };
                differences.push(("groups of ".into(), Shown::text(before), Shown::text(after)));
                script.push_str(&format!(" {flag} {}", quote(&list)));
            }
        }
        if differences.is_empty() {
            return Ok(Decision::nothing(format!("user {} is as it should be", self.name)));
        }
        script.push_str(&format!(" -- {}", quote(&self.name)));
        Ok(self.change("modify", differences, script))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_error, expect_nothing};

    #[test]
    fn groups_are_added_or_set() {
        let answers = t::user(Answers::new(), "ubuntu", &["ubuntu", "adm"]);
        let script = |user: &User| t::scripts(&expect_change(user, &answers));
        expect_nothing(&User::present("ubuntu").groups(["adm"], true), &answers);
        expect_nothing(&User::present("ubuntu").groups(["adm"], false), &answers);
        assert_eq!(
            script(&User::present("ubuntu").groups(["docker"], true)),
            "usermod -a -G docker -- ubuntu"
        );
        assert_eq!(
            script(&User::present("ubuntu").groups(["docker"], false)),
            "usermod -G docker -- ubuntu"
        );
        assert_eq!(
            script(&User::present("ubuntu").groups(Vec::<String>::new(), false)),
            "usermod -G '' -- ubuntu"
        );
    }

    #[test]
    fn users_are_made_changed_and_removed() {
        let missing = t::user_absent(Answers::new(), "svc");
        let script = |user: &User| t::scripts(&expect_change(user, &missing));
        assert_eq!(
            script(
                &User::present("svc")
                    .system()
                    .shell("/usr/sbin/nologin")
                    .home("/var/lib/svc")
            ),
            "useradd -r -d /var/lib/svc -s /usr/sbin/nologin -- svc"
        );
        expect_nothing(&User::absent("svc"), &missing);
        let there = t::user(Answers::new(), "svc", &["svc"]);
        let change = expect_change(&User::present("svc").shell("/bin/sh"), &there);
        assert_eq!(change.differences[0].what, "shell of user svc");
        assert!(expect_error(&User::present("svc").uid(5), &there).contains("number 5"));
    }
}
