//! An inventory in a folder of its own, and what the role makes of it.

use mosip_prov_engine::host_vars;
use mosip_prov_front::Surroundings;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use role_nginx_obs::{DEFAULTS, Settings};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The inventory most tests use.
pub const INI: &str = "
[mosip_obs]
obs-node-1 ansible_host=172.16.50.21

[nginx_obs]
nginx-obs-node-1 ansible_host=172.16.50.21
";

/// Writes the inventory `ini` and `group_vars/all.yml` with `vars` into `dir`.
pub fn write(dir: &Path, ini: &str, vars: &str) -> String {
    fs::create_dir_all(dir.join("group_vars")).expect("made");
    fs::write(dir.join("rancher.ini"), ini).expect("written");
    fs::write(dir.join("group_vars/all.yml"), vars).expect("written");
    dir.join("rancher.ini").to_string_lossy().into_owned()
}

/// The settings of `nginx-obs-node-1`, and all problems as one text.
pub fn read(ini: &str, vars: &str) -> (Option<Settings>, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let options = LoadOptions {
        sources: vec![write(dir.path(), ini, vars)],
        ..LoadOptions::default()
    };
    let loaded = load(&options);
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    let inventory = Arc::new(loaded.inventory);
    let all = host_vars(&inventory, false);
    let defaults = yaml::parse_vars(DEFAULTS, "<defaults of role nginx_obs>").expect("defaults");
    let vars = all["nginx-obs-node-1"].clone().with_defaults(Arc::new(defaults));
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

/// The settings of `nginx-obs-node-1` with `vars`; nothing may be wrong.
#[track_caller]
pub fn settings(vars: &str) -> Settings {
    let (settings, problems) = read(INI, vars);
    assert_eq!(problems, "");
    settings.expect("settings")
}
