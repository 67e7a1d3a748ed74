//! Counters behind [`ExchangeStats`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::host::ExchangeStats;

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub exchanges: AtomicU64,
    pub channels: AtomicU64,
    pub connects: AtomicU64,
    pub bytes_out: AtomicU64,
    pub bytes_in: AtomicU64,
    wait_us: AtomicU64,
    connect_us: AtomicU64,
    auth_us: AtomicU64,
    sudo_us: AtomicU64,
    exchange_us: AtomicU64,
    tcp_us: AtomicU64,
    remote_us: AtomicU64,
    upload_us: AtomicU64,
}

fn micros(spent: Duration) -> u64 {
    u64::try_from(spent.as_micros()).unwrap_or(u64::MAX)
}

impl Counters {
    /// A round trip; `remote` is what the target itself took.
    pub fn exchange(&self, out: usize, back: usize, spent: Duration, remote: Duration) {
        self.remote_us.fetch_add(micros(remote), Relaxed);
        self.bytes_out.fetch_add(out as u64, Relaxed);
        self.bytes_in.fetch_add(back as u64, Relaxed);
        self.exchange_us.fetch_add(micros(spent), Relaxed);
    }

    /// Until it was this host's turn to be let in.
    pub fn waited(&self, spent: Duration) {
        self.wait_us.fetch_add(micros(spent), Relaxed);
    }

    pub fn reached(&self, spent: Duration) {
        self.tcp_us.fetch_add(micros(spent), Relaxed);
    }

    pub fn uploaded(&self, bytes: usize, spent: Duration) {
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
        self.upload_us.fetch_add(micros(spent), Relaxed);
    }

    pub fn connected(&self, spent: Duration) {
        self.connects.fetch_add(1, Relaxed);
        self.connect_us.fetch_add(micros(spent), Relaxed);
    }

    pub fn authenticated(&self, spent: Duration) {
        self.auth_us.fetch_add(micros(spent), Relaxed);
    }

    pub fn shell_opened(&self, spent: Duration) {
        self.sudo_us.fetch_add(micros(spent), Relaxed);
    }

    pub fn snapshot(&self) -> ExchangeStats {
        ExchangeStats {
            exchanges: self.exchanges.load(Relaxed),
            channels: self.channels.load(Relaxed),
            connects: self.connects.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            wait_time: Duration::from_micros(self.wait_us.load(Relaxed)),
            connect_time: Duration::from_micros(self.connect_us.load(Relaxed)),
            auth_time: Duration::from_micros(self.auth_us.load(Relaxed)),
            sudo_time: Duration::from_micros(self.sudo_us.load(Relaxed)),
            exchange_time: Duration::from_micros(self.exchange_us.load(Relaxed)),
            tcp_time: Duration::from_micros(self.tcp_us.load(Relaxed)),
            remote_time: Duration::from_micros(self.remote_us.load(Relaxed)),
            upload_time: Duration::from_micros(self.upload_us.load(Relaxed)),
        }
    }
}
