//! Kinds of objects that the API server offers, and what all objects have in common.

use std::hash::{BuildHasher, Hasher};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// A kind of object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// API group; empty for the core.
    pub group: String,
    /// Version within the group.
    pub version: String,
    /// Plural name, as in paths.
    pub plural: String,
    /// Singular name.
    pub singular: String,
    /// Kind.
    pub kind: String,
    /// Whether its objects belong to namespaces.
    pub namespaced: bool,
    /// Short names for `kubectl`.
    pub short: Vec<String>,
    /// Whether it is of a CustomResourceDefinition.
    pub custom: bool,
}

impl Resource {
    /// `deployments.apps`, `pods`.
    pub fn key(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// Group, version, plural, kind, whether namespaced, short name.
const BUILTIN: [(&str, &str, &str, &str, bool, &str); 23] = [
    ("", "v1", "namespaces", "Namespace", false, "ns"),
    ("", "v1", "nodes", "Node", false, "no"),
    ("", "v1", "pods", "Pod", true, "po"),
    ("", "v1", "configmaps", "ConfigMap", true, "cm"),
    ("", "v1", "secrets", "Secret", true, ""),
    ("", "v1", "services", "Service", true, "svc"),
    ("", "v1", "serviceaccounts", "ServiceAccount", true, "sa"),
    ("", "v1", "events", "Event", true, "ev"),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true, "pvc"),
    ("apps", "v1", "deployments", "Deployment", true, "deploy"),
    ("apps", "v1", "daemonsets", "DaemonSet", true, "ds"),
    ("apps", "v1", "replicasets", "ReplicaSet", true, "rs"),
    ("apps", "v1", "statefulsets", "StatefulSet", true, "sts"),
    ("batch", "v1", "jobs", "Job", true, ""),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "clusterroles",
        "ClusterRole",
        false,
        "",
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "clusterrolebindings",
        "ClusterRoleBinding",
        false,
        "",
    ),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", true, ""),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "rolebindings",
        "RoleBinding",
        true,
        "",
    ),
    (
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        false,
        "crd",
    ),
    ("networking.k8s.io", "v1", "ingresses", "Ingress", true, "ing"),
    ("networking.k8s.io", "v1", "ingressclasses", "IngressClass", false, ""),
    (
        "policy",
        "v1",
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        true,
        "pdb",
    ),
    ("coordination.k8s.io", "v1", "leases", "Lease", true, ""),
];

/// The kinds that are always there.
pub fn builtin() -> Vec<Resource> {
    let made = BUILTIN
        .iter()
        .map(|(group, version, plural, kind, namespaced, short)| Resource {
            group: (*group).into(),
            version: (*version).into(),
            plural: (*plural).into(),
            singular: kind.to_lowercase(),
            kind: (*kind).into(),
            namespaced: *namespaced,
            short: [*short]
                .into_iter()
                .filter(|name| !name.is_empty())
                .map(String::from)
                .collect(),
            custom: false,
        });
    made.collect()
}

/// The kinds that a CustomResourceDefinition offers, one for each served version.
pub fn of_definition(definition: &Value) -> Vec<Resource> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names = &spec["names"];
    let versions = spec["versions"].as_array().into_iter().flatten();
    versions
        .filter(|version| version["served"] == true)
        .map(|version| Resource {
            group: text(&spec["group"]),
            version: text(&version["name"]),
            plural: text(&names["plural"]),
            singular: names["singular"]
                .as_str()
                .map_or_else(|| text(&names["kind"]).to_lowercase(), str::to_owned),
            kind: text(&names["kind"]),
            namespaced: spec["scope"] == "Namespaced",
            short: names["shortNames"].as_array().into_iter().flatten().map(text).collect(),
            custom: true,
        })
        .collect()
}

/// Now, as Kubernetes writes times: RFC 3339 in UTC, whole seconds.
pub fn now() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    time(seconds)
}

fn time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01 of the proleptic Gregorian calendar, whose years begin with March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Seconds since the epoch of a time that [`now`] wrote; nothing for another form.
pub fn seconds_of(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn random() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// A random identity in the form of a UUID.
pub fn uid() -> String {
    let (a, b) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

/// The random end of a generated name.
pub fn suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut random = random();
    let letters = std::iter::repeat_with(|| {
        let letter = LETTERS[(random % LETTERS.len() as u64) as usize];
        random /= LETTERS.len() as u64;
        letter as char
    });
    letters.take(5).collect()
}

/// A text within an object; empty when it is not there.
pub fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The name of an object.
pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// Puts a condition among those of an object's status; its time changes only with its status.
pub fn set_condition(object: &mut Value, kind: &str, status: &str, reason: &str, message: &str) {
    if !object["status"].is_object() {
        object["status"] = json!({});
    }
    let conditions = &mut object["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let list = conditions.as_array_mut().expect("it was made one");
    let old = list.iter().position(|condition| condition["type"] == kind);
    let mut new = json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now(),
    });
    match old {
        Some(index) => {
            if list[index]["status"] == status {
                new["lastTransitionTime"] = list[index]["lastTransitionTime"].clone();
            }
            list[index] = new;
        }
        None => list.push(new),
    }
}

/// The status of a condition of an object; empty when it has none.
pub fn condition<'v>(object: &'v Value, kind: &str) -> &'v str {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == kind);
    found
        .and_then(|condition| condition["status"].as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_521_600, "2026-11-24T12:00:00Z"),
        ] {
            assert_eq!(time(seconds), text);
            assert_eq!(seconds_of(text), Some(seconds));
        }
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let mut object = json!({});
        set_condition(&mut object, "Ready", "True", "a", "");
        object["status"]["conditions"][0]["lastTransitionTime"] = json!("then");
        set_condition(&mut object, "Ready", "True", "b", "");
        assert_eq!(object["status"]["conditions"][0]["lastTransitionTime"], "then");
        set_condition(&mut object, "Ready", "False", "b", "");
        assert_ne!(object["status"]["conditions"][0]["lastTransitionTime"], "then");
        assert_eq!(condition(&object, "Ready"), "False");
    }

    #[test]
    fn a_definition_offers_its_served_versions() {
        let definition = json!({"spec": {
            "group": "install.istio.io", "scope": "Namespaced",
            "names": {"kind": "IstioOperator", "plural": "istiooperators", "singular": "istiooperator", "shortNames": ["iop"]},
            "versions": [{"name": "v1alpha1", "served": true}, {"name": "old", "served": false}],
        }});
        let found = of_definition(&definition);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key(), "istiooperators.install.istio.io");
        assert_eq!(found[0].api_version(), "install.istio.io/v1alpha1");
    }
}
