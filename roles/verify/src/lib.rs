//! The cluster that was deployed is whole: all nodes of the inventory are in it and ready, and no pod is still to start.
//! Asks only, from the deployment node.

mod summary;

pub use summary::Summary;

use mosip_prov_cluster::{Kubectl, NodesReady, PodsSettled};
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::{Role, RoleContext, RoleTasks, Task};

/// The defaults of the role's variables.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

const TAG: &str = "verify";
/// Groups whose hosts say what stands on which machine.
const NODES: [&str; 3] = ["control_plane_nodes", "etcd_nodes", "worker_nodes"];

/// The role `verify`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verify;

impl Role for Verify {
    fn name(&self) -> &str {
        "verify"
    }

    fn summary(&self) -> &str {
        "the cluster is whole: all nodes of the inventory are ready, no pod is still to start; changes nothing"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        const NAME: &str = "verify_kubeconfig";
        let path = problems.take(cx.vars.string(NAME).map_err(Diagnostic::from)).flatten();
        let path = path.unwrap_or_default().trim().to_owned();
        if !path.starts_with('/') {
            problems.push(
                Diagnostic::error(format!("{NAME} is \"{path}\", and an absolute path is wanted"))
                    .at(cx.vars.set_at(NAME))
                    .help("leave it out for its default, or write the whole path; ~ is not read"),
            );
            return RoleTasks::default();
        }
        let kubectl = Kubectl::new(path);
        let tasks = vec![
            Task::new("See that all nodes are ready", NodesReady::new(&kubectl, nodes(cx))),
            Task::new("See that no pod is still to start", PodsSettled::new(&kubectl)),
            Task::new("Sum up what was deployed", Summary::new(&kubectl)),
        ];
        RoleTasks {
            tasks: tasks.into_iter().map(|task| task.tag(TAG)).collect(),
            handlers: Vec::new(),
        }
    }
}

/// The machines that carry at least one node, in the inventory's order: their names are those of the nodes.
fn nodes(cx: &RoleContext<'_>) -> Vec<String> {
    let carrying: Vec<String> = NODES
        .iter()
        .flat_map(|group| cx.hosts_of(group))
        .filter_map(|node| cx.vars_of(node)?.string("physical_vm").ok()?)
        .map(|vm| vm.trim().to_owned())
        .collect();
    cx.hosts_of("physical_vms")
        .into_iter()
        .filter(|vm| carrying.iter().any(|one| one == vm))
        .map(str::to_owned)
        .collect()
}
