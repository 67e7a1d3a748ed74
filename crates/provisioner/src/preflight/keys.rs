//! Area `keys`: which key each machine is reached by, as the connections themselves choose it.

use super::fleet::{LOCALHOST, deployment_node};
use super::tools::rke_key;
use crate::Provisioner;
use indexmap::IndexMap;
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_inventory::vars::HostVars;
use mosip_prov_preflight::fleet::{Fleet, GROUPS};
use mosip_prov_preflight::keys::{self, KeyUse};
use mosip_prov_preflight::paths::expand_tilde;
use mosip_prov_transport::{AgentSource, agent_keys, default_key_files};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const KEY: [&str; 2] = ["ansible_ssh_private_key_file", "ansible_private_key_file"];
const PASSWORD: [&str; 3] = ["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"];

/// What the keys are like, their files, and the machines that cannot be reached by theirs. `rke` is the file that RKE uses
/// where it runs on this machine.
pub(super) fn check(
    provisioner: &Provisioner,
    rke: Option<&Path>,
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
        match key {
            Some(path) => {
                let place = named.and_then(|_| KEY.iter().find_map(|name| vars.location(name)));
                let entry = uses.entry(path.clone()).or_insert_with(|| KeyUse {
                    rke: rke == Some(&*path),
                    path,
                    machines: Vec::new(),
                    place,
                    spare: false,
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
    let mut files: Vec<PathBuf> = uses.keys().cloned().collect();
    if !keyless.is_empty() {
        let agent = agent_keys(&AgentSource::Environment) > 0;
        let defaults = default_key_files();
        if defaults.is_empty() {
            found.push(keys::none(&keyless, agent, password));
        } else {
            let of = |path: &PathBuf| KeyUse {
                path: path.clone(),
                machines: keyless.clone(),
                place: None,
                rke: rke == Some(path),
                spare: false,
            };
            let (looked_at, none) = keys::check_defaults(defaults.iter().map(of).collect(), agent || password);
            for (path, finding) in defaults.into_iter().zip(looked_at) {
                // One that the inventory names for other machines was told of.
                if !files.contains(&path) {
                    found.push(finding);
                    files.push(path);
                }
            }
            if none {
                unusable.extend(keyless);
            }
        }
    }
    (found, files, unusable)
}

/// The key file that RKE uses, where it runs on this machine.
pub(super) fn rke_here(provisioner: &Provisioner, fleet: &Fleet) -> Option<PathBuf> {
    let deployment = deployment_node(provisioner);
    let local = fleet.machine(deployment)?.address.is_empty();
    let key = rke_key(provisioner, deployment, fleet).filter(|_| local)?;
    Some(expand_tilde(key.path()))
}

fn text(vars: &HostVars, names: &[&str], problems: &mut Diagnostics) -> Option<String> {
    names.iter().find_map(|name| {
        let value = problems.take(vars.string(name).map_err(Diagnostic::from)).flatten();
        value.filter(|text| !text.is_empty())
    })
}
