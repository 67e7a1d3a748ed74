//! Where a deployment stands, read off the journal, and with which stage it goes on.

use super::stage::Stage;
use jiff::Timestamp;
use mosip_prov_engine::journal::{Entry, Record};
use serde::Serialize;
use std::collections::BTreeMap;

/// How a stage went, the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Went {
    /// In one word: `ok`, `left_out`, `failed`, `unreachable`, `declined`, `interrupted`; `None` when it did not end: it
    /// was killed, or still goes on.
    pub outcome: Option<String>,
    /// What was done, or why not.
    pub reason: String,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in milliseconds, once it has ended.
    pub milliseconds: Option<u64>,
}

impl Went {
    /// Whether nothing of it is left to do.
    pub fn is_done(&self) -> bool {
        matches!(self.outcome.as_deref(), Some("ok" | "left_out"))
    }

    /// Whether it was looked at when a deployment goes on: what was left out for want of hosts costs nothing, and there
    /// may be some by now.
    fn is_settled(&self) -> bool {
        self.outcome.as_deref() == Some("ok")
    }
}

/// A deployment, as the journal tells it: what was done for the inputs of the last one, over all its beginnings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The digest of inventory and variables that it is about.
    pub inputs: String,
    /// How each went.
    pub went: BTreeMap<Stage, Went>,
    /// The process that began it last.
    pub pid: u32,
    /// How it ended; `None` when it was killed, or still goes on.
    pub outcome: Option<String>,
    run: String,
}

impl Standing {
    /// The last deployment of `entries`.
    pub fn of(entries: &[Entry]) -> Option<Self> {
        let mut standing: Option<Self> = None;
        for entry in entries {
            match (&entry.record, &mut standing) {
                (
                    Record::DeployStarted {
                        stages, inputs, pid, ..
                    },
                    _,
                ) => {
                    let range: Vec<Stage> = stages.iter().filter_map(|name| Stage::from_name(name)).collect();
                    // What was done for other inputs says nothing of these; and what is to be gone through is done anew.
                    let kept = standing.take().filter(|old| old.inputs == *inputs);
                    let mut went = kept.map(|old| old.went).unwrap_or_default();
                    went.retain(|stage, _| !range.contains(stage));
                    standing = Some(Self {
                        inputs: inputs.clone(),
                        went,
                        pid: *pid,
                        outcome: None,
                        run: entry.run.clone(),
                    });
                }
                (_, None) => {}
                (_, Some(standing)) if standing.run != entry.run => {}
                (Record::StageStarted { stage }, Some(standing)) => {
                    if let Some(stage) = Stage::from_name(stage) {
                        let went = Went {
                            outcome: None,
                            reason: String::new(),
                            started: entry.time,
                            milliseconds: None,
                        };
                        standing.went.insert(stage, went);
                    }
                }
                (
                    Record::StageEnded {
                        stage,
                        outcome,
                        reason,
                        milliseconds,
                    },
                    Some(standing),
                ) => {
                    if let Some(stage) = Stage::from_name(stage) {
                        let went = Went {
                            outcome: Some(outcome.clone()),
                            reason: reason.clone(),
                            started: standing.went.get(&stage).map_or(entry.time, |went| went.started),
                            milliseconds: Some(*milliseconds),
                        };
                        standing.went.insert(stage, went);
                    }
                }
                (Record::DeployEnded { outcome }, Some(standing)) => standing.outcome = Some(outcome.clone()),
                _ => {}
            }
        }
        standing
    }

    /// Whether every stage there is was done.
    pub fn is_complete(&self) -> bool {
        Stage::ALL.into_iter().all(|stage| self.is_done(stage))
    }

    /// Whether nothing of `stage` is left to do.
    pub fn is_done(&self, stage: Stage) -> bool {
        self.went.get(&stage).is_some_and(Went::is_done)
    }

    /// The first stage that is not done.
    pub fn first_open(&self) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| !self.is_done(*stage))
    }
}

/// Why a deployment begins where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// There was none before, or the last one came to its end: all stages, in order.
    New,
    /// The operator said where.
    Said,
    /// The last one stopped; what it did is left out.
    Continued,
    /// The last one stopped, but inventory or variables are others by now: from the first stage.
    OtherInputs,
}

/// The stages of `from..=to` but those of `skip` that are to be gone through, and why these: stages that the last
/// deployment did are left out when it stopped on the way and is continued with the same `inputs`.
pub fn choose(
    from: Option<Stage>,
    to: Option<Stage>,
    skip: &[Stage],
    last: Option<&Standing>,
    inputs: &str,
) -> (Vec<Stage>, Beginning) {
    let to = to.unwrap_or(Stage::VerifyMosip);
    let range = |from: Stage| {
        let wanted = move |stage: &Stage| (from..=to).contains(stage) && !skip.contains(stage);
        Stage::ALL.into_iter().filter(wanted)
    };
    if let Some(from) = from {
        return (range(from).collect(), Beginning::Said);
    }
    let all = range(Stage::Preflight);
    match last {
        None => (all.collect(), Beginning::New),
        // All that is asked for was done: somebody wants to see that it still holds.
        Some(last) if all.clone().all(|stage| last.is_done(stage)) => (all.collect(), Beginning::New),
        Some(last) if last.inputs != inputs => (all.collect(), Beginning::OtherInputs),
        Some(last) => {
            let settled = |stage: &Stage| last.went.get(stage).is_some_and(Went::is_settled);
            let left = all.filter(|stage| stage.again_when_continued() || !settled(stage));
            (left.collect(), Beginning::Continued)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run: &str, record: Record) -> Entry {
        Entry {
            v: 1,
            time: Timestamp::UNIX_EPOCH,
            run: run.to_owned(),
            record,
        }
    }

    fn begun(run: &str, inputs: &str) -> Entry {
        begun_with(run, inputs, &Stage::ALL)
    }

    fn begun_with(run: &str, inputs: &str, stages: &[Stage]) -> Entry {
        let stages = stages.iter().map(|stage| stage.name().to_owned()).collect();
        let record = Record::DeployStarted {
            stages,
            inputs: inputs.to_owned(),
            pid: 7,
            program: "0".to_owned(),
        };
        entry(run, record)
    }

    fn stage(run: &str, stage: Stage, outcome: Option<&str>) -> Vec<Entry> {
        let name = stage.name().to_owned();
        let started = entry(run, Record::StageStarted { stage: name.clone() });
        let ended = outcome.map(|outcome| {
            let record = Record::StageEnded {
                stage: name,
                outcome: outcome.to_owned(),
                reason: String::new(),
                milliseconds: 5,
            };
            entry(run, record)
        });
        std::iter::once(started).chain(ended).collect()
    }

    /// Begun with `inputs`; all stages before `stop` are done, `stop` itself ended with `outcome` or was killed.
    fn stopped(inputs: &str, stop: Stage, outcome: Option<&str>) -> Vec<Entry> {
        let before = Stage::ALL.into_iter().filter(|s| *s < stop);
        let mut entries = vec![begun("a", inputs)];
        entries.extend(before.flat_map(|s| stage("a", s, Some("ok"))));
        entries.extend(stage("a", stop, outcome));
        entries
    }

    #[test]
    fn a_killed_or_failed_one_goes_on_at_its_stage() {
        for outcome in [None, Some("failed"), Some("interrupted"), Some("declined")] {
            let standing = Standing::of(&stopped("x", Stage::Observation, outcome)).expect("one");
            assert_eq!(standing.first_open(), Some(Stage::Observation));
            let (stages, why) = choose(None, None, &[], Some(&standing), "x");
            assert_eq!(why, Beginning::Continued);
            assert_eq!(stages[..2], [Stage::Preflight, Stage::Observation], "{outcome:?}");
        }
    }

    #[test]
    fn a_continued_one_remembers_what_was_done_before_it() {
        let mut entries = stopped("x", Stage::Observation, None);
        let left: Vec<Stage> = Stage::ALL.into_iter().filter(|s| *s >= Stage::Observation).collect();
        entries.push(begun_with("b", "x", &[&[Stage::Preflight], &left[..]].concat()));
        entries.extend(stage("b", Stage::Preflight, Some("ok")));
        entries.extend(stage("b", Stage::Observation, Some("ok")));
        entries.extend(stage("b", Stage::VerifyObservation, None));
        let standing = Standing::of(&entries).expect("one");
        assert!(standing.is_done(Stage::AptUpgrade));
        assert_eq!(standing.first_open(), Some(Stage::VerifyObservation));
    }

    #[test]
    fn other_inputs_begin_anew_and_a_finished_one_too() {
        let standing = Standing::of(&stopped("x", Stage::Main, Some("failed"))).expect("one");
        let (stages, why) = choose(None, None, &[], Some(&standing), "y");
        assert_eq!((stages.len(), why), (13, Beginning::OtherInputs));
        let mut entries = stopped("x", Stage::VerifyMosip, Some("ok"));
        let standing = Standing::of(&entries).expect("one");
        assert!(standing.is_complete());
        assert_eq!(choose(None, None, &[], Some(&standing), "x").1, Beginning::New);
        // The next one that is begun forgets it.
        entries.push(begun("b", "x"));
        let standing = Standing::of(&entries).expect("one");
        assert_eq!(standing.first_open(), Some(Stage::Preflight));
    }

    #[test]
    fn one_that_was_finished_without_a_stage_is_gone_through_again_without_it() {
        let skip = [Stage::AptUpgrade];
        let stages: Vec<Stage> = Stage::ALL.into_iter().filter(|s| !skip.contains(s)).collect();
        let mut entries = vec![begun_with("a", "x", &stages)];
        entries.extend(stages.iter().flat_map(|s| stage("a", *s, Some("ok"))));
        let standing = Standing::of(&entries).expect("one");
        assert_eq!(
            choose(None, None, &skip, Some(&standing), "x"),
            (stages, Beginning::New)
        );
        // Without the flag, what was skipped is what is left.
        let (left, why) = choose(None, None, &[], Some(&standing), "x");
        assert_eq!(
            (left, why),
            (vec![Stage::Preflight, Stage::AptUpgrade], Beginning::Continued)
        );
    }

    #[test]
    fn a_part_that_is_done_anew_forgets_that_part_alone() {
        let mut entries = stopped("x", Stage::VerifyMosip, Some("ok"));
        let part = [Stage::Wireguard, Stage::Observation];
        entries.push(begun_with("b", "x", &part));
        entries.extend(stage("b", Stage::Wireguard, None));
        let standing = Standing::of(&entries).expect("one");
        let open: Vec<Stage> = Stage::ALL.into_iter().filter(|s| !standing.is_done(*s)).collect();
        assert_eq!(open, part);
    }

    #[test]
    fn what_was_left_out_for_want_of_hosts_is_looked_at_again() {
        let mut entries = stopped("x", Stage::Wireguard, Some("left_out"));
        entries.extend(stage("a", Stage::Observation, None));
        let standing = Standing::of(&entries).expect("one");
        let (stages, _) = choose(None, None, &[], Some(&standing), "x");
        assert_eq!(stages[..3], [Stage::Preflight, Stage::Wireguard, Stage::Observation]);
    }

    #[test]
    fn a_range_that_is_done_is_gone_through_again() {
        let standing = Standing::of(&stopped("x", Stage::Import, Some("failed"))).expect("one");
        let (stages, why) = choose(None, Some(Stage::AptUpgrade), &[], Some(&standing), "x");
        assert_eq!((stages.len(), why), (3, Beginning::New));
    }

    #[test]
    fn what_is_said_counts() {
        let standing = Standing::of(&stopped("x", Stage::Import, None)).expect("one");
        let (stages, why) = choose(
            Some(Stage::Wireguard),
            Some(Stage::Observation),
            &[],
            Some(&standing),
            "x",
        );
        assert_eq!(stages, [Stage::Wireguard, Stage::Observation]);
        assert_eq!(why, Beginning::Said);
        assert!(
            choose(Some(Stage::Main), Some(Stage::Wireguard), &[], None, "x")
                .0
                .is_empty()
        );
    }

    #[test]
    fn a_new_one_is_all_stages() {
        assert_eq!(Standing::of(&[]), None);
        assert_eq!(
            choose(None, None, &[], None, "x"),
            (Stage::ALL.to_vec(), Beginning::New)
        );
    }
}
