//! The main job shown on real hosts: from upgraded machines to the VPN, both clusters, their fronts and Istio, asked
//! through, and all of it again.

mod requests;
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::sh::{self, Context, Error, Result};
use crate::testbed::hosts::STATE;
use crate::{packages, testbed, tidy};

/// The playbooks with their words and the inventory they are for.
const PLAYBOOKS: [(&[&str], &str); 4] = [
    (&["apt-upgrade", "-f", "12"], FLEET),
    (&["wireguard"], "hosts.ini"),
    (&["deploy-rancher-obs"], FLEET),
    (&["deploy-all", "-f", "12"], FLEET),
];
const FLEET: &str = "deploy.ini";
/// Runs the demo to its end; `release` builds the program optimised, which takes minutes the first time.
pub fn main(release: bool) -> Result<()> {
    if !sh::is_root() {
        return Err(Error(
            "the demo needs root: its hosts are containers and network namespaces of this machine".into(),
        ));
    }
    packages::ensure(&[("cc", "build-essential")])?;
    heading("Eleven hosts");
    testbed::main(testbed::Action::Up)?;
    heading("The program");
    let programs = build(release)?;

    let folder = PathBuf::from(STATE).join("demo");
    let inventory = copy_inventory(&folder)?;
    println!("inventory   {} (a copy of the testbed's)", inventory.display());
    println!("stand-ins   RKE, Kubernetes and istioctl, which cannot be had here: programs that keep their contracts");
    tools::put(&programs.cluster, &folder, &inventory)?;

    let first = run_all(&programs.prov, &folder, &inventory)?;
    heading("Requests through both fronts");
    requests::ask_all(&programs.stand_in)?;
    heading("The same again: nothing is left to do");
    let second = run_all(&programs.prov, &folder, &inventory)?;

    heading("Summary");
    println!(
        "{:<28} {:>9} {:>9}  {:<12} round trips a host",
        "", "first", "again", "changed"
    );
    for (((words, _), first), second) in PLAYBOOKS.iter().zip(&first).zip(&second) {
        println!(
            "{:<28} {:>7.1} s {:>7.2} s  {:<12} {}",
            words[0],
            first.seconds,
            second.seconds,
            format!("{}, then {}", first.changed, second.changed),
            second.exchanges,
        );
    }
    println!(
        "\nNext:\n  cargo xtask testbed ssh nginx-node-1 sudo nginx -T      look at a host\n  \
         {} plan deploy-all -i {}\n  cargo xtask testbed down                               end the hosts",
        programs.prov.display(),
        inventory.join(FLEET).display()
    );
    if second.iter().any(|run| run.changed > 0) {
        return Err(Error("the second time something was changed".into()));
    }
    Ok(())
}

fn heading(text: &str) {
    println!("\n==> {text}");
}

struct Programs {
    prov: PathBuf,
    stand_in: PathBuf,
    cluster: PathBuf,
}

fn build(release: bool) -> Result<Programs> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = tidy::workspace()?;
    let profile = if release { "release" } else { "debug" };
    println!("building    the {profile} build of mosip-prov and the stand-ins for the clusters");
    let build = |words: &[&str]| {
        let mut command = Command::new(&cargo);
        command
            .current_dir(&workspace.root)
            .args(["build", "--quiet"])
            .args(words);
        if release {
            command.arg("--release");
        }
        sh::show(&mut command)
    };
    build(&["-p", "mosip-prov-cli"])?;
    build(&[
        "-p",
        "mosip-prov-tests",
        "--bin",
        "upstream-stand-in",
        "--bin",
        "cluster-stand-in",
    ])?;
    let folder = Path::new(&workspace.target).join(profile);
    Ok(Programs {
        prov: folder.join("mosip-prov"),
        stand_in: folder.join("upstream-stand-in"),
        cluster: folder.join("cluster-stand-in"),
    })
}

fn copy_inventory(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).doing(format!("cannot remove {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).doing(format!("cannot make {}", folder.display()))?;
    let from = Path::new(STATE).join("inventory");
    sh::output(Command::new("cp").arg("-a").arg(from).arg(folder))?;
    Ok(folder.join("inventory"))
}

/// What a run came to, from its last event.
struct Ran {
    seconds: f64,
    changed: u64,
    exchanges: String,
}

fn run_all(program: &Path, folder: &Path, inventory: &Path) -> Result<Vec<Ran>> {
    PLAYBOOKS
        .iter()
        .map(|(words, file)| run(program, folder, &inventory.join(file), words))
        .collect()
}

fn run(program: &Path, folder: &Path, inventory: &Path, words: &[&str]) -> Result<Ran> {
    println!("\n$ mosip-prov run {} -i {}", words.join(" "), inventory.display());
    let events = folder.join("events.jsonl");
    let began = Instant::now();
    sh::show(
        Command::new(program)
            .arg("run")
            .args(words)
            .arg("-i")
            .arg(inventory)
            .arg("--events")
            .arg(&events),
    )?;
    let seconds = began.elapsed().as_secs_f64();
    let text = std::fs::read_to_string(&events).doing(format!("cannot read {}", events.display()))?;
    let (changed, exchanges) =
        finished(&text).ok_or_else(|| Error(format!("{} does not end with run_finished", events.display())))?;
    Ok(Ran {
        seconds,
        changed,
        exchanges,
    })
}

/// How many tasks changed something on all hosts, and the round trips a host took, from the lines of `--events`.
fn finished(events: &str) -> Option<(u64, String)> {
    let last: serde_json::Value = serde_json::from_str(events.lines().last()?).ok()?;
    if last["type"] != "run_finished" {
        return None;
    }
    let changed = last["hosts"]
        .as_object()?
        .values()
        .filter_map(|host| host["changed"].as_u64())
        .sum();
    let exchanges: Vec<u64> = last["exchanges"]
        .as_object()?
        .values()
        .filter_map(serde_json::Value::as_u64)
        .collect();
    let (least, most) = (exchanges.iter().min()?, exchanges.iter().max()?);
    let exchanges = if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    };
    Some((changed, exchanges))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_says_what_was_changed() {
        let events = "{\"type\":\"run_started\"}\n{\"type\":\"run_finished\",\"hosts\":{\"a\":{\"changed\":2},\"b\":\
                      {\"changed\":1}},\"exchanges\":{\"a\":1,\"b\":2}}\n";
        assert_eq!(finished(events), Some((3, "1 to 2".into())));
        assert_eq!(finished("{\"type\":\"run_started\"}\n"), None);
    }
}
