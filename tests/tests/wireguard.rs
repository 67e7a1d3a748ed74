//! The VPN on a real host, with both backends, and a real client: what a peer file is good for.

use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::testbed::Testbed;
use mosip_prov_tests::vpn::{Client, InternalNetwork};
use std::path::Path;

const HOST: &str = "wireguard-node";
const CONFIG: &str = "/home/ubuntu/wireguard/config";

fn words<'a>(inventory: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "wireguard", "-i", inventory], more].concat()
}

fn inventory(testbed: &Testbed) -> String {
    let path = testbed.inventory_folder().join("hosts.ini");
    path.to_str().expect("UTF-8").to_owned()
}

/// Nothing of what was printed, or told in events, is a private or preshared key of the host.
#[track_caller]
fn keeps_keys(testbed: &Testbed, ran: &Ran, folder: &str) {
    let keys = testbed.root(
        HOST,
        &format!(
            "grep -rhiE \"^ *(private|preshared)key\" {folder} | sed \"s/^[^=]*= *//\"; cat {folder}/*/privatekey-* 2>/dev/null; true"
        ),
    );
    let keys: Vec<&str> = keys.lines().filter(|key| key.len() > 40).collect();
    assert!(keys.len() > 2, "{} keys are on the host", keys.len());
    let mut told = format!("{}{}", ran.stdout, ran.stderr);
    for event in &ran.events {
        told.push_str(&event.to_string());
    }
    for key in keys {
        assert!(!told.contains(key), "a key was told by {:?}", ran.words);
    }
}

/// When Docker, the container and its unit began.
fn starts(testbed: &Testbed) -> String {
    testbed.root(
        HOST,
        "systemctl show -P ActiveEnterTimestampMonotonic docker wireguard-container; docker inspect --format \"{{.Id}} {{.State.StartedAt}}\" wireguard",
    )
}

#[track_caller]
fn lines(text: &str, wanted: &[&str], unwanted: &str) {
    for line in wanted {
        assert_eq!(text.lines().filter(|l| l == line).count(), 1, "{line} in\n{text}");
    }
    assert!(!text.contains(unwanted), "{unwanted} in\n{text}");
}

fn peer_file(testbed: &Testbed, path: &str) -> String {
    testbed.root(HOST, &format!("cat {path}"))
}

#[test]
#[ignore = "needs the testbed"]
fn the_docker_backend_serves_a_client_and_is_then_left_alone() {
    let testbed = Testbed::of(&[HOST, "vm1"]);
    testbed.reset(&[HOST]);
    let inventory = inventory(&testbed);
    let program = Program::new();
    let plan = [&["plan"], &words(&inventory, &["--exit-code"])[1..]].concat();
    program.run(&plan).expect(3);
    assert_eq!(testbed.stat(HOST, "/etc/docker"), "absent");

    let first = program.run(&words(&inventory, &[])).expect(0);
    eprintln!("a fresh host took {:.1} s", first.took.as_secs_f64());
    keeps_keys(&testbed, &first, CONFIG);
    let ask = |script: &str| testbed.root(HOST, script);
    assert_eq!(ask("systemctl is-active docker wireguard-container"), "active\nactive");
    assert_eq!(
        ask("systemctl is-enabled docker wireguard-container"),
        "enabled\nenabled"
    );
    assert!(ask("id -nG ubuntu").split(' ').any(|group| group == "docker"));
    let daemon: serde_json::Value = serde_json::from_str(&ask("cat /etc/docker/daemon.json")).expect("JSON");
    assert_eq!(
        (&daemon["mtu"], &daemon["log-opts"]["max-size"]),
        (&1330.into(), &"50m".into())
    );
    assert_eq!(
        ask("docker network inspect bridge --format \"{{index .Options \\\"com.docker.network.driver.mtu\\\"}}\""),
        "1330"
    );
    assert_eq!(
        ask("systemctl show -P Requires wireguard-container | tr \" \" \"\\n\" | grep -c docker.service"),
        "1"
    );
    assert_eq!(
        ask("docker inspect --format \"{{.HostConfig.RestartPolicy.Name}}\" wireguard"),
        "unless-stopped"
    );
    for peer in 1..=5 {
        let text = peer_file(&testbed, &format!("{CONFIG}/peer{peer}/peer{peer}.conf"));
        lines(
            &text,
            &[
                "MTU = 1330",
                "AllowedIPs = 172.16.50.0/24",
                "Endpoint = 10.61.0.41:51820",
            ],
            "DNS",
        );
        let (interface, peer) = text.split_once("[Peer]").expect("two sections");
        assert!(
            interface.contains("MTU = ") && peer.contains("Endpoint = "),
            "the sections are mixed up"
        );
    }
    let picture = format!("{CONFIG}/peer1/peer1.conf");
    assert_eq!(testbed.stat(HOST, &picture), "600 ubuntu:ubuntu regular file");

    let network = InternalNetwork::new(&testbed, HOST, "vm1");
    {
        let client = Client::new(&testbed, &peer_file(&testbed, &picture));
        assert!(!client.without_tunnel_reaches(network.address()));
        assert!(
            client.reaches(network.address()),
            "peer1 does not reach {}",
            network.address()
        );
    }

    let began = starts(&testbed);
    let second = program.run(&words(&inventory, &[])).expect(0).unchanged();
    eprintln!("and again {:.2} s", second.took.as_secs_f64());
    assert!(second.exchanges(HOST) <= 2, "{} exchanges", second.exchanges(HOST));
    assert_eq!(starts(&testbed), began);

    // A file that somebody changed is put right, and nothing else happens.
    ask(&format!(
        "sed -i \"/^MTU/d; s/^AllowedIPs.*/AllowedIPs = 0.0.0.0\\/0/; s/^\\[Peer\\]/DNS = 10.13.13.1\\n&/\" {CONFIG}/peer2/peer2.conf"
    ));
    let mended = program.run(&words(&inventory, &["--tags", "config"])).expect(0);
    assert_eq!(mended.count(HOST, "changed"), 1);
    keeps_keys(&testbed, &mended, CONFIG);
    lines(
        &peer_file(&testbed, &format!("{CONFIG}/peer2/peer2.conf")),
        &["MTU = 1330", "AllowedIPs = 172.16.50.0/24"],
        "DNS",
    );
    assert_eq!(starts(&testbed), began);
}

#[test]
#[ignore = "needs the testbed"]
fn each_setting_of_the_docker_backend_has_its_effect() {
    let testbed = Testbed::of(&[HOST, "vm1"]);
    let inventory = inventory(&testbed);
    let program = Program::new();
    program
        .run(&words(&inventory, &["-e", "wireguard_backend=docker"]))
        .expect(0);
    let ask = |script: &str| testbed.root(HOST, script);
    let key = ask(&format!("cat {CONFIG}/peer1/publickey-peer1"));

    // Files alone, and Docker's MTU: the container stays the one it is.
    let id = ask("docker inspect --format \"{{.Id}}\" wireguard");
    let change = r#"{"wireguard_network": "10.7.0.0/16, 10.8.0.0/16", "wireguard_mtu": 1280, "wireguard_endpoint": "vpn.mosip.test"}"#;
    program.run(&words(&inventory, &["-e", change])).expect(0);
    lines(
        &peer_file(&testbed, &format!("{CONFIG}/peer5/peer5.conf")),
        &[
            "MTU = 1280",
            "AllowedIPs = 10.7.0.0/16, 10.8.0.0/16",
            "Endpoint = vpn.mosip.test:51820",
        ],
        "1330",
    );
    assert!(ask("cat /etc/docker/daemon.json").contains("\"mtu\": 1280"));
    assert_eq!(ask("docker inspect --format \"{{.Id}}\" wireguard"), id);

    // The container. Peers that were there keep their keys.
    let change = r#"{"wireguard_port": 51999, "wireguard_peers": [1, "anna"], "timezone": "Etc/UTC", "puid": 1001, "pgid": 1002,
        "wireguard_container_name": "vpn", "docker_user": "nosudo", "wireguard_internal_subnet": "10.99.0.0/24"}"#;
    let changed = program.run(&words(&inventory, &["-e", change])).expect(0);
    keeps_keys(&testbed, &changed, CONFIG);
    lines(
        &peer_file(&testbed, &format!("{CONFIG}/peer_anna/peer_anna.conf")),
        &["Endpoint = 10.61.0.41:51999", "MTU = 1330"],
        "DNS",
    );
    assert_eq!(ask(&format!("cat {CONFIG}/peer1/publickey-peer1")), key);
    assert_eq!(ask("docker ps -a --format \"{{.Names}} {{.State}}\""), "vpn running");
    let env = ask("docker inspect --format \"{{.Config.Env}}\" vpn");
    for part in [
        "PEERS=1,anna",
        "TZ=Etc/UTC",
        "PUID=1001",
        "PGID=1002",
        "INTERNAL_SUBNET=10.99.0.0",
    ] {
        assert!(env.contains(part), "{part} in {env}");
    }
    assert_eq!(ask("docker port vpn | head -n 1"), "51820/udp -> 0.0.0.0:51999");
    assert_eq!(ask(&format!("stat -c %u:%g {CONFIG}/peer1/peer1.conf")), "1001:1002");
    assert!(ask("id -nG nosudo").contains("docker"));
    assert!(ask("docker exec vpn wg show wg0 peers | wc -l").contains('2'));

    // Without a registry: the image comes from a file, into another folder, with more of Docker's settings.
    let image = ask("docker inspect --format \"{{.Config.Image}}\" vpn");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("wireguard.tar");
    let saved = testbed
        .ssh("ubuntu", HOST)
        .arg(format!("sudo docker tag {image} offline/wireguard:1 && sudo docker save offline/wireguard:1 && sudo docker rmi offline/wireguard:1 >/dev/null"))
        .output()
        .expect("ssh");
    assert!(saved.status.success());
    std::fs::write(&archive, saved.stdout).expect("written");
    let change = format!(
        r#"{{"wireguard_image": "offline/wireguard:1", "wireguard_image_archive": "{}", "wireguard_config_dir": "/srv/vpn",
        "wireguard_docker_daemon_config": {{"max-concurrent-downloads": 7}}}}"#,
        archive.display()
    );
    program.run(&words(&inventory, &["-e", &change])).expect(0);
    assert_eq!(
        ask("docker inspect --format \"{{.Config.Image}}\" wireguard"),
        "offline/wireguard:1"
    );
    assert_eq!(
        ask("ls -d /srv/vpn/peer*"),
        (1..=5)
            .map(|n| format!("/srv/vpn/peer{n}"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    let daemon = ask("cat /etc/docker/daemon.json");
    assert!(
        daemon.contains("\"max-concurrent-downloads\": 7") && daemon.contains("insecure-registries"),
        "{daemon}"
    );
    program.run(&words(&inventory, &["-e", &change])).expect(0).unchanged();

    // The newest is asked for, and there.
    program.run(&words(&inventory, &[])).expect(0);
    program
        .run(&words(&inventory, &["-e", "wireguard_image_newest=true"]))
        .expect(0)
        .unchanged();
    assert_eq!(ask(&format!("cat {CONFIG}/peer1/publickey-peer1")), key);
}

#[test]
#[ignore = "needs the testbed"]
fn an_image_that_does_not_work_leaves_the_one_that_did() {
    let testbed = Testbed::of(&[HOST, "vm1"]);
    let inventory = inventory(&testbed);
    let program = Program::new();
    program.run(&words(&inventory, &[])).expect(0);
    let ran = program
        .run(&words(
            &inventory,
            &["-e", "wireguard_image=10.61.0.1:5000/no-such-image"],
        ))
        .expect(2);
    assert!(ran.failure().contains("no-such-image"), "{}", ran.failure());
    assert_eq!(testbed.root(HOST, "docker ps --format \"{{.Names}}\""), "wireguard");
    // A port that is taken.
    testbed.root(HOST, "systemd-run -q --unit taken python3 -c \"import socket, time; s = socket.socket(type=socket.SOCK_DGRAM); s.bind((\\\"0.0.0.0\\\", 51777)); time.sleep(60)\"");
    let ran = program
        .run(&words(&inventory, &["-e", "wireguard_port=51777"]))
        .expect(2);
    testbed.root(HOST, "systemctl stop taken");
    assert!(ran.failure().contains("runs again"), "{}", ran.failure());
    assert_eq!(
        testbed.root(HOST, "docker port wireguard | head -n 1"),
        "51820/udp -> 0.0.0.0:51820"
    );
    program.run(&words(&inventory, &[])).expect(0).unchanged();
}

#[test]
#[ignore = "needs the testbed"]
fn the_native_backend_takes_over_and_peers_come_and_go_without_a_restart() {
    let testbed = Testbed::of(&[HOST, "vm1"]);
    let inventory = inventory(&testbed);
    let program = Program::new();
    let native = |more: &[&str]| {
        let words = words(&inventory, &[&["-e", "wireguard_backend=native"], more].concat());
        program.run(&words)
    };
    testbed.root(
        HOST,
        "systemctl disable -q --now wg-quick@wg0 2>/dev/null; rm -rf /etc/wireguard",
    );
    program.run(&words(&inventory, &[])).expect(0);
    let first = native(&[]).expect(0);
    eprintln!("the native backend took {:.1} s", first.took.as_secs_f64());
    keeps_keys(&testbed, &first, "/etc/wireguard");
    let ask = |script: &str| testbed.root(HOST, script);
    assert_eq!(
        ask("systemctl is-active wg-quick@wg0 mosip-wireguard-firewall"),
        "active\nactive"
    );
    assert_eq!(ask("systemctl is-active wireguard-container || :"), "inactive");
    assert_eq!(ask("cat /proc/sys/net/ipv4/ip_forward"), "1");
    assert_eq!(
        testbed.stat(HOST, "/etc/wireguard/wg0.conf"),
        "600 root:root regular file"
    );
    let file = |name: &str| format!("/etc/wireguard/peers/{name}/{name}.conf");
    assert_eq!(testbed.stat(HOST, &file("peer1")), "600 root:root regular file");
    lines(
        &peer_file(&testbed, &file("peer1")),
        &[
            "MTU = 1330",
            "AllowedIPs = 172.16.50.0/24",
            "Endpoint = 10.61.0.41:51820",
        ],
        "DNS",
    );
    let began = ask("systemctl show -P ActiveEnterTimestampMonotonic wg-quick@wg0");
    let second = native(&[]).expect(0).unchanged();
    assert!(second.exchanges(HOST) <= 2, "{} exchanges", second.exchanges(HOST));

    let network = InternalNetwork::new(&testbed, HOST, "vm1");
    let client = Client::new(&testbed, &peer_file(&testbed, &file("peer1")));
    assert!(!client.without_tunnel_reaches(network.address()));
    assert!(
        client.reaches(network.address()),
        "peer1 does not reach {}",
        network.address()
    );

    // One more, while the client is connected.
    native(&["-e", r#"{"wireguard_peers": ["peer1", "anna"]}"#]).expect(0);
    assert!(client.reaches(network.address()));
    assert_eq!(
        ask("systemctl show -P ActiveEnterTimestampMonotonic wg-quick@wg0"),
        began
    );
    assert_eq!(ask("wg show wg0 peers | wc -l"), "6");

    // Port and MTU are the tunnel's own: it starts again.
    native(&[
        "-e",
        r#"{"wireguard_port": 51822, "wireguard_mtu": 1300, "wireguard_peers": ["peer1"]}"#,
    ])
    .expect(0);
    assert_eq!(
        ask("wg show wg0 listen-port; ip -o link show wg0 | grep -o \"mtu [0-9]*\""),
        "51822\nmtu 1300"
    );
    assert!(peer_file(&testbed, &file("anna")).contains("Endpoint = 10.61.0.41:51822"));
    native(&[]).expect(0);

    // After a reboot all is as it was. A client that knew the tunnel before takes 15 s to notice: here is a new one.
    drop((network, client));
    testbed.xtask(&["restart", HOST]);
    let network = InternalNetwork::new(&testbed, HOST, "vm1");
    let client = Client::new(&testbed, &peer_file(&testbed, &file("peer1")));
    assert!(client.reaches(network.address()), "not after a reboot");
    native(&[]).expect(0).unchanged();

    revoked(&testbed, &program, Path::new(&inventory));
    assert!(
        !client.reaches(network.address()),
        "a revoked peer reaches {}",
        network.address()
    );
    let other = {
        drop(client);
        Client::new(&testbed, &peer_file(&testbed, &file("peer2")))
    };
    assert!(
        other.reaches(network.address()),
        "peer2 does not reach {}",
        network.address()
    );
    // Declared as it is, it does not come back.
    native(&[]).expect(0).unchanged();
    assert_eq!(testbed.stat(HOST, &file("peer1")), "absent");
}

fn revoked(testbed: &Testbed, program: &Program, inventory: &Path) {
    let inventory = inventory.to_str().expect("UTF-8");
    let ran = program.run(&[
        "wireguard",
        "peers",
        "revoke",
        "peer1",
        "-i",
        inventory,
        "-e",
        "wireguard_backend=native",
    ]);
    ran.expect(0);
    assert_eq!(
        testbed.stat(HOST, "/etc/wireguard/revoked/peer1"),
        "600 root:root regular file"
    );
}
