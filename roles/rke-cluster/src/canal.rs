//! The MTU that canal gives to pods: in its ConfigMap, and in its own pods, which read that when they start.

use mosip_prov_cluster::{AskObjects, Kubectl, Reply, settle};
use mosip_prov_resources::{Answers, Ask, Change, DecideError, Decision, Patience, Question, Resource, Shell, Shown};
use serde_json::json;
use std::time::Duration;

/// The annotation of `canal-config` that says with which MTU canal's pods were started. Without it a change of the MTU by
/// `rke up`, which writes the ConfigMap too, could not be told from a cluster whose pods have it already.
const STARTED_WITH: &str = "mosip-prov/pods-started-with-mtu";

fn ask(kubectl: &Kubectl) -> AskObjects {
    kubectl.get(["-n", "kube-system", "configmap", "canal-config"])
}

fn started_with(map: &serde_json::Value) -> Option<&str> {
    map["metadata"]["annotations"][STARTED_WITH].as_str()
}

/// The ConfigMap in the answers, or what to decide without it.
fn map(answers: &Answers, ask: &AskObjects) -> Result<Result<serde_json::Value, Decision>, DecideError> {
    let reason = match answers.get(ask)? {
        Reply::Objects(object) => return Ok(Ok(object)),
        other => other.objects().err().unwrap_or_default(),
    };
    settle(answers, &[ask.question()], Ok(Decision::NotYet { reason })).map(Err)
}

/// `veth_mtu` of ConfigMap `canal-config`.
#[derive(Debug, Clone)]
pub struct CanalMtu {
    kubectl: Kubectl,
    ask: AskObjects,
    mtu: u32,
}

impl CanalMtu {
    /// That MTU.
    pub fn new(kubectl: &Kubectl, mtu: u32) -> Self {
        Self {
            kubectl: kubectl.clone(),
            ask: ask(kubectl),
            mtu,
        }
    }
}

impl Resource for CanalMtu {
    fn kind(&self) -> &'static str {
        "canal_mtu"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let wanted = self.mtu.to_string();
        let object = match map(answers, &self.ask)? {
            Ok(object) => object,
            Err(decision) => return Ok(decision),
        };
        let have = object["data"]["veth_mtu"].as_str().unwrap_or_default();
        if have == wanted {
            return settle(
                answers,
                &self.questions(),
                Ok(Decision::nothing(format!("canal has MTU {wanted}"))),
            );
        }
        let mut patch = json!({"data": {"veth_mtu": wanted}});
        if started_with(&object).is_none() {
            patch["metadata"] = json!({"annotations": {STARTED_WITH: have}});
        }
        let patch = patch.to_string();
        let script = self.kubectl.command([
            "-n",
            "kube-system",
            "patch",
            "configmap",
            "canal-config",
            "--type",
            "merge",
            "-p",
            &patch,
        ]);
        Ok(Change::new(format!("set canal's MTU to {wanted}"))
            .differs("veth_mtu of canal-config", Shown::text(have), Shown::text(wanted))
            .step(Shell::new("kubectl patch configmap canal-config", script))
            .touching(Kubectl::touches())
            .into())
    }

    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_secs(5),
            at_most: Duration::from_secs(60),
        }
    }
}

/// Canal's pods, started with that MTU.
#[derive(Debug, Clone)]
pub struct CanalPods {
    kubectl: Kubectl,
    ask: AskObjects,
    mtu: u32,
}

impl CanalPods {
    /// With that MTU.
    pub fn new(kubectl: &Kubectl, mtu: u32) -> Self {
        Self {
            kubectl: kubectl.clone(),
            ask: ask(kubectl),
            mtu,
        }
    }
}

impl Resource for CanalPods {
    fn kind(&self) -> &'static str {
        "canal_pods"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let wanted = self.mtu.to_string();
        let object = match map(answers, &self.ask)? {
            Ok(object) => object,
            Err(decision) => return Ok(decision),
        };
        let have = started_with(&object);
        if have == Some(wanted.as_str()) {
            let what = format!("canal's pods were started with MTU {wanted}");
            return settle(answers, &self.questions(), Ok(Decision::nothing(what)));
        }
        let noted = format!("{STARTED_WITH}={wanted}");
        let note = self.kubectl.command([
            "-n",
            "kube-system",
            "annotate",
            "--overwrite",
            "configmap",
            "canal-config",
            &noted,
        ]);
        let Some(have) = have else {
            // They are as new as the cluster.
            return Ok(Change::new(format!("note that canal's pods have MTU {wanted}"))
                .step(Shell::new("kubectl annotate configmap canal-config", note))
                .touching(Kubectl::touches())
                .into());
        };
        let delete = self
            .kubectl
            .command(["-n", "kube-system", "delete", "pods", "-l", "k8s-app=canal"]);
        // Noted last: when it breaks off between the two, they are started once more.
        Ok(Change::new(format!("start canal's pods anew, with MTU {wanted}"))
            .differs("MTU of canal's pods", Shown::text(have), Shown::text(wanted))
            .step(Shell::new("kubectl delete the pods of canal", delete))
            .step(Shell::new("kubectl annotate configmap canal-config", note))
            .touching(Kubectl::touches())
            .into())
    }

    fn patience(&self) -> Patience {
        Patience {
            every: Duration::from_secs(5),
            at_most: Duration::from_secs(60),
        }
    }
}
