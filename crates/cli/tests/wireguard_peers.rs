//! `wireguard peers` on this machine: a folder as the image leaves it, through the local connection.

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::TempDir;

const SERVER_KEY: &str = "c2VydmVyIHByaXZhdGUga2V5LCBubyByZWFsIG9uZSEhISE=";

fn private(name: &str) -> String {
    format!("cHJpdmF0ZSBrZXkgb2Yg{name}LCBubyByZWFsIG9uZSEhISE=")
}

fn peer(number: u8) -> String {
    format!(
        "[Interface]\nAddress = 10.13.13.{}\nPrivateKey = {}\nMTU = 1330\n\n[Peer]\n\
         PublicKey = c2VydmVyIHB1YmxpYyBrZXksIG5vIHJlYWwgb25lISEhISE=\nPresharedKey = cHJlc2hhcmVkIGtleSwgbm8gcmVhbCBvbmUhISEhISEhISE=\n\
         Endpoint = 192.0.2.1:51820\nAllowedIPs = 172.16.50.0/24\n",
        number + 1,
        private(&format!("peer{number}")),
    )
}

fn public(number: u8) -> String {
    format!("cHVibGljIGtleSBvZiBwZWVy{number}LCBubyByZWFsIG9uZSEhISE=")[..44].to_owned()
}

/// A folder with an inventory whose host is this machine, and what the image keeps in `config`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config");
    let mut server = format!("[Interface]\nAddress = 10.13.13.1\nListenPort = 51820\nPrivateKey = {SERVER_KEY}\n");
    for number in [1, 2] {
        let own = config.join(format!("peer{number}"));
        fs::create_dir_all(&own).expect("made");
        fs::write(own.join(format!("peer{number}.conf")), peer(number)).expect("written");
        fs::write(
            own.join(format!("publickey-peer{number}")),
            format!("{}\n", public(number)),
        )
        .expect("written");
        server += &format!(
            "\n[Peer]\n# peer{number}\nPublicKey = {}\nAllowedIPs = 10.13.13.{}/32\n",
            public(number),
            number + 1
        );
    }
    fs::create_dir(config.join("wg_confs")).expect("made");
    fs::write(config.join("wg_confs/wg0.conf"), server).expect("written");
    fs::write(
        folder.path().join("hosts.ini"),
        format!(
            "[wireguard]\nbastion ansible_connection=local wireguard_endpoint=192.0.2.1\n\n[wireguard:vars]\nansible_become=no\n\
             wireguard_config_dir={}\nwireguard_container_name=no-such-container-of-a-test\n",
            config.display()
        ),
    )
    .expect("written");
    folder
}

fn peers(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("mosip-prov")
        .expect("built")
        .current_dir(folder)
        .env_remove("MOSIP_PROV_INVENTORY")
        .env_remove("ANSIBLE_VAULT_PASSWORD_FILE")
        .args(["wireguard", "peers"])
        .args(args)
        .args(["-i", "hosts.ini"])
        .output()
        .expect("run");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (
        output.status.code().expect("ended"),
        text(output.stdout),
        text(output.stderr),
    )
}

#[track_caller]
fn without_keys(text: &str) {
    for key in [SERVER_KEY, &private("peer1"), &private("peer2"), "cHJlc2hhcmVk"] {
        assert!(!text.contains(key), "{text}");
    }
}

#[test]
fn the_list_has_public_keys_alone() {
    let folder = folder();
    let (code, out, err) = peers(folder.path(), &[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    for part in [
        "bastion  the tunnel does not run",
        "PEER",
        "peer1",
        "10.13.13.3",
        &public(2),
        "tunnel down",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    without_keys(&out);
    let (code, out, _) = peers(folder.path(), &["2"]);
    assert!(code == 0 && out.contains("peer2") && !out.contains("peer1"), "{out}");
    let (code, out, _) = peers(folder.path(), &["--format", "json"]);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(code, 0);
    assert_eq!(json["bastion"]["tunnel"]["up"], false);
    assert_eq!(json["bastion"]["peers"][1]["name"], "peer2");
    assert_eq!(json["bastion"]["peers"][1]["public_key"], public(2));
    without_keys(&out);
}

#[test]
fn a_peer_that_is_not_there() {
    let folder = folder();
    let (code, out, err) = peers(folder.path(), &["peer3", "--out", "x"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("there is no peer peer3; did you mean peer"), "{err}");
    assert!(!folder.path().join("x").exists());
}

#[test]
fn files_are_saved_for_their_owner_alone_and_not_in_place_of_others() {
    let folder = folder();
    let mode = |path: &str| {
        let data = fs::metadata(folder.path().join(path)).expect("there");
        data.permissions().mode() & 0o777
    };
    let (code, out, err) = peers(folder.path(), &["--out", "vpn"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "vpn/peer1.conf  saved\nvpn/peer2.conf  saved\n");
    assert_eq!(
        fs::read_to_string(folder.path().join("vpn/peer1.conf")).expect("read"),
        peer(1)
    );
    assert_eq!((mode("vpn"), mode("vpn/peer1.conf")), (0o700, 0o600));
    let (code, out, _) = peers(folder.path(), &["peer1", "--out", "vpn"]);
    assert_eq!((code, out.as_str()), (0, "vpn/peer1.conf  as it was\n"));

    fs::write(folder.path().join("vpn/peer1.conf"), "mine\n").expect("written");
    let (code, out, err) = peers(folder.path(), &["--out", "vpn"]);
    assert_eq!((code, out.as_str()), (2, "vpn/peer2.conf  as it was\n"));
    assert!(
        err.contains("vpn/peer1.conf is there and holds something else; --force replaces it"),
        "{err}"
    );
    assert_eq!(
        fs::read_to_string(folder.path().join("vpn/peer1.conf")).expect("read"),
        "mine\n"
    );
    without_keys(&err);
    let (code, ..) = peers(folder.path(), &["--out", "vpn", "--force"]);
    assert_eq!(code, 0);
    assert_eq!(
        fs::read_to_string(folder.path().join("vpn/peer1.conf")).expect("read"),
        peer(1)
    );
}

#[test]
fn a_qr_code_is_for_a_terminal() {
    let folder = folder();
    let (code, out, err) = peers(folder.path(), &["peer1", "--qr"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.contains("standard output is no terminal") && err.contains("--force"),
        "{err}"
    );
    let (code, out, _) = peers(folder.path(), &["peer1", "--qr", "--force"]);
    assert_eq!(code, 0);
    let lines: Vec<usize> = out.lines().map(|line| line.chars().count()).collect();
    assert!(lines.len() > 20 && lines.iter().all(|n| *n == lines[0]), "{out}");
    without_keys(&out);
}

#[test]
fn the_docker_backend_says_where_its_peers_come_from() {
    let folder = folder();
    for (word, part) in [
        ("add", "add alice to wireguard_peers"),
        ("revoke", "take alice out of wireguard_peers"),
    ] {
        let (code, out, err) = peers(folder.path(), &[word, "alice"]);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains("docker backend") && err.contains(part), "{err}");
        assert!(!err.contains("<defaults"), "{err}");
    }
}

#[test]
fn what_is_wrong_is_said_before_anything_connects() {
    let folder = folder();
    fs::write(
        folder.path().join("hosts.ini"),
        "[wireguard]\nbastion ansible_host=192.0.2.77 wireguard_mtu=5 wireguard_backend=native\n",
    )
    .expect("written");
    for args in [&["add", "a.b"] as &[&str], &[]] {
        let (code, _, err) = peers(folder.path(), args);
        assert_eq!(code, 1, "{err}");
        for part in ["wireguard_mtu is 5", "wireguard_endpoint is not set", "hosts.ini:2:"] {
            assert!(err.contains(part), "{part}: {err}");
        }
    }
    fs::write(folder.path().join("hosts.ini"), "[nginx]\nvm ansible_host=192.0.2.77\n").expect("written");
    let (code, _, err) = peers(folder.path(), &[]);
    assert!(code == 1 && err.contains("wireguard"), "{err}");
}

#[test]
fn a_host_that_does_not_answer_is_unreachable() {
    let folder = folder();
    // A port on which nobody listens.
    let inventory =
        "[wireguard]\nbastion ansible_host=127.0.0.1 ansible_port=1 ansible_user=nobody wireguard_endpoint=192.0.2.1\n";
    fs::write(folder.path().join("hosts.ini"), inventory).expect("written");
    let (code, out, err) = peers(folder.path(), &["-T", "1"]);
    assert_eq!((code, out.as_str()), (4, ""), "{err}");
    assert_eq!(err.matches("bastion").count(), 1, "{err}");
}
