//! The node of the observation cluster is prepared like the others, by variables of the same names.

use mosip_prov_engine::host_vars;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use mosip_prov_node::{DockerFrom, Settings, tasks};
use mosip_prov_resources::Role;
use role_obs_node::{DEFAULTS, ObsNode};
use std::sync::Arc;

#[test]
fn defaults_are_those_operators_know() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("hosts.ini");
    std::fs::write(&path, "[mosip_obs]\nobs ansible_user=ubuntu\n").expect("written");
    let loaded = load(&LoadOptions {
        sources: vec![path.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    });
    let all = host_vars(&Arc::new(loaded.inventory), false);
    let defaults = yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults");
    let mut problems = Diagnostics::new();
    let settings = Settings::read(&all["obs"].clone().with_defaults(Arc::new(defaults)), &mut problems);
    let settings = settings.unwrap_or_else(|| panic!("{problems:?}"));
    assert_eq!(settings.required_packages.len(), 8);
    assert_eq!(settings.kernel_modules, ["br_netfilter", "overlay"]);
    assert_eq!((settings.limits.len(), settings.sysctl.len()), (10, 23));
    assert!(settings.disable_swap);
    let docker = settings.docker.as_ref().expect("Docker");
    assert!(matches!(&docker.from, DockerFrom::Vendor { version: Some(version), .. } if version == "5:20.10.*"));
    assert_eq!(docker.user, "ubuntu");
    let made = tasks(&settings);
    assert!(made.tasks.iter().all(|task| task.tags().contains("prepare")));
    assert_eq!((ObsNode.name(), made.handlers.len()), ("obs-node", 2));
}
