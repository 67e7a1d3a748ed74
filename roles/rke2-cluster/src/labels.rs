//! The label that shows which nodes run what is deployed. A node may not give it to itself.

use mosip_prov_cluster::{AskObjects, Kubectl, settle};
use mosip_prov_resources::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown};

/// Its name; its value is `true`.
const WORKER: &str = "node-role.kubernetes.io/worker";

/// The nodes of these names are shown as workers.
#[derive(Debug, Clone)]
pub struct WorkerLabels {
    kubectl: Kubectl,
    names: Vec<String>,
}

impl WorkerLabels {
    /// The nodes `names`.
    pub fn new<N: Into<String>>(kubectl: &Kubectl, names: impl IntoIterator<Item = N>) -> Self {
        Self {
            kubectl: kubectl.clone(),
            names: names.into_iter().map(Into::into).collect(),
        }
    }

    fn ask(&self) -> AskObjects {
        self.kubectl.get(["nodes"])
    }
}

impl Resource for WorkerLabels {
    fn kind(&self) -> &'static str {
        "node_labels"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        settle(answers, &self.questions(), self.decided(answers))
    }
}

impl WorkerLabels {
    fn decided(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let list = match answers.get(&self.ask())?.objects() {
            Err(reason) => return Ok(Decision::NotYet { reason }),
            Ok(list) => list,
        };
        let nodes = list["items"].as_array().cloned().unwrap_or_default();
        let of = |name: &str| nodes.iter().find(|node| node["metadata"]["name"] == name);
        let mut change = Change::new("show workers as such").touching(Kubectl::touches());
        let mut script = String::new();
        for name in &self.names {
            let Some(node) = of(name) else {
                return Ok(Decision::NotYet {
                    reason: format!("there is no node {name} yet"),
                });
            };
            if node["metadata"]["labels"][WORKER] == "true" {
                continue;
            }
            let label = format!("{WORKER}=true");
            change = change.differs(format!("label {WORKER} of {name}"), Shown::Absent, Shown::text("true"));
            let command = self.kubectl.command(["label", "node", name, &label, "--overwrite"]);
            script.push_str(&format!("{command} || exit\n"));
        }
        if script.is_empty() {
            return Ok(Decision::nothing("all workers are shown as such"));
        }
        Ok(change.step(Shell::new("kubectl label", script)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_cluster::kubectl::testing as k;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_nothing};

    #[test]
    fn only_who_lacks_it_gets_it() {
        let labels = WorkerLabels::new(&Kubectl::new("/k"), ["vm1", "vm2"]);
        let nodes = |text: &str| k::objects(Answers::new(), &labels.ask(), &text.parse().expect("JSON"));
        let one = r#"{"metadata": {"name": "vm1", "labels": {"node-role.kubernetes.io/worker": "true"}}}"#;
        let two = r#"{"metadata": {"name": "vm2"}}"#;
        let change = expect_change(&labels, &nodes(&format!(r#"{{"items": [{one}, {two}]}}"#)));
        let script = t::scripts(&change);
        assert!(script.contains("vm2") && !script.contains("vm1"), "{script}");
        let three = one.replace("vm1", "vm2");
        expect_nothing(&labels, &nodes(&format!(r#"{{"items": [{one}, {three}]}}"#)));
        assert!(matches!(
            labels.decide(&nodes(&format!(r#"{{"items": [{one}]}}"#))),
            Ok(Decision::NotYet { .. })
        ));
        assert!(matches!(
            labels.decide(&k::down(Answers::new(), &labels.ask())),
            Ok(Decision::NotYet { .. })
        ));
    }
}
