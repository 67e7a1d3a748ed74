//! What `apply` takes. What it does is in the plan; here is how the hosts are reached, and what is shown.

use super::options::{FORKS, forks};
use super::{BecomeOptions, ConnectionOptions, InventoryOptions, OutputOptions, Selection, SurvivalOptions, What};
use clap::{Args, ValueHint};
use mosip_prov::plans::format;
use std::path::PathBuf;

/// What `apply` takes.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The plan, as `plan --out FILE` wrote it.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plan: PathBuf,
    /// Do not ask whether the plan is to be applied.
    #[arg(short, long)]
    pub yes: bool,
    /// Hours that the plan may be old.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_age: u32,
    /// How many hosts are worked on at the same time.
    #[arg(short, long, value_name = "N", default_value_t = FORKS, value_parser = forks)]
    pub forks: usize,
    /// Show what differs, line by line.
    #[arg(short = 'D', long)]
    pub diff: bool,
    /// The values that the plan was made with, in the same order; those of `-e @FILE` are read again by themselves.
    #[arg(short, long, value_name = "VARS", help_heading = "Inventory and variables")]
    pub extra_vars: Vec<String>,
    /// File that holds the vault password, or program that prints it; may be repeated.
    #[arg(
        long,
        value_name = "FILE",
        visible_alias = "vault-pass-file",
        env = "ANSIBLE_VAULT_PASSWORD_FILE",
        hide_env_values = true,
        value_hint = ValueHint::FilePath,
        help_heading = "Inventory and variables"
    )]
    pub vault_password_file: Vec<PathBuf>,
    /// Ask for the vault password.
    #[arg(
        short = 'J',
        long,
        visible_alias = "ask-vault-password",
        help_heading = "Inventory and variables"
    )]
    pub ask_vault_pass: bool,
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// Ask for the sudo password.
    #[arg(short = 'K', long, help_heading = "Privileges")]
    pub ask_become_pass: bool,
    /// File that holds the sudo password.
    #[arg(
        long,
        value_name = "FILE",
        visible_alias = "become-pass-file",
        conflicts_with = "ask_become_pass",
        value_hint = ValueHint::FilePath,
        help_heading = "Privileges"
    )]
    pub become_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub survival: ApplySurvival,
    #[command(flatten)]
    pub output: OutputOptions,
}

/// What happens when something breaks on the way.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "When something breaks")]
pub struct ApplySurvival {
    /// Leave replaced files in place when a service does not come up on them, to study what is wrong.
    #[arg(long)]
    pub no_rollback: bool,
    /// Seconds to wait for another run that works on a host.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub lock_timeout: u64,
    /// Seconds to try to get a lost connection back.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub reconnect_timeout: u64,
}

impl From<ApplySurvival> for SurvivalOptions {
    fn from(of: ApplySurvival) -> Self {
        Self {
            resume: false,
            no_rollback: of.no_rollback,
            lock_timeout: of.lock_timeout,
            reconnect_timeout: of.reconnect_timeout,
        }
    }
}

impl ApplyArgs {
    /// What was planned, reached as these flags say; `extra_vars` are all there were.
    pub fn what(&self, planned: &format::What, extra_vars: Vec<String>) -> What {
        What {
            playbooks: planned.playbooks.clone(),
            inventory: InventoryOptions {
                inventory: planned.inventory.clone(),
                extra_vars,
                vault_password_file: self.vault_password_file.clone(),
                ask_vault_pass: self.ask_vault_pass,
            },
            selection: Selection {
                limit: planned.limit.clone(),
                tags: planned.tags.clone(),
                skip_tags: planned.skip_tags.clone(),
                start_at_task: planned.start_at_task.clone(),
                forks: self.forks,
            },
            connection: self.connection.clone(),
            privilege: BecomeOptions {
                r#become: false,
                become_user: planned.become_user.clone(),
                ask_become_pass: self.ask_become_pass,
                become_password_file: self.become_password_file.clone(),
            },
        }
    }
}
