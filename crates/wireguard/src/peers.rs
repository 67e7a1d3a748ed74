//! Peers of the native backend: made, and revoked, one by one.
//!
//! A peer is a file in `/etc/wireguard/peers/NAME/`, a section in `wg0.conf`, and an entry of the running tunnel. All three
//! are made to agree; keys are made on the host and stay there. Other peers are never touched, not even by a reload.
//!
//! ```
//! use mosip_prov_wireguard::{Peers, PeerName, PeerSettings};
//!
//! # let settings = PeerSettings { network: "172.16.50.0/24".into(), endpoint: "192.0.2.1:51820".into(), mtu: 1330 };
//! # let name = |n: &str| PeerName::on_host(n).expect("a name");
//! // What a role wants: these, unless they were revoked, and every file as the settings say.
//! let role = Peers::new(settings.clone()).declared([name("peer1"), name("peer2")]).correcting_all();
//! // What an operator wants now.
//! let more = Peers::new(settings.clone()).present([name("alice")]);
//! let less = Peers::new(settings).revoked([name("bob")]);
//! ```

use crate::ask::AskPeers;
use crate::layout::{INTERFACE, Layout, NATIVE_FOLDER};
use crate::name::PeerName;
use crate::peer_file::{PeerSettings, edits, shown};
use crate::script::{Live, NativeChange, preshared_of, public_of};
use crate::server::{Server, ServerPeer};
use crate::state::{HostState, PeerFile, first_address};
use mosip_prov_resources::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};
use std::net::Ipv4Addr;

/// Which peers there are, on the native backend.
#[derive(Debug, Clone)]
pub struct Peers {
    ask: AskPeers,
    settings: PeerSettings,
    declared: Vec<PeerName>,
    present: Vec<PeerName>,
    revoked: Vec<PeerName>,
    correct_all: bool,
}

impl Peers {
    /// None yet; `settings` is what their files say.
    pub fn new(settings: PeerSettings) -> Self {
        Self {
            ask: AskPeers(Layout::native()),
            settings,
            declared: Vec::new(),
            present: Vec::new(),
            revoked: Vec::new(),
            correct_all: false,
        }
    }

    /// The same; these exist, unless they were revoked: what an inventory declares does not bring a revoked peer back.
    #[must_use]
    pub fn declared(mut self, names: impl IntoIterator<Item = PeerName>) -> Self {
        self.declared.extend(names);
        self
    }

    /// The same; these exist. One that was revoked comes back with new keys.
    #[must_use]
    pub fn present(mut self, names: impl IntoIterator<Item = PeerName>) -> Self {
        self.present.extend(names);
        self
    }

    /// The same; these were revoked: their keys are gone from the host, and their names are remembered.
    #[must_use]
    pub fn revoked(mut self, names: impl IntoIterator<Item = PeerName>) -> Self {
        self.revoked.extend(names);
        self
    }

    /// The same; every peer's file, named or not, says what the settings ask for, and the server knows every peer that has
    /// one: after `wg0.conf` was lost, those too that no inventory declares.
    #[must_use]
    pub fn correcting_all(mut self) -> Self {
        self.correct_all = true;
        self
    }

    /// What is there, or the decision that follows from something that is not.
    fn server(&self, state: &HostState, answers: &Answers) -> Result<Result<Server, Decision>, DecideError> {
        let path = format!("{NATIVE_FOLDER}/{INTERFACE}.conf");
        let run_first = "`mosip-prov run wireguard` with wireguard_backend: native makes the tunnel";
        let server = state
            .server()
            .map_err(|what| DecideError::impossible_help(format!("{path} cannot be used: {what}"), run_first))?;
        match server {
            Some(server) if state.has_wg && state.server_is_ours() => Ok(Ok(server)),
            found => {
                if let Some(task) = answers.pending_for(&self.ask.question()) {
                    return Ok(Err(Decision::unknown(format!("the tunnel may come with \"{task}\""))));
                }
                let what = match found {
                    Some(_) if state.has_wg => format!("{path} was not made here"),
                    Some(_) => "the host has no `wg`, which makes keys".to_owned(),
                    None => format!("there is no tunnel yet: {path} is missing"),
                };
                Err(DecideError::impossible_help(what, run_first))
            }
        }
    }
}

impl Resource for Peers {
    fn kind(&self) -> &'static str {
        "wireguard_peers"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let state = answers.get(&self.ask)?;
        let server = match self.server(&state, answers)? {
            Ok(server) => server,
            Err(decision) => return Ok(decision),
        };
        let mut work = Work {
            state: &state,
            settings: &self.settings,
            before: server.clone(),
            server,
            change: NativeChange {
                present: state.server.as_ref(),
                ..NativeChange::default()
            },
            given: Vec::new(),
            added: Vec::new(),
            mended: Vec::new(),
            dropped: Vec::new(),
        };
        let kept_revoked: Vec<&PeerName> = self.declared.iter().filter(|n| state.is_revoked(n)).collect();
        for name in self.present.iter().chain(&self.declared) {
            if !self.revoked.contains(name) && (self.present.contains(name) || !state.is_revoked(name)) {
                work.must_be(name)?;
            }
        }
        if self.correct_all {
            for file in &state.files {
                if !self.revoked.contains(&file.name) && !state.is_revoked(&file.name) && work.can_have(file) {
                    work.must_be(&file.name)?;
                }
            }
        }
        // What an earlier run began to revoke is ended by any later one.
        let remembered = state
            .revoked
            .iter()
            .map(|r| &r.name)
            .filter(|n| !self.present.contains(n));
        let also: Vec<&PeerName> = remembered.filter(|n| !self.revoked.contains(n)).collect();
        for name in self.revoked.iter().chain(also) {
            work.must_not_be(name)?;
        }
        let chosen = |name: &PeerName| {
            let goes = work.change.gone.iter().any(|(n, _)| *n == name);
            !goes && (self.correct_all || self.present.contains(name) || self.declared.contains(name))
        };
        work.change.edits = edits(&state, &self.settings, true, chosen)?;
        let what_is = || -> String {
            let mut words = Vec::new();
            match self.present.as_slice() {
                [] => {}
                [one] => words.push(match state.file_of(one).and_then(PeerFile::address) {
                    Some(address) => format!("{one} is a peer, with address {address}"),
                    None => format!("{one} is a peer"),
                }),
                more => words.push(format!("{} are peers", join(more))),
            }
            if !self.declared.is_empty() {
                words.push(format!(
                    "{} declared peers are there",
                    self.declared.len() - kept_revoked.len()
                ));
            }
            if !self.revoked.is_empty() {
                words.push(format!("{} revoked", are(&self.revoked)));
            }
            if !kept_revoked.is_empty() {
                let names: Vec<&str> = kept_revoked.iter().map(|n| n.as_str()).collect();
                words.push(format!("revoked before and left so: {}", names.join(", ")));
            }
            if words.is_empty() {
                words.push("no peer is asked for".into());
            }
            words.join("; ")
        };
        Ok(work.decided(what_is))
    }
}

/// A decision in the making.
struct Work<'s> {
    state: &'s HostState,
    settings: &'s PeerSettings,
    before: Server,
    server: Server,
    change: NativeChange<'s>,
    /// Addresses given to new peers.
    given: Vec<Ipv4Addr>,
    added: Vec<&'s PeerName>,
    mended: Vec<&'s PeerName>,
    dropped: Vec<&'s PeerName>,
}

impl<'s> Work<'s> {
    fn must_be<'n: 's>(&mut self, name: &'n PeerName) -> Result<(), DecideError> {
        if self.added.contains(&name) || self.mended.contains(&name) {
            return Ok(());
        }
        let at_server: Vec<ServerPeer> = self.server.peers();
        let of_name = at_server.iter().find(|p| p.name.as_ref() == Some(name));
        if self.state.is_revoked(name) {
            self.change.back.push(name);
        }
        let Some(file) = self.state.file_of(name) else {
            return self.make(name, of_name.cloned());
        };
        let Some(key) = &file.public_key else {
            return Err(DecideError::impossible_help(
                format!("{} has no private key that `wg` takes", file.file.path),
                format!("move the file away and run this again: {name} gets new keys"),
            ));
        };
        let Some(address) = file.address() else {
            return Err(DecideError::impossible_help(
                format!("{} has no IPv4 Address", file.file.path),
                format!("move the file away and run this again: {name} gets new keys and an address"),
            ));
        };
        let right = at_server
            .iter()
            .find(|p| p.public_key.as_ref() == Some(key) && p.address() == Some(address));
        let preshared = has_preshared(file);
        if right.is_none() {
            // A section of this name or key with something else in it is what was before.
            self.forget(
                name,
                |p| p.name.as_ref() == Some(name) || p.public_key.as_ref() == Some(key),
                Some(key),
            );
            let mark = preshared.then(|| preshared_of(name));
            self.server.add(name, &public_of(name), mark.as_deref(), address);
        }
        let runs = self.state.running.is_ok();
        let live = self
            .state
            .running_peer(key)
            .is_some_and(|p| first_address(&p.allowed_ips) == Some(address));
        if right.is_none() || (runs && !live) {
            self.change.known.push((name, &file.file));
            self.change.live.push(Live {
                name,
                preshared,
                allowed_ips: right.map_or_else(|| format!("{address}/32"), |p| p.allowed_ips.clone()),
            });
            self.mended.push(name);
        }
        Ok(())
    }

    /// Whether the server can know a peer by its file, without taking an address from another.
    fn can_have(&self, file: &PeerFile) -> bool {
        let Some(address) = file.address().filter(|_| file.public_key.is_some()) else {
            return false;
        };
        let inside = self.server.subnet().is_ok_and(|s| s.is_for_peers(address));
        let is_other = |p: &ServerPeer| p.public_key != file.public_key && p.name.as_ref() != Some(&file.name);
        inside
            && !self.given.contains(&address)
            && !self
                .server
                .peers()
                .iter()
                .any(|p| is_other(p) && p.address() == Some(address))
    }

    /// A peer that has no file: its keys, if it had any, are lost.
    fn make<'n: 's>(&mut self, name: &'n PeerName, before: Option<ServerPeer>) -> Result<(), DecideError> {
        self.forget(name, |p| p.name.as_ref() == Some(name), None);
        let address = match before.and_then(|p| p.address()) {
            Some(address) => address,
            None => self.free_address()?,
        };
        self.given.push(address);
        self.server
            .add(name, &public_of(name), Some(&preshared_of(name)), address);
        self.change.new.push((name, self.settings.new_file(name, address)));
        self.change.live.push(Live {
            name,
            preshared: true,
            allowed_ips: format!("{address}/32"),
        });
        self.added.push(name);
        Ok(())
    }

    fn free_address(&self) -> Result<Ipv4Addr, DecideError> {
        let files = self.state.files.iter().filter_map(PeerFile::address);
        let running = self.state.running.iter().flat_map(|r| &r.peers);
        let running = running.filter_map(|p| first_address(&p.allowed_ips));
        let taken: Vec<Ipv4Addr> = files.chain(running).chain(self.given.iter().copied()).collect();
        let spared: Vec<Ipv4Addr> = self.state.revoked.iter().filter_map(|r| r.address).collect();
        self.server.next_free(&taken, &spared).map_err(|what| {
            DecideError::impossible_help(
                format!("no address for another peer: {what}"),
                "revoke peers that nobody uses, or widen wireguard_internal_subnet",
            )
        })
    }

    /// Takes sections out of the server's configuration, and their keys, but for `keep`, out of the running tunnel.
    fn forget(&mut self, name: &PeerName, which: impl Fn(&ServerPeer) -> bool, keep: Option<&String>) {
        let mut keys: Vec<String> = self
            .server
            .peers()
            .into_iter()
            .filter(|p| which(p))
            .filter_map(|p| p.public_key)
            .collect();
        let remembered = self.state.revoked.iter().filter(|r| r.name == *name);
        keys.extend(remembered.filter_map(|r| r.public_key.clone()));
        self.server.remove(which);
        for key in keys {
            if Some(&key) != keep && self.state.running_peer(&key).is_some() && !self.change.dead.contains(&key) {
                self.change.dead.push(key);
            }
        }
    }

    fn must_not_be<'n: 's>(&mut self, name: &'n PeerName) -> Result<(), DecideError> {
        let file = self.state.file_of(name);
        let remembered = self.state.revoked.iter().find(|r| r.name == *name);
        let file_key = file.and_then(|f| f.public_key.clone());
        let at_server = self
            .server
            .peers()
            .into_iter()
            .find(|p| p.name.as_ref() == Some(name) || (file_key.is_some() && p.public_key == file_key));
        if file.is_none() && remembered.is_none() && at_server.is_none() {
            let names: Vec<String> = self
                .state
                .peers()
                .iter()
                .filter_map(|p| p.name.as_ref())
                .map(ToString::to_string)
                .collect();
            return Err(DecideError::impossible_help(
                format!("there is no peer {name}"),
                match names.as_slice() {
                    [] => "there are no peers at all".to_owned(),
                    names => format!("the peers are {}", names.join(", ")),
                },
            ));
        }
        let key = file_key
            .clone()
            .or_else(|| at_server.as_ref().and_then(|p| p.public_key.clone()))
            .or_else(|| remembered.and_then(|r| r.public_key.clone()));
        let address = file
            .and_then(PeerFile::address)
            .or_else(|| at_server.as_ref().and_then(ServerPeer::address))
            .or_else(|| remembered.and_then(|r| r.address));
        self.forget(
            name,
            |p| p.name.as_ref() == Some(name) || (key.is_some() && p.public_key == key),
            None,
        );
        if let Some(key) = &key
            && self.state.running_peer(key).is_some()
            && !self.change.dead.contains(key)
        {
            self.change.dead.push(key.clone());
        }
        let lives_on = remembered
            .and_then(|r| r.public_key.as_ref())
            .is_some_and(|k| self.change.dead.contains(k));
        if file.is_some() || remembered.is_none() || at_server.is_some() || lives_on {
            let mut words = String::new();
            if let Some(key) = key {
                words.push_str(&format!("PublicKey = {key}\n"));
            }
            if let Some(address) = address {
                words.push_str(&format!("Address = {address}\n"));
            }
            self.change.gone.push((name, words));
            self.dropped.push(name);
        }
        Ok(())
    }

    fn decided(self, what_is: impl Fn() -> String) -> Decision {
        let Self {
            before,
            server,
            mut change,
            added,
            mended,
            dropped,
            state,
            ..
        } = self;
        let mut words = Vec::new();
        let mut word = |verb: &str, names: &[&PeerName]| match names {
            [] => {}
            [one] => words.push(format!("{verb} peer {one}")),
            more => words.push(format!("{verb} {} peers", more.len())),
        };
        word("add", &added);
        word("connect", &mended);
        word("revoke", &dropped);
        match change.edits.len() {
            0 => {}
            1 => words.push("correct 1 peer file".into()),
            n => words.push(format!("correct {n} peer files")),
        }
        let mut told = Change::new(words.join(", "));
        let path = format!("{NATIVE_FOLDER}/{INTERFACE}.conf");
        if before != server {
            told = told.differs(
                format!("content of {path}"),
                shown(before.config()),
                shown(server.config()),
            );
            change.server = Some(server.config().clone());
        }
        let lax = state
            .server
            .as_ref()
            .filter(|f| (f.mode, f.owner.as_str()) != (0o600, "root"));
        if let Some(file) = lax {
            told = told.differs(
                format!("mode and owner of {path}"),
                Shown::text(format!("{:04o} {}", file.mode, file.owner)),
                Shown::text("0600 root"),
            );
            change.server = Some(server.config().clone());
            if words.is_empty() {
                told.summary = format!("make {path} root's alone");
            }
        } else if words.is_empty() && change.dead.is_empty() && before == server {
            return Decision::nothing(what_is());
        }
        for (name, file) in &change.new {
            let path = Layout::native().peer_file(name);
            told = told.differs(format!("content of {path}"), Shown::Absent, shown(file));
        }
        for edit in &change.edits {
            told = edit.told(told);
        }
        for (name, _) in &change.gone {
            told = told.differs(format!("peer {name}"), Shown::text("has keys"), Shown::text("revoked"));
        }
        let summary = told.summary.clone();
        told.step(Shell::new(summary, change.script()))
            .touching([Touch::Kind("wireguard"), Touch::Path(NATIVE_FOLDER.into())])
            .into()
    }
}

fn has_preshared(file: &PeerFile) -> bool {
    let config = &file.file.config;
    let sections = config.sections("Peer");
    sections.iter().any(|s| !config.values(*s, "PresharedKey").is_empty())
}

fn join(names: &[PeerName]) -> String {
    names.iter().map(PeerName::as_str).collect::<Vec<_>>().join(", ")
}

fn are(names: &[PeerName]) -> String {
    match names {
        [one] => format!("{one} is"),
        more => format!("{} are", join(more)),
    }
}
