//! Groups of flags that several commands share.

use clap::{ArgAction, Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Where hosts and variables come from.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Inventory and variables")]
pub struct InventoryOptions {
    /// Inventory file or folder, or a list of hosts with a comma in it; may be repeated. Without it
    /// $MOSIP_PROV_INVENTORY (parts separated by `:`), else the folder `inventory` here.
    #[arg(short, long, value_name = "INVENTORY", visible_alias = "inventory-file", value_hint = ValueHint::AnyPath)]
    pub inventory: Vec<String>,
    /// A variable that overrides all others: `key=value`, a JSON or YAML mapping, or `@file`; may be repeated.
    #[arg(short, long, value_name = "VARS")]
    pub extra_vars: Vec<String>,
    #[command(flatten)]
    pub vault: VaultOptions,
}

/// What opens the vaults.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Inventory and variables")]
pub struct VaultOptions {
    /// File that holds the vault password, or program that prints it; may be repeated.
    #[arg(
        long,
        value_name = "FILE",
        visible_alias = "vault-pass-file",
        env = "ANSIBLE_VAULT_PASSWORD_FILE",
        hide_env_values = true,
        value_hint = ValueHint::FilePath
    )]
    pub vault_password_file: Vec<PathBuf>,
    /// Ask for the vault password.
    #[arg(short = 'J', long, visible_alias = "ask-vault-password")]
    pub ask_vault_pass: bool,
}

/// Which hosts and tasks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
pub struct Selection {
    /// Only connect to hosts of this pattern: `vm1,vm2`, `nginx:!vm3`, `@file`.
    #[arg(short, long, value_name = "PATTERN", alias = "subset")]
    pub limit: Option<String>,
    /// Only tasks with one of these tags.
    #[arg(short, long, value_name = "TAGS", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// No tasks with one of these tags.
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    pub skip_tags: Vec<String>,
    /// Leave out the tasks before the first of this name (a glob).
    #[arg(long, value_name = "NAME")]
    pub start_at_task: Option<String>,
    /// How many hosts are worked on at the same time.
    #[arg(short, long, value_name = "N", default_value_t = FORKS, value_parser = forks)]
    pub forks: usize,
}

/// How many hosts are worked on at the same time where nobody says it.
pub const FORKS: usize = 12;

impl Default for Selection {
    /// All hosts and all tasks.
    fn default() -> Self {
        Self {
            limit: None,
            tags: Vec::new(),
            skip_tags: Vec::new(),
            start_at_task: None,
            forks: FORKS,
        }
    }
}

/// How hosts are reached. What the inventory says about a host wins.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection (the inventory's own values win)")]
pub struct ConnectionOptions {
    /// Log in as this user.
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// Private key to log in with.
    #[arg(long, value_name = "FILE", visible_alias = "key-file", value_hint = ValueHint::FilePath)]
    pub private_key: Option<PathBuf>,
    /// Ask for the login password.
    #[arg(short = 'k', long)]
    pub ask_pass: bool,
    /// File that holds the login password.
    #[arg(
        long,
        value_name = "FILE",
        visible_alias = "conn-pass-file",
        conflicts_with = "ask_pass",
        value_hint = ValueHint::FilePath
    )]
    pub connection_password_file: Option<PathBuf>,
    /// How hosts are reached.
    #[arg(short, long, value_name = "TYPE", value_parser = ["ssh", "local"])]
    pub connection: Option<String>,
    /// Seconds until a host must have let us in.
    #[arg(short = 'T', long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
    /// What happens with host keys, whatever the inventory says.
    #[arg(long, value_enum, value_name = "POLICY")]
    pub known_hosts: Option<HostKeys>,
    /// The file of known host keys, in place of `~/.ssh/known_hosts`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub known_hosts_file: Option<PathBuf>,
    /// OpenSSH client configuration, in place of `~/.ssh/config`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ssh_config: Option<PathBuf>,
}

/// What happens with the key of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HostKeys {
    /// Refuse hosts whose key is not known.
    Strict,
    /// Write down the key of a new host, refuse a changed one.
    AcceptNew,
    /// Check nothing.
    Off,
}

/// Who tasks run as.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Privileges")]
pub struct BecomeOptions {
    /// Run all tasks through sudo, also those of plays that run as the login user.
    #[arg(short, long)]
    pub r#become: bool,
    /// Run tasks as this user instead of the plays' own choice.
    #[arg(long, value_name = "USER")]
    pub become_user: Option<String>,
    #[command(flatten)]
    pub password: BecomePassword,
}

/// The password for sudo.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Privileges")]
pub struct BecomePassword {
    /// Ask for the sudo password.
    #[arg(short = 'K', long)]
    pub ask_become_pass: bool,
    /// File that holds the sudo password.
    #[arg(
        long,
        value_name = "FILE",
        visible_alias = "become-pass-file",
        conflicts_with = "ask_become_pass",
        value_hint = ValueHint::FilePath
    )]
    pub become_password_file: Option<PathBuf>,
}

/// What is shown, and what is left behind.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// -v: also what was left as it is, and why; -vv: also the output of long steps.
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say at the end where the time went, by host and in sum (docs/troubleshooting.md). The events have it as well.
    #[arg(long)]
    pub profile: bool,
    /// Write every event to this file as it happens, one JSON object a line (docs/events.md).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub events: Option<PathBuf>,
    /// Write a report to this file, one HTML page.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Write a report to this file, as JUnit XML.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub junit: Option<PathBuf>,
}

/// How many hosts at once: a number above 0.
pub fn forks(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least one host at a time".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("a whole number is wanted".to_owned()),
    }
}
