//! Objects as the table that `kubectl get` prints.

use serde_json::{Value, json};

use crate::objects::{self, Resource, condition, name, seconds_of, text};

type Column = (&'static str, fn(&Value) -> String);

/// The table of some objects.
pub fn render(resource: &Resource, objects: &[&Value], revision: u64) -> Value {
    let columns = columns(&resource.key());
    let definitions: Vec<Value> = columns
        .iter()
        .map(|(name, _)| json!({"name": name, "type": "string", "format": "", "description": "", "priority": 0}))
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<String> = columns.iter().map(|(_, cell)| cell(object)).collect();
            json!({"cells": cells, "object": {
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
            }})
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": revision.to_string()},
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn columns(resource: &str) -> Vec<Column> {
    let mut columns: Vec<Column> = vec![("Name", |object| name(object).to_owned())];
    let between: &[Column] = match resource {
        "nodes" => &[("Status", node_status), ("Roles", roles)],
        "pods" => &[
            ("Ready", |pod| ratio(pods_ready(pod), pods_all(pod))),
            ("Status", pod_status),
            ("Restarts", |_| "0".into()),
        ],
        "deployments.apps" => &[
            ("Ready", |object| {
                ratio(count(object, "/status/readyReplicas"), count(object, "/spec/replicas"))
            }),
            ("Up-to-date", |object| {
                count(object, "/status/updatedReplicas").to_string()
            }),
            ("Available", |object| {
                count(object, "/status/availableReplicas").to_string()
            }),
        ],
        "daemonsets.apps" => &[
            ("Desired", |object| {
                count(object, "/status/desiredNumberScheduled").to_string()
            }),
            ("Current", |object| {
                count(object, "/status/currentNumberScheduled").to_string()
            }),
            ("Ready", |object| count(object, "/status/numberReady").to_string()),
        ],
        "services" => &[
            ("Type", |object| text(object, "/spec/type").into()),
            ("Cluster-IP", |object| text(object, "/spec/clusterIP").into()),
            ("Port(s)", ports),
        ],
        "namespaces" => &[("Status", |object| text(object, "/status/phase").into())],
        "configmaps" => &[("Data", |object| {
            object["data"].as_object().map_or(0, |data| data.len()).to_string()
        })],
        "istiooperators.install.istio.io" => &[
            ("Revision", |object| text(object, "/spec/revision").into()),
            ("Status", |object| text(object, "/status/status").into()),
        ],
        _ => &[],
    };
    columns.extend_from_slice(between);
    columns.push(("Age", age));
    if resource == "nodes" {
        columns.push(("Version", |node| text(node, "/status/nodeInfo/kubeletVersion").into()));
    }
    columns
}

fn count(object: &Value, pointer: &str) -> u64 {
    object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

fn ratio(part: u64, all: u64) -> String {
    format!("{part}/{all}")
}

fn pods_all(pod: &Value) -> u64 {
    pod["spec"]["containers"].as_array().map_or(0, Vec::len) as u64
}

fn pods_ready(pod: &Value) -> u64 {
    let statuses = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    statuses.filter(|status| status["ready"] == true).count() as u64
}

fn pod_status(pod: &Value) -> String {
    let waiting = text(pod, "/status/containerStatuses/0/state/waiting/reason");
    let phase = if waiting.is_empty() {
        text(pod, "/status/phase")
    } else {
        waiting
    };
    phase.to_owned()
}

fn node_status(node: &Value) -> String {
    let ready = if condition(node, "Ready") == "True" {
        "Ready"
    } else {
        "NotReady"
    };
    let cordoned = if node["spec"]["unschedulable"] == true {
        ",SchedulingDisabled"
    } else {
        ""
    };
    format!("{ready}{cordoned}")
}

fn roles(node: &Value) -> String {
    let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
    let mut roles: Vec<&str> = labels
        .filter_map(|(name, _)| name.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    roles.sort_unstable();
    if roles.is_empty() {
        "<none>".into()
    } else {
        roles.join(",")
    }
}

fn ports(service: &Value) -> String {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let ports: Vec<String> = ports
        .map(|port| {
            let node = port["nodePort"]
                .as_u64()
                .map(|node| format!(":{node}"))
                .unwrap_or_default();
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            format!("{}{node}/{protocol}", port["port"])
        })
        .collect();
    ports.join(",")
}

fn age(object: &Value) -> String {
    let born = seconds_of(text(object, "/metadata/creationTimestamp")).unwrap_or(0);
    let now = seconds_of(&objects::now()).unwrap_or(0);
    match now.saturating_sub(born) {
        seconds if seconds < 120 => format!("{seconds}s"),
        seconds if seconds < 7200 => format!("{}m", seconds / 60),
        seconds => format!("{}h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_shown_with_status_roles_and_version() {
        let nodes = objects::builtin()
            .into_iter()
            .find(|one| one.plural == "nodes")
            .expect("nodes");
        let node = json!({
            "metadata": {"name": "vm1", "creationTimestamp": objects::now(),
                         "labels": {"node-role.kubernetes.io/etcd": "true", "node-role.kubernetes.io/controlplane": "true"}},
            "status": {"conditions": [{"type": "Ready", "status": "False"}], "nodeInfo": {"kubeletVersion": "v1.22.9"}},
        });
        let table = render(&nodes, &[&node], 7);
        let cells = table["rows"][0]["cells"].as_array().expect("cells");
        assert_eq!(
            cells[..3],
            [json!("vm1"), json!("NotReady"), json!("controlplane,etcd")]
        );
        assert_eq!(cells.last(), Some(&json!("v1.22.9")));
    }
}
