//! The VPN's files, and what a host tells of its peers.

use crate::input::Input;
use mosip_prov_wireguard::config::WgConfig;
use mosip_prov_wireguard::server::Server;
use mosip_prov_wireguard::{HostState, PeerSettings};
use std::net::Ipv4Addr;

/// The first byte chooses: a configuration, which is written back as it stands, and in which one value can be set and taken out without
/// touching another line; what a host tells.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let text = input.text();
    if choice.is_multiple_of(2) {
        config(&text);
        return;
    }
    let state = HostState::parse(&text);
    assert_eq!(format!("{state:?}"), format!("{:?}", HostState::parse(&text)));
    if let Ok(state) = state {
        state.peers();
        state.configured();
        let _ = state.server();
        state.server_is_ours();
        assert!(state.files.len() + state.revoked.len() <= text.lines().count());
    }
}

fn config(text: &str) {
    let config = WgConfig::parse(text);
    let mut lines: String = text.lines().collect::<Vec<_>>().join("\n");
    if !text.is_empty() {
        lines.push('\n');
    }
    assert_eq!(*config.expose_text(), lines);
    // A few of them: each is looked at in the whole file.
    for section in config.sections("Interface").into_iter().take(3) {
        let others = |config: &WgConfig| -> Vec<String> {
            let own = |line: &str| {
                line.split('=')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .eq_ignore_ascii_case("mtu")
            };
            config
                .expose_text()
                .lines()
                .filter(|line| !own(line))
                .map(str::to_owned)
                .collect()
        };
        let mut changed = config.clone();
        changed.set(section, "MTU", "1380", |a, b| a == b);
        assert_eq!(changed.values(section, "mtu"), ["1380"]);
        assert_eq!(others(&config), others(&changed));
        assert!(!changed.set(section, "MTU", "1380", |a, b| a == b), "set twice");
        let again = WgConfig::parse(&changed.expose_text());
        assert_eq!(again.values(section, "MTU"), ["1380"]);
        changed.remove(section, "MTU");
        assert!(changed.values(section, "MTU").is_empty());
    }
    let settings = PeerSettings {
        network: "10.0.0.0/8, 172.16.0.0/12".into(),
        endpoint: "192.0.2.1:51820".into(),
        mtu: 1380,
    };
    if let Ok((right, _)) = settings.applied_to(&config) {
        let (again, changed) = settings.applied_to(&right).expect("still a peer's file");
        assert!(changed.is_empty() && again == right, "{changed:?}");
    }
    if let Ok(server) = Server::of(config) {
        let _ = server.subnet();
        let peers = server.peers();
        if peers.len() < 100
            && let Ok(free) = server.next_free(&[], &[Ipv4Addr::new(10, 13, 13, 2)])
        {
            assert!(
                !peers.iter().any(|peer| peer.address() == Some(free)),
                "{free} is taken"
            );
        }
        let mut without = server.clone();
        without.remove(|_| true);
        assert!(without.peers().is_empty());
    }
}
