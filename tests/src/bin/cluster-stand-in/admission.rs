//! What a server checks in an object that is written, and what it fills in.

use serde_json::{Value, json};

use crate::objects::{self, Resource, name, text};
use crate::query;
use crate::status::Refusal;
use crate::store::Inner;

/// The node ports a service may have, Kubernetes' default.
pub const NODE_PORTS: std::ops::RangeInclusive<u64> = 30_000..=32_767;

/// Checks an object of a resource, with `old` being replaced by it, and fills in defaults.
///
/// # Errors
/// What is wrong with it.
pub fn admit(inner: &Inner, resource: &Resource, object: &mut Value, old: Option<&Value>) -> Result<(), Refusal> {
    if !object.is_object() {
        return Err(Refusal::bad(
            "the object provided is unrecognized (must be of type Object)",
        ));
    }
    for (field, wanted) in [("kind", resource.kind.clone()), ("apiVersion", resource.api_version())] {
        match object[field].as_str() {
            None => object[field] = json!(wanted),
            Some(have) if have == wanted => {}
            Some(have) => {
                return Err(Refusal::bad(format!(
                    "the {field} in the data ({have}) does not match the expected {field} ({wanted})"
                )));
            }
        }
    }
    if !object["metadata"].is_object() {
        return Err(Refusal::invalid(&resource.kind, "", "metadata: Required value"));
    }
    let name = name(object).to_owned();
    let refuse = |what: String| Err(Refusal::invalid(&resource.kind, &name, &what));
    if !name.is_empty() && !is_subdomain(&name, resource.group == "rbac.authorization.k8s.io") {
        return refuse(format!(
            "metadata.name: Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case \
             alphanumeric characters, '-' or '.'"
        ));
    }
    for map in ["labels", "annotations"] {
        let entries = object["metadata"][map].as_object().into_iter().flatten();
        if let Some((key, _)) = entries.into_iter().find(|(_, value)| !value.is_string()) {
            return Err(Refusal::bad(format!(
                "metadata.{map}.{key}: the value must be a string"
            )));
        }
    }
    let outcome = match resource.key().as_str() {
        "namespaces" => {
            if object["status"]["phase"].is_null() {
                object["status"] = json!({"phase": "Active"});
            }
            Ok(())
        }
        "configmaps" => strings(object, "data"),
        "secrets" => strings(object, "stringData"),
        "deployments.apps" => workload(object).map(|()| {
            if object["spec"]["replicas"].is_null() {
                object["spec"]["replicas"] = json!(1);
            }
            if object["spec"]["strategy"].is_null() {
                object["spec"]["strategy"] = json!({"type": "RollingUpdate"});
            }
        }),
        "daemonsets.apps" => workload(object).map(|()| {
            if object["spec"]["updateStrategy"].is_null() {
                object["spec"]["updateStrategy"] = json!({"type": "RollingUpdate"});
            }
        }),
        "pods" => {
            if object["spec"]["containers"].as_array().is_none_or(Vec::is_empty) {
                Err("spec.containers: Required value".into())
            } else {
                if object["status"]["phase"].is_null() {
                    object["status"] = json!({"phase": "Pending"});
                }
                Ok(())
            }
        }
        "services" => service(inner, object, old),
        "customresourcedefinitions.apiextensions.k8s.io" => definition(object),
        _ => Ok(()),
    };
    outcome.or_else(refuse)
}

fn is_subdomain(name: &str, any: bool) -> bool {
    let good = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-' || letter == '.';
    let end = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    any || (name.len() <= 253 && name.chars().all(good) && end(name.chars().next()) && end(name.chars().last()))
}

fn strings(object: &Value, field: &str) -> Result<(), String> {
    let entries = object[field].as_object().into_iter().flatten();
    match entries.into_iter().find(|(_, value)| !value.is_string()) {
        Some((key, _)) => Err(format!("{field}.{key}: Invalid value: must be a string")),
        None => Ok(()),
    }
}

fn workload(object: &Value) -> Result<(), String> {
    let (selector, template) = (&object["spec"]["selector"], &object["spec"]["template"]);
    if !selector.is_object() {
        return Err("spec.selector: Required value".into());
    }
    if !query::selector_matches(selector, &template["metadata"]["labels"]) {
        return Err("spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`".into());
    }
    if template["spec"]["containers"].as_array().is_none_or(Vec::is_empty) {
        return Err("spec.template.spec.containers: Required value".into());
    }
    Ok(())
}

fn definition(object: &Value) -> Result<(), String> {
    let names = &object["spec"]["names"];
    let wanted = format!("{}.{}", text(names, "/plural"), text(object, "/spec/group"));
    if name(object) != wanted {
        return Err(format!(
            "metadata.name: Invalid value: \"{}\": must be spec.names.plural+\".\"+spec.group",
            name(object)
        ));
    }
    if objects::of_definition(object).is_empty() {
        return Err("spec.versions: Invalid value: must have a served version".into());
    }
    Ok(())
}

fn service(inner: &Inner, object: &mut Value, old: Option<&Value>) -> Result<(), String> {
    let own = (text(object, "/metadata/namespace").to_owned(), name(object).to_owned());
    let spec = &mut object["spec"];
    if spec["type"].is_null() {
        spec["type"] = json!("ClusterIP");
    }
    if spec["clusterIP"].is_null() && spec["type"] != "ExternalName" {
        let kept = old.map(|old| old["spec"]["clusterIP"].clone()).filter(Value::is_string);
        // Addresses are given out in order of revisions; none is given twice while fewer than 60000 changes happen.
        let next = inner.revision + 20;
        spec["clusterIP"] = kept.unwrap_or_else(|| json!(format!("10.43.{}.{}", next / 250 % 250, next % 250 + 1)));
    }
    let with_nodes = spec["type"] == "NodePort" || spec["type"] == "LoadBalancer";
    let others = inner
        .list("services", None)
        .into_iter()
        .filter(|other| (text(other, "/metadata/namespace"), name(other)) != (own.0.as_str(), own.1.as_str()));
    let mut taken: Vec<u64> = others
        .flat_map(|other| other["spec"]["ports"].as_array().into_iter().flatten())
        .filter_map(|port| port["nodePort"].as_u64())
        .collect();
    let old_ports = old
        .and_then(|old| old["spec"]["ports"].as_array())
        .cloned()
        .unwrap_or_default();
    let Some(ports) = spec["ports"].as_array_mut() else {
        return Ok(());
    };
    let several = ports.len() > 1;
    for (index, port) in ports.iter_mut().enumerate() {
        let number = port["port"].as_u64().unwrap_or(0);
        if !(1..=65_535).contains(&number) {
            return Err(format!(
                "spec.ports[{index}].port: Invalid value: {number}: must be between 1 and 65535, inclusive"
            ));
        }
        if several && !port["name"].is_string() {
            return Err(format!("spec.ports[{index}].name: Required value"));
        }
        if port["protocol"].is_null() {
            port["protocol"] = json!("TCP");
        }
        if port["targetPort"].is_null() {
            port["targetPort"] = json!(number);
        }
        let node = port["nodePort"].as_u64().filter(|node| *node != 0);
        if !with_nodes {
            if node.is_some() {
                return Err(format!(
                    "spec.ports[{index}].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"
                ));
            }
            continue;
        }
        let same = old_ports
            .iter()
            .find(|old| old["port"] == port["port"] && old["name"] == port["name"]);
        let kept = same.and_then(|old| old["nodePort"].as_u64());
        let free = || NODE_PORTS.clone().rev().find(|free| !taken.contains(free));
        let node = node.or(kept).or_else(free).unwrap_or(0);
        if !NODE_PORTS.contains(&node) {
            return Err(format!(
                "spec.ports[{index}].nodePort: Invalid value: {node}: provided port is not in the valid range. The \
                 range of valid ports is 30000-32767"
            ));
        }
        if taken.contains(&node) {
            return Err(format!(
                "spec.ports[{index}].nodePort: Invalid value: {node}: provided port is already allocated"
            ));
        }
        taken.push(node);
        port["nodePort"] = json!(node);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn admitted(inner: &mut Inner, plural: &str, mut object: Value) -> Result<Value, String> {
        let resource = objects::builtin()
            .into_iter()
            .find(|one| one.plural == plural)
            .expect("known");
        admit(inner, &resource, &mut object, None).map_err(|refusal| refusal.message)?;
        let namespace = if resource.namespaced { "default" } else { "" };
        inner
            .create(&resource.key(), namespace, object)
            .map_err(|refusal| refusal.message)
    }

    #[test]
    fn node_ports_are_given_and_guarded() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path().join("state.json")).expect("a store");
        let mut inner = store.lock();
        let service = |name: &str, kind: &str, node: Value| {
            let mut port = json!({"port": 80});
            if !node.is_null() {
                port["nodePort"] = node;
            }
            json!({"metadata": {"name": name}, "spec": {"type": kind, "ports": [port]}})
        };
        let first = admitted(&mut inner, "services", service("a", "NodePort", json!(30080))).expect("good");
        assert!(text(&first, "/spec/clusterIP").starts_with("10.43."));
        let given = admitted(&mut inner, "services", service("b", "NodePort", Value::Null)).expect("good");
        assert!(NODE_PORTS.contains(&given["spec"]["ports"][0]["nodePort"].as_u64().expect("given")));
        for (node, part) in [
            (json!(30080), "already allocated"),
            (json!(80), "not in the valid range"),
        ] {
            let error = admitted(&mut inner, "services", service("c", "NodePort", node)).expect_err("bad");
            assert!(error.contains(part), "{error}");
        }
        let error = admitted(&mut inner, "services", service("d", "ClusterIP", json!(30081))).expect_err("bad");
        assert!(error.contains("Forbidden"), "{error}");
    }

    #[test]
    fn objects_that_make_no_sense_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path().join("state.json")).expect("a store");
        let mut inner = store.lock();
        let labels = json!({"app": "a"});
        let deployment = |selected: Value| {
            json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": selected},
                   "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c"}]}}}})
        };
        let good = admitted(&mut inner, "deployments", deployment(labels.clone())).expect("good");
        assert_eq!(good["spec"]["replicas"], 1);
        for (plural, object, part) in [
            ("deployments", deployment(json!({"app": "b"})), "does not match"),
            (
                "configmaps",
                json!({"metadata": {"name": "m"}, "data": {"a": 1}}),
                "must be a string",
            ),
            ("configmaps", json!({"metadata": {"name": "M_x"}}), "RFC 1123"),
            (
                "configmaps",
                json!({"kind": "Secret", "metadata": {"name": "m"}}),
                "does not match",
            ),
            ("pods", json!({"metadata": {"name": "p"}}), "spec.containers"),
        ] {
            let error = admitted(&mut inner, plural, object).expect_err("bad");
            assert!(error.contains(part), "{error}");
        }
    }
}
