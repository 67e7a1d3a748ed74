//! Everything an operator can say about a run, before any file is read.

use mosip_prov_inventory::VaultSecrets;
use mosip_prov_transport::{HostKeyPolicy, Secret};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What to load and how to run. All fields have a default, so that a program sets only what it means.
#[derive(Clone)]
pub struct Settings {
    /// Inventories: files, folders, or literal host lists with a comma. Empty: `$MOSIP_PROV_INVENTORY` is the caller's to read;
    /// here it means `inventory/` in the current folder.
    pub inventory: Vec<String>,
    /// Variables above all others: `k=v`, a JSON or YAML mapping, or `@file`.
    pub extra_vars: Vec<String>,
    /// Vault passwords.
    pub vault: VaultSecrets,
    /// Folders whose `group_vars/` and `host_vars/` count above those beside the inventory.
    pub vars_dirs: Vec<PathBuf>,
    /// Only hosts of this pattern are connected to.
    pub limit: Option<String>,
    /// Only tasks with one of these tags.
    pub tags: Vec<String>,
    /// No tasks with one of these tags.
    pub skip_tags: Vec<String>,
    /// Tasks before the first of this name (a glob) are left out.
    pub start_at_task: Option<String>,
    /// How many hosts at once.
    pub forks: usize,
    /// Nothing is changed.
    pub check: bool,
    /// With `check`: what is decided is to be applied later, so that values are those of a run that changes something.
    pub to_apply: bool,
    /// Only the list of tasks is wanted: files and keys need not be there, and what is wrong becomes a warning.
    pub listing: bool,
    /// Login user for hosts whose inventory names none.
    pub user: Option<String>,
    /// Key for hosts whose inventory names none.
    pub private_key: Option<PathBuf>,
    /// How hosts are reached when the inventory does not say: `ssh` or `local`.
    pub connection: Option<String>,
    /// Time until a host must have let us in, for hosts whose inventory names none.
    pub connect_timeout: Option<Duration>,
    /// How long one exchange may take.
    pub command_timeout: Duration,
    /// How long to wait for another run that works on a host.
    pub lock_timeout: Duration,
    /// How long a connection that was lost is tried to be made again.
    pub reconnect_timeout: Duration,
    /// Whether replaced files are put back when a service does not come up on the new ones.
    pub rollback: bool,
    /// Tasks that the last run has done are left out, if that run did not end well.
    pub resume: bool,
    /// The user tasks run as, in place of the plays' own choice.
    pub become_user: Option<String>,
    /// The password for sudo, for hosts whose inventory names none.
    pub become_password: Option<Secret>,
    /// The login password, for hosts whose inventory names none.
    pub ssh_password: Option<Secret>,
    /// What to do with unknown host keys, whatever the inventory says.
    pub host_keys: Option<HostKeyPolicy>,
    /// The file with known host keys, in place of `~/.ssh/known_hosts`.
    pub known_hosts: Option<PathBuf>,
    /// An OpenSSH client configuration in place of `~/.ssh/config`.
    pub ssh_config: Option<PathBuf>,
}

impl fmt::Debug for Settings {
    /// What is named, not what is given: a value of `extra_vars` may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given: Vec<&str> = self
            .extra_vars
            .iter()
            .map(|given| if given.starts_with('@') { given } else { "***" })
            .collect();
        f.debug_struct("Settings")
            .field("inventory", &self.inventory)
            .field("extra_vars", &given)
            .field("limit", &self.limit)
            .field("tags", &self.tags)
            .field("skip_tags", &self.skip_tags)
            .field("start_at_task", &self.start_at_task)
            .field("forks", &self.forks)
            .field("check", &self.check)
            .field("user", &self.user)
            .field("become_user", &self.become_user)
            .finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            inventory: Vec::new(),
            extra_vars: Vec::new(),
            vault: VaultSecrets::default(),
            vars_dirs: Vec::new(),
            limit: None,
            tags: Vec::new(),
            skip_tags: Vec::new(),
            start_at_task: None,
            forks: 12,
            check: false,
            to_apply: false,
            listing: false,
            user: None,
            private_key: None,
            connection: None,
            connect_timeout: None,
            command_timeout: Duration::from_secs(300),
            lock_timeout: Duration::from_secs(600),
            reconnect_timeout: Duration::from_secs(120),
            rollback: true,
            resume: false,
            become_user: None,
            become_password: None,
            ssh_password: None,
            host_keys: None,
            known_hosts: None,
            ssh_config: None,
        }
    }
}
