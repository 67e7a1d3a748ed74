//! Programs on a channel of a connection, and the connection that they share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use russh::ChannelMsg;
use russh::client::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::handshake::Verifier;
use crate::error::ErrorKind;
use crate::process::{Event, Opener, Process};

/// OpenSSH allows ten sessions on a connection, and a closed one keeps its place until the remote process has ended.
const SESSIONS: usize = 4;

/// A connection that is logged in.
pub(super) struct Client {
    pub handle: Handle<Verifier>,
    sessions: Arc<Semaphore>,
    /// The server was asked for SFTP and has none.
    pub no_sftp: AtomicBool,
    /// The connection this one runs through, kept up as long.
    _through: Option<Arc<Client>>,
}

impl Client {
    pub fn new(handle: Handle<Verifier>, through: Option<Arc<Client>>) -> Self {
        Self {
            handle,
            sessions: Arc::new(Semaphore::new(SESSIONS)),
            no_sftp: AtomicBool::new(false),
            _through: through,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    pub async fn disconnect(&self) {
        let _ = self.handle.disconnect(russh::Disconnect::ByApplication, "", "en").await;
    }

    /// A session channel and its place among the few there are.
    pub async fn session(&self) -> Result<(russh::Channel<russh::client::Msg>, OwnedSemaphorePermit), ErrorKind> {
        let lost = || ErrorKind::ConnectionLost {
            doing: "opening a channel".into(),
        };
        let place = self.sessions.clone().acquire_owned().await.map_err(|_| lost())?;
        match self.handle.channel_open_session().await {
            Ok(channel) => Ok((channel, place)),
            Err(russh::Error::ChannelOpenFailure(reason)) => Err(ErrorKind::Protocol(format!(
                "the server refused a session ({reason:?}): is MaxSessions below {SESSIONS}?"
            ))),
            Err(_) => Err(lost()),
        }
    }
}

pub(super) struct SshOpener(pub Arc<Client>);

#[async_trait]
impl Opener for SshOpener {
    async fn open(&self, command: String) -> Result<Process, ErrorKind> {
        let (channel, place) = self.0.session().await?;
        let lost = |_| ErrorKind::ConnectionLost {
            doing: "starting a program".into(),
        };
        channel.exec(true, command).await.map_err(lost)?;
        let (mut read, write) = channel.split();
        let stdin = write.make_writer();
        let (events, receiver) = mpsc::unbounded_channel();
        let (guard, dropped) = oneshot::channel::<()>();
        let client = self.0.clone();
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
                let _ = match message {
                    Some(ChannelMsg::Data { data }) => events.send(Event::Stdout(data)),
                    Some(ChannelMsg::ExtendedData { data, .. }) => events.send(Event::Stderr(data)),
                    Some(ChannelMsg::ExitStatus { exit_status }) => events.send(Event::Exit(exit_status as i32)),
                    Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                        events.send(Event::Exit(128 + number(&signal_name)))
                    }
                    Some(ChannelMsg::Failure) => {
                        let refused =
                            events.send(Event::Stderr("the server does not run commands for this user".into()));
                        let _ = events.send(Event::Exit(126));
                        refused
                    }
                    Some(_) => Ok(()),
                    None => break,
                };
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
