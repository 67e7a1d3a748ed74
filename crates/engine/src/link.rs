//! The way to a machine as a run uses it: connections that break are made again for a while, and a change sent twice
//! happens once.

use crate::emit::Emitter;
use crate::journal::{Journal, Record};
use crate::options::CancelHandle;
use crate::site::once;
use crate::sites::Sites;
use mosip_prov_events::EventKind;
use mosip_prov_transport::{Host, Identity, Permit, Request, Response, TransportError};
use std::time::{Duration, Instant};

/// Time between two tries to reach a machine again.
const BETWEEN: Duration = Duration::from_secs(2);

/// A machine, and the patience there is for it.
pub(crate) struct Link<'a> {
    pub host: &'a dyn Host,
    pub machine: &'a str,
    pub emitter: &'a Emitter,
    pub cancel: &'a CancelHandle,
    pub journal: Option<&'a Journal>,
    pub sites: &'a Sites,
    pub reconnect: Duration,
}

impl Link<'_> {
    /// Does `what`, again while the connection is lost and there is patience left.
    pub async fn patiently<T>(&self, what: impl AsyncFn() -> Result<T, TransportError>) -> Result<T, TransportError> {
        let began = Instant::now();
        let mut announced = false;
        loop {
            match what().await {
                Err(error)
                    if error.is_unreachable() && began.elapsed() < self.reconnect && !self.cancel.is_cancelled() =>
                {
                    if !announced {
                        announced = true;
                        self.emitter.send(EventKind::Warning {
                            host: Some(self.machine.to_owned()),
                            message: format!(
                                "the connection was lost ({error}); trying to get it back for {} s",
                                self.reconnect.as_secs()
                            ),
                        });
                    }
                    self.cancel.sleep(BETWEEN).await;
                }
                result => return result,
            }
        }
    }

    /// Carries `request` out once, however often it has to be sent.
    pub async fn apply_once(
        &self,
        permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
    ) -> Result<Response, TransportError> {
        let id = self.next_id(".");
        let request = Request {
            script: once::wrap(&id, &request.script),
            ..request
        };
        self.patiently(async || self.host.apply(permit, identity, request.clone()).await)
            .await
    }

    /// A name on the machine that no other change of this run has.
    pub fn next_id(&self, separator: &str) -> String {
        format!("{}{separator}{}", self.sites.run(), self.sites.next())
    }

    /// Long work that is to be removed from the machine when the run leaves it.
    pub fn left_behind(&self, id: &str) {
        self.sites.drop_unit(self.machine, id);
    }

    /// Writes to the journal, if there is one, and returns when it is on the disk.
    pub fn promise(&self, record: Record) {
        if let Some(journal) = self.journal {
            journal.promise(record);
        }
    }
}
