//! Peers' files in, corrected files out.

use mosip_prov_wireguard::PeerSettings;
use mosip_prov_wireguard::config::WgConfig;

fn settings() -> PeerSettings {
    PeerSettings {
        network: "172.16.50.0/24".into(),
        endpoint: "192.0.2.1:51820".into(),
        mtu: 1330,
    }
}

#[track_caller]
fn corrected(text: &str) -> (String, Vec<&'static str>) {
    let (config, keys) = settings().applied_to(&WgConfig::parse(text)).expect("a peer's file");
    let text = config.expose_text().to_string();
    // What is right is left alone.
    let again = settings().applied_to(&config).expect("a peer's file");
    assert_eq!((again.0.expose_text().to_string(), again.1), (text.clone(), Vec::new()));
    (text, keys)
}

#[test]
fn a_file_of_the_image() {
    let (text, keys) = corrected(include_str!("peer-files/image-peer1.conf"));
    assert_eq!(text, include_str!("peer-files/image-peer1.corrected.conf"));
    assert_eq!(keys, ["DNS", "MTU", "Endpoint", "AllowedIPs"]);
}

#[test]
fn a_file_that_ansible_corrected_is_right() {
    let file = include_str!("peer-files/ansible-peer2.conf");
    assert_eq!(corrected(file), (file.to_owned(), Vec::new()));
}

#[test]
fn lines_in_the_wrong_section_and_twice() {
    let file = "[Interface]\nAddress = 10.13.13.2\nEndpoint = 192.0.2.1:51820\nmtu = 1330\nMTU=1420\nDNS = 1.1.1.1\n\
                dns = 9.9.9.9\n[Peer]\nallowedips = 172.16.50.0/24\nAllowedIPs = 10.0.0.0/8\nMTU = 1330\n";
    let (text, keys) = corrected(file);
    assert_eq!(
        text,
        "[Interface]\nAddress = 10.13.13.2\nmtu = 1330\n[Peer]\nallowedips = 172.16.50.0/24\nEndpoint = 192.0.2.1:51820\n"
    );
    assert_eq!(keys, ["DNS", "MTU", "Endpoint", "AllowedIPs"]);
}

#[test]
fn several_networks_in_any_spelling() {
    let settings = PeerSettings {
        network: "172.16.50.0/24, 10.0.0.0/8".into(),
        ..settings()
    };
    let file = "[Interface]\nMTU = 1330\n[Peer]\nEndpoint = 192.0.2.1:51820\nAllowedIPs = 172.16.50.0/24,10.0.0.0/8\n";
    assert!(
        settings
            .applied_to(&WgConfig::parse(file))
            .expect("a file")
            .1
            .is_empty()
    );
}

#[test]
fn what_is_no_file_of_a_peer() {
    for text in [
        "",
        "[Interface]\n",
        "[Interface]\n[Peer]\n[Peer]\n",
        "[Peer]\n[Interface]\n[Interface]\n",
    ] {
        let error = settings().applied_to(&WgConfig::parse(text)).expect_err(text);
        assert!(error.contains("one of each is wanted"), "{error}");
    }
}
