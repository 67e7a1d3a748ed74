//! Runs a command in a control group of its own, which knows the processor time of all that it started, and ends what it
//! leaves behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::sh::{self, Context, Error, Result};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With status 0.
    Fine,
    /// With another.
    Failed(String),
    /// Not within its time: it was ended.
    TooLong(u64),
}

/// What a command took.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Seconds from its start to its end.
    pub wall: f64,
    /// Seconds of processor, user and system, of all its processes.
    pub cpu: f64,
    /// The most memory that all its processes had together, in KiB: the sum of their proportional sets (PSS), sampled.
    pub memory: Option<u64>,
    /// The most that its first process had resident, in KiB, as the kernel keeps it (VmHWM).
    pub resident: Option<u64>,
    /// How it ended.
    pub end: End,
}

/// A command to be measured.
pub struct Job<'a> {
    /// The program and its words.
    pub words: &'a [String],
    /// Where it runs.
    pub folder: &'a Path,
    /// What its environment has more.
    pub env: &'a [(String, String)],
    /// Where its output goes.
    pub log: &'a Path,
    /// How long it may take.
    pub limit: Duration,
    /// Whether its memory is sampled, which takes processor time of its own and so belongs in a round whose time does not
    /// count.
    pub memory: bool,
}

/// The control group of one run, where the kernel counts processor time.
struct Group(PathBuf);

const NAME: &str = "mosip-prov-bench-";

/// The tree of control groups that counts processor time: one of its own in version 1, all there is in version 2.
fn tree() -> PathBuf {
    let root = Path::new("/sys/fs/cgroup");
    [root.join("cpuacct"), root.join("cpu,cpuacct")]
        .into_iter()
        .find(|tree| tree.join("cpuacct.usage").exists())
        .unwrap_or_else(|| root.to_owned())
}

impl Group {
    fn new() -> Result<Self> {
        let group = tree().join(format!("{NAME}{}", std::process::id()));
        if !group.is_dir() {
            fs::create_dir(&group).doing(format!(
                "cannot make the control group {}, by which processor time is counted",
                group.display()
            ))?;
        }
        Ok(Self(group))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }

    /// Seconds of processor so far.
    fn cpu(&self) -> f64 {
        let first = self.read("cpuacct.usage");
        if let Ok(nanoseconds) = first.trim().parse::<f64>() {
            return nanoseconds / 1e9;
        }
        let second = self.read("cpu.stat");
        let usage = second.lines().find_map(|line| line.strip_prefix("usage_usec "));
        usage.and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
    }

    fn pids(&self) -> Vec<String> {
        self.read("cgroup.procs").lines().map(str::to_owned).collect()
    }

    fn signal(&self, signal: &str) {
        for pid in self.pids() {
            // One that has just ended is what was wanted.
            let _ = sh::run(&["kill", signal, &pid]);
        }
    }

    /// Ends what is left, first kindly.
    fn end_all(&self) {
        for signal in ["-TERM", "-KILL"] {
            self.signal(signal);
            let asked = Instant::now();
            while !self.pids().is_empty() && asked.elapsed() < Duration::from_secs(3) {
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end_all();
        let _ = fs::remove_dir(&self.0);
    }
}

fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
}

/// Runs it to its end, or until its time is over.
pub fn run(job: &Job<'_>) -> Result<Measured> {
    let group = Group::new()?;
    let log = fs::File::create(job.log).doing(format!("cannot write {}", job.log.display()))?;
    let before = group.cpu();
    let started = Instant::now();
    let mut child = Command::new("/bin/sh")
        .args(["-c", "echo $$ >\"$0/cgroup.procs\" && exec \"$@\""])
        .arg(&group.0)
        .args(job.words)
        .current_dir(job.folder)
        .envs(job.env.iter().map(|(name, value)| (name, value)))
        .env_remove("MOSIP_PROV_INVENTORY")
        .stdin(Stdio::null())
        .stdout(log.try_clone().doing("cannot share a log")?)
        .stderr(log)
        .spawn()
        .doing(format!("cannot start {}", job.words.join(" ")))?;
    let own = child.id();
    let over = AtomicBool::new(false);
    let (status, wall, samples) = thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&group, own, job, started, &over));
        let status = child.wait();
        let wall = started.elapsed();
        over.store(true, Ordering::SeqCst);
        (status, wall, watcher.join().unwrap_or_default())
    });
    let status = status.doing("waiting for a contestant")?;
    let end = match samples.ended {
        true => End::TooLong(job.limit.as_secs()),
        false if status.success() => End::Fine,
        false => End::Failed(status.to_string()),
    };
    Ok(Measured {
        wall: wall.as_secs_f64(),
        cpu: group.cpu() - before,
        memory: samples.memory,
        resident: samples.resident,
        end,
    })
}

#[derive(Default)]
struct Samples {
    memory: Option<u64>,
    resident: Option<u64>,
    ended: bool,
}

fn watch(group: &Group, own: u32, job: &Job<'_>, started: Instant, over: &AtomicBool) -> Samples {
    let mut samples = Samples::default();
    let mut pause = Duration::from_millis(20);
    while !over.load(Ordering::SeqCst) {
        thread::sleep(pause);
        if started.elapsed() > job.limit {
            samples.ended = true;
            group.end_all();
            return samples;
        }
        // A single small file, also where the rest is not sampled.
        let resident = field(&format!("/proc/{own}/status"), "VmHWM");
        samples.resident = samples.resident.max(resident);
        if job.memory {
            let began = Instant::now();
            let all = group.pids();
            let sum = all
                .iter()
                .filter_map(|pid| field(&format!("/proc/{pid}/smaps_rollup"), "Pss"))
                .sum();
            samples.memory = samples.memory.max(Some(sum));
            // Never more than a tenth of a processor.
            pause = Duration::from_millis(20).max(began.elapsed() * 9);
        }
    }
    samples
}

/// Refuses where control groups cannot be had. Ends what a benchmark that was killed has left.
pub fn ensure() -> Result<()> {
    for entry in fs::read_dir(tree()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(NAME) else { continue };
        if !Path::new("/proc").join(pid).exists() {
            drop(Group(entry.path()));
        }
    }
    let group = Group::new()?;
    if group.cpu() < 0.0 || !group.0.join("cgroup.procs").exists() {
        return Err(Error(format!("{} is no control group", group.0.display())));
    }
    Ok(())
}
