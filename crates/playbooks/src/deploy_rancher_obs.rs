//! `deploy-rancher-obs`: the observation cluster, from its machine to its front.

use crate::{deploy_rancher_obs_nginx, rke, rke2};
use mosip_prov_engine::{Play, Playbook};
use mosip_prov_rke2::Flavor;
use role_obs_node::ObsNode;
use std::time::Duration;

pub(crate) fn playbook() -> Playbook {
    let playbook = Playbook::new(
        "deploy-rancher-obs",
        "prepare the observation node, build its cluster and its front",
    );
    let playbook = rke::checked(playbook, Flavor::Observation).play(
        Play::new("Prepare the observation node", "mosip_obs")
            .wait_for_hosts(Duration::from_secs(60))
            .role(ObsNode),
    );
    let mut playbook = rke2::added_to(rke::added_to(playbook, Flavor::Observation), Flavor::Observation);
    let front = deploy_rancher_obs_nginx::playbook();
    playbook.checks.extend(front.checks);
    playbook.plays.extend(front.plays);
    playbook
}
