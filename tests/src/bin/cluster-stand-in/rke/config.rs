//! `cluster.yml`, read and validated as RKE does, with its defaults.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::schema;

/// The Kubernetes versions of RKE v1.3.10, the default first.
pub const VERSIONS: [&str; 6] = [
    "v1.22.9-rancher1-1",
    "v1.23.6-rancher1-1",
    "v1.21.12-rancher1-1",
    "v1.20.15-rancher1-4",
    "v1.19.16-rancher1-6",
    "v1.18.20-rancher1-3",
];
const PLUGINS: [&str; 5] = ["canal", "calico", "flannel", "weave", "none"];

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it is reached.
    pub address: String,
    /// Its SSH port.
    pub port: String,
    /// Who logs in.
    pub user: String,
    /// The node's name in the cluster.
    pub name: String,
    /// `controlplane`, `etcd`, `worker`.
    pub roles: Vec<String>,
    /// The private key's file.
    pub key: PathBuf,
    /// Docker's socket there.
    pub socket: String,
    /// Labels of its own.
    pub labels: Vec<(String, String)>,
}

impl Node {
    /// Whether it has a role.
    pub fn is(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    /// The labels RKE gives it: its own and one for each role.
    pub fn all_labels(&self) -> Vec<(String, String)> {
        let roles = self
            .roles
            .iter()
            .map(|role| (format!("node-role.kubernetes.io/{role}"), "true".to_owned()));
        let mut all: Vec<_> = self.labels.iter().cloned().chain(roles).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The taints RKE gives it: none for a worker.
    pub fn taints(&self) -> Value {
        if self.is("worker") {
            return json!([]);
        }
        let of = [("etcd", "NoExecute"), ("controlplane", "NoSchedule")].into_iter();
        let taints = of.filter(|(role, _)| self.is(role)).map(
            |(role, effect)| json!({"key": format!("node-role.kubernetes.io/{role}"), "value": "true", "effect": effect}),
        );
        taints.collect()
    }
}

/// The cluster that is wanted.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Kubernetes version with Rancher's suffix.
    pub version: String,
    /// Its nodes.
    pub nodes: Vec<Node>,
    /// The network plugin.
    pub plugin: String,
    /// MTU of the pods' interfaces; 0 for the plugin's own choice.
    pub mtu: u64,
    /// The whole document.
    pub document: Value,
}

impl Cluster {
    /// `v1.22.9`.
    pub fn kubernetes(&self) -> &str {
        self.version.split('-').next().unwrap_or_default()
    }

    /// The nodes of a role.
    pub fn with_role<'c>(&'c self, role: &'c str) -> impl Iterator<Item = &'c Node> {
        self.nodes.iter().filter(move |node| node.is(role))
    }
}

/// Reads the text of a `cluster.yml`. `home` is where `~` leads.
///
/// # Errors
/// What RKE says of it.
pub fn read(text: &str, home: &str) -> Result<Cluster, String> {
    let document = super::yaml(text).map_err(|error| format!("Failed to parse cluster file: {error}"))?;
    schema::check(&document).map_err(|error| format!("Failed to parse cluster file: error unmarshaling: {error}"))?;
    let scalar = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    let general_key = or(scalar(&document["ssh_key_path"]), "~/.ssh/id_rsa");
    let nodes = document["nodes"].as_array().into_iter().flatten().map(|node| {
        let address = scalar(&node["address"]);
        let key = or(scalar(&node["ssh_key_path"]), &general_key);
        let key = key
            .strip_prefix("~/")
            .map_or_else(|| key.clone(), |rest| format!("{home}/{rest}"));
        let labels = node["labels"].as_object().into_iter().flatten();
        Node {
            port: or(scalar(&node["port"]), "22"),
            user: scalar(&node["user"]),
            name: or(scalar(&node["hostname_override"]), &address).to_lowercase(),
            roles: node["role"].as_array().into_iter().flatten().map(scalar).collect(),
            key: key.into(),
            socket: or(scalar(&node["docker_socket"]), "/var/run/docker.sock"),
            labels: labels.map(|(name, value)| (name.clone(), scalar(value))).collect(),
            address,
        }
    });
    let cluster = Cluster {
        name: or(scalar(&document["cluster_name"]), "local"),
        version: or(scalar(&document["kubernetes_version"]), VERSIONS[0]),
        nodes: nodes.collect(),
        plugin: or(scalar(&document["network"]["plugin"]), "canal"),
        mtu: document["network"]["mtu"].as_u64().unwrap_or(0),
        document,
    };
    validate(&cluster)?;
    Ok(cluster)
}

fn validate(cluster: &Cluster) -> Result<(), String> {
    let document = &cluster.document;
    if !VERSIONS.contains(&cluster.version.as_str()) {
        return Err(format!(
            "Failed to validate cluster: {} is an unsupported Kubernetes version and system images are not populated: \
             etcd image is not populated",
            cluster.version
        ));
    }
    let failed = |what: String| Err(format!("Failed to validate cluster: {what}"));
    for (index, node) in cluster.nodes.iter().enumerate() {
        let number = index + 1;
        for (value, what) in [
            (node.address.is_empty(), "Address"),
            (node.user.is_empty(), "User"),
            (node.roles.is_empty(), "Role"),
        ] {
            if value {
                return failed(format!("{what} for host ({number}) is not provided"));
            }
        }
        let unknown = node
            .roles
            .iter()
            .find(|role| !["controlplane", "etcd", "worker"].contains(&role.as_str()));
        if let Some(role) = unknown {
            return failed(format!("Role [{role}] for host ({number}) is not recognized"));
        }
        let good = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || ".-".contains(letter);
        if !node.name.chars().all(good) {
            return failed(format!(
                "Hostname_override [{}] for host ({number}) is not valid: a lowercase RFC 1123 subdomain is wanted",
                node.name
            ));
        }
        let before = &cluster.nodes[..index];
        if before.iter().any(|other| other.address == node.address) {
            return failed(format!("Cluster can't have duplicate node: {}", node.address));
        }
        if before.iter().any(|other| other.name == node.name) {
            return failed(format!("Cluster can't have duplicate node: {}", node.name));
        }
    }
    let strategy = document["authentication"]["strategy"].as_str().unwrap_or("x509");
    let strategies: Vec<&str> = strategy.split('|').map(str::trim).collect();
    if let Some(other) = strategies.iter().find(|one| !["x509", "webhook"].contains(one)) {
        return failed(format!("Authentication strategy [{other}] is not supported"));
    }
    if !strategies.contains(&"x509") {
        return failed("Authentication strategy must contain [x509]".into());
    }
    if !PLUGINS.contains(&cluster.plugin.as_str()) {
        return failed(format!("Network plugin [{}] is not supported", cluster.plugin));
    }
    if cluster.plugin == "flannel" && cluster.mtu != 0 {
        return failed("Network plugin [flannel] does not support configuring MTU".into());
    }
    let ingress = document["ingress"]["provider"].as_str().unwrap_or("nginx");
    if !["nginx", "none"].contains(&ingress) {
        return failed(format!("Ingress controller {ingress} is incorrect"));
    }
    for (role, what) in [("etcd", "etcd"), ("controlplane", "control")] {
        if cluster.with_role(role).next().is_none() {
            return Err(format!(
                "Cluster must have at least one {what} plane host: please specify one or more {what} in cluster config"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
nodes:
- address: 10.61.0.11
  port: 22
  user: ubuntu
  role: [controlplane, etcd]
  hostname_override: vm1
- address: 10.61.0.14
  user: ubuntu
  role: [worker]
  hostname_override: vm4
  labels: {a: \"b\"}
ssh_key_path: ~/.ssh/id_ed25519
network: {plugin: canal, mtu: 1400}
";

    #[test]
    fn defaults_are_filled_in() {
        let cluster = read(GOOD, "/home/x").expect("good");
        assert_eq!(
            (cluster.name.as_str(), cluster.kubernetes(), cluster.mtu),
            ("local", "v1.22.9", 1400)
        );
        let [first, second] = &cluster.nodes[..] else {
            panic!("two nodes");
        };
        assert_eq!(first.key, PathBuf::from("/home/x/.ssh/id_ed25519"));
        assert_eq!(
            (first.port.as_str(), first.socket.as_str()),
            ("22", "/var/run/docker.sock")
        );
        assert_eq!(first.taints()[0]["effect"], "NoExecute");
        assert_eq!(second.taints(), json!([]));
        let labels = second.all_labels();
        assert!(labels.contains(&("node-role.kubernetes.io/worker".into(), "true".into())));
        assert!(labels.contains(&("a".into(), "b".into())));
    }

    #[test]
    fn what_rke_refuses_is_refused() {
        for (from, to, part) in [
            (
                "plugin: canal",
                "plugin: cilium",
                "Network plugin [cilium] is not supported",
            ),
            ("[worker]", "[workers]", "Role [workers] for host (2) is not recognized"),
            ("10.61.0.14", "10.61.0.11", "duplicate node: 10.61.0.11"),
            ("vm4", "vm1", "duplicate node: vm1"),
            ("vm4", "vm_4", "Hostname_override [vm_4]"),
            ("controlplane, etcd", "controlplane", "at least one etcd plane host"),
            ("controlplane, etcd", "etcd", "at least one control plane host"),
            (
                "network:",
                "kubernetes_version: v1.99.0-rancher1-1\nnetwork:",
                "unsupported Kubernetes version",
            ),
            (
                "network:",
                "ingress: {provider: traefik}\nnetwork:",
                "Ingress controller traefik",
            ),
            ("network:", "networks: {}\nnetwork:", "unknown field \"networks\""),
        ] {
            let error = read(&GOOD.replace(from, to), "/").expect_err("bad");
            assert!(error.contains(part), "{error}");
        }
    }
}
