//! Every `mosip-prov` command that a page shows is one that the program takes; those that need no host are run.

use super::Cli;
use clap::{CommandFactory, Parser};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, out);
        } else if path.extension().is_some_and(|e| e == "md") {
            out.push(path);
        }
    }
}

/// The commands of a page: lines of code blocks, and code within sentences.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
        } else if block {
            let line = line.trim().trim_start_matches("$ ");
            if line.starts_with("mosip-prov ") {
                found.push(line.split(" #").next().unwrap_or(line).trim().to_owned());
            }
        } else {
            let spans = line.split('`').skip(1).step_by(2);
            found.extend(spans.filter(|s| s.starts_with("mosip-prov ")).map(str::to_owned));
        }
    }
    found
}

#[test]
fn the_commands_of_the_pages_are_taken() {
    let mut files = vec![root().join("README.md")];
    pages(&root().join("docs"), &mut files);
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a page");
        for command in commands(&text) {
            // What stands for something else is no command: `mosip-prov run … --check`, `mosip-prov COMMAND --help`.
            if command.contains('…') || command.contains("COMMAND") || command.contains("...") {
                continue;
            }
            // A redirection is the shell's.
            let words = command.split(" > ").next().unwrap_or(&command);
            let words = shlex::split(words).expect("words");
            let outcome = Cli::try_parse_from(&words);
            let help = |e: &clap::Error| e.kind() == clap::error::ErrorKind::DisplayHelp;
            if let Err(error) = &outcome
                && !help(error)
            {
                wrong.push(format!("{}: {command}: {error}", file.display()));
            }
            seen.insert(words.get(1).cloned().unwrap_or_default());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Every command of the program is shown somewhere.
    for command in Cli::command().get_subcommands().filter(|c| !c.is_hide_set()) {
        assert!(
            seen.contains(command.get_name()),
            "no page shows `mosip-prov {}`",
            command.get_name()
        );
    }
}
