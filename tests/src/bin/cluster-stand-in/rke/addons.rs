//! What RKE puts into a cluster beside the cluster itself: network plugin, DNS, metrics, ingress.

use serde_json::{Value, json};

use super::config::Cluster;
use crate::pods::NETWORK_FILE;

const SYSTEM: &str = "/api/v1/namespaces/kube-system";

/// Objects, each with the path of its collection.
pub type Objects = Vec<(String, Value)>;

fn tolerates_all() -> Value {
    json!([{"effect": "NoExecute", "operator": "Exists"}, {"effect": "NoSchedule", "operator": "Exists"}])
}

fn workload(kind: &str, name: &str, labels: Value, template: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    })
}

fn apps(namespace: &str, plural: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/{plural}")
}

/// The network plugin's objects; none for `none`.
pub fn network(cluster: &Cluster) -> Objects {
    let (set, file, kind) = match cluster.plugin.as_str() {
        "canal" => ("canal", "10-canal.conflist", "calico"),
        "calico" => ("calico-node", "10-calico.conflist", "calico"),
        "flannel" => ("kube-flannel", "10-flannel.conflist", "flannel"),
        "weave" => ("weave-net", "10-weave.conflist", "weave-net"),
        _ => return Vec::new(),
    };
    let map = format!("{set}-config");
    let mut plugin = json!({
        "type": kind, "log_level": "WARNING", "datastore_type": "kubernetes", "nodename": "__KUBERNETES_NODE_NAME__",
        "mtu": 0, "ipam": {"type": "host-local", "subnet": "usePodCidr"}, "policy": {"type": "k8s"},
        "kubernetes": {"kubeconfig": format!("/etc/cni/net.d/{kind}-kubeconfig")},
    });
    plugin["mtu"] = json!("__CNI_MTU__");
    let template = json!({"name": "k8s-pod-network", "cniVersion": "0.3.1", "plugins": [
        plugin, {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}},
        {"type": "bandwidth", "capabilities": {"bandwidth": true}},
    ]});
    // The MTU is a number there, put in without quotes.
    let template = serde_json::to_string_pretty(&template)
        .unwrap_or_default()
        .replace("\"__CNI_MTU__\"", "__CNI_MTU__");
    let from_map =
        |name: &str, key: &str| json!({"name": name, "valueFrom": {"configMapKeyRef": {"name": map, "key": key}}});
    let labels = json!({"k8s-app": set});
    let pods = json!({
        "metadata": {"labels": labels, "annotations": {NETWORK_FILE: file}},
        "spec": {
            "hostNetwork": true, "serviceAccountName": set, "tolerations": tolerates_all(),
            "initContainers": [{"name": "install-cni", "image": format!("cluster-stand-in/{set}-cni"), "env": [
                from_map("CNI_NETWORK_CONFIG", "cni_network_config"), from_map("CNI_MTU", "veth_mtu")]}],
            "containers": [
                {"name": "calico-node", "image": format!("cluster-stand-in/{set}-node"),
                 "env": [from_map("FELIX_IPINIPMTU", "veth_mtu")]},
                {"name": "kube-flannel", "image": "cluster-stand-in/flannel"},
            ],
        },
    });
    let pod_range = cluster.document["services"]["kube-controller"]["cluster_cidr"]
        .as_str()
        .unwrap_or("10.42.0.0/16");
    let net = json!({"Network": pod_range, "Backend": {"Type": "vxlan"}}).to_string();
    vec![
        (
            format!("{SYSTEM}/configmaps"),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": map, "namespace": "kube-system"}, "data": {
                "typha_service_name": "none", "canal_iface": "", "masquerade": "true", "veth_mtu": cluster.mtu.to_string(),
                "cni_network_config": template, "net-conf.json": net}}),
        ),
        (
            format!("{SYSTEM}/serviceaccounts"),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": set, "namespace": "kube-system"}}),
        ),
        (
            apps("kube-system", "daemonsets"),
            workload("DaemonSet", set, labels, pods),
        ),
    ]
}

fn deployment(namespace: &str, name: &str, app: &str, image: &str) -> (String, Value) {
    let labels = json!({"k8s-app": app});
    let template = json!({"metadata": {"labels": labels}, "spec": {
        "tolerations": tolerates_all(), "containers": [{"name": name, "image": format!("cluster-stand-in/{image}")}]}});
    (
        apps(namespace, "deployments"),
        workload("Deployment", name, labels, template),
    )
}

/// CoreDNS with its autoscaler; none for another provider than the default.
pub fn dns(cluster: &Cluster) -> Objects {
    let dns = &cluster.document["dns"];
    if dns["provider"].as_str().unwrap_or("coredns") != "coredns" {
        return Vec::new();
    }
    let upstream = dns["upstreamnameservers"].as_array().into_iter().flatten();
    let upstream: Vec<&str> = upstream.filter_map(Value::as_str).collect();
    let upstream = if upstream.is_empty() {
        "/etc/resolv.conf".into()
    } else {
        upstream.join(" ")
    };
    let kubelet = &cluster.document["services"]["kubelet"];
    let domain = kubelet["cluster_domain"].as_str().unwrap_or("cluster.local");
    let address = kubelet["cluster_dns_server"].as_str().unwrap_or("10.43.0.10");
    let core = format!(
        ".:53 {{\n    errors\n    health\n    ready\n    kubernetes {domain} in-addr.arpa ip6.arpa\n    forward . {upstream}\n    cache 30\n}}\n"
    );
    vec![
        (
            format!("{SYSTEM}/configmaps"),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns", "namespace": "kube-system"},
                   "data": {"Corefile": core}}),
        ),
        deployment("kube-system", "coredns", "kube-dns", "coredns"),
        deployment("kube-system", "coredns-autoscaler", "coredns-autoscaler", "autoscaler"),
        (
            format!("{SYSTEM}/services"),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
                   "spec": {"clusterIP": address, "selector": {"k8s-app": "kube-dns"}, "ports": [
                       {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]}}),
        ),
    ]
}

/// The metrics server, unless monitoring is off.
pub fn metrics(cluster: &Cluster) -> Objects {
    if cluster.document["monitoring"]["provider"] == "none" {
        return Vec::new();
    }
    vec![deployment(
        "kube-system",
        "metrics-server",
        "metrics-server",
        "metrics-server",
    )]
}

/// The ingress controller on all workers, unless it is off.
pub fn ingress(cluster: &Cluster) -> Objects {
    if cluster.document["ingress"]["provider"] == "none" {
        return Vec::new();
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ingress-nginx"}});
    let options = cluster.document["ingress"]["options"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let options: serde_json::Map<String, Value> = options
        .into_iter()
        .map(|(name, value)| {
            (
                name,
                value.as_str().map_or_else(|| value.to_string(), str::to_owned).into(),
            )
        })
        .collect();
    let labels = json!({"app": "ingress-nginx"});
    let template = json!({"metadata": {"labels": labels}, "spec": {
        "hostNetwork": true, "nodeSelector": {"node-role.kubernetes.io/worker": "true"}, "tolerations": tolerates_all(),
        "containers": [{"name": "controller", "image": "cluster-stand-in/ingress-nginx"}]}});
    vec![
        ("/api/v1/namespaces".into(), namespace),
        (
            "/api/v1/namespaces/ingress-nginx/configmaps".into(),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": options,
                   "metadata": {"name": "ingress-nginx-controller", "namespace": "ingress-nginx"}}),
        ),
        (
            apps("ingress-nginx", "daemonsets"),
            workload("DaemonSet", "nginx-ingress-controller", labels, template),
        ),
    ]
}
