//! One run of one contestant: started, measured, read, written down.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::contestants::{self, Contestant, Programs, Said};
use super::meter::{self, End, Job, Measured};
use super::proxy::Proxy;
use super::record::Book;
use crate::sh::{Error, Result};

/// Under what circumstances.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// How many hosts.
    pub hosts: usize,
    /// Milliseconds of a round trip.
    pub rtt: u64,
    /// Per cent of connections that are cut.
    pub loss: u64,
    /// `warm`: nothing to change; `cold`: everything.
    pub state: &'static str,
}

/// How a run is measured.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Its number.
    pub number: usize,
    /// Whether its time counts.
    pub counts: bool,
    /// Whether memory is sampled.
    pub memory: bool,
}

impl Round {
    /// The round before the first, in which everybody's files come into memory: its time does not count.
    pub const FIRST: Self = Self {
        number: 0,
        counts: false,
        memory: true,
    };

    /// A round whose time counts.
    pub fn of(number: usize) -> Self {
        Self {
            number,
            counts: true,
            memory: false,
        }
    }
}

/// A subject under way.
pub struct Runner<'a> {
    /// Who can be started.
    pub programs: &'a Programs,
    /// Where it is written down.
    pub book: Book,
    /// When nothing more of the subject is begun.
    pub deadline: Instant,
    /// How long one run may take.
    pub limit: Duration,
    /// What was written down.
    pub rows: Vec<Value>,
}

/// What is run.
pub struct Start<'a> {
    /// Its name in the data.
    pub who: &'a str,
    /// The words.
    pub words: Vec<String>,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// The folder it runs in.
    pub folder: &'a Path,
}

impl Runner<'_> {
    /// Writes a row down.
    pub fn note(&mut self, row: Value) -> Result<()> {
        self.book.add(&row)?;
        self.rows.push(row);
        Ok(())
    }

    /// Says and writes down that something was not done, and why.
    pub fn leave_out(&mut self, who: &str, cell: Cell, why: &str) -> Result<()> {
        println!("  {who:<24} left out: {why}");
        self.note(json!({
            "what": "left out", "who": who, "why": why,
            "hosts": cell.hosts, "rtt": cell.rtt, "loss": cell.loss, "state": cell.state,
        }))
    }

    /// Whether a run that may take so long still fits.
    pub fn has_time(&self, seconds: f64) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        left.as_secs_f64() > seconds
    }

    /// Starts a contestant with the preparation of nodes, once; whether it ended well.
    pub fn prepare(
        &mut self,
        who: Contestant,
        cell: Cell,
        place: &Place<'_>,
        round: Round,
    ) -> Result<Option<(Measured, Said)>> {
        if !self.has_time(0.0) {
            self.leave_out(who.name(), cell, "the subject's time was over")?;
            return Ok(None);
        }
        let (mut words, env) = match self.programs.start(who, place.folder, place.forks) {
            Ok(start) => start,
            Err(Error(why)) => {
                let why = why.lines().next().unwrap_or_default().to_owned();
                self.leave_out(who.name(), cell, &why)?;
                return Ok(None);
            }
        };
        words.splice(0..0, place.before.iter().cloned());
        words.extend(place.after.iter().cloned());
        clear(place.folder);
        let start = Start {
            who: who.name(),
            words,
            env,
            folder: place.folder,
        };
        let folder = place.folder.to_owned();
        let log = log_of(&folder, who.name());
        let hosts = cell.hosts;
        self.measure(&start, cell, place.proxy, round, move || {
            contestants::read(who, &folder, &log, hosts)
        })
        .map(Some)
    }

    /// Runs it, reads what it says with `read`, and writes it all down.
    pub fn measure(
        &mut self,
        start: &Start<'_>,
        cell: Cell,
        proxy: Option<&Proxy>,
        round: Round,
        read: impl FnOnce() -> Said,
    ) -> Result<(Measured, Said)> {
        let log = log_of(start.folder, start.who);
        if let Some(proxy) = proxy {
            // What came from before is nobody's.
            proxy.take();
        }
        let measured = meter::run(&Job {
            words: &start.words,
            folder: start.folder,
            env: &start.env,
            log: &log,
            limit: self.limit,
            memory: round.memory,
        })?;
        let wire = proxy.map(Proxy::take);
        let said = read();
        let end = match &measured.end {
            End::Fine if said.failed == 0 => "fine",
            End::Fine | End::Failed(_) => "failed",
            End::TooLong(_) => "too long",
        };
        let words = match &measured.end {
            End::TooLong(seconds) => format!("ended after {seconds} s"),
            End::Failed(status) if said.words.is_empty() => status.clone(),
            _ => said.words.clone(),
        };
        let changed = said.changed.map_or("?".to_owned(), |count| count.to_string());
        let memory = measured
            .memory
            .map(|kib| format!(" {} MiB", kib >> 10))
            .unwrap_or_default();
        println!(
            "  {:<24} {:>8.3} s  cpu {:>7.3} s{memory}  changed {changed}  {end}{}",
            start.who,
            measured.wall,
            measured.cpu,
            if words.is_empty() {
                String::new()
            } else {
                format!(": {words}")
            },
        );
        let mut row = json!({
            "what": "run", "who": start.who,
            "hosts": cell.hosts, "rtt": cell.rtt, "loss": cell.loss, "state": cell.state,
            "round": round.number, "counts": round.counts,
            "wall": rounded(measured.wall), "cpu": rounded(measured.cpu),
            "pss_kib": measured.memory, "hwm_kib": measured.resident,
            "changed": said.changed, "failed_hosts": said.failed, "exchanges": said.exchanges,
            "end": end, "words": words, "load": load(),
        });
        if let Some(wire) = wire {
            row["connections"] = json!(wire.connections);
            row["cut"] = json!(wire.cut);
            row["bytes_up"] = json!(wire.up);
            row["bytes_down"] = json!(wire.down);
            row["round_trips"] = json!(wire.most_round_trips);
            row["round_trips_of_all"] = json!(wire.round_trips);
        }
        self.note(row)?;
        Ok((measured, said))
    }
}

/// Where a contestant runs.
pub struct Place<'a> {
    /// The folder of [`super::ground::lay_out`].
    pub folder: &'a Path,
    /// How many hosts at once.
    pub forks: usize,
    /// The proxy between, if any.
    pub proxy: Option<&'a Proxy>,
    /// Words before the command.
    pub before: &'a [String],
    /// Words after it.
    pub after: &'a [String],
}

/// Removes what an earlier run left to be read.
fn clear(folder: &Path) {
    let _ = std::fs::remove_file(folder.join("events.jsonl"));
    for entry in std::fs::read_dir(folder.join("out")).into_iter().flatten().flatten() {
        let _ = std::fs::remove_file(entry.path());
    }
}

fn log_of(folder: &Path, who: &str) -> PathBuf {
    folder.join(format!("log-{}", who.replace(' ', "-")))
}

/// Three digits after the point are more than a clock is good for here.
fn rounded(seconds: f64) -> f64 {
    (seconds * 10_000.0).round() / 10_000.0
}

/// How much of all processors is busy in these two seconds, in per cent: unlike the load of the last minute it does not
/// tell of the subject before.
pub fn busy() -> f64 {
    let read = || -> Option<(f64, f64)> {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        let first = text.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<f64> = first.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        // user, nice, system, idle, iowait, …: proc_stat(5)
        Some((times.iter().take(8).sum(), times.get(3)? + times.get(4)?))
    };
    let before = read();
    std::thread::sleep(Duration::from_secs(2));
    match (before, read()) {
        (Some((all, idle)), Some((all_then, idle_then))) if all_then > all => {
            100.0 * (1.0 - (idle_then - idle) / (all_then - all))
        }
        _ => 0.0,
    }
}

/// How busy the machine was in the last minute.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}
