//! Variables in, tasks out.

use mosip_prov_engine::host_vars;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use mosip_prov_resources::UpgradeKind;
use role_apt_upgrade::{DEFAULTS, Settings, tasks};
use std::sync::Arc;
use std::time::Duration;

fn read(vars: &str) -> (Option<Settings>, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("hosts.yml");
    let vars: String = vars.lines().map(|line| format!("      {line}\n")).collect();
    std::fs::write(&path, format!("all:\n  hosts:\n    vm1:\n{vars}")).expect("written");
    let options = LoadOptions {
        sources: vec![path.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    };
    let loaded = load(&options);
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    let all = host_vars(&Arc::new(loaded.inventory), false);
    let defaults = yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults");
    let mut problems = Diagnostics::new();
    let settings = Settings::read(&all["vm1"].clone().with_defaults(Arc::new(defaults)), &mut problems);
    (
        settings,
        problems.iter().map(|problem| format!("{problem}\n")).collect(),
    )
}

#[track_caller]
fn settings(vars: &str) -> Settings {
    let (settings, problems) = read(vars);
    assert_eq!(problems, "");
    settings.expect("settings")
}

fn names(vars: &str) -> Vec<String> {
    tasks(&settings(vars))
        .iter()
        .map(|task| task.name().to_owned())
        .collect()
}

#[test]
fn defaults_are_those_operators_know() {
    let made = settings("");
    assert_eq!(made.kind, UpgradeKind::Safe);
    assert!(made.additional.is_empty());
    assert!(made.autoremove && made.autoclean && !made.reboot);
    assert_eq!(made.index_age, Duration::from_secs(3600));
    assert_eq!(
        names(""),
        [
            "Refresh the package index",
            "Upgrade all packages",
            "Remove packages that nothing needs",
            "Remove old downloads",
            "Reboot where it is needed",
        ]
    );
}

#[test]
fn the_kind_of_upgrade_follows_the_two_switches() {
    for (vars, wanted) in [
        ("apt_upgrade_dist: true", UpgradeKind::Dist),
        ("apt_upgrade_dist: yes\napt_upgrade_all: no", UpgradeKind::Dist),
        ("apt_upgrade_all: true", UpgradeKind::Safe),
        ("apt_upgrade_all: 'False'", UpgradeKind::SecurityOnly),
    ] {
        assert_eq!(settings(vars).kind, wanted, "{vars}");
    }
}

#[test]
fn what_is_switched_off_has_no_task_and_what_is_added_has_one() {
    let vars =
        "apt_autoremove: false\napt_autoclean: false\napt_upgrade_additional_packages: [htop, 'nfs-common', htop]";
    assert_eq!(
        names(vars),
        [
            "Refresh the package index",
            "Upgrade all packages",
            "Install additional packages",
            "Reboot where it is needed"
        ]
    );
    assert_eq!(settings(vars).additional, ["htop", "nfs-common"]);
    assert_eq!(
        settings("apt_upgrade_additional_packages: htop libc6:i386").additional,
        ["htop", "libc6:i386"]
    );
    assert_eq!(settings("apt_upgrade_additional_packages: [g++]").additional, ["g++"]);
}

#[test]
fn mistakes_are_found_in_one_go_with_their_place() {
    let (made, problems) = read(
        "apt_upgrade_dist: perhaps\napt_upgrade_additional_packages: ['--allow-downgrades', 'vim-', 'a b']\n\
         apt_reboot_timeout: -1\napt_upgrade_cache_valid_time: soon",
    );
    assert!(made.is_none());
    for part in [
        "apt_upgrade_dist",
        "\"--allow-downgrades\", which is no name of a package",
        "\"vim-\", which is no name of a package",
        "\"a b\", which is no name of a package",
        "apt_reboot_timeout is -1",
        "apt_upgrade_cache_valid_time",
        "hosts.yml:",
    ] {
        assert!(problems.contains(part), "{part} is not in\n{problems}");
    }
}
