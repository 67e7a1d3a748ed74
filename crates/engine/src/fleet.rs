//! The machines of a run, each connected to once and only when it is needed.

use crate::emit::Emitter;
use mosip_prov_events::EventKind;
use mosip_prov_transport::{Connector, Host, Target, TransportError};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::OnceCell;

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
    pub async fn get(&self, name: &str) -> Option<Result<Arc<dyn Host>, Arc<TransportError>>> {
        let target = self.targets.get(name)?;
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(Arc::from(name)).or_default().clone()
        };
        let result = slot
            .get_or_init(|| async {
                let began = Instant::now();
                let host = self.connector.connect(target).await.map_err(Arc::new)?;
                self.emitter.send(EventKind::HostConnected {
                    host: name.to_owned(),
                    milliseconds: began.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
                });
                Ok(host)
            })
            .await;
        Some(result.clone())
    }

    /// Round trips after login, of every host that was connected to.
    pub fn exchanges(&self) -> BTreeMap<String, u64> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots
            .iter()
            .filter_map(|(name, slot)| {
                let host = slot.get()?.as_ref().ok()?;
                Some((name.to_string(), host.stats().exchanges))
            })
            .collect()
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
