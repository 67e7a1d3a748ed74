//! Programs on a channel of a connection, and the connection that they share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use async_trait::async_trait;
use russh::ChannelMsg;
use russh::client::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};

use super::Shared;
use super::handshake::Verifier;
use crate::error::ErrorKind;
use crate::process::{self, Event, Opener, Process};
use crate::stats::Counters;
use crate::target::Target;

/// OpenSSH allows ten sessions on a connection, and a closed one keeps its place until the remote process has ended.
const SESSIONS: usize = 4;

/// A connection that is logged in.
pub(super) struct Client {
    pub handle: Handle<Verifier>,
    sessions: Arc<Semaphore>,
    /// The server has refused a session: it allows fewer at once than [`SESSIONS`].
    few: AtomicBool,
    /// The connection this one runs through, kept up as long.
    _through: Option<Arc<Client>>,
}

/// A session channel, its place among the few there are, and the connection that it keeps up.
pub(super) struct Session {
    pub channel: russh::Channel<russh::client::Msg>,
    pub place: OwnedSemaphorePermit,
    pub client: Arc<Client>,
}

impl Client {
    pub fn new(handle: Handle<Verifier>, through: Option<Arc<Client>>) -> Self {
        Self {
            handle,
            sessions: Arc::new(Semaphore::new(SESSIONS)),
            few: AtomicBool::new(false),
            _through: through,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    pub async fn disconnect(&self) {
        let _ = self.handle.disconnect(russh::Disconnect::ByApplication, "", "en").await;
    }

    /// A session, once there is a place for it; `None` when the server allows no further one.
    async fn session(self: &Arc<Self>) -> Result<Option<Session>, ErrorKind> {
        let lost = || ErrorKind::ConnectionLost {
            doing: "opening a channel".into(),
        };
        let place = if self.few.load(Relaxed) {
            match self.sessions.clone().try_acquire_owned() {
                Ok(place) => place,
                Err(_) => return Ok(None),
            }
        } else {
            self.sessions.clone().acquire_owned().await.map_err(|_| lost())?
        };
        match self.handle.channel_open_session().await {
            Ok(channel) => Ok(Some(Session {
                channel,
                place,
                client: self.clone(),
            })),
            Err(russh::Error::ChannelOpenFailure(reason)) => {
                tracing::debug!(?reason, "the server refused a session");
                self.few.store(true, Relaxed);
                // There never was such a place.
                place.forget();
                Ok(None)
            }
            Err(_) => Err(lost()),
        }
    }

    /// Whether it has, or may have, a session.
    fn is_of_use(self: &Arc<Self>) -> bool {
        // Each session holds a reference.
        !self.is_closed() && (self.sessions.available_permits() > 0 || Arc::strong_count(self) > 1)
    }
}

/// Opens sessions on one connection, and on further ones where the server allows few on each (`MaxSessions`).
pub(super) struct SshOpener {
    client: Arc<Client>,
    more: Mutex<Vec<Arc<Client>>>,
    shared: Arc<Shared>,
    target: Target,
    counters: Arc<Counters>,
    /// The server was asked for SFTP and has none.
    pub no_sftp: AtomicBool,
}

impl SshOpener {
    pub fn new(client: Arc<Client>, shared: Arc<Shared>, target: Target, counters: Arc<Counters>) -> Self {
        Self {
            client,
            more: Mutex::default(),
            shared,
            target,
            counters,
            no_sftp: AtomicBool::new(false),
        }
    }

    pub async fn session(&self) -> Result<Session, ErrorKind> {
        if let Some(session) = self.client.session().await? {
            return Ok(session);
        }
        let mut more = self.more.lock().await;
        more.retain(Client::is_of_use);
        for client in &*more {
            if let Some(session) = client.session().await? {
                return Ok(session);
            }
        }
        let (client, _) = self
            .shared
            .connect(&self.target, self.target.attempts, &self.counters)
            .await?;
        match client.session().await? {
            Some(session) => {
                more.push(client);
                Ok(session)
            }
            None => Err(ErrorKind::Protocol(
                "the server refused a session on a connection that has none: is MaxSessions 0?".into(),
            )),
        }
    }

    /// Ends all connections.
    pub async fn disconnect(&self) {
        for client in self.more.lock().await.drain(..) {
            client.disconnect().await;
        }
        self.client.disconnect().await;
    }
}

#[async_trait]
impl Opener for SshOpener {
    async fn open(&self, command: String, backlog: usize) -> Result<Process, ErrorKind> {
        let Session { channel, place, client } = self.session().await?;
        let lost = |_| ErrorKind::ConnectionLost {
            doing: "starting a program".into(),
        };
        channel.exec(true, command).await.map_err(lost)?;
        let (mut read, write) = channel.split();
        let stdin = write.make_writer();
        let (mut events, receiver) = process::events(backlog);
        let (guard, dropped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            tokio::pin!(dropped);
            let mut closing = false;
            loop {
                let message = tokio::select! {
                    message = read.wait() => message,
                    _ = &mut dropped, if !closing => {
                        closing = true;
                        // End of input lets a well-behaved program end by itself and clean up.
                        let _ = write.eof().await;
                        let _ = write.close().await;
                        continue;
                    }
                };
                // Nobody may be listening any more; the channel is drained all the same.
                match message {
                    Some(ChannelMsg::Data { data }) => events.send(Event::Stdout(data)),
                    Some(ChannelMsg::ExtendedData { data, .. }) => events.send(Event::Stderr(data)),
                    Some(ChannelMsg::ExitStatus { exit_status }) => events.send(Event::Exit(exit_status as i32)),
                    Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                        events.send(Event::Exit(128 + number(&signal_name)))
                    }
                    Some(ChannelMsg::Failure) => {
                        events.send(Event::Stderr("the server does not run commands for this user".into()));
                        events.send(Event::Exit(126));
                    }
                    Some(_) => {}
                    None => break,
                }
            }
            drop((place, client));
        });
        Ok(Process {
            stdin: Box::new(Box::pin(stdin)),
            events: receiver,
            _guard: guard,
        })
    }
}

/// Linux numbers of the signals that SSH names.
fn number(signal: &russh::Sig) -> i32 {
    use russh::Sig;
    match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        Sig::Custom(_) => 0,
    }
}
