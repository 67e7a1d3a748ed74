//! A run that is bound to a plan: all its hosts are looked at under their locks, everything is decided anew with the gate
//! shut, and the hosts that are not as they were planned for are left out. Only then does the run begin, and what it
//! decides rests on the very answers that were compared, until it changes something.

use crate::binding::{Binding, BoundHost, Recorder, compare};
use crate::host_run::{End, HostRun, OnceBoard, Shared};
use crate::memory::Memory;
use crate::prepared::{Prepared, PreparedHost, PreparedPlay, PreparedRole};
use crate::run::Engine;
use crate::sites::Sites;
use mosip_prov_events::{EventKind, Failure, Moved};
use mosip_prov_transport::Gate;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

const PLAN_AGAIN: &str = "nothing was changed on it; plan again, look at what is different, and apply that plan";

impl Engine {
    /// Compares all hosts with what was planned; those that must be left as they are, or are lost, are `out` afterwards.
    pub(crate) async fn bind(
        &self,
        binding: &Binding,
        prepared: &Prepared,
        shared: &Shared,
        out: &mut BTreeSet<Arc<str>>,
    ) {
        let hosts: Vec<Arc<str>> = prepared.hosts().into_iter().map(Arc::from).collect();
        let mut refused = BTreeSet::new();
        for host in &hosts {
            let reason = match binding.hosts.get(host.as_ref()) {
                Some(BoundHost::Planned(_)) => continue,
                Some(BoundHost::NotPlanned(reason)) => format!("nothing is planned for it: {reason}"),
                None => "the plan does not have it".to_owned(),
            };
            refuse(shared, host, reason, Vec::new());
            refused.insert(host.clone());
        }
        out.extend(refused.iter().cloned());
        let known = self.look(prepared, shared, out).await;
        if shared.cancel.is_cancelled() {
            return;
        }
        let recorder = Arc::new(Recorder::new(binding.key.clone()));
        let rehearsal = rehearsal_of(shared, recorder.clone());
        for (host, memory) in &known {
            rehearsal.set_known(host, memory.for_rehearsal());
        }
        let mut lost = out.clone();
        self.plays(prepared, &rehearsal, &mut lost).await;
        if shared.cancel.is_cancelled() {
            return;
        }
        let decisions = recorder.decisions();
        for host in hosts.iter().filter(|host| !out.contains(*host)) {
            let Some(BoundHost::Planned(planned)) = binding.hosts.get(host.as_ref()) else {
                continue;
            };
            if decisions.get(host.as_ref()).is_some_and(|now| now.lost) {
                // It was told as unreachable when it was lost.
                refused.insert(host.clone());
                continue;
            }
            let moved = match decisions.get(host.as_ref()) {
                Some(now) => compare(host, planned, now),
                None => Vec::new(),
            };
            if !moved.is_empty() {
                let tasks = match moved.len() {
                    1 => "a task is".to_owned(),
                    many => format!("{many} tasks are"),
                };
                refuse(
                    shared,
                    host,
                    format!("it has moved on since it was planned: {tasks} decided otherwise now"),
                    moved,
                );
                refused.insert(host.clone());
            }
        }
        self.with_those_that_work_there(prepared, shared, &mut refused);
        for host in &refused {
            shared.sites.leave_machine(&shared.gate, host).await;
        }
        out.extend(refused);
        for (host, memory) in known {
            if !out.contains(&host) {
                shared.set_known(&host, memory);
            }
        }
    }

    /// Comes to every host that is not `out`, and asks it all that its plays want to know.
    async fn look(
        &self,
        prepared: &Prepared,
        shared: &Shared,
        out: &mut BTreeSet<Arc<str>>,
    ) -> BTreeMap<Arc<str>, Memory> {
        let board = OnceBoard::default();
        let slots = Semaphore::new(self.options.forks.max(1));
        let (board, slots, left) = (&board, &slots, &*out);
        let names: BTreeSet<&Arc<str>> = prepared.plays.iter().flat_map(|play| play.hosts.keys()).collect();
        let looks = names
            .into_iter()
            .filter(|name| !left.contains(*name))
            .map(|name| async move {
                // The semaphore is never closed, so there is always a permit in the end.
                let _slot = slots.acquire().await;
                let parts: Vec<(&PreparedPlay, &PreparedHost)> = prepared
                    .plays
                    .iter()
                    .filter_map(|play| Some((play, play.hosts.get(name)?)))
                    .filter(|(_, part)| part.roles.iter().any(PreparedRole::has_work))
                    .collect();
                for (number, (play, part)) in parts.iter().enumerate() {
                    if shared.cancel.is_cancelled() {
                        return (name, Err(End::Cancelled));
                    }
                    let later = parts[number + 1..].iter().map(|(_, part)| *part).collect();
                    let run = HostRun::new(shared, board, Arc::clone(name), play, part, later);
                    match run.look().await {
                        Ok(None) => {}
                        found => return (name, found),
                    }
                }
                (name, Ok(None))
            });
        let looked: Vec<_> = futures::future::join_all(looks).await;
        let mut known = BTreeMap::new();
        for (name, found) in looked {
            match found {
                Ok(Some(memory)) => {
                    known.insert(Arc::clone(name), memory);
                }
                Ok(None) => {}
                Err(_) => {
                    out.insert(Arc::clone(name));
                }
            }
        }
        known
    }

    /// Refuses also the hosts whose tasks are carried out on one that is refused, and so on: nothing is changed there.
    fn with_those_that_work_there(&self, prepared: &Prepared, shared: &Shared, refused: &mut BTreeSet<Arc<str>>) {
        loop {
            let mut more = BTreeMap::new();
            for (host, part) in prepared.plays.iter().flat_map(|play| &play.hosts) {
                if refused.contains(host) {
                    continue;
                }
                let mut tasks = part.roles.iter().flat_map(|r| r.tasks.iter().chain(&r.handlers));
                if let Some(task) = tasks.find(|t| t.delegate_to.as_deref().is_some_and(|to| refused.contains(to))) {
                    let there = task.delegate_to.as_deref().unwrap_or_default();
                    more.insert(
                        host.clone(),
                        format!(
                            "its task \"{}\" is carried out on {there}, which is left out",
                            task.name
                        ),
                    );
                }
            }
            if more.is_empty() {
                return;
            }
            for (host, reason) in more {
                refuse(shared, &host, reason, Vec::new());
                refused.insert(host);
            }
        }
    }
}

fn refuse(shared: &Shared, host: &Arc<str>, message: String, moved: Vec<Moved>) {
    shared.emitter.send(EventKind::HostRefused {
        host: host.to_string(),
        error: Failure {
            message,
            detail: None,
            status: None,
            help: Some(PLAN_AGAIN.to_owned()),
        },
        moved,
    });
}

/// What the hosts of a rehearsal share: the same machines behind a gate that is shut, and nothing told or written down.
fn rehearsal_of(shared: &Shared, recorder: Arc<Recorder>) -> Shared {
    Shared {
        fleet: shared.fleet.clone(),
        emitter: shared.emitter.muted(),
        gate: Gate::closed(),
        cancel: shared.cancel.clone(),
        command_timeout: shared.command_timeout,
        lock_timeout: shared.lock_timeout,
        reconnect_timeout: shared.reconnect_timeout,
        rollback: shared.rollback,
        journal: None,
        past: shared.past.clone(),
        paid: Mutex::default(),
        sites: Sites::new(shared.sites.owner().clone()),
        changes: AtomicU64::new(0),
        known: Mutex::default(),
        clocks: shared.clocks.clone(),
        locks_first: shared.locks_first,
        recorder: Some(recorder),
        running: Mutex::default(),
    }
}
