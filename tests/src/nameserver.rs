//! A real nameserver for a test: `named` of the distribution (Debian: `bind9`), with a folder and a port of its own, that takes dynamic updates.

use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::{self, net::UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{output, shown, write};

/// How long `named` may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A `named` that serves one zone. It ends with this value.
pub struct Nameserver {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
    origin: String,
    _port: UnixListener,
}

/// Serves `zone_text` on a free port of 127.0.0.1: the text of a zone file that begins with its `$ORIGIN`, as
/// `mosip-prov dns records --format zone` prints it. SOA and NS are put before it when it has none.
///
/// # Panics
/// `named` is not there, cannot be started, or does not take the zone; the message has its log.
pub fn start(zone_text: &str) -> Nameserver {
    start_at(Ipv4Addr::LOCALHOST.into(), zone_text)
}

/// As [`start`], on a free port of another address of this machine: 10.61.0.1 is reached from the testbed's hosts.
///
/// # Panics
/// As [`start`].
pub fn start_at(address: IpAddr, zone_text: &str) -> Nameserver {
    let server = launch(address, zone_text);
    let log = server.log();
    assert!(
        log.contains("loaded serial"),
        "the zone is not served; named says\n{log}\n--- the zone\n{zone_text}"
    );
    server
}

/// As [`start`], whatever is wrong with the zone: a zone that `named` cannot load is answered with SERVFAIL.
///
/// # Panics
/// `named` is not there or cannot be started.
pub fn start_broken(zone_text: &str) -> Nameserver {
    launch(Ipv4Addr::LOCALHOST.into(), zone_text)
}

fn launch(ip: IpAddr, zone_text: &str) -> Nameserver {
    let origin = origin_of(zone_text);
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().to_owned();
    let has_soa = zone_text.split_whitespace().any(|word| word == "SOA");
    let head = match has_soa {
        true => String::new(),
        false => format!(
            "$ORIGIN {origin}.\n$TTL 60\n@ IN SOA ns hostmaster 1 60 60 600 5\n@ IN NS ns\nns IN A {}\n",
            match ip {
                IpAddr::V4(ip) => ip,
                IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
            }
        ),
    };
    write(&dir.join("zone.db"), format!("{head}{zone_text}"));
    // A profile of AppArmor holds for the path of the distribution's binary, and keeps it out of folders such as ours.
    let program = dir.join("named");
    // By another process: a file that this one writes cannot be started while another thread's child holds it open.
    crate::stdout(Command::new("cp").arg(on_path("named", "bind9")).arg(&program));
    let mut folder = folder;
    for attempt in 1.. {
        let (port, kept) = free_port(ip);
        let address = SocketAddr::new(ip, port);
        write(&dir.join("named.conf"), configuration(&dir, address, &origin));
        let log = File::create(dir.join("log")).expect("a log");
        let child = Command::new(&program)
            .arg("-g")
            .args(["-n", "1", "-c"])
            .arg(dir.join("named.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("named cannot be started: {error}"));
        let mut server = Nameserver {
            child,
            folder,
            address,
            origin: origin.clone(),
            _port: kept,
        };
        if server.is_up() {
            return server;
        }
        // Somebody else may have taken the port in between.
        assert!(attempt < 3, "named does not come up; it says\n{}", server.log());
        server.end();
        folder = std::mem::replace(&mut server.folder, tempfile::tempdir().expect("a folder"));
    }
    unreachable!("the loop ends by returning or panicking")
}

impl Nameserver {
    /// Where it answers, by UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The zone's name, without the dot at the end.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Changes the zone by `nsupdate`, all or nothing. `commands` are its lines: `update delete api.example.org A`,
    /// `update add _acme-challenge.example.org 60 TXT "token"`. Names without a dot at the end are whole names too.
    ///
    /// # Panics
    /// `nsupdate` refuses; the message says what it said.
    pub fn update(&self, commands: &str) {
        let mut child = Command::new(on_path("nsupdate", "bind9-dnsutils"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsupdate can be started");
        let mut stdin = child.stdin.take().expect("its input");
        let (ip, port) = (self.address.ip(), self.address.port());
        let script = format!("server {ip} {port}\nzone {}\n{}\nsend\n", self.origin, commands.trim());
        stdin.write_all(script.as_bytes()).expect("nsupdate reads");
        drop(stdin);
        let done = child.wait_with_output().expect("nsupdate ends");
        assert!(
            done.status.success(),
            "nsupdate refuses\n{script}\n{}\n{}",
            shown(&done),
            self.log()
        );
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn is_up(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            // Its last word before it serves.
            if self.log().lines().any(|line| line.ends_with(" running")) {
                return !self.log().contains("address in use");
            }
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Nameserver {
    fn drop(&mut self) {
        self.end();
    }
}

/// Checks a zone's text with `named-checkzone`, SOA and NS put before it as [`start`] does; what it printed.
///
/// # Panics
/// The zone is refused.
pub fn check_zone(zone_text: &str) -> String {
    let origin = origin_of(zone_text);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("zone.db");
    let head =
        format!("$ORIGIN {origin}.\n$TTL 60\n@ IN SOA ns hostmaster 1 60 60 600 5\n@ IN NS ns\nns IN A 127.0.0.1\n");
    write(&file, format!("{head}{zone_text}"));
    let done = output(
        Command::new(on_path("named-checkzone", "bind9-utils"))
            .args(["-i", "full", &origin])
            .arg(&file),
    );
    assert!(done.status.success(), "{}\n{zone_text}", shown(&done));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn origin_of(zone_text: &str) -> String {
    zone_text
        .lines()
        .find_map(|line| line.trim().strip_prefix("$ORIGIN "))
        .map(|name| name.trim().trim_end_matches('.').to_owned())
        .expect("the zone's text begins with $ORIGIN")
}

/// A port that nobody has, and what keeps it for us among all tests on this machine: two servers that share one would each get
/// some of the questions, and neither would know.
fn free_port(ip: IpAddr) -> (u16, UnixListener) {
    for _ in 0..50 {
        let tcp = TcpListener::bind((ip, 0)).unwrap_or_else(|error| panic!("no port of {ip}: {error}"));
        let port = tcp.local_addr().expect("its address").port();
        let name = format!("mosip-prov-tests.port.{port}");
        let name = unix::net::SocketAddr::from_abstract_name(name).expect("a short name");
        let Ok(kept) = UnixListener::bind_addr(&name) else {
            continue;
        };
        if UdpSocket::bind((ip, port)).is_ok() {
            return (port, kept);
        }
    }
    panic!("no port of {ip} is free for both UDP and TCP");
}

fn on_path(program: &str, package: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/usr/bin"])
        .map(|folder| Path::new(folder).join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{program} is not there: apt-get install {package}, or run `cargo xtask test`"))
}

fn configuration(dir: &Path, address: SocketAddr, origin: &str) -> String {
    let dir = dir.display();
    let (ip, port) = (address.ip(), address.port());
    let (v4, v6) = match ip {
        IpAddr::V4(_) => (format!("{{ {ip}; }}"), "{ none; }".to_owned()),
        IpAddr::V6(_) => ("{ none; }".to_owned(), format!("{{ {ip}; }}")),
    };
    format!(
        "options {{
  directory \"{dir}\";
  pid-file \"{dir}/pid\";
  session-keyfile \"{dir}/session.key\";
  lock-file none;
  listen-on port {port} {v4};
  listen-on-v6 port {port} {v6};
  recursion no;
  notify no;
  dnssec-validation no;
  empty-zones-enable no;
  check-names primary ignore;
}};
controls {{ }};
zone \"{origin}\" {{
  type primary;
  file \"{dir}/zone.db\";
  allow-update {{ any; }};
}};
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = "$ORIGIN mosip.test.\n$TTL 300\n@ IN A 10.0.0.1\napi IN A 192.0.2.1\nprereg IN CNAME api\n";

    fn dig(server: &Nameserver, words: &[&str]) -> String {
        let (ip, port) = (server.address().ip().to_string(), server.address().port().to_string());
        crate::stdout(
            Command::new(on_path("dig", "bind9-dnsutils"))
                .arg(format!("@{ip}"))
                .args(["-p", &port, "+short"])
                .args(words),
        )
    }

    #[test]
    fn a_port_is_given_to_one_only() {
        let kept: Vec<_> = (0..200).map(|_| free_port(Ipv4Addr::LOCALHOST.into())).collect();
        let ports: std::collections::BTreeSet<u16> = kept.iter().map(|(port, _)| *port).collect();
        assert_eq!(ports.len(), kept.len());
    }

    #[test]
    #[ignore = "needs named"]
    fn it_serves_and_takes_updates() {
        let server = start(ZONE);
        assert_eq!(server.origin(), "mosip.test");
        assert_eq!(dig(&server, &["prereg.mosip.test"]), "api.mosip.test.\n192.0.2.1");
        server.update(
            "update add _acme-challenge.mosip.test 60 TXT \"one\"\nupdate add _acme-challenge.mosip.test 60 TXT \"two\"",
        );
        let both = dig(&server, &["_acme-challenge.mosip.test", "TXT"]);
        assert!(both.contains("\"one\"") && both.contains("\"two\""), "{both}");
        server.update("update delete api.mosip.test A");
        assert_eq!(dig(&server, &["api.mosip.test"]), "");
    }

    #[test]
    #[ignore = "needs named"]
    fn a_zone_that_cannot_be_loaded() {
        let server = start_broken("$ORIGIN mosip.test.\napi IN A not-an-address\n");
        assert!(server.log().contains("not loaded due to errors"), "{}", server.log());
        let said = std::panic::catch_unwind(|| check_zone("$ORIGIN mosip.test.\napi IN A not-an-address\n"));
        assert!(said.is_err());
        assert!(check_zone(ZONE).contains("OK"));
    }
}
