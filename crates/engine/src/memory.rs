//! What is known about the machines of a run, for one host's way through its plays.

use crate::answers::{Answers, Outcome};
use crate::compose::Composed;
use crate::question::{Question, Touch};
use mosip_prov_transport::Identity;
use std::collections::HashMap;
use std::sync::Arc;

/// Where a question is asked: on which machine, as whom.
pub(crate) type Place = (Arc<str>, Identity);

/// The answers by place. Outcomes and pending changes are known at every place.
#[derive(Clone)]
pub(crate) struct Memory {
    places: HashMap<Place, Answers>,
    blank: Answers,
    /// What check mode left undone, for places that are looked at later: machine, task, touches.
    pending: Vec<(String, String, Vec<Touch>)>,
}

impl Memory {
    pub fn new(check_mode: bool) -> Self {
        let mut blank = Answers::new();
        blank.set_check_mode(check_mode);
        Self {
            places: HashMap::new(),
            blank,
            pending: Vec::new(),
        }
    }

    /// The answers at `place`.
    pub fn at(&mut self, place: &Place) -> &mut Answers {
        let (blank, pending) = (&self.blank, &self.pending);
        self.places.entry(place.clone()).or_insert_with(|| {
            let mut answers = blank.clone();
            for (_, task, touches) in pending.iter().filter(|(machine, ..)| **machine == *place.0) {
                answers.add_pending(task.clone(), touches.clone());
            }
            answers
        })
    }

    /// The same at the beginning of another play, whose conditions are about its own tasks.
    pub fn for_another_play(mut self) -> Self {
        self.blank.forget_outcomes();
        self.places.values_mut().for_each(Answers::forget_outcomes);
        self
    }

    /// The same for a rehearsal, in which nothing is carried out.
    pub fn for_rehearsal(&self) -> Self {
        let mut copy = self.clone();
        copy.blank.set_check_mode(true);
        copy.places
            .values_mut()
            .for_each(|answers| answers.set_check_mode(true));
        copy
    }

    /// Notes how a task ended, for the conditions of later ones.
    pub fn set_outcome(&mut self, task: &str, outcome: Outcome) {
        self.blank.set_outcome(task, outcome);
        for answers in self.places.values_mut() {
            answers.set_outcome(task, outcome);
        }
    }

    /// Notes a change that check mode left undone on `machine`.
    pub fn add_pending(&mut self, machine: &str, task: &str, touches: &[Touch]) {
        self.pending
            .push((machine.to_owned(), task.to_owned(), touches.to_vec()));
        for ((name, _), answers) in &mut self.places {
            if name.as_ref() == machine {
                answers.add_pending(task.to_owned(), touches.to_vec());
            }
        }
    }

    /// Forgets what a change on `machine` may have made untrue.
    pub fn forget(&mut self, machine: &str, touches: &[Touch]) {
        for ((name, _), answers) in &mut self.places {
            if name.as_ref() == machine {
                answers.forget(touches);
            }
        }
    }

    /// Forgets the answers to `questions` at `place`, so that they are asked again.
    pub fn forget_questions(&mut self, place: &Place, questions: &[Question]) {
        self.at(place).forget_questions(questions);
    }

    /// Those of `questions` that are not known at `place`.
    pub fn unknown<'q>(&mut self, place: &Place, questions: &'q [Question]) -> Vec<&'q Question> {
        let answers = self.at(place);
        questions.iter().filter(|q| !answers.knows(q)).collect()
    }

    /// Forgets all that is known of `machine`.
    pub fn forget_machine(&mut self, machine: &str) {
        self.forget(machine, &[Touch::Everything]);
    }

    /// Forgets all that is known of any machine.
    pub fn forget_everything(&mut self) {
        for answers in self.places.values_mut() {
            answers.forget(&[Touch::Everything]);
        }
    }

    /// Remembers the answers to `composed` in `output`.
    pub fn learn(&mut self, place: &Place, composed: &Composed, output: &str) {
        let answers = self.at(place);
        for (question, answer) in composed.read(output) {
            answers.learn(question, answer);
        }
    }
}
