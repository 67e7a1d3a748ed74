//! Situations of clusters, each a file of objects as the API gives them (`tests/situations`), told apart by name: what is
//! found is what the file says, and nothing else. `tests/tests/verify.rs` has the same files judged through the real
//! `kubectl`.

use mosip_prov_cluster::kubectl::Reply;
use mosip_prov_cluster::verify::{Expected, Looked, has_releases, is_final, judge};
use mosip_prov_events::{Finding, Level};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const KUBECONFIG: &str = "/b/kube";

fn situations() -> BTreeMap<String, Value> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/situations");
    let files = std::fs::read_dir(folder).expect("the situations");
    files
        .map(|file| {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("read");
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, value)
        })
        .collect()
}

/// What `kubectl` makes of the objects of a situation.
fn looked(situation: &Value) -> Looked {
    if let Some((kind, text)) = situation["reply"].as_object().and_then(|reply| reply.iter().next()) {
        let text = text.as_str().expect("a text").to_owned();
        let reply = match kind.as_str() {
            "down" => Reply::Down(text),
            "refused" => Reply::Refused(text),
            "no_kubeconfig" => Reply::NoKubeconfig,
            "no_kubectl" => Reply::NoKubectl,
            other => panic!("no reply {other}"),
        };
        return Looked {
            nodes: reply.clone(),
            pods: reply.clone(),
            workloads: reply.clone(),
            events: reply,
        };
    }
    let list = |kinds: &[&str]| {
        let objects = situation["objects"].as_array().expect("objects").iter();
        let items: Vec<&Value> = objects
            .filter(|object| kinds.contains(&object["kind"].as_str().expect("a kind")))
            .collect();
        Reply::Objects(json!({"apiVersion": "v1", "kind": "List", "items": items}))
    };
    Looked {
        nodes: list(&["Node"]),
        pods: list(&["Pod"]),
        workloads: list(&["Deployment", "DaemonSet", "StatefulSet", "Job", "PersistentVolumeClaim"]),
        events: list(&["Event"]),
    }
}

fn found(situation: &Value) -> Vec<Finding> {
    let names = situation["nodes"].as_array().expect("nodes").iter();
    let names = names.map(|name| name.as_str().expect("a name"));
    let now = situation["now"].as_str().expect("now").parse().expect("a time");
    judge(&looked(situation), &Expected::nodes(names).at(now), KUBECONFIG)
}

/// As the files write findings.
fn short(finding: &Finding) -> Value {
    json!({"area": finding.area, "check": finding.check, "level": finding.level, "subject": finding.subject})
}

#[test]
fn each_situation_is_found_and_nothing_else() {
    let situations = situations();
    assert!(situations.len() >= 50, "{} situations", situations.len());
    let mut wrong = Vec::new();
    for (name, situation) in &situations {
        let all = found(situation);
        let remarks: Vec<Value> = all.iter().filter(|one| one.level != Level::Ok).map(short).collect();
        if json!(remarks) != situation["findings"] {
            wrong.push(format!("{name}: {all:#?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} wrong\n{}",
        wrong.len(),
        situations.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_remark_says_what_is_and_what_to_do() {
    for (name, situation) in &situations() {
        for finding in found(situation).iter().filter(|one| one.level != Level::Ok) {
            let remedy = finding.remedy.as_deref().unwrap_or_default();
            assert!(!remedy.is_empty() && finding.message.len() > 10, "{name}: {finding:?}");
            assert!(!finding.message.contains(['\n', '\u{1b}']), "{name}: {finding:?}");
            if remedy.contains("kubectl ") {
                assert!(
                    remedy.contains(&format!("kubectl --kubeconfig {KUBECONFIG} ")),
                    "{name}: {remedy}"
                );
            }
        }
    }
}

/// The message and remedy of the one remark of a situation.
fn told(name: &str) -> String {
    let all = found(&situations()[name]);
    let remarks: Vec<&Finding> = all.iter().filter(|one| one.level != Level::Ok).collect();
    assert_eq!(remarks.len(), 1, "{all:#?}");
    format!(
        "{}\n{}",
        remarks[0].message,
        remarks[0].remedy.as_deref().unwrap_or_default()
    )
}

#[test]
fn what_an_operator_needs_is_in_the_words() {
    for (name, parts) in [
        (
            "crash_loop",
            &[
                "container prereg",
                "exit code 1 (Error)",
                "restarted 9 times",
                "--previous",
            ][..],
        ),
        ("oom_killed", &["its limit of 256Mi"]),
        (
            "image_pull",
            &["service:1.2.0.1x", "manifest unknown", "no such image or tag"],
        ),
        ("image_pull_first_try", &["no such host", "cannot reach the registry"]),
        ("config_missing", &["secret \"db-common-secrets\" not found"]),
        ("insufficient_cpu", &["2 Insufficient cpu"]),
        ("pending_volume", &["claim prereg-data"]),
        ("init_failed", &["init container wait-for-db", "exit code 2"]),
        ("evicted", &["low on resource: ephemeral-storage"]),
        ("readiness_probe", &["statuscode: 503"]),
        ("liveness_restarts", &["14 times", "Liveness probe failed"]),
        ("just_restarted", &["since 12 s only, after 6 restarts"]),
        (
            "terminating_stuck",
            &["since 90 min", "finalizer foregroundDeletion.example.org/wait"],
        ),
        ("failed_mount", &["configmap \"artifactory-share\" not found"]),
        ("network_plugin", &["vm2", "cni failed"]),
        ("node_missing", &["it has vm1, vm2"]),
        ("disk_pressure", &["kubelet has disk pressure"]),
        ("quota_exceeded", &["exceeded quota: compute", "describe resourcequota"]),
        ("job_failed_before", &["loader-27814380 has succeeded since"]),
        ("api_unreachable", &["10.0.0.11:6443 was refused"]),
        ("forbidden", &["User \"viewer\" cannot list resource \"nodes\""]),
    ] {
        let told = told(name);
        for part in parts {
            assert!(told.contains(part), "{name}: {part:?} in {told}");
        }
    }
}

#[test]
fn waiting_ends_early_only_where_it_is_certain() {
    let finals: Vec<String> = situations()
        .iter()
        .filter(|(_, situation)| found(situation).iter().any(is_final))
        .map(|(name, _)| name.clone())
        .collect();
    let wanted = [
        "api_certificate_expired",
        "forbidden",
        "invalid_image_name",
        "kubeconfig_missing",
        "kubectl_missing",
    ];
    assert_eq!(finals, wanted);
}

#[test]
fn what_helm_brings_is_told_from_what_the_cluster_has_itself() {
    let with = |space: &str, name: &str, labels: Value| {
        let object = json!({"kind": "Deployment", "metadata": {"namespace": space, "name": name, "labels": labels}});
        let mut looked = looked(&situations()["well"]);
        looked.workloads = Reply::Objects(json!({"items": [object]}));
        has_releases(&looked)
    };
    let helm = json!({"app.kubernetes.io/managed-by": "Helm"});
    assert!(with("landing-page", "landing-page", helm.clone()));
    assert!(with("cattle-system", "rancher", json!({})));
    assert!(with("prereg", "prereg", json!({"heritage": "Helm"})));
    for own in ["kube-system", "cattle-fleet-system", "istio-system"] {
        assert!(!with(own, "x", helm.clone()), "{own}");
    }
    assert!(!with("cattle-system", "cattle-cluster-agent", json!({})));
    assert!(!with("prereg", "prereg", json!({"app": "prereg"})));
}
