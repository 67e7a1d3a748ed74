//! The plays of a cluster that RKE2 builds. Where `cluster_distribution` is not `rke2` they have no tasks.

use mosip_prov_engine::{Play, Playbook, Serial};
use mosip_prov_rke2::{Flavor, Library};
use role_rke2_cluster::{Rke2Cluster, Rke2Token};
use role_rke2_node::{Part, Rke2Node};

/// `playbook` with the plays of that cluster at its end.
pub(crate) fn added_to(playbook: Playbook, flavor: Flavor) -> Playbook {
    plays(flavor).into_iter().fold(playbook, Playbook::play)
}

/// What builds the cluster on machines that are prepared: what is large goes to all at once, the first server makes the
/// cluster, further servers join one after the other, agents all at once.
fn plays(flavor: Flavor) -> Vec<Play> {
    let library = Library::default();
    let node =
        |name: &str, part: Part| Play::new(name, flavor.group()).role(Rke2Node::new(flavor, part, library.clone()));
    vec![
        node("Put RKE2 on the machines", Part::Files),
        Play::on_deployment_node("Keep the cluster's token")
            .serving(flavor.group())
            .role(Rke2Token::new(flavor)),
        // What follows joins this one, and joins one by one: etcd takes in one member at a time.
        node("Run the first server", Part::FirstServer).max_fail_percentage(0),
        node("Join the further servers", Part::FurtherServers)
            .serial(Serial::Hosts(1))
            .max_fail_percentage(0),
        node("Join the agents", Part::Agents),
        Play::on_deployment_node("Bring the cluster home")
            .serving(flavor.group())
            .role(Rke2Cluster::new(flavor)),
    ]
}
