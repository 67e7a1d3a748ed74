//! Which machine is what in the cluster.

use crate::around::Around;
use crate::flavor::Flavor;
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::vars::HostVars;
use std::collections::HashMap;
use std::net::IpAddr;

/// What a machine does in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles {
    /// API server, controller manager, scheduler.
    pub control_plane: bool,
    /// A member of etcd.
    pub etcd: bool,
    /// It runs what is deployed.
    pub worker: bool,
}

impl Roles {
    /// Whether it has any.
    pub fn any(self) -> bool {
        self.control_plane || self.etcd || self.worker
    }

    /// Whether it runs `rke2-server`.
    pub fn is_server(self) -> bool {
        self.control_plane || self.etcd
    }
}

/// A machine of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its name in the inventory, which is that of the node.
    pub name: String,
    /// The address that it is reached at from the deployment node.
    pub address: String,
    /// The address that the other nodes reach it at, where the inventory says one.
    pub node_ip: Option<String>,
    /// What it does.
    pub roles: Roles,
}

impl Machine {
    /// The address that the other nodes reach it at.
    pub fn inner_address(&self) -> &str {
        self.node_ip.as_deref().unwrap_or(&self.address)
    }
}

/// All machines of a cluster that do something in it, in the inventory's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    /// In the inventory's order.
    pub machines: Vec<Machine>,
}

const GROUPS: [&str; 3] = ["control_plane_nodes", "etcd_nodes", "worker_nodes"];

impl Topology {
    /// As the inventory says. All that is wrong goes into `problems`; `None` when there can be no cluster.
    pub fn read(flavor: Flavor, around: &Around<'_>, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let machines = match flavor {
            Flavor::Main => main_machines(around, problems),
            Flavor::Observation => observation_machines(around, problems),
        };
        let made = Self { machines };
        made.check(flavor, problems);
        (problems.error_count() == before).then_some(made)
    }

    fn check(&self, flavor: Flavor, problems: &mut Diagnostics) {
        for machine in &self.machines {
            if !is_node_name(&machine.name) {
                problems.push(
                    Diagnostic::error(format!("{} cannot be the name of a node of Kubernetes", machine.name)).help(
                        "rename the host: small letters, digits, - and . only, with a letter or digit at both ends",
                    ),
                );
            }
        }
        let cluster = flavor.shown();
        let etcd = self.machines.iter().filter(|m| m.roles.etcd).count();
        if self.first_server().is_none() {
            problems.push(
                Diagnostic::error(format!(
                    "{cluster} has no first server: no machine of {} carries etcd",
                    flavor.group()
                ))
                .help("give etcd_nodes a host whose physical_vm is a machine of the cluster"),
            );
        } else if self.api_server().is_none() {
            problems.push(
                Diagnostic::error(format!(
                    "no machine of {} carries the control plane of {cluster}",
                    flavor.group()
                ))
                .help("give control_plane_nodes a host whose physical_vm is a machine of the cluster"),
            );
        } else if etcd % 2 == 0 {
            problems.push(
                Diagnostic::warning(format!(
                    "{cluster} has {etcd} members of etcd: it stands the loss of no more than {} would",
                    etcd - 1
                ))
                .help("give etcd_nodes an odd number of hosts: 1, 3 or 5"),
            );
        }
    }

    /// The server that makes the cluster: the first that carries control plane and etcd, else the first that carries etcd.
    /// One without etcd cannot be it.
    pub fn first_server(&self) -> Option<&Machine> {
        let all = |m: &&Machine| m.roles.etcd && m.roles.control_plane;
        let etcd = |m: &&Machine| m.roles.etcd;
        self.machines
            .iter()
            .find(all)
            .or_else(|| self.machines.iter().find(etcd))
    }

    /// The server that the kubeconfig comes from: the first server when it has an API, else the first that has.
    pub fn api_server(&self) -> Option<&Machine> {
        self.first_server()
            .filter(|m| m.roles.control_plane)
            .or_else(|| self.machines.iter().find(|m| m.roles.control_plane))
    }

    /// The machine of that name.
    pub fn machine(&self, name: &str) -> Option<&Machine> {
        self.machines.iter().find(|m| m.name == name)
    }

    /// Whether `name` is the first server.
    pub fn is_first(&self, name: &str) -> bool {
        self.first_server().is_some_and(|m| m.name == name)
    }
}

/// What a machine of the main cluster was found to do.
#[derive(Default)]
struct Part {
    roles: Roles,
    node_ip: Option<String>,
}

fn main_machines(around: &Around<'_>, problems: &mut Diagnostics) -> Vec<Machine> {
    let names = around.hosts_of(Flavor::Main.group());
    // Every host of the group comes by here: those that do nothing in the cluster cost no reading of variables, and the others
    // are found by name.
    let mut parts: HashMap<&str, Part> = names.iter().map(|name| (*name, Part::default())).collect();
    for group in GROUPS {
        for host in around.hosts_of(group) {
            let Some(vars) = around.vars_of(host) else { continue };
            let Some(vm) = text(vars, "physical_vm", problems) else {
                problems.push(
                    Diagnostic::error(format!("{host} of group {group} has no physical_vm"))
                        .help(format!("say which machine it stands on: {host} physical_vm=vm1")),
                );
                continue;
            };
            let Some(part) = parts.get_mut(vm.as_str()) else {
                problems.push(
                    Diagnostic::error(format!(
                        "{host} of group {group} stands on physical_vm {vm}, which is no host of physical_vms"
                    ))
                    .at(vars.location("physical_vm"))
                    .help("correct the name, or add the machine to [physical_vms]"),
                );
                continue;
            };
            match group {
                "control_plane_nodes" => part.roles.control_plane = true,
                "etcd_nodes" => part.roles.etcd = true,
                _ => part.roles.worker = true,
            }
            if let Some(ip) = node_ip(vars, host, problems) {
                match &part.node_ip {
                    Some(other) if *other != ip => problems.push(
                        Diagnostic::error(format!(
                            "{vm} has node_ip {other} under one name and {ip} under {host}, and a node has one address"
                        ))
                        .at(vars.location("node_ip"))
                        .help("give all names of a machine the same node_ip"),
                    ),
                    _ => part.node_ip = Some(ip),
                }
            }
        }
    }
    let made = names.into_iter().filter_map(|name| {
        let Part { roles, node_ip } = parts.remove(name).filter(|part| part.roles.any())?;
        Some(Machine {
            node_ip,
            roles,
            ..machine(around, name, problems)?
        })
    });
    made.collect()
}

fn observation_machines(around: &Around<'_>, problems: &mut Diagnostics) -> Vec<Machine> {
    let mut machines = Vec::new();
    for name in around.hosts_of(Flavor::Observation.group()) {
        let Some(mut machine) = machine(around, name, problems) else {
            continue;
        };
        machine.node_ip = around.vars_of(name).and_then(|vars| node_ip(vars, name, problems));
        machine.roles = Roles {
            control_plane: true,
            etcd: true,
            worker: true,
        };
        machines.push(machine);
    }
    machines
}

fn machine(around: &Around<'_>, name: &str, problems: &mut Diagnostics) -> Option<Machine> {
    let vars = around.vars_of(name)?;
    let address = text(vars, "ansible_host", problems).unwrap_or_else(|| name.to_owned());
    Some(Machine {
        name: name.to_owned(),
        address,
        node_ip: None,
        roles: Roles::default(),
    })
}

fn node_ip(vars: &HostVars, host: &str, problems: &mut Diagnostics) -> Option<String> {
    let ip = text(vars, "node_ip", problems)?;
    if ip.parse::<IpAddr>().is_err() {
        problems.push(
            Diagnostic::error(format!("node_ip of {host} is \"{ip}\", which is no address"))
                .at(vars.location("node_ip"))
                .help("give an address such as 10.0.0.11"),
        );
        return None;
    }
    Some(ip)
}

/// The variable as text; `None` when it is not set, empty or wrong, which `problems` then has.
fn text(vars: &HostVars, name: &str, problems: &mut Diagnostics) -> Option<String> {
    let value = problems.take(vars.string(name).map_err(Diagnostic::from))?;
    value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Whether `name` can be a node's: a subdomain of RFC 1123.
fn is_node_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 253
        && name.split('.').all(|label| {
            label.starts_with(plain) && label.ends_with(plain) && label.chars().all(|c| plain(c) || c == '-')
        })
}
