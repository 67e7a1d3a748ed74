//! Where the time of a run went.

use serde::{Deserialize, Serialize};

/// Where the time of one host went, and what its connection carried. Times are microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostProfile {
    /// All of it, from the moment the host could have begun to its end; the other times are parts of it.
    pub wall_us: u64,
    /// Waiting for one of the forks, and for the turn to log in.
    pub forks_us: u64,
    /// Until the TCP connection was there, names looked up.
    pub connect_us: u64,
    /// Keys exchanged, the host key checked, logged in.
    pub authenticate_us: u64,
    /// Until a shell was ready, sudo included.
    pub sudo_us: u64,
    /// Exchanges, less what the host itself took for them: waiting on the wire.
    pub exchange_us: u64,
    /// The host's own work in exchanges, as it told; in hundredths of a second.
    pub remote_us: u64,
    /// Sending large contents.
    pub upload_us: u64,
    /// Reading answers and deciding.
    pub decide_us: u64,
    /// Pausing: for another run's lock, for something to come, between tries.
    pub pause_us: u64,
    /// What none of the above accounts for.
    pub other_us: u64,
    /// Round trips after login.
    pub exchanges: u64,
    /// Bytes of scripts and contents sent.
    pub bytes_out: u64,
    /// Bytes of answers received.
    pub bytes_in: u64,
}

impl HostProfile {
    /// The parts that are accounted for.
    pub fn accounted_us(&self) -> u64 {
        self.forks_us
            + self.connect_us
            + self.authenticate_us
            + self.sudo_us
            + self.exchange_us
            + self.remote_us
            + self.upload_us
            + self.decide_us
            + self.pause_us
    }

    /// The same with what is left of the wall time as `other_us`. A machine that others work on as well may have spent more in
    /// its connection than its own tasks waited for; then nothing is left.
    #[must_use]
    pub fn balanced(mut self) -> Self {
        self.other_us = self.wall_us.saturating_sub(self.accounted_us());
        self
    }

    /// Adds another host's.
    pub fn add(&mut self, other: &Self) {
        self.wall_us += other.wall_us;
        self.forks_us += other.forks_us;
        self.connect_us += other.connect_us;
        self.authenticate_us += other.authenticate_us;
        self.sudo_us += other.sudo_us;
        self.exchange_us += other.exchange_us;
        self.remote_us += other.remote_us;
        self.upload_us += other.upload_us;
        self.decide_us += other.decide_us;
        self.pause_us += other.pause_us;
        self.other_us += other.other_us;
        self.exchanges += other.exchanges;
        self.bytes_out += other.bytes_out;
        self.bytes_in += other.bytes_in;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_other_and_sums_keep_it() {
        let one = HostProfile {
            wall_us: 100,
            connect_us: 10,
            remote_us: 60,
            exchanges: 1,
            ..HostProfile::default()
        }
        .balanced();
        assert_eq!((one.accounted_us(), one.other_us), (70, 30));
        let busy = HostProfile {
            wall_us: 50,
            exchange_us: 80,
            exchanges: 2,
            ..HostProfile::default()
        }
        .balanced();
        assert_eq!(busy.other_us, 0);
        let mut sum = one;
        sum.add(&busy);
        assert_eq!(
            (sum.wall_us, sum.exchange_us, sum.other_us, sum.exchanges),
            (150, 80, 30, 3)
        );
    }
}
