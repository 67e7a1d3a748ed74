//! `inventory list|graph|host`: what was read, without connecting.

use super::stopped;
use crate::args::{Format, InventoryArgs, InventoryCommand, InventoryOptions};
use crate::diagnostics::{self, is_secret_name};
use crate::exit::Exit;
use crate::output::{Look, say};
use crate::session::{self, Stop, nearest};
use mosip_prov::Provisioner;
use mosip_prov::inventory::Inventory;
use mosip_prov::inventory::diagnostic::Diagnostic;
use mosip_prov_report::paint::{Paint, Tone};
use mosip_prov_report::text::{neutral, neutral_line, pad, safe_json, width};
use serde::Serialize as _;
use serde_json::Value;

/// `inventory`.
pub fn inventory(args: &InventoryArgs, look: &Look) -> Exit {
    let result = match &args.command {
        InventoryCommand::List { inventory, format } => read(inventory, look).map(|p| match format {
            Format::Json => json(&masked_list(p.inventory().to_list_json())),
            Format::Text => table(p.inventory(), Paint::new(look.color_out)),
        }),
        InventoryCommand::Graph { inventory } => {
            read(inventory, look).map(|p| neutral(&p.inventory().graph()).into_owned())
        }
        InventoryCommand::Host {
            name,
            inventory,
            format,
        } => read(inventory, look).and_then(|p| host(p.inventory(), name, *format, Paint::new(look.color_out))),
    };
    match result {
        Ok(text) => say(text.trim_end()),
        Err(stop) => stopped(&stop, look),
    }
}

fn read(options: &InventoryOptions, look: &Look) -> Result<Provisioner, Stop> {
    let (provisioner, warnings) = session::load_inventory(options)?;
    diagnostics::report(&warnings, look);
    Ok(provisioner)
}

fn host(inventory: &Inventory, name: &str, format: Format, paint: Paint) -> Result<String, Stop> {
    if inventory.host(name).is_none() {
        let names: Vec<String> = inventory.hosts_of("all").into_iter().map(Into::into).collect();
        let problem = Diagnostic::error(format!("the inventory has no host `{name}`"));
        return Err(Stop::from(match nearest(name, &names) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("`mosip-prov inventory list` shows all hosts"),
        }));
    }
    let vars = masked(inventory.to_host_json(name));
    if format == Format::Json {
        return Ok(json(&vars));
    }
    let groups = inventory.groups_of(name).join(", ");
    let mut lines = vec![format!("{} ({groups})", paint.tone(Tone::Strong, &neutral_line(name)))];
    for (key, value) in vars.as_object().into_iter().flatten() {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        lines.push(format!("  {}: {}", neutral_line(key), neutral_line(&value)));
    }
    Ok(lines.join("\n"))
}

fn table(inventory: &Inventory, paint: Paint) -> String {
    let rows: Vec<[String; 3]> = inventory
        .hosts_of("all")
        .into_iter()
        .map(|name| {
            let vars = inventory.to_host_json(name);
            let address = match (&vars["ansible_connection"], &vars["ansible_host"]) {
                (Value::String(local), _) if local == "local" => "local",
                (_, Value::String(address)) => address,
                _ => "-",
            };
            [
                neutral_line(name),
                neutral_line(address),
                inventory.groups_of(name).join(", "),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "no hosts".to_owned();
    }
    let columns = |i: usize, heading: &str| rows.iter().map(|r| width(&r[i])).max().unwrap_or(0).max(width(heading));
    let (first, second) = (columns(0, "host"), columns(1, "address"));
    let line = |a: &str, b: &str, c: &str| format!("{}  {}  {c}", pad(a, first), pad(b, second));
    let mut lines = vec![paint.tone(Tone::Faint, &line("host", "address", "groups"))];
    lines.extend(rows.iter().map(|[a, b, c]| line(a, b, c)));
    lines.join("\n")
}

/// With four spaces, as Ansible indents.
fn json(value: &Value) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    let text = match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        // Cannot happen with a value in memory; the compact form is as good.
        Err(_) => value.to_string(),
    };
    safe_json(&text).into_owned()
}

/// Masks in variables what sounds like a secret, however deep: values from a vault are masked already, those that stand in the open
/// in an inventory are as secret. What holds no text (`true`, `null`) tells nothing.
fn masked(mut variables: Value) -> Value {
    match &mut variables {
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                let inside = std::mem::take(inner);
                *inner = match inside {
                    Value::Null | Value::Bool(_) => inside,
                    _ if is_secret_name(key) => "***".into(),
                    other => masked(other),
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = masked(std::mem::take(item))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    variables
}

/// The list with the variables of its hosts masked. Groups and hosts have names that may sound like anything.
fn masked_list(mut list: Value) -> Value {
    for vars in list["_meta"]["hostvars"]
        .as_object_mut()
        .into_iter()
        .flatten()
        .map(|(_, vars)| vars)
    {
        *vars = masked(std::mem::take(vars));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_sounds_like_a_secret_is_masked_in_any_form_and_groups_are_not() {
        let vars = json!({
            "db_passwords": ["hunter2"], "rancher_token": {"value": "hunter2"}, "plain": [{"admin_password": 4711}],
            "no_password": null, "ask_password": true, "mosip": "open",
        });
        let expected = json!({
            "db_passwords": "***", "rancher_token": "***", "plain": [{"admin_password": "***"}],
            "no_password": null, "ask_password": true, "mosip": "open",
        });
        let list =
            |vars: &Value| json!({"_meta": {"hostvars": {"secret-1": vars}}, "secrets": {"hosts": ["secret-1"]}});
        assert_eq!(masked_list(list(&vars)), list(&expected));
        assert_eq!(masked(vars), expected);
    }
}
