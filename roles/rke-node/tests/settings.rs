//! Variables in, settings and tasks out.

use mosip_prov_engine::host_vars;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use mosip_prov_node::{Docker, DockerFrom, Settings, tasks};
use mosip_prov_resources::probe::apt_sources::AskAptSources;
use mosip_prov_resources::probe::file::FileAsk;
use mosip_prov_resources::{Answers, Ask, Decision, Facts, Task, testing};
use role_rke_node::DEFAULTS;
use std::sync::Arc;

fn read(vars: &str) -> (Option<Settings>, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("hosts.yml");
    let vars: String = vars.lines().map(|line| format!("      {line}\n")).collect();
    std::fs::write(&path, format!("all:\n  hosts:\n    vm1:\n{vars}")).expect("written");
    let options = LoadOptions {
        sources: vec![path.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    };
    let loaded = load(&options);
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    let all = host_vars(&Arc::new(loaded.inventory), false);
    let defaults = yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults");
    let mut problems = Diagnostics::new();
    let settings = Settings::read(&all["vm1"].clone().with_defaults(Arc::new(defaults)), &mut problems);
    (
        settings,
        problems.iter().map(|problem| format!("{problem}\n")).collect(),
    )
}

#[track_caller]
fn settings(vars: &str) -> Settings {
    let (settings, problems) = read(&format!("ansible_user: ubuntu\n{vars}"));
    assert_eq!(problems, "");
    settings.expect("settings")
}

#[track_caller]
fn docker(vars: &str) -> Docker {
    settings(vars).docker.expect("Docker")
}

#[track_caller]
fn problem(vars: &str) -> String {
    let (settings, problems) = read(&format!("ansible_user: ubuntu\n{vars}"));
    assert!(settings.is_none(), "{vars} is taken");
    problems
}

fn names(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().map(Task::name).collect()
}

#[test]
fn defaults_are_those_operators_know() {
    let made = settings("");
    assert_eq!(made.required_packages.len(), 8);
    assert_eq!(made.kernel_modules, ["br_netfilter", "overlay"]);
    assert_eq!(made.limits.len(), 10);
    assert_eq!(made.limits[0], "* soft nofile 1048576");
    assert_eq!(made.limits[5], "* hard memlock unlimited");
    assert_eq!(made.sysctl["net.ipv4.ip_local_port_range"], "1024 65535");
    assert_eq!(made.sysctl["net.bridge.bridge-nf-call-iptables"], "1");
    assert_eq!(made.sysctl["vm.swappiness"], "0");
    assert!(made.disable_swap);
    let docker = made.docker.expect("Docker");
    assert!(matches!(&docker.from, DockerFrom::Vendor { version: Some(version), .. } if version == "5:20.10.*"));
    assert_eq!((docker.user.as_str(), docker.replace), ("ubuntu", false));
}

#[test]
fn the_daemon_file_holds_what_the_settings_say() {
    let json =
        |vars: &str| -> serde_json::Value { serde_json::from_str(&docker(vars).daemon.to_json()).expect("JSON") };
    assert_eq!(
        json(""),
        serde_json::json!({
            "max-concurrent-downloads": 20,
            "max-concurrent-uploads": 20,
            "log-driver": "json-file",
            "log-opts": { "max-size": "100m", "max-file": "3" },
            "default-ulimits": {
                "nofile": { "Name": "nofile", "Hard": 1048576, "Soft": 1048576 },
                "nproc": { "Name": "nproc", "Hard": 1048576, "Soft": 1048576 },
            },
            "storage-driver": "overlay2",
            "storage-opts": ["overlay2.override_kernel_check=true"],
        })
    );
    // What a map leaves out keeps its default.
    let some = json(
        "docker_daemon_config: { log_max_file: '5', log_max_size: 1g }\ndocker_overlay2_override_kernel_check: no",
    );
    assert_eq!(
        some["log-opts"],
        serde_json::json!({ "max-size": "1g", "max-file": "5" })
    );
    assert_eq!(some["max-concurrent-downloads"], 20);
    assert_eq!(some.get("storage-opts"), None);
    let plain = json("docker_storage_driver: ''");
    assert_eq!(plain.get("storage-driver"), None);
    let (made, problems) = read("ansible_user: u\ndocker_daemon_config: { mtu: 1400 }");
    assert!(
        made.is_some() && problems.contains("docker_daemon_config has mtu, which nothing reads"),
        "{problems}"
    );
}

#[test]
fn limits_may_be_lines_too() {
    assert_eq!(
        settings("system_limits: ['*  soft  nofile 10', 'root - nproc unlimited']").limits,
        ["* soft nofile 10", "root - nproc unlimited"]
    );
    assert!(settings("system_limits: []").limits.is_empty());
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let problems = problem(
        "required_packages: [Curl]
kernel_modules: [a b]
system_limits: [{ domain: x, type: medium, item: nofile, value: 1 }]
sysctl_params: { net.ipv4.ip_forward: yes }
docker_version: '5:20 10'
docker_user: 'a b'
docker_daemon_config: { log_max_size: big, ulimit_nproc: 0 }
docker_apt_repository: '{{ nonsense }}'
docker_replace_other_version: maybe",
    );
    for part in [
        "required_packages has \"Curl\"",
        "system_limits has an entry that is no limit",
        "sets net.ipv4.ip_forward to a boolean",
        "docker_version is \"5:20 10\"",
        "docker_user is \"a b\"",
        "log_max_size that is no size",
        "ulimit_nproc that is no whole number",
        "nonsense",
        "docker_replace_other_version",
    ] {
        assert!(problems.contains(part), "{part}\n{problems}");
    }
    let (made, problems) = read("disable_swap: no");
    assert!(
        made.is_none() && problems.contains("docker_user is not set"),
        "{problems}"
    );
}

#[test]
fn the_tasks_in_order() {
    let made = tasks(&settings("docker_install_from_apt: yes\ndisable_swap: no"));
    assert_eq!(
        names(&made.tasks),
        [
            "See that the machine can become a node",
            "See that no other Docker is there",
            "Load the kernel modules, now and after each boot",
            "Set the limits of sessions",
            "Set the kernel's parameters, now and after each boot",
            "Refresh the package index",
            "Install the packages that every node has",
            "Install Docker",
            "Make the group of those who use Docker",
            "Put the user that RKE logs in as into it",
            "Make the folder of Docker's configuration",
            "Configure Docker",
            "Run containerd, now and after each boot",
            "Run Docker, now and after each boot",
            "See that Docker answers",
        ]
    );
    assert!(made.tasks.iter().all(|task| task.tags().contains("prepare")));
    let vendor = tasks(&settings(""));
    let all = names(&vendor.tasks);
    assert!(
        all.contains(&"Add Docker's package repository") && all.contains(&"Switch swap off, now and after each boot")
    );
    // A changed configuration restarts Docker, and what does not answer then condemns the change.
    let notifying: Vec<&Task> = vendor
        .tasks
        .iter()
        .filter(|task| task.notifies().next().is_some())
        .collect();
    assert_eq!(notifying.len(), 1);
    assert_eq!(notifying[0].name(), "Configure Docker");
    assert_eq!(notifying[0].notifies().collect::<Vec<_>>(), names(&vendor.handlers));
    assert!(vendor.handlers.iter().all(|handler| handler.resource().judges()));
}

#[test]
fn the_repository_is_that_of_the_hosts_release() {
    let made = tasks(&settings(""));
    let repository = made
        .tasks
        .iter()
        .find(|task| task.name().starts_with("Add Docker's"))
        .expect("there");
    let facts = Facts {
        distribution: "ubuntu".into(),
        version: "22.04".into(),
        codename: "jammy".into(),
        has_apt: true,
        ..Facts::default()
    };
    let answers = testing::facts(Answers::new().with(AskAptSources.question(), "end"), &facts);
    let answers = testing::file_absent(answers, "/etc/apt/sources.list.d/docker.list");
    let answers = answers.with(
        FileAsk::new("/etc/apt/keyrings/docker.asc").question(),
        "absent /etc/apt",
    );
    let Ok(Decision::Change(change)) = repository.resource().decide(&answers) else {
        panic!("no change")
    };
    assert_eq!(
        change.summary,
        "add the repository https://download.docker.com/linux/ubuntu jammy"
    );
    assert!(testing::scripts(&change).contains("https://download.docker.com/linux/ubuntu/gpg"));
}

#[test]
fn a_node_of_rke2_has_no_docker() {
    // Neither needs Docker's variables to be right.
    let made = settings("cluster_distribution: rke2\ndocker_version: '5:20 10'");
    assert!(made.docker.is_none());
    let made = tasks(&made);
    assert_eq!(
        names(&made.tasks),
        [
            "See that the machine can become a node",
            "Load the kernel modules, now and after each boot",
            "Set the limits of sessions",
            "Set the kernel's parameters, now and after each boot",
            "Switch swap off, now and after each boot",
            "Refresh the package index",
            "Install the packages that every node has",
        ]
    );
    assert!(made.handlers.is_empty());
    assert!(made.tasks.iter().all(|task| task.tags().contains("prepare")));
    // Whatever the roles that build the cluster take for RKE 1.
    for same in ["rke1", "rke", "\"\""] {
        assert!(
            settings(&format!("cluster_distribution: {same}")).docker.is_some(),
            "{same}"
        );
    }
    let problems = problem("cluster_distribution: k3s");
    assert!(problems.contains("cluster_distribution is \"k3s\""), "{problems}");
}
