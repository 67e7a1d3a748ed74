//! What asks a running terraform to stop.

use std::sync::Arc;
use tokio::sync::watch;

/// Ctrl-C, as it is passed on: the first lets terraform end in an orderly way, the second lets it break off, the third
/// kills it. Clones are of the same key.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<watch::Sender<u32>>);

impl Default for Interrupt {
    fn default() -> Self {
        Self::new()
    }
}

impl Interrupt {
    /// One that nobody has pressed.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Presses it, once more.
    pub fn press(&self) {
        self.0.send_modify(|times| *times = times.saturating_add(1));
    }

    /// How often it was pressed.
    pub fn times(&self) -> u32 {
        *self.0.borrow()
    }

    /// Returns once it was pressed more often than `seen`, with the number of times.
    pub async fn beyond(&self, seen: u32) -> u32 {
        let mut receiver = self.0.subscribe();
        match receiver.wait_for(|times| *times > seen).await {
            Ok(times) => *times,
            // The sender is in this very value.
            Err(_) => std::future::pending().await,
        }
    }
}
