//! Deployments and DaemonSets get their pods, pods get their nodes and start; nothing runs in them.

use serde_json::{Value, json};

use crate::controllers::write;
use crate::objects::{self, condition, name, set_condition, text};
use crate::pki::digest;
use crate::store::{Inner, Settings};

/// Annotation of a pod's template: the file its network plugin writes on its node.
pub const NETWORK_FILE: &str = "stand-in/network-file";
const HASHES: [&str; 2] = ["pod-template-hash", "controller-revision-hash"];

/// One round for all workloads and pods.
pub fn control(inner: &mut Inner) {
    let copies = |inner: &Inner, key: &str| -> Vec<Value> { inner.list(key, None).into_iter().cloned().collect() };
    for set in copies(inner, "daemonsets.apps") {
        daemon_set(inner, set);
    }
    for deployment in copies(inner, "deployments.apps") {
        self::deployment(inner, deployment);
    }
    let settings = inner.settings();
    for pod in copies(inner, "pods") {
        advance(inner, pod, &settings);
    }
}

fn owned(inner: &Inner, owner: &Value) -> Vec<Value> {
    let pods = inner.list("pods", Some(text(owner, "/metadata/namespace"))).into_iter();
    let is_owned = |pod: &&Value| text(pod, "/metadata/ownerReferences/0/uid") == text(owner, "/metadata/uid");
    pods.filter(is_owned).cloned().collect()
}

fn hash(pod: &Value) -> &str {
    let labels = &pod["metadata"]["labels"];
    HASHES
        .iter()
        .find_map(|label| labels[*label].as_str())
        .unwrap_or_default()
}

fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready") == "True"
}

fn create_pod(inner: &mut Inner, owner: &Value, hash: &str, node: Option<&str>) {
    let template = &owner["spec"]["template"];
    let daemon = owner["kind"] == "DaemonSet";
    let mut metadata = template["metadata"].clone();
    if !metadata.is_object() {
        metadata = json!({});
    }
    metadata["labels"][HASHES[usize::from(daemon)]] = json!(hash);
    metadata["generateName"] = match daemon {
        true => json!(format!("{}-", name(owner))),
        false => json!(format!("{}-{hash}-", name(owner))),
    };
    metadata["ownerReferences"] = json!([{
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": name(owner), "uid": owner["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true,
    }]);
    let mut spec = template["spec"].clone();
    if let Some(node) = node {
        spec["nodeName"] = json!(node);
    }
    let pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Pending"}});
    let _ = inner.create("pods", text(owner, "/metadata/namespace"), pod);
}

fn delete_pod(inner: &mut Inner, pod: &Value) {
    let _ = inner.delete("pods", text(pod, "/metadata/namespace"), name(pod));
}

fn template_hash(owner: &Value) -> String {
    digest(owner["spec"]["template"].to_string().as_bytes())[..10].to_owned()
}

fn daemon_set(inner: &mut Inner, mut set: Value) {
    let hash = template_hash(&set);
    let spec = &set["spec"]["template"]["spec"];
    let nodes = inner.list("nodes", None).into_iter();
    let nodes: Vec<String> = nodes
        .filter(|node| suits(spec, node))
        .map(|node| name(node).to_owned())
        .collect();
    let pods = owned(inner, &set);
    let on = |node: &str| pods.iter().find(|pod| text(pod, "/spec/nodeName") == node);
    for node in &nodes {
        if on(node).is_none() {
            create_pod(inner, &set, &hash, Some(node));
        }
    }
    for pod in &pods {
        if !nodes.iter().any(|node| node == text(pod, "/spec/nodeName")) {
            delete_pod(inner, pod);
        }
    }
    // A changed template reaches the nodes one after the other.
    if pods.iter().all(is_ready)
        && let Some(stale) = pods.iter().find(|pod| self::hash(pod) != hash)
    {
        delete_pod(inner, stale);
    }
    let count = |test: &dyn Fn(&Value) -> bool| pods.iter().filter(|pod| test(pod)).count();
    let ready = count(&is_ready);
    set["status"] = json!({
        "currentNumberScheduled": pods.len(), "desiredNumberScheduled": nodes.len(), "numberMisscheduled": 0,
        "numberReady": ready, "numberAvailable": ready, "numberUnavailable": nodes.len().saturating_sub(ready),
        "updatedNumberScheduled": count(&|pod| self::hash(pod) == hash), "observedGeneration": set["metadata"]["generation"],
    });
    write(inner, "daemonsets.apps", set);
}

fn deployment(inner: &mut Inner, mut deployment: Value) {
    let hash = template_hash(&deployment);
    let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1) as usize;
    let (current, stale): (Vec<Value>, Vec<Value>) = owned(inner, &deployment)
        .into_iter()
        .partition(|pod| self::hash(pod) == hash);
    // One pod more than wanted while old ones are replaced.
    let most = wanted + usize::from(!stale.is_empty());
    if current.len() < wanted && current.len() + stale.len() < most.max(1) {
        for _ in current.len() + stale.len()..most {
            create_pod(inner, &deployment, &hash, None);
        }
    }
    if current.len() > wanted {
        delete_pod(inner, &current[0]);
    }
    let ready_now = current.iter().filter(|pod| is_ready(pod)).count();
    if let Some(old) = stale.first()
        && (ready_now == current.len() && ready_now > 0 || wanted == 0)
    {
        delete_pod(inner, old);
    }
    let all = current.len() + stale.len();
    let ready = ready_now + stale.iter().filter(|pod| is_ready(pod)).count();
    let conditions = deployment["status"]["conditions"].take();
    deployment["status"] = json!({
        "observedGeneration": deployment["metadata"]["generation"], "replicas": all, "updatedReplicas": current.len(),
        "readyReplicas": ready, "availableReplicas": ready, "unavailableReplicas": wanted.saturating_sub(ready),
        "conditions": conditions,
    });
    let (status, reason, message) = if ready >= wanted {
        (
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    set_condition(&mut deployment, "Available", status, reason, message);
    let done = ready_now >= wanted && stale.is_empty();
    let reason = if done {
        "NewReplicaSetAvailable"
    } else {
        "ReplicaSetUpdated"
    };
    set_condition(&mut deployment, "Progressing", "True", reason, "");
    write(inner, "deployments.apps", deployment);
}

/// Whether a pod of this spec may be on a node, by selector and taints.
fn suits(spec: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let wanted = spec["nodeSelector"].as_object().into_iter().flatten();
    let selected = wanted
        .into_iter()
        .all(|(label, value)| labels.get(label) == Some(value));
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    let hard = taints.into_iter().filter(|taint| taint["effect"] != "PreferNoSchedule");
    let tolerations = spec["tolerations"].as_array();
    let tolerated = |taint: &Value| {
        tolerations.into_iter().flatten().any(|one| {
            let key = one["key"].is_null() || one["key"] == taint["key"];
            let effect = one["effect"].is_null() || one["effect"] == taint["effect"];
            let value = one["operator"] == "Exists" || one["value"] == taint["value"];
            key && effect && value
        })
    };
    selected && hard.into_iter().all(tolerated)
}

fn advance(inner: &mut Inner, mut pod: Value, settings: &Settings) {
    let age = inner.age(&pod);
    let node_name = text(&pod, "/spec/nodeName").to_owned();
    if node_name.is_empty() {
        let nodes = inner.list("nodes", None).into_iter();
        let mut free: Vec<&Value> = nodes
            .filter(|node| condition(node, "Ready") == "True" && node["spec"]["unschedulable"] != true)
            .filter(|node| suits(&pod["spec"], node))
            .collect();
        // The emptiest first.
        let load = |node: &Value| {
            let pods = inner.list("pods", None).into_iter();
            pods.filter(|other| text(other, "/spec/nodeName") == name(node)).count()
        };
        free.sort_by_key(|node| load(node));
        match free.first().map(|node| name(node).to_owned()) {
            Some(node) => {
                pod["spec"]["nodeName"] = json!(node);
                set_condition(&mut pod, "PodScheduled", "True", "", "");
            }
            None => {
                let message = "no node is ready and suits the pod";
                set_condition(&mut pod, "PodScheduled", "False", "Unschedulable", message);
            }
        }
        return write(inner, "pods", pod);
    }
    let Some(node) = inner.get("nodes", "", &node_name) else {
        return delete_pod(inner, &pod);
    };
    let node_ready = condition(node, "Ready") == "True";
    let address = node_address(node);
    let full = format!("{}/{}", text(&pod, "/metadata/namespace"), name(&pod));
    let stuck = settings.stuck_pods.iter().any(|start| full.starts_with(start.as_str()));
    let running = text(&pod, "/status/phase") == "Running";
    let network = pod["metadata"]["annotations"][NETWORK_FILE].is_string();
    let on_host = pod["spec"]["hostNetwork"] == true;
    let may_start = age >= settings.pod_delay
        && match network {
            // It runs once its file is written.
            true => inner
                .heartbeats
                .get(&node_name)
                .is_some_and(|heartbeat| heartbeat.network_pod == text(&pod, "/metadata/uid")),
            false => node_ready || on_host,
        };
    let runs = !stuck && (running || may_start);
    let ready = runs && (node_ready || network);
    let names: Vec<Value> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| {
            let started = text(&pod, "/status/containerStatuses/0/state/running/startedAt");
            let started = if started.is_empty() { objects::now() } else { started.to_owned() };
            json!({
                "name": container["name"], "image": container["image"], "imageID": "", "ready": ready, "restartCount": 0,
                "started": runs,
                "state": match runs {
                    true => json!({"running": {"startedAt": started}}),
                    false => json!({"waiting": {"reason": "ContainerCreating"}}),
                },
            })
        })
        .collect();
    pod["status"]["phase"] = json!(if runs { "Running" } else { "Pending" });
    pod["status"]["containerStatuses"] = json!(names);
    pod["status"]["hostIP"] = json!(address);
    if runs {
        pod["status"]["podIP"] = json!(address);
    }
    let (status, reason) = if ready {
        ("True", "")
    } else {
        ("False", "ContainersNotReady")
    };
    for kind in ["Ready", "ContainersReady"] {
        set_condition(&mut pod, kind, status, reason, "");
    }
    set_condition(&mut pod, "PodScheduled", "True", "", "");
    write(inner, "pods", pod);
}

fn node_address(node: &Value) -> String {
    let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    let internal = addresses.into_iter().find(|address| address["type"] == "InternalIP");
    internal.map_or_else(String::new, |address| text(address, "/address").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Heartbeat, Store};
    use std::time::Instant;

    fn node(inner: &mut Inner, node: &str, taints: Value) {
        let object = json!({"metadata": {"name": node}, "spec": {"taints": taints},
                            "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        inner.create("nodes", "", object).expect("created");
    }

    fn rounds(inner: &mut Inner) {
        (0..12).for_each(|_| control(inner));
    }

    fn workload(kind: &str, image: &str) -> Value {
        let labels = json!({"app": "a"});
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "a"}, "spec": {"replicas": 2,
               "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
               "spec": {"containers": [{"name": "c", "image": image}]}}}})
    }

    #[test]
    fn a_deployment_gets_its_pods_on_nodes_that_take_them_and_replaces_old_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path().join("state.json")).expect("a store");
        let mut inner = store.lock();
        inner.set_settings(json!({"pod_delay_ms": 0}));
        node(
            &mut inner,
            "control",
            json!([{"key": "k", "effect": "NoSchedule", "value": "true"}]),
        );
        node(&mut inner, "worker", Value::Null);
        let made = inner
            .create("deployments.apps", "default", workload("Deployment", "one"))
            .expect("created");
        rounds(&mut inner);
        let have = inner.get("deployments.apps", "default", "a").expect("there").clone();
        assert_eq!(
            (&have["status"]["readyReplicas"], condition(&have, "Available")),
            (&json!(2), "True")
        );
        assert!(
            inner
                .list("pods", None)
                .iter()
                .all(|pod| text(pod, "/spec/nodeName") == "worker")
        );
        let mut changed = have.clone();
        changed["spec"]["template"]["spec"]["containers"][0]["image"] = json!("two");
        inner.update("deployments.apps", "default", changed).expect("updated");
        rounds(&mut inner);
        rounds(&mut inner);
        let pods = inner.list("pods", None);
        assert_eq!(pods.len(), 2);
        assert!(pods.iter().all(|pod| text(pod, "/spec/containers/0/image") == "two"));
        assert_eq!(
            made["metadata"]["uid"],
            pods[0]["metadata"]["ownerReferences"][0]["uid"]
        );
    }

    #[test]
    fn a_stuck_pod_is_pending_and_a_deleted_one_comes_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path().join("state.json")).expect("a store");
        let mut inner = store.lock();
        inner.set_settings(json!({"pod_delay_ms": 0, "stuck_pods": ["default/a-"]}));
        node(&mut inner, "one", Value::Null);
        inner
            .create("daemonsets.apps", "default", workload("DaemonSet", "i"))
            .expect("created");
        rounds(&mut inner);
        let pod = inner.list("pods", None)[0].clone();
        assert_eq!(
            text(&pod, "/status/containerStatuses/0/state/waiting/reason"),
            "ContainerCreating"
        );
        inner.set_settings(json!({"pod_delay_ms": 0}));
        delete_pod(&mut inner, &pod);
        rounds(&mut inner);
        let again = inner.list("pods", None)[0].clone();
        assert_ne!(again["metadata"]["uid"], pod["metadata"]["uid"]);
        assert!(is_ready(&again));
    }

    #[test]
    fn a_network_pod_runs_when_its_file_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path().join("state.json")).expect("a store");
        let mut inner = store.lock();
        inner.set_settings(json!({"pod_delay_ms": 0}));
        node(&mut inner, "one", Value::Null);
        let mut set = workload("DaemonSet", "i");
        set["spec"]["template"]["metadata"]["annotations"] = json!({NETWORK_FILE: "10-canal.conflist"});
        inner.create("daemonsets.apps", "default", set).expect("created");
        rounds(&mut inner);
        let pod = inner.list("pods", None)[0].clone();
        assert!(!is_ready(&pod));
        let heartbeat = Heartbeat {
            at: Instant::now(),
            network_pod: text(&pod, "/metadata/uid").to_owned(),
        };
        inner.heartbeats.insert("one".into(), heartbeat);
        rounds(&mut inner);
        assert!(is_ready(inner.list("pods", None)[0]));
    }
}
