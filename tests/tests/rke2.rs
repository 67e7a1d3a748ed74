//! A cluster that RKE2 builds, on real hosts, with a stand-in for `rke2` that is strict about what it is told.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::testbed::{Testbed, address};
use mosip_prov_tests::{rke2, stdout, write};

const RELEASE: &str = "v1.25.16+rke2r2";
const NEWER: &str = "v1.25.16+rke2r3";
const DEPLOYMENT: &str = "deployment-node";
const SERVERS: [&str; 3] = ["vm3", "vm4", "vm5"];
const AGENT: &str = "vm6";
const KEPT: &str = "/home/ubuntu/rancher/mosip/rke2-token";
const KUBECONFIG: &str = "/home/ubuntu/rancher/mosip/kube_config_cluster.yml";

/// Which machines carry what.
struct Layout<'a> {
    control: &'a [&'a str],
    etcd: &'a [&'a str],
    workers: &'a [&'a str],
}

/// Three servers that carry everything.
const THREE: Layout<'_> = Layout {
    control: &SERVERS,
    etcd: &SERVERS,
    workers: &SERVERS,
};
/// The same with an agent.
const FOUR: Layout<'_> = Layout {
    workers: &["vm3", "vm4", "vm5", AGENT],
    ..THREE
};

fn inventory(testbed: &Testbed, folder: &Path, artifacts: &Path, release: &str, layout: &Layout<'_>) -> PathBuf {
    let all = [layout.control, layout.etcd, layout.workers].concat();
    let all: std::collections::BTreeSet<&str> = all.into_iter().collect();
    let machines: String = all
        .iter()
        .map(|host| format!("{host} ansible_host={}\n", address(host)))
        .collect();
    let carried = |group: &str, hosts: &[&str]| -> String {
        let lines: String = hosts
            .iter()
            .map(|host| format!("{group}-{host} physical_vm={host} node_ip={}\n", address(host)))
            .collect();
        format!("[{group}_nodes]\n{lines}\n")
    };
    let path = folder.join("inventory/rke2.ini");
    write(
        &path,
        format!(
            "[deployment]\n{DEPLOYMENT} ansible_host={}\n\n[physical_vms]\n{machines}\n{}{}{}\
             [all:vars]\nansible_user=ubuntu\nansible_ssh_private_key_file={}\nansible_host_key_checking=False\n\
             cluster_distribution=rke2\nrke2_version={release}\nrke2_artifact_path={}\n",
            address(DEPLOYMENT),
            carried("control_plane", layout.control),
            carried("etcd", layout.etcd),
            carried("worker", layout.workers),
            testbed.key().display(),
            artifacts.display(),
        ),
    );
    path
}

struct Site<'t> {
    testbed: &'t Testbed,
    program: Program,
    inventory: PathBuf,
    folder: PathBuf,
}

impl Site<'_> {
    fn words<'a>(&'a self, verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let inventory = self.inventory.to_str().expect("UTF-8");
        // Packages are none of this test's business, and they take long.
        let words = [verb, "deploy-rancher", "-i", inventory, "--skip-tags", "packages"];
        [&words, more].concat()
    }

    fn run(&self, more: &[&str]) -> Ran {
        let ran = self.program.run(&self.words("run", more));
        self.tells_no_secret(&ran);
        ran
    }

    /// The token is in nothing that the run said or wrote down; nor is a key.
    #[track_caller]
    fn tells_no_secret(&self, ran: &Ran) {
        let asked = self.testbed.try_root(DEPLOYMENT, &format!("cat {KEPT}"));
        let token = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
        if token.is_empty() {
            return;
        }
        let events: String = ran.events.iter().map(ToString::to_string).collect();
        for (what, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr), ("events", &events)] {
            assert!(!text.contains(&token), "the token is in {what}");
            assert!(!text.contains("LS0tLS1CRUdJTiBQUklWQVRF"), "a key is in {what}");
        }
        let found = Command::new("grep")
            .args(["-rl", &token])
            .arg(&self.folder)
            .output()
            .expect("grep");
        assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
    }

    fn root(&self, host: &str, script: &str) -> String {
        self.testbed.root(host, script)
    }

    fn began(&self, host: &str, unit: &str) -> String {
        self.root(
            host,
            &format!("systemctl show -p ActiveEnterTimestampMonotonic --value {unit}"),
        )
    }

    /// `NAME READY` of every node, as the deployment node sees them.
    fn nodes(&self) -> Vec<String> {
        let format = r#"{range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}"#;
        let done = self
            .testbed
            .ssh("ubuntu", DEPLOYMENT)
            .arg(format!(
                "kubectl --kubeconfig {KUBECONFIG} get nodes -o jsonpath='{format}'"
            ))
            .output()
            .expect("ssh");
        assert!(done.status.success(), "{}", mosip_prov_tests::shown(&done));
        let mut nodes: Vec<String> = String::from_utf8_lossy(&done.stdout)
            .lines()
            .map(str::to_owned)
            .collect();
        nodes.sort();
        nodes
    }
}

#[test]
#[ignore = "needs the testbed"]
fn servers_join_one_by_one_and_agents_after_them() {
    let hosts = [DEPLOYMENT, "vm3", "vm4", "vm5", AGENT];
    let testbed = Testbed::of(&hosts);
    testbed.reset(&hosts);
    let folder = tempfile::tempdir().expect("a folder");
    testbed.copy_inventory(folder.path());
    let artifacts = rke2::artifacts(folder.path(), RELEASE);
    let mut site = Site {
        testbed: &testbed,
        program: Program::new(),
        inventory: inventory(&testbed, folder.path(), &artifacts, RELEASE, &THREE),
        folder: folder.path().join("inventory"),
    };

    // A plan makes nothing, not even the token.
    let plan = site.program.run(&site.words("plan", &["--exit-code"])).expect(3);
    plan.says(&[
        "Keep the token by which nodes join the cluster",
        "https://10.61.0.13:9345",
    ]);
    assert_eq!(testbed.stat(DEPLOYMENT, KEPT), "absent");
    assert_eq!(testbed.stat("vm3", "/usr/local/bin/rke2"), "absent");

    let first = site.run(&[]).expect(0);
    eprintln!("three servers took {:.1} s", first.took.as_secs_f64());
    assert_eq!(testbed.stat(DEPLOYMENT, KEPT), "600 ubuntu:ubuntu regular file");
    assert_eq!(testbed.stat(DEPLOYMENT, KUBECONFIG), "600 ubuntu:ubuntu regular file");
    for host in SERVERS {
        assert_eq!(
            testbed.stat(host, "/etc/rancher/rke2/token"),
            "600 root:root regular file"
        );
        assert_eq!(
            testbed.stat(host, "/etc/rancher/rke2/config.yaml"),
            "600 root:root regular file"
        );
        assert_eq!(
            site.root(
                host,
                "systemctl is-active rke2-server; systemctl is-enabled rke2-server"
            ),
            "active\nenabled"
        );
        // Had two joined at once, one would have been turned away and started again.
        assert_eq!(site.root(host, "systemctl show -p NRestarts --value rke2-server"), "0");
        assert_eq!(
            site.root(host, "cat /etc/rancher/rke2/token"),
            site.root(DEPLOYMENT, &format!("cat {KEPT}"))
        );
    }
    assert_eq!(
        site.root("vm3", "cat /var/lib/rancher/rke2/server/db/joins"),
        "server vm4\nserver vm5"
    );
    assert_eq!(site.nodes(), ["vm3 True", "vm4 True", "vm5 True"]);
    let workers = "kubectl get nodes -l node-role.kubernetes.io/worker=true -o name";
    let workers = stdout(testbed.ssh("ubuntu", DEPLOYMENT).arg(workers));
    assert_eq!(workers, "node/vm3\nnode/vm4\nnode/vm5", "by ~/.kube/config");
    // The MTU of the chart's manifest reached the network plugin.
    assert!(
        site.root("vm4", "cat /etc/cni/net.d/10-canal.conflist")
            .contains("\"1400\"")
    );

    let began: Vec<String> = SERVERS.iter().map(|host| site.began(host, "rke2-server")).collect();
    let second = site.run(&[]).expect(0).unchanged();
    eprintln!("and again {:.2} s", second.took.as_secs_f64());
    for host in SERVERS {
        let exchanges = second.exchanges(host);
        // The first is asked for its kubeconfig too, for the deployment node; the others whether they are in a cluster.
        assert!(exchanges <= 3, "{host} took {exchanges} exchanges");
    }
    eprintln!("the deployment node took {} exchanges", second.exchanges(DEPLOYMENT));

    // A node that is added joins alone, with the same token, and nobody else is touched.
    site.inventory = inventory(&testbed, folder.path(), &artifacts, RELEASE, &FOUR);
    let joined = site.run(&["--limit", AGENT]).expect(0);
    // The first server is asked for its kubeconfig, and nothing is done there; the deployment node labels the worker.
    for host in joined.hosts() {
        let changed = joined.count(&host, "changed");
        let may = if host == DEPLOYMENT {
            changed == 1
        } else {
            host == AGENT || changed == 0
        };
        assert!(may, "{host} changed={changed}");
        assert!(host != "vm4" && host != "vm5", "{host} was connected to");
    }
    assert_eq!(site.root(AGENT, "systemctl is-active rke2-agent"), "active");
    assert_eq!(site.root(AGENT, "systemctl show -p NRestarts --value rke2-agent"), "0");
    site.run(&[]).expect(0).unchanged();
    assert_eq!(site.nodes(), ["vm3 True", "vm4 True", "vm5 True", "vm6 True"]);
    let now: Vec<String> = SERVERS.iter().map(|host| site.began(host, "rke2-server")).collect();
    assert_eq!(now, began);

    // A changed configuration restarts what it concerns, and only that, each once; also when the controller is killed while
    // the second server restarts.
    let agent = site.began(AGENT, "rke2-agent");
    let names = ["-e", "rke2_tls_san=api.mosip.test"];
    let words = site.words("run", &names);
    let mut killed = site.program.start(&words);
    let restarts = site.program.wait_for_event(Duration::from_secs(60), |event| {
        event["type"] == "task_started"
            && event["host"] == "vm4"
            && event["action"]
                .as_str()
                .is_some_and(|action| action.contains("restart rke2-server"))
    });
    killed.kill().expect("killed");
    let killed = site.program.end(&words, killed);
    assert!(restarts, "{}", killed.shown());
    let vm3 = site.began("vm3", "rke2-server");
    let changed = site.run(&names).expect(0);
    assert_eq!(site.began("vm3", "rke2-server"), vm3);
    for (host, before) in SERVERS.iter().zip(&began) {
        assert_ne!(&site.began(host, "rke2-server"), before, "{host}");
        assert_eq!(
            site.root(host, "systemctl show -p NRestarts --value rke2-server"),
            "0",
            "{host}"
        );
    }
    site.run(&names).expect(0).unchanged();
    assert_eq!(changed.count(AGENT, "changed"), 0);
    assert_eq!(site.began(AGENT, "rke2-agent"), agent);
    assert_eq!(site.root("vm3", "systemctl show -p NRestarts --value rke2-server"), "0");

    // A configuration on which a server does not come up is taken back, and the next server is not touched.
    let vm4 = site.began("vm4", "rke2-server");
    let config = site.root("vm3", "sha256sum /etc/rancher/rke2/config.yaml");
    let bad = site.run(&["-e", "rke2_tls_san=refused.invalid"]).expect(2);
    assert!(bad.failure().contains("this name is refused"), "{}", bad.failure());
    assert_eq!(site.root("vm3", "systemctl is-active rke2-server"), "active");
    assert_eq!(site.root("vm3", "sha256sum /etc/rancher/rke2/config.yaml"), config);
    assert_eq!(site.began("vm4", "rke2-server"), vm4);

    // A cluster keeps the token that it began with.
    let other = site
        .run(&["--limit", "vm3", "-e", "rke2_token=another-token-of-the-operator"])
        .expect(2);
    assert!(
        other.failure().contains("in a cluster with another token"),
        "{}",
        other.failure()
    );
    let events: String = other.events.iter().map(ToString::to_string).collect();
    for (what, text) in [
        ("stdout", &other.stdout),
        ("stderr", &other.stderr),
        ("events", &events),
    ] {
        assert!(
            !text.contains("another-token-of-the-operator"),
            "the token is in {what}"
        );
    }
    let kept = stdout(testbed.ssh("ubuntu", DEPLOYMENT).arg(format!("wc -c <{KEPT}")));
    assert_eq!(kept, "65");

    // The first server comes anew: it joins what the others have, and makes no cluster of its own.
    testbed.reset(&["vm3"]);
    let again = ["-e", "rke2_tls_san=api.mosip.test"];
    site.run(&[&["--limit", "vm3"], &again[..]].concat()).expect(0);
    assert_eq!(
        site.root("vm4", "tail -n 1 /var/lib/rancher/rke2/server/db/joins"),
        "server vm3"
    );
    assert_eq!(site.began("vm4", "rke2-server"), vm4);
    site.run(&again).expect(0).unchanged();

    // Another release: all machines run it afterwards.
    let newer = rke2::artifacts(&folder.path().join("newer"), NEWER);
    site.inventory = inventory(&testbed, folder.path(), &newer, NEWER, &FOUR);
    let upgraded = site.run(&again).expect(0);
    eprintln!(
        "another release on four machines took {:.1} s",
        upgraded.took.as_secs_f64()
    );
    for (host, unit) in SERVERS
        .map(|host| (host, "rke2-server"))
        .into_iter()
        .chain([(AGENT, "rke2-agent")])
    {
        let runs =
            format!("readlink /proc/$(systemctl show -p MainPID --value {unit})/exe; rke2 --version | head -n 1");
        assert_eq!(
            site.root(host, &runs),
            format!("/usr/local/bin/rke2\nrke2 version {NEWER} (stand-in)"),
            "{host}"
        );
        assert_eq!(
            site.root(host, &format!("systemctl show -p NRestarts --value {unit}")),
            "0",
            "{host}"
        );
    }
    site.run(&again).expect(0).unchanged();
    assert_eq!(site.nodes(), ["vm3 True", "vm4 True", "vm5 True", "vm6 True"]);
}

#[test]
#[ignore = "needs the testbed"]
fn etcd_may_have_machines_of_its_own() {
    let hosts = [DEPLOYMENT, "vm3", "vm4", "vm5"];
    let testbed = Testbed::of(&hosts);
    testbed.reset(&hosts);
    let folder = tempfile::tempdir().expect("a folder");
    testbed.copy_inventory(folder.path());
    let artifacts = rke2::artifacts(folder.path(), RELEASE);
    // The first machine of the inventory cannot make the cluster: it has no etcd.
    let layout = Layout {
        control: &["vm3"],
        etcd: &["vm4"],
        workers: &["vm5"],
    };
    let site = Site {
        testbed: &testbed,
        program: Program::new(),
        inventory: inventory(&testbed, folder.path(), &artifacts, RELEASE, &layout),
        folder: folder.path().join("inventory"),
    };
    site.run(&[]).expect(0);
    assert_eq!(
        site.root("vm4", "cat /var/lib/rancher/rke2/server/db/joins"),
        "server vm3\nagent vm5"
    );
    assert_eq!(testbed.stat("vm4", "/etc/rancher/rke2/rke2.yaml"), "absent");
    assert_eq!(testbed.stat("vm4", "/var/lib/rancher/rke2/server/manifests"), "absent");
    assert!(
        site.root("vm3", "cat /etc/rancher/rke2/config.yaml")
            .contains("disable-etcd: true")
    );
    for (host, unit) in [("vm3", "rke2-server"), ("vm4", "rke2-server"), ("vm5", "rke2-agent")] {
        assert_eq!(
            site.root(host, &format!("systemctl show -p NRestarts --value {unit}")),
            "0",
            "{host}"
        );
    }
    assert_eq!(site.nodes(), ["vm3 True", "vm4 True", "vm5 True"]);
    site.run(&[]).expect(0).unchanged();
}
