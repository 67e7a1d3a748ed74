//! The command line. Flags have the names and meanings they have with Ansible, because the operators' fingers know them.

mod apply;
mod certificates;
mod deploy;
mod dns;
#[cfg(test)]
mod docs_tests;
mod help;
mod init;
mod options;
mod preflight;
mod rancher;
mod terraform;
mod verify;
mod wireguard;

pub use apply::ApplyArgs;
pub use certificates::{
    AuthorityOptions, CertificatesArgs, CertificatesCommand, FrontName, HookKind, InstallArgs, RenewArgs, RequestArgs,
};
pub use deploy::{DeployArgs, Everywhere, StatusArgs};
pub use dns::{DnsArgs, DnsCommand, RecordsFormat};
pub use init::{Fields, InitArgs};
pub use options::{
    BecomeOptions, BecomePassword, ConnectionOptions, HostKeys, InventoryOptions, OutputOptions, Selection,
    VaultOptions,
};
pub use preflight::PreflightArgs;
pub use rancher::{RancherArgs, RancherCommand, RancherImportArgs};
pub use terraform::{
    ApplyArgs as TerraformApplyArgs, Consent, DestroyArgs, OutputArgs, PlanArgs as TerraformPlanArgs, RootOptions,
    TerraformArgs, TerraformCommand,
};
pub use verify::VerifyArgs;
pub use wireguard::{ChangePeersArgs, FetchOptions, PeersArgs, PeersCommand, WireguardArgs, WireguardCommand};

use crate::exit;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Brings machines from a fresh VM to a running MOSIP, over plain SSH.
#[derive(Debug, Parser)]
#[command(
    name = "mosip-prov",
    version,
    propagate_version = false,
    after_help = help::TOP,
    max_term_width = 110,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Colours: also in a pipe, or never.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto, hide_possible_values = false)]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// When there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
    Auto,
    /// Always.
    Always,
    /// Never; no live lines either.
    Never,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run playbooks: bring the hosts to the state they describe.
    #[command(after_help = help::RUN, after_long_help = help::run_long())]
    Run(Box<RunArgs>),
    /// Show what a run would change, with differences; change nothing.
    #[command(after_help = help::PLAN)]
    Plan(Box<PlanArgs>),
    /// Do exactly what a plan says that `plan --out` wrote; leave hosts as they are that have moved on since.
    #[command(after_help = help::APPLY, after_long_help = help::apply_long())]
    Apply(Box<ApplyArgs>),
    /// Look at the inventory: hosts, groups, variables.
    #[command(after_help = help::INVENTORY)]
    Inventory(InventoryArgs),
    /// List the playbooks there are.
    #[command(after_help = help::PLAYBOOKS)]
    Playbooks,
    /// List what playbooks would do on which hosts, in order; connect to nothing.
    #[command(after_help = help::TASKS)]
    Tasks(Box<TasksArgs>),
    /// Look at all that a deployment rests on: DNS, certificates, machines, network, tools, keys; change nothing.
    #[command(after_help = help::PREFLIGHT, after_long_help = help::preflight_long())]
    Preflight(Box<PreflightArgs>),
    /// Look whether what was deployed works: nodes, pods, workloads, and HTTPS through the front.
    #[command(after_help = help::VERIFY, after_long_help = help::verify_long())]
    Verify(Box<VerifyArgs>),
    /// Deploy all of it, stage by stage; go on where the last deploy stopped.
    #[command(after_help = help::DEPLOY, after_long_help = help::deploy_long())]
    Deploy(Box<DeployArgs>),
    /// Where a deployment stands, from the journal and from the machines themselves, and what has drifted.
    #[command(after_help = help::STATUS)]
    Status(Box<StatusArgs>),
    /// The VPN: its peers and their files.
    #[command(after_help = help::WIREGUARD)]
    Wireguard(WireguardArgs),
    /// Rancher: have the main cluster there, without its dashboard.
    #[command(after_help = help::RANCHER)]
    Rancher(RancherArgs),
    /// Terraform: what runs in the clusters, planned, shown and applied.
    #[command(after_help = help::TERRAFORM)]
    Terraform(Box<TerraformArgs>),
    /// The names of the installation.
    #[command(after_help = help::DNS)]
    Dns(DnsArgs),
    /// The certificates of the fronts: check and place, request, renew.
    #[command(after_help = help::CERTIFICATES)]
    Certificates(CertificatesArgs),
    /// Write a first inventory, from answers: asked for, or given.
    #[command(after_help = help::INIT)]
    Init(Box<InitArgs>),
    /// What earlier runs did, and what they still owe.
    #[command(after_help = help::HISTORY)]
    History(HistoryArgs),
    /// Print a completion script for a shell.
    #[command(after_help = help::COMPLETION)]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    #[command(hide = true)]
    Man {
        /// Write the pages of all commands into this folder instead.
        #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

/// What `run` takes.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub what: What,
    /// Change nothing; show what would be changed.
    #[arg(short = 'C', long)]
    pub check: bool,
    /// Show what differs, line by line.
    #[arg(short = 'D', long)]
    pub diff: bool,
    #[command(flatten)]
    pub survival: SurvivalOptions,
    #[command(flatten)]
    pub listing: Listing,
    #[command(flatten)]
    pub output: OutputOptions,
}

/// What `history` takes.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// A run, by its name: show what it did. Without it all runs are listed.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    #[command(flatten)]
    pub inventory: InventoryOptions,
}

/// What happens when something breaks on the way.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "When something breaks")]
pub struct SurvivalOptions {
    /// Continue the last run, which did not end well: leave out what it has done, on each host.
    #[arg(long)]
    pub resume: bool,
    #[command(flatten)]
    pub repair: RepairOptions,
}

/// What happens when something breaks on the way, whether it is the first run or a continued one.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "When something breaks")]
pub struct RepairOptions {
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

/// What `plan` takes.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub what: What,
    /// End with exit code 3 when anything would change.
    #[arg(long)]
    pub exit_code: bool,
    /// Write the plan to this file, for `apply` to do exactly that. It holds no secrets.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputOptions,
}

/// What `tasks` takes.
#[derive(Debug, Args)]
pub struct TasksArgs {
    #[command(flatten)]
    pub what: What,
}

/// Playbooks, hosts, and how to reach them: what everything that prepares a run takes.
#[derive(Debug, Args)]
pub struct What {
    /// Playbooks, in order. `mosip-prov playbooks` lists them.
    #[arg(value_name = "PLAYBOOK", required = true)]
    pub playbooks: Vec<String>,
    #[command(flatten)]
    pub inventory: InventoryOptions,
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub connection: ConnectionOptions,
    #[command(flatten)]
    pub privilege: BecomeOptions,
}

/// Looking instead of running.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Looking only")]
pub struct Listing {
    /// List the hosts of each play; connect to nothing.
    #[arg(long)]
    pub list_hosts: bool,
    /// List the tasks of each play; connect to nothing.
    #[arg(long)]
    pub list_tasks: bool,
    /// List the tags there are; connect to nothing.
    #[arg(long)]
    pub list_tags: bool,
}

/// What `inventory` takes.
#[derive(Debug, Args)]
pub struct InventoryArgs {
    /// What to show.
    #[command(subcommand)]
    pub command: InventoryCommand,
}

/// What of the inventory is shown.
#[derive(Debug, Subcommand)]
pub enum InventoryCommand {
    /// All hosts and their groups; as JSON also all variables, in the shape of `ansible-inventory --list`.
    List {
        #[command(flatten)]
        inventory: InventoryOptions,
        /// A table to read, or JSON.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// The tree of groups and hosts, as `ansible-inventory --graph` draws it.
    Graph {
        #[command(flatten)]
        inventory: InventoryOptions,
    },
    /// The variables of one host.
    Host {
        /// Its name in the inventory.
        name: String,
        #[command(flatten)]
        inventory: InventoryOptions,
        /// Lines to read, or JSON in the shape of `ansible-inventory --host`.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// How something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[value(alias = "table")]
    Text,
    /// For programs.
    Json,
}

/// The exit codes, for the help.
const EXIT_CODES: &str = exit::HELP;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn run(args: &[&str]) -> RunArgs {
        let args = [&["mosip-prov", "run"], args].concat();
        match Cli::try_parse_from(args).unwrap().command {
            Command::Run(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_as_fingers_know_them() {
        let args = run(&[
            "-i",
            "a.ini",
            "-i",
            "b.ini",
            "deploy-nginx",
            "-f",
            "8",
            "-l",
            "nginx:!vm1",
            "-e",
            "x=1",
            "-e",
            "@v.yml",
            "-CD",
            "-t",
            "a,b",
            "--tags",
            "c",
            "--skip-tags",
            "d",
            "--start-at-task",
            "Install *",
            "-K",
            "-k",
            "-b",
            "-u",
            "ubuntu",
            "--private-key",
            "id",
            "-T",
            "5",
            "-vvv",
            "-c",
            "local",
        ]);
        assert_eq!(args.what.inventory.inventory, ["a.ini", "b.ini"]);
        assert_eq!(args.what.selection.forks, 8);
        assert_eq!(args.what.selection.limit.as_deref(), Some("nginx:!vm1"));
        assert_eq!(args.what.inventory.extra_vars, ["x=1", "@v.yml"]);
        assert!(args.check && args.diff);
        assert_eq!(args.what.selection.tags, ["a", "b", "c"]);
        assert!(args.what.privilege.r#become && args.what.privilege.password.ask_become_pass);
        assert!(args.what.connection.ask_pass);
        assert_eq!(args.what.connection.timeout, Some(5));
        assert_eq!(args.output.verbose, 3);
    }

    #[test]
    fn defaults() {
        let args = run(&["apt-upgrade"]);
        assert_eq!(args.what.selection.forks, 12);
        assert!(!args.check && args.output.verbose == 0 && args.what.inventory.inventory.is_empty());
    }
}
