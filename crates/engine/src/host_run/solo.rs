//! Tasks that are carried out on their own: long ones, those that are tried again, those on another machine.

use super::batch::{replaced_by, unwritten};
use super::{Decided, End, HostRun, Position, censored};
use crate::apply::{Applier, ApplyError};
use crate::decision::Change;
use crate::journal::Record;
use crate::memory::Place;
use crate::task::Task;
use crate::text::sanitize;
use mosip_prov_events::{EventKind, Failure, TaskId, TaskStatus};
use mosip_prov_transport::OutputLine;
use std::time::Instant;
use tokio::sync::mpsc;

/// How much output of one task becomes events, in bytes.
const OUTPUT_LIMIT: usize = 4 << 20;
/// What a line costs beside its text.
const LINE: usize = 64;

/// Room for lines of output.
struct Room(Option<usize>);

impl Room {
    fn new(bytes: usize) -> Self {
        Self(Some(bytes))
    }

    /// The line as it may be passed on; once there is no more room, a word on that, and then nothing.
    fn take(&mut self, line: &str) -> Option<String> {
        let room = self.0?;
        self.0 = room.checked_sub(line.len() + LINE);
        Some(match self.0 {
            Some(_) => sanitize(line),
            None => format!(
                "[it printed more than {} MiB: the rest is not shown]",
                OUTPUT_LIMIT >> 20
            ),
        })
    }
}

/// How many lines of output may wait to be shown. What comes meanwhile waits in the transport, which leaves out what is too much.
const LINES_AHEAD: usize = 256;

impl<'r> HostRun<'r> {
    /// Decides and carries out one task, again after a failure when it says so.
    pub(super) async fn solo(
        &mut self,
        position: Position<'r>,
        id: TaskId,
        place: Place,
        ahead: &[Position<'r>],
        began: Instant,
    ) -> Result<(), End> {
        let task = position.task;
        let attempts = 1 + task.retries.map_or(0, |r| r.count);
        let mut attempt = 1;
        loop {
            self.learn(position, &id, &place, ahead).await?;
            let decided = self.decide_locked(position, &id, &place, ahead).await?;
            if attempt == attempts || !matches!(decided, Decided::Failed(_)) {
                self.record(position, &place, &decided);
            }
            let failure = match decided {
                Decided::Settled(status, reason) => {
                    let (status, reason) = self.adopt(task, &id, status, reason);
                    self.note(&id, status);
                    self.finished(&id, status, reason, None, None, false, began);
                    return Ok(());
                }
                Decided::Change(change) => match self.attempt(task, &id, &place, &change, began).await? {
                    Ok(()) => return Ok(()),
                    Err(failure) => (failure, Some(change)),
                },
                Decided::Failed(failure) => (failure, None),
            };
            let (mut failure, change) = failure;
            let Some(retries) = task.retries.filter(|_| attempt < attempts) else {
                self.roll_back(task, &place, change.as_ref(), &mut failure).await;
                return self.failed(&id, task, failure, began);
            };
            self.shared.emitter.send(EventKind::TaskRetried {
                task: id.clone(),
                attempt,
                attempts,
                error: if task.no_log { censored(failure) } else { failure },
            });
            attempt += 1;
            self.pause(retries.delay).await;
            if self.shared.cancel.is_cancelled() {
                return Err(End::Cancelled);
            }
            self.forget_asked(task, &place);
        }
    }

    /// Carries out a change of a task that is not tried again.
    pub(super) async fn carry_out(
        &mut self,
        task: &'r Task,
        id: TaskId,
        place: &Place,
        change: Change,
        began: Instant,
    ) -> Result<(), End> {
        match self.attempt(task, &id, place, &change, began).await? {
            Ok(()) => Ok(()),
            Err(mut failure) => {
                self.roll_back(task, place, Some(&change), &mut failure).await;
                self.failed(&id, task, failure, began)
            }
        }
    }

    /// One attempt at `change`; reports its success, hands back its failure.
    async fn attempt(
        &mut self,
        task: &Task,
        id: &TaskId,
        place: &Place,
        change: &Change,
        began: Instant,
    ) -> Result<Result<(), Failure>, End> {
        let shared = self.shared;
        match shared.gate.permit() {
            Err(_) => {
                self.memory.at(place);
                self.memory.add_pending(&place.0, &id.task, &change.touches);
            }
            Ok(permit) => {
                self.started(id, &change.summary);
                self.enter_for_change(id, place).await?;
                let host = self.host(id, &place.0).await?;
                let intent = Record::Intent {
                    host: id.host.clone(),
                    play: self.play.key(),
                    role: id.role.clone(),
                    task: id.task.clone(),
                    notify: task.notify.iter().map(ToString::to_string).collect(),
                };
                if let Some(journal) = shared.journal.as_deref()
                    && let Err(error) = journal.promise_all([intent])
                {
                    return Err(self.task_failed(id, unwritten(&error), began));
                }
                let keep_for = self.keep_for().filter(|_| place.0 == self.name);
                let result = {
                    let link = self.link(host.as_ref(), place);
                    let applier = Applier {
                        link: &link,
                        permit,
                        timeout: shared.command_timeout,
                        keep_for: keep_for.as_deref(),
                    };
                    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
                    let label = format!("{}: {}", id.role, id.task);
                    let work = async {
                        let result = applier.alone(change, &label, &sender).await;
                        drop(sender);
                        result
                    };
                    tokio::join!(work, self.forward(receiver, id, task.no_log)).0
                };
                shared.count_change();
                self.memory.forget(&place.0, &change.touches);
                if keep_for.is_some() {
                    self.replaced.extend(replaced_by(change));
                }
                match result {
                    Ok(()) => {
                        if task.resource.judges() {
                            self.last_judged = Some((place.clone(), change.clone()));
                        }
                    }
                    Err(ApplyError::Step(failure)) => {
                        // What came before the step that failed is done, and so its handlers are owed.
                        for handler in &task.notify {
                            if change.steps.len() == 1 && !self.notified.contains(handler) {
                                self.settle(handler);
                            }
                        }
                        if shared.cancel.is_cancelled() {
                            let _ = self.failed(id, task, failure, began);
                            return Err(End::Cancelled);
                        }
                        return Ok(Err(failure));
                    }
                    Err(ApplyError::Transport(error)) => {
                        return Err(self.lost(id, &place.0, &error));
                    }
                }
            }
        }
        self.notify(task);
        self.owed.clone_from(&self.notified);
        self.note(id, TaskStatus::Changed);
        self.finished(
            id,
            TaskStatus::Changed,
            change.summary.clone(),
            Some((task, change)),
            None,
            false,
            began,
        );
        Ok(Ok(()))
    }

    /// Passes on the lines of a long step while it runs.
    ///
    /// What a host says without end fills neither events nor disk: from a bound on, its lines are read and dropped. An error shows
    /// their end all the same, which the transport keeps.
    pub(super) async fn forward(&self, mut lines: mpsc::Receiver<OutputLine>, id: &TaskId, no_log: bool) {
        let mut room = Room::new(OUTPUT_LIMIT);
        while let Some(line) = lines.recv().await {
            if let Some(line) = room.take(&line.line).filter(|_| !no_log) {
                self.shared
                    .emitter
                    .send(EventKind::TaskOutput { task: id.clone(), line });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_output_is_cut_off_with_a_word() {
        let mut room = Room::new(10_000);
        let passed: Vec<String> = (0..1000).filter_map(|_| room.take("a line\u{1b}[2J")).collect();
        assert!(passed.len() < 200, "{}", passed.len());
        let (last, rest) = passed.split_last().expect("some");
        assert!(last.contains("the rest is not shown") && rest.iter().all(|line| line == "a line"));
    }
}
