//! Values of terraform that follow from the inventory.

use super::vars_of_group;
use crate::Provisioner;
use mosip_prov_cluster::Kubeconfig;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_inventory::vars::HostVars;
use mosip_prov_inventory::yaml;
use mosip_prov_rke2::{Flavor, Reader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A value that follows from the inventory.
#[derive(Debug, Clone)]
pub struct Derived {
    /// The variable of terraform.
    pub name: &'static str,
    /// The value that is written where there is none.
    pub value: String,
    /// All values that are right; the path of a kubeconfig is judged by what it holds instead.
    pub right: Vec<String>,
    /// What it follows from, in a few words.
    pub because: String,
    /// Where that is set.
    pub place: Option<Location>,
    /// When it is the path of a kubeconfig: of which cluster.
    pub kubeconfig: Option<KubeconfigOf>,
}

/// The cluster whose kubeconfig is wanted.
#[derive(Debug, Clone)]
pub struct KubeconfigOf {
    /// The cluster, in words.
    pub cluster: &'static str,
    /// The file that building the cluster writes.
    pub written: PathBuf,
    /// Addresses and names of its machines.
    pub addresses: Vec<String>,
    /// The file need not be there yet.
    pub may_be_absent: bool,
}

fn text(vars: Option<&HostVars>, name: &str, problems: &mut Diagnostics) -> Option<String> {
    let value = problems.take(vars?.string(name).map_err(Diagnostic::from)).flatten()?;
    Some(value.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The values of the root of that cluster.
pub(super) fn of(provisioner: &Provisioner, node: &str, flavor: Flavor, problems: &mut Diagnostics) -> Vec<Derived> {
    let vars = provisioner.vars_of(node);
    let mut found = Vec::new();
    match flavor {
        Flavor::Observation => found.extend(rancher_hostname(provisioner, vars, problems)),
        Flavor::Main => found.extend(installation_domain(provisioner, vars, problems)),
    }
    found.extend(kubeconfig_path(provisioner, vars, flavor, problems));
    found
}

/// `mosip_domain`, as the fronts and the deployment node know it, and where it is set.
fn mosip_domain(
    provisioner: &Provisioner,
    vars: Option<&HostVars>,
    problems: &mut Diagnostics,
) -> Option<(String, Option<Location>)> {
    let all = [
        vars,
        vars_of_group(provisioner, "nginx"),
        vars_of_group(provisioner, "nginx_obs"),
    ];
    all.into_iter().flatten().find_map(|vars| {
        let domain = text(Some(vars), "mosip_domain", problems)?;
        Some((domain, vars.set_at("mosip_domain")))
    })
}

fn rancher_hostname(provisioner: &Provisioner, vars: Option<&HostVars>, problems: &mut Diagnostics) -> Option<Derived> {
    const NAMES: &str = "nginx_obs_public_domain_names";
    let front = vars_of_group(provisioner, "nginx_obs").or(vars)?;
    let names = problems.take(front.string_list(NAMES, true).map_err(Diagnostic::from))?;
    let names = names.unwrap_or_default();
    let place = front.set_at(NAMES);
    let domain = mosip_domain(provisioner, vars, problems).map(|(domain, _)| domain);
    let wanted = match &domain {
        Some(domain) => Some(format!("rancher.{domain}")).filter(|name| names.contains(name)),
        None => names.iter().find(|name| name.starts_with("rancher.")).cloned(),
    };
    let Some(value) = wanted else {
        let name = domain.map_or_else(|| "a name rancher.…".into(), |domain| format!("rancher.{domain}"));
        let problem = match names.is_empty() {
            true => format!("{NAMES} is not set, so that the observation front serves no Rancher"),
            false => format!(
                "{name} is not among the names that the observation front serves: {}",
                names.join(" ")
            ),
        };
        problems.push(
            Diagnostic::error(problem)
                .at(place)
                .help(format!("put {name} into {NAMES}, and deploy the front again")),
        );
        return None;
    };
    Some(Derived {
        name: "rancher_hostname",
        value,
        because: format!("the observation front serves {}", names.join(" ")),
        right: names,
        place,
        kubeconfig: None,
    })
}

fn installation_domain(
    provisioner: &Provisioner,
    vars: Option<&HostVars>,
    problems: &mut Diagnostics,
) -> Option<Derived> {
    let before = problems.error_count();
    let Some((domain, place)) = mosip_domain(provisioner, vars, problems) else {
        if problems.error_count() == before {
            problems.push(
                Diagnostic::error("mosip_domain is not set")
                    .help("set it in group_vars/all.yml: mosip_domain: mosip.example.org"),
            );
        }
        return None;
    };
    Some(Derived {
        name: "installation_domain",
        value: domain.clone(),
        because: format!("mosip_domain is {domain}"),
        right: vec![domain],
        place,
        kubeconfig: None,
    })
}

fn kubeconfig_path(
    provisioner: &Provisioner,
    vars: Option<&HostVars>,
    flavor: Flavor,
    problems: &mut Diagnostics,
) -> Option<Derived> {
    let defaults = problems.take(yaml::parse_vars(
        role_rke_cluster::DEFAULTS,
        "<defaults of role rke-cluster>",
    ))?;
    let vars = vars?.clone().with_defaults(Arc::new(defaults));
    let before = problems.error_count();
    let mut reader = Reader { vars: &vars, problems };
    let name = reader.cluster_name(flavor);
    let folder = reader.folder(flavor, &name);
    if problems.error_count() > before {
        return None;
    }
    let written = Path::new(&folder).join("kube_config_cluster.yml");
    let mut addresses = Vec::new();
    for host in provisioner.inventory().hosts_of(flavor.group()) {
        addresses.push(host.to_owned());
        for variable in ["ansible_host", "node_ip"] {
            addresses.extend(text(provisioner.vars_of(host), variable, problems));
        }
    }
    for group in ["control_plane_nodes", "etcd_nodes", "worker_nodes"] {
        let hosts = provisioner.inventory().hosts_of(group);
        let hosts = hosts.into_iter().filter(|_| flavor == Flavor::Main);
        addresses.extend(hosts.filter_map(|host| text(provisioner.vars_of(host), "node_ip", problems)));
    }
    addresses.extend(text(Some(&vars), "rke2_api_address", problems));
    addresses.sort();
    addresses.dedup();
    Some(Derived {
        name: "kubeconfig_path",
        value: written.to_string_lossy().into_owned(),
        right: Vec::new(),
        because: format!("building {} writes {}", flavor.shown(), written.display()),
        place: vars.set_at(flavor.variable("rancher_base_dir")),
        kubeconfig: Some(KubeconfigOf {
            cluster: flavor.shown(),
            written,
            addresses,
            may_be_absent: false,
        }),
    })
}

/// What is wrong with a kubeconfig.
pub(super) struct WrongKubeconfig {
    pub what: String,
    pub help: String,
}

impl KubeconfigOf {
    /// Whether the file at `path` is a kubeconfig of the cluster: the authority is that of the file that building the
    /// cluster wrote, where that is there, and the server is one of its machines.
    pub(super) fn check(&self, path: &Path) -> Result<(), WrongKubeconfig> {
        let wrong = |what: String, help: String| Err(WrongKubeconfig { what, help });
        let written = self.written.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.may_be_absent => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return wrong(
                    format!("there is no file {}", path.display()),
                    format!("build {} first; that writes {written}", self.cluster),
                );
            }
            Err(error) => {
                return wrong(
                    format!("{} cannot be read: {error}", path.display()),
                    "see who owns it; terraform reads it as the user who runs this".into(),
                );
            }
        };
        let config = match Kubeconfig::parse(&text) {
            Ok(config) => config,
            Err(what) => {
                return wrong(
                    format!("{} is no kubeconfig: {what}", path.display()),
                    format!("name the kubeconfig of {}: {written}", self.cluster),
                );
            }
        };
        let Some(server) = config.server() else {
            return wrong(
                format!("{} has no context that is chosen", path.display()),
                format!("choose one with kubectl config use-context, or name {written}"),
            );
        };
        let own = std::fs::read_to_string(&self.written)
            .ok()
            .and_then(|text| Kubeconfig::parse(&text).ok());
        let other_authority = own
            .as_ref()
            .is_some_and(|own| config.has_authority_of(own) == Some(false));
        let known = self.addresses.iter().any(|address| address == server)
            || own.as_ref().and_then(Kubeconfig::server) == Some(server);
        if other_authority || !known {
            let how = match other_authority {
                true => format!("its authority is not that of {written}"),
                false => format!(
                    "its server is {server}, and the machines are {}",
                    self.addresses.join(", ")
                ),
            };
            return wrong(
                format!("{} is of another cluster than {}: {how}", path.display(), self.cluster),
                format!("name the kubeconfig of {}: {written}", self.cluster),
            );
        }
        Ok(())
    }
}
