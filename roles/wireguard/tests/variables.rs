//! Every variable of the VPN changed once from its default, with both backends: the settings and tasks that differ then, and
//! that nothing else does. What becomes of them on a host is asked by the end-to-end tests.

use mosip_prov_engine::host_vars;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use mosip_prov_resources::testing::variables::{Row, have_rows, hold};
use role_wireguard::{DEFAULTS, Settings, tasks};
use std::sync::Arc;

fn made(vars: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("image.tar"), "image").expect("written");
    let path = dir.path().join("hosts.yml");
    let vars: String = vars.lines().map(|line| format!("      {line}\n")).collect();
    std::fs::write(&path, format!("all:\n  hosts:\n    wg:\n{vars}")).expect("written");
    let loaded = load(&LoadOptions {
        sources: vec![path.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    });
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    let all = host_vars(&Arc::new(loaded.inventory), false);
    let defaults = yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults");
    let vars = all["wg"].clone().with_defaults(Arc::new(defaults));
    let mut problems = Diagnostics::new();
    let settings = Settings::from_vars(&vars, Some(dir.path()), &mut problems);
    let settings = settings.unwrap_or_else(|| panic!("{problems:?}"));
    let mut made: Vec<String> = format!("{settings:#?}")
        .lines()
        .map(|line| line.trim().trim_end_matches(',').to_owned())
        .filter(|line| line.contains(char::is_alphanumeric))
        .collect();
    for task in tasks(&settings).tasks {
        let subjects: Vec<String> = task
            .resource()
            .questions()
            .iter()
            .map(|one| one.subject().to_owned())
            .filter(|subject| subject.len() < 80)
            .collect();
        made.push(format!("task {}: {subjects:?}", task.name()));
    }
    made
}

const NEEDED: &str = "ansible_user: ubuntu\nwireguard_endpoint: vpn.example.org\n";
const NATIVE: &str = "ansible_user: ubuntu\nwireguard_endpoint: vpn.example.org\nwireguard_backend: native\n";

#[test]
fn each_variable_changes_what_is_its_own() {
    hold(made, NEEDED, DOCKER);
    hold(made, NATIVE, WITHOUT_DOCKER);
    have_rows(DEFAULTS, &[DOCKER], &["wireguard_backend"]);
}

const DOCKER: &[Row] = &[
    ("wireguard_network: 10.7.0.0/16", &["network: \"10.7.0.0/16\""]),
    (
        "wireguard_port: 51999",
        &["endpoint: \"vpn.example.org:51999\"", "port: 51999"],
    ),
    ("wireguard_mtu: 1280", &["mtu: 1280"]),
    (
        "wireguard_peers: [anna]",
        &["\"peer_anna\"", "-5", "PeerName(", "declared: Names("],
    ),
    (
        "wireguard_config_dir: /srv/vpn",
        &[
            "folder: \"/srv/vpn\"",
            "task Have every peer's file say where the VPN is and leads to: [\"docker\\t/srv/vpn\\twireguard\"]",
        ],
    ),
    (
        "wireguard_container_name: vpn",
        &[
            "container: \"vpn\"",
            "task Have every peer's file say where the VPN is and leads to: [\"docker\\t~/wireguard/config\\tvpn\"]",
            "task Run the container: [\"vpn\", \"ghcr.io/linuxserver/wireguard\"]",
        ],
    ),
    ("wireguard_internal_subnet: 10.99.0.0/24", &["server: 10.99.0.1"]),
    (
        "wireguard_image: offline/wireguard:1",
        &[
            "image: \"offline/wireguard:1\"",
            "task Get the image: [\"offline/wireguard:1\"]",
            "task Run the container: [\"wireguard\", \"offline/wireguard:1\"]",
        ],
    ),
    ("wireguard_image_archive: image.tar", &["5 bytes", "archive: Some("]),
    (
        "wireguard_image_newest: true",
        &[
            "newest: true",
            "task Get the image: [\"ghcr.io/linuxserver/wireguard\", \"ghcr.io/linuxserver/wireguard\"]",
        ],
    ),
    ("timezone: Etc/UTC", &["timezone: \"Etc/UTC\""]),
    ("puid: 1001", &["puid: 1001"]),
    ("pgid: 1002", &["pgid: 1002"]),
    (
        "docker_user: other",
        &["task Put the user into it: [\"other\"]", "user: \"other\""],
    ),
    (
        "wireguard_docker_daemon_config: {debug: true}",
        &["\"debug\": Bool(true)", "daemon: {"],
    ),
    ("apt_lock_timeout: 5", &["lock_timeout: 5s"]),
    ("wireguard_replace_existing: true", &["replace_existing: true"]),
];

const WITHOUT_DOCKER: &[Row] = &[
    ("wireguard_network: 10.7.0.0/16", &["network: \"10.7.0.0/16\""]),
    (
        "wireguard_port: 51999",
        &["endpoint: \"vpn.example.org:51999\"", "port: 51999"],
    ),
    ("wireguard_mtu: 1280", &["mtu: 1280"]),
    (
        "wireguard_peers: [anna]",
        &["\"anna\"", "-5", "PeerName(", "declared: Names("],
    ),
    ("wireguard_config_dir: /srv/vpn", &[]),
    ("wireguard_container_name: vpn", &[]),
    ("wireguard_internal_subnet: 10.99.0.0/24", &["server: 10.99.0.1"]),
    ("wireguard_image: offline/wireguard:1", &[]),
    ("wireguard_image_archive: image.tar", &[]),
    ("wireguard_image_newest: true", &[]),
    ("timezone: Etc/UTC", &[]),
    ("puid: 1001", &[]),
    ("pgid: 1002", &[]),
    ("docker_user: other", &[]),
    ("wireguard_docker_daemon_config: {debug: true}", &[]),
    ("apt_lock_timeout: 5", &["lock_timeout: 5s"]),
    ("wireguard_replace_existing: true", &["replace_existing: true"]),
];
