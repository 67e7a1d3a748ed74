//! What a run has come to so far, gathered from its events. The recap and the files are made from it.

use jiff::Timestamp;
use mosip_prov_events::{Counts, Difference, Event, EventKind, Failure, HostProfile, TaskId, TaskStatus};
use std::collections::{BTreeMap, BTreeSet};

/// A task that has ended on a host.
#[derive(Debug, Clone)]
pub struct FinishedTask {
    /// Where and which.
    pub task: TaskId,
    /// How.
    pub status: TaskStatus,
    /// Why, or what was done.
    pub reason: String,
    /// Before and after.
    pub differences: Vec<Difference>,
    /// Why it failed.
    pub error: Option<Failure>,
    /// The failure did not stop the host.
    pub ignored: bool,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

/// What the last event says.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Counts by host.
    pub hosts: BTreeMap<String, Counts>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// Round trips by host.
    pub exchanges: BTreeMap<String, u64>,
    /// It was interrupted.
    pub interrupted: bool,
    /// Where the time went, by host.
    pub profile: BTreeMap<String, HostProfile>,
}

/// How many of the tasks that took longest are kept.
const SLOWEST: usize = 10;

/// The run so far.
#[derive(Debug, Default)]
pub struct Summary {
    /// Keep all tasks, not only those that failed.
    keep_all: bool,
    /// Its playbooks.
    pub playbooks: Vec<String>,
    /// Its hosts, in order.
    pub hosts: Vec<String>,
    /// Nothing is changed.
    pub check: bool,
    /// The program's version.
    pub program: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// Tasks that have ended: all, or those that failed.
    pub tasks: Vec<FinishedTask>,
    /// Hosts that were not reached or lost, and why.
    pub unreachable: Vec<(String, Failure)>,
    /// Hosts that were left as they are, and why.
    pub refused: Vec<(String, Failure)>,
    /// Warnings: host and sentence.
    pub warnings: Vec<(Option<String>, String)>,
    /// What was running when the operator interrupted and has not ended since.
    pub interrupted: Vec<TaskId>,
    /// What is being done right now.
    pub running: BTreeSet<TaskId>,
    /// The tasks that took longest, in milliseconds, the longest first.
    pub slowest: Vec<(u64, TaskId)>,
    /// How it ended, once it has.
    pub ending: Option<Ending>,
    complete: BTreeMap<String, bool>,
    spans: BTreeMap<String, (Timestamp, Timestamp)>,
}

impl Summary {
    /// Nothing yet; of the tasks, only failures will be kept.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing yet; every task will be kept.
    pub fn of_all_tasks() -> Self {
        Self {
            keep_all: true,
            ..Self::default()
        }
    }

    /// Takes the next event.
    pub fn add(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted {
                playbooks,
                hosts,
                check,
                forks: _,
                program,
            } => {
                self.playbooks.clone_from(playbooks);
                self.hosts.clone_from(hosts);
                self.check = *check;
                self.program.clone_from(program);
                self.started = Some(event.time);
            }
            EventKind::Warning { host, message } => self.warnings.push((host.clone(), message.clone())),
            EventKind::PlayStarted { .. } => {}
            EventKind::HostConnected { host, milliseconds } => {
                let took = jiff::SignedDuration::from_millis(i64::try_from(*milliseconds).unwrap_or(i64::MAX));
                self.seen(host, event.time.checked_sub(took).unwrap_or(event.time));
                self.seen(host, event.time);
            }
            EventKind::HostUnreachable { host, error } => {
                self.seen(host, event.time);
                self.running.retain(|task| task.host != *host);
                self.unreachable.push((host.clone(), error.clone()));
            }
            EventKind::HostRefused { host, error, moved: _ } => {
                self.seen(host, event.time);
                self.refused.push((host.clone(), error.clone()));
            }
            EventKind::TaskStarted { task, action: _ } => {
                self.seen(&task.host, event.time);
                self.running.insert(task.clone());
            }
            EventKind::TaskOutput { .. } | EventKind::TaskRetried { .. } => {}
            EventKind::TaskFinished {
                task,
                status,
                reason,
                differences,
                error,
                ignored,
                notified: _,
                milliseconds,
            } => {
                self.seen(&task.host, event.time);
                self.running.remove(task);
                self.interrupted.retain(|left| left != task);
                self.take_slow(*milliseconds, task);
                if self.keep_all || *status == TaskStatus::Failed {
                    self.tasks.push(FinishedTask {
                        task: task.clone(),
                        status: *status,
                        reason: reason.clone(),
                        differences: differences.clone(),
                        error: error.clone(),
                        ignored: *ignored,
                        milliseconds: *milliseconds,
                    });
                }
            }
            EventKind::HostFinished { host, complete, .. } => {
                self.seen(host, event.time);
                let so_far = self.complete.entry(host.clone()).or_insert(true);
                *so_far &= *complete;
            }
            EventKind::Interrupted { running } => self.interrupted.clone_from(running),
            EventKind::RunFinished {
                hosts,
                milliseconds,
                exchanges,
                interrupted,
                profile,
            } => {
                self.ending = Some(Ending {
                    hosts: hosts.clone(),
                    milliseconds: *milliseconds,
                    exchanges: exchanges.clone(),
                    interrupted: *interrupted,
                    profile: profile.clone(),
                });
            }
        }
    }

    fn take_slow(&mut self, milliseconds: u64, task: &TaskId) {
        let at = self.slowest.partition_point(|(longer, _)| *longer >= milliseconds);
        if at < SLOWEST {
            self.slowest.insert(at, (milliseconds, task.clone()));
            self.slowest.truncate(SLOWEST);
        }
    }

    /// The failures that stopped their host.
    pub fn failures(&self) -> impl Iterator<Item = &FinishedTask> {
        self.tasks
            .iter()
            .filter(|t| t.status == TaskStatus::Failed && !t.ignored)
    }

    /// True when the run was interrupted before `host` had got to the end of all its plays.
    pub fn was_interrupted(&self, host: &str) -> bool {
        self.ending.as_ref().is_some_and(|e| e.interrupted) && !self.complete.get(host).copied().unwrap_or(false)
    }

    /// How long `host` was worked on, in milliseconds; `None` when it never was, or was seen only once.
    pub fn milliseconds_of(&self, host: &str) -> Option<u64> {
        let (first, last) = self.spans.get(host).filter(|(first, last)| first != last)?;
        u64::try_from(last.duration_since(*first).as_millis()).ok()
    }

    /// The counts of every host: in the run's order, then others that took part (delegated to).
    pub fn counts(&self) -> Vec<(&str, Counts)> {
        let Some(ending) = &self.ending else {
            return Vec::new();
        };
        let in_order = self.hosts.iter().filter(|h| ending.hosts.contains_key(*h));
        let others = ending.hosts.keys().filter(|h| !self.hosts.contains(h));
        in_order
            .chain(others)
            .map(|host| (host.as_str(), ending.hosts[host]))
            .collect()
    }

    fn seen(&mut self, host: &str, time: Timestamp) {
        let span = self.spans.entry(host.to_owned()).or_insert((time, time));
        span.0 = span.0.min(time);
        span.1 = span.1.max(time);
    }
}

/// `role : task`, with `(handler)` where it is one: how a task is called everywhere.
pub fn task_name(task: &TaskId) -> String {
    let handler = if task.handler { " (handler)" } else { "" };
    let name = if task.role.is_empty() {
        format!("{}{handler}", task.task)
    } else {
        format!("{} : {}{handler}", task.role, task.task)
    };
    crate::text::neutral_line(&name)
}
