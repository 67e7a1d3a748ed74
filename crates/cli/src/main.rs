//! The `mosip-prov` command: flags in, exit code out. It reads the command line, asks for passwords, chooses what is
//! shown, and leaves all the rest to the library.

mod args;
mod commands;
mod diagnostics;
mod exit;
mod output;
mod peer_files;
mod prompt;
mod qr;
mod question;
mod repeat;
mod session;
mod show;
mod signals;
mod usage;

use args::{Cli, Command};
use clap::Parser;
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error).into(),
    };
    let look = output::Look::of(cli.color);
    let exit = match &cli.command {
        Command::Run(args) => commands::run::run(args, &look),
        Command::Plan(args) => commands::run::plan(args, &look),
        Command::Apply(args) => commands::apply::apply(args, &look),
        Command::Inventory(args) => commands::inventory::inventory(args, &look),
        Command::Preflight(args) => commands::preflight::preflight(args, &look),
        Command::Verify(args) => commands::verify::verify(args, &look),
        Command::Dns(args) => commands::dns::dns(args, &look),
        Command::Deploy(args) => commands::deploy::deploy(args, &look),
        Command::Status(args) => commands::status::status(args, &look),
        Command::Wireguard(args) => commands::wireguard::wireguard(args, &look),
        Command::Rancher(args) => commands::rancher::rancher(args, &look),
        Command::Terraform(args) => commands::terraform::terraform(args, &look),
        Command::Certificates(args) => commands::certificates::certificates(args, &look),
        Command::Init(args) => commands::init::init(args, &look),
        Command::History(args) => commands::history::history(args, &look),
        Command::Playbooks => commands::listing::playbooks(&look),
        Command::Tasks(args) => commands::listing::tasks(args, &look),
        Command::Completion { shell } => commands::generated::completion(*shell),
        Command::Man { dir } => commands::generated::man(dir.as_deref(), &look),
    };
    exit.into()
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
