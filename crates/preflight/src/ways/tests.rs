//! Which ways are needed, how they are tried, and what follows.

use super::*;
use crate::fleet::{Mtus, Ports};
use mosip_prov_events::Level;
use std::process::Command;

fn machine(name: &str, last: u8, duties: &[Duty]) -> Machine {
    Machine {
        name: name.into(),
        also: Vec::new(),
        address: format!("10.0.0.{last}"),
        inner_address: format!("10.0.0.{last}"),
        ssh_port: 22,
        duties: duties.iter().copied().collect(),
    }
}

fn fleet(plugin: &str, rke2: bool) -> Fleet {
    use Duty::{Control, Deployment, Etcd, Front, Node, Worker};
    let mut deployment = machine("localhost", 9, &[Deployment]);
    deployment.inner_address.clear();
    Fleet {
        machines: vec![
            machine("vm1", 1, &[Node, Control, Etcd]),
            machine("vm2", 2, &[Node, Worker]),
            machine("nginx-node-1", 3, &[Front]),
            deployment,
        ],
        main: Some(Cluster {
            plugin: plugin.into(),
            rke2,
        }),
        observation: None,
        ranges: Vec::new(),
        ports: Ports {
            workers: vec![30080, 31080],
            observation: vec![30080],
            vpn: 51820,
        },
        mtus: Mtus { pods: 1400, vpn: None },
    }
}

fn has(ways: &[Way], from: &str, to: &str, port: u16) -> bool {
    ways.iter()
        .any(|way| (way.from.as_str(), way.to.as_str(), way.port) == (from, to, port))
}

#[test]
fn the_ways_follow_from_the_groups() {
    let ways = needed(&fleet("canal", false));
    for (from, to, port) in [
        ("localhost", "vm1", 22),
        ("localhost", "nginx-node-1", 22),
        ("localhost", "vm1", 6443),
        ("vm2", "vm1", 6443),
        ("vm1", "vm2", 10250),
        ("vm1", "vm2", 8472),
        ("vm2", "vm1", 8472),
        ("vm2", "nginx-node-1", 443),
        ("nginx-node-1", "vm2", 30080),
        ("nginx-node-1", "vm2", 31080),
    ] {
        assert!(has(&ways, from, to, port), "{from} {to} {port}");
    }
    for (from, to, port) in [
        ("vm1", "vm1", 6443),
        ("vm1", "localhost", 22),
        ("nginx-node-1", "vm1", 30080),
        ("localhost", "vm2", 6443),
        ("vm2", "vm1", 9345),
    ] {
        assert!(!has(&ways, from, to, port), "{from} {to} {port}");
    }
    assert!(has(&needed(&fleet("canal", true)), "vm2", "vm1", 9345));
    assert!(has(&needed(&fleet("calico", false)), "vm2", "vm1", 179));
    assert!(ask(&ways, "nobody").is_none());
}

#[test]
fn a_machine_tries_all_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("an address").port();
    let way = |protocol, port| Way {
        from: "a".into(),
        to: "b".into(),
        address: "127.0.0.1".into(),
        protocol,
        port,
        purpose: "it",
    };
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("binds");
    let silent = silent
        .local_addr()
        .map(|address| (address.port(), silent))
        .expect("an address");
    let ways = [
        way(Protocol::Tcp, port),
        way(Protocol::Tcp, 1),
        way(Protocol::Udp, 1),
        way(Protocol::Udp, silent.0),
    ];
    let script = ask(&ways, "a").expect("a question").0;
    let done = Command::new("sh")
        .args(["-c", &script])
        .env("LC_ALL", "C")
        .output()
        .expect("sh");
    let output = String::from_utf8(done.stdout).expect("text");
    let came: Vec<Came> = read(&ways, "a", &output).into_iter().map(|(_, came)| came).collect();
    assert_eq!(
        came,
        [Came::Open, Came::Refused, Came::Refused, Came::Silence],
        "{output}"
    );
    assert_eq!(read(&ways, "a", NO_TOOL)[0].1, Came::NotTried);
}

fn way(from: &str, to: &str, protocol: Protocol, port: u16) -> Way {
    Way {
        from: from.into(),
        to: to.into(),
        address: to.into(),
        protocol,
        port,
        purpose: "etcd",
    }
}

#[test]
fn what_is_blocked_is_one_finding_for_each_port() {
    let ways = [
        way("vm1", "vm2", Protocol::Tcp, 2379),
        way("vm3", "vm2", Protocol::Tcp, 2379),
        way("vm3", "vm1", Protocol::Tcp, 2379),
        way("vm1", "vm9", Protocol::Tcp, 2379),
    ];
    let came = [
        (&ways[0], Came::Silence),
        (&ways[1], Came::Silence),
        (&ways[2], Came::Refused),
        // A machine that is down is said to be elsewhere.
        (&ways[3], Came::Silence),
    ];
    let found = check(&came, &["vm1", "vm2", "vm3"], |_, _| false);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(
        (found[0].level, found[0].subject.as_str()),
        (Level::Failure, "vm2:2379/tcp")
    );
    assert!(
        found[0]
            .message
            .starts_with("etcd cannot be reached from vm1, vm3: no answer")
    );
    assert_eq!(
        (found[1].level, found[1].message.as_str()),
        (Level::Ok, "1 ways that are needed are open")
    );
    let came = [(&ways[0], Came::NoWay("No route to host".into()))];
    assert!(
        check(&came, &["vm2"], |_, _| false)[0]
            .message
            .ends_with("No route to host")
    );
    let came = [(&ways[0], Came::NotTried)];
    let found = check(&came, &["vm2"], |_, _| false);
    assert_eq!((found.len(), found[0].level), (1, Level::Warning));
}

#[test]
fn silence_of_udp_counts_only_where_answers_come() {
    let ways = [
        way("vm1", "vm2", Protocol::Udp, 8472),
        way("vm1", "vm2", Protocol::Udp, UNUSED),
    ];
    let level = |overlay: Came, unused: Came, listens: bool| {
        let came = [(&ways[0], overlay), (&ways[1], unused)];
        let found = check(&came, &["vm2"], |_, _| listens);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].level
    };
    assert_eq!(level(Came::Refused, Came::Refused, false), Level::Ok);
    assert_eq!(level(Came::Silence, Came::Refused, false), Level::Failure);
    assert_eq!(level(Came::Silence, Came::Silence, false), Level::Warning);
    assert_eq!(level(Came::Silence, Came::Refused, true), Level::Ok);
}
