//! Inputs that cannot be right: each is named with its place and its remedy, all in one report, with exit code 1, and
//! nothing is connected to. Needs no hosts.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mosip_prov_tests::certificates::{Kind, write_pair};
use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::{set_mode, stdout, write};

const DOMAIN: &str = "mosip.test";

/// An operator's folder that is right in everything, whose hosts all are a listener here that counts connections.
struct Site {
    folder: tempfile::TempDir,
    program: Program,
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Site {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        std::thread::spawn(move || {
            for _ in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let site = Self {
            folder: tempfile::tempdir().expect("a folder"),
            program: Program::new(),
            port,
            connections,
        };
        let key = site.path("id_ed25519");
        stdout(
            std::process::Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(&key),
        );
        site.write("rancher.ini", &site.good_inventory());
        site.write(
            "group_vars/all.yml",
            &format!("mosip_domain: {DOMAIN}\nnginx_obs_public_domain_names: rancher.{DOMAIN} keycloak.{DOMAIN}\n"),
        );
        for front in ["nginx", "nginx_obs"] {
            write_pair(&site.path("files").join(front), DOMAIN, Kind::Good);
        }
        site
    }

    fn good_inventory(&self) -> String {
        let here = format!("ansible_host=127.0.0.1 ansible_port={}", self.port);
        format!(
            "[physical_vms]\nvm1 {here}\n\n[worker_nodes]\nworker-1 physical_vm=vm1 node_ip=10.61.0.14\n\n\
             [mosip_obs]\nobs-node-1 {here}\n\n[nginx]\nnginx-node-1 {here}\n\n[nginx_obs]\nnginx-obs-node-1 {here}\n\n\
             [all:vars]\nansible_user=ubuntu\nansible_ssh_private_key_file={}\n",
            self.path("id_ed25519").display()
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        write(&self.path(name), text);
    }

    /// Replaces a part of the good inventory; returns the number of the line that it is on then.
    fn spoil(&self, from: &str, to: &str) -> usize {
        let good = std::fs::read_to_string(self.path("rancher.ini")).expect("the inventory");
        assert!(good.contains(from), "{from} in\n{good}");
        let bad = good.replacen(from, to, 1);
        self.write("rancher.ini", &bad);
        let at = bad.find(to).expect("just written");
        bad[..at].lines().count().max(1)
    }

    fn run(&self, words: &[&str]) -> Ran {
        let inventory = self.path("rancher.ini");
        let words = [words, &["-i", inventory.to_str().expect("UTF-8"), "-T", "2"]].concat();
        self.program.run(&words)
    }

    /// Runs, and asserts that it was refused for what `parts` say and that no host was touched.
    #[track_caller]
    fn refused(&self, words: &[&str], parts: &[&str]) -> Ran {
        let ran = self.run(words).expect(1).says(parts);
        assert_eq!(self.connections.load(Ordering::SeqCst), 0, "connected\n{}", ran.shown());
        assert!(ran.of_type("host_connected").count() == 0);
        ran
    }
}

const NGINX: &[&str] = &["run", "deploy-nginx"];

#[test]
fn a_site_that_is_right_is_connected_to() {
    let site = Site::new();
    let ran = site.run(NGINX).expect(4);
    assert!(site.connections.load(Ordering::SeqCst) > 0, "{}", ran.shown());
    assert_eq!(ran.count("nginx-node-1", "unreachable"), 1);
}

#[test]
fn a_cut_off_address_and_a_placeholder_are_told_in_one_report() {
    let site = Site::new();
    site.spoil(
        "[nginx]\nnginx-node-1 ansible_host=127.0.0.1",
        "[nginx]\nnginx-node-1 ansible_host=172.16.50.",
    );
    site.spoil("node_ip=10.61.0.14", "node_ip=<node1-private-ip>");
    site.write("group_vars/all.yml", "mosip_domain: '{MOSIP_DOMAIN}'\n");
    let ran = site.refused(
        NGINX,
        &[
            "rancher.ini:11:27",
            "172.16.50.",
            "rancher.ini:5",
            "<node1-private-ip>",
            "all.yml:1",
            "{MOSIP_DOMAIN}",
            "help: ",
        ],
    );
    assert!(ran.stderr.contains("nothing was connected to"), "{}", ran.shown());
}

#[test]
fn a_group_of_the_playbook_that_is_missing() {
    let site = Site::new();
    let line = site.spoil("[nginx]", "[ngnix]");
    assert!(line > 1);
    site.refused(NGINX, &["nginx", "ngnix", "help: "]);
}

#[test]
fn an_undefined_variable_in_a_value_that_is_needed() {
    let site = Site::new();
    site.write(
        "group_vars/all.yml",
        "x: 1\nmosip_domain: \"{{ installation_domain }}\"\n",
    );
    site.refused(NGINX, &["all.yml:2", "installation_domain", "mosip_domain"]);
    // One that nothing needs is no mistake.
    site.write(
        "group_vars/all.yml",
        &format!("mosip_domain: {DOMAIN}\nunused: \"{{{{ nowhere }}}}\"\n"),
    );
    site.run(NGINX).expect(4);
}

#[test]
fn a_required_variable_that_is_not_set() {
    let site = Site::new();
    site.write("group_vars/all.yml", "x: 1\n");
    site.refused(NGINX, &["mosip_domain", "help: "]);
}

#[test]
fn values_that_need_each_other() {
    let site = Site::new();
    site.write(
        "group_vars/all.yml",
        "mosip_domain: \"{{ a }}\"\na: \"{{ b }}\"\nb: \"x{{ a }}\"\n",
    );
    site.refused(NGINX, &["all.yml", "a", "b"]);
}

#[test]
fn a_tab_in_yaml() {
    let site = Site::new();
    site.write(
        "group_vars/all.yml",
        "mosip_domain: x\nsysctl_params:\n\tnet.core.somaxconn: 1\n",
    );
    site.refused(NGINX, &["all.yml:3:1", "tab"]);
}

#[test]
fn a_key_written_twice_is_a_warning_with_both_lines() {
    let site = Site::new();
    site.write(
        "group_vars/all.yml",
        &format!("mosip_domain: wrong\nx: 1\nmosip_domain: {DOMAIN}\n"),
    );
    let ran = site
        .run(&["tasks", "deploy-nginx"])
        .expect(0)
        .says(&["warning", "mosip_domain", "all.yml:3"]);
    // The first line too, wherever it is told.
    assert!(
        ran.stderr.contains("all.yml:1") || ran.stderr.contains("line 1"),
        "{}",
        ran.shown()
    );
    assert_eq!(site.connections.load(Ordering::SeqCst), 0);
}

/// `secret: 42`, encrypted with the password `right`.
const VAULT: &str = include_str!("vault.yml");

#[test]
fn a_wrong_vault_password() {
    let site = Site::new();
    site.write("group_vars/all/main.yml", &format!("mosip_domain: {DOMAIN}\n"));
    std::fs::remove_file(site.path("group_vars/all.yml")).expect("removed");
    site.write("group_vars/all/vault.yml", VAULT);
    let password = site.path("password");
    let word = password.to_str().expect("UTF-8");
    site.write("password", "wrong\n");
    site.refused(
        &["run", "deploy-nginx", "--vault-password-file", word],
        &["vault.yml", "vault password"],
    );
    site.refused(NGINX, &["vault.yml", "--vault-password-file"]);
    site.write("password", "right\n");
    site.run(&["tasks", "deploy-nginx", "--vault-password-file", word])
        .expect(0);
}

#[test]
fn certificates_missing_mismatched_and_expired() {
    let site = Site::new();
    let files = site.path("files/nginx");
    write_pair(&files, DOMAIN, Kind::ForeignKey);
    site.refused(NGINX, &["privkey.pem", "fullchain.pem", "help: "]);
    write_pair(&files, DOMAIN, Kind::Expired);
    site.refused(NGINX, &["fullchain.pem", "expired", "2021-01-01", "help: "]);
    write_pair(&files, "other.test", Kind::Good);
    site.refused(
        NGINX,
        &["fullchain.pem", &format!("api.{DOMAIN}"), "*.other.test", "help: "],
    );
    std::fs::remove_file(files.join("privkey.pem")).expect("removed");
    site.refused(NGINX, &["privkey.pem", "help: "]);
    std::fs::remove_dir_all(&files).expect("removed");
    site.refused(NGINX, &["fullchain.pem", "privkey.pem", "files/nginx", "help: "]);
    // Not those of a front that is not deployed.
    site.run(&["run", "deploy-rancher-obs-nginx"]).expect(4);
}

#[test]
fn a_limit_that_matches_nothing() {
    let site = Site::new();
    site.refused(&["run", "deploy-nginx", "--limit", "nginx-node-7"], &["nginx-node-7"]);
    site.refused(&["run", "deploy-nginx", "--limit", "vm1"], &["vm1"]);
    site.refused(&["run", "deploy-nginx", "--limit", "nginx:!nginx-node-1"], &["limit"]);
}

#[test]
fn an_unknown_playbook() {
    let site = Site::new();
    site.refused(&["run", "deploy-ngnix"], &["deploy-ngnix", "deploy-nginx"]);
    site.refused(&["run", "playbooks/deploy-nginx.yml"], &["say `deploy-nginx`"]);
}

#[test]
fn a_key_file_that_is_open_or_absent() {
    let site = Site::new();
    set_mode(&site.path("id_ed25519"), 0o644);
    site.refused(NGINX, &["id_ed25519", "0644", "chmod 600", "rancher.ini:18"]);
    std::fs::remove_file(site.path("id_ed25519")).expect("removed");
    site.refused(NGINX, &["id_ed25519", "is not there", "rancher.ini:18", "ssh-keygen"]);
}

#[test]
fn no_inventory_an_absent_one_and_a_broken_one() {
    let site = Site::new();
    site.program
        .run(&["run", "deploy-nginx"])
        .expect(1)
        .says(&["inventory", "-i"]);
    site.program
        .run(&["run", "deploy-nginx", "-i", "nowhere.ini"])
        .expect(1)
        .says(&["nowhere.ini"]);
    site.spoil("[worker_nodes]", "[worker_nodes");
    site.refused(NGINX, &["rancher.ini:4"]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let site = Site::new();
    site.spoil(
        "[mosip_obs]\nobs-node-1 ansible_host=127.0.0.1",
        "[mosip_obs]\nobs-node-1 ansible_host=172.16.50.",
    );
    write_pair(&site.path("files/nginx"), DOMAIN, Kind::Expired);
    set_mode(&site.path("id_ed25519"), 0o604);
    site.write(
        "group_vars/all.yml",
        &format!("mosip_domain: {DOMAIN}\nnginx_listen_ip: 10.0.0.300\n"),
    );
    let ran = site.refused(NGINX, &["172.16.50.", "10.0.0.300"]);
    assert!(ran.stderr.matches("error:").count() >= 2, "{}", ran.shown());
}

/// Each row is one mistake in the description of a cluster: what is replaced in the inventory, a variable, and what is said.
#[test]
fn mistakes_in_the_description_of_a_cluster() {
    const VM1: &str = "worker-1 physical_vm=vm1";
    const ROLES: &str = "[control_plane_nodes]\ncontrol-1 physical_vm=vm1\n\n[etcd_nodes]\netcd-1 physical_vm=vm1\n\n";
    let rows: [(&str, &str, &str, &[&str]); 12] = [
        (
            VM1,
            VM1,
            "rancher_base_dir: ~/rancher",
            &["all.yml:3", "another folder for every user"],
        ),
        (
            VM1,
            VM1,
            "service_cluster_ip_range: 10.42.128.0/17",
            &[
                "all.yml:3",
                "service_cluster_ip_range and cluster_cidr overlap",
                "no address in common",
            ],
        ),
        (
            VM1,
            VM1,
            "wireguard_network: 10.42.1.0/24",
            &["cluster_cidr and wireguard_network overlap"],
        ),
        (
            VM1,
            VM1,
            "wireguard_network: 10.43.9.0/24",
            &["service_cluster_ip_range and wireguard_network overlap"],
        ),
        (
            VM1,
            VM1,
            "network_plugin: cilium",
            &["all.yml:3", "network_plugin is \"cilium\"", "give one of: canal"],
        ),
        (
            VM1,
            VM1,
            "network_mtu: 90000",
            &["all.yml:3", "network_mtu is 90000", "from 576 to 9000"],
        ),
        (
            VM1,
            VM1,
            "cluster_cidr: 10.42.0.1/16",
            &["all.yml:3", "cluster_cidr is \"10.42.0.1/16\""],
        ),
        (
            VM1,
            VM1,
            "rke_version: 1.3.10",
            &["all.yml:3", "rke_version is \"1.3.10\"", "v1.3.10"],
        ),
        (VM1, VM1, "rke_sha256: abc", &["all.yml:3", "rke_sha256 is \"abc\""]),
        (
            VM1,
            VM1,
            "rancher_import_url: rancher.test/v3/t0ken.yaml",
            &["all.yml:3", "rancher_import_url is no URL"],
        ),
        (
            VM1,
            "worker-1 physical_vm=vm9",
            "x: 1",
            &["rancher.ini:14", "physical_vm vm9"],
        ),
        (
            "[control_plane_nodes]",
            "[mosip_obs]\nvm1\n[physical_vms]\nvm2 ansible_host=127.0.0.1\n[control_plane_nodes]",
            "ansible_port: 1",
            &["are one machine", "each undoing the other"],
        ),
    ];
    for (from, to, variable, parts) in rows {
        let site = Site::new();
        site.spoil("[worker_nodes]", &format!("{ROLES}[worker_nodes]"));
        if variable == "ansible_port: 1" {
            // Both have the port from the variable.
            site.spoil(&format!(" ansible_port={}", site.port), "");
        }
        site.spoil(from, to);
        let vars = format!("mosip_domain: {DOMAIN}\nnginx_obs_public_domain_names: rancher.{DOMAIN}\n{variable}\n");
        site.write("group_vars/all.yml", &vars);
        let ran = site.refused(&["run", "deploy-rancher"], &[parts, &["help: "]].concat());
        assert!(!(ran.stdout.clone() + &ran.stderr).contains("t0ken"), "{}", ran.shown());
    }
}

#[test]
fn usage_mistakes_end_with_the_same_code() {
    let program = Program::new();
    program.run(&["rum"]).expect(1).says(&["rum", "run"]);
    program.run(&["run"]).expect(1).says(&["PLAYBOOK"]);
    program
        .run(&["run", "apt-upgrade", "--fork", "2"])
        .expect(1)
        .says(&["--fork"]);
    program
        .run(&["run", "apt-upgrade", "-f", "0"])
        .expect(1)
        .says(&["at least one"]);
}
