//! Values against Ansible's own answers: recorded ones always, fresh ones when an Ansible is at hand.
//!
//! To record again: `MOSIP_PROV_ORACLE=<venv with ansible-core 2.18> MOSIP_PROV_RECORD=1 cargo test -p
//! mosip-prov-inventory --test values_corpus -- --ignored`.

use indexmap::IndexMap;
use mosip_prov_inventory::value::{Value, Var, VarMap};
use mosip_prov_inventory::vars::{HostVars, World};
use mosip_prov_inventory::yaml::parse_value;
use std::path::PathBuf;
use std::sync::Arc;

/// What the corpus file says about hosts and groups.
struct Corpus {
    vars: Arc<VarMap>,
    hosts: IndexMap<Arc<str>, Arc<VarMap>>,
    groups: IndexMap<Arc<str>, Vec<Arc<str>>>,
}

impl World for Corpus {
    fn host_names(&self) -> Vec<Arc<str>> {
        self.hosts.keys().cloned().collect()
    }
    fn layers(&self, host: &str) -> Option<Vec<Arc<VarMap>>> {
        self.hosts.get(host).map(|vars| vec![Arc::clone(vars)])
    }
    fn groups(&self) -> IndexMap<Arc<str>, Vec<Arc<str>>> {
        self.groups.clone()
    }
    fn groups_of(&self, host: &str) -> Vec<Arc<str>> {
        let has = |hosts: &Vec<Arc<str>>| hosts.iter().any(|h| **h == *host);
        self.groups
            .iter()
            .filter(|(_, hosts)| has(hosts))
            .map(|(name, _)| Arc::clone(name))
            .collect()
    }
    fn inventory_dir(&self) -> Option<PathBuf> {
        Some(folder())
    }
    fn inventory_file(&self) -> Option<PathBuf> {
        None
    }
    fn defaults(&self) -> Option<Arc<VarMap>> {
        None
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/values")
}

fn var_map(value: Option<&Value>) -> VarMap {
    let Some(Value::Map(map)) = value else {
        return VarMap::new();
    };
    map.iter()
        .map(|(name, value)| {
            let var = Var {
                value: value.clone(),
                location: None,
            };
            (Arc::clone(name), var)
        })
        .collect()
}

fn strings(value: Option<&Value>) -> Vec<Arc<str>> {
    match value {
        Some(Value::List(items)) => items.iter().filter_map(Value::as_str).map(Arc::from).collect(),
        _ => Vec::new(),
    }
}

/// Our answers to all cases of one corpus file, in the shape the oracle prints them.
fn answers(file: &str) -> serde_json::Map<String, serde_json::Value> {
    let text = std::fs::read_to_string(folder().join(file)).expect("the corpus file can be read");
    let corpus = parse_value(&text, file).expect("the corpus is YAML");
    let world = corpus.get("world").cloned().unwrap_or(Value::Null);
    let entries = |name: &str| match world.get(name) {
        Some(Value::Map(map)) => map.clone(),
        _ => IndexMap::new(),
    };
    let hosts = entries("hosts")
        .into_iter()
        .map(|(name, vars)| (name, Arc::new(var_map(Some(&vars)))));
    let groups = entries("groups")
        .into_iter()
        .map(|(name, hosts)| (name, strings(Some(&hosts))));
    let world = Arc::new(Corpus {
        vars: Arc::new(var_map(corpus.get("vars"))),
        hosts: hosts.collect(),
        groups: groups.collect(),
    });
    let own = world.hosts.get("vm1").cloned().unwrap_or_default();
    let layers = vec![own, Arc::clone(&world.vars)];
    let vars = HostVars::new("vm1", layers, world);
    let mut out = serde_json::Map::new();
    let mut note = |case: String, result: Result<Value, mosip_prov_inventory::vars::ValueError>| {
        let answer = match result {
            Ok(value) => serde_json::json!({ "value": value }),
            Err(error) if error.is_undefined() => serde_json::json!({"error": "undefined"}),
            Err(_) => serde_json::json!({"error": "other"}),
        };
        out.insert(case, answer);
    };
    for case in strings(corpus.get("cases")) {
        note(case.to_string(), vars.render(&case, None));
    }
    for case in strings(corpus.get("files")) {
        let result = vars.render_file("case.j2", &case, &VarMap::new());
        note(format!("file:{case}"), result.map(Value::str));
    }
    out
}

/// Equal as JSON, numbers by value.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value as J;
    match (a, b) {
        (J::Number(a), J::Number(b)) => a == b || (a.is_f64() == b.is_f64() && a.as_f64() == b.as_f64()),
        (J::Array(a), J::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (J::Object(a), J::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}

/// The expressions of `docs/values.md`, where the answers are meant to differ.
fn documented() -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/values.md");
    let text = std::fs::read_to_string(path).expect("docs/values.md can be read");
    text.lines()
        .filter_map(|line| {
            line.strip_prefix("| `")?
                .split_once("` |")
                .map(|(case, _)| case.replace("\\|", "|"))
        })
        .collect()
}

/// Compares our answers with `theirs`; at least 95 % must be equal and every difference written down.
fn compare(theirs: &serde_json::Value) {
    let documented = documented();
    let (mut total, mut equal) = (0, 0);
    let mut unexplained = Vec::new();
    let mut needless = Vec::new();
    for (file, expected) in theirs.as_object().expect("an object of files") {
        let expected = expected.as_object().expect("an object of cases");
        let ours = answers(file);
        assert_eq!(
            ours.len(),
            expected.len(),
            "{file}: every case is recorded; record again after a change"
        );
        for (case, theirs) in expected {
            total += 1;
            let ours = ours
                .get(case)
                .unwrap_or_else(|| panic!("{file}: {case:?} is recorded but not in the corpus"));
            let listed = documented.iter().any(|d| d == case);
            if same(ours, theirs) {
                equal += 1;
                if listed {
                    needless.push(case.clone());
                }
            } else if !listed {
                unexplained.push(format!("{case:?}\n    Ansible: {theirs}\n    here:    {ours}"));
            }
        }
    }
    assert!(total >= 150, "the corpus holds {total} cases");
    assert!(
        unexplained.is_empty(),
        "{equal} of {total} equal; not in docs/values.md:\n{}",
        unexplained.join("\n")
    );
    assert!(needless.is_empty(), "listed in docs/values.md but equal: {needless:?}");
    assert!(equal * 100 >= total * 95, "{equal} of {total} equal");
}

#[test]
fn values_equal_what_ansible_answered() {
    let text = std::fs::read_to_string(folder().join("recorded.json")).expect("recorded.json can be read");
    compare(&serde_json::from_str(&text).expect("recorded.json is JSON"));
}

#[test]
#[ignore = "needs the oracle"]
fn values_equal_what_ansible_answers_now() {
    let Some(venv) = std::env::var_os("MOSIP_PROV_ORACLE") else {
        panic!("set MOSIP_PROV_ORACLE to a virtual environment with ansible-core 2.18");
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the corpus folder can be read")
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "yml"))
        .collect();
    files.sort();
    let output = std::process::Command::new(PathBuf::from(venv).join("bin/python"))
        .arg(folder().join("../../oracle/values.py"))
        .args(&files)
        .output()
        .expect("python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    if std::env::var_os("MOSIP_PROV_RECORD").is_some() {
        std::fs::write(folder().join("recorded.json"), &output.stdout).expect("recorded.json can be written");
    }
    compare(&serde_json::from_slice(&output.stdout).expect("the oracle prints JSON"));
}
