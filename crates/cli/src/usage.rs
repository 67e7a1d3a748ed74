//! Mistakes on the command line itself: clap's own message, our exit code, and a hint where an Ansible habit shows.

use crate::exit::Exit;
use crate::output::complain;
use crate::session;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Shows what clap has to say: help and version as asked for, mistakes with exit code 1.
pub fn report(error: &clap::Error) -> Exit {
    // A reader that has gone is no error here either.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok,
        _ => {
            if let Some(hint) = hint(error) {
                complain(&format!("\n{hint}"));
            }
            Exit::Inputs
        }
    }
}

fn hint(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let name = session::playbook_name(word);
    session::playbook_names()
        .contains(&name)
        .then(|| format!("{name} is a playbook; say: mosip-prov run {name}"))
}
