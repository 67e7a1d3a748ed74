//! The testbed's networks: two bridges, a namespace and veth pairs per host, masquerading for apt.

use std::fs;
use std::path::Path;

use super::hosts::{BRIDGE, GATEWAY, HOSTS, Host, OUTSIDE_ADDRESS, OUTSIDE_BRIDGE, OUTSIDE_NAMESPACE, STATE, SUBNET};
use crate::sh::{self, Context, Error, Result};

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";
const OUTSIDE_VETH: &str = "mpo-outside";

/// The rules this testbed adds to the machine's own tables, each as `table chain rule…`.
const RULES: [&[&str]; 3] = [
    // Bridged frames pass these tables too where the kernel filters bridges, hence the second exception.
    &[
        "nat",
        "POSTROUTING",
        "-s",
        SUBNET,
        "!",
        "-d",
        SUBNET,
        "!",
        "-o",
        "mpbr+",
        "-j",
        "MASQUERADE",
    ],
    &["filter", "FORWARD", "-i", "mpbr+", "-j", "ACCEPT"],
    &["filter", "FORWARD", "-o", "mpbr+", "-j", "ACCEPT"],
];

fn ip(line: &str) -> Result<String> {
    let words: Vec<&str> = std::iter::once("ip").chain(line.split(' ')).collect();
    sh::run(&words)
}

fn link_exists(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).exists()
}

fn namespace_exists(name: &str) -> bool {
    Path::new("/run/netns").join(name).exists()
}

/// The bridges, forwarding and masquerading; safe to call again.
pub fn up() -> Result<()> {
    if !link_exists(BRIDGE) {
        let routes = sh::run(&["ip", "-j", "-4", "route", "show", "table", "main"])?;
        if let Some(route) = colliding_route(&routes)? {
            return Err(Error(format!(
                "this machine already has a route into {SUBNET}, which the testbed needs: {route}. \
                 Remove that route, or run the testbed on another machine"
            )));
        }
        ip(&format!("link add {BRIDGE} type bridge"))?;
        ip(&format!("addr add {GATEWAY}/24 dev {BRIDGE}"))?;
        ip(&format!("link set {BRIDGE} up"))?;
    }
    if !link_exists(OUTSIDE_BRIDGE) {
        ip(&format!("link add {OUTSIDE_BRIDGE} type bridge"))?;
        ip(&format!("link set {OUTSIDE_BRIDGE} up"))?;
    }
    let before = Path::new(STATE).join("ip_forward.before");
    let forwarding = fs::read_to_string(FORWARDING).doing(format!("cannot read {FORWARDING}"))?;
    if forwarding.trim() != "1" {
        sh::write(&before, &forwarding)?;
        fs::write(FORWARDING, "1").doing(format!("cannot write {FORWARDING}"))?;
    }
    for rule in RULES {
        if !iptables("-C", rule)? {
            // First in the chain: a firewall on this machine may drop what is forwarded.
            if !iptables("-I", rule)? {
                return Err(Error(format!(
                    "iptables does not take the rule `{}` on this machine",
                    rule.join(" ")
                )));
            }
        }
    }
    outside_up()
}

fn iptables(action: &str, rule: &[&str]) -> Result<bool> {
    let program = if sh::succeeds(&["iptables", "-w", "-t", "nat", "-S"]) {
        "iptables"
    } else {
        "iptables-legacy"
    };
    let mut words = vec![program, "-w", "-t", rule[0], action];
    words.extend(&rule[1..]);
    Ok(sh::succeeds(&words))
}

fn outside_up() -> Result<()> {
    if namespace_exists(OUTSIDE_NAMESPACE) {
        return Ok(());
    }
    let space = OUTSIDE_NAMESPACE;
    ip(&format!("netns add {space}"))?;
    ip(&format!(
        "link add {OUTSIDE_VETH} type veth peer name eth0 netns {space}"
    ))?;
    ip(&format!("link set {OUTSIDE_VETH} master {OUTSIDE_BRIDGE} up"))?;
    ip(&format!("-n {space} link set lo up"))?;
    ip(&format!("-n {space} addr add {OUTSIDE_ADDRESS}/24 dev eth0"))?;
    ip(&format!("-n {space} link set eth0 up"))?;
    for host in &HOSTS {
        if let Some(outside) = host.outside {
            ip(&format!("-n {space} route add {}/32 via {outside}", host.address))?;
        }
    }
    Ok(())
}

/// The hardware address that goes with an IPv4 address. It stays the same over restarts, since the other hosts and the
/// client outside remember it.
fn hardware_address(address: &str) -> String {
    let bytes: Vec<String> = address
        .split('.')
        .map(|part| format!("{:02x}", part.parse::<u8>().unwrap_or(0)))
        .collect();
    format!("02:00:{}", bytes.join(":"))
}

/// A shell script that gives the host a fresh namespace with its addresses, replacing the old one with whatever
/// rules and settings it held.
pub fn fresh_namespace(host: &Host) -> String {
    let (space, veth, address) = (host.namespace(), host.veth(), host.address);
    let mut script = format!(
        "ip link del {veth} 2>/dev/null || :
ip netns del {space} 2>/dev/null || :
ip netns add {space}
ip link add {veth} type veth peer name eth0 netns {space}
ip -n {space} link set eth0 address {hardware}
ip link set {veth} master {BRIDGE} up
ip -n {space} link set lo up
ip -n {space} addr add {address}/24 brd + dev eth0
ip -n {space} link set eth0 up
ip -n {space} route add default via {GATEWAY}
",
        hardware = hardware_address(address),
    );
    if let Some(outside) = host.outside {
        let veth = host.outside_veth();
        script.push_str(&format!(
            "ip link del {veth} 2>/dev/null || :
ip link add {veth} type veth peer name eth1 netns {space}
ip -n {space} link set eth1 address {hardware}
ip link set {veth} master {OUTSIDE_BRIDGE} up
ip -n {space} addr add {outside}/24 brd + dev eth1
ip -n {space} link set eth1 up
",
            hardware = hardware_address(outside),
        ));
    }
    script
}

/// Removes a host's namespace and veth pairs.
pub fn remove_namespace(host: &Host) -> Result<()> {
    for veth in [host.veth(), host.outside_veth()] {
        if link_exists(&veth) {
            ip(&format!("link del {veth}"))?;
        }
    }
    if namespace_exists(&host.namespace()) {
        ip(&format!("netns del {}", host.namespace()))?;
    }
    Ok(())
}

/// Cuts a host off, or heals it: its veth goes down or up.
pub fn set_link(host: &Host, up: bool) -> Result<()> {
    let state = if up { "up" } else { "down" };
    ip(&format!("link set {} {state}", host.veth())).map(drop)
}

/// Whether a host's veth is up, as set by [`set_link`].
pub fn link_is_up(host: &Host) -> bool {
    fs::read_to_string(format!("/sys/class/net/{}/operstate", host.veth())).is_ok_and(|state| state.trim() == "up")
}

/// Takes everything away that [`up`] and [`fresh_namespace`] made.
pub fn down() -> Result<()> {
    for host in &HOSTS {
        remove_namespace(host)?;
    }
    if link_exists(OUTSIDE_VETH) {
        ip(&format!("link del {OUTSIDE_VETH}"))?;
    }
    if namespace_exists(OUTSIDE_NAMESPACE) {
        ip(&format!("netns del {OUTSIDE_NAMESPACE}"))?;
    }
    for bridge in [BRIDGE, OUTSIDE_BRIDGE] {
        if link_exists(bridge) {
            ip(&format!("link del {bridge}"))?;
        }
    }
    for rule in RULES {
        while iptables("-C", rule)? && iptables("-D", rule)? {}
    }
    let before = Path::new(STATE).join("ip_forward.before");
    if let Ok(value) = fs::read_to_string(&before) {
        fs::write(FORWARDING, value).doing(format!("cannot write {FORWARDING}"))?;
        let _ = fs::remove_file(before);
    }
    Ok(())
}

/// The first route (of `ip -j route`) that overlaps the hosts' network.
fn colliding_route(json: &str) -> Result<Option<String>> {
    let routes: serde_json::Value = serde_json::from_str(json).doing("cannot read the output of `ip -j route`")?;
    let ours = network(SUBNET).unwrap_or_default();
    Ok(routes.as_array().into_iter().flatten().find_map(|route| {
        let to = route["dst"].as_str()?;
        let (start, end) = network(to)?;
        (start <= ours.1 && ours.0 <= end).then(|| format!("{to} dev {}", route["dev"].as_str().unwrap_or("?")))
    }))
}

/// First and last address of `a.b.c.d[/n]`; nothing for other words, such as `default`.
fn network(text: &str) -> Option<(u32, u32)> {
    let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
    let address = u32::from(address.parse::<std::net::Ipv4Addr>().ok()?);
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Some((address & mask, address | !mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses_follow_the_address() {
        assert_eq!(hardware_address("10.61.0.31"), "02:00:0a:3d:00:1f");
    }

    #[test]
    fn a_route_that_overlaps_is_found_and_the_default_route_is_not_one() {
        let free = r#"[{"dst":"default","gateway":"192.0.2.1","dev":"eth0"},
                       {"dst":"10.61.1.0/24","dev":"eth1"},{"dst":"192.0.2.0/24","dev":"eth0"}]"#;
        assert_eq!(colliding_route(free).unwrap(), None);
        for taken in ["10.61.0.128/25", "10.0.0.0/8", "10.61.0.7", "10.61.0.0/24"] {
            let routes = format!(r#"[{{"dst":"{taken}","dev":"tun0"}}]"#);
            assert_eq!(colliding_route(&routes).unwrap(), Some(format!("{taken} dev tun0")));
        }
    }
}
