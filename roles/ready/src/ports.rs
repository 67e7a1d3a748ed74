//! Ports that a machine is to serve, and who has them.

use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::{Answers, Ask, AskFacts, DecideError, Decision, Question, Resource, RoleContext};
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

/// The ports of this host, by its groups and by what stands on it.
pub(crate) fn of_host(cx: &RoleContext<'_>) -> Vec<Port> {
    let carries = |group: &str| {
        cx.hosts_of(group).into_iter().any(|node| {
            node == cx.host
                || cx
                    .vars_of(node)
                    .and_then(|vars| vars.string("physical_vm").ok().flatten())
                    .is_some_and(|vm| vm.trim() == cx.host)
        })
    };
    let mut ports: Vec<Port> = Vec::new();
    for (is_here, more) in [
        (carries("nginx"), &MAIN_FRONT[..]),
        (carries("nginx_obs"), &OBS_FRONT),
        (carries("physical_vms") || carries("mosip_obs"), &EVERY_NODE),
        (carries("control_plane_nodes") || carries("mosip_obs"), &CONTROL),
        (carries("etcd_nodes") || carries("mosip_obs"), &ETCD),
    ] {
        let new = more.iter().filter(|port| is_here && !ports.contains(port)).copied();
        ports = ports.iter().copied().chain(new).collect();
    }
    ports
}

/// What is left of a cluster that was built on the machine.
const CLUSTER_FOLDERS: [&str; 2] = ["/etc/kubernetes", "/var/lib/rancher"];
const LISTENERS: &str = "ss -Hltnp";

/// No other program listens on these ports, on an address that matters: for a front all addresses at once or the one of
/// the default route, which it listens on; for a cluster all but loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreePorts {
    ports: Vec<Port>,
}

impl FreePorts {
    /// These ports.
    pub fn new(ports: Vec<Port>) -> Self {
        Self { ports }
    }
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

impl Resource for FreePorts {
    fn kind(&self) -> &'static str {
        "ports"
    }

    fn questions(&self) -> Vec<Question> {
        let folders = CLUSTER_FOLDERS.iter().map(|path| FileAsk::new(*path).question());
        folders
            .chain([AskCommand(LISTENERS.into()).question(), AskFacts.question()])
            .collect()
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let mut has_cluster = false;
        for path in CLUSTER_FOLDERS {
            has_cluster |= !matches!(answers.get(&FileAsk::new(path))?, FileState::Absent { .. });
        }
        let listeners = answers.get(&AskCommand(LISTENERS.into()))?;
        if listeners.status != 0 {
            return Ok(Decision::nothing("the machine has no `ss` that tells who listens"));
        }
        let own = answers
            .get(&AskFacts)?
            .default_ipv4
            .map(|ipv4| IpAddr::V4(ipv4.address));
        let mut taken = Vec::new();
        for port in self.ports.iter().filter(|port| !(has_cluster && port.of_cluster)) {
            let stranger = listeners
                .output
                .lines()
                .filter_map(listener)
                .find(|listener| listener.is_in_the_way_of(port, own));
            if let Some(stranger) = stranger {
                let who = stranger.programs.first().copied();
                taken.push(format!(
                    "{} ({}) is taken by {}",
                    port.number,
                    port.purpose,
                    who.unwrap_or("a program that is not named")
                ));
            }
        }
        if !taken.is_empty() {
            return Err(DecideError::impossible_help(
                format!("port {}", taken.join(", port ")),
                "stop that service on the machine, or give the machine another task",
            ));
        }
        let numbers: Vec<String> = self.ports.iter().map(|port| port.number.to_string()).collect();
        Ok(Decision::nothing(format!(
            "no other service has {}",
            numbers.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::Facts;
    use mosip_prov_resources::probe::facts::Ipv4;
    use mosip_prov_resources::testing::{self as t, expect_error, expect_nothing};
    use std::net::Ipv4Addr;

    fn host(listeners: &str, cluster: bool) -> Answers {
        let facts = Facts {
            default_ipv4: Some(Ipv4 {
                address: Ipv4Addr::new(10, 0, 0, 30),
                interface: "eth0".into(),
            }),
            ..Facts::default()
        };
        let answers = t::command(t::facts(Answers::new(), &facts), LISTENERS, 0, listeners);
        let answers = t::file_absent(answers, "/var/lib/rancher");
        if cluster {
            t::directory(answers, "/etc/kubernetes", 0o755, "root", "root")
        } else {
            t::file_absent(answers, "/etc/kubernetes")
        }
    }

    const NGINX: &str = "LISTEN 0 511 10.0.0.30:443 0.0.0.0:* users:((\"nginx\",pid=7,fd=6),(\"nginx\",pid=8,fd=6))\n";

    #[test]
    fn a_port_that_another_program_has_is_named_with_it() {
        let wanted = FreePorts::new(MAIN_FRONT.to_vec());
        assert_eq!(
            expect_nothing(&wanted, &host(NGINX, false)),
            "no other service has 443, 9000, 5432, 61616"
        );
        let busy = format!(
            "{NGINX}LISTEN 0 244 127.0.0.1:5432 0.0.0.0:* users:((\"postgres\",pid=9,fd=5))\n\
             LISTEN 0 50 *:61616 *:* users:((\"java\",pid=3,fd=1))\n\
             LISTEN 0 50 [::]:9000 [::]:*\n\
             LISTEN 0 50 127.0.0.53%lo:443 0.0.0.0:* users:((\"systemd-resolve\",pid=3,fd=1))\n\
             LISTEN 0 50 192.0.2.1:443 0.0.0.0:* users:((\"other\",pid=3,fd=1))\n"
        );
        let error = expect_error(&wanted, &host(&busy, false));
        assert!(
            error.starts_with(
                "port 9000 (object storage) is taken by a program that is not named, port 61616 (the message broker) is \
                 taken by java"
            ),
            "{error}"
        );
    }

    #[test]
    fn ports_of_a_cluster_matter_only_where_none_is_yet() {
        let wanted = FreePorts::new(CONTROL.iter().chain(&EVERY_NODE).copied().collect());
        let here = "LISTEN 0 244 10.0.0.30:443 0.0.0.0:* users:((\"haproxy\",pid=9,fd=5))";
        assert!(expect_error(&FreePorts::new(MAIN_FRONT.to_vec()), &host(here, false)).contains("443 (HTTPS)"));
        let own = "LISTEN 0 50 *:6443 *:* users:((\"kube-apiserver\",pid=3,fd=1))";
        expect_nothing(&wanted, &host(own, false));
        let other = "LISTEN 0 50 *:6443 *:* users:((\"haproxy\",pid=3,fd=1))";
        assert!(expect_error(&wanted, &host(other, false)).contains("6443 (the Kubernetes API) is taken by haproxy"));
        expect_nothing(&wanted, &host(other, true));
        let without_ss = t::command(host("", false), LISTENERS, 127, "sh: ss: not found");
        assert!(expect_nothing(&wanted, &without_ss).contains("no `ss`"));
    }
}
