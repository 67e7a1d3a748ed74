//! The nodes that are expected are those of the inventory.

use mosip_prov_cluster::Kubectl;
use mosip_prov_cluster::kubectl::testing;
use mosip_prov_engine::{Play, Playbook, RunOptions, host_vars, prepare};
use mosip_prov_inventory::{LoadOptions, load};
use mosip_prov_resources::{Answers, Decision, Resource, Task};
use mosip_prov_transport::Target;
use role_verify::{Of, Verify};
use std::sync::Arc;

const INI: &str = "[physical_vms]\nvm1 ansible_host=10.0.0.1\nvm2 ansible_host=10.0.0.2\nspare ansible_host=10.0.0.3\n
[control_plane_nodes]\ncontrol-1 physical_vm=vm2\n[etcd_nodes]\netcd-1 physical_vm=vm2\n[worker_nodes]\nworker-1 physical_vm=vm1\n";

/// The same machines, and nothing that says what stands on them.
const NO_NODES: &str = "[physical_vms]\nvm1 ansible_host=10.0.0.1\n";

fn prepared(more: &str) -> Result<Vec<String>, String> {
    with_tasks(more, |tasks| {
        tasks
            .iter()
            .map(|task| format!("{} [{}] {:?}", task.name(), task.resource().kind(), task.questions()))
            .collect()
    })
}

/// What `see` makes of the role's tasks.
fn with_tasks<T>(more: &str, see: impl Fn(&[Task]) -> T) -> Result<T, String> {
    of_inventory(&format!("{INI}{more}"), see)
}

fn of_inventory<T>(ini: &str, see: impl Fn(&[Task]) -> T) -> Result<T, String> {
    of_cluster(Of::Main, ini, see)
}

fn of_cluster<T>(of: Of, ini: &str, see: impl Fn(&[Task]) -> T) -> Result<T, String> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("hosts.ini");
    std::fs::write(&path, ini).expect("written");
    let loaded = load(&LoadOptions {
        sources: vec![path.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    });
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    let inventory = Arc::new(loaded.inventory);
    let vars = host_vars(&inventory, false);
    let play = Play::on_deployment_node("Verify")
        .serving(of.group())
        .role(Verify::of(of));
    let playbook = Playbook::new("verify", "verify").play(play);
    prepare(&[playbook], &inventory, &vars, &RunOptions::default(), &|vars, _| {
        Some(Target::ssh(vars.host().to_string(), "127.0.0.1", "ubuntu"))
    })
    .map(|ready| {
        let (_, part) = ready.plays()[0].hosts().next().expect("the deployment node");
        see(part.roles()[0].tasks())
    })
    .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn the_cluster_is_asked_by_its_own_kubeconfig() {
    let tasks = prepared("").expect("ready");
    assert_eq!(tasks.len(), 3, "{tasks:?}");
    for task in &tasks {
        assert!(
            task.contains("/home/ubuntu/rancher/mosip/kube_config_cluster.yml"),
            "{task}"
        );
    }
    let problems = prepared("[all:vars]\nrancher_base_dir=~/rancher\n").expect_err("refused");
    assert!(problems.contains("an absolute path is wanted"), "{problems}");
}

#[test]
fn each_variable_leads_to_the_kubeconfig() {
    for (variable, value, kubeconfig) in [
        ("rancher_base_dir", "/srv", "/srv/mosip/kube_config_cluster.yml"),
        (
            "cluster_name",
            "other",
            "/home/ubuntu/rancher/other/kube_config_cluster.yml",
        ),
        ("verify_kubeconfig", "/srv/kubeconfig", "/srv/kubeconfig"),
    ] {
        for task in prepared(&format!("[all:vars]\n{variable}={value}\n")).expect("ready") {
            assert!(task.contains(kubeconfig), "{variable}: {task}");
        }
    }
}

#[test]
fn each_variable_of_the_observation_cluster_leads_to_its_kubeconfig() {
    for (variable, value, kubeconfig) in [
        ("rancher_obs_base_dir", "/srv", "/srv/kube_config_cluster.yml"),
        ("verify_obs_kubeconfig", "/srv/kubeconfig", "/srv/kubeconfig"),
    ] {
        let ini = format!("[mosip_obs]\nobs ansible_host=10.0.0.9\n[all:vars]\n{variable}={value}\n");
        let asked = of_cluster(Of::Observation, &ini, |tasks| {
            tasks
                .iter()
                .flat_map(Task::questions)
                .map(|one| format!("{one:?}"))
                .collect::<Vec<_>>()
        });
        let asked = asked.expect("ready");
        assert!(
            !asked.is_empty() && asked.iter().all(|one| one.contains(kubeconfig)),
            "{variable}: {asked:?}"
        );
    }
}

#[test]
fn every_machine_that_carries_a_node_is_waited_for() {
    let reason = decided("vm1").expect_err("one is missing");
    assert_eq!(reason, "vm2: it is not in the cluster; it has vm1");
    // The spare machine carries none.
    assert_eq!(decided("vm1 vm2").expect("ready"), "all 2 nodes are ready");
}

#[test]
fn without_nodes_in_the_inventory_those_of_the_cluster_are_looked_at() {
    let reason = decided_for(NO_NODES, "vm1 vm2").expect("ready");
    assert!(
        reason.starts_with("all 2 nodes are ready; nodes: the inventory places no node"),
        "{reason}"
    );
    let reason = decided_for(NO_NODES, "").expect_err("there is none");
    assert!(reason.contains("the cluster has no node"), "{reason}");
}

/// What the first task concludes from a cluster with these nodes.
fn decided(nodes: &str) -> Result<String, String> {
    decided_for(INI, nodes)
}

fn decided_for(ini: &str, nodes: &str) -> Result<String, String> {
    let task = of_inventory(ini, |tasks| tasks[0].clone()).expect("ready");
    let items: Vec<serde_json::Value> = nodes
        .split(' ')
        .filter(|name| !name.is_empty())
        .map(|name| {
            serde_json::json!({
                "metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}
            })
        })
        .collect();
    let ask = Kubectl::new("/home/ubuntu/rancher/mosip/kube_config_cluster.yml").get(["nodes"]);
    let answers = testing::objects(Answers::new(), &ask, &serde_json::json!({ "items": items }));
    match task.resource().decide(&answers) {
        Ok(Decision::Nothing { reason }) => Ok(reason),
        Ok(Decision::NotYet { reason }) => Err(reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_summary_counts_nodes_by_version_and_pods_by_state() {
    let kubectl = Kubectl::new("/k");
    let node = |version: &str| serde_json::json!({"status": {"nodeInfo": {"kubeletVersion": version}}});
    let nodes = serde_json::json!({ "items": [node("v1.22.9"), node("v1.22.9"), node("v1.22.8")] });
    let pods = serde_json::json!({ "items": [{"status": {"phase": "Running"}}, {"status": {"phase": "Succeeded"}}] });
    let answers = testing::objects(Answers::new(), &kubectl.get(["nodes"]), &nodes);
    let down = testing::down(answers.clone(), &kubectl.get(["pods", "-A"]));
    let answers = testing::objects(answers, &kubectl.get(["pods", "-A"]), &pods);
    let summary = role_verify::Summary::new(&kubectl);
    match summary.decide(&answers) {
        Ok(Decision::Nothing { reason }) => {
            assert_eq!(reason, "nodes: 1 v1.22.8, 2 v1.22.9; pods: 1 Running, 1 Succeeded");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(summary.decide(&down), Ok(Decision::NotYet { .. })));
}
