//! `wireguard`: the VPN and its peers.

use crate::checks::DockerOfTheVpn;
use mosip_prov_engine::{Play, Playbook};
use role_wireguard::Wireguard;

pub(crate) fn playbook() -> Playbook {
    Playbook::new("wireguard", "set up the VPN and its peers")
        .play(Play::new("Set up the VPN", "wireguard").role(Wireguard))
        .check(DockerOfTheVpn)
}
