//! What a host says of its peers, put together: file, server's configuration, running tunnel, revocation.

use crate::config::WgConfig;
use crate::name::PeerName;
use crate::server::{Server, ServerPeer};
use std::net::Ipv4Addr;

/// The line of a `wg0.conf` that was made here.
pub(crate) const MARK: &str = "# Made by mosip-prov";

/// A file as it is on the host. Keys in it are marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Absolute path.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner's name.
    pub owner: String,
    /// Group's name.
    pub group: String,
    /// SHA-256 of the file as it really is, in hex.
    pub digest: String,
    /// The content, with marks for keys.
    pub config: WgConfig,
}

/// The file of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerFile {
    /// Its name.
    pub name: PeerName,
    /// The public key that belongs to the private one in it, as far as that could be found out.
    pub public_key: Option<String>,
    /// The file.
    pub file: FoundFile,
}

impl PeerFile {
    /// The peer's first IPv4 address.
    pub fn address(&self) -> Option<Ipv4Addr> {
        let config = &self.file.config;
        let sections = config.sections("Interface");
        let mut values = sections.iter().flat_map(|s| config.values(*s, "Address"));
        values.find_map(first_address)
    }
}

/// The first IPv4 address of a list such as `10.13.13.2/32, fd00::2`.
pub(crate) fn first_address(list: &str) -> Option<Ipv4Addr> {
    list.split(',')
        .find_map(|part| part.trim().split('/').next().unwrap_or_default().trim().parse().ok())
}

/// A peer whose keys count no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its name.
    pub name: PeerName,
    /// The public key it had.
    pub public_key: Option<String>,
    /// The address it had.
    pub address: Option<Ipv4Addr>,
}

/// What the running tunnel says of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningPeer {
    /// Its public key.
    pub public_key: String,
    /// Where it was last heard from: address and port.
    pub endpoint: Option<String>,
    /// The networks behind it.
    pub allowed_ips: String,
    /// When the last handshake was, in seconds since 1970; `None` when there was none.
    pub handshake: Option<u64>,
    /// Bytes received from it.
    pub received: u64,
    /// Bytes sent to it.
    pub sent: u64,
}

/// The running tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Running {
    /// The server's public key.
    pub public_key: String,
    /// The UDP port it listens on.
    pub port: u16,
    /// Its peers.
    pub peers: Vec<RunningPeer>,
}

/// Everything about the peers of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostState {
    /// The host's clock, in seconds since 1970.
    pub now: u64,
    /// Whether the host has the tool `wg`.
    pub has_wg: bool,
    /// The server's configuration; `None` when there is none.
    pub server: Option<FoundFile>,
    /// The public key of the server's private one, as far as that could be found out; with the native backend alone.
    pub server_key: Option<String>,
    /// The files of peers, by name.
    pub files: Vec<PeerFile>,
    /// Who was revoked, by name.
    pub revoked: Vec<Revoked>,
    /// The running tunnel, or why it does not run.
    pub running: Result<Running, String>,
}

/// A peer with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerState {
    /// Its name; `None` for one that only the server knows, by its key.
    pub name: Option<PeerName>,
    /// Its address in the tunnel.
    pub address: Option<Ipv4Addr>,
    /// Its public key.
    pub public_key: Option<String>,
    /// Path of its file.
    pub file: Option<String>,
    /// Whether the server's configuration has it.
    pub configured: bool,
    /// What the running tunnel says of it.
    pub running: Option<RunningPeer>,
    /// Whether it was revoked.
    pub revoked: bool,
}

impl HostState {
    /// Reads what [`crate::ask::PeersProbe`] answers.
    ///
    /// # Errors
    /// What was not understood.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let mut state = Self {
            now: 0,
            has_wg: false,
            server: None,
            server_key: None,
            files: Vec::new(),
            revoked: Vec::new(),
            running: Err("nothing was said of it".into()),
        };
        let mut lines = raw.lines().peekable();
        while let Some(line) = lines.next() {
            let mut fields = line.split('\t');
            let kind = fields.next().unwrap_or_default();
            let fields: Vec<&str> = fields.collect();
            match (kind, fields.as_slice()) {
                ("now", [seconds]) => state.now = number(seconds)?,
                ("wg", []) => state.has_wg = true,
                ("file", [what, name, path, mode, owner, group, digest, public]) => {
                    let mut text = String::new();
                    while let Some(content) = lines.peek().and_then(|l| l.strip_prefix('c')) {
                        text.push_str(content);
                        text.push('\n');
                        lines.next();
                    }
                    let file = FoundFile {
                        path: (*path).to_owned(),
                        mode: u32::from_str_radix(mode, 8).map_err(|_| format!("{mode} is no mode"))?,
                        owner: (*owner).to_owned(),
                        group: (*group).to_owned(),
                        digest: (*digest).to_owned(),
                        config: WgConfig::parse(&text),
                    };
                    state.take(what, name, file, public)?;
                }
                ("up", [public, port]) => {
                    state.running = Ok(Running {
                        public_key: (*public).to_owned(),
                        port: port.parse().map_err(|_| format!("{port} is no port"))?,
                        peers: Vec::new(),
                    });
                }
                ("at", [public, endpoint, allowed, handshake, received, sent]) => {
                    let peer = RunningPeer {
                        public_key: (*public).to_owned(),
                        endpoint: Some((*endpoint).to_owned()).filter(|e| e != "(none)"),
                        allowed_ips: (*allowed).to_owned(),
                        handshake: Some(number(handshake)?).filter(|seconds| *seconds > 0),
                        received: number(received)?,
                        sent: number(sent)?,
                    };
                    match &mut state.running {
                        Ok(running) => running.peers.push(peer),
                        Err(_) => return Err("a peer of a tunnel that does not run".into()),
                    }
                }
                ("down", [reason]) => state.running = Err((*reason).to_owned()),
                _ => {
                    return Err(format!(
                        "a line of kind \"{}\"",
                        kind.chars().take(40).collect::<String>()
                    ));
                }
            }
        }
        Ok(state)
    }

    fn take(&mut self, what: &str, name: &str, file: FoundFile, public: &str) -> Result<(), String> {
        match what {
            "server" => {
                self.server = Some(file);
                self.server_key = Some(public.to_owned()).filter(|k| !k.is_empty() && k != "-");
            }
            "peer" => {
                // Names of other shapes are somebody else's folders.
                if let Ok(name) = PeerName::on_host(name) {
                    self.files.push(PeerFile {
                        name,
                        public_key: Some(public.to_owned()).filter(|k| !k.is_empty()),
                        file,
                    });
                }
            }
            "revoked" => {
                if let Ok(name) = PeerName::on_host(name) {
                    let first = |key: &str| {
                        let values = file.config.values(0, key);
                        values.first().map(|v| (*v).to_owned())
                    };
                    self.revoked.push(Revoked {
                        name,
                        public_key: first("PublicKey"),
                        address: first("Address").and_then(|a| a.parse().ok()),
                    });
                }
            }
            other => return Err(format!("a file of kind \"{other}\"")),
        }
        Ok(())
    }

    /// The file of a peer.
    pub fn file_of(&self, name: &PeerName) -> Option<&PeerFile> {
        self.files.iter().find(|f| f.name == *name)
    }

    /// Whether a peer was revoked.
    pub fn is_revoked(&self, name: &PeerName) -> bool {
        self.revoked.iter().any(|r| r.name == *name)
    }

    /// The server's configuration, read.
    ///
    /// # Errors
    /// It is none, with the reason; `Ok(None)` when there is no file.
    pub fn server(&self) -> Result<Option<Server>, String> {
        self.server
            .as_ref()
            .map(|file| Server::of(file.config.clone()))
            .transpose()
    }

    /// Whether the server's configuration was made here, or taken over on request: it says so, or peers were made for it.
    pub fn server_is_ours(&self) -> bool {
        let marked = self.server.as_ref().is_some_and(|file| file.config.has_line(MARK));
        marked || !self.files.is_empty() || !self.revoked.is_empty()
    }

    /// The peers of the server's configuration; none when that cannot be read.
    pub fn configured(&self) -> Vec<ServerPeer> {
        self.server().ok().flatten().map(|s| s.peers()).unwrap_or_default()
    }

    /// What the running tunnel says of a key.
    pub fn running_peer(&self, public_key: &str) -> Option<&RunningPeer> {
        let running = self.running.as_ref().ok()?;
        running.peers.iter().find(|p| p.public_key == public_key)
    }

    /// Every peer: those with a file, those that only the server knows, those that were revoked.
    pub fn peers(&self) -> Vec<PeerState> {
        let configured = self.configured();
        let mut found: Vec<PeerState> = Vec::new();
        for file in &self.files {
            let with_key = |p: &&ServerPeer| file.public_key.is_some() && file.public_key == p.public_key;
            let with_name = |p: &&ServerPeer| p.name.as_ref() == Some(&file.name);
            let at_server = configured
                .iter()
                .find(with_key)
                .or_else(|| configured.iter().find(with_name).filter(|_| file.public_key.is_none()));
            let key = file
                .public_key
                .clone()
                .or_else(|| at_server.and_then(|p| p.public_key.clone()));
            found.push(PeerState {
                name: Some(file.name.clone()),
                address: file.address(),
                running: key.as_deref().and_then(|k| self.running_peer(k)).cloned(),
                public_key: key,
                file: Some(file.file.path.clone()),
                configured: at_server.is_some(),
                revoked: false,
            });
        }
        let known = |found: &[PeerState], key: &str| found.iter().any(|p| p.public_key.as_deref() == Some(key));
        for peer in configured {
            if let Some(key) = peer.public_key.clone()
                && !known(&found, &key)
            {
                found.push(PeerState {
                    name: peer.name.clone(),
                    address: peer.address(),
                    running: self.running_peer(&key).cloned(),
                    public_key: Some(key),
                    file: None,
                    configured: true,
                    revoked: false,
                });
            }
        }
        if let Ok(running) = &self.running {
            for peer in &running.peers {
                if !known(&found, &peer.public_key) {
                    let revoked = self
                        .revoked
                        .iter()
                        .find(|r| r.public_key.as_deref() == Some(peer.public_key.as_str()));
                    found.push(PeerState {
                        name: revoked.map(|r| r.name.clone()),
                        address: first_address(&peer.allowed_ips),
                        public_key: Some(peer.public_key.clone()),
                        file: None,
                        configured: false,
                        running: Some(peer.clone()),
                        revoked: revoked.is_some(),
                    });
                }
            }
        }
        for gone in &self.revoked {
            if !found.iter().any(|p| p.name.as_ref() == Some(&gone.name)) {
                found.push(PeerState {
                    name: Some(gone.name.clone()),
                    address: gone.address,
                    public_key: gone.public_key.clone(),
                    file: None,
                    configured: false,
                    running: None,
                    revoked: true,
                });
            }
        }
        found.sort_by_key(|peer| natural(peer.name.as_ref()));
        found
    }
}

/// `peer2` comes before `peer10`; those without a name come last.
fn natural(name: Option<&PeerName>) -> (bool, String, u64, String) {
    let Some(name) = name.map(PeerName::as_str) else {
        return (true, String::new(), 0, String::new());
    };
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[letters.len()..].parse().unwrap_or(0);
    (false, letters.to_owned(), number, name.to_owned())
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("\"{text}\" is no number"))
}
