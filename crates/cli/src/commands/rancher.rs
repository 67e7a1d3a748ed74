//! `rancher import`, and asking Rancher before a run that imports the cluster.

use super::run::cannot_start;
use super::stopped;
use crate::args::{Format, RancherArgs, RancherCommand, RancherImportArgs};
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, complain, say, say_json};
use crate::repeat;
use crate::session::{self, Stop};
use crate::signals::Signals;
use mosip_prov::inventory::diagnostic::Diagnostic;
use mosip_prov::rancher::{
    AskError, AskRancher, Given, ImportRequest, Imported, Mode, Outcome, Progress, RancherError,
};
use mosip_prov::{CancelHandle, Ready};
use mosip_prov_report::text::neutral_line;
use serde_json::json;
use std::future::Future;
use std::time::{Duration, Instant};

/// Lines of one kind are said no more often than that while something is waited for.
const RARELY: Duration = Duration::from_secs(15);
/// The version of the JSON.
const VERSION: u32 = 1;

/// `rancher`.
pub fn rancher(args: &RancherArgs, look: &Look) -> Exit {
    let RancherCommand::Import(args) = &args.command;
    import(args, look)
}

fn import(args: &RancherImportArgs, look: &Look) -> Exit {
    let given = Given {
        name: args.name.clone(),
        ..Given::default()
    };
    let (request, warnings) = match session::rancher_request(&args.what(), &given) {
        Ok(found) => found,
        Err(stop) => return stopped(&stop, look),
    };
    diagnostics::report(&warnings, look);
    let Some(request) = request else {
        return say("rancher_import_url is set: Rancher need not be asked");
    };
    let mode = if args.check { Mode::Check } else { Mode::Change };
    let work = async |cancel: CancelHandle| request.carry_out(mode, saying(), &cancel).await;
    let imported = match interruptible(work) {
        Ok(Ok(imported)) => imported,
        Ok(Err(error)) => return refused(&error),
        Err(exit) => return exit,
    };
    match args.format {
        Format::Json => say_json(&as_json(&request, &imported)),
        Format::Text => say(&as_text(args, &request, &imported)),
    }
}

/// Asks Rancher for what is to be run; `Err` when there is nothing to go on with, which was said.
pub fn ask_first(ask: &AskRancher, look: &Look) -> Result<Ready, Exit> {
    let asked = match interruptible(async |cancel: CancelHandle| ask.ask(saying(), &cancel).await)? {
        Ok(asked) => asked,
        Err(AskError::Rancher(error)) => return Err(refused(&error)),
        Err(AskError::Inputs(errors)) => return Err(stopped(&Stop::from(errors), look)),
    };
    if let Some(error) = &asked.unasked {
        let warning =
            Diagnostic::warning(format!("{error}; so what the import would change is not known")).help(error.help());
        diagnostics::report(&[warning], look);
    }
    for note in asked.imported.iter().flat_map(|imported| &imported.notes) {
        tell(note);
    }
    Ok(*asked.ready)
}

/// Runs `work` to its end. The first signal calls it off, so that the session with Rancher is ended; the second leaves.
fn interruptible<T, F: Future<Output = T>>(work: impl FnOnce(CancelHandle) -> F) -> Result<T, Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| cannot_start(&error))?;
    let done = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|error| cannot_start(&error))?;
        let cancel = CancelHandle::new();
        let mut work = std::pin::pin!(work(cancel.clone()));
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                name = signals.next() => {
                    if cancel.is_cancelled() {
                        complain("interrupted; no host was connected to");
                        return Err(Exit::Interrupted);
                    }
                    tell(&format!("{name}: ending the session; once more leaves at once"));
                    cancel.cancel();
                }
            }
        }
    });
    runtime.shutdown_background();
    done
}

fn tell(text: &str) {
    complain(&format!("rancher: {}", neutral_line(text)));
}

/// Says what goes on; what is waited for, from time to time.
fn saying() -> impl FnMut(&Progress) {
    let mut last: Option<Instant> = None;
    move |progress| {
        let waiting = matches!(progress, Progress::NotReady { .. } | Progress::Waiting { .. });
        if waiting && last.is_some_and(|last| last.elapsed() < RARELY) {
            return;
        }
        last = waiting.then(Instant::now);
        tell(&progress.to_string());
    }
}

fn refused(error: &RancherError) -> Exit {
    complain(&format!(
        "error: {}\n  help: {}",
        neutral_line(&error.to_string()),
        error.help()
    ));
    complain("no host was connected to");
    match error {
        RancherError::Interrupted { .. } => Exit::Interrupted,
        error if error.is_input() => Exit::Inputs,
        error if error.is_unreachable() => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

fn as_text(args: &RancherImportArgs, request: &ImportRequest, imported: &Imported) -> String {
    let (name, server) = (&request.wanted.name, &request.access.server);
    let mut lines = vec![match &imported.outcome {
        Outcome::Found { id, state } => format!("{name} is in Rancher at {server}: {id}, {state}"),
        Outcome::Created { id } => format!("{name} was created in Rancher at {server}: {id}"),
        Outcome::WouldCreate => format!("{name} would be created in Rancher at {server}"),
    }];
    lines.extend(imported.notes.iter().map(|note| format!("note: {note}")));
    let would = if args.check { "would be changed" } else { "changed" };
    lines.push(match imported.changes.as_slice() {
        [] => format!("{would} in Rancher: nothing"),
        changes => format!("{would} in Rancher: {}", changes.join("; ")),
    });
    let what = args.what();
    lines.push(match args.check {
        false => format!("import it with: {}", repeat::command("run", &what, None)),
        true => format!(
            "see what importing it changes: {}",
            repeat::command("plan", &what, None)
        ),
    });
    lines
        .iter()
        .map(|line| neutral_line(line))
        .collect::<Vec<_>>()
        .join("\n")
}

fn as_json(request: &ImportRequest, imported: &Imported) -> String {
    let (outcome, id, state) = match &imported.outcome {
        Outcome::Found { id, state } => ("found", Some(id), Some(state)),
        Outcome::Created { id } => ("created", Some(id), None),
        Outcome::WouldCreate => ("would_create", None, None),
    };
    json!({
        "v": VERSION,
        "server": request.access.server.as_str(),
        "cluster": request.wanted.name,
        "outcome": outcome,
        "id": id,
        "state": state,
        "changes": imported.changes,
        "notes": imported.notes,
    })
    .to_string()
}
