//! `history`: what earlier runs did and still owe, from the journal beside the inventory.

use super::stopped;
use crate::args::HistoryArgs;
use crate::exit::Exit;
use crate::output::{Look, complain, say};
use crate::session::{self, Stop};
use mosip_prov::Provisioner;
use mosip_prov::journal::{Entry, Past, Record};
use mosip_prov_report::paint::{Paint, Tone};
use mosip_prov_report::text::neutral_line;

/// Lists the runs, or shows one.
pub fn history(args: &HistoryArgs, look: &Look) -> Exit {
    let provisioner = match session::load_inventory(&args.inventory) {
        Ok((provisioner, _)) => provisioner,
        Err(stop) => return stopped(&stop, look),
    };
    let paint = Paint::new(look.color_out);
    let shown = match &args.run {
        Some(run) => one(&provisioner, run, paint),
        None => all(&provisioner, paint),
    };
    match shown {
        Ok(lines) if lines.is_empty() => {
            complain("no run has been written down beside this inventory yet");
            Exit::Ok
        }
        Ok(lines) => say(&lines.join("\n")),
        Err(stop) => stopped(&stop, look),
    }
}

fn all(provisioner: &Provisioner, paint: Paint) -> Result<Vec<String>, Stop> {
    let past = provisioner.history().map_err(Stop::from)?;
    let mut lines = Vec::new();
    for run in &past.runs {
        let outcome = run.outcome.as_deref().unwrap_or("did not end");
        let tone = if outcome == "ok" { Tone::Good } else { Tone::Bad };
        lines.push(format!(
            "{}  {}  {:<28}  {} hosts  changed={} failed={}  {}",
            run.run,
            run.started.strftime("%Y-%m-%d %H:%M:%S"),
            neutral_line(&run.choice.playbooks.join(" ")),
            run.hosts.len(),
            run.changed,
            run.failed,
            paint.tone(tone, outcome)
        ));
    }
    lines.extend(owed(&past));
    Ok(lines)
}

fn owed(past: &Past) -> Vec<String> {
    let handlers = past.owed.iter().map(|o| {
        format!(
            "owed: {}  handler \"{}\" of role {}; the next run of that role does it",
            neutral_line(&o.host),
            neutral_line(&o.handler),
            neutral_line(&o.role)
        )
    });
    let units = past.units.iter().map(|u| {
        format!(
            "left: {}  {} (mosip-prov-{}); the next run attaches to it",
            neutral_line(&u.host),
            neutral_line(&u.task),
            neutral_line(&u.unit)
        )
    });
    handlers.chain(units).collect()
}

fn one(provisioner: &Provisioner, run: &str, paint: Paint) -> Result<Vec<String>, Stop> {
    let entries = provisioner.journal().map_err(Stop::from)?;
    let lines: Vec<String> = entries
        .iter()
        .filter(|e| e.run == run)
        .filter_map(|e| line(e, paint))
        .collect();
    if lines.is_empty() && !entries.is_empty() {
        let names: Vec<String> = entries.iter().map(|e| e.run.clone()).collect();
        let near = session::nearest(run, &names).map_or_else(String::new, |n| format!("did you mean `{n}`? "));
        let problem = mosip_prov::inventory::diagnostic::Diagnostic::error(format!("there is no run `{run}`"))
            .help(format!("{near}`mosip-prov history` lists them"));
        return Err(problem.into());
    }
    Ok(lines)
}

fn line(entry: &Entry, paint: Paint) -> Option<String> {
    let text = match &entry.record {
        Record::RunStarted { choice, hosts, .. } => {
            format!("begun: {} on {}", choice.playbooks.join(" "), hosts.join(" "))
        }
        Record::TaskEnded {
            host,
            role,
            task,
            status,
            summary,
            ..
        } => {
            let word = format!("{status:?}").to_lowercase();
            format!("{host}  {word}  {role} : {task}  {summary}")
        }
        Record::HandlerSettled { host, handler, .. } => format!("{host}  handler \"{handler}\" is no longer owed"),
        Record::UnitStarted { host, task, .. } => format!("{host}  long work begun: {task}"),
        Record::UnitEnded { host, status, .. } => format!("{host}  long work ended with status {status}"),
        Record::HostEnded {
            host,
            complete: false,
            stopped_at: Some((role, task)),
            ..
        } => format!("{host}  stopped at {role} : {task}"),
        Record::RunEnded {
            outcome,
            changed,
            failed,
            unreachable,
        } => format!("ended: {outcome}, changed={changed} failed={failed} unreachable={unreachable}"),
        Record::DeployStarted { stages, .. } => format!("deployment begun: {}", stages.join(" ")),
        Record::StageStarted { stage } => format!("stage {stage} begun"),
        Record::StageEnded {
            stage, outcome, reason, ..
        } => format!("stage {stage} ended: {outcome}, {reason}"),
        Record::DeployEnded { outcome } => format!("deployment ended: {outcome}"),
        Record::Intent { .. } | Record::HostEnded { .. } => return None,
    };
    let time = entry.time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    Some(format!("{}  {}", paint.tone(Tone::Faint, &time), neutral_line(&text)))
}
