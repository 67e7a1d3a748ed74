//! The VPN's peers: who they are, their files, and the playbooks that add and revoke them.

use crate::{Asking, InputErrors, Provisioner};
use mosip_prov_engine::{Ask as _, AskError, Inquiry, Play, Playbook};
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::value::Secret;
use mosip_prov_inventory::yaml;
use mosip_prov_transport::TransportError;
use mosip_prov_wireguard::{AskPeers, HostState, Layout, PeerName, PeersRole, Settings, Wish, settings::DEFAULTS};
use std::collections::HashMap;
use std::sync::Arc;

/// The group of the hosts that peers connect to.
const GROUP: &str = "wireguard";

/// Why the peers of a host are not known.
#[derive(Debug, thiserror::Error)]
pub enum PeersError {
    /// It could not be asked.
    #[error("{0}")]
    Host(#[from] TransportError),
    /// It could not answer.
    #[error("{0}")]
    Answer(#[from] AskError),
}

/// A peer's file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The host could not be asked.
    #[error("{0}")]
    Host(#[from] TransportError),
    /// The file could not be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// Where it is on the host.
        path: String,
        /// What the host said.
        reason: String,
    },
    /// The run is not for that host.
    #[error("{0} is not among the hosts that are asked")]
    NoSuchHost(String),
}

/// The playbook that adds or revokes peers by name, on all hosts of group `wireguard`.
pub fn playbook(wish: Wish, names: &[String]) -> Playbook {
    let (word, summary) = match wish {
        Wish::Add => ("add", "add peers to the VPN"),
        Wish::Revoke => ("revoke", "revoke peers of the VPN"),
        Wish::Look => ("look", "look at the peers of the VPN"),
    };
    let role = PeersRole::new(wish, names.iter().cloned());
    let title = format!("{}{} peers", word[..1].to_uppercase(), &word[1..]);
    Playbook::new(format!("wireguard peers {word}"), summary).play(Play::new(title, GROUP).role(role))
}

/// The VPN hosts of an inventory, to be asked for their peers.
pub struct PeersOf {
    asking: Asking,
    layouts: HashMap<String, Layout>,
}

impl PeersOf {
    /// The hosts of group `wireguard` inside the limit.
    ///
    /// # Errors
    /// Everything that is wrong with selection, settings and files.
    pub fn prepare(provisioner: &Provisioner) -> Result<Self, InputErrors> {
        let play = Play::new("Look at the peers", GROUP).role(PeersRole::looking());
        let asking = provisioner.ask(play)?;
        let mut problems = Diagnostics::new();
        let defaults = problems.take(yaml::parse_vars(DEFAULTS, "<defaults of role wireguard>"));
        let defaults = Arc::new(defaults.unwrap_or_default());
        let mut layouts = HashMap::new();
        for host in asking.hosts() {
            let vars = provisioner.vars_of(host).cloned();
            let vars = vars.map(|vars| vars.with_defaults(defaults.clone()));
            if let Some(settings) = vars.and_then(|vars| Settings::read(&vars, &mut problems)) {
                layouts.insert(host.to_owned(), settings.layout);
            }
        }
        match problems.has_errors() {
            true => Err(problems.into()),
            false => Ok(Self { asking, layouts }),
        }
    }

    /// The hosts, to be changed in how they are reached: see [`Asking`].
    #[must_use]
    pub fn map(self, change: impl FnOnce(Asking) -> Asking) -> Self {
        Self {
            asking: change(self.asking),
            layouts: self.layouts,
        }
    }

    /// Findings that stop nothing.
    pub fn warnings(&self) -> &[mosip_prov_inventory::diagnostic::Diagnostic] {
        self.asking.warnings()
    }

    /// The hosts' names.
    pub fn hosts(&self) -> Vec<&str> {
        self.asking.hosts()
    }

    /// Ready to ask.
    pub fn open(&self) -> Inquiry {
        self.asking.open()
    }

    /// The peers of every host, in one exchange each, and no key but public ones.
    pub async fn look(&self, inquiry: &Inquiry) -> Vec<(String, Result<HostState, PeersError>)> {
        let ask_of = |host: &str| self.layouts.get(host).cloned().map(AskPeers);
        let questions = self.hosts().into_iter().map(|host| {
            let questions = ask_of(host).iter().map(AskPeers::question).collect();
            (host.to_owned(), questions)
        });
        let answers = inquiry.ask(&questions.collect()).await;
        let read = answers.into_iter().filter_map(|(host, answers)| {
            let ask = ask_of(&host)?;
            let state = answers
                .map_err(PeersError::from)
                .and_then(|a| a.get(&ask).map_err(PeersError::from));
            Some((host, state))
        });
        read.collect()
    }
}

/// The files of peers, keys included, in one more exchange with their host.
///
/// # Errors
/// The first that cannot be read.
pub async fn fetch(
    inquiry: &Inquiry,
    host: &str,
    files: &[(PeerName, String)],
) -> Result<Vec<(PeerName, Secret)>, FetchError> {
    let paths: Vec<String> = files.iter().map(|(_, path)| path.clone()).collect();
    let contents = inquiry
        .read_secrets(host, &paths)
        .await
        .ok_or_else(|| FetchError::NoSuchHost(host.to_owned()))??;
    let named = files.iter().zip(contents).map(|((name, path), content)| match content {
        Ok(content) => Ok((name.clone(), content)),
        Err(reason) => Err(FetchError::File {
            path: path.clone(),
            reason,
        }),
    });
    named.collect()
}
