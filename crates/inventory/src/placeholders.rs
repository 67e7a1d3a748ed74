//! Values that were never filled in: `172.16.50.`, `<node1-private-ip>`, `{MOSIP_DOMAIN}`, and what looks like an
//! address and is none. Found before anything connects, each with its place.

use crate::diagnostic::{Diagnostic, Diagnostics, Location};
use crate::inventory::Inventory;
use crate::value::{Value, VarMap};
use crate::yaml::{Node, NodeKind};
use regex::Regex;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, LazyLock};

// `<name>` with letters, digits, `-`, `_`, `.` and blanks, as guides write what the reader is to replace.
static ANGLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"<[A-Za-z][A-Za-z0-9 _.-]*>").expect("a constant expression"));
// `{NAME}` in capitals, neither a template's `{{ name }}` nor a shell's `${NAME}`.
static BRACE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[^{$])(\{[A-Z][A-Z0-9_]*\})(?:[^}]|$)").expect("a constant expression"));
static DOTTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[0-9]+(?:\.[0-9]*)+$").expect("a constant expression"));
static CUT_OFF: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:[0-9]{1,3}\.){2,3}$").expect("a constant expression"));

/// Variables that hold the address of a machine.
fn holds_address(name: &str) -> bool {
    matches!(
        name,
        "ansible_host" | "ansible_ssh_host" | "node_ip" | "wireguard_endpoint"
    ) || name.ends_with("_ip")
        || name.ends_with("_address")
}

/// Variables that hold an address and nothing else: a name or a number would be wrong in them.
fn holds_only_address(name: &str) -> bool {
    name == "node_ip" || name.ends_with("_listen_ip")
}

/// Variables without which a machine cannot be reached: empty means forgotten.
fn must_be_filled(name: &str) -> bool {
    matches!(name, "ansible_host" | "node_ip" | "wireguard_endpoint")
}

/// Everything in `inventory` that was not filled in.
pub fn find_placeholders(inventory: &Inventory) -> Diagnostics {
    let mut found = Diagnostics::new();
    for host in inventory.hosts() {
        let name = &*host.name;
        let problem = placeholder(name).or_else(|| wrong_address(name, true).map(|why| (name.to_owned(), why)));
        if let Some((token, why)) = problem {
            found.push(report(
                &format!("the host name `{name}`"),
                &token,
                &why,
                host.location.as_ref(),
            ));
        }
        if !in_document(inventory, host.location.as_ref()) {
            variables(&host.vars, &mut found, inventory);
        }
    }
    for group in inventory.groups() {
        variables(&group.vars, &mut found, inventory);
    }
    variables(&inventory.extra, &mut found, inventory);
    for document in inventory
        .documents
        .iter()
        .filter(|document| !document.source.is_hidden())
    {
        if let Some(root) = &document.root {
            tree(root, "", &|node| document.at(node), &mut found);
        }
    }
    found
}

/// True when the place is in a YAML file, whose tree is looked through as a whole.
fn in_document(inventory: &Inventory, place: Option<&Location>) -> bool {
    place.is_some_and(|place| inventory.documents.iter().any(|d| d.source.file() == &place.file))
}

fn variables(vars: &VarMap, found: &mut Diagnostics, inventory: &Inventory) {
    for (name, var) in vars {
        if !in_document(inventory, var.location.as_ref()) {
            value(name, &var.value, var.location.as_ref(), found);
        }
    }
}

fn value(name: &str, value_here: &Value, place: Option<&Location>, found: &mut Diagnostics) {
    match value_here {
        Value::Str(text) | Value::Unsafe(text) => scalar(name, text, place, found),
        Value::Null if must_be_filled(name) => scalar(name, "", place, found),
        // `10.0` is a number to Python, and no address.
        Value::Int(_) | Value::Float(_) if holds_only_address(name) || name == "ansible_host" => {
            let text = place.and_then(written).unwrap_or_else(|| format!("{value_here:?}"));
            scalar(name, &text, place, found);
        }
        Value::List(items) => items.iter().for_each(|item| value(name, item, place, found)),
        Value::Map(map) => map.iter().for_each(|(key, item)| value(key, item, place, found)),
        _ => {}
    }
}

/// The word that stands at a place.
fn written(place: &Location) -> Option<String> {
    let text = place.text.as_deref()?;
    let tail: String = text.chars().skip((place.column as usize).saturating_sub(1)).collect();
    tail.split_whitespace().next().map(str::to_owned)
}

fn tree(node: &Node, name: &str, place: &dyn Fn(&Node) -> Location, found: &mut Diagnostics) {
    match &node.kind {
        NodeKind::Scalar(scalar_value) => value(name, scalar_value, Some(&place(node)), found),
        NodeKind::List(items) => items.iter().for_each(|item| tree(item, name, place, found)),
        NodeKind::Map(entries) => entries
            .iter()
            .for_each(|entry| tree(&entry.value, &entry.key, place, found)),
    }
}

fn scalar(name: &str, text: &str, place: Option<&Location>, found: &mut Diagnostics) {
    let what = if name.is_empty() {
        "a value".to_owned()
    } else {
        format!("`{name}`")
    };
    if must_be_filled(name) && text.trim().is_empty() {
        found.push(report(&what, "", "it is empty", place));
        return;
    }
    if let Some((token, why)) = placeholder(text) {
        found.push(report(&what, &token, &why, place));
    } else if holds_address(name)
        && !text.contains("{{")
        && let Some(why) = wrong_address(text.trim(), holds_only_address(name))
    {
        found.push(report(&what, text.trim(), &why, place));
    }
}

/// A part of `text` that stands for something to be filled in, and why it is not usable.
pub fn placeholder(text: &str) -> Option<(String, String)> {
    // Markup is no placeholder: it closes its tags, or uses those that need no closing.
    let is_markup = |tag: &str| text.contains("</") || matches!(tag, "<br>" | "<hr>" | "<p>" | "<li>");
    if let Some(found) = ANGLE.find_iter(text).find(|found| !is_markup(found.as_str())) {
        return Some((
            found.as_str().to_owned(),
            "it stands for a value to be filled in".into(),
        ));
    }
    if let Some(found) = BRACE.captures(text).and_then(|parts| parts.get(1)) {
        return Some((
            found.as_str().to_owned(),
            "it stands for a value to be filled in".into(),
        ));
    }
    let cut_off = text.split([',', ' ', '/', '-']).find(|word| CUT_OFF.is_match(word));
    cut_off.map(|word| (word.to_owned(), "the address is cut off".into()))
}

/// Why `text`, which looks like an address, is none.
fn wrong_address(text: &str, only_address: bool) -> Option<String> {
    if DOTTED.is_match(text) || (only_address && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())) {
        if text.parse::<Ipv4Addr>().is_ok() {
            return None;
        }
        let parts: Vec<&str> = text.split('.').collect();
        return match parts.iter().find(|part| part.parse::<u16>().is_ok_and(|n| n > 255)) {
            Some(part) => Some(format!("`{part}` is more than 255, so this is no IPv4 address")),
            // A plain number is a possible host name.
            None if parts.len() == 1 && !only_address => None,
            None if parts.len() != 4 => Some(format!(
                "an IPv4 address has four numbers, this has {}",
                parts.iter().filter(|p| !p.is_empty()).count()
            )),
            None => Some("this is no IPv4 address".into()),
        };
    }
    let hex = |c: char| c.is_ascii_hexdigit() || c == ':';
    if text.matches(':').count() > 1 && text.chars().all(hex) && text.parse::<Ipv6Addr>().is_err() {
        return Some("this is no IPv6 address".into());
    }
    None
}

fn report(what: &str, token: &str, why: &str, place: Option<&Location>) -> Diagnostic {
    let message = if token.is_empty() {
        format!("{what} is not filled in: {why}")
    } else {
        format!("{what} is not usable: `{token}`: {why}")
    };
    let place = place.map(|place| point_at(place, token));
    Diagnostic::error(message)
        .at(place)
        .help("fill in the value of this site")
}

/// The place of `token` itself, where it stands on the line at or after `place`.
fn point_at(place: &Location, token: &str) -> Location {
    let mut exact = place.clone();
    if let (Some(text), true) = (&place.text, !token.is_empty()) {
        let skipped = (place.column as usize).saturating_sub(1);
        let start: usize = text.chars().take(skipped).map(char::len_utf8).sum();
        if let Some(at) = text[start..].find(token) {
            let column = text[..start + at].chars().count() + 1;
            exact = Location::at(
                Arc::<Path>::clone(&place.file),
                place.line,
                u32::try_from(column).unwrap_or(0),
                place.text.clone(),
            );
        }
    }
    exact
}
