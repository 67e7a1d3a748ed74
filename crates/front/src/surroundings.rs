//! What a front's settings are read from: its host's variables, and those of the hosts behind it.

use mosip_prov_resources::RoleContext;
use mosip_prov_resources::vars::HostVars;
use std::path::Path;

type HostsOf<'a> = dyn Fn(&str) -> Vec<&'a str> + 'a;
type VarsOf<'a> = dyn Fn(&str) -> Option<&'a HostVars> + 'a;

/// The variables of one host and the way to those of others. A role makes it from its context, a check of the inputs
/// from its own.
pub struct Surroundings<'a> {
    /// The host's variables, with the role's defaults below them.
    pub vars: &'a HostVars,
    /// The folder that holds the inventory.
    pub base_dir: Option<&'a Path>,
    hosts_of: Box<HostsOf<'a>>,
    vars_of: Box<VarsOf<'a>>,
}

impl<'a> Surroundings<'a> {
    /// From their parts: `hosts_of` names the hosts of a group, `vars_of` gives a host's variables.
    pub fn new(
        vars: &'a HostVars,
        base_dir: Option<&'a Path>,
        hosts_of: impl Fn(&str) -> Vec<&'a str> + 'a,
        vars_of: impl Fn(&str) -> Option<&'a HostVars> + 'a,
    ) -> Self {
        Self {
            vars,
            base_dir,
            hosts_of: Box::new(hosts_of),
            vars_of: Box::new(vars_of),
        }
    }

    /// Those of a role.
    pub fn of_role(cx: &RoleContext<'a>) -> Self {
        let inventory = cx.inventory;
        // The context is borrowed for this call only, and the variables of others are reached through it.
        let others: Vec<(&'a str, &'a HostVars)> = inventory
            .hosts_of("all")
            .into_iter()
            .filter_map(|host| Some((host, cx.vars_of(host)?)))
            .collect();
        Self::new(
            cx.vars,
            cx.base_dir(),
            move |group| inventory.hosts_of(group),
            move |host| others.iter().find(|(name, _)| *name == host).map(|(_, vars)| *vars),
        )
    }

    /// The hosts of `group`, in the inventory's order.
    pub fn hosts_of(&self, group: &str) -> Vec<&'a str> {
        (self.hosts_of)(group)
    }

    /// The variables of `host`, without role defaults.
    pub fn vars_of(&self, host: &str) -> Option<&'a HostVars> {
        (self.vars_of)(host)
    }
}
