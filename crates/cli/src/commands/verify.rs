//! `verify`: waits until what was deployed works, and shows what was found.

use super::run::{cannot_start, raise_file_limit};
use super::stopped;
use crate::args::{Format, VerifyArgs};
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, complain, say};
use crate::session;
use crate::signals::Signals;
use mosip_prov::CancelHandle;
use mosip_prov::events::Findings;
use mosip_prov::verify::{Stage, Verification, Verified, Waiting};
use mosip_prov_report::findings;
use mosip_prov_report::paint::Paint;
use mosip_prov_report::text::{neutral_line, safe_json};
use serde_json::json;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

/// `verify`.
pub fn verify(args: &VerifyArgs, look: &Look) -> Exit {
    let (verification, warnings) = match session::verify(&args.what(), args.of(), &args.options()) {
        Ok(made) => made,
        Err(stop) => return stopped(&stop, look),
    };
    diagnostics::report(&warnings, look);
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cannot_start(&error),
    };
    let verified = runtime.block_on(waited_for(&verification));
    runtime.shutdown_background();
    let verified = match verified {
        Ok(verified) => verified,
        Err(exit) => return exit,
    };
    let exit = Exit::of_run(verified.outcome(), false);
    let said = match args.format {
        Format::Json => say(&as_json(&verified)),
        Format::Text => {
            let found = Findings::from(verified.findings.clone());
            say(findings::table(&found, Paint::new(look.color_out), args.brief).trim_end())
        }
    };
    match exit {
        Exit::Ok => said,
        other => other,
    }
}

/// The findings as every command gives them, with how far the deployment was taken to be.
fn as_json(verified: &Verified) -> String {
    let found = Findings::from(verified.findings.clone());
    let mut shown = json!(found);
    shown["stage"] = match verified.stage {
        Stage::Cluster => "cluster".into(),
        Stage::Helm => "helm".into(),
    };
    safe_json(&serde_json::to_string_pretty(&shown).unwrap_or_default()).into_owned()
}

/// What is shown while it is waited: on a terminal one line that is written over, else a line whenever that is another one.
async fn waited_for(verification: &Verification) -> Result<Verified, Exit> {
    let mut signals = Signals::new().map_err(|error| cannot_start(&error))?;
    let cancel = CancelHandle::new();
    let live = std::io::stderr().is_terminal();
    let last = Mutex::new(String::new());
    let show = |waiting: &Waiting<'_>| {
        let text = neutral_line(&waiting.to_string());
        if live {
            // Written over by what comes next; nobody is left to be told when that fails.
            let _ = write!(std::io::stderr(), "\r\x1b[K{text}, {} s left", waiting.left.as_secs());
            return;
        }
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != text {
            complain(&text);
            *last = text;
        }
    };
    let run = verification.run(&show, &cancel);
    let mut run = std::pin::pin!(run);
    let verified = loop {
        tokio::select! {
            verified = &mut run => break verified,
            name = signals.next() => {
                if live {
                    let _ = write!(std::io::stderr(), "\r\x1b[K");
                }
                complain(&format!("{name}: interrupted; nothing was changed on any host"));
                if cancel.is_cancelled() {
                    return Err(Exit::Interrupted);
                }
                cancel.cancel();
            }
        }
    };
    if live {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    Ok(verified)
}
