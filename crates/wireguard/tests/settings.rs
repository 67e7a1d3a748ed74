//! Variables in, settings out; and all that is wrong in one list.

use mosip_prov_engine::host_vars;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use mosip_prov_wireguard::settings::DEFAULTS;
use mosip_prov_wireguard::{Backend, DeclaredPeers, Layout, Settings};
use std::sync::Arc;

fn read(vars: &str) -> (Option<Settings>, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("hosts.yml");
    let vars: String = vars.lines().map(|line| format!("      {line}\n")).collect();
    std::fs::write(&path, format!("all:\n  hosts:\n    bastion:\n{vars}")).expect("written");
    let options = LoadOptions {
        sources: vec![path.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    };
    let loaded = load(&options);
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    let all = host_vars(&Arc::new(loaded.inventory), false);
    let defaults = yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults");
    let mut problems = Diagnostics::new();
    let settings = Settings::read(&all["bastion"].clone().with_defaults(Arc::new(defaults)), &mut problems);
    (
        settings,
        problems.iter().map(|problem| format!("{problem}\n")).collect(),
    )
}

#[track_caller]
fn settings(vars: &str) -> Settings {
    let (settings, problems) = read(&format!("wireguard_endpoint: 192.0.2.1\n{vars}"));
    assert_eq!(problems, "");
    settings.expect("settings")
}

#[track_caller]
fn wrong(vars: &str) -> String {
    let (settings, problems) = read(vars);
    assert!(settings.is_none(), "{vars}");
    problems
}

#[test]
fn defaults() {
    let made = settings("");
    assert_eq!(made.backend, Backend::Docker);
    assert_eq!(made.layout, Layout::docker("~/wireguard/config", "wireguard"));
    assert_eq!(made.port, 51820);
    assert_eq!(made.peer.endpoint, "192.0.2.1:51820");
    assert_eq!((made.peer.network.as_str(), made.peer.mtu), ("172.16.50.0/24", 1330));
    assert_eq!(made.declared, DeclaredPeers::Count(5));
    assert_eq!(made.subnet.to_string(), "10.13.13.0/24");
}

#[test]
fn each_variable_has_its_effect_alone() {
    let plain = settings("");
    let changed = |vars: &str, change: &dyn Fn(&mut Settings)| {
        let mut wanted = plain.clone();
        change(&mut wanted);
        assert_eq!(settings(vars), wanted, "{vars}");
    };
    changed("wireguard_backend: native", &|s| {
        s.backend = Backend::Native;
        s.layout = Layout::native();
    });
    changed("wireguard_network: 10.0.0.0/8,172.16.50.0/24", &|s| {
        s.peer.network = "10.0.0.0/8, 172.16.50.0/24".into();
    });
    changed("wireguard_port: '51821'", &|s| {
        s.port = 51821;
        s.peer.endpoint = "192.0.2.1:51821".into();
    });
    changed("wireguard_mtu: 1420", &|s| s.peer.mtu = 1420);
    changed("wireguard_peers: 2", &|s| s.declared = DeclaredPeers::Count(2));
    changed("wireguard_config_dir: /srv/wg/", &|s| {
        s.layout.folder = "/srv/wg".into()
    });
    changed("wireguard_container_name: vpn", &|s| s.layout.container = "vpn".into());
    changed("wireguard_internal_subnet: 10.99.0.0/16", &|s| {
        s.subnet = "10.99.0.0/16".parse().expect("a network");
    });
}

#[test]
fn peers_by_name() {
    let names = |vars: &str| -> Vec<String> {
        settings(vars)
            .declared
            .names()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(names("wireguard_peers: [alice, bob]"), ["peer_alice", "peer_bob"]);
    assert_eq!(
        names("wireguard_backend: native\nwireguard_peers:\n  - alice\n  - 7"),
        ["alice", "peer7"]
    );
    assert_eq!(names("wireguard_peers: 'alice, bob'"), ["peer_alice", "peer_bob"]);
    assert_eq!(names("wireguard_peers: []"), Vec::<String>::new());
    assert_eq!(names("wireguard_peers: '2'"), ["peer1", "peer2"]);
}

#[test]
fn endpoints() {
    let endpoint = |text: &str| {
        let (made, problems) = read(&format!("wireguard_endpoint: '{text}'"));
        made.map(|s| s.peer.endpoint).ok_or(problems)
    };
    assert_eq!(endpoint("vpn.example.org").as_deref(), Ok("vpn.example.org:51820"));
    assert_eq!(endpoint("2001:db8::1").as_deref(), Ok("[2001:db8::1]:51820"));
    for text in ["172.16.50.", "vpn.example.org:51820", "a b", "-a.org", "http://x"] {
        assert!(
            endpoint(text)
                .expect_err(text)
                .contains("neither an address nor a DNS name")
        );
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_place() {
    let problems = wrong(
        "wireguard_backend: podman\nwireguard_network: 172.16.50.\nwireguard_port: 70000\nwireguard_mtu: 100\n\
         wireguard_peers: [alice, a.b, alice]\nwireguard_config_dir: wg\nwireguard_container_name: 'a b'\n\
         wireguard_internal_subnet: 10.13.13.0/31",
    );
    for (part, line) in [
        ("wireguard_backend is \"podman\"", 4),
        ("172.16.50. is no network", 5),
        ("wireguard_port is 70000", 6),
        ("wireguard_mtu is 100", 7),
        ("a name \"a.b\" that has '.' in it", 8),
        ("has peer_alice twice", 8),
        ("wireguard_config_dir is \"wg\"", 9),
        ("wireguard_container_name is \"a b\"", 10),
        ("wireguard_internal_subnet is \"10.13.13.0/31\"", 11),
    ] {
        assert!(problems.contains(part), "{part}: {problems}");
        assert!(
            problems.contains(&format!("hosts.yml:{line}:")),
            "line {line}: {problems}"
        );
    }
    assert!(problems.contains("wireguard_endpoint is not set"), "{problems}");
    assert!(wrong("wireguard_endpoint: 192.0.2.1\nwireguard_peers: 254").contains("asks for 254 peers"));
    assert!(wrong("wireguard_endpoint: 192.0.2.1\nwireguard_peers: -1").contains("asks for -1 peers"));
}
