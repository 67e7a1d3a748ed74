//! The judgement as tasks of a role: waited for, with what is still wrong.

use super::{API, Expected, Look, NODES, judge};
use crate::kubectl::Kubectl;
use crate::settle::settle;
use mosip_prov_events::{Finding, Level};
use mosip_prov_resources::{Answers, DecideError, Decision, Patience, Question, Resource};
use std::time::Duration;

/// As many findings as a line of progress has room for.
const SHOWN: usize = 6;

/// Which findings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Those about nodes.
    Nodes,
    /// Those about all that runs on them.
    Running,
}

/// A cluster, or a part of it, is whole. Waits 300 s at most.
#[derive(Debug, Clone)]
pub struct Whole {
    look: Look,
    nodes: Vec<String>,
    part: Part,
}

impl Whole {
    /// That part of the cluster, whose nodes are to be `nodes`.
    pub fn new<N: Into<String>>(kubectl: &Kubectl, nodes: impl IntoIterator<Item = N>, part: Part) -> Self {
        Self {
            look: Look::new(kubectl),
            nodes: nodes.into_iter().map(Into::into).collect(),
            part,
        }
    }

    fn counts(&self, finding: &Finding) -> bool {
        finding.area == API || (finding.area == NODES) == (self.part == Part::Nodes)
    }
}

impl Resource for Whole {
    fn kind(&self) -> &'static str {
        match self.part {
            Part::Nodes => "nodes",
            Part::Running => "pods",
        }
    }

    fn questions(&self) -> Vec<Question> {
        match self.part {
            Part::Nodes => self.look.questions_of_nodes(),
            Part::Running => self.look.questions(),
        }
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let looked = match self.part {
            Part::Nodes => self.look.read_nodes(answers)?,
            Part::Running => self.look.read(answers)?,
        };
        let expected = Expected::nodes(self.nodes.iter().cloned());
        let mut found = judge(&looked, &expected, self.look.kubeconfig());
        found.retain(|finding| self.counts(finding));
        let of = |level: Level| found.iter().filter(move |finding| finding.level == level);
        let mut wrong: Vec<String> = of(Level::Failure)
            .map(|one| format!("{}: {}", one.subject, one.message))
            .collect();
        let decided = if wrong.is_empty() {
            let mut parts: Vec<String> = of(Level::Warning)
                .map(|one| format!("{}: {}", one.subject, one.message))
                .collect();
            parts.insert(
                0,
                match self.part {
                    Part::Nodes => nodes_text(&of(Level::Ok).map(|one| one.subject.as_str()).collect::<Vec<_>>()),
                    Part::Running => "all pods run or have completed, and all workloads are complete".to_owned(),
                },
            );
            Decision::nothing(some(parts, "; "))
        } else {
            wrong.sort();
            Decision::NotYet {
                reason: some(wrong, "; "),
            }
        };
        settle(answers, &self.questions(), Ok(decided))
    }

    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_secs(3),
            at_most: Duration::from_secs(300),
        }
    }
}

fn nodes_text(ready: &[&str]) -> String {
    match ready {
        [] => "no node is without a remark".to_owned(),
        [one] => format!("{one} is ready"),
        all => format!("all {} nodes are ready", all.len()),
    }
}

fn some(mut all: Vec<String>, between: &str) -> String {
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    let mut text = all.join(between);
    if more > 0 {
        text.push_str(&format!("{between}and {more} more"));
    }
    text
}
