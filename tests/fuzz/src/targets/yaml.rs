//! YAML and JSON: files of variables, inventories, scalars.

use crate::{properties, targets};
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::value::{Value, Var, VarMap};
use mosip_prov_inventory::yaml::{self, Node, NodeKind};
use mosip_prov_inventory::{VaultSecrets, fuzzing};
use std::path::Path;

/// Values of larger texts are not written and read back.
const WRITTEN: usize = 4096;

/// What is wrong is found where it is, with and without a vault around it; reading twice gives the same; values have places in the
/// text; what was read can be written, as YAML and as JSON, and read back. The same text as an inventory is looked at as one.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let name = Path::new("vars.yml");
    let none = VaultSecrets::none();
    let (document, found) = yaml::read(&text, name, &none, false);
    let lines = &properties::yaml_lines(&text);
    properties::in_lines(&found, lines, text.len(), false);
    if let Some(root) = &document.root {
        in_text(root, lines);
        // Mappings of variables have a place each.
        if let Ok(vars) = document.to_vars() {
            for var in vars.values() {
                let place = var.location.as_ref().expect("a place");
                properties::place_in(place, lines, false);
            }
        }
    }
    let (again, found_again) = yaml::read(&text, name, &none, false);
    assert_eq!(found, found_again);
    let value = document.root.as_ref().map(Node::to_value);
    assert_eq!(
        format!("{value:?}"),
        format!("{:?}", again.root.as_ref().map(Node::to_value))
    );

    let (hidden, found_hidden) = yaml::read(&text, name, &none, true);
    properties::in_lines(&found_hidden, lines, text.len(), true);
    assert_eq!(found.error_count(), found_hidden.error_count());
    if let Some(root) = &hidden.root {
        assert!(only_secret(&root.to_value()), "a text of a vault is no secret");
    }

    inventory(&text, &none, &found);
    if let Some(value) = value
        && text.len() <= WRITTEN
    {
        read_back(&value);
    }
}

fn inventory(text: &str, secrets: &VaultSecrets, found: &Diagnostics) {
    let loaded = fuzzing::yaml(text, Path::new("hosts.yml"), secrets, false);
    properties::in_lines(&loaded.diagnostics, &properties::yaml_lines(text), text.len(), false);
    assert!(loaded.diagnostics.error_count() >= found.error_count());
    let inventory = &loaded.inventory;
    if inventory.hosts().count() < 200 && inventory.groups().count() < 200 {
        targets::ini::consistent(inventory);
        let again = fuzzing::yaml(text, Path::new("hosts.yml"), secrets, false).inventory;
        assert_eq!(inventory.to_list_json(), again.to_list_json());
        assert_eq!(inventory.graph(), again.graph());
    }
}

fn in_text(node: &Node, lines: &[&str]) {
    let place = |line: usize, column: usize| {
        assert!(line <= lines.len() + 1, "line {line} of {}", lines.len());
        let length = lines.get(line.saturating_sub(1)).map_or(0, |line| line.chars().count());
        assert!(
            column <= length + 1,
            "column {column} of line {line}, which has {length}"
        );
    };
    place(node.line, node.column);
    match &node.kind {
        NodeKind::Scalar(_) => {}
        NodeKind::List(items) => items.iter().for_each(|item| in_text(item, lines)),
        NodeKind::Map(entries) => {
            for entry in entries {
                place(entry.line, entry.column);
                in_text(&entry.value, lines);
            }
        }
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

/// Writes a value by the filters that do so, and reads it back.
fn read_back(value: &Value) {
    // What is a template must not be taken for one here.
    let value = data(value);
    let var = Var {
        value: value.clone(),
        location: None,
    };
    let layer = VarMap::from_iter([("v".into(), var)]);
    let host = targets::jinja::host();
    for filter in ["to_yaml", "to_nice_yaml", "to_json", "to_nice_json"] {
        let written = host.render_file("t", &format!("{{{{ v | {filter} }}}}"), &layer);
        // Values that JSON and YAML do not have are refused.
        let Ok(written) = written else {
            continue;
        };
        let json = filter.contains("json");
        // Python writes these into JSON, which has no such numbers.
        if json && ["NaN", "Infinity"].iter().any(|word| written.contains(word)) {
            continue;
        }
        // JSON with such escapes is no YAML, and is read by another reader, whose integers have 64 bits.
        if json && written.contains("\\ud") {
            continue;
        }
        let read = if json {
            // Numbers of JSON are others than those of YAML; a text is JSON by how it begins.
            let (document, found) = yaml::read(
                &format!("[{written}]"),
                Path::new("written"),
                &VaultSecrets::none(),
                false,
            );
            assert!(!found.has_errors(), "{filter} wrote {written:?}: {found:?}");
            match document.root.as_ref().map(Node::to_value) {
                Some(Value::List(mut items)) if items.len() == 1 => items.remove(0),
                other => panic!("{filter} wrote {written:?}, read as {other:?}"),
            }
        } else {
            let read = yaml::parse_value(&written, "written");
            // Refused, and said to be: YAML's writers do not quote `[a -]`, which the parser cannot read.
            if matches!(&read, Err(error) if error.to_string().contains("a `-` just before")) {
                continue;
            }
            read.unwrap_or_else(|error| panic!("{filter} wrote {written:?}: {error}"))
        };
        let (written_as, read_as) = (format!("{value:?}"), format!("{:?}", data(&read)));
        assert_eq!(written_as, read_as, "{filter} wrote {written:?}");
    }
}

fn data(value: &Value) -> Value {
    match value {
        Value::Str(text) => Value::Unsafe(text.clone()),
        Value::List(items) => Value::List(items.iter().map(data).collect()),
        Value::Map(map) => {
            let mut map: Vec<_> = map.iter().map(|(key, value)| (key.clone(), data(value))).collect();
            // Not every filter keeps the order.
            map.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Map(map.into_iter().collect())
        }
        other => other.clone(),
    }
}
