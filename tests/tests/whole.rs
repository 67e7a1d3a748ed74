//! From fresh hosts to the VPN, the observation cluster, the main cluster, its front and Istio: the whole sequence as an
//! operator types it, again, and for one host alone. RKE, Kubernetes and istioctl are stand-ins; see `tests/README.md`.

use std::collections::BTreeMap;

use mosip_prov_tests::cluster::{self, Cluster};
use mosip_prov_tests::picture::Picture;
use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::testbed::{CONNECTED, DEPLOYMENT, NGINX, Testbed};

const WIREGUARD: &str = "wireguard-node";
const VMS: [&str; 6] = ["vm1", "vm2", "vm3", "vm4", "vm5", "vm6"];
const KUBECONFIG: &str = "/home/ubuntu/rancher/mosip/kube_config_cluster.yml";

fn all() -> Vec<&'static str> {
    [&CONNECTED[..], &[DEPLOYMENT, WIREGUARD]].concat()
}

/// What an operator types, in order.
struct Sequence {
    program: Program,
    wireguard: String,
    fleet: String,
    rke: cluster::Tool,
}

impl Sequence {
    fn new(testbed: &Testbed) -> Self {
        let text = |path: std::path::PathBuf| path.to_str().expect("UTF-8").to_owned();
        Self {
            program: Program::new(),
            wireguard: text(testbed.inventory_folder().join("hosts.ini")),
            fleet: text(testbed.deploy_inventory()),
            rke: cluster::tool_on(testbed, DEPLOYMENT, "rke", "v1.3.10"),
        }
    }

    fn run(&self, playbook: &str, more: &[&str]) -> Ran {
        let inventory = if playbook == "wireguard" {
            &self.wireguard
        } else {
            &self.fleet
        };
        let path = format!("rke_binary_path={}", self.rke.path);
        let digest = format!("rke_sha256={}", self.rke.sha256);
        let words = ["run", playbook, "-i", inventory, "-f", "12", "-e", &path, "-e", &digest];
        let ran = self.program.run(&[&words, more].concat());
        println!("{playbook} {}: {:.1} s", more.join(" "), ran.took.as_secs_f64());
        ran
    }
}

/// When the services and containers of every host began.
fn starts(testbed: &Testbed) -> BTreeMap<&'static str, String> {
    let script =
        "systemctl show -p Id,ActiveEnterTimestampMonotonic docker containerd nginx wireguard-container | paste -s
docker inspect -f '{{.Name}} {{.State.StartedAt}}' $(docker ps -q) 2>/dev/null | sort";
    all()
        .into_iter()
        .map(|host| (host, testbed.root(host, script)))
        .collect()
}

#[test]
#[ignore = "needs the testbed"]
fn fresh_hosts_become_an_installation_and_are_then_left_alone() {
    let testbed = Testbed::get();
    testbed.reset(&all());
    let sequence = Sequence::new(&testbed);
    let istioctl = cluster::tool_on(&testbed, DEPLOYMENT, "istioctl", "1.15.0");
    testbed.root(DEPLOYMENT, &format!("ln -sf {} /usr/local/bin/istioctl", istioctl.path));

    let playbooks = ["wireguard", "deploy-rancher-obs", "deploy-all"];
    for playbook in playbooks {
        sequence.run(playbook, &[]).expect(0);
    }
    let cluster = Cluster::by(&testbed, DEPLOYMENT, KUBECONFIG);
    assert_eq!(cluster.ready_nodes(), VMS);
    assert_eq!(
        cluster.get("-n istio-system deployment istiod")["status"]["availableReplicas"],
        1
    );

    let before = starts(&testbed);
    for playbook in playbooks {
        let again = sequence.run(playbook, &[]).expect(0).unchanged();
        for host in again.hosts().iter().filter(|host| *host != DEPLOYMENT) {
            let exchanges = again.exchanges(host);
            assert!(exchanges <= 2, "{playbook}: {host} took {exchanges}\n{}", again.shown());
        }
    }
    assert_eq!(starts(&testbed), before, "something was restarted");

    one_host_comes_back(&testbed, &sequence, &cluster, "vm5");
}

/// `host` is lost and comes back as a fresh machine: with `--limit` it becomes what it was, and no other is changed.
fn one_host_comes_back(testbed: &Testbed, sequence: &Sequence, cluster: &Cluster<'_>, host: &'static str) {
    let others: Vec<&str> = VMS.into_iter().chain([NGINX]).filter(|other| *other != host).collect();
    let pictures: Vec<Picture> = others.iter().map(|other| Picture::of(testbed, other)).collect();
    let before = starts(testbed);
    testbed.reset(&[host]);
    let ran = sequence.run("deploy-all", &["--limit", host]).expect(0);
    assert_eq!(ran.hosts(), [DEPLOYMENT, host], "{}", ran.shown());
    assert!(ran.count(host, "changed") > 5, "{}", ran.shown());
    cluster.wait_ready(&VMS);
    for (other, picture) in others.iter().zip(&pictures) {
        let differences = picture.differences(&Picture::of(testbed, other));
        assert!(
            differences.is_empty(),
            "{other} was changed:\n{}",
            differences.join("\n")
        );
    }
    let mut after = starts(testbed);
    after.insert(host, before[host].clone());
    assert_eq!(after, before, "something of another host was restarted");
    sequence.run("deploy-all", &[]).expect(0).unchanged();
}
