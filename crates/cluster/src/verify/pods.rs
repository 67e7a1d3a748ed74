//! The pods of all namespaces: Running with all containers ready, or Completed; else which container, and why.

use super::{Cluster, PODS, nodes, scheduling, waiting};
use crate::object::{in_brackets, name, namespace, owner, said, seconds_since, spoken, subject, text};
use mosip_prov_events::{Finding, Level};
use serde_json::Value;
use std::collections::BTreeMap;

/// A pod that is being deleted for longer, in seconds and beyond the time it was given, does not go by itself.
const STUCK: i64 = 120;
/// A container that was started again, and has not run for so many seconds yet, may fall over again.
const STEADY: i64 = 60;
/// Restarts from which on a container that runs is worth a look.
const MANY_RESTARTS: i64 = 5;

/// What is found of the pods, and in short, by namespace, how many are well.
pub(super) fn judge(cluster: &Cluster<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut well: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for pod in &cluster.pods {
        let finding = of_pod(cluster, pod);
        if finding.as_ref().is_none_or(|finding| finding.level != Level::Failure) {
            let counts = well.entry(namespace(pod)).or_default();
            match text(pod, "/status/phase") {
                "Running" => counts.0 += 1,
                "Succeeded" => counts.1 += 1,
                _ => {}
            }
        }
        found.extend(finding);
    }
    found.extend(well.into_iter().map(|(space, (running, completed))| {
        let message = match completed {
            0 => format!("{running} running"),
            _ => format!("{running} running, {completed} completed"),
        };
        Finding::ok(PODS, "pods", space, message)
    }));
    found
}

/// A container that is stuck, in words for findings.
pub(super) struct Container<'v> {
    pub(super) name: &'v str,
    pub(super) init: bool,
    pub(super) status: &'v Value,
}

impl Container<'_> {
    /// `container web`, `init container migrate`.
    pub(super) fn called(&self) -> String {
        let kind = if self.init { "init container" } else { "container" };
        format!("{kind} {}", self.name)
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = Container<'_>> {
    [
        ("/status/initContainerStatuses", true),
        ("/status/containerStatuses", false),
    ]
    .into_iter()
    .flat_map(|(pointer, init)| {
        let all = pod.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        all.map(move |status| Container {
            name: status["name"].as_str().unwrap_or_default(),
            init,
            status,
        })
    })
}

fn of_pod(cluster: &Cluster<'_>, pod: &Value) -> Option<Finding> {
    let phase = text(pod, "/status/phase");
    let on = text(pod, "/spec/nodeName");
    let node = cluster.nodes.iter().find(|node| name(node) == on);
    let finished = matches!(phase, "Succeeded" | "Failed");
    let describe = cluster.describe("pod", pod);
    let failure = |check: &str, message: String, remedy: String| {
        Some(Finding::failure(PODS, check, subject(pod), message, remedy))
    };
    if !finished && !on.is_empty() && node.is_some_and(|node| !nodes::takes_part(node)) {
        return failure(
            "node_lost",
            format!("its node {on} does not take part in the cluster"),
            format!("mend the node first: {}", cluster.command(&["describe", "node", on])),
        );
    }
    if !finished && (text(pod, "/status/reason") == "NodeLost" || phase == "Unknown") {
        return failure(
            "node_lost",
            format!("its node {on} no longer says how it is"),
            format!(
                "see that the machine runs and is reached: {}",
                cluster.command(&["get", "nodes", "-o", "wide"])
            ),
        );
    }
    if !finished && let Some(over) = seconds_since(pod, "/metadata/deletionTimestamp", cluster.now) {
        return terminating(cluster, pod, over);
    }
    match phase {
        "Succeeded" => None,
        "Failed" => failed(cluster, pod),
        "Running" => containers(pod)
            .find_map(|container| of_container(cluster, pod, &container))
            .or_else(|| restarts(cluster, pod)),
        "Pending" | "" => scheduling::trouble(cluster, pod)
            .or_else(|| containers(pod).find_map(|container| of_container(cluster, pod, &container)))
            .or_else(|| Some(waiting::creating(cluster, pod, None))),
        other => failure(
            "unknown_phase",
            format!("its phase is {}, which is not known here", said(other)),
            format!("look further: {describe}"),
        ),
    }
}

fn terminating(cluster: &Cluster<'_>, pod: &Value, over: i64) -> Option<Finding> {
    if over <= STUCK {
        return Some(Finding::failure(
            PODS,
            "terminating",
            subject(pod),
            "it is being stopped",
            format!("wait; if it stays: {}", cluster.describe("pod", pod)),
        ));
    }
    let finalizers = pod
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let finalizers: Vec<&str> = finalizers.filter_map(Value::as_str).collect();
    let (why, remedy) = match finalizers.is_empty() {
        true => (
            "its node has not confirmed that it is gone".to_owned(),
            format!(
                "see the kubelet of {}; once nothing of it runs there: {}",
                text(pod, "/spec/nodeName"),
                cluster.command(&[
                    "-n",
                    namespace(pod),
                    "delete",
                    "pod",
                    name(pod),
                    "--grace-period=0",
                    "--force"
                ])
            ),
        ),
        false => (
            format!("what set finalizer {} has not let it go", finalizers.join(", ")),
            format!(
                "see that the controller that set it runs: {}",
                cluster.describe("pod", pod)
            ),
        ),
    };
    let message = format!("it should be gone since {}: {why}", spoken(over));
    Some(Finding::failure(
        PODS,
        "terminating_stuck",
        subject(pod),
        message,
        remedy,
    ))
}

/// A pod that has ended, not well.
fn failed(cluster: &Cluster<'_>, pod: &Value) -> Option<Finding> {
    let (reason, message) = (text(pod, "/status/reason"), text(pod, "/status/message"));
    let warning = |check: &str, message: String, remedy: String| {
        Some(Finding::warning(PODS, check, subject(pod), message, remedy))
    };
    let remove = cluster.command(&["-n", namespace(pod), "delete", "pod", name(pod)]);
    let owned = owner(pod);
    if reason == "Evicted" && owned.is_some() {
        return warning(
            "evicted",
            format!("left over: its node put it out{}", in_brackets(message)),
            format!(
                "another runs in its place if its workload is well; see what filled the node, then remove it: {remove}"
            ),
        );
    }
    if matches!(reason, "NodeShutdown" | "Shutdown" | "Terminated") && owned.is_some() {
        return warning(
            "node_shutdown",
            format!("left over from a restart of its node{}", in_brackets(message)),
            format!("another runs in its place if its workload is well; remove it: {remove}"),
        );
    }
    if let Some(("Job", job)) = owned {
        let job = cluster
            .of_kind("Job")
            .find(|one| name(one) == job && namespace(one) == namespace(pod));
        return match job {
            Some(job) if crate::object::is(job, "Complete", "True") => warning(
                "failed_try",
                "a try of a job that has succeeded since".into(),
                format!(
                    "nothing needs to be done; to see why it failed: {}",
                    cluster.describe("pod", pod)
                ),
            ),
            // The job says it once for all of its tries.
            Some(_) => None,
            None => exited(cluster, pod),
        };
    }
    exited(cluster, pod)
}

fn exited(cluster: &Cluster<'_>, pod: &Value) -> Option<Finding> {
    let reason = text(pod, "/status/reason");
    let check = if reason == "Evicted" {
        "evicted_for_good"
    } else {
        "pod_failed"
    };
    let container = containers(pod).find(|one| {
        one.status["state"]["terminated"]["exitCode"]
            .as_i64()
            .is_some_and(|c| c != 0)
    });
    let (what, remedy) = match &container {
        Some(one) => (
            format!(
                "{} ended with {}",
                one.called(),
                waiting::ending(&one.status["state"]["terminated"])
            ),
            format!("see its output: {}", cluster.logs(pod, one.name, false)),
        ),
        None => (
            format!(
                "it failed{}",
                in_brackets(&format!("{reason} {}", text(pod, "/status/message")))
            ),
            format!("look further: {}", cluster.describe("pod", pod)),
        ),
    };
    Some(Finding::failure(PODS, check, subject(pod), what, remedy))
}

/// What is wrong with a container of a pod that has not ended.
fn of_container(cluster: &Cluster<'_>, pod: &Value, container: &Container<'_>) -> Option<Finding> {
    let status = container.status;
    let state = &status["state"];
    let sidecar = is_sidecar(pod, container);
    if let Some(why) = state.get("waiting").filter(|why| why.is_object()) {
        return waiting::trouble(cluster, pod, container, why);
    }
    if let Some(end) = state.get("terminated").filter(|end| end.is_object()) {
        return match (end["exitCode"].as_i64().unwrap_or(0), container.init) {
            (0, true) => None,
            (_, true) => Some(waiting::init_failed(cluster, pod, container, end)),
            _ => Some(waiting::ended(cluster, pod, container, end)),
        };
    }
    let running = state.get("running").filter(|running| running.is_object())?;
    let restarted = status["restartCount"].as_i64().unwrap_or(0);
    let last = &status["lastState"]["terminated"];
    let since = seconds_since(running, "/startedAt", cluster.now);
    let called = container.called();
    if restarted >= 3
        && last["exitCode"].as_i64().is_some_and(|code| code != 0)
        && since.is_some_and(|since| since < STEADY)
    {
        return Some(Finding::failure(
            PODS,
            "just_restarted",
            subject(pod),
            format!(
                "{called} runs since {} only, after {restarted} restarts; the last one ended with {}",
                spoken(since.unwrap_or(0)),
                waiting::ending(last)
            ),
            format!(
                "wait and see; its last output: {}",
                cluster.logs(pod, container.name, true)
            ),
        ));
    }
    if container.init && !sidecar {
        let since = since
            .map(|since| format!(" since {}", spoken(since)))
            .unwrap_or_default();
        return Some(Finding::failure(
            PODS,
            "init_running",
            subject(pod),
            format!("{called} is at work{since}, and the others wait for it"),
            format!("see what it waits for: {}", cluster.logs(pod, container.name, false)),
        ));
    }
    if status["ready"] == true {
        return None;
    }
    Some(waiting::not_ready(cluster, pod, container))
}

/// Whether an init container goes on running beside the others, by its `restartPolicy`.
fn is_sidecar(pod: &Value, container: &Container<'_>) -> bool {
    let all = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    container.init
        && all
            .into_iter()
            .any(|one| one["name"] == container.name && one["restartPolicy"] == "Always")
}

fn restarts(cluster: &Cluster<'_>, pod: &Value) -> Option<Finding> {
    let (container, count) = containers(pod)
        .filter(|one| !one.init)
        .map(|one| {
            let count = one.status["restartCount"].as_i64().unwrap_or(0);
            (one, count)
        })
        .max_by_key(|(_, count)| *count)
        .filter(|(_, count)| *count >= MANY_RESTARTS)?;
    let liveness = cluster.warned("Pod", namespace(pod), name(pod), |reason, message| {
        reason == "Unhealthy" && message.starts_with("Liveness probe")
    });
    let why = match (liveness, &container.status["lastState"]["terminated"]) {
        (Some(message), _) => format!(": {}", said(message)),
        (None, end) if end.is_object() => format!("; the last time it ended with {}", waiting::ending(end)),
        _ => String::new(),
    };
    Some(Finding::warning(
        PODS,
        if liveness.is_some() {
            "liveness_restarts"
        } else {
            "restarts"
        },
        subject(pod),
        format!("{} runs, and was started again {count} times{why}", container.called()),
        format!(
            "see its output before the last restart: {}",
            cluster.logs(pod, container.name, true)
        ),
    ))
}
