//! An inventory in a folder of its own, and what the role makes of it.

use mosip_prov_engine::host_vars;
use mosip_prov_front::Surroundings;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use role_istio::{DEFAULTS, Settings};
use std::fs;
use std::sync::Arc;

/// The inventory most tests use.
pub const INI: &str = "
[deployment]
deployment-node ansible_connection=local

[nginx]
nginx-1 ansible_host=172.16.50.5
nginx-2 ansible_host=172.16.50.6
";

/// The settings with this inventory and `vars` in `group_vars/all.yml`, and all problems as one text.
pub fn read(ini: &str, vars: &str) -> (Option<Settings>, String) {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(dir.path().join("group_vars")).expect("made");
    fs::write(dir.path().join("group_vars/all.yml"), vars).expect("written");
    fs::write(dir.path().join("rancher.ini"), ini).expect("written");
    let loaded = load(&LoadOptions {
        sources: vec![dir.path().join("rancher.ini").to_string_lossy().into_owned()],
        ..LoadOptions::default()
    });
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    let inventory = Arc::new(loaded.inventory);
    let all = host_vars(&inventory, false);
    let defaults = yaml::parse_vars(DEFAULTS, "<defaults of role istio>").expect("defaults");
    let vars = all["deployment-node"].clone().with_defaults(Arc::new(defaults));
    let around = Surroundings::new(
        &vars,
        inventory.base_dir(),
        |group| inventory.hosts_of(group),
        |host| all.get(host),
    );
    let mut problems = Diagnostics::new();
    let settings = Settings::read(&around, &mut problems);
    (
        settings,
        problems.iter().map(|problem| format!("{problem}\n")).collect(),
    )
}

/// The settings with `vars`; nothing may be wrong.
#[track_caller]
pub fn settings(vars: &str) -> Settings {
    let (settings, problems) = read(INI, vars);
    assert_eq!(problems, "");
    settings.expect("settings")
}
