//! `wireguard peers`: what it takes.

use super::{
    BecomeOptions, ConnectionOptions, Format, InventoryOptions, OutputOptions, Selection, SurvivalOptions, What, help,
};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

/// What `wireguard` takes.
#[derive(Debug, Args)]
pub struct WireguardArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: WireguardCommand,
}

/// What there is to do with the VPN.
#[derive(Debug, Subcommand)]
pub enum WireguardCommand {
    /// List the peers, fetch their files, show one as a QR code; add and revoke peers.
    #[command(after_help = help::PEERS, after_long_help = help::peers_long())]
    Peers(Box<PeersArgs>),
}

/// What `wireguard peers` takes.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PeersArgs {
    /// Change the peers instead of looking at them.
    #[command(subcommand)]
    pub change: Option<PeersCommand>,
    /// Only this peer.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub fetch: FetchOptions,
    /// A table to read, or JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(flatten)]
    pub how: How,
}

/// What happens with peers' files, which hold private keys.
#[derive(Debug, Args)]
#[command(next_help_heading = "Peer files (they hold private keys)")]
pub struct FetchOptions {
    /// Save the peers' files into this folder as NAME.conf, for your eyes alone (0600). With several hosts, each has a
    /// folder in it.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Show the peer's file as a QR code, to be read by a telephone.
    #[arg(long, requires = "name")]
    pub qr: bool,
    /// Replace files that are there with other contents; show a QR code even where no terminal is.
    #[arg(long)]
    pub force: bool,
}

/// How `wireguard peers` changes peers.
#[derive(Debug, Subcommand)]
pub enum PeersCommand {
    /// Add peers (native backend). Keys are made on the host; other peers stay connected.
    #[command(after_help = help::PEERS_ADD)]
    Add(ChangePeersArgs),
    /// Revoke peers (native backend). Their keys are gone from the host; other peers stay connected.
    #[command(after_help = help::PEERS_REVOKE)]
    Revoke(ChangePeersArgs),
}

/// What adding and revoking take.
#[derive(Debug, Args)]
pub struct ChangePeersArgs {
    /// The peers' names: letters, digits, hyphens and underscores, 15 at most.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    #[command(flatten)]
    pub how: How,
    /// Change nothing; show what would be changed.
    #[arg(short = 'C', long)]
    pub check: bool,
    /// Show what differs, line by line; keys are never shown.
    #[arg(short = 'D', long)]
    pub diff: bool,
    #[command(flatten)]
    pub survival: SurvivalOptions,
    #[command(flatten)]
    pub output: OutputOptions,
}

/// On which hosts, and how they are reached.
#[derive(Debug, Clone, Args)]
pub struct How {
    #[command(flatten)]
    pub inventory: InventoryOptions,
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub connection: ConnectionOptions,
    #[command(flatten)]
    pub privilege: BecomeOptions,
}

impl How {
    /// The same as what a run of `words` takes.
    pub fn of(&self, words: &[String]) -> What {
        let Self {
            inventory,
            selection,
            connection,
            privilege,
        } = self.clone();
        What {
            playbooks: words.to_vec(),
            inventory,
            selection,
            connection,
            privilege,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn peers(args: &[&str]) -> Result<PeersArgs, clap::Error> {
        let args = [&["mosip-prov", "wireguard", "peers"], args].concat();
        Cli::try_parse_from(args).map(|cli| match cli.command {
            Command::Wireguard(WireguardArgs {
                command: WireguardCommand::Peers(args),
            }) => *args,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn looking_and_fetching() {
        let all = peers(&["-i", "hosts.ini", "--out", "peers"]).expect("taken");
        assert!(all.name.is_none() && all.change.is_none() && !all.fetch.force);
        assert_eq!(all.fetch.out, Some("peers".into()));
        assert_eq!(all.how.inventory.inventory, ["hosts.ini"]);
        let one = peers(&["peer1", "--qr", "-l", "wireguard-node", "-K"]).expect("taken");
        assert_eq!(one.name.as_deref(), Some("peer1"));
        assert!(one.fetch.qr && one.how.privilege.password.ask_become_pass);
        assert!(peers(&["--qr"]).is_err(), "of which peer?");
    }

    #[test]
    fn adding_and_revoking() {
        let args = peers(&["add", "alice", "bob", "-i", "hosts.ini", "-CD"]).expect("taken");
        let Some(PeersCommand::Add(add)) = args.change else {
            panic!("{args:?}");
        };
        assert_eq!(add.names, ["alice", "bob"]);
        assert!(add.check && add.diff);
        assert_eq!(add.how.inventory.inventory, ["hosts.ini"]);
        assert!(peers(&["revoke"]).is_err(), "whom?");
        let args = peers(&["revoke", "alice", "--events", "e.jsonl"]).expect("taken");
        assert!(matches!(args.change, Some(PeersCommand::Revoke(_))));
    }
}
