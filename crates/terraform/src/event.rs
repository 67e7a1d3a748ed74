//! Terraform's machine-readable output, line by line: what it says of its progress.
//!
//! Format: <https://developer.hashicorp.com/terraform/internals/machine-readable-ui>, version 1 of the user interface. Messages
//! of types that are not known are kept as [`TerraformEvent::Other`].

use crate::diagnostic::TerraformDiagnostic;
use crate::plan::{OutputChange, PlannedChange};
use crate::text::{message, word};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::fmt;
use std::time::Duration;

/// What terraform is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// `init`.
    Init,
    /// `plan`.
    Plan,
    /// `show` of a plan.
    Show,
    /// `apply` of a plan.
    Apply,
    /// `output`.
    Output,
    /// `version`.
    Version,
}

impl Phase {
    /// The command of terraform.
    pub fn command(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Plan => "plan",
            Self::Show => "show",
            Self::Apply => "apply",
            Self::Output => "output",
            Self::Version => "version",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.command())
    }
}

/// What is done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    NoOp,
    /// It is made.
    Create,
    /// It is read: a data source.
    Read,
    /// It is changed in place.
    Update,
    /// It is destroyed and made anew.
    Replace,
    /// It is destroyed.
    Delete,
    /// It has another address.
    Move,
    /// It is taken into the state.
    Import,
    /// The state forgets it; it stays.
    Forget,
    /// Something that this version does not know.
    Other,
}

impl Action {
    fn of(word: &str) -> Self {
        match word {
            "noop" | "no-op" => Self::NoOp,
            "create" => Self::Create,
            "read" => Self::Read,
            "update" => Self::Update,
            "replace" => Self::Replace,
            "delete" | "remove" => Self::Delete,
            "move" => Self::Move,
            "import" => Self::Import,
            "forget" => Self::Forget,
            _ => Self::Other,
        }
    }

    /// The action that a list of a plan's `actions` says.
    pub(crate) fn of_list(words: &[String]) -> Self {
        match words {
            [one] => Self::of(one),
            [_, _] => Self::Replace,
            _ => Self::Other,
        }
    }

    /// Whether something that is there goes.
    pub fn destroys(self) -> bool {
        matches!(self, Self::Delete | Self::Replace)
    }
}

/// A resource, by its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// `module.x.helm_release.y["z"]`.
    pub address: String,
}

/// How serious a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageLevel {
    /// For those who look closely.
    Debug,
    /// Said.
    Info,
    /// To be looked at.
    Warn,
    /// Wrong.
    Error,
}

/// Counts of a plan or an apply, as terraform gives them: a replacement is one to add and one to remove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Made.
    pub add: u64,
    /// Changed in place.
    pub change: u64,
    /// Destroyed.
    pub remove: u64,
    /// Taken into the state.
    pub import: u64,
}

/// How far terraform is, by what it said so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Resources and data sources that were read.
    pub read: u64,
    /// Changes that are planned.
    pub planned: u64,
    /// Changes that are under way.
    pub running: u64,
    /// Changes that are done.
    pub done: u64,
    /// Changes that failed.
    pub failed: u64,
}

/// What happens while terraform works.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TerraformEvent {
    /// The first message: which terraform it is.
    Version {
        /// Its version.
        terraform: String,
        /// The version of its machine-readable output.
        ui: String,
    },
    /// Something said.
    Message {
        /// How serious it is.
        level: MessageLevel,
        /// What.
        text: String,
    },
    /// A resource is read.
    RefreshStarted(Resource),
    /// It was read.
    RefreshCompleted(Resource),
    /// A resource is no longer as terraform left it.
    Drift(PlannedChange),
    /// A change is planned.
    Planned(PlannedChange),
    /// A change begins.
    Started {
        /// Of which resource.
        address: String,
        /// What is done.
        action: Action,
    },
    /// It goes on.
    Still {
        /// Of which resource.
        address: String,
        /// What is done.
        action: Action,
        /// Since it began.
        elapsed: Duration,
    },
    /// It is done.
    Completed {
        /// Of which resource.
        address: String,
        /// What was done.
        action: Action,
        /// How long it took, in whole seconds.
        elapsed: Duration,
    },
    /// It failed; a diagnostic says why.
    Errored {
        /// Of which resource.
        address: String,
        /// What was tried.
        action: Action,
        /// How long it took, in whole seconds.
        elapsed: Duration,
    },
    /// A provisioner says something, or nothing: it begins or ends.
    Provisioner {
        /// Of which resource.
        address: String,
        /// Which: `local-exec`.
        provisioner: String,
        /// A line of its output.
        output: Option<String>,
    },
    /// What a plan or an apply comes to.
    Summary {
        /// Of what: `plan`, `apply`, `destroy`.
        operation: String,
        /// The counts.
        #[serde(flatten)]
        counts: Summary,
    },
    /// The root's outputs, without their values.
    Outputs {
        /// Each, with what happens to it; after an apply: nothing.
        outputs: Vec<OutputChange>,
    },
    /// Something is wrong, or to be looked at.
    Diagnostic(TerraformDiagnostic),
    /// A message of a type that is not known.
    Other {
        /// Its type.
        kind: String,
        /// Its text.
        text: String,
    },
    /// A line that is no message; the text is what could be read of it.
    Broken {
        /// How many there were so far.
        count: u64,
        /// The line, cut.
        text: String,
    },
    /// A sign of life, from time to time.
    StillWorking {
        /// What is done.
        phase: Phase,
        /// Since it began.
        elapsed: Duration,
        /// How far it is.
        progress: Progress,
    },
    /// An interrupt was passed on to terraform, and is waited for.
    Interrupting {
        /// What is interrupted.
        phase: Phase,
        /// How often now: the second lets terraform break off, the third kills it.
        times: u32,
    },
}

/// A line that is no message of Terraform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no message of terraform: {text}")]
pub struct BrokenLine {
    /// What could be read of it, cut.
    pub text: String,
}

/// Reads one line of the stream.
///
/// # Errors
/// It is no JSON object with a `type` or `@message`.
pub fn parse_line(line: &[u8]) -> Result<TerraformEvent, BrokenLine> {
    let broken = || BrokenLine {
        text: word(&String::from_utf8_lossy(&line[..line.len().min(2048)])),
    };
    let json: Json = serde_json::from_slice(line).map_err(|_| broken())?;
    if !json.is_object() || (json["type"].is_null() && json["@message"].is_null()) {
        return Err(broken());
    }
    let text = message(json["@message"].as_str().unwrap_or_default());
    let kind = json["type"].as_str().unwrap_or("log");
    Ok(known(kind, &json).unwrap_or_else(|| match kind {
        "log" | "init_output" => TerraformEvent::Message {
            level: level(&json),
            text,
        },
        other => TerraformEvent::Other {
            kind: word(other),
            text,
        },
    }))
}

fn level(json: &Json) -> MessageLevel {
    match json["@level"].as_str() {
        Some("trace" | "debug") => MessageLevel::Debug,
        Some("warn") => MessageLevel::Warn,
        Some("error") => MessageLevel::Error,
        _ => MessageLevel::Info,
    }
}

/// The event of a type that is known; `None` when it is not, or the message lacks what its type must have.
fn known(kind: &str, json: &Json) -> Option<TerraformEvent> {
    let hook = &json["hook"];
    let address = || hook["resource"]["addr"].as_str().map(word);
    let action = || Action::of(hook["action"].as_str().unwrap_or_default());
    let elapsed = || Duration::from_secs(hook["elapsed_seconds"].as_f64().map_or(0, |s| s.max(0.0) as u64));
    let provisioner = |output: Option<&str>| {
        Some(TerraformEvent::Provisioner {
            address: address()?,
            provisioner: word(hook["provisioner"].as_str().unwrap_or_default()),
            output: output.map(message),
        })
    };
    let resource = || Some(Resource { address: address()? });
    Some(match kind {
        "version" => TerraformEvent::Version {
            // OpenTofu names itself.
            terraform: word(json["terraform"].as_str().or_else(|| json["tofu"].as_str())?),
            ui: word(json["ui"].as_str()?),
        },
        "refresh_start" => TerraformEvent::RefreshStarted(resource()?),
        "refresh_complete" => TerraformEvent::RefreshCompleted(resource()?),
        "resource_drift" => TerraformEvent::Drift(planned(&json["change"])?),
        "planned_change" => TerraformEvent::Planned(planned(&json["change"])?),
        "apply_start" => TerraformEvent::Started {
            address: address()?,
            action: action(),
        },
        "apply_progress" => TerraformEvent::Still {
            address: address()?,
            action: action(),
            elapsed: elapsed(),
        },
        "apply_complete" => TerraformEvent::Completed {
            address: address()?,
            action: action(),
            elapsed: elapsed(),
        },
        "apply_errored" => TerraformEvent::Errored {
            address: address()?,
            action: action(),
            elapsed: elapsed(),
        },
        "provision_start" | "provision_complete" | "provision_errored" => provisioner(None)?,
        "provision_progress" => provisioner(Some(hook["output"].as_str().unwrap_or_default()))?,
        "change_summary" => {
            let counts = &json["changes"];
            TerraformEvent::Summary {
                operation: word(counts["operation"].as_str()?),
                counts: Summary {
                    add: counts["add"].as_u64()?,
                    change: counts["change"].as_u64()?,
                    remove: counts["remove"].as_u64()?,
                    import: counts["import"].as_u64().unwrap_or(0),
                },
            }
        }
        "outputs" => TerraformEvent::Outputs {
            outputs: json["outputs"]
                .as_object()?
                .iter()
                .map(|(name, output)| OutputChange {
                    name: word(name),
                    action: output["action"].as_str().map_or(Action::NoOp, Action::of),
                    sensitive: output["sensitive"].as_bool().unwrap_or(true),
                })
                .collect(),
        },
        "diagnostic" => TerraformEvent::Diagnostic(TerraformDiagnostic::read(&json["diagnostic"])?),
        _ => return None,
    })
}

fn planned(change: &Json) -> Option<PlannedChange> {
    Some(PlannedChange {
        address: word(change["resource"]["addr"].as_str()?),
        action: Action::of(change["action"].as_str()?),
        reason: change["reason"].as_str().map(word),
        previous_address: change["previous_resource"]["addr"].as_str().map(word),
        attributes: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> TerraformEvent {
        parse_line(line.as_bytes()).expect("a message")
    }

    #[test]
    fn every_line_of_recorded_runs_is_understood() {
        for (name, stream) in crate::recorded::ALL {
            for line in stream.lines() {
                let event = read(line);
                assert!(!matches!(event, TerraformEvent::Other { .. }), "{name}: {line}");
                let shown = format!("{event:?}");
                assert!(!shown.contains("hunter2"), "{name}: {shown}");
            }
        }
    }

    #[test]
    fn what_a_recorded_apply_says() {
        let events: Vec<_> = crate::recorded::INTERRUPTED.lines().map(read).collect();
        assert!(
            matches!(&events[0], TerraformEvent::Version { terraform, ui } if terraform == "1.11.4" && ui == "1.2")
        );
        assert!(events.iter().any(|e| matches!(e, TerraformEvent::Planned(p)
            if p.address == "terraform_data.secret" && p.action == Action::Replace && p.reason.as_deref() == Some("cannot_update"))));
        assert!(events.iter().any(
            |e| matches!(e, TerraformEvent::Errored { address, action: Action::Create, elapsed }
            if address == "terraform_data.slow" && elapsed.as_secs() == 3)
        ));
        assert!(
            events
                .iter()
                .any(|e| matches!(e, TerraformEvent::Provisioner { output: Some(text), .. }
            if text.contains("sleep 20")))
        );
        let Some(TerraformEvent::Diagnostic(found)) =
            events.iter().find(|e| matches!(e, TerraformEvent::Diagnostic(_)))
        else {
            panic!("no diagnostic")
        };
        assert_eq!(
            found.place.as_ref().map(ToString::to_string).as_deref(),
            Some("main.tf:17:28")
        );
    }

    #[test]
    fn unknown_types_are_kept_and_broken_lines_told() {
        assert_eq!(
            read(r#"{"@message":"x","type":"ephemeral_op_start","hook":{}}"#),
            TerraformEvent::Other {
                kind: "ephemeral_op_start".into(),
                text: "x".into()
            }
        );
        // A known type without what it must have is no reason to stop.
        assert!(matches!(
            read(r#"{"@message":"x","type":"apply_start"}"#),
            TerraformEvent::Other { .. }
        ));
        assert!(matches!(read(r#"{"@message":"x\u001b[2Jy","@level":"warn"}"#),
            TerraformEvent::Message { level: MessageLevel::Warn, text } if text == "xy"));
        for line in ["", "{", "[1]", "Terraform v1", "{\"a\":1}", "\u{1b}[0m"] {
            assert!(parse_line(line.as_bytes()).is_err(), "{line}");
        }
        assert!(parse_line(b"\xff\xfe").is_err());
        assert!(!parse_line(b"\x1b[2Jx").expect_err("broken").text.contains('\x1b'));
    }

    #[test]
    fn values_of_outputs_do_not_get_in() {
        let TerraformEvent::Outputs { outputs } = read(
            r#"{"@message":"Outputs: 1","type":"outputs","outputs":{"p":{"sensitive":false,"value":"abc","type":"string"}}}"#,
        ) else {
            panic!("no outputs")
        };
        assert_eq!(outputs[0].name, "p");
        assert!(!format!("{outputs:?}").contains("abc"));
    }
}
