//! `preflight`: all checks at once, one table of what was found.

use super::run::{cannot_start, raise_file_limit};
use super::stopped;
use crate::args::{Format, PreflightArgs};
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, complain, say, say_json};
use crate::session;
use crate::signals::Signals;
use mosip_prov::CancelHandle;
use mosip_prov::events::{Finding, Findings};
use mosip_prov::preflight::{Preflight, Progress, outcome};
use mosip_prov_report::findings;
use mosip_prov_report::paint::Paint;
use std::io::{IsTerminal as _, Write as _};

/// `preflight`.
pub fn preflight(args: &PreflightArgs, look: &Look) -> Exit {
    let (preflight, warnings) = match session::preflight(&args.what(), &args.options()) {
        Ok(found) => found,
        Err(stop) => return stopped(&stop, look),
    };
    diagnostics::report(&warnings, look);
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cannot_start(&error),
    };
    let found = runtime.block_on(looked_at(&preflight));
    runtime.shutdown_background();
    let found = match found {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let exit = Exit::of_run(outcome(&found), false);
    let found = Findings::from(found);
    let said = match args.format {
        Format::Json => say_json(&serde_json::to_string_pretty(&found).unwrap_or_default()),
        Format::Text => say(findings::table(&found, Paint::new(look.color_out), args.brief).trim_end()),
    };
    match exit {
        Exit::Ok => said,
        other => other,
    }
}

async fn looked_at(preflight: &Preflight) -> Result<Vec<Finding>, Exit> {
    let mut signals = Signals::new().map_err(|error| cannot_start(&error))?;
    let cancel = CancelHandle::new();
    let live = std::io::stderr().is_terminal();
    let show = |progress: &Progress| {
        if let (true, Progress::Host { done, of, .. }) = (live, progress) {
            // Written over by what comes next; nobody is left to be told when that fails.
            let _ = write!(std::io::stderr(), "\r\x1b[K{done} of {of} machines have answered");
        }
    };
    let found = tokio::select! {
        found = preflight.run(&show, &cancel) => Ok(found),
        name = signals.next() => Err(name),
    };
    if live {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    found.map_err(|name| {
        complain(&format!("{name}: interrupted; nothing was changed on any host"));
        Exit::Interrupted
    })
}
