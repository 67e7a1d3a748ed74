//! Completion scripts and manual pages, made from the definition of the command line.

use super::stopped;
use crate::args::Cli;
use crate::exit::Exit;
use crate::output::{Look, say};
use crate::session::{self, Stop};
use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory};
use mosip_prov::inventory::diagnostic::Diagnostic;
use std::path::Path;

/// `completion`: the script, which also completes the names of playbooks.
pub fn completion(shell: clap_complete::Shell) -> Exit {
    let mut command = with_playbook_names();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "mosip-prov", &mut script);
    say(String::from_utf8_lossy(&script).trim_end())
}

/// `man`: the page of the whole command, or all pages into a folder.
pub fn man(dir: Option<&Path>, look: &Look) -> Exit {
    let result = match dir {
        Some(dir) => std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Cli::command(), dir)),
        None => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(Cli::command()).render(&mut page) {
                Ok(()) => return say(String::from_utf8_lossy(&page).trim_end()),
                Err(error) => Err(error),
            }
        }
    };
    match result {
        Ok(()) => Exit::Ok,
        Err(error) => stopped(
            &Stop::from(Diagnostic::error(format!("cannot write the manual pages: {error}"))),
            look,
        ),
    }
}

fn with_playbook_names() -> Command {
    let names = session::playbook_names();
    ["run", "plan", "tasks"]
        .into_iter()
        .fold(Cli::command(), |command, verb| {
            let names = names.clone();
            command.mut_subcommand(verb, |sub| {
                sub.mut_arg("playbooks", |arg| arg.value_parser(PossibleValuesParser::new(names)))
            })
        })
}
