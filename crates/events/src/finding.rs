//! What a check of the surroundings found: DNS, certificates, machines, a cluster. Checks change nothing.

use serde::{Deserialize, Serialize};

/// The version of the JSON of [`Findings`].
pub const VERSION: u32 = 1;

/// One thing that was looked at, and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The part of the surroundings: `dns`, `certificates`, `hosts`, `pods`. The table has a heading for each.
    pub area: String,
    /// The check, one word that scripts may rely on: `record`, `expired`, `crash_loop`.
    pub check: String,
    /// What was looked at: a name, a host, a file, `namespace/pod`.
    pub subject: String,
    /// How it is.
    pub level: Level,
    /// What was found, in one sentence. Already neutral; holds no secret.
    pub message: String,
    /// What to do about it. Every failure has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// How something that was looked at is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, or cannot be looked at from here; somebody should know.
    Warning,
    /// Wrong: what is built on it will not work.
    Failure,
}

impl Finding {
    /// All is well with `subject`.
    pub fn ok(
        area: impl Into<String>,
        check: impl Into<String>,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            area: area.into(),
            check: check.into(),
            subject: subject.into(),
            level: Level::Ok,
            message: message.into(),
            remedy: None,
        }
    }

    /// Something to know about `subject`.
    pub fn warning(
        area: impl Into<String>,
        check: impl Into<String>,
        subject: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warning,
            remedy: Some(remedy.into()),
            ..Self::ok(area, check, subject, message)
        }
    }

    /// Something is wrong with `subject`.
    pub fn failure(
        area: impl Into<String>,
        check: impl Into<String>,
        subject: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Failure,
            remedy: Some(remedy.into()),
            ..Self::ok(area, check, subject, message)
        }
    }
}

/// All that was found, as programs read it (`--format json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Version of the format.
    pub v: u32,
    /// How many are as they should be.
    pub ok: usize,
    /// How many somebody should know of.
    pub warnings: usize,
    /// How many are wrong.
    pub failures: usize,
    /// Every one, in the order of the checks.
    pub findings: Vec<Finding>,
}

impl From<Vec<Finding>> for Findings {
    fn from(findings: Vec<Finding>) -> Self {
        let count = |level| findings.iter().filter(|f| f.level == level).count();
        Self {
            v: VERSION,
            ok: count(Level::Ok),
            warnings: count(Level::Warning),
            failures: count(Level::Failure),
            findings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_read() {
        let findings = Findings::from(vec![
            Finding::ok("dns", "record", "api.example.org", "A 192.0.2.1"),
            Finding::failure("dns", "record", "iam.example.org", "there is none", "create it"),
        ]);
        let json = serde_json::to_value(&findings).unwrap();
        assert_eq!(json["v"], 1);
        assert_eq!((&json["ok"], &json["failures"]), (&1.into(), &1.into()));
        assert_eq!(json["findings"][1]["level"], "failure");
        assert_eq!(json["findings"][0].get("remedy"), None);
        assert_eq!(serde_json::from_value::<Findings>(json).unwrap(), findings);
    }
}
