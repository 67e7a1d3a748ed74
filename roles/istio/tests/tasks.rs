//! What is done in a cluster that has nothing, one that is right, and ones that differ in one point.

mod common;

use common::settings;
use mosip_prov_cluster::Kubectl;
use mosip_prov_cluster::kubectl::testing as k;
use mosip_prov_resources::testing::{expect_change, expect_error, expect_nothing, expect_unknown, scripts};
use mosip_prov_resources::{Answers, Decision, Resource, Shown};
use role_istio::{CRD, ControlPlane, Istiod, NAME, OPERATOR_NAMESPACE, Operator, Settings, operator, tasks};
use serde_json::{Value, json};

struct World {
    settings: Settings,
    kubectl: Kubectl,
    crd: Option<Value>,
    operator: Option<Value>,
    control_plane: Option<Value>,
    istiod: Option<Value>,
}

fn deployment(image: &str, watched: &str) -> Value {
    json!({
        "metadata": {"generation": 2},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"image": image, "env": [{"name": "WATCH_NAMESPACE", "value": watched}]},
        ]}}},
        "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    })
}

impl World {
    fn right() -> Self {
        let settings = settings("");
        let mut control_plane = operator(&settings);
        // The operator and the server add what they like.
        control_plane["spec"]["components"]["base"] = json!({"enabled": true});
        control_plane["status"] = json!({"status": "HEALTHY"});
        Self {
            kubectl: Kubectl::new(&settings.kubeconfig),
            settings,
            crd: Some(json!({"status": {"conditions": [{"type": "Established", "status": "True"}]}})),
            operator: Some(deployment("docker.io/istio/operator:1.15.0", "istio-system")),
            control_plane: Some(control_plane),
            istiod: Some(deployment("docker.io/istio/pilot:1.15.0", "")),
        }
    }

    fn answers(&self) -> Answers {
        [
            (vec!["crd", CRD], &self.crd),
            (
                vec!["-n", OPERATOR_NAMESPACE, "deployment", OPERATOR_NAMESPACE],
                &self.operator,
            ),
            (vec!["-n", "istio-system", CRD, NAME], &self.control_plane),
            (vec!["-n", "istio-system", "deployment", "istiod"], &self.istiod),
        ]
        .into_iter()
        .fold(Answers::new(), |answers, (words, object)| {
            let ask = self.kubectl.get(words);
            match object {
                Some(object) => k::objects(answers, &ask, object),
                None => k::not_found(answers, &ask),
            }
        })
    }

    fn operator(&self) -> Operator {
        Operator::new(&self.kubectl, &self.settings)
    }

    fn control_plane(&self) -> ControlPlane {
        ControlPlane::new(&self.kubectl, operator(&self.settings))
    }

    fn istiod(&self) -> Istiod {
        Istiod::new(&self.kubectl, &self.settings)
    }

    fn waits(&self) -> String {
        match self.istiod().decide(&self.answers()) {
            Ok(Decision::NotYet { reason }) => reason,
            other => panic!("not waiting: {other:?}"),
        }
    }
}

#[test]
fn tasks_in_order() {
    let made = tasks(&settings(""));
    let names: Vec<&str> = made.tasks.iter().map(|task| task.name()).collect();
    assert_eq!(
        names,
        [
            "See that istioctl is version 1.15.0",
            "Install Istio's operator",
            "Wait for the operator's type",
            "Wait for the operator",
            "Tell the operator what Istio shall be",
            "Wait for istiod",
        ]
    );
}

#[test]
fn a_right_cluster_is_left_alone() {
    let world = World::right();
    let answers = world.answers();
    expect_nothing(&world.operator(), &answers);
    expect_nothing(&world.control_plane(), &answers);
    assert_eq!(
        expect_nothing(&world.istiod(), &answers),
        "istiod is ready as docker.io/istio/pilot:1.15.0"
    );
}

#[test]
fn an_empty_cluster_gets_all() {
    let mut world = World::right();
    (world.crd, world.operator, world.control_plane, world.istiod) = (None, None, None, None);
    let answers = world.answers();
    let change = expect_change(&world.operator(), &answers);
    assert!(
        scripts(&change).ends_with(
            "istioctl operator init --kubeconfig /home/ubuntu/rancher/mosip/kube_config_cluster.yml \
             --hub docker.io/istio --tag 1.15.0 --watchedNamespaces istio-system"
        ),
        "{}",
        scripts(&change)
    );
    let change = expect_change(&world.control_plane(), &answers);
    assert!(scripts(&change).contains("apply -f - -o "));
    assert_eq!(world.waits(), "there is no istiod yet");
    let pending = answers.with_pending("Install Istio's operator", Kubectl::touches().to_vec());
    assert!(expect_unknown(&world.istiod(), &pending).contains("Install Istio's operator"));
}

#[test]
fn an_operator_of_another_version_or_for_another_namespace_is_renewed() {
    for (image, watched) in [
        ("docker.io/istio/operator:1.14.1", "istio-system"),
        ("docker.io/istio/operator:1.15.0", "elsewhere"),
    ] {
        let mut world = World::right();
        world.operator = Some(deployment(image, watched));
        let change = expect_change(&world.operator(), &world.answers());
        assert_eq!(
            change.differences[0].before,
            Shown::text(format!("{image} for {watched}"))
        );
    }
    let mut world = World::right();
    world.operator = Some(deployment("docker.io/istio/operator:1.15.0", "a,istio-system"));
    expect_nothing(&world.operator(), &world.answers());
    world.crd = None;
    expect_change(&world.operator(), &world.answers());
}

#[test]
fn what_differs_is_shown_field_by_field() {
    let mut world = World::right();
    let there = world.control_plane.as_mut().expect("there");
    there["spec"]["components"]["ingressGateways"][1]["k8s"]["service"]["ports"][3]["nodePort"] = json!(31999);
    there["spec"]["meshConfig"]["accessLogFile"] = Value::Null;
    let change = expect_change(&world.control_plane(), &world.answers());
    let shown: Vec<_> = change
        .differences
        .iter()
        .map(|one| (one.what.as_str(), &one.before, &one.after))
        .collect();
    assert_eq!(
        shown,
        [
            (
                "istio-control-plane spec.components.ingressGateways[1].k8s.service.ports[3].nodePort",
                &Shown::text("31999"),
                &Shown::text("31432"),
            ),
            (
                "istio-control-plane spec.meshConfig.accessLogFile",
                &Shown::Absent,
                &Shown::text("/dev/stdout"),
            ),
        ]
    );
}

#[test]
fn istiod_counts_when_it_is_the_new_one_and_a_refusal_is_told_at_once() {
    let mut world = World::right();
    world.istiod = Some(deployment("docker.io/istio/pilot:1.14.1", ""));
    assert!(world.waits().contains("still is docker.io/istio/pilot:1.14.1"));
    let mut rolling = deployment("docker.io/istio/pilot:1.15.0", "");
    rolling["status"]["readyReplicas"] = json!(0);
    world.istiod = Some(rolling);
    assert!(world.waits().contains("0 of 1"));
    world.control_plane.as_mut().expect("there")["status"] =
        json!({"status": "ERROR", "message": "port is already allocated"});
    // It may say so of what it was told before: the engine asks again.
    match world.istiod().decide(&world.answers()) {
        Ok(Decision::Failing { reason, help }) => {
            assert!(reason.contains("port is already allocated"), "{reason}");
            assert!(help.is_some_and(|help| help.contains("describe istiooperator")));
        }
        other => panic!("not failing: {other:?}"),
    }
    let patience = world.istiod().patience();
    assert_eq!((patience.every.as_secs(), patience.at_most.as_secs()), (10, 300));
}

#[test]
fn a_cluster_that_cannot_be_asked_is_no_empty_one() {
    let world = World::right();
    let deployment = ["-n", OPERATOR_NAMESPACE, "deployment", OPERATOR_NAMESPACE];
    let answers = k::down(world.answers(), &world.kubectl.get(deployment));
    let error = expect_error(&world.operator(), &answers);
    assert!(
        error.contains("the cluster cannot be asked") && error.contains("i/o timeout"),
        "{error}"
    );
}
