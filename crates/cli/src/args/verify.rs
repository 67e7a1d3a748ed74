//! `verify`: what it takes.

use super::{BecomeOptions, ConnectionOptions, Format, InventoryOptions, Selection, What};
use clap::{Args, ValueEnum, ValueHint};
use mosip_prov::verify::{Stage, VerifyOptions, Which};
use std::path::PathBuf;
use std::time::Duration;

/// What `verify` takes.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Which cluster, with its front.
    #[arg(value_name = "CLUSTER", value_enum)]
    pub which: ClusterName,
    /// How far it should be. Without it: helm if Rancher (obs) or anything of Helm's (mosip) is in the cluster, else
    /// cluster.
    #[arg(long, value_name = "STAGE", value_enum)]
    pub stage: Option<StageName>,
    /// Seconds to wait until all is well; 0 looks once.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub wait: u64,
    /// Authorities to believe besides those that browsers and this machine know, as PEM.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Go where DNS says that the names are, in place of the front's address in the inventory.
    #[arg(long)]
    pub resolve_dns: bool,
    /// Leave the front out: look at the cluster only.
    #[arg(long, conflicts_with_all = ["ca_file", "resolve_dns"])]
    pub no_fronts: bool,
    /// A table to read, or JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Count what is as it should be instead of showing it.
    #[arg(long)]
    pub brief: bool,
    #[command(flatten)]
    pub inventory: InventoryOptions,
    #[command(flatten)]
    pub connection: ConnectionOptions,
    #[command(flatten)]
    pub privilege: BecomeOptions,
}

/// One of the two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClusterName {
    /// The observation cluster.
    Obs,
    /// The MOSIP cluster.
    Mosip,
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StageName {
    /// The cluster stands, and nothing is deployed in it: its front answers 404.
    Cluster,
    /// Helm has been there: the front leads on.
    Helm,
}

impl VerifyArgs {
    /// Which deployment.
    pub fn of(&self) -> Which {
        match self.which {
            ClusterName::Obs => Which::Obs,
            ClusterName::Mosip => Which::Mosip,
        }
    }

    /// What is looked at, and how long.
    pub fn options(&self) -> VerifyOptions {
        VerifyOptions {
            stage: self.stage.map(|stage| match stage {
                StageName::Cluster => Stage::Cluster,
                StageName::Helm => Stage::Helm,
            }),
            timeout: Duration::from_secs(self.wait),
            ca_file: self.ca_file.clone(),
            resolve_dns: self.resolve_dns,
            fronts: !self.no_fronts,
            ..VerifyOptions::default()
        }
    }

    /// The same as what a run takes.
    pub fn what(&self) -> What {
        What {
            playbooks: Vec::new(),
            inventory: self.inventory.clone(),
            selection: Selection::default(),
            connection: self.connection.clone(),
            privilege: self.privilege.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn verify(args: &[&str]) -> Result<VerifyArgs, clap::Error> {
        let args = [&["mosip-prov", "verify"], args].concat();
        Cli::try_parse_from(args).map(|cli| match cli.command {
            Command::Verify(args) => *args,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_cluster_and_what_is_looked_at() {
        let plain = verify(&["mosip", "-i", "rancher.ini"]).expect("taken");
        let options = plain.options();
        assert_eq!((plain.of(), options.stage, options.fronts), (Which::Mosip, None, true));
        assert_eq!(options.timeout, Duration::from_secs(300));
        let more = verify(&[
            "obs",
            "--stage",
            "helm",
            "--wait",
            "0",
            "--ca-file",
            "ca.pem",
            "-T",
            "5",
            "--resolve-dns",
        ]);
        let more = more.expect("taken");
        assert_eq!(more.options().stage, Some(Stage::Helm));
        assert_eq!(more.options().timeout, Duration::ZERO);
        assert_eq!((more.of(), more.connection.timeout), (Which::Obs, Some(5)));
        assert!(!verify(&["obs", "--no-fronts"]).expect("taken").options().fronts);
        assert!(verify(&[]).is_err(), "of which?");
        assert!(verify(&["obs", "--no-fronts", "--resolve-dns"]).is_err());
    }
}
