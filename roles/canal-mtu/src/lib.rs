//! The MTU of canal's network on a node: what new pods get.

mod conflist;

pub use conflist::ConflistMtu;

use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::{Role, RoleContext, RoleTasks, Task, Unit};
use mosip_prov_rke2::{Around, Distribution, Flavor, Topology};

/// The role `canal-mtu`.
#[derive(Debug, Clone, Copy)]
pub struct CanalMtu {
    flavor: Flavor,
}

impl CanalMtu {
    /// On the machines of a cluster.
    pub fn new(flavor: Flavor) -> Self {
        Self { flavor }
    }
}

impl Role for CanalMtu {
    fn name(&self) -> &str {
        "canal-mtu"
    }

    fn summary(&self) -> &str {
        "the MTU of canal's network on a node"
    }

    fn defaults(&self) -> &'static str {
        include_str!("../defaults.yml")
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        let around = Around::of(cx);
        if Distribution::read(cx.vars, problems) != Some(Distribution::Rke1) {
            return RoleTasks::default();
        }
        let plugin = problems.take(
            cx.vars
                .string(self.flavor.variable("network_plugin"))
                .map_err(Diagnostic::from),
        );
        let mtu = problems
            .take(cx.vars.int("network_mtu").map_err(Diagnostic::from))
            .flatten();
        let mtu = mtu.and_then(|mtu| u32::try_from(mtu).ok()).unwrap_or(0);
        // What is wrong with the machines is said by the role that builds the cluster.
        let carries = Topology::read(self.flavor, &around, &mut Diagnostics::new())
            .is_some_and(|topology| topology.machine(cx.host).is_some());
        if plugin.flatten().as_deref() != Some("canal") || mtu == 0 || !carries {
            return RoleTasks::default();
        }
        let restart = "restart containerd";
        RoleTasks {
            tasks: vec![
                Task::new("Set the MTU of canal on the node", ConflistMtu::new(mtu))
                    .tag("mtu")
                    .notify(restart),
            ],
            // The pods of canal are started anew for the whole cluster, by the role that builds it, when all nodes have theirs.
            handlers: vec![Task::new(restart, Unit::restarted("containerd"))],
        }
    }
}
