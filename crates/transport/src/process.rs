//! A program running on a target, as streams: what SSH channels and local children have in common.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::{mpsc, oneshot};

use crate::error::ErrorKind;

/// What a running program does, in order.
#[derive(Debug)]
pub(crate) enum Event {
    Stdout(Bytes),
    Stderr(Bytes),
    /// It ended; with 128 + n for signal n. Output may still follow when children hold it open.
    Exit(i32),
}

/// A running program. Dropping it closes its input and lets go of its output, which is drained in the background.
pub(crate) struct Process {
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Ends when the program and its output have; ends without [`Event::Exit`] when the connection broke.
    ///
    /// Unbounded on purpose: an undrained SSH channel stalls every other channel of its connection, so the pump must never wait
    /// for a reader. What a request may produce is bounded by the protocol above.
    pub events: mpsc::UnboundedReceiver<Event>,
    /// Dropped with the process; the pump behind `events` then closes the channel.
    pub _guard: oneshot::Sender<()>,
}

/// Starts programs on one target.
#[async_trait]
pub(crate) trait Opener: Send + Sync {
    /// Runs a command line through the login shell, whichever that is.
    async fn open(&self, command: String) -> Result<Process, ErrorKind>;
}
