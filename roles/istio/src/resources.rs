//! The operator, what it is told, and the rollout of what it builds.

use crate::kube::{differences, object};
use crate::operator::NAME;
use crate::settings::Settings;
use crate::{CRD, OPERATOR_NAMESPACE, PATH};
use mosip_prov_cluster::ready::deployment_trouble;
use mosip_prov_cluster::{AskObjects, Kubectl};
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::{
    Answers, Ask, Change, Content, DecideError, Decision, Patience, Question, Resource, Shell, Shown,
};
use serde_json::Value;
use std::time::Duration;

/// How long `istioctl operator init` may take.
const INIT: Duration = Duration::from_secs(600);

/// How long the operator may take to notice a change, in seconds; what it builds is waited for apart.
const NOTICED: u32 = 15;

/// istiod is waited for 30 times, 10 seconds apart.
const ROLLOUT: Patience = Patience {
    every: Duration::from_secs(10),
    at_most: Duration::from_secs(300),
};

fn container_image(deployment: &Value) -> &str {
    let image = deployment.pointer("/spec/template/spec/containers/0/image");
    image.and_then(Value::as_str).unwrap_or_default()
}

/// Istio's operator in the cluster, of the wanted version and watching the wanted namespace.
#[derive(Debug, Clone)]
pub struct Operator {
    deployment: AskObjects,
    crd: AskObjects,
    settings: Settings,
}

impl Operator {
    /// The operator that `settings` want.
    pub fn new(kubectl: &Kubectl, settings: &Settings) -> Self {
        Self {
            deployment: kubectl.get(["-n", OPERATOR_NAMESPACE, "deployment", OPERATOR_NAMESPACE]),
            crd: kubectl.get(["crd", CRD]),
            settings: settings.clone(),
        }
    }
}

impl Resource for Operator {
    fn kind(&self) -> &'static str {
        "istio_operator"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.deployment.question(), self.crd.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let Settings {
            version,
            hub,
            namespace,
            kubeconfig,
            ..
        } = &self.settings;
        let image = format!("{hub}/operator:{version}");
        let has_type = object(answers, &self.crd)?.is_some();
        let before = match object(answers, &self.deployment)? {
            None => Shown::Absent,
            Some(deployment) => {
                let found = container_image(&deployment);
                let env = deployment.pointer("/spec/template/spec/containers/0/env");
                let mut env = env.and_then(Value::as_array).into_iter().flatten();
                let watches = env.find(|one| one["name"] == "WATCH_NAMESPACE");
                let watches = watches.and_then(|one| one["value"].as_str()).unwrap_or_default();
                // Without a namespace it watches all.
                let watched = watches.is_empty() || watches.split(',').any(|one| one == namespace);
                if found == image && watched && has_type {
                    return Ok(Decision::nothing(format!("the operator is there as {image}")));
                }
                Shown::text(format!("{found} for {watches}"))
            }
        };
        let script = format!(
            "{PATH}istioctl operator init --kubeconfig {} --hub {} --tag {} --watchedNamespaces {}",
            quote(kubeconfig),
            quote(hub),
            quote(version),
            quote(namespace),
        );
        Ok(Change::new("install Istio's operator")
            .differs(
                "Istio's operator",
                before,
                Shown::text(format!("{image} for {namespace}")),
            )
            .step(Shell::new("istioctl operator init", script).long(INIT))
            .touching(Kubectl::touches())
            .into())
    }
}

/// The object that tells the operator what Istio shall be.
#[derive(Debug, Clone)]
pub struct ControlPlane {
    kubectl: Kubectl,
    ask: AskObjects,
    wanted: Value,
}

/// Asks for the object in `namespace`.
fn ask_control_plane(kubectl: &Kubectl, namespace: &str) -> AskObjects {
    kubectl.get(["-n", namespace, CRD, NAME])
}

impl ControlPlane {
    /// It is `wanted`, an `IstioOperator`.
    pub fn new(kubectl: &Kubectl, wanted: Value) -> Self {
        let namespace = wanted["metadata"]["namespace"].as_str().unwrap_or_default();
        Self {
            ask: ask_control_plane(kubectl, namespace),
            kubectl: kubectl.clone(),
            wanted,
        }
    }
}

impl Resource for ControlPlane {
    fn kind(&self) -> &'static str {
        "istio_control_plane"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let mut change = Change::new("tell the operator what Istio shall be");
        match object(answers, &self.ask)? {
            Some(there) => {
                let mut found = Vec::new();
                differences(&self.wanted["spec"], &there["spec"], "spec", &mut found);
                if found.is_empty() {
                    return Ok(Decision::nothing(format!("{NAME} says all that it should")));
                }
                // The order of fields says nothing.
                found.sort_by(|a, b| a.0.cmp(&b.0));
                for (at, before, after) in found {
                    let shown = |value: Value| match value {
                        Value::Null => Shown::Absent,
                        Value::String(text) => Shown::text(text),
                        other => Shown::text(other.to_string()),
                    };
                    change = change.differs(format!("{NAME} {at}"), shown(before), shown(after));
                }
            }
            None => {
                change = change.differs(NAME, Shown::Absent, Shown::text(format!("{:#}", self.wanted)));
            }
        }
        let version = "jsonpath={.metadata.resourceVersion}";
        let namespace = self.wanted["metadata"]["namespace"].as_str().unwrap_or_default();
        let apply = self.kubectl.command(["apply", "-f", "-", "-o", version]);
        let get = self.kubectl.command(["-n", namespace, "get", CRD, NAME, "-o", version]);
        // What the operator says is of before until it has written something of its own to the object.
        let script = format!(
            "{PATH}applied=$({apply}) || exit\nn=0\nwhile [ $n -lt {NOTICED} ] && [ \"$({get})\" = \"$applied\" ]; do\n\
             sleep 1; n=$((n + 1))\ndone\n"
        );
        Ok(change
            .step(Shell::new(format!("kubectl apply {NAME}"), script).reading(Content::public(self.wanted.to_string())))
            .touching(Kubectl::touches())
            .into())
    }
}

/// istiod has rolled out in the version that the operator was told: an older one that is still ready does not count, and
/// where the operator goes on saying that it cannot, that is told without waiting to the end.
#[derive(Debug, Clone)]
pub struct Istiod {
    deployment: AskObjects,
    control_plane: AskObjects,
    namespace: String,
    image: String,
}

impl Istiod {
    /// The istiod that `settings` want.
    pub fn new(kubectl: &Kubectl, settings: &Settings) -> Self {
        let namespace = &settings.namespace;
        Self {
            deployment: kubectl.get(["-n", namespace, "deployment", "istiod"]),
            control_plane: ask_control_plane(kubectl, namespace),
            namespace: namespace.clone(),
            image: format!("{}/pilot:{}", settings.hub, settings.version),
        }
    }

    /// What the operator says that it cannot do.
    fn refusal(&self, answers: &Answers) -> Result<Option<String>, DecideError> {
        let Some(control_plane) = object(answers, &self.control_plane)? else {
            return Ok(None);
        };
        let status = &control_plane["status"];
        if status["status"] != "ERROR" {
            return Ok(None);
        }
        let components = status["componentStatus"].as_object().into_iter().flatten();
        let of_components = components.filter_map(|(name, one)| Some(format!("{name}: {}", one["error"].as_str()?)));
        let all: Vec<String> = status["message"]
            .as_str()
            .map(str::to_owned)
            .into_iter()
            .chain(of_components)
            .collect();
        Ok(Some(all.join("; ")))
    }
}

impl Resource for Istiod {
    fn kind(&self) -> &'static str {
        "istiod"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.deployment.question(), self.control_plane.question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        if let Some(task) = answers.pending_for(&self.deployment.question()) {
            return Ok(Decision::unknown(format!("istiod comes with \"{task}\"")));
        }
        if let Some(why) = self.refusal(answers)? {
            let namespace = &self.namespace;
            return Ok(Decision::Failing {
                reason: format!("Istio's operator cannot do what it was told: {why}"),
                help: Some(format!(
                    "kubectl -n {namespace} describe istiooperator {NAME}; a node port may be taken by another service"
                )),
            });
        }
        let not_yet = |reason: String| Ok(Decision::NotYet { reason });
        let Some(deployment) = object(answers, &self.deployment)? else {
            return not_yet("there is no istiod yet".to_owned());
        };
        let control_plane = object(answers, &self.control_plane)?;
        if control_plane.is_some_and(|one| one["status"]["status"] == "RECONCILING") {
            return not_yet("Istio's operator is at work".to_owned());
        }
        let found = container_image(&deployment);
        if found != self.image {
            return not_yet(format!("istiod still is {found}, and {} is to come", self.image));
        }
        match deployment_trouble(&deployment) {
            None => Ok(Decision::nothing(format!("istiod is ready as {found}"))),
            Some(lacks) => not_yet(format!("istiod: {lacks}")),
        }
    }

    fn patience(&self) -> Patience {
        ROLLOUT
    }
}
