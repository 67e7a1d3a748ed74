//! Ranges of addresses: those of services, pods and the VPN have nothing in common with each other, with a machine's
//! address or with a network that a machine has a route to.

use mosip_prov_events::Finding;
use mosip_prov_resources::Network;
use std::net::Ipv4Addr;

const AREA: &str = "hosts";
const CHECK: &str = "ranges";
/// More than so many are counted, not named.
const NAMED: usize = 3;

/// What a range is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Services of a cluster.
    Services,
    /// Pods of a cluster.
    Pods,
    /// The inside of the VPN's tunnel.
    Tunnel,
}

/// Which networks a range must keep apart from: the two clusters have ranges of their own, which may be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The main cluster.
    Main,
    /// The observation cluster.
    Observation,
    /// The VPN, which leads to both.
    Vpn,
}

/// A range that is written down in the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The variable that says it.
    pub variable: String,
    /// The range.
    pub network: Network,
    /// What it is for.
    pub purpose: Purpose,
    /// Whose it is.
    pub of: Of,
}

impl Range {
    fn concerns(&self, other: &Self) -> bool {
        self.of == other.of || self.of == Of::Vpn || other.of == Of::Vpn
    }

    fn shown(&self) -> String {
        format!("{} {}", self.variable, self.network)
    }
}

/// A network that a machine sends to by an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub network: Network,
    /// By which interface.
    pub interface: String,
}

impl Route {
    /// A line of `ip -4 route show`: `10.61.0.0/24 dev eth0 proto kernel …`. `None` for the default route and for what is
    /// no network.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let mut first = words.next()?;
        // Of a kind that sends nothing anywhere.
        if matches!(first, "blackhole" | "unreachable" | "prohibit" | "throw") {
            return None;
        }
        if first == "unicast" {
            first = words.next()?;
        }
        let whole = if first.contains('/') {
            first.to_owned()
        } else {
            format!("{first}/32")
        };
        let network = Network::parse(&whole).filter(|network| network.bits() > 0)?;
        let rest: Vec<&str> = words.collect();
        let at = rest.iter().position(|word| *word == "dev")?;
        Some(Self {
            network,
            interface: (*rest.get(at + 1)?).to_owned(),
        })
    }

    /// Whether a network plugin, the VPN or a bridge of the cluster made it: such routes are what the ranges are for.
    fn is_our_own(&self) -> bool {
        const OURS: [&str; 11] = [
            "cni", "flannel", "cali", "vxlan", "tunl", "kube-", "weave", "cilium", "lxc", "wg", "veth",
        ];
        OURS.iter().any(|prefix| self.interface.starts_with(prefix))
    }
}

/// Compares `ranges` with each other, with the addresses `places` and with the `routes` of machines. One finding for each
/// range that collides with something, and one where none does.
pub fn check(ranges: &[Range], places: &[(String, Ipv4Addr)], routes: &[(String, Vec<Route>)]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, range) in ranges.iter().enumerate() {
        let mut with: Vec<String> = ranges[..number]
            .iter()
            .filter(|other| range.concerns(other) && range.network.overlaps(other.network))
            .map(Range::shown)
            .collect();
        let machines = places
            .iter()
            .filter(|(_, address)| range.network.contains(*address))
            .map(|(machine, address)| format!("the address {address} of {machine}"));
        with.extend(some(machines.collect()));
        if with.is_empty() {
            let foreign = routes.iter().flat_map(|(machine, routes)| {
                let collide = |route: &&Route| !route.is_our_own() && route.network.overlaps(range.network);
                routes
                    .iter()
                    .filter(collide)
                    .map(move |route| format!("the route to {} by {} on {machine}", route.network, route.interface))
            });
            with.extend(some(foreign.collect()));
        }
        if !with.is_empty() {
            found.push(Finding::failure(
                AREA,
                CHECK,
                range.shown(),
                format!("it collides with {}", with.join(", ")),
                format!(
                    "give {} a private network that nothing else uses, before the first deployment: it cannot be changed \
                     later",
                    range.variable
                ),
            ));
        }
    }
    if found.is_empty() && !ranges.is_empty() {
        let all: Vec<String> = ranges.iter().map(Range::shown).collect();
        let with = match routes.is_empty() {
            true => "with each other nor with a machine's address",
            false => "with each other, with a machine's address nor with a route",
        };
        found.push(Finding::ok(
            AREA,
            CHECK,
            "address ranges",
            format!("{} collide neither {with}", all.join(", ")),
        ));
    }
    found
}

fn some(mut all: Vec<String>) -> Vec<String> {
    let more = all.len().saturating_sub(NAMED);
    if more > 0 {
        all.truncate(NAMED);
        all.push(format!("{more} more"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_events::Level;

    fn range(variable: &str, network: &str, purpose: Purpose, of: Of) -> Range {
        Range {
            variable: variable.into(),
            network: Network::parse(network).expect("a network"),
            purpose,
            of,
        }
    }

    fn usual() -> Vec<Range> {
        vec![
            range("service_cluster_ip_range", "10.43.0.0/16", Purpose::Services, Of::Main),
            range("cluster_cidr", "10.42.0.0/16", Purpose::Pods, Of::Main),
            range(
                "rancher_obs_cluster_cidr",
                "10.42.0.0/16",
                Purpose::Pods,
                Of::Observation,
            ),
            range("wireguard_internal_subnet", "10.13.13.0/24", Purpose::Tunnel, Of::Vpn),
        ]
    }

    fn places() -> Vec<(String, Ipv4Addr)> {
        (1..=6)
            .map(|n| (format!("vm{n}"), Ipv4Addr::new(172, 16, 50, n)))
            .collect()
    }

    fn routes(lines: &str) -> Vec<(String, Vec<Route>)> {
        vec![("vm2".into(), lines.lines().filter_map(Route::parse).collect())]
    }

    const PLAIN: &str = "default via 172.16.50.254 dev ens3 proto dhcp metric 100\n\
        172.16.50.0/24 dev ens3 proto kernel scope link src 172.16.50.2\n\
        172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1 linkdown\n\
        10.42.1.0/24 via 10.42.1.0 dev flannel.1 onlink\n10.42.0.7 dev cali123 scope link\n\
        blackhole 10.42.3.0/26 proto 80\n";

    #[test]
    fn the_usual_ranges_collide_with_nothing() {
        let found = check(&usual(), &places(), &routes(PLAIN));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].level, Level::Ok, "{}", found[0].message);
        assert!(found[0].message.contains("cluster_cidr 10.42.0.0/16"));
        assert!(check(&[], &places(), &[]).is_empty());
    }

    fn only(found: &[Finding]) -> (&str, &str) {
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].level, Level::Failure);
        assert!(found[0].remedy.is_some());
        (&found[0].subject, &found[0].message)
    }

    #[test]
    fn every_collision_is_one_finding() {
        let mut vpn = usual();
        vpn[3] = range("wireguard_internal_subnet", "10.43.13.0/24", Purpose::Tunnel, Of::Vpn);
        assert_eq!(
            only(&check(&vpn, &places(), &[])),
            (
                "wireguard_internal_subnet 10.43.13.0/24",
                "it collides with service_cluster_ip_range 10.43.0.0/16"
            )
        );
        let mut hosts = usual();
        hosts[1] = range("cluster_cidr", "172.16.0.0/16", Purpose::Pods, Of::Main);
        // What is near a machine has a route too: that is not said twice.
        assert_eq!(
            only(&check(&hosts, &places(), &routes(PLAIN))),
            (
                "cluster_cidr 172.16.0.0/16",
                "it collides with the address 172.16.50.1 of vm1, the address 172.16.50.2 of vm2, the address 172.16.50.3 \
                 of vm3, 3 more"
            )
        );
        let foreign = format!("{PLAIN}10.43.5.0/24 via 172.16.50.9 dev ens3\n");
        assert_eq!(
            only(&check(&usual(), &places(), &routes(&foreign))),
            (
                "service_cluster_ip_range 10.43.0.0/16",
                "it collides with the route to 10.43.5.0/24 by ens3 on vm2"
            )
        );
    }

    #[test]
    fn lines_of_routes() {
        let parsed = |line: &str| Route::parse(line).map(|r| (r.network.to_string(), r.interface));
        assert_eq!(
            parsed("10.1.0.0/16 via 10.0.0.1 dev eth1 metric 5"),
            Some(("10.1.0.0/16".into(), "eth1".into()))
        );
        assert_eq!(
            parsed("192.0.2.7 dev tun0 scope link"),
            Some(("192.0.2.7/32".into(), "tun0".into()))
        );
        for line in [
            "default via 10.0.0.1 dev eth0",
            "unreachable 10.9.0.0/16",
            "10.9.0.0/16 proto static",
            "",
        ] {
            assert_eq!(parsed(line), None, "{line}");
        }
    }
}
