//! Roles: typed settings with documented defaults, and the task list that follows from them.

use crate::play::{DEPLOYMENT, LOCAL};
use crate::task::Task;
use indexmap::IndexMap;
use mosip_prov_inventory::Inventory;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::value::VarMap;
use mosip_prov_inventory::vars::HostVars;
use mosip_prov_inventory::yaml;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// What a machine shall be, in one word an operator knows: `nginx`, `rke-node`.
pub trait Role: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> &str;

    /// One sentence about what it brings about.
    fn summary(&self) -> &str;

    /// The defaults of its variables: a YAML mapping with a comment for each, usually `include_str!("defaults.yml")`.
    /// Values may be templates. They stand below every other source of variables.
    fn defaults(&self) -> &'static str {
        "{}"
    }

    /// The tasks for one host, in order. Pure but for reading files on the deployment node: nothing is connected to
    /// yet. Everything that is wrong with the settings goes into `problems`, all of it in one go; what is returned
    /// then is not run.
    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks;
}

/// The tasks of a role for one host.
#[derive(Debug, Clone, Default)]
pub struct RoleTasks {
    /// In order.
    pub tasks: Vec<Task>,
    /// Run at the role's end, once, in this order, when notified.
    pub handlers: Vec<Task>,
}

/// The defaults of roles, each read once for all hosts.
#[derive(Default)]
pub(crate) struct Defaults(HashMap<String, Option<Arc<VarMap>>>);

impl Defaults {
    /// Those of `role`; nothing when they are wrong, which `problems` were told the first time.
    pub fn of(&mut self, role: &dyn Role, problems: &mut Diagnostics) -> Option<Arc<VarMap>> {
        let known = self.0.entry(role.name().to_owned());
        let read = known.or_insert_with(|| {
            let place = format!("<defaults of role {}>", role.name());
            problems.take(yaml::parse_vars(role.defaults(), &place)).map(Arc::new)
        });
        read.clone()
    }
}

/// What a role sees of its host and of the others while it makes its task list.
pub struct RoleContext<'a> {
    /// The host the tasks are for.
    pub host: &'a str,
    /// Its variables, with this role's defaults below them.
    pub vars: &'a HostVars,
    /// The whole inventory.
    pub inventory: &'a Inventory,
    pub(crate) vars_of_all: &'a IndexMap<Arc<str>, HostVars>,
}

impl<'a> RoleContext<'a> {
    /// The variables of another host (without role defaults), connected to or not, inside the limit or not. `None`
    /// when the inventory has no host of that name.
    pub fn vars_of(&self, host: &str) -> Option<&'a HostVars> {
        self.vars_of_all.get(host)
    }

    /// The hosts of a group, in the inventory's order; empty when there is no such group.
    pub fn hosts_of(&self, group: &str) -> Vec<&'a str> {
        self.inventory.hosts_of(group)
    }

    /// The name of the deployment node, as delegated tasks take it: the host of group `deployment`, or the machine that
    /// this program runs on.
    pub fn deployment_node(&self) -> &'a str {
        let hosts = self.inventory.hosts_of(DEPLOYMENT);
        hosts.first().copied().unwrap_or(LOCAL)
    }

    /// The folder that holds the inventory; relative files are looked up from here.
    pub fn base_dir(&self) -> Option<&'a Path> {
        self.inventory.base_dir()
    }
}
