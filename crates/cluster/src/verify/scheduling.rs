//! Why a pod has no node: the scheduler's own words, read.

use super::{Cluster, PODS};
use crate::object::{condition, said, subject, text};
use mosip_prov_events::Finding;
use serde_json::Value;

/// What the scheduler says, the check that it means, what that is, and what to do. The first that fits is the reason: a
/// message counts the nodes by all that keeps the pod from them, and the taints of control-plane nodes are in nearly each.
const REASONS: [(&[&str], &str, &str, &str); 9] = [
    (
        &["unbound immediate PersistentVolumeClaims"],
        "pending_volume",
        "it waits for a volume that nothing provides",
        "see the claim and its storage class",
    ),
    (
        &["persistentvolumeclaim", "not found"],
        "missing_claim",
        "it wants a claim of a volume that is not there",
        "create the claim, or see why what should create it did not",
    ),
    (
        &["volume node affinity conflict"],
        "volume_elsewhere",
        "its volume is on a node where it cannot run",
        "see which node has the volume",
    ),
    (
        &["Insufficient cpu"],
        "insufficient_cpu",
        "no node has the CPU that it asks for",
        "add nodes, or lower its requests",
    ),
    (
        &["Insufficient memory"],
        "insufficient_memory",
        "no node has the memory that it asks for",
        "add nodes, or lower its requests",
    ),
    (
        &["Too many pods"],
        "too_many_pods",
        "no node takes one pod more",
        "add nodes, or raise kubelet_max_pods",
    ),
    (
        &["free ports"],
        "port_taken",
        "no node has its host port free",
        "see which pod holds the port",
    ),
    (
        &["node affinity", "selector"],
        "node_affinity",
        "no node has the labels that it wants",
        "label a node so, or change its node selector",
    ),
    (
        &["taint"],
        "taints",
        "all nodes have taints that it does not tolerate",
        "add nodes without taints, or tolerations",
    ),
];

/// What keeps a pod from getting a node; `None` when it has one.
pub(super) fn trouble(cluster: &Cluster<'_>, pod: &Value) -> Option<Finding> {
    let scheduled = condition(pod, "PodScheduled").filter(|scheduled| scheduled["status"] == "False")?;
    let message = text(scheduled, "/message");
    let lower = message.to_ascii_lowercase();
    let fits = |parts: &[&str]| parts.iter().all(|part| lower.contains(&part.to_ascii_lowercase()));
    // Older releases: "didn't match node selector"; newer: "didn't match Pod's node affinity/selector".
    let selector = |parts: &[&str]| parts.contains(&"selector") && lower.contains("node selector");
    let reason = REASONS.iter().find(|(parts, ..)| fits(parts) || selector(parts));
    let (check, what, remedy) = match reason {
        Some((_, check, what, remedy)) => (*check, *what, *remedy),
        None => ("unschedulable", "it has no node", "see what the scheduler says"),
    };
    let claims = match check {
        "pending_volume" | "missing_claim" => claims_of(pod),
        _ => Vec::new(),
    };
    let of = if claims.is_empty() {
        String::new()
    } else {
        format!(" (claim {})", claims.join(", "))
    };
    Some(Finding::failure(
        PODS,
        check,
        subject(pod),
        format!("{what}{of}: {}", said(message)),
        format!("{remedy}: {}", cluster.describe("pod", pod)),
    ))
}

/// The claims that a pod names.
pub(super) fn claims_of(pod: &Value) -> Vec<&str> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes
        .filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
        .collect()
}
