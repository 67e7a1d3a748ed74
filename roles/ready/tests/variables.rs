//! Every variable of the checks changed once from its default: the settings and tasks that differ then, and that nothing
//! else does.

use mosip_prov_engine::{Play, Playbook, RunOptions, host_vars, prepare};
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use mosip_prov_resources::testing::variables::{Row, have_rows, hold};
use mosip_prov_transport::Target;
use role_ready::{DEFAULTS, Ready, ReadyTools, Settings};
use std::sync::Arc;

fn made(vars: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("rancher.ini");
    std::fs::write(
        &path,
        "[physical_vms]\nvm1 ansible_host=10.0.0.11\n[worker_nodes]\nw physical_vm=vm1\n",
    )
    .expect("written");
    std::fs::create_dir(dir.path().join("group_vars")).expect("made");
    std::fs::write(dir.path().join("group_vars/all.yml"), format!("---\n{vars}")).expect("written");
    let loaded = load(&LoadOptions {
        sources: vec![path.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    });
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    let inventory = Arc::new(loaded.inventory);
    let all = host_vars(&inventory, false);
    let defaults = yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults");
    let mut problems = Diagnostics::new();
    let settings = Settings::read(&all["vm1"].clone().with_defaults(Arc::new(defaults)), &mut problems);
    let settings = settings.unwrap_or_else(|| panic!("{problems:?}"));
    let mut made: Vec<String> = format!("{settings:#?}")
        .lines()
        .map(|line| line.trim().trim_end_matches(',').to_owned())
        .collect();
    let playbook = Playbook::new("check", "check")
        .play(Play::new("Machines", "physical_vms").role(Ready))
        .play(
            Play::on_deployment_node("Tools")
                .serving("physical_vms")
                .role(ReadyTools),
        );
    let ready = prepare(&[playbook], &inventory, &all, &RunOptions::default(), &|vars, _| {
        Some(Target::ssh(vars.host().to_string(), "127.0.0.1", "ubuntu"))
    });
    let ready = ready.unwrap_or_else(|problems| panic!("{problems:?}"));
    for play in ready.plays() {
        for (_, part) in play.hosts() {
            for task in part.roles()[0].tasks() {
                let subjects: Vec<String> = task.questions().iter().map(|one| one.subject().to_owned()).collect();
                made.push(format!("task {}: {subjects:?}", task.name()));
            }
        }
    }
    made
}

#[test]
fn each_variable_changes_what_is_its_own() {
    hold(made, "", ROWS);
    have_rows(DEFAULTS, &[ROWS], &[]);
}

const ROWS: &[Row] = &[
    (
        "check_guide_sizes: false",
        &[
            "-task Compare it with the guide: [\"host\", \"for d in / /var /var/lib /var/lib/docker; do [ ! -d \\\"$d\\\" ] || \
             df -Pk \\\"$d\\\" | tail -n 1; done\"]",
            "guide_sizes: false",
        ],
    ),
    ("check_min_vcpus: 4", &["vcpus: 4"]),
    ("check_min_memory: 8", &["memory_gib: 8"]),
    ("check_min_disk: 64", &["disk_gib: 64"]),
    ("check_min_free_disk: 4096", &["min_free_disk: 4096"]),
    ("check_max_clock_skew: 5", &["max_clock_skew: 5"]),
    ("istio_version: 1.15.3", &["istio_version: \"1.15.3\""]),
];
