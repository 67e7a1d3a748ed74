//! What was deployed, in one line.

use mosip_prov_cluster::{AskObjects, Kubectl, settle};
use mosip_prov_resources::{Answers, Ask, DecideError, Decision, Question, Resource};
use serde_json::Value;
use std::collections::BTreeMap;

/// Nodes by their version, deployments and pods. There is nothing to be done about it: its reason is the summary.
#[derive(Debug, Clone)]
pub struct Summary {
    nodes: AskObjects,
    pods: AskObjects,
}

impl Summary {
    /// Of this cluster.
    pub fn new(kubectl: &Kubectl) -> Self {
        Self {
            nodes: kubectl.get(["nodes"]),
            pods: kubectl.get(["pods", "-A"]),
        }
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

/// How many of each: `1 v1.22.8, 2 v1.22.9`.
fn counted<'v>(all: impl Iterator<Item = &'v str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    let parts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    parts.join(", ")
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("?")
}

impl Resource for Summary {
    fn kind(&self) -> &'static str {
        "summary"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.nodes.question(), self.pods.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let list = |ask: &AskObjects| -> Result<Result<Value, String>, DecideError> { Ok(answers.get(ask)?.objects()) };
        let decided = match (list(&self.nodes)?, list(&self.pods)?) {
            (Ok(nodes), Ok(pods)) => {
                let versions = counted(items(&nodes).map(|node| text(node, "/status/nodeInfo/kubeletVersion")));
                let phases = counted(items(&pods).map(|pod| text(pod, "/status/phase")));
                Decision::nothing(format!("nodes: {versions}; pods: {phases}"))
            }
            (Err(reason), _) | (_, Err(reason)) => Decision::NotYet { reason },
        };
        settle(answers, &self.questions(), Ok(decided))
    }
}
