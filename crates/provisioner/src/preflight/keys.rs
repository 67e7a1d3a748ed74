//! Area `keys`: which key each machine is reached by, as the connections themselves choose it.

use super::fleet::{LOCALHOST, deployment_node};
use crate::Provisioner;
use indexmap::IndexMap;
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_inventory::vars::HostVars;
use mosip_prov_preflight::fleet::GROUPS;
use mosip_prov_preflight::keys::{self, KeyUse};
use mosip_prov_preflight::paths::expand_tilde;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const KEY: [&str; 2] = ["ansible_ssh_private_key_file", "ansible_private_key_file"];
const PASSWORD: [&str; 3] = ["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"];

/// What the keys are like, their files, and the machines that cannot be reached by theirs.
pub(super) fn check(
    provisioner: &Provisioner,
    problems: &mut Diagnostics,
) -> (Vec<Finding>, Vec<PathBuf>, BTreeSet<String>) {
    let inventory = provisioner.inventory();
    let settings = &provisioner.settings;
    let limit = match settings.limit.as_deref().map(|limit| (limit, inventory.select(limit))) {
        None => None,
        Some((limit, Ok(hosts))) if hosts.is_empty() => {
            problems.push(
                Diagnostic::error(format!("--limit {limit} matches no host"))
                    .help("`mosip-prov inventory list` shows the hosts and groups there are"),
            );
            None
        }
        Some((_, Ok(hosts))) => Some(hosts),
        Some((_, Err(error))) => {
            problems.push(
                Diagnostic::error(format!("--limit: {error}"))
                    .help("`mosip-prov inventory graph` shows the groups and hosts there are"),
            );
            None
        }
    };
    let mut uses: IndexMap<PathBuf, KeyUse> = IndexMap::new();
    let (mut keyless, mut password) = (Vec::new(), true);
    let mut seen = BTreeSet::new();
    let groups = GROUPS.iter().flat_map(|(group, _)| inventory.hosts_of(group));
    for host in groups.chain([deployment_node(provisioner)]) {
        let within = limit
            .as_ref()
            .is_none_or(|hosts| hosts.iter().any(|one| **one == *host));
        if !seen.insert(host) || !within || host == LOCALHOST {
            continue;
        }
        let Some(vars) = provisioner.vars_of(host) else {
            continue;
        };
        if text(vars, &["ansible_connection"], problems).as_deref() == Some("local") {
            continue;
        }
        let named = text(vars, &KEY, problems);
        let key = named
            .as_deref()
            .map(expand_tilde)
            .or_else(|| settings.private_key.clone());
        match key.or_else(|| keys::default_key(&home()?)) {
            Some(path) => {
                let place = named.and_then(|_| KEY.iter().find_map(|name| vars.location(name)));
                let entry = uses.entry(path.clone()).or_insert_with(|| KeyUse {
                    path,
                    machines: Vec::new(),
                    place,
                });
                entry.machines.push(host.to_owned());
            }
            None => {
                password &= settings.ssh_password.is_some()
                    || PASSWORD.iter().any(|name| matches!(vars.secret(name), Ok(Some(_))));
                keyless.push(host.to_owned());
            }
        }
    }
    let mut found = Vec::new();
    let mut unusable = BTreeSet::new();
    for key in uses.values() {
        let (finding, usable) = keys::check(key);
        found.push(finding);
        if !usable {
            unusable.extend(key.machines.iter().cloned());
        }
    }
    if !keyless.is_empty() {
        let agent = std::env::var_os("SSH_AUTH_SOCK").is_some_and(|socket| Path::new(&socket).exists());
        found.push(keys::none(&keyless, agent, password));
    }
    (found, uses.into_keys().collect(), unusable)
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

fn text(vars: &HostVars, names: &[&str], problems: &mut Diagnostics) -> Option<String> {
    names.iter().find_map(|name| {
        let value = problems.take(vars.string(name).map_err(Diagnostic::from)).flatten();
        value.filter(|text| !text.is_empty())
    })
}
