//! Changes that travel together: decided one after the other, none touching what the next was decided from.

use super::{End, HostRun, censored, plain_failure};
use crate::apply::Applier;
use crate::decision::Change;
use crate::journal::{JournalError, Record};
use crate::memory::Place;
use crate::question::Question;
use crate::step::Step;
use crate::task::Task;
use mosip_prov_events::{Failure, TaskId, TaskStatus};
use std::time::Instant;

/// A task that is decided and not reported yet.
pub(crate) struct Item<'r> {
    id: TaskId,
    began: Instant,
    what: What<'r>,
}

enum What<'r> {
    Settled {
        status: TaskStatus,
        reason: String,
    },
    Change {
        place: Place,
        task: &'r Task,
        change: Change,
    },
}

impl<'r> Item<'r> {
    /// Nothing is to be carried out.
    pub fn settled(id: TaskId, status: TaskStatus, reason: String, began: Instant) -> Self {
        Self {
            id,
            began,
            what: What::Settled { status, reason },
        }
    }

    /// `change` is to be carried out at `place`.
    pub fn change(id: TaskId, place: Place, task: &'r Task, change: Change, began: Instant) -> Self {
        Self {
            id,
            began,
            what: What::Change { place, task, change },
        }
    }

    /// What the journal says before the change is carried out.
    fn intent(&self, play: &str) -> Option<Record> {
        match &self.what {
            What::Change { task, .. } => Some(Record::Intent {
                host: self.id.host.clone(),
                play: play.to_owned(),
                role: self.id.role.clone(),
                task: self.id.task.clone(),
                notify: task.notifies().map(str::to_owned).collect(),
            }),
            What::Settled { .. } => None,
        }
    }

    fn as_change(&self) -> Option<(&Place, &Change)> {
        match &self.what {
            What::Change { place, change, .. } => Some((place, change)),
            What::Settled { .. } => None,
        }
    }
}

impl HostRun<'_> {
    /// Whether a change in the batch may have another answer to one of `questions` at `place`.
    pub(super) fn batch_disturbs(&self, place: &Place, questions: &[Question]) -> bool {
        if !self.shared.gate.is_open() {
            return false;
        }
        self.batch
            .iter()
            .filter_map(Item::as_change)
            .filter(|(at, _)| at.0 == place.0)
            .flat_map(|(_, change)| &change.touches)
            .any(|touch| questions.iter().any(|q| q.disturbed_by(touch)))
    }

    /// Whether a change at `place` may join the batch.
    pub(super) fn batch_is_of(&self, place: &Place) -> bool {
        self.batch.iter().filter_map(Item::as_change).all(|(at, _)| at == place)
    }

    /// Carries the batch out in one exchange, and reports its tasks in order.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        let mut batch = std::mem::take(&mut self.batch);
        // What is settled before the first change is so whatever becomes of the change.
        let settled = batch.iter().take_while(|item| item.as_change().is_none()).count();
        for item in batch.drain(..settled) {
            if let What::Settled { status, reason } = item.what {
                self.finished(&item.id, status, reason, None, None, false, item.began);
            }
        }
        let Some(place) = batch.first().and_then(|i| i.as_change().map(|(p, _)| p.clone())) else {
            return Ok(());
        };
        let shared = self.shared;
        let permit = match shared.gate.permit() {
            Ok(permit) => permit,
            Err(_) => {
                self.leave_undone(batch);
                return Ok(());
            }
        };
        let changes: Vec<&Change> = batch.iter().filter_map(|i| i.as_change().map(|(_, c)| c)).collect();
        for item in &batch {
            if let Some((_, change)) = item.as_change() {
                self.started(&item.id, &change.summary);
            }
        }
        let fallback = batch[0].id.clone();
        // Until it is carried out, this is where the host stands.
        let further = self.stopped_at.replace((fallback.role.clone(), fallback.task.clone()));
        self.enter_for_change(&fallback, &place).await?;
        let host = self.host(&fallback, &place.0).await?;
        if let Some(journal) = shared.journal.as_deref() {
            let play = self.play.key();
            if let Err(error) = journal.promise_all(batch.iter().filter_map(|item| item.intent(&play))) {
                self.withdraw(&batch, &batch[0], false);
                return Err(self.task_failed(&fallback, unwritten(&error), Instant::now()));
            }
        }
        let keep_for = self.keep_for();
        let results = {
            let link = self.link(host.as_ref(), &place);
            let applier = Applier {
                link: &link,
                permit,
                timeout: shared.command_timeout,
                keep_for: keep_for.as_deref(),
            };
            applier.together(&changes).await
        };
        shared.count_change();
        for change in &changes {
            self.memory.forget(&place.0, &change.touches);
            if keep_for.is_some() {
                self.replaced.extend(replaced_by(change));
            }
        }
        let mut results = match results {
            Ok(results) => results.into_iter(),
            Err(error) => return Err(self.lost(&fallback, &place.0, &error)),
        };
        for item in &batch {
            match &item.what {
                What::Settled { status, reason } => {
                    self.finished(&item.id, *status, reason.clone(), None, None, false, item.began);
                }
                What::Change { task, change, .. } => match results.next() {
                    Some(Ok(())) => {
                        if task.resource.judges() {
                            self.last_judged = Some((place.clone(), change.clone()));
                        }
                        self.finished(
                            &item.id,
                            TaskStatus::Changed,
                            change.summary.clone(),
                            Some((task, change)),
                            None,
                            false,
                            item.began,
                        )
                    }
                    Some(Err(failed)) => {
                        // Handlers of what was not done are not owed.
                        self.withdraw(&batch, item, failed.perhaps_done);
                        let mut failure = failed.failure;
                        self.roll_back(task, &place, Some(change), &mut failure).await;
                        let failure = if task.no_log { censored(failure) } else { failure };
                        return Err(self.task_failed(&item.id, failure, item.began));
                    }
                    None => {
                        self.withdraw(&batch, item, false);
                        let failure = plain_failure("the target ended before it came to this task".to_owned());
                        return Err(self.task_failed(&item.id, failure, item.began));
                    }
                },
            }
        }
        self.owed.clone_from(&self.notified);
        self.stopped_at = further;
        Ok(())
    }

    /// The first change that is not carried out yet: role and task.
    pub(super) fn first_undone(&self) -> Option<(String, String)> {
        let item = self.batch.iter().find(|i| i.as_change().is_some())?;
        Some((item.id.role.clone(), item.id.task.clone()))
    }

    /// Check mode: reports what would be done, and remembers what it would have touched.
    fn leave_undone(&mut self, batch: Vec<Item<'_>>) {
        for item in batch {
            match item.what {
                What::Settled { status, reason } => {
                    self.finished(&item.id, status, reason, None, None, false, item.began);
                }
                What::Change { place, task, change } => {
                    self.memory.at(&place);
                    self.memory.add_pending(&place.0, &item.id.task, &change.touches);
                    self.finished(
                        &item.id,
                        TaskStatus::Changed,
                        change.summary.clone(),
                        Some((task, &change)),
                        None,
                        false,
                        item.began,
                    );
                }
            }
        }
    }

    /// Takes back the notifications of `failed` and of all that came after it in `batch`, unless an earlier task of
    /// the batch made the same one. Notifications from before the batch stay, and those of `failed` too if it is
    /// `perhaps_done`.
    fn withdraw(&mut self, batch: &[Item<'_>], failed: &Item<'_>, perhaps_done: bool) {
        let mut done = Vec::new();
        let mut undone = Vec::new();
        let mut past = false;
        for item in batch {
            let is_it = std::ptr::eq(item, failed);
            past |= is_it && !perhaps_done;
            if let What::Change { task, .. } = &item.what {
                let list = if past { &mut undone } else { &mut done };
                list.extend(task.notify.iter().cloned());
            }
            past |= is_it;
        }
        let (kept, dropped) = std::mem::take(&mut self.notified)
            .into_iter()
            .partition(|n| !undone.contains(n) || done.contains(n) || self.owed.contains(n));
        self.notified = kept;
        let dropped: Vec<std::sync::Arc<str>> = dropped;
        for name in &dropped {
            self.settle(name);
        }
    }
}

/// A change that was not begun because it could not be written down.
pub(super) fn unwritten(error: &JournalError) -> Failure {
    Failure {
        help: Some(
            "nothing further was begun, so that no handler that is owed gets lost: make space there, then run again"
                .into(),
        ),
        ..plain_failure(error.to_string())
    }
}

/// The files that `change` replaces.
pub(super) fn replaced_by(change: &Change) -> impl Iterator<Item = String> {
    change.steps.iter().flat_map(|step| match step {
        Step::WriteFiles(write) => write.files.iter().map(|f| f.path.clone()).collect(),
        Step::Shell(_) | Step::Reboot { .. } => Vec::new(),
    })
}
