//! Which machine has which tasks, in which part.

use mosip_prov_engine::host_vars;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use mosip_prov_resources::{Decision, Task, testing};
use mosip_prov_rke2::{Around, DEFAULTS, Flavor, Library};
use role_rke2_node::{Part, Rke2Node};
use std::collections::HashMap;
use std::sync::Arc;

const INVENTORY: &str = "[physical_vms]\nvm1 ansible_host=10.0.0.11\nvm2 ansible_host=10.0.0.12\nvm3 ansible_host=10.0.0.13\nvm4 ansible_host=10.0.0.14\n\
[control_plane_nodes]\nc1 physical_vm=vm2\nc2 physical_vm=vm3\n[etcd_nodes]\ne1 physical_vm=vm2\ne2 physical_vm=vm3\n[worker_nodes]\nw1 physical_vm=vm1\n\
[all:vars]\nrke2_sha256=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";

fn tasks(vars: &str, part: Part, host: &str) -> Vec<Task> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rancher.ini");
    std::fs::write(&path, format!("{INVENTORY}{vars}")).expect("written");
    let loaded = load(&LoadOptions {
        sources: vec![path.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    });
    let inventory = Arc::new(loaded.inventory);
    let defaults = Arc::new(yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults"));
    let vars: HashMap<String, _> = host_vars(&inventory, false)
        .into_iter()
        .map(|(name, vars)| (name.to_string(), vars.with_defaults(defaults.clone())))
        .collect();
    let around = Around::new(
        host,
        &vars[host],
        inventory.base_dir(),
        "deployer",
        |group| inventory.hosts_of(group),
        |host| vars.get(host),
    );
    let mut problems = Diagnostics::new();
    let made = Rke2Node::new(Flavor::Main, part, Library::default()).tasks_for(&around, &mut problems);
    assert!(!problems.has_errors(), "{problems:?}");
    made.tasks
}

fn names(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().map(Task::name).collect()
}

const RKE2: &str = "cluster_distribution=rke2\n";

#[test]
fn without_rke2_nobody_has_tasks() {
    for part in [Part::Files, Part::FirstServer, Part::FurtherServers, Part::Agents] {
        for host in ["vm1", "vm2", "vm3", "vm4"] {
            assert!(tasks("", part, host).is_empty());
        }
    }
}

#[test]
fn each_machine_has_its_part() {
    for (host, part, server) in [
        ("vm1", Part::Agents, false),
        ("vm2", Part::FirstServer, true),
        ("vm3", Part::FurtherServers, true),
    ] {
        for other in [Part::FirstServer, Part::FurtherServers, Part::Agents] {
            assert_eq!(tasks(RKE2, other, host).is_empty(), other != part, "{host} {other:?}");
        }
        assert_eq!(
            names(&tasks(RKE2, Part::Files, host)),
            [
                "Install RKE2",
                "Make the folder of the service's settings",
                "Keep RKE2 from starting without its configuration"
            ]
        );
        let mut wanted = vec![
            "Make the folder of RKE2's configuration",
            "Put the cluster's token into place",
            "Configure RKE2",
        ];
        if host == "vm2" {
            wanted.push("Join the cluster where other servers have it already");
        }
        if server {
            wanted.extend([
                "Make the folder of manifests",
                "Set the values of rke2-canal",
                "Set the values of rke2-ingress-nginx",
            ]);
        }
        wanted.extend([
            "Make the folder of the service's settings",
            "Tell the service which configuration it has",
            if server {
                "Run rke2-server, now and after each boot"
            } else {
                "Run rke2-agent, now and after each boot"
            },
        ]);
        if server {
            wanted.extend(["See that others can join here", "See that the API answers"]);
        }
        assert_eq!(names(&tasks(RKE2, part, host)), wanted, "{host}");
    }
    // A machine that carries nothing is none of the cluster's.
    assert!(tasks(RKE2, Part::Files, "vm4").is_empty());
}

#[test]
fn the_configuration_can_be_shown_and_the_token_cannot() {
    let made = tasks(&format!("{RKE2}rke2_token=0123456789abcdef0123\n"), Part::Agents, "vm1");
    let answers = testing::absent_below(Default::default(), "/etc/rancher/rke2/config.yaml", "/etc/rancher/rke2");
    let config = made.iter().find(|t| t.name() == "Configure RKE2").expect("there");
    let Ok(Decision::Change(change)) = config.resource().decide(&answers) else {
        panic!("no change")
    };
    let shown = format!("{change:?}");
    assert!(shown.contains("https://10.0.0.12:9345"), "{shown}");
    assert!(!shown.contains("0123456789abcdef0123"), "{shown}");
    assert!(made.iter().all(|task| task.tags().contains("cluster")));
}
