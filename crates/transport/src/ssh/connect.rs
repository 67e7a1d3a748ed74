//! Making connections: through jump hosts that are shared, each in its turn, paced for each server, tried again when it makes sense.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::ChannelOpenFailure;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};

use super::Shared;
use super::auth::{Auth, unreachable};
use super::channel::Client;
use super::handshake::{Login, handshake};
use super::tcp::PromptStream;
use super::turn::{Held, Turn, Turns};
use crate::error::{ConnectError, ErrorKind};
use crate::stats::Counters;
use crate::target::{Jump, Target};

/// Logins under way at one server: sshd drops some from ten on (`MaxStartups 10:30:100`), and hears late of those that are through.
const LOGINS_AT_ONCE: usize = 6;

/// How many more attempts there are at a server that drops logins before they begin.
const WHEN_DROPPED: u32 = 4;

/// A connection that is made by the first who needs it, while the others wait.
type Slot = Arc<Mutex<Option<Arc<Client>>>>;
/// A server: the way there, its address and port.
type Server = (Vec<Jump>, String, u16);

#[derive(Default)]
pub(super) struct Pool {
    /// By the whole way there, since the same address may be another machine behind another jump host.
    jumps: Mutex<HashMap<Vec<Jump>, Slot>>,
    pace: Mutex<HashMap<Server, Arc<Semaphore>>>,
    turns: Turns,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Shared {
    /// A connection to a target, tried `attempts` times, and its turn, to be held until a first shell has answered.
    pub async fn connect(
        &self,
        target: &Target,
        attempts: u32,
        counters: &Counters,
    ) -> Result<(Arc<Client>, Held), ErrorKind> {
        let mut tried = 0;
        loop {
            tried += 1;
            let outcome = async {
                let through = self.jump(target, &target.jumps).await?;
                self.once(target, &Login::target(target), &target.jumps, through, counters)
                    .await
            };
            match outcome.await {
                Ok((client, turn)) => return Ok((Arc::new(client), turn)),
                Err(error) if error.is_transient() && tried < most(&error, attempts) => {
                    tracing::debug!(host = target.name, %error, "trying again");
                    tokio::time::sleep(backoff(tried)).await;
                }
                Err(ErrorKind::Unreachable { address, cause, .. }) => {
                    return Err(ErrorKind::Unreachable {
                        address,
                        cause,
                        attempts: tried,
                    });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The connection to the last of `way`, shared by all who go through it.
    async fn jump(&self, target: &Target, way: &[Jump]) -> Result<Option<Arc<Client>>, ErrorKind> {
        let mut through = None;
        for hops in 1..=way.len() {
            let (before, jump) = (&way[..hops - 1], &way[hops - 1]);
            let slot = self
                .pool
                .jumps
                .lock()
                .await
                .entry(way[..hops].to_vec())
                .or_default()
                .clone();
            let mut slot = slot.lock().await;
            let client = match &*slot {
                Some(client) if !client.is_closed() => client.clone(),
                _ => {
                    let login = Login::jump(jump, target);
                    let (client, _) = self.once(target, &login, before, through, &Counters::default()).await?;
                    slot.insert(Arc::new(client)).clone()
                }
            };
            through = Some(client);
        }
        Ok(through)
    }

    async fn once(
        &self,
        target: &Target,
        login: &Login<'_>,
        way: &[Jump],
        through: Option<Arc<Client>>,
        counters: &Counters,
    ) -> Result<(Client, Held), ErrorKind> {
        // Key files that cannot be used are an error before anything is sent.
        for key in login.keys {
            self.keys.load(key).await?;
        }
        let server = (way.to_vec(), login.address.to_string(), login.port);
        let pace = self
            .pool
            .pace
            .lock()
            .await
            .entry(server)
            .or_insert_with(|| Arc::new(Semaphore::new(LOGINS_AT_ONCE)))
            .clone();
        let began = Instant::now();
        let _place = pace.acquire().await;
        // Whoever waits for the server has no turn meanwhile.
        let turn = self.pool.turns.next().await;
        counters.waited(began.elapsed());
        // On the heap, and only now: of a thousand that wait each keeps little.
        Box::pin(self.let_in(target, login, way, through, turn, counters)).await
    }

    /// The part of a connection that is done in turn.
    async fn let_in(
        &self,
        target: &Target,
        login: &Login<'_>,
        way: &[Jump],
        through: Option<Arc<Client>>,
        turn: Turn,
        counters: &Counters,
    ) -> Result<(Client, Held), ErrorKind> {
        let began = Instant::now();
        let connecting = async {
            let reaching = async {
                Ok::<Box<dyn Stream>, ErrorKind>(match &through {
                    Some(client) => Box::new(forwarded(client, login, way).await?),
                    None => Box::new(tcp(login).await?),
                })
            };
            let (stream, turn) = turn.reach(reaching).await;
            let stream = stream?;
            counters.reached(began.elapsed());
            let (handle, goodbye) = handshake(stream, login).await?;
            Ok::<_, ErrorKind>((handle, goodbye, turn))
        };
        let (mut handle, goodbye, turn) = match tokio::time::timeout(login.limit, connecting).await {
            Ok(handle) => handle?,
            Err(_) => return Err(unreachable(login, ConnectError::Timeout(login.limit))),
        };
        counters.connected(began.elapsed());
        let began = Instant::now();
        Auth::new(&mut handle, self, login, goodbye).run().await?;
        counters.authenticated(began.elapsed());
        tracing::debug!(host = target.name, server = login.label(), "logged in");
        Ok((Client::new(handle, through), turn))
    }

    /// Ends the connections to jump hosts.
    pub async fn close_jumps(&self) {
        for (_, slot) in self.pool.jumps.lock().await.drain() {
            if let Some(client) = slot.lock().await.take() {
                client.disconnect().await;
            }
        }
    }
}

async fn tcp(login: &Login<'_>) -> Result<PromptStream, ErrorKind> {
    let addresses = tokio::net::lookup_host((login.address, login.port))
        .await
        .map_err(|error| unreachable(login, ConnectError::Name(error)))?;
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(PromptStream::new(stream)),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "no address"));
    Err(unreachable(login, error.into()))
}

async fn forwarded(client: &Client, login: &Login<'_>, way: &[Jump]) -> Result<impl Stream + 'static, ErrorKind> {
    let opened = client
        .handle
        .channel_open_direct_tcpip(login.address, u32::from(login.port), "127.0.0.1", 0)
        .await;
    match opened {
        Ok(channel) => Ok(channel.into_stream()),
        Err(error) => {
            let (reason, transient) = match error {
                russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed) => {
                    ("it could not connect there".to_string(), true)
                }
                russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
                    ("it does not forward connections".to_string(), false)
                }
                russh::Error::ChannelOpenFailure(other) => (format!("{other:?}"), false),
                other => (other.to_string(), true),
            };
            let jump = way.last().map(|jump| jump.address.clone()).unwrap_or_default();
            Err(unreachable(
                login,
                ConnectError::JumpRefused {
                    jump,
                    reason,
                    transient,
                },
            ))
        }
    }
}

/// How often to try where `error` came of it. A server that drops logins before they begin is one that has too many of them
/// just now (`MaxStartups`), perhaps those of other hosts of this run that are the same machine: that is worth more patience.
fn most(error: &ErrorKind, attempts: u32) -> u32 {
    let dropped = matches!(
        error,
        ErrorKind::Unreachable {
            cause: ConnectError::DroppedEarly,
            ..
        }
    );
    match attempts {
        0 | 1 => 1,
        _ if dropped => attempts + WHEN_DROPPED,
        _ => attempts,
    }
}

/// 0.5 s, 1 s, 2 s … and up to half as much again, so that many hosts do not come back at one moment.
fn backoff(tried: u32) -> Duration {
    let base = Duration::from_millis(500) * 2_u32.pow(tried.saturating_sub(1).min(5));
    let jitter = RandomState::new().build_hasher().finish() % 500;
    base + base.mul_f64(jitter as f64 / 1000.0)
}
