//! Ports that a machine is to serve, and who has them.

use crate::fleet::Duty;
use mosip_prov_events::Finding;
use mosip_prov_resources::probe::command::AskCommand;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A TCP port, and the programs that may have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// The port.
    pub number: u16,
    /// What it is for.
    pub purpose: &'static str,
    /// Names of programs, as the kernel shows them.
    pub holders: &'static [&'static str],
    /// It belongs to a cluster: where one is there already, nothing is said of it.
    pub of_cluster: bool,
}

const fn front(number: u16, purpose: &'static str) -> Port {
    Port {
        number,
        purpose,
        holders: &["nginx"],
        of_cluster: false,
    }
}

const fn cluster(number: u16, purpose: &'static str, holders: &'static [&'static str]) -> Port {
    Port {
        number,
        purpose,
        holders,
        of_cluster: true,
    }
}

const MAIN_FRONT: [Port; 4] = [
    front(443, "HTTPS"),
    front(9000, "object storage"),
    front(5432, "the database"),
    front(61616, "the message broker"),
];
const OBS_FRONT: [Port; 2] = [front(80, "HTTP"), front(443, "HTTPS")];
const EVERY_NODE: [Port; 1] = [cluster(10250, "the kubelet", &["kubelet", "rke2", "hyperkube"])];
const CONTROL: [Port; 1] = [cluster(
    6443,
    "the Kubernetes API",
    &["kube-apiserver", "rke2", "hyperkube"],
)];
const ETCD: [Port; 2] = [cluster(2379, "etcd", &["etcd"]), cluster(2380, "etcd", &["etcd"])];

/// The ports of a machine with these duties.
pub fn ports_for(duties: &BTreeSet<Duty>) -> Vec<Port> {
    let has = |duty: Duty| duties.contains(&duty);
    let mut ports: Vec<Port> = Vec::new();
    for (is_here, more) in [
        (has(Duty::Front), &MAIN_FRONT[..]),
        (has(Duty::ObservationFront), &OBS_FRONT),
        (has(Duty::Node) || has(Duty::Observation), &EVERY_NODE),
        (has(Duty::Control) || has(Duty::Observation), &CONTROL),
        (has(Duty::Etcd) || has(Duty::Observation), &ETCD),
    ] {
        let new = more.iter().filter(|port| is_here && !ports.contains(port)).copied();
        ports = ports.iter().copied().chain(new).collect();
    }
    ports
}

/// What is left of a cluster that was built on the machine.
pub const CLUSTER_FOLDERS: [&str; 2] = ["/etc/kubernetes", "/var/lib/rancher"];

/// Lists who listens.
pub const LISTENERS: &str = "ss -Hltnp";

/// The question.
pub fn ask_listeners() -> AskCommand {
    AskCommand(LISTENERS.into())
}

/// A line of `ss -Hltnp`.
struct Listener<'a> {
    /// `None` for all addresses.
    address: Option<IpAddr>,
    port: u16,
    programs: Vec<&'a str>,
}

fn listener(line: &str) -> Option<Listener<'_>> {
    let (address, port) = line.split_whitespace().nth(3)?.rsplit_once(':')?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    // An interface may stand behind it: 127.0.0.53%lo.
    let address = address.split('%').next()?.parse::<IpAddr>().ok();
    // users:(("nginx",pid=7,fd=6),("nginx",pid=8,fd=6))
    let programs = line.split("(\"").skip(1).filter_map(|part| part.split('"').next());
    Some(Listener {
        address: address.filter(|address| !address.is_unspecified()),
        port: port.parse().ok()?,
        programs: programs.collect(),
    })
}

impl Listener<'_> {
    fn is_in_the_way_of(&self, port: &Port, own: Option<IpAddr>) -> bool {
        let matters = match self.address {
            None => true,
            Some(address) if port.of_cluster => !address.is_loopback(),
            Some(address) => Some(address) == own,
        };
        matters && self.port == port.number && !self.programs.iter().any(|name| port.holders.contains(name))
    }
}

/// Those of `ports` that another program listens on, on an address that matters, each with who has it where that is told.
/// For a front, all addresses at once matter, and its `own` one; for a cluster all but loopback, unless there `is_cluster`
/// already. `listeners` is what [`LISTENERS`] printed.
fn strangers<'a>(
    ports: &[Port],
    listeners: &'a str,
    own: Option<IpAddr>,
    is_cluster: bool,
) -> Vec<(Port, Option<&'a str>)> {
    let stranger = |port: &Port| {
        listeners
            .lines()
            .filter_map(listener)
            .filter(|listener| listener.is_in_the_way_of(port, own))
            .map(|listener| (*port, listener.programs.first().copied()))
            // One that is named says more.
            .max_by_key(|(_, who)| who.is_some())
    };
    let ports = ports.iter().filter(|port| !(is_cluster && port.of_cluster));
    ports.filter_map(stranger).collect()
}

/// The same in words.
pub fn taken(ports: &[Port], listeners: &str, own: Option<IpAddr>, is_cluster: bool) -> Vec<String> {
    let strangers = strangers(ports, listeners, own, is_cluster);
    strangers.iter().map(|(port, who)| in_words(port, *who)).collect()
}

fn in_words(port: &Port, who: Option<&str>) -> String {
    let who = who.unwrap_or("a program that is not named");
    format!("{} ({}) is taken by {who}", port.number, port.purpose)
}

/// What to do about a port that is taken.
pub const REMEDY: &str = "stop that service on the machine, or give the machine another task";

/// Who listens on a machine, as it was told.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// What [`LISTENERS`] printed; `None` where that failed.
    pub listeners: Option<&'a str>,
    /// It was asked as root, who is told the programs of all users; others are told their own alone.
    pub as_root: bool,
}

/// The same as a finding about `machine`.
pub fn check(machine: &str, ports: &[Port], told: Told<'_>, own: Option<IpAddr>, is_cluster: bool) -> Finding {
    const AREA: &str = "hosts";
    let Some(listeners) = told.listeners else {
        return Finding::warning(
            AREA,
            "ports",
            machine,
            "the machine has no `ss` that tells who listens",
            "install iproute2 there",
        );
    };
    let strangers = strangers(ports, listeners, own, is_cluster);
    let wrong: Vec<String> = strangers
        .iter()
        .filter(|(_, who)| who.is_some() || told.as_root)
        .map(|(port, who)| in_words(port, *who))
        .collect();
    if !wrong.is_empty() {
        let message = format!("port {}", wrong.join(", port "));
        return Finding::failure(AREA, "ports", machine, message, REMEDY);
    }
    let list = |ports: &mut dyn Iterator<Item = &Port>| -> String {
        let numbers: Vec<String> = ports.map(|port| port.number.to_string()).collect();
        numbers.join(", ")
    };
    if !strangers.is_empty() {
        return Finding::warning(
            AREA,
            "ports",
            machine,
            format!(
                "{} is in use, by a program that only root is told of, and it was not asked as root",
                list(&mut strangers.iter().map(|(port, _)| port))
            ),
            format!("see with `sudo {LISTENERS}` that it is what a deployment put there; if not, {REMEDY}"),
        );
    }
    let message = format!("no other service has {}", list(&mut ports.iter()));
    Finding::ok(AREA, "ports", machine, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_events::Level;

    const NGINX: &str = "LISTEN 0 511 10.0.0.30:443 0.0.0.0:* users:((\"nginx\",pid=7,fd=6),(\"nginx\",pid=8,fd=6))\n";

    fn root(listeners: &str) -> Told<'_> {
        Told {
            listeners: Some(listeners),
            as_root: true,
        }
    }

    fn own() -> Option<IpAddr> {
        "10.0.0.30".parse().ok()
    }

    #[test]
    fn a_port_that_another_program_has_is_named_with_it() {
        let front = ports_for(&BTreeSet::from([Duty::Front]));
        let found = check("nginx-node-1", &front, root(NGINX), own(), false);
        assert_eq!(
            (found.level, found.message.as_str()),
            (Level::Ok, "no other service has 443, 9000, 5432, 61616")
        );
        let busy = format!(
            "{NGINX}LISTEN 0 244 127.0.0.1:5432 0.0.0.0:* users:((\"postgres\",pid=9,fd=5))\n\
             LISTEN 0 50 *:61616 *:* users:((\"java\",pid=3,fd=1))\n\
             LISTEN 0 50 [::]:9000 [::]:*\n\
             LISTEN 0 50 127.0.0.53%lo:443 0.0.0.0:* users:((\"systemd-resolve\",pid=3,fd=1))\n\
             LISTEN 0 50 192.0.2.1:443 0.0.0.0:* users:((\"other\",pid=3,fd=1))\n"
        );
        let found = check("nginx-node-1", &front, root(&busy), own(), false);
        assert_eq!(found.level, Level::Failure);
        assert_eq!(
            found.message,
            "port 9000 (object storage) is taken by a program that is not named, port 61616 (the message broker) is taken \
             by java"
        );
        let none = Told {
            listeners: None,
            as_root: true,
        };
        assert_eq!(check("n", &front, none, own(), false).level, Level::Warning);
    }

    #[test]
    fn what_a_login_user_is_not_told_is_no_stranger() {
        let front = ports_for(&BTreeSet::from([Duty::Front]));
        let as_login = |listeners| Told {
            listeners: Some(listeners),
            as_root: false,
        };
        // Our own nginx, as anyone but root is told of it.
        let hidden = "LISTEN 0 511 10.0.0.30:443 0.0.0.0:*\nLISTEN 0 511 10.0.0.30:5432 0.0.0.0:*\n";
        let found = check("nginx-node-1", &front, as_login(hidden), own(), false);
        assert_eq!(found.level, Level::Warning);
        assert!(found.message.starts_with("443, 5432 is in use"), "{found:?}");
        assert!(found.message.contains("not asked as root"), "{found:?}");
        assert_eq!(
            check("nginx-node-1", &front, root(hidden), own(), false).level,
            Level::Failure
        );
        // One that is named is one, whoever asks.
        let named = format!("{hidden}LISTEN 0 50 *:443 *:* users:((\"java\",pid=3,fd=1))\n");
        let found = check("nginx-node-1", &front, as_login(&named), own(), false);
        assert_eq!(
            (found.level, found.message.as_str()),
            (Level::Failure, "port 443 (HTTPS) is taken by java")
        );
        assert_eq!(check("n", &front, as_login(""), own(), false).level, Level::Ok);
    }

    #[test]
    fn ports_of_a_cluster_matter_only_where_none_is_yet() {
        let node = ports_for(&BTreeSet::from([Duty::Node, Duty::Control]));
        let own_api = "LISTEN 0 50 *:6443 *:* users:((\"kube-apiserver\",pid=3,fd=1))";
        assert!(taken(&node, own_api, own(), false).is_empty());
        let other = "LISTEN 0 50 *:6443 *:* users:((\"haproxy\",pid=3,fd=1))";
        assert_eq!(
            taken(&node, other, own(), false),
            ["6443 (the Kubernetes API) is taken by haproxy"]
        );
        assert!(taken(&node, other, own(), true).is_empty());
    }
}
