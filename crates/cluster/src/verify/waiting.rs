//! Containers that do not run, or run and are not ready: why, from their state and from the events of their pod.

use super::pods::Container;
use super::{Cluster, PODS};
use crate::object::{in_brackets, name, namespace, said, seconds_since, spoken, subject, text};
use mosip_prov_events::Finding;
use serde_json::Value;

/// How a container ended: `exit code 1 (Error)`, `exit code 137 (OOMKilled)`.
pub(super) fn ending(terminated: &Value) -> String {
    let code = terminated["exitCode"].as_i64().unwrap_or(0);
    let signal = terminated["signal"].as_i64().map(|signal| format!(", signal {signal}"));
    let reason = terminated["reason"].as_str().unwrap_or_default();
    format!("exit code {code}{}{}", signal.unwrap_or_default(), in_brackets(reason))
}

fn ran_out_of_memory(terminated: &Value) -> bool {
    terminated["reason"] == "OOMKilled"
}

fn out_of_memory(cluster: &Cluster<'_>, pod: &Value, container: &Container<'_>) -> Finding {
    let spec = ["containers", "initContainers"]
        .iter()
        .filter_map(|list| pod["spec"][*list].as_array())
        .flatten()
        .find(|one| one["name"] == container.name);
    let limit = spec.and_then(|spec| spec["resources"]["limits"]["memory"].as_str());
    let limit = limit.map_or("the memory of its node".to_owned(), |limit| {
        format!("its limit of {limit}")
    });
    Finding::failure(
        PODS,
        "oom_killed",
        subject(pod),
        format!(
            "{} was killed for using more memory than {limit}{}",
            container.called(),
            times(container)
        ),
        format!(
            "raise its memory limit, or see why it needs so much: {}",
            cluster.logs(pod, container.name, true)
        ),
    )
}

fn times(container: &Container<'_>) -> String {
    match container.status["restartCount"].as_i64().unwrap_or(0) {
        0 => String::new(),
        1 => ", restarted once".into(),
        count => format!(", restarted {count} times"),
    }
}

/// A container that waits, by the reason that the kubelet gives.
pub(super) fn trouble(cluster: &Cluster<'_>, pod: &Value, container: &Container<'_>, why: &Value) -> Option<Finding> {
    let reason = why["reason"].as_str().unwrap_or_default();
    let message = why["message"].as_str().unwrap_or_default();
    let called = container.called();
    let describe = cluster.describe("pod", pod);
    let failure = |check: &str, message: String, remedy: String| {
        Some(Finding::failure(PODS, check, subject(pod), message, remedy))
    };
    match reason {
        "CrashLoopBackOff" => {
            let last = &container.status["lastState"]["terminated"];
            if ran_out_of_memory(last) {
                return Some(out_of_memory(cluster, pod, container));
            }
            failure(
                if container.init {
                    "init_crash_loop"
                } else {
                    "crash_loop"
                },
                format!(
                    "{called} falls over again and again: {}{}",
                    ending(last),
                    times(container)
                ),
                format!("see its last output: {}", cluster.logs(pod, container.name, true)),
            )
        }
        "ImagePullBackOff" | "ErrImagePull" | "ErrImageNeverPull" | "RegistryUnavailable" | "ImageInspectError" => {
            let image = image(pod, container);
            let warned = cluster.warned("Pod", namespace(pod), name(pod), |reason, message| {
                reason == "Failed" && message.contains("Failed to pull image")
            });
            let said_of_it = warned.unwrap_or(message);
            failure(
                "image_pull",
                format!("{called}: image {image} cannot be pulled{}", in_brackets(said_of_it)),
                format!("{}: {describe}", pull_remedy(said_of_it)),
            )
        }
        "InvalidImageName" => failure(
            "invalid_image_name",
            format!("{called}: \"{}\" is no name of an image", said(image(pod, container))),
            format!("correct the name where the workload is defined, its values or manifest: {describe}"),
        ),
        "CreateContainerConfigError" => failure(
            "config_missing",
            format!("{called} lacks a part of its configuration: {}", said(message)),
            format!("create the secret or config map (or its key), or correct the name: {describe}"),
        ),
        "CreateContainerError" | "RunContainerError" | "StartError" | "PreStartHookError" | "PostStartHookError" => {
            failure(
                "container_start",
                format!("{called} cannot be started: {}", said(message)),
                format!("see its command, mounts and image: {describe}"),
            )
        }
        "ContainerCreating" | "PodInitializing" | "" => Some(creating(cluster, pod, Some(container))),
        other => failure(
            "waiting",
            format!("{called} waits: {}{}", said(other), in_brackets(message)),
            format!("look further: {describe}"),
        ),
    }
}

/// The image that a container is to run, as it was asked for.
fn image<'v>(pod: &'v Value, container: &Container<'v>) -> &'v str {
    let all = ["containers", "initContainers"]
        .iter()
        .filter_map(|list| pod["spec"][*list].as_array())
        .flatten();
    let spec = all.into_iter().find(|one| one["name"] == container.name);
    let asked = spec.and_then(|spec| spec["image"].as_str());
    asked.or_else(|| container.status["image"].as_str()).unwrap_or_default()
}

fn pull_remedy(message: &str) -> &'static str {
    let has = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if has(&["toomanyrequests", "rate limit"]) {
        "the registry has had too many pulls from here: wait, or pull with an account"
    } else if has(&["unauthorized", "denied", "authentication"]) {
        "the registry wants a login (imagePullSecrets), or has no such image"
    } else if has(&["not found", "manifest unknown"]) {
        "the registry has no such image or tag: correct it"
    } else if has(&["no such host", "timeout", "refused", "unreachable", "x509"]) {
        "the node cannot reach the registry, or does not trust it: see its DNS, proxy and certificates"
    } else {
        "see the image's name and that the node reaches its registry"
    }
}

/// A pod that has a node, and no container yet: what stops it, from its events.
pub(super) fn creating(cluster: &Cluster<'_>, pod: &Value, container: Option<&Container<'_>>) -> Finding {
    let warned = |wanted: &dyn Fn(&str, &str) -> bool| cluster.warned("Pod", namespace(pod), name(pod), wanted);
    let since = seconds_since(pod, "/status/startTime", cluster.now)
        .or_else(|| seconds_since(pod, "/metadata/creationTimestamp", cluster.now));
    let since = since
        .map(|since| format!(" since {}", spoken(since)))
        .unwrap_or_default();
    let describe = cluster.describe("pod", pod);
    let failure =
        |check: &str, message: String, remedy: String| Finding::failure(PODS, check, subject(pod), message, remedy);
    let mount = |reason: &str, _: &str| matches!(reason, "FailedMount" | "FailedAttachVolume" | "FailedMapVolume");
    if let Some(message) = warned(&mount) {
        return failure(
            "failed_mount",
            format!("a volume cannot be mounted: {}", said(message)),
            format!("see that what it mounts is there, and the storage's own pods: {describe}"),
        );
    }
    let network = |reason: &str, message: &str| {
        let of_network = ["network", "cni", "CNI"].iter().any(|part| message.contains(part));
        reason == "NetworkNotReady" || reason == "FailedCreatePodSandBox" && of_network
    };
    if let Some(message) = warned(&network) {
        return failure(
            "network_plugin",
            format!("the network plugin gives it no network: {}", said(message)),
            format!(
                "see the plugin's pods on node {}: {}",
                text(pod, "/spec/nodeName"),
                cluster.command(&["-n", "kube-system", "get", "pods", "-o", "wide"])
            ),
        );
    }
    if let Some(message) = warned(&|reason, _| reason == "FailedCreatePodSandBox") {
        return failure(
            "pod_sandbox",
            format!("its node cannot begin it: {}", said(message)),
            format!("see the container runtime of the node: {describe}"),
        );
    }
    let who = match container {
        Some(container) => format!("{} is", container.called()),
        None if text(pod, "/spec/nodeName").is_empty() => "it waits for a node, and is".to_owned(),
        None => "it is".to_owned(),
    };
    failure(
        "starting",
        format!("{who} being created{since}"),
        format!("wait; if it stays so: {describe}"),
    )
}

/// An init container that ended badly; it will be tried again.
pub(super) fn init_failed(cluster: &Cluster<'_>, pod: &Value, container: &Container<'_>, end: &Value) -> Finding {
    if ran_out_of_memory(end) {
        return out_of_memory(cluster, pod, container);
    }
    Finding::failure(
        PODS,
        "init_failed",
        subject(pod),
        format!(
            "{} ended with {}, and the others wait for it",
            container.called(),
            ending(end)
        ),
        format!("see its output: {}", cluster.logs(pod, container.name, false)),
    )
}

/// A container of a running pod that has ended.
pub(super) fn ended(cluster: &Cluster<'_>, pod: &Value, container: &Container<'_>, end: &Value) -> Finding {
    if ran_out_of_memory(end) {
        return out_of_memory(cluster, pod, container);
    }
    let (message, remedy) = match end["exitCode"].as_i64().unwrap_or(0) {
        0 => (
            "has done its work, and others of the pod go on",
            "see whether the others should end too",
        ),
        _ => ("has ended", "see its output"),
    };
    Finding::failure(
        PODS,
        "container_ended",
        subject(pod),
        format!("{} {message}: {}", container.called(), ending(end)),
        format!("{remedy}: {}", cluster.logs(pod, container.name, false)),
    )
}

/// A container that runs and is not ready.
pub(super) fn not_ready(cluster: &Cluster<'_>, pod: &Value, container: &Container<'_>) -> Finding {
    let probe = cluster.warned("Pod", namespace(pod), name(pod), |reason, message| {
        reason == "Unhealthy" && !message.starts_with("Liveness")
    });
    let called = container.called();
    let logs = cluster.logs(pod, container.name, false);
    match probe {
        Some(message) => Finding::failure(
            PODS,
            "readiness_probe",
            subject(pod),
            format!("{called} runs, and does not answer as it should: {}", said(message)),
            format!("see its output: {logs}"),
        ),
        None => Finding::failure(
            PODS,
            "not_ready",
            subject(pod),
            format!("{called} runs, and is not ready yet"),
            format!("wait; if it stays so, see its output: {logs}"),
        ),
    }
}
