//! `bench many`: 100 and 1000 addresses at once, all answered by one sshd of a host that is right already.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::contestants::Contestant::{self, Mitogen, Ours, Pipelining, Pyinfra, Script};
use super::ground::{self, Layout};
use super::record;
use super::runner::{Cell, Place, Round, Runner};
use crate::sh::{Error, Result};
use crate::testbed::hosts::{self, Host};

const HOST: &str = "vm1";
const PORT: u16 = 2222;
const UNIT: &str = "bench-sshd";
const PROGRAM: &str = "/usr/local/sbin/bench-sshd";
/// Seconds that a contestant may have for 100 or 1000 addresses.
const LIMIT: u64 = 300;

/// An sshd on the host that takes all logins that come at once. It ends when this goes.
struct ManyLogins(&'static Host);

impl ManyLogins {
    fn start(host: &'static Host) -> Result<Self> {
        // One left by a benchmark that was killed would keep the port. PAM's service has the name of the program: with
        // that of sshd, every login would be registered with logind, which takes a thousand at once one after the other,
        // while a thousand hosts have one each. sudo is the host's own.
        let script = format!(
            "systemctl stop {UNIT} 2>/dev/null || true; systemctl reset-failed {UNIT} 2>/dev/null || true
             install -m 755 /usr/sbin/sshd {PROGRAM}
             printf 'account required pam_permit.so\\nsession required pam_permit.so\\n' >/etc/pam.d/{UNIT}
             systemd-run -q --unit={UNIT} -p TasksMax=infinity -p LimitNOFILE=65536 -p RuntimeMaxSec=1800 \
             {PROGRAM} -D -p {PORT} -o PidFile=none -o LoginGraceTime=600 -o UseDNS=no -o MaxStartups=5000:100:5000"
        );
        ground::on(host, &script)?;
        let made = Self(host);
        std::thread::sleep(Duration::from_millis(500));
        Ok(made)
    }
}

impl Drop for ManyLogins {
    fn drop(&mut self) {
        let _ = ground::on(
            self.0,
            &format!("systemctl stop {UNIT}; rm -f {PROGRAM} /etc/pam.d/{UNIT}"),
        );
    }
}

/// Measures.
pub fn run(runner: &mut Runner<'_>, out: &Path, quick: bool) -> Result<()> {
    let host = hosts::find(HOST)?;
    let mitogen = runner.programs.mitogen();
    make_ready(runner, host, &mitogen)?;
    let sshd = ManyLogins::start(host)?;
    // The contestants run in the host's network, where every address of 127.0.0.0/8 is the host itself.
    let before = ["ip", "netns", "exec", &host.namespace()].map(str::to_owned);
    runner.limit = Duration::from_secs(LIMIT);
    let earlier = record::load(out, "peers");
    let plans: &[(usize, &[(Contestant, usize)])] = if quick {
        &[(100, &[(Ours, 2), (Script, 2)])]
    } else {
        &[
            (
                100,
                &[(Ours, 3), (Script, 3), (Pyinfra, 1), (Mitogen, 1), (Pipelining, 1)],
            ),
            (
                1000,
                &[(Ours, 2), (Script, 1), (Pyinfra, 1), (Mitogen, 1), (Pipelining, 1)],
            ),
        ]
    };
    for (count, who) in plans {
        println!("{count} addresses, all at once");
        let folder = ground::lay_out(&Layout {
            name: &format!("many-{count}"),
            targets: &ground::addresses(*count, PORT),
            forks: *count,
            timeout: 300,
            mitogen: &mitogen,
        })?;
        let place = Place {
            folder: &folder,
            forks: *count,
            proxy: None,
            before: &before,
            after: &[],
        };
        let cell = Cell {
            hosts: *count,
            rtt: 0,
            loss: 0,
            state: "warm",
        };
        let most = who.iter().map(|(_, rounds)| *rounds).max().unwrap_or(0);
        for number in 1..=most {
            for (who, rounds) in *who {
                if number > *rounds {
                    continue;
                }
                let expected = expectation(&earlier, &runner.rows, *who, *count);
                if let Some((seconds, from)) = expected.filter(|(seconds, _)| *seconds > LIMIT as f64) {
                    let why = format!(
                        "about {seconds:.0} s by its time for {from} hosts, and {LIMIT} s are the limit of one run"
                    );
                    runner.leave_out(who.name(), cell, &why)?;
                    continue;
                }
                // Ours is one process, of which the kernel itself keeps the most; that of many must be sampled.
                let round = Round {
                    memory: *who != Ours,
                    ..Round::of(number)
                };
                runner.prepare(*who, cell, &place, round)?;
            }
        }
    }
    drop(sshd);
    Ok(())
}

/// Seconds that a contestant needs for `count` hosts by what it needed for fewer, and for how many that was: the target
/// and the controller share one machine's processors, so that the time grows with the number.
fn expectation(earlier: &[Value], rows: &[Value], who: Contestant, count: usize) -> Option<(f64, usize)> {
    if matches!(who, Ours | Script) {
        return None;
    }
    let of = |rows: &[Value], hosts: usize| {
        let cell = json!({"hosts": hosts, "rtt": 0, "loss": 0, "state": "warm"});
        let fine = record::spread(&record::numbers(rows, who.name(), &cell, "wall"));
        // One that was ended at its limit needs at least that.
        let ended = record::select(rows, who.name(), &cell)
            .into_iter()
            .filter(|row| row["end"] == "too long")
            .filter_map(|row| row["wall"].as_f64())
            .fold(None, |most: Option<f64>, wall| {
                Some(most.map_or(wall, |most| most.max(wall)))
            });
        let seconds = fine.map(|spread| spread.median).or(ended)?;
        Some((seconds * count as f64 / hosts as f64, hosts))
    };
    let hundred = if count > 100 { of(rows, 100) } else { None };
    hundred.or_else(|| of(earlier, ground::NAMES.len()))
}

fn make_ready(runner: &mut Runner<'_>, host: &Host, mitogen: &str) -> Result<()> {
    let folder = ground::lay_out(&Layout {
        name: "one",
        targets: &[ground::Target {
            name: host.name.to_owned(),
            address: host.address.to_owned(),
            port: 22,
        }],
        forks: 1,
        timeout: 30,
        mitogen,
    })?;
    let place = Place {
        folder: &folder,
        forks: 1,
        proxy: None,
        before: &[],
        after: &[],
    };
    let cell = Cell {
        hosts: 1,
        rtt: 0,
        loss: 0,
        state: "made",
    };
    runner.prepare(Ours, cell, &place, Round::FIRST)?;
    let said = runner.prepare(Ours, cell, &place, Round::FIRST)?.map(|(_, said)| said);
    match said {
        Some(said) if said.changed == Some(0) && said.failed == 0 => Ok(()),
        other => Err(Error(format!(
            "{} does not become a prepared node: {other:?}",
            host.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_be_done_in_time_is_known_before() {
        let row = |hosts: usize, end: &str, wall: f64| {
            json!({"what": "run", "who": "pyinfra", "hosts": hosts, "rtt": 0, "loss": 0, "state": "warm",
                   "end": end, "counts": true, "wall": wall})
        };
        let six = [row(6, "fine", 6.0)];
        assert_eq!(expectation(&six, &[], Pyinfra, 100), Some((100.0, 6)));
        assert_eq!(
            expectation(&six, &[row(100, "fine", 50.0)], Pyinfra, 1000),
            Some((500.0, 100))
        );
        assert_eq!(
            expectation(&six, &[row(100, "too long", 240.0)], Pyinfra, 1000),
            Some((2400.0, 100))
        );
        assert_eq!(expectation(&six, &[], Ours, 1000), None);
        assert_eq!(expectation(&[], &[], Mitogen, 100), None);
    }
}
