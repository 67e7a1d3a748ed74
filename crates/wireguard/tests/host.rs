//! Peers on a host that is a folder, with a stand-in for `wg`: questions and steps are run by real shells.

use mosip_prov_resources::testing::{expect_change, expect_error, expect_nothing};
use mosip_prov_resources::{Answers, Ask, Change, Resource, Step};
use mosip_prov_wireguard::{AskPeers, HostState, Layout, PeerFiles, PeerName, PeerSettings, Peers, Tunnel};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

const ETC: &str = "/etc/wireguard";

struct Machine {
    root: tempfile::TempDir,
    layout: Layout,
    /// Everything that left the host, and every decision.
    told: std::cell::RefCell<String>,
}

fn settings() -> PeerSettings {
    PeerSettings {
        network: "172.16.50.0/24".into(),
        endpoint: "192.0.2.1:51820".into(),
        mtu: 1330,
    }
}

fn name(text: &str) -> PeerName {
    PeerName::on_host(text).expect("a name")
}

fn names<const N: usize>(texts: [&str; N]) -> [PeerName; N] {
    texts.map(name)
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let bin = root.path().join("bin");
        fs::create_dir(&bin).expect("made");
        fs::write(bin.join("wg"), include_str!("wg-stand-in.sh")).expect("written");
        fs::set_permissions(bin.join("wg"), fs::Permissions::from_mode(0o755)).expect("changed");
        Self {
            root,
            layout: Layout::native(),
            told: Default::default(),
        }
    }

    /// With a server's configuration and a tunnel that is up.
    fn with_tunnel() -> Self {
        let machine = Self::new();
        machine.bring_about(&tunnel());
        fs::write(machine.root.path().join("tunnel"), "").expect("written");
        machine
    }

    fn etc(&self) -> PathBuf {
        self.root.path().join("etc")
    }

    fn sh(&self, script: &str) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let script = script.replace(ETC, &self.etc().to_string_lossy());
        Command::new("sh")
            .args(["-c", &script])
            .env("PATH", format!("{}:{path}", self.root.path().join("bin").display()))
            .env("WG_STAND_IN", self.root.path())
            .env("LC_ALL", "C")
            .output()
            .expect("sh")
    }

    fn answers(&self) -> Answers {
        let question = AskPeers(self.layout.clone()).question();
        let output = self.sh(&question.probe().script(&[question.subject()]));
        let text = String::from_utf8(output.stdout).expect("text");
        let text = text.replace(&*self.etc().to_string_lossy(), ETC);
        self.told.borrow_mut().push_str(&text);
        let answer = question
            .probe()
            .split(&reframed(&text), &[question.subject()])
            .remove(0);
        match answer {
            Ok(text) => Answers::new().with(question, as_root(&text)),
            Err(reason) => panic!("{reason}"),
        }
    }

    fn state(&self) -> HostState {
        self.answers().get(&AskPeers(self.layout.clone())).expect("understood")
    }

    fn script(&self, change: &Change) -> String {
        let mut told = self.told.borrow_mut();
        told.push_str(&format!("{change:?}"));
        let scripts = change.steps.iter().map(|step| match step {
            Step::Shell(shell) => shell.script.clone(),
            other => panic!("{other:?}"),
        });
        let script = scripts.collect::<Vec<_>>().join("\n");
        told.push_str(&script);
        script
    }

    #[track_caller]
    fn bring_about(&self, resource: &impl Resource) -> Change {
        let change = expect_change(resource, &self.answers());
        let output = self.sh(&format!("(\n{}\n)", self.script(&change)));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        expect_nothing(resource, &self.answers());
        change
    }

    fn file(&self, path: &str) -> String {
        fs::read_to_string(self.etc().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    fn tunnel(&self) -> String {
        fs::read_to_string(self.root.path().join("tunnel")).expect("up")
    }

    /// No private or preshared key, of then or now, is in anything that was told.
    #[track_caller]
    fn no_key_was_told(&self, also: &[String]) {
        let told = self.told.borrow();
        let mut keys = also.to_vec();
        keys.extend(keys_below(&self.etc()));
        // What `wg show wg0 dump` prints first.
        keys.push("cHJpdmF0ZSBrZXkgb2YgdGhlIHNlcnZlciwgc2VjcmV0ISE=".to_owned());
        assert!(keys.len() > 1);
        for key in keys {
            assert!(!told.contains(&key), "a key was told");
        }
    }
}

/// The private and preshared keys in all files below a folder.
fn keys_below(folder: &std::path::Path) -> Vec<String> {
    let mut keys = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            keys.extend(keys_below(&path));
            continue;
        }
        for line in fs::read_to_string(&path).expect("text").lines() {
            if let Some((key, value)) = line.split_once(" = ")
                && ["PrivateKey", "PresharedKey"].contains(&key)
            {
                keys.push(value.to_owned());
            }
        }
    }
    keys
}

/// Paths of another length were put in: frames say how long they are.
fn reframed(text: &str) -> String {
    let (head, body) = text.split_once('\n').expect("a frame");
    let (status, _) = head.split_once(' ').expect("a frame");
    let body = body.trim_end_matches('\n');
    format!("{status} {}\n{body}\n", body.len())
}

/// Whoever runs the tests owns the files; on a host it is root.
fn as_root(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let mut fields: Vec<&str> = line.split('\t').collect();
        if fields[0] == "file" {
            (fields[5], fields[6]) = ("root", "root");
        }
        fields.join("\t")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn tunnel() -> Tunnel {
    Tunnel::new("10.13.13.0/24".parse().expect("a network"), 51820)
        .mtu(1330)
        .post_up(["iptables -A FORWARD -i %i -j ACCEPT; sysctl -q net.ipv4.ip_forward=1".to_owned()])
}

fn peers() -> Peers {
    Peers::new(settings())
}

#[test]
fn the_tunnel_is_made_with_a_key_of_its_own_and_corrected_in_place() {
    let machine = Machine::new();
    machine.bring_about(&tunnel());
    let text = machine.file("wg0.conf");
    let key = text
        .lines()
        .find_map(|l| l.strip_prefix("PrivateKey = "))
        .expect("a key")
        .to_owned();
    assert_eq!(key.len(), 44);
    assert_eq!(
        text.replace(&key, "KEY"),
        "[Interface]\n# Made by mosip-prov\nPrivateKey = KEY\nAddress = 10.13.13.1/24\nListenPort = 51820\nMTU = 1330\n\
         PostUp = iptables -A FORWARD -i %i -j ACCEPT; sysctl -q net.ipv4.ip_forward=1\n"
    );
    assert_eq!(
        fs::metadata(machine.etc().join("wg0.conf"))
            .expect("there")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    machine.bring_about(&peers().declared(names(["peer1"])));
    let change = machine.bring_about(&tunnel().mtu(1400));
    assert_eq!(change.summary, "correct /etc/wireguard/wg0.conf");
    let text = machine.file("wg0.conf");
    assert!(
        text.contains("MTU = 1400\n") && text.contains(&key) && text.contains("# peer1\n"),
        "{text}"
    );
    let other = Tunnel::new("10.14.0.0/24".parse().expect("a network"), 51820);
    let error = expect_error(&other, &machine.answers());
    assert!(error.contains("10.13.13.2 is outside"), "{error}");
    machine.no_key_was_told(&[]);
}

#[test]
fn peers_are_made_once_with_keys_that_fit() {
    let machine = Machine::with_tunnel();
    let change = machine.bring_about(&peers().declared(names(["peer1", "peer2"])));
    assert_eq!(change.summary, "add 2 peers");
    let (one, server) = (machine.file("peers/peer1/peer1.conf"), machine.file("wg0.conf"));
    let value = |text: &str, key: &str| -> String {
        let line = text.lines().find_map(|l| l.strip_prefix(&format!("{key} = ")));
        line.unwrap_or_else(|| panic!("{key}")).to_owned()
    };
    let public_of = |key: &str| {
        let output = machine.sh(&format!("echo '{key}' | wg pubkey"));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    assert_eq!(value(&one, "Address"), "10.13.13.2");
    assert_eq!(value(&one, "PublicKey"), public_of(&value(&server, "PrivateKey")));
    let section = format!(
        "[Peer]\n# peer1\nPublicKey = {}\nPresharedKey = {}\nAllowedIPs = 10.13.13.2/32\n",
        public_of(&value(&one, "PrivateKey")),
        value(&one, "PresharedKey")
    );
    assert!(server.contains(&section), "{server}");
    let line = format!(
        "{} {} 10.13.13.2/32",
        public_of(&value(&one, "PrivateKey")),
        value(&one, "PresharedKey")
    );
    assert!(machine.tunnel().contains(&line), "the tunnel learns of it");
    let mode = |path: &str| {
        fs::metadata(machine.etc().join(path))
            .expect("there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode("peers/peer1/peer1.conf"), mode("peers/peer1"), mode("peers")),
        (0o600, 0o700, 0o700)
    );
    machine.bring_about(&peers().present(names(["alice"])));
    assert_eq!(machine.file("peers/peer1/peer1.conf"), one);
    assert!(machine.file("wg0.conf").starts_with(&server));
    assert_eq!(value(&machine.file("peers/alice/alice.conf"), "Address"), "10.13.13.4");
    assert_eq!(
        expect_nothing(&peers().present(names(["alice"])), &machine.answers()),
        "alice is a peer, with address 10.13.13.4"
    );
    // Nothing is left of the folder where keys were made.
    assert_eq!(
        fs::read_dir(machine.etc()).expect("read").count(),
        2,
        "peers and wg0.conf"
    );
    machine.no_key_was_told(&[]);
}

#[test]
fn a_revoked_peer_is_gone_everywhere_and_stays_so() {
    let machine = Machine::with_tunnel();
    machine.bring_about(&peers().declared(names(["peer1", "peer2"])));
    let others = machine.tunnel().lines().nth(1).expect("a line").to_owned();
    let before = keys_below(&machine.etc());
    let key = machine
        .state()
        .file_of(&name("peer1"))
        .and_then(|f| f.public_key.clone())
        .expect("a key");
    let change = machine.bring_about(&peers().revoked(names(["peer1"])));
    assert_eq!(change.summary, "revoke peer peer1");
    assert!(!machine.etc().join("peers/peer1").exists());
    assert!(!machine.file("wg0.conf").contains(&key));
    assert_eq!(machine.tunnel().trim(), others, "the other peer is as it was");
    assert_eq!(
        machine.file("revoked/peer1"),
        format!("PublicKey = {key}\nAddress = 10.13.13.2\n")
    );
    // The inventory does not bring it back, an operator does, with another key and address.
    let declared = peers().declared(names(["peer1", "peer2"]));
    assert_eq!(
        expect_nothing(&declared, &machine.answers()),
        "1 declared peers are there; revoked before and left so: peer1"
    );
    machine.bring_about(&peers().present(names(["peer1"])));
    assert!(!machine.etc().join("revoked/peer1").exists());
    let back = machine.state().file_of(&name("peer1")).cloned().expect("there");
    assert_ne!(back.public_key, Some(key));
    assert_eq!(back.address().map(|a| a.to_string()).as_deref(), Some("10.13.13.4"));
    let error = expect_error(&peers().revoked(names(["mallory"])), &machine.answers());
    assert!(
        error.contains("there is no peer mallory") && error.contains("peer1, peer2"),
        "{error}"
    );
    machine.no_key_was_told(&before);
}

#[test]
fn a_change_that_was_cut_short_anywhere_is_ended_by_the_next() {
    let add = || {
        peers()
            .present(names(["alice"]))
            .declared(names(["peer1"]))
            .correcting_all()
    };
    let revoke = || peers().revoked(names(["peer1"]));
    let prepared = || {
        let machine = Machine::with_tunnel();
        machine.bring_about(&peers().declared(names(["peer1"])));
        machine
    };
    for (what, resource) in [("add", add()), ("revoke", revoke())] {
        let mut cuts = 0;
        for cut in 0.. {
            let machine = prepared();
            let script = machine.script(&expect_change(&resource, &machine.answers()));
            let Some(script) = cut_short(&script, cut) else {
                break;
            };
            cuts += 1;
            let output = machine.sh(&format!("(\n{script}\n)"));
            assert_eq!(output.status.code(), Some(9), "{what} {cut}: {output:?}");
            if !matches!(
                resource.decide(&machine.answers()),
                Ok(mosip_prov_resources::Decision::Nothing { .. })
            ) {
                machine.bring_about(&resource);
            }
            let state = machine.state();
            let there: Vec<_> = state.peers().into_iter().filter(|p| !p.revoked).collect();
            let names: Vec<_> = there
                .iter()
                .filter_map(|p| p.name.as_ref())
                .map(PeerName::as_str)
                .collect();
            let wanted: &[&str] = if what == "add" { &["alice", "peer1"] } else { &[] };
            assert_eq!(names, wanted, "{what} {cut}");
            assert!(
                there
                    .iter()
                    .all(|p| p.configured && p.running.is_some() && p.file.is_some()),
                "{what} {cut}"
            );
            assert_eq!(state.running.expect("up").peers.len(), wanted.len(), "{what} {cut}");
            assert!(
                machine.file("wg0.conf").matches("[Peer]").count() == wanted.len(),
                "{what} {cut}"
            );
        }
        assert!(cuts >= 5, "{what}: {cuts}");
    }
}

/// The script ending, as after a crash, before its `cut`th command that does something.
fn cut_short(script: &str, cut: usize) -> Option<String> {
    let body = script.rfind("\n}\n")? + 3;
    let does = ["put ", "wg ", "safely ", "mkdir ", "rm ", "if wg ", "value ", "fi"];
    let mut at = body;
    let mut seen = 0;
    for line in script[body..].split_inclusive('\n') {
        if does.iter().any(|d| line.starts_with(d)) {
            if seen == cut {
                return Some(format!("{}trap - EXIT\nexit 9\n{}", &script[..at], &script[at..]));
            }
            seen += 1;
        }
        at += line.len();
    }
    None
}

#[test]
fn a_file_that_somebody_else_changed_meanwhile_is_left_alone() {
    let machine = Machine::with_tunnel();
    let script = machine.script(&expect_change(&peers().present(names(["alice"])), &machine.answers()));
    let changed = format!("{}# a note\n", machine.file("wg0.conf"));
    fs::write(machine.etc().join("wg0.conf"), &changed).expect("written");
    let output = machine.sh(&format!("(\n{script}\n)"));
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("changed by somebody else"),
        "{output:?}"
    );
    assert_eq!(machine.file("wg0.conf"), changed);
    assert!(!machine.etc().join("peers/alice/alice.conf").exists());
}

#[test]
fn a_server_with_a_new_key_is_known_to_every_peer_again() {
    let role = || peers().declared(names(["peer1"])).correcting_all();
    let machine = Machine::with_tunnel();
    machine.bring_about(&role());
    machine.bring_about(&peers().present(names(["alice", "bob"])));
    machine.bring_about(&peers().revoked(names(["bob"])));
    let before = keys_below(&machine.etc());
    let lost = machine.state().server_key.expect("a key");
    fs::remove_file(machine.etc().join("wg0.conf")).expect("removed");
    machine.bring_about(&tunnel());
    let change = machine.bring_about(&role());
    assert_eq!(change.summary, "connect 2 peers, correct 2 peer files");
    let key = machine.state().server_key.expect("a key");
    assert_ne!(key, lost);
    for name in ["peer1", "alice"] {
        let file = machine.file(&format!("peers/{name}/{name}.conf"));
        assert!(file.contains(&format!("PublicKey = {key}\n")), "{name}");
    }
    let server = machine.file("wg0.conf");
    assert!(server.contains("# peer1\n") && server.contains("# alice\n") && !server.contains("# bob\n"));
    machine.no_key_was_told(&before);
}

#[test]
fn a_tunnel_that_was_not_made_here_is_taken_over_on_request_alone() {
    let machine = Machine::new();
    let own = "[Interface]\nPrivateKey = c2VydmVyIHByaXZhdGUga2V5LCBubyByZWFsIG9uZTE=\nAddress = 10.13.13.1/24\n\
               ListenPort = 4500\nPostUp = /root/up\n\n[Peer]\nPublicKey = cHVibGljIGtleSBvZiBwZWVyMSwgbm8gcmVhbCBvbmUhISE=\n\
               AllowedIPs = 10.13.13.2/32\n";
    fs::create_dir_all(machine.etc()).expect("made");
    fs::write(machine.etc().join("wg0.conf"), own).expect("written");
    let error = expect_error(&tunnel(), &machine.answers());
    for part in [
        "was not made here",
        "move the file away",
        "wireguard_replace_existing: true",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let error = expect_error(&peers().present(names(["alice"])), &machine.answers());
    assert!(error.contains("was not made here"), "{error}");
    let change = machine.bring_about(&tunnel().replace_existing(true));
    assert_eq!(change.summary, "take over /etc/wireguard/wg0.conf, and keep a copy");
    assert_eq!(machine.file("wg0.conf.before-mosip-prov"), own);
    let text = machine.file("wg0.conf");
    assert!(text.contains("c2VydmVyIHByaXZhdGUga2V5") && text.contains("cHVibGljIGtleSBvZiBwZWVyMS"));
    assert!(text.contains("ListenPort = 51820\n") && !text.contains("/root/up"));
    // Ours from now on, asked for or not.
    expect_nothing(&tunnel(), &machine.answers());
    machine.bring_about(&tunnel().mtu(1400));
    assert_eq!(machine.file("wg0.conf.before-mosip-prov"), own);
    machine.bring_about(&peers().present(names(["alice"])));
    machine.no_key_was_told(&[]);
}

#[test]
fn a_server_that_came_meanwhile_keeps_its_key() {
    let machine = Machine::new();
    let script = machine.script(&expect_change(&tunnel(), &machine.answers()));
    let own = "[Interface]\nPrivateKey = somebody's\n";
    fs::create_dir_all(machine.etc()).expect("made");
    fs::write(machine.etc().join("wg0.conf"), own).expect("written");
    let output = machine.sh(&format!("(\n{script}\n)"));
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("in the meantime"),
        "{output:?}"
    );
    assert_eq!(machine.file("wg0.conf"), own);
}

#[test]
fn a_key_that_wg_refuses_is_not_told() {
    let machine = Machine::with_tunnel();
    fs::write(
        machine.etc().join("wg0.conf"),
        "[Interface]\n# Made by mosip-prov\nPrivateKey = secret-but-too-short\nAddress = 10.13.13.1\n",
    )
    .expect("written");
    let script = machine.script(&expect_change(&peers().present(names(["alice"])), &machine.answers()));
    let output = machine.sh(&format!("(\n{script}\n)"));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && complaint.contains("Key is not the correct length"),
        "{complaint}"
    );
    assert!(!complaint.contains("secret-but"), "{complaint}");
    assert!(!machine.told.borrow().contains("secret-but"));
}

#[test]
fn a_remark_among_the_keys_of_the_tunnel_moves_none_to_where_it_is_told() {
    let machine = Machine::with_tunnel();
    machine.bring_about(&peers().declared(names(["peer1"])));
    fs::write(machine.root.path().join("warns"), "").expect("written");
    let running = machine.state().running.expect("up");
    assert_eq!((running.port, running.peers.len()), (51820, 1));
    fs::remove_file(machine.root.path().join("tunnel")).expect("removed");
    assert_eq!(
        machine.state().running.expect_err("down"),
        "Unable to access interface: No such device"
    );
    machine.no_key_was_told(&[]);
}

#[test]
fn what_the_tunnel_lost_or_kept_is_set_right() {
    let machine = Machine::with_tunnel();
    machine.bring_about(&peers().declared(names(["peer1", "peer2"])));
    let line = machine.tunnel();
    // A restart of the tunnel without its peers, and somebody's own peer in it.
    let own = format!("{}= (none) 10.13.13.77/32\n", "o".repeat(43));
    fs::write(machine.root.path().join("tunnel"), &own).expect("written");
    let change = machine.bring_about(&peers().declared(names(["peer1", "peer2"])));
    assert_eq!(change.summary, "connect 2 peers");
    assert_eq!(machine.tunnel(), format!("{own}{line}"));
    // Its address is nobody else's.
    fs::write(
        machine.root.path().join("tunnel"),
        format!("{own}{line}").replace(".77", ".4"),
    )
    .expect("written");
    machine.bring_about(&peers().present(names(["alice"])));
    assert!(
        machine
            .file("peers/alice/alice.conf")
            .contains("Address = 10.13.13.5\n")
    );
    // A section whose file is gone gets new keys and keeps its address.
    fs::remove_dir_all(machine.etc().join("peers/peer2")).expect("removed");
    machine.bring_about(&peers().declared(names(["peer2"])));
    assert!(
        machine
            .file("peers/peer2/peer2.conf")
            .contains("Address = 10.13.13.3\n")
    );
    assert_eq!(machine.tunnel().matches("10.13.13.3/32").count(), 1);
}

#[test]
fn without_a_tunnel_nothing_can_be_added() {
    let machine = Machine::new();
    let error = expect_error(&peers().present(names(["alice"])), &machine.answers());
    assert!(
        error.contains("there is no tunnel yet") && error.contains("mosip-prov run wireguard"),
        "{error}"
    );
    let pending = machine
        .answers()
        .with_pending("Make the tunnel", vec![mosip_prov_resources::Touch::Kind("wireguard")]);
    let decision = peers().present(names(["alice"])).decide(&pending).expect("decided");
    assert!(
        matches!(decision, mosip_prov_resources::Decision::Unknown { .. }),
        "{decision:?}"
    );
}

#[test]
fn the_files_of_the_image_are_corrected_in_place() {
    let mut machine = Machine::new();
    machine.layout = Layout::docker(ETC, "wireguard");
    let files = PeerFiles::new(machine.layout.clone(), settings()).of(names(["peer1", "peer2"]));
    let waiting = |machine: &Machine| files.decide(&machine.answers()).expect("decided");
    let decision = waiting(&machine);
    assert!(
        matches!(&decision, mosip_prov_resources::Decision::NotYet { reason } if reason.contains("peer1, peer2")),
        "{decision:?}"
    );
    for (name, text) in [
        ("peer1", include_str!("peer-files/image-peer1.conf")),
        ("peer2", include_str!("peer-files/ansible-peer2.conf")),
    ] {
        let folder = machine.etc().join(name);
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join(format!("{name}.conf")), text).expect("written");
        fs::set_permissions(folder.join(format!("{name}.conf")), fs::Permissions::from_mode(0o640)).expect("changed");
    }
    fs::create_dir(machine.etc().join("wg_confs")).expect("made");
    fs::write(
        machine.etc().join("wg_confs/wg0.conf"),
        "[Interface]\nAddress = 10.13.13.1\nPrivateKey = c2VydmVyIHByaXZhdGUga2V5LCBubyByZWFsIG9uZSEhISE=\n\n[Peer]\n# peer1\nPublicKey = cHVibGljIGtleSBvZiBwZWVyMSwgbm8gcmVhbCBvbmUhISE=\nAllowedIPs = 10.13.13.2/32\n",
    )
    .expect("written");
    let change = machine.bring_about(&files);
    assert_eq!(change.summary, "correct 1 peer file");
    assert_eq!(
        machine.file("peer1/peer1.conf"),
        include_str!("peer-files/image-peer1.corrected.conf")
    );
    assert_eq!(
        machine.file("peer2/peer2.conf"),
        include_str!("peer-files/ansible-peer2.conf")
    );
    let mode = fs::metadata(machine.etc().join("peer1/peer1.conf"))
        .expect("there")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o640, "as the image left it");
    let state = machine.state();
    assert!(
        state
            .server
            .as_ref()
            .is_some_and(|f| f.path.ends_with("wg_confs/wg0.conf"))
    );
    assert!(state.running.is_err());
    machine.no_key_was_told(&[]);
}
