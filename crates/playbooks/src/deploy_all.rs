//! `deploy-all`: the main cluster from machines to Istio, with everything seen to before the first change.

use crate::{deploy_istio, deploy_nginx, deploy_rancher};
use mosip_prov_engine::{Play, Playbook};
use role_ready::{Ready, ReadyTools};
use role_rke_node::RkeNodeChecks;
use role_verify::Verify;
use std::time::Duration;

/// The machines that are changed from a connection to them.
const MACHINES: &str = "physical_vms:nginx";
/// An installation may have its front elsewhere.
const FRONT: &str = "nginx";

pub(crate) fn playbook() -> Playbook {
    let mut playbook = Playbook::new(
        "deploy-all",
        "build the MOSIP cluster, its front and Istio, after seeing that all they need is there",
    )
    // One that fails ends the run: nothing has been changed by then.
    .play(
        Play::on_deployment_node("See that the deployment node has its tools")
            .serving("physical_vms")
            .max_fail_percentage(0)
            .role(ReadyTools),
    )
    .play(
        Play::new("See that every machine can be deployed to", MACHINES)
            .optional(FRONT)
            .wait_for_hosts(Duration::from_secs(60))
            .max_fail_percentage(0)
            .role(Ready),
    )
    .play(
        Play::new("See that the nodes can be prepared", "physical_vms")
            .max_fail_percentage(0)
            .role(RkeNodeChecks),
    );
    for stage in [
        deploy_rancher::playbook(),
        deploy_nginx::playbook(),
        deploy_istio::playbook(),
    ] {
        playbook.checks.extend(stage.checks);
        playbook
            .plays
            .extend(stage.plays.into_iter().map(|play| play.optional(FRONT)));
    }
    playbook.play(
        Play::on_deployment_node("Verify the cluster")
            .serving("physical_vms")
            .role(Verify::default()),
    )
}
