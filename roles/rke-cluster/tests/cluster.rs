//! An inventory in; cluster.yml, settings, tasks and decisions out.

use mosip_prov_cluster::kubectl::testing as kubectl_testing;
use mosip_prov_cluster::{Kubectl, yaml};
use mosip_prov_engine::host_vars;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml as vars_yaml};
use mosip_prov_resources::testing::{self as t, expect_change, expect_error, expect_nothing};
use mosip_prov_resources::vars::HostVars;
use mosip_prov_resources::{Answers, Resource, RoleTasks, Task};
use mosip_prov_rke2::Around;
use role_rke_cluster::before::NoOtherCluster;
use role_rke_cluster::canal::{CanalMtu, CanalPods};
use role_rke_cluster::up::RkeUp;
use role_rke_cluster::{DEFAULTS, RkeCluster, cluster_yml};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// The guide's machines: three carry the control plane and etcd, three run what is deployed.
const GUIDE: &str = "[physical_vms]\nvm1 ansible_host=10.0.0.11\nvm2 ansible_host=10.0.0.12\nvm3 ansible_host=10.0.0.13\n\
vm4 ansible_host=10.0.0.14\nvm5 ansible_host=10.0.0.15\nvm6 ansible_host=10.0.0.16\n\
[control_plane_nodes]\ncontrol-1 physical_vm=vm1\ncontrol-2 physical_vm=vm2\ncontrol-3 physical_vm=vm3\n\
[etcd_nodes]\netcd-1 physical_vm=vm1\netcd-2 physical_vm=vm2\netcd-3 physical_vm=vm3\n\
[worker_nodes]\nworker-1 physical_vm=vm4\nworker-2 physical_vm=vm5\nworker-3 physical_vm=vm6\n\
[mosip_obs]\nobs-node-1 ansible_host=10.0.0.21\n[deployment]\ndeployer ansible_connection=local\n";

/// One machine carries all.
const ONE: &str = "[physical_vms]\nvm1 ansible_host=10.0.0.11\nvm2 ansible_host=10.0.0.12\n[control_plane_nodes]\nc physical_vm=vm1\n\
               [etcd_nodes]\ne physical_vm=vm1\n[worker_nodes]\nw physical_vm=vm1\nw2 physical_vm=vm1\n[deployment]\ndeployer\n";

/// Six machines that carry all kinds of things.
fn mixed() -> String {
    GUIDE
        .replace("worker-1 physical_vm=vm4", "worker-1 physical_vm=vm1")
        .replace("control-3 physical_vm=vm3", "control-3 physical_vm=vm4")
}

struct World {
    inventory: Arc<mosip_prov_inventory::Inventory>,
    vars: HashMap<String, HostVars>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(inventory: &str, vars: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rancher.ini");
        std::fs::write(&path, inventory).expect("written");
        std::fs::create_dir(folder.path().join("group_vars")).expect("made");
        let vars = format!("---\nansible_user: ubuntu\n{vars}");
        std::fs::write(folder.path().join("group_vars/all.yml"), vars).expect("written");
        let loaded = load(&LoadOptions {
            sources: vec![path.to_string_lossy().into_owned()],
            ..LoadOptions::default()
        });
        assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
        let inventory = Arc::new(loaded.inventory);
        let defaults = Arc::new(vars_yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults"));
        let vars = host_vars(&inventory, false)
            .into_iter()
            .map(|(name, vars)| (name.to_string(), vars.with_defaults(defaults.clone())))
            .collect();
        Self {
            inventory,
            vars,
            _folder: folder,
        }
    }

    fn around(&self) -> Around<'_> {
        Around::new(
            "deployer",
            &self.vars["deployer"],
            self.inventory.base_dir(),
            "deployer",
            |group| self.inventory.hosts_of(group),
            |host| self.vars.get(host),
        )
    }

    fn text(&self, role: RkeCluster) -> String {
        let mut problems = Diagnostics::new();
        let described = role.described(&self.around(), &mut problems);
        let described = described.unwrap_or_else(|| panic!("{problems:?}"));
        cluster_yml::text(&described.settings, &described.machines)
    }

    fn model(&self, role: RkeCluster) -> Value {
        yaml::read(&self.text(role)).expect("YAML")
    }

    fn tasks(&self, role: RkeCluster) -> (RoleTasks, String) {
        let mut problems = Diagnostics::new();
        let made = role.tasks_for(&self.around(), &mut problems);
        (made, problems.iter().map(|problem| format!("{problem}\n")).collect())
    }
}

fn node(name: &str, address: &str, roles: &[&str]) -> Value {
    let labels: serde_json::Map<String, Value> = roles
        .iter()
        .map(|role| {
            let label = role.replace("controlplane", "control-plane");
            (format!("node-role.kubernetes.io/{label}"), "true".into())
        })
        .collect();
    json!({
        "address": address, "port": "22", "hostname_override": name, "user": "ubuntu",
        "docker_socket": "/var/run/docker.sock", "ssh_key_path": "~/.ssh/id_ed25519", "role": roles, "labels": labels,
    })
}

fn guides_nodes() -> Vec<Value> {
    let control = ["controlplane", "etcd"];
    vec![
        node("vm1", "10.0.0.11", &control),
        node("vm2", "10.0.0.12", &control),
        node("vm3", "10.0.0.13", &control),
        node("vm4", "10.0.0.14", &["worker"]),
        node("vm5", "10.0.0.15", &["worker"]),
        node("vm6", "10.0.0.16", &["worker"]),
    ]
}

/// The whole `cluster.yml` of these nodes where nothing is set.
fn wanted(nodes: &[Value]) -> Value {
    json!({
        "cluster_name": "mosip",
        "nodes": nodes,
        "ssh_key_path": "~/.ssh/id_ed25519",
        "services": {
            "etcd": {"backup_config": {"enabled": true, "interval_hours": 12, "retention": 6}},
            "kube-api": {"service_cluster_ip_range": "10.43.0.0/16", "extra_args": {"feature-gates": "RemoveSelfLink=false"}},
            "kube-controller": {"cluster_cidr": "10.42.0.0/16", "service_cluster_ip_range": "10.43.0.0/16"},
            "kubelet": {
                "cluster_domain": "cluster.local", "cluster_dns_server": "10.43.0.10", "fail_swap_on": false,
                "generate_serving_certificate": true,
                "extra_args": {"max-pods": "300", "feature-gates": "RemoveSelfLink=false"},
            },
        },
        "network": {"plugin": "canal", "mtu": 1400},
        "authentication": {"strategy": "x509"},
        "dns": {"provider": "coredns", "upstreamnameservers": ["1.1.1.1", "1.1.1.2"]},
        "monitoring": {"provider": "metrics-server"},
        "ingress": {"provider": "nginx", "options": {"use-forwarded-headers": "true"}},
        "upgrade_strategy": {
            "max_unavailable_worker": "20%", "max_unavailable_controlplane": "1", "drain": true,
            "node_drain_input": {"ignore_daemonsets": true, "grace_period": 120, "timeout": 120},
        },
    })
}

#[test]
fn the_guides_machines_become_its_cluster() {
    let made = World::new(GUIDE, "").model(RkeCluster::main());
    assert_eq!(made, wanted(&guides_nodes()));
}

#[test]
fn one_machine_may_carry_all_and_six_may_carry_what_they_like() {
    let made = World::new(ONE, "kubernetes_version: v1.22.9-rancher1-1\n").model(RkeCluster::main());
    let all = ["controlplane", "etcd", "worker"];
    assert_eq!(made["nodes"], json!([node("vm1", "10.0.0.11", &all)]));
    assert_eq!(made["kubernetes_version"], "v1.22.9-rancher1-1");
    let made = World::new(&mixed(), "").model(RkeCluster::main());
    let roles: Vec<&Value> = made["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .map(|node| &node["role"])
        .collect();
    assert_eq!(
        json!(roles),
        json!([
            ["controlplane", "etcd", "worker"],
            ["controlplane", "etcd"],
            ["etcd"],
            ["controlplane"],
            ["worker"],
            ["worker"]
        ])
    );
}

#[test]
fn the_observation_cluster_has_its_own_variables() {
    let world = World::new(
        GUIDE,
        "rancher_obs_service_cluster_ip_range: 10.53.0.0/16\nrancher_obs_cluster_cidr: 10.52.0.0/16\n",
    );
    let made = world.model(RkeCluster::observation());
    let all = ["controlplane", "etcd", "worker"];
    assert_eq!(made["nodes"], json!([node("obs-node-1", "10.0.0.21", &all)]));
    assert_eq!(made["cluster_name"], "mosip_obs");
    assert_eq!(made["ingress"], json!({"provider": "none"}));
    assert_eq!(made["services"]["kubelet"]["cluster_dns_server"], "10.53.0.10");
}

#[test]
fn all_mistakes_come_in_one_report_with_their_places() {
    let (_, problems) = World::new(
        &GUIDE.replace("worker-1 physical_vm=vm4", "worker-1 physical_vm=vm9\nworker-0"),
        "rancher_base_dir: ~/rancher\nservice_cluster_ip_range: 10.42.128.0/17\nwireguard_network: 10.42.1.0/24\n\
         network_plugin: cilium\nauth_strategy: ldap\ningress_provider: traefik\nnetwork_mtu: 90000\nrke_version: 1.3\n\
         kubernetes_version: latest\nssh_key_path: key\nrancher_import_url: not-a-url-t0ken\n",
    )
    .tasks(RkeCluster::main());
    for part in [
        "another folder for every user",
        "service_cluster_ip_range and cluster_cidr overlap",
        "cluster_cidr and wireguard_network overlap",
        "cluster_dns_server is \"10.43.0.10\", which is no address of service_cluster_ip_range",
        "network_plugin is \"cilium\"",
        "auth_strategy is \"ldap\"",
        "ingress_provider is \"traefik\"",
        "network_mtu is 90000",
        "rke_version is \"1.3\"",
        "kubernetes_version is \"latest\"",
        "ssh_key_path is \"key\"",
        "rancher_import_url is no URL",
        "stands on physical_vm vm9",
        "worker-0 of group worker_nodes has no physical_vm",
        "all.yml:3",
    ] {
        assert!(problems.contains(part), "{part}\n{problems}");
    }
    assert!(!problems.contains("t0ken"), "{problems}");
}

#[test]
fn what_works_but_is_doubtful_is_a_warning() {
    let doubtful = GUIDE
        .replace("etcd-3 physical_vm=vm3\n", "")
        .replace("obs-node-1 ansible_host=10.0.0.21", "obs-node-1 ansible_host=10.0.0.11");
    let (made, problems) = World::new(&doubtful, "").tasks(RkeCluster::main().checks());
    assert!(!made.tasks.is_empty());
    for part in [
        "2 members of etcd",
        "vm3 carries the control plane alone",
        "is in both clusters",
        "July 2025",
    ] {
        assert!(problems.contains(part), "{part}\n{problems}");
    }
    let (_, problems) = World::new(
        &GUIDE.replace("vm2 ansible_host=10.0.0.12", "vm2 ansible_host=10.0.0.11"),
        "",
    )
    .tasks(RkeCluster::main());
    assert!(
        problems.contains("vm1 and vm2 of the main cluster have one address"),
        "{problems}"
    );
    let (_, problems) = World::new(&GUIDE.replace("[worker_nodes]", "[others]"), "").tasks(RkeCluster::main());
    assert!(
        problems.contains("no machine of the main cluster is a worker"),
        "{problems}"
    );
}

#[test]
fn rke2_leaves_nothing_to_do_and_an_unknown_builder_is_an_error() {
    for role in [
        RkeCluster::main(),
        RkeCluster::main().checks(),
        RkeCluster::observation().finish(),
    ] {
        let (made, problems) = World::new(GUIDE, "cluster_distribution: rke2\n").tasks(role);
        assert!(made.tasks.is_empty() && problems.is_empty(), "{problems}");
    }
    let (_, problems) = World::new(GUIDE, "cluster_distribution: k3s\n").tasks(RkeCluster::main());
    assert!(problems.contains("\"k3s\""), "{problems}");
}

#[test]
fn tasks_stand_in_their_order() {
    let world = World::new(
        GUIDE,
        "rancher_import_url: https://rancher.example.org/v3/import/t.yaml\n",
    );
    let names = |role| -> Vec<String> {
        world
            .tasks(role)
            .0
            .tasks
            .iter()
            .map(|task: &Task| task.name().to_owned())
            .collect()
    };
    assert_eq!(
        names(RkeCluster::main()),
        [
            "Install rke",
            "Make the cluster's folder",
            "Describe the cluster",
            "Build the cluster",
            "Put the cluster into ~/.kube/config",
            "Wait until all nodes are ready",
            "Wait until no pod is still to start",
            "Set the MTU of canal",
        ]
    );
    assert_eq!(names(RkeCluster::main().checks()).len(), 3);
    assert_eq!(
        names(RkeCluster::main().finish()),
        [
            "Start the pods of canal with their MTU",
            "See that all nodes are ready",
            "See that no pod is still to start",
            "Import the cluster into Rancher",
            "Wait for Rancher's agent",
        ]
    );
    // Its Rancher is in it.
    assert_eq!(names(RkeCluster::observation().finish()).len(), 3);
    // While the URL is to be had from Rancher, what it would do is not known, and there is nothing to try before.
    let later = World::new(GUIDE, "rancher_import_later: Rancher has no cluster mosip yet\n");
    let (made, problems) = later.tasks(RkeCluster::main().finish());
    let last = made.tasks.last().expect("tasks");
    assert_eq!(last.name(), "Import the cluster into Rancher", "{problems}");
    let decided = format!("{:?}", last.resource().decide(&Answers::new()));
    assert!(
        decided.contains("Unknown") && decided.contains("no cluster mosip yet"),
        "{decided}"
    );
    assert_eq!(later.tasks(RkeCluster::main().checks()).0.tasks.len(), 2);
    assert_eq!(later.tasks(RkeCluster::observation().finish()).0.tasks.len(), 3);
    let (none, _) = World::new("[physical_vms]\nvm1\n[deployment]\ndeployer\n", "").tasks(RkeCluster::main().checks());
    assert!(expect_error_of(&none.tasks[0]).contains("describes no cluster"));
}

fn expect_error_of(task: &Task) -> String {
    task.resource()
        .decide(&Answers::new())
        .expect_err("an error")
        .to_string()
}

/// Where two documents are not the same, as paths with both values.
fn differences(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                let of = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or(json!("<nothing>"));
                differences(&format!("{path}.{name}"), &of(one), &of(other), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (one, other)) in one.iter().zip(other).enumerate() {
                differences(&format!("{path}[{at}]"), one, other, found);
            }
        }
        _ if one == other => {}
        _ => found.push(format!("{path}: {one} and not {other}")),
    }
}

/// `MOSIP_PROV_ORACLE` names a virtual environment with PyYAML.
#[test]
#[ignore = "needs the oracle"]
fn pyyaml_reads_every_field_as_it_is_meant() {
    let oracle = std::env::var("MOSIP_PROV_ORACLE").expect("MOSIP_PROV_ORACLE names a virtual environment");
    let read = |text: &str| -> Value {
        let program = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin.read()), sys.stdout)";
        let mut python = Command::new(Path::new(&oracle).join("bin/python"))
            .args(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let mut stdin = python.stdin.take().expect("piped");
        stdin.write_all(text.as_bytes()).expect("python reads");
        drop(stdin);
        let output = python.wait_with_output().expect("python ends");
        assert!(output.status.success(), "PyYAML cannot read\n{text}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let (all, control) = (["controlplane", "etcd", "worker"], ["controlplane", "etcd"]);
    let six = [
        node("vm1", "10.0.0.11", &all),
        node("vm2", "10.0.0.12", &control),
        node("vm3", "10.0.0.13", &["etcd"]),
        node("vm4", "10.0.0.14", &["controlplane"]),
        node("vm5", "10.0.0.15", &["worker"]),
        node("vm6", "10.0.0.16", &["worker"]),
    ];
    // Values that YAML would read as something else without quotes.
    let odd = "ssh_user: \"yes\"\nssh_key_path: \"/keys/a: b #1\"\nkubernetes_version: v1.22.9-rancher1-1\ncluster_domain: \"1.20\"\n";
    let mut odd_wanted = wanted(&[node("vm1", "10.0.0.11", &all)]);
    odd_wanted["nodes"][0]["user"] = "yes".into();
    odd_wanted["nodes"][0]["ssh_key_path"] = "/keys/a: b #1".into();
    odd_wanted["ssh_key_path"] = "/keys/a: b #1".into();
    odd_wanted["kubernetes_version"] = "v1.22.9-rancher1-1".into();
    odd_wanted["services"]["kubelet"]["cluster_domain"] = "1.20".into();
    for (name, inventory, vars, wanted) in [
        ("the guide's", GUIDE, "", wanted(&guides_nodes())),
        ("all on one", ONE, "", wanted(&[node("vm1", "10.0.0.11", &all)])),
        ("six mixed", mixed().as_str(), "", wanted(&six)),
        ("odd values", ONE, odd, odd_wanted),
    ] {
        let text = World::new(inventory, vars).text(RkeCluster::main());
        let mut found = Vec::new();
        differences("", &read(&text), &wanted, &mut found);
        assert!(found.is_empty(), "{name}:\n{}\n{text}", found.join("\n"));
    }
}

#[test]
fn canals_pods_are_started_anew_once_for_a_changed_mtu() {
    let kubectl = Kubectl::new("/k");
    let ask = kubectl.get(["-n", "kube-system", "configmap", "canal-config"]);
    let of = |mtu: &str, noted: Option<&str>| {
        let mut map = json!({"data": {"veth_mtu": mtu}, "metadata": {"annotations": {}}});
        if let Some(noted) = noted {
            map["metadata"]["annotations"]["mosip-prov/pods-started-with-mtu"] = noted.into();
        }
        kubectl_testing::objects(Answers::new(), &ask, &map)
    };
    let (map, pods) = (CanalMtu::new(&kubectl, 1350), CanalPods::new(&kubectl, 1350));
    // A new cluster: there is nothing to start anew.
    expect_nothing(&map, &of("1350", None));
    let script = t::scripts(&expect_change(&pods, &of("1350", None)));
    assert!(script.contains("annotate") && !script.contains("delete"), "{script}");
    // `rke up` wrote the ConfigMap.
    let script = t::scripts(&expect_change(&pods, &of("1350", Some("1400"))));
    assert!(script.find("delete") < script.find("annotate"), "{script}");
    expect_nothing(&pods, &of("1350", Some("1350")));
    // Somebody else did: what the pods have is noted with the change, so that they are started anew after it.
    let script = t::scripts(&expect_change(&map, &of("1450", None)));
    assert!(
        script.contains("\"mosip-prov/pods-started-with-mtu\":\"1450\""),
        "{script}"
    );
    let script = t::scripts(&expect_change(&map, &of("1450", Some("1350"))));
    assert!(!script.contains("pods-started-with"), "{script}");
}

fn up() -> RkeUp {
    RkeUp::new("/b", "new\n", vec!["vm1".into(), "vm2".into()])
}

fn answers(built: Option<&str>, state: bool, kubectl: &str) -> Answers {
    let answers = match built {
        Some(text) => t::file(Answers::new(), "/b/cluster.yml.built", 0o644, "ubuntu", "ubuntu", text),
        None => t::file_absent(Answers::new(), "/b/cluster.yml.built"),
    };
    let answers = if state {
        t::file(answers, "/b/cluster.rkestate", 0o600, "ubuntu", "ubuntu", "{}")
    } else {
        t::file_absent(answers, "/b/cluster.rkestate")
    };
    let nodes = up().questions().pop().expect("a question");
    answers.with(nodes, kubectl)
}

fn nodes(ready: &[(&str, &str)]) -> String {
    let items: Vec<Value> = ready
        .iter()
        .map(|(name, ready)| json!({"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}))
        .collect();
    format!("0\n{}", json!({"items": items}))
}

#[test]
fn rke_runs_only_when_it_is_needed() {
    let all = nodes(&[("vm1", "True"), ("vm2", "True")]);
    assert!(expect_nothing(&up(), &answers(Some("new\n"), true, &all)).contains("all 2 nodes are ready"));
    for (built, state, kubectl, part) in [
        (None, false, "91", "no cluster yet"),
        (None, true, "91", "did not come to its end"),
        (Some("old\n"), true, all.as_str(), "differs from what was built"),
        (None, true, all.as_str(), "no `rke up` of this cluster.yml"),
        (Some("new\n"), true, "93\nUnable to connect", "does not answer"),
        (Some("new\n"), true, &nodes(&[("vm1", "True")]), "vm2 is missing"),
        (
            Some("new\n"),
            true,
            &nodes(&[("vm1", "True"), ("vm2", "Unknown")]),
            "vm2 is not ready",
        ),
    ] {
        let change = expect_change(&up(), &answers(built, state, kubectl));
        assert!(change.summary.contains(part), "{part}: {}", change.summary);
        let script = t::scripts(&change);
        let (copy, run) = (script.find("cluster.rkestate.backup"), script.find("rke up"));
        assert!(copy < run && script.contains("rm -f cluster.yml.built"), "{script}");
    }
    // What answers is not built anew.
    for said in [
        "94\nError from server (Forbidden): nodes is forbidden",
        "92\nthe server doesn't have a resource type",
        "93\nerror: You must be logged in to the server (Unauthorized)",
        "93\nUnable to connect to the server: x509: certificate signed by unknown authority",
    ] {
        let error = expect_error(&up(), &answers(Some("new\n"), true, said));
        assert!(error.starts_with("the cluster's API answers"), "{error}");
    }
    // A new state would be another cluster.
    assert!(expect_error(&up(), &answers(Some("new\n"), false, &all)).contains("cluster.rkestate is gone"));
}

#[test]
fn files_of_another_cluster_are_told_from_those_of_this_one() {
    let check = NoOtherCluster::new("/b", "check_existing_config", vec!["10.0.0.11".into()]);
    let script = check.questions()[0].subject().to_owned();
    let of = |output: &str| t::command(Answers::new(), &script, 0, output);
    expect_nothing(&check, &of(""));
    expect_nothing(&check, &of("state 10.0.0.11\nstate 10.0.0.12\nserver 10.0.0.12"));
    let error = expect_error(&check, &of("state 10.9.0.1\nserver 10.9.0.1"));
    assert!(
        error.contains("10.9.0.1") && error.contains("check_existing_config"),
        "{error}"
    );
    // The question finds both in files as RKE writes them.
    let folder = tempfile::tempdir().expect("a folder");
    let state = "{\n  \"desiredState\": {\"rkeConfig\": {\"nodes\": [\n    {\n \"address\": \"10.0.0.11\",\n \"internalAddress\": \"1\"\n }]}}}";
    std::fs::write(folder.path().join("cluster.rkestate"), state).expect("written");
    let kubeconfig = "clusters:\n- cluster:\n    server: \"https://10.0.0.12:6443\"\n";
    std::fs::write(folder.path().join("kube_config_cluster.yml"), kubeconfig).expect("written");
    let check = NoOtherCluster::new(folder.path().to_string_lossy(), "x", Vec::new());
    let questions = check.questions();
    for shell in t::sh_available() {
        let probe = questions[0].probe();
        let output = t::ask_with(shell, probe, &[questions[0].subject()]);
        let answer = probe.split(&output, &[questions[0].subject()]).remove(0);
        assert_eq!(
            answer.as_deref(),
            Ok("0\nstate 10.0.0.11\nserver 10.0.0.12"),
            "{shell:?}"
        );
    }
}
