//! Telling what happened: events, the journal, and how a host's way ends.

use super::{End, HostRun, Position, censored};
use crate::answers::Outcome;
use crate::decision::Change;
use crate::emit::{shown, transport_failure};
use crate::journal::Record;
use crate::memory::Place;
use crate::prepared::PreparedHost;
use crate::task::{RunAs, Task};
use crate::text::sanitize;
use mosip_prov_events::{EventKind, Failure, TaskId, TaskStatus};
use mosip_prov_transport::{Identity, TransportError};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

impl HostRun<'_> {
    /// The way to `machine` failed during `id`: this host is out, as unreachable or as failed.
    pub(super) fn lost(&mut self, id: &TaskId, machine: &str, error: &TransportError) -> End {
        let mut failure = transport_failure(error);
        if machine != self.name.as_ref() {
            failure.message = format!("{machine}: {}", failure.message);
        }
        if machine == self.name.as_ref() && error.is_unreachable() {
            self.shared.emitter.send(EventKind::HostUnreachable {
                host: self.name.to_string(),
                error: failure,
            });
            return End::Unreachable;
        }
        self.task_failed(id, failure, Instant::now())
    }

    /// Reports a failure that ends the host's part.
    pub(super) fn task_failed(&mut self, id: &TaskId, failure: Failure, began: Instant) -> End {
        if !id.handler {
            self.stopped_at = Some((id.role.clone(), id.task.clone()));
        }
        self.finished(id, TaskStatus::Failed, String::new(), None, Some(failure), false, began);
        End::Failed
    }

    /// Reports a failure; ends the host's part unless the task ignores it.
    pub(super) fn failed(&mut self, id: &TaskId, task: &Task, failure: Failure, began: Instant) -> Result<(), End> {
        let failure = if task.no_log { censored(failure) } else { failure };
        self.finished(
            id,
            TaskStatus::Failed,
            String::new(),
            None,
            Some(failure),
            task.ignore_errors,
            began,
        );
        self.note(id, TaskStatus::Failed);
        if task.ignore_errors { Ok(()) } else { Err(End::Failed) }
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn finished(
        &self,
        id: &TaskId,
        status: TaskStatus,
        reason: String,
        change: Option<(&Task, &Change)>,
        error: Option<Failure>,
        ignored: bool,
        began: Instant,
    ) {
        self.running().remove(&id.host);
        if let Some(journal) = self.shared.journal.as_deref()
            && matches!(status, TaskStatus::Changed | TaskStatus::Failed)
        {
            journal.note(Record::TaskEnded {
                host: id.host.clone(),
                play: self.play.key(),
                role: id.role.clone(),
                task: id.task.clone(),
                handler: id.handler,
                status,
                summary: error.as_ref().map_or_else(|| sanitize(&reason), |e| e.message.clone()),
            });
        }
        if let (Some(recorder), Some(error), false) = (&self.shared.recorder, &error, ignored) {
            recorder.failed(&self.name, &error.message);
        }
        let differences = match change {
            Some((task, change)) if !task.no_log => change.differences.iter().map(shown).collect(),
            _ => Vec::new(),
        };
        let notified = match change {
            Some((task, _)) => task.notify.iter().map(ToString::to_string).collect(),
            None => Vec::new(),
        };
        self.shared.emitter.send(EventKind::TaskFinished {
            task: id.clone(),
            status,
            reason: sanitize(&reason),
            differences,
            error,
            ignored,
            notified,
            milliseconds: began.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        });
    }

    pub(super) fn started(&self, id: &TaskId, action: &str) {
        self.running().insert(id.host.clone(), id.clone());
        self.shared.emitter.send(EventKind::TaskStarted {
            task: id.clone(),
            action: sanitize(action),
        });
    }

    pub(super) fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, TaskId>> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&mut self, id: &TaskId, status: TaskStatus) {
        let outcome = match status {
            TaskStatus::Ok => Outcome::Ok,
            TaskStatus::Changed => Outcome::Changed,
            TaskStatus::Unknown => Outcome::Unknown,
            TaskStatus::Skipped => Outcome::Skipped,
            TaskStatus::Failed => Outcome::Failed,
        };
        self.memory.set_outcome(&id.task, outcome);
    }

    pub(super) fn notify(&mut self, task: &Task) {
        for handler in &task.notify {
            if !self.notified.contains(handler) {
                self.notified.push(handler.clone());
            }
        }
    }

    pub(super) fn id(&self, position: Position<'_>) -> TaskId {
        TaskId {
            host: self.name.to_string(),
            play: self.play.name.clone(),
            role: self.part.roles[position.role].name.clone(),
            task: position.task.name.to_string(),
            handler: position.handler,
        }
    }

    pub(super) fn place(&self, task: &Task) -> Place {
        self.place_in(self.part, task)
    }

    /// Where `task` of the host's `part` in this or a later play is carried out.
    pub(super) fn place_in(&self, part: &PreparedHost, task: &Task) -> Place {
        let machine = match &task.delegate_to {
            Some(name) => Arc::from(name.as_str()),
            None => self.name.clone(),
        };
        (machine, identity(part, &task.run_as))
    }
}

/// Who `run_as` is in a play where the host has this part.
pub(super) fn identity(part: &PreparedHost, run_as: &RunAs) -> Identity {
    match run_as {
        RunAs::Play => part.identity.clone(),
        RunAs::Login => Identity::Login,
        RunAs::User(user) => Identity::user(user),
    }
}
