//! The project's own chores: the testbed of real hosts, tests, checks of the house rules, release.

mod bench;
mod ci;
mod demo;
mod faults;
mod fuzz;
mod oracle;
mod packages;
mod release;
mod sh;
mod test;
mod testbed;
mod tidy;

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
    /// Eleven real hosts on this machine, for tests and trying out (needs root)
    #[command(subcommand)]
    Testbed(testbed::Action),
    /// Check the house rules: arrows between crates, the map of the crates, how files look
    Tidy,
    /// Run all tests, on real hosts too when root
    Test {
        /// Leave out the tests that need hosts
        #[arg(long)]
        no_hosts: bool,
    },
    /// Format, clippy, tidy, deny, test
    Ci {
        /// Leave out the tests that need hosts
        #[arg(long)]
        no_hosts: bool,
    },
    /// Upgrade real hosts, deploy both fronts, ask through them, and do it all again (needs root)
    Demo {
        /// Build the program optimised
        #[arg(long)]
        release: bool,
    },
    /// Every fault against every kind of step, judged against an undisturbed run (needs root)
    Faults {
        /// Only this fault, this step, or this FAULT/STEP; may be given again
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// Name the cases and run none
        #[arg(long)]
        list: bool,
    },
    /// Fuzz what reads files and answers of others, guided by coverage
    Fuzz(fuzz::Options),
    /// Measure the program beside others that do the same (needs root), and the time that we add to what we drive
    Bench(bench::Arguments),
    /// Build the static binary and check that it is one
    Release,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Testbed(action) => testbed::main(action),
        Chore::Tidy => tidy::main(),
        Chore::Test { no_hosts } => test::main(no_hosts),
        Chore::Ci { no_hosts } => ci::main(no_hosts),
        Chore::Demo { release } => demo::main(release),
        Chore::Faults { only, list } => faults::main(&only, list),
        Chore::Fuzz(options) => fuzz::main(&options),
        Chore::Bench(arguments) => bench::main(arguments),
        Chore::Release => release::main(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
