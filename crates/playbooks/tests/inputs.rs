//! Playbooks made ready against inventories and certificates of every kind; nothing is connected to.

use mosip_prov_engine::{Prepared, RunOptions, host_vars, prepare};
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::{LoadOptions, load};
use mosip_prov_playbooks::find;
use mosip_prov_transport::Target;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::fs;
use std::path::Path;
use std::sync::Arc;

const INI: &str = "
[physical_vms]
vm1 ansible_host=10.0.0.1
vm2 ansible_host=10.0.0.2

[worker_nodes]
worker-1 physical_vm=vm1 node_ip=10.0.0.1
worker-2 physical_vm=vm2

[mosip_obs]
obs-node-1 ansible_host=10.0.0.20

[nginx]
nginx-node-1 ansible_host=10.0.0.30

[nginx_obs]
nginx-obs-node-1 ansible_host=10.0.0.20
";

const VARS: &str = "mosip_domain: x.org\nnginx_obs_public_domain_names: rancher.x.org keycloak.x.org\n";

/// A checkout with an inventory, its variables, and a pair good for `x.org` for both fronts.
struct Checkout(tempfile::TempDir);

impl Checkout {
    fn new(ini: &str, vars: &str) -> Self {
        let checkout = Self(tempfile::tempdir().expect("a folder"));
        checkout.write("inventory/rancher.ini", ini);
        checkout.write("inventory/group_vars/all.yml", vars);
        for role in ["nginx", "nginx_obs"] {
            checkout.pair(&format!("inventory/files/{role}"), &["*.x.org", "x.org"], 4000);
        }
        checkout
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn pair(&self, folder: &str, names: &[&str], until: i32) {
        let key = KeyPair::generate().expect("key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.self_signed(&key).expect("certificate");
        self.write(&format!("{folder}/fullchain.pem"), &certificate.pem());
        self.write(&format!("{folder}/privkey.pem"), &key.serialize_pem());
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).expect("removed");
    }

    fn prepare(&self, playbook: &str) -> Result<Prepared, Diagnostics> {
        let options = LoadOptions {
            sources: vec![self.path().join("inventory/rancher.ini").to_string_lossy().into_owned()],
            ..LoadOptions::default()
        };
        let loaded = load(&options);
        assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
        let inventory = Arc::new(loaded.inventory);
        let vars = host_vars(&inventory, false);
        let playbook = find(playbook).expect("a playbook");
        prepare(&[playbook], &inventory, &vars, &RunOptions::default(), &|vars, _| {
            Some(Target::ssh(vars.host().to_string(), "127.0.0.1", "ubuntu"))
        })
    }

    #[track_caller]
    fn ready(&self, playbook: &str) -> Prepared {
        self.prepare(playbook)
            .unwrap_or_else(|problems| panic!("{}", text(&problems)))
    }

    /// All that is wrong, as one text.
    #[track_caller]
    fn refused(&self, playbook: &str) -> String {
        match self.prepare(playbook) {
            Err(problems) => text(&problems),
            Ok(_) => panic!("{playbook} is ready"),
        }
    }
}

fn text(problems: &Diagnostics) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn warnings(prepared: &Prepared) -> String {
    prepared
        .warnings()
        .iter()
        .map(|warning| format!("{warning}\n"))
        .collect()
}

#[test]
fn each_playbook_is_for_its_hosts() {
    let checkout = Checkout::new(INI, VARS);
    for (playbook, hosts) in [
        (
            "apt-upgrade",
            &["vm1", "vm2", "obs-node-1", "nginx-node-1", "nginx-obs-node-1"][..],
        ),
        ("deploy-nginx", &["nginx-node-1"]),
        ("deploy-rancher-obs-nginx", &["nginx-obs-node-1"]),
    ] {
        assert_eq!(checkout.ready(playbook).hosts(), hosts, "{playbook}");
    }
}

#[test]
fn an_upgrade_needs_one_of_its_groups_only() {
    let checkout = Checkout::new("[nginx]\nfront ansible_host=10.0.0.30\n", "x: y\n");
    assert_eq!(checkout.ready("apt-upgrade").hosts(), ["front"]);
    let checkout = Checkout::new("[wireguard]\nvpn ansible_host=10.0.0.30\n", "x: y\n");
    let problems = checkout.refused("apt-upgrade");
    assert!(
        problems.contains("physical_vms:mosip_obs:nginx:nginx_obs"),
        "{problems}"
    );
    // A front's own group is not optional.
    assert!(checkout.refused("deploy-nginx").contains("nginx"));
}

#[test]
fn certificates_of_todays_checkout_are_found() {
    let checkout = Checkout::new(INI, VARS);
    for name in ["fullchain.pem", "privkey.pem"] {
        checkout.remove(&format!("inventory/files/nginx/{name}"));
    }
    let problems = checkout.refused("deploy-nginx");
    assert!(problems.contains("no certificate for nginx"), "{problems}");
    assert_eq!(problems.matches("error:").count(), 1, "{problems}");
    checkout.pair("playbooks/roles/nginx/files", &["*.x.org", "x.org"], 4000);
    assert_eq!(checkout.ready("deploy-nginx").hosts(), ["nginx-node-1"]);
}

#[test]
fn a_missing_key_is_told_once() {
    let checkout = Checkout::new(INI, VARS);
    checkout.remove("inventory/files/nginx/privkey.pem");
    let problems = checkout.refused("deploy-nginx");
    assert!(problems.contains("privkey.pem cannot be read"), "{problems}");
    assert_eq!(problems.matches("error:").count(), 1, "{problems}");
    // The other front has its own.
    checkout.ready("deploy-rancher-obs-nginx");
}

#[test]
fn a_certificate_must_be_good_for_what_is_served() {
    let checkout = Checkout::new(INI, VARS);
    checkout.pair("inventory/files/nginx", &["api.x.org", "prereg.x.org"], 4000);
    let problems = checkout.refused("deploy-nginx");
    for name in ["resident.x.org", "idp.x.org", "api-internal.x.org"] {
        assert!(
            problems.contains(&format!("is not good for {name}")),
            "{name} is not in\n{problems}"
        );
    }
    assert!(!problems.contains("is not good for api.x.org"), "{problems}");
    // What not every installation has is a warning.
    assert!(problems.contains("warning: the certificate"), "{problems}");
    checkout.pair("inventory/files/nginx", &["*.x.org"], 4000);
    let ready = checkout.ready("deploy-nginx");
    assert!(
        warnings(&ready).contains("is not good for x.org"),
        "{}",
        warnings(&ready)
    );

    checkout.pair("inventory/files/nginx_obs", &["*.obs.x.org"], 4000);
    let problems = checkout.refused("deploy-rancher-obs-nginx");
    assert!(
        problems.contains("is not good for rancher.x.org: it is issued for *.obs.x.org"),
        "{problems}"
    );
    assert!(problems.contains("is not good for keycloak.x.org"), "{problems}");
}

#[test]
fn an_expired_certificate_and_the_key_of_another_are_refused() {
    let checkout = Checkout::new(INI, VARS);
    checkout.pair("inventory/files/nginx", &["*.x.org", "x.org"], 2021);
    assert!(checkout.refused("deploy-nginx").contains("expired on 2021-01-01"));
    checkout.pair("inventory/files/nginx", &["*.x.org", "x.org"], 4000);
    checkout.write(
        "inventory/files/nginx/privkey.pem",
        &KeyPair::generate().expect("key").serialize_pem(),
    );
    let problems = checkout.refused("deploy-nginx");
    assert!(
        problems.contains("does not belong to the first certificate"),
        "{problems}"
    );
}

#[test]
fn settings_and_certificates_that_are_wrong_come_in_one_report() {
    let checkout = Checkout::new(
        &INI.replace("node_ip=10.0.0.1", "node_ip=10.0.0."),
        "nginx_listen_ip: 10.0.0.300\n",
    );
    checkout.remove("inventory/files/nginx/privkey.pem");
    let problems = checkout.refused("deploy-nginx");
    for part in [
        "node_ip of worker-1",
        "mosip_domain is not set",
        "10.0.0.300",
        "privkey.pem cannot be read",
    ] {
        assert!(problems.contains(part), "{part} is not in\n{problems}");
    }
}

#[test]
fn a_machine_that_is_to_be_both_fronts_is_warned_about() {
    let ini = INI.replace(
        "nginx-node-1 ansible_host=10.0.0.30",
        "nginx-node-1 ansible_host=10.0.0.20",
    );
    let ready = Checkout::new(&ini, VARS).ready("deploy-nginx");
    assert!(
        warnings(&ready).contains("nginx-node-1 of group nginx and nginx-obs-node-1"),
        "{}",
        warnings(&ready)
    );
    let ready = Checkout::new(INI, VARS).ready("deploy-nginx");
    assert!(!warnings(&ready).contains("one machine"), "{}", warnings(&ready));
}

#[test]
fn the_size_of_batches_is_checked() {
    for good in ["2", "30%", "'1'"] {
        let checkout = Checkout::new(INI, &format!("apt_upgrade_serial: {good}\n"));
        assert_eq!(checkout.ready("apt-upgrade").hosts().len(), 5, "{good}");
    }
    let problems = Checkout::new(INI, "apt_upgrade_serial: some\n").refused("apt-upgrade");
    assert!(problems.contains("apt_upgrade_serial is \"some\""), "{problems}");
}

#[test]
fn a_machine_under_two_names_is_not_rebooted_while_the_other_is_upgraded() {
    // obs-node-1 and nginx-obs-node-1 have one address.
    let reboot = "apt_reboot_if_required: true\n";
    let problems = Checkout::new(INI, reboot).refused("apt-upgrade");
    assert!(
        problems.contains("obs-node-1 and nginx-obs-node-1 are one machine"),
        "{problems}"
    );
    assert!(problems.contains("set apt_upgrade_serial to 1"), "{problems}");
    Checkout::new(INI, &format!("{reboot}apt_upgrade_serial: 1\n")).ready("apt-upgrade");
    Checkout::new(INI, "apt_reboot_if_required: false\n").ready("apt-upgrade");
    Checkout::new(
        &INI.replace(
            "nginx-obs-node-1 ansible_host=10.0.0.20",
            "nginx-obs-node-1 ansible_host=10.0.0.21",
        ),
        reboot,
    )
    .ready("apt-upgrade");
    // The same address at another port is another machine (behind one gateway).
    let forwarded = INI.replace(
        "nginx-obs-node-1 ansible_host=10.0.0.20",
        "nginx-obs-node-1 ansible_host=10.0.0.20 ansible_port=2222",
    );
    Checkout::new(&forwarded, reboot).ready("apt-upgrade");
}

#[test]
fn a_machine_under_two_names_is_named_where_its_tasks_collide() {
    let with = |from: &str, to: &str| nodes(&INI.replacen(from, to, 1));
    // Two nodes of one cluster.
    let problems = with("vm2 ansible_host=10.0.0.2", "vm2 ansible_host=10.0.0.1").refused("deploy-rancher");
    assert!(
        problems.contains("vm1 of physical_vms and vm2 of physical_vms are one machine (10.0.0.1:22)"),
        "{problems}"
    );
    assert!(problems.contains("rancher.ini:4:"), "{problems}");
    // A node of both clusters, under one name and under two.
    let ready = with("obs-node-1 ansible_host=10.0.0.20", "obs-node-1 ansible_host=10.0.0.2").ready("deploy-rancher");
    assert!(
        warnings(&ready).contains("vm2 of physical_vms and obs-node-1 of mosip_obs are one machine"),
        "{}",
        warnings(&ready)
    );
    let ready = with("obs-node-1 ansible_host=10.0.0.20", "vm1").ready("deploy-rancher");
    assert!(
        warnings(&ready).contains("vm1 is in physical_vms and in mosip_obs"),
        "{}",
        warnings(&ready)
    );
    // A node and the front.
    let ready = with(
        "nginx-node-1 ansible_host=10.0.0.30",
        "nginx-node-1 ansible_host=10.0.0.2",
    )
    .ready("deploy-rancher");
    assert!(warnings(&ready).contains("both want port 443"), "{}", warnings(&ready));
    // The observation front beside its cluster is as the guide has it.
    let ready = nodes(INI).ready("deploy-rancher");
    assert!(!warnings(&ready).contains("one machine"), "{}", warnings(&ready));
}

/// A checkout whose machines can be prepared, with Docker of the distribution.
fn nodes(ini: &str) -> Checkout {
    let all = "\n[control_plane_nodes]\ncontrol-1 physical_vm=vm1\n[etcd_nodes]\netcd-1 physical_vm=vm1\n";
    let checkout = Checkout::new(&format!("{ini}{all}"), &format!("{VARS}ansible_user: ubuntu\n"));
    checkout.write("key", "not read before a connection is made");
    checkout
}

#[test]
fn deploy_all_sees_to_everything_before_its_first_change() {
    let ready = nodes(INI).ready("deploy-all");
    let plays: Vec<&str> = ready.plays().iter().map(|play| play.name()).collect();
    let at = |name: &str| {
        plays
            .iter()
            .position(|play| *play == name)
            .unwrap_or_else(|| panic!("{name} is not among {plays:?}"))
    };
    assert_eq!(at("See that the deployment node has its tools"), 0);
    assert!(at("See that the nodes can be prepared") < at("Prepare the nodes"));
    assert!(at("Prepare the nodes") < at("Deploy the MOSIP front"));
    assert!(at("Deploy the MOSIP front") < at("Deploy Istio"));
    assert_eq!(at("Verify the cluster"), plays.len() - 1);
    for (name, hosts) in [
        ("See that the deployment node has its tools", &["localhost"][..]),
        (
            "See that every machine can be deployed to",
            &["vm1", "vm2", "nginx-node-1"],
        ),
    ] {
        let play = &ready.plays()[at(name)];
        assert_eq!(play.hosts().map(|(host, _)| host).collect::<Vec<_>>(), hosts, "{name}");
        for (host, part) in play.hosts() {
            let kinds: Vec<&str> = part
                .roles()
                .iter()
                .flat_map(|role| role.tasks())
                .map(|task| task.resource().kind())
                .collect();
            let asks_only = ["system", "disk", "clock", "ports", "size", "tool"];
            assert!(
                !kinds.is_empty() && kinds.iter().all(|kind| asks_only.contains(kind)),
                "{host}: {kinds:?}"
            );
        }
    }
}

#[test]
fn deploy_all_needs_no_front_and_reports_all_stages_at_once() {
    let without = INI.replace("[nginx]\nnginx-node-1 ansible_host=10.0.0.30\n", "");
    let ready = nodes(&without).ready("deploy-all");
    assert!(!ready.hosts().contains(&"nginx-node-1"), "{:?}", ready.hosts());

    let checkout = nodes(INI);
    checkout.write(
        "inventory/group_vars/all.yml",
        "docker_version: '5 20'\nansible_user: ubuntu\n",
    );
    checkout.remove("inventory/files/nginx/privkey.pem");
    let problems = checkout.refused("deploy-all");
    for part in [
        "docker_version is \"5 20\"",
        "mosip_domain is not set",
        "privkey.pem cannot be read",
    ] {
        // Once, however many hosts and stages it concerns.
        assert_eq!(
            problems.matches(part).count(),
            1,
            "{part} in
{problems}"
        );
    }
}
