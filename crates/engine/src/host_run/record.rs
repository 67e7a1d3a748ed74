//! The tasks of a host, and what they decided, written down for a plan.

use super::{Decided, HostRun, Position};
use crate::answers::Answers;
use crate::binding::{Digest, Key, Kind, Planned, digest_of};
use crate::emit::shown;
use crate::memory::Place;
use crate::question::Question;
use crate::task::Task;
use crate::text::sanitize;
use mosip_prov_events::TaskStatus;

impl<'r> HostRun<'r> {
    /// Its tasks in this play, in order.
    pub(super) fn positions(&self) -> Vec<Position<'r>> {
        let roles = self.part.roles.iter().enumerate();
        let tasks = roles.flat_map(|(role, r)| {
            r.tasks.iter().map(move |task| Position {
                role,
                task,
                handler: false,
            })
        });
        tasks.collect()
    }
}

impl HostRun<'_> {
    /// Keeps what was decided, if this run keeps it.
    pub(super) fn record(&mut self, position: Position<'_>, place: &Place, decided: &Decided) {
        let Some(recorder) = self.shared.recorder.clone() else {
            return;
        };
        let task = position.task;
        let merged = (!task.consult.is_empty()).then(|| self.answers_for(task, place));
        let answers = match &merged {
            Some(answers) => answers,
            None => self.memory.at(place),
        };
        let rests_on = digest_of_answers(&recorder.key, task, answers);
        let (kind, reason, change) = match decided {
            Decided::Settled(TaskStatus::Skipped, reason) => (Kind::Skipped, reason.clone(), None),
            Decided::Settled(TaskStatus::Unknown, reason) => (Kind::Open, reason.clone(), None),
            Decided::Settled(_, reason) => (Kind::Nothing, reason.clone(), None),
            Decided::Change(change) => (Kind::Change, change.summary.clone(), Some(change)),
            Decided::Failed(_) if task.no_log => (Kind::Failed, String::new(), None),
            Decided::Failed(failure) => (Kind::Failed, failure.message.clone(), None),
        };
        let differences = match change {
            Some(change) if !task.no_log => change.differences.iter().map(shown).collect(),
            _ => Vec::new(),
        };
        let at = format!("{} {:?}", place.0, place.1);
        let planned = Planned {
            play: self.play.name_in_run(),
            role: self.part.roles[position.role].name.clone(),
            task: task.name().to_owned(),
            handler: position.handler,
            kind,
            reason: sanitize(&reason),
            differences,
            change: change.map(|change| digest_of(&recorder.key, &at, change, rests_on, task.no_log)),
            answers: Some(rests_on),
            again: questions_of(task).iter().any(|q| answers.pending_for(q).is_some()),
        };
        recorder.decided(&self.name, planned);
    }
}

fn questions_of(task: &Task) -> Vec<Question> {
    let mut all = task.questions();
    all.extend(task.consult.iter().flat_map(|consult| consult.questions.clone()));
    all
}

/// The digest of all that `task` was told. A resource may name its questions in any order, and one more than once.
fn digest_of_answers(key: &Key, task: &Task, answers: &Answers) -> Digest {
    let mut questions = questions_of(task);
    questions.sort_by(|a, b| (a.probe().name(), a.subject()).cmp(&(b.probe().name(), b.subject())));
    questions.dedup();
    let mut parts: Vec<&[u8]> = Vec::new();
    for question in &questions {
        parts.push(question.probe().name().as_bytes());
        parts.push(question.subject().as_bytes());
        let (word, text): (&str, &str) = match answers.raw(question) {
            Some(Ok(text)) => ("answer", text),
            Some(Err(reason)) => ("error", reason),
            None => ("none", ""),
        };
        parts.push(word.as_bytes());
        parts.push(text.as_bytes());
    }
    key.digest("answers", parts)
}
