//! An inventory in; who is what, settings, configuration and artefacts out.

use mosip_prov_engine::host_vars;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{Inventory, LoadOptions, load, yaml};
use mosip_prov_resources::testing::variables::{Row, have_rows, hold};
use mosip_prov_resources::vars::HostVars;
use mosip_prov_rke2::{Around, Artifacts, Cni, DEFAULTS, Flavor, Library, Settings, TokenFrom, Topology, config};
use std::collections::HashMap;
use std::sync::Arc;

/// The guide's machines: three carry the control plane and etcd, three run what is deployed.
const MIXED: &str = "[physical_vms]\nvm1 ansible_host=10.0.0.11\nvm2 ansible_host=10.0.0.12\nvm3 ansible_host=10.0.0.13\n\
vm4 ansible_host=10.0.0.14\nvm5 ansible_host=10.0.0.15\nvm6 ansible_host=10.0.0.16\n\
[control_plane_nodes]\ncontrol-1 physical_vm=vm1 node_ip=10.0.1.11\ncontrol-2 physical_vm=vm2\n\
[etcd_nodes]\netcd-1 physical_vm=vm1\netcd-2 physical_vm=vm2\netcd-3 physical_vm=vm3\n\
[worker_nodes]\nworker-1 physical_vm=vm3\nworker-2 physical_vm=vm4\nworker-3 physical_vm=vm5\nworker-4 physical_vm=vm6\n\
[mosip_obs]\nobs-node-1 ansible_host=10.0.0.21\n";

struct World {
    inventory: Arc<Inventory>,
    vars: HashMap<String, HostVars>,
    folder: tempfile::TempDir,
}

impl World {
    fn new(inventory: &str, vars: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rancher.ini");
        std::fs::write(&path, inventory).expect("written");
        std::fs::create_dir(folder.path().join("group_vars")).expect("made");
        std::fs::write(folder.path().join("group_vars/all.yml"), format!("---\n{vars}")).expect("written");
        let loaded = load(&LoadOptions {
            sources: vec![path.to_string_lossy().into_owned()],
            ..LoadOptions::default()
        });
        assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
        let inventory = Arc::new(loaded.inventory);
        let defaults = Arc::new(yaml::parse_vars(DEFAULTS, "<defaults>").expect("defaults"));
        let vars = host_vars(&inventory, false)
            .into_iter()
            .map(|(name, vars)| (name.to_string(), vars.with_defaults(defaults.clone())))
            .collect();
        Self {
            inventory,
            vars,
            folder,
        }
    }

    fn around<'a>(&'a self, host: &'a str) -> Around<'a> {
        Around::new(
            host,
            &self.vars[host],
            self.inventory.base_dir(),
            "deployer",
            |group| self.inventory.hosts_of(group),
            |host| self.vars.get(host),
        )
    }

    fn read(&self, flavor: Flavor) -> (Option<(Topology, Settings)>, String) {
        let host = if flavor == Flavor::Main { "vm1" } else { "obs-node-1" };
        let around = self.around(host);
        let mut problems = Diagnostics::new();
        let made = Topology::read(flavor, &around, &mut problems).and_then(|topology| {
            let settings = Settings::read(flavor, &around, &topology, &mut problems)?;
            Some((topology, settings))
        });
        (made, problems.iter().map(|p| format!("{p}\n")).collect())
    }

    fn artifacts(&self, cni: Cni) -> (Option<Artifacts>, String) {
        let release = mosip_prov_rke2::Release::parse("v1.25.16+rke2r2").expect("a release");
        let mut problems = Diagnostics::new();
        let vars = &self.vars["vm1"];
        let base = self.inventory.base_dir();
        let made = Artifacts::read(vars, base, (&release, cni), &Library::default(), &mut problems);
        (made, problems.iter().map(|p| format!("{p}\n")).collect())
    }
}

#[track_caller]
fn good(vars: &str) -> (Topology, Settings) {
    let (made, problems) = World::new(MIXED, vars).read(Flavor::Main);
    assert_eq!(problems, "");
    made.expect("settings")
}

#[track_caller]
fn problem(inventory: &str, vars: &str) -> String {
    let (made, problems) = World::new(inventory, vars).read(Flavor::Main);
    assert!(made.is_none(), "taken:\n{inventory}\n{vars}");
    problems
}

fn config_of(vars: &str, machine: &str) -> String {
    let (topology, settings) = good(vars);
    config::config(&settings, &topology, topology.machine(machine).expect("a machine"))
}

#[test]
fn the_inventory_says_who_is_what() {
    let (topology, settings) = good("");
    let shown: Vec<String> = topology
        .machines
        .iter()
        .map(|m| {
            let roles = m.roles;
            format!("{} {} {} {}", m.name, roles.control_plane, roles.etcd, roles.worker)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "vm1 true true false",
            "vm2 true true false",
            "vm3 false true true",
            "vm4 false false true",
            "vm5 false false true",
            "vm6 false false true"
        ]
    );
    assert!(topology.is_first("vm1"));
    // Nodes join over the network between them; the deployment node comes from outside.
    assert_eq!(
        (settings.registration.as_str(), settings.api.as_str()),
        ("10.0.1.11", "10.0.0.11")
    );
    assert_eq!(settings.folder, "/home/ubuntu/rancher/mosip");
    assert!(matches!(
        &settings.token,
        TokenFrom::Kept { node, path } if node == "deployer" && path == "/home/ubuntu/rancher/mosip/rke2-token"
    ));
}

#[test]
fn the_first_server_is_one_with_etcd() {
    // The first machine has no etcd, the second no control plane: the third makes the cluster.
    let inventory = "[physical_vms]\na ansible_host=10.0.0.1\nb ansible_host=10.0.0.2\nc ansible_host=10.0.0.3\n\
        [control_plane_nodes]\nc1 physical_vm=a\nc2 physical_vm=c\n[etcd_nodes]\ne1 physical_vm=b\ne2 physical_vm=c\ne3 physical_vm=a\n[worker_nodes]\nw physical_vm=b\n";
    let world = World::new(&inventory.replace("\ne3 physical_vm=a", ""), "");
    let mut problems = Diagnostics::new();
    let topology = Topology::read(Flavor::Main, &world.around("a"), &mut problems).expect("a cluster");
    assert!(topology.is_first("c"));
    assert!(problems.iter().any(|p| p.message.contains("2 members of etcd")));
    // Etcd on machines of its own.
    let world = World::new(
        "[physical_vms]\na\nb\n[control_plane_nodes]\nc physical_vm=b\n[etcd_nodes]\ne physical_vm=a\n[worker_nodes]\nw physical_vm=b\n",
        "",
    );
    let topology = Topology::read(Flavor::Main, &world.around("a"), &mut problems).expect("a cluster");
    assert!(topology.is_first("a"));
    assert_eq!(topology.api_server().expect("one").name, "b");
}

#[test]
fn each_role_has_its_configuration() {
    assert_eq!(
        config_of("rke2_tls_san: [api.example.org]\n", "vm1"),
        r#"# Written by mosip-prov.
token-file: "/etc/rancher/rke2/token"
node-name: "vm1"
node-ip: "10.0.1.11"
node-taint:
  - "node-role.kubernetes.io/control-plane=true:NoSchedule"
  - "node-role.kubernetes.io/etcd=true:NoExecute"
kubelet-arg:
  - "max-pods=300"
tls-san:
  - "10.0.1.11"
  - "10.0.0.11"
  - "vm1"
  - "vm2"
  - "10.0.0.12"
  - "vm3"
  - "10.0.0.13"
  - "api.example.org"
write-kubeconfig-mode: "0600"
cni: "canal"
cluster-cidr: "10.42.0.0/16"
service-cidr: "10.43.0.0/16"
cluster-dns: "10.43.0.10"
cluster-domain: "cluster.local"
etcd-snapshot-schedule-cron: "0 */12 * * *"
etcd-snapshot-retention: 6
"#
    );
    let etcd = config_of("", "vm3");
    for line in [
        "server: \"https://10.0.1.11:9345\"\n",
        "disable-apiserver: true\ndisable-controller-manager: true\ndisable-scheduler: true\n",
        "cluster-cidr: \"10.42.0.0/16\"\n",
        "etcd-snapshot-retention: 6\n",
    ] {
        assert!(etcd.contains(line), "{line}\n{etcd}");
    }
    assert!(!etcd.contains("node-taint"), "{etcd}");
    assert_eq!(
        config_of("kubelet_max_pods: 110\nrke2_node_labels: {site: north}\n", "vm4"),
        "# Written by mosip-prov.\ntoken-file: \"/etc/rancher/rke2/token\"\nserver: \"https://10.0.1.11:9345\"\nnode-name: \"vm4\"\nnode-label:\n  - \"site=north\"\nkubelet-arg:\n  - \"max-pods=110\"\n"
    );
}

#[test]
fn a_control_plane_without_etcd_says_so() {
    let inventory = MIXED.replace("etcd-2 physical_vm=vm2", "etcd-2 physical_vm=vm4");
    let (made, _) = World::new(&inventory, "").read(Flavor::Main);
    let (topology, settings) = made.expect("settings");
    let text = config::config(&settings, &topology, topology.machine("vm2").expect("a machine"));
    assert!(
        text.contains("disable-etcd: true\n") && !text.contains("etcd-snapshot"),
        "{text}"
    );
    assert!(!text.contains("disable-apiserver"), "{text}");
}

#[test]
fn ingress_and_mtu_are_set_as_the_release_knows_them() {
    assert!(config_of("ingress_provider: none\n", "vm1").contains("disable:\n  - \"rke2-ingress-nginx\"\n"));
    let newer = "rke2_version: v1.36.1+rke2r1\n";
    assert!(config_of(newer, "vm1").contains("ingress-controller: \"ingress-nginx\"\n"));
    assert!(config_of(&format!("{newer}ingress_provider: none\n"), "vm1").contains("ingress-controller: \"none\"\n"));
    let (_, settings) = good("network_mtu: 1380\n");
    let manifests = config::manifests(&settings);
    assert_eq!(manifests.len(), 2);
    assert_eq!(
        manifests[0].content,
        "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata:\n  name: rke2-canal\n  namespace: kube-system\nspec:\n  valuesContent: |-\n    calico:\n      vethuMTU: 1380\n"
    );
    assert_eq!(
        manifests[0].path,
        "/var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml"
    );
    let (_, settings) = good("network_mtu: 0\ningress_provider: none\n");
    assert!(config::manifests(&settings).is_empty());
    let (_, settings) = good("network_plugin: flannel\n");
    assert!(config::mtu_is_left_out(&settings));
}

#[test]
fn the_observation_cluster_has_variables_of_its_own() {
    let world = World::new(MIXED, "rancher_obs_service_cluster_ip_range: 10.53.0.0/16\n");
    let (made, problems) = world.read(Flavor::Observation);
    assert_eq!(problems, "");
    let (topology, settings) = made.expect("settings");
    assert!(topology.is_first("obs-node-1"));
    assert_eq!(settings.folder, "/home/ubuntu/rancher/obs");
    assert_eq!(
        (settings.name.as_str(), settings.cluster_dns.as_str()),
        ("mosip_obs", "10.53.0.10")
    );
    let text = config::config(&settings, &topology, &topology.machines[0]);
    assert!(
        text.contains("disable:\n  - \"rke2-ingress-nginx\"\n") && !text.contains("node-taint"),
        "{text}"
    );
}

#[test]
fn every_mistake_is_in_one_report() {
    let problems = problem(
        MIXED,
        "rke2_version: \"1.25\"\nnetwork_plugin: weave\nrke2_token: secret-short\nrancher_base_dir: ~/rancher\n\
         cluster_cidr: 10.42.0.1/16\ncluster_dns_server: 10.99.0.10\nkubelet_max_pods: 0\ningress_provider: haproxy\n\
         rke2_tls_san: [\"a b\", \"c/d\"]\nrke2_node_labels: {node-role.kubernetes.io/worker: \"true\"}\n",
    );
    for wanted in [
        "rke2_version is \"1.25\", which is no release of RKE2",
        "network_plugin is \"weave\", which RKE2 does not have",
        "rke2_token has 12 characters",
        "rancher_base_dir is \"~/rancher\"",
        "cluster_cidr is \"10.42.0.1/16\"",
        "cluster_dns_server is \"10.99.0.10\"",
        "kubelet_max_pods is 0",
        "ingress_provider is \"haproxy\"",
        "rke2_tls_san has \"c/d\"",
        "node-role.kubernetes.io/worker, which a node may not give itself",
        "all.yml:",
    ] {
        assert!(problems.contains(wanted), "{wanted}\n{problems}");
    }
    assert!(!problems.contains("secret-short"), "{problems}");
}

#[test]
fn what_makes_no_cluster_is_named() {
    let without = MIXED.replace(
        "[etcd_nodes]\netcd-1 physical_vm=vm1\netcd-2 physical_vm=vm2\netcd-3 physical_vm=vm3\n",
        "",
    );
    assert!(problem(&without, "").contains("the main cluster has no first server"));
    let elsewhere = MIXED.replace("worker-4 physical_vm=vm6", "worker-4 physical_vm=vm7");
    assert!(problem(&elsewhere, "").contains("physical_vm vm7, which is no host of physical_vms"));
    let odd = MIXED.replace("vm6", "VM_6");
    assert!(problem(&odd, "").contains("VM_6 cannot be the name of a node"));
    let two = MIXED.replace("etcd-1 physical_vm=vm1", "etcd-1 physical_vm=vm1 node_ip=10.0.1.99");
    assert!(problem(&two, "").contains("vm1 has node_ip 10.0.1.11 under one name and 10.0.1.99"));
    let even = MIXED.replace("\netcd-3 physical_vm=vm3", "");
    let (made, problems) = World::new(&even, "").read(Flavor::Main);
    assert!(made.is_some() && problems.contains("2 members of etcd"), "{problems}");
}

fn folder(world: &World, files: &[&str], listed: &[&str]) {
    let folder = world.folder.path().join("rke2");
    std::fs::create_dir_all(&folder).expect("made");
    for name in files {
        std::fs::write(folder.join(name), name).expect("written");
    }
    let list: String = listed
        .iter()
        .map(|name| format!("{}  {name}\n", "a".repeat(64)))
        .collect();
    std::fs::write(folder.join("sha256sum-amd64.txt"), list).expect("written");
}

#[test]
fn a_folder_of_artefacts_is_looked_through() {
    let world = World::new(MIXED, "rke2_artifact_path: rke2\n");
    let (tarball, images) = ("rke2.linux-amd64.tar.gz", "rke2-images.linux-amd64.tar.zst");
    let both = [tarball, images];
    folder(&world, &both, &both);
    let (made, problems) = world.artifacts(Cni::Canal);
    assert_eq!(problems, "");
    let made = made.expect("whole");
    assert_eq!((made.tarball.name.as_str(), made.images.len()), (tarball, 1));
    assert_eq!(made.images[0].size, images.len() as u64);
    // Other plugins have archives of their own.
    let (made, problems) = world.artifacts(Cni::Calico);
    assert!(
        made.is_none() && problems.contains("has no rke2-images-calico.linux-amd64.tar.zst"),
        "{problems}"
    );
    folder(&world, &both, &[tarball]);
    let (made, problems) = world.artifacts(Cni::Canal);
    assert!(
        made.is_none() && problems.contains(&format!("has no checksum of {images}")),
        "{problems}"
    );
    for name in both {
        std::fs::remove_file(world.folder.path().join("rke2").join(name)).expect("removed");
    }
    std::fs::remove_file(world.folder.path().join("rke2/sha256sum-amd64.txt")).expect("removed");
    let (made, problems) = world.artifacts(Cni::Canal);
    assert!(made.is_none());
    for name in [tarball, images, "sha256sum-amd64.txt"] {
        assert!(problems.contains(&format!("has no {name}")), "{name}\n{problems}");
    }
}

#[test]
fn a_download_has_a_checksum() {
    let (made, problems) = World::new(MIXED, "").artifacts(Cni::Canal);
    assert!(
        made.is_none() && problems.contains("neither rke2_artifact_path nor rke2_sha256"),
        "{problems}"
    );
    let (made, _) = World::new(MIXED, &format!("rke2_sha256: {}\n", "A".repeat(64))).artifacts(Cni::Canal);
    let made = made.expect("taken");
    assert_eq!(made.tarball.sha256, "a".repeat(64));
    let shown = format!("{:?}", made.tarball.from);
    assert!(
        shown.contains("https://github.com/rancher/rke2/releases/download/v1.25.16%2Brke2r2/rke2.linux-amd64.tar.gz"),
        "{shown}"
    );
    let (_, problems) = World::new(MIXED, "rke2_artifact_path: nowhere\n").artifacts(Cni::Canal);
    assert!(problems.contains("cannot be read"), "{problems}");
}

#[test]
fn the_import_url_is_not_told() {
    let (_, settings) = good("rancher_import_url: https://rancher.example.org/v3/import/t0ken.yaml\n");
    let (url, timeout) = settings.import.as_ref().expect("an import");
    assert_eq!(url.expose(), "https://rancher.example.org/v3/import/t0ken.yaml");
    assert_eq!(timeout.as_secs(), 1200);
    assert!(!format!("{settings:?}").contains("t0ken"), "{settings:?}");
    let problems = problem(MIXED, "rancher_import_url: rancher.example.org/v3/import/t0ken.yaml\n");
    assert!(
        problems.contains("rancher_import_url is no URL") && problems.contains("all.yml:"),
        "{problems}"
    );
    assert!(!problems.contains("t0ken"), "{problems}");
}

#[test]
fn the_architecture_chooses_the_artefacts() {
    let sums = format!("rke2_sha256: {}\n", "a".repeat(64));
    let (made, _) = World::new(MIXED, &format!("{sums}rke2_arch: arm64\n")).artifacts(Cni::Canal);
    let made = made.expect("taken");
    assert_eq!(made.tarball.name, "rke2.linux-arm64.tar.gz");
    assert!(format!("{:?}", made.tarball.from).contains("/v1.25.16%2Brke2r2/rke2.linux-arm64.tar.gz"));
    // The list of checksums and the images are those of the architecture, too.
    let world = World::new(MIXED, "rke2_artifact_path: rke2\nrke2_arch: arm64\n");
    let amd64 = ["rke2.linux-amd64.tar.gz", "rke2-images.linux-amd64.tar.zst"];
    folder(&world, &amd64, &amd64);
    let (made, problems) = world.artifacts(Cni::Canal);
    assert!(made.is_none());
    for name in [
        "rke2.linux-arm64.tar.gz",
        "rke2-images.linux-arm64.tar.zst",
        "sha256sum-arm64.txt",
    ] {
        assert!(problems.contains(&format!("has no {name}")), "{name}\n{problems}");
    }
    let (made, problems) = World::new(MIXED, &format!("{sums}rke2_arch: s390x\n")).artifacts(Cni::Canal);
    assert!(
        made.is_none() && problems.contains("rke2_arch is \"s390x\""),
        "{problems}"
    );
}

#[test]
fn networks_have_no_address_in_common() {
    for (vars, said) in [
        (
            "service_cluster_ip_range: 10.42.128.0/17\ncluster_dns_server: 10.42.128.10\n",
            "service_cluster_ip_range and cluster_cidr overlap",
        ),
        (
            "wireguard_network: 172.16.50.0/24,10.42.1.0/24\n",
            "cluster_cidr and wireguard_network overlap",
        ),
        (
            "wireguard_network: 10.43.9.0/24\n",
            "service_cluster_ip_range and wireguard_network overlap",
        ),
    ] {
        let problems = problem(MIXED, vars);
        assert!(problems.contains(said), "{vars}{problems}");
    }
    good("wireguard_network: 172.16.50.0/24\n");
}

#[test]
fn machines_download_from_where_the_operator_says() {
    let sums = format!("rke2_sha256: {}\n", "a".repeat(64));
    let mirror = format!("{sums}rke2_artifact_url: http://mirror.example.org/rke2/\n");
    let (made, problems) = World::new(MIXED, &mirror).artifacts(Cni::Canal);
    assert_eq!(problems, "");
    let shown = format!("{:?}", made.expect("taken").tarball.from);
    assert!(
        shown.contains("\"http://mirror.example.org/rke2/v1.25.16%2Brke2r2/rke2.linux-amd64.tar.gz\""),
        "{shown}"
    );
    for wrong in [
        "mirror.example.org/rke2",
        "ftp://mirror.example.org/",
        "\"https://a b\"",
    ] {
        let (made, problems) = World::new(MIXED, &format!("{sums}rke2_artifact_url: {wrong}\n")).artifacts(Cni::Canal);
        assert!(
            made.is_none() && problems.contains("which is no URL"),
            "{wrong}\n{problems}"
        );
    }
}

#[test]
fn a_load_balancer_takes_the_place_of_the_first_server() {
    let vars = "rke2_registration_address: join.example.org\nrke2_api_address: 192.0.2.10\n";
    let (topology, settings) = good(vars);
    assert_eq!(
        (settings.registration.as_str(), settings.api.as_str()),
        ("join.example.org", "192.0.2.10")
    );
    for machine in ["vm2", "vm4"] {
        let text = config::config(&settings, &topology, topology.machine(machine).expect("a machine"));
        assert!(text.contains("server: \"https://join.example.org:9345\"\n"), "{text}");
    }
    // The first makes the cluster whatever stands in front of it, and its certificate has both names.
    let first = config_of(vars, "vm1");
    assert!(!first.contains("\nserver:"), "{first}");
    for name in ["join.example.org", "192.0.2.10"] {
        assert!(first.contains(&format!("  - \"{name}\"\n")), "{name}\n{first}");
    }
    let problems = problem(
        MIXED,
        "rke2_registration_address: https://join.example.org\nrke2_api_address: 192.0.2.10:6443\n",
    );
    for wanted in [
        "rke2_registration_address is \"https://join.example.org\"",
        "rke2_api_address is \"192.0.2.10:6443\"",
    ] {
        assert!(problems.contains(wanted), "{wanted}\n{problems}");
    }
}

#[test]
fn labels_of_nodes_are_held_to_what_kubernetes_takes() {
    let (_, settings) = good("rke2_node_labels: {site: north, rack: 7, ssd: true, node.kubernetes.io/pool: a}\n");
    let mut labels = settings.labels.clone();
    labels.sort();
    assert_eq!(
        labels,
        ["node.kubernetes.io/pool=a", "rack=7", "site=north", "ssd=true"]
    );
    assert!(good("").1.labels.is_empty());
    for wrong in [
        "{site: \"a b\"}",
        "{site: a/b}",
        "{\"a b\": c}",
        "{site: [a]}",
        "{topology.kubernetes.io/zone: a}",
    ] {
        let problems = problem(MIXED, &format!("rke2_node_labels: {wrong}\n"));
        assert!(problems.contains("rke2_node_labels has "), "{wrong}\n{problems}");
    }
}

#[test]
fn a_node_has_as_long_to_start_as_the_operator_gives_it() {
    assert_eq!(good("").1.start_timeout.as_secs(), 1200);
    assert_eq!(good("rke2_start_timeout: 90\n").1.start_timeout.as_secs(), 90);
    for wrong in ["0", "86401", "-5"] {
        let problems = problem(MIXED, &format!("rke2_start_timeout: {wrong}\n"));
        assert!(
            problems.contains(&format!("rke2_start_timeout is {wrong}, and")),
            "{problems}"
        );
    }
}

// Each variable changed once from its default, and what differs then.

/// The lines of what is shown for debugging, without those that only close something.
fn fields(text: String) -> impl Iterator<Item = String> {
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.trim().trim_end_matches(',').to_owned())
        .collect();
    lines
        .into_iter()
        .filter(|line| !matches!(line.as_str(), ")" | "]" | "}"))
}

#[test]
fn each_variable_changes_what_is_its_own() {
    let made = |vars: &str| -> Vec<String> {
        let world = World::new(MIXED, vars);
        let mut lines = Vec::new();
        for (prefix, flavor) in [("", Flavor::Main), ("obs ", Flavor::Observation)] {
            let (made, problems) = world.read(flavor);
            let (_, settings) = made.unwrap_or_else(|| panic!("{vars}{problems}"));
            lines.extend(fields(format!("{settings:#?}")).map(|line| format!("{prefix}{line}")));
        }
        let (artifacts, problems) = world.artifacts(Cni::Canal);
        let artifacts = artifacts.unwrap_or_else(|| panic!("{vars}{problems}"));
        lines.extend(fields(format!("{artifacts:#?}")));
        lines
    };
    let sum = "a".repeat(64);
    let url = "https://rancher.example.org/v3/import/t.yaml";
    hold(made, &format!("rke2_sha256: {sum}\nrancher_import_url: {url}\n"), ROWS);
    // Who builds the cluster is no setting, the artefacts of a folder have tests of their own, and the URL is not shown.
    let elsewhere = ["cluster_distribution", "rke2_artifact_path", "rancher_import_url"];
    have_rows(DEFAULTS, &[ROWS], &elsewhere);
}

const ROWS: &[Row] = &[
    (
        "rke2_version: v1.26.1+rke2r1",
        &[
            "-16",
            "-2",
            "-25",
            "-obs 16",
            "-obs 2",
            "-obs 25",
            "1",
            "1",
            "26",
            "obs 1",
            "obs 1",
            "obs 26",
            "obs text: \"v1.26.1+rke2r1\"",
            "text: \"v1.26.1+rke2r1\"",
        ],
    ),
    (
        "rke2_arch: arm64",
        &[
            "\"https://github.com/rancher/rke2/releases/download/v1.25.16%2Brke2r2/rke2.linux-arm64.tar.gz\"",
            "name: \"rke2.linux-arm64.tar.gz\"",
        ],
    ),
    (
        "rke2_artifact_url: http://mirror.example.org",
        &[
            "\"http://mirror.example.org/v1.25.16%2Brke2r2/rke2.linux-amd64.tar.gz\"",
            "-\"https://github.com/rancher/rke2/releases/download/v1.25.16%2Brke2r2/rke2.linux-amd64.tar.gz\"",
        ],
    ),
    (
        "rke2_sha256: \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"",
        &["sha256: \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\""],
    ),
    (
        "rke2_token: a-token-of-the-operator-that-is-long-enough",
        &[
            "***",
            "-node: \"deployer\"",
            "-obs node: \"deployer\"",
            "-obs path: \"/home/ubuntu/rancher/obs/rke2-token\"",
            "-path: \"/home/ubuntu/rancher/mosip/rke2-token\"",
            "obs ***",
            "obs token: Given(",
            "token: Given(",
        ],
    ),
    (
        "rke2_registration_address: join.example.org",
        &[
            "obs registration: \"join.example.org\"",
            "registration: \"join.example.org\"",
        ],
    ),
    (
        "rke2_api_address: 192.0.2.10",
        &["api: \"192.0.2.10\"", "obs api: \"192.0.2.10\""],
    ),
    (
        "rke2_tls_san: [api.example.org]",
        &[
            "\"api.example.org\"",
            "obs \"api.example.org\"",
            "obs tls_san: [",
            "tls_san: [",
        ],
    ),
    (
        "rke2_node_labels: {example.org/a: b}",
        &[
            "\"example.org/a=b\"",
            "labels: [",
            "obs \"example.org/a=b\"",
            "obs labels: [",
        ],
    ),
    (
        "rke2_start_timeout: 60",
        &["obs start_timeout: 60s", "start_timeout: 60s"],
    ),
    (
        "cluster_name: other",
        &[
            "folder: \"/home/ubuntu/rancher/other\"",
            "name: \"other\"",
            "path: \"/home/ubuntu/rancher/other/rke2-token\"",
        ],
    ),
    (
        "rancher_base_dir: /srv",
        &["folder: \"/srv/mosip\"", "path: \"/srv/mosip/rke2-token\""],
    ),
    ("kubelet_max_pods: 110", &["max_pods: 110", "obs max_pods: 110"]),
    (
        "service_cluster_ip_range: 10.43.0.0/20",
        &["service_cidr: \"10.43.0.0/20\""],
    ),
    ("cluster_cidr: 10.44.0.0/16", &["cluster_cidr: \"10.44.0.0/16\""]),
    (
        "cluster_domain: example.internal",
        &[
            "cluster_domain: \"example.internal\"",
            "obs cluster_domain: \"example.internal\"",
        ],
    ),
    (
        "cluster_dns_server: 10.43.0.11",
        &["cluster_dns: \"10.43.0.11\"", "obs cluster_dns: \"10.43.0.11\""],
    ),
    ("network_plugin: cilium", &["cni: Cilium"]),
    ("network_mtu: 1350", &["mtu: 1350", "obs mtu: 1350"]),
    ("ingress_provider: none", &["ingress: false"]),
    ("rancher_import_timeout: 60", &["-1200s", "60s"]),
    ("rancher_obs_cluster_name: other", &["obs name: \"other\""]),
    (
        "rancher_obs_base_dir: /srv",
        &["obs folder: \"/srv\"", "obs path: \"/srv/rke2-token\""],
    ),
    (
        "rancher_obs_service_cluster_ip_range: 10.53.0.0/16",
        &["obs cluster_dns: \"10.53.0.10\"", "obs service_cidr: \"10.53.0.0/16\""],
    ),
    (
        "rancher_obs_cluster_cidr: 10.52.0.0/16",
        &["obs cluster_cidr: \"10.52.0.0/16\""],
    ),
    ("rancher_obs_network_plugin: calico", &["obs cni: Calico"]),
    ("rancher_obs_ingress_provider: nginx", &["obs ingress: true"]),
];
