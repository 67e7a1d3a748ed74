//! Hosts that are folders of this machine: each is a local shell with a lock and the like of its own, so that several can be
//! worked on side by side, and without root.

use async_trait::async_trait;
use mosip_prov::transport::error::{ConnectError, ErrorKind};
use mosip_prov::transport::{
    Connector, ExchangeStats, Host, Identity, LocalHost, OutputLine, Permit, Request, Response, Target, TransportError,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

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
        let place = self.root.join(format!("site-{}", target.name));
        Ok(Arc::new(Placed {
            inner: LocalHost::new(target),
            place: place.to_string_lossy().into_owned(),
        }))
    }
}

struct Placed {
    inner: LocalHost,
    place: String,
}

impl Placed {
    fn there(&self, mut request: Request) -> Request {
        for (of_machine, of_host) in [
            ("/run/mosip-prov", self.place.clone()),
            ("/tmp/.mosip-prov-$(id -u)", self.place.clone()),
            ("/var/lib/mosip-prov", format!("{}-state", self.place)),
            ("[ -d /run/systemd/system ]", "false".to_owned()),
        ] {
            request.script = request.script.replace(of_machine, &of_host);
        }
        request
    }
}

#[async_trait]
impl Host for Placed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn ask(&self, identity: &Identity, request: Request) -> Result<Response, TransportError> {
        self.inner.ask(identity, self.there(request)).await
    }

    async fn apply(
        &self,
        permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
    ) -> Result<Response, TransportError> {
        self.inner.apply(permit, identity, self.there(request)).await
    }

    async fn apply_watched(
        &self,
        permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
        lines: mpsc::Sender<OutputLine>,
    ) -> Result<Response, TransportError> {
        let request = self.there(request);
        self.inner.apply_watched(permit, identity, request, lines).await
    }

    async fn upload(&self, permit: &Permit<'_>, content: bytes::Bytes) -> Result<String, TransportError> {
        self.inner.upload(permit, content).await
    }

    async fn download(&self, identity: &Identity, path: &str, limit: usize) -> Result<bytes::Bytes, TransportError> {
        self.inner.download(identity, path, limit).await
    }

    async fn wait_for_return(&self, deadline: Duration, old: Option<&str>) -> Result<(), TransportError> {
        self.inner.wait_for_return(deadline, old).await
    }

    fn stats(&self) -> ExchangeStats {
        self.inner.stats()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
