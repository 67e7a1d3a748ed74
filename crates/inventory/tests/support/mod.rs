//! What the corpus tests share: reading cases, our own answers in the form of Ansible's.
#![allow(dead_code)]

use mosip_prov_inventory::value::Value;
use mosip_prov_inventory::{Inventory, LoadOptions, Loaded, VaultSecrets, load};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};

/// The folder of all corpora.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// A JSON file of the corpus.
pub fn read_json(path: &Path) -> Json {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Folders with inventories to list, sorted.
pub fn inventory_cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(corpus().join("inventories"))
        .expect("the corpus is there")
        .map(|entry| entry.expect("readable").path())
        .collect();
    cases.sort();
    cases
}

/// What the case asks for: its folder, sources and options.
pub fn case_request(folder: &Path) -> Json {
    let file = folder.join("case.json");
    let mut case = if file.exists() { read_json(&file) } else { json!({}) };
    if case.get("sources").is_none() {
        case["sources"] = json!(["hosts.ini"]);
    }
    case["folder"] = json!(folder);
    case
}

/// Our own reading of a case.
pub fn load_case(case: &Json) -> Loaded {
    let folder = Path::new(case["folder"].as_str().expect("a folder"));
    let texts = |key: &str| -> Vec<String> {
        case[key]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect()
    };
    let inside = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let is_list = |name: &String| name.contains(',');
    let sources = texts("sources")
        .into_iter()
        .map(|s| if is_list(&s) { s } else { inside(&s) })
        .collect();
    let extra_vars = texts("extra_vars")
        .into_iter()
        .map(|e| e.strip_prefix('@').map_or(e.clone(), |f| format!("@{}", inside(f))));
    let vault = case["vault_password_file"]
        .as_str()
        .map_or_else(VaultSecrets::none, |file| {
            VaultSecrets::from_file(&folder.join(file)).expect("a password")
        });
    load(&LoadOptions {
        sources,
        extra_vars: extra_vars.collect(),
        vault,
        vars_dirs: case["playbook_dir"]
            .as_str()
            .map(|dir| folder.join(dir))
            .into_iter()
            .collect(),
    })
}

/// Listing and graph in the form that the oracle answers.
pub fn listing(inventory: &Inventory) -> Json {
    json!({ "list": inventory.to_list_json(), "graph": inventory.graph() })
}

/// Ansible shows the ciphertext of vault values, we show a mask: brought to the mask.
pub fn masked(value: Json) -> Json {
    match value {
        Json::Object(map) if map.contains_key("__ansible_vault") => json!("***"),
        Json::Object(map) => Json::Object(map.into_iter().map(|(k, v)| (k, masked(v))).collect()),
        Json::Array(items) => items.into_iter().map(masked).collect(),
        other => other,
    }
}

/// A value in the form that the oracle answers: floats apart from integers.
pub fn plain(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Int(i) => serde_json::from_str(&i.to_string()).expect("a number"),
        Value::Float(x) => json!({ "float": float_repr(*x) }),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.to_string(), plain(v))).collect()),
        text => json!(text.as_str().expect("a text")),
    }
}

fn float_repr(x: f64) -> String {
    // The same digits as Python's repr; the forms of very large and small ones are compared as numbers.
    if x.is_nan() {
        "nan".into()
    } else if x.is_infinite() {
        if x > 0.0 { "inf".into() } else { "-inf".into() }
    } else {
        format!("{x:?}")
    }
}

/// Two answers agree; floats are compared as numbers.
pub fn same(ours: &Json, theirs: &Json) -> bool {
    match (ours, theirs) {
        (Json::Object(a), Json::Object(b)) => {
            if let (Some(Json::String(x)), Some(Json::String(y))) = (a.get("float"), b.get("float")) {
                return x == y || x.parse::<f64>().ok() == y.parse::<f64>().ok();
            }
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same(x, y)),
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => ours == theirs,
    }
}

/// Our answers for the patterns of a corpus file. Limit files are named relative to the corpus.
pub fn select_all(case: &Json) -> Vec<Json> {
    let inventory = load_case(case).inventory;
    let folder = case["folder"].as_str().expect("a folder");
    let pairs = case["patterns"].as_array().expect("patterns");
    pairs
        .iter()
        .map(|pair| {
            let limit = pair[1].as_str().map(|limit| limit.replace('@', &format!("@{folder}/")));
            let pattern = pair[0].as_str().expect("a pattern");
            match inventory.select_limited(pattern, limit.as_deref()) {
                Ok(hosts) => hosts.iter().map(|host| json!(**host)).collect(),
                Err(error) => json!({ "error": error.to_string() }),
            }
        })
        .collect()
}

/// The pattern cases: each an inventory with patterns.
pub fn pattern_cases() -> Vec<Json> {
    let folder = corpus().join("patterns");
    let mut cases = read_json(&folder.join("patterns.json"));
    let list = cases.as_array_mut().expect("a list");
    for case in list.iter_mut() {
        case["folder"] = json!(folder);
    }
    list.clone()
}
