//! The machines of a run, each connected to once and only when it is needed.

use crate::emit::Emitter;
use crate::options::CancelHandle;
use mosip_prov_events::EventKind;
use mosip_prov_transport::{Connector, ExchangeStats, Host, Target, TransportError};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// Time between two tries to reach a machine that does not answer yet.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How long ending a connection may take.
const FAREWELL: Duration = Duration::from_secs(5);

type Slot = Arc<OnceCell<Result<Arc<dyn Host>, Arc<TransportError>>>>;

/// Hosts by inventory name.
pub(crate) struct Fleet {
    connector: Arc<dyn Connector>,
    targets: HashMap<Arc<str>, Target>,
    slots: Mutex<HashMap<Arc<str>, Slot>>,
    emitter: Emitter,
}

impl Fleet {
    pub fn new(connector: Arc<dyn Connector>, targets: HashMap<Arc<str>, Target>, emitter: Emitter) -> Self {
        Self {
            connector,
            targets,
            slots: Mutex::default(),
            emitter,
        }
    }

    /// The host of that name, connected. Whoever asks first connects; a failure is the same for all who ask.
    ///
    /// `None` when the run has no target of that name, which [`crate::prepare`] rules out.
    ///
    /// A machine that does not answer yet is tried again for `patience`, unless the run is cancelled.
    pub async fn get(
        &self,
        name: &str,
        patience: Duration,
        cancel: &CancelHandle,
    ) -> Option<Result<Arc<dyn Host>, Arc<TransportError>>> {
        let target = self.targets.get(name)?;
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(Arc::from(name)).or_default().clone()
        };
        let result = slot
            .get_or_init(|| async {
                let began = Instant::now();
                let mut announced = false;
                let host = loop {
                    match self.connector.connect(target).await {
                        Ok(host) => break host,
                        Err(error) if error.is_transient() && began.elapsed() < patience && !cancel.is_cancelled() => {
                            if !announced {
                                announced = true;
                                self.emitter.send(EventKind::Warning {
                                    host: Some(name.to_owned()),
                                    message: format!("{}; waiting up to {} s for it", error.kind, patience.as_secs()),
                                });
                            }
                            cancel.sleep(LOOK_AGAIN).await;
                        }
                        Err(error) => return Err(Arc::new(error)),
                    }
                };
                self.emitter.send(EventKind::HostConnected {
                    host: name.to_owned(),
                    milliseconds: began.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
                });
                Ok(host)
            })
            .await;
        Some(result.clone())
    }

    /// What the connection of every host that was connected to has cost.
    pub fn stats(&self) -> BTreeMap<String, ExchangeStats> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots
            .iter()
            .filter_map(|(name, slot)| {
                let host = slot.get()?.as_ref().ok()?;
                Some((name.to_string(), host.stats()))
            })
            .collect()
    }

    /// Ends the connection to a machine that this run is done with, so that what it takes up is free for others. What it
    /// has cost is known all the same, and whoever needs the machine after all connects anew.
    pub async fn part(&self, name: &str) {
        let host = {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.get(name).and_then(|slot| slot.get()?.as_ref().ok().cloned())
        };
        if let Some(host) = host {
            // One that is gone may not even take a farewell.
            let _ = tokio::time::timeout(FAREWELL, host.close()).await;
        }
    }

    /// Ends all connections.
    pub async fn close(&self) {
        let hosts: Vec<Arc<dyn Host>> = {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots
                .values()
                .filter_map(|slot| slot.get()?.as_ref().ok().cloned())
                .collect()
        };
        futures::future::join_all(hosts.iter().map(|h| h.close())).await;
    }
}
