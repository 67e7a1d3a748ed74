//! Putting back what a role replaced, when a service does not come up on it.

use super::{HostRun, censored};
use crate::apply::{Applier, ApplyError};
use crate::decision::Change;
use crate::memory::Place;
use crate::task::Task;
use mosip_prov_events::Failure;
use std::time::Duration;
use tokio::sync::mpsc;

impl HostRun<'_> {
    /// After `task`, which judges, has failed: puts the files back that its role replaced, and does `change` (a restart)
    /// on them. Adds to `failure` what became of it.
    pub(super) async fn roll_back(
        &mut self,
        task: &Task,
        place: &Place,
        change: Option<&Change>,
        failure: &mut Failure,
    ) {
        let shared = self.shared;
        // A health check that fails brings nothing up by itself: what was started before it is started again.
        let last = self.last_judged.take();
        let last = last.as_ref().filter(|(at, _)| at == place).map(|(_, change)| change);
        let change = change.or(last);
        let kept = !self.replaced.is_empty() || shared.sites.keeps(&place.0, self.role_name());
        if !task.resource.judges() || !kept {
            return;
        }
        if !shared.rollback {
            note(
                failure,
                "the replaced files were left in place, as --no-rollback asks; their predecessors are under /var/lib/mosip-prov/undo until the next run that ends well",
            );
            return;
        }
        let Some(Ok(host)) = shared.fleet.get(&place.0, Duration::ZERO, &shared.cancel).await else {
            return;
        };
        let Ok(permit) = shared.gate.permit() else {
            return;
        };
        self.replaced.clear();
        let role = self.role_name().to_owned();
        let outcome = {
            let link = self.link(host.as_ref(), place);
            let applier = Applier {
                link: &link,
                permit,
                timeout: shared.command_timeout,
                keep_for: None,
            };
            let text = |error: &ApplyError| text(error, task.no_log);
            match applier.restore(&role).await {
                Err(error) => Err((
                    false,
                    format!("the previous files could not be put back: {}", text(&error)),
                )),
                Ok(restored) => {
                    let files = restored.lines().collect::<Vec<_>>().join(", ");
                    match change {
                        None => Ok(format!("the previous files were put back: {files}")),
                        Some(change) => {
                            let (sender, mut receiver) = mpsc::channel(64);
                            let work = async {
                                let result = applier.alone(change, "rollback", &sender).await;
                                drop(sender);
                                result
                            };
                            // Its output is of no interest unless it fails, and then it is in the error.
                            let drain = async { while receiver.recv().await.is_some() {} };
                            match tokio::join!(work, drain).0 {
                                Ok(()) => Ok(format!(
                                    "the previous files were put back ({files}), and it worked again: {}",
                                    change.summary
                                )),
                                Err(error) => Err((
                                    true,
                                    format!(
                                        "the previous files were put back ({files}), but it still fails: {}",
                                        text(&error)
                                    ),
                                )),
                            }
                        }
                    }
                }
            }
        };
        self.shared.count_change();
        self.memory.forget_machine(&place.0);
        let (restored, message) = match outcome {
            Ok(message) => (true, message),
            Err((restored, message)) => (restored, message),
        };
        self.warn(message.clone());
        if task.no_log {
            *failure = censored(failure.clone());
        }
        note(failure, &message);
        if restored {
            // What was notified for the sake of the files is not owed any more; what earlier runs owe is.
            let (kept, dropped): (Vec<_>, Vec<_>) = std::mem::take(&mut self.notified)
                .into_iter()
                .partition(|name| self.inherited.contains(name));
            self.owed.clone_from(&kept);
            self.notified = kept;
            for name in &dropped {
                self.settle(name);
            }
        }
    }
}

fn note(failure: &mut Failure, message: &str) {
    failure.message.push_str("; ");
    failure.message.push_str(message);
}

fn text(error: &ApplyError, no_log: bool) -> String {
    match error {
        ApplyError::Step(_) if no_log => "what it printed is kept back".to_owned(),
        ApplyError::Step(failure) => failure.message.clone(),
        ApplyError::Transport(error) => error.to_string(),
    }
}
