//! A stand-in for `istioctl`: `version` and `operator init`.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::Outcome;
use crate::args::Args;
use crate::client::Client;

/// Runs `istioctl` with these words.
pub fn main(words: &[String], version: &str) -> ExitCode {
    match command(words, version) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn command(words: &[String], version: &str) -> Outcome {
    let valued = [
        "kubeconfig",
        "c",
        "context",
        "hub",
        "tag",
        "operatorNamespace",
        "watchedNamespaces",
        "istioNamespace",
        "output",
        "o",
    ];
    let args = Args::parse(words, &valued, &["remote", "short", "s"])?;
    let kubeconfig = || -> PathBuf {
        let home = std::env::var("HOME").unwrap_or_default();
        let given = args.get("kubeconfig").or(args.get("c")).map(PathBuf::from);
        let from_environment = || {
            std::env::var_os("KUBECONFIG")
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        given
            .or_else(from_environment)
            .unwrap_or_else(|| PathBuf::from(home).join(".kube/config"))
    };
    match args.rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["version"] => {
            let without = words.iter().any(|word| word == "--remote=false");
            match args.get("output").or(args.get("o")) {
                Some("json") => {
                    let info = json!({"clientVersion": {"version": version, "status": "Clean", "tag": version}});
                    println!("{info:#}");
                }
                Some(other) => return Err(format!("--output must be 'yaml' or 'json', not {other}").into()),
                None if without => println!("{version}"),
                None => {
                    println!("no running Istio pods in \"istio-system\"");
                    println!("{version}");
                }
            }
            Ok(())
        }
        ["operator", "init"] => {
            let client = Client::from_kubeconfig(&kubeconfig(), args.get("context"))?;
            init(
                &client,
                args.get("hub").unwrap_or("docker.io/istio"),
                args.get("tag").unwrap_or(version),
                args.get("operatorNamespace").unwrap_or("istio-operator"),
                args.get("watchedNamespaces").unwrap_or("istio-system"),
            )
        }
        _ => Err(format!("unknown command {:?} for \"istioctl\"", args.rest.join(" ")).into()),
    }
}

fn init(client: &Client, hub: &str, tag: &str, namespace: &str, watched: &str) -> Outcome {
    let deployments = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    let verb = if client.get(&format!("{deployments}/istio-operator"))?.is_some() {
        println!("Operator controller is already installed in {namespace} namespace.");
        "Upgrading"
    } else {
        "Installing"
    };
    println!("{verb} operator controller in namespace: {namespace} using image: {hub}/operator:{tag}");
    println!("Operator controller will watch namespaces: {watched}");
    for (path, object) in objects(hub, tag, namespace, watched) {
        client.apply(&path, &object)?;
    }
    println!("✔ Istio operator installed");
    println!("✔ Installation complete");
    Ok(())
}

fn objects(hub: &str, tag: &str, namespace: &str, watched: &str) -> Vec<(String, Value)> {
    const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
    const NAME: &str = "istio-operator";
    let core = |plural: &str| format!("/api/v1/namespaces/{namespace}/{plural}");
    let mut all: Vec<(String, Value)> = watched
        .split(',')
        .chain([namespace])
        .map(|name| {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            ("/api/v1/namespaces".to_owned(), namespace)
        })
        .collect();
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    all.push((
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".into(),
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "istiooperators.install.istio.io", "labels": {"release": "istio"}},
            "spec": {
                "conversion": {"strategy": "None"}, "group": "install.istio.io", "scope": "Namespaced",
                "names": {"kind": "IstioOperator", "listKind": "IstioOperatorList", "plural": "istiooperators",
                          "shortNames": ["iop", "io"], "singular": "istiooperator"},
                "versions": [{"name": "v1alpha1", "served": true, "storage": true, "subresources": {"status": {}},
                              "schema": {"openAPIV3Schema": schema}}],
            },
        }),
    ));
    let subject = json!([{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}]);
    all.extend([
        (
            core("serviceaccounts"),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": namespace}}),
        ),
        (
            format!("{RBAC}/clusterroles"),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": NAME},
                   "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}),
        ),
        (
            format!("{RBAC}/clusterrolebindings"),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": NAME},
                   "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
                   "subjects": subject}),
        ),
        (
            core("services"),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "labels": {"name": NAME}},
                   "spec": {"ports": [{"name": "http-metrics", "port": 8383, "targetPort": 8383}], "selector": {"name": NAME}}}),
        ),
        (
            format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME},
                "spec": {"replicas": 1, "selector": {"matchLabels": {"name": NAME}}, "template": {
                    "metadata": {"labels": {"name": NAME}},
                    "spec": {"serviceAccountName": NAME, "containers": [{
                        "name": NAME, "image": format!("{hub}/operator:{tag}"), "command": ["operator", "server"],
                        "env": [{"name": "WATCH_NAMESPACE", "value": watched}]}]}}}}),
        ),
    ]);
    all
}
