//! The deployment node's own part in a cluster that RKE2 builds: the token, before; the kubeconfig, after.

mod kubeconfig;

pub use kubeconfig::{Fetched, readable_from};

use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::{Role, RoleContext, RoleTasks, RunAs, Task};
use mosip_prov_rke2::{Around, DEFAULTS, Distribution, Flavor, KeptToken, Settings, TokenFrom, Topology};

/// The tag of what builds the cluster.
pub const CLUSTER: &str = "cluster";

/// The cluster as it is described, when RKE2 builds it; `None` when it does not, or something is wrong, which `problems`
/// then has.
pub fn described(flavor: Flavor, around: &Around<'_>, problems: &mut Diagnostics) -> Option<(Topology, Settings)> {
    if Distribution::read(around.vars, problems)? != Distribution::Rke2 {
        return None;
    }
    let topology = Topology::read(flavor, around, problems)?;
    let settings = Settings::read(flavor, around, &topology, problems)?;
    Some((topology, settings))
}

/// The role `rke2-token`: the token by which nodes are let into the cluster, made once.
#[derive(Debug, Clone, Copy)]
pub struct Rke2Token {
    flavor: Flavor,
}

impl Rke2Token {
    /// That of a cluster.
    pub fn new(flavor: Flavor) -> Self {
        Self { flavor }
    }

    /// The tasks for the host of `around`. All that is wrong goes into `problems`.
    pub fn tasks_for(self, around: &Around<'_>, problems: &mut Diagnostics) -> RoleTasks {
        let mut made = RoleTasks::default();
        if let Some((_, settings)) = described(self.flavor, around, problems)
            && let TokenFrom::Kept { path, .. } = settings.token
        {
            let name = "Keep the token by which nodes join the cluster";
            made.tasks.push(Task::new(name, KeptToken::at(path)).tag(CLUSTER));
        }
        made
    }
}

impl Role for Rke2Token {
    fn name(&self) -> &str {
        "rke2-token"
    }

    fn summary(&self) -> &str {
        "the token of an RKE2 cluster: random, made once, kept for the one who deploys"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        self.tasks_for(&Around::of(cx), problems)
    }
}

/// The name of the kubeconfig in the cluster's folder, as RKE 1 calls it.
pub const KUBECONFIG_NAME: &str = "kube_config_cluster.yml";

/// The role `rke2-cluster`: the kubeconfig, brought from a server.
#[derive(Debug, Clone, Copy)]
pub struct Rke2Cluster {
    flavor: Flavor,
}

impl Rke2Cluster {
    /// That of a cluster.
    pub fn new(flavor: Flavor) -> Self {
        Self { flavor }
    }

    /// The tasks for the host of `around`. All that is wrong goes into `problems`.
    pub fn tasks_for(self, around: &Around<'_>, problems: &mut Diagnostics) -> RoleTasks {
        let mut made = RoleTasks::default();
        let Some((topology, settings)) = described(self.flavor, around, problems) else {
            return made;
        };
        let Some(server) = topology.api_server() else {
            return made;
        };
        let path = format!("{}/{KUBECONFIG_NAME}", settings.folder);
        let kubeconfig = Fetched::new(
            path,
            server.name.as_str(),
            settings.api.as_str(),
            settings.name.as_str(),
        );
        let (server, questions) = kubeconfig.consulted();
        made.tasks.push(
            Task::new("Bring the kubeconfig of the cluster", kubeconfig)
                .consult(server, RunAs::User("root".into()), questions)
                .tag(CLUSTER),
        );
        made
    }
}

impl Role for Rke2Cluster {
    fn name(&self) -> &str {
        "rke2-cluster"
    }

    fn summary(&self) -> &str {
        "the kubeconfig of an RKE2 cluster on the deployment node"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        self.tasks_for(&Around::of(cx), problems)
    }
}
