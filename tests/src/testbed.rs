//! The hosts of the testbed, looked at by plain `ssh`: what a test says of a host must not rest on the program tested.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::{output, program_path, shown, stdout};

/// The front of the main cluster.
pub const NGINX: &str = "nginx-node-1";
/// The front of the observation cluster.
pub const NGINX_OBS: &str = "nginx-obs-node-1";
/// The observation cluster.
pub const OBS: &str = "obs-node-1";
/// The machine that others are deployed from, with `kubectl` and the key of all others; in `deploy.ini` only.
pub const DEPLOYMENT: &str = "deployment-node";
/// The main front's address on the outside network.
pub const NGINX_OUTSIDE: &str = "198.51.100.31";
/// A client outside all private networks.
pub const OUTSIDE_CLIENT: &str = "198.51.100.10";
/// This machine's address on the hosts' network.
pub const HERE: &str = "10.61.0.1";
/// The domain of the testbed's inventory.
pub const DOMAIN: &str = "mosip.test";
/// The password of `pwuser`, for login and sudo.
pub const PWUSER_PASSWORD: &str = "correct horse 7!";
/// All hosts of `rancher.ini` that are connected to.
pub const CONNECTED: [&str; 9] = ["vm1", "vm2", "vm3", "vm4", "vm5", "vm6", OBS, NGINX, NGINX_OBS];

/// Every host there is.
const ALL: [&str; 11] = [
    "deployment-node",
    NGINX,
    NGINX_OBS,
    OBS,
    "vm1",
    "vm2",
    "vm3",
    "vm4",
    "vm5",
    "vm6",
    "wireguard-node",
];

/// The hosts, each for one test at a time.
pub struct Testbed {
    state: PathBuf,
    _alone: Vec<File>,
}

impl Testbed {
    /// The whole testbed, when no other test uses it any more.
    ///
    /// # Panics
    /// There is none.
    pub fn get() -> Self {
        Self::of(&ALL)
    }

    /// The testbed for a test that touches no hosts but these, when no other test uses them any more; other tests may use
    /// the other hosts meanwhile.
    ///
    /// # Panics
    /// There is none, or it has no such host.
    pub fn of(hosts: &[&str]) -> Self {
        let state = std::env::var_os("MOSIP_PROV_TESTBED").map_or_else(
            || panic!("MOSIP_PROV_TESTBED is not set: run `cargo xtask test` as root, which brings the hosts up"),
            PathBuf::from,
        );
        let locks = state.join("locks");
        std::fs::create_dir_all(&locks).expect("the testbed's folder can be written");
        let mut hosts = hosts.to_vec();
        // In one order for all tests, so that no two wait for each other.
        hosts.sort_unstable();
        let alone = hosts.into_iter().map(|host| {
            assert!(ALL.contains(&host), "the testbed has no host {host}");
            let lock = File::create(locks.join(host)).expect("the testbed's folder can be written");
            lock.lock().expect("a lock");
            lock
        });
        Self {
            state: state.clone(),
            _alone: alone.collect(),
        }
    }

    /// The inventory as an operator has it.
    pub fn inventory(&self) -> PathBuf {
        self.state.join("inventory/rancher.ini")
    }

    /// The same fleet, deployed from [`DEPLOYMENT`] instead of from this machine.
    pub fn deploy_inventory(&self) -> PathBuf {
        self.state.join("inventory/deploy.ini")
    }

    /// The folder with inventory, variables and certificates.
    pub fn inventory_folder(&self) -> PathBuf {
        self.state.join("inventory")
    }

    /// The key that all users of all hosts accept.
    pub fn key(&self) -> PathBuf {
        self.state.join("id_ed25519")
    }

    /// The authority that signed the fronts' certificates.
    pub fn authority(&self) -> PathBuf {
        self.state.join("ca.pem")
    }

    /// A copy of the inventory folder, to be changed at will.
    pub fn copy_inventory(&self, folder: &Path) -> PathBuf {
        stdout(Command::new("cp").arg("-a").arg(self.inventory_folder()).arg(folder));
        // What others did with the original is no history of the copy.
        let history = folder.join("inventory/.mosip-prov");
        if history.exists() {
            std::fs::remove_dir_all(&history).expect("removed");
        }
        folder.join("inventory/rancher.ini")
    }

    /// `cargo xtask testbed WORDS`.
    pub fn xtask(&self, words: &[&str]) -> String {
        let path = program_path("MOSIP_PROV_XTASK", "xtask", "xtask");
        stdout(Command::new(path).arg("testbed").args(words))
    }

    /// Brings hosts back to their first boot.
    pub fn reset(&self, hosts: &[&str]) {
        self.xtask(&[&["reset"], hosts].concat());
    }

    /// Cuts a host off until the returned value goes.
    pub fn cut<'t>(&'t self, host: &'t str) -> Cut<'t> {
        self.xtask(&["cut", host]);
        Cut { testbed: self, host }
    }

    /// A plain `ssh` to a host, for the caller to add a command to.
    pub fn ssh(&self, user: &str, host: &str) -> Command {
        let mut command = Command::new("ssh");
        command
            .args([
                "-F",
                "/dev/null",
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "BatchMode=yes",
                "-o",
                "LogLevel=ERROR",
            ])
            .args([
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-o",
                "ConnectTimeout=5",
            ])
            .arg("-i")
            .arg(self.key())
            .arg(format!("{user}@{}", address(host)));
        command
    }

    /// Runs a script as root on a host.
    pub fn try_root(&self, host: &str, script: &str) -> Output {
        let quoted = script.replace('\'', r"'\''");
        let go = || output(self.ssh("ubuntu", host).arg(format!("sudo sh -c '{quoted}'")));
        let mut done = go();
        for _ in 0..4 {
            // On a busy machine, or one whose sshd reads its settings anew; nothing was carried out by then.
            let said = String::from_utf8_lossy(&done.stderr);
            let early = ["timed out during banner exchange", "Connection refused"];
            if done.status.code() != Some(255) || !early.iter().any(|text| said.contains(text)) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(300));
            done = go();
        }
        done
    }

    /// Runs a script as root on a host and returns what it printed, without the blanks at the end.
    pub fn root(&self, host: &str, script: &str) -> String {
        let done = self.try_root(host, script);
        assert!(done.status.success(), "on {host}: {script}\n{}", shown(&done));
        String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
    }

    /// `MODE OWNER:GROUP KIND` of a path, `absent` when nothing is there.
    pub fn stat(&self, host: &str, path: &str) -> String {
        self.root(
            host,
            &format!("stat -c '%a %U:%G %F' {path} 2>/dev/null || echo absent"),
        )
    }

    /// A command in the network of a client outside.
    pub fn outside(&self, program: &str) -> Command {
        in_namespace("mp-outside", program)
    }

    /// A command in the network of a host.
    pub fn within(&self, host: &str, program: &str) -> Command {
        in_namespace(&namespace(host), program)
    }
}

fn in_namespace(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]);
    command
}

/// A host that is cut off; healed when this goes.
pub struct Cut<'t> {
    testbed: &'t Testbed,
    host: &'t str,
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        self.testbed.xtask(&["heal", self.host]);
    }
}

/// The address of a host on the hosts' network.
///
/// # Panics
/// There is no such host.
pub fn address(host: &str) -> String {
    let last = match host {
        OBS => 21,
        NGINX => 31,
        NGINX_OBS => 32,
        "wireguard-node" => 41,
        DEPLOYMENT => 51,
        _ => match host.strip_prefix("vm").and_then(|number| number.parse::<u8>().ok()) {
            Some(number @ 1..=6) => 10 + number,
            _ => panic!("the testbed has no host {host}"),
        },
    };
    format!("10.61.0.{last}")
}

/// The network namespace of a host.
pub fn namespace(host: &str) -> String {
    let short = match host {
        OBS => "obs",
        NGINX => "nginx",
        NGINX_OBS => "nginx-obs",
        "wireguard-node" => "wg",
        DEPLOYMENT => "deploy",
        vm => vm,
    };
    format!("mp-{short}")
}
