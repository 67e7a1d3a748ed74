//! One host's way through a play: ask what all tasks need, decide in order, carry changes out together.

mod batch;
mod consult;
mod decide;
mod enter;
mod look;
mod once;
mod record;
mod rollback;
mod solo;
mod tell;

use crate::binding::Recorder;
use crate::clock::{Clocks, Spent};
use crate::compose::Composed;
use crate::decision::Change;
use crate::emit::Emitter;
use crate::fleet::Fleet;
use crate::journal::{Journal, Past, Record};
use crate::link::Link;
use crate::memory::{Memory, Place};
use crate::options::CancelHandle;
use crate::prepared::{PreparedHost, PreparedPlay, PreparedRole};
use crate::render_step;
use crate::sites::Sites;
use crate::task::Task;
use batch::Item;
use mosip_prov_events::{EventKind, Failure, TaskId, TaskStatus};
use mosip_prov_transport::{Gate, Host};
pub(crate) use once::OnceBoard;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What all hosts of a run share.
pub(crate) struct Shared {
    pub fleet: Arc<Fleet>,
    pub emitter: Emitter,
    pub gate: Gate,
    pub cancel: CancelHandle,
    pub command_timeout: Duration,
    pub lock_timeout: Duration,
    pub reconnect_timeout: Duration,
    pub rollback: bool,
    /// Where this run is written down, if anywhere.
    pub journal: Option<Arc<Journal>>,
    /// What earlier runs left.
    pub past: Past,
    /// Handlers of earlier runs that this one has settled: host, role, handler.
    pub paid: Mutex<BTreeSet<(String, String, String)>>,
    /// The machines whose lock is ours.
    pub sites: Sites,
    /// How many changes this run has carried out, on whatever machine.
    pub changes: AtomicU64,
    /// What hosts that got to the end of a play knew by then, and the number of changes when they began to ask.
    pub known: Mutex<BTreeMap<Arc<str>, (u64, Memory)>>,
    /// Where the time goes.
    pub clocks: Clocks,
    /// Takes a machine's lock before asking: what is compared with a plan must still hold when it is carried out.
    pub locks_first: bool,
    /// Keeps what is decided, if it is to be kept.
    pub recorder: Option<Arc<Recorder>>,
    /// What is being carried out where, for the operator who interrupts.
    pub running: Mutex<BTreeMap<String, TaskId>>,
}

impl Shared {
    /// Notes that something was changed, so that what was known before may not hold any more.
    /// Returns how many changes there have been.
    pub(crate) fn count_change(&self) -> u64 {
        self.changes.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Whether this only looks at what a run after it will do, over the same connections.
    pub(crate) fn is_rehearsal(&self) -> bool {
        self.locks_first && !self.gate.is_open()
    }

    /// Hands over what was found out about a host before its first play.
    pub(crate) fn set_known(&self, host: &Arc<str>, memory: Memory) {
        let changes = self.changes.load(Ordering::Acquire);
        self.known().insert(host.clone(), (changes, memory));
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, (u64, Memory)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a host left a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All its tasks were done.
    Complete,
    /// A task failed.
    Failed,
    /// It could not be reached, or was lost.
    Unreachable,
    /// The run was cancelled.
    Cancelled,
}

/// One host in one play.
pub(crate) struct HostRun<'r> {
    shared: &'r Shared,
    board: &'r OnceBoard,
    name: Arc<str>,
    play: &'r PreparedPlay,
    part: &'r PreparedHost,
    /// The host's parts in later plays of the run.
    later: Vec<&'r PreparedHost>,
    memory: Memory,
    /// How many changes the run had carried out when the memory was empty.
    changes_before: u64,
    batch: Vec<Item<'r>>,
    notified: Vec<Arc<str>>,
    /// Those of `notified` whose change has been carried out.
    owed: Vec<Arc<str>>,
    /// The role that is under way, by its place in the play.
    role: usize,
    /// Files that the role has replaced, in order.
    replaced: Vec<String>,
    /// The last change of the role that judges: what brings the service up.
    last_judged: Option<(Place, Change)>,
    /// Handlers that an earlier run owed.
    inherited: Vec<Arc<str>>,
    /// Tasks whose work an earlier run left and this one saw end well: role and name.
    adopted: Vec<(String, String)>,
    /// The task at which the host's way ended: role and name.
    stopped_at: Option<(String, String)>,
    /// Where its time goes.
    spent: Spent,
}

/// A task in its place in the play.
#[derive(Clone, Copy)]
struct Position<'r> {
    role: usize,
    task: &'r Task,
    handler: bool,
}

/// What became of deciding a task.
enum Decided {
    Settled(TaskStatus, String),
    Change(Change),
    Failed(Failure),
}

impl<'r> HostRun<'r> {
    pub fn new(
        shared: &'r Shared,
        board: &'r OnceBoard,
        name: Arc<str>,
        play: &'r PreparedPlay,
        part: &'r PreparedHost,
        later: Vec<&'r PreparedHost>,
    ) -> Self {
        let changes = shared.changes.load(Ordering::Acquire);
        // What an earlier play found out still holds as long as nothing was changed anywhere since.
        let known = shared.known().remove(&name).filter(|(before, _)| *before == changes);
        let memory = known.map_or_else(|| Memory::new(!shared.gate.is_open()), |(_, m)| m.for_another_play());
        Self {
            shared,
            board,
            name,
            play,
            part,
            later,
            memory,
            changes_before: changes,
            batch: Vec::new(),
            notified: Vec::new(),
            owed: Vec::new(),
            role: 0,
            replaced: Vec::new(),
            last_judged: None,
            inherited: Vec::new(),
            adopted: Vec::new(),
            stopped_at: None,
            spent: Spent::default(),
        }
    }

    /// Does all of the host's tasks in this play.
    pub async fn run(mut self) -> End {
        let began = Instant::now();
        let all = self.positions();
        if let Some(recorder) = &self.shared.recorder {
            recorder.entered(&self.name, self.play.name_in_run());
        }
        let end = match self.all_roles(&all).await {
            Ok(()) => End::Complete,
            Err(end) => end,
        };
        if end != End::Complete
            && let Some(recorder) = &self.shared.recorder
        {
            recorder.cut_off(&self.name, end == End::Unreachable);
        }
        if end != End::Complete
            && let Some(undone) = self.first_undone()
        {
            // Decided and never begun: nothing came of it, and nobody is owed anything for it.
            self.stopped_at = Some(undone);
            self.notified.clone_from(&self.owed);
        }
        if end != End::Complete && !self.notified.is_empty() && self.shared.gate.is_open() {
            let names: Vec<&str> = self.notified.iter().map(AsRef::as_ref).collect();
            self.shared.emitter.send(EventKind::Warning {
                host: Some(self.name.to_string()),
                message: format!(
                    "notified, but not run because the host did not get to the end: {}{}",
                    names.join(", "),
                    if self.shared.journal.is_some() {
                        "; owed to the next run"
                    } else {
                        ""
                    }
                ),
            });
        }
        let stays = end == End::Complete && !self.later.is_empty();
        if stays {
            let memory = std::mem::replace(&mut self.memory, Memory::new(false));
            let known = (self.changes_before, memory);
            self.shared.known().insert(self.name.clone(), known);
        }
        if !stays && !self.play.delegates_to(&self.name) {
            // Nobody who waits for this machine waits for the others.
            self.shared.sites.leave_machine(&self.shared.gate, &self.name).await;
        }
        if let Some(journal) = self.shared.journal.as_deref() {
            journal.note(Record::HostEnded {
                host: self.name.to_string(),
                play: self.play.key(),
                complete: end == End::Complete,
                stopped_at: self.stopped_at.take().filter(|_| end != End::Complete),
            });
        }
        self.spent.wall = began.elapsed();
        self.shared.clocks.add(&self.name, self.spent);
        self.shared.emitter.send(EventKind::HostFinished {
            host: self.name.to_string(),
            play: self.play.name.clone(),
            complete: end == End::Complete,
        });
        end
    }

    async fn all_roles(&mut self, all: &[Position<'r>]) -> Result<(), End> {
        let mut next = 0;
        for (number, role) in self.part.roles.iter().enumerate() {
            self.role = number;
            self.replaced.clear();
            self.last_judged = None;
            self.owe(role);
            while let Some(position) = all.get(next).filter(|p| p.role == number) {
                self.task(*position, &all[next..]).await?;
                next += 1;
            }
            self.flush().await?;
            // A handler may notify another, also one that stands before it.
            for handler in (0..=role.handlers.len()).flat_map(|_| &role.handlers) {
                if self.notified.iter().any(|n| n.as_ref() == handler.name()) {
                    let position = Position {
                        role: number,
                        task: handler,
                        handler: true,
                    };
                    self.task(position, &[position]).await?;
                    self.flush().await?;
                    self.notified.retain(|n| n.as_ref() != handler.name());
                    self.owed.retain(|n| n.as_ref() != handler.name());
                    self.settle(handler.name());
                }
            }
            if !self.replaced.is_empty() || self.shared.sites.keeps(&self.name, self.role_name()) {
                // The role got to its end: what it replaced, in this run or an earlier one, is not needed any more.
                self.shared.sites.drop_undo(&self.name, self.role_name());
            }
        }
        Ok(())
    }

    /// Handlers of `role` that earlier runs notified and did not run.
    fn owe(&mut self, role: &PreparedRole) {
        if role.tasks.is_empty() && !role.resumed {
            return;
        }
        let owed: Vec<String> = self
            .shared
            .past
            .owed_to(&self.name, &role.name)
            .filter(|handler| !self.is_paid(&role.name, handler))
            .map(str::to_owned)
            .collect();
        for name in owed {
            if role.handlers.iter().any(|h| h.name() == name) {
                let name: Arc<str> = Arc::from(name);
                self.warn(format!(
                    "an earlier run owes this host the handler \"{name}\" of role {}",
                    role.name
                ));
                self.notified.push(name.clone());
                self.inherited.push(name.clone());
                self.owed.push(name);
            } else {
                self.settle(&name);
            }
        }
    }

    /// Whether this run has settled that handler already.
    fn is_paid(&self, role: &str, handler: &str) -> bool {
        let paid = self.shared.paid.lock().unwrap_or_else(PoisonError::into_inner);
        paid.contains(&(self.name.to_string(), role.to_owned(), handler.to_owned()))
    }

    /// Notes that a handler of the present role is not owed any more.
    fn settle(&self, handler: &str) {
        self.shared.paid.lock().unwrap_or_else(PoisonError::into_inner).insert((
            self.name.to_string(),
            self.role_name().to_owned(),
            handler.to_owned(),
        ));
        self.promise(Record::HandlerSettled {
            host: self.name.to_string(),
            role: self.role_name().to_owned(),
            handler: handler.to_owned(),
        });
    }

    fn promise(&self, record: Record) {
        if let Some(journal) = self.shared.journal.as_deref().filter(|_| self.shared.gate.is_open()) {
            journal.promise(record);
        }
    }

    fn role_name(&self) -> &str {
        self.part.roles.get(self.role).map_or("", |r| r.name.as_str())
    }

    /// The role for which predecessors of replaced files are kept: one that can tell whether the new ones are good.
    fn keep_for(&self) -> Option<String> {
        let role = self.part.roles.get(self.role)?;
        let judged = role.tasks.iter().chain(&role.handlers).any(|t| t.resource.judges());
        judged.then(|| role.name.clone())
    }

    fn link<'a>(&'a self, host: &'a dyn Host, place: &'a Place) -> Link<'a> {
        Link {
            host,
            place,
            emitter: &self.shared.emitter,
            cancel: &self.shared.cancel,
            journal: self.shared.journal.as_deref(),
            sites: &self.shared.sites,
            reconnect: self.shared.reconnect_timeout,
        }
    }

    /// Sleeps for `time`, or until the run is cancelled.
    async fn pause(&mut self, time: Duration) {
        let began = Instant::now();
        self.shared.cancel.sleep(time).await;
        self.spent.pause += began.elapsed();
    }

    /// Remembers the answers to `composed` in `output`.
    fn learn_from(&mut self, place: &Place, composed: &Composed, output: &str) {
        let began = Instant::now();
        self.memory.learn(place, composed, output);
        self.spent.decide += began.elapsed();
    }

    /// One task: decided, and settled or put into the batch or carried out.
    async fn task(&mut self, position: Position<'r>, ahead: &[Position<'r>]) -> Result<(), End> {
        let task = position.task;
        let id = self.id(position);
        if !position.handler {
            self.stopped_at = Some((id.role.clone(), id.task.clone()));
        }
        if self.shared.cancel.is_cancelled() {
            return Err(End::Cancelled);
        }
        let place = self.place(task);
        let began = Instant::now();
        // Where decisions are kept, each host is asked for its own: which of them will do the task is not known before.
        if task.run_once && self.shared.recorder.is_none() {
            self.flush().await?;
            return self.once(position, id, place, ahead, began).await;
        }
        if needs_solitude(task) || task.run_once {
            self.flush().await?;
            return self.solo(position, id, place, ahead, began).await;
        }
        let questions = task.questions();
        let must_ask = self.must_come_to(&place) || !self.memory.unknown(&place, &questions).is_empty();
        if must_ask || self.batch_disturbs(&place, &questions) {
            self.flush().await?;
            self.learn(position, &id, &place, ahead).await?;
        }
        let decided = self.decide_locked(position, &id, &place, ahead).await?;
        self.record(position, &place, &decided);
        match decided {
            Decided::Settled(status, reason) => {
                let (status, reason) = self.adopt(task, &id, status, reason);
                self.note(&id, status);
                self.batch.push(Item::settled(id, status, reason, began));
            }
            Decided::Failed(mut failure) => {
                self.flush().await?;
                self.roll_back(task, &place, None, &mut failure).await;
                return self.failed(&id, task, failure, began);
            }
            Decided::Change(change) if render_step::is_small(&change) && self.batch_is_of(&place) => {
                self.notify(task);
                self.note(&id, TaskStatus::Changed);
                self.batch.push(Item::change(id, place, task, change, began));
                if !self.shared.gate.is_open() {
                    // The next decision is to know what this one would have touched.
                    self.flush().await?;
                }
            }
            Decided::Change(change) => {
                self.flush().await?;
                self.carry_out(task, id, &place, change, began).await?;
            }
        }
        Ok(())
    }

    /// What is to be done; something only if the lock of the machine is this run's.
    async fn decide_locked(
        &mut self,
        position: Position<'r>,
        id: &TaskId,
        place: &Place,
        ahead: &[Position<'r>],
    ) -> Result<Decided, End> {
        let decided = self.decide(position.task, id, place).await?;
        if !matches!(decided, Decided::Change(_)) || !self.is_unlocked(place) {
            return Ok(decided);
        }
        // Coming in may take long, or fail.
        self.flush().await?;
        self.enter_to_decide(position, id, place, ahead).await?;
        self.decide(position.task, id, place).await
    }

    /// A task that finds nothing to do because work that an earlier run left has done it counts as done by this run, so
    /// that its handlers run.
    fn adopt(&mut self, task: &Task, id: &TaskId, status: TaskStatus, reason: String) -> (TaskStatus, String) {
        let Some(at) = self.adopted.iter().position(|(r, t)| *r == id.role && *t == id.task) else {
            return (status, reason);
        };
        self.adopted.remove(at);
        if status != TaskStatus::Ok {
            return (status, reason);
        }
        self.promise(Record::Intent {
            host: id.host.clone(),
            play: self.play.key(),
            role: id.role.clone(),
            task: id.task.clone(),
            notify: task.notify.iter().map(ToString::to_string).collect(),
        });
        self.notify(task);
        self.owed.clone_from(&self.notified);
        (
            TaskStatus::Changed,
            format!("done by work that an earlier run left; now {reason}"),
        )
    }
}

/// Tasks whose failure is handled by themselves, or that run elsewhere, do not travel with others.
fn needs_solitude(task: &Task) -> bool {
    task.retries.is_some() || task.ignore_errors || task.others().next().is_some()
}

fn plain_failure(message: String) -> Failure {
    Failure {
        message,
        detail: None,
        status: None,
        help: None,
    }
}

fn censored(failure: Failure) -> Failure {
    Failure {
        message: "the task failed; what it printed is kept back, since it may hold secrets".to_owned(),
        detail: None,
        ..failure
    }
}
