//! Every variable of a cluster changed once from its default: which settings, lines of `cluster.yml` and tasks differ then,
//! and that nothing else does.

use mosip_prov_engine::host_vars;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load, yaml};
use mosip_prov_resources::probe::file::FileAsk;
use mosip_prov_resources::testing as t;
use mosip_prov_resources::{Answers, Ask, Task};
use mosip_prov_rke2::Around;
use role_rke_cluster::settings::Settings;
use role_rke_cluster::{DEFAULTS, RkeCluster, cluster_yml};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

const INI: &str = "[physical_vms]\nvm1 ansible_host=10.0.0.11\nvm2 ansible_host=10.0.0.12\n\
[control_plane_nodes]\ncontrol-1 physical_vm=vm1\n[etcd_nodes]\netcd-1 physical_vm=vm1\n[worker_nodes]\nworker-1 physical_vm=vm2\n\
[mosip_obs]\nobs-node-1 ansible_host=10.0.0.21\n[deployment]\ndeployer ansible_connection=local\n";

/// What every row has beside its own variable, so that tasks which a variable is for are there.
const ALWAYS: &str = "ansible_user: ubuntu\nrancher_import_url: https://rancher.example.org/v3/import/t.yaml\n";

/// What variables come to.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    settings: BTreeSet<String>,
    cluster_yml: BTreeMap<String, usize>,
    tasks: BTreeMap<String, String>,
}

/// All settings. A new one does not compile until it is here.
fn shown(settings: &Settings) -> BTreeSet<String> {
    let Settings {
        name,
        folder,
        check_existing,
        rke_version,
        rke_binary_path,
        rke_download_url,
        rke_sha256,
        up_timeout,
        state_backups,
        ssh_user,
        ssh_key_path,
        kubernetes_version,
        max_pods,
        service_range,
        cluster_cidr,
        domain,
        dns_server,
        plugin,
        mtu,
        auth_strategy,
        ingress,
        import_url,
        import_later,
        import_timeout,
    } = settings;
    BTreeSet::from([
        format!("name {name}"),
        format!("folder {folder}"),
        format!("check_existing {check_existing}"),
        format!("rke_version {rke_version}"),
        format!("rke_binary_path {rke_binary_path}"),
        format!("rke_download_url {rke_download_url}"),
        format!("rke_sha256 {rke_sha256}"),
        format!("up_timeout {up_timeout:?}"),
        format!("state_backups {state_backups}"),
        format!("ssh_user {ssh_user}"),
        format!("ssh_key_path {ssh_key_path}"),
        format!("kubernetes_version {kubernetes_version}"),
        format!("max_pods {max_pods}"),
        format!("service_range {service_range}"),
        format!("cluster_cidr {cluster_cidr}"),
        format!("domain {domain}"),
        format!("dns_server {dns_server}"),
        format!("plugin {plugin}"),
        format!("mtu {mtu}"),
        format!("auth_strategy {auth_strategy}"),
        format!("ingress {ingress}"),
        format!("import_url {import_url}"),
        format!("import_later {import_later:?}"),
        format!("import_timeout {import_timeout:?}"),
    ])
}

/// All of a task that shows from outside: what it asks, how long it waits, and what it does on a machine that has nothing.
fn seen(task: &Task, settings: &Settings) -> String {
    let resource = task.resource();
    let questions = resource.questions();
    let mut seen = format!("{questions:?} {:?}", resource.patience());
    let mut answers = Answers::new();
    match task.name() {
        "Build the cluster" => {
            for file in ["cluster.yml.built", "cluster.rkestate"] {
                answers = t::file_absent(answers, &settings.file(file));
            }
            answers = answers.with(questions[2].clone(), "91");
        }
        "Install rke" => {
            answers = t::file_absent(answers, "/usr/local/bin/rke");
            if !settings.rke_binary_path.is_empty() {
                answers = t::file(answers, &settings.rke_binary_path, 0o755, "root", "root", "rke");
            }
            let known = [
                FileAsk::new("/usr/local/bin/rke").question(),
                FileAsk::new(settings.rke_binary_path.as_str()).question(),
            ];
            for question in &questions {
                if !known.iter().any(|one| format!("{one:?}") == format!("{question:?}")) {
                    answers = answers.with(question.clone(), "127\n");
                }
            }
        }
        _ => return seen,
    }
    let decided = resource.decide(&answers);
    assert!(decided.is_ok(), "{}: {decided:?}", task.name());
    seen += &format!("{decided:?}");
    seen
}

fn made(role: RkeCluster, vars: &str) -> Made {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rancher.ini");
    std::fs::write(&path, INI).expect("written");
    std::fs::create_dir(folder.path().join("group_vars")).expect("made");
    let always: String = ALWAYS
        .lines()
        .filter(|line| {
            !line
                .split(':')
                .next()
                .is_some_and(|name| vars.starts_with(&format!("{name}:")))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(folder.path().join("group_vars/all.yml"), format!("{always}{vars}\n")).expect("written");
    let loaded = load(&LoadOptions {
        sources: vec![path.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    });
    assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
    let inventory = Arc::new(loaded.inventory);
    let defaults = Arc::new(yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults"));
    let all: HashMap<_, _> = host_vars(&inventory, false)
        .into_iter()
        .map(|(name, vars)| (name.to_string(), vars.with_defaults(defaults.clone())))
        .collect();
    let around = Around::new(
        "deployer",
        &all["deployer"],
        inventory.base_dir(),
        "deployer",
        |group| inventory.hosts_of(group),
        |host| all.get(host),
    );
    let mut problems = Diagnostics::new();
    let described = role.described(&around, &mut problems);
    let mut cluster_yml = BTreeMap::new();
    if let Some(cluster) = &described {
        for line in cluster_yml::text(&cluster.settings, &cluster.machines).lines() {
            *cluster_yml.entry(line.trim().to_owned()).or_default() += 1;
        }
    }
    let settings = described.as_ref().map(|cluster| &cluster.settings);
    let mut tasks = BTreeMap::new();
    for part in [role.checks(), role, role.finish()] {
        let made = part.tasks_for(&around, &mut problems);
        for task in made.tasks.iter().chain(&made.handlers) {
            let twice = tasks.insert(task.name().to_owned(), seen(task, settings.expect("settings")));
            assert!(twice.is_none(), "two tasks are called {}", task.name());
        }
    }
    assert!(!problems.has_errors(), "{vars}: {problems:?}");
    Made {
        settings: settings.map(shown).unwrap_or_default(),
        cluster_yml,
        tasks,
    }
}

/// One variable with another value, and all that differs then: settings and lines of `cluster.yml` as they are now, lines
/// that are gone without another in their place with a `-`, tasks that come with a `+`, that go with a `-`, and those that
/// ask or do something else by their name alone.
struct Row {
    variable: &'static str,
    value: &'static str,
    settings: &'static [&'static str],
    lines: &'static [&'static str],
    tasks: &'static [&'static str],
}

const fn row(
    variable: &'static str,
    value: &'static str,
    settings: &'static [&'static str],
    lines: &'static [&'static str],
    tasks: &'static [&'static str],
) -> Row {
    Row {
        variable,
        value,
        settings,
        lines,
        tasks,
    }
}

fn holds(role: RkeCluster, rows: &[Row]) {
    let before = made(role, "");
    let mut wrong = String::new();
    for row in rows {
        let after = made(role, &format!("{}: {}", row.variable, row.value));
        let settings: Vec<&String> = after.settings.difference(&before.settings).collect();
        let of = |made: &Made, line: &String| made.cluster_yml.get(line).copied().unwrap_or(0);
        let more = |line: &&String| of(&after, line) > of(&before, line);
        let less = |line: &&String| of(&after, line) < of(&before, line);
        let came: Vec<&String> = after.cluster_yml.keys().filter(more).collect();
        let key = |line: &str| {
            line.trim_start_matches("- ")
                .split(':')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let gone = before.cluster_yml.keys().filter(less);
        let lines: Vec<String> = gone
            .filter(|line| !came.iter().any(|other| key(other) == key(line)))
            .map(|line| format!("-{line}"))
            .chain(came.iter().map(|line| match of(&after, line) - of(&before, line) {
                1 => (*line).clone(),
                times => format!("{times} times {line}"),
            }))
            .collect();
        let names: BTreeSet<&String> = before.tasks.keys().chain(after.tasks.keys()).collect();
        let tasks: Vec<String> = names
            .into_iter()
            .filter_map(|name| match (before.tasks.get(name), after.tasks.get(name)) {
                (None, _) => Some(format!("+{name}")),
                (_, None) => Some(format!("-{name}")),
                (one, other) => (one != other).then(|| name.clone()),
            })
            .collect();
        let same = |found: &[String], wanted: &[&str]| {
            found.iter().map(String::as_str).collect::<BTreeSet<_>>() == wanted.iter().copied().collect()
        };
        let settings: Vec<String> = settings.into_iter().cloned().collect();
        if !same(&settings, row.settings) || !same(&lines, row.lines) || !same(&tasks, row.tasks) {
            wrong += &format!(
                "{}: {}\n  &{settings:?},\n  &{lines:?},\n  &{tasks:?}\n",
                row.variable, row.value
            );
        }
    }
    assert!(wrong.is_empty(), "these differ in something else:\n{wrong}");
}

/// Every default has a row in one of the tables.
#[test]
fn every_variable_has_a_row() {
    let defaults = yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults");
    let all: BTreeSet<String> = defaults.keys().map(ToString::to_string).collect();
    let rows: BTreeSet<String> = MAIN
        .iter()
        .chain(OBS)
        .map(|row| row.variable)
        .chain(["cluster_distribution"])
        .map(str::to_owned)
        .collect();
    assert_eq!(rows, all);
}

#[test]
fn of_who_builds_it() {
    for role in [RkeCluster::main(), RkeCluster::observation()] {
        let made = made(role, "cluster_distribution: rke2");
        assert!(
            made.settings.is_empty() && made.cluster_yml.is_empty() && made.tasks.is_empty(),
            "{made:?}"
        );
    }
}

#[test]
fn of_the_main_cluster() {
    holds(RkeCluster::main(), MAIN);
}

#[test]
fn of_the_observation_cluster() {
    holds(RkeCluster::observation(), OBS);
}

/// Those that have to do with the cluster's folder or with a file in it.
const FOLDER: &[&str] = &[
    "Build the cluster",
    "Describe the cluster",
    "Import the cluster into Rancher",
    "Make the cluster's folder",
    "Put the cluster into ~/.kube/config",
    "See that Rancher's import URL is good",
    "See that all nodes are ready",
    "See that no other cluster is in its folder",
    "See that no pod is still to start",
    "Set the MTU of canal",
    "Start the pods of canal with their MTU",
    "Wait for Rancher's agent",
    "Wait until all nodes are ready",
    "Wait until no pod is still to start",
];

const MAIN: &[Row] = &[
    row(
        "cluster_name",
        "two",
        &["folder /home/ubuntu/rancher/two", "name two"],
        &["cluster_name: two"],
        FOLDER,
    ),
    row(
        "rancher_base_dir",
        "/srv/rancher",
        &["folder /srv/rancher/mosip"],
        &[],
        FOLDER,
    ),
    row(
        "check_existing_config",
        "false",
        &["check_existing false"],
        &[],
        &["-See that no other cluster is in its folder"],
    ),
    row(
        "kubernetes_version",
        "v1.22.9-rancher1-1",
        &["kubernetes_version v1.22.9-rancher1-1"],
        &["kubernetes_version: v1.22.9-rancher1-1"],
        &[],
    ),
    row(
        "kubelet_max_pods",
        "200",
        &["max_pods 200"],
        &["max-pods: \"200\""],
        &[],
    ),
    row(
        "service_cluster_ip_range",
        "10.43.0.0/17",
        &["service_range 10.43.0.0/17"],
        &["2 times service_cluster_ip_range: \"10.43.0.0/17\""],
        &[],
    ),
    row(
        "cluster_cidr",
        "10.52.0.0/16",
        &["cluster_cidr 10.52.0.0/16"],
        &["cluster_cidr: \"10.52.0.0/16\""],
        &[],
    ),
    row(
        "cluster_domain",
        "mosip.internal",
        &["domain mosip.internal"],
        &["cluster_domain: mosip.internal"],
        &[],
    ),
    row(
        "cluster_dns_server",
        "10.43.0.53",
        &["dns_server 10.43.0.53"],
        &["cluster_dns_server: \"10.43.0.53\""],
        &[],
    ),
    row(
        "network_plugin",
        "calico",
        &["plugin calico"],
        &["plugin: calico"],
        &["-Set the MTU of canal", "-Start the pods of canal with their MTU"],
    ),
    row("network_mtu", "1350", &["mtu 1350"], &["mtu: 1350"], &[]),
    row(
        "network_mtu",
        "0",
        &["mtu 0"],
        &["-mtu: 1400"],
        &["-Set the MTU of canal", "-Start the pods of canal with their MTU"],
    ),
    row(
        "auth_strategy",
        "x509|webhook",
        &["auth_strategy x509|webhook"],
        &["strategy: \"x509|webhook\""],
        &[],
    ),
    row(
        "ingress_provider",
        "none",
        &["ingress none"],
        &["-options:", "-use-forwarded-headers: \"true\"", "provider: none"],
        &[],
    ),
    row(
        "ssh_user",
        "rancher",
        &["ssh_user rancher"],
        &["2 times user: rancher"],
        &[],
    ),
    row(
        "ssh_key_path",
        "/srv/key",
        &["ssh_key_path /srv/key"],
        &["3 times ssh_key_path: /srv/key"],
        &["See that the deployment node can build the cluster"],
    ),
    row(
        "rke_version",
        "v1.3.11",
        &[
            "rke_download_url https://github.com/rancher/rke/releases/download/v1.3.11/rke_linux-amd64",
            "rke_version v1.3.11",
        ],
        &[],
        &["Install rke"],
    ),
    row(
        "rke_binary_path",
        "/srv/rke",
        &["rke_binary_path /srv/rke"],
        &[],
        &["Install rke"],
    ),
    row(
        "rke_download_url",
        "https://mirror.example.org/rke",
        &["rke_download_url https://mirror.example.org/rke"],
        &[],
        &["Install rke"],
    ),
    row(
        "rke_sha256",
        "\"e0fe52051bf8bb5a8af3baa48d3d7a5f2e0d26a3ea11b8f0c0ae47e3c0a4d1aa\"",
        &["rke_sha256 e0fe52051bf8bb5a8af3baa48d3d7a5f2e0d26a3ea11b8f0c0ae47e3c0a4d1aa"],
        &[],
        &["Install rke"],
    ),
    row(
        "rke_up_timeout",
        "1800",
        &["up_timeout 1800s"],
        &[],
        &["Build the cluster"],
    ),
    row(
        "rke_state_backups",
        "3",
        &["state_backups 3"],
        &[],
        &["Build the cluster"],
    ),
    row(
        "rancher_import_url",
        "\"\"",
        &["import_url "],
        &[],
        &[
            "-Import the cluster into Rancher",
            "-See that Rancher's import URL is good",
            "-Wait for Rancher's agent",
        ],
    ),
    row(
        "rancher_import_timeout",
        "60",
        &["import_timeout 60s"],
        &[],
        &["Wait for Rancher's agent"],
    ),
    // Those of the other cluster.
    row("rancher_obs_cluster_name", "two", &[], &[], &[]),
    row("rancher_obs_base_dir", "/srv/obs", &[], &[], &[]),
    row("rancher_obs_check_existing_config", "false", &[], &[], &[]),
    row("rancher_obs_kubernetes_version", "v1.22.9-rancher1-1", &[], &[], &[]),
    row("rancher_obs_service_cluster_ip_range", "10.53.0.0/16", &[], &[], &[]),
    row("rancher_obs_cluster_cidr", "10.52.0.0/16", &[], &[], &[]),
    row("rancher_obs_network_plugin", "calico", &[], &[], &[]),
    row("rancher_obs_ingress_provider", "nginx", &[], &[], &[]),
];

const OBS: &[Row] = &[
    row(
        "rancher_obs_cluster_name",
        "two",
        &["name two"],
        &["cluster_name: two"],
        &[],
    ),
    row(
        "rancher_obs_base_dir",
        "/srv/obs",
        &["folder /srv/obs"],
        &[],
        &[
            "Build the cluster",
            "Describe the cluster",
            "Make the cluster's folder",
            "Put the cluster into ~/.kube/config",
            "See that all nodes are ready",
            "See that no other cluster is in its folder",
            "See that no pod is still to start",
            "Set the MTU of canal",
            "Start the pods of canal with their MTU",
            "Wait until all nodes are ready",
            "Wait until no pod is still to start",
        ],
    ),
    row(
        "rancher_obs_check_existing_config",
        "false",
        &["check_existing false"],
        &[],
        &["-See that no other cluster is in its folder"],
    ),
    row(
        "rancher_obs_kubernetes_version",
        "v1.22.9-rancher1-1",
        &["kubernetes_version v1.22.9-rancher1-1"],
        &["kubernetes_version: v1.22.9-rancher1-1"],
        &[],
    ),
    row(
        "rancher_obs_service_cluster_ip_range",
        "10.53.0.0/16",
        &["dns_server 10.53.0.10", "service_range 10.53.0.0/16"],
        &[
            "cluster_dns_server: \"10.53.0.10\"",
            "2 times service_cluster_ip_range: \"10.53.0.0/16\"",
        ],
        &[],
    ),
    row(
        "rancher_obs_cluster_cidr",
        "10.52.0.0/16",
        &["cluster_cidr 10.52.0.0/16"],
        &["cluster_cidr: \"10.52.0.0/16\""],
        &[],
    ),
    row(
        "rancher_obs_network_plugin",
        "calico",
        &["plugin calico"],
        &["plugin: calico"],
        &["-Set the MTU of canal", "-Start the pods of canal with their MTU"],
    ),
    row(
        "rancher_obs_ingress_provider",
        "nginx",
        &["ingress nginx"],
        &["options:", "provider: nginx", "use-forwarded-headers: \"true\""],
        &[],
    ),
    // Of both clusters.
    row(
        "kubelet_max_pods",
        "200",
        &["max_pods 200"],
        &["max-pods: \"200\""],
        &[],
    ),
    row(
        "cluster_domain",
        "mosip.internal",
        &["domain mosip.internal"],
        &["cluster_domain: mosip.internal"],
        &[],
    ),
    row(
        "cluster_dns_server",
        "10.43.0.53",
        &["dns_server 10.43.0.53"],
        &["cluster_dns_server: \"10.43.0.53\""],
        &[],
    ),
    row("network_mtu", "1350", &["mtu 1350"], &["mtu: 1350"], &[]),
    row(
        "auth_strategy",
        "x509|webhook",
        &["auth_strategy x509|webhook"],
        &["strategy: \"x509|webhook\""],
        &[],
    ),
    row("ssh_user", "rancher", &["ssh_user rancher"], &["user: rancher"], &[]),
    row(
        "ssh_key_path",
        "/srv/key",
        &["ssh_key_path /srv/key"],
        &["2 times ssh_key_path: /srv/key"],
        &["See that the deployment node can build the cluster"],
    ),
    row(
        "rke_version",
        "v1.3.11",
        &[
            "rke_download_url https://github.com/rancher/rke/releases/download/v1.3.11/rke_linux-amd64",
            "rke_version v1.3.11",
        ],
        &[],
        &["Install rke"],
    ),
    // Of the main cluster alone.
    row("cluster_name", "two", &[], &[], &[]),
    row("rancher_base_dir", "/srv/rancher", &[], &[], &[]),
    row("check_existing_config", "false", &[], &[], &[]),
    row("kubernetes_version", "v1.22.9-rancher1-1", &[], &[], &[]),
    row("service_cluster_ip_range", "10.43.0.0/17", &[], &[], &[]),
    row("cluster_cidr", "10.52.0.0/16", &[], &[], &[]),
    row("network_plugin", "calico", &[], &[], &[]),
    row("ingress_provider", "none", &[], &[], &[]),
    row("rancher_import_url", "\"\"", &[], &[], &[]),
];
