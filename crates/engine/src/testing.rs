//! Hosts that are folders of this machine, for tests of runs: each is a local shell with a lock and the like of its own, so that
//! several can be worked on side by side, and without root.

use async_trait::async_trait;
use bytes::Bytes;
use mosip_prov_transport::{
    ExchangeStats, Host, Identity, LocalHost, OutputLine, Permit, Request, Response, Target, TransportError,
};
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

/// A script of the engine as it is where what a run keeps lies in `run` and `state` rather than in the machine's own folders.
/// Long work is started as it is without systemd.
pub(crate) fn placed(script: &str, run: &str, state: &str) -> String {
    script
        .replace("/run/mosip-prov", run)
        .replace("/tmp/.mosip-prov-$u", run)
        .replace("/var/lib/mosip-prov", state)
        .replace("[ -d /run/systemd/system ]", "false")
}

/// This machine, as a host whose runs keep what they keep in a folder of its own.
pub struct PlacedHost {
    inner: LocalHost,
    run: String,
    state: String,
}

impl PlacedHost {
    /// The host of `target`, with folders below `root` that have its name.
    pub fn new(target: &Target, root: &Path) -> Self {
        let run = root
            .join(format!("site-{}", target.name))
            .to_string_lossy()
            .into_owned();
        Self {
            inner: LocalHost::new(target),
            state: format!("{run}-state"),
            run,
        }
    }

    fn here(&self, request: Request) -> Request {
        Request {
            script: placed(&request.script, &self.run, &self.state),
            ..request
        }
    }
}

#[async_trait]
impl Host for PlacedHost {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn ask(&self, identity: &Identity, request: Request) -> Result<Response, TransportError> {
        self.inner.ask(identity, self.here(request)).await
    }

    async fn apply(
        &self,
        permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
    ) -> Result<Response, TransportError> {
        self.inner.apply(permit, identity, self.here(request)).await
    }

    async fn apply_watched(
        &self,
        permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
        lines: mpsc::Sender<OutputLine>,
    ) -> Result<Response, TransportError> {
        let request = self.here(request);
        self.inner.apply_watched(permit, identity, request, lines).await
    }

    async fn upload(&self, permit: &Permit<'_>, content: Bytes) -> Result<String, TransportError> {
        self.inner.upload(permit, content).await
    }

    async fn download(&self, identity: &Identity, path: &str, limit: usize) -> Result<Bytes, TransportError> {
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

#[cfg(test)]
mod tests {
    use super::placed;
    use crate::site::{BASE, look, undo};

    #[test]
    fn no_folder_of_the_machine_is_left_in_what_a_run_keeps() {
        for script in [BASE.to_owned(), look::look("true\n"), undo::forget("nginx")] {
            let script = placed(&script, "HERE", "THERE");
            assert!(script.contains("HERE"), "{script}");
            for own in ["/run/", "/tmp/", "/var/lib/"] {
                assert!(!script.contains(own), "{own} in {script}");
            }
        }
    }
}
