//! The way to a machine as a run uses it: connections that break are made again for a while, and a change sent twice
//! happens once.

use crate::emit::Emitter;
use crate::journal::{Journal, Record};
use crate::memory::Place;
use crate::options::CancelHandle;
use crate::shell::{frame, split_frames, text_of};
use crate::site::lock::{self, Owner};
use crate::site::once;
use crate::sites::Sites;
use mosip_prov_events::EventKind;
use mosip_prov_transport::error::ErrorKind;
use mosip_prov_transport::{Host, Permit, Request, Response, TransportError};
use std::time::{Duration, Instant};

/// Time between two tries to reach a machine again.
const BETWEEN: Duration = Duration::from_secs(2);

/// How often a connection may come back only to be lost again over one thing to be done.
const RETURNS: u32 = 20;

/// A machine, and the patience there is for it.
pub(crate) struct Link<'a> {
    pub host: &'a dyn Host,
    pub place: &'a Place,
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
            lost: None,
            returns: 0,
            announced: false,
        }
    }

    /// The name of the machine.
    pub fn machine(&self) -> &str {
        &self.place.0
    }

    fn warn(&self, message: String) {
        self.emitter.send(EventKind::Warning {
            host: Some(self.machine().to_owned()),
            message,
        });
    }

    /// Carries `request` out once, however often it has to be sent; again only when the host was rebooted meanwhile, which
    /// takes away what is known of the first time.
    pub async fn apply_once(&self, permit: &Permit<'_>, request: Request) -> Result<Response, TransportError> {
        let id = once::id(self.sites.run(), self.sites.next(), self.machine());
        let request = Request {
            script: once::wrap(self.sites.run(), &id, &request.script),
            ..request
        };
        let mut patience = self.patience();
        let mut again = true;
        loop {
            match self.host.apply(permit, &self.place.1, request.clone()).await {
                Err(error) if patience.again(&error).await => {}
                Ok(response) if again && response.status == lock::NOT_OURS => {
                    again = false;
                    if let Err(owner) = self.take_back(permit, &response).await? {
                        return Ok(taken_over(&owner));
                    }
                }
                result => return result,
            }
        }
    }

    /// Takes a lock again that is gone, as it is after a reboot; the holder when it is not to be had. `refused` is what the
    /// machine said.
    pub async fn take_back(
        &self,
        permit: &Permit<'_>,
        refused: &Response,
    ) -> Result<Result<(), Option<Owner>>, TransportError> {
        if let Some(owner) = lock::holder(&refused.stderr_text()) {
            return Ok(Err(Some(owner)));
        }
        let taken = self.take_lock(permit).await?;
        if taken.is_ok() {
            self.warn(
                "this run's lock is gone, as after a reboot of the host; what was under way is done again".into(),
            );
        }
        Ok(taken)
    }

    /// Takes the lock, whatever else is there.
    pub async fn take_lock(&self, permit: &Permit<'_>) -> Result<Result<(), Option<Owner>>, TransportError> {
        let request = Request::new(frame(&lock::enter(self.sites.owner(), None)));
        let mut patience = self.patience();
        let response = loop {
            match self.host.apply(permit, &self.place.1, request.clone()).await {
                Err(error) if patience.again(&error).await => {}
                result => break result?,
            }
        };
        let output = text_of(&response.stdout);
        let entered = split_frames(&output)
            .ok()
            .and_then(|frames| lock::parse(frames.first()?.text).ok());
        Ok(match entered {
            Some(entered) => entered.lock.map_err(|(owner, _)| owner),
            None => Err(None),
        })
    }

    /// A name on the machine that no other long work of this run has.
    pub fn next_id(&self) -> String {
        format!("{}-{}", self.sites.run(), self.sites.next())
    }

    /// Long work that is to be removed from the machine when the run leaves it.
    pub fn left_behind(&self, id: &str) {
        self.sites.drop_unit(self.place, id);
    }

    /// Writes to the journal, if there is one, and returns when it is on the disk.
    pub fn promise(&self, record: Record) {
        if let Some(journal) = self.journal {
            journal.promise(record);
        }
    }
}

/// What a change that was not begun came to, because the host is another run's now.
pub(crate) fn taken_over(owner: &Option<Owner>) -> Response {
    let who = owner
        .as_ref()
        .map_or_else(|| "somebody".to_owned(), ToString::to_string);
    Response {
        stdout: bytes::Bytes::new(),
        stderr: format!("another run took this host over while it could not be reached: {who}\n").into(),
        status: lock::NOT_OURS,
    }
}

/// How long a lost connection is tried to be made again: from its loss on, however long it had lasted.
pub(crate) struct Patience<'a> {
    link: &'a Link<'a>,
    /// When it was lost, and how many connections there had been by then.
    lost: Option<(Instant, u64)>,
    returns: u32,
    announced: bool,
}

impl Patience<'_> {
    /// Whether what failed with `error` is worth another try; returns when it is time for it.
    pub async fn again(&mut self, error: &TransportError) -> bool {
        let link = self.link;
        if !may_pass(error) || link.cancel.is_cancelled() {
            return false;
        }
        let connections = link.host.stats().connects;
        let since = match self.lost {
            Some((since, before)) if before == connections || self.returns >= RETURNS => since,
            // It was there in the meantime.
            Some(_) => {
                self.returns += 1;
                Instant::now()
            }
            None => Instant::now(),
        };
        self.lost = Some((since, connections));
        if since.elapsed() >= link.reconnect {
            return false;
        }
        if !self.announced {
            self.announced = true;
            link.warn(format!(
                "the connection was lost ({}); trying to get it back for {} s",
                error.kind,
                link.reconnect.as_secs()
            ));
        }
        link.cancel.sleep(BETWEEN).await;
        true
    }
}

/// Whether `error` may be gone at another try. Keys do not change by waiting; logins are refused while a machine starts.
fn may_pass(error: &TransportError) -> bool {
    error.is_unreachable() && !matches!(error.kind, ErrorKind::HostKey(_) | ErrorKind::KeyFile(_))
}
