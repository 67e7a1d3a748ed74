//! Hosts that are folders of this machine, and some that are down.

use async_trait::async_trait;
use mosip_prov::transport::error::{ConnectError, ErrorKind};
use mosip_prov::transport::{Connector, Host, Target, TransportError};
use mosip_prov_engine::testing::PlacedHost;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Reaches such hosts.
pub struct Apart {
    root: PathBuf,
    down: BTreeSet<String>,
    connected: Mutex<Vec<String>>,
}

impl Apart {
    /// Hosts whose locks are kept in `root`; those of `down` do not answer.
    pub fn new(root: &Path, down: impl IntoIterator<Item = String>) -> Arc<Self> {
        Arc::new(Self {
            root: root.to_owned(),
            down: down.into_iter().collect(),
            connected: Mutex::default(),
        })
    }

    /// The hosts that were connected to.
    ///
    /// # Panics
    /// A connection panicked.
    pub fn connected(&self) -> Vec<String> {
        self.connected.lock().expect("nobody panicked").clone()
    }
}

#[async_trait]
impl Connector for Apart {
    async fn connect(&self, target: &Target) -> Result<Arc<dyn Host>, TransportError> {
        if self.down.contains(&target.name) {
            let kind = ErrorKind::Unreachable {
                address: target.name.clone(),
                attempts: 1,
                cause: ConnectError::Refused,
            };
            return Err(TransportError::new(&target.name, kind));
        }
        self.connected
            .lock()
            .expect("nobody panicked")
            .push(target.name.clone());
        Ok(Arc::new(PlacedHost::new(target, &self.root)))
    }
}
