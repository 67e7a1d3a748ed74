//! Deciding one task from what is known, and asking what is not.

use super::{Decided, End, HostRun, Position, plain_failure};
use crate::decision::{Decision, FIRM};
use crate::memory::Place;
use crate::question::Question;
use crate::task::{DecideError, Task, Verdict};
use crate::text::sanitize;
use mosip_prov_events::{EventKind, Failure, TaskId, TaskStatus};
use mosip_prov_transport::Host;
use std::sync::Arc;
use std::time::Instant;

impl<'r> HostRun<'r> {
    /// Decides `task` from what is known, waiting for a state that has not come yet.
    pub(super) async fn decide(&mut self, task: &Task, id: &TaskId, place: &Place) -> Result<Decided, End> {
        let began = Instant::now();
        let patience = task.resource.patience();
        let mut announced = false;
        let mut failing_since: Option<Instant> = None;
        loop {
            let mut concluded = self.conclude(task, place);
            if task.must_consult() || matches!(concluded, Err(DecideError::Ask(_))) && !task.consult.is_empty() {
                // Another machine is asked only where the task's own does not settle it: it may be down.
                self.consult(task, id).await?;
                concluded = self.conclude(task, place);
            }
            let decision = match concluded {
                Ok(Ok(decision)) => decision,
                Ok(Err(reason)) => return Ok(Decided::Settled(TaskStatus::Skipped, reason)),
                Err(error) => return Ok(self.undecided(task, place, &error)),
            };
            let (reason, failing) = match decision {
                Decision::Nothing { reason } => {
                    return Ok(Decided::Settled(TaskStatus::Ok, reason));
                }
                Decision::Unknown { reason } => {
                    return Ok(Decided::Settled(TaskStatus::Unknown, reason));
                }
                Decision::Change(change) => return Ok(Decided::Change(change)),
                Decision::NotYet { reason } => (reason, None),
                Decision::Failing { reason, help } => (reason, Some(help)),
            };
            if !self.shared.gate.is_open() {
                return Ok(Decided::Settled(TaskStatus::Unknown, format!("not yet: {reason}")));
            }
            self.flush().await?;
            if let Some(help) = failing {
                if failing_since.get_or_insert_with(Instant::now).elapsed() >= FIRM.min(patience.at_most / 2) {
                    return Ok(Decided::Failed(Failure {
                        message: sanitize(&reason),
                        detail: None,
                        status: None,
                        help,
                    }));
                }
            } else {
                failing_since = None;
            }
            if began.elapsed() >= patience.at_most {
                return Ok(Decided::Failed(Failure {
                    message: format!("waited {} s: {}", patience.at_most.as_secs(), sanitize(&reason)),
                    detail: None,
                    status: None,
                    help: None,
                }));
            }
            if !announced {
                announced = true;
                self.shared.emitter.send(EventKind::TaskStarted {
                    task: id.clone(),
                    action: format!("wait: {}", sanitize(&reason)),
                });
            }
            self.pause(patience.every).await;
            if self.shared.cancel.is_cancelled() {
                return Err(End::Cancelled);
            }
            // What was waited for may have changed anything, and what was heard before the wait is old by now.
            self.memory.forget_everything();
            self.changes_before = self.shared.count_change();
            self.ask(id, place, &task.questions()).await?;
        }
    }

    /// What the resource says; `Err` with the reason when the condition does not hold.
    fn conclude(&mut self, task: &Task, place: &Place) -> Result<Result<Decision, String>, DecideError> {
        let began = Instant::now();
        let concluded = self.conclusion(task, place);
        self.spent.decide += began.elapsed();
        concluded
    }

    fn conclusion(&mut self, task: &Task, place: &Place) -> Result<Result<Decision, String>, DecideError> {
        let merged = (!task.consult.is_empty()).then(|| self.answers_for(task, place));
        let answers = match &merged {
            Some(answers) => answers,
            None => self.memory.at(place),
        };
        if let Some(condition) = &task.condition
            && let Verdict::Skip(reason) = (condition.predicate)(answers)?
        {
            return Ok(Err(reason));
        }
        task.resource.decide(answers).map(Ok)
    }

    /// An error of deciding: in check mode, after changes that were not carried out, it may only mean that what the
    /// task builds on is not there yet.
    pub(super) fn undecided(&mut self, task: &Task, place: &Place, error: &DecideError) -> Decided {
        let answers = self.answers_for(task, place);
        let asked = task.consult.iter().flat_map(|c| c.questions.clone());
        let asked: Vec<Question> = task.resource.questions().into_iter().chain(asked).collect();
        if let DecideError::Impossible { what, .. } = error
            && let Some(earlier) = answers
                .pending_everything()
                .or_else(|| asked.iter().find_map(|q| answers.pending_for(q)))
        {
            return Decided::Settled(
                TaskStatus::Unknown,
                format!("not to be known before \"{earlier}\" is done ({})", sanitize(what)),
            );
        }
        Decided::Failed(Failure {
            message: sanitize(&error.to_string()),
            detail: None,
            status: None,
            help: error.help().map(str::to_owned),
        })
    }

    /// Asks what `position` and the tasks after it at the same place need and is not known.
    pub(super) async fn learn(
        &mut self,
        position: Position<'r>,
        id: &TaskId,
        place: &Place,
        ahead: &[Position<'r>],
    ) -> Result<(), End> {
        let own = position.task.questions();
        if self.memory.unknown(place, &own).is_empty() && !self.must_come_to(place) {
            return Ok(());
        }
        let wanted = self.wanted(position.task, place, ahead);
        let missing: Vec<Question> = self.memory.unknown(place, &wanted).into_iter().cloned().collect();
        self.ask(id, place, &missing).await
    }

    /// What `task` and the tasks ahead of it want to know at `place`, as often as they do.
    pub(super) fn wanted(&self, task: &Task, place: &Place, ahead: &[Position<'_>]) -> Vec<Question> {
        let mut wanted = Vec::new();
        if ahead.is_empty() {
            wanted.extend(task.questions());
        }
        for later in ahead {
            if self.place(later.task) == *place {
                wanted.extend(later.task.questions());
            }
        }
        // What later plays want to know travels along: on a host that is right it still holds when they come.
        for part in &self.later {
            for task in part.roles.iter().flat_map(|role| &role.tasks) {
                if self.place_in(part, task) == *place {
                    wanted.extend(task.questions());
                }
            }
        }
        wanted
    }

    pub(super) async fn ask(&mut self, id: &TaskId, place: &Place, questions: &[Question]) -> Result<(), End> {
        if self.is_unlocked(place) {
            return Box::pin(self.come_to(id, place, questions)).await;
        }
        let host = self.host(id, &place.0).await?;
        match self.ask_patiently(&host, place, questions).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.lost(id, &place.0, &error)),
        }
    }

    /// The machine `machine`, connected.
    pub(super) async fn host(&mut self, id: &TaskId, machine: &str) -> Result<Arc<dyn Host>, End> {
        let patience = self.play.wait_for_hosts;
        match self.shared.fleet.get(machine, patience, &self.shared.cancel).await {
            Some(Ok(host)) => Ok(host),
            Some(Err(error)) => Err(self.lost(id, machine, &error)),
            None => {
                let failure = plain_failure(format!("no connection is known for {machine}"));
                Err(self.task_failed(id, failure, Instant::now()))
            }
        }
    }
}
