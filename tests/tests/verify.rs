//! `mosip-prov verify` of a cluster of stand-ins through the real `kubectl`: every situation that `crates/cluster` judges
//! from its files, told apart by name.

use mosip_prov_tests::cluster::{self, Cluster};
use mosip_prov_tests::program::{Program, Ran};
use mosip_prov_tests::testbed::{DEPLOYMENT, Testbed, address};
use mosip_prov_tests::write;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const FOLDER: &str = "/home/ubuntu/verify-test";
const KUBECONFIG: &str = "/home/ubuntu/verify-test/kubeconfig";
const UNIT: &str = "verify-test-apiserver";

fn situations() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/cluster/tests/situations");
    let files = std::fs::read_dir(folder).expect("the situations");
    files
        .map(|file| {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("read");
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, as_of_now(&serde_json::from_str(&text).expect("JSON")))
        })
        .collect()
}

/// The same situation with all its times as long ago as they were by its own clock.
fn as_of_now(situation: &Value) -> Value {
    let then: jiff::Timestamp = situation["now"].as_str().expect("now").parse().expect("a time");
    let moved = jiff::Timestamp::now().duration_since(then);
    fn shift(value: &Value, by: jiff::SignedDuration) -> Value {
        match value {
            Value::String(text) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => json!((time + by).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
                Err(_) => value.clone(),
            },
            Value::Array(all) => all.iter().map(|one| shift(one, by)).collect(),
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(name, one)| (name.clone(), shift(one, by)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }
    shift(situation, moved)
}

/// Starts an API server on the deployment node where nothing happens by itself.
fn cluster(testbed: &Testbed) -> Cluster<'_> {
    let pki = cluster::tool_on(testbed, DEPLOYMENT, "pki", "1").path;
    let server = cluster::tool_on(testbed, DEPLOYMENT, "kube-apiserver", "1").path;
    testbed.root(
        DEPLOYMENT,
        &format!(
            "systemctl stop {UNIT} 2>/dev/null; rm -rf {FOLDER}; mkdir -p {FOLDER}; \
             {pki} --dir {FOLDER} --name 127.0.0.1 --server https://127.0.0.1:16443 && chown -R ubuntu: {FOLDER} && \
             systemd-run -q --unit={UNIT} {server} --pki {FOLDER} --data {FOLDER}/data --listen 127.0.0.1:16443 && \
             for i in $(seq 50); do KUBECONFIG={KUBECONFIG} kubectl get --raw /readyz >/dev/null 2>&1 && break; sleep 0.1; done"
        ),
    );
    Cluster::by(testbed, DEPLOYMENT, KUBECONFIG)
}

/// Makes the objects of a situation those of the cluster.
fn load(cluster: &Cluster<'_>, situation: &Value) {
    let key = |object: &Value| match object["kind"].as_str().expect("a kind") {
        "Deployment" => "deployments.apps",
        "DaemonSet" => "daemonsets.apps",
        "StatefulSet" => "statefulsets.apps",
        "Job" => "jobs.batch",
        "Node" => "nodes",
        "Pod" => "pods",
        "PersistentVolumeClaim" => "persistentvolumeclaims",
        "Event" => "events",
        other => panic!("no kind {other}"),
    };
    let objects = situation["objects"].as_array().expect("objects").iter();
    let objects: Vec<Value> = objects
        .map(|object| json!({"resource": key(object), "object": object}))
        .collect();
    let state = json!({"revision": 1000, "settings": {"frozen": true}, "objects": objects});
    cluster.kubectl("replace --raw /stand-in/state -f -", &state.to_string());
}

/// An inventory whose cluster has just these nodes.
fn inventory(testbed: &Testbed, folder: &Path, nodes: &[&str]) -> String {
    let machines: String = nodes
        .iter()
        .map(|node| format!("{node} ansible_host=10.61.0.1\n"))
        .collect();
    let machines = if machines.is_empty() {
        "spare ansible_host=10.61.0.1\n".to_owned()
    } else {
        machines
    };
    let carried: String = nodes
        .iter()
        .map(|node| format!("on-{node} physical_vm={node}\n"))
        .collect();
    let text = format!(
        "[deployment]\n{DEPLOYMENT} ansible_host={}\n[physical_vms]\n{machines}[worker_nodes]\n{carried}[all:vars]\n\
         ansible_user=ubuntu\nansible_ssh_private_key_file={}\nansible_host_key_checking=False\n",
        address(DEPLOYMENT),
        testbed.key().display()
    );
    let path = folder.join(format!(
        "{}.ini",
        if nodes.is_empty() {
            "none".to_owned()
        } else {
            nodes.join("-")
        }
    ));
    write(&path, text);
    path.to_str().expect("UTF-8").to_owned()
}

fn verify(program: &Program, inventory: &str, kubeconfig: &str, more: &[&str]) -> Ran {
    let kubeconfig = format!("verify_kubeconfig={kubeconfig}");
    let words = ["verify", "mosip", "--no-fronts", "-i", inventory, "-e", &kubeconfig];
    program.run(&[&words, more].concat())
}

/// What was found and is not as it should be, as the files of situations write it.
fn remarks(ran: &Ran) -> Vec<Value> {
    let all: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{}", ran.shown()));
    let findings = all["findings"].as_array().expect("findings").iter();
    findings
        .filter(|one| one["level"] != "ok")
        .map(
            |one| json!({"area": one["area"], "check": one["check"], "level": one["level"], "subject": one["subject"]}),
        )
        .collect()
}

#[test]
#[ignore = "needs the testbed"]
fn every_situation_is_told_apart_through_the_real_kubectl() {
    let testbed = Testbed::of(&[DEPLOYMENT]);
    let cluster = cluster(&testbed);
    let program = Program::new();
    let folder = tempfile::tempdir().expect("a folder");
    let once = ["--wait", "0", "--format", "json"];
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for (name, situation) in situations() {
        if situation["reply"].is_object() {
            continue;
        }
        looked_at += 1;
        load(&cluster, &situation);
        let nodes: Vec<&str> = situation["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let ran = verify(&program, &inventory(&testbed, folder.path(), &nodes), KUBECONFIG, &once);
        let failing = situation["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .any(|one| one["level"] == "failure");
        let found = remarks(&ran);
        if json!(found) != situation["findings"] || ran.code != if failing { 2 } else { 0 } {
            wrong.push(format!("{name}: exit {}, {found:?}", ran.code));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {looked_at} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(looked_at >= 40, "{looked_at} situations");

    // It waits for what comes, says for what, and sees it come.
    let three = inventory(&testbed, folder.path(), &["vm1", "vm2", "vm3"]);
    let all = situations();
    load(&cluster, &all["starting"]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_secs(4));
            load(&cluster, &all["well"]);
        });
        let ran = verify(&program, &three, KUBECONFIG, &["--wait", "60"]).expect(0);
        let lines = ran
            .stderr
            .matches("waiting for 1: prereg/prereg-5d8f6c7b9-q7x2v (starting)")
            .count();
        assert_eq!(lines, 1, "said once: {}", ran.shown());
    });

    // What waiting cannot mend ends at once.
    load(&cluster, &all["invalid_image_name"]);
    let ran = verify(&program, &three, KUBECONFIG, &["--wait", "60"]).expect(2);
    assert!(ran.took.as_secs() < 30, "{}", ran.shown());

    // What cannot be asked is told apart as well.
    let missing = verify(&program, &three, "/nowhere/kubeconfig", &once).expect(2);
    assert_eq!(
        remarks(&missing)[0]["check"],
        "kubeconfig_missing",
        "{}",
        missing.shown()
    );
    testbed.root(
        DEPLOYMENT,
        &format!(
            "cd {FOLDER} && sed s/16443/16444/ kubeconfig >elsewhere && \
             sed -E '/client-(certificate|key)-data/d' kubeconfig >nobody && \
             sed -E 's/client-certificate-data:.*/token: unknown/; /client-key-data/d' kubeconfig >unknown && \
             chown ubuntu: elsewhere nobody unknown"
        ),
    );
    for (file, check) in [
        ("elsewhere", "api_unreachable"),
        ("nobody", "unauthorized"),
        ("unknown", "unauthorized"),
    ] {
        let ran = verify(&program, &three, &format!("{FOLDER}/{file}"), &once).expect(2);
        let found = remarks(&ran);
        assert_eq!((found.len(), &found[0]["check"]), (1, &json!(check)), "{}", ran.shown());
    }
    testbed.root(DEPLOYMENT, &format!("systemctl stop {UNIT}; rm -rf {FOLDER}"));

    // A deployment node that is not there is unreachable, and nothing else is wrong.
    let text = std::fs::read_to_string(&three).expect("read");
    let gone = folder.path().join("gone.ini");
    let nowhere = text.replace(
        &format!("ansible_host={}", address(DEPLOYMENT)),
        "ansible_host=127.0.0.1 ansible_port=1",
    );
    write(&gone, nowhere);
    let ran = verify(&program, gone.to_str().expect("UTF-8"), KUBECONFIG, &once).expect(4);
    assert_eq!(remarks(&ran)[0]["check"], "unreachable", "{}", ran.shown());
}
