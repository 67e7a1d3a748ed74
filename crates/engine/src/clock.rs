//! Where a run's time goes on our side: what the connections cannot know.

use mosip_prov_events::HostProfile;
use mosip_prov_transport::ExchangeStats;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What one host's way through a play took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    /// All of it, the wait for a fork included.
    pub wall: Duration,
    /// Waiting for a fork.
    pub forks: Duration,
    /// Reading answers and deciding.
    pub decide: Duration,
    /// Sleeping, and waiting for other hosts.
    pub pause: Duration,
}

/// What all of them took, by host; clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clocks(Arc<Mutex<HashMap<Arc<str>, Spent>>>);

impl Clocks {
    pub fn add(&self, host: &Arc<str>, spent: Spent) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = all.entry(host.clone()).or_default();
        sum.wall += spent.wall;
        sum.forks += spent.forks;
        sum.decide += spent.decide;
        sum.pause += spent.pause;
    }

    /// The profile of `host`, whose connection counted `stats`.
    pub fn profile(&self, host: &str, stats: &ExchangeStats) -> HostProfile {
        let spent = {
            let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(host).copied().unwrap_or_default()
        };
        profile(&spent, stats)
    }
}

fn profile(spent: &Spent, stats: &ExchangeStats) -> HostProfile {
    let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    // The host's clock is coarser than ours.
    let remote = stats.remote_time.min(stats.exchange_time);
    HostProfile {
        wall_us: us(spent.wall),
        forks_us: us(spent.forks + stats.wait_time),
        connect_us: us(stats.tcp_time),
        authenticate_us: us(stats.connect_time.saturating_sub(stats.tcp_time) + stats.auth_time),
        sudo_us: us(stats.sudo_time),
        exchange_us: us(stats.exchange_time - remote),
        remote_us: us(remote),
        upload_us: us(stats.upload_time),
        decide_us: us(spent.decide),
        pause_us: us(spent.pause),
        other_us: 0,
        exchanges: stats.exchanges,
        bytes_out: stats.bytes_out,
        bytes_in: stats.bytes_in,
    }
    .balanced()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_connection_and_we_took_adds_up_to_the_wall() {
        let ms = Duration::from_millis;
        let stats = ExchangeStats {
            exchanges: 3,
            wait_time: ms(7),
            connect_time: ms(30),
            tcp_time: ms(10),
            auth_time: ms(5),
            sudo_time: ms(40),
            exchange_time: ms(100),
            remote_time: ms(70),
            upload_time: ms(15),
            ..ExchangeStats::default()
        };
        let clocks = Clocks::default();
        let host: Arc<str> = "vm1".into();
        for _ in 0..2 {
            clocks.add(
                &host,
                Spent {
                    wall: ms(150),
                    forks: ms(20),
                    decide: ms(1),
                    pause: ms(2),
                },
            );
        }
        let of = clocks.profile("vm1", &stats);
        assert_eq!((of.wall_us, of.forks_us, of.connect_us), (300_000, 47_000, 10_000));
        assert_eq!(
            (of.authenticate_us, of.exchange_us, of.remote_us),
            (25_000, 30_000, 70_000)
        );
        assert_eq!(of.accounted_us() + of.other_us, of.wall_us);
        assert_eq!((of.other_us, of.exchanges), (300_000 - 243_000, 3));
        // A clock of hundredths may run ahead of ours.
        let stats = ExchangeStats {
            exchange_time: ms(5),
            remote_time: ms(10),
            ..ExchangeStats::default()
        };
        let of = clocks.profile("elsewhere", &stats);
        assert_eq!(
            (of.exchange_us, of.remote_us, of.wall_us, of.other_us),
            (0, 5_000, 0, 0)
        );
    }
}
