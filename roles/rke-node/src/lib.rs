//! A machine made ready to be a node of the main cluster. What is done is common to the nodes of
//! both clusters, and stands in `mosip-prov-node`.

use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::{Role, RoleContext, RoleTasks};

/// The defaults of the role's variables.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

/// The role `rke-node`.
#[derive(Debug, Clone, Copy, Default)]
pub struct RkeNode;

impl Role for RkeNode {
    fn name(&self) -> &str {
        "rke-node"
    }

    fn summary(&self) -> &str {
        "a machine ready to be a node: kernel modules and settings, limits, no swap, Docker"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        mosip_prov_node::tasks_from(cx.vars, problems)
    }
}

/// The role `rke-node-checks`: the tasks of [`RkeNode`] that only ask, for a playbook that wants to know of all machines
/// before it changes the first.
#[derive(Debug, Clone, Copy, Default)]
pub struct RkeNodeChecks;

impl Role for RkeNodeChecks {
    fn name(&self) -> &str {
        "rke-node-checks"
    }

    fn summary(&self) -> &str {
        "a machine that can become a node: kernel settings, no other Docker; changes nothing"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, _: &mut Diagnostics) -> RoleTasks {
        RoleTasks {
            tasks: mosip_prov_node::checks_from(cx.vars),
            handlers: Vec::new(),
        }
    }
}
