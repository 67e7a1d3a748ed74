//! Those that are compared: how each is had, started, and read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ground;
use crate::oracle;
use crate::sh::{self, Error, Result};

/// From PyPI: `ansible` brings ansible-core 2.18, which Mitogen 0.3.54 supports, with the collections that have sysctl
/// and modprobe.
const WANTED: [&str; 3] = ["ansible>=11,<12", "mitogen==0.3.54", "pyinfra==3.10.0"];

/// Who prepares the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contestant {
    /// The program of this repository.
    Ours,
    /// One script over an `ssh` for each host, all at once.
    Script,
    /// pyinfra.
    Pyinfra,
    /// Ansible with Mitogen's strategy.
    Mitogen,
    /// Ansible with pipelining.
    Pipelining,
    /// Ansible as it comes.
    Ansible,
}

impl Contestant {
    /// Its name in data and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "mosip-prov",
            Self::Script => "ssh and sh",
            Self::Pyinfra => "pyinfra",
            Self::Mitogen => "Ansible with Mitogen",
            Self::Pipelining => "Ansible with pipelining",
            Self::Ansible => "Ansible",
        }
    }
}

/// The words that start a contestant, and what its environment has more.
type Started = (Vec<String>, Vec<(String, String)>);

/// The programs.
pub struct Programs {
    /// Ours.
    pub ours: PathBuf,
    /// The venv of the others; why there is none.
    pub peers: std::result::Result<PathBuf, String>,
}

impl Programs {
    /// Where Mitogen's strategies are.
    pub fn mitogen(&self) -> String {
        let Ok(venv) = &self.peers else {
            return String::new();
        };
        let libraries = fs::read_dir(venv.join("lib")).into_iter().flatten().flatten();
        let mut found = libraries.map(|entry| entry.path().join("site-packages/ansible_mitogen/plugins/strategy"));
        let found = found.find(|path| path.is_dir()).unwrap_or_default();
        found.to_string_lossy().into_owned()
    }

    /// The words that start a contestant in a folder of [`ground::lay_out`], and its environment.
    pub fn start(&self, who: Contestant, folder: &Path, forks: usize) -> Result<Started> {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let peer = |name: &str| -> Result<String> {
            let venv = self.peers.clone().map_err(Error)?;
            Ok(path(venv.join("bin").join(name)))
        };
        let forks = forks.to_string();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let ansible = |configuration: &str| -> Result<Started> {
            let playbook = peer("ansible-playbook")?;
            let env = |name: &str, value: String| (name.to_owned(), value);
            Ok((
                words(&[&playbook, "node.yml"]),
                vec![
                    env("ANSIBLE_CONFIG", path(folder.join(configuration))),
                    env("ANSIBLE_HOME", path(folder.join("ansible-home"))),
                    env("ANSIBLE_NOCOLOR", "1".into()),
                    env("LC_ALL", "C.UTF-8".into()),
                ],
            ))
        };
        Ok(match who {
            Contestant::Ours => {
                let ours = path(self.ours.clone());
                let words = words(&[
                    &ours,
                    "run",
                    "deploy-rancher",
                    "--tags",
                    "prepare",
                    "-i",
                    "inventory.ini",
                    "-f",
                    &forks,
                    "--timeout",
                    "300",
                    "--events",
                    "events.jsonl",
                ]);
                (words, Vec::new())
            }
            Contestant::Script => (words(&["/bin/sh", "fan.sh"]), Vec::new()),
            Contestant::Pyinfra => {
                let pyinfra = peer("pyinfra")?;
                let words = words(&[&pyinfra, "-y", "--parallel", &forks, "inventory.py", "node.py"]);
                (words, vec![("LC_ALL".to_owned(), "C.UTF-8".to_owned())])
            }
            Contestant::Mitogen => ansible("mitogen.cfg")?,
            Contestant::Pipelining => ansible("ansible-pipelining.cfg")?,
            Contestant::Ansible => ansible("ansible.cfg")?,
        })
    }

    /// Versions of all, a line each.
    pub fn versions(&self) -> Vec<(String, String)> {
        let mut all = vec![(
            Contestant::Ours.name().to_owned(),
            first_line(Command::new(&self.ours).arg("--version")),
        )];
        all.push(("ssh".into(), {
            let done = Command::new("ssh").arg("-V").output();
            done.map(|done| String::from_utf8_lossy(&done.stderr).trim().to_owned())
                .unwrap_or_default()
        }));
        match &self.peers {
            Ok(venv) => {
                let text = sh::output(Command::new(venv.join("bin/python")).args([
                    "-m",
                    "pip",
                    "freeze",
                    "--disable-pip-version-check",
                ]));
                let text = text.unwrap_or_default();
                let named = ["ansible-core==", "ansible==", "mitogen==", "pyinfra==", "paramiko=="];
                let lines = text
                    .lines()
                    .filter(|line| named.iter().any(|name| line.starts_with(name)));
                all.extend(
                    lines
                        .filter_map(|line| line.split_once("=="))
                        .map(|(a, b)| (a.into(), b.into())),
                );
                all.push((
                    "Python".into(),
                    first_line(Command::new(venv.join("bin/python")).arg("--version")),
                ));
            }
            Err(why) => all.push(("peers of PyPI".into(), format!("left out: {why}"))),
        }
        all
    }
}

fn first_line(command: &mut Command) -> String {
    let text = sh::output(command).unwrap_or_else(|error| error.to_string());
    text.lines().next().unwrap_or_default().to_owned()
}

/// The venv of the peers, made if it is not there or not of today's list.
pub fn peers() -> Result<PathBuf> {
    let folder = ground::folder().join("peers");
    oracle::venv("peers", &folder, &WANTED, "import ansible, mitogen, pyinfra")?;
    Ok(folder)
}

/// What a contestant says of its run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Said {
    /// Things that it changed, over all hosts; nothing when it does not say.
    pub changed: Option<u64>,
    /// Hosts on which something went wrong, or that it did not reach.
    pub failed: u64,
    /// Exchanges with the host that had most, which we alone know.
    pub exchanges: Option<u64>,
    /// Its words on what went wrong.
    pub words: String,
}

/// Reads what a contestant left in its folder and log.
pub fn read(who: Contestant, folder: &Path, log: &Path, hosts: usize) -> Said {
    let log = fs::read(log).unwrap_or_default();
    let log = without_colours(&String::from_utf8_lossy(&log));
    match who {
        Contestant::Ours => of_events(
            &fs::read_to_string(folder.join("events.jsonl")).unwrap_or_default(),
            &log,
        ),
        Contestant::Script => of_script(folder, hosts),
        Contestant::Pyinfra => of_pyinfra(&log),
        Contestant::Mitogen | Contestant::Pipelining | Contestant::Ansible => of_ansible(&log),
    }
}

fn of_events(events: &str, log: &str) -> Said {
    let last: serde_json::Value = events
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .unwrap_or_default();
    if last["type"] != "run_finished" {
        return Said {
            failed: 1,
            words: trouble(log),
            ..Said::default()
        };
    }
    let hosts = last["hosts"].as_object().cloned().unwrap_or_default();
    let number = |host: &serde_json::Value, name: &str| host[name].as_u64().unwrap_or(0);
    let bad = |host: &&serde_json::Value| number(host, "failed") + number(host, "unreachable") > 0;
    let failed = hosts.values().filter(bad).count() as u64;
    Said {
        changed: Some(hosts.values().map(|host| number(host, "changed")).sum()),
        failed,
        exchanges: last["exchanges"]
            .as_object()
            .and_then(|all| all.values().filter_map(serde_json::Value::as_u64).max()),
        words: if failed > 0 { trouble(log) } else { String::new() },
    }
}

fn of_script(folder: &Path, hosts: usize) -> Said {
    let mut said = Said::default();
    let (mut ended, mut changed) = (0, 0);
    for entry in fs::read_dir(folder.join("out")).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        if entry.path().extension().is_some_and(|kind| kind == "err") {
            if said.words.is_empty() {
                said.words = trouble(&text);
            }
        } else if let Some(count) = text.lines().last().and_then(|line| line.strip_prefix("changed=")) {
            ended += 1;
            changed += count.parse::<u64>().unwrap_or(0);
        }
    }
    said.changed = Some(changed);
    said.failed = (hosts as u64).saturating_sub(ended);
    if said.failed == 0 {
        // What apt says on its way is no trouble.
        said.words.clear();
    }
    said
}

fn of_ansible(log: &str) -> Said {
    let Some((before, recap)) = log.rsplit_once("PLAY RECAP") else {
        return Said {
            failed: 1,
            words: trouble(log),
            ..Said::default()
        };
    };
    let (mut changed, mut failed) = (0, 0);
    for line in recap.lines() {
        let number = |name: &str| -> u64 {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            found.and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        changed += number("changed=");
        failed += u64::from(number("failed=") + number("unreachable=") > 0);
    }
    let words = before
        .lines()
        .find(|line| line.starts_with("fatal:") || line.starts_with("failed:"));
    Said {
        changed: Some(changed),
        failed,
        exchanges: None,
        words: words.map(shortened).unwrap_or_default(),
    }
}

/// pyinfra closes with a table: operations down, then `Grand total` with the columns hosts, success, error, no change.
fn of_pyinfra(log: &str) -> Said {
    let total = log
        .lines()
        .rev()
        .find(|line| line.trim_start().starts_with("Grand total"));
    let numbers: Vec<u64> = total
        .into_iter()
        .flat_map(|line| line.split(|c: char| !c.is_ascii_digit() && c != '-'))
        .filter(|word| !word.is_empty())
        .map(|word| word.parse().unwrap_or(0))
        .collect();
    match numbers.as_slice() {
        [_, changed, errors, ..] => Said {
            changed: Some(*changed),
            failed: *errors,
            exchanges: None,
            words: if *errors > 0 { trouble(log) } else { String::new() },
        },
        _ => Said {
            failed: 1,
            words: trouble(log),
            ..Said::default()
        },
    }
}

/// The line that tells most of what went wrong: the first that names an error, else the last.
fn trouble(log: &str) -> String {
    const SIGNS: [&str; 6] = ["error", "failed", "fatal", "refused", "unreachable", "closed"];
    let named = log
        .lines()
        .filter(|line| !line.contains("= help:") && !line.starts_with("warning"))
        .find(|line| SIGNS.iter().any(|sign| line.to_lowercase().contains(sign)));
    let last = || log.lines().rev().find(|line| !line.trim().is_empty());
    named.or_else(last).map(shortened).unwrap_or_default()
}

fn shortened(line: &str) -> String {
    line.trim().chars().filter(|c| !c.is_control()).take(240).collect()
}

fn without_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or("", |end| &after[end + 1..]);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ansible_says_is_read() {
        let log = "TASK [x]\nfatal: [vm2]: UNREACHABLE! => {\"msg\": \"no route\"}\nPLAY RECAP ****\n\
                   vm1  : ok=20   changed=3    unreachable=0    failed=0    skipped=1\n\
                   vm2  : ok=0    changed=0    unreachable=1    failed=0    skipped=0\n";
        let said = of_ansible(log);
        assert_eq!((said.changed, said.failed), (Some(3), 1));
        assert!(said.words.starts_with("fatal: [vm2]"));
        assert_eq!(of_ansible("ERROR! no such file\n").words, "ERROR! no such file");
    }

    #[test]
    fn what_we_say_is_read() {
        let events = "{\"type\":\"run_started\"}\n{\"type\":\"run_finished\",\"hosts\":{\"a\":{\"changed\":2,\"failed\":0,\
                      \"unreachable\":0},\"b\":{\"changed\":1,\"failed\":0,\"unreachable\":1}},\"exchanges\":{\"a\":1,\"b\":4}}";
        let said = of_events(events, "b unreachable: refused\n");
        assert_eq!((said.changed, said.failed, said.exchanges), (Some(3), 1, Some(4)));
        assert_eq!(said.words, "b unreachable: refused");
        assert_eq!(of_events("", "error: wrong\n").failed, 1);
    }
}
