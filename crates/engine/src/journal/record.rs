//! The lines of the journal.

use jiff::Timestamp;
use mosip_prov_events::TaskStatus;
use serde::{Deserialize, Serialize};

/// The version of the format, the field `v` of every line.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of the format.
    pub v: u32,
    /// When, in UTC.
    pub time: Timestamp,
    /// The run it belongs to.
    pub run: String,
    /// What happened.
    #[serde(flatten)]
    pub record: Record,
}

/// What an operator chose for a run: enough to continue it. Extra variables are not among it, since they may hold
/// secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunChoice {
    /// Playbooks, in order.
    pub playbooks: Vec<String>,
    /// `--limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// `--tags`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// `--skip-tags`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip_tags: Vec<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// A run begins.
    RunStarted {
        /// What was chosen.
        #[serde(flatten)]
        choice: RunChoice,
        /// Its hosts.
        hosts: Vec<String>,
        /// The process on this machine.
        pid: u32,
        /// The program's version.
        program: String,
    },
    /// A task is about to change something. Written, and on the disk, before the host is touched.
    Intent {
        /// The host.
        host: String,
        /// The play.
        play: String,
        /// The role.
        role: String,
        /// The task.
        task: String,
        /// The handlers it notifies.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notify: Vec<String>,
    },
    /// A task changed something, or failed. Tasks that found nothing to do leave no line.
    TaskEnded {
        /// The host.
        host: String,
        /// The play.
        play: String,
        /// The role.
        role: String,
        /// The task.
        task: String,
        /// It is a handler.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        handler: bool,
        /// How it ended.
        status: TaskStatus,
        /// What was changed, or why it failed; never a secret.
        summary: String,
    },
    /// A handler is no longer owed.
    HandlerSettled {
        /// The host.
        host: String,
        /// The role.
        role: String,
        /// The handler.
        handler: String,
    },
    /// Long work was started on a host and goes on whatever becomes of this run.
    UnitStarted {
        /// The host.
        host: String,
        /// Its name on the host.
        unit: String,
        /// The task.
        task: String,
    },
    /// The result of long work is known.
    UnitEnded {
        /// The host.
        host: String,
        /// Its name on the host.
        unit: String,
        /// Exit status.
        status: i32,
    },
    /// A host is done with a play, or out of it.
    HostEnded {
        /// The host.
        host: String,
        /// The play.
        play: String,
        /// Whether all its tasks were done.
        complete: bool,
        /// The first task that was not done: role and name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stopped_at: Option<(String, String)>,
    },
    /// A run has ended.
    RunEnded {
        /// In one word: `ok`, `failed`, `unreachable`, `interrupted`.
        outcome: String,
        /// Tasks that changed something, over all hosts.
        changed: u32,
        /// Tasks that failed, over all hosts.
        failed: u32,
        /// Hosts that were not reached.
        unreachable: u32,
    },
    /// A whole deployment begins, or goes on. Its stages may be runs, with lines of their own.
    DeployStarted {
        /// The stages it is about, in order.
        stages: Vec<String>,
        /// A digest of inventory and variables: what is done holds for these.
        inputs: String,
        /// The process on this machine.
        pid: u32,
        /// The program's version.
        program: String,
    },
    /// A stage of a deployment begins.
    StageStarted {
        /// Its name.
        stage: String,
    },
    /// A stage of a deployment has ended.
    StageEnded {
        /// Its name.
        stage: String,
        /// In one word: `ok`, `left_out`, `failed`, `unreachable`, `declined`, `interrupted`.
        outcome: String,
        /// What was done, or why not; never a secret.
        reason: String,
        /// How long it took.
        milliseconds: u64,
    },
    /// A deployment has ended, or was stopped.
    DeployEnded {
        /// As of the last stage: `ok`, `failed`, `unreachable`, `declined`, `interrupted`.
        outcome: String,
    },
}
