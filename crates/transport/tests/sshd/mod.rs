//! An sshd of our own for a test, an agent, and a proxy that can be slow or cut.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mosip_prov_transport::{AgentSource, Target};

/// Runs a tool and insists on its success.
pub fn run_tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Makes a key pair.
pub fn keygen(path: &Path, passphrase: &str, options: &[&str]) {
    let mut all = vec!["-q", "-N", passphrase, "-f", path.to_str().expect("a path")];
    all.extend(options);
    run_tool("ssh-keygen", &all);
}

/// The SHA256 fingerprint that ssh-keygen shows.
pub fn fingerprint(key: &Path) -> String {
    let shown = run_tool("ssh-keygen", &["-lf", &format!("{}.pub", key.display())]);
    shown.split(' ').nth(1).expect("a fingerprint").to_string()
}

/// Its files, and the process once it runs.
pub struct Sshd {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Sshd {
    /// Host keys and a client key that is let in, with further settings.
    pub fn start(settings: &str) -> Self {
        Self::prepare().run(settings)
    }

    /// The same without running yet.
    pub fn prepare() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (kind, options) in [
            ("ed25519", &["-t", "ed25519"][..]),
            ("ecdsa", &["-t", "ecdsa"]),
            ("rsa", &["-t", "rsa", "-b", "2048"]),
        ] {
            keygen(&folder.path().join(format!("host_{kind}")), "", options);
        }
        keygen(&folder.path().join("client"), "", &["-t", "ed25519"]);
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let server = Self {
            folder,
            port,
            child: None,
        };
        server.authorize(&[&server.folder().join("client")]);
        server
    }

    /// Starts it.
    pub fn run(mut self, settings: &str) -> Self {
        // sshd insists on its folder when it runs as root.
        let _ = std::fs::create_dir_all("/run/sshd");
        let folder = self.folder().display();
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {folder}/host_ed25519\nHostKey {folder}/host_ecdsa\nHostKey {folder}/host_rsa\n\
             AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n{settings}",
            self.port
        );
        std::fs::write(self.folder().join("config"), config).expect("written");
        self.restart();
        self
    }

    /// Stops it if it runs, and starts it again.
    pub fn restart(&mut self) {
        self.stop();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder().join("log"))
            .expect("a log");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(self.folder().join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd starts");
        self.child = Some(child);
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("sshd does not listen:\n{}", self.log());
    }

    /// Ends the listener and its connections.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = child.id();
            // Connections are children of the listener.
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            let _ = child.kill();
            let _ = child.wait();
            for child in children.split_whitespace() {
                let _ = Command::new("kill").arg(child).stderr(Stdio::null()).status();
            }
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn host_key(&self, kind: &str) -> PathBuf {
        self.folder().join(format!("host_{kind}"))
    }

    /// What sshd has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// How many logins it has let in.
    pub fn logins(&self) -> usize {
        self.log()
            .lines()
            .filter(|line| line.starts_with("Accepted publickey "))
            .count()
    }

    /// A new key pair.
    pub fn key(&self, name: &str, options: &[&str]) -> PathBuf {
        let path = self.folder().join(name);
        keygen(&path, "", options);
        path
    }

    /// Lets in these keys and no others.
    pub fn authorize(&self, keys: &[&PathBuf]) {
        let lines: String = keys
            .iter()
            .map(|key| std::fs::read_to_string(format!("{}.pub", key.display())).expect("a public key"))
            .collect();
        std::fs::write(self.folder().join("authorized_keys"), lines).expect("written");
    }

    /// A target that logs in with the client key and has known_hosts of its own.
    pub fn target(&self) -> Target {
        let user = run_tool("id", &["-un"]).trim().to_string();
        let mut target = Target::ssh("vm1", "127.0.0.1", user);
        target.port = self.port;
        target.keys = vec![self.folder().join("client")];
        target.default_keys = false;
        target.agent = AgentSource::None;
        target.known_hosts = vec![self.folder().join("known_hosts")];
        target
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An ssh-agent of our own.
pub struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    pub fn start(folder: &Path) -> Self {
        let socket = folder.join("agent");
        let child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent starts");
        for _ in 0..200 {
            if socket.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, socket }
    }

    pub fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    pub fn add(&self, key: &Path) {
        let status = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .status()
            .expect("ssh-add runs");
        assert!(status.success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Something to connect to that is not, or not only, an sshd.
pub struct Proxy {
    port: u16,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Says this and hangs up; with `None` says nothing and stays.
    pub fn fixed(says: Option<&'static str>) -> Self {
        Self::serve(move |mut stream, _| match says {
            None => std::thread::sleep(Duration::from_secs(30)),
            Some(text) => {
                let _ = stream.write_all(text.as_bytes());
            }
        })
    }

    /// Passes everything on to a port, the first answer after a delay.
    pub fn to(port: u16, delay: Duration) -> Self {
        Self::serve(move |client, streams| {
            let server = TcpStream::connect(("127.0.0.1", port)).expect("the server");
            let copy = |stream: &TcpStream| stream.try_clone().expect("a copy");
            streams.lock().expect("a lock").extend([copy(&client), copy(&server)]);
            let (up, down) = ((copy(&client), copy(&server)), (server, client));
            std::thread::spawn(move || pass(up.0, up.1));
            std::thread::sleep(delay);
            pass(down.0, down.1);
        })
    }

    /// Passes so many bytes of the server on and then cuts the connection.
    pub fn limited(port: u16, bytes: usize) -> Self {
        Self::serve(move |mut client, _| {
            let mut server = TcpStream::connect(("127.0.0.1", port)).expect("the server");
            let (from, to) = (client.try_clone().expect("a copy"), server.try_clone().expect("a copy"));
            std::thread::spawn(move || pass(from, to));
            let (mut left, mut buffer) = (bytes, [0_u8; 1024]);
            while left > 0 {
                let most = left.min(buffer.len());
                match server.read(&mut buffer[..most]) {
                    Ok(count) if count > 0 && client.write_all(&buffer[..count]).is_ok() => left -= count,
                    _ => break,
                }
            }
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        })
    }

    fn serve(each: impl Fn(TcpStream, Arc<Mutex<Vec<TcpStream>>>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let (each, all) = (Arc::new(each), streams.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (each, all) = (each.clone(), all.clone());
                std::thread::spawn(move || each(stream, all));
            }
        });
        Self { port, streams }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        for stream in self.streams.lock().expect("a lock").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0_u8; 65_536];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
