//! Kernel settings: in force now, and in a file that sets them at each boot.
//!
//! ```
//! use mosip_prov_resources::Sysctl;
//!
//! let settings = Sysctl::in_file("/etc/sysctl.d/99-kubernetes.conf")
//!     .set("net.ipv4.ip_forward", "1")
//!     .set("net.ipv4.ip_local_port_range", "1024 65535");
//! ```
//!
//! In the file, a line that sets a key is corrected where it stands and further lines for that key go; all other lines
//! stay, so that a file that Ansible's `sysctl` module wrote is taken over. Values are compared word by word. Keys that
//! the kernel does not have are named together in one error.

use crate::line::{Edit, split_lines};
use crate::probe::sysctl::{AskSysctl, normal, path};
use crate::settle::settle;
use indexmap::IndexMap;
use mosip_prov_engine::shell::{quote, quote_all};
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};

/// Kernel settings, live and in a file.
#[derive(Debug, Clone)]
pub struct Sysctl {
    file: String,
    values: IndexMap<String, String>,
}

impl Sysctl {
    /// Settings kept in `file`, an absolute path, made (0644, root) when it is missing.
    pub fn in_file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            values: IndexMap::new(),
        }
    }

    /// The setting `name` (`net.ipv4.ip_forward`) has this value, several numbers with blanks between them. Named
    /// twice, the last value counts.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl AsRef<str>) -> Self {
        self.values.insert(name.into(), normal(value.as_ref()));
        self
    }

    /// The same for several.
    #[must_use]
    pub fn set_all<N: Into<String>, V: AsRef<str>>(self, values: impl IntoIterator<Item = (N, V)>) -> Self {
        values
            .into_iter()
            .fold(self, |made, (name, value)| made.set(name, value))
    }

    fn asks(&self) -> impl Iterator<Item = (AskSysctl, &str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (AskSysctl(name.clone()), name.as_str(), value.as_str()))
    }

    fn edit(&self, text: &str) -> String {
        let mut missing: Vec<(String, &str, &str)> =
            self.asks().map(|(_, name, value)| (path(name), name, value)).collect();
        let mut lines = split_lines(text);
        lines.retain_mut(|line| {
            let Some((name, present)) = assignment(line) else {
                return true;
            };
            let of_line = path(name);
            if let Some(at) = missing.iter().position(|(path, ..)| *path == of_line) {
                let (_, name, value) = missing.remove(at);
                if normal(present) != value {
                    *line = format!("{name} = {value}\n");
                }
                return true;
            }
            // Said above already.
            !self.values.keys().any(|name| path(name) == of_line)
        });
        if let Some(last) = lines
            .last_mut()
            .filter(|line| !line.ends_with('\n') && !missing.is_empty())
        {
            last.push('\n');
        }
        lines.extend(missing.iter().map(|(_, name, value)| format!("{name} = {value}\n")));
        lines.concat()
    }

    fn decide_now(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let mut missing = Vec::new();
        let mut different = Vec::new();
        for (ask, name, value) in self.asks() {
            check(name)?;
            match answers.get(&ask)? {
                Some(present) if present == value => {}
                Some(present) => different.push((name, value, Shown::text(present))),
                // In check mode the module that brings it is not loaded.
                None if answers.pending_for(&ask.question()).is_some() => different.push((name, value, Shown::Absent)),
                None => missing.push(name),
            }
        }
        if !missing.is_empty() {
            return Err(DecideError::impossible_help(
                format!("the kernel has no setting {}", missing.join(", ")),
                "correct the names, take them out, or load the module that brings them (net.bridge.* comes with \
                 br_netfilter, net.netfilter.nf_conntrack_* with nf_conntrack)",
            ));
        }
        let edit = Edit {
            path: &self.file,
            create: Some(0o644),
            present: true,
            validate: None,
            what: "the kernel settings",
        };
        let file = match edit.decide(answers, |text| Ok(self.edit(text)))? {
            Decision::Change(change) => Some(change),
            Decision::Nothing { .. } => None,
            other => return Ok(other),
        };
        if different.is_empty() && file.is_none() {
            let count = self.values.len();
            return Ok(Decision::nothing(format!(
                "{count} kernel settings are in force and in {}",
                self.file
            )));
        }
        let mut change = Change::new(match (different.len(), &file) {
            (0, _) => format!("write kernel settings into {}", self.file),
            (n, None) => format!("set {n} kernel settings"),
            (n, Some(_)) => format!("set {n} kernel settings and write them into {}", self.file),
        });
        let mut touches: Vec<Touch> = Vec::new();
        if !different.is_empty() {
            let names: Vec<&str> = different.iter().map(|(name, ..)| *name).collect();
            let summary = format!("sysctl -w {}", names.join(" "));
            change = change.step(Shell::new(summary, script(&different)));
            touches.extend(names.iter().map(|name| Touch::Thing("sysctl", path(name))));
        }
        for (name, value, before) in different {
            change = change.differs(format!("kernel setting {name}"), before, Shown::text(value));
        }
        if let Some(file) = file {
            change.differences.extend(file.differences);
            change.steps.extend(file.steps);
            touches.extend(file.touches);
        }
        Ok(change.touching(touches).into())
    }
}

/// `NAME = VALUE` of a line of sysctl.d(5), without the dash that says to ignore a failure.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return None;
    }
    let (name, value) = line.split_once('=')?;
    Some((name.trim().trim_start_matches('-').trim(), value.trim()))
}

fn check(name: &str) -> Result<(), DecideError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | ':' | '@');
    let parts = path(name);
    let whole = parts.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
    if whole && name.chars().all(plain) && !name.starts_with('-') {
        return Ok(());
    }
    Err(DecideError::impossible_help(
        format!("{name:?} is no name of a kernel setting"),
        "names look like net.ipv4.ip_forward",
    ))
}

/// Sets them, and proves that the kernel has taken each as it was given: it clamps some, and refuses others.
fn script(settings: &[(&str, &str, Shown)]) -> String {
    let mut script = "set_to() { printf '%s\\n' \"$2\" >\"$1\"; }\n".to_owned();
    for (name, value, _) in settings {
        script.push_str(&format!("set_to {} {}\n", quote(&path(name)), quote(value)));
    }
    script.push_str(
        "s=0
check() {
  v=$(cat -- \"$2\" | tr -s '[:blank:]' ' ') || v='not to be read'
  v=${v% }
  [ \"$v\" = \"$3\" ] || { echo \"the kernel did not take $1 = $3: it is $v\" >&2; s=1; }
}
",
    );
    for (name, value, _) in settings {
        script.push_str(&format!("check {}\n", quote_all([*name, &path(name), value])));
    }
    script.push_str("exit $s\n");
    script
}

impl Resource for Sysctl {
    fn kind(&self) -> &'static str {
        "sysctl"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions: Vec<Question> = self.asks().map(|(ask, ..)| ask.question()).collect();
        questions.push(Edit::ask(&self.file).question());
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        settle(answers, &self.questions(), self.decide_now(answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_error, expect_nothing, sh_available};
    use mosip_prov_engine::Step;

    const FILE: &str = "/etc/sysctl.d/99-kubernetes.conf";

    fn settings() -> Sysctl {
        Sysctl::in_file(FILE)
            .set("net.ipv4.ip_local_port_range", "1024   65535")
            .set("vm.swappiness", "0")
    }

    fn live(range: &str, swappiness: &str) -> Answers {
        let answers = t::sysctl(Answers::new(), "net.ipv4.ip_local_port_range", Some(range));
        t::sysctl(answers, "vm.swappiness", Some(swappiness))
    }

    fn with_file(answers: Answers, text: &str) -> Answers {
        t::file(answers, FILE, 0o644, "root", "root", text)
    }

    fn written(change: &Change) -> Option<String> {
        change.steps.iter().find_map(|step| match step {
            Step::WriteFiles(write) => Some(String::from_utf8_lossy(write.files[0].content.bytes()).into_owned()),
            _ => None,
        })
    }

    #[test]
    fn live_value_and_file_are_both_made_right() {
        const RIGHT: &str = "net.ipv4.ip_local_port_range = 1024 65535\nvm.swappiness = 0\n";
        assert_eq!(
            expect_nothing(&settings(), &with_file(live("1024\t65535", "0"), RIGHT)),
            format!("2 kernel settings are in force and in {FILE}")
        );
        // Only the file.
        let change = expect_change(&settings(), &t::file_absent(live("1024 65535", "0"), FILE));
        assert_eq!(written(&change).as_deref(), Some(RIGHT));
        assert_eq!(t::scripts(&change), "");
        assert_eq!(change.touches, [Touch::Path(FILE.into())]);
        // Only the value: a 0 that is there is a value like others.
        let change = expect_change(&settings(), &with_file(live("1024 65535", "60"), RIGHT));
        assert_eq!(written(&change), None);
        assert!(t::scripts(&change).contains("set_to /proc/sys/vm/swappiness 0\n"));
        assert_eq!(
            change.touches,
            [Touch::Thing("sysctl", "/proc/sys/vm/swappiness".into())]
        );
        assert_eq!(change.differences[0].before, Shown::text("60"));
        // Both.
        let change = expect_change(&settings(), &t::file_absent(live("1 2", "60"), FILE));
        assert_eq!(
            change.summary,
            format!("set 2 kernel settings and write them into {FILE}")
        );
    }

    #[test]
    fn a_file_by_ansible_is_taken_over() {
        let by_ansible = "net.ipv4.ip_local_port_range=1024 65535\nvm.swappiness=0\n";
        expect_nothing(&settings(), &with_file(live("1024 65535", "0"), by_ansible));
        assert_eq!(
            settings()
                .edit("# mine\nvm/swappiness=10\nkernel.panic = 1\n-vm.swappiness = 20\n; x=1\nnet.core.somaxconn=5"),
            "# mine\nvm.swappiness = 0\nkernel.panic = 1\n; x=1\nnet.core.somaxconn=5\nnet.ipv4.ip_local_port_range = 1024 65535\n"
        );
        for text in ["", "vm.swappiness=1", "a\n\nvm.swappiness=0\nvm.swappiness=0\n"] {
            let once = settings().edit(text);
            assert_eq!(settings().edit(&once), once);
        }
    }

    #[test]
    fn all_missing_keys_are_named_in_one_error() {
        let wanted = settings().set("net.core.nope", "1").set("net.bridge.nope", "1");
        let answers = t::sysctl(live("1024 65535", "0"), "net.core.nope", None);
        let answers = t::file_absent(t::sysctl(answers, "net.bridge.nope", None), FILE);
        let error = expect_error(&wanted, &answers);
        assert!(
            error.starts_with("the kernel has no setting net.core.nope, net.bridge.nope;"),
            "{error}"
        );
        assert!(error.contains("br_netfilter"));
        // A module that would bring them was not loaded: check mode shows them as they will be.
        let pending = answers.with_pending("load br_netfilter", vec![Touch::Kind("kernel-module")]);
        assert_eq!(expect_change(&wanted, &pending).differences[0].before, Shown::Absent);
    }

    #[test]
    fn names_that_would_leave_proc_are_refused() {
        for name in ["../../etc/passwd", "a//b", "", "a b", "-x.y", "net/../x"] {
            let settings = Sysctl::in_file(FILE).set(name, "1");
            let answers = t::file_absent(t::sysctl(Answers::new(), name, Some("1")), FILE);
            assert!(expect_error(&settings, &answers).contains("is no name"), "{name}");
        }
    }

    #[test]
    fn the_script_says_what_the_kernel_did_not_take() {
        let folder = tempfile::tempdir().expect("folder");
        for shell in sh_available() {
            let run = |value: &str| {
                let script = script(&[("x.y", value, Shown::Absent)]);
                let file = folder.path().join("y");
                let script = script.replace("/proc/sys/x/y", file.to_str().expect("text"));
                std::process::Command::new(shell[0])
                    .args(&shell[1..])
                    .args(["-c", &script])
                    .output()
                    .expect("starts")
            };
            assert!(run("1024 65535").status.success(), "{shell:?}");
            // What is read back differs from what was given.
            let other = run("1  2");
            assert!(!other.status.success(), "{shell:?}");
            assert_eq!(
                String::from_utf8_lossy(&other.stderr),
                "the kernel did not take x.y = 1  2: it is 1 2\n",
                "{shell:?}"
            );
        }
    }
}
