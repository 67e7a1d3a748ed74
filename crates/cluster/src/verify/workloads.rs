//! Deployments, daemon sets and stateful sets with all that they want, and jobs that have succeeded.

use super::{Cluster, PODS, WORKLOADS};
use crate::object::{condition, in_brackets, is, name, namespace, number, owner, said, subject, text};
use crate::ready::deployment_trouble;
use mosip_prov_events::{Finding, Level};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is found beyond what the pods of a workload say themselves (`of_pods`): one cause is one finding.
pub(super) fn judge(cluster: &Cluster<'_>, of_pods: &[Finding]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut well: BTreeMap<&str, usize> = BTreeMap::new();
    for object in &cluster.workloads {
        let kind = text(object, "/kind");
        let finding = match kind {
            "Deployment" => deployment(cluster, object),
            "DaemonSet" => daemon_set(cluster, object),
            "StatefulSet" => stateful_set(cluster, object),
            "Job" => job(cluster, object),
            _ => continue,
        };
        match finding {
            None => *well.entry(namespace(object)).or_default() += 1,
            Some(finding) if is_said_by_pods(cluster, object, &finding, of_pods) => {}
            Some(finding) => found.push(finding),
        }
    }
    found.extend(well.into_iter().map(|(space, count)| {
        let message = if count == 1 {
            "1 complete".to_owned()
        } else {
            format!("{count} complete")
        };
        Finding::ok(WORKLOADS, "workloads", space, message)
    }));
    found
}

/// Whether a pod of a workload that is not complete is already found to be wrong.
fn is_said_by_pods(cluster: &Cluster<'_>, object: &Value, finding: &Finding, of_pods: &[Finding]) -> bool {
    if !matches!(
        finding.check.as_str(),
        "deployment_incomplete" | "progress_deadline" | "daemonset_incomplete" | "statefulset_incomplete"
    ) {
        return false;
    }
    let mut own = cluster
        .pods
        .iter()
        .filter(|pod| namespace(pod) == namespace(object) && belongs(pod, object));
    own.any(|pod| {
        let subject = subject(pod);
        of_pods
            .iter()
            .any(|one| one.area == PODS && one.level == Level::Failure && one.subject == subject)
    })
}

/// Whether a pod is of a workload. A deployment's pods are of its replica sets: its name, a hyphen and a hash.
fn belongs(pod: &Value, object: &Value) -> bool {
    match owner(pod) {
        Some(("ReplicaSet", set)) if object["kind"] == "Deployment" => is_set_of(set, name(object)),
        Some((kind, owner)) => object["kind"] == kind && owner == name(object),
        None => false,
    }
}

fn is_set_of(set: &str, deployment: &str) -> bool {
    set.rsplit_once('-').is_some_and(|(start, _)| start == deployment)
}

fn failure(object: &Value, check: &str, message: String, remedy: String) -> Option<Finding> {
    let kind = text(object, "/kind").to_lowercase();
    Some(Finding::failure(
        WORKLOADS,
        check,
        format!("{} ({kind})", subject(object)),
        message,
        remedy,
    ))
}

/// Why no pod is made: the quota, or what else the API refuses. `makers` says whether an object makes pods for `object`.
fn not_made(cluster: &Cluster<'_>, object: &Value, kind: &str, makers: impl Fn(&str) -> bool) -> Option<Finding> {
    let of_condition = condition(object, "ReplicaFailure")
        .filter(|failure| failure["status"] == "True")
        .map(|failure| text(failure, "/message"));
    let message = of_condition.or_else(|| {
        let events = cluster.events.iter().filter(|event| {
            text(event, "/reason") == "FailedCreate"
                && text(event, "/involvedObject/kind") == kind
                && text(event, "/involvedObject/namespace") == namespace(object)
                && makers(text(event, "/involvedObject/name"))
        });
        events
            .max_by_key(|event| super::last_seen(event))
            .map(|event| text(event, "/message"))
    })?;
    let space = namespace(object);
    if message.contains("exceeded quota") {
        let look = cluster.command(&["-n", space, "describe", "resourcequota"]);
        let remedy = format!("raise the quota, or ask for less: {look}");
        return failure(
            object,
            "quota_exceeded",
            format!("the quota of its namespace allows no further pod: {}", said(message)),
            remedy,
        );
    }
    let remedy = format!(
        "look further: {}",
        cluster.describe(&text(object, "/kind").to_lowercase(), object)
    );
    failure(
        object,
        "pods_refused",
        format!("its pods are refused: {}", said(message)),
        remedy,
    )
}

fn deployment(cluster: &Cluster<'_>, object: &Value) -> Option<Finding> {
    let lacks = deployment_trouble(object)?;
    if let Some(finding) = not_made(cluster, object, "ReplicaSet", |set| is_set_of(set, name(object))) {
        return Some(finding);
    }
    let describe = cluster.describe("deployment", object);
    if let Some(stuck) = condition(object, "Progressing").filter(|one| one["reason"] == "ProgressDeadlineExceeded") {
        let message = format!("it has given up: {lacks}{}", in_brackets(text(stuck, "/message")));
        return failure(
            object,
            "progress_deadline",
            message,
            format!("see what keeps its pods: {describe}"),
        );
    }
    failure(
        object,
        "deployment_incomplete",
        lacks,
        format!("look further: {describe}"),
    )
}

fn daemon_set(cluster: &Cluster<'_>, object: &Value) -> Option<Finding> {
    let of = |pointer: &str| number(object, pointer).unwrap_or(0);
    let wanted = of("/status/desiredNumberScheduled");
    let describe = cluster.describe("daemonset", object);
    let lacks = if of("/status/observedGeneration") < of("/metadata/generation") {
        "its last change has not been taken up".to_owned()
    } else if of("/status/currentNumberScheduled") < wanted {
        format!("it is on {} of {wanted} nodes", of("/status/currentNumberScheduled"))
    } else if of("/status/updatedNumberScheduled") < wanted && object["spec"]["updateStrategy"]["type"] != "OnDelete" {
        format!(
            "it is of its newest version on {} of {wanted} nodes",
            of("/status/updatedNumberScheduled")
        )
    } else if of("/status/numberReady") < wanted {
        format!("it is ready on {} of {wanted} nodes", of("/status/numberReady"))
    } else {
        return None;
    };
    not_made(cluster, object, "DaemonSet", |set| set == name(object)).or_else(|| {
        failure(
            object,
            "daemonset_incomplete",
            lacks,
            format!("look further: {describe}"),
        )
    })
}

fn stateful_set(cluster: &Cluster<'_>, object: &Value) -> Option<Finding> {
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let ready = number(object, "/status/readyReplicas").unwrap_or(0);
    if ready >= wanted {
        return None;
    }
    if let Some(finding) = not_made(cluster, object, "StatefulSet", |set| set == name(object)) {
        return Some(finding);
    }
    let message = format!("{ready} of {wanted} replicas are ready; it begins one only when those before are ready");
    let remedy = format!("look further: {}", cluster.describe("statefulset", object));
    failure(object, "statefulset_incomplete", message, remedy)
}

/// A job that has failed. One that is still at work is judged by its pods.
fn job(cluster: &Cluster<'_>, object: &Value) -> Option<Finding> {
    if !is(object, "Failed", "True") {
        return None;
    }
    let why = condition(object, "Failed").map_or("", |one| text(one, "/message"));
    let began = text(object, "/metadata/creationTimestamp");
    // Those of one cron job, and those that one chart makes again with every release.
    let kin = |other: &Value| match (owner(object), owner(other)) {
        (Some(one), Some(two)) => one == two,
        (None, None) => stem(name(object)).is_some_and(|stem_of| Some(stem_of) == stem(name(other))),
        _ => false,
    };
    let later = cluster.of_kind("Job").find(|other| {
        namespace(other) == namespace(object)
            && is(other, "Complete", "True")
            && text(other, "/metadata/creationTimestamp") > began
            && kin(other)
    });
    let logs = cluster.command(&[
        "-n",
        namespace(object),
        "logs",
        &format!("job/{}", name(object)),
        "--all-containers",
        "--tail=50",
    ]);
    match later {
        Some(later) => Some(Finding::warning(
            WORKLOADS,
            "job_failed_before",
            format!("{} (job)", subject(object)),
            format!("it failed{}, and {} has succeeded since", in_brackets(why), name(later)),
            format!("nothing needs to be done; its output, if its pods are still there: {logs}"),
        )),
        None => failure(
            object,
            "job_failed",
            format!("it failed{}", in_brackets(why)),
            format!("see its output: {logs}"),
        ),
    }
}

/// A name without the number or hash at its end.
fn stem(name: &str) -> Option<&str> {
    let (stem, last) = name.rsplit_once('-')?;
    last.bytes().any(|b| b.is_ascii_digit()).then_some(stem)
}
