//! `deploy-istio`: Istio in the MOSIP cluster.

use mosip_prov_engine::{Play, Playbook};
use role_istio::Istio;

pub(crate) fn playbook() -> Playbook {
    Playbook::new("deploy-istio", "deploy Istio in the MOSIP cluster").play(
        // It builds on the nodes, and only from the deployment node.
        Play::on_deployment_node("Deploy Istio")
            .serving("physical_vms")
            .role(Istio),
    )
}
