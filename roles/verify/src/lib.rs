//! The cluster that was deployed is whole: all nodes of the inventory are in it and ready, every pod runs or has completed,
//! and every workload has all that it wants. Asks only, from the deployment node.

mod summary;

pub use summary::Summary;

use mosip_prov_cluster::Kubectl;
use mosip_prov_cluster::verify::{Part, Whole};
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::{Role, RoleContext, RoleTasks, Task};

/// The defaults of the role's variables.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

const TAG: &str = "verify";
/// Groups whose hosts say what stands on which machine.
const NODES: [&str; 3] = ["control_plane_nodes", "etcd_nodes", "worker_nodes"];

/// One of the two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Of {
    /// The MOSIP cluster.
    #[default]
    Main,
    /// The observation cluster.
    Observation,
}

impl Of {
    /// The group of the machines that the cluster is on.
    pub fn group(self) -> &'static str {
        match self {
            Self::Main => "physical_vms",
            Self::Observation => "mosip_obs",
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The path of the cluster's kubeconfig on the deployment node.
    pub kubeconfig: String,
    /// The names of its nodes, in the inventory's order.
    pub nodes: Vec<String>,
}

impl Subject {
    /// That of a cluster; `None` when something is wrong, which is then in `problems`.
    pub fn read(of: Of, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> Option<Self> {
        let name = match of {
            Of::Main => "verify_kubeconfig",
            Of::Observation => "verify_obs_kubeconfig",
        };
        let path = problems.take(cx.vars.string(name).map_err(Diagnostic::from))?;
        let path = path.unwrap_or_default().trim().to_owned();
        if !path.starts_with('/') {
            problems.push(
                Diagnostic::error(format!("{name} is \"{path}\", and an absolute path is wanted"))
                    .at(cx.vars.set_at(name))
                    .help("leave it out for its default, or write the whole path; ~ is not read"),
            );
            return None;
        }
        Some(Self {
            kubeconfig: path,
            nodes: nodes(of, cx),
        })
    }
}

/// The role `verify`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verify(Of);

impl Verify {
    /// Of that cluster.
    pub fn of(of: Of) -> Self {
        Self(of)
    }
}

impl Role for Verify {
    fn name(&self) -> &str {
        "verify"
    }

    fn summary(&self) -> &str {
        "the cluster is whole: its nodes are ready, all pods run or have completed; changes nothing"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        let Some(subject) = Subject::read(self.0, cx, problems) else {
            return RoleTasks::default();
        };
        let kubectl = Kubectl::new(subject.kubeconfig);
        let whole = |part| Whole::new(&kubectl, subject.nodes.iter().cloned(), part);
        let tasks = vec![
            Task::new("See that all nodes are ready", whole(Part::Nodes)),
            Task::new("See that every pod runs, or has completed", whole(Part::Running)),
            Task::new("Sum up what was deployed", Summary::new(&kubectl)),
        ];
        RoleTasks {
            tasks: tasks.into_iter().map(|task| task.tag(TAG)).collect(),
            handlers: Vec::new(),
        }
    }
}

/// The machines that carry a node of the cluster, in the inventory's order: their names are those of the nodes.
fn nodes(of: Of, cx: &RoleContext<'_>) -> Vec<String> {
    let machines = cx.hosts_of(of.group()).into_iter().map(str::to_owned);
    if of == Of::Observation {
        return machines.collect();
    }
    let carrying: Vec<String> = NODES
        .iter()
        .flat_map(|group| cx.hosts_of(group))
        .filter_map(|node| cx.vars_of(node)?.string("physical_vm").ok()?)
        .map(|vm| vm.trim().to_owned())
        .collect();
    machines.filter(|vm| carrying.iter().any(|one| one == vm)).collect()
}
