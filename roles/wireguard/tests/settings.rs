//! Variables in, settings and tasks out.

use mosip_prov_engine::host_vars;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use mosip_prov_resources::{Role, Task};
use mosip_prov_wireguard::{Backend, DeclaredPeers};
use role_wireguard::{DEFAULTS, DockerSettings, Settings, Wireguard, tasks};
use std::path::Path;
use std::sync::Arc;

fn read_in(dir: &Path, vars: &str) -> (Option<Settings>, String) {
    let path = dir.join("hosts.yml");
    let vars: String = vars.lines().map(|line| format!("      {line}\n")).collect();
    std::fs::write(&path, format!("all:\n  hosts:\n    wg:\n{vars}")).expect("written");
    let options = LoadOptions {
        sources: vec![path.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    };
    let loaded = load(&options);
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    let all = host_vars(&Arc::new(loaded.inventory), false);
    let defaults = yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults");
    let mut problems = Diagnostics::new();
    let vars = all["wg"].clone().with_defaults(Arc::new(defaults));
    let settings = Settings::from_vars(&vars, Some(dir), &mut problems);
    (
        settings,
        problems.iter().map(|problem| format!("{problem}\n")).collect(),
    )
}

fn read(vars: &str) -> (Option<Settings>, String) {
    let dir = tempfile::tempdir().expect("a folder");
    read_in(dir.path(), vars)
}

const NEEDED: &str = "ansible_user: ubuntu\nwireguard_endpoint: vpn.example.org";

#[track_caller]
fn settings(vars: &str) -> Settings {
    let (settings, problems) = read(&format!("{NEEDED}\n{vars}"));
    assert_eq!(problems, "");
    settings.expect("settings")
}

#[track_caller]
fn docker(vars: &str) -> DockerSettings {
    settings(vars).docker.expect("Docker")
}

#[track_caller]
fn problem(vars: &str) -> String {
    let (settings, problems) = read(&format!("{NEEDED}\n{vars}"));
    assert!(settings.is_none(), "{vars} is taken");
    problems
}

fn names(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().map(Task::name).collect()
}

#[test]
fn defaults_are_those_operators_know() {
    let made = settings("");
    assert_eq!(made.vpn.backend, Backend::Docker);
    assert_eq!(made.vpn.peer.network, "172.16.50.0/24");
    assert_eq!(made.vpn.peer.endpoint, "vpn.example.org:51820");
    assert_eq!((made.vpn.peer.mtu, made.vpn.port), (1330, 51820));
    assert_eq!(made.vpn.declared, DeclaredPeers::Count(5));
    assert_eq!(made.vpn.layout.folder, "~/wireguard/config");
    assert_eq!(made.vpn.layout.container, "wireguard");
    let docker = made.docker.expect("Docker");
    assert_eq!(docker.image, "ghcr.io/linuxserver/wireguard");
    assert_eq!(docker.timezone, "Europe/London");
    assert_eq!((docker.puid, docker.pgid), (1000, 1000));
    assert_eq!(docker.user, "ubuntu");
    assert!(docker.archive.is_none() && !docker.newest && docker.daemon.is_empty());
    assert_eq!(made.lock_timeout.as_secs(), 600);
}

#[test]
fn each_can_be_set() {
    assert_eq!(
        docker("wireguard_image: r.example:5000/w@sha256:1").image,
        "r.example:5000/w@sha256:1"
    );
    assert!(docker("wireguard_image_newest: yes").newest);
    assert_eq!(docker("timezone: Etc/GMT+1").timezone, "Etc/GMT+1");
    assert_eq!(docker("puid: 1500").puid, 1500);
    assert_eq!(docker("docker_user: ops").user, "ops");
    let daemon = docker("wireguard_docker_daemon_config: {dns: [10.0.0.2], debug: true, x: {y: 2}}").daemon;
    assert_eq!(
        serde_json::Value::Object(daemon),
        serde_json::json!({"dns": ["10.0.0.2"], "debug": true, "x": {"y": 2}})
    );
    assert!(settings("wireguard_backend: native").docker.is_none());
    // What only Docker needs is of no interest then.
    settings("wireguard_backend: native\nwireguard_image: ''\nwireguard_peers: 0");
}

#[test]
fn an_archive_is_read_from_beside_the_inventory() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("wg.tar"), "tar").expect("written");
    let (made, problems) = read_in(dir.path(), &format!("{NEEDED}\nwireguard_image_archive: wg.tar"));
    assert_eq!(problems, "");
    let archive = made.and_then(|made| made.docker).and_then(|docker| docker.archive);
    assert_eq!(archive.expect("an archive").bytes().as_ref(), b"tar");
    let problems = problem("wireguard_image_archive: nowhere.tar");
    assert!(
        problems.contains("nowhere.tar cannot be read") && problems.contains("hosts.yml:6"),
        "{problems}"
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let (made, problems) = read(
        "wireguard_network: 172.16.50.\nwireguard_port: 70000\nwireguard_mtu: 10\nwireguard_peers: [anna, anna, a-b]\n\
         wireguard_image: 'a b'\ntimezone: 'x y'\npuid: -1\ndocker_user: ''\n\
         wireguard_docker_daemon_config: {mtu: 9000}\napt_lock_timeout: -5",
    );
    assert!(made.is_none());
    for (part, line) in [
        ("wireguard_endpoint is not set", None),
        ("172.16.50. is no network", Some(4)),
        ("70000", Some(5)),
        ("wireguard_mtu is 10", Some(6)),
        ("twice", Some(7)),
        ("a-b", Some(7)),
        ("wireguard_image is \"a b\"", Some(8)),
        ("timezone is \"x y\"", Some(9)),
        ("puid is -1", Some(10)),
        ("docker_user is empty", Some(11)),
        ("has mtu, which this role sets itself", Some(12)),
        ("apt_lock_timeout is -5", Some(13)),
    ] {
        let said = problems
            .lines()
            .filter(|l| l.starts_with("error") && l.contains(part))
            .collect::<Vec<_>>();
        assert_eq!(said.len(), 1, "{part} in\n{problems}");
        if let Some(line) = line {
            assert!(
                problems.contains(&format!("hosts.yml:{line}:")),
                "{line} in\n{problems}"
            );
        }
    }
}

#[test]
fn peers_fit_into_their_network() {
    let problems = problem("wireguard_backend: native\nwireguard_internal_subnet: 10.9.0.0/29\nwireguard_peers: 6");
    assert!(
        problems.contains("asks for 6 peers, and 10.9.0.0/29 has room for 5"),
        "{problems}"
    );
    settings("wireguard_backend: native\nwireguard_internal_subnet: 10.9.0.0/29\nwireguard_peers: 5");
    assert!(problem("wireguard_internal_subnet: 10.9.0.0/16").contains("a /24 of any network"));
    assert!(problem("wireguard_peers: 0").contains("no peer"));
    assert!(problem("wireguard_peers: 254").contains("254"));
}

#[test]
fn the_tasks_of_each_backend_in_their_order() {
    let of_docker = tasks(&settings(""));
    assert_eq!(
        names(&of_docker.tasks),
        [
            "See that the tunnel of the other backend does not run",
            "See that its forwarding rules are not in force",
            "Make the folder of Docker's configuration",
            "Configure Docker",
            "Make the folder of its unit's settings",
            "Have Docker started on that alone",
            "Refresh the package index",
            "Install the tools of AppArmor",
            "Install Docker",
            "Restart Docker on its new settings",
            "Run Docker, now and after each boot",
            "Make the group of those who use Docker",
            "Put the user into it",
            "See that Docker answers",
            "Make the folder of the VPN's files",
            "Get the image",
            "Remove the container of a former name",
            "Run the container",
            "Write its unit",
            "Run the unit, now and after each boot",
            "Have every peer's file say where the VPN is and leads to",
        ]
    );
    let native = tasks(&settings("wireguard_backend: native"));
    assert_eq!(
        names(&native.tasks),
        [
            "See that the container of the other backend does not run",
            "See that nothing else runs that container",
            "Refresh the package index",
            "Install the tools of WireGuard",
            "Install WireGuard for a kernel that lacks it",
            "Forward packets, now and after each boot",
            "Install iptables",
            "Write the forwarding rules",
            "Write their unit",
            "Have the rules set after each boot",
            "Put the forwarding rules in force",
            "Make the folder of the tunnel",
            "Configure the tunnel",
            "Run the tunnel, now and after each boot",
            "Make the peers",
        ]
    );
    assert_eq!(names(&native.handlers), ["restart the tunnel"]);
    let notifying: Vec<&str> = native
        .tasks
        .iter()
        .filter(|t| t.notifies().count() > 0)
        .map(Task::name)
        .collect();
    // Peers come and go without a restart.
    assert_eq!(notifying, ["Configure the tunnel"]);
    for task in of_docker.tasks.iter().chain(&native.tasks) {
        let tags: Vec<&str> = task.tags().iter().map(String::as_str).collect();
        assert!(
            matches!(tags[..], ["docker" | "wireguard" | "config"]),
            "{}: {tags:?}",
            task.name()
        );
    }
    assert!(!Wireguard.summary().is_empty());
}
