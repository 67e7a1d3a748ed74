//! `deploy-rancher`: the machines of the main cluster, made ready to be its nodes.

use crate::checks::OneTaskEach;
use crate::rke2;
use mosip_prov_engine::{Play, Playbook};
use mosip_prov_rke2::Flavor;
use role_rke_node::RkeNode;
use std::time::Duration;

pub(crate) fn playbook() -> Playbook {
    let playbook = Playbook::new(
        "deploy-rancher",
        "prepare the nodes of the MOSIP cluster (--tags prepare); the cluster itself is not built yet",
    )
    .check(OneTaskEach)
    .play(
        Play::new("Prepare the nodes", "physical_vms")
            .wait_for_hosts(Duration::from_secs(60))
            .role(RkeNode),
    );
    rke2::added_to(playbook, Flavor::Main)
}
