//! Whether a cluster is whole: its nodes, every pod of every namespace, what keeps pods running, volumes. One judgement,
//! data in and data out, for `mosip-prov verify` and for the role `verify`.
//!
//! ```
//! use mosip_prov_cluster::verify::{Expected, Look};
//! use mosip_prov_cluster::Kubectl;
//!
//! let look = Look::new(&Kubectl::new("/home/ubuntu/rancher/mosip/kube_config_cluster.yml"));
//! let questions = look.questions(); // all go in one exchange
//! let expected = Expected::nodes(["vm1", "vm2"]);
//! ```
//!
//! Each situation has a name of its own, the finding's `check`, which scripts may rely on; `docs/verify.md` lists them.

mod api;
mod nodes;
mod pods;
mod scheduling;
mod volumes;
mod waiting;
mod whole;
mod workloads;

pub use whole::{Part, Whole};

use crate::kubectl::{AskObjects, Kubectl, Reply};
use crate::object::{items, name, namespace, text};
use jiff::Timestamp;
use mosip_prov_events::{Finding, Level};
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::{Answers, Ask as _, AskError, Question};
use serde_json::Value;

/// The area of findings about the API itself.
pub const API: &str = "api";
/// The area of findings about nodes.
pub const NODES: &str = "nodes";
/// The area of findings about pods.
pub const PODS: &str = "pods";
/// The area of findings about deployments, daemon sets, stateful sets and jobs.
pub const WORKLOADS: &str = "workloads";
/// The area of findings about volumes.
pub const VOLUMES: &str = "volumes";

/// What is asked of a cluster.
#[derive(Debug, Clone)]
pub struct Look {
    kubectl: Kubectl,
    nodes: AskObjects,
    pods: AskObjects,
    workloads: AskObjects,
    events: AskObjects,
}

/// What a cluster answered.
#[derive(Debug, Clone)]
pub struct Looked {
    /// All nodes.
    pub nodes: Reply,
    /// The pods of all namespaces.
    pub pods: Reply,
    /// Deployments, daemon sets, stateful sets, jobs and claims of volumes, of all namespaces.
    pub workloads: Reply,
    /// Events of type Warning, of all namespaces. They only say more of what else is found.
    pub events: Reply,
}

impl Look {
    /// At the cluster of that kubeconfig.
    pub fn new(kubectl: &Kubectl) -> Self {
        Self {
            kubectl: kubectl.clone(),
            nodes: kubectl.get(["nodes"]),
            pods: kubectl.get(["pods", "-A"]),
            workloads: kubectl.get(["deployments,daemonsets,statefulsets,jobs,persistentvolumeclaims", "-A"]),
            events: kubectl.get(["events", "-A", "--field-selector", "type=Warning"]),
        }
    }

    /// The path of the kubeconfig.
    pub fn kubeconfig(&self) -> &str {
        self.kubectl.kubeconfig()
    }

    /// The questions, which travel together.
    pub fn questions(&self) -> Vec<Question> {
        [&self.nodes, &self.pods, &self.workloads, &self.events]
            .map(|ask| ask.question())
            .into()
    }

    /// The question about nodes alone.
    fn questions_of_nodes(&self) -> Vec<Question> {
        vec![self.nodes.question()]
    }

    /// What was answered to it; of all else there is nothing.
    fn read_nodes(&self, answers: &Answers) -> Result<Looked, AskError> {
        let nothing = Reply::Objects(serde_json::json!({"items": []}));
        Ok(Looked {
            nodes: answers.get(&self.nodes)?,
            pods: nothing.clone(),
            workloads: nothing.clone(),
            events: nothing,
        })
    }

    /// What was answered to them.
    ///
    /// # Errors
    /// The machine did not answer one of them, or in a way that cannot be read.
    pub fn read(&self, answers: &Answers) -> Result<Looked, AskError> {
        Ok(Looked {
            nodes: answers.get(&self.nodes)?,
            pods: answers.get(&self.pods)?,
            workloads: answers.get(&self.workloads)?,
            events: answers.get(&self.events)?,
        })
    }
}

/// What a cluster is measured against.
#[derive(Debug, Clone)]
pub struct Expected {
    nodes: Vec<String>,
    now: Timestamp,
}

impl Expected {
    /// Just these nodes, now. None: the nodes that are there are looked at, and that is said.
    pub fn nodes<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self {
            nodes: names.into_iter().map(Into::into).collect(),
            now: Timestamp::now(),
        }
    }

    /// The same, at another time.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }
}

/// Everything that is judged, with what helps to judge it.
struct Cluster<'l> {
    kubeconfig: &'l str,
    now: Timestamp,
    nodes: Vec<&'l Value>,
    pods: Vec<&'l Value>,
    workloads: Vec<&'l Value>,
    events: Vec<&'l Value>,
}

impl<'l> Cluster<'l> {
    /// A command that looks further, to follow a colon in a remedy.
    fn command(&self, words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| quote(word).to_string()).collect();
        format!("kubectl --kubeconfig {} {}", quote(self.kubeconfig), words.join(" "))
    }

    /// `kubectl describe KIND` of an object.
    fn describe(&self, kind: &str, object: &Value) -> String {
        match namespace(object) {
            "" => self.command(&["describe", kind, name(object)]),
            space => self.command(&["-n", space, "describe", kind, name(object)]),
        }
    }

    /// `kubectl logs` of a container.
    fn logs(&self, pod: &Value, container: &str, previous: bool) -> String {
        let mut words = vec!["-n", namespace(pod), "logs", name(pod), "-c", container, "--tail=50"];
        if previous {
            words.push("--previous");
        }
        self.command(&words)
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &'l Value> {
        self.workloads
            .iter()
            .copied()
            .filter(move |object| object["kind"] == kind)
    }

    /// What was last warned of about an object, of those warnings that `wanted` takes by reason and message.
    fn warned(&self, kind: &str, space: &str, named: &str, wanted: impl Fn(&str, &str) -> bool) -> Option<&'l str> {
        let about = self.events.iter().copied().filter(|event| {
            text(event, "/involvedObject/kind") == kind
                && text(event, "/involvedObject/namespace") == space
                && text(event, "/involvedObject/name") == named
                && wanted(text(event, "/reason"), text(event, "/message"))
        });
        about
            .max_by_key(|event| last_seen(event))
            .map(|event| text(event, "/message"))
    }
}

/// When an event was last seen; those that come in series say it elsewhere.
fn last_seen(event: &Value) -> &str {
    [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ]
    .iter()
    .map(|pointer| text(event, pointer))
    .find(|time| !time.is_empty())
    .unwrap_or_default()
}

/// What is found in a cluster, in the order of the areas: what is wrong by itself, what is right in short. `kubeconfig` is
/// for the commands of the remedies.
pub fn judge(looked: &Looked, expected: &Expected, kubeconfig: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let list = |reply: &'_ Reply| match reply {
        Reply::Objects(list) => Some(list.clone()),
        _ => None,
    };
    for reply in [&looked.nodes, &looked.pods, &looked.workloads] {
        if let Some(finding) = api::trouble(reply, kubeconfig)
            && !found.iter().any(|one: &Finding| one.check == finding.check)
        {
            found.push(finding);
        }
    }
    let (nodes, pods, workloads, events) = (
        list(&looked.nodes),
        list(&looked.pods),
        list(&looked.workloads),
        list(&looked.events),
    );
    fn all(list: Option<&Value>) -> Vec<&Value> {
        list.into_iter().flat_map(items).collect()
    }
    let cluster = Cluster {
        kubeconfig,
        now: expected.now,
        nodes: all(nodes.as_ref()),
        pods: all(pods.as_ref()),
        workloads: all(workloads.as_ref()),
        events: all(events.as_ref()),
    };
    if nodes.is_some() {
        found.extend(nodes::judge(&cluster, &expected.nodes));
    }
    let of_pods = pods::judge(&cluster);
    if workloads.is_some() {
        let by_workload = workloads::judge(&cluster, &of_pods);
        let by_volume = volumes::judge(&cluster);
        found.extend(of_pods);
        found.extend(by_workload);
        found.extend(by_volume);
    } else {
        found.extend(of_pods);
    }
    found
}

/// Whether waiting cannot change what was found: somebody must do something first.
pub fn is_final(finding: &Finding) -> bool {
    finding.level == Level::Failure
        && matches!(
            (finding.area.as_str(), finding.check.as_str()),
            (
                API,
                "kubectl_missing" | "kubeconfig_missing" | "forbidden" | "api_certificate_expired"
            ) | (PODS, "invalid_image_name")
        )
}

/// Whether something has been installed that Helm brings after the cluster: Rancher in the observation cluster (`rancher`
/// of `cattle-system`), or anything of Helm's outside the namespaces of the cluster itself and of Rancher's agents.
pub fn has_releases(looked: &Looked) -> bool {
    const OWN: [&str; 5] = [
        "kube-system",
        "kube-public",
        "kube-node-lease",
        "istio-system",
        "istio-operator",
    ];
    const OF_AGENTS: [&str; 3] = ["cattle-", "fleet-", "cluster-fleet-"];
    let Reply::Objects(list) = &looked.workloads else {
        return false;
    };
    items(list).any(|object| {
        let space = namespace(object);
        if space == "cattle-system" && name(object) == "rancher" {
            return true;
        }
        let by = |pointer: &str| text(object, pointer) == "Helm";
        (by("/metadata/labels/app.kubernetes.io~1managed-by") || by("/metadata/labels/heritage"))
            && !OWN.contains(&space)
            && !OF_AGENTS.iter().any(|start| space.starts_with(start))
    })
}
