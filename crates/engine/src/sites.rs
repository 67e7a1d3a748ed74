//! What this run keeps on which machine: needed to leave each as it should be left.

use crate::memory::Place;
use crate::site::lock::{self, Owner};
use mosip_prov_transport::{Gate, Host, Request};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;

/// The places of a run that were entered: each user on a machine has a lock of their own, since nobody else may write to
/// it, and all are kept together.
pub(crate) struct Sites {
    owner: Owner,
    counter: AtomicU64,
    entered: Mutex<HashMap<Place, Site>>,
    /// Machines that were found to be nobody's, and are asked without a lock until something is to be changed there.
    seen: Mutex<BTreeSet<Arc<str>>>,
}

struct Site {
    host: Arc<dyn Host>,
    units: Vec<String>,
    /// Roles whose predecessors of files go when the place is left.
    undo: Vec<String>,
    /// Roles for which an earlier run kept predecessors, each as a path component.
    kept: BTreeSet<String>,
    heart: JoinHandle<()>,
}

impl Drop for Site {
    /// Whoever drops a run half-way gives no more signs of life.
    fn drop(&mut self) {
        self.heart.abort();
    }
}

impl Sites {
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            counter: AtomicU64::new(0),
            entered: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// The run's name.
    pub fn run(&self) -> &str {
        &self.owner.run
    }

    /// Who takes locks.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// A number that was not given out before.
    pub fn next(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether the lock of `place` is ours.
    pub fn has(&self, place: &Place) -> bool {
        self.lock().contains_key(place)
    }

    /// Whether a lock of `machine` is ours, whoever it belongs to there.
    pub fn has_machine(&self, machine: &str) -> bool {
        self.lock().keys().any(|(name, _)| name.as_ref() == machine)
    }

    /// Whether `machine` was found to be nobody's.
    pub fn has_seen(&self, machine: &str) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.contains(machine)
    }

    /// Notes that `machine` was found to be nobody's.
    pub fn see(&self, machine: &Arc<str>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(machine.clone());
    }

    /// Notes that the lock of `place` was taken, and keeps it alive until [`Sites::leave`]. `kept` are the roles for which
    /// predecessors of files were found there.
    pub fn enter(&self, place: &Place, host: Arc<dyn Host>, kept: Vec<String>) {
        let (script, pulse, who) = (lock::renew(&self.owner), host.clone(), place.1.clone());
        let heart = tokio::spawn(async move {
            // A sign of life is no change of the host's state, but it is a write: it needs a gate like any other, and
            // only runs that hold a lock get here.
            let gate = Gate::open();
            loop {
                tokio::time::sleep(lock::RENEWAL).await;
                if let Ok(permit) = gate.permit() {
                    // A lost connection is noticed by whoever has something to say.
                    let _ = pulse.apply(&permit, &who, Request::new(script.clone())).await;
                }
            }
        });
        let site = Site {
            host,
            units: Vec::new(),
            undo: Vec::new(),
            kept: kept.into_iter().collect(),
            heart,
        };
        // Two tasks may come to a machine at once, its own and one delegated to it.
        self.lock().entry(place.clone()).or_insert(site);
    }

    /// Long work to be removed when `place` is left.
    pub fn drop_unit(&self, place: &Place, id: &str) {
        if let Some(site) = self.lock().get_mut(place) {
            site.units.push(id.to_owned());
        }
    }

    /// Whether an earlier run kept predecessors of `role`'s files on `machine`.
    pub fn keeps(&self, machine: &str, role: &str) -> bool {
        let role = crate::site::component(role);
        let sites = self.lock();
        let mut on_it = sites.iter().filter(|((name, _), _)| name.as_ref() == machine);
        on_it.any(|(_, site)| site.kept.contains(&role))
    }

    /// Predecessors of `role`'s files to be removed when `machine` is left.
    pub fn drop_undo(&self, machine: &str, role: &str) {
        for ((name, _), site) in self.lock().iter_mut() {
            if name.as_ref() == machine && !site.undo.iter().any(|r| r == role) {
                site.undo.push(role.to_owned());
            }
        }
    }

    /// Lets go of all machines, several at once.
    pub async fn leave(&self, gate: &Gate) {
        let sites: Vec<(Place, Site)> = self.lock().drain().collect();
        self.part(gate, sites).await;
    }

    /// Lets go of one machine, so that nobody waits for it longer than need be.
    pub async fn leave_machine(&self, gate: &Gate, machine: &str) {
        let sites: Vec<(Place, Site)> = self
            .lock()
            .extract_if(|(name, _), _| name.as_ref() == machine)
            .collect();
        self.part(gate, sites).await;
    }

    async fn part(&self, gate: &Gate, sites: Vec<(Place, Site)>) {
        let Ok(permit) = gate.permit() else {
            return;
        };
        let partings = sites.into_iter().map(|((name, identity), site)| async move {
            site.heart.abort();
            let script = lock::leave(&self.owner, &name, &site.units, &site.undo);
            let request = Request::new(script).timeout(std::time::Duration::from_secs(20));
            // A host that is gone lets go by itself, when the lease ends.
            let _ = site.host.apply(&permit, &identity, request).await;
        });
        futures::future::join_all(partings).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Site>> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
