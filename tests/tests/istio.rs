//! Istio in a cluster of stand-ins: API server, kubelet and istioctl play on the deployment node alone.

use mosip_prov_tests::cluster::{self, Cluster};
use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::testbed::{DEPLOYMENT, Testbed};
use serde_json::Value;

const FOLDER: &str = "/home/ubuntu/istio-test";
const KUBECONFIG: &str = "/home/ubuntu/istio-test/kubeconfig";

/// Starts an API server with one node on the deployment node, as units that a reset ends.
fn cluster(testbed: &Testbed) -> Cluster<'_> {
    let pki = cluster::tool_on(testbed, DEPLOYMENT, "pki", "1").path;
    let server = cluster::tool_on(testbed, DEPLOYMENT, "kube-apiserver", "1").path;
    let kubelet = cluster::tool_on(testbed, DEPLOYMENT, "kubelet", "1").path;
    let url = "https://127.0.0.1:6443";
    testbed.root(
        DEPLOYMENT,
        &format!(
            "mkdir -p {FOLDER}/cni/net.d && echo '{{}}' >{FOLDER}/cni/net.d/10-test.conflist && \
             {pki} --dir {FOLDER} --name 127.0.0.1 --server {url} && chown -R ubuntu: {FOLDER} && \
             systemd-run -q --unit=test-apiserver {server} --pki {FOLDER} --data {FOLDER}/data --listen 127.0.0.1:6443 && \
             systemd-run -q --unit=test-kubelet {kubelet} --name n1 --address 127.0.0.1 --server {url} --pki {FOLDER} \
             --net-dir {FOLDER}/cni"
        ),
    );
    Cluster::by(testbed, DEPLOYMENT, KUBECONFIG)
}

fn run(testbed: &Testbed, program: &Program, more: &[&str]) -> Ran {
    let inventory = testbed.deploy_inventory();
    let kubeconfig = format!("istio_kubeconfig={KUBECONFIG}");
    let words = [
        "run",
        "deploy-istio",
        "-i",
        inventory.to_str().expect("UTF-8"),
        "-e",
        &kubeconfig,
    ];
    program.run(&[&words, more].concat())
}

/// The node ports of a gateway, by the port of its service.
fn node_ports(cluster: &Cluster<'_>, gateway: &str) -> Vec<(u64, u64)> {
    let service = cluster.get(&format!("-n istio-system service {gateway}"));
    let number = |port: &Value, name: &str| port[name].as_u64().expect("a number");
    let ports = service["spec"]["ports"].as_array().expect("ports").iter();
    ports
        .map(|port| (number(port, "port"), number(port, "nodePort")))
        .collect()
}

#[test]
#[ignore = "needs the testbed"]
fn istio_comes_and_is_then_left_alone() {
    let testbed = Testbed::of(&[DEPLOYMENT]);
    testbed.reset(&[DEPLOYMENT]);
    let program = Program::new();

    // Without the right istioctl nothing is changed.
    let failure = run(&testbed, &program, &[]).expect(2).failure();
    assert!(
        failure.contains("there is no istioctl on the PATH of the deployment node"),
        "{failure}"
    );
    let install = |version: &str| {
        let tool = cluster::tool_on(&testbed, DEPLOYMENT, "istioctl", version);
        testbed.root(DEPLOYMENT, &format!("ln -sf {} /usr/local/bin/istioctl", tool.path));
    };
    install("1.14.3");
    let failure = run(&testbed, &program, &[]).expect(2).failure();
    assert!(
        failure.contains("1.14.3") && failure.contains("exactly version 1.15.0 is needed"),
        "{failure}"
    );
    install("1.15.0");

    // Nor without a cluster.
    let failure = run(&testbed, &program, &[]).expect(2).failure();
    assert!(failure.contains("there is no kubeconfig"), "{failure}");

    let cluster = cluster(&testbed);
    cluster.wait_ready(&["n1"]);
    let plan = testbed.deploy_inventory();
    let kubeconfig = format!("istio_kubeconfig={KUBECONFIG}");
    let words = [
        "plan",
        "deploy-istio",
        "-i",
        plan.to_str().expect("UTF-8"),
        "-e",
        &kubeconfig,
        "--exit-code",
    ];
    program
        .run(&words)
        .expect(3)
        .says(&["docker.io/istio/operator:1.15.0", "istio-control-plane"]);
    assert!(
        !cluster.try_kubectl("get namespace istio-system", "").status.success(),
        "a plan changes nothing"
    );

    let first = run(&testbed, &program, &[]).expect(0);
    assert_eq!(first.count(DEPLOYMENT, "changed"), 2, "{}", first.shown());
    assert_eq!(
        node_ports(&cluster, "istio-ingressgateway"),
        [(15021, 30521), (80, 30080)]
    );
    assert_eq!(
        node_ports(&cluster, "istio-ingressgateway-internal"),
        [
            (15021, 31521),
            (80, 31080),
            (61616, 31616),
            (5432, 31432),
            (9000, 30900)
        ]
    );
    let istiod = cluster.get("-n istio-system deployment istiod");
    assert_eq!(istiod["status"]["availableReplicas"], 1);
    let again = run(&testbed, &program, &[]).expect(0).unchanged();
    assert!(
        again.exchanges(DEPLOYMENT) <= 3,
        "{} exchanges",
        again.exchanges(DEPLOYMENT)
    );

    // What somebody changed by hand is shown and put right.
    let patch = r#"-n istio-system patch istiooperator istio-control-plane --type=merge -p '{"spec":{"meshConfig":{"accessLogFile":"/dev/null"}}}'"#;
    cluster.kubectl(patch, "");
    let mended = run(&testbed, &program, &["--diff"])
        .expect(0)
        .says(&["accessLogFile", "/dev/null"]);
    assert_eq!(mended.count(DEPLOYMENT, "changed"), 1, "{}", mended.shown());

    // A port that another service has is told at once, in the operator's words.
    let taken = "apiVersion: v1\nkind: Service\nmetadata: {name: other}\nspec:\n  type: NodePort\n  selector: {a: b}\n  \
                 ports: [{port: 1, nodePort: 31999}]\n";
    cluster.kubectl("apply -f -", taken);
    let refused = run(&testbed, &program, &["-e", "nginx_postgres_nodeport=31999"]).expect(2);
    let failure = refused.failure();
    assert!(
        failure.contains("already allocated") && failure.contains("31999"),
        "{failure}"
    );
    run(&testbed, &program, &[]).expect(0);
    run(&testbed, &program, &[]).expect(0).unchanged();
}
