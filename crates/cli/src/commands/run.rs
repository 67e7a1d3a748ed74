//! `run` and `plan`: one path for both; a plan is a run in check mode.

use super::{apply, listing, stopped};
use crate::args::{OutputOptions, PlanArgs, RunArgs, What};
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, complain};
use crate::prompt::Passphrases;
use crate::repeat;
use crate::session::{self, Mode, Stop};
use crate::show::{self, Show, Showing};
use crate::signals::Signals;
use mosip_prov::inventory::diagnostic::Diagnostic;
use mosip_prov::plans::Plan;
use mosip_prov::rancher::Importing;
use mosip_prov::{CancelHandle, InputErrors, Ready, RunReport};
use mosip_prov_report::text::neutral_line;
use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// `run`.
pub fn run(args: &RunArgs, look: &Look) -> Exit {
    if args.listing.list_hosts || args.listing.list_tasks || args.listing.list_tags {
        return listing::of_run(&args.what, args.listing, look);
    }
    let verb = if args.check { "run --check" } else { "run" };
    let mode = if args.check {
        Mode::Check
    } else {
        Mode::Run(args.survival)
    };
    go(&args.what, &args.output, mode, args.diff, verb, false, look)
}

/// `plan`.
pub fn plan(args: &PlanArgs, look: &Look) -> Exit {
    match &args.out {
        Some(file) => keep(args, file, look),
        None => go(
            &args.what,
            &args.output,
            Mode::Check,
            true,
            "plan",
            args.exit_code,
            look,
        ),
    }
}

/// `plan --out`.
fn keep(args: &PlanArgs, file: &Path, look: &Look) -> Exit {
    let what = &args.what;
    if let Err(error) = Plan::try_path(file) {
        return stopped(&InputErrors::from(error).into(), look);
    }
    let (ready, warnings) = match ready(what, Mode::Plan, look) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let ready = match ready.recording() {
        Ok(ready) => ready,
        Err(errors) => return stopped(&errors.into(), look),
    };
    let showing = Showing {
        diff: true,
        command: Some(repeat::command("plan", what, None)),
        same_command: Some(repeat::command("plan", what, what.selection.limit.as_deref())),
        apply_command: Some(repeat::apply_command(file, what)),
    };
    let write = |ready: &Ready, report: &RunReport| {
        let Some(plan) = ready.plan(report) else {
            complain("no plan was written: nothing was planned to its end");
            return None;
        };
        if let Err(error) = plan.write(file) {
            complain(&format!("error: no plan was written: {error}; {}", error.help()));
            return Some(Exit::Failed);
        }
        complain(&format!("plan written to {}: {}", file.display(), apply::tally(&plan)));
        None
    };
    carry_out_then((ready, warnings), showing, &args.output, args.exit_code, look, write)
}

/// Reads and checks everything for playbooks by name; Rancher is asked where they need it.
fn ready(what: &What, mode: Mode, look: &Look) -> Result<(Ready, Vec<Diagnostic>), Exit> {
    let (importing, mut warnings) = session::prepare_importing(what, mode).map_err(|stop| stopped(&stop, look))?;
    let ready = match importing {
        Importing::Ready(ready) => *ready,
        Importing::Ask(ask) => super::rancher::ask_first(&ask, look)?,
    };
    warnings.extend(ready.warnings().iter().cloned());
    Ok((ready.with_prompt(Arc::new(Passphrases)), warnings))
}

fn go(what: &What, output: &OutputOptions, mode: Mode, diff: bool, verb: &str, exit_code: bool, look: &Look) -> Exit {
    let prepared = match ready(what, mode, look) {
        Ok(prepared) => prepared,
        Err(exit) => return exit,
    };
    let showing = Showing {
        diff,
        command: Some(repeat::command(verb, what, None)),
        same_command: Some(repeat::command(verb, what, what.selection.limit.as_deref())),
        apply_command: Some(repeat::command("run", what, what.selection.limit.as_deref())),
    };
    carry_out(prepared, showing, output, exit_code, look)
}

/// Runs what is ready, and shows it.
pub fn carry_out(
    prepared: (Ready, Vec<Diagnostic>),
    showing: Showing,
    output: &OutputOptions,
    exit_code: bool,
    look: &Look,
) -> Exit {
    carry_out_then(prepared, showing, output, exit_code, look, |_, _| None)
}

/// The same, doing `then` with what came of it; what it returns counts in place of the run's own ending.
pub fn carry_out_then(
    (ready, warnings): (Ready, Vec<Diagnostic>),
    showing: Showing,
    output: &OutputOptions,
    exit_code: bool,
    look: &Look,
    then: impl FnOnce(&Ready, &RunReport) -> Option<Exit>,
) -> Exit {
    let renderers = match show::renderers(output, showing, look) {
        Ok(renderers) => renderers,
        Err(error) => {
            let problem = Diagnostic::error(error.to_string()).help("name a file in a folder that you may write to");
            return stopped(&Stop::from(problem), look);
        }
    };
    diagnostics::report(&warnings, look);
    let ready = match ready.with_journal() {
        Ok(ready) => ready,
        Err(errors) => return stopped(&errors.into(), look),
    };
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cannot_start(&error),
    };
    let show = RefCell::new(Show::start(renderers));
    let report = match runtime.block_on(drive(&ready, &show)) {
        Ok(report) => report,
        Err(error) => return cannot_start(&error),
    };
    // A task that could not be stopped must not keep the process.
    runtime.shutdown_background();
    for error in show.into_inner().finish() {
        if !error.is_broken_pipe() {
            complain(&format!("warning: {error}"));
        }
    }
    then(&ready, &report).unwrap_or_else(|| Exit::of_run(report.outcome(), exit_code && report.has_changes()))
}

/// Every host is a connection; the usual soft limit of 1024 files is too few for a large fleet. Where it cannot be raised
/// the connections beyond it fail one by one, with the system's own message.
pub fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

pub fn cannot_start(error: &io::Error) -> Exit {
    complain(&format!("error: cannot start: {error}; nothing was connected to"));
    Exit::Inputs
}

/// Runs it to its end. The first signal asks it to stop, the second leaves at once.
async fn drive(ready: &Ready, show: &RefCell<Show>) -> io::Result<RunReport> {
    let mut signals = Signals::new()?;
    let cancel = CancelHandle::new();
    let run = ready.run(|event| show.borrow_mut().event(event), &cancel);
    let mut run = std::pin::pin!(run);
    loop {
        tokio::select! {
            report = &mut run => return Ok(report),
            name = signals.next() => {
                if cancel.is_cancelled() {
                    leave(&mut show.borrow_mut());
                }
                let mut show = show.borrow_mut();
                show.say(format!("{name}: stopping in an orderly way; once more leaves at once"));
                cancel.cancel();
            }
        }
    }
}

/// Ends the process at once, saying what was left.
pub fn leave(show: &mut Show) -> ! {
    show.leave();
    if show.running().is_empty() {
        complain("\ninterrupted; nothing was being changed");
    } else {
        complain("\ninterrupted; left on the hosts, where it may still be running:");
        for task in show.running() {
            complain(&format!(
                "  {}  {}",
                neutral_line(&task.host),
                mosip_prov_report::summary::task_name(task)
            ));
        }
        complain("the next run looks at what came of it and goes on from there");
    }
    std::process::exit(i32::from(Exit::Interrupted.code()))
}
