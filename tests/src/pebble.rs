//! A real ACME authority for a test: Pebble, of the distribution (Debian: `pebble`). It really asks a nameserver for the
//! records of its challenges.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::write;

/// How long it may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// An authority. It ends with this value.
pub struct Pebble {
    child: Child,
    folder: TempDir,
    port: u16,
}

/// Starts one that believes what the nameserver at `dns` says.
///
/// # Panics
/// `pebble` is not there or does not come up.
pub fn start(dns: SocketAddr) -> Pebble {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(vec!["localhost".to_owned()])
        .and_then(|params| params.self_signed(&key))
        .expect("a certificate");
    write(&dir.join("cert.pem"), own.pem());
    write(&dir.join("key.pem"), key.serialize_pem());
    // Taken together, so that they differ.
    let free: Vec<TcpListener> = (0..2)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
        .collect();
    let ports: Vec<u16> = free
        .iter()
        .map(|l| l.local_addr().expect("its address").port())
        .collect();
    drop(free);
    let config = serde_json::json!({"pebble": {
        "listenAddress": format!("127.0.0.1:{}", ports[0]),
        "managementListenAddress": format!("127.0.0.1:{}", ports[1]),
        "certificate": dir.join("cert.pem"),
        "privateKey": dir.join("key.pem"),
        "httpPort": 5002,
        "tlsPort": 5001,
    }});
    write(&dir.join("config.json"), config.to_string());
    let log = File::create(dir.join("log")).expect("a log");
    let child = Command::new("pebble")
        .args([
            "-config",
            &dir.join("config.json").to_string_lossy(),
            "-dnsserver",
            &dns.to_string(),
        ])
        // No artificial waiting; nor are nonces refused on purpose: the distribution's certbot sometimes ends with
        // `AttributeError: can't set attribute` where one is.
        .env("PEBBLE_VA_NOSLEEP", "1")
        .env("PEBBLE_WFE_NONCEREJECT", "0")
        // It would take some names as shown already, and then asks for no record.
        .env("PEBBLE_AUTHZREUSE", "0")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the same log"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| {
            panic!("pebble cannot be started ({error}): apt-get install pebble, or run `cargo xtask test`")
        });
    let pebble = Pebble {
        child,
        folder,
        port: ports[0],
    };
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", pebble.port)).is_err() {
        assert!(
            began.elapsed() < PATIENCE,
            "pebble does not come up; it says\n{}",
            pebble.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    pebble
}

impl Pebble {
    /// Its directory, for `--server`.
    pub fn server(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// The certificate that certbot must trust it by: `REQUESTS_CA_BUNDLE`.
    pub fn trust(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
