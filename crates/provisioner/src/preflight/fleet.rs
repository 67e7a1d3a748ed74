//! The inventory, as the checks see it.

use crate::Provisioner;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_inventory::vars::HostVars;
use mosip_prov_inventory::{Network, yaml};
use mosip_prov_preflight::fleet::{Cluster, Duty, Fleet, GROUPS, Machine, Mtus, Ports, duties_of};
use mosip_prov_preflight::ranges::{Of, Purpose, Range};
use mosip_prov_rke2::{Distribution, Flavor};
use std::sync::Arc;

/// The machine that this program runs on.
pub(super) const LOCALHOST: &str = "localhost";

/// Variables with the defaults of those who read them.
struct Reader<'a> {
    vars: HostVars,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn text(&mut self, name: &str) -> String {
        let value = self.problems.take(self.vars.string(name).map_err(Diagnostic::from));
        value.flatten().unwrap_or_default().trim().to_owned()
    }

    fn number<T: TryFrom<i64> + Default>(&mut self, name: &str) -> T {
        let value = self
            .problems
            .take(self.vars.int(name).map_err(Diagnostic::from))
            .flatten();
        let number = T::try_from(value.unwrap_or_default());
        number.unwrap_or_else(|_| {
            let message = format!("{name} is {}, which is out of bounds", value.unwrap_or_default());
            let problem = Diagnostic::error(message)
                .at(self.vars.location(name))
                .help("correct the number");
            self.problems.push(problem);
            T::default()
        })
    }

    fn range(&mut self, variable: &str, purpose: Purpose, of: Of) -> Option<Range> {
        let text = self.text(variable);
        let network = Network::parse(&text);
        if network.is_none() {
            let message = format!("{variable} is \"{text}\", which is no network of addresses");
            let problem = Diagnostic::error(message)
                .at(self.vars.location(variable))
                .help("give its first address and the length of its prefix: 10.42.0.0/16");
            self.problems.push(problem);
        }
        Some(Range {
            variable: variable.to_owned(),
            network: network?,
            purpose,
            of,
        })
    }
}

/// `vars` with a role's defaults below them.
pub(super) fn with_defaults(vars: &HostVars, defaults: &str, problems: &mut Diagnostics) -> HostVars {
    let defaults = problems
        .take(yaml::parse_vars(defaults, "<defaults>"))
        .unwrap_or_default();
    vars.clone().with_defaults(Arc::new(defaults))
}

/// The name of the deployment node.
pub(super) fn deployment_node(provisioner: &Provisioner) -> &str {
    let hosts = provisioner.inventory().hosts_of("deployment");
    hosts.first().copied().unwrap_or(LOCALHOST)
}

pub(super) fn read(provisioner: &Provisioner, problems: &mut Diagnostics) -> Fleet {
    let inventory = provisioner.inventory();
    let machines = machines(provisioner, problems);
    let has = |group: &str| !inventory.hosts_of(group).is_empty();
    let mut fleet = Fleet {
        machines,
        main: None,
        observation: None,
        ranges: Vec::new(),
        ports: Ports {
            workers: Vec::new(),
            observation: Vec::new(),
            vpn: 51820,
        },
        mtus: Mtus { pods: 0, vpn: None },
    };
    // The clusters' variables are those of the deployment node, which builds them.
    if let Some(vars) = provisioner.vars_of(deployment_node(provisioner)) {
        let vars = with_defaults(vars, role_rke_cluster::DEFAULTS, problems);
        let distribution = Distribution::read(&vars, problems);
        let mut reader = Reader { vars, problems };
        for (flavor, of) in [(Flavor::Main, Of::Main), (Flavor::Observation, Of::Observation)] {
            if !has(flavor.group()) {
                continue;
            }
            let (services, pods) = (
                flavor.variable("service_cluster_ip_range"),
                flavor.variable("cluster_cidr"),
            );
            fleet.ranges.extend(reader.range(services, Purpose::Services, of));
            fleet.ranges.extend(reader.range(pods, Purpose::Pods, of));
            let cluster = Some(Cluster {
                plugin: reader.text(flavor.variable("network_plugin")),
                rke2: distribution == Some(Distribution::Rke2),
            });
            match flavor {
                Flavor::Main => fleet.main = cluster,
                Flavor::Observation => fleet.observation = cluster,
            }
        }
        if has("physical_vms") || has("mosip_obs") {
            fleet.mtus.pods = reader.number("network_mtu");
        }
    }
    for host in inventory.hosts_of("nginx") {
        let Some(vars) = provisioner.vars_of(host) else {
            continue;
        };
        let vars = with_defaults(vars, role_nginx::DEFAULTS, problems);
        let mut reader = Reader { vars, problems };
        for name in [
            "nginx_public_ingress_nodeport",
            "nginx_internal_ingress_nodeport",
            "nginx_minio_ingress_nodeport",
            "nginx_postgres_nodeport",
            "nginx_activemq_nodeport",
        ] {
            add(&mut fleet.ports.workers, reader.number(name));
        }
    }
    for host in inventory.hosts_of("nginx_obs") {
        let Some(vars) = provisioner.vars_of(host) else {
            continue;
        };
        let vars = with_defaults(vars, role_nginx_obs::DEFAULTS, problems);
        let mut reader = Reader { vars, problems };
        add(
            &mut fleet.ports.observation,
            reader.number("nginx_obs_public_ingress_nodeport"),
        );
    }
    if let Some(vars) = inventory
        .hosts_of("wireguard")
        .first()
        .and_then(|host| provisioner.vars_of(host))
    {
        let vars = with_defaults(vars, mosip_prov_wireguard::settings::DEFAULTS, problems);
        let mut reader = Reader { vars, problems };
        fleet.ports.vpn = reader.number("wireguard_port");
        fleet.mtus.vpn = Some(reader.number("wireguard_mtu"));
        fleet
            .ranges
            .extend(reader.range("wireguard_internal_subnet", Purpose::Tunnel, Of::Vpn));
    }
    fleet
}

fn add(ports: &mut Vec<u16>, port: u16) {
    if port > 0 && !ports.contains(&port) {
        ports.push(port);
    }
}

fn machines(provisioner: &Provisioner, problems: &mut Diagnostics) -> Vec<Machine> {
    let inventory = provisioner.inventory();
    let deployment = deployment_node(provisioner);
    let mut names: Vec<&str> = Vec::new();
    for (group, _) in GROUPS {
        for host in inventory.hosts_of(group) {
            if !names.contains(&host) && host != deployment {
                names.push(host);
            }
        }
    }
    names.push(deployment);
    let said = |host: &str, name: &str| provisioner.vars_of(host)?.string(name).ok().flatten();
    let physical = |host: &str| said(host, "physical_vm");
    let mut found: Vec<Machine> = Vec::new();
    for name in names {
        let Some(vars) = provisioner.vars_of(name) else {
            continue;
        };
        let mut reader = Reader {
            vars: vars.clone(),
            problems,
        };
        let local = name == LOCALHOST || reader.text("ansible_connection") == "local";
        let address = match (local, reader.text("ansible_host")) {
            (true, _) => String::new(),
            (false, address) if address.is_empty() => name.to_owned(),
            (false, address) => address,
        };
        let ssh_port = match reader.text("ansible_port").parse() {
            Ok(port) if port > 0 => port,
            _ => 22,
        };
        let carried = inventory
            .hosts()
            .map(|host| host.name.as_ref())
            .filter(|host| physical(host).is_some_and(|vm| vm.trim() == name));
        let inner = [name].into_iter().chain(carried).find_map(|host| said(host, "node_ip"));
        let mut duties = duties_of(name, |group| inventory.hosts_of(group), physical);
        if name == deployment {
            duties.insert(Duty::Deployment);
        }
        let same = |other: &&mut Machine| {
            name != deployment && !address.is_empty() && other.address == address && other.ssh_port == ssh_port
        };
        if let Some(other) = found.iter_mut().find(same) {
            other.also.push(name.to_owned());
            other.duties.extend(duties);
            continue;
        }
        found.push(Machine {
            name: name.to_owned(),
            also: Vec::new(),
            inner_address: inner
                .map(|ip| ip.trim().to_owned())
                .filter(|ip| !ip.is_empty())
                .unwrap_or_else(|| address.clone()),
            address,
            ssh_port,
            duties,
        });
    }
    found
}
