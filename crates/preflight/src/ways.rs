//! The ways between the machines: which must be open, how each machine tries its own, and what follows from the answers.

use crate::fleet::{Cluster, Duty, Fleet, Machine};
use mosip_prov_events::Finding;
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::shell::quote;
use std::collections::{BTreeMap, BTreeSet};

const AREA: &str = "network";
/// How long a machine waits for all its tries together, in seconds: two SYNs are sent again in that time.
const PATIENCE: u32 = 4;
/// A UDP port that nothing uses: its answer tells whether such answers arrive at all.
const UNUSED: u16 = 33533;
/// What a machine says that has nothing to try with.
const NO_TOOL: &str = "no tool";

/// How packets are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// By TCP.
    Tcp,
    /// By UDP.
    Udp,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A port of a machine that another must reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// From which machine.
    pub from: String,
    /// To which machine.
    pub to: String,
    /// At which address.
    pub address: String,
    /// By which protocol.
    pub protocol: Protocol,
    /// To which port.
    pub port: u16,
    /// What it is for.
    pub purpose: &'static str,
}

/// What came of trying a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// Somebody answered.
    Open,
    /// The machine said that nobody listens: the way to it is open.
    Refused,
    /// No answer.
    Silence,
    /// A machine on the way said that there is none, and why.
    NoWay(String),
    /// It was not tried, because there is nothing to try with.
    NotTried,
}

/// All ways that a deployment of `fleet` needs between its machines.
pub fn needed(fleet: &Fleet) -> Vec<Way> {
    use Protocol::{Tcp, Udp};
    let mut ways = BTreeSet::new();
    let mut need = |from: &Machine, to: &Machine, protocol: Protocol, port: u16, purpose: &'static str| {
        if from.name != to.name && !to.inner_address.is_empty() {
            ways.insert(Way {
                from: from.name.clone(),
                to: to.name.clone(),
                address: to.inner_address.clone(),
                protocol,
                port,
                purpose,
            });
        }
    };
    for deployment in fleet.with(Duty::Deployment) {
        for machine in &fleet.machines {
            need(deployment, machine, Tcp, machine.ssh_port, "SSH");
        }
        for api in fleet.with(Duty::Control).chain(fleet.with(Duty::Observation)) {
            need(deployment, api, Tcp, 6443, "the Kubernetes API");
        }
    }
    if let Some(cluster) = &fleet.main {
        for node in fleet.with(Duty::Node) {
            for control in fleet.with(Duty::Control) {
                need(node, control, Tcp, 6443, "the Kubernetes API");
                need(control, node, Tcp, 10250, "the kubelet");
                if cluster.rke2 {
                    need(node, control, Tcp, 9345, "RKE2's supervisor");
                }
            }
            for other in fleet.with(Duty::Node) {
                for (protocol, port) in overlay(cluster) {
                    need(node, other, protocol, port, "the pods' network");
                }
            }
            for front in fleet.with(Duty::ObservationFront).chain(fleet.with(Duty::Front)) {
                need(node, front, Tcp, 443, "HTTPS of the front");
            }
        }
        for member in fleet.with(Duty::Etcd) {
            for other in fleet.with(Duty::Etcd) {
                need(member, other, Tcp, 2379, "etcd");
                need(member, other, Tcp, 2380, "etcd");
            }
            for control in fleet.with(Duty::Control) {
                need(control, member, Tcp, 2379, "etcd");
            }
        }
    }
    for front in fleet.with(Duty::Front) {
        for worker in fleet.with(Duty::Worker) {
            for port in &fleet.ports.workers {
                need(front, worker, Tcp, *port, "a gateway of the cluster");
            }
        }
    }
    for front in fleet.with(Duty::ObservationFront) {
        for observation in fleet.with(Duty::Observation) {
            for port in &fleet.ports.observation {
                need(front, observation, Tcp, *port, "the ingress of the observation cluster");
            }
        }
    }
    // A way to the unused port of every machine that is tried by UDP: see UNUSED.
    let controls: Vec<Way> = ways
        .iter()
        .filter(|way| way.protocol == Udp)
        .map(|way| Way {
            port: UNUSED,
            purpose: "",
            ..way.clone()
        })
        .collect();
    ways.extend(controls);
    ways.into_iter().collect()
}

/// The ports by which the nodes' network plugin carries packets of pods.
fn overlay(cluster: &Cluster) -> Vec<(Protocol, u16)> {
    use Protocol::{Tcp, Udp};
    match cluster.plugin.as_str() {
        "canal" | "flannel" => vec![(Udp, 8472)],
        "calico" => vec![(Tcp, 179), (Udp, 4789)],
        "weave" => vec![(Tcp, 6783), (Udp, 6783)],
        "cilium" => vec![(Udp, 8472), (Tcp, 4240)],
        _ => Vec::new(),
    }
}

/// The question by which `from` tries its ways, all at once; `None` where it has none.
///
/// bash alone can open a connection without further tools. A datagram to a port that nobody uses comes back as an error of
/// the next one; a machine sends few such answers a second, so several are tried. `timeout` ends all that is still waiting,
/// so that what is silent has no line.
pub fn ask(ways: &[Way], from: &str) -> Option<AskCommand> {
    let own: Vec<String> = ways
        .iter()
        .filter(|way| way.from == from)
        .map(|way| format!("{} {} {}", way.protocol.name(), quote(&way.address), way.port))
        .collect();
    if own.is_empty() {
        return None;
    }
    let script = r#"tcp() {
  e=$( { exec 3<>"/dev/tcp/$1/$2"; } 2>&1 ) && { echo "tcp $1 $2 open"; return; }
  echo "tcp $1 $2 ${e##*: }"
}
udp() {
  e=$( { exec 3<>"/dev/udp/$1/$2" && for i in 1 2 3 4 5 6 7; do echo >&3 || exit 1; sleep 0.5; done; } 2>&1 ) && return
  echo "udp $1 $2 ${e##*: }"
}
while read -r p h n; do $p "$h" "$n" & done
wait"#;
    Some(AskCommand(format!(
        "if command -v bash >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1; then\n\
         printf '%s\\n' {} | timeout {PATIENCE} bash -c {} 2>/dev/null\nelse echo '{NO_TOOL}'; fi\nexit 0",
        own.iter()
            .map(|line| quote(line).into_owned())
            .collect::<Vec<_>>()
            .join(" "),
        quote(script),
    )))
}

/// What came of each of `ways` that starts at `from`, which answered `output` to [`ask`].
pub fn read<'w>(ways: &'w [Way], from: &str, output: &str) -> Vec<(&'w Way, Came)> {
    let own = ways.iter().filter(|way| way.from == from);
    if output.trim() == NO_TOOL {
        return own.map(|way| (way, Came::NotTried)).collect();
    }
    own.map(|way| {
        let start = format!("{} {} {} ", way.protocol.name(), way.address, way.port);
        let said = output.lines().find_map(|line| line.strip_prefix(&start));
        let came = match said.map(str::trim) {
            None => Came::Silence,
            Some("open") => Came::Open,
            Some("Connection refused") => Came::Refused,
            Some("Connection timed out") => Came::Silence,
            Some(other) => Came::NoWay(other.to_owned()),
        };
        (way, came)
    })
    .collect()
}

/// What follows from all answers: one finding for each port of a machine that some others do not reach, and one for all
/// that are open. `asked` are the machines that answered: what leads to another is not known. `listens` tells whether a
/// machine uses a UDP port itself, where silence is as it should be.
pub fn check(came: &[(&Way, Came)], asked: &[&str], listens: impl Fn(&str, u16) -> bool) -> Vec<Finding> {
    let answers_come = |way: &Way| {
        came.iter().any(|(other, came)| {
            other.port == UNUSED && other.from == way.from && other.to == way.to && *came == Came::Refused
        })
    };
    let mut open = 0;
    let mut wrong: BTreeMap<(&str, Protocol, u16, &str, String), Vec<&str>> = BTreeMap::new();
    let (mut no_tool, mut untold) = (BTreeSet::new(), BTreeSet::new());
    for (way, came) in came {
        if way.port == UNUSED || !asked.contains(&way.to.as_str()) {
            continue;
        }
        let why = match (came, way.protocol) {
            (Came::Open | Came::Refused, _) => {
                open += 1;
                continue;
            }
            (Came::NotTried, _) => {
                no_tool.insert(way.from.as_str());
                continue;
            }
            (Came::Silence, Protocol::Udp) if listens(&way.to, way.port) => {
                open += 1;
                continue;
            }
            (Came::Silence, Protocol::Udp) if !answers_come(way) => {
                untold.insert((way.port, way.purpose));
                continue;
            }
            (Came::Silence, _) => format!("no answer within {PATIENCE} s: packets are dropped on the way"),
            (Came::NoWay(why), _) => why.clone(),
        };
        wrong
            .entry((&way.to, way.protocol, way.port, way.purpose, why))
            .or_default()
            .push(&way.from);
    }
    let mut found = Vec::new();
    for ((to, protocol, port, purpose, why), from) in wrong {
        let from = from.join(", ");
        found.push(Finding::failure(
            AREA,
            "way",
            format!("{to}:{port}/{}", protocol.name()),
            format!("{purpose} cannot be reached from {from}: {why}"),
            format!(
                "let {} port {port} of {to} through from {from}: the machine's own firewall (`iptables -S`, `ufw status`), \
                 the platform's security groups, and every router between them",
                protocol.name().to_uppercase()
            ),
        ));
    }
    for (port, purpose) in untold {
        found.push(Finding::warning(
            AREA,
            "way",
            format!("{port}/udp"),
            format!("whether {purpose} gets through is not known: no machine says that a UDP port is unused"),
            format!("see that UDP port {port} is open between the nodes in firewalls and security groups"),
        ));
    }
    for from in no_tool {
        found.push(Finding::warning(
            AREA,
            "way",
            from,
            "its ways could not be tried: it has no bash or no timeout",
            "install bash and coreutils there, or try the ports by hand",
        ));
    }
    if open > 0 {
        let message = format!("{open} ways that are needed are open");
        found.push(Finding::ok(AREA, "ways", "between the machines", message));
    }
    found
}

/// What must be reached from outside, which is not tried from here.
pub fn from_outside(fleet: &Fleet) -> Vec<Finding> {
    let of = |machine: &Machine, port: u16, protocol: &str, what: &str| {
        Finding::warning(
            AREA,
            "outside",
            format!("{}:{port}/{protocol}", machine.name),
            format!("{what} must be reached from outside, which cannot be tried from here"),
            match protocol {
                "udp" => {
                    format!("see that {protocol} port {port} of the public address is let through, and connect a peer")
                }
                _ => format!("from a machine outside: `nc -vz PUBLIC-ADDRESS {port}`"),
            },
        )
    };
    let vpn = fleet
        .with(Duty::Vpn)
        .map(|machine| of(machine, fleet.ports.vpn, "udp", "the VPN"));
    let front = fleet
        .with(Duty::Front)
        .map(|machine| of(machine, 443, "tcp", "the public front"));
    vpn.chain(front).collect()
}

#[cfg(test)]
mod tests;
