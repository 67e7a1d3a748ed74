//! What a server says about itself: versions, groups, resources.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::objects::Resource;

/// `/version` for a Kubernetes version such as `v1.22.9`.
pub fn version(version: &str) -> Value {
    let mut numbers = version.trim_start_matches('v').split('.');
    json!({
        "major": numbers.next(), "minor": numbers.next(), "gitVersion": version, "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "2022-05-01T00:00:00Z", "goVersion": "go1.16.15", "compiler": "gc", "platform": "linux/amd64",
    })
}

/// `/api`.
pub fn core(address: &str) -> Value {
    json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// `/apis`.
pub fn groups(resources: &[Resource]) -> Value {
    let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for resource in resources.iter().filter(|resource| !resource.group.is_empty()) {
        let version = json!({"groupVersion": resource.api_version(), "version": resource.version});
        let versions = groups.entry(&resource.group).or_default();
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    let authorization = json!({"groupVersion": "authorization.k8s.io/v1", "version": "v1"});
    groups.insert("authorization.k8s.io", vec![authorization]);
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|(name, versions)| json!({"name": name, "preferredVersion": versions[0], "versions": versions}))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`; nothing when there is no such group.
pub fn group(resources: &[Resource], name: &str) -> Option<Value> {
    let groups = groups(resources);
    let found = groups["groups"]
        .as_array()?
        .iter()
        .find(|group| group["name"] == name)?;
    let mut group = found.clone();
    group["kind"] = json!("APIGroup");
    group["apiVersion"] = json!("v1");
    Some(group)
}

/// `/api/v1` or `/apis/GROUP/VERSION`; nothing when there is no such version.
pub fn resources(resources: &[Resource], api_version: &str) -> Option<Value> {
    const VERBS: [&str; 7] = ["create", "delete", "get", "list", "patch", "update", "watch"];
    let mut list = Vec::new();
    for resource in resources
        .iter()
        .filter(|resource| resource.api_version() == api_version)
    {
        list.push(json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
            "kind": resource.kind, "shortNames": resource.short, "verbs": VERBS,
        }));
        list.push(json!({
            "name": format!("{}/status", resource.plural), "singularName": "", "namespaced": resource.namespaced,
            "kind": resource.kind, "verbs": ["get", "patch", "update"],
        }));
        if resource.plural == "pods" {
            list.push(json!({
                "name": "pods/eviction", "singularName": "", "namespaced": true, "group": "policy", "version": "v1",
                "kind": "Eviction", "verbs": ["create"],
            }));
        }
    }
    if api_version == "authorization.k8s.io/v1" {
        list.push(json!({
            "name": "selfsubjectaccessreviews", "singularName": "", "namespaced": false,
            "kind": "SelfSubjectAccessReview", "verbs": ["create"],
        }));
    }
    (!list.is_empty())
        .then(|| json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": list}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects;

    #[test]
    fn groups_and_resources_are_found() {
        let all = objects::builtin();
        assert_eq!(
            group(&all, "apps").expect("a group")["preferredVersion"]["groupVersion"],
            "apps/v1"
        );
        assert!(group(&all, "install.istio.io").is_none());
        let core = resources(&all, "v1").expect("the core");
        let names = core["resources"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| &one["name"]);
        assert!(names.into_iter().any(|name| name == "configmaps"));
        assert_eq!(version("v1.22.9")["minor"], "22");
    }
}
