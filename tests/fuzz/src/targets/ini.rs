//! INI inventories.

use crate::properties;
use mosip_prov_inventory::value::Value;
use mosip_prov_inventory::{Inventory, fuzzing};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Larger inventories are not looked at closely: that costs more than it finds.
const CLOSELY: usize = 200;

/// What is wrong is found where it is, with and without a vault around it; reading twice gives the same, with either kind of line
/// end; groups and hosts know each other; what is there can be written and read back.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let name = Path::new("hosts.ini");
    let loaded = fuzzing::ini(&text, name, false);
    properties::in_text(&loaded.diagnostics, &text, false);

    let hidden = fuzzing::ini(&text, name, true);
    properties::in_text(&hidden.diagnostics, &text, true);
    assert_eq!(loaded.diagnostics.error_count(), hidden.diagnostics.error_count());

    let inventory = &loaded.inventory;
    if inventory.hosts().count() > CLOSELY || inventory.groups().count() > CLOSELY {
        return;
    }
    for host in hidden.inventory.hosts() {
        for (name, var) in host.vars.iter() {
            let open = matches!(
                var.value,
                Value::Str(_) | Value::Unsafe(_) | Value::List(_) | Value::Map(_)
            );
            assert!(!open || only_secret(&var.value), "{name} of a vault is no secret");
        }
    }
    consistent(inventory);

    let listing = inventory.to_list_json();
    let graph = inventory.graph();
    let again = fuzzing::ini(&text, name, false);
    assert_eq!(loaded.diagnostics, again.diagnostics);
    assert_eq!(
        (&listing, &graph),
        (&again.inventory.to_list_json(), &again.inventory.graph())
    );
    let other_ends = fuzzing::ini(&text.replace('\n', "\r\n"), name, false).inventory;
    assert_eq!((&listing, &graph), (&other_ends.to_list_json(), &other_ends.graph()));

    if !loaded.diagnostics.has_errors()
        && let Some(written) = written(inventory)
    {
        let read = fuzzing::ini(&written, name, false);
        assert!(!read.diagnostics.has_errors(), "{written}\n{:?}", read.diagnostics);
        assert_eq!(members(inventory), members(&read.inventory), "{written}");
    }
}

fn only_secret(value: &Value) -> bool {
    match value {
        Value::Str(_) | Value::Unsafe(_) => false,
        Value::List(items) => items.iter().all(only_secret),
        Value::Map(map) => map.values().all(only_secret),
        _ => true,
    }
}

/// Hosts and groups that are named exist, each from both sides, and patterns that name them find them.
pub fn consistent(inventory: &Inventory) {
    let hosts: BTreeSet<&str> = inventory.hosts().map(|host| &*host.name).collect();
    let all: BTreeSet<&str> = inventory.hosts_of("all").into_iter().collect();
    assert_eq!(hosts, all, "`all` has all hosts");
    for group in inventory.groups() {
        for child in &group.children {
            let child = inventory.group(child).expect("a child is a group");
            assert!(child.parents.contains(&group.name), "{} has its parents", child.name);
        }
        if &*group.name == "all" {
            continue;
        }
        for host in inventory.hosts_of(&group.name) {
            assert!(
                inventory.groups_of(host).contains(&&*group.name),
                "{host} is in {}",
                group.name
            );
        }
    }
    for host in &hosts {
        assert!(!inventory.layers(host).iter().any(|layer| layer.is_empty()));
        for group in inventory.groups_of(host) {
            assert!(inventory.hosts_of(group).contains(host), "{group} has {host}");
        }
    }
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// The hosts and groups as an inventory, when all names are plain ones.
fn written(inventory: &Inventory) -> Option<String> {
    let mut names = inventory
        .hosts()
        .map(|h| &*h.name)
        .chain(inventory.groups().map(|g| &*g.name));
    if !names.all(is_plain) {
        return None;
    }
    let mut text = String::new();
    for group in inventory.groups().filter(|group| &*group.name != "all") {
        let _ = writeln!(text, "[{}]", group.name);
        for host in &group.hosts {
            let _ = writeln!(text, "{host}");
        }
    }
    for group in inventory.groups().filter(|group| !group.children.is_empty()) {
        let _ = writeln!(text, "[{}:children]", group.name);
        for child in &group.children {
            let _ = writeln!(text, "{child}");
        }
    }
    Some(text)
}

/// Each group with its hosts, those of its children included, and its children.
fn members(inventory: &Inventory) -> BTreeSet<(&str, Vec<&str>, Vec<&str>)> {
    inventory
        .groups()
        .map(|group| {
            let mut hosts = inventory.hosts_of(&group.name);
            hosts.sort_unstable();
            let mut children: Vec<&str> = group.children.iter().map(|child| &**child).collect();
            children.sort_unstable();
            (&*group.name, hosts, children)
        })
        .collect()
}
