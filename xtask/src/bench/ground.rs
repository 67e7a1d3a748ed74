//! What contestants stand on: six hosts, each locked, and a folder with what each contestant reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::settings;
use crate::sh::{self, Context, Error, Result};
use crate::testbed::hosts::{self, Host, STATE};
use crate::testbed::{self, machine};

/// The hosts: all that have the Python that Ansible needs, six of them.
pub const NAMES: [&str; 6] = ["vm1", "vm2", "vm4", "vm5", "vm6", "obs-node-1"];
/// Where the proxy listens, on addresses of the loopback network.
const PROXY_PORT: u16 = 2222;

/// The folder of everything a benchmark makes.
pub fn folder() -> PathBuf {
    Path::new(STATE).join("bench")
}

/// A host as a contestant reaches it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its address, or the proxy's for it.
    pub address: String,
    /// Its port.
    pub port: u16,
}

/// The six hosts, directly.
pub fn direct() -> Vec<Target> {
    six().iter().map(|host| target(host.name, host.address, 22)).collect()
}

/// The six hosts through the proxy.
pub fn through_proxy() -> Vec<Target> {
    let last = |host: &Host| host.address.rsplit('.').next().unwrap_or("1").to_owned();
    six()
        .iter()
        .map(|host| target(host.name, &format!("127.61.0.{}", last(host)), PROXY_PORT))
        .collect()
}

/// Where the proxy listens and where it forwards to.
pub fn routes() -> Vec<(String, String)> {
    let ends = |target: &Target| format!("{}:{}", target.address, target.port);
    let pairs = through_proxy().into_iter().zip(direct());
    pairs.map(|(near, far)| (ends(&near), ends(&far))).collect()
}

/// So many addresses of the loopback network.
pub fn addresses(count: usize, port: u16) -> Vec<Target> {
    (0..count)
        .map(|at| {
            let address = format!("127.62.{}.{}", at / 250, at % 250 + 1);
            target(&format!("node{:04}", at + 1), &address, port)
        })
        .collect()
}

fn target(name: &str, address: &str, port: u16) -> Target {
    Target {
        name: name.to_owned(),
        address: address.to_owned(),
        port,
    }
}

/// The six hosts.
pub fn six() -> Vec<&'static Host> {
    let found = hosts::HOSTS.iter().filter(|host| NAMES.contains(&host.name));
    found.collect()
}

/// The testbed, with the six hosts to ourselves.
pub struct Ground {
    _locks: Vec<fs::File>,
}

impl Ground {
    /// Brings the testbed up and waits until no test uses the hosts.
    pub fn take() -> Result<Self> {
        testbed::main(testbed::Action::Up)?;
        let folder = Path::new(STATE).join("locks");
        fs::create_dir_all(&folder).doing("cannot make the folder of locks")?;
        let mut names = NAMES;
        // In the order that tests take them in.
        names.sort_unstable();
        let mut locks = Vec::new();
        for name in names {
            let file = fs::File::create(folder.join(name)).doing(format!("cannot lock {name}"))?;
            if file.try_lock().is_err() {
                println!("waiting for a test that uses {name}");
                file.lock().doing(format!("cannot lock {name}"))?;
            }
            locks.push(file);
        }
        testbed::main(testbed::Action::Heal {
            hosts: NAMES.map(str::to_owned).to_vec(),
        })?;
        Ok(Self { _locks: locks })
    }

    /// Brings the hosts back to their first boot and lets them go.
    pub fn leave(self) -> Result<()> {
        testbed::main(testbed::Action::Reset {
            hosts: NAMES.map(str::to_owned).to_vec(),
        })
    }
}

/// Runs a script on a host as root, by plain `ssh`; what it prints.
pub fn on(host: &Host, script: &str) -> Result<String> {
    sh::output(machine::ssh(host, "ubuntu").args(["sudo", "timeout", "240", "sh", "-ec", &quoted(script)]))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Does something with each of the six hosts at once; all errors.
pub fn each(work: impl Fn(&'static Host) -> Result<()> + Sync) -> Result<()> {
    let errors: Vec<String> = std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = six()
            .into_iter()
            .map(|host| scope.spawn(move || work(host).err().map(|error| format!("{}: {error}", host.name))))
            .collect();
        let ended = threads.into_iter().filter_map(|thread| thread.join().ok());
        ended.flatten().collect()
    });
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Error(errors.join("\n"))),
    }
}

/// What differs between two folders for contestants.
pub struct Layout<'a> {
    /// Its name.
    pub name: &'a str,
    /// The hosts.
    pub targets: &'a [Target],
    /// How many are worked on at once.
    pub forks: usize,
    /// Seconds until a login must have happened.
    pub timeout: u64,
    /// Where Mitogen's strategies are.
    pub mitogen: &'a str,
}

/// Writes the folder with what every contestant reads; its path.
pub fn lay_out(layout: &Layout<'_>) -> Result<PathBuf> {
    let folder = folder().join(layout.name);
    let key = hosts::key();
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("out")).doing("cannot make a folder of the benchmark")?;
    sh::set_mode(&folder, 0o700)?;
    let write = |name: &str, text: &str| sh::write(&folder.join(name), text);
    let fill = |text: &str| {
        text.replace("@FOLDER@", &folder.to_string_lossy())
            .replace("@KEY@", &key.to_string_lossy())
            .replace("@FORKS@", &layout.forks.to_string())
            .replace("@TIMEOUT@", &layout.timeout.to_string())
    };
    let mut inventory = String::from("[physical_vms]\n");
    let (mut targets, mut list) = (String::new(), Vec::new());
    for Target { name, address, port } in layout.targets {
        inventory.push_str(&format!("{name} ansible_host={address} ansible_port={port}\n"));
        targets.push_str(&format!("{address} {port}\n"));
        list.push(json!({"name": name, "address": address, "port": port, "key": key, "timeout": layout.timeout}));
    }
    inventory.push_str(&format!(
        "\n[all:vars]\nansible_user=ubuntu\nansible_ssh_private_key_file={}\nansible_host_key_checking=False\n",
        key.display()
    ));
    write("inventory.ini", &inventory)?;
    write("group_vars/all.yml", &settings::group_vars())?;
    write("targets", &targets)?;
    write("hosts.json", &serde_json::Value::from(list).to_string())?;
    write("settings.json", &settings::json())?;
    write("daemon.json", settings::DAEMON)?;
    write("node.yml", include_str!("../../bench/node.yml"))?;
    write("node.py", include_str!("../../bench/node.py"))?;
    write("inventory.py", include_str!("../../bench/inventory.py"))?;
    write("node.sh", &settings::script())?;
    write(
        "fan.sh",
        &fill(include_str!("../../bench/fan.sh")).replace("@SCRIPT@", "node.sh"),
    )?;
    let mitogen = format!("strategy_plugins = {}\nstrategy = mitogen_linear", layout.mitogen);
    for (name, pipelining, strategy) in [
        ("ansible.cfg", "False", ""),
        ("ansible-pipelining.cfg", "True", ""),
        ("mitogen.cfg", "True", &*mitogen),
    ] {
        let text = fill(include_str!("../../bench/ansible.cfg"))
            .replace("@PIPELINING@", pipelining)
            .replace("@STRATEGY@", strategy);
        write(name, &text)?;
    }
    Ok(folder)
}

/// Brings the six hosts back to their first boot, with what makes a first preparation a matter of the contestants rather
/// than of the mirror: a fresh package index, and the packages' files, fetched once, in apt's cache. python3-apt, without
/// which Ansible would first install it, is there too.
pub fn make_cold() -> Result<()> {
    let names = NAMES.map(str::to_owned).to_vec();
    testbed::main(testbed::Action::Reset { hosts: names })?;
    let packages = folder().join("debs");
    fs::create_dir_all(&packages).doing("cannot make a folder for packages")?;
    let wanted = format!("{} apparmor docker.io", settings::PACKAGES.join(" "));
    let fetched = packages.join("fetched");
    if fs::read_to_string(&fetched).is_ok_and(|have| have != wanted) {
        fs::remove_dir_all(&packages).doing("cannot empty a folder of packages")?;
        fs::create_dir_all(&packages).doing("cannot make a folder for packages")?;
    }
    each(|host| {
        let cache = host.root().join("var/cache/apt/archives");
        copy_debs(&packages, &cache)?;
        let script = format!(
            "export DEBIAN_FRONTEND=noninteractive; exec >&2; rm -f /etc/apt/apt.conf.d/docker-clean; \
             apt-get -q update; apt-get -q -y install --no-install-recommends python3-apt; \
             apt-get -q -y --download-only install {wanted}"
        );
        on(host, &script)?;
        Ok(())
    })?;
    if let Some(first) = six().first() {
        copy_debs(&first.root().join("var/cache/apt/archives"), &packages)?;
    }
    sh::write(&fetched, wanted)
}

fn copy_debs(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).doing(format!("cannot list {}", from.display()))? {
        let path = entry.doing("cannot list packages")?.path();
        let name = path.file_name().unwrap_or_default();
        if path.extension().is_some_and(|kind| kind == "deb") && !to.join(name).exists() {
            fs::copy(&path, to.join(name)).doing(format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

/// What Ansible needs beyond Python, on hosts that are not new.
pub fn make_fit() -> Result<()> {
    each(|host| {
        let script = "export DEBIAN_FRONTEND=noninteractive; exec >&2; apt-get -q update; \
                      apt-get -q -y install --no-install-recommends python3-apt";
        on(host, script).map(drop)
    })
}

/// A program that logs in to every target and does nothing, to see that all is well before it is measured.
pub fn reachable(targets: &[Target]) -> Result<()> {
    for target in targets {
        sh::output(
            Command::new("ssh")
                .args(["-F", "/dev/null", "-i"])
                .arg(hosts::key())
                .args([
                    "-o",
                    "BatchMode=yes",
                    "-o",
                    "StrictHostKeyChecking=no",
                    "-o",
                    "LogLevel=ERROR",
                ])
                .args(["-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=10", "-p"])
                .arg(target.port.to_string())
                .arg(format!("ubuntu@{}", target.address))
                .args(["sudo", "true"]),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_six_hosts_and_any_number_of_addresses() {
        assert_eq!(six().len(), NAMES.len());
        assert!(six().iter().all(|host| host.python));
        let all = addresses(1000, 2222);
        assert_eq!(all.len(), 1000);
        assert_eq!(
            (all[0].address.as_str(), all[999].address.as_str()),
            ("127.62.0.1", "127.62.3.250")
        );
        assert!(routes()[0].0.starts_with("127.61.0.") && routes()[0].1.starts_with("10.61.0."));
    }
}
