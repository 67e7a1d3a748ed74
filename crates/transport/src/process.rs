//! A program running on a target, as streams: what SSH channels and local children have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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
    /// Output was left out here: it came faster than it was read, and more of it was waiting than may.
    Lost,
}

/// What an event costs besides its bytes, so that many small ones count too.
const EVENT: usize = 128;

/// How many bytes of output wait to be read.
#[derive(Debug)]
struct Backlog {
    waiting: AtomicUsize,
    most: usize,
}

/// The writing end of a program's events. It never waits, since an undrained SSH channel stalls every other channel of its connection;
/// beyond its bound it leaves output out, and says so once, whatever the target sends.
#[derive(Debug, Clone)]
pub(crate) struct EventSender {
    sender: mpsc::UnboundedSender<Event>,
    backlog: Arc<Backlog>,
    losing: bool,
}

/// The reading end.
#[derive(Debug)]
pub(crate) struct Events {
    receiver: mpsc::UnboundedReceiver<Event>,
    backlog: Arc<Backlog>,
}

/// Both ends, with at most `most` bytes between them.
pub(crate) fn events(most: usize) -> (EventSender, Events) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let backlog = Arc::new(Backlog {
        waiting: AtomicUsize::new(0),
        most,
    });
    let reader = Events {
        receiver,
        backlog: backlog.clone(),
    };
    let writer = EventSender {
        sender,
        backlog,
        losing: false,
    };
    (writer, reader)
}

fn weight(event: &Event) -> usize {
    match event {
        Event::Stdout(bytes) | Event::Stderr(bytes) => bytes.len() + EVENT,
        Event::Exit(_) | Event::Lost => 0,
    }
}

impl EventSender {
    /// Nobody may be listening any more; that is no error.
    pub fn send(&mut self, event: Event) {
        let weight = weight(&event);
        let waiting = self.backlog.waiting.fetch_add(weight, Relaxed) + weight;
        if weight > 0 && waiting > self.backlog.most {
            self.backlog.waiting.fetch_sub(weight, Relaxed);
            if !self.losing {
                self.losing = true;
                let _ = self.sender.send(Event::Lost);
            }
            return;
        }
        self.losing = false;
        if self.sender.send(event).is_err() {
            self.backlog.waiting.fetch_sub(weight, Relaxed);
        }
    }
}

impl Events {
    /// The next one; `None` when there are no more.
    pub async fn recv(&mut self) -> Option<Event> {
        let event = self.receiver.recv().await?;
        self.backlog.waiting.fetch_sub(weight(&event), Relaxed);
        Some(event)
    }
}

/// A running program. Dropping it closes its input and lets go of its output, which is drained in the background.
pub(crate) struct Process {
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Ends when the program and its output have; ends without [`Event::Exit`] when the connection broke.
    pub events: Events,
    /// Dropped with the process; the pump behind `events` then closes the channel.
    pub _guard: oneshot::Sender<()>,
}

/// Starts programs on one target.
#[async_trait]
pub(crate) trait Opener: Send + Sync {
    /// Runs a command line through the login shell, whichever that is. At most `backlog` bytes of its output wait to be read.
    async fn open(&self, command: String, backlog: usize) -> Result<Process, ErrorKind>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_bounded_and_what_is_left_out_is_said_once() {
        let (mut sender, mut events) = events(10_000);
        let piece = || Event::Stdout(Bytes::from_static(&[b'x'; 1000]));
        for _ in 0..1000 {
            sender.send(piece());
        }
        sender.send(Event::Exit(0));
        let mut seen = (0, 0, 0);
        for _ in 0..5 {
            assert!(matches!(events.recv().await, Some(Event::Stdout(_))));
        }
        // There is room again.
        sender.send(piece());
        drop(sender);
        while let Some(event) = events.recv().await {
            match event {
                Event::Stdout(_) => seen.0 += 1,
                Event::Lost => seen.1 += 1,
                Event::Exit(_) => seen.2 += 1,
                Event::Stderr(_) => panic!("of what?"),
            }
        }
        assert_eq!(seen, (4, 1, 1));
        assert_eq!(events.backlog.waiting.load(Relaxed), 0);
    }

    #[test]
    fn many_small_pieces_count_for_what_they_cost() {
        let (mut sender, mut events) = events(10_000);
        for _ in 0..1000 {
            sender.send(Event::Stderr(Bytes::from_static(b"x")));
        }
        let mut waiting = 0;
        while events.receiver.try_recv().is_ok() {
            waiting += 1;
        }
        assert!(waiting < 100, "{waiting}");
    }
}
