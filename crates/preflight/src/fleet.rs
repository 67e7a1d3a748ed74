//! The machines of an installation as the checks see them: who is who, where, and with which settings.

use crate::ranges::Range;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// What a machine is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duty {
    /// A node of the main cluster, whatever it does there.
    Node,
    /// It carries the control plane of the main cluster.
    Control,
    /// It carries a member of the main cluster's etcd.
    Etcd,
    /// It carries what is deployed.
    Worker,
    /// The observation cluster.
    Observation,
    /// The front of the main cluster.
    Front,
    /// The front of the observation cluster.
    ObservationFront,
    /// The VPN.
    Vpn,
    /// The machine that the others are deployed from.
    Deployment,
}

/// The groups of machines that are connected to, and what they are there for.
pub const GROUPS: [(&str, Duty); 6] = [
    ("physical_vms", Duty::Node),
    ("mosip_obs", Duty::Observation),
    ("nginx", Duty::Front),
    ("nginx_obs", Duty::ObservationFront),
    ("wireguard", Duty::Vpn),
    ("deployment", Duty::Deployment),
];

/// The groups of names that are put on a machine of `physical_vms` by their `physical_vm`.
const CARRIED: [(&str, Duty); 3] = [
    ("control_plane_nodes", Duty::Control),
    ("etcd_nodes", Duty::Etcd),
    ("worker_nodes", Duty::Worker),
];

/// What the host of that name is there for: by the groups that it is in, and by the names that are put on it.
/// `physical_vm` gives that variable of a host.
pub fn duties_of<'a>(
    host: &str,
    hosts_of: impl Fn(&str) -> Vec<&'a str>,
    physical_vm: impl Fn(&str) -> Option<String>,
) -> BTreeSet<Duty> {
    let is_put_here = |name: &&str| **name == *host || physical_vm(name).is_some_and(|vm| vm.trim() == host);
    let mut duties: BTreeSet<Duty> = BTreeSet::new();
    duties.extend(
        GROUPS
            .iter()
            .filter(|(group, _)| hosts_of(group).contains(&host))
            .map(|(_, duty)| *duty),
    );
    duties.extend(
        CARRIED
            .iter()
            .filter(|(group, _)| hosts_of(group).iter().any(is_put_here))
            .map(|(_, duty)| *duty),
    );
    duties
}

/// A machine. Names of the inventory that lead to one address are one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its name in the inventory, which it is connected to by.
    pub name: String,
    /// Other names that it has in the inventory.
    pub also: Vec<String>,
    /// The address that it is connected to at; empty for the machine that the program runs on.
    pub address: String,
    /// The address that the other machines reach it at.
    pub inner_address: String,
    /// The port of its SSH server.
    pub ssh_port: u16,
    /// What it is there for.
    pub duties: BTreeSet<Duty>,
}

impl Machine {
    /// Whether it has this duty.
    pub fn is(&self, duty: Duty) -> bool {
        self.duties.contains(&duty)
    }

    /// Whether `name` is one of its names.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.also.iter().any(|also| also == name)
    }

    /// Its IPv4 addresses that the inventory tells.
    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        let mut found: Vec<Ipv4Addr> = Vec::new();
        for text in [&self.address, &self.inner_address] {
            if let Ok(address) = text.parse()
                && !found.contains(&address)
            {
                found.push(address);
            }
        }
        found
    }
}

/// A cluster as far as the network is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The network plugin: `canal`, `calico`, `flannel`, `weave`, `cilium`, `none`.
    pub plugin: String,
    /// Whether RKE2 builds it.
    pub rke2: bool,
}

/// Ports that the inventory can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// Ports of the workers that the front forwards to.
    pub workers: Vec<u16>,
    /// Ports of the observation cluster that its front forwards to.
    pub observation: Vec<u16>,
    /// The UDP port of the VPN.
    pub vpn: u16,
}

/// What is sent in packets of which size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mtus {
    /// `network_mtu`; 0 for the plugin's own choice.
    pub pods: u32,
    /// `wireguard_mtu`; `None` where there is no VPN in the inventory.
    pub vpn: Option<u32>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// In the inventory's order; the deployment node is the last.
    pub machines: Vec<Machine>,
    /// The main cluster; `None` where the inventory has none.
    pub main: Option<Cluster>,
    /// The observation cluster.
    pub observation: Option<Cluster>,
    /// Networks that nothing else may use.
    pub ranges: Vec<Range>,
    /// Ports.
    pub ports: Ports,
    /// MTUs.
    pub mtus: Mtus,
}

impl Fleet {
    /// The machine of that name.
    pub fn machine(&self, name: &str) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.is_called(name))
    }

    /// The machines with this duty.
    pub fn with(&self, duty: Duty) -> impl Iterator<Item = &Machine> {
        self.machines.iter().filter(move |machine| machine.is(duty))
    }

    /// Every address that the inventory tells, with the machine's name.
    pub fn places(&self) -> Vec<(String, Ipv4Addr)> {
        let of = |machine: &Machine| -> Vec<_> {
            let addresses = machine.addresses();
            addresses
                .into_iter()
                .map(|address| (machine.name.clone(), address))
                .collect()
        };
        self.machines.iter().flat_map(of).collect()
    }
}
