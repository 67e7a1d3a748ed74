//! The nodes: all that are expected, ready and without trouble.

use super::{Cluster, NODES};
use crate::object::{condition, in_brackets, is, name, text};
use mosip_prov_events::Finding;
use serde_json::Value;

/// A condition that should not be, the check that finds it, and what it means.
const PRESSURES: [(&str, &str, &str, &str); 4] = [
    (
        "DiskPressure",
        "disk_pressure",
        "its disk is nearly full",
        "free space on it, images first: crictl rmi --prune, or docker image prune -a",
    ),
    (
        "MemoryPressure",
        "memory_pressure",
        "its memory is nearly used up",
        "see what takes it, or give the machine more",
    ),
    (
        "PIDPressure",
        "pid_pressure",
        "it has nearly no process ids left",
        "see which container starts so many processes",
    ),
    (
        "NetworkUnavailable",
        "node_network",
        "its network is not set up",
        "see the pods of the network plugin on it",
    ),
];

pub(super) fn judge(cluster: &Cluster<'_>, expected: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    // RKE2 writes names in lower case.
    let same = |node: &Value, wanted: &str| name(node).eq_ignore_ascii_case(wanted);
    if cluster.nodes.is_empty() && expected.is_empty() {
        let remedy = format!(
            "see why none has joined: {}",
            cluster.command(&["get", "nodes", "-o", "wide"])
        );
        found.push(Finding::failure(
            NODES,
            "no_nodes",
            "nodes",
            "the cluster has no node",
            remedy,
        ));
    } else if expected.is_empty() {
        found.push(Finding::warning(
            NODES,
            "none_expected",
            "nodes",
            format!("the inventory places no node of this cluster; the {} that it has are looked at", cluster.nodes.len()),
            "name the nodes in the inventory, so that a missing one is found: groups control_plane_nodes, etcd_nodes and \
             worker_nodes with physical_vm, or mosip_obs",
        ));
    }
    for wanted in expected {
        if !cluster.nodes.iter().any(|node| same(node, wanted)) {
            let there: Vec<&str> = cluster.nodes.iter().map(|node| name(node)).collect();
            let there = if there.is_empty() {
                "it has none".into()
            } else {
                format!("it has {}", there.join(", "))
            };
            found.push(Finding::failure(
                NODES,
                "node_missing",
                wanted,
                format!("it is not in the cluster; {there}"),
                "run the cluster's playbook again; on the machine, `docker ps` or `systemctl status rke2-agent` shows what runs",
            ));
        }
    }
    for node in &cluster.nodes {
        found.extend(of_node(cluster, node));
        if !expected.is_empty() && !expected.iter().any(|wanted| same(node, wanted)) {
            found.push(Finding::warning(
                NODES,
                "node_unexpected",
                name(node),
                "it is in the cluster, and the inventory does not place it there",
                format!(
                    "add it to the inventory, or take it out of the cluster: {}",
                    cluster.command(&["delete", "node", name(node)])
                ),
            ));
        }
    }
    found
}

/// Whether a node takes part; pods of one that does not are not their own fault.
pub(super) fn takes_part(node: &Value) -> bool {
    is(node, "Ready", "True")
}

fn of_node(cluster: &Cluster<'_>, node: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    let named = name(node);
    let further = cluster.describe("node", node);
    match condition(node, "Ready") {
        Some(ready) if ready["status"] == "True" => {}
        Some(ready) if ready["status"] == "Unknown" => found.push(Finding::failure(
            NODES,
            "node_lost",
            named,
            format!(
                "its kubelet no longer says anything{}",
                in_brackets(text(ready, "/message"))
            ),
            format!("see that the machine runs and is reached, and its kubelet too: {further}"),
        )),
        Some(ready) => found.push(Finding::failure(
            NODES,
            "node_not_ready",
            named,
            format!("it is not ready{}", in_brackets(text(ready, "/message"))),
            format!("look further: {further}"),
        )),
        None => found.push(Finding::failure(
            NODES,
            "node_not_ready",
            named,
            "it has not said that it is ready",
            format!("look further: {further}"),
        )),
    }
    for (kind, check, what, remedy) in PRESSURES {
        if let Some(there) = condition(node, kind).filter(|there| there["status"] == "True") {
            let message = format!("{what}{}", in_brackets(text(there, "/message")));
            found.push(Finding::failure(
                NODES,
                check,
                named,
                message,
                format!("{remedy}; look further: {further}"),
            ));
        }
    }
    if node["spec"]["unschedulable"] == true {
        found.push(Finding::warning(
            NODES,
            "node_cordoned",
            named,
            "it takes no new pods: it is cordoned",
            format!("if that is over: {}", cluster.command(&["uncordon", named])),
        ));
    }
    if found.is_empty() {
        let version = text(node, "/status/nodeInfo/kubeletVersion");
        let message = if version.is_empty() {
            "ready".to_owned()
        } else {
            format!("ready, {version}")
        };
        found.push(Finding::ok(NODES, "node", named, message));
    }
    found
}
