//! What must stand in a peer's file, and the state of all of them.

use crate::ask::AskPeers;
use crate::config::{WgConfig, same_list};
use crate::layout::Layout;
use crate::name::PeerName;
use crate::script;
use crate::state::{FoundFile, HostState};
use mosip_prov_resources::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shown, Touch};
use std::net::Ipv4Addr;

/// What every peer's file says alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSettings {
    /// Where the tunnel leads to: `wireguard_network`, one network or several with commas.
    pub network: String,
    /// Address and port that peers connect to.
    pub endpoint: String,
    /// `wireguard_mtu`.
    pub mtu: u16,
}

impl PeerSettings {
    /// `config` with what the settings ask for: no `DNS` and this `MTU` under `[Interface]`, these `AllowedIPs` and this
    /// `Endpoint` under `[Peer]`, each where it belongs alone. Everything else stays as it stands, and what is right is
    /// not touched. The second value names the keys that were changed.
    ///
    /// # Errors
    /// It is no peer's file: there is not one `[Interface]` and one `[Peer]`.
    pub fn applied_to(&self, config: &WgConfig) -> Result<(WgConfig, Vec<&'static str>), String> {
        let mut config = config.clone();
        let (interface, peer) = match (
            config.sections("Interface").as_slice(),
            config.sections("Peer").as_slice(),
        ) {
            ([interface], [peer]) => (*interface, *peer),
            (interfaces, peers) => {
                return Err(format!(
                    "it has {} sections [Interface] and {} sections [Peer], and one of each is wanted",
                    interfaces.len(),
                    peers.len()
                ));
            }
        };
        let equal = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let mtu = self.mtu.to_string();
        let changes = [
            ("DNS", config.remove(interface, "DNS") | config.remove(peer, "DNS")),
            (
                "MTU",
                config.remove(peer, "MTU") | config.set(interface, "MTU", &mtu, equal),
            ),
            (
                "Endpoint",
                config.remove(interface, "Endpoint") | config.set(peer, "Endpoint", &self.endpoint, equal),
            ),
            (
                "AllowedIPs",
                config.remove(interface, "AllowedIPs") | config.set(peer, "AllowedIPs", &self.network, same_list),
            ),
        ];
        let changed = changes.iter().filter(|(_, changed)| *changed).map(|(key, _)| *key);
        Ok((config, changed.collect()))
    }

    /// The file of a new peer, with marks for its keys.
    pub(crate) fn new_file(&self, name: &PeerName, address: Ipv4Addr) -> WgConfig {
        WgConfig::parse(&format!(
            "[Interface]\nAddress = {address}\nPrivateKey = {}\nMTU = {}\n\n[Peer]\nPublicKey = {}\nPresharedKey = {}\n\
             Endpoint = {}\nAllowedIPs = {}\n",
            script::key_of(name),
            self.mtu,
            script::SERVER_PUBLIC,
            script::preshared_of(name),
            self.endpoint,
            self.network
        ))
    }
}

/// `config` with this public key of the server's; whether it had another.
fn set_server_key(config: &mut WgConfig, key: &str) -> bool {
    match config.sections("Peer").as_slice() {
        [peer] => config.set(*peer, "PublicKey", key, |a, b| a == b),
        _ => false,
    }
}

/// All peers' files of a host say what the settings ask for. Who makes them is another matter: the image, or
/// [`crate::Peers`].
#[derive(Debug, Clone)]
pub struct PeerFiles {
    ask: AskPeers,
    settings: PeerSettings,
    wanted: Vec<PeerName>,
}

impl PeerFiles {
    /// The files of `layout`, each with its mode and owner kept.
    pub fn new(layout: Layout, settings: PeerSettings) -> Self {
        Self {
            ask: AskPeers(layout),
            settings,
            wanted: Vec::new(),
        }
    }

    /// The same; these must be there, and until they are the task waits (if it has patience) or fails.
    #[must_use]
    pub fn of(mut self, names: impl IntoIterator<Item = PeerName>) -> Self {
        self.wanted.extend(names);
        self
    }
}

/// An edit of a file that is there.
pub(crate) struct Edit<'s> {
    pub file: &'s FoundFile,
    pub wanted: WgConfig,
    pub mode: u32,
    pub owner: String,
    pub group: String,
}

impl Edit<'_> {
    /// `change`, with what differs in this file.
    pub(crate) fn told(&self, mut change: Change) -> Change {
        let file = self.file;
        if file.config != self.wanted {
            change = change.differs(
                format!("content of {}", file.path),
                shown(&file.config),
                shown(&self.wanted),
            );
        }
        let rights = |mode: u32, owner: &str, group: &str| Shown::text(format!("{mode:04o} {owner}:{group}"));
        let (before, after) = (
            rights(file.mode, &file.owner, &file.group),
            rights(self.mode, &self.owner, &self.group),
        );
        if before != after {
            change = change.differs(format!("mode and owner of {}", file.path), before, after);
        }
        change
    }
}

/// What is to be edited in the files of `state` that `of` chooses. With `native` they are also to be root's alone, and to
/// have the public key that the server has now: it is another one where `wg0.conf` was lost.
pub(crate) fn edits<'s>(
    state: &'s HostState,
    settings: &PeerSettings,
    native: bool,
    of: impl Fn(&PeerName) -> bool,
) -> Result<Vec<Edit<'s>>, DecideError> {
    let mut found = Vec::new();
    for peer in state.files.iter().filter(|f| of(&f.name)) {
        let (mut wanted, keys) = settings.applied_to(&peer.file.config).map_err(|what| {
            DecideError::impossible_help(
                format!("{} is no peer's file: {what}", peer.file.path),
                "move the file away, or mend it by hand",
            )
        })?;
        let file = &peer.file;
        let (mode, owner, group) = match native {
            true => (0o600, "root", "root"),
            false => (file.mode, file.owner.as_str(), file.group.as_str()),
        };
        let as_it_is = (mode, owner, group) == (file.mode, file.owner.as_str(), file.group.as_str());
        let other_server = match &state.server_key {
            Some(key) if native => set_server_key(&mut wanted, key),
            _ => false,
        };
        if !keys.is_empty() || other_server || !as_it_is {
            found.push(Edit {
                file,
                wanted,
                mode,
                owner: owner.to_owned(),
                group: group.to_owned(),
            });
        }
    }
    Ok(found)
}

/// The text of a file for a difference: keys are never in it, and marks are no use to a reader.
pub(crate) fn shown(config: &WgConfig) -> Shown {
    let text = config.expose_text();
    let lines = text
        .lines()
        .map(|line| match (line.find("(kept "), line.find("(new ")) {
            (Some(at), _) | (None, Some(at)) => format!("{}***\n", &line[..at]),
            (None, None) => format!("{line}\n"),
        });
    Shown::text(lines.collect::<String>())
}

impl Resource for PeerFiles {
    fn kind(&self) -> &'static str {
        "wireguard_peer_files"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let state = answers.get(&self.ask)?;
        let missing: Vec<&str> = self
            .wanted
            .iter()
            .filter(|name| state.file_of(name).is_none())
            .map(PeerName::as_str)
            .collect();
        if !missing.is_empty() {
            let what = format!("the files of {}", missing.join(", "));
            if let Some(task) = answers.pending_for(&self.ask.question()) {
                return Ok(Decision::unknown(format!("{what} may come with \"{task}\"")));
            }
            return Ok(Decision::NotYet {
                reason: format!("{what} are not in {} yet", self.ask.0.peers_folder()),
            });
        }
        let edits = edits(&state, &self.settings, false, |_| true)?;
        if edits.is_empty() {
            return Ok(Decision::nothing(format!(
                "{} peer files say what they should",
                state.files.len()
            )));
        }
        let mut change = Change::new(match edits.len() {
            1 => "correct 1 peer file".to_owned(),
            n => format!("correct {n} peer files"),
        });
        for edit in &edits {
            change = edit.told(change);
        }
        Ok(change
            .step(script::correct(&edits))
            .touching([Touch::Kind("wireguard")])
            .into())
    }
}
