//! What a run came to, typed, for programs that embed the engine.

use mosip_prov_events::{Counts, Difference, Failure, HostProfile, Moved, TaskId, TaskStatus};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct RunReport {
    /// By host, every host of the run.
    pub hosts: BTreeMap<String, HostReport>,
    /// The operator stopped it.
    pub interrupted: bool,
    /// How long it took.
    pub duration: Duration,
}

/// What a run came to on one host.
#[derive(Debug, Clone, Default)]
pub struct HostReport {
    /// How its tasks ended.
    pub counts: Counts,
    /// Each task, in the order in which they ended.
    pub tasks: Vec<TaskResult>,
    /// Why it could not be reached, or was lost.
    pub unreachable: Option<Failure>,
    /// Why it was left as it is, and the tasks that would be decided otherwise than planned.
    pub refused: Option<(Failure, Vec<Moved>)>,
    /// Round trips after login.
    pub exchanges: u64,
    /// Where its time went.
    pub profile: HostProfile,
}

/// How one task ended.
#[derive(Debug, Clone)]
pub struct TaskResult {
    /// Where and which.
    pub id: TaskId,
    /// How.
    pub status: TaskStatus,
    /// Why nothing was done, or what was changed.
    pub reason: String,
    /// What differed.
    pub differences: Vec<Difference>,
    /// Why it failed.
    pub error: Option<Failure>,
    /// It failed, and the failure stops nothing.
    pub ignored: bool,
}

/// A run in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    /// All hosts fine.
    Ok,
    /// A task failed on some host, or a host was refused.
    Failed,
    /// Some host was unreachable, and no task failed.
    Unreachable,
    /// Interrupted.
    Interrupted,
}

impl RunOutcome {
    /// The word for it in journals and listings.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
        }
    }
}

impl RunReport {
    /// The run in one word; a failure outweighs an unreachable host.
    pub fn outcome(&self) -> RunOutcome {
        let any = |test: fn(&Counts) -> bool| self.hosts.values().any(|h| test(&h.counts));
        if self.interrupted {
            RunOutcome::Interrupted
        } else if any(|c| c.failed > 0 || c.refused > 0) {
            RunOutcome::Failed
        } else if any(|c| c.unreachable > 0) {
            RunOutcome::Unreachable
        } else {
            RunOutcome::Ok
        }
    }

    /// Whether anything was changed (in check mode: would be), or could not be known.
    pub fn has_changes(&self) -> bool {
        self.hosts
            .values()
            .any(|h| h.counts.changed > 0 || h.counts.unknown > 0)
    }
}
