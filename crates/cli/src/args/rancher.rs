//! `rancher`: what it takes.

use super::{BecomeOptions, ConnectionOptions, Format, InventoryOptions, Selection, What, help};
use clap::{Args, Subcommand};

/// What `rancher` takes.
#[derive(Debug, Args)]
pub struct RancherArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RancherCommand,
}

/// What there is to do with Rancher.
#[derive(Debug, Subcommand)]
pub enum RancherCommand {
    /// Find the main cluster in Rancher, or create it there, as `run deploy-rancher` does before it imports it.
    #[command(after_help = help::RANCHER_IMPORT)]
    Import(Box<RancherImportArgs>),
}

/// What `rancher import` takes.
#[derive(Debug, Args)]
pub struct RancherImportArgs {
    /// The cluster's name in Rancher; else `rancher_cluster_name`, else `cluster_name`.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Create nothing in Rancher; say what would be.
    #[arg(short = 'C', long)]
    pub check: bool,
    /// Lines to read, or JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(flatten)]
    pub inventory: InventoryOptions,
}

impl RancherImportArgs {
    /// The run that imports the cluster.
    pub fn what(&self) -> What {
        What {
            playbooks: vec!["deploy-rancher".into()],
            inventory: self.inventory.clone(),
            selection: Selection {
                tags: vec!["import".into()],
                ..Selection::default()
            },
            connection: ConnectionOptions::default(),
            privilege: BecomeOptions::default(),
        }
    }
}
