//! `deploy` and `status`: what they take.

use super::{BecomeOptions, ConnectionOptions, Format, InventoryOptions, Selection, What};
use crate::repeat;
use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, ValueHint};
use mosip_prov::deploy::Stage;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What `deploy` takes.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Begin with this stage, whatever was done before. Without it a deployment that was stopped goes on where it was.
    #[arg(long, value_name = "STAGE", value_parser = stages())]
    pub from: Option<String>,
    /// End with this stage.
    #[arg(long, value_name = "STAGE", value_parser = stages())]
    pub to: Option<String>,
    /// Leave this stage out; may be repeated.
    #[arg(long, value_name = "STAGE", value_parser = stages())]
    pub skip: Vec<String>,
    /// Do not ask before changes are made: for pipelines.
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// List the stages and how they went last; connect to nothing.
    #[arg(long)]
    pub list_stages: bool,
    /// Ask this server for DNS records, ADDRESS or ADDRESS:PORT, in place of the system's resolver; may be repeated.
    #[arg(long, value_name = "ADDRESS", value_parser = mosip_prov::names::parse_nameserver)]
    pub nameserver: Vec<SocketAddr>,
    #[command(flatten)]
    pub how: Everywhere,
    /// Seconds to wait for another run that works on a host.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 600,
        help_heading = "When something breaks"
    )]
    pub lock_timeout: u64,
    /// Seconds to try to get a lost connection back.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 120,
        help_heading = "When something breaks"
    )]
    pub reconnect_timeout: u64,
    /// -v: also what was left as it is, and why; -vv: also the output of long steps.
    #[arg(short, long, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
    /// Show what differs, line by line.
    #[arg(short = 'D', long, help_heading = "Output")]
    pub diff: bool,
    /// Write every event of every run to this file as it happens, one JSON object a line (docs/events.md).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub events: Option<PathBuf>,
}

impl Everywhere {
    /// The same with the VPN's own inventory, where `playbook` needs it.
    pub fn with_vpn(&self, playbook: &str, vpn: Option<&str>) -> Self {
        let mut all = self.clone();
        if let Some(path) = vpn.filter(|_| playbook == Stage::Wireguard.name()) {
            all.inventory.inventory.push(path.to_owned());
        }
        all
    }

    /// The command that shows all that `playbook` would change on `host`.
    pub fn plan(&self, playbook: &str, host: &str, vpn: Option<&str>) -> String {
        repeat::command("plan", &self.with_vpn(playbook, vpn).of(&[playbook]), Some(host))
    }
}

/// What `status` takes.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Read the journal only; connect to nothing.
    #[arg(long)]
    pub offline: bool,
    /// End with exit code 3 when something is left to do, or has drifted.
    #[arg(long)]
    pub exit_code: bool,
    /// Lines to read, or JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(flatten)]
    pub how: Everywhere,
}

/// All hosts of an inventory, and how they are reached.
#[derive(Debug, Clone, Args)]
pub struct Everywhere {
    #[command(flatten)]
    pub inventory: InventoryOptions,
    /// How many hosts are worked on at the same time.
    #[arg(short, long, value_name = "N", default_value_t = super::options::FORKS, value_parser = super::options::forks)]
    pub forks: usize,
    #[command(flatten)]
    pub connection: ConnectionOptions,
    #[command(flatten)]
    pub privilege: BecomeOptions,
}

impl Everywhere {
    /// The same as what a run of `playbooks` takes, on all their hosts.
    pub fn of(&self, playbooks: &[&str]) -> What {
        let Self {
            inventory,
            forks,
            connection,
            privilege,
        } = self.clone();
        What {
            playbooks: playbooks.iter().map(|name| (*name).to_owned()).collect(),
            inventory,
            selection: Selection {
                forks,
                ..Selection::default()
            },
            connection,
            privilege,
        }
    }
}

fn stages() -> PossibleValuesParser {
    PossibleValuesParser::new(Stage::ALL.map(Stage::name))
}

#[cfg(test)]
mod tests {
    use crate::args::{Cli, Command};
    use clap::Parser;

    #[test]
    fn stages_are_named_and_a_wrong_one_is_refused() {
        let words = [
            "mosip-prov",
            "deploy",
            "--from",
            "wireguard",
            "--to",
            "import",
            "--skip",
            "apt-upgrade",
            "-y",
        ];
        let Command::Deploy(args) = Cli::try_parse_from(words).expect("taken").command else {
            panic!("not deploy");
        };
        assert_eq!(
            (args.from.as_deref(), args.to.as_deref()),
            (Some("wireguard"), Some("import"))
        );
        assert!(args.yes && args.skip == ["apt-upgrade"] && args.how.forks == 12);
        let wrong = Cli::try_parse_from(["mosip-prov", "deploy", "--from", "wireguad"]).expect_err("no such stage");
        assert!(wrong.to_string().contains("wireguard"), "{wrong}");
    }
}
