//! The main cluster, built by the program with the stand-in for `rke` on real hosts with a real Docker.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mosip_prov_tests::cluster::{self, Cluster, ImportServer, Rke, Tool};
use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::testbed::{DEPLOYMENT, Testbed, address};
use mosip_prov_tests::write;

const FOLDER: &str = "/home/ubuntu/rancher/mosip";
/// The first carries the control plane and etcd, the others are workers; the last one joins later.
const NODES: [&str; 3] = ["vm4", "vm5", "vm6"];

struct Site<'t> {
    testbed: &'t Testbed,
    program: Program,
    folder: PathBuf,
    tool: Tool,
}

impl<'t> Site<'t> {
    fn new(testbed: &'t Testbed, folder: &Path) -> Self {
        testbed.copy_inventory(folder);
        Self {
            testbed,
            program: Program::new(),
            folder: folder.join("inventory"),
            tool: cluster::tool_on(testbed, DEPLOYMENT, "rke", "v1.3.10"),
        }
    }

    /// An inventory of so many of the nodes.
    fn inventory(&self, count: usize) -> PathBuf {
        let machines: String = NODES[..count]
            .iter()
            .map(|host| format!("{host} ansible_host={}\n", address(host)))
            .collect();
        let workers: String = NODES[1..count]
            .iter()
            .map(|host| format!("worker-{host} physical_vm={host}\n"))
            .collect();
        let path = self.folder.join("rke.ini");
        write(
            &path,
            format!(
                "[deployment]\n{DEPLOYMENT} ansible_host={}\n\n[deployment:vars]\nssh_user=ubuntu\nssh_key_path=/home/ubuntu/.ssh/id_ed25519\n\n\
                 [physical_vms]\n{machines}\n[control_plane_nodes]\ncontrol-1 physical_vm={first}\n[etcd_nodes]\netcd-1 physical_vm={first}\n\
                 [worker_nodes]\n{workers}\n[all:vars]\nansible_user=ubuntu\nansible_ssh_private_key_file={}\nansible_host_key_checking=False\n\
                 rke_binary_path={}\nrke_sha256={}\n",
                address(DEPLOYMENT),
                self.testbed.key().display(),
                self.tool.path,
                self.tool.sha256,
                first = NODES[0],
            ),
        );
        path
    }

    fn run(&self, count: usize, more: &[&str]) -> Ran {
        let inventory = self.inventory(count);
        let words = ["run", "deploy-rancher", "-i", inventory.to_str().expect("UTF-8")];
        self.program.run(&[&words, more].concat())
    }

    fn cluster(&self) -> Cluster<'t> {
        Cluster::by(self.testbed, DEPLOYMENT, &format!("{FOLDER}/kube_config_cluster.yml"))
    }
}

#[test]
#[ignore = "needs the testbed"]
fn the_main_cluster_is_built_once_and_changed_when_it_is_described_otherwise() {
    let testbed = Testbed::get();
    testbed.reset(&[&NODES[..], &[DEPLOYMENT]].concat());
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::new(&testbed, folder.path());
    let import = ImportServer::start();

    // A bad import URL is said before anything is touched.
    for (name, part) in [
        ("typo.yaml", "answers with 404"),
        ("html.yaml", "a web page"),
        ("other.yaml", "no objects"),
    ] {
        let url = format!("rancher_import_url={}", import.url(name));
        for mode in [&["-e", &url][..], &["-e", &url, "--check"][..]] {
            let refused = site.run(2, mode).expect(2);
            assert!(refused.failure().contains(part), "{}", refused.failure());
            assert!(
                !(refused.stdout.clone() + &refused.stderr).contains(&format!("/v3/import/{name}")),
                "the URL is shown"
            );
        }
    }
    assert_eq!(testbed.stat(DEPLOYMENT, FOLDER), "absent");
    assert_eq!(testbed.stat("vm4", "/etc/sysctl.d/99-kubernetes.conf"), "absent");

    // Another cluster's kubeconfig is kept.
    let other = "apiVersion: v1\nkind: Config\nclusters:\n- cluster: {server: https://192.0.2.1:6443}\n  name: work\n\
                 contexts:\n- context: {cluster: work, user: me}\n  name: work\ncurrent-context: work\nusers:\n- name: me\n  user: {token: s3cret-of-work}\n";
    testbed.root(
        DEPLOYMENT,
        &format!("sudo -u ubuntu mkdir -p /home/ubuntu/.kube && printf %s \"{other}\" | sudo -u ubuntu tee /home/ubuntu/.kube/config >/dev/null"),
    );
    let url = format!("rancher_import_url={}", import.url("good.yaml"));
    let first = site.run(2, &["-e", &url]).expect(0);
    eprintln!("building took {:.1} s", first.took.as_secs_f64());
    site.cluster().wait_ready(&NODES[..2]);
    let events: String = first.events.iter().map(ToString::to_string).collect();
    for secret in ["s3cret-of-work", "client-key-data", "good.yaml"] {
        assert!(
            !(events.clone() + &first.stdout + &first.stderr).contains(secret),
            "{secret} is shown"
        );
    }
    assert_eq!(testbed.stat(DEPLOYMENT, FOLDER), "750 ubuntu:ubuntu directory");
    for (name, mode) in [
        ("cluster.yml", "640"),
        ("cluster.rkestate", "600"),
        ("kube_config_cluster.yml", "600"),
    ] {
        let path = format!("{FOLDER}/{name}");
        assert_eq!(
            testbed.stat(DEPLOYMENT, &path),
            format!("{mode} ubuntu:ubuntu regular file")
        );
    }
    assert_eq!(
        testbed.stat(DEPLOYMENT, "/home/ubuntu/.kube/config"),
        "600 ubuntu:ubuntu regular file"
    );
    let config = |words: &str| testbed.root(DEPLOYMENT, &format!("sudo -u ubuntu -H kubectl config {words}"));
    assert_eq!(config("current-context"), "work");
    assert_eq!(config("get-contexts -o name"), "mosip\nwork");
    let nodes = testbed.root(
        DEPLOYMENT,
        "sudo -u ubuntu -H kubectl --context mosip get nodes -o name",
    );
    assert_eq!(nodes, "node/vm4\nnode/vm5");
    for host in &NODES[..2] {
        let conflist = testbed.root(host, "cat /etc/cni/net.d/10-canal.conflist");
        assert!(conflist.contains("\"mtu\": 1400"), "{conflist}");
    }

    let second = site.run(2, &["-e", &url]).expect(0).unchanged();
    for host in second.hosts() {
        // The deployment node is asked as its user and, for /usr/local/bin, as root.
        let most = if host == DEPLOYMENT { 3 } else { 2 };
        let exchanges = second.exchanges(&host);
        assert!(exchanges <= most, "{host} took {exchanges} exchanges");
    }
    eprintln!("and again {:.2} s", second.took.as_secs_f64());

    // A changed description is shown, and built; the state is copied before.
    let changed = site.run(2, &["-e", "kubelet_max_pods=200", "--diff"]).expect(0);
    changed.says(&["max-pods: \"200\"", "differs from what was built"]);
    let copies = testbed.root(DEPLOYMENT, &format!("stat -c %a {FOLDER}/cluster.rkestate.backup-*"));
    assert_eq!(copies, "600");
    let _ = site.run(2, &[]).expect(0);

    // A node that is added joins; one that is new again is brought back alone.
    let _ = site.run(3, &[]).expect(0);
    site.cluster().wait_ready(&NODES);
    testbed.reset(&["vm6"]);
    let back = site.run(3, &["--limit", "vm6"]).expect(0);
    assert!(!back.hosts().iter().any(|host| host == "vm5"), "{:?}", back.hosts());
    site.cluster().wait_ready(&NODES);
    site.run(3, &[]).expect(0).unchanged();
}

#[test]
#[ignore = "needs the testbed"]
fn a_build_that_broke_off_goes_on() {
    let testbed = Testbed::get();
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::new(&testbed, folder.path());
    cluster::remove(&testbed, &NODES);
    testbed.root(DEPLOYMENT, &format!("rm -rf {FOLDER} /home/ubuntu/.kube"));
    let rke = Rke::in_folder(&testbed, DEPLOYMENT, FOLDER);

    // rke itself fails in a stage: the next run begins there again.
    rke.fail("worker");
    let failed = site.run(2, &[]).expect(2);
    assert!(failed.failure().contains("rke up"), "{}", failed.failure());
    rke.undisturbed();

    // The controller is killed while rke runs: rke goes on, and the next run ends well.
    for stage in ["etcd", "addons"] {
        rke.pause(stage, 3000);
        testbed.root(DEPLOYMENT, &format!("rm -f {FOLDER}/cluster.yml.built"));
        let inventory = site.inventory(2);
        let words = ["run", "deploy-rancher", "-i", inventory.to_str().expect("UTF-8")];
        let mut child = site.program.start(&words);
        let began = site.program.wait_for_event(Duration::from_secs(120), |event| {
            event["type"] == "task_started" && event["task"] == "Build the cluster"
        });
        assert!(began, "the build did not begin");
        std::thread::sleep(Duration::from_secs(2));
        child.kill().expect("killed");
        let _ = child.wait();
        let _ = site.run(2, &[]).expect(0);
        site.cluster().wait_ready(&NODES[..2]);
    }
    rke.undisturbed();
    site.run(2, &[]).expect(0).unchanged();
}
