//! `bench files`: 1,000 small files onto one host, 26 ms away. `bench upload`: one large file onto six hosts.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::contestants::{self, Contestant, Said};
use super::ground::{self, Layout};
use super::proxy::Proxy;
use super::runner::{Cell, Round, Runner, Start};
use crate::sh::{self, Context, Error, Result};
use crate::testbed::hosts;

const HOST: &str = "vm1";
/// Milliseconds of a round trip, those of the figures that Mitogen publishes.
pub const RTT: u64 = 26;
/// How many files, as there.
pub const COUNT: usize = 1000;
/// How many for contestants that would need many minutes.
pub const FEW: usize = 100;
/// Megabytes of the large file.
pub const LARGE: u64 = 200;

const THERE: &str = "/opt/mosip-prov-bench";

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Bytes that look like no others, the same each time: a xorshift.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// A folder of small files: lines of text of a few hundred bytes, each file different.
fn small_files(folder: &Path, count: usize) -> Result<()> {
    for number in 0..count {
        let hex: String = noise(number as u64 + 1, 200)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        sh::write(
            &folder.join(format!("file-{number:04}")),
            format!("# {number}\n{hex}\n"),
        )?;
    }
    Ok(())
}

/// What all of a folder's files hold, as one sum; the same command here and there.
fn sum(folder: &str) -> String {
    format!("cd {folder} && cat $(ls | sort) | sha256sum && ls | wc -l")
}

fn removed() -> Result<()> {
    ground::each(|host| ground::on(host, &format!("rm -rf {THERE}")).map(drop))
}

/// Measures small files.
pub fn small(runner: &mut Runner<'_>, controller: &Path, quick: bool) -> Result<()> {
    let host = hosts::find(HOST)?;
    let mitogen = runner.programs.mitogen();
    let all = ground::through_proxy();
    let target = all.iter().find(|target| target.name == HOST).cloned();
    let target = target.ok_or_else(|| Error(format!("{HOST} is not among the six hosts")))?;
    let routes: Vec<_> = ground::routes();
    let routes: Vec<_> = routes
        .into_iter()
        .filter(|(listen, _)| listen.starts_with(&format!("{}:", target.address)))
        .collect();
    let folder = ground::lay_out(&Layout {
        name: "files",
        targets: std::slice::from_ref(&target),
        forks: 12,
        timeout: 30,
        mitogen: &mitogen,
    })?;
    small_files(&folder.join("files"), COUNT)?;
    small_files(&folder.join("few"), FEW)?;
    sh::write(&folder.join("files.yml"), include_str!("../../bench/files.yml"))?;
    sh::write(&folder.join("files.py"), include_str!("../../bench/files.py"))?;
    let port = target.port.to_string();
    let tar = format!(
        "tar -C files -cf - . | ssh -F /dev/null -i {} -o BatchMode=yes -o StrictHostKeyChecking=no \
         -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -p {port} ubuntu@{} \
         'sudo sh -c \"mkdir -p {THERE} && tar -C {THERE} --no-same-owner -xf -\"'",
        hosts::key().display(),
        target.address
    );
    let proxy = Proxy::start(&routes, Duration::from_millis(RTT), false)?;
    let ours = controller.to_string_lossy().into_owned();
    let rounds = if quick { 1 } else { 3 };
    for number in 1..=rounds {
        for (who, count, state) in [
            (Contestant::Ours, COUNT, "cold"),
            (Contestant::Ours, COUNT, "warm"),
            (Contestant::Script, COUNT, "cold"),
            (Contestant::Mitogen, FEW, "cold"),
            (Contestant::Pipelining, FEW, "cold"),
            (Contestant::Pyinfra, FEW, "cold"),
        ] {
            if (count == FEW && (number > 1 || quick)) || !runner.has_time(5.0) {
                continue;
            }
            if state == "cold" {
                ground::on(host, &format!("rm -rf {THERE} && mkdir -p {THERE}"))?;
            }
            let cell = Cell {
                hosts: 1,
                rtt: RTT,
                loss: 0,
                state,
            };
            let from = if count == FEW { "few" } else { "files" };
            let (mut words, env) = match who {
                Contestant::Ours => (
                    words(&[
                        &ours,
                        "files",
                        from,
                        THERE,
                        "-i",
                        "inventory.ini",
                        "--events",
                        "events.jsonl",
                    ]),
                    Vec::new(),
                ),
                Contestant::Script => (words(&["/bin/sh", "-c", &tar]), Vec::new()),
                other => match runner.programs.start(other, &folder, 12) {
                    Ok(start) => start,
                    Err(Error(why)) => {
                        runner.leave_out(other.name(), cell, why.lines().next().unwrap_or_default())?;
                        continue;
                    }
                },
            };
            for word in &mut words {
                match word.as_str() {
                    "node.yml" => *word = "files.yml".into(),
                    "node.py" => *word = "files.py".into(),
                    _ => {}
                }
            }
            let name = match who {
                Contestant::Script => "tar over ssh",
                other => other.name(),
            };
            let start = Start {
                who: name,
                words,
                env,
                folder: &folder,
            };
            let log = folder.join(format!("log-{}", name.replace(' ', "-")));
            let path = folder.clone();
            let read = move || match who {
                Contestant::Script => Said::default(),
                other => contestants::read(other, &path, &log, 1),
            };
            runner.measure(&start, cell, Some(&proxy), Round::of(number), read)?;
            let here = sh::run(&["sh", "-c", &sum(&folder.join(from).to_string_lossy())])?;
            let there = ground::on(host, &sum(THERE))?;
            let same = here == there;
            runner.note(json!({"what": "files", "who": name, "count": count, "state": state, "same": same}))?;
            if !same {
                println!("  {name}: the files there are not the files here");
            }
        }
    }
    removed()
}

/// Measures a large file.
pub fn large(runner: &mut Runner<'_>, controller: &Path, quick: bool) -> Result<()> {
    let targets = ground::direct();
    let folder = ground::lay_out(&Layout {
        name: "upload",
        targets: &targets,
        forks: 12,
        timeout: 30,
        mitogen: "",
    })?;
    let megabytes = if quick { LARGE / 4 } else { LARGE };
    let file: PathBuf = folder.join("large");
    fs::write(&file, noise(7, (megabytes * 1_000_000) as usize)).doing("cannot write a large file")?;
    let scp = include_str!("../../bench/scp.sh")
        .replace("@KEY@", &hosts::key().to_string_lossy())
        .replace("@THERE@", THERE);
    sh::write(&folder.join("scp.sh"), scp)?;
    let ours = controller.to_string_lossy().into_owned();
    let here = sh::run(&["sh", "-c", &format!("sha256sum <{}", file.display())])?;
    let rounds = if quick { 1 } else { 3 };
    let there = format!("{THERE}/large");
    for number in 0..=rounds {
        let mut turn = ["mosip-prov", "scp"];
        if number % 2 == 1 {
            turn.reverse();
        }
        for who in turn {
            if !runner.has_time(5.0) {
                continue;
            }
            // Writing back what the run before wrote must not be this one's time.
            ground::each(|host| {
                ground::on(
                    host,
                    &format!("rm -rf {THERE}; install -d -m 777 {THERE}; sync -f {THERE}"),
                )
                .map(drop)
            })?;
            let cell = Cell {
                hosts: targets.len(),
                rtt: 0,
                loss: 0,
                state: "cold",
            };
            let ours = words(&[
                &ours,
                "upload",
                "large",
                &there,
                "-i",
                "inventory.ini",
                "--events",
                "events.jsonl",
            ]);
            let start = Start {
                who,
                words: if who == "scp" {
                    words(&["/bin/sh", "scp.sh"])
                } else {
                    ours
                },
                env: Vec::new(),
                folder: &folder,
            };
            let path = folder.clone();
            let log = folder.join(format!("log-{who}"));
            let read = move || match who {
                "scp" => Said::default(),
                _ => contestants::read(Contestant::Ours, &path, &log, 6),
            };
            // The first does not count: it makes the page cache what it is for all others.
            let round = match number {
                0 => Round::FIRST,
                number => Round::of(number),
            };
            runner.measure(&start, cell, None, round, read)?;
            let sums = std::sync::Mutex::new(Vec::new());
            ground::each(|host| {
                let sum = ground::on(host, &format!("sha256sum <{there} || true"))?;
                if let Ok(mut sums) = sums.lock() {
                    sums.push(sum);
                }
                Ok(())
            })?;
            let sums = sums.into_inner().unwrap_or_default();
            let same = sums.len() == targets.len() && sums.iter().all(|sum| *sum == here);
            runner.note(json!({"what": "upload", "who": who, "megabytes": megabytes, "same": same}))?;
            if !same {
                println!("  {who}: the file there is not the file here");
            }
        }
    }
    let _ = fs::remove_file(&file);
    removed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_the_same_each_time_and_never_the_same_twice() {
        assert_eq!(noise(3, 100), noise(3, 100));
        assert_ne!(noise(3, 100), noise(4, 100));
        assert_eq!(noise(1, 13).len(), 13);
        let bytes = noise(7, 10_000);
        let zeros = bytes.iter().filter(|byte| **byte == 0).count();
        // About one in 256: nothing that could be compressed.
        assert!((10..90).contains(&zeros), "{zeros}");
    }
}
