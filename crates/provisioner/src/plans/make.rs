//! Decisions into a plan, and a plan into what a run is bound to.

use super::format::{Body, DecisionOf, DifferenceOf, ExtraVars, HostOf, PlayOf, State, TaskOf, What};
use crate::{RunReport, Settings};
use mosip_prov_engine::Prepared;
use mosip_prov_engine::binding::{BoundHost, Decisions, Digest, Key, Kind, Planned};
use mosip_prov_events::Difference;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;
use std::path::Path;

/// What was planned.
pub fn what_of(settings: &Settings, prepared: &Prepared, key: &Key) -> What {
    What {
        playbooks: prepared.playbooks().to_vec(),
        inventory: settings.inventory.iter().map(|path| absolute(path)).collect(),
        limit: settings.limit.as_ref().map(|limit| match limit.strip_prefix('@') {
            Some(file) => format!("@{}", absolute(file)),
            None => limit.clone(),
        }),
        tags: settings.tags.clone(),
        skip_tags: settings.skip_tags.clone(),
        start_at_task: settings.start_at_task.clone(),
        become_user: settings.become_user.clone(),
        extra_vars: settings
            .extra_vars
            .iter()
            .map(|text| match text.strip_prefix('@') {
                Some(file) => ExtraVars::File(absolute(file)),
                None => ExtraVars::Given {
                    variable: variable_of(text),
                    digest: key.digest("extra-vars", [text.as_bytes()]).to_string(),
                },
            })
            .collect(),
    }
}

/// A path that is the same from every folder; what is no path stays as it is.
fn absolute(text: &str) -> String {
    match std::path::absolute(text) {
        Ok(path) if Path::new(text).exists() => path.to_string_lossy().into_owned(),
        _ => text.to_owned(),
    }
}

/// The name before the first `=`, where it is one: all else may be part of a value.
fn variable_of(text: &str) -> Option<String> {
    let (name, _) = text.trim_start().split_once('=')?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(good)).then(|| name.to_owned())
}

/// The plays of a run.
pub fn plays_of(prepared: &Prepared) -> Vec<PlayOf> {
    let plays = prepared.plays().iter().map(|play| PlayOf {
        playbook: play.playbook().to_owned(),
        play: play.name().to_owned(),
        hosts: play.hosts().map(|(name, _)| name.to_owned()).collect(),
    });
    plays.collect()
}

/// What was decided for every host.
pub fn hosts_of(prepared: &Prepared, decisions: &BTreeMap<String, Decisions>, report: &RunReport) -> Vec<HostOf> {
    let plays = plays_of(prepared);
    let hosts = prepared.hosts().into_iter().map(|host| {
        let decided = decisions.get(host).cloned().unwrap_or_default();
        let lost = report.hosts.get(host).and_then(|h| h.unreachable.as_ref());
        let (state, why) = match (lost, decided.cut_off || decided.lost) {
            (Some(error), _) => (State::Unreachable, Some(error.message.clone())),
            (None, true) => (State::Failed, decided.failure.clone()),
            (None, false) => (State::Planned, None),
        };
        HostOf {
            host: host.to_owned(),
            state,
            why,
            tasks: decided.tasks.iter().map(|task| task_of(&plays, task)).collect(),
        }
    });
    hosts.collect()
}

fn task_of(plays: &[PlayOf], task: &Planned) -> TaskOf {
    let is_it = |play: &PlayOf| play.playbook == task.play.0 && play.play == task.play.1;
    TaskOf {
        play: plays.iter().position(is_it).unwrap_or(plays.len()),
        role: task.role.clone(),
        task: task.task.clone(),
        handler: task.handler,
        decision: match task.kind {
            Kind::Nothing => DecisionOf::Nothing,
            Kind::Skipped => DecisionOf::Skipped,
            Kind::Change => DecisionOf::Change,
            Kind::Open => DecisionOf::Open,
            Kind::Failed => DecisionOf::Failed,
        },
        reason: task.reason.clone(),
        differences: task
            .differences
            .iter()
            .map(|d| DifferenceOf {
                what: d.what.clone(),
                before: d.before.clone(),
                after: d.after.clone(),
            })
            .collect(),
        change: task.change.map(|digest| digest.to_string()),
        answers: task.answers.map(|digest| digest.to_string()),
        again: task.again,
    }
}

/// What a run is bound to; `problems` gets what does not hang together.
pub fn bound_hosts(body: &Body, problems: &mut Diagnostics) -> BTreeMap<String, BoundHost> {
    let mut hosts = BTreeMap::new();
    for host in &body.hosts {
        let bound = match host.state {
            State::Planned => {
                let tasks: Result<Vec<Planned>, String> = host.tasks.iter().map(|task| planned(body, task)).collect();
                match tasks {
                    Ok(tasks) => BoundHost::Planned(tasks),
                    Err(reason) => {
                        problems
                            .push(Diagnostic::error(format!("the plan of {}: {reason}", host.host)).help("plan again"));
                        continue;
                    }
                }
            }
            State::Unreachable => BoundHost::NotPlanned(not_planned("it was not reached then", host)),
            State::Failed => BoundHost::NotPlanned(not_planned("it did not get to the end then", host)),
        };
        hosts.insert(host.host.clone(), bound);
    }
    hosts
}

fn not_planned(what: &str, host: &HostOf) -> String {
    match &host.why {
        Some(why) => format!("{what} ({why})"),
        None => what.to_owned(),
    }
}

fn planned(body: &Body, task: &TaskOf) -> Result<Planned, String> {
    let play = body
        .plays
        .get(task.play)
        .ok_or_else(|| format!("task \"{}\" is of play {}, and there is no such", task.task, task.play))?;
    let digest = |text: &Option<String>| -> Result<Option<Digest>, String> {
        let digest = text.as_deref().map(str::parse).transpose();
        digest.map_err(|error| format!("task \"{}\": {error}", task.task))
    };
    Ok(Planned {
        play: (play.playbook.clone(), play.play.clone()),
        role: task.role.clone(),
        task: task.task.clone(),
        handler: task.handler,
        kind: match task.decision {
            DecisionOf::Nothing => Kind::Nothing,
            DecisionOf::Skipped => Kind::Skipped,
            DecisionOf::Change => Kind::Change,
            DecisionOf::Open => Kind::Open,
            DecisionOf::Failed => Kind::Failed,
        },
        reason: task.reason.clone(),
        differences: task
            .differences
            .iter()
            .map(|d| Difference {
                what: d.what.clone(),
                before: d.before.clone(),
                after: d.after.clone(),
            })
            .collect(),
        change: digest(&task.change)?,
        answers: digest(&task.answers)?,
        again: task.again,
    })
}

/// Says which plays and hosts are not those of the plan.
pub fn compare_plays(planned: &[PlayOf], now: &[PlayOf], problems: &mut Diagnostics) {
    let names = |plays: &[PlayOf]| -> Vec<(String, String)> {
        plays.iter().map(|p| (p.playbook.clone(), p.play.clone())).collect()
    };
    if names(planned) != names(now) {
        let said = |plays: &[PlayOf]| -> String {
            let all: Vec<String> = plays.iter().map(|p| format!("\"{}\"", p.play)).collect();
            all.join(", ")
        };
        problems.push(
            Diagnostic::error(format!(
                "the plan is of the plays {}; the playbooks have {} now",
                said(planned),
                said(now)
            ))
            .help("plan again"),
        );
        return;
    }
    for (planned, now) in planned
        .iter()
        .zip(now)
        .filter(|(planned, now)| planned.hosts != now.hosts)
    {
        let without = |all: &[String], others: &[String]| -> Vec<String> {
            all.iter().filter(|host| !others.contains(host)).cloned().collect()
        };
        let (gone, new) = (without(&planned.hosts, &now.hosts), without(&now.hosts, &planned.hosts));
        let what = match (gone.is_empty(), new.is_empty()) {
            (true, true) => "its hosts are in another order now".to_owned(),
            (false, true) => format!("{} is not among its hosts any more", gone.join(", ")),
            (true, false) => format!("{} is among its hosts now", new.join(", ")),
            (false, false) => format!(
                "{} is not among its hosts any more, {} is",
                gone.join(", "),
                new.join(", ")
            ),
        };
        problems.push(
            Diagnostic::error(format!(
                "play \"{}\" is not the one that was planned: {what}",
                planned.play
            ))
            .help("plan again; or plan with --limit for some of the hosts"),
        );
    }
}
