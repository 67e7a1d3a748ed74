//! `deploy`: all stages of a deployment, one after the other, and going on where one was stopped.

mod watch;

use super::run::{cannot_start, raise_file_limit};
use super::stopped;
use crate::args::DeployArgs;
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, say};
use crate::prompt::{self, Passphrases};
use crate::repeat;
use crate::session::{self, Mode, Stop};
use crate::signals::Signals;
use mosip_prov::deploy::{Beginning, DeployOptions, Deployment, Ended, Stage, Standing, Watch as _};
use mosip_prov::inventory::diagnostic::Diagnostic;
use mosip_prov::{CancelHandle, InputErrors};
use mosip_prov_report::paint::{Paint, Tone};
use mosip_prov_report::text::{duration, neutral_line, pad};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Instant;
use watch::{Progress, Shared};

/// `deploy`.
pub fn deploy(args: &DeployArgs, look: &Look) -> Exit {
    if args.list_stages {
        return list(args, look);
    }
    // A pipeline that forgot --yes must not hang, nor stop half-way at the first question.
    let can_ask = io::stdin().is_terminal() && prompt::has_terminal();
    if !args.yes && !can_ask {
        let problem = Diagnostic::error("deploy asks before it changes anything, and there is no terminal to ask on")
            .help("give --yes to make all changes without being asked; `mosip-prov status` shows what would change");
        return stopped(&Stop::from(problem), look);
    }
    let stage = |name: &Option<String>| name.as_deref().and_then(Stage::from_name);
    let options = DeployOptions {
        from: stage(&args.from),
        to: stage(&args.to),
        skip: args.skip.iter().filter_map(|name| Stage::from_name(name)).collect(),
        nameservers: args.nameserver.clone(),
        ask: !args.yes,
    };
    let prepared = session::deployment(&args.how.of(&[]), mode(args), options);
    let (deployment, warnings) = match prepared {
        Ok(prepared) => prepared,
        Err(stop) => return stopped(&stop, look),
    };
    diagnostics::report(&warnings, look);
    let progress = match Progress::new(args, &deployment, look) {
        Ok(progress) => Shared::new(progress),
        Err(error) => {
            let problem = Diagnostic::error(error.to_string()).help("name a file in a folder that you may write to");
            return stopped(&Stop::from(problem), look);
        }
    };
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cannot_start(&error),
    };
    let began = Instant::now();
    announce(&deployment, look);
    let deployment = deployment.with_prompt(Arc::new(Passphrases));
    let driven = match runtime.block_on(drive(&deployment, &progress)) {
        Ok(driven) => driven,
        Err(error) => return cannot_start(&error),
    };
    runtime.shutdown_background();
    let ended = match driven {
        Ok(ended) => ended,
        Err(errors) => return stopped(&errors.into(), look),
    };
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut again = repeat::command("deploy", &args.how.of(&[]), None);
    for server in &args.nameserver {
        again.push_str(&format!(" --nameserver {server}"));
    }
    for stage in &args.skip {
        again.push_str(&format!(" --skip {stage}"));
    }
    // What came before the first stage was never this deploy's affair.
    if let (Some(_), Some(stage)) = (&args.from, progress.stopped_at()) {
        again.push_str(&format!(" --from {stage}"));
    }
    if let Some(to) = &args.to {
        again.push_str(&format!(" --to {to}"));
    }
    if args.yes {
        again.push_str(" --yes");
    }
    say(progress.summary(&ended, milliseconds, &again).trim_end());
    exit_of(&ended)
}

fn mode(args: &DeployArgs) -> Mode {
    Mode::Run(crate::args::SurvivalOptions {
        resume: false,
        repair: crate::args::RepairOptions {
            no_rollback: false,
            lock_timeout: args.lock_timeout,
            reconnect_timeout: args.reconnect_timeout,
        },
    })
}

/// How the command ends after a deployment that ended so.
fn exit_of(ended: &Ended) -> Exit {
    match ended {
        Ended::Ok(_) | Ended::LeftOut(_) => Exit::Ok,
        // What the operator did not want is left to do.
        Ended::Failed(..) | Ended::Declined => Exit::Failed,
        Ended::Unreachable(..) => Exit::Unreachable,
        Ended::Interrupted => Exit::Interrupted,
    }
}

/// Says what will be gone through and why.
fn announce(deployment: &Deployment, look: &Look) {
    let stages = deployment.stages();
    let first = stages.first().copied();
    let line = match (deployment.beginning(), deployment.last()) {
        (Beginning::New, _) => format!("deploying in {} stages", stages.len()),
        (Beginning::Said, _) => format!("deploying from {}", first.map_or("", Stage::name)),
        (Beginning::OtherInputs, _) => {
            "inventory or variables are others than when the last deploy stopped: from the first stage, what is right costs \
             nothing"
                .to_owned()
        }
        (Beginning::Continued, last) => {
            let open = stages.iter().copied().find(|stage| last.is_some_and(|last| !last.is_done(*stage)));
            let at = open.or(first).map_or("", Stage::name);
            let how = last.and_then(|last| last.outcome.as_deref()).unwrap_or("was cut short");
            format!("going on at {at}: the last deploy {}", ending(how))
        }
    };
    say(&Paint::new(look.color_out).tone(Tone::Strong, &line));
}

fn ending(outcome: &str) -> &str {
    match outcome {
        "ok" => "ended there",
        "failed" => "failed there",
        "unreachable" => "did not reach all hosts",
        "declined" => "was stopped at a question",
        "interrupted" => "was interrupted",
        other => other,
    }
}

/// Goes through the stages. The first signal asks to stop, the second leaves at once.
async fn drive(deployment: &Deployment, progress: &Shared) -> io::Result<Result<Ended, InputErrors>> {
    let mut signals = Signals::new()?;
    let cancel = CancelHandle::new();
    let mut watch = progress.clone();
    let run = deployment.run(&mut watch, &cancel);
    let mut run = std::pin::pin!(run);
    loop {
        tokio::select! {
            ended = &mut run => return Ok(ended),
            name = signals.next() => {
                if cancel.is_cancelled() {
                    progress.leave();
                }
                progress.clone().say(&format!("{name}: stopping in an orderly way; once more leaves at once"));
                cancel.cancel();
            }
        }
    }
}

/// The stages, and how each went last.
fn list(args: &DeployArgs, look: &Look) -> Exit {
    let provisioner = match session::load_inventory(&args.how.inventory) {
        Ok((provisioner, _)) => provisioner,
        Err(stop) => return stopped(&stop, look),
    };
    let standing = match provisioner.journal() {
        Ok(entries) => Standing::of(&entries),
        Err(errors) => return stopped(&errors.into(), look),
    };
    say(&stages_table(standing.as_ref(), Paint::new(look.color_out)).join("\n"))
}

/// One line for each stage: its name, how it went last, what it does.
pub fn stages_table(standing: Option<&Standing>, paint: Paint) -> Vec<String> {
    let widest = Stage::ALL
        .iter()
        .map(|stage| stage.name().len())
        .max()
        .unwrap_or_default();
    let line = |stage: Stage| {
        let went = standing.and_then(|standing| standing.went.get(&stage));
        let (tone, word) = match went.map(|went| went.outcome.as_deref()) {
            None => (Tone::Faint, "to do"),
            Some(None) => (Tone::Changed, "begun"),
            Some(Some("ok")) => (Tone::Good, "done"),
            Some(Some("left_out")) => (Tone::Skipped, "left out"),
            Some(Some("declined" | "interrupted")) => (Tone::Changed, "stopped"),
            Some(Some(_)) => (Tone::Bad, "failed"),
        };
        let how = match went {
            Some(went) => {
                let at = went.started.strftime("%Y-%m-%d %H:%M");
                let took = went
                    .milliseconds
                    .map(|ms| format!(", {}", duration(ms)))
                    .unwrap_or_default();
                let reason = neutral_line(&went.reason);
                format!("{at}{took}{}{reason}", if reason.is_empty() { "" } else { ": " })
            }
            None => stage.what().to_owned(),
        };
        format!(
            "{}  {}  {how}",
            pad(stage.name(), widest),
            paint.tone(tone, &pad(word, 8))
        )
    };
    Stage::ALL.into_iter().map(line).collect()
}
