//! The two clusters, and what builds them.

use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::vars::HostVars;

/// Which of the two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// The cluster that MOSIP runs in.
    Main,
    /// The cluster of Rancher and Keycloak.
    Observation,
}

impl Flavor {
    /// The group of its machines.
    pub fn group(self) -> &'static str {
        match self {
            Self::Main => "physical_vms",
            Self::Observation => "mosip_obs",
        }
    }

    /// Its name in an operator's words.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Main => "the main cluster",
            Self::Observation => "the observation cluster",
        }
    }

    /// The variable that says `what`, by its name for the main cluster. Some are the same for both.
    pub fn variable(self, what: &'static str) -> &'static str {
        match (self, what) {
            (Self::Main, name) => name,
            (Self::Observation, "cluster_name") => "rancher_obs_cluster_name",
            (Self::Observation, "rancher_base_dir") => "rancher_obs_base_dir",
            (Self::Observation, "service_cluster_ip_range") => "rancher_obs_service_cluster_ip_range",
            (Self::Observation, "cluster_cidr") => "rancher_obs_cluster_cidr",
            (Self::Observation, "network_plugin") => "rancher_obs_network_plugin",
            (Self::Observation, "ingress_provider") => "rancher_obs_ingress_provider",
            (Self::Observation, name) => name,
        }
    }
}

/// What builds a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// RKE 1: Kubernetes in containers of Docker, built from the deployment node.
    Rke1,
    /// RKE2: Kubernetes as a service of every machine.
    Rke2,
}

/// The variable that chooses.
pub const VARIABLE: &str = "cluster_distribution";

impl Distribution {
    /// What `cluster_distribution` says; RKE 1 when it is not set. `None` when it is wrong, which `problems` then has.
    pub fn read(vars: &HostVars, problems: &mut Diagnostics) -> Option<Self> {
        let text = problems.take(vars.string(VARIABLE).map_err(Diagnostic::from))?;
        match text.as_deref().map(str::trim) {
            None | Some("" | "rke1" | "rke") => Some(Self::Rke1),
            Some("rke2") => Some(Self::Rke2),
            Some(other) => {
                problems.push(
                    Diagnostic::error(format!("{VARIABLE} is \"{other}\", which builds no cluster"))
                        .at(vars.location(VARIABLE))
                        .help("give rke1 or rke2"),
                );
                None
            }
        }
    }
}
