//! The kinds of patches a server takes: merge, strategic merge, JSON patch.

use serde_json::{Map, Value};

/// RFC 7386.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let target = target.as_object_mut().expect("it was made one");
    for (name, value) in patch {
        if value.is_null() {
            // `remove` would take the last entry's place, and with it the order.
            target.shift_remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// The field by which entries of a list are the same, by the list's name.
fn merge_key(list: &str, entries: &[Value]) -> Option<&'static str> {
    let keys: &[&str] = match list {
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" | "secrets" => &["name"],
        "ports" => &["containerPort", "port"],
        "volumeMounts" => &["mountPath"],
        "conditions" => &["type"],
        "taints" => &["key"],
        "addresses" => &["type"],
        "ownerReferences" => &["uid"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey"],
        _ => return None,
    };
    let has = |key: &&&'static str| entries.iter().all(|entry| entry.get(**key).is_some());
    keys.iter().find(has).copied()
}

/// Kubernetes' strategic merge patch: as [`merge`], but lists whose entries have a key are merged entry by entry.
pub fn strategic(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    let replaces = patch.get("$patch").is_some_and(|order| order == "replace");
    if !target.is_object() || replaces {
        *target = Value::Object(Map::new());
    }
    let fields = target.as_object_mut().expect("it was made one");
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        fields.retain(|name, _| kept.iter().any(|kept| kept == name.as_str()));
    }
    for (name, value) in patch {
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_array().cloned().unwrap_or_default();
            if let Some(have) = fields.get_mut(list).and_then(Value::as_array_mut) {
                have.retain(|item| !gone.contains(item));
            }
        } else if name.starts_with('$') {
            // The order of entries means nothing to what is played here.
        } else if value.is_null() {
            fields.shift_remove(name);
        } else if let Value::Array(entries) = value {
            let have = fields.entry(name.clone()).or_insert(Value::Array(Vec::new()));
            strategic_list(name, have, entries);
        } else {
            strategic(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

fn strategic_list(name: &str, have: &mut Value, entries: &[Value]) {
    let Some(list) = have.as_array_mut() else {
        *have = Value::Array(entries.to_vec());
        return;
    };
    if name == "finalizers" {
        let new = entries.iter().filter(|entry| !list.contains(entry)).cloned();
        let new: Vec<_> = new.collect();
        list.extend(new);
        return;
    }
    let replaces = entries.iter().any(|entry| entry["$patch"] == "replace");
    let both: Vec<Value> = list.iter().chain(entries).cloned().collect();
    let Some(key) = merge_key(name, &both).filter(|_| !replaces) else {
        *list = entries
            .iter()
            .filter(|entry| entry["$patch"] != "replace")
            .cloned()
            .collect();
        return;
    };
    for entry in entries {
        let index = list.iter().position(|old| old[key] == entry[key]);
        match (index, entry["$patch"] == "delete") {
            (Some(index), true) => drop(list.remove(index)),
            (Some(index), false) => strategic(&mut list[index], entry),
            (None, true) => {}
            (None, false) => list.push(entry.clone()),
        }
    }
}

/// RFC 6902: `add`, `replace`, `remove`, `test`, `copy`, `move`.
///
/// # Errors
/// An operation is unknown, its place is not there, or a test fails.
pub fn json_patch(target: &mut Value, patch: &Value) -> Result<(), String> {
    for operation in patch.as_array().ok_or("a JSON patch is a list")? {
        let place = |name: &str| {
            operation[name]
                .as_str()
                .ok_or_else(|| format!("an operation without {name}"))
        };
        let path = place("path")?;
        match operation["op"].as_str().unwrap_or_default() {
            "add" => put(target, path, operation["value"].clone(), true)?,
            "replace" => {
                target.pointer(path).ok_or_else(|| format!("nothing at {path}"))?;
                put(target, path, operation["value"].clone(), false)?;
            }
            "remove" => drop(take(target, path)?),
            "test" => {
                if target.pointer(path) != Some(&operation["value"]) {
                    return Err(format!("testing path {path} failed"));
                }
            }
            "copy" => {
                let from = place("from")?;
                let value = target
                    .pointer(from)
                    .cloned()
                    .ok_or_else(|| format!("nothing at {from}"))?;
                put(target, path, value, true)?;
            }
            "move" => {
                let value = take(target, place("from")?)?;
                put(target, path, value, true)?;
            }
            other => return Err(format!("unknown operation {other:?}")),
        }
    }
    Ok(())
}

fn parent<'v>(target: &'v mut Value, path: &str) -> Result<(&'v mut Value, String), String> {
    let (above, last) = path.rsplit_once('/').ok_or_else(|| format!("{path:?} is no path"))?;
    let parent = target.pointer_mut(above).ok_or_else(|| format!("nothing at {above}"))?;
    Ok((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn put(target: &mut Value, path: &str, value: Value, insert: bool) -> Result<(), String> {
    match parent(target, path)? {
        (Value::Object(fields), name) => drop(fields.insert(name, value)),
        (Value::Array(list), index) => {
            let index = if index == "-" {
                list.len()
            } else {
                index.parse().map_err(|_| format!("{path}: no index"))?
            };
            if insert && index <= list.len() {
                list.insert(index, value);
            } else {
                *list.get_mut(index).ok_or_else(|| format!("nothing at {path}"))? = value;
            }
        }
        _ => return Err(format!("nothing can be at {path}")),
    }
    Ok(())
}

fn take(target: &mut Value, path: &str) -> Result<Value, String> {
    let gone = match parent(target, path)? {
        (Value::Object(fields), name) => fields.shift_remove(&name),
        (Value::Array(list), index) => index
            .parse()
            .ok()
            .filter(|index| *index < list.len())
            .map(|index: usize| list.remove(index)),
        _ => None,
    };
    gone.ok_or_else(|| format!("nothing at {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merging_replaces_lists_and_null_removes() {
        let mut target = json!({"a": {"b": 1, "c": [1]}, "d": 2});
        merge(&mut target, &json!({"a": {"c": [2], "b": null}, "e": 3}));
        assert_eq!(target, json!({"a": {"c": [2]}, "d": 2, "e": 3}));
    }

    #[test]
    fn strategic_merging_merges_lists_by_key() {
        let mut target = json!({"containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}],
                                "args": [1, 2]});
        let patch = json!({
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [{"name": "a", "image": "2"}, {"name": "b", "$patch": "delete"}, {"name": "c"}],
            "args": [3],
        });
        strategic(&mut target, &patch);
        assert_eq!(
            target,
            json!({"containers": [{"name": "a", "image": "2", "env": [{"name": "X", "value": "1"}]}, {"name": "c"}], "args": [3]})
        );
        let mut target = json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}});
        strategic(
            &mut target,
            &json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
        );
        assert_eq!(target, json!({"strategy": {"type": "Recreate"}}));
    }

    #[test]
    fn json_patches_change_and_refuse() {
        let mut target = json!({"data": {"veth_mtu": "1400"}, "list": [1, 3]});
        let patch = json!([
            {"op": "test", "path": "/data/veth_mtu", "value": "1400"},
            {"op": "replace", "path": "/data/veth_mtu", "value": "1300"},
            {"op": "add", "path": "/list/1", "value": 2},
            {"op": "remove", "path": "/list/0"},
            {"op": "add", "path": "/data/a~1b", "value": "c"},
        ]);
        json_patch(&mut target, &patch).expect("applied");
        assert_eq!(
            target,
            json!({"data": {"veth_mtu": "1300", "a/b": "c"}, "list": [2, 3]})
        );
        for bad in [
            json!([{"op": "replace", "path": "/none/x", "value": 1}]),
            json!([{"op": "test", "path": "/list/0", "value": 9}]),
            json!([{"op": "remove", "path": "/list/7"}]),
            json!({}),
        ] {
            assert!(json_patch(&mut target, &bad).is_err(), "{bad}");
        }
    }
}
