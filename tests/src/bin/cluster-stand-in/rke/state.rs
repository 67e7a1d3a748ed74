//! `cluster.rkestate`: what the cluster is to be, what it is, and the certificates without which it is lost.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::{Cluster, Node};
use crate::pki::{self, Pair};
use crate::{Failure, Outcome};

/// The file's content, in RKE's form.
#[derive(Default, Serialize, Deserialize)]
pub struct FullState {
    /// What is wanted.
    #[serde(rename = "desiredState")]
    pub desired: State,
    /// What was reached.
    #[serde(rename = "currentState")]
    pub current: State,
}

/// One of the two.
#[derive(Default, Clone, Serialize, Deserialize)]
pub struct State {
    /// The configuration.
    #[serde(rename = "rkeConfig", skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
    /// The certificates by their names.
    #[serde(rename = "certificatesBundle", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub certificates: BTreeMap<String, Pair>,
}

impl FullState {
    /// Reads the file; nothing when there is none.
    ///
    /// # Errors
    /// It is there and is none.
    pub fn read(path: &Path) -> Outcome<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => {
                let state = serde_json::from_slice(&bytes);
                Ok(Some(state.map_err(|error| {
                    format!("failed to unmarshal the state file: {error}")
                })?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("Can not find RKE state file: {}: {error}", path.display()).into()),
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Outcome {
        let text = serde_json::to_string_pretty(self)?;
        pki::write_private(path, &text)
            .map_err(|error| -> Failure { format!("Failed to write state file: {error}").into() })
    }

    /// A certificate of what is wanted.
    ///
    /// # Errors
    /// It is not there.
    pub fn certificate(&self, name: &str) -> Outcome<&Pair> {
        let found = self.desired.certificates.get(name);
        found.ok_or_else(|| format!("the state file has no certificate {name}").into())
    }

    /// The nodes that the cluster had and is not to have any more.
    pub fn nodes_gone(&self, cluster: &Cluster, home: &str) -> Vec<Node> {
        let Some(config) = &self.current.config else {
            return Vec::new();
        };
        let old = super::config::read(&config.to_string(), home)
            .map(|old| old.nodes)
            .unwrap_or_default();
        let stays = |node: &Node| cluster.nodes.iter().any(|other| other.address == node.address);
        old.into_iter().filter(|node| !stays(node)).collect()
    }
}

/// Makes the certificates that are missing or whose names changed; the others stay.
///
/// # Errors
/// They cannot be made.
pub fn complete(certificates: &mut BTreeMap<String, Pair>, cluster: &Cluster) -> Outcome {
    if !certificates.contains_key("kube-ca") {
        certificates.insert("kube-ca".into(), pki::authority()?);
    }
    let authority = certificates["kube-ca"].clone();
    let control = cluster.with_role("controlplane");
    let mut names: Vec<String> = control
        .flat_map(|node| [node.address.clone(), node.name.clone()])
        .collect();
    names.extend(["localhost", "127.0.0.1", "10.43.0.1", "kubernetes.default.svc"].map(String::from));
    let sans = cluster.document["authentication"]["sans"]
        .as_array()
        .into_iter()
        .flatten();
    names.extend(sans.filter_map(Value::as_str).map(str::to_owned));
    names.sort();
    names.dedup();
    for (name, user, group, names) in [
        ("kube-apiserver", "system:kube-apiserver", "", names),
        ("kube-node", "system:node", "system:nodes", Vec::new()),
        ("kube-admin", "kube-admin", "system:masters", Vec::new()),
    ] {
        if certificates.get(name).is_none_or(|have| have.names != names) {
            certificates.insert(name.into(), pki::sign(&authority, user, group, &names)?);
        }
    }
    Ok(())
}
