//! Doors for the fuzz targets in `tests/fuzz`: the readers of what a target says, fed with any bytes in any pieces. No API.

use bytes::Bytes;
use russh::keys::PublicKey;
use tokio::io::DuplexStream;
use tokio::sync::oneshot;

use crate::error::ErrorKind;
use crate::exchange;
use crate::host::Stream;
use crate::known_hosts::{HostName, KnownHosts, Verdict};
use crate::process::{Event, Process};
use crate::ssh_args::SshArgs;

/// What a target says, in order, and how its program ends; `None` when the connection breaks.
#[derive(Debug, Clone)]
pub struct Said<'a> {
    /// Pieces of the two streams.
    pub pieces: Vec<(Stream, &'a [u8])>,
    /// The status.
    pub exit: Option<i32>,
}

/// What a reader made of it: each answer or error in words, bytes in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The outcomes.
    pub outcomes: Vec<String>,
    /// The most bytes that were held at a time.
    pub held: usize,
    /// What was sent to the target.
    pub sent: Vec<u8>,
}

/// The nonce that all these speak with.
pub const NONCE: &str = "00112233445566778899aabbccddeeff";

/// How the shell is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As the login user.
    Login,
    /// By sudo that may ask for a password.
    Sudo,
}

/// Starts a shell and reads up to `most` answers of at most `limit` bytes.
pub async fn answers(said: &Said<'_>, way: Way, most: usize, limit: usize) -> Heard {
    exchange::fuzzing::answers(process(said), way, most, limit).await
}

/// Starts a watched request and follows it to its end: the response, then its lines.
pub async fn watched(said: &Said<'_>) -> Heard {
    exchange::fuzzing::watched(process(said)).await
}

/// What is known of a key, given as in a public key file, that a host shows.
///
/// # Panics
/// It is no key.
pub fn check(known: &KnownHosts, name: &HostName, key: &str) -> Verdict {
    known.check(name, &PublicKey::from_openssh(key).expect("a key"))
}

/// What `text`, as an `ssh_config`, says of `host`.
pub fn config(host: &str, text: &str) -> SshArgs {
    crate::ssh_config::fuzzing(host, text, false)
}

/// What `text`, as the output of `ssh -G`, says of `host`.
pub fn dump(host: &str, text: &str) -> SshArgs {
    crate::ssh_config::fuzzing(host, text, true)
}

/// The program that says it, and the other end of its standard input.
fn process(said: &Said<'_>) -> (Process, DuplexStream) {
    let (mut sender, events) = crate::process::events(usize::MAX);
    for (stream, piece) in &said.pieces {
        let bytes = Bytes::copy_from_slice(piece);
        let event = match stream {
            Stream::Stdout => Event::Stdout(bytes),
            Stream::Stderr => Event::Stderr(bytes),
        };
        sender.send(event);
    }
    if let Some(status) = said.exit {
        sender.send(Event::Exit(status));
    }
    let (stdin, sent) = tokio::io::duplex(64 << 10);
    let process = Process {
        stdin: Box::new(stdin),
        events,
        _guard: oneshot::channel().0,
    };
    (process, sent)
}

/// An error in words, with its kind.
pub(crate) fn words(error: &ErrorKind) -> String {
    let kind = format!("{error:?}");
    let kind = kind.split(['(', ' ', '{']).next().unwrap_or_default().to_owned();
    format!("{kind}: {error}")
}
