//! What a role sees of its host and of the others.

use mosip_prov_resources::RoleContext;
use mosip_prov_resources::vars::HostVars;
use std::path::Path;

type HostsOf<'a> = dyn Fn(&str) -> Vec<&'a str> + 'a;
type VarsOf<'a> = dyn Fn(&str) -> Option<&'a HostVars> + 'a;

/// The inventory as seen from one host.
pub struct Around<'a> {
    /// The host.
    pub host: &'a str,
    /// Its variables, with defaults below them.
    pub vars: &'a HostVars,
    /// The folder that holds the inventory.
    pub base_dir: Option<&'a Path>,
    /// The machine that deploys, as tasks name it.
    pub deployment_node: String,
    hosts_of: Box<HostsOf<'a>>,
    vars_of: Box<VarsOf<'a>>,
}

impl<'a> Around<'a> {
    /// As `hosts_of` (a group, in the inventory's order) and `vars_of` (a host) tell.
    pub fn new(
        host: &'a str,
        vars: &'a HostVars,
        base_dir: Option<&'a Path>,
        deployment_node: impl Into<String>,
        hosts_of: impl Fn(&str) -> Vec<&'a str> + 'a,
        vars_of: impl Fn(&str) -> Option<&'a HostVars> + 'a,
    ) -> Self {
        Self {
            host,
            vars,
            base_dir,
            deployment_node: deployment_node.into(),
            hosts_of: Box::new(hosts_of),
            vars_of: Box::new(vars_of),
        }
    }

    /// As a role sees it.
    pub fn of(cx: &'a RoleContext<'a>) -> Self {
        Self::new(
            cx.host,
            cx.vars,
            cx.base_dir(),
            cx.deployment_node(),
            |group| cx.hosts_of(group),
            |host| cx.vars_of(host),
        )
    }

    /// The hosts of a group, in the inventory's order.
    pub fn hosts_of(&self, group: &str) -> Vec<&'a str> {
        (self.hosts_of)(group)
    }

    /// The variables of a host; `None` when there is no such host.
    pub fn vars_of(&self, host: &str) -> Option<&'a HostVars> {
        (self.vars_of)(host)
    }
}
