//! What a deployment rests on: a digest that tells whether it is still the same, and the check of all of it.

use super::{DeployOptions, Stage};
use crate::{InputErrors, Provisioner, Settings};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;

/// A digest of hosts, groups and variables, what is given by `-e` and the VPN's own inventory among them. Secrets are masked
/// in it: it is written down.
pub fn digest(provisioner: &Provisioner, settings: &Settings) -> String {
    let listed = match vpn_inventory(provisioner) {
        // What is wrong with that file is said when it is checked.
        Some(_) => Provisioner::load_for_listing(settings_for(provisioner, settings, Stage::Wireguard))
            .map(|both| both.inventory().to_list_json().to_string())
            .unwrap_or_default(),
        None => provisioner.inventory().to_list_json().to_string(),
    };
    let digest = Sha256::digest(listed.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The settings for the run of `stage`. The VPN's inventory is a file of its own in the guide's layout: it is read too
/// when the others name no such group.
pub fn settings_for(provisioner: &Provisioner, settings: &Settings, stage: Stage) -> Settings {
    let mut settings = settings.clone();
    if let Some(path) = vpn_inventory(provisioner).filter(|_| stage == Stage::Wireguard) {
        settings.inventory.push(path.to_string_lossy().into_owned());
    }
    settings
}

/// `hosts.ini` beside the inventory, when it is to be read for the VPN.
pub fn vpn_inventory(provisioner: &Provisioner) -> Option<PathBuf> {
    if !provisioner.inventory().hosts_of("wireguard").is_empty() {
        return None;
    }
    let path = provisioner.inventory().base_dir()?.join("hosts.ini");
    path.is_file().then_some(path)
}

/// Why there is nothing to do for `stage` with this inventory, if so.
pub fn left_out(provisioner: &Provisioner, stage: Stage) -> Option<String> {
    let none = |group: &str| provisioner.inventory().hosts_of(group).is_empty();
    match stage {
        Stage::Wireguard if none("wireguard") && vpn_inventory(provisioner).is_none() => {
            Some("no host is in the group wireguard, and there is no hosts.ini beside the inventory".to_owned())
        }
        Stage::Observation | Stage::VerifyObservation | Stage::TerraformObs | Stage::VerifyRancher | Stage::Import
            if none("mosip_obs") =>
        {
            Some("no host is in the group mosip_obs".to_owned())
        }
        Stage::Main | Stage::VerifyMain | Stage::TerraformMosip | Stage::VerifyMosip if none("physical_vms") => {
            Some("no host is in the group physical_vms".to_owned())
        }
        _ => None,
    }
}

/// Checks the inputs of `stages`, each finding once.
pub fn check(
    provisioner: &Provisioner,
    settings: &Settings,
    options: &DeployOptions,
    stages: &[Stage],
    problems: &mut Diagnostics,
    warnings: &mut Diagnostics,
) {
    let mut add = |found: &Diagnostic| {
        let list = if found.is_error() {
            &mut *problems
        } else {
            &mut *warnings
        };
        if !list.iter().any(|known| known.to_string() == found.to_string()) {
            list.push(found.clone());
        }
    };
    for stage in stages.iter().copied() {
        if left_out(provisioner, stage).is_some() {
            continue;
        }
        let checked = check_stage(provisioner, settings, stage).and_then(|mut found| {
            if stage == Stage::Main && imports(provisioner, options) {
                found.extend(super::doers::check(provisioner, Stage::Import)?);
            }
            Ok(found)
        });
        match checked {
            Ok(found) => found.iter().for_each(&mut add),
            Err(errors) => errors.diagnostics().iter().for_each(&mut add),
        }
    }
}

/// Whether the stage of the main cluster hands it to Rancher.
fn imports(provisioner: &Provisioner, options: &DeployOptions) -> bool {
    !options.skip.contains(&Stage::Import) && left_out(provisioner, Stage::Import).is_none()
}

fn check_stage(provisioner: &Provisioner, settings: &Settings, stage: Stage) -> Result<Vec<Diagnostic>, InputErrors> {
    if let Some(name) = stage.playbook() {
        let settings = Settings {
            check: true,
            ..settings_for(provisioner, settings, stage)
        };
        let provisioner = Provisioner::load(settings)?;
        let playbook = provisioner
            .find(name)
            .map_err(|error| InputErrors::of(Diagnostic::error(error.to_string())))?;
        return Ok(provisioner.prepare(&[playbook])?.warnings().to_vec());
    }
    super::doers::check(provisioner, stage)
}
