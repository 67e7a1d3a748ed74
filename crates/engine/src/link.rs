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
    /// The patience there is for one thing to be done over this link.
    pub fn patience(&self) -> Patience<'_> {
        Patience {
            link: self,
            began: Instant::now(),
            announced: false,
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
        let mut patience = self.patience();
        loop {
            match self.host.apply(permit, identity, request.clone()).await {
                Err(error) if patience.again(&error).await => {}
                result => return result,
            }
        }
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

/// How long a lost connection is tried to be made again.
pub(crate) struct Patience<'a> {
    link: &'a Link<'a>,
    began: Instant,
    announced: bool,
}

impl Patience<'_> {
    /// Whether what failed with `error` is worth another try; returns when it is time for it.
    pub async fn again(&mut self, error: &TransportError) -> bool {
        let link = self.link;
        if !error.is_unreachable() || self.began.elapsed() >= link.reconnect || link.cancel.is_cancelled() {
            return false;
        }
        if !self.announced {
            self.announced = true;
            link.emitter.send(EventKind::Warning {
                host: Some(link.machine.to_owned()),
                message: format!(
                    "the connection was lost ({}); trying to get it back for {} s",
                    error.kind,
                    link.reconnect.as_secs()
                ),
            });
        }
        link.cancel.sleep(BETWEEN).await;
        true
    }
}
