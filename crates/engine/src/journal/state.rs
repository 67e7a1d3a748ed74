//! What the journal says about the past: pending handlers, units left behind, where runs stopped.

use super::record::{Entry, Record, RunChoice};
use jiff::Timestamp;
use mosip_prov_events::TaskStatus;
use std::collections::{BTreeMap, BTreeSet};

/// A handler that was notified and has not run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owed {
    /// The host.
    pub host: String,
    /// The role.
    pub role: String,
    /// The handler.
    pub handler: String,
}

/// Long work whose result no run has taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unit {
    /// The host.
    pub host: String,
    /// Its name on the host.
    pub unit: String,
    /// The task it belongs to.
    pub task: String,
}

/// A run, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// Its name.
    pub run: String,
    /// When it began.
    pub started: Timestamp,
    /// When its last line was written.
    pub last: Timestamp,
    /// What was chosen.
    pub choice: RunChoice,
    /// Its hosts.
    pub hosts: Vec<String>,
    /// How it ended; `None` when it was killed, or is still going on.
    pub outcome: Option<String>,
    /// Tasks that changed something.
    pub changed: u32,
    /// Tasks that failed.
    pub failed: u32,
    pub(crate) done: BTreeSet<(String, String)>,
    pub(crate) stopped: BTreeMap<(String, String), (String, String, bool)>,
}

impl RunSummary {
    /// Nobody goes on from where its hosts stood: of many hosts and runs that would be most of what is known.
    fn forget_positions(&mut self) {
        self.done.clear();
        self.stopped.clear();
    }

    /// Whether all of `host`'s tasks in `play` were done.
    pub fn completed(&self, host: &str, play: &str) -> bool {
        self.done.contains(&(host.to_owned(), play.to_owned()))
    }

    /// Where `host` stood in `play`: role, task, and whether that very task was done.
    pub fn position(&self, host: &str, play: &str) -> Option<(&str, &str, bool)> {
        self.stopped
            .get(&(host.to_owned(), play.to_owned()))
            .map(|(role, task, done)| (role.as_str(), task.as_str(), *done))
    }
}

/// What past runs left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Handlers that are owed.
    pub owed: BTreeSet<Owed>,
    /// Long work whose result nobody took.
    pub units: BTreeSet<Unit>,
    /// Long work whose result was taken.
    pub taken: BTreeSet<String>,
    /// All runs, oldest first.
    pub runs: Vec<RunSummary>,
}

impl Past {
    /// What a run has to know of it: not the runs themselves.
    pub(crate) fn debts(&self) -> Self {
        Self {
            owed: self.owed.clone(),
            units: self.units.clone(),
            taken: self.taken.clone(),
            runs: Vec::new(),
        }
    }

    /// Reads it off the lines of a journal.
    pub fn of(entries: &[Entry]) -> Self {
        let mut past = Self::default();
        for entry in entries {
            past.add(entry);
        }
        past
    }

    /// The last run that did not end well, when no later run has ended well with the same playbooks.
    pub fn unfinished(&self) -> Option<&RunSummary> {
        let last = self.runs.last()?;
        (last.outcome.as_deref() != Some("ok")).then_some(last)
    }

    /// The handlers of `role` that `host` is owed.
    pub fn owed_to(&self, host: &str, role: &str) -> impl Iterator<Item = &str> {
        self.owed
            .iter()
            .filter(move |o| o.host == host && o.role == role)
            .map(|o| o.handler.as_str())
    }

    /// Takes in the next line of a journal.
    pub(crate) fn add(&mut self, entry: &Entry) {
        if let Record::RunStarted { choice, hosts, .. } = &entry.record {
            // Only the last run can be resumed.
            self.runs
                .iter_mut()
                .filter(|run| run.outcome.is_some())
                .for_each(RunSummary::forget_positions);
            self.runs.push(RunSummary {
                run: entry.run.clone(),
                started: entry.time,
                last: entry.time,
                choice: choice.clone(),
                hosts: hosts.clone(),
                outcome: None,
                changed: 0,
                failed: 0,
                done: BTreeSet::new(),
                stopped: BTreeMap::new(),
            });
            return;
        }
        // Runs of two terminals may be interleaved, so the run is looked up by name.
        let mut run = self.runs.iter_mut().rev().find(|r| r.run == entry.run);
        if let Some(run) = &mut run {
            run.last = entry.time;
        }
        match &entry.record {
            // A deployment's own lines say nothing of runs.
            Record::RunStarted { .. }
            | Record::DeployStarted { .. }
            | Record::StageStarted { .. }
            | Record::StageEnded { .. }
            | Record::DeployEnded { .. } => {}
            Record::Intent { host, role, notify, .. } => {
                self.owed.extend(notify.iter().map(|handler| Owed {
                    host: host.clone(),
                    role: role.clone(),
                    handler: handler.clone(),
                }));
            }
            Record::HandlerSettled { host, role, handler } => {
                self.owed.remove(&Owed {
                    host: host.clone(),
                    role: role.clone(),
                    handler: handler.clone(),
                });
            }
            Record::TaskEnded {
                host,
                play,
                role,
                task,
                handler,
                status,
                ..
            } => {
                if let Some(run) = run {
                    match status {
                        TaskStatus::Changed => run.changed += 1,
                        TaskStatus::Failed => run.failed += 1,
                        TaskStatus::Ok | TaskStatus::Unknown | TaskStatus::Skipped => {}
                    }
                    if !handler {
                        let done = *status != TaskStatus::Failed;
                        let place = (role.clone(), task.clone(), done);
                        run.stopped.insert((host.clone(), play.clone()), place);
                    }
                }
            }
            Record::UnitStarted { host, unit, task } => {
                self.units.insert(Unit {
                    host: host.clone(),
                    unit: unit.clone(),
                    task: task.clone(),
                });
            }
            Record::UnitEnded { host, unit, .. } => {
                self.units.retain(|u| !(u.host == *host && u.unit == *unit));
                self.taken.insert(unit.clone());
            }
            Record::HostEnded {
                host,
                play,
                complete,
                stopped_at,
            } => {
                if let Some(run) = run {
                    let key = (host.clone(), play.clone());
                    if *complete {
                        run.done.insert(key);
                    } else if let Some((role, task)) = stopped_at {
                        run.stopped.insert(key, (role.clone(), task.clone(), false));
                    }
                }
            }
            Record::RunEnded { outcome, .. } => {
                if let Some(run) = run {
                    run.outcome = Some(outcome.clone());
                    if outcome == "ok" {
                        run.forget_positions();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(run: &str, records: Vec<Record>) -> Vec<Entry> {
        records
            .into_iter()
            .map(|record| Entry {
                v: 1,
                time: Timestamp::UNIX_EPOCH,
                run: run.into(),
                record,
            })
            .collect()
    }

    fn started() -> Record {
        Record::RunStarted {
            choice: RunChoice {
                playbooks: vec!["p".into()],
                ..RunChoice::default()
            },
            hosts: vec!["h".into()],
            pid: 1,
            program: "0".into(),
        }
    }

    fn intent(notify: &[&str]) -> Record {
        Record::Intent {
            host: "h".into(),
            play: "p".into(),
            role: "r".into(),
            task: "t".into(),
            notify: notify.iter().map(|n| (*n).into()).collect(),
        }
    }

    #[test]
    fn a_handler_is_owed_from_the_intent_until_it_is_settled() {
        let mut lines = entries("1", vec![started(), intent(&["restart", "reload"])]);
        let past = Past::of(&lines);
        assert_eq!(past.owed_to("h", "r").collect::<Vec<_>>(), ["reload", "restart"]);
        assert_eq!(past.owed_to("h", "other").count(), 0);
        lines.extend(entries(
            "2",
            vec![
                started(),
                Record::HandlerSettled {
                    host: "h".into(),
                    role: "r".into(),
                    handler: "restart".into(),
                },
            ],
        ));
        assert_eq!(Past::of(&lines).owed_to("h", "r").collect::<Vec<_>>(), ["reload"]);
    }

    #[test]
    fn an_unfinished_run_knows_where_each_host_stood() {
        let ended = |task: &str, status| Record::TaskEnded {
            host: "h".into(),
            play: "p".into(),
            role: "r".into(),
            task: task.into(),
            handler: false,
            status,
            summary: String::new(),
        };
        let lines = entries("1", vec![started(), ended("one", TaskStatus::Changed)]);
        let past = Past::of(&lines);
        let run = past.unfinished().expect("killed");
        assert_eq!(run.position("h", "p"), Some(("r", "one", true)));
        assert!(!run.completed("h", "p"));

        let mut lines = lines;
        lines.extend(entries(
            "1",
            vec![
                ended("two", TaskStatus::Failed),
                Record::HostEnded {
                    host: "h".into(),
                    play: "p".into(),
                    complete: false,
                    stopped_at: Some(("r".into(), "two".into())),
                },
                Record::RunEnded {
                    outcome: "failed".into(),
                    changed: 1,
                    failed: 1,
                    unreachable: 0,
                },
            ],
        ));
        let past = Past::of(&lines);
        let run = past.unfinished().expect("failed");
        assert_eq!(run.position("h", "p"), Some(("r", "two", false)));
        assert_eq!((run.changed, run.failed), (1, 1));

        lines.extend(entries(
            "2",
            vec![
                started(),
                Record::RunEnded {
                    outcome: "ok".into(),
                    changed: 0,
                    failed: 0,
                    unreachable: 0,
                },
            ],
        ));
        assert!(Past::of(&lines).unfinished().is_none());
    }

    #[test]
    fn a_unit_is_left_until_its_result_is_known() {
        let unit = Record::UnitStarted {
            host: "h".into(),
            unit: "u".into(),
            task: "t".into(),
        };
        let end = Record::UnitEnded {
            host: "h".into(),
            unit: "u".into(),
            status: 0,
        };
        assert_eq!(Past::of(&entries("1", vec![started(), unit.clone()])).units.len(), 1);
        assert_eq!(Past::of(&entries("1", vec![started(), unit, end])).units.len(), 0);
    }

    #[test]
    fn only_of_the_last_run_it_is_kept_where_its_hosts_stood() {
        let host_ended = |host: &str| Record::HostEnded {
            host: host.into(),
            play: "p".into(),
            complete: true,
            stopped_at: None,
        };
        let run_ended = |outcome: &str| Record::RunEnded {
            outcome: outcome.into(),
            changed: 0,
            failed: 0,
            unreachable: 0,
        };
        let mut lines = entries("1", vec![started(), host_ended("h"), run_ended("failed")]);
        assert!(Past::of(&lines).unfinished().expect("failed").completed("h", "p"));
        lines.extend(entries("2", vec![started(), host_ended("h"), run_ended("unreachable")]));
        let past = Past::of(&lines);
        assert!(past.unfinished().expect("failed").completed("h", "p"));
        assert!(!past.runs[0].completed("h", "p"), "nobody resumes it");
        lines.extend(entries("3", vec![started(), host_ended("h"), run_ended("ok")]));
        let past = Past::of(&lines);
        assert_eq!((past.unfinished(), past.runs.len()), (None, 3));
        assert!(
            past.runs
                .iter()
                .all(|run| run.done.is_empty() && run.stopped.is_empty())
        );
    }
}
