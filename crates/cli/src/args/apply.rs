//! What `apply` takes. What it does is in the plan; here is how the hosts are reached, and what is shown.

use super::options::{FORKS, forks};
use super::{
    BecomeOptions, BecomePassword, ConnectionOptions, InventoryOptions, OutputOptions, RepairOptions, Selection,
    VaultOptions, What,
};
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
    #[command(flatten)]
    pub vault: VaultOptions,
    #[command(flatten)]
    pub connection: ConnectionOptions,
    #[command(flatten)]
    pub become_password: BecomePassword,
    #[command(flatten)]
    pub repair: RepairOptions,
    #[command(flatten)]
    pub output: OutputOptions,
}

impl ApplyArgs {
    /// What was planned, reached as these flags say; `extra_vars` are all there were.
    pub fn what(&self, planned: &format::What, extra_vars: Vec<String>) -> What {
        What {
            playbooks: planned.playbooks.clone(),
            inventory: InventoryOptions {
                inventory: planned.inventory.clone(),
                extra_vars,
                vault: self.vault.clone(),
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
                password: self.become_password.clone(),
            },
        }
    }
}
