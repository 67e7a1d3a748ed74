//! Objects of Rancher's v3 API, as far as they are looked at.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A list.
#[derive(Deserialize)]
pub struct Collection<T> {
    /// What is in it.
    #[serde(default = "Vec::new")]
    pub data: Vec<T>,
    /// Where there is more.
    pub pagination: Option<Pagination>,
}

/// The pages of a list.
#[derive(Deserialize)]
pub struct Pagination {
    /// The URL of the next page.
    pub next: Option<String>,
}

/// What a login answers with.
#[derive(Deserialize)]
pub struct Session {
    /// The token, to be kept secret.
    pub token: String,
}

/// A refusal: `{"type": "error", "status": 422, "code": "NotUnique", "message": "…"}`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Refusal {
    /// One word.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// A setting.
#[derive(Deserialize)]
pub struct Setting {
    /// What it was set to; empty when it was not.
    #[serde(default)]
    pub value: String,
}

/// A user.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Whether the dashboard asks for another password at the next login.
    #[serde(default)]
    pub must_change_password: bool,
}

/// A cluster. What says how Rancher built it is among `more`.
#[derive(Deserialize)]
pub struct Cluster {
    /// `c-abcde`, `c-m-abcdefgh`, or `local`.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// `pending`, `active`, …
    #[serde(default)]
    pub state: String,
    /// Everything else.
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// What Rancher calls those whose machines or service it made (`driver`), and where it keeps how.
const BUILT: &[(&str, &str)] = &[
    ("rancherKubernetesEngine", "rancherKubernetesEngineConfig"),
    ("EKS", "eksConfig"),
    ("GKE", "gkeConfig"),
    ("AKS", "aksConfig"),
    ("amazonElasticContainerService", "amazonElasticContainerServiceConfig"),
    ("googleKubernetesEngine", "googleKubernetesEngineConfig"),
    ("azureKubernetesService", "azureKubernetesServiceConfig"),
];

impl Cluster {
    /// Why it is none that was imported; `None` when it may be one.
    pub fn why_no_import(&self) -> Option<String> {
        let driver = self.more.get("driver").and_then(Value::as_str).unwrap_or_default();
        if self.id == "local" || self.more.get("internal") == Some(&Value::Bool(true)) {
            return Some("it is the cluster that Rancher itself runs in".into());
        }
        let removed = self.more.get("removed").and_then(Value::as_str).unwrap_or_default();
        if self.state == "removing" || !removed.is_empty() {
            return Some("it is being removed".into());
        }
        BUILT
            .iter()
            .find(|(name, config)| driver == *name || self.more.get(*config).is_some_and(|value| !value.is_null()))
            .map(|(name, _)| format!("Rancher made it itself, with its driver {name}"))
    }
}

/// What lets a cluster register.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationToken {
    /// `CLUSTER:NAME`.
    #[serde(default)]
    pub id: String,
    /// The cluster.
    #[serde(default)]
    pub cluster_id: String,
    /// `active`, `removing`, …
    #[serde(default)]
    pub state: String,
    /// When it was removed.
    #[serde(default)]
    pub removed: Option<String>,
    /// The import URL, secret; it comes some time after the token.
    #[serde(default)]
    pub manifest_url: Option<String>,
}

/// The name of the token that the dashboard shows, and that Rancher's Terraform provider looks for.
pub const DEFAULT_TOKEN: &str = "default-token";

impl RegistrationToken {
    /// Whether a cluster may be registered with it.
    pub fn is_good(&self, cluster: &str) -> bool {
        self.cluster_id == cluster && self.state != "removing" && self.removed.as_deref().unwrap_or_default().is_empty()
    }

    /// Its URL, when it is there.
    pub fn url(&self) -> Option<&str> {
        self.manifest_url.as_deref().filter(|url| !url.is_empty())
    }

    /// Whether it is the one by custom.
    pub fn is_default(&self) -> bool {
        self.id.ends_with(&format!(":{DEFAULT_TOKEN}"))
    }
}

/// A machine of a cluster.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub struct Node {
    /// Its cluster.
    pub cluster_id: String,
    /// Its name in the cluster.
    pub node_name: String,
    /// Its name of itself.
    pub hostname: String,
    /// Its address.
    pub ip_address: String,
    /// Its address from outside.
    pub external_ip_address: String,
}

impl Node {
    /// Whether it is known by one of these names or addresses.
    pub fn is_among(&self, known: &[String]) -> bool {
        let own = [
            &self.node_name,
            &self.hostname,
            &self.ip_address,
            &self.external_ip_address,
        ];
        own.into_iter()
            .filter(|one| !one.is_empty())
            .any(|one| known.iter().any(|other| other.eq_ignore_ascii_case(one)))
    }

    /// A name for it.
    pub fn shown(&self) -> String {
        let own = [&self.node_name, &self.hostname, &self.ip_address];
        let name = own.into_iter().find(|one| !one.is_empty());
        name.map_or_else(|| "one without a name".into(), |name| crate::http::neutral(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster(value: Value) -> Cluster {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn imports_are_told_from_what_rancher_built() {
        for fine in [
            json!({"id": "c-1", "name": "mosip"}),
            json!({"id": "c-1", "state": "pending", "driver": "imported", "removed": null, "eksConfig": null}),
            json!({"id": "c-m-1", "state": "active", "driver": "rke2", "rke2Config": {"kubernetesVersion": "v1"}}),
            json!({"id": "c-m-1", "state": "active", "driver": "imported", "internal": false}),
        ] {
            assert_eq!(cluster(fine.clone()).why_no_import(), None, "{fine}");
        }
        for (other, part) in [
            (json!({"id": "local"}), "Rancher itself"),
            (json!({"id": "c-1", "internal": true}), "Rancher itself"),
            (json!({"id": "c-1", "state": "removing"}), "removed"),
            (json!({"id": "c-1", "removed": "2026-01-01T00:00:00Z"}), "removed"),
            (json!({"id": "c-1", "driver": "EKS"}), "EKS"),
            (
                json!({"id": "c-1", "rancherKubernetesEngineConfig": {}}),
                "rancherKubernetesEngine",
            ),
        ] {
            let why = cluster(other.clone()).why_no_import().unwrap_or_default();
            assert!(why.contains(part), "{other}: {why}");
        }
    }

    #[test]
    fn tokens_that_go_are_not_taken() {
        let token = |value: Value| serde_json::from_value::<RegistrationToken>(value).unwrap();
        let good = token(
            json!({"id": "c-1:default-token", "clusterId": "c-1", "state": "active", "removed": null, "manifestUrl": ""}),
        );
        assert!(good.is_good("c-1") && good.is_default() && good.url().is_none());
        assert!(!good.is_good("c-2"));
        assert!(!token(json!({"clusterId": "c-1", "state": "removing"})).is_good("c-1"));
        assert!(!token(json!({"clusterId": "c-1", "removed": "2026"})).is_good("c-1"));
    }

    #[test]
    fn machines_are_known_by_any_of_their_names() {
        let node: Node = serde_json::from_value(json!({"nodeName": "VM4", "ipAddress": "10.0.0.4"})).unwrap();
        assert!(node.is_among(&["vm4".into()]) && node.is_among(&["10.0.0.4".into()]));
        assert!(!node.is_among(&["vm5".into(), String::new()]));
        assert_eq!(node.shown(), "VM4");
    }
}
