//! Users and groups, by name: one `getent` for all (or `/etc/passwd` and `/etc/group` where it is missing), and an
//! `id` for each user's groups.
//!
//! A user answers `absent` or its passwd line, then its groups on a second line; a group `absent` or its group line.

use super::{all_failed, shorten, whole_frames};
use mosip_prov_engine::shell::{frame, quote, split_frames};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};

/// A user of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEntry {
    /// Number.
    pub uid: u32,
    /// Number of the primary group.
    pub gid: u32,
    /// Home folder.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// The names of all its groups, the primary one first.
    pub groups: Vec<String>,
}

/// A group of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEntry {
    /// Number.
    pub gid: u32,
}

/// Asks about a user by name; `None` when there is no such user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskUser(
    /// Its name.
    pub String,
);

/// Asks about a group by name; `None` when there is no such group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskGroup(
    /// Its name.
    pub String,
);

impl Ask for AskUser {
    type Answer = Option<UserEntry>;

    fn question(&self) -> Question {
        Question::new(&UserProbe, self.0.as_str())
    }

    fn read(&self, raw: &str) -> Result<Option<UserEntry>, String> {
        if raw == "absent" {
            return Ok(None);
        }
        let (line, groups) = raw.split_once('\n').unwrap_or((raw, ""));
        let fields: Vec<&str> = line.split(':').collect();
        let number = |i: usize| fields.get(i).and_then(|f: &&str| f.parse().ok());
        match (number(2), number(3), fields.get(5), fields.get(6)) {
            (Some(uid), Some(gid), Some(home), Some(shell)) => Ok(Some(UserEntry {
                uid,
                gid,
                home: (*home).to_owned(),
                shell: (*shell).to_owned(),
                groups: groups.split_whitespace().map(str::to_owned).collect(),
            })),
            _ => Err(format!("no passwd line: {}", shorten(raw))),
        }
    }
}

impl Ask for AskGroup {
    type Answer = Option<GroupEntry>;

    fn question(&self) -> Question {
        Question::new(&GroupProbe, self.0.as_str())
    }

    fn read(&self, raw: &str) -> Result<Option<GroupEntry>, String> {
        if raw == "absent" {
            return Ok(None);
        }
        let gid = raw.split(':').nth(2).and_then(|g| g.parse().ok());
        match gid {
            Some(gid) => Ok(Some(GroupEntry { gid })),
            None => Err(format!("no group line: {}", shorten(raw))),
        }
    }
}

/// The kind of question behind [`AskUser`].
pub struct UserProbe;

/// The kind of question behind [`AskGroup`].
pub struct GroupProbe;

fn database(kind: &str, subjects: &[&str]) -> String {
    let names: Vec<_> = subjects.iter().map(|s| quote(s)).collect();
    frame(&format!(
        "if command -v getent >/dev/null 2>&1; then getent {kind} -- {}; else cat /etc/{kind}; fi",
        names.join(" ")
    ))
}

/// The line about each subject, or why there is no answer.
fn lines<'a>(kind: &str, status: i32, text: &'a str, subjects: &[&str]) -> Result<Vec<Option<&'a str>>, String> {
    // 2: one or more names are not there, which is an answer: getent(1).
    if !matches!(status, 0 | 2) {
        return Err(format!("getent {kind} failed with status {status}: {}", shorten(text)));
    }
    Ok(subjects
        .iter()
        .map(|subject| text.lines().find(|line| line.split(':').next() == Some(*subject)))
        .collect())
}

impl Probe for UserProbe {
    fn name(&self) -> &'static str {
        "user"
    }

    fn script(&self, subjects: &[&str]) -> String {
        let mut out = database("passwd", subjects);
        for subject in subjects {
            out.push_str(&frame(&format!("id -Gn -- {}", quote(subject))));
        }
        out
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        let output = whole_frames(output);
        let frames = match split_frames(&output) {
            Ok(frames) if frames.len() == subjects.len() + 1 => frames,
            Ok(_) => return all_failed(subjects.len(), "the output breaks off"),
            Err(reason) => return all_failed(subjects.len(), &reason),
        };
        let lines = match lines("passwd", frames[0].status, frames[0].text, subjects) {
            Ok(lines) => lines,
            Err(reason) => return all_failed(subjects.len(), &reason),
        };
        lines
            .into_iter()
            .zip(&frames[1..])
            .map(|(line, groups)| match line {
                None => Ok("absent".to_owned()),
                Some(_) if groups.status != 0 => Err(shorten(groups.text)),
                Some(line) => Ok(format!("{line}\n{}", groups.text)),
            })
            .collect()
    }

    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        match touch {
            Touch::Kind(kind) => matches!(*kind, "user" | "group"),
            Touch::Thing(kind, name) => *kind == "group" || (*kind == "user" && name == subject),
            Touch::Path(_) => touch.concerns_path("/etc/passwd") || touch.concerns_path("/etc/group"),
            Touch::Everything => true,
        }
    }
}

impl Probe for GroupProbe {
    fn name(&self) -> &'static str {
        "group"
    }

    fn script(&self, subjects: &[&str]) -> String {
        database("group", subjects)
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        let output = whole_frames(output);
        let frame = match split_frames(&output) {
            Ok(frames) if frames.len() == 1 => frames[0].clone(),
            Ok(_) => return all_failed(subjects.len(), "no answer"),
            Err(reason) => return all_failed(subjects.len(), &reason),
        };
        match lines("group", frame.status, frame.text, subjects) {
            Ok(lines) => lines
                .into_iter()
                .map(|line| Ok(line.unwrap_or("absent").to_owned()))
                .collect(),
            Err(reason) => all_failed(subjects.len(), &reason),
        }
    }

    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        match touch {
            Touch::Kind(kind) => matches!(*kind, "user" | "group"),
            Touch::Thing(kind, name) => *kind == "user" || (*kind == "group" && name == subject),
            Touch::Path(_) => touch.concerns_path("/etc/group"),
            Touch::Everything => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask_with, sh_available};

    #[test]
    fn root_is_there_and_nobody_by_that_name_is_not() {
        let subjects = ["root", "no-such-user", "it's"];
        for shell in sh_available() {
            let output = ask_with(shell, &UserProbe, &subjects);
            let answers = UserProbe.split(&output, &subjects);
            let root = AskUser("root".into()).read(answers[0].as_ref().expect("answer"));
            let root = root.expect("understood").expect("there");
            assert_eq!((root.uid, root.groups.first().map(String::as_str)), (0, Some("root")));
            assert_eq!(
                answers[1..],
                [Ok("absent".to_owned()), Ok("absent".to_owned())],
                "{shell:?}"
            );

            let output = ask_with(shell, &GroupProbe, &["no-such-group", "root"]);
            let answers = GroupProbe.split(&output, &["no-such-group", "root"]);
            assert_eq!(answers[0], Ok("absent".to_owned()));
            let group = AskGroup("root".into()).read(answers[1].as_ref().expect("answer"));
            assert_eq!(group, Ok(Some(GroupEntry { gid: 0 })));
        }
    }

    #[test]
    fn trouble_is_no_absence() {
        let output = crate::testing::frames(&[(3, "getent: enumeration not supported")]);
        assert!(GroupProbe.split(&output, &["x"])[0].is_err());
    }
}
