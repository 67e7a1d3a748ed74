//! The fault suite: every fault against every kind of step, each judged by the host's state at the end against that of an
//! undisturbed run. `cargo xtask faults` runs all of it; a part runs with the other tests.

pub mod case;
pub mod fault;
pub mod steps;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::testbed::Testbed;
pub use case::Pair;
pub use fault::Fault;
pub use steps::Step;

/// The hosts of the suite, two for each case under way.
pub const PAIRS: [Pair; 3] = [
    Pair {
        host: "vm1",
        partner: "vm4",
    },
    Pair {
        host: "vm2",
        partner: "vm5",
    },
    Pair {
        host: "vm6",
        partner: "vm3",
    },
];

/// The names of all hosts of [`PAIRS`].
pub fn hosts() -> Vec<&'static str> {
    PAIRS.iter().flat_map(|pair| [pair.host, pair.partner]).collect()
}

/// One case: a fault and the step that it meets.
pub type Case = (Fault, Step);

/// All cases.
pub fn all() -> Vec<Case> {
    Fault::ALL
        .into_iter()
        .flat_map(|fault| Step::ALL.into_iter().map(move |step| (fault, step)))
        .collect()
}

/// The cases that run with the other tests: each fault and each step at least once, the quick ones rather than the slow.
pub fn of_every_day() -> Vec<Case> {
    use Fault as F;
    use Step as S;
    vec![
        (F::Kill, S::Upload),
        (F::Interrupt, S::Long),
        (F::Cut, S::Command),
        (F::PackageLock, S::Package),
        (F::DiskFolder, S::File),
        (F::DiskFolder, S::Upload),
        (F::DiskFolder, S::Delegated),
        (F::DiskTmp, S::Upload),
        (F::DiskRun, S::Long),
        (F::DiskShm, S::File),
        (F::DiskVar, S::Handler),
        (F::ReadOnly, S::Line),
        (F::ReadOnly, S::Block),
        (F::OneSession, S::Upload),
        (F::OneSession, S::Long),
        (F::SudoGone, S::Long),
        (F::SudoPassword, S::Long),
        (F::ClockAhead, S::File),
        (F::ClockBack, S::Service),
        (F::OwnClockBack, S::Handler),
        (F::OwnClockAhead, S::Ask),
        (F::OwnDisk, S::Handler),
        (F::Bare, S::Upload),
    ]
}

/// The name of a case.
pub fn name((fault, step): Case) -> String {
    format!("{}/{}", fault.name(), step.name())
}

/// What came of the cases.
pub struct Results {
    cases: BTreeMap<String, Result<String, String>>,
    took: Duration,
}

/// Runs cases, as many at once as there are pairs of hosts; `said` hears of each as it ends.
pub fn run(
    testbed: &Testbed,
    cases: &[Case],
    said: impl Fn(&str, &Result<String, String>, Duration) + Sync,
) -> Results {
    let began = Instant::now();
    let ahead: Mutex<Vec<Case>> = Mutex::new(cases.iter().rev().copied().collect());
    let done = Mutex::new(BTreeMap::new());
    let undisturbed: Mutex<BTreeMap<&str, String>> = Mutex::default();
    std::thread::scope(|scope| {
        for pair in PAIRS {
            let (ahead, done, undisturbed, said) = (&ahead, &done, &undisturbed, &said);
            scope.spawn(move || {
                loop {
                    let Some(case) = hold(ahead).pop() else {
                        return;
                    };
                    let (fault, step) = case;
                    let known = hold(undisturbed).get(step.name()).cloned();
                    let reference = match known {
                        Some(state) => Ok(state),
                        None => case::undisturbed(testbed, pair, step),
                    };
                    let began = Instant::now();
                    let outcome = reference.and_then(|state| {
                        let mut states = hold(undisturbed);
                        states.insert(step.name(), state.clone());
                        drop(states);
                        case::run(testbed, pair, fault, step, &state)
                    });
                    said(&name(case), &outcome, began.elapsed());
                    hold(done).insert(name(case), outcome);
                }
            });
        }
    });
    Results {
        cases: done.into_inner().unwrap_or_else(PoisonError::into_inner),
        took: began.elapsed(),
    }
}

/// What is behind a lock, whatever became of the thread that had it last.
fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Results {
    /// Faults down, steps across: `done` as undisturbed, `stopped` with the host as it was, `ended` by the fault; each made
    /// good by the next run. `WRONG` otherwise.
    pub fn table(&self) -> String {
        let mut text = format!("{:<16}", "");
        for step in Step::ALL {
            let _ = write!(text, "{:<10}", step.name());
        }
        for fault in Fault::ALL {
            let of = |step: Step| self.cases.get(&name((fault, step)));
            if Step::ALL.into_iter().all(|step| of(step).is_none()) {
                continue;
            }
            let _ = write!(text, "\n{:<16}", fault.name());
            for step in Step::ALL {
                let word = match of(step) {
                    Some(Ok(said)) => said,
                    Some(Err(_)) => "WRONG",
                    None => "-",
                };
                let _ = write!(text, "{word:<10}");
            }
        }
        text
    }

    /// The failures, named and in full.
    pub fn failures(&self) -> Vec<String> {
        self.cases
            .iter()
            .filter_map(|(name, outcome)| Some(format!("{name}: {}", outcome.as_ref().err()?)))
            .collect()
    }

    /// How many there were, how many as they should be, and how long they took.
    pub fn summary(&self) -> String {
        let wrong = self.failures().len();
        format!(
            "{} of {} as they should be, in {:.0} s",
            self.cases.len() - wrong,
            self.cases.len(),
            self.took.as_secs_f64()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_covers_all_steps_and_all_faults_but_the_slow_one() {
        let cases = of_every_day();
        for step in Step::ALL {
            assert!(cases.iter().any(|(_, have)| *have == step), "{}", step.name());
        }
        for fault in Fault::ALL {
            let covered = cases.iter().any(|(have, _)| *have == fault);
            // Reboots have tests of their own.
            assert_eq!(covered, fault != Fault::Reboot, "{}", fault.name());
        }
        let all = all();
        assert!(cases.iter().all(|case| all.contains(case)));
    }
}
