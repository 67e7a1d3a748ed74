//! Fuzzing guided by coverage: builds the targets of `tests/fuzz` instrumented, with the stable compiler and libFuzzer, and runs each
//! for so much CPU time. What a test run can afford is in `tests/fuzz/tests/corpus.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::sh::{self, Context, Error, Result};
use crate::tidy;

/// What `cargo xtask fuzz` is told.
#[derive(clap::Args)]
pub struct Options {
    /// The targets; all of them when none is named
    targets: Vec<String>,
    /// CPU minutes for each target
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Afterwards, put what reaches most into `tests/fuzz/corpus`, in place of what is there
    #[arg(long)]
    merge: bool,
}

/// Edges, and both sides of comparisons: what libFuzzer is guided by.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0";
/// Named, so that scripts that run while building are not instrumented.
const MACHINE: &str = "x86_64-unknown-linux-gnu";
/// More memory than that is a finding.
const MEMORY_MB: u32 = 2048;
/// An input that takes longer is a finding.
const SECONDS: u32 = 10;
/// Longest input.
const LENGTH: u32 = 4096;
/// The committed inputs of a target that were chosen by merging.
const COMMITTED_BYTES: u64 = 16 * 1024;
/// How many they may be.
const COMMITTED_FILES: usize = 120;
/// Longer ones cost more room than they are worth.
const COMMITTED_LENGTH: u64 = 1024;
/// Clock ticks a second in `/proc`, on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Where everything is.
struct Ground {
    committed: PathBuf,
    words: PathBuf,
    /// What grows while fuzzing: inputs, findings, logs.
    work: PathBuf,
    program: PathBuf,
}

/// What became of a target.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    target: String,
    cpu: f64,
    runs: u64,
    edges: u64,
    features: u64,
    inputs: u64,
    finding: Option<String>,
}

/// Builds and runs; an error when something was found.
pub fn main(options: &Options) -> Result<()> {
    crate::packages::ensure(&[("c++", "build-essential")])?;
    let workspace = tidy::workspace()?;
    let root = PathBuf::from(&workspace.root).join("tests/fuzz");
    let work = PathBuf::from(&workspace.target).join("fuzz");
    let ground = Ground {
        committed: root.join("corpus"),
        words: root.join("words"),
        program: work.join(MACHINE).join("fuzz/fuzz"),
        work,
    };
    let known = folders(&ground.committed)?;
    if let Some(unknown) = options.targets.iter().find(|name| !known.contains(name)) {
        return Err(Error(format!(
            "there is no target {unknown}; there are: {}",
            known.join(", ")
        )));
    }
    let targets = if options.targets.is_empty() {
        &known
    } else {
        &options.targets
    };
    build(&workspace.root, &ground.work)?;
    let mut outcomes = Vec::new();
    for target in targets {
        println!("{target}: {} CPU minutes", options.minutes);
        let outcome = ground.run(target, options.minutes * 60.0)?;
        println!("{}", row(&outcome));
        if options.merge && outcome.finding.is_none() {
            ground.merge(target)?;
        }
        outcomes.push(outcome);
    }
    println!("\n| target | CPU s | executions | edges | features | inputs | findings |\n|---|--:|--:|--:|--:|--:|---|");
    for outcome in &outcomes {
        println!("{}", row(outcome));
    }
    let findings: Vec<&str> = outcomes
        .iter()
        .filter_map(|outcome| outcome.finding.as_deref())
        .collect();
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error(format!(
        "found: {}\nwhat is to be done then: docs/fuzzing.md",
        findings.join(", ")
    )))
}

fn row(outcome: &Outcome) -> String {
    format!(
        "| {} | {:.0} | {} | {} | {} | {} | {} |",
        outcome.target,
        outcome.cpu,
        outcome.runs,
        outcome.edges,
        outcome.features,
        outcome.inputs,
        outcome.finding.as_deref().unwrap_or("none")
    )
}

/// The names of the folders in `folder`, sorted.
fn folders(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).doing(format!("cannot read {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(std::result::Result::ok)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

fn build(root: &str, work: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let words = [
        "build",
        "--profile",
        "fuzz",
        "--target",
        MACHINE,
        "-p",
        "mosip-prov-fuzz",
        "--features",
        "libfuzzer",
        "--bin",
        "fuzz",
    ];
    sh::show(
        Command::new(cargo)
            .current_dir(root)
            .args(words)
            .env("CARGO_TARGET_DIR", work)
            .env("RUSTFLAGS", INSTRUMENTED),
    )
}

impl Ground {
    fn made(&self, kind: &str, target: &str) -> Result<PathBuf> {
        let folder = self.work.join(kind).join(target);
        fs::create_dir_all(&folder).doing(format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// The program for one target, out of the way of everything else on the machine.
    fn command(&self, target: &str) -> Command {
        let mut command = Command::new("nice");
        command
            .args(["-n", "19"])
            .arg(&self.program)
            .env("MOSIP_PROV_FUZZ_TARGET", target)
            .stdin(Stdio::null());
        command
    }

    /// Runs a target until it has had its time or found something.
    fn run(&self, target: &str, seconds: f64) -> Result<Outcome> {
        let mut whole = Outcome::default();
        loop {
            let part = self.run_on(target, seconds - whole.cpu)?;
            let slow = part.finding.as_deref().filter(|path| is_slow(path)).map(str::to_owned);
            whole = Outcome {
                cpu: whole.cpu + part.cpu,
                runs: whole.runs + part.runs,
                ..part
            };
            match slow {
                // Time is counted by the clock there; on a machine that has much else to do, one input may have waited for its turn.
                Some(path) if whole.cpu < seconds && self.is_quick(target, &path)? => {
                    println!("{target}: {path} was slow, and is not when it is run alone");
                    fs::remove_file(&path).doing("cannot remove an input")?;
                    whole.finding = None;
                }
                _ => return Ok(whole),
            }
        }
    }

    /// Whether an input takes less CPU time than what makes it a finding.
    fn is_quick(&self, target: &str, path: &str) -> Result<bool> {
        let mut command = self.command(target);
        command.arg(format!("-timeout={}", 100 * SECONDS)).arg(path);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let (status, cpu) = watched(&mut command, f64::from(SECONDS))?;
        Ok(status.success() && cpu < f64::from(SECONDS))
    }

    fn run_on(&self, target: &str, seconds: f64) -> Result<Outcome> {
        let (own, found) = (self.made("corpus", target)?, self.made("found", target)?);
        let log = self.work.join(format!("{target}.log"));
        let file = fs::File::create(&log).doing(format!("cannot write {}", log.display()))?;
        let mut command = self.command(target);
        command
            .arg(&own)
            .arg(self.committed.join(target))
            .arg(format!("-dict={}", self.words.join(format!("{target}.dict")).display()))
            .arg(format!("-artifact_prefix={}/", found.display()))
            .arg(format!("-rss_limit_mb={MEMORY_MB}"))
            .arg(format!("-timeout={SECONDS}"))
            .arg(format!("-max_len={LENGTH}"))
            .arg("-print_final_stats=1")
            .stdout(file.try_clone().doing("cannot share the log")?)
            .stderr(file);
        let (status, cpu) = watched(&mut command, seconds)?;
        let said =
            String::from_utf8_lossy(&fs::read(&log).doing(format!("cannot read {}", log.display()))?).into_owned();
        let mut outcome = read(target, &said);
        outcome.cpu = cpu;
        outcome.finding = finding(status, &said, &log);
        Ok(outcome)
    }

    /// Takes some of those old and new inputs that together reach all that is reached as the committed ones. Those with names stay.
    fn merge(&self, target: &str) -> Result<()> {
        let (own, committed) = (self.made("corpus", target)?, self.committed.join(target));
        let chosen = self.made("merged", target)?;
        fs::remove_dir_all(&chosen).doing("cannot empty a folder")?;
        fs::create_dir_all(&chosen).doing("cannot make a folder")?;
        let mut command = self.command(target);
        command
            .arg("-set_cover_merge=1")
            .arg(format!("-rss_limit_mb={MEMORY_MB}"))
            .args([&chosen, &committed, &own]);
        sh::output(&mut command)?;
        for file in files(&committed)? {
            if is_chosen(&file.2) {
                fs::remove_file(&file.1).doing("cannot remove an input")?;
            }
        }
        // Short ones and longer ones, evenly.
        let mut all = files(&chosen)?;
        all.retain(|(size, _, _)| *size <= COMMITTED_LENGTH);
        let step = all.len().div_ceil(COMMITTED_FILES).max(1);
        let mut left = COMMITTED_BYTES;
        for (size, path, name) in all.into_iter().step_by(step) {
            let Some(rest) = left.checked_sub(size) else {
                break;
            };
            left = rest;
            fs::copy(&path, committed.join(name)).doing("cannot copy an input")?;
        }
        Ok(())
    }
}

/// Runs the fuzzer until it ends; asks it to once it has had so much CPU time. How it ended, and the time it took.
fn watched(command: &mut Command, seconds: f64) -> Result<(ExitStatus, f64)> {
    let mut child = command.spawn().doing("cannot start the fuzzer")?;
    let pid = child.id().to_string();
    let mut cpu = 0.0;
    let mut asked = false;
    loop {
        if let Some(status) = child.try_wait().doing("waiting for the fuzzer")? {
            return Ok((status, cpu));
        }
        if let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) {
            cpu = cpu_seconds(&stat).unwrap_or(cpu);
        }
        if cpu >= seconds && !asked {
            // It then writes its figures and ends.
            asked = true;
            sh::run(&["kill", "-USR1", &pid])?;
        }
        sleep(Duration::from_millis(200));
    }
}

/// Whether libFuzzer kept an input since it took long.
fn is_slow(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.starts_with("timeout-") || name.starts_with("slow-unit-")
}

/// Whether an input was chosen by merging, which names it by its digest. Those with names that people gave them stay.
fn is_chosen(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Size, path and name of the files in a folder, the smallest first.
fn files(folder: &Path) -> Result<Vec<(u64, PathBuf, String)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).doing(format!("cannot read {}", folder.display()))? {
        let entry = entry.doing("cannot read a folder")?;
        let size = entry.metadata().doing("cannot look at a file")?.len();
        all.push((size, entry.path(), entry.file_name().to_string_lossy().into_owned()));
    }
    all.sort();
    Ok(all)
}

/// User and system time in a line of `/proc/PID/stat`; the name, which may hold anything, stands in brackets before.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

/// The figures in what libFuzzer said.
fn read(target: &str, said: &str) -> Outcome {
    let mut outcome = Outcome {
        target: target.to_owned(),
        ..Outcome::default()
    };
    for line in said.lines() {
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            outcome.runs = count.trim().parse().unwrap_or(0);
        } else if line.starts_with('#') && line.contains(" cov: ") {
            let words: Vec<&str> = line.split_whitespace().collect();
            let after = |name: &str| {
                let at = words.iter().position(|word| *word == name)?;
                words.get(at + 1)?.split('/').next()?.parse().ok()
            };
            outcome.runs = line[1..]
                .split_whitespace()
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(outcome.runs);
            outcome.edges = after("cov:").unwrap_or(outcome.edges);
            outcome.features = after("ft:").unwrap_or(outcome.features);
            outcome.inputs = after("corp:").unwrap_or(outcome.inputs);
        }
    }
    outcome
}

/// The input that was found, or what else ended a run that did not end well.
fn finding(status: ExitStatus, said: &str, log: &Path) -> Option<String> {
    if status.success() {
        return None;
    }
    let written = said.lines().find_map(|line| line.split_once("Test unit written to "));
    Some(written.map_or_else(
        || format!("it ended with {status}, see {}", log.display()),
        |(_, path)| path.trim().to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_libfuzzer_are_read() {
        let said = "INFO: Seed: 1\n#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 40Mb\n\
            #4096\tpulse  cov: 120 ft: 340 corp: 25/1200b lim: 43 exec/s: 2048 rss: 41Mb\n\
            stat::number_of_executed_units: 5000\nstat::average_exec_per_sec:     1666\n";
        assert_eq!(
            read("ini", said),
            Outcome {
                target: "ini".into(),
                runs: 5000,
                edges: 120,
                features: 340,
                inputs: 25,
                ..Outcome::default()
            }
        );
        assert_eq!(read("ini", "").runs, 0);
    }

    #[test]
    fn cpu_time_is_read_past_any_name() {
        let stat = "42 (a) b (c)) R 1 42 42 0 -1 4194560 100 0 0 0 1234 66 0 0 39 19 1 0 100 1000 10";
        assert_eq!(cpu_seconds(stat), Some(13.0));
        assert_eq!(cpu_seconds("42 (x) R 1"), None);
    }

    #[test]
    fn inputs_with_names_stay() {
        assert!(is_chosen("da39a3ee5e6b4b0d3255bfef95601890afd80709"));
        assert!(!is_chosen("found-da39a3ee5e6b4b0d3255bfef95601890af") && !is_chosen("pair"));
    }

    #[test]
    fn what_was_found_is_named() {
        use std::os::unix::process::ExitStatusExt as _;
        let log = Path::new("/t/ini.log");
        let said = "artifact_prefix='/t/'; Test unit written to /t/crash-12\nBase64: AA==\n";
        let crashed = ExitStatus::from_raw(77 << 8);
        assert_eq!(finding(crashed, said, log).as_deref(), Some("/t/crash-12"));
        assert!(finding(crashed, "", log).expect("a finding").contains("/t/ini.log"));
        assert_eq!(finding(ExitStatus::from_raw(0), said, log), None);
        assert!(is_slow("/slow-unit-a/timeout-12") && is_slow("slow-unit-1") && !is_slow("/timeout-1/crash-2"));
    }
}
