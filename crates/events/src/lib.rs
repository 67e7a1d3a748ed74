//! The versioned event types of a run. One [`Event`] is one line of the JSONL format (`--events`). Fields that exist
//! keep their meaning for good; new ones may be added. Renderers match [`EventKind`] without a wildcard.

mod finding;
mod profile;
pub mod text;

pub use finding::{Finding, Findings, Level, VERSION as FINDINGS_VERSION};
pub use profile::HostProfile;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the format, the field `v` of every line.
pub const VERSION: u32 = 1;

/// One thing that happened, with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Version of the format.
    pub v: u32,
    /// When, in UTC.
    pub time: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// An event of this moment.
    pub fn now(kind: EventKind) -> Self {
        Self {
            v: VERSION,
            time: Timestamp::now(),
            kind,
        }
    }
}

/// What happened. The field `type` of a line is the variant's name in snake case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// A run begins: the first event.
    RunStarted {
        /// Names of the playbooks, in order.
        playbooks: Vec<String>,
        /// All hosts it may connect to.
        hosts: Vec<String>,
        /// Nothing will be changed.
        check: bool,
        /// How many hosts at once.
        forks: usize,
        /// The program's version.
        program: String,
    },
    /// Something to know that stops nothing.
    Warning {
        /// The host it is about, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// One sentence.
        message: String,
    },
    /// A play begins.
    PlayStarted {
        /// Its playbook.
        playbook: String,
        /// Its name.
        play: String,
        /// Its hosts, in order.
        hosts: Vec<String>,
    },
    /// A host was logged in to.
    HostConnected {
        /// The host.
        host: String,
        /// How long it took, in milliseconds.
        milliseconds: u64,
    },
    /// A host could not be reached, or was lost. It takes no further part.
    HostUnreachable {
        /// The host.
        host: String,
        /// Why, and what to do.
        error: Failure,
    },
    /// A host is left as it is: it is not as it was when the plan that is applied was made. It takes no further part.
    HostRefused {
        /// The host.
        host: String,
        /// Why, and what to do.
        error: Failure,
        /// The tasks that would be decided otherwise than planned.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        moved: Vec<Moved>,
    },
    /// A task begins to carry out a change, or to wait. Tasks that find nothing to do have a `task_finished` only.
    TaskStarted {
        /// Where and which.
        #[serde(flatten)]
        task: TaskId,
        /// What is being done: `install nginx 1.22.1`.
        action: String,
    },
    /// A line of output of a long step, while it runs. Control characters are already neutralised.
    TaskOutput {
        /// Where and which.
        #[serde(flatten)]
        task: TaskId,
        /// The line, without its end.
        line: String,
    },
    /// A task failed and is tried again.
    TaskRetried {
        /// Where and which.
        #[serde(flatten)]
        task: TaskId,
        /// The try that failed, from 1.
        attempt: u32,
        /// How many tries there are.
        attempts: u32,
        /// Why it failed.
        error: Failure,
    },
    /// A task has ended on a host.
    TaskFinished {
        /// Where and which.
        #[serde(flatten)]
        task: TaskId,
        /// How.
        status: TaskStatus,
        /// Why nothing was done, why it was skipped or is unknown; or what was (in check mode: would be) changed.
        reason: String,
        /// What differs, before and after.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        differences: Vec<Difference>,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
        /// The failure does not stop the host.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ignored: bool,
        /// Handlers it notified.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notified: Vec<String>,
        /// How long it took, in milliseconds.
        milliseconds: u64,
    },
    /// A host is done with a play.
    HostFinished {
        /// The host.
        host: String,
        /// The play.
        play: String,
        /// Whether it got to the end.
        complete: bool,
    },
    /// The operator interrupted the run.
    Interrupted {
        /// What was running, or is still to be finished: host and task.
        running: Vec<TaskId>,
    },
    /// The run has ended: the last event.
    RunFinished {
        /// Counts by host.
        hosts: BTreeMap<String, Counts>,
        /// How long it took, in milliseconds.
        milliseconds: u64,
        /// Round trips after login, by host.
        exchanges: BTreeMap<String, u64>,
        /// True when it was interrupted.
        interrupted: bool,
        /// Where the time went, by host.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        profile: BTreeMap<String, HostProfile>,
    },
}

/// A task on a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskId {
    /// The host, by its inventory name.
    pub host: String,
    /// The play.
    pub play: String,
    /// The role.
    pub role: String,
    /// The task's name.
    pub task: String,
    /// It is a handler.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handler: bool,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Nothing was to be done.
    Ok,
    /// Changed (in check mode: would be).
    Changed,
    /// Check mode cannot know.
    Unknown,
    /// Not done: its condition did not hold.
    Skipped,
    /// Failed.
    Failed,
}

/// One thing before and after, as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What differs.
    pub what: String,
    /// As it was; `null` when it did not exist. Secrets are `***`.
    pub before: Option<String>,
    /// As it is to be; `null` when it is not to exist. Secrets are `***`.
    pub after: Option<String>,
}

/// A task that would be decided otherwise than planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Where and which.
    #[serde(flatten)]
    pub task: TaskId,
    /// What was planned: `change: install nginx 1.22.1`.
    pub planned: String,
    /// What it would be now.
    pub now: String,
    /// The differences that were planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub planned_differences: Vec<Difference>,
    /// The differences that there are now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// One sentence, or the tool's own message shortened.
    pub message: String,
    /// All of it, when `message` is shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The exit status of the command that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// How the tasks of a host ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Tasks that found nothing to do, or did their change. Includes `changed`, as Ansible's recap does.
    pub ok: u32,
    /// Tasks that changed something.
    pub changed: u32,
    /// 1 when the host was not reached or was lost.
    pub unreachable: u32,
    /// Tasks that failed.
    pub failed: u32,
    /// Tasks that were skipped.
    pub skipped: u32,
    /// Tasks that failed, ignored.
    #[serde(default)]
    pub ignored: u32,
    /// Tasks of which check mode cannot know.
    #[serde(default)]
    pub unknown: u32,
    /// 1 when the host was left as it is, because it is not as it was planned for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's way to ask
fn is_zero(count: &u32) -> bool {
    *count == 0
}
