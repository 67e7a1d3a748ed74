//! What `wireguard peers add` and `wireguard peers revoke` do on a host, as a role like any other: so that selection,
//! check mode, differences, locks and the journal are those of a run.

use crate::layout::Backend;
use crate::name::PeerName;
use crate::peers::Peers;
use crate::settings::{DEFAULTS, Settings};
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::{Role, RoleContext, RoleTasks, Task};

/// What is to happen to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It is to exist.
    Add,
    /// Its keys are to count no more.
    Revoke,
    /// Nothing: the settings are read, and what is wrong with them is said.
    Look,
}

/// Adds or revokes peers by name.
#[derive(Debug, Clone)]
pub struct PeersRole {
    wish: Wish,
    names: Vec<String>,
}

impl PeersRole {
    /// The peers that an operator named.
    pub fn new(wish: Wish, names: impl IntoIterator<Item = String>) -> Self {
        Self {
            wish,
            names: names.into_iter().collect(),
        }
    }

    /// Reads the settings and brings nothing about: for commands that only ask.
    pub fn looking() -> Self {
        Self::new(Wish::Look, [])
    }

    fn refused(&self, host: &str, names: &str) -> Option<Diagnostic> {
        let (what, help) = match self.wish {
            Wish::Look => return None,
            Wish::Add => (
                format!("{host}: the docker backend makes its peers from wireguard_peers, not one by one"),
                format!(
                    "add {names} to wireguard_peers, a list of names or a number, and say `mosip-prov run wireguard`; \
                     `wireguard_backend: native` takes peers one by one"
                ),
            ),
            Wish::Revoke => (
                format!("{host}: the docker backend has the peers of wireguard_peers, and revokes none one by one"),
                format!(
                    "take {names} out of wireguard_peers (write the others as a list of names) and say `mosip-prov run \
                     wireguard`: the image then forgets the key; `wireguard_backend: native` revokes peers one by one"
                ),
            ),
        };
        Some(Diagnostic::error(what).help(help))
    }
}

impl Role for PeersRole {
    fn name(&self) -> &str {
        "wireguard-peers"
    }

    fn summary(&self) -> &str {
        match self.wish {
            Wish::Add => "peers of the VPN, added by name",
            Wish::Revoke => "peers of the VPN, revoked by name",
            Wish::Look => "peers of the VPN, looked at",
        }
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        let Some(settings) = Settings::read(cx.vars, problems) else {
            return RoleTasks::default();
        };
        if settings.backend == Backend::Docker {
            let refused = self.refused(cx.host, &self.names.join(", "));
            // A default is no place where an operator finds anything.
            let place = cx.vars.location("wireguard_backend");
            let place = place.filter(|place| !place.file.to_string_lossy().starts_with('<'));
            problems.extend(refused.map(|r| r.at(place)));
            return RoleTasks::default();
        }
        let mut tasks = Vec::new();
        for word in &self.names {
            match PeerName::of(word, settings.backend) {
                Ok(name) => {
                    let peers = Peers::new(settings.peer.clone());
                    let title = format!("peer {name}");
                    match self.wish {
                        Wish::Add => tasks.push(Task::new(format!("Add {title}"), peers.present([name]))),
                        Wish::Revoke => tasks.push(Task::new(format!("Revoke {title}"), peers.revoked([name]))),
                        Wish::Look => {}
                    }
                }
                Err(what) => problems.push(
                    Diagnostic::error(format!("the name \"{word}\" {what}"))
                        .help("letters, digits, hyphens and underscores make a name, 15 at most"),
                ),
            }
        }
        RoleTasks {
            tasks,
            handlers: Vec::new(),
        }
    }
}
