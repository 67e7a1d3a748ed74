//! Machines that stand in an inventory more than once, under one name or several.

use mosip_prov_engine::{CheckContext, InputCheck};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};

/// The address that leads to the machine of `host`: two names with the same one are one machine.
fn machine(cx: &CheckContext<'_>, host: &str) -> Option<String> {
    let vars = cx.vars.get(host)?;
    let address = vars.string("ansible_host").ok()?.unwrap_or_else(|| host.to_owned());
    let port = vars.int("ansible_port").ok()?.unwrap_or(22);
    Some(format!("{address}:{port}"))
}

/// Both fronts on one machine would write the same `/etc/nginx/nginx.conf`, each undoing the other.
pub(crate) struct OneFrontEach;

impl InputCheck for OneFrontEach {
    fn check(&self, cx: &CheckContext<'_>, problems: &mut Diagnostics) {
        for front in cx.inventory.hosts_of("nginx") {
            for other in cx.inventory.hosts_of("nginx_obs") {
                let address = machine(cx, front);
                if front == other || (address.is_some() && address == machine(cx, other)) {
                    let place = cx.vars.get(other).and_then(|vars| vars.location("ansible_host"));
                    problems.push(
                        Diagnostic::warning(format!(
                            "{front} of group nginx and {other} of group nginx_obs are one machine: both fronts write \
                             /etc/nginx/nginx.conf, so that the one deployed last replaces the other"
                        ))
                        .at(place)
                        .help(
                            "give each front a machine of its own; the observation front may share that of mosip_obs",
                        ),
                    );
                }
            }
        }
    }
}

/// A machine that stands under two names is upgraded under both. A reboot for the one would cut the other off in the
/// middle, unless they come one after the other.
pub(crate) struct RebootsOneByOne;

impl InputCheck for RebootsOneByOne {
    fn check(&self, cx: &CheckContext<'_>, problems: &mut Diagnostics) {
        let reboots = |host: &str| {
            let vars = cx.vars.get(host);
            vars.is_some_and(|vars| matches!(vars.bool("apt_reboot_if_required"), Ok(Some(true))))
        };
        let serial = cx
            .hosts
            .first()
            .and_then(|host| cx.vars.get(host)?.string("apt_upgrade_serial").ok()?);
        if serial.is_some_and(|serial| serial.trim() == "1") {
            return;
        }
        for (number, host) in cx.hosts.iter().enumerate() {
            for other in &cx.hosts[number + 1..] {
                let address = machine(cx, host);
                if address.is_none() || address != machine(cx, other) || !(reboots(host) || reboots(other)) {
                    continue;
                }
                let place = cx.vars.get(other).and_then(|vars| vars.location("ansible_host"));
                problems.push(
                    Diagnostic::error(format!(
                        "{host} and {other} are one machine, and a reboot for the one would cut the other off in the \
                         middle of its upgrade"
                    ))
                    .at(place)
                    .help(format!(
                        "set apt_upgrade_serial to 1, or leave one name out: --limit 'all:!{other}'"
                    )),
                );
            }
        }
    }
}

/// A node's role writes the whole of Docker's settings: on a host that has the VPN in Docker too, both would change them in
/// turns. RKE2 brings a container runtime of its own.
pub(crate) struct DockerOfTheVpn;

impl InputCheck for DockerOfTheVpn {
    fn check(&self, cx: &CheckContext<'_>, problems: &mut Diagnostics) {
        let said = |host: &str, name: &str| cx.vars.get(host)?.string(name).ok().flatten();
        let in_docker =
            |host: &&str| said(host, "wireguard_backend").is_none_or(|backend| matches!(backend.trim(), "" | "docker"));
        let selected = |host: &&str| cx.hosts.iter().any(|one| **one == **host);
        let hosts = cx.inventory.hosts_of("wireguard").into_iter().filter(selected);
        for host in hosts.filter(in_docker) {
            let address = machine(cx, host);
            for group in ["physical_vms", "mosip_obs"] {
                for node in cx.inventory.hosts_of(group) {
                    let same = node == host || (address.is_some() && address == machine(cx, node));
                    if !same || said(node, "cluster_distribution").as_deref() == Some("rke2") {
                        continue;
                    }
                    problems.push(
                        Diagnostic::error(format!(
                            "{host} is the machine of {node} in group {group}, whose Docker has other settings than the \
                             VPN's"
                        ))
                        .help("set wireguard_backend to native for it, which needs no Docker"),
                    );
                }
            }
        }
    }
}

/// What comes of a machine that stands in two groups, or twice in one.
enum Clash {
    /// It cannot end well.
    Error,
    /// It may be meant.
    Warning,
}

/// Pairs of groups whose hosts should not be one machine, and why. A machine of `mosip_obs` that is of `nginx_obs` too is
/// as the guide has it, and both fronts on one machine are told of by [`OneFrontEach`].
const CLASHES: [(&str, &str, Clash, &str); 5] = [
    (
        "physical_vms",
        "physical_vms",
        Clash::Error,
        "it would be two nodes of the cluster, each undoing the other",
    ),
    (
        "mosip_obs",
        "mosip_obs",
        Clash::Error,
        "it would be two nodes of the cluster, each undoing the other",
    ),
    (
        "physical_vms",
        "mosip_obs",
        Clash::Warning,
        "it would be a node of both clusters, whose ports, networks and Docker settings collide",
    ),
    (
        "physical_vms",
        "nginx",
        Clash::Warning,
        "nginx and the ingress controller of the cluster both want port 443 there",
    ),
    (
        "physical_vms",
        "nginx_obs",
        Clash::Warning,
        "nginx and the ingress controller of the cluster both want ports 80 and 443 there",
    ),
];

/// Each machine has one task: hosts of groups that collide are not one machine under two names, nor one host in both.
pub(crate) struct OneTaskEach;

impl InputCheck for OneTaskEach {
    fn check(&self, cx: &CheckContext<'_>, problems: &mut Diagnostics) {
        for (group, other_group, clash, why) in &CLASHES {
            let hosts = cx.inventory.hosts_of(group);
            for (number, host) in hosts.iter().enumerate() {
                let others = cx.inventory.hosts_of(other_group);
                let from = if group == other_group { number + 1 } else { 0 };
                for other in others.iter().skip(from) {
                    let address = machine(cx, host);
                    if host != other && (address.is_none() || address != machine(cx, other)) {
                        continue;
                    }
                    let who = if host == other {
                        format!("{host} is in {group} and in {other_group}")
                    } else {
                        let address = address.unwrap_or_default();
                        format!("{host} of {group} and {other} of {other_group} are one machine ({address})")
                    };
                    let message = format!("{who}: {why}");
                    let problem = match clash {
                        Clash::Error => Diagnostic::error(message),
                        Clash::Warning => Diagnostic::warning(message),
                    };
                    let place = cx.vars.get(*other).and_then(|vars| vars.location("ansible_host"));
                    problems.push(
                        problem
                            .at(place)
                            .help("correct ansible_host, or take one of the two out"),
                    );
                }
            }
        }
    }
}
