//! Routing of a deployment node with two interfaces: one way out, and the installation's network by its own interface.

use crate::fleet::Fleet;
use mosip_prov_events::Finding;
use mosip_prov_resources::Network;
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::shell::quote;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const AREA: &str = "network";
const CHECK: &str = "routing";

/// The question: default routes, own networks, and which interface leads to each of `addresses`.
pub fn ask(addresses: &[Ipv4Addr]) -> AskCommand {
    let all: Vec<String> = addresses
        .iter()
        .map(|address| quote(&address.to_string()).into_owned())
        .collect();
    AskCommand(format!(
        "command -v ip >/dev/null 2>&1 || exit 3\nip -4 route show default | sed 's/^/default: /'\n\
         ip -4 -o addr show | sed 's/^/address: /'\nfor a in {}; do printf 'get: %s ' \"$a\"; ip -4 route get \"$a\" 2>&1 | head -n 1; done",
        all.join(" ")
    ))
}

struct Default<'a> {
    interface: &'a str,
    metric: u32,
}

fn after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    words.find(|one| *one == word)?;
    words.next()
}

/// What follows from the answer of the deployment node, `name`.
pub fn check(name: &str, fleet: &Fleet, output: &str) -> Vec<Finding> {
    let lines = |start: &str| -> Vec<&str> { output.lines().filter_map(|line| line.strip_prefix(start)).collect() };
    let defaults: Vec<Default<'_>> = lines("default: ")
        .into_iter()
        .filter_map(|line| {
            Some(Default {
                interface: after(line, "dev")?,
                metric: after(line, "metric")
                    .and_then(|metric| metric.parse().ok())
                    .unwrap_or(0),
            })
        })
        .collect();
    // 2: eth0    inet 10.0.0.5/24 brd …
    let own: Vec<(&str, Network)> = lines("address: ")
        .into_iter()
        .filter_map(|line| Some((line.split_whitespace().nth(1)?, Network::parse(after(line, "inet")?)?)))
        .filter(|(interface, _)| *interface != "lo")
        .collect();
    let near = |address: Ipv4Addr| {
        own.iter()
            .find(|(_, network)| network.contains(address))
            .map(|(name, _)| *name)
    };
    let places: Vec<Ipv4Addr> = fleet.places().into_iter().map(|(_, address)| address).collect();
    let inner = places.iter().find_map(|address| near(*address));

    let mut same: BTreeSet<&str> = BTreeSet::new();
    for (number, one) in defaults.iter().enumerate() {
        for other in &defaults[..number] {
            if one.metric == other.metric && one.interface != other.interface {
                same.extend([one.interface, other.interface]);
            }
        }
    }
    if !same.is_empty() {
        let inner = inner
            .filter(|inner| same.contains(inner))
            .or(same.iter().next_back().copied());
        let inner = inner.unwrap_or_default();
        let outer: Vec<&str> = same.iter().copied().filter(|one| *one != inner).collect();
        let all: Vec<&str> = same.iter().copied().collect();
        return vec![Finding::failure(
            AREA,
            CHECK,
            name,
            format!(
                "{} have a default route of the same metric: which of them answers leave by is chance",
                all.join(" and ")
            ),
            netplan(&outer, inner),
        )];
    }
    let mut wrong = Vec::new();
    for line in lines("get: ") {
        let Some(address) = line
            .split_whitespace()
            .next()
            .and_then(|word| word.parse::<Ipv4Addr>().ok())
        else {
            continue;
        };
        let by = line.split_once(' ').and_then(|(_, rest)| after(rest, "dev"));
        match (by, near(address)) {
            (None, _) => wrong.push((address, "there is no route to it".to_owned(), None)),
            (Some(by), Some(near)) if by != near && by != "lo" => {
                let why = format!("it is reached by {by}, and {near} is in its network");
                wrong.push((address, why, Some((by, near))));
            }
            _ => {}
        }
    }
    if let Some((address, why, which)) = wrong.first() {
        let more = match wrong.len() {
            1 => String::new(),
            all => format!(" (and {} more)", all - 1),
        };
        let remedy = match which {
            Some((by, near)) => netplan(&[by], near),
            None => "give the deployment node an interface in that network, or a route to it".to_owned(),
        };
        return vec![Finding::failure(
            AREA,
            CHECK,
            name,
            format!("{address}{more}: {why}"),
            remedy,
        )];
    }
    let ways: Vec<String> = defaults
        .iter()
        .map(|d| format!("{} (metric {})", d.interface, d.metric))
        .collect();
    let message = match (ways.is_empty(), inner) {
        (true, _) => "it has no default route".to_owned(),
        (false, None) => format!("default route by {}", ways.join(", then ")),
        (false, Some(inner)) => format!(
            "default route by {}; the machines are reached by {inner}",
            ways.join(", then ")
        ),
    };
    vec![Finding::ok(AREA, CHECK, name, message)]
}

/// The netplan that lets `outer` win over `inner`.
fn netplan(outer: &[&str], inner: &str) -> String {
    let mut text =
        "in /etc/netplan, as the guide has it, then `netplan apply` (or give the inner interface no gateway):\n\
                    network:\n  version: 2\n  renderer: networkd\n  ethernets:\n"
            .to_owned();
    for (interface, metric, what) in outer.iter().map(|o| (*o, 50, "admin")).chain([(inner, 100, "MOSIP")]) {
        text.push_str(&format!(
            "    {interface}:  # {what} network\n      dhcp4: true\n      dhcp4-overrides:\n        route-metric: {metric}\n"
        ));
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Duty, Machine, Mtus, Ports};
    use mosip_prov_events::Level;

    fn fleet() -> Fleet {
        Fleet {
            machines: vec![Machine {
                name: "vm1".into(),
                also: Vec::new(),
                address: "172.16.50.1".into(),
                inner_address: "172.16.50.1".into(),
                ssh_port: 22,
                duties: [Duty::Node].into(),
            }],
            main: None,
            observation: None,
            ranges: Vec::new(),
            ports: Ports {
                workers: Vec::new(),
                observation: Vec::new(),
                vpn: 51820,
            },
            mtus: Mtus { pods: 0, vpn: None },
        }
    }

    const ADDRESSES: &str = "address: 1: lo    inet 127.0.0.1/8 scope host lo\n\
        address: 2: ens3    inet 192.0.2.5/24 brd 192.0.2.255 scope global ens3\n\
        address: 3: ens4    inet 172.16.50.9/24 brd 172.16.50.255 scope global ens4\n";

    fn only(defaults: &str, get: &str) -> Finding {
        let found = check("deployment-node", &fleet(), &format!("{defaults}{ADDRESSES}{get}"));
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().expect("one")
    }

    #[test]
    fn two_ways_out_of_the_same_metric() {
        let get = "get: 172.16.50.1 172.16.50.1 dev ens4 src 172.16.50.9 uid 0\n";
        let both = "default: default via 172.16.50.254 dev ens4 proto dhcp metric 100\n\
                    default: default via 192.0.2.1 dev ens3 proto dhcp metric 100\n";
        let found = only(both, get);
        assert_eq!(found.level, Level::Failure);
        let remedy = found.remedy.expect("a remedy");
        assert!(
            remedy.contains(
                "ens3:  # admin network\n      dhcp4: true\n      dhcp4-overrides:\n        route-metric: 50"
            ) && remedy.contains("ens4:  # MOSIP network")
                && remedy.ends_with("route-metric: 100"),
            "{remedy}"
        );
        let one_wins = both.replacen("metric 100", "metric 200", 1);
        let found = only(&one_wins, get);
        assert_eq!(found.level, Level::Ok);
        assert!(
            found.message.ends_with("the machines are reached by ens4"),
            "{}",
            found.message
        );
    }

    #[test]
    fn a_network_by_the_wrong_interface() {
        let one = "default: default via 192.0.2.1 dev ens3\n";
        let found = only(
            one,
            "get: 172.16.50.1 172.16.50.1 via 192.0.2.1 dev ens3 src 192.0.2.5 uid 0\n",
        );
        assert_eq!(found.level, Level::Failure);
        assert_eq!(
            found.message,
            "172.16.50.1: it is reached by ens3, and ens4 is in its network"
        );
        let found = only("", "get: 172.16.50.1 RTNETLINK answers: Network is unreachable\n");
        assert_eq!(
            (found.level, found.message.as_str()),
            (Level::Failure, "172.16.50.1: there is no route to it")
        );
    }
}
