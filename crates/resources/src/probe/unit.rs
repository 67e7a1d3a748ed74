//! systemd units: all in one `systemctl show`. An answer is the unit's `Property=value` lines; a unit that does not
//! exist answers `LoadState=not-found`.

use super::{all_failed, shorten, whole_frames};
use mosip_prov_engine::shell::{frame, quote, split_frames};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};

/// How a unit stands. The words are systemd's own: systemctl(1), `show`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitState {
    /// `loaded`, `not-found`, `masked`, `error`, `bad-setting`.
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating`, …
    pub active: String,
    /// `running`, `dead`, `exited`, …
    pub sub: String,
    /// `enabled`, `disabled`, `static`, `masked`, …; empty when the unit has no file.
    pub file: String,
    /// Its file has changed since systemd read it.
    pub needs_daemon_reload: bool,
}

impl UnitState {
    /// Whether there is such a unit at all.
    pub fn exists(&self) -> bool {
        self.load != "not-found"
    }

    /// Whether it runs, or is a finished one-shot that remains active.
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }

    /// Whether it is masked.
    pub fn is_masked(&self) -> bool {
        self.load == "masked" || self.file.starts_with("masked")
    }
}

/// Asks how a unit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskUnit(
    /// Its full name: `nginx.service`. See [`full_name`].
    pub String,
);

/// `name` with `.service` when it names no type.
pub fn full_name(name: &str) -> String {
    const TYPES: [&str; 11] = [
        "service",
        "socket",
        "device",
        "mount",
        "automount",
        "swap",
        "target",
        "path",
        "timer",
        "slice",
        "scope",
    ];
    match name.rsplit_once('.') {
        Some((_, suffix)) if TYPES.contains(&suffix) => name.to_owned(),
        _ => format!("{name}.service"),
    }
}

impl Ask for AskUnit {
    type Answer = UnitState;

    fn question(&self) -> Question {
        Question::new(&UnitProbe, self.0.as_str())
    }

    fn read(&self, raw: &str) -> Result<UnitState, String> {
        let mut state = UnitState::default();
        for line in raw.lines() {
            let (key, value) = line.split_once('=').ok_or_else(|| shorten(raw))?;
            match key {
                "LoadState" => state.load = value.into(),
                "ActiveState" => state.active = value.into(),
                "SubState" => state.sub = value.into(),
                "UnitFileState" => state.file = value.into(),
                "NeedDaemonReload" => state.needs_daemon_reload = value == "yes",
                _ => {}
            }
        }
        if state.load.is_empty() || state.active.is_empty() {
            return Err(format!("no state of a unit: {}", shorten(raw)));
        }
        Ok(state)
    }
}

/// The kind of question behind [`AskUnit`].
pub struct UnitProbe;

impl Probe for UnitProbe {
    fn name(&self) -> &'static str {
        "unit"
    }

    fn script(&self, subjects: &[&str]) -> String {
        let names: Vec<_> = subjects.iter().map(|s| quote(s)).collect();
        frame(&format!(
            "systemctl show --no-pager -p LoadState -p ActiveState -p SubState -p UnitFileState -p NeedDaemonReload -- {}",
            names.join(" ")
        ))
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        let output = whole_frames(output);
        let frame = match split_frames(&output) {
            Ok(frames) if frames.len() == 1 => frames[0].clone(),
            Ok(_) => return all_failed(subjects.len(), "no answer"),
            Err(reason) => return all_failed(subjects.len(), &reason),
        };
        if frame.status != 0 {
            return all_failed(
                subjects.len(),
                &format!("systemctl failed with status {}: {}", frame.status, shorten(frame.text)),
            );
        }
        let blocks: Vec<&str> = frame.text.split("\n\n").collect();
        if blocks.len() != subjects.len() {
            return all_failed(subjects.len(), &shorten(frame.text));
        }
        blocks.into_iter().map(|block| Ok(block.to_owned())).collect()
    }

    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        match touch {
            Touch::Kind(kind) => *kind == "unit",
            Touch::Thing(kind, name) => *kind == "unit" && name == subject,
            Touch::Path(path) => {
                [
                    "/etc/systemd",
                    "/run/systemd",
                    "/usr/lib/systemd",
                    "/lib/systemd",
                    "/usr/local/lib/systemd",
                    "/etc/init.d",
                ]
                .iter()
                .any(|folder| touch.concerns_path(folder) && path.as_str() != "/")
                    || path == "/"
            }
            Touch::Everything => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::frames;

    #[test]
    fn units_come_back_in_order_and_a_missing_one_is_an_answer() {
        let output = frames(&[(
            0,
            "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nNeedDaemonReload=no\n\n\
             LoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\nNeedDaemonReload=no",
        )]);
        let answers = UnitProbe.split(&output, &["ssh.service", "nginx.service"]);
        let read = |i: usize| {
            AskUnit("x".into())
                .read(answers[i].as_ref().expect("answer"))
                .expect("understood")
        };
        assert!(read(0).exists() && read(0).is_active());
        assert!(!read(1).exists() && !read(1).is_active());
    }

    #[test]
    fn a_machine_without_systemd_cannot_answer() {
        let text = "System has not been booted with systemd as init system (PID 1). Can't operate.";
        let answers = UnitProbe.split(&frames(&[(1, text)]), &["ssh.service"]);
        assert!(answers[0].as_ref().expect_err("no answer").contains("systemd"));
    }

    #[test]
    fn names_without_a_type_are_services() {
        assert_eq!(full_name("nginx"), "nginx.service");
        assert_eq!(full_name("wg-quick@wg0"), "wg-quick@wg0.service");
        assert_eq!(full_name("docker.socket"), "docker.socket");
        assert_eq!(full_name("a.b"), "a.b.service");
    }
}
