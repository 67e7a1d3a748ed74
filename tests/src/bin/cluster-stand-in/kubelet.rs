//! A node of a cluster: says that it lives, writes the network configuration of its network pod, and keeps a copy of
//! the cluster's state where it is a node of etcd.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::args::Args;
use crate::client::Client;
use crate::objects::{set_condition, text};
use crate::pki::{self, Pair};
use crate::pods::NETWORK_FILE;
use crate::status::Refusal;
use crate::store::{Heartbeat, Inner};
use crate::{Failure, Outcome};

/// How often a node says that it lives.
const PERIOD: Duration = Duration::from_secs(2);

/// `kubelet --name N --address A --server URL --pki DIR [--net-dir DIR] [--etcd-dir DIR] [--kubernetes-version V]
/// [--label NAME=VALUE]...` runs for ever.
///
/// # Errors
/// The words are wrong, or certificates are missing.
pub fn main(words: &[String]) -> Outcome {
    let valued = [
        "name",
        "address",
        "server",
        "pki",
        "net-dir",
        "etcd-dir",
        "kubernetes-version",
        "label",
    ];
    let args = Args::parse(words, &valued, &[])?;
    let folder = Path::new(args.need("pki")?);
    let read = |name: &str| std::fs::read_to_string(folder.join(name));
    let pair = Pair {
        certificate: read("kube-node.pem")?,
        key: read("kube-node-key.pem")?,
        names: Vec::new(),
    };
    let client = Client::new(args.need("server")?, &read("kube-ca.pem")?, &pair)?;
    let labels: BTreeMap<&str, &str> = args
        .all("label")
        .into_iter()
        .filter_map(|label| label.split_once('='))
        .collect();
    let network = PathBuf::from(args.get("net-dir").unwrap_or("/etc/cni"));
    let noted = network.join("stand-in-pod");
    let mut silent = false;
    loop {
        let network_pod = std::fs::read_to_string(&noted).unwrap_or_default();
        let beat = json!({
            "name": args.need("name")?, "address": args.need("address")?, "labels": labels,
            "version": args.get("kubernetes-version").unwrap_or("v1.22.9"), "network_pod": network_pod,
            "has_network": has_configuration(&network.join("net.d")),
        });
        match client.put("POST", "/stand-in/heartbeat", &beat) {
            Ok(answer) => {
                silent = false;
                if let Err(error) = carry_out(&answer, &network, &noted) {
                    eprintln!("network: {error}");
                }
                if let Some(folder) = args.get("etcd-dir")
                    && let Err(error) = keep_copy(&client, Path::new(folder), &answer)
                {
                    eprintln!("copy of the state: {error}");
                }
            }
            // Once for each time that the server goes away.
            Err(error) if !silent => {
                silent = true;
                eprintln!("{error}");
            }
            Err(_) => {}
        }
        std::thread::sleep(PERIOD);
    }
}

fn has_configuration(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| entry.path().extension().is_some_and(|kind| kind == "conflist")))
    })
}

fn carry_out(answer: &Value, network: &Path, noted: &Path) -> Outcome {
    let order = &answer["network"];
    let Some(file) = order["file"].as_str() else {
        return Ok(());
    };
    let folder = network.join("net.d");
    std::fs::create_dir_all(&folder)?;
    pki::write_private(&folder.join(file), text(order, "/content"))?;
    pki::write_private(noted, text(order, "/pod"))
}

fn keep_copy(client: &Client, folder: &Path, answer: &Value) -> Outcome {
    let file = folder.join("copy.json");
    let have = std::fs::read(&file).ok();
    let have: Option<Value> = have.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if have.is_some_and(|have| have["revision"] == answer["revision"]) {
        return Ok(());
    }
    let state = client.get("/stand-in/state")?.ok_or("no state")?;
    std::fs::create_dir_all(folder)?;
    pki::write_private(&file, &state.to_string())
}

/// The server's side of a heartbeat: notes it, makes the node ready, and says which network configuration to write.
///
/// # Errors
/// It names no node.
pub fn heard(inner: &mut Inner, beat: &Value) -> Result<Value, Refusal> {
    let node_name = beat["name"]
        .as_str()
        .ok_or_else(|| Refusal::bad("a heartbeat without name"))?;
    let mut node = match inner.get("nodes", "", node_name) {
        Some(node) => node.clone(),
        None => {
            let mut labels = beat["labels"].clone();
            labels["kubernetes.io/hostname"] = json!(node_name);
            labels["kubernetes.io/os"] = json!("linux");
            labels["kubernetes.io/arch"] = json!("amd64");
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node_name, "labels": labels},
                              "spec": {}, "status": {}});
            inner.create("nodes", "", node)?
        }
    };
    node["status"]["addresses"] = json!([
        {"type": "InternalIP", "address": beat["address"]}, {"type": "Hostname", "address": node_name},
    ]);
    node["status"]["nodeInfo"] = json!({
        "kubeletVersion": beat["version"], "kubeProxyVersion": beat["version"], "osImage": "a stand-in's host",
        "containerRuntimeVersion": "docker://20.10.24", "operatingSystem": "linux", "architecture": "amd64",
    });
    let resources = json!({"cpu": "8", "memory": "32Gi", "pods": "110"});
    node["status"]["capacity"] = resources.clone();
    node["status"]["allocatable"] = resources;
    let (status, reason, message) = if inner.settings().not_ready_nodes.iter().any(|name| name == node_name) {
        ("False", "KubeletNotReady", "a test wants it so")
    } else if beat["has_network"] == true {
        ("True", "KubeletReady", "kubelet is posting ready status")
    } else {
        (
            "False",
            "KubeletNotReady",
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:docker: \
             network plugin is not ready: cni config uninitialized",
        )
    };
    set_condition(&mut node, "Ready", status, reason, message);
    inner.update("nodes", "", node)?;
    let network_pod = text(beat, "/network_pod").to_owned();
    let mut answer = json!({"revision": inner.revision});
    let pods = inner.list("pods", None).into_iter();
    let own = pods.filter(|pod| text(pod, "/spec/nodeName") == node_name);
    let new = own
        .filter(|pod| text(pod, "/metadata/uid") != network_pod)
        .find_map(|pod| {
            let file = pod["metadata"]["annotations"][NETWORK_FILE].as_str()?;
            let (content, pod) = (network_configuration(inner, pod)?, text(pod, "/metadata/uid"));
            Some(json!({"file": file, "content": content, "pod": pod}))
        });
    if let Some(new) = new {
        answer["network"] = new;
    }
    let heartbeat = Heartbeat {
        at: Instant::now(),
        network_pod,
    };
    inner.heartbeats.insert(node_name.to_owned(), heartbeat);
    Ok(answer)
}

/// What the network plugin's `install-cni` writes: the template of its ConfigMap with the MTU of the same put in. The
/// ConfigMap is the one that a container of the pod takes its environment from.
fn network_configuration(inner: &Inner, pod: &Value) -> Option<String> {
    let containers = ["containers", "initContainers"].into_iter();
    let containers = containers.flat_map(|kind| pod["spec"][kind].as_array().into_iter().flatten());
    let mut variables = containers.flat_map(|container| container["env"].as_array().into_iter().flatten());
    let map = variables.find_map(|variable| variable.pointer("/valueFrom/configMapKeyRef/name")?.as_str())?;
    let data = inner.get("configmaps", text(pod, "/metadata/namespace"), map)?;
    let template = data["data"]["cni_network_config"].as_str()?;
    // 0 leaves the choice to the plugin.
    let mtu = data["data"]["veth_mtu"]
        .as_str()
        .filter(|mtu| *mtu != "0")
        .unwrap_or("1450");
    Some(
        template
            .replace("__CNI_MTU__", mtu)
            .replace("__KUBERNETES_NODE_NAME__", text(pod, "/spec/nodeName")),
    )
}

/// `install-files`: reads `{path: content}` as JSON and writes each file for its owner alone.
///
/// # Errors
/// It is no such JSON, or a file cannot be written.
pub fn install_files() -> Outcome {
    let files: BTreeMap<String, String> = serde_json::from_reader(std::io::stdin())?;
    for (path, content) in files {
        let path = Path::new(&path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| -> Failure { format!("{}: {error}", folder.display()).into() })?;
        }
        pki::write_private(path, &content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{condition, name};
    use crate::store::Store;

    #[test]
    fn a_heartbeat_makes_a_node_that_is_ready_once_it_has_a_network() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path().join("state.json")).expect("a store");
        let mut inner = store.lock();
        let map = json!({"metadata": {"name": "canal-config"},
                         "data": {"veth_mtu": "1400", "cni_network_config": "{\"mtu\": __CNI_MTU__}"}});
        inner.create("configmaps", "kube-system", map).expect("created");
        let pod = json!({"metadata": {"name": "canal-x", "annotations": {NETWORK_FILE: "10-canal.conflist"}},
            "spec": {"nodeName": "vm1", "containers": [{"name": "c", "env": [
                {"name": "M", "valueFrom": {"configMapKeyRef": {"name": "canal-config", "key": "veth_mtu"}}}]}]}});
        let pod = inner.create("pods", "kube-system", pod).expect("created");
        let beat = |network_pod: &str, has: bool| {
            json!({"name": "vm1", "address": "10.0.0.1", "labels": {"a": "b"},
                                                        "network_pod": network_pod, "has_network": has})
        };
        let order = heard(&mut inner, &beat("", false)).expect("heard");
        let node = inner.get("nodes", "", "vm1").expect("registered");
        assert_eq!(condition(node, "Ready"), "False");
        assert_eq!(node["metadata"]["labels"]["a"], "b");
        assert_eq!(order["network"]["content"], "{\"mtu\": 1400}");
        let uid = text(&pod, "/metadata/uid");
        assert_eq!(order["network"]["pod"], uid);
        let nothing = heard(&mut inner, &beat(uid, true)).expect("heard");
        assert!(nothing["network"].is_null());
        let node = inner.get("nodes", "", "vm1").expect("registered");
        assert_eq!(condition(node, "Ready"), "True");
        assert_eq!(name(node), "vm1");
    }
}
