//! What this run keeps on which machine: needed to leave each as it should be left.

use crate::site::lock::{self, Owner};
use mosip_prov_transport::{Gate, Host, Identity, Request};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;

/// The machines of a run that were entered.
pub(crate) struct Sites {
    owner: Owner,
    counter: AtomicU64,
    entered: Mutex<BTreeMap<String, Site>>,
}

struct Site {
    host: Arc<dyn Host>,
    identity: Identity,
    units: Vec<String>,
    undo: Vec<String>,
    heart: JoinHandle<()>,
}

impl Sites {
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            counter: AtomicU64::new(0),
            entered: Mutex::default(),
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

    /// Whether the lock of `machine` is ours.
    pub fn has(&self, machine: &str) -> bool {
        self.lock().contains_key(machine)
    }

    /// Notes that the lock of `machine` was taken, and keeps it alive until [`Sites::leave`].
    pub fn enter(&self, machine: &str, host: Arc<dyn Host>, identity: Identity) {
        let (script, pulse, who) = (lock::renew(&self.owner), host.clone(), identity.clone());
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
            identity,
            units: Vec::new(),
            undo: Vec::new(),
            heart,
        };
        if let Some(earlier) = self.lock().insert(machine.to_owned(), site) {
            earlier.heart.abort();
        }
    }

    /// Long work to be removed when `machine` is left.
    pub fn drop_unit(&self, machine: &str, id: &str) {
        if let Some(site) = self.lock().get_mut(machine) {
            site.units.push(id.to_owned());
        }
    }

    /// Predecessors of `role`'s files to be removed when `machine` is left.
    pub fn drop_undo(&self, machine: &str, role: &str) {
        if let Some(site) = self.lock().get_mut(machine)
            && !site.undo.iter().any(|r| r == role)
        {
            site.undo.push(role.to_owned());
        }
    }

    /// Lets go of all machines, several at once.
    pub async fn leave(&self, gate: &Gate) {
        let Ok(permit) = gate.permit() else {
            return;
        };
        let sites = std::mem::take(&mut *self.lock());
        let partings = sites.into_values().map(|site| async move {
            site.heart.abort();
            let script = lock::leave(&self.owner, &site.units, &site.undo);
            let request = Request::new(script).timeout(std::time::Duration::from_secs(20));
            // A host that is gone lets go by itself, when the lease ends.
            let _ = site.host.apply(&permit, &site.identity, request).await;
        });
        futures::future::join_all(partings).await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Site>> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
