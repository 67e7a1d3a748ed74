//! A command, for what no resource describes. Its guards say when it is already done; without one it is always a
//! change.
//!
//! ```
//! use mosip_prov_resources::Command;
//!
//! let keys = Command::new("wg genkey > privatekey").chdir("/etc/wireguard").creates("/etc/wireguard/privatekey");
//! let rules = Command::argv(["netfilter-persistent", "save"]).unless("iptables-save | cmp -s - /etc/iptables/rules.v4");
//! ```

use crate::file::plan::absolute;
use crate::probe::command::AskCommand;
use crate::probe::file::{FileAsk, FileState};
use crate::settle::settle;
use mosip_prov_engine::shell::{quote, quote_all};
use mosip_prov_engine::{Answers, Ask, Change, Content, DecideError, Decision, Question, Resource, Shell, Touch};
use std::time::Duration;

/// A command on the target.
#[derive(Debug, Clone)]
pub struct Command {
    script: String,
    summary: String,
    guards: Vec<Guard>,
    chdir: Option<String>,
    env: Vec<(String, String)>,
    stdin: Option<Content>,
    timeout: Option<Duration>,
    long: bool,
    touches: Option<Vec<Touch>>,
}

#[derive(Debug, Clone)]
enum Guard {
    Creates(String),
    Removes(String),
    Unless(String),
    OnlyIf(String),
}

impl Command {
    /// A script of POSIX `sh`; it fails when its last command does, as always with `sh`.
    pub fn new(script: impl Into<String>) -> Self {
        let script = script.into();
        let summary = match script.trim().split_once('\n') {
            Some((first, _)) => format!("{first} …"),
            None => script.trim().to_owned(),
        };
        Self {
            script,
            summary,
            guards: Vec::new(),
            chdir: None,
            env: Vec::new(),
            stdin: None,
            timeout: None,
            long: false,
            touches: None,
        }
    }

    /// A program with its arguments, passed as they are.
    pub fn argv<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Self {
        let words: Vec<W> = words.into_iter().collect();
        Self::new(quote_all(words.iter().map(AsRef::as_ref)))
    }

    /// What it does in a few words, for progress and errors. Default: the script's first line.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    /// Done when something is at this path.
    #[must_use]
    pub fn creates(mut self, path: impl Into<String>) -> Self {
        self.guards.push(Guard::Creates(path.into()));
        self
    }

    /// Done when nothing is at this path.
    #[must_use]
    pub fn removes(mut self, path: impl Into<String>) -> Self {
        self.guards.push(Guard::Removes(path.into()));
        self
    }

    /// Done when this script succeeds. It must only read: it also runs in check mode.
    #[must_use]
    pub fn unless(mut self, script: impl Into<String>) -> Self {
        self.guards.push(Guard::Unless(script.into()));
        self
    }

    /// Not to be done unless this script succeeds. It must only read: it also runs in check mode.
    #[must_use]
    pub fn only_if(mut self, script: impl Into<String>) -> Self {
        self.guards.push(Guard::OnlyIf(script.into()));
        self
    }

    /// The folder it runs in, an absolute path. Default: the login folder.
    #[must_use]
    pub fn chdir(mut self, path: impl Into<String>) -> Self {
        self.chdir = Some(path.into());
        self
    }

    /// An environment variable; not for secrets, which belong on [`Command::stdin`].
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// What it reads on its standard input. Default: nothing.
    #[must_use]
    pub fn stdin(mut self, content: Content) -> Self {
        self.stdin = Some(content);
        self
    }

    /// How long it may take. Default: the run's command timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// It may take long, at most `timeout`: its output is followed, and it survives a lost connection.
    #[must_use]
    pub fn long(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self.long = true;
        self
    }

    /// What it touches. Default: everything, so that all is asked again.
    #[must_use]
    pub fn touching(mut self, touches: impl IntoIterator<Item = Touch>) -> Self {
        self.touches = Some(touches.into_iter().collect());
        self
    }

    fn guard_script(&self, script: &str) -> String {
        match &self.chdir {
            // A folder that is not there yet says that the guard does not hold.
            Some(folder) => format!("cd -- {} 2>/dev/null || exit 1\n{script}", quote(folder)),
            None => script.to_owned(),
        }
    }
}

impl Resource for Command {
    fn kind(&self) -> &'static str {
        "command"
    }

    fn questions(&self) -> Vec<Question> {
        self.guards
            .iter()
            .map(|guard| match guard {
                Guard::Creates(path) | Guard::Removes(path) => FileAsk::new(path.as_str()).question(),
                Guard::Unless(script) | Guard::OnlyIf(script) => AskCommand(self.guard_script(script)).question(),
            })
            .collect()
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        for guard in &self.guards {
            let done = match guard {
                Guard::Creates(path) => exists(answers, path)?.then(|| format!("{path} is there")),
                Guard::Removes(path) => (!exists(answers, path)?).then(|| format!("{path} is not there")),
                Guard::Unless(script) => self.holds(answers, script)?.then(|| format!("`{script}` holds")),
                Guard::OnlyIf(script) => (!self.holds(answers, script)?).then(|| format!("`{script}` does not hold")),
            };
            if let Some(reason) = done {
                return settle(answers, &self.questions(), Ok(Decision::nothing(reason)));
            }
        }
        let mut script = String::new();
        if let Some(folder) = &self.chdir {
            absolute(folder)?;
            script.push_str(&format!("cd -- {} || exit\n", quote(folder)));
        }
        for (name, value) in &self.env {
            script.push_str(&format!("{name}={}; export {name}\n", quote(value)));
        }
        script.push_str(&self.script);
        let mut shell = Shell::new(self.summary.as_str(), script);
        shell.timeout = self.timeout;
        shell.long = self.long;
        if let Some(content) = &self.stdin {
            shell = shell.reading(content.clone());
        }
        let mut change = Change::new(format!("run {}", self.summary)).step(shell);
        if let Some(touches) = &self.touches {
            change.touches.clone_from(touches);
        }
        Ok(change.into())
    }
}

impl Command {
    fn holds(&self, answers: &Answers, script: &str) -> Result<bool, DecideError> {
        Ok(answers.get(&AskCommand(self.guard_script(script)))?.status == 0)
    }
}

fn exists(answers: &Answers, path: &str) -> Result<bool, DecideError> {
    let state = answers.get(&FileAsk::new(path))?;
    Ok(!matches!(state, FileState::Absent { .. } | FileState::Blocked { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_nothing, expect_unknown};

    #[test]
    fn without_a_guard_it_is_always_a_change_that_touches_everything() {
        let change = expect_change(&Command::argv(["echo", "it's"]), &Answers::new());
        assert_eq!(t::scripts(&change), "echo 'it'\\''s'");
        assert_eq!(change.touches, [Touch::Everything]);
    }

    #[test]
    fn guards_say_when_it_is_done() {
        let command = Command::new("make").creates("/opt/x").unless("test -e y").chdir("/opt");
        let absent = t::file_absent(Answers::new(), "/opt/x");
        let guard = "cd -- /opt 2>/dev/null || exit 1\ntest -e y";
        let change = expect_change(&command, &t::command(absent.clone(), guard, 1, ""));
        assert_eq!(t::scripts(&change), "cd -- /opt || exit\nmake");
        assert_eq!(
            expect_nothing(&command, &t::command(absent, guard, 0, "")),
            "`test -e y` holds"
        );
        let there = t::command(
            t::directory(Answers::new(), "/opt/x", 0o755, "root", "root"),
            guard,
            1,
            "",
        );
        assert_eq!(expect_nothing(&command, &there), "/opt/x is there");
    }

    #[test]
    fn in_check_mode_a_guard_that_may_change_is_not_known() {
        let command = Command::new("x").only_if("command -v docker");
        let answers = t::command(Answers::new(), "command -v docker", 1, "");
        let pending = answers.with_pending("install docker", vec![Touch::Everything]);
        expect_unknown(&command, &pending);
    }

    #[test]
    fn a_secret_on_standard_input_is_not_shown() {
        let command = Command::new("chpasswd")
            .stdin(Content::sensitive("root:s3cret"))
            .env("A", "b c");
        let change = expect_change(&command, &Answers::new());
        assert!(!format!("{change:?}{command:?}").contains("s3cret"));
        assert_eq!(t::scripts(&change), "A='b c'; export A\nchpasswd");
    }
}
