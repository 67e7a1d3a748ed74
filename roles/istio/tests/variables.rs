//! Every variable of Istio changed once from its default: the settings, fields of what the operator is told, and tasks that
//! differ then, and that nothing else does.

mod common;

use common::settings;
use mosip_prov_cluster::Kubectl;
use mosip_prov_cluster::kubectl::testing as k;
use mosip_prov_resources::Answers;
use mosip_prov_resources::testing::variables::{Row, have_rows, hold};
use role_istio::{CRD, DEFAULTS, OPERATOR_NAMESPACE, Operator, operator, tasks};
use serde_json::Value;

fn fields(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(name, inner)| fields(inner, &format!("{at}.{name}"), out)),
        Value::Array(all) => {
            let items = all.iter().enumerate();
            items.for_each(|(index, inner)| fields(inner, &format!("{at}[{index}]"), out));
        }
        other => out.push(format!("operator {at} = {other}")),
    }
}

/// The last line of a question, which tells it from others.
fn last(subject: &str) -> String {
    subject.lines().last().unwrap_or_default().to_owned()
}

fn made(vars: &str) -> Vec<String> {
    let settings = settings(vars);
    let mut made = Vec::new();
    for line in format!("{settings:#?}").lines() {
        made.push(format!("setting {}", line.trim().trim_end_matches(',')));
    }
    fields(&operator(&settings), "", &mut made);
    for task in tasks(&settings).tasks {
        let resource = task.resource();
        let patience = resource.patience();
        let subjects: Vec<String> = resource.questions().iter().map(|one| last(one.subject())).collect();
        // One that waits for as long as it is told.
        made.push(format!("{}: {subjects:?}, for {:?}", task.name(), patience.at_most));
    }
    let kubectl = Kubectl::new(&settings.kubeconfig);
    let init = Operator::new(&kubectl, &settings);
    let answers = [
        vec!["crd", CRD],
        vec!["-n", OPERATOR_NAMESPACE, "deployment", OPERATOR_NAMESPACE],
    ]
    .into_iter()
    .fold(Answers::new(), |answers, words| {
        k::not_found(answers, &kubectl.get(words))
    });
    let change = mosip_prov_resources::testing::expect_change(&init, &answers);
    let script = mosip_prov_resources::testing::scripts(&change);
    let init = script
        .lines()
        .find_map(|line| line.strip_prefix("istioctl operator init "));
    made.push(format!("istioctl operator init: {}", init.expect("the command")));
    made
}

#[test]
fn each_variable_changes_what_is_its_own() {
    hold(made, "", ROWS);
    have_rows(DEFAULTS, &[ROWS], &[]);
}

const ROWS: &[Row] = &[
    (
        "istio_version: 1.15.3",
        &[
            "-See that istioctl is version 1.15.0: [\"\\\"$t\\\" version --remote=false 2>&1 || exit 1\"], for 60s",
            "See that istioctl is version 1.15.3: [\"\\\"$t\\\" version --remote=false 2>&1 || exit 1\"], for 60s",
            "istioctl operator init: --kubeconfig /home/ubuntu/rancher/mosip/kube_config_cluster.yml --hub docker.io/istio --tag 1.15.3 --watchedNamespaces istio-system",
            "operator .spec.tag = \"1.15.3\"",
            "setting version: \"1.15.3\"",
        ],
    ),
    (
        "istio_hub: registry.example.org:5000/istio",
        &[
            "istioctl operator init: --kubeconfig /home/ubuntu/rancher/mosip/kube_config_cluster.yml --hub registry.example.org:5000/istio --tag 1.15.0 --watchedNamespaces istio-system",
            "operator .spec.hub = \"registry.example.org:5000/istio\"",
            "setting hub: \"registry.example.org:5000/istio\"",
        ],
    ),
    (
        "istio_namespace: mesh",
        &[
            "Tell the operator what Istio shall be: [\"/home/ubuntu/rancher/mosip/kube_config_cluster.yml get -n mesh istiooperators.install.istio.io istio-control-plane -o json\"], for 60s",
            "Wait for istiod: [\"/home/ubuntu/rancher/mosip/kube_config_cluster.yml get -n mesh deployment istiod -o json\", \"/home/ubuntu/rancher/mosip/kube_config_cluster.yml get -n mesh istiooperators.install.istio.io istio-control-plane -o json\"], for 300s",
            "istioctl operator init: --kubeconfig /home/ubuntu/rancher/mosip/kube_config_cluster.yml --hub docker.io/istio --tag 1.15.0 --watchedNamespaces mesh",
            "operator .metadata.namespace = \"mesh\"",
            "setting namespace: \"mesh\"",
        ],
    ),
    (
        "istio_operator_wait_timeout: 60",
        &[
            "Wait for the operator's type: [\"/home/ubuntu/rancher/mosip/kube_config_cluster.yml get crd istiooperators.install.istio.io -o json\"], for 60s",
            "Wait for the operator: [\"/home/ubuntu/rancher/mosip/kube_config_cluster.yml get -n istio-operator deployment istio-operator -o json\"], for 60s",
            "setting operator_wait: 60s",
        ],
    ),
    (
        "rancher_base_dir: /srv/rancher",
        &[
            "Install Istio's operator: [\"/srv/rancher/mosip/kube_config_cluster.yml get -n istio-operator deployment istio-operator -o json\", \"/srv/rancher/mosip/kube_config_cluster.yml get crd istiooperators.install.istio.io -o json\"], for 60s",
            "Tell the operator what Istio shall be: [\"/srv/rancher/mosip/kube_config_cluster.yml get -n istio-system istiooperators.install.istio.io istio-control-plane -o json\"], for 60s",
            "Wait for istiod: [\"/srv/rancher/mosip/kube_config_cluster.yml get -n istio-system deployment istiod -o json\", \"/srv/rancher/mosip/kube_config_cluster.yml get -n istio-system istiooperators.install.istio.io istio-control-plane -o json\"], for 300s",
            "Wait for the operator's type: [\"/srv/rancher/mosip/kube_config_cluster.yml get crd istiooperators.install.istio.io -o json\"], for 300s",
            "Wait for the operator: [\"/srv/rancher/mosip/kube_config_cluster.yml get -n istio-operator deployment istio-operator -o json\"], for 300s",
            "istioctl operator init: --kubeconfig /srv/rancher/mosip/kube_config_cluster.yml --hub docker.io/istio --tag 1.15.0 --watchedNamespaces istio-system",
            "setting kubeconfig: \"/srv/rancher/mosip/kube_config_cluster.yml\"",
        ],
    ),
    (
        "cluster_name: two",
        &[
            "Install Istio's operator: [\"/home/ubuntu/rancher/two/kube_config_cluster.yml get -n istio-operator deployment istio-operator -o json\", \"/home/ubuntu/rancher/two/kube_config_cluster.yml get crd istiooperators.install.istio.io -o json\"], for 60s",
            "Tell the operator what Istio shall be: [\"/home/ubuntu/rancher/two/kube_config_cluster.yml get -n istio-system istiooperators.install.istio.io istio-control-plane -o json\"], for 60s",
            "Wait for istiod: [\"/home/ubuntu/rancher/two/kube_config_cluster.yml get -n istio-system deployment istiod -o json\", \"/home/ubuntu/rancher/two/kube_config_cluster.yml get -n istio-system istiooperators.install.istio.io istio-control-plane -o json\"], for 300s",
            "Wait for the operator's type: [\"/home/ubuntu/rancher/two/kube_config_cluster.yml get crd istiooperators.install.istio.io -o json\"], for 300s",
            "Wait for the operator: [\"/home/ubuntu/rancher/two/kube_config_cluster.yml get -n istio-operator deployment istio-operator -o json\"], for 300s",
            "istioctl operator init: --kubeconfig /home/ubuntu/rancher/two/kube_config_cluster.yml --hub docker.io/istio --tag 1.15.0 --watchedNamespaces istio-system",
            "setting kubeconfig: \"/home/ubuntu/rancher/two/kube_config_cluster.yml\"",
        ],
    ),
    (
        "istio_kubeconfig: /srv/kubeconfig",
        &[
            "Install Istio's operator: [\"/srv/kubeconfig get -n istio-operator deployment istio-operator -o json\", \"/srv/kubeconfig get crd istiooperators.install.istio.io -o json\"], for 60s",
            "Tell the operator what Istio shall be: [\"/srv/kubeconfig get -n istio-system istiooperators.install.istio.io istio-control-plane -o json\"], for 60s",
            "Wait for istiod: [\"/srv/kubeconfig get -n istio-system deployment istiod -o json\", \"/srv/kubeconfig get -n istio-system istiooperators.install.istio.io istio-control-plane -o json\"], for 300s",
            "Wait for the operator's type: [\"/srv/kubeconfig get crd istiooperators.install.istio.io -o json\"], for 300s",
            "Wait for the operator: [\"/srv/kubeconfig get -n istio-operator deployment istio-operator -o json\"], for 300s",
            "istioctl operator init: --kubeconfig /srv/kubeconfig --hub docker.io/istio --tag 1.15.0 --watchedNamespaces istio-system",
            "setting kubeconfig: \"/srv/kubeconfig\"",
        ],
    ),
    (
        "nginx_public_ingress_nodeport: 32080",
        &[
            "operator .spec.components.ingressGateways[0].k8s.service.ports[0].nodePort = 32521",
            "operator .spec.components.ingressGateways[0].k8s.service.ports[1].nodePort = 32080",
            "setting public: 32080",
        ],
    ),
    (
        "nginx_internal_ingress_nodeport: 30180",
        &[
            "operator .spec.components.ingressGateways[1].k8s.service.ports[0].nodePort = 30522",
            "operator .spec.components.ingressGateways[1].k8s.service.ports[1].nodePort = 30180",
            "setting internal: 30180",
        ],
    ),
    (
        "nginx_minio_ingress_nodeport: 30901",
        &[
            "operator .spec.components.ingressGateways[1].k8s.service.ports[4].nodePort = 30901",
            "setting minio: 30901",
        ],
    ),
    (
        "nginx_postgres_nodeport: 31433",
        &[
            "operator .spec.components.ingressGateways[1].k8s.service.ports[3].nodePort = 31433",
            "setting postgres: 31433",
        ],
    ),
    (
        "nginx_activemq_nodeport: 31617",
        &[
            "operator .spec.components.ingressGateways[1].k8s.service.ports[2].nodePort = 31617",
            "setting activemq: 31617",
        ],
    ),
];
