//! States of a cluster that come by themselves: nodes, pods, deployments, kinds. Asked again until they are there, each
//! time with what is still missing.

use crate::kubectl::{AskObjects, Kubectl, Reply};
use crate::object::{condition, items, number, text};
use crate::settle::settle;
use mosip_prov_resources::{Answers, Ask, DecideError, Decision, Patience, Question, Resource};
use serde_json::Value;
use std::time::Duration;

/// As long as 30 tries that are 10 s apart, but asked more often: most nodes and pods need a few seconds.
const NODES_AND_PODS: Patience = Patience {
    every: Duration::from_secs(3),
    at_most: Duration::from_secs(300),
};

/// As many names as a line of progress has room for.
const SHOWN: usize = 6;

fn some(mut all: Vec<String>) -> String {
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    let mut text = all.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Whether a node object says that it is ready; else why not.
pub fn node_trouble(node: &Value) -> Option<String> {
    match condition(node, "Ready") {
        Some(ready) if ready["status"] == "True" => None,
        Some(ready) => {
            let message = text(ready, "/message");
            Some(if message.is_empty() {
                "is not ready".to_owned()
            } else {
                format!("is not ready ({message})")
            })
        }
        None => Some("has not said that it is ready".to_owned()),
    }
}

/// What is wrong with the nodes called `wanted` in `list`, the answer to `get nodes`: those that are missing, those that
/// are not ready. Empty when all is well.
pub fn nodes_trouble(list: &Value, wanted: &[String]) -> Vec<String> {
    wanted
        .iter()
        .filter_map(|name| {
            let node = items(list).find(|node| text(node, "/metadata/name") == name);
            match node {
                None => Some(format!("{name} is missing")),
                Some(node) => node_trouble(node).map(|what| format!("{name} {what}")),
            }
        })
        .collect()
}

/// All expected nodes are in the cluster, and ready. Waits 300 s at most.
#[derive(Debug, Clone)]
pub struct NodesReady {
    ask: AskObjects,
    names: Vec<String>,
    patience: Patience,
}

impl NodesReady {
    /// The nodes of these names.
    pub fn new<N: Into<String>>(kubectl: &Kubectl, names: impl IntoIterator<Item = N>) -> Self {
        Self {
            ask: kubectl.get(["nodes"]),
            names: names.into_iter().map(Into::into).collect(),
            patience: NODES_AND_PODS,
        }
    }

    /// The same, with another patience.
    #[must_use]
    pub fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }
}

impl Resource for NodesReady {
    fn kind(&self) -> &'static str {
        "nodes"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let decided = match answers.get(&self.ask)?.objects() {
            Err(reason) => Decision::NotYet { reason },
            Ok(list) => match nodes_trouble(&list, &self.names) {
                trouble if trouble.is_empty() => Decision::nothing(match &self.names[..] {
                    [one] => format!("{one} is ready"),
                    all => format!("all {} nodes are ready", all.len()),
                }),
                trouble => Decision::NotYet { reason: some(trouble) },
            },
        };
        settle(answers, &self.questions(), Ok(decided))
    }

    fn patience(&self) -> Patience {
        self.patience
    }
}

/// No pod is still to start: none is Pending, none has a container that is being created. Waits 300 s at most.
#[derive(Debug, Clone)]
pub struct PodsSettled {
    ask: AskObjects,
    patience: Patience,
}

impl PodsSettled {
    /// The pods of all namespaces.
    pub fn new(kubectl: &Kubectl) -> Self {
        Self {
            ask: kubectl.get(["pods", "-A"]),
            patience: NODES_AND_PODS,
        }
    }

    /// The pods of one namespace.
    pub fn in_namespace(kubectl: &Kubectl, namespace: &str) -> Self {
        Self {
            ask: kubectl.get(["pods", "-n", namespace]),
            ..Self::new(kubectl)
        }
    }

    /// The same, with another patience.
    #[must_use]
    pub fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }
}

/// Why a pod has not started: `Pending`, `ContainerCreating`, `ImagePullBackOff`. `None` when it has.
fn not_started(pod: &Value) -> Option<String> {
    let waiting = ["/status/initContainerStatuses", "/status/containerStatuses"]
        .iter()
        .filter_map(|pointer| pod.pointer(pointer)?.as_array())
        .flatten()
        .map(|container| text(container, "/state/waiting/reason"))
        .find(|reason| !reason.is_empty());
    let pending = text(pod, "/status/phase") == "Pending";
    match waiting {
        Some(reason) if pending || reason == "ContainerCreating" => Some(reason.to_owned()),
        _ if pending => {
            let why = condition(pod, "PodScheduled").map_or("", |scheduled| text(scheduled, "/message"));
            Some(if why.is_empty() {
                "Pending".to_owned()
            } else {
                format!("Pending: {why}")
            })
        }
        _ => None,
    }
}

impl Resource for PodsSettled {
    fn kind(&self) -> &'static str {
        "pods"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let decided = match answers.get(&self.ask)?.objects() {
            Err(reason) => Decision::NotYet { reason },
            Ok(list) => {
                let waiting: Vec<String> = items(&list)
                    .filter_map(|pod| {
                        let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
                        not_started(pod).map(|why| format!("{namespace}/{name} ({why})"))
                    })
                    .collect();
                match waiting.len() {
                    0 => Decision::nothing(format!("none of {} pods is still to start", items(&list).count())),
                    _ => Decision::NotYet {
                        reason: format!("still to start: {}", some(waiting)),
                    },
                }
            }
        };
        settle(answers, &self.questions(), Ok(decided))
    }

    fn patience(&self) -> Patience {
        self.patience
    }
}

/// A deployment has all its replicas, of its newest version, ready. Waits 300 s at most.
#[derive(Debug, Clone)]
pub struct DeploymentReady {
    ask: AskObjects,
    namespace: String,
    name: String,
    patience: Patience,
}

impl DeploymentReady {
    /// The deployment `name` of `namespace`.
    pub fn new(kubectl: &Kubectl, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        let (namespace, name) = (namespace.into(), name.into());
        Self {
            ask: kubectl.get(["-n", &namespace, "deployment", &name]),
            namespace,
            name,
            patience: NODES_AND_PODS,
        }
    }

    /// How long to wait in all. Default: 300 s.
    #[must_use]
    pub fn for_at_most(mut self, at_most: Duration) -> Self {
        self.patience.at_most = at_most;
        self
    }

    /// The same, with another patience.
    #[must_use]
    pub fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }
}

/// What a deployment still lacks; `None` when all replicas of its newest version are ready.
pub fn deployment_trouble(deployment: &Value) -> Option<String> {
    let wanted = number(deployment, "/spec/replicas").unwrap_or(1);
    let of = |pointer: &str| number(deployment, pointer).unwrap_or(0);
    if of("/status/observedGeneration") < of("/metadata/generation") {
        return Some("its last change has not been taken up".into());
    }
    if of("/status/updatedReplicas") < wanted {
        return Some(format!(
            "{} of {wanted} replicas are new",
            of("/status/updatedReplicas")
        ));
    }
    let ready = of("/status/readyReplicas");
    (ready < wanted).then(|| format!("{ready} of {wanted} replicas are ready"))
}

impl Resource for DeploymentReady {
    fn kind(&self) -> &'static str {
        "deployment"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let what = format!("deployment {} of {}", self.name, self.namespace);
        let decided = match answers.get(&self.ask)? {
            Reply::NotFound(_) => Decision::NotYet {
                reason: format!("there is no {what} yet"),
            },
            reply => match reply.objects() {
                Err(reason) => Decision::NotYet { reason },
                Ok(deployment) => match deployment_trouble(&deployment) {
                    None => Decision::nothing(format!("{what} has all its replicas ready")),
                    Some(lacks) => Decision::NotYet {
                        reason: format!("{what}: {lacks}"),
                    },
                },
            },
        };
        settle(answers, &self.questions(), Ok(decided))
    }

    fn patience(&self) -> Patience {
        self.patience
    }
}

/// The API serves a kind that a CustomResourceDefinition brings. Waits 60 s, asking every 2.
#[derive(Debug, Clone)]
pub struct CrdEstablished {
    ask: AskObjects,
    name: String,
    patience: Patience,
}

impl CrdEstablished {
    /// The definition of that name: `istiooperators.install.istio.io`.
    pub fn new(kubectl: &Kubectl, name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            ask: kubectl.get(["crd", &name]),
            name,
            patience: Patience {
                every: Duration::from_secs(2),
                at_most: Duration::from_secs(60),
            },
        }
    }

    /// The same, with another patience.
    #[must_use]
    pub fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }
}

impl Resource for CrdEstablished {
    fn kind(&self) -> &'static str {
        "crd"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let name = &self.name;
        let decided = match answers.get(&self.ask)? {
            Reply::NotFound(_) => Decision::NotYet {
                reason: format!("there is no definition {name} yet"),
            },
            reply => match reply.objects() {
                Err(reason) => Decision::NotYet { reason },
                Ok(crd) if condition(&crd, "Established").is_some_and(|c| c["status"] == "True") => {
                    Decision::nothing(format!("{name} is established"))
                }
                Ok(_) => Decision::NotYet {
                    reason: format!("{name} is not established yet"),
                },
            },
        };
        settle(answers, &self.questions(), Ok(decided))
    }

    fn patience(&self) -> Patience {
        self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::testing as k;
    use mosip_prov_resources::Touch;
    use mosip_prov_resources::testing::{expect_nothing, expect_unknown};
    use serde_json::json;

    fn kubectl() -> Kubectl {
        Kubectl::new("/b/kube")
    }

    fn node(name: &str, ready: &str) -> Value {
        json!({"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready, "message": "why"}]}})
    }

    #[track_caller]
    fn waits(resource: &impl Resource, answers: &Answers) -> String {
        match resource.decide(answers) {
            Ok(Decision::NotYet { reason }) => reason,
            other => panic!("not \"not yet\": {other:?}"),
        }
    }

    #[test]
    fn a_node_that_is_missing_is_not_ready() {
        let it = NodesReady::new(&kubectl(), ["vm1", "vm2", "vm3"]);
        let of = |list: Value| k::objects(Answers::new(), &it.ask, &list);
        let all = of(
            json!({"items": [node("vm1", "True"), node("vm2", "True"), node("vm3", "True"), node("old", "Unknown")]}),
        );
        assert_eq!(expect_nothing(&it, &all), "all 3 nodes are ready");
        let some = of(json!({"items": [node("vm1", "True"), node("vm2", "Unknown")]}));
        assert_eq!(waits(&it, &some), "vm2 is not ready (why), vm3 is missing");
        assert!(waits(&it, &k::down(Answers::new(), &it.ask)).contains("does not answer"));
        let pending = some.with_pending("build", vec![Touch::Everything]);
        expect_unknown(&it, &pending);
        assert_eq!(Resource::patience(&it).at_most, Duration::from_secs(300));
    }

    #[test]
    fn pods_that_start_are_named_and_those_that_ran_do_not_count() {
        let it = PodsSettled::new(&kubectl());
        let pod = |name: &str, status: Value| json!({"metadata": {"name": name, "namespace": "n"}, "status": status});
        let waiting = |reason: &str| json!([{"state": {"waiting": {"reason": reason}}}]);
        let of = |items: Vec<Value>| k::objects(Answers::new(), &it.ask, &json!({"items": items}));
        let settled = of(vec![
            pod("a", json!({"phase": "Running"})),
            pod("b", json!({"phase": "Succeeded"})),
            pod(
                "c",
                json!({"phase": "Running", "containerStatuses": waiting("CrashLoopBackOff")}),
            ),
        ]);
        assert_eq!(expect_nothing(&it, &settled), "none of 3 pods is still to start");
        let starting = of(vec![
            pod("a", json!({"phase": "Pending"})),
            pod(
                "b",
                json!({"phase": "Pending", "containerStatuses": waiting("ImagePullBackOff")}),
            ),
            pod(
                "c",
                json!({"phase": "Running", "containerStatuses": waiting("ContainerCreating")}),
            ),
        ]);
        assert_eq!(
            waits(&it, &starting),
            "still to start: n/a (Pending), n/b (ImagePullBackOff), n/c (ContainerCreating)"
        );
    }

    #[test]
    fn a_deployment_is_ready_when_all_its_new_replicas_are() {
        let it = DeploymentReady::new(&kubectl(), "n", "d");
        let of = |value: Value| k::objects(Answers::new(), &it.ask, &value);
        let status = |generation: i64, updated: i64, ready: i64| {
            json!({"metadata": {"generation": 2}, "spec": {"replicas": 2},
                   "status": {"observedGeneration": generation, "updatedReplicas": updated, "readyReplicas": ready}})
        };
        expect_nothing(&it, &of(status(2, 2, 2)));
        assert!(waits(&it, &of(status(1, 2, 2))).contains("not been taken up"));
        assert!(waits(&it, &of(status(2, 1, 2))).contains("1 of 2 replicas are new"));
        assert!(waits(&it, &of(status(2, 2, 1))).contains("1 of 2 replicas are ready"));
        assert!(waits(&it, &k::not_found(Answers::new(), &it.ask)).contains("no deployment d of n yet"));
    }

    #[test]
    fn a_kind_is_there_when_it_is_established() {
        let it = CrdEstablished::new(&kubectl(), "a.b");
        let of = |status: &str| json!({"status": {"conditions": [{"type": "Established", "status": status}]}});
        expect_nothing(&it, &k::objects(Answers::new(), &it.ask, &of("True")));
        waits(&it, &k::objects(Answers::new(), &it.ask, &of("False")));
        waits(&it, &k::not_found(Answers::new(), &it.ask));
    }
}
