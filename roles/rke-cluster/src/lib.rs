//! A cluster that RKE 1 builds from the deployment node: the main cluster, or that of Rancher and Keycloak.

pub mod before;
pub mod canal;
pub mod cluster_yml;
pub mod settings;
pub mod up;

use before::{CanBuild, NoOtherCluster};
use canal::{CanalMtu, CanalPods};
use mosip_prov_cluster::{
    DeploymentReady, ImportReachable, Kubectl, MergedKubeconfig, NodesReady, PodsSettled, RancherImport,
    RancherImportLater, UserFile, import,
};
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::download::VersionCheck;
use mosip_prov_resources::{Download, Role, RoleContext, RoleTasks, RunAs, Task};
use mosip_prov_rke2::{Around, Distribution, Flavor, Machine, Topology};
use settings::{Settings, check_machines, variable};
use up::RkeUp;

/// The defaults of the variables that the role reads.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

/// Tags of the tasks.
pub mod tags {
    /// What builds the cluster.
    pub const CLUSTER: &str = "cluster";
    /// The MTU of pods.
    pub const MTU: &str = "mtu";
    /// Importing the cluster into Rancher.
    pub const IMPORT: &str = "import";
    /// What only asks whether the cluster is well.
    pub const VERIFY: &str = "verify";
}

/// The groups that say which machine is what.
const GROUPS: [&str; 3] = ["control_plane_nodes", "etcd_nodes", "worker_nodes"];

/// What of the role is done: see [`RkeCluster`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Checks,
    Build,
    Finish,
}

/// The role `rke-cluster`, in three parts: what must hold before anything is changed, building the cluster, and what comes
/// when all nodes have their MTU. Where `cluster_distribution` is `rke2` it has no tasks.
#[derive(Debug, Clone, Copy)]
pub struct RkeCluster {
    flavor: Flavor,
    part: Part,
}

/// A cluster as it is described.
#[derive(Clone)]
pub struct Described {
    /// Its settings.
    pub settings: Settings,
    /// Its machines that carry something, in the inventory's order.
    pub machines: Vec<Machine>,
}

impl RkeCluster {
    /// The main cluster is built.
    pub fn main() -> Self {
        Self::of(Flavor::Main)
    }

    /// The observation cluster is built.
    pub fn observation() -> Self {
        Self::of(Flavor::Observation)
    }

    /// A cluster is built.
    pub fn of(flavor: Flavor) -> Self {
        Self {
            flavor,
            part: Part::Build,
        }
    }

    /// Instead: what must hold before anything is changed anywhere.
    #[must_use]
    pub fn checks(mut self) -> Self {
        self.part = Part::Checks;
        self
    }

    /// Instead: Rancher's import, and whether all is well in the end.
    #[must_use]
    pub fn finish(mut self) -> Self {
        self.part = Part::Finish;
        self
    }

    /// The cluster as the inventory describes it, when RKE 1 builds it; `None` when it does not, or something is wrong,
    /// which `problems` then has.
    pub fn described(self, around: &Around<'_>, problems: &mut Diagnostics) -> Option<Described> {
        if Distribution::read(around.vars, problems)? != Distribution::Rke1 {
            return None;
        }
        let before = problems.error_count();
        let topology = Topology::read(self.flavor, around, problems);
        let settings = Settings::read(self.flavor, around.vars, problems);
        let machines = topology.map(|topology| topology.machines);
        if let Some(machines) = &machines {
            let other = match self.flavor {
                Flavor::Main => Flavor::Observation,
                Flavor::Observation => Flavor::Main,
            };
            let address = |host: &str| around.vars_of(host)?.string("ansible_host").ok().flatten();
            let of_other: Vec<String> = around.hosts_of(other.group()).into_iter().filter_map(address).collect();
            check_machines(self.flavor, machines, &of_other, problems);
        }
        (problems.error_count() == before).then_some(Described {
            settings: settings?,
            machines: machines?,
        })
    }

    /// The tasks for the host of `around`. All that is wrong goes into `problems`.
    pub fn tasks_for(self, around: &Around<'_>, problems: &mut Diagnostics) -> RoleTasks {
        if self.flavor == Flavor::Main && GROUPS.iter().all(|group| around.hosts_of(group).is_empty()) {
            // Machines can be prepared without any of that, so it is no mistake of the inventory as such.
            return match (self.part, Distribution::read(around.vars, problems)) {
                (Part::Checks, Some(Distribution::Rke1)) => RoleTasks {
                    tasks: vec![
                        Task::new("See that the inventory describes a cluster", before::NotDescribed)
                            .tag(tags::CLUSTER),
                    ],
                    handlers: Vec::new(),
                },
                _ => RoleTasks::default(),
            };
        }
        let Some(cluster) = self.described(around, problems) else {
            return RoleTasks::default();
        };
        match self.part {
            Part::Checks => {
                problems.push(
                    Diagnostic::warning("RKE 1 has had no corrections since July 2025, when its life ended")
                        .help("cluster_distribution: rke2 builds the cluster with its successor"),
                );
                self.check(&cluster)
            }
            Part::Build => self.build(&cluster),
            Part::Finish => self.end(&cluster),
        }
    }

    fn check(self, cluster: &Described) -> RoleTasks {
        let settings = &cluster.settings;
        let mut tasks = vec![
            Task::new(
                "See that the deployment node can build the cluster",
                CanBuild::new(settings.ssh_key_path.as_str()),
            )
            .tag(tags::CLUSTER),
        ];
        if settings.check_existing {
            let addresses = cluster.machines.iter().map(|machine| machine.address.clone()).collect();
            let name = variable(self.flavor, "check_existing_config");
            let other = NoOtherCluster::new(settings.folder.as_str(), name, addresses);
            tasks.push(Task::new("See that no other cluster is in its folder", other).tag(tags::CLUSTER));
        }
        if !settings.import_url.is_empty() {
            let kubectl = Kubectl::new(settings.kubeconfig());
            let import = ImportReachable::new(&kubectl, settings.import_url.as_str());
            tasks.push(
                Task::new("See that Rancher's import URL is good", import)
                    .tag(tags::IMPORT)
                    .tag(tags::CLUSTER),
            );
        }
        RoleTasks {
            tasks,
            handlers: Vec::new(),
        }
    }

    fn build(self, cluster: &Described) -> RoleTasks {
        let settings = &cluster.settings;
        let names = || cluster.machines.iter().map(|machine| machine.name.clone());
        let kubectl = Kubectl::new(settings.kubeconfig());
        let config = cluster_yml::text(settings, &cluster.machines);
        let up = RkeUp::new(settings.folder.as_str(), config.as_str(), names().collect())
            .backups(settings.state_backups)
            .timeout(settings.up_timeout);
        let merged = MergedKubeconfig::new(settings.kubeconfig(), settings.name.as_str())
            .of_addresses(cluster.machines.iter().map(|machine| machine.address.as_str()));
        let mut tasks: Vec<Task> = vec![
            Task::new("Install rke", rke(settings)).run_as(RunAs::User("root".into())),
            Task::new(
                "Make the cluster's folder",
                UserFile::folder(settings.folder.as_str()).mode(0o750),
            ),
            Task::new(
                "Describe the cluster",
                UserFile::new(settings.file("cluster.yml"), config).mode(0o640),
            ),
            Task::new("Build the cluster", up),
            Task::new("Put the cluster into ~/.kube/config", merged),
        ]
        .into_iter()
        .map(|task| task.tag(tags::CLUSTER))
        .collect();
        for task in [
            Task::new("Wait until all nodes are ready", NodesReady::new(&kubectl, names())),
            Task::new("Wait until no pod is still to start", PodsSettled::new(&kubectl)),
        ] {
            tasks.push(task.tag(tags::CLUSTER).tag(tags::VERIFY));
        }
        if has_mtu(settings) {
            tasks.push(Task::new("Set the MTU of canal", CanalMtu::new(&kubectl, settings.mtu)).tag(tags::MTU));
        }
        RoleTasks {
            tasks,
            handlers: Vec::new(),
        }
    }

    fn end(self, cluster: &Described) -> RoleTasks {
        let settings = &cluster.settings;
        let kubectl = Kubectl::new(settings.kubeconfig());
        let names = cluster.machines.iter().map(|machine| machine.name.as_str());
        let mut tasks = Vec::new();
        if has_mtu(settings) {
            // After the nodes have theirs: new pods read it there.
            let pods = CanalPods::new(&kubectl, settings.mtu);
            tasks.push(Task::new("Start the pods of canal with their MTU", pods).tag(tags::MTU));
        }
        tasks.extend([
            Task::new("See that all nodes are ready", NodesReady::new(&kubectl, names)).tag(tags::VERIFY),
            Task::new("See that no pod is still to start", PodsSettled::new(&kubectl)).tag(tags::VERIFY),
        ]);
        if !settings.import_url.is_empty() {
            let apply = RancherImport::new(&kubectl, settings.import_url.as_str());
            tasks.push(Task::new("Import the cluster into Rancher", apply).tag(tags::IMPORT));
            let agent =
                DeploymentReady::new(&kubectl, import::NAMESPACE, import::AGENT).for_at_most(settings.import_timeout);
            tasks.push(Task::new("Wait for Rancher's agent", agent).tag(tags::IMPORT));
        } else if let Some(why) = &settings.import_later {
            let later = RancherImportLater::new(why.as_str());
            tasks.push(Task::new("Import the cluster into Rancher", later).tag(tags::IMPORT));
        }
        RoleTasks {
            tasks,
            handlers: Vec::new(),
        }
    }
}

fn has_mtu(settings: &Settings) -> bool {
    settings.plugin == "canal" && settings.mtu > 0
}

fn rke(settings: &Settings) -> Download {
    const PLACE: &str = "/usr/local/bin/rke";
    let mut made = match settings.rke_binary_path.as_str() {
        "" => Download::url(PLACE, settings.rke_download_url.as_str()),
        path => Download::on_target(PLACE, path),
    };
    if !settings.rke_sha256.is_empty() {
        made = made.sha256(settings.rke_sha256.as_str());
    }
    made.mode(0o755)
        .version(VersionCheck::new("\"$1\" --version", settings.rke_version.as_str()))
}

impl Role for RkeCluster {
    fn name(&self) -> &str {
        match self.part {
            Part::Checks => "rke-cluster-checks",
            Part::Build => "rke-cluster",
            Part::Finish => "rke-cluster-finish",
        }
    }

    fn summary(&self) -> &str {
        "a cluster that RKE 1 builds from the deployment node"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        self.tasks_for(&Around::of(cx), problems)
    }
}
