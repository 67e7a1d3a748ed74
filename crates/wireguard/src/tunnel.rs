//! The tunnel of the native backend: `/etc/wireguard/wg0.conf`, with a private key that is made on the host and stays
//! there. Peers in the file are left as they are; [`crate::Peers`] sees to them.

use crate::ask::AskPeers;
use crate::config::WgConfig;
use crate::layout::{INTERFACE, Layout, NATIVE_FOLDER};
use crate::peer_file::shown;
use crate::script::{KEPT, NativeChange, SERVER_KEY};
use crate::server::{Server, Subnet};
use crate::state::MARK;
use mosip_prov_resources::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};

/// The server's end of the tunnel.
#[derive(Debug, Clone)]
pub struct Tunnel {
    ask: AskPeers,
    subnet: Subnet,
    port: u16,
    mtu: Option<u16>,
    post_up: Vec<String>,
    post_down: Vec<String>,
    replace: bool,
}

impl Tunnel {
    /// A tunnel with this network inside, listening on this UDP port.
    pub fn new(subnet: Subnet, port: u16) -> Self {
        Self {
            ask: AskPeers(Layout::native()),
            subnet,
            port,
            mtu: None,
            post_up: Vec::new(),
            post_down: Vec::new(),
            replace: false,
        }
    }

    /// The same with this MTU; without it `wg-quick` finds one.
    #[must_use]
    pub fn mtu(mut self, mtu: u16) -> Self {
        self.mtu = Some(mtu);
        self
    }

    /// The same with these commands after it came up, one line each; `%i` is the interface.
    #[must_use]
    pub fn post_up(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.post_up.extend(commands);
        self
    }

    /// The same with these commands after it went down.
    #[must_use]
    pub fn post_down(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.post_down.extend(commands);
        self
    }

    /// The same; with `true` a `wg0.conf` that somebody else made is taken over, with its key and its peers, and a copy of
    /// it is kept. Without, it is an error.
    #[must_use]
    pub fn replace_existing(mut self, yes: bool) -> Self {
        self.replace = yes;
        self
    }

    fn address(&self) -> String {
        format!("{}/{}", self.subnet.server, self.subnet.prefix)
    }

    fn applied_to(&self, server: &mut Server) {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let (config, interface) = server.parts();
        // As the image has it, an address alone is one of a /24.
        let same_address = |a: &str, b: &str| a.parse::<Subnet>().is_ok_and(|a| Ok(a) == b.parse());
        config.set(interface, "Address", &self.address(), same_address);
        config.set(interface, "ListenPort", &self.port.to_string(), same);
        match self.mtu {
            Some(mtu) => config.set(interface, "MTU", &mtu.to_string(), same),
            None => config.remove(interface, "MTU"),
        };
        config.set_all(interface, "PostUp", &self.post_up);
        config.set_all(interface, "PostDown", &self.post_down);
    }
}

impl Resource for Tunnel {
    fn kind(&self) -> &'static str {
        "wireguard_tunnel"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let state = answers.get(&self.ask)?;
        let path = format!("{NATIVE_FOLDER}/{INTERFACE}.conf");
        let pending = answers.pending_for(&self.ask.question());
        if !state.has_wg && pending.is_none() {
            return Err(DecideError::impossible_help(
                "the host has no `wg`, which makes keys",
                "install wireguard-tools first",
            ));
        }
        let found = state.server().map_err(|what| {
            DecideError::impossible_help(
                format!("{path} cannot be used: {what}"),
                "mend it by hand, or move it away: a new one with a new key is made then, and all peers must be handed out anew",
            )
        })?;
        let right_owner = |file: &crate::state::FoundFile| (file.mode, file.owner.as_str()) == (0o600, "root");
        let fresh = || {
            Server::of(WgConfig::parse(&format!(
                "[Interface]\n{MARK}\nPrivateKey = {SERVER_KEY}\n"
            )))
        };
        let foreign = found.is_some() && !state.server_is_ours();
        if foreign && !self.replace {
            return Err(DecideError::impossible_help(
                format!("{path} is there, and was not made here"),
                format!(
                    "end that tunnel and move the file away, or take another host; with wireguard_replace_existing: true it \
                     is taken over: its key and peers stay, while its address, port, MTU, PostUp and PostDown become those of \
                     the settings, and a copy is kept as {NATIVE_FOLDER}/{KEPT}"
                ),
            ));
        }
        let before = found.clone();
        let mut server = match found {
            Some(server) => server,
            None => fresh().map_err(DecideError::impossible)?,
        };
        if before.is_some() {
            let outside = |address: &std::net::Ipv4Addr| !self.subnet.is_for_peers(*address);
            let peers = server.peers();
            if let Some(lost) = peers.iter().filter_map(|p| p.address()).find(outside) {
                return Err(DecideError::impossible_help(
                    format!("peer address {lost} is outside of the tunnel's network {}", self.subnet),
                    "give wireguard_internal_subnet its former value, or revoke the peers and add them again",
                ));
            }
        }
        self.applied_to(&mut server);
        if foreign {
            let (config, interface) = server.parts();
            config.begin_with(interface, MARK);
        }
        let rights = state.server.as_ref().is_none_or(right_owner);
        if before.as_ref() == Some(&server) && rights {
            return Ok(Decision::nothing(format!("{path} says what it should")));
        }
        let (summary, was) = match &before {
            None => (format!("make {path} and the server's key"), Shown::Absent),
            Some(before) if foreign => (format!("take over {path}, and keep a copy"), shown(before.config())),
            Some(before) => (format!("correct {path}"), shown(before.config())),
        };
        let mut change = Change::new(summary.clone());
        if before.as_ref() != Some(&server) {
            change = change.differs(format!("content of {path}"), was, shown(server.config()));
        }
        if let Some(file) = state.server.as_ref().filter(|f| !right_owner(f)) {
            change = change.differs(
                format!("mode and owner of {path}"),
                Shown::text(format!("{:04o} {}", file.mode, file.owner)),
                Shown::text("0600 root"),
            );
        }
        let native = NativeChange {
            server: Some(server.config().clone()),
            present: state.server.as_ref(),
            keep: foreign,
            ..NativeChange::default()
        };
        Ok(change
            .step(Shell::new(summary, native.script()))
            .touching([Touch::Kind("wireguard"), Touch::Path(NATIVE_FOLDER.into())])
            .into())
    }
}
