//! `apply`: exactly what a plan says, or nothing, host by host.

use super::{rancher, run, stopped};
use crate::args::{ApplyArgs, SurvivalOptions, What};
use crate::exit::Exit;
use crate::output::{Look, complain, say};
use crate::prompt::{self, Passphrases, PromptError};
use crate::repeat;
use crate::session::{self, Mode, Stop};
use crate::show::Showing;
use mosip_prov::inventory::diagnostic::Diagnostic;
use mosip_prov::plans::Plan;
use mosip_prov::plans::format::{DecisionOf, State};
use mosip_prov::rancher::Importing;
use mosip_prov::{InputErrors, Ready};
use mosip_prov_report::text::{count, neutral_line};
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// `apply`.
pub fn apply(args: &ApplyArgs, look: &Look) -> Exit {
    let (plan, what) = match read(args) {
        Ok(found) => found,
        Err(stop) => return stopped(&stop, look),
    };
    let mode = Mode::Run(SurvivalOptions {
        resume: false,
        repair: args.repair,
    });
    let (importing, mut warnings) = match session::prepare_importing(&what, mode) {
        Ok(found) => found,
        Err(stop) => return stopped(&stop, look),
    };
    // What does not fit at all is said before anybody is asked.
    let bind = |ready: Ready| ready.bound_to(&plan).map_err(|errors| stopped(&errors.into(), look));
    let bound = match importing {
        Importing::Ready(ready) => match bind(*ready) {
            Ok(ready) => Ok(ready),
            Err(exit) => return exit,
        },
        Importing::Ask(ask) => Err(ask),
    };
    if let Some(exit) = unless_agreed(args, &plan) {
        return exit;
    }
    let bound = match bound {
        Ok(ready) => Ok(ready),
        Err(ask) => rancher::ask_first(&ask, look).and_then(bind),
    };
    let ready = match bound {
        Ok(ready) => ready,
        Err(exit) => return exit,
    };
    if ready.inputs_differ(&plan) {
        warnings.push(
            Diagnostic::warning("inventory or variables are not what they were when the plan was made")
                .help("hosts that would be decided otherwise because of it are left as they are"),
        );
    }
    warnings.extend(ready.warnings().iter().cloned());
    let showing = Showing {
        diff: args.diff,
        command: None,
        same_command: None,
        apply_command: Some(plan_again(args, &what)),
    };
    let prepared = (ready.with_prompt(Arc::new(Passphrases)), warnings);
    run::carry_out(prepared, showing, &args.output, false, look)
}

/// Reads the plan, sees that it is good to be applied, and makes of it what a run takes.
fn read(args: &ApplyArgs) -> Result<(Plan, What), Stop> {
    let plan = Plan::read(&args.plan).map_err(InputErrors::from)?;
    let most = Duration::from_secs(u64::from(args.max_age) * 3600);
    plan.check_age(SystemTime::now(), most)?;
    let extra_vars = plan.extra_vars(&args.extra_vars)?;
    if changes_something(&plan) && !args.yes && !io::stdin().is_terminal() {
        return Err(
            Diagnostic::error("cannot ask whether the plan is to be applied: standard input is no terminal")
                .help("say --yes")
                .into(),
        );
    }
    let what = args.what(plan.what(), extra_vars);
    Ok((plan, what))
}

fn changes_something(plan: &Plan) -> bool {
    let tally = plan.tally();
    tally.changes + tally.open > 0
}

/// Shows the plan and asks; `Some` when it is not to be applied.
fn unless_agreed(args: &ApplyArgs, plan: &Plan) -> Option<Exit> {
    if args.yes || !changes_something(plan) {
        return None;
    }
    let exit = say(&shown(plan));
    if exit != Exit::Ok {
        return Some(exit);
    }
    match prompt::confirm("\nApply exactly this?") {
        Ok(true) => None,
        Ok(false) => {
            complain("nothing was applied");
            Some(Exit::Inputs)
        }
        Err(PromptError::Interrupted) => {
            complain("interrupted; nothing was connected to");
            Some(Exit::Interrupted)
        }
        Err(error) => {
            complain(&format!("error: {error}"));
            Some(Exit::Inputs)
        }
    }
}

/// The plan, host by host: what is to be changed, and what is known only then.
fn shown(plan: &Plan) -> String {
    let what = plan.what();
    let mut lines = vec![format!(
        "PLAN of {:.0}: {} with {}",
        plan.made(),
        neutral_line(&what.playbooks.join(", ")),
        neutral_line(&what.inventory.join(", "))
    )];
    for host in &plan.body().hosts {
        let name = neutral_line(&host.host);
        if host.state != State::Planned {
            lines.push(format!("{name}  not planned, and left as it is"));
            continue;
        }
        let before = lines.len();
        for task in &host.tasks {
            let word = match task.decision {
                DecisionOf::Change if task.again => "change (decided again after earlier changes)",
                DecisionOf::Change => "change",
                DecisionOf::Open => "known after earlier changes",
                DecisionOf::Nothing | DecisionOf::Skipped | DecisionOf::Failed => continue,
            };
            lines.push(format!(
                "{name}  {} : {}: {word}: {}",
                neutral_line(&task.role),
                neutral_line(&task.task),
                neutral_line(&task.reason)
            ));
        }
        if lines.len() == before {
            lines.push(format!("{name}  nothing to do"));
        }
    }
    lines.push(tally(plan));
    lines.join("\n")
}

/// What a plan comes to, in one line.
pub fn tally(plan: &Plan) -> String {
    let tally = plan.tally();
    let mut text = match tally.changes + tally.open {
        0 => format!("nothing to do on {}", count(tally.hosts, "host")),
        _ => format!(
            "{} on {}, {} known after earlier changes",
            count(tally.changes, "change"),
            count(tally.hosts, "host"),
            tally.open
        ),
    };
    if tally.not_planned > 0 {
        text += &format!("; {} not planned", count(tally.not_planned, "host"));
    }
    text
}

/// The command that makes the plan anew.
fn plan_again(args: &ApplyArgs, what: &What) -> String {
    let command = repeat::command("plan", what, what.selection.limit.as_deref());
    format!("{command} --out {}", repeat::quote(&args.plan.to_string_lossy()))
}
