//! The project's own chores: the testbed of real hosts, tests, checks of the house rules, release.

mod packages;
mod sh;
mod testbed;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Ten real hosts on this machine, for tests and trying out (needs root)
    #[command(subcommand)]
    Testbed(testbed::Action),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Testbed(action) => testbed::main(action),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
