//! A run: plays in order, batches in order, so many hosts at once, and one owner of all events.

use crate::binding::{Binding, Recorder};
use crate::clock::{Clocks, Spent};
use crate::emit::{Emitter, count};
use crate::fleet::Fleet;
use crate::host_run::{End, HostRun, OnceBoard, Shared};
use crate::journal::{Journal, Past, Record, RunChoice};
use crate::options::{CancelHandle, RunOptions};
use crate::prepared::{Prepared, PreparedHost, PreparedPlay, PreparedRole};
use crate::report::RunReport;
use crate::site::lock::Owner;
use crate::sites::Sites;
use mosip_prov_events::{Counts, Event, EventKind, HostProfile, TaskId};
use mosip_prov_transport::{Connector, Gate};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc};

/// Runs what was prepared.
pub struct Engine {
    connector: Arc<dyn Connector>,
    pub(crate) options: RunOptions,
    journal: Option<(Arc<Journal>, Past)>,
    recorder: Option<(Arc<Recorder>, Past)>,
    binding: Option<Arc<Binding>>,
}

impl Engine {
    /// An engine that reaches hosts through `connector`.
    pub fn new(connector: Arc<dyn Connector>, options: RunOptions) -> Self {
        Self {
            connector,
            options,
            journal: None,
            recorder: None,
            binding: None,
        }
    }

    /// The same, written down in `journal`, and making good what `past` says is owed.
    #[must_use]
    pub fn with_journal(mut self, journal: Arc<Journal>, past: Past) -> Self {
        self.journal = Some((journal, past));
        self
    }

    /// The same in check mode, keeping all decisions in `recorder`. What earlier runs owe, as `past` says, is decided too.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Arc<Recorder>, past: Past) -> Self {
        self.recorder = Some((recorder, past));
        self
    }

    /// The same, bound to what was planned: all hosts are looked at before anything is done, and those that are not as they
    /// were planned for are left as they are. In check mode nothing is bound.
    #[must_use]
    pub fn with_binding(mut self, binding: Arc<Binding>) -> Self {
        self.binding = Some(binding);
        self
    }

    /// Runs `prepared`, handing every event to `handler` in order, until the end or until `cancel` is used.
    pub async fn run(&self, prepared: &Prepared, mut handler: impl FnMut(&Event), cancel: &CancelHandle) -> RunReport {
        let (sender, mut events) = mpsc::unbounded_channel();
        let began = Instant::now();
        let mut report = RunReport::default();
        let mut profile = BTreeMap::new();
        {
            let work = self.work(prepared, Emitter::new(sender), cancel);
            tokio::pin!(work);
            let mut working = true;
            loop {
                tokio::select! {
                    biased;
                    event = events.recv() => match event {
                        Some(event) => {
                            count(&mut report, &event.kind);
                            handler(&event);
                        }
                        // The work has ended, and with it the last sender.
                        None => break,
                    },
                    found = &mut work, if working => {
                        working = false;
                        profile = found;
                    }
                }
            }
        }
        for (name, of_host) in &profile {
            let host = report.hosts.entry(name.clone()).or_default();
            host.exchanges = of_host.exchanges;
            host.profile = *of_host;
        }
        report.interrupted = cancel.is_cancelled();
        report.duration = began.elapsed();
        self.close_journal(&report, &mut handler);
        handler(&Event::now(EventKind::RunFinished {
            hosts: report.hosts.iter().map(|(name, h)| (name.clone(), h.counts)).collect(),
            milliseconds: report.duration.as_millis().try_into().unwrap_or(u64::MAX),
            exchanges: profile.iter().map(|(name, p)| (name.clone(), p.exchanges)).collect(),
            interrupted: report.interrupted,
            profile,
        }));
        report
    }

    fn close_journal(&self, report: &RunReport, handler: &mut impl FnMut(&Event)) {
        let Some((journal, _)) = self.journal.as_ref().filter(|_| !self.options.check) else {
            return;
        };
        let sum = |of: fn(&Counts) -> u32| report.hosts.values().map(|h| of(&h.counts)).sum();
        journal.promise(Record::RunEnded {
            outcome: report.outcome().word().to_owned(),
            changed: sum(|c| c.changed),
            failed: sum(|c| c.failed),
            unreachable: sum(|c| c.unreachable),
        });
        if let Some(error) = journal.failure() {
            handler(&Event::now(EventKind::Warning {
                host: None,
                message: format!("{error}; what this run owes is not written down"),
            }));
        }
    }

    /// All plays; returns where the time of each host that was connected to went.
    async fn work(
        &self,
        prepared: &Prepared,
        emitter: Emitter,
        cancel: &CancelHandle,
    ) -> BTreeMap<String, HostProfile> {
        let check = self.options.check;
        emitter.send(EventKind::RunStarted {
            playbooks: prepared.playbooks.clone(),
            hosts: prepared.hosts().into_iter().map(str::to_owned).collect(),
            check,
            forks: self.options.forks,
            program: env!("CARGO_PKG_VERSION").to_owned(),
        });
        // A run that changes nothing is not written down.
        let journal = self.journal.as_ref().filter(|_| !check);
        if let Some((journal, _)) = journal {
            journal.promise(Record::RunStarted {
                choice: RunChoice {
                    playbooks: prepared.playbooks.clone(),
                    limit: self.options.limit.clone(),
                    tags: self.options.tags.clone(),
                    skip_tags: self.options.skip_tags.clone(),
                },
                hosts: prepared.hosts().into_iter().map(str::to_owned).collect(),
                pid: std::process::id(),
                program: env!("CARGO_PKG_VERSION").to_owned(),
            });
        }
        let kept = self.recorder.as_ref().filter(|_| check);
        let past = journal.map(|(_, p)| p).or(kept.map(|(_, p)| p)).map(Past::debts);
        let shared = Shared {
            fleet: Arc::new(Fleet::new(
                self.connector.clone(),
                prepared.targets.clone(),
                emitter.clone(),
            )),
            emitter: emitter.clone(),
            gate: if check { Gate::closed() } else { Gate::open() },
            cancel: cancel.clone(),
            command_timeout: self.options.command_timeout,
            lock_timeout: self.options.lock_timeout,
            reconnect_timeout: self.options.reconnect_timeout,
            rollback: self.options.rollback,
            journal: journal.map(|(j, _)| j.clone()),
            past: past.unwrap_or_default(),
            paid: Mutex::default(),
            sites: Sites::new(owner(journal.map(|(j, _)| j.run()))),
            changes: AtomicU64::new(0),
            known: Mutex::default(),
            clocks: Clocks::default(),
            locks_first: self.binding.is_some() && !check,
            recorder: kept.map(|(r, _)| r.clone()),
            running: Mutex::default(),
        };
        let plays = async {
            let mut out = BTreeSet::new();
            if let Some(binding) = self.binding.as_deref().filter(|_| !check) {
                self.bind(binding, prepared, &shared, &mut out).await;
            }
            self.plays(prepared, &shared, &mut out).await;
        };
        tokio::pin!(plays);
        tokio::select! {
            () = &mut plays => {}
            () = cancel.cancelled() => {
                let running: Vec<TaskId> = shared
                    .running
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .values()
                    .cloned()
                    .collect();
                emitter.send(EventKind::Interrupted { running });
                // What is under way is carried to its end; nothing further begins.
                plays.await;
            }
        }
        shared.sites.leave(&shared.gate).await;
        shared.fleet.close().await;
        let stats = shared.fleet.stats().into_iter();
        stats
            .map(|(name, stats)| {
                let profile = shared.clocks.profile(&name, &stats);
                (name, profile)
            })
            .collect()
    }

    /// All plays, without the hosts that are `out`.
    pub(crate) async fn plays(&self, prepared: &Prepared, shared: &Shared, out: &mut BTreeSet<Arc<str>>) {
        for (number, play) in prepared.plays.iter().enumerate() {
            if shared.cancel.is_cancelled() {
                return;
            }
            let has_work = |p: &PreparedPlay| p.hosts.values().any(|h| h.roles.iter().any(PreparedRole::has_work));
            if !has_work(play) {
                continue;
            }
            if let Some(failed) = play.serves.iter().find(|host| out.contains(*host)) {
                // What it builds would rest on that host, and so would what comes after it there.
                out.extend(play.hosts.keys().cloned());
                shared.emitter.send(EventKind::Warning {
                    host: None,
                    message: format!(
                        "play \"{}\" is left out, and so is what follows on {}: {failed} did not get to the end",
                        play.name,
                        play.hosts.keys().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
                    ),
                });
                continue;
            }
            if play.hosts.keys().all(|host| out.contains(host)) {
                continue;
            }
            shared.emitter.send(EventKind::PlayStarted {
                playbook: play.playbook.clone(),
                play: play.name.clone(),
                hosts: play.hosts.keys().map(ToString::to_string).collect(),
            });
            if !self.play(play, &prepared.plays[number + 1..], shared, out).await {
                return;
            }
        }
    }

    /// One play in its batches; `false` when the run must not go on after it.
    async fn play(
        &self,
        play: &PreparedPlay,
        later: &[PreparedPlay],
        shared: &Shared,
        out: &mut BTreeSet<Arc<str>>,
    ) -> bool {
        for batch in &play.batches {
            let hosts: Vec<&Arc<str>> = batch.iter().filter(|h| !out.contains(*h)).collect();
            if hosts.is_empty() {
                continue;
            }
            let ends = self.batch(play, later, &hosts, shared).await;
            let lost = ends
                .values()
                .filter(|e| matches!(e, End::Failed | End::Unreachable))
                .count();
            out.extend(
                ends.iter()
                    .filter(|(_, end)| **end != End::Complete)
                    .map(|(host, _)| Arc::clone(host)),
            );
            if shared.cancel.is_cancelled() {
                return false;
            }
            if shared.recorder.is_some() {
                // What the other hosts would do is to be known all the same.
                continue;
            }
            if let Some(limit) = play.max_fail_percentage
                && lost * 100 > usize::from(limit) * hosts.len()
            {
                shared.emitter.send(EventKind::Warning {
                    host: None,
                    message: format!(
                        "play \"{}\" stops for all hosts: {lost} of {} failed, more than {limit} %",
                        play.name,
                        hosts.len()
                    ),
                });
                return false;
            }
            if lost == hosts.len() && play.batches.len() > 1 {
                shared.emitter.send(EventKind::Warning {
                    host: None,
                    message: format!("play \"{}\" stops: every host of a batch failed", play.name),
                });
                return false;
            }
        }
        true
    }

    /// The hosts of a batch, so many at once, each at its own pace.
    async fn batch<'p>(
        &self,
        play: &'p PreparedPlay,
        later: &'p [PreparedPlay],
        hosts: &[&'p Arc<str>],
        shared: &Shared,
    ) -> HashMap<&'p Arc<str>, End> {
        let board = OnceBoard::default();
        let slots = Semaphore::new(self.options.forks.max(1));
        let runs = hosts.iter().filter_map(|name| {
            let part = play.hosts.get(*name)?;
            let with_work = |h: &&PreparedHost| h.roles.iter().any(PreparedRole::has_work);
            let helps = play.needs(name) || later.iter().any(|play| play.needs(name));
            let later = later.iter().filter_map(|play| play.hosts.get(*name)).filter(with_work);
            let later: Vec<&PreparedHost> = later.collect();
            let (board, slots) = (&board, &slots);
            Some(async move {
                // The semaphore is never closed, so there is always a permit in the end.
                let began = Instant::now();
                let _slot = slots.acquire().await;
                let forks = began.elapsed();
                let waited = Spent {
                    wall: forks,
                    forks,
                    ..Spent::default()
                };
                shared.clocks.add(name, waited);
                if shared.cancel.is_cancelled() {
                    return (*name, End::Cancelled);
                }
                let goes_on = !later.is_empty();
                let run = HostRun::new(shared, board, Arc::clone(name), play, part, later);
                let end = run.run().await;
                if !helps && !shared.is_rehearsal() && (!goes_on || end != End::Complete) {
                    shared.fleet.part(name).await;
                }
                (*name, end)
            })
        });
        futures::future::join_all(runs).await.into_iter().collect()
    }
}

/// Who this run is, for those that find its locks.
fn owner(run: Option<&str>) -> Owner {
    let read = |path: &str| {
        std::fs::read_to_string(path)
            .map(|t| t.trim().to_owned())
            .unwrap_or_default()
    };
    // A process is known to be gone only where the same processes are seen: same boot, same namespace, same user.
    let namespace = std::fs::read_link("/proc/self/ns/pid").map_or_else(|_| String::new(), |l| l.display().to_string());
    let status = read("/proc/self/status");
    let user_id = status
        .lines()
        .find_map(|l| l.strip_prefix("Uid:"))
        .and_then(|l| l.split_whitespace().next())
        .unwrap_or_default()
        .to_owned();
    let now = jiff::Timestamp::now();
    let user = ["SUDO_USER", "LOGNAME", "USER"]
        .iter()
        .find_map(|v| std::env::var(v).ok())
        .unwrap_or_else(|| "somebody".to_owned());
    Owner {
        run: run.map_or_else(
            || {
                format!(
                    "{}-{:05}",
                    now.strftime("%Y%m%dT%H%M%S%3f"),
                    std::process::id() % 100_000
                )
            },
            str::to_owned,
        ),
        user,
        controller: read("/proc/sys/kernel/hostname"),
        machine: [
            read("/etc/machine-id"),
            read("/proc/sys/kernel/random/boot_id"),
            namespace,
            user_id,
        ]
        .join("/"),
        pid: std::process::id(),
        since: now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    }
}
