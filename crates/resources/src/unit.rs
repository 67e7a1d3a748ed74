//! A systemd unit: running or stopped, enabled or disabled or masked; and the two acts that handlers need.
//!
//! ```
//! use mosip_prov_resources::{Task, Unit};
//!
//! let task = Task::new("run nginx", Unit::new("nginx").running().enabled()).notify("restart nginx");
//! let handler = Task::new("restart nginx", Unit::restarted("nginx"));
//! ```
//!
//! A unit file that changed is read again first (`daemon-reload`), once, whenever systemd says that it must. After a
//! start or restart the unit must still be active a moment later; when it is not, the task fails with its status and
//! last lines of the journal.

use crate::probe::unit::{AskUnit, UnitState, full_name};
use crate::settle::settle;
use mosip_prov_engine::shell::quote;
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};

/// A systemd unit.
#[derive(Debug, Clone)]
pub struct Unit {
    name: String,
    running: Option<bool>,
    enablement: Option<Enablement>,
    act: Option<Act>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enablement {
    Enabled,
    Disabled,
    Masked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Restart,
    Reload,
}

impl Unit {
    /// The unit `name`; `.service` may be left out. Without more said it must merely exist.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self {
            name: full_name(name.as_ref()),
            running: None,
            enablement: None,
            act: None,
        }
    }

    /// Restarts the unit, always: meant for handlers. A unit that is stopped is started.
    pub fn restarted(name: impl AsRef<str>) -> Self {
        Self {
            act: Some(Act::Restart),
            ..Self::new(name)
        }
    }

    /// Has the unit read its configuration again, always (restarts it when it cannot): meant for handlers. A unit
    /// that is stopped is started.
    pub fn reloaded(name: impl AsRef<str>) -> Self {
        Self {
            act: Some(Act::Reload),
            ..Self::new(name)
        }
    }

    /// It runs.
    #[must_use]
    pub fn running(mut self) -> Self {
        self.running = Some(true);
        self
    }

    /// It does not run.
    #[must_use]
    pub fn stopped(mut self) -> Self {
        self.running = Some(false);
        self
    }

    /// It starts with the machine.
    #[must_use]
    pub fn enabled(mut self) -> Self {
        self.enablement = Some(Enablement::Enabled);
        self
    }

    /// It does not start with the machine.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enablement = Some(Enablement::Disabled);
        self
    }

    /// It cannot be started by anything.
    #[must_use]
    pub fn masked(mut self) -> Self {
        self.enablement = Some(Enablement::Masked);
        self
    }

    fn ask(&self) -> AskUnit {
        AskUnit(self.name.clone())
    }
}

impl Resource for Unit {
    fn kind(&self) -> &'static str {
        "unit"
    }

    /// A service that does not come up tells of what was changed before.
    fn judges(&self) -> bool {
        true
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let state = answers.get(&self.ask())?;
        let name = &self.name;
        if !state.exists() {
            let unwanted = self.running != Some(true) && self.act.is_none();
            if unwanted && matches!(self.enablement, Some(Enablement::Disabled) | None) && self.running.is_some() {
                let nothing = Ok(Decision::nothing(format!(
                    "there is no unit {name}, so it does not run"
                )));
                return settle(answers, &self.questions(), nothing);
            }
            if answers.pending_for(&self.ask().question()).is_some() {
                return Ok(Decision::unknown(format!(
                    "unit {name} comes with a package that is not installed yet"
                )));
            }
            return Err(DecideError::impossible_help(
                format!("there is no unit {name}"),
                "install the package that brings it, or correct the name",
            ));
        }
        settle(answers, &self.questions(), self.decide_existing(&state))
    }
}

impl Unit {
    fn decide_existing(&self, state: &UnitState) -> Result<Decision, DecideError> {
        let name = &self.name;
        let word = quote(name);
        let mut todo: Vec<String> = Vec::new();
        let mut script: Vec<String> = Vec::new();
        let mut change = Change::new("");
        let starts = self.act.is_some() || (self.running == Some(true) && !state.is_active());
        if state.is_masked() && (starts || self.enablement == Some(Enablement::Enabled)) {
            if self.enablement != Some(Enablement::Enabled) {
                return Err(DecideError::impossible_help(
                    format!("unit {name} is masked and cannot be started"),
                    format!("if that is not intended, systemctl unmask {name}"),
                ));
            }
            script.push(format!("systemctl unmask -- {word}"));
        } else if !matches!(state.load.as_str(), "loaded" | "masked") && starts {
            return Err(DecideError::impossible_help(
                format!("unit {name} cannot be loaded ({})", state.load),
                format!("systemctl status {name} says what is wrong with its file"),
            ));
        }
        if state.needs_daemon_reload {
            script.insert(0, "systemctl daemon-reload".into());
        }
        let of_boot = format!("start of {name} with the machine");
        let file = if state.file.is_empty() {
            "no unit file"
        } else {
            state.file.as_str()
        };
        match self.enablement {
            Some(Enablement::Enabled) if !is_enabled(&state.file) => {
                todo.push("enable".into());
                script.push(format!("systemctl enable -q -- {word}"));
                change = change.differs(of_boot, Shown::text(file), Shown::text("enabled"));
            }
            Some(Enablement::Disabled) if matches!(state.file.as_str(), "enabled" | "enabled-runtime" | "linked") => {
                todo.push("disable".into());
                script.push(format!("systemctl disable -q -- {word}"));
                change = change.differs(of_boot, Shown::text(file), Shown::text("disabled"));
            }
            Some(Enablement::Masked) if !state.is_masked() => {
                todo.push("mask".into());
                script.push(format!("systemctl mask -q -- {word}"));
                change = change.differs(of_boot, Shown::text(file), Shown::text("masked"));
            }
            _ => {}
        }
        let of_state = format!("state of {name}");
        let shown = |text: &str| Shown::text(text);
        let act = match (self.act, self.running) {
            (Some(Act::Restart), _) => Some(("restart", "restart", "restarted")),
            (Some(Act::Reload), _) if state.is_active() => Some(("reload", "reload-or-restart", "reloaded")),
            (Some(Act::Reload), _) => Some(("start", "start", "active")),
            (None, Some(true)) if !state.is_active() => Some(("start", "start", "active")),
            (None, Some(false)) if is_up(state) => Some(("stop", "stop", "inactive")),
            _ => None,
        };
        if let Some((verb, command, after)) = act {
            todo.push(verb.into());
            change = change.differs(of_state, shown(&state.active), shown(after));
            if verb == "stop" {
                script.push(format!("systemctl stop -- {word}"));
            } else {
                script.push(bring_up(command, name));
            }
        }
        if todo.is_empty() {
            return Ok(Decision::nothing(format!("{name} is {} and {file}", state.active)));
        }
        change.summary = format!("{} {name}", todo.join(" and "));
        let mut touches = vec![Touch::Thing("unit", name.clone()), Touch::Kind("port")];
        if script.first().is_some_and(|line| line == "systemctl daemon-reload") {
            touches.push(Touch::Kind("unit"));
        }
        // A service may write files, open ports, stop others: only enabling touches nothing else.
        if act.is_some() {
            touches = vec![Touch::Kind("unit"), Touch::Kind("port"), Touch::Kind("command")];
        }
        let summary = format!("systemctl {} {name}", todo.join(", "));
        Ok(change
            .step(Shell::new(summary, script.join(" || exit\n")))
            .touching(touches)
            .into())
    }
}

fn is_enabled(file: &str) -> bool {
    // static, indirect, generated and alias cannot be enabled by themselves and are no mistake: systemctl(1).
    matches!(
        file,
        "enabled" | "static" | "alias" | "indirect" | "generated" | "transient"
    )
}

fn is_up(state: &UnitState) -> bool {
    state.is_active() || matches!(state.active.as_str(), "activating" | "deactivating")
}

/// Starts the unit and proves that it stays up; says why when it does not. That it failed often in short time, as it does
/// on a bad configuration, does not count: systemd would refuse it on the good one that was put back, too.
fn bring_up(command: &str, name: &str) -> String {
    let word = quote(name);
    format!(
        "tell() {{
  echo \"$1\" >&2
  systemctl status --no-pager --full --lines=0 -- {word} >&2
  if command -v journalctl >/dev/null; then journalctl --no-pager -q -o cat -n 20 -u {word} >&2; fi
  exit 1
}}
systemctl reset-failed -- {word} 2>/dev/null
systemctl {command} -- {word} || tell 'systemctl {command} failed for '{word}
sleep 0.5 2>/dev/null || sleep 1
a=$(systemctl is-active -- {word})
case $a in active|activating|reloading|refreshing) ;;
  inactive) t=$(systemctl show -p Type --value -- {word})
    [ \"$t\" = oneshot ] || tell {word}' did not stay up' ;;
  *) tell {word}\" is $a after systemctl {command}\" ;;
esac"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self as t, expect_change, expect_error, expect_nothing, expect_unknown};

    fn nginx() -> Unit {
        Unit::new("nginx").running().enabled()
    }

    #[test]
    fn a_running_and_enabled_unit_is_left_alone() {
        let answers = t::unit(Answers::new(), "nginx", "active", "enabled");
        assert_eq!(
            expect_nothing(&nginx(), &answers),
            "nginx.service is active and enabled"
        );
        let answers = t::unit(Answers::new(), "nginx", "active", "static");
        expect_nothing(&nginx(), &answers);
    }

    #[test]
    fn what_is_missing_is_done_and_nothing_else() {
        let answers = t::unit(Answers::new(), "nginx", "active", "disabled");
        let change = expect_change(&nginx(), &answers);
        assert_eq!(change.summary, "enable nginx.service");
        assert_eq!(t::scripts(&change), "systemctl enable -q -- nginx.service");
        let answers = t::unit(Answers::new(), "nginx", "failed", "enabled");
        let change = expect_change(&nginx(), &answers);
        assert_eq!(change.summary, "start nginx.service");
        let script = t::scripts(&change);
        let forgiven = script.find("systemctl reset-failed -- nginx.service");
        assert!(
            forgiven.is_some() && forgiven < script.find("systemctl start -- nginx.service"),
            "{script}"
        );
    }

    #[test]
    fn a_changed_unit_file_is_read_again_first() {
        let raw = "LoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=enabled\nNeedDaemonReload=yes";
        let script = t::scripts(&expect_change(&nginx(), &t::unit_raw(Answers::new(), "nginx", raw)));
        assert!(script.starts_with("systemctl daemon-reload || exit\n"), "{script}");
        assert_eq!(script.matches("daemon-reload").count(), 1);
    }

    #[test]
    fn handlers_always_act() {
        let answers = t::unit(Answers::new(), "nginx", "active", "enabled");
        assert_eq!(
            expect_change(&Unit::restarted("nginx"), &answers).summary,
            "restart nginx.service"
        );
        assert!(t::scripts(&expect_change(&Unit::reloaded("nginx"), &answers)).contains("systemctl reload-or-restart"));
        let answers = t::unit(Answers::new(), "nginx", "inactive", "enabled");
        assert_eq!(
            expect_change(&Unit::reloaded("nginx"), &answers).summary,
            "start nginx.service"
        );
    }

    #[test]
    fn a_unit_that_is_not_there() {
        let answers = t::unit_absent(Answers::new(), "nginx");
        assert!(expect_error(&nginx(), &answers).contains("there is no unit nginx.service"));
        expect_nothing(&Unit::new("nginx").stopped().disabled(), &answers);
        let pending = answers.with_pending("install nginx", vec![Touch::Everything]);
        assert_eq!(
            expect_unknown(&nginx(), &pending),
            "unit nginx.service comes with a package that is not installed yet"
        );
    }

    #[test]
    fn stopping_and_masking() {
        let answers = t::unit(Answers::new(), "apache2", "active", "enabled");
        let change = expect_change(&Unit::new("apache2").stopped().disabled(), &answers);
        assert_eq!(change.summary, "disable and stop apache2.service");
        let raw = "LoadState=masked\nActiveState=inactive\nSubState=dead\nUnitFileState=masked\nNeedDaemonReload=no";
        let masked = t::unit_raw(Answers::new(), "apache2", raw);
        expect_nothing(&Unit::new("apache2").stopped().masked(), &masked);
        assert!(expect_error(&Unit::new("apache2").running(), &masked).contains("masked"));
        let change = expect_change(&Unit::new("apache2").running().enabled(), &masked);
        assert!(t::scripts(&change).starts_with("systemctl unmask"));
    }
}
