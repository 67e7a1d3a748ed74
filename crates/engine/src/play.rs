//! Plays and playbooks: which roles on which hosts, in which order.

use crate::role::Role;
use indexmap::IndexMap;
use mosip_prov_inventory::Inventory;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::vars::HostVars;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// An ordered list of plays with a name.
#[derive(Clone)]
pub struct Playbook {
    /// The name on the command line: `deploy-nginx`.
    pub name: String,
    /// One sentence about what it does.
    pub summary: String,
    /// Done one after the other; each waits until all hosts are done with the one before.
    pub plays: Vec<Play>,
    /// What must hold on the deployment node before anything connects.
    pub checks: Vec<Arc<dyn InputCheck>>,
}

impl Playbook {
    /// An empty playbook.
    pub fn new(name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            summary: summary.into(),
            plays: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// The same with one more play.
    #[must_use]
    pub fn play(mut self, play: Play) -> Self {
        self.plays.push(play);
        self
    }

    /// The same with one more check of the inputs.
    #[must_use]
    pub fn check(mut self, check: impl InputCheck) -> Self {
        self.checks.push(Arc::new(check));
        self
    }
}

/// Roles on the hosts of a pattern.
#[derive(Clone)]
pub struct Play {
    /// Its name.
    pub name: String,
    /// The pattern of its hosts, in Ansible's language: `physical_vms:nginx`.
    pub hosts: String,
    /// Groups of the pattern that may be missing from an inventory without that being a mistake.
    pub optional_groups: Vec<String>,
    /// Its roles, in order.
    pub roles: Vec<RoleEntry>,
    /// How many hosts at a time; each batch ends before the next begins. `None`: all at once.
    pub serial: Option<Serial>,
    /// The play stops for all hosts when more than this share of a batch's hosts has failed, in per cent.
    pub max_fail_percentage: Option<u8>,
    /// How long hosts that do not answer yet are waited for: fresh machines may still be starting.
    pub wait_for_hosts: Duration,
    /// Who the tasks run as, unless the inventory or a task says otherwise. `None` is the login user.
    pub become_user: Option<String>,
    /// Without the group of the pattern, the machine that this program runs on.
    pub local_by_default: bool,
    /// The pattern of the hosts that this play does something for from elsewhere: see [`Play::serving`].
    pub serves: Option<String>,
}

/// The group of the machine that deploys.
pub(crate) const DEPLOYMENT: &str = "deployment";

/// The machine that this program runs on.
pub(crate) const LOCAL: &str = "localhost";

impl Play {
    /// A play for the hosts of `pattern`, running as root.
    pub fn new(name: impl Into<String>, pattern: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            hosts: pattern.into(),
            optional_groups: Vec::new(),
            roles: Vec::new(),
            serial: None,
            max_fail_percentage: None,
            wait_for_hosts: Duration::ZERO,
            become_user: Some("root".into()),
            local_by_default: false,
            serves: None,
        }
    }

    /// A play for the deployment node: the host of group `deployment`, or the machine that this program runs on where
    /// the inventory has no such group. Its tasks run as the login user, who owns keys and kubeconfigs there.
    pub fn on_deployment_node(name: impl Into<String>) -> Self {
        Self {
            become_user: None,
            local_by_default: true,
            ..Self::new(name, DEPLOYMENT)
        }
    }

    /// The same, as a service to the hosts of `pattern`, without connecting to them: the play has its place in a run that is
    /// limited to some of them, and is left out when one of them failed before, since it would build on it.
    #[must_use]
    pub fn serving(mut self, pattern: impl Into<String>) -> Self {
        self.serves = Some(pattern.into());
        self
    }

    /// The same, stopping the whole run when more than this share of a batch's hosts has failed, in per cent: 0 for any.
    #[must_use]
    pub fn max_fail_percentage(mut self, percent: u8) -> Self {
        self.max_fail_percentage = Some(percent);
        self
    }

    /// The same with one more role.
    #[must_use]
    pub fn role(mut self, role: impl Role) -> Self {
        self.roles.push(RoleEntry {
            role: Arc::new(role),
            tags: BTreeSet::new(),
        });
        self
    }

    /// The same; `group` may be missing from the inventory.
    #[must_use]
    pub fn optional(mut self, group: impl Into<String>) -> Self {
        self.optional_groups.push(group.into());
        self
    }

    /// The same, waiting so long for hosts that do not answer yet.
    #[must_use]
    pub fn wait_for_hosts(mut self, at_most: Duration) -> Self {
        self.wait_for_hosts = at_most;
        self
    }

    /// The same, in batches.
    #[must_use]
    pub fn serial(mut self, serial: Serial) -> Self {
        self.serial = Some(serial);
        self
    }
}

/// A role in a play, with tags for all of its tasks.
#[derive(Clone)]
pub struct RoleEntry {
    /// The role.
    pub role: Arc<dyn Role>,
    /// Tags that each of its tasks gets.
    pub tags: BTreeSet<String>,
}

/// The size of a play's batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serial {
    /// So many hosts.
    Hosts(usize),
    /// So many per cent of the play's hosts, at least one.
    Percent(u8),
    /// The named variable says: a number or `30%`. All at once when it is not set.
    Variable(String),
}

/// Something that must hold on the deployment node before anything connects: files, keys, certificates, values.
pub trait InputCheck: Send + Sync + 'static {
    /// Puts all that is wrong into `problems`.
    fn check(&self, cx: &CheckContext<'_>, problems: &mut Diagnostics);
}

/// What a check of the inputs sees.
pub struct CheckContext<'a> {
    /// The whole inventory.
    pub inventory: &'a Inventory,
    /// The hosts that the selected plays will connect to.
    pub hosts: &'a [Arc<str>],
    /// The variables of every host of the inventory, without role defaults.
    pub vars: &'a IndexMap<Arc<str>, HostVars>,
}
