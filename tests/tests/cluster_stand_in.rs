//! The stand-ins of a cluster keep the contracts that `tests/README.md` states, seen with the real `ssh`, Docker and
//! `kubectl`.

use std::process::Output;
use std::time::{Duration, Instant};

use mosip_prov_tests::cluster::{self, ImportServer, Rke, Tool};
use mosip_prov_tests::shown;
use mosip_prov_tests::stand_in::StandIns;
use mosip_prov_tests::testbed::{DEPLOYMENT, Testbed, address};
use serde_json::json;

const FOLDER: &str = "/home/ubuntu/of-a-test";
/// Two control-plane nodes and a worker.
const NODES: [(&str, &str); 3] = [
    ("vm4", "controlplane, etcd"),
    ("vm5", "controlplane, etcd"),
    ("vm6", "worker"),
];
const NAMES: [&str; 3] = ["vm4", "vm5", "vm6"];
const HOSTS: [&str; 4] = [DEPLOYMENT, "vm4", "vm5", "vm6"];

fn cluster_yml(nodes: &[(&str, &str)]) -> String {
    let nodes: String = nodes
        .iter()
        .map(|(name, roles)| {
            format!(
                "- {{address: {}, port: 22, user: ubuntu, hostname_override: {name}, role: [{roles}], \
                 docker_socket: /var/run/docker.sock}}\n",
                address(name)
            )
        })
        .collect();
    format!(
        "nodes:\n{nodes}cluster_name: mosip\nssh_key_path: ~/.ssh/id_ed25519\nnetwork: {{plugin: canal, mtu: 1400}}\n"
    )
}

/// The cluster, built if it is not there.
fn built<'t>(testbed: &'t Testbed, tool: &Tool) -> Rke<'t> {
    let rke = Rke::in_folder(testbed, DEPLOYMENT, FOLDER);
    if !rke.cluster().try_kubectl("get nodes", "").status.success() {
        testbed.reset(&NAMES);
        testbed.root(DEPLOYMENT, &format!("rm -rf {FOLDER}"));
    }
    cluster::install_docker(testbed, &NAMES);
    rke.write("cluster.yml", &cluster_yml(&NODES));
    rke.undisturbed();
    succeeded(&rke.up(tool), "Finished building Kubernetes cluster successfully");
    rke.cluster().wait_ready(&NAMES);
    rke
}

#[track_caller]
fn succeeded(done: &Output, part: &str) {
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains(part), "{part}\n{}", shown(done));
}

#[track_caller]
fn failed(done: &Output, part: &str) {
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.code() == Some(1) && said.contains(part),
        "{part}\n{}",
        shown(done)
    );
}

fn began(testbed: &Testbed, host: &str) -> String {
    testbed.root(
        host,
        "docker inspect -f '{{.Name}} {{.State.StartedAt}}' $(docker ps -q)",
    )
}

#[test]
#[ignore = "needs the testbed"]
fn a_cluster_is_built_changed_and_survives_what_befalls_its_hosts() {
    let testbed = Testbed::of(&HOSTS);
    testbed.reset(&HOSTS);
    let tool = cluster::tool_on(&testbed, DEPLOYMENT, "rke", "v1.3.10");
    let rke = Rke::in_folder(&testbed, DEPLOYMENT, FOLDER);
    rke.write("cluster.yml", &cluster_yml(&NODES));

    // The tool is what it says, with the digest said.
    let asked = testbed.root(DEPLOYMENT, &format!("{0} --version; sha256sum {0}", tool.path));
    assert!(
        asked.starts_with("rke version v1.3.10\n") && asked.contains(&tool.sha256),
        "{asked}"
    );

    // Without Docker no host can be a node.
    let done = rke.up(&tool);
    failed(
        &done,
        "Cluster must have at least one etcd plane host: failed to connect",
    );
    failed(&done, "Failed to dial to Docker");
    cluster::install_docker(&testbed, &NAMES);

    // Nor where something else has the API server's port.
    {
        let _other = StandIns::start(&testbed, &["vm5"], &["6443"]);
        failed(
            &rke.up(&tool),
            "on host [10.61.0.15]: listen tcp 0.0.0.0:6443: bind: address already in use",
        );
    }

    // Killed in the midst, it goes on where it was.
    rke.pause("controlplane", 60_000);
    let mut child = rke.command(&tool, "up").spawn().expect("ssh");
    let patience = Instant::now();
    while !testbed
        .try_root("vm5", "docker inspect kube-apiserver")
        .status
        .success()
    {
        assert!(patience.elapsed() < Duration::from_secs(40), "no API server");
        std::thread::sleep(Duration::from_millis(200));
    }
    rke.kill();
    let _ = child.wait();
    assert!(
        testbed
            .root(DEPLOYMENT, &format!("cat {FOLDER}/cluster.rkestate"))
            .contains("kube-ca")
    );
    rke.undisturbed();
    let began_before = began(&testbed, "vm4");
    succeeded(&rke.up(&tool), "Finished building Kubernetes cluster successfully");
    let cluster = rke.cluster();
    cluster.wait_ready(&NAMES);
    assert!(
        began(&testbed, "vm4").contains(began_before.trim()),
        "the API server was started again"
    );
    assert!(
        testbed
            .stat(DEPLOYMENT, &format!("{FOLDER}/kube_config_cluster.yml"))
            .starts_with("600 ubuntu:ubuntu")
    );
    for host in NAMES {
        let conflist = testbed.root(host, "cat /etc/cni/net.d/10-canal.conflist");
        let conflist: serde_json::Value = serde_json::from_str(&conflist).expect("JSON");
        assert_eq!(conflist["plugins"][0]["mtu"], 1400, "{host}");
    }
    let node = cluster.get("node vm5");
    assert_eq!(node["metadata"]["labels"]["node-role.kubernetes.io/etcd"], "true");

    // A second run starts nothing again.
    let before = NAMES.map(|host| began(&testbed, host));
    succeeded(&rke.up(&tool), "Finished building");
    assert_eq!(NAMES.map(|host| began(&testbed, host)), before);

    // A node that leaves the file leaves the cluster, and comes back.
    rke.write("cluster.yml", &cluster_yml(&NODES[..2]));
    succeeded(&rke.up(&tool), "Removing host");
    cluster.wait_ready(&NAMES[..2]);
    assert_eq!(testbed.root("vm6", "docker ps -q"), "");
    rke.write("cluster.yml", &cluster_yml(&NODES));
    succeeded(&rke.up(&tool), "Finished building");
    cluster.wait_ready(&NAMES);

    // A host that starts again comes back by itself; one that is new has its part of the cluster after another run,
    // and the cluster its objects, even when it was the first.
    cluster.kubectl("create configmap kept --from-literal=a=b", "");
    std::thread::sleep(Duration::from_secs(5));
    testbed.xtask(&["restart", "vm6"]);
    cluster.wait_ready(&NAMES);
    testbed.reset(&["vm4"]);
    cluster::install_docker(&testbed, &["vm4"]);
    succeeded(&rke.up(&tool), "Restoring the members of host [10.61.0.14]");
    cluster.wait_ready(&NAMES);
    assert_eq!(cluster.get("configmap kept")["data"]["a"], "b");

    // A host that is cut off becomes unready, and a run says that it is not whole.
    {
        let _cut = testbed.cut("vm6");
        cluster.wait_ready(&NAMES[..2]);
        failed(&rke.up(&tool), "Provisioning incomplete, host(s) [10.61.0.16] skipped");
    }
    cluster.wait_ready(&NAMES);

    // Whoever loses the state loses the cluster.
    testbed.root(DEPLOYMENT, &format!("mv {FOLDER}/cluster.rkestate {FOLDER}/kept"));
    failed(
        &rke.up(&tool),
        "[etcd] Failed to bring up Etcd Plane: etcd cluster is unhealthy",
    );
    let refused = rke.cluster().try_kubectl("get nodes", "");
    assert!(!refused.status.success(), "{}", shown(&refused));
    testbed.root(DEPLOYMENT, &format!("mv {FOLDER}/kept {FOLDER}/cluster.rkestate"));
    succeeded(&rke.up(&tool), "Finished building");
    rke.cluster().wait_ready(&NAMES);
}

#[test]
#[ignore = "needs the testbed"]
fn what_rke_refuses_is_refused() {
    let testbed = Testbed::of(&[DEPLOYMENT]);
    let tool = cluster::tool_on(&testbed, DEPLOYMENT, "rke", "v1.3.9");
    let asked = testbed.root(DEPLOYMENT, &format!("{} --version", tool.path));
    assert_eq!(asked, "rke version v1.3.9");
    let rke = Rke::in_folder(&testbed, DEPLOYMENT, "/home/ubuntu/of-another-test");
    let good = cluster_yml(&NODES);
    for (text, part) in [
        (
            good.replace("canal", "cilium"),
            "Network plugin [cilium] is not supported",
        ),
        (good.replace("mtu: 1400", "mtu: large"), "cannot unmarshal"),
        (
            good.replace("id_ed25519", "id_none"),
            "Error while reading SSH key file: open /home/ubuntu/.ssh/id_none",
        ),
        (
            good.replace("user: ubuntu", "user: nobody-here"),
            "using SSH. Please check if you are able to SSH",
        ),
        (good.replace("cluster_name", "name"), "unknown field"),
    ] {
        rke.write("cluster.yml", &text);
        failed(&rke.up(&tool), part);
    }
    let missing = rke.command(&tool, "up --config none.yml").output().expect("ssh");
    failed(&missing, "Can not find cluster configuration file");
    testbed.root(DEPLOYMENT, "rm -r /home/ubuntu/of-another-test");
}

#[test]
#[ignore = "needs the testbed"]
fn the_real_kubectl_is_served() {
    let testbed = Testbed::of(&HOSTS);
    let tool = cluster::tool_on(&testbed, DEPLOYMENT, "rke", "v1.3.10");
    let rke = built(&testbed, &tool);
    let cluster = rke.cluster();
    cluster.wish(&json!({}));

    // Objects are made, changed in all ways, shown and deleted.
    let import = ImportServer::start();
    let manifest = format!("apply -f {}", import.url("good.yaml"));
    let applied = cluster.kubectl(&manifest, "");
    assert!(
        applied.contains("deployment.apps/cattle-cluster-agent created"),
        "{applied}"
    );
    cluster.kubectl(
        "-n cattle-system rollout status deployment cattle-cluster-agent --timeout=30s",
        "",
    );
    let again = cluster.kubectl(&manifest, "");
    assert!(again.lines().all(|line| line.ends_with("unchanged")), "{again}");
    let agent = cluster.get("-n cattle-system deployment cattle-cluster-agent");
    assert_eq!(agent["status"]["readyReplicas"], 2);
    cluster.kubectl("create configmap of-a-test --from-literal=a=b --from-literal=c=d", "");
    for patch in [
        r#"-p '{"data":{"a":"1"}}'"#,
        r#"--type=merge -p '{"data":{"c":null}}'"#,
        r#"--type=json -p '[{"op":"add","path":"/data/e","value":"f"}]'"#,
    ] {
        cluster.kubectl(&format!("patch configmap of-a-test {patch}"), "");
    }
    assert_eq!(cluster.get("configmap of-a-test")["data"], json!({"a": "1", "e": "f"}));
    let selected = cluster.get("pods -A -l k8s-app=canal --field-selector spec.nodeName=vm6");
    assert_eq!(selected["items"].as_array().map(Vec::len), Some(1));
    cluster.kubectl("delete namespace cattle-system", "");
    let gone = cluster.try_kubectl("-n cattle-system get deployment cattle-cluster-agent", "");
    assert!(
        String::from_utf8_lossy(&gone.stderr).contains("NotFound"),
        "{}",
        shown(&gone)
    );
    cluster.kubectl("delete configmap of-a-test", "");
    let nodes = cluster.kubectl("get nodes", "");
    assert!(nodes.contains("vm6    Ready    worker"), "{nodes}");

    // Nobody else is let in.
    let port = format!("https://{}:6443", address("vm4"));
    let asked = testbed.root(
        DEPLOYMENT,
        &format!("curl -sk -w ' %{{http_code}}' {port}/api/v1/nodes"),
    );
    assert!(asked.contains("Unauthorized") && asked.ends_with(" 401"), "{asked}");
    let node = "--cert /etc/kubernetes/ssl/kube-node.pem --key /etc/kubernetes/ssl/kube-node-key.pem";
    let asked = testbed.root(
        "vm6",
        &format!("curl -sk {node} -X DELETE -w ' %{{http_code}}' {port}/api/v1/nodes/vm4"),
    );
    assert!(asked.ends_with(" 403"), "{asked}");

    // Wishes are granted.
    cluster.wish(&json!({"not_ready_nodes": ["vm5"], "stuck_pods": ["kube-system/metrics-server"]}));
    cluster.wait_ready(&["vm4", "vm6"]);
    let pods = cluster.kubectl("-n kube-system get pods", "");
    let stuck = pods
        .lines()
        .find(|line| line.starts_with("metrics-server"))
        .expect("the pod");
    assert!(stuck.contains("ContainerCreating"), "{pods}");
    cluster.wish(&json!({}));
    cluster.wait_ready(&NAMES);

    // A new MTU reaches a node with the next canal pod.
    cluster.kubectl(
        "-n kube-system patch configmap canal-config -p '{\"data\":{\"veth_mtu\":\"1300\"}}'",
        "",
    );
    cluster.kubectl("-n kube-system delete pods -l k8s-app=canal", "");
    std::thread::sleep(Duration::from_secs(1));
    cluster.kubectl("-n kube-system rollout status daemonset canal --timeout=40s", "");
    assert!(
        testbed
            .root("vm5", "cat /etc/cni/net.d/10-canal.conflist")
            .contains("\"mtu\": 1300,")
    );
    succeeded(&rke.up(&tool), "Finished building");
    assert_eq!(
        cluster.get("-n kube-system configmap canal-config")["data"]["veth_mtu"],
        "1300"
    );
}

#[test]
#[ignore = "needs the testbed"]
fn istio_comes_with_its_operator() {
    let testbed = Testbed::of(&HOSTS);
    let tool = cluster::tool_on(&testbed, DEPLOYMENT, "rke", "v1.3.10");
    let rke = built(&testbed, &tool);
    let cluster = rke.cluster();
    let istioctl = cluster::tool_on(&testbed, DEPLOYMENT, "istioctl", "1.15.0");
    let run = |words: &str| {
        let kubeconfig = format!("KUBECONFIG={FOLDER}/kube_config_cluster.yml");
        testbed.root(DEPLOYMENT, &format!("{kubeconfig} {} {words}", istioctl.path))
    };
    assert_eq!(run("version --remote=false"), "1.15.0");
    assert!(run("operator init").contains("Installing operator controller in namespace: istio-operator"));
    assert!(run("operator init").contains("already installed"));
    cluster.kubectl(
        "wait --for=condition=Established crd/istiooperators.install.istio.io --timeout=20s",
        "",
    );
    let operator = |spec: &str| {
        format!(
            "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\n\
             metadata: {{name: istio-control-plane, namespace: istio-system}}\nspec: {spec}\n"
        )
    };
    let wait = |status: &str| {
        let began = Instant::now();
        loop {
            let have = cluster.get("-n istio-system istiooperator istio-control-plane");
            if have["status"]["status"] == status {
                return have;
            }
            assert!(began.elapsed() < Duration::from_secs(40), "{have:#}");
            std::thread::sleep(Duration::from_millis(500));
        }
    };
    cluster.kubectl(
        "apply -f -",
        &operator("{profile: default, meshConfig: {accessLog: /dev/stdout}}"),
    );
    let wrong = wait("ERROR");
    assert!(
        wrong["status"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("accessLog")),
        "{wrong:#}"
    );
    let gateway = "{name: istio-ingressgateway-internal, enabled: true, label: {istio: ingressgateway-internal}, k8s: \
                   {service: {type: NodePort, ports: [{name: http2, port: 80, targetPort: 8080, nodePort: 31080}]}}}";
    let good = format!("{{profile: default, components: {{ingressGateways: [{gateway}]}}}}");
    cluster.kubectl("apply -f -", &operator(&good));
    wait("HEALTHY");
    cluster.kubectl("-n istio-system rollout status deployment istiod --timeout=20s", "");
    let service = cluster.get("-n istio-system service istio-ingressgateway-internal");
    assert_eq!(service["spec"]["ports"][0]["nodePort"], 31080);
    cluster.kubectl("-n istio-system delete istiooperator istio-control-plane", "");
    let left = cluster.get("-n istio-system deployments");
    assert_eq!(left["items"], json!([]));
    cluster.kubectl("delete namespace istio-operator istio-system", "");
}
