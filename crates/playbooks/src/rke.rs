//! The plays of a cluster that RKE 1 builds. Where `cluster_distribution` is `rke2` they have no tasks.

use mosip_prov_engine::{Play, Playbook};
use mosip_prov_rke2::Flavor;
use role_canal_mtu::CanalMtu;
use role_rke_cluster::RkeCluster;

/// `playbook` with what must hold on the deployment node before any machine is changed.
pub(crate) fn checked(playbook: Playbook, flavor: Flavor) -> Playbook {
    playbook.play(
        Play::on_deployment_node("See that the cluster can be built")
            .serving(flavor.group())
            .max_fail_percentage(0)
            .role(RkeCluster::of(flavor).checks()),
    )
}

/// `playbook` with the plays of that cluster at its end, on machines that are prepared.
pub(crate) fn added_to(playbook: Playbook, flavor: Flavor) -> Playbook {
    playbook
        .play(
            Play::on_deployment_node("Build the cluster")
                .serving(flavor.group())
                .max_fail_percentage(0)
                .role(RkeCluster::of(flavor)),
        )
        .play(Play::new("Set the MTU of the nodes' pods", flavor.group()).role(CanalMtu::new(flavor)))
        .play(
            Play::on_deployment_node("Import the cluster, and see that it is well")
                .serving(flavor.group())
                .role(RkeCluster::of(flavor).finish()),
        )
}
