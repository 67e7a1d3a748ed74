//! Many questions in one script, and their answers out of its output.

use crate::question::{Probe, Question, RawAnswer};
use crate::shell::{frame, split_frames};
use indexmap::IndexMap;

/// Questions put together for one exchange: one frame for each kind.
pub(crate) struct Composed {
    /// The script.
    pub script: String,
    groups: Vec<Group>,
}

struct Group {
    probe: &'static dyn Probe,
    subjects: Vec<String>,
}

/// Puts `questions` (each once) into one script.
pub(crate) fn compose<'q>(questions: impl IntoIterator<Item = &'q Question>) -> Composed {
    let mut by_kind: IndexMap<&'static str, Group> = IndexMap::new();
    for question in questions {
        let group = by_kind.entry(question.probe().name()).or_insert_with(|| Group {
            probe: question.probe(),
            subjects: Vec::new(),
        });
        if !group.subjects.iter().any(|s| s == question.subject()) {
            group.subjects.push(question.subject().to_owned());
        }
    }
    let groups: Vec<Group> = by_kind.into_values().collect();
    let script = groups
        .iter()
        .map(|g| frame(&g.probe.script(&g.subject_refs())))
        .collect();
    Composed { script, groups }
}

impl Composed {
    /// True when nothing is to be asked.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The answers, one for each question. An output that breaks off leaves the rest unanswered, each with the reason.
    pub fn read(&self, output: &str) -> Vec<(Question, RawAnswer)> {
        let frames = split_frames(output);
        let mut answers = Vec::new();
        for (index, group) in self.groups.iter().enumerate() {
            let subjects = group.subject_refs();
            let raw: Vec<RawAnswer> = match &frames {
                Err(reason) => subjects.iter().map(|_| Err(reason.clone())).collect(),
                Ok(frames) => match frames.get(index) {
                    None => subjects
                        .iter()
                        .map(|_| Err("the target's answer is incomplete".to_owned()))
                        .collect(),
                    Some(frame) if frame.status != 0 => {
                        let reason = format!("asking failed with status {}: {}", frame.status, last_line(frame.text));
                        subjects.iter().map(|_| Err(reason.clone())).collect()
                    }
                    Some(frame) => {
                        let raw = group.probe.split(frame.text, &subjects);
                        if raw.len() == subjects.len() {
                            raw
                        } else {
                            let reason = format!("{} answers to {} questions", raw.len(), subjects.len());
                            subjects.iter().map(|_| Err(reason.clone())).collect()
                        }
                    }
                },
            };
            for (subject, answer) in subjects.into_iter().zip(raw) {
                answers.push((Question::new(group.probe, subject), answer));
            }
        }
        answers
    }
}

impl Group {
    fn subject_refs(&self) -> Vec<&str> {
        self.subjects.iter().map(String::as_str).collect()
    }
}

fn last_line(text: &str) -> &str {
    text.lines()
        .rev()
        .find(|l| !l.trim().is_empty())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;
    impl Probe for Echo {
        fn name(&self) -> &'static str {
            "echo"
        }
        fn script(&self, subjects: &[&str]) -> String {
            format!("printf '%s\\n' {}", subjects.join(" "))
        }
        fn split(&self, output: &str, _: &[&str]) -> Vec<RawAnswer> {
            output.lines().map(|l| Ok(l.to_owned())).collect()
        }
    }
    struct Broken;
    impl Probe for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }
        fn script(&self, _: &[&str]) -> String {
            "echo no such tool >&2; exit 7".into()
        }
        fn split(&self, _: &str, _: &[&str]) -> Vec<RawAnswer> {
            Vec::new()
        }
    }

    fn run(composed: &Composed) -> String {
        let out = std::process::Command::new("sh")
            .args(["-c", &composed.script])
            .output()
            .expect("sh");
        String::from_utf8(out.stdout).expect("text")
    }

    #[test]
    fn one_failing_kind_does_not_spoil_the_others() {
        let questions = [
            Question::new(&Echo, "a"),
            Question::new(&Broken, "x"),
            Question::new(&Echo, "b"),
            Question::new(&Echo, "a"),
        ];
        let composed = compose(&questions);
        let answers = composed.read(&run(&composed));
        assert_eq!(answers.len(), 3);
        assert_eq!(answers[0], (Question::new(&Echo, "a"), Ok("a".into())));
        assert_eq!(answers[1], (Question::new(&Echo, "b"), Ok("b".into())));
        let broken = answers[2].1.as_ref().expect_err("unanswered");
        assert!(
            broken.contains("status 7") && broken.contains("no such tool"),
            "{broken}"
        );
    }

    #[test]
    fn a_cut_output_answers_nothing() {
        let composed = compose(&[Question::new(&Echo, "a")]);
        let answers = composed.read("0 99\nshort");
        assert!(answers[0].1.is_err());
        let answers = composed.read("");
        assert!(answers[0].1.is_err());
    }
}
