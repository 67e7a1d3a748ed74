//! The addresses of the nodes behind a front.

use crate::address::node_address;
use crate::surroundings::Surroundings;
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::vars::HostVars;

/// The address of every host of `group`, each once, in the inventory's order: its `node_ip`, else its `ansible_host`,
/// else the `ansible_host` of its `physical_vm`. A host without any, a value that is no address, and a group without
/// hosts are errors; `needed_for` says what the addresses are for.
pub fn addresses(around: &Surroundings<'_>, group: &str, needed_for: &str, problems: &mut Diagnostics) -> Vec<String> {
    let hosts = around.hosts_of(group);
    if hosts.is_empty() {
        problems.push(
            Diagnostic::error(format!("group {group} has no host, and {needed_for}"))
                .help(format!("add the hosts of [{group}] to the inventory")),
        );
    }
    let mut found: Vec<String> = Vec::new();
    for host in hosts {
        if let Some(address) = address_of(around, group, host, problems)
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

fn address_of(around: &Surroundings<'_>, group: &str, host: &str, problems: &mut Diagnostics) -> Option<String> {
    let own = around.vars_of(host)?;
    for name in ["node_ip", "ansible_host"] {
        if let Some(text) = text(own, name, problems)? {
            return checked(own, host, name, &text, problems);
        }
    }
    let missing = |what: String| {
        Diagnostic::error(what).help(format!(
            "give it node_ip=ADDRESS in [{group}], or ansible_host, or a physical_vm that has one"
        ))
    };
    let Some(vm) = text(own, "physical_vm", problems)? else {
        problems.push(missing(format!(
            "{host} of group {group} has neither node_ip nor ansible_host nor physical_vm"
        )));
        return None;
    };
    let Some(vm_vars) = around.vars_of(&vm) else {
        problems.push(
            missing(format!(
                "{host} of group {group} stands on physical_vm {vm}, which the inventory does not have"
            ))
            .at(own.location("physical_vm")),
        );
        return None;
    };
    match text(vm_vars, "ansible_host", problems)? {
        Some(text) => checked(vm_vars, &vm, "ansible_host", &text, problems),
        None => {
            problems.push(
                missing(format!(
                    "{host} of group {group} has no node_ip, and its physical_vm {vm} no ansible_host"
                ))
                .at(own.location("physical_vm")),
            );
            None
        }
    }
}

/// The variable as text; `None` when it cannot be evaluated, which is then in `problems`.
#[allow(clippy::option_option)]
fn text(vars: &HostVars, name: &str, problems: &mut Diagnostics) -> Option<Option<String>> {
    let value = problems.take(vars.string(name).map_err(Diagnostic::from))?;
    Some(value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

fn checked(vars: &HostVars, host: &str, name: &str, text: &str, problems: &mut Diagnostics) -> Option<String> {
    match node_address(text) {
        Ok(address) => Some(address),
        Err(what) => {
            problems.push(
                Diagnostic::error(format!("{name} of {host} is \"{text}\", which {what}"))
                    .at(vars.location(name))
                    .help("write the whole address, for example 172.16.50.14"),
            );
            None
        }
    }
}
