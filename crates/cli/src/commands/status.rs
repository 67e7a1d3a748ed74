//! `status`: where a deployment stands, and what has drifted.

use super::deploy::stages_table;
use super::run::{cannot_start, raise_file_limit};
use super::stopped;
use crate::args::{Format, StatusArgs};
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, complain, say, say_json};
use crate::prompt::Passphrases;
use crate::repeat;
use crate::session::{self, Stop};
use crate::signals::Signals;
use mosip_prov::CancelHandle;
use mosip_prov::deploy::{Deployment, Drift, Standing, Status};
use mosip_prov::events::Findings;
use mosip_prov_report::findings;
use mosip_prov_report::paint::{Paint, Tone};
use mosip_prov_report::text::neutral_line;
use std::sync::Arc;

/// How many changes of a host are named.
const NAMED: usize = 5;

/// `status`.
pub fn status(args: &StatusArgs, look: &Look) -> Exit {
    let paint = Paint::new(look.color_out);
    let found = match args.offline {
        true => offline(args, look),
        false => online(args, look),
    };
    let Looked { status, standing, vpn } = match found {
        Ok(Ok(found)) => found,
        Ok(Err(exit)) => return exit,
        Err(stop) => return stopped(&stop, look),
    };
    let shown = match args.format {
        Format::Json => match serde_json::to_string_pretty(&status) {
            Ok(json) => say_json(&json),
            Err(error) => {
                complain(&format!("error: {error}"));
                return Exit::Failed;
            }
        },
        Format::Text => {
            let again = repeat::command("deploy", &args.how.of(&[]), None);
            say(text(
                &status,
                standing.as_ref(),
                &|playbook, host| args.how.plan(playbook, host, vpn.as_deref()),
                &again,
                paint,
            )
            .trim_end())
        }
    };
    if shown != Exit::Ok {
        return shown;
    }
    match status.is_settled() {
        _ if status.unreachable() => Exit::Unreachable,
        false if args.exit_code => Exit::Pending,
        _ => Exit::Ok,
    }
}

type Found = Result<Result<Looked, Exit>, Stop>;

/// The status, what the journal says of the last deploy, and the VPN's own inventory.
struct Looked {
    status: Status,
    standing: Option<Standing>,
    vpn: Option<String>,
}

fn offline(args: &StatusArgs, look: &Look) -> Found {
    let (provisioner, warnings) = session::load_inventory(&args.how.inventory)?;
    diagnostics::report(&warnings, look);
    let standing = Standing::of(&provisioner.journal()?);
    Ok(Ok(Looked {
        status: Status::of_journal(&provisioner)?,
        standing,
        vpn: None,
    }))
}

fn online(args: &StatusArgs, look: &Look) -> Found {
    let (deployment, warnings) = session::to_look_at(&args.how.of(&[]))?;
    diagnostics::report(&warnings, look);
    let deployment = deployment.with_prompt(Arc::new(Passphrases));
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return Ok(Err(cannot_start(&error)));
        }
    };
    let asked = runtime.block_on(ask(&deployment));
    runtime.shutdown_background();
    Ok(match asked? {
        Some(status) => Ok(Looked {
            status,
            standing: deployment.last().cloned(),
            vpn: deployment.vpn_inventory().map(|path| path.display().to_string()),
        }),
        None => Err(Exit::Interrupted),
    })
}

/// Asks the machines; a signal ends it.
async fn ask(deployment: &Deployment) -> Result<Option<Status>, Stop> {
    let mut signals = Signals::new().map_err(|error| {
        Stop::from(mosip_prov::inventory::diagnostic::Diagnostic::error(format!(
            "cannot start: {error}"
        )))
    })?;
    let cancel = CancelHandle::new();
    // What goes on is for whoever waits, not for what reads the result.
    let asking = deployment.status(|text| complain(&format!("{text} ...")), &cancel);
    tokio::select! {
        status = asking => Ok(Some(status?)),
        name = signals.next() => {
            complain(&format!("{name}: interrupted; nothing was changed"));
            Ok(None)
        }
    }
}

/// What the command is called that shows all that a playbook would change on a host.
type Planned<'a> = dyn Fn(&str, &str) -> String + 'a;

fn text(status: &Status, standing: Option<&Standing>, planned: &Planned<'_>, again: &str, paint: Paint) -> String {
    let head = |text: &str| paint.tone(Tone::Strong, text);
    let mut lines = vec![head("STAGES")];
    lines.extend(stages_table(standing, paint).iter().map(|line| format!("  {line}")));
    if status.inputs_changed {
        lines.push(
            "  inventory or variables have changed since: the next deploy begins with the first stage".to_owned(),
        );
    }
    if !status.owed.is_empty() {
        lines.push(head("OWED BY EARLIER RUNS"));
        lines.extend(status.owed.iter().map(|owed| format!("  {}", neutral_line(owed))));
    }
    if let Some(drift) = &status.drift {
        lines.push(head("DRIFT"));
        match drift.as_slice() {
            [] => lines.push(format!(
                "  {}",
                paint.tone(
                    Tone::Good,
                    "none: all machines are as the stages that were done left them"
                )
            )),
            some => some
                .iter()
                .for_each(|drift| drift_lines(drift, planned, &mut lines, paint)),
        }
    }
    if let Some(found) = status.findings.as_ref().filter(|found| !found.is_empty()) {
        lines.push(findings::table(&Findings::from(found.clone()), paint, true));
    }
    lines.push(String::new());
    lines.push(match (status.running, status.next) {
        (Some(pid), _) => format!("A deploy goes on right now, as process {pid}."),
        (None, None) => "All stages are done.".to_owned(),
        (None, Some(next)) => format!("Next is {next}:\n  {again}"),
    });
    lines.join("\n")
}

fn drift_lines(drift: &Drift, planned: &Planned<'_>, lines: &mut Vec<String>, paint: Paint) {
    let tone = if drift.unreachable { Tone::Bad } else { Tone::Changed };
    let head = format!("{}  {}", drift.host, drift.playbook);
    lines.push(format!("  {}", paint.tone(tone, &neutral_line(&head))));
    lines.extend(
        drift
            .changes
            .iter()
            .take(NAMED)
            .map(|change| format!("    {}", neutral_line(change))),
    );
    if drift.changes.len() > NAMED {
        let more = drift.changes.len() - NAMED;
        let command = planned(&drift.playbook, &drift.host);
        lines.push(format!("    and {more} more; all of them: {command}"));
    }
}
