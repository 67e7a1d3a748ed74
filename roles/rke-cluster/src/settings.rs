//! The settings of a cluster, as `defaults.yml` documents them.

use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_resources::download::is_sha256;
use mosip_prov_resources::vars::HostVars;
use mosip_prov_rke2::{Flavor, Machine};
use std::net::Ipv4Addr;
use std::time::Duration;

/// All settings of a cluster.
#[derive(Clone)]
pub struct Settings {
    /// The cluster's name.
    pub name: String,
    /// Its folder on the deployment node.
    pub folder: String,
    /// Whether a cluster of other machines in the folder stops the run.
    pub check_existing: bool,
    /// The release of rke.
    pub rke_version: String,
    /// A file on the deployment node that is rke; empty: downloaded.
    pub rke_binary_path: String,
    /// Where rke is downloaded from.
    pub rke_download_url: String,
    /// SHA-256 of rke; empty: not compared.
    pub rke_sha256: String,
    /// How long `rke up` may take.
    pub up_timeout: Duration,
    /// How many copies of the state are kept.
    pub state_backups: u32,
    /// Who logs in to the nodes.
    pub ssh_user: String,
    /// The key on the deployment node; may begin with `~/`.
    pub ssh_key_path: String,
    /// Empty: rke's default.
    pub kubernetes_version: String,
    /// Pods of a node.
    pub max_pods: u32,
    /// Addresses of services.
    pub service_range: String,
    /// Addresses of pods.
    pub cluster_cidr: String,
    /// The cluster's domain.
    pub domain: String,
    /// The address of the cluster's DNS.
    pub dns_server: String,
    /// The network plugin.
    pub plugin: String,
    /// MTU of pods; 0: the plugin's own.
    pub mtu: u32,
    /// How clients prove who they are.
    pub auth_strategy: String,
    /// The ingress controller.
    pub ingress: String,
    /// Rancher's import URL, which holds a token; empty: none.
    pub import_url: String,
    /// How long Rancher's agent may take.
    pub import_timeout: Duration,
}

/// The variable of the cluster `flavor` that the main cluster calls `name`.
pub fn variable(flavor: Flavor, name: &'static str) -> &'static str {
    match (flavor, name) {
        (Flavor::Observation, "check_existing_config") => "rancher_obs_check_existing_config",
        (Flavor::Observation, "kubernetes_version") => "rancher_obs_kubernetes_version",
        _ => flavor.variable(name),
    }
}

type Network = (u32, u32);

struct Reader<'a> {
    vars: &'a HostVars,
    problems: &'a mut Diagnostics,
}

fn overlap(a: Network, b: Network) -> bool {
    let bits = a.1.min(b.1);
    bits == 0 || (a.0 ^ b.0) >> (32 - bits) == 0
}

fn network(text: &str) -> Option<Network> {
    let (address, bits) = text.trim().split_once('/')?;
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    Some((u32::from(address.parse::<Ipv4Addr>().ok()?), bits))
}

/// Whether `text` is `v`, three numbers, and a rest for which `rest` holds.
fn is_version(text: &str, rest: impl Fn(&str) -> bool) -> bool {
    let Some(numbers) = text.strip_prefix('v') else {
        return false;
    };
    let (numbers, more) = numbers.find('-').map_or((numbers, ""), |at| numbers.split_at(at));
    let parts: Vec<&str> = numbers.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok()) && rest(more)
}

impl Reader<'_> {
    fn error(&mut self, name: &str, message: String, help: &str) {
        let place = self.vars.set_at(name);
        self.problems.push(Diagnostic::error(message).at(place).help(help));
    }

    fn text(&mut self, name: &str) -> String {
        let value = self.problems.take(self.vars.string(name).map_err(Diagnostic::from));
        value.flatten().unwrap_or_default().trim().to_owned()
    }

    fn bool(&mut self, name: &str) -> bool {
        let value = self.problems.take(self.vars.bool(name).map_err(Diagnostic::from));
        value.flatten().unwrap_or(true)
    }

    fn number(&mut self, name: &str, range: std::ops::RangeInclusive<u32>, or_zero: bool) -> u32 {
        let value = self.problems.take(self.vars.int(name).map_err(Diagnostic::from));
        let Some(number) = value.flatten() else {
            return *range.start();
        };
        match u32::try_from(number) {
            Ok(number) if range.contains(&number) || (or_zero && number == 0) => number,
            _ => {
                let (from, to) = (range.start(), range.end());
                let message = format!("{name} is {number}, and a number from {from} to {to} is wanted");
                self.error(name, message, "correct the number");
                *range.start()
            }
        }
    }

    fn one_of(&mut self, name: &str, all: &[&str]) -> String {
        let text = self.text(name);
        if !all.contains(&text.as_str()) {
            let message = format!("{name} is \"{text}\", which RKE does not have");
            self.error(name, message, &format!("give one of: {}", all.join(", ")));
        }
        text
    }

    fn network(&mut self, name: &str) -> (String, Option<Network>) {
        let text = self.text(name);
        let mask = |bits: u32| if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
        let found = network(&text).filter(|(address, bits)| (8..=28).contains(bits) && address & !mask(*bits) == 0);
        if found.is_none() {
            self.error(
                name,
                format!("{name} is \"{text}\", which is no network of addresses"),
                "give its first address and the length of its prefix: 10.42.0.0/16",
            );
        }
        (text, found)
    }

    fn apart(&mut self, name: &str, one: Option<Network>, other_name: &str, other: Option<Network>) {
        if let (Some(one), Some(other)) = (one, other)
            && overlap(one, other)
        {
            self.error(
                name,
                format!("the addresses of {name} and {other_name} overlap"),
                "give them networks that have no address in common",
            );
        }
    }

    fn ranges(&mut self, flavor: Flavor) -> (String, String, Option<Network>) {
        let (services, pods) = (
            variable(flavor, "service_cluster_ip_range"),
            variable(flavor, "cluster_cidr"),
        );
        let (service_range, service_network) = self.network(services);
        let (cluster_cidr, pod_network) = self.network(pods);
        self.apart(services, service_network, pods, pod_network);
        let vpn = self.text("wireguard_network");
        for one in vpn.split(',').filter_map(network) {
            self.apart(services, service_network, "wireguard_network", Some(one));
            self.apart(pods, pod_network, "wireguard_network", Some(one));
        }
        (service_range, cluster_cidr, service_network)
    }

    fn dns(&mut self, flavor: Flavor, services: Option<Network>) -> String {
        let name = "cluster_dns_server";
        let text = self.text(name);
        let Some(services) = services else { return text };
        let inside = |address: u32| overlap((address, 32), services);
        match text.parse::<Ipv4Addr>() {
            Ok(address) if inside(address.into()) => text,
            // One variable for two clusters: it fits the main one.
            _ if flavor == Flavor::Observation => Ipv4Addr::from(services.0 + 10).to_string(),
            _ => {
                let range = variable(flavor, "service_cluster_ip_range");
                let message = format!("{name} is \"{text}\", which is no address of {range}");
                let help = format!("give one of that network: {}", Ipv4Addr::from(services.0 + 10));
                self.error(name, message, &help);
                text
            }
        }
    }

    fn folder(&mut self, flavor: Flavor, cluster: &str) -> String {
        let name = variable(flavor, "rancher_base_dir");
        let base = self.text(name);
        if !base.starts_with('/') {
            let help = if base.starts_with('~') {
                "write the folder out, such as /home/ubuntu/rancher: ~ is another folder for every user who runs this"
            } else {
                "give an absolute path, such as /home/ubuntu/rancher"
            };
            self.error(name, format!("{name} is \"{base}\", which is no absolute path"), help);
        }
        let base = base.trim_end_matches('/');
        match flavor {
            Flavor::Main => format!("{base}/{cluster}"),
            Flavor::Observation => base.to_owned(),
        }
    }

    fn name(&mut self, flavor: Flavor) -> String {
        let name = variable(flavor, "cluster_name");
        let text = self.text(name);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || !text.chars().all(plain) || text.starts_with('.') {
            let message = format!("{name} is \"{text}\", which is no name of a cluster");
            self.error(name, message, "use letters, digits, - and _");
        }
        text
    }

    fn version(&mut self, name: &str, good: bool, text: &str, form: &str) {
        if !good {
            let message = format!("{name} is \"{text}\", which is no version");
            self.error(name, message, &format!("write it as the release is called: {form}"));
        }
    }

    fn key(&mut self) -> String {
        let name = "ssh_key_path";
        let text = self.text(name);
        if !text.starts_with('/') && !text.starts_with("~/") {
            let message = format!("{name} is \"{text}\", which is no path of a key on the deployment node");
            self.error(name, message, "give an absolute path, or one that begins with ~/");
        }
        text
    }

    fn import_url(&mut self) -> String {
        let name = "rancher_import_url";
        let secret = self
            .problems
            .take(self.vars.secret(name).map_err(Diagnostic::from))
            .flatten();
        let text = secret
            .map(|secret| secret.expose().trim().to_owned())
            .unwrap_or_default();
        let whole = text.starts_with("https://") || text.starts_with("http://");
        if !text.is_empty() && (!whole || text.contains(char::is_whitespace)) {
            // The URL holds a token: the line that it stands in is not shown.
            let place = self.vars.set_at(name).map(|place| Location { text: None, ..place });
            self.problems.push(
                Diagnostic::error(format!("{name} is no URL"))
                    .at(place)
                    .help("copy the URL alone, which begins with https://, out of the command that Rancher shows"),
            );
        }
        text
    }
}

impl Settings {
    /// Reads them; all that is wrong goes into `problems`, and then there are none.
    pub fn read(flavor: Flavor, vars: &HostVars, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let mut r = Reader { vars, problems };
        let name = r.name(flavor);
        let folder = r.folder(flavor, &name);
        let (service_range, cluster_cidr, services) = r.ranges(flavor);
        let rke_version = r.text("rke_version");
        let rc = |rest: &str| rest.is_empty() || rest.starts_with("-rc");
        r.version("rke_version", is_version(&rke_version, rc), &rke_version, "v1.3.10");
        let kubernetes = variable(flavor, "kubernetes_version");
        let kubernetes_version = r.text(kubernetes);
        let good =
            kubernetes_version.is_empty() || is_version(&kubernetes_version, |rest| rest.starts_with("-rancher"));
        r.version(
            kubernetes,
            good,
            &kubernetes_version,
            "v1.22.9-rancher1-1, or leave it empty",
        );
        let rke_sha256 = r.text("rke_sha256").to_ascii_lowercase();
        if !rke_sha256.is_empty() && !is_sha256(&rke_sha256) {
            let message = format!("rke_sha256 is \"{rke_sha256}\", which is no SHA-256");
            r.error(
                "rke_sha256",
                message,
                "give the 64 hexadecimal digits that the release publishes",
            );
        }
        let rke_binary_path = r.text("rke_binary_path");
        if !rke_binary_path.is_empty() && !rke_binary_path.starts_with('/') {
            let message = format!("rke_binary_path is \"{rke_binary_path}\", which is no absolute path");
            r.error(
                "rke_binary_path",
                message,
                "give the path of the file on the deployment node",
            );
        }
        let strategy = r.text("auth_strategy");
        if !["x509", "x509|webhook"].contains(&strategy.as_str()) {
            let message = format!("auth_strategy is \"{strategy}\", which RKE does not have");
            r.error("auth_strategy", message, "give x509 or x509|webhook");
        }
        let ssh_user = r.text("ssh_user");
        if ssh_user.is_empty() {
            r.error(
                "ssh_user",
                "ssh_user is empty".into(),
                "give the user who logs in to the nodes",
            );
        }
        let mtu = r.number("network_mtu", 576..=9000, true);
        let plugin = r.one_of(
            variable(flavor, "network_plugin"),
            &["canal", "calico", "flannel", "weave", "none"],
        );
        let made = Self {
            check_existing: r.bool(variable(flavor, "check_existing_config")),
            rke_download_url: r.text("rke_download_url"),
            up_timeout: Duration::from_secs(r.number("rke_up_timeout", 60..=86_400, false).into()),
            state_backups: r.number("rke_state_backups", 1..=1000, false),
            ssh_key_path: r.key(),
            max_pods: r.number("kubelet_max_pods", 1..=2000, false),
            domain: r.text("cluster_domain"),
            dns_server: r.dns(flavor, services),
            ingress: r.one_of(variable(flavor, "ingress_provider"), &["nginx", "none"]),
            import_url: if flavor == Flavor::Main {
                r.import_url()
            } else {
                String::new()
            },
            import_timeout: Duration::from_secs(r.number("rancher_import_timeout", 10..=86_400, false).into()),
            // RKE refuses an MTU for flannel.
            mtu: if plugin == "flannel" { 0 } else { mtu },
            plugin,
            auth_strategy: strategy,
            name,
            folder,
            rke_version,
            rke_binary_path,
            rke_sha256,
            ssh_user,
            kubernetes_version,
            service_range,
            cluster_cidr,
        };
        (problems.error_count() == before).then_some(made)
    }

    /// The path of a file in the cluster's folder.
    pub fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// The path of the kubeconfig that RKE writes.
    pub fn kubeconfig(&self) -> String {
        self.file("kube_config_cluster.yml")
    }
}

/// What is wrong with the machines beyond what their inventory says of each.
pub fn check_machines(flavor: Flavor, machines: &[Machine], of_other: &[String], problems: &mut Diagnostics) {
    let cluster = flavor.shown();
    for (at, machine) in machines.iter().enumerate() {
        if let Some(other) = machines[..at].iter().find(|other| other.address == machine.address) {
            problems.push(
                Diagnostic::error(format!(
                    "{} and {} of {cluster} have one address, {}: RKE takes each address once",
                    other.name, machine.name, machine.address
                ))
                .help("correct ansible_host, or give all roles to one of the two names"),
            );
        }
        let roles = machine.roles;
        if roles.control_plane && !roles.etcd && !roles.worker {
            problems.push(
                Diagnostic::warning(format!(
                    "{} carries the control plane alone, neither etcd nor worker",
                    machine.name
                ))
                .help("that works; the guide's control-plane machines carry etcd too"),
            );
        }
        if of_other.contains(&machine.address) {
            problems.push(
                Diagnostic::warning(format!("{} ({}) is in both clusters", machine.name, machine.address))
                    .help("give each cluster machines of its own: two of RKE's clusters do not fit on one"),
            );
        }
    }
    if !machines.iter().any(|machine| machine.roles.worker) {
        problems.push(
            Diagnostic::error(format!("no machine of {cluster} is a worker"))
                .help("give worker_nodes a host whose physical_vm is a machine of the cluster"),
        );
    }
    if flavor == Flavor::Observation && machines.len() > 1 {
        problems.push(
            Diagnostic::warning(format!(
                "{cluster} has {} machines, and the guide gives it one",
                machines.len()
            ))
            .help("leave one host in mosip_obs"),
        );
    }
}
