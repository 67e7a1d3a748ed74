//! What a cluster does by itself: nodes become unready, definitions are established, workloads get their pods.

use std::time::Duration;

use serde_json::{Value, json};

use crate::objects::{name, set_condition};
use crate::store::{Inner, Store};
use crate::{istio, pods};

/// How long a node may be silent.
const SILENCE: Duration = Duration::from_secs(8);
/// How often controllers look.
const PERIOD: Duration = Duration::from_millis(250);

/// Runs all controllers for ever.
pub fn run(store: &Store) {
    // Kubelets have not found this server again yet: that a server was restarted makes no node unready.
    let started = std::time::Instant::now();
    loop {
        {
            let mut inner = store.lock();
            if !inner.settings().frozen {
                if started.elapsed() > SILENCE {
                    nodes(&mut inner);
                }
                definitions(&mut inner);
                istio::control(&mut inner);
                pods::control(&mut inner);
                namespaces(&mut inner);
            }
        }
        if let Err(error) = store.save() {
            eprintln!("the state cannot be saved: {error}");
        }
        std::thread::sleep(PERIOD);
    }
}

/// Writes an object back that a controller changed; what happened to it meanwhile wins.
pub fn write(inner: &mut Inner, resource: &str, object: Value) {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let _ = inner.update(resource, &namespace, object);
}

fn nodes(inner: &mut Inner) {
    let unready = inner.settings().not_ready_nodes;
    let all: Vec<Value> = inner.list("nodes", None).into_iter().cloned().collect();
    for mut node in all {
        let name = name(&node).to_owned();
        let silent = inner
            .heartbeats
            .get(&name)
            .is_none_or(|heartbeat| heartbeat.at.elapsed() > SILENCE);
        let forced = unready.contains(&name);
        if silent || forced {
            let (status, reason, message) = if forced {
                ("False", "KubeletNotReady", "a test wants it so")
            } else {
                ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
            };
            set_condition(&mut node, "Ready", status, reason, message);
            write(inner, "nodes", node);
        }
    }
}

fn definitions(inner: &mut Inner) {
    const KEY: &str = "customresourcedefinitions.apiextensions.k8s.io";
    let delay = inner.settings().definition_delay;
    let all: Vec<Value> = inner.list(KEY, None).into_iter().cloned().collect();
    for mut definition in all {
        if inner.age(&definition) < delay || !definition["status"]["acceptedNames"].is_null() {
            continue;
        }
        set_condition(
            &mut definition,
            "NamesAccepted",
            "True",
            "NoConflicts",
            "no conflicts found",
        );
        set_condition(
            &mut definition,
            "Established",
            "True",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        );
        definition["status"]["acceptedNames"] = definition["spec"]["names"].clone();
        let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
        let stored: Vec<&Value> = versions
            .filter(|one| one["storage"] == true)
            .map(|one| &one["name"])
            .collect();
        definition["status"]["storedVersions"] = json!(stored);
        write(inner, KEY, definition);
    }
}

/// Every namespace has a service account.
fn namespaces(inner: &mut Inner) {
    let names: Vec<String> = inner
        .list("namespaces", None)
        .into_iter()
        .map(|one| name(one).to_owned())
        .collect();
    for namespace in names {
        if inner.get("serviceaccounts", &namespace, "default").is_none() {
            let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
            let _ = inner.create("serviceaccounts", &namespace, account);
        }
    }
}
