//! Hosts over SSH.

mod agent;
mod auth;
mod channel;
mod connect;
mod handshake;
mod keys;
mod tcp;
mod turn;
mod upload;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};

use crate::error::{BecomeError, ErrorKind, HostKeyError, TransportError};
use crate::exchange::{Mark, ShellSettings, Shells, nonce};
use crate::files;
use crate::gate::Permit;
use crate::host::{Connector, ExchangeStats, Host, Identity, OutputLine, Request, Response};
use crate::local::LocalHost;
use crate::stats::Counters;
use crate::target::{ConnectionKind, Target};

use channel::{Client, SshOpener};

pub use agent::agent_keys;
pub use keys::{KeyFile, NoPrompt, Prompt, check_key_file, default_key_files};

/// What the hosts of one run have in common: keys that are open, jump hosts, pacing.
struct Shared {
    prompt: Arc<dyn Prompt>,
    keys: keys::Keys,
    pool: connect::Pool,
}

/// Connects to real hosts: over SSH, or this machine. Make one for each run; passphrases and jump hosts are kept in it.
pub struct RemoteConnector {
    shared: Arc<Shared>,
}

impl Default for RemoteConnector {
    fn default() -> Self {
        Self::new(Arc::new(NoPrompt))
    }
}

impl RemoteConnector {
    /// With someone to ask for passphrases.
    pub fn new(prompt: Arc<dyn Prompt>) -> Self {
        Self {
            shared: Arc::new(Shared {
                prompt,
                keys: keys::Keys::default(),
                pool: connect::Pool::default(),
            }),
        }
    }

    /// Ends the connections to jump hosts; hosts are closed each by itself.
    pub async fn close(&self) {
        self.shared.close_jumps().await;
    }
}

#[async_trait]
impl Connector for RemoteConnector {
    async fn connect(&self, target: &Target) -> Result<Arc<dyn Host>, TransportError> {
        match target.connection {
            ConnectionKind::Local => Ok(Arc::new(LocalHost::new(target))),
            ConnectionKind::Ssh => {
                let mut mark = nonce().map_err(|kind| TransportError::new(&target.name, kind))?;
                mark.truncate(8);
                let host = SshHost {
                    mark,
                    connection: AtomicU32::new(0),
                    target: target.clone(),
                    shared: self.shared.clone(),
                    counters: Arc::default(),
                    live: Mutex::default(),
                    turn: std::sync::Mutex::default(),
                    proven: std::sync::Mutex::default(),
                };
                host.live().await.map_err(|kind| host.error(kind))?;
                Ok(Arc::new(host))
            }
        }
    }
}

/// A connection with the shells on it.
struct Live {
    client: Arc<Client>,
    shells: Shells<SshOpener>,
}

struct SshHost {
    /// Tells its shells on the target from those of others.
    mark: String,
    /// The number of the last connection, from 1.
    connection: AtomicU32,
    target: Target,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    live: Mutex<Option<Arc<Live>>>,
    /// Held from the login until its first answer.
    turn: std::sync::Mutex<Option<turn::Held>>,
    /// Whose shells have answered before.
    proven: std::sync::Mutex<HashSet<Identity>>,
}

impl SshHost {
    fn error(&self, kind: ErrorKind) -> TransportError {
        TransportError::new(&self.target.name, kind)
    }

    /// The connection, made again if it was lost.
    async fn live(&self) -> Result<Arc<Live>, ErrorKind> {
        self.live_within(self.target.attempts).await
    }

    async fn live_within(&self, attempts: u32) -> Result<Arc<Live>, ErrorKind> {
        let mut slot = self.live.lock().await;
        if let Some(live) = &*slot
            && !live.client.is_closed()
        {
            return Ok(live.clone());
        }
        let (client, turn) = self.shared.connect(&self.target, attempts, &self.counters).await?;
        self.set_turn(Some(turn));
        let settings = ShellSettings {
            mark: Mark {
                host: self.mark.clone(),
                connection: self.connection.fetch_add(1, Ordering::Relaxed) + 1,
            },
            ..ShellSettings::of(&self.target, &self.target.user)
        };
        let live = Arc::new(Live {
            shells: Shells::new(
                SshOpener::new(
                    client.clone(),
                    self.shared.clone(),
                    self.target.clone(),
                    self.counters.clone(),
                ),
                settings,
                self.counters.clone(),
            ),
            client,
        });
        *slot = Some(live.clone());
        Ok(live)
    }

    /// Holds the turn of a new connection, or ends it: the host has answered, or is not going to.
    fn set_turn(&self, turn: Option<turn::Held>) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }

    /// Forgets a connection that failed, unless another has taken its place.
    async fn forget(&self, failed: &Arc<Live>) {
        let mut slot = self.live.lock().await;
        if slot.as_ref().is_some_and(|live| Arc::ptr_eq(live, failed)) {
            *slot = None;
        }
    }

    async fn run(&self, identity: &Identity, request: &Request) -> Result<Response, ErrorKind> {
        let live = self.live().await?;
        let outcome = live.shells.run(identity, request, None).await;
        self.set_turn(None);
        self.weigh(&live, identity, outcome).await
    }

    /// What came of a request: a shell that gives no answer where one did before shows that the connection broke, long before
    /// SSH itself notices. A connection that broke is not used again.
    async fn weigh(
        &self,
        live: &Arc<Live>,
        identity: &Identity,
        outcome: Result<Response, ErrorKind>,
    ) -> Result<Response, ErrorKind> {
        let proven = {
            let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
            if outcome.is_ok() {
                proven.insert(identity.clone());
            }
            proven.contains(identity)
        };
        let silent = matches!(
            outcome,
            Err(ErrorKind::Become(BecomeError::NoAnswer { .. }) | ErrorKind::NoShell { status: None, .. })
        );
        let outcome = match outcome {
            Err(_) if silent && proven => Err(ErrorKind::ConnectionLost {
                doing: "starting a shell".into(),
            }),
            outcome => outcome,
        };
        if matches!(outcome, Err(ErrorKind::ConnectionLost { .. })) {
            self.forget(live).await;
        }
        outcome
    }

    /// One look whether the host is back: connected, logged in, and from another boot.
    async fn returned(&self, old_boot_id: Option<&str>) -> Result<bool, ErrorKind> {
        let live = self.live_within(1).await?;
        let Some(old) = old_boot_id else {
            self.set_turn(None);
            return Ok(true);
        };
        let question = Request::new("cat /proc/sys/kernel/random/boot_id").timeout(Duration::from_secs(10));
        let response = live.shells.run(&Identity::Login, &question, None).await;
        self.set_turn(None);
        let response = response?;
        Ok(response.success() && response.stdout_text().trim() != old.trim())
    }
}

#[async_trait]
impl Host for SshHost {
    fn name(&self) -> &str {
        &self.target.name
    }

    async fn ask(&self, identity: &Identity, request: Request) -> Result<Response, TransportError> {
        let outcome = match self.run(identity, &request).await {
            // A question may be asked twice.
            Err(ErrorKind::ConnectionLost { .. }) => self.run(identity, &request).await,
            outcome => outcome,
        };
        outcome.map_err(|kind| self.error(kind))
    }

    async fn apply(
        &self,
        _permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
    ) -> Result<Response, TransportError> {
        self.run(identity, &request).await.map_err(|kind| self.error(kind))
    }

    async fn apply_watched(
        &self,
        _permit: &Permit<'_>,
        identity: &Identity,
        request: Request,
        lines: mpsc::Sender<OutputLine>,
    ) -> Result<Response, TransportError> {
        let live = self.live().await.map_err(|kind| self.error(kind))?;
        // It may take long until it has ended.
        self.set_turn(None);
        let outcome = live.shells.watch(identity, &request, &lines).await;
        let outcome = self.weigh(&live, identity, outcome).await;
        outcome.map_err(|kind| self.error(kind))
    }

    async fn upload(&self, _permit: &Permit<'_>, content: Bytes) -> Result<String, TransportError> {
        let live = self.live().await.map_err(|kind| self.error(kind))?;
        self.set_turn(None);
        upload::upload(&live.shells, content, &self.counters)
            .await
            .map_err(|kind| self.error(kind))
    }

    async fn download(&self, identity: &Identity, path: &str, limit: usize) -> Result<Bytes, TransportError> {
        let live = self.live().await.map_err(|kind| self.error(kind))?;
        self.set_turn(None);
        files::download(&live.shells, identity, path, limit)
            .await
            .map_err(|kind| self.error(kind))
    }

    async fn wait_for_return(&self, deadline: Duration, old_boot_id: Option<&str>) -> Result<(), TransportError> {
        let end = Instant::now() + deadline;
        let mut pause = Duration::from_secs(1);
        let mut last = None;
        loop {
            // From anew each time: the old connection may answer until the very end of the shutdown.
            self.close().await;
            let left = end.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, self.returned(old_boot_id)).await {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => {}
                Ok(Err(
                    error @ (ErrorKind::HostKey(HostKeyError::Changed { .. } | HostKeyError::Revoked { .. })
                    | ErrorKind::KeyFile(_)),
                )) => {
                    return Err(self.error(error));
                }
                // Logins are refused while a machine starts (pam_nologin), so that is no reason to give up.
                Ok(Err(error)) => last = Some(error),
                Err(_) => {}
            }
            if Instant::now() + pause >= end {
                return Err(self.error(ErrorKind::NoReturn {
                    deadline,
                    last: last.map(|kind| Box::new(self.error(kind))),
                }));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(5));
        }
    }

    fn stats(&self) -> ExchangeStats {
        self.counters.snapshot()
    }

    async fn close(&self) {
        let live = self.live.lock().await.take();
        self.set_turn(None);
        if let Some(live) = live {
            live.shells.close().await;
            live.shells.opener().disconnect().await;
        }
    }
}
