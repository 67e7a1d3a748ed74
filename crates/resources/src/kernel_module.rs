//! Kernel modules: at work now, and listed in `/etc/modules` so that they come with each boot.
//!
//! ```
//! use mosip_prov_resources::KernelModules;
//!
//! let modules = KernelModules::loaded(["br_netfilter", "overlay"])
//!     .proof("br_netfilter", "/proc/sys/net/bridge")
//!     .proof("overlay", "overlay");
//! ```
//!
//! A module that is built into the kernel counts: it is found in `/sys/module` or `modules.builtin`. Where a proof is
//! named, it alone decides: a path that is there, or a file system that the kernel knows, when the module is at work.

use crate::line::{Edit, split_lines};
use crate::probe::kernel_module::AskKernelModule;
use crate::settle::settle;
use indexmap::IndexMap;
use mosip_prov_engine::shell::quote_all;
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};

const LIST: &str = "/etc/modules";

/// Kernel modules that are at work, now and after each boot.
#[derive(Debug, Clone)]
pub struct KernelModules {
    modules: IndexMap<String, Option<String>>,
}

impl KernelModules {
    /// These modules, named as `modprobe` has them.
    pub fn loaded<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self {
            modules: names.into_iter().map(|name| (name.into(), None)).collect(),
        }
    }

    /// What is there when the module `name` is at work: an absolute path, or the name of a file system. Default: it
    /// is looked for among the modules alone.
    #[must_use]
    pub fn proof(mut self, name: impl Into<String>, proof: impl Into<String>) -> Self {
        self.modules.insert(name.into(), Some(proof.into()));
        self
    }

    fn ask(&self, name: &str) -> AskKernelModule {
        AskKernelModule {
            name: name.to_owned(),
            proof: self.modules.get(name).cloned().flatten(),
        }
    }

    fn edit(&self, text: &str) -> String {
        let mut lines = split_lines(text);
        for name in self.modules.keys() {
            let is_it = |line: &String| line.split_whitespace().next().is_some_and(|word| same(word, name));
            if lines.iter().any(is_it) {
                continue;
            }
            if let Some(last) = lines.last_mut().filter(|line| !line.ends_with('\n')) {
                last.push('\n');
            }
            lines.push(format!("{name}\n"));
        }
        lines.concat()
    }

    fn decide_now(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let mut to_load = Vec::new();
        let mut reasons = Vec::new();
        let mut impossible = Vec::new();
        for name in self.modules.keys() {
            if name.is_empty()
                || !name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
            {
                return Err(DecideError::impossible(format!(
                    "{name:?} is no name of a kernel module"
                )));
            }
            let ask = self.ask(name);
            let state = answers.get(&ask)?;
            let there = state.loaded || state.builtin;
            match ask.proof {
                _ if state.is_present() => reasons.push(match state {
                    _ if state.builtin => format!("{name} is built in"),
                    _ => format!("{name} is loaded"),
                }),
                Some(proof) if there => {
                    impossible.push(format!(
                        "{name} is in the kernel, but what it brings is not there: {proof}"
                    ));
                }
                _ if state.loadable => to_load.push(name.as_str()),
                _ => impossible.push(format!(
                    "{name} is not built into this kernel, which cannot load modules"
                )),
            }
        }
        if !impossible.is_empty() {
            return Err(DecideError::impossible_help(
                impossible.join("; "),
                "boot a kernel that has it, such as the distribution's own",
            ));
        }
        let edit = Edit {
            path: LIST,
            create: Some(0o644),
            present: true,
            validate: None,
            what: "the modules",
        };
        let list = match edit.decide(answers, |text| Ok(self.edit(text)))? {
            Decision::Change(change) => Some(change),
            Decision::Nothing { .. } => None,
            other => return Ok(other),
        };
        if to_load.is_empty() && list.is_none() {
            return Ok(Decision::nothing(format!(
                "{}, and listed in {LIST}",
                reasons.join(", ")
            )));
        }
        let mut change = Change::new(match (to_load.is_empty(), &list) {
            (true, _) => format!("list kernel modules in {LIST}"),
            (false, None) => format!("load {}", to_load.join(", ")),
            (false, Some(_)) => format!("load {} and list them in {LIST}", to_load.join(", ")),
        });
        let mut touches = Vec::new();
        if !to_load.is_empty() {
            for name in &to_load {
                change = change.differs(format!("kernel module {name}"), Shown::Absent, Shown::text("loaded"));
            }
            let words = quote_all(to_load.iter().copied());
            change = change.step(Shell::new(
                format!("modprobe {}", to_load.join(" ")),
                format!(
                    "command -v modprobe >/dev/null || {{ echo 'there is no modprobe; install kmod' >&2; exit 1; }}
for m in {words}; do modprobe -- \"$m\" || exit; done"
                ),
            ));
            touches.extend([
                Touch::Kind("kernel-module"),
                Touch::Path("/proc/sys".into()),
                Touch::Path("/sys/module".into()),
            ]);
        }
        if let Some(list) = list {
            change.differences.extend(list.differences);
            change.steps.extend(list.steps);
            touches.extend(list.touches);
        }
        Ok(change.touching(touches).into())
    }
}

/// In names of modules `-` and `_` are the same.
fn same(one: &str, other: &str) -> bool {
    one.replace('-', "_") == other.replace('-', "_")
}

impl Resource for KernelModules {
    fn kind(&self) -> &'static str {
        "kernel_module"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions: Vec<Question> = self.modules.keys().map(|name| self.ask(name).question()).collect();
        questions.push(Edit::ask(LIST).question());
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        settle(answers, &self.questions(), self.decide_now(answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_error, expect_nothing};

    fn wanted() -> KernelModules {
        KernelModules::loaded(["br_netfilter", "overlay"]).proof("br_netfilter", "/proc/sys/net/bridge")
    }

    fn host(bridge: &str, overlay: &str, list: &str) -> Answers {
        let answers = t::kernel_module(Answers::new(), "br_netfilter", Some("/proc/sys/net/bridge"), bridge);
        let answers = t::kernel_module(answers, "overlay", None, overlay);
        t::file(answers, LIST, 0o644, "root", "root", list)
    }

    #[test]
    fn built_in_and_loaded_both_count() {
        const LISTED: &str = "# comment\nbr-netfilter\noverlay\n";
        assert_eq!(
            expect_nothing(&wanted(), &host("builtin proof", "modules loaded", LISTED)),
            "br_netfilter is built in, overlay is loaded, and listed in /etc/modules"
        );
        // Nothing but the proof is known of it.
        expect_nothing(&wanted(), &host("proof", "builtin", LISTED));
    }

    #[test]
    fn missing_ones_are_loaded_and_listed() {
        let change = expect_change(&wanted(), &host("modules no-proof", "modules", "#overlay\nloop"));
        assert_eq!(
            change.summary,
            "load br_netfilter, overlay and list them in /etc/modules"
        );
        assert!(t::scripts(&change).contains("for m in br_netfilter overlay; do"));
        assert!(change.touches.contains(&Touch::Kind("kernel-module")));
        assert_eq!(
            wanted().edit("#overlay\nloop"),
            "#overlay\nloop\nbr_netfilter\noverlay\n"
        );
        let change = expect_change(&wanted(), &host("builtin proof", "builtin", "overlay\n"));
        assert_eq!(t::scripts(&change), "");
        assert_eq!(change.touches, [Touch::Path(LIST.into())]);
    }

    #[test]
    fn a_kernel_without_modules_is_an_error_only_where_one_is_missing() {
        let error = expect_error(&wanted(), &host("no-proof", "", ""));
        assert!(error.contains("br_netfilter is not built into this kernel"), "{error}");
        assert!(error.contains("overlay is not built into this kernel"), "{error}");
        let error = expect_error(&wanted(), &host("modules loaded no-proof", "builtin", ""));
        assert!(
            error.contains("what it brings is not there: /proc/sys/net/bridge"),
            "{error}"
        );
    }

    #[test]
    fn names_are_checked() {
        let wanted = KernelModules::loaded(["a; b"]);
        let answers = t::kernel_module(Answers::new(), "a; b", None, "");
        expect_error(&wanted, &t::file_absent(answers, LIST));
    }
}
