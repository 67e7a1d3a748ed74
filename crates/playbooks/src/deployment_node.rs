//! `deployment-node`: the tools that a deployment is made with.

use mosip_prov_engine::{Play, Playbook};
use role_deployment_node::DeploymentNode;

pub(crate) fn playbook() -> Playbook {
    Playbook::new(
        "deployment-node",
        "bring the tools of a deployment to the machine that it is made from",
    )
    .play(Play::on_deployment_node("Bring the tools").role(DeploymentNode))
}
