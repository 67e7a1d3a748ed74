//! The deployment node's own part in a cluster that RKE2 builds: the token, before; kubeconfig, nodes, pods and the import
//! into Rancher, after.

mod kubeconfig;
mod labels;

pub use kubeconfig::{Fetched, readable_from};
pub use labels::WorkerLabels;

use mosip_prov_cluster::import::{AGENT, NAMESPACE};
use mosip_prov_cluster::{
    DeploymentReady, ImportReachable, Kubectl, MergedKubeconfig, NodesReady, PodsSettled, RancherImport,
    RancherImportLater,
};

use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::{Role, RoleContext, RoleTasks, RunAs, Task};
use mosip_prov_rke2::{Around, DEFAULTS, Distribution, Flavor, KeptToken, Settings, TokenFrom, Topology};

/// The tag of what builds the cluster.
pub const CLUSTER: &str = "cluster";
/// The tag of what is only looked at.
const VERIFY: &str = "verify";
/// The tag of what imports the cluster into Rancher.
const IMPORT: &str = "import";

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
        let Some((_, settings)) = described(self.flavor, around, problems) else {
            return made;
        };
        if let Some((url, _)) = &settings.import {
            // Named before the cluster is touched.
            let reachable = ImportReachable::new(&kubectl(&settings), url.expose());
            made.tasks
                .push(Task::new("See that the import URL answers", reachable).tag(IMPORT));
        }
        if let TokenFrom::Kept { path, .. } = settings.token {
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

fn kubectl(settings: &Settings) -> Kubectl {
    Kubectl::new(format!("{}/{KUBECONFIG_NAME}", settings.folder))
}

/// The name of the kubeconfig in the cluster's folder, as RKE 1 calls it.
pub const KUBECONFIG_NAME: &str = "kube_config_cluster.yml";

/// The role `rke2-cluster`: the kubeconfig, brought from a server; nodes and pods, waited for; the import into Rancher.
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
        let kubectl = kubectl(&settings);
        let fetched = Fetched::new(
            kubectl.kubeconfig(),
            server.name.as_str(),
            settings.api.as_str(),
            settings.name.as_str(),
        );
        let (server, questions) = fetched.consulted();
        let addresses = topology.machines.iter().filter(|m| m.roles.control_plane);
        let merged = MergedKubeconfig::new(kubectl.kubeconfig(), settings.name.as_str())
            .of_addresses(addresses.map(|m| m.address.as_str()).chain([settings.api.as_str()]));
        let all = topology.machines.iter().map(|m| m.name.as_str());
        let workers = topology
            .machines
            .iter()
            .filter(|m| m.roles.worker)
            .map(|m| m.name.as_str());
        made.tasks.extend([
            Task::new("Bring the kubeconfig of the cluster", fetched)
                .consult(server, RunAs::User("root".into()), questions)
                .tag(CLUSTER),
            Task::new("Add the cluster to ~/.kube/config", merged).tag(CLUSTER),
            Task::new("See that all nodes are ready", NodesReady::new(&kubectl, all))
                .tag(CLUSTER)
                .tag(VERIFY),
            Task::new("Show which nodes are workers", WorkerLabels::new(&kubectl, workers)).tag(CLUSTER),
            Task::new("See that no pod is still starting", PodsSettled::new(&kubectl))
                .tag(CLUSTER)
                .tag(VERIFY),
        ]);
        if let Some((url, timeout)) = settings.import {
            let agent = DeploymentReady::new(&kubectl, NAMESPACE, AGENT).for_at_most(timeout);
            made.tasks.extend([
                Task::new(
                    "Import the cluster into Rancher",
                    RancherImport::new(&kubectl, url.expose()),
                )
                .tag(IMPORT),
                Task::new("Wait for Rancher's agent", agent).tag(IMPORT),
            ]);
        } else if let Some(why) = settings.import_later {
            let later = RancherImportLater::new(why);
            made.tasks
                .push(Task::new("Import the cluster into Rancher", later).tag(IMPORT));
        }
        made
    }
}

impl Role for Rke2Cluster {
    fn name(&self) -> &str {
        "rke2-cluster"
    }

    fn summary(&self) -> &str {
        "an RKE2 cluster as the deployment node sees it: kubeconfig, nodes, pods, import into Rancher"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        self.tasks_for(&Around::of(cx), problems)
    }
}
