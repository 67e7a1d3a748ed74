//! The VPN: WireGuard in a container, or as the distribution has it, with files for its peers.
//!
//! | backend | what runs | who makes the peers' keys |
//! |---|---|---|
//! | `docker` | the image linuxserver/wireguard, in a container with a unit of its own | the image |
//! | `native` | `wg-quick@wg0` | this role, on the host |
//!
//! Either stops the other, and leaves its files in place. No key leaves the host, or is ever shown.

mod daemon;
mod docker;
mod folder;
mod native;
mod running;
mod settings;

pub use settings::{DockerSettings, Settings};

use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::probe::package::{AskPackage, PackageStatus};
use mosip_prov_resources::{Ask, Condition, Role, RoleContext, RoleTasks, Verdict};

/// The defaults of the role's variables: those that the command `wireguard peers` reads too, and its own.
pub const DEFAULTS: &str = concat!(
    include_str!("../../../crates/wireguard/defaults.yml"),
    include_str!("../defaults.yml")
);

/// The tag of what concerns Docker.
const DOCKER: &str = "docker";
/// The tag of what concerns the tunnel.
const WIREGUARD: &str = "wireguard";
/// The tag of what concerns the peers' files.
const CONFIG: &str = "config";

/// The role `wireguard`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wireguard;

impl Role for Wireguard {
    fn name(&self) -> &str {
        "wireguard"
    }

    fn summary(&self) -> &str {
        "the VPN: WireGuard in Docker or from the distribution, and its peers"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        match Settings::read(cx, problems) {
            Some(settings) => tasks(&settings),
            None => RoleTasks::default(),
        }
    }
}

/// The tasks for these settings, in order, and the handlers.
pub fn tasks(settings: &Settings) -> RoleTasks {
    match &settings.docker {
        Some(docker) => docker::tasks(settings, docker),
        None => native::tasks(settings),
    }
}

/// The index of packages matters only where one of `names` is missing, and none that serves `instead` is there.
fn one_is_missing(names: &[&'static str], instead: &[&'static str]) -> Condition {
    let asks =
        |names: &[&'static str]| -> Vec<AskPackage> { names.iter().map(|name| AskPackage::new(*name)).collect() };
    let (names, instead) = (asks(names), asks(instead));
    let questions = names.iter().chain(&instead).map(Ask::question).collect();
    Condition::new(questions, move |answers| {
        let installed = |ask: &AskPackage| -> Result<bool, _> {
            let status = answers.get(ask)?.status;
            Ok::<bool, mosip_prov_resources::DecideError>(matches!(status, PackageStatus::Installed { .. }))
        };
        for ask in &instead {
            if installed(ask)? {
                return Ok(Verdict::Skip("what serves in their place is installed".into()));
            }
        }
        for ask in &names {
            if !installed(ask)? {
                return Ok(Verdict::Do);
            }
        }
        Ok(Verdict::Skip("all packages are installed".into()))
    })
}
