//! A client of the VPN, and a network behind it that cannot be reached any other way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::testbed::Testbed;
use crate::{output, stdout};

const SPACE: &str = "mp-vpn";
const VETH: &str = "mpv-vpn";
const INTERFACE: &str = "mpvpn0";
/// The client's address on the hosts' network, by which it reaches the bastion alone.
const ADDRESS: &str = "10.61.0.200/24";
/// The host behind the bastion, in the network that peers are told of.
const INTERNAL: &str = "172.16.50.10";
const BASTION: &str = "172.16.50.1";

/// The internal network: addresses of it on a bastion and on one more host, until this goes.
pub struct InternalNetwork<'t> {
    testbed: &'t Testbed,
    hosts: [(&'t str, String); 2],
}

impl<'t> InternalNetwork<'t> {
    /// A network that `bastion` and `host` have a leg in.
    pub fn new(testbed: &'t Testbed, bastion: &'t str, host: &'t str) -> Self {
        let made = Self {
            testbed,
            hosts: [(bastion, format!("{BASTION}/24")), (host, format!("{INTERNAL}/24"))],
        };
        made.address_on_all("replace");
        made
    }

    /// The address of the host in it.
    pub fn address(&self) -> &'static str {
        INTERNAL
    }

    fn address_on_all(&self, verb: &str) {
        for (host, address) in &self.hosts {
            let done = output(
                self.testbed
                    .within(host, "ip")
                    .args(["address", verb, address, "dev", "eth0"]),
            );
            assert!(done.status.success() || verb == "del", "{verb} {address} on {host}");
        }
    }
}

impl Drop for InternalNetwork<'_> {
    fn drop(&mut self) {
        self.address_on_all("del");
    }
}

/// A client with a real tunnel, in a network namespace of its own, until this goes.
pub struct Client {
    tunnel: Child,
    tools: PathBuf,
    routes: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Client {
    /// A client made from the text of a peer file, as `wg-quick` would.
    ///
    /// # Panics
    /// The tunnel cannot be made.
    pub fn new(testbed: &Testbed, peer_file: &str) -> Self {
        // The tools of the stand-in for the image run on this machine as well.
        let tools = testbed
            .inventory_folder()
            .with_file_name("wireguard-image")
            .join("root");
        let folder = tempfile::tempdir().expect("a folder");
        remove();
        for words in [
            format!("netns add {SPACE}"),
            format!("link add {VETH} type veth peer name eth0 netns {SPACE}"),
            format!("link set {VETH} master mpbr0 up"),
            format!("-n {SPACE} link set lo up"),
            format!("-n {SPACE} address add {ADDRESS} dev eth0"),
            format!("-n {SPACE} link set eth0 up"),
        ] {
            stdout(Command::new("ip").args(words.split(' ')));
        }
        let tunnel = Command::new("ip")
            .args(["netns", "exec", SPACE])
            .arg(tools.join("usr/bin/wireguard-go"))
            .args(["-f", INTERFACE])
            .env("WG_PROCESS_FOREGROUND", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("wireguard-go can be started");
        let mut client = Self {
            tunnel,
            tools,
            routes: Vec::new(),
            _folder: folder,
        };
        client.set_up(peer_file);
        client
    }

    fn set_up(&mut self, peer_file: &str) {
        let socket = socket();
        let began = Instant::now();
        while !socket.exists() {
            assert!(began.elapsed() < Duration::from_secs(5), "wireguard-go makes no tunnel");
            std::thread::sleep(Duration::from_millis(20));
        }
        let value = |key: &str| {
            let line = peer_file
                .lines()
                .find_map(|l| l.strip_prefix(key)?.trim().strip_prefix('='));
            line.unwrap_or_else(|| panic!("the peer file has no {key}"))
                .trim()
                .to_owned()
        };
        let only_quick = |line: &&str| !["Address", "MTU", "DNS"].iter().any(|key| line.starts_with(key));
        let stripped: Vec<&str> = peer_file.lines().filter(only_quick).collect();
        let configuration = self._folder.path().join("wg.conf");
        fs::write(&configuration, stripped.join("\n") + "\n").expect("written");
        let mut wg = self.within(&self.tools.join("usr/bin/wg"));
        stdout(wg.args(["setconf", INTERFACE]).arg(&configuration));
        let address = value("Address");
        let address = if address.contains('/') {
            address
        } else {
            format!("{address}/32")
        };
        self.ip(&format!("address add {address} dev {INTERFACE}"));
        self.ip(&format!("link set {INTERFACE} mtu {} up", value("MTU")));
        self.routes = value("AllowedIPs")
            .split(',')
            .map(|route| route.trim().to_owned())
            .collect();
    }

    fn within(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", SPACE]).arg(program);
        command
    }

    fn ip(&self, words: &str) {
        stdout(Command::new("ip").args(["-n", SPACE]).args(words.split(' ')));
    }

    fn ping(&self, address: &str, tries: u32) -> bool {
        (0..tries).any(|_| {
            let mut ping = self.within(&self.tools.join("bin/busybox"));
            output(ping.args(["ping", "-c", "1", "-W", "2", address]))
                .status
                .success()
        })
    }

    /// Whether it reaches an address with no route into the tunnel.
    pub fn without_tunnel_reaches(&self, address: &str) -> bool {
        for route in &self.routes {
            output(Command::new("ip").args(["-n", SPACE, "route", "del", route]));
        }
        self.ping(address, 1)
    }

    /// Whether it reaches an address through the tunnel.
    pub fn reaches(&self, address: &str) -> bool {
        for route in &self.routes {
            self.ip(&format!("route replace {route} dev {INTERFACE}"));
        }
        self.ping(address, 4)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.tunnel.kill();
        let _ = self.tunnel.wait();
        remove();
    }
}

/// Where `wg` speaks to the tunnel.
fn socket() -> PathBuf {
    format!("/var/run/wireguard/{INTERFACE}.sock").into()
}

fn remove() {
    // One that was killed leaves it behind.
    let _ = fs::remove_file(socket());
    for words in [format!("link del {VETH}"), format!("netns del {SPACE}")] {
        output(Command::new("ip").args(words.split(' ')));
    }
}
