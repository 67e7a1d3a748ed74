//! The format of a plan file, version 1. This page is its specification.
//!
//! Two lines, each a JSON object in UTF-8, each ended by a newline: a [`Header`], then a [`Body`]. So `jq 'select(.hosts)'`
//! reads it. A field that is not named here makes the file unreadable, and so does a file above [`MOST_BYTES`].
//!
//! All digests are HMAC-SHA256 with a key of 32 random bytes. The key is not in the file but in `plan.key` beside the
//! journal of the inventory: whoever finds a plan cannot try short secrets on its digests, and cannot make another plan.
//! Before each part that is digested stands its length, in 8 bytes, the highest first; the first part is the purpose.
//!
//! | digest | purpose | parts |
//! |---|---|---|
//! | `key` of the header | `id` | none; its first 16 digits |
//! | `mac` of the header | `file` | version, program, key file, key, the second line without its newline |
//! | `inputs` | `inputs` | the inventory with its variables as `inventory list --format json` shows it |
//! | `digest` of extra variables | `extra-vars` | the text given by `-e` |
//! | `change`, `answers` of a task | `change`, `answers` | see `mosip_prov_engine::binding` |
//!
//! Differences are those that `plan` shows: a secret reads `***`, and what a task keeps to itself is not in it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the format.
pub const VERSION: u32 = 1;
/// No plan is larger: 1000 hosts with 200 tasks each are a third of it.
pub const MOST_BYTES: u64 = 128 << 20;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format.
    pub mosip_prov_plan: u32,
    /// The version of the program that made it; only the same one applies it.
    pub program: String,
    /// The file with the key: `plan.key` in the folder `.mosip-prov` beside the inventory.
    pub key_file: String,
    /// Which key it was.
    pub key: String,
    /// The digest of all the rest of the file.
    pub mac: String,
}

/// The second line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// When it was made, in UTC.
    pub made: Timestamp,
    /// What was planned.
    pub what: What,
    /// A digest of inventory and variables; another one now is said, and refuses nothing by itself.
    pub inputs: String,
    /// The plays, in order. They must be the same when it is applied.
    pub plays: Vec<PlayOf>,
    /// Every host, in the order of the plays.
    pub hosts: Vec<HostOf>,
}

/// What was planned, as it was said on the command line. Files are named by absolute paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct What {
    /// The playbooks, in order.
    pub playbooks: Vec<String>,
    /// The inventories, in order.
    pub inventory: Vec<String>,
    /// `--limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// `--tags`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// `--skip-tags`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip_tags: Vec<String>,
    /// `--start-at-task`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at_task: Option<String>,
    /// The user that tasks run as in place of the plays' own choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub become_user: Option<String>,
    /// What was given by `-e`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_vars: Vec<ExtraVars>,
}

/// What one `-e` gave. Values are never in it: they may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum ExtraVars {
    /// This file; it is read again.
    File(String),
    /// Values; they must be given again, the same.
    Given {
        /// The first variable's name, where there is one before a `=`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variable: Option<String>,
        /// The digest of the text.
        digest: String,
    },
}

/// A play and its hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlayOf {
    /// Its playbook.
    pub playbook: String,
    /// Its name.
    pub play: String,
    /// Its hosts, in order.
    pub hosts: Vec<String>,
}

/// What was planned for a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostOf {
    /// Its name in the inventory.
    pub host: String,
    /// Whether there is something to apply.
    pub state: State,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its tasks, in the order in which they were decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskOf>,
}

/// Whether a host was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To its end.
    Planned,
    /// It was not reached, or lost on the way.
    Unreachable,
    /// A task could not be decided, or cannot be done as things are.
    Failed,
}

/// What a task decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskOf {
    /// Its play, by its place among the plays, from 0.
    pub play: usize,
    /// Its role.
    pub role: String,
    /// Its name.
    pub task: String,
    /// It is a handler.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handler: bool,
    /// What it decided.
    pub decision: DecisionOf,
    /// Why nothing is to be done, or what is.
    pub reason: String,
    /// What differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<DifferenceOf>,
    /// The digest of a change: its differences, steps, and what it touches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// The digest of the answers it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<String>,
    /// Earlier changes may make another decision of it: it is decided again when they are made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// A decision in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionOf {
    /// The host is as it should be.
    Nothing,
    /// Its condition does not hold.
    Skipped,
    /// Something is to be changed.
    Change,
    /// Known after earlier changes, or when what is waited for has come.
    Open,
    /// It fails, and that stops nothing.
    Failed,
}

/// One thing before and after; `null` where it does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferenceOf {
    /// What differs.
    pub what: String,
    /// As it was.
    pub before: Option<String>,
    /// As it is to be.
    pub after: Option<String>,
}
