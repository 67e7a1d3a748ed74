//! The settings of a cluster, as `defaults.yml` documents them.

use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::download::is_sha256;
use mosip_prov_resources::vars::HostVars;
use mosip_prov_rke2::{Flavor, Machine, Reader};
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
    /// Why that URL is still to be had from Rancher; `None` when it is not.
    pub import_later: Option<String>,
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

/// Whether `text` is `v`, three numbers, and a rest for which `rest` holds.
fn is_version(text: &str, rest: impl Fn(&str) -> bool) -> bool {
    let Some(numbers) = text.strip_prefix('v') else {
        return false;
    };
    let (numbers, more) = numbers.find('-').map_or((numbers, ""), |at| numbers.split_at(at));
    let parts: Vec<&str> = numbers.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok()) && rest(more)
}

fn flag(r: &mut Reader<'_>, name: &str) -> bool {
    let value = r.problems.take(r.vars.bool(name).map_err(Diagnostic::from));
    value.flatten().unwrap_or(true)
}

fn one_of(r: &mut Reader<'_>, name: &str, all: &[&str]) -> String {
    let text = r.text(name);
    if !all.contains(&text.as_str()) {
        let message = format!("{name} is \"{text}\", which RKE does not have");
        r.error(name, message, &format!("give one of: {}", all.join(", ")));
    }
    text
}

fn version(r: &mut Reader<'_>, name: &str, good: bool, text: &str, form: &str) {
    if !good {
        let message = format!("{name} is \"{text}\", which is no version");
        r.error(name, message, &format!("write it as the release is called: {form}"));
    }
}

fn key(r: &mut Reader<'_>) -> String {
    let name = "ssh_key_path";
    let text = r.text(name);
    if !text.starts_with('/') && !text.starts_with("~/") {
        let message = format!("{name} is \"{text}\", which is no path of a key on the deployment node");
        r.error(name, message, "give an absolute path, or one that begins with ~/");
    }
    text
}

impl Settings {
    /// Reads them; all that is wrong goes into `problems`, and then there are none.
    pub fn read(flavor: Flavor, vars: &HostVars, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let mut r = Reader { vars, problems };
        let name = r.cluster_name(flavor);
        let folder = r.folder(flavor, &name);
        let (service_range, cluster_cidr, services) = r.ranges(flavor);
        let rke_version = r.text("rke_version");
        let rc = |rest: &str| rest.is_empty() || rest.starts_with("-rc");
        version(
            &mut r,
            "rke_version",
            is_version(&rke_version, rc),
            &rke_version,
            "v1.3.10",
        );
        let kubernetes = variable(flavor, "kubernetes_version");
        let kubernetes_version = r.text(kubernetes);
        let good =
            kubernetes_version.is_empty() || is_version(&kubernetes_version, |rest| rest.starts_with("-rancher"));
        version(
            &mut r,
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
        let mtu = r.number_or_zero("network_mtu", 576..=9000);
        let plugin = one_of(
            &mut r,
            variable(flavor, "network_plugin"),
            &["canal", "calico", "flannel", "weave", "none"],
        );
        let made = Self {
            check_existing: flag(&mut r, variable(flavor, "check_existing_config")),
            rke_download_url: r.text("rke_download_url"),
            up_timeout: Duration::from_secs(r.number("rke_up_timeout", 60..=86_400).into()),
            state_backups: r.number("rke_state_backups", 1..=1000),
            ssh_key_path: key(&mut r),
            max_pods: r.number("kubelet_max_pods", 1..=2000),
            domain: r.text("cluster_domain"),
            dns_server: r.dns(flavor, services),
            ingress: one_of(&mut r, variable(flavor, "ingress_provider"), &["nginx", "none"]),
            import_url: r.import_url(flavor).unwrap_or_default(),
            import_later: r.import_later(flavor),
            import_timeout: Duration::from_secs(r.number("rancher_import_timeout", 10..=86_400).into()),
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
