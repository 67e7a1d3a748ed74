//! An inventory in a folder of its own, and what the role makes of it.

use mosip_prov_engine::host_vars;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use role_deployment_node::{DEFAULTS, Settings};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The settings with `vars` in `group_vars/all.yml` of an inventory in `dir`, and all problems as one text.
pub fn read_in(dir: &Path, vars: &str) -> (Option<Settings>, String) {
    fs::create_dir_all(dir.join("group_vars")).expect("made");
    fs::write(dir.join("group_vars/all.yml"), vars).expect("written");
    let ini = dir.join("rancher.ini");
    fs::write(&ini, "[deployment]\ndeployment-node ansible_connection=local\n").expect("written");
    let loaded = load(&LoadOptions {
        sources: vec![ini.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    });
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    let inventory = Arc::new(loaded.inventory);
    let all = host_vars(&inventory, false);
    let defaults = yaml::parse_vars(DEFAULTS, "<defaults of role deployment-node>").expect("defaults");
    let vars = all["deployment-node"].clone().with_defaults(Arc::new(defaults));
    let mut problems = Diagnostics::new();
    let settings = Settings::read(&vars, inventory.base_dir(), &mut problems);
    (
        settings,
        problems.iter().map(|problem| format!("{problem}\n")).collect(),
    )
}

/// The settings with `vars`; nothing may be wrong.
#[track_caller]
pub fn settings(vars: &str) -> Settings {
    let dir = tempfile::tempdir().expect("a folder");
    let (settings, problems) = read_in(dir.path(), vars);
    assert_eq!(problems, "");
    settings.expect("settings")
}
