//! What other machines are asked for a task's decision.

use super::tell::identity;
use super::{End, HostRun, plain_failure};
use crate::answers::Answers;
use crate::memory::Place;
use crate::question::Question;
use crate::task::Task;
use mosip_prov_events::TaskId;
use std::sync::Arc;
use std::time::Instant;

impl HostRun<'_> {
    /// Asks the machines that `task` consults what is not known of them. They are only read: their locks are left alone.
    pub(super) async fn consult(&mut self, task: &Task, id: &TaskId) -> Result<(), End> {
        for consult in &task.consult {
            let place: Place = (Arc::from(consult.host.as_str()), identity(self.part, &consult.run_as));
            let unknown = self.memory.unknown(&place, &consult.questions);
            let missing: Vec<Question> = unknown.into_iter().cloned().collect();
            if missing.is_empty() {
                continue;
            }
            let patience = self.play.wait_for_hosts;
            let reached = self.shared.fleet.get(&place.0, patience, &self.shared.cancel).await;
            let asked = match reached {
                Some(Ok(host)) => self
                    .ask_patiently(&host, &place, &missing)
                    .await
                    .map_err(|e| e.to_string()),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("no connection is known for it".to_owned()),
            };
            if let Err(reason) = asked {
                let failure = plain_failure(format!(
                    "{}, which this task must ask, does not answer: {reason}",
                    place.0
                ));
                return Err(self.task_failed(id, failure, Instant::now()));
            }
        }
        Ok(())
    }

    /// What `task` decides from: the answers at `place`, and those of the machines it consults.
    pub(super) fn answers_for(&mut self, task: &Task, place: &Place) -> Answers {
        let mut answers = self.memory.at(place).clone();
        for consult in &task.consult {
            let other: Place = (Arc::from(consult.host.as_str()), identity(self.part, &consult.run_as));
            answers.take_over(self.memory.at(&other), &consult.questions);
        }
        answers
    }

    /// Forgets what was asked for `task`, here and elsewhere, so that it is asked again.
    pub(super) fn forget_asked(&mut self, task: &Task, place: &Place) {
        self.memory.forget_questions(place, &task.questions());
        for consult in &task.consult {
            let other: Place = (Arc::from(consult.host.as_str()), identity(self.part, &consult.run_as));
            self.memory.forget_questions(&other, &consult.questions);
        }
    }
}
