//! `wireguard peers` on a real tunnel with a real client: a peer is added, handed out and revoked, and the others notice
//! nothing.

use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::testbed::Testbed;
use mosip_prov_tests::vpn::{Client, InternalNetwork};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const HOST: &str = "wireguard-node";
const NATIVE: &str = "wireguard_backend=native";

struct Operator<'t> {
    testbed: &'t Testbed,
    program: Program,
    inventory: String,
    folder: tempfile::TempDir,
    /// Everything that the program told: outputs, events, reports.
    told: String,
    /// Every private and preshared key that was on the host at some time.
    keys: Vec<String>,
}

impl<'t> Operator<'t> {
    fn new(testbed: &'t Testbed) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let inventory = testbed.copy_inventory(folder.path()).with_file_name("hosts.ini");
        Self {
            testbed,
            program: Program::new(),
            inventory: inventory.to_str().expect("UTF-8").to_owned(),
            folder,
            told: String::new(),
            keys: Vec::new(),
        }
    }

    fn words<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        [words, &["-i", &self.inventory, "-e", NATIVE]].concat()
    }

    #[track_caller]
    fn run(&mut self, words: &[&str]) -> Ran {
        let ran = self.program.run(&self.words(words)).expect(0);
        self.remember(&ran);
        ran
    }

    /// A change, with events and reports.
    #[track_caller]
    fn change(&mut self, words: &[&str]) -> Ran {
        let events = self.folder.path().join("told.jsonl");
        let report = self.folder.path().join("told.html");
        let (events, report) = (events.to_str().expect("UTF-8"), report.to_str().expect("UTF-8"));
        let more = ["--events", events, "--report", report, "--diff", "-vv"];
        let mut ran = self.run(&[words, &more].concat());
        let text = fs::read_to_string(events).expect("events");
        ran.events = text
            .lines()
            .map(|l| serde_json::from_str(l).expect("an event"))
            .collect();
        self.told += &text;
        self.told += &fs::read_to_string(report).expect("a report");
        ran
    }

    fn remember(&mut self, ran: &Ran) {
        self.told += &ran.stdout;
        self.told += &ran.stderr;
        let keys = self.testbed.root(
            HOST,
            "grep -rhE \"^(PrivateKey|PresharedKey)\" /etc/wireguard | sed \"s/^[^=]*= *//\"",
        );
        self.keys.extend(keys.lines().map(str::to_owned));
    }

    fn list(&mut self) -> Value {
        let ran = self.run(&["wireguard", "peers", "--format", "json"]);
        serde_json::from_str(&ran.stdout).expect("JSON")
    }

    fn peer(&mut self, name: &str) -> Value {
        let list = self.list();
        let peers = list[HOST]["peers"].as_array().expect("peers").clone();
        let found = peers.into_iter().find(|p| p["name"] == name);
        found.unwrap_or_else(|| panic!("{name} in {list}"))
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("vpn").join(format!("{name}.conf"))
    }

    /// No key was told, and none is in the journal.
    #[track_caller]
    fn no_key_was_told(&mut self) {
        let mut journal = String::new();
        read_all(&Path::new(&self.inventory).with_file_name(".mosip-prov"), &mut journal);
        assert!(journal.contains("wireguard peers add"), "the journal knows of it");
        self.told += &journal;
        self.keys.sort();
        self.keys.dedup();
        assert!(self.keys.len() > 4, "{} keys", self.keys.len());
        for key in &self.keys {
            assert_eq!(key.len(), 44);
            assert!(!self.told.contains(key.as_str()), "a key was told");
        }
    }
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, text);
        } else {
            *text += &String::from_utf8_lossy(&fs::read(&path).expect("a file"));
        }
    }
}

#[test]
#[ignore = "needs the testbed"]
fn a_peer_is_added_handed_out_and_revoked_and_the_others_notice_nothing() {
    let testbed = Testbed::of(&[HOST, "vm1"]);
    let mut operator = Operator::new(&testbed);
    operator.run(&["run", "wireguard", "-e", r#"{"wireguard_peers": ["peer1"]}"#]);
    // Whatever an earlier test left.
    operator.run(&["wireguard", "peers", "add", "peer1", "alice"]);
    operator.run(&["wireguard", "peers", "revoke", "alice"]);
    testbed.root(
        HOST,
        "rm -rf /etc/wireguard/revoked/alice; systemctl restart wg-quick@wg0",
    );
    let network = InternalNetwork::new(&testbed, HOST, "vm1");
    let vpn = operator.folder.path().join("vpn");
    let vpn = vpn.to_str().expect("UTF-8").to_owned();
    let began = testbed.root(HOST, "systemctl show -P ActiveEnterTimestampMonotonic wg-quick@wg0");

    operator.run(&["wireguard", "peers", "peer1", "--out", &vpn]);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(Path::new(&vpn)), mode(&operator.file("peer1"))), (0o700, 0o600));
    let text = |operator: &Operator<'_>, name: &str| fs::read_to_string(operator.file(name)).expect("fetched");
    let others = {
        let client = Client::new(&testbed, &text(&operator, "peer1"));
        assert!(
            client.reaches(network.address()),
            "peer1 does not reach {}",
            network.address()
        );
        let others = operator.peer("peer1");
        assert_eq!(others["state"], "connected");

        // Looking first changes nothing.
        let check = operator.change(&["wireguard", "peers", "add", "alice", "--check"]);
        assert_eq!(check.count(HOST, "changed"), 1);
        assert_eq!(testbed.stat(HOST, "/etc/wireguard/peers/alice"), "absent");
        let added = operator.change(&["wireguard", "peers", "add", "alice"]);
        assert_eq!(added.count(HOST, "changed"), 1);
        assert!(client.reaches(network.address()), "peer1 lost its way");
        others
    };
    let untouched = |peer: &Value| {
        assert_eq!(peer["last_handshake"], others["last_handshake"], "of peer1");
        assert!(
            peer["received_bytes"].as_u64() >= others["received_bytes"].as_u64(),
            "of peer1"
        );
    };
    untouched(&operator.peer("peer1"));
    operator.change(&["wireguard", "peers", "add", "alice"]).unchanged();
    assert_eq!(
        testbed.stat(HOST, "/etc/wireguard/peers/alice/alice.conf"),
        "600 root:root regular file"
    );

    operator.run(&["wireguard", "peers", "alice", "--out", &vpn]);
    let client = Client::new(&testbed, &text(&operator, "alice"));
    assert!(!client.without_tunnel_reaches(network.address()));
    assert!(
        client.reaches(network.address()),
        "alice does not reach {}",
        network.address()
    );
    assert_eq!(operator.peer("alice")["state"], "connected");

    let gone = operator.change(&["wireguard", "peers", "revoke", "alice"]);
    assert_eq!(gone.count(HOST, "changed"), 1);
    assert!(
        !client.reaches(network.address()),
        "a revoked peer reaches {}",
        network.address()
    );
    drop(client);
    assert_eq!(testbed.stat(HOST, "/etc/wireguard/peers/alice"), "absent");
    assert_eq!(operator.peer("alice")["state"], "revoked");
    operator.change(&["wireguard", "peers", "revoke", "alice"]).unchanged();
    untouched(&operator.peer("peer1"));
    assert_eq!(
        testbed.root(HOST, "systemctl show -P ActiveEnterTimestampMonotonic wg-quick@wg0"),
        began,
        "the tunnel was restarted"
    );
    // A list costs one exchange, and says all of that in a table too.
    let table = operator.run(&["wireguard", "peers"]);
    table.says(&["the tunnel runs, on UDP port 51820", "peer1", "revoked"]);
    let nobody = operator.words(&["wireguard", "peers", "revoke", "mallory"]);
    let nobody = operator.program.run(&nobody).expect(2);
    nobody.says(&["there is no peer mallory"]);
    operator.no_key_was_told();
}
