//! Coming to a machine: its lock, and the work that an earlier run left there.
//!
//! Asking needs no lock: a machine that nobody has left anything on is only looked at, with the questions. The lock is taken
//! when the first change is about to be made, and everything is asked anew with it; so a machine that is right costs one round
//! trip, and no decision to change something rests on what was asked without the lock.

use super::{End, HostRun, Position, plain_failure};
use crate::apply::{Applier, ApplyError};
use crate::compose::compose;
use crate::journal::Record;
use crate::memory::Place;
use crate::question::Question;
use crate::shell::{frame, split_frames, text_of};
use crate::site::lock::{self, FoundUnit, UnitState};
use crate::site::look;
use crate::site::unit::Followed;
use crate::text::sanitize;
use mosip_prov_events::{EventKind, TaskId};
use mosip_prov_transport::{Host, Request, TransportError};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Time between two looks at a lock that is held.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

impl HostRun<'_> {
    /// Whether `place`'s machine is still to be come to before anything is decided there. A run that changes nothing holds no
    /// locks.
    pub(super) fn must_come_to(&self, place: &Place) -> bool {
        self.is_unlocked(place) && !self.shared.sites.has_seen(&place.0)
    }

    /// Whether no lock of `place`'s machine is this run's, which may change things.
    pub(super) fn is_unlocked(&self, place: &Place) -> bool {
        self.shared.gate.is_open() && !self.shared.sites.has_machine(&place.0)
    }

    /// Asks `questions` at a machine whose lock is not ours. It stays so if nobody has left anything there; otherwise it is
    /// entered.
    pub(super) async fn come_to(&mut self, id: &TaskId, place: &Place, questions: &[Question]) -> Result<(), End> {
        let shared = self.shared;
        // Work that this controller knows to be there is to be taken over.
        if shared.locks_first || shared.past.units.iter().any(|unit| unit.host == *place.0) {
            return self.enter(id, place, questions).await;
        }
        let host = self.host(id, &place.0).await?;
        let composed = compose(questions);
        let request = Request::new(look::look(&composed.script)).timeout(shared.command_timeout);
        let response = {
            let link = self.link(host.as_ref(), place);
            let mut patience = link.patience();
            loop {
                match host.ask(&place.1, request.clone()).await {
                    Ok(response) => break response,
                    Err(error) if patience.again(&error).await => {}
                    Err(error) => return Err(self.lost(id, &place.0, &error)),
                }
            }
        };
        let output = text_of(&response.stdout);
        match look::undisturbed(&output) {
            Some(answers) => {
                self.learn_from(place, &composed, answers);
                shared.sites.see(&place.0);
                Ok(())
            }
            None => self.enter(id, place, questions).await,
        }
    }

    /// Takes the lock of `place`'s machine for a change that was decided without it, and asks everything that `position` and
    /// the tasks after it need anew: until now another run may have been there.
    pub(super) async fn enter_to_decide(
        &mut self,
        position: Position<'_>,
        id: &TaskId,
        place: &Place,
        ahead: &[Position<'_>],
    ) -> Result<(), End> {
        self.memory.forget_machine(&place.0);
        let wanted = self.wanted(position.task, place, ahead);
        let missing: Vec<Question> = self.memory.unknown(place, &wanted).into_iter().cloned().collect();
        Box::pin(self.enter(id, place, &missing)).await
    }

    /// Takes the lock of `place` if only that of another user there is ours: what changes leave there belongs to the user
    /// who makes them.
    pub(super) async fn enter_for_change(&mut self, id: &TaskId, place: &Place) -> Result<(), End> {
        if self.shared.sites.has(place) {
            return Ok(());
        }
        Box::pin(self.enter(id, place, &[])).await
    }

    /// Takes the lock of `place`'s machine, asks `questions` on the way, and takes over what an earlier run left.
    pub(super) async fn enter(&mut self, id: &TaskId, place: &Place, questions: &[Question]) -> Result<(), End> {
        let shared = self.shared;
        let host = self.host(id, &place.0).await?;
        let began = Instant::now();
        let mut announced = false;
        let mut break_run: Option<String> = None;
        let found = loop {
            let found = self.knock(&host, id, place, questions, break_run.as_deref()).await?;
            let (holder, age) = match found.lock {
                Ok(()) => {
                    if let Some(owner) = &found.taken_from {
                        self.warn(format!(
                            "took over the lock of a run that ended without letting go: {}",
                            owner
                        ));
                    }
                    break found;
                }
                Err(busy) => busy,
            };
            let owner = shared.sites.owner();
            let exists = |pid: u32| Path::new("/proc").join(pid.to_string()).exists();
            if let Some(gone) = holder.as_ref().filter(|h| h.is_gone(owner, exists)) {
                break_run = Some(gone.run.clone());
                continue;
            }
            let who = holder
                .as_ref()
                .map_or_else(|| "another run".to_owned(), ToString::to_string);
            if began.elapsed() >= shared.lock_timeout {
                let mut failure = plain_failure(format!(
                    "another run works on this host: {who}; its last sign of life was {age} s ago; waited {} s",
                    began.elapsed().as_secs()
                ));
                failure.help =
                    Some("wait for it to end, or give a longer --lock-timeout; if its controller is gone, the lock falls free 2 minutes after its last sign of life".into());
                return Err(self.task_failed(id, failure, began));
            }
            if !announced {
                announced = true;
                self.warn(format!("waiting for another run that works on this host: {who}"));
            }
            self.pause(LOOK_AGAIN).await;
            if shared.cancel.is_cancelled() {
                return Err(End::Cancelled);
            }
        };
        shared.sites.enter(place, host, found.undo);
        self.take_over(id, place, found.units).await?;
        let missing: Vec<Question> = self.memory.unknown(place, questions).into_iter().cloned().collect();
        if missing.is_empty() {
            Ok(())
        } else {
            self.ask(id, place, &missing).await
        }
    }

    /// One look at the lock, with the questions.
    async fn knock(
        &mut self,
        host: &Arc<dyn Host>,
        id: &TaskId,
        place: &Place,
        questions: &[Question],
        break_run: Option<&str>,
    ) -> Result<lock::Entered, End> {
        let shared = self.shared;
        let composed = compose(questions);
        let enter = frame(&lock::enter(shared.sites.owner(), break_run));
        let request = Request::new(format!("{enter}{}", composed.script)).timeout(shared.command_timeout);
        let permit = match shared.gate.permit() {
            Ok(permit) => permit,
            // A run that changes nothing holds no lock.
            Err(_) => return Err(self.task_failed(id, plain_failure("no lock in check mode".into()), Instant::now())),
        };
        let link = self.link(host.as_ref(), place);
        let mut patience = link.patience();
        let response = loop {
            match host.apply(&permit, &place.1, request.clone()).await {
                Ok(response) => break response,
                Err(error) if patience.again(&error).await => {}
                Err(error) => return Err(self.lost(id, &place.0, &error)),
            }
        };
        let output = text_of(&response.stdout);
        // The first frame is ours; what follows is the answers.
        let head = split_frames(&output)
            .ok()
            .and_then(|frames| frames.first().map(|f| (f.status, f.text.to_owned())));
        let entered = match &head {
            Some((0, text)) => lock::parse(text),
            Some((status, text)) => Err(format!("status {status}: {text}")),
            None => Err(format!("no answer: {}", response.stderr_text())),
        };
        match entered {
            Ok(entered) => {
                let rest = after_first_frame(&output);
                if entered.lock.is_ok() {
                    self.learn_from(place, &composed, rest);
                }
                Ok(entered)
            }
            Err(reason) => {
                let failure = plain_failure(format!("the host's lock could not be taken: {}", sanitize(&reason)));
                Err(self.task_failed(id, failure, Instant::now()))
            }
        }
    }

    /// Waits for the work that an earlier run left, and takes its results.
    async fn take_over(&mut self, id: &TaskId, place: &Place, units: Vec<FoundUnit>) -> Result<(), End> {
        let shared = self.shared;
        // Work that is not there any more was never begun, or went with a reboot.
        let is_there = |id: &str| units.iter().any(|unit| unit.id == id);
        for lost in shared
            .past
            .units
            .iter()
            .filter(|u| u.host == *place.0 && !is_there(&u.unit))
        {
            self.promise(Record::UnitEnded {
                host: lost.host.clone(),
                unit: lost.unit.clone(),
                status: -1,
            });
        }
        for unit in units {
            if unit.id.starts_with(&format!("{}-", shared.sites.run())) {
                // Another host's task of this very run, delegated to this machine.
                continue;
            }
            if shared.past.taken.contains(&unit.id) && unit.state != UnitState::Running {
                shared.sites.drop_unit(place, &unit.id);
                continue;
            }
            let task = sanitize(&unit.task);
            self.warn(format!(
                "an earlier run left work on this host: {task}; attaching to it"
            ));
            let host = self.host(id, &place.0).await?;
            let Ok(permit) = shared.gate.permit() else {
                return Ok(());
            };
            let mut own = id.clone();
            if let Some((role, name)) = unit.task.split_once(": ") {
                own.role = role.to_owned();
                own.task = name.to_owned();
            }
            self.started(&own, "attached to work that an earlier run left");
            let result = {
                let link = self.link(host.as_ref(), place);
                let applier = Applier {
                    link: &link,
                    permit,
                    timeout: shared.command_timeout,
                    keep_for: None,
                };
                let (sender, receiver) = mpsc::channel(64);
                let work = async {
                    let result = applier.adopt(&unit.id, &sender).await;
                    drop(sender);
                    result
                };
                tokio::join!(work, self.forward(receiver, &own, self.is_silent(&own))).0
            };
            self.running().remove(&own.host);
            let status = match result {
                Ok((Followed::Status(status), _)) => status,
                Ok((Followed::Vanished | Followed::Gone, _)) | Err(ApplyError::Step(_)) => -1,
                Err(ApplyError::Transport(error)) => return Err(self.lost(id, &place.0, &error)),
            };
            self.promise(Record::UnitEnded {
                host: place.0.to_string(),
                unit: unit.id.clone(),
                status,
            });
            shared.sites.drop_unit(place, &unit.id);
            if status == 0 {
                self.adopted.push((own.role, own.task));
            } else {
                self.warn(format!(
                    "the work that an earlier run left ended with status {status}: {task}; it is looked at anew"
                ));
            }
            shared.count_change();
            self.memory.forget_machine(&place.0);
            if shared.cancel.is_cancelled() {
                return Err(End::Cancelled);
            }
        }
        Ok(())
    }

    /// Whether the output of that task must not be shown; of a task that nobody knows it is not.
    fn is_silent(&self, id: &TaskId) -> bool {
        let roles = self.part.roles.iter().filter(|r| r.name == id.role);
        let mut tasks = roles.flat_map(|r| r.tasks.iter().chain(&r.handlers));
        tasks.find(|t| t.name() == id.task).is_none_or(|t| t.no_log)
    }

    pub(super) fn warn(&self, message: String) {
        self.shared.emitter.send(EventKind::Warning {
            host: Some(self.name.to_string()),
            message,
        });
    }

    /// Asks over as many connections as it takes.
    pub(super) async fn ask_patiently(
        &mut self,
        host: &Arc<dyn Host>,
        place: &Place,
        questions: &[Question],
    ) -> Result<(), TransportError> {
        let composed = compose(questions);
        if composed.is_empty() {
            return Ok(());
        }
        let request = Request::new(composed.script.clone()).timeout(self.shared.command_timeout);
        let response = {
            let link = self.link(host.as_ref(), place);
            let mut patience = link.patience();
            loop {
                match host.ask(&place.1, request.clone()).await {
                    Err(error) if patience.again(&error).await => {}
                    result => break result?,
                }
            }
        };
        self.learn_from(place, &composed, &text_of(&response.stdout));
        Ok(())
    }
}

/// What follows the first frame of `output`.
fn after_first_frame(output: &str) -> &str {
    let Some((head, tail)) = output.split_once('\n') else {
        return "";
    };
    let length: usize = head.split_once(' ').and_then(|(_, n)| n.parse().ok()).unwrap_or(0);
    tail.get(length..)
        .map_or("", |rest| rest.strip_prefix('\n').unwrap_or(rest))
}
