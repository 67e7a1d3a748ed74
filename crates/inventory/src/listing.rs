//! Listings in the shapes of `ansible-inventory --list`, `--host` and `--graph`. Vault values are masked.

use crate::inventory::Inventory;
use crate::value::{Value, Var};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, HashSet};

/// What Ansible leaves out of listings: variables it makes itself.
const INTERNAL: [&str; 34] = [
    "ansible_async_path",
    "ansible_collection_name",
    "ansible_config_file",
    "ansible_dependent_role_names",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_forks",
    "ansible_inventory_sources",
    "ansible_limit",
    "ansible_play_batch",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_play_role_names",
    "ansible_playbook_python",
    "ansible_role_name",
    "ansible_role_names",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "group_names",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "omit",
    "play_hosts",
    "playbook_dir",
    "role_name",
    "role_names",
    "role_path",
    "role_uuid",
];

const MASK: &str = "***";

impl Inventory {
    /// All groups and the variables of all hosts, as `ansible-inventory --list` prints them; keys sorted.
    pub fn to_list_json(&self) -> Json {
        let mut groups = BTreeMap::new();
        let mut seen = HashSet::new();
        self.list_group("all", &mut groups, &mut seen);
        let mut hosts: Vec<&str> = self.hosts_of("all");
        hosts.sort_unstable();
        let mut variables = Map::new();
        for host in hosts {
            let vars = self.to_host_json(host);
            if vars.as_object().is_some_and(|vars| !vars.is_empty()) {
                variables.insert(host.to_owned(), vars);
            }
        }
        groups.insert("_meta".to_owned(), json!({ "hostvars": variables }));
        Json::Object(groups.into_iter().collect())
    }

    fn list_group(&self, name: &str, groups: &mut BTreeMap<String, Json>, seen: &mut HashSet<String>) {
        let Some(group) = self.group(name) else {
            return;
        };
        let mut entry = Map::new();
        if !group.children.is_empty() {
            entry.insert(
                "children".into(),
                group.children.iter().map(|child| json!(**child)).collect(),
            );
        }
        if name != "all" && !group.hosts.is_empty() {
            entry.insert("hosts".into(), group.hosts.iter().map(|host| json!(**host)).collect());
        }
        if !entry.is_empty() {
            groups.insert(name.to_owned(), Json::Object(entry));
        }
        for child in &group.children {
            if seen.insert(child.to_string()) {
                self.list_group(child, groups, seen);
            }
        }
    }

    /// The raw variables of one host, as `ansible-inventory --host` prints them; keys sorted.
    pub fn to_host_json(&self, host: &str) -> Json {
        let mut vars: BTreeMap<&str, &Var> = BTreeMap::new();
        let layers = self.layers(host);
        for layer in &layers {
            vars.extend(layer.iter().map(|(name, var)| (&**name, var)));
        }
        let shown = vars.into_iter().filter(|(name, _)| !INTERNAL.contains(name));
        Json::Object(shown.map(|(name, var)| (name.to_owned(), var_to_json(var))).collect())
    }

    /// The tree of groups and hosts, as `ansible-inventory --graph` prints it.
    pub fn graph(&self) -> String {
        let mut lines = Vec::new();
        self.graph_group("all", 0, &mut lines);
        lines.join("\n")
    }

    fn graph_group(&self, name: &str, depth: usize, lines: &mut Vec<String>) {
        let Some(group) = self.group(name) else {
            return;
        };
        lines.push(graph_line(&format!("@{name}:"), depth));
        for child in &group.children {
            self.graph_group(child, depth + 1, lines);
        }
        if name != "all" {
            lines.extend(group.hosts.iter().map(|host| graph_line(host, depth + 1)));
        }
    }
}

fn graph_line(name: &str, depth: usize) -> String {
    if depth == 0 {
        name.to_owned()
    } else {
        format!("{}--{name}", "  |".repeat(depth))
    }
}

fn var_to_json(var: &Var) -> Json {
    // A place without its text is one in an encrypted file: nothing of it is shown, numbers included.
    let hidden = var
        .location
        .as_ref()
        .is_some_and(|place| place.line > 0 && place.text.is_none());
    to_json(&var.value, hidden)
}

fn to_json(value: &Value, hidden: bool) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Secret(_) => MASK.into(),
        Value::Int(_) | Value::Float(_) | Value::Str(_) | Value::Unsafe(_) if hidden => MASK.into(),
        Value::Int(i) => match (i64::try_from(*i), u64::try_from(*i)) {
            (Ok(i), _) => i.into(),
            (_, Ok(u)) => u.into(),
            _ => json!(*i as f64),
        },
        Value::Float(x) => json!(x),
        Value::Str(s) => json!(**s),
        Value::Unsafe(s) => json!({ "__ansible_unsafe": **s }),
        Value::List(items) => items.iter().map(|item| to_json(item, hidden)).collect(),
        Value::Map(map) => {
            let sorted: BTreeMap<&str, &Value> = map.iter().map(|(k, v)| (&**k, v)).collect();
            Json::Object(
                sorted
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), to_json(v, hidden)))
                    .collect(),
            )
        }
    }
}
