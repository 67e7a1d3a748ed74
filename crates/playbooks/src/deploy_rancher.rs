//! `deploy-rancher`: the main cluster, from machines to ready nodes.

use crate::checks::OneTaskEach;
use crate::{rke, rke2};
use mosip_prov_engine::{Play, Playbook};
use mosip_prov_rke2::Flavor;
use role_rke_node::RkeNode;
use std::time::Duration;

pub(crate) fn playbook() -> Playbook {
    let playbook = Playbook::new(
        "deploy-rancher",
        "prepare the nodes of the MOSIP cluster, and build it with RKE or RKE2",
    )
    .check(OneTaskEach);
    let playbook = rke::checked(playbook, Flavor::Main).play(
        Play::new("Prepare the nodes", "physical_vms")
            .wait_for_hosts(Duration::from_secs(60))
            .role(RkeNode),
    );
    rke2::added_to(rke::added_to(playbook, Flavor::Main), Flavor::Main)
}
