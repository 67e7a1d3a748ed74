//! `mosip-prov deploy`, as an operator types it on the deployment node, from fresh machines to the last stage: killed at
//! every boundary of stages and inside long steps, continued, and again when all is done. RKE, Kubernetes, istioctl, helm,
//! Rancher and the Terraform roots are stand-ins; see `tests/README.md`.

use std::collections::BTreeMap;

use mosip_prov::deploy::Stage;
use mosip_prov_tests::cluster::Cluster;
use mosip_prov_tests::nameserver;
use mosip_prov_tests::picture::Picture;
use mosip_prov_tests::program::Program;
use mosip_prov_tests::shown;
use mosip_prov_tests::site::{ALL, INFRA, Site, VMS, zone};
use mosip_prov_tests::testbed::{DEPLOYMENT, NGINX, Testbed};
use serde_json::Value;

const KUBECONFIG: &str = "/home/ubuntu/rancher/mosip/kube_config_cluster.yml";

/// What a deploy that was let go to its end came to.
struct Went {
    code: i32,
    text: String,
    /// The last event of each of its runs.
    runs: Vec<Value>,
}

impl Went {
    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.text);
        self
    }

    #[track_caller]
    fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.text.contains(part), "{part:?} is missing:\n{}", self.text);
        }
        self
    }

    /// What all its runs changed, over all hosts.
    fn changed(&self) -> u64 {
        let hosts = self
            .runs
            .iter()
            .flat_map(|run| run["hosts"].as_object().into_iter().flatten());
        hosts.map(|(_, counts)| counts["changed"].as_u64().unwrap_or(0)).sum()
    }
}

/// Keeps what the deploy before said and told, for the search for secrets.
const KEEP: &str = "cd /home/ubuntu; cat deploy.log >>all.log 2>/dev/null; cat events.jsonl >>all.jsonl 2>/dev/null; \
                    rm -f deploy.log events.jsonl";

fn deploy(site: &Site<'_>, more: &str) -> Went {
    let deploy = site.deploy(more);
    let log = "/home/ubuntu/deploy.log";
    let done = site.run(&format!(
        "{KEEP}; ({deploy}) >{log} 2>&1; code=$?; cat {log}; exit $code"
    ));
    let events = String::from_utf8_lossy(&site.run("cat /home/ubuntu/events.jsonl 2>/dev/null").stdout).into_owned();
    Went {
        code: done.status.code().unwrap_or(-1),
        text: String::from_utf8_lossy(&done.stdout).into_owned(),
        runs: events
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|event| event["type"] == "run_finished")
            .collect(),
    }
}

/// Deploys, and kills it (SIGKILL) as soon as `condition` holds, a shell's condition on the journal `$J` and the events
/// `$E`. Returns what it had said.
#[track_caller]
fn deploy_killed(site: &Site<'_>, what: &str, condition: &str) -> String {
    let script = format!(
        "cd {INFRA}; J={INFRA}/inventory/.mosip-prov/journal.jsonl; E=/home/ubuntu/events.jsonl; {KEEP}; cd {INFRA}
n=$(cat $J 2>/dev/null | wc -l)
({}) >/home/ubuntu/deploy.log 2>&1 </dev/null & shell=$!
while kill -0 $shell 2>/dev/null; do
  new() {{ tail -n +$((n + 1)) $J 2>/dev/null; }}
  if {condition}; then
    pid=$(new | sed -n 's/.*\"type\":\"deploy_started\".*\"pid\":\\([0-9]*\\).*/\\1/p' | tail -n 1)
    kill -9 $pid; wait $shell; cat /home/ubuntu/deploy.log; echo killed; exit 0
  fi
  sleep 0.02
done
wait $shell; echo \"ended with $?\"; cat /home/ubuntu/deploy.log; exit 1",
        site.deploy("").replace("&& mosip-prov", "&& exec mosip-prov")
    );
    let done = site.run(&script);
    assert!(done.status.success(), "{what}: it was not killed\n{}", shown(&done));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// When the services and containers of every host began.
fn starts(testbed: &Testbed) -> BTreeMap<&'static str, String> {
    let script =
        "systemctl show -p Id,ActiveEnterTimestampMonotonic docker containerd nginx wireguard-container | paste -s
docker inspect -f '{{.Name}} {{.State.StartedAt}}' $(docker ps -q) 2>/dev/null | sort";
    ALL.into_iter().map(|host| (host, testbed.root(host, script))).collect()
}

#[test]
#[ignore = "needs the testbed"]
fn a_deployment_goes_on_wherever_it_was_killed_and_is_then_left_alone() {
    let testbed = Testbed::get();
    let site = Site::fresh(&testbed);

    // Inside long steps, the first time that the stage they are in is gone through.
    let inside = |stage: Stage| match stage {
        Stage::AptUpgrade => Some("grep -q '\"type\":\"task_started\".*\"role\":\"apt-upgrade\"' $E && sleep 5"),
        Stage::Observation => Some("grep -q '\"type\":\"task_output\".*\"role\":\"rke-cluster\"' $E"),
        Stage::Main => Some("grep -q '\"type\":\"task_output\".*\"role\":\"rke-cluster\"' $E"),
        // Terraform goes on without us, and is waited for by its lock.
        Stage::TerraformMosip => Some("test -s inventory/.mosip-prov/terraform/mosip/apply.jsonl"),
        _ => None,
    };
    for (index, stage) in Stage::ALL.into_iter().enumerate() {
        if let Some(condition) = inside(stage) {
            let said = deploy_killed(&site, &format!("inside {stage}"), condition);
            assert!(said.contains(stage.name()), "{stage}:\n{said}");
        }
        // After the last one there is nothing to go on with.
        if index + 1 < Stage::ALL.len() {
            let ended = format!("new | grep -q '\"type\":\"stage_ended\",\"stage\":\"{stage}\"'");
            let said = deploy_killed(&site, &format!("after {stage}"), &ended);
            println!("killed after {stage}");
            assert!(
                stage == Stage::Preflight || said.contains(&format!("going on at {stage}")),
                "{stage}:\n{said}"
            );
        }
    }
    deploy(&site, "")
        .expect(0)
        .says(&["going on at verify-mosip", "DEPLOYED"]);
    let cluster = Cluster::by(&testbed, DEPLOYMENT, KUBECONFIG);
    assert_eq!(cluster.ready_nodes(), VMS);
    assert_eq!(
        cluster.get("-n istio-system deployment istiod")["status"]["availableReplicas"],
        1
    );
    for namespace in ["mosip-stand-in", "cattle-system"] {
        cluster.get(&format!("namespace {namespace}"));
    }

    // Again: nothing is changed, nothing restarted, two round trips with each machine and run.
    let before = starts(&testbed);
    let again = deploy(&site, "")
        .expect(0)
        .says(&["deploying in 13 stages", "DEPLOYED"]);
    assert_eq!(again.changed(), 0, "{}", again.text);
    for run in &again.runs {
        for (host, exchanges) in run["exchanges"].as_object().expect("exchanges") {
            let exchanges = exchanges.as_u64().expect("a number");
            assert!(host == DEPLOYMENT || exchanges <= 2, "{host} took {exchanges}: {run}");
        }
    }
    assert_eq!(starts(&testbed), before, "something was restarted");

    what_has_drifted_is_named(&testbed, &site);
    secrets_are_nowhere(&testbed, &site);
    one_host_comes_back(&testbed, &site, &cluster, "vm5");
}

fn status(site: &Site<'_>, more: &str) -> (i32, String) {
    let done = site.run(&format!(
        "cd {INFRA} && mosip-prov status -i inventory/rancher.ini {more} 2>/dev/null"
    ));
    (
        done.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&done.stdout).into_owned(),
    )
}

/// What somebody changes by hand shows, on its host, and nothing else does.
fn what_has_drifted_is_named(testbed: &Testbed, site: &Site<'_>) {
    let (code, text) = status(site, "--exit-code");
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("All stages are done.") && text.contains("none: all machines are as"),
        "{text}"
    );
    testbed.root(
        NGINX,
        "cp /etc/nginx/nginx.conf /root/nginx.conf && echo '# by hand' >>/etc/nginx/nginx.conf",
    );
    let (code, json) = status(site, "--exit-code --format json");
    assert_eq!(code, 3, "{json}");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let drift = json["drift"].as_array().expect("a list");
    let hosts: Vec<&str> = drift.iter().filter_map(|one| one["host"].as_str()).collect();
    assert_eq!(hosts, [NGINX], "{json}");
    testbed.root(NGINX, "mv /root/nginx.conf /etc/nginx/nginx.conf");
    let (code, text) = status(site, "--offline");
    assert!(code == 0 && !text.contains("DRIFT"), "{text}");
}

/// Nothing secret is in what any of the deploys said, told or wrote down: Rancher's password and tokens, the private keys of
/// the VPN and of the cluster's administrators.
fn secrets_are_nowhere(testbed: &Testbed, site: &Site<'_>) {
    let mut secrets = site.rancher.secrets();
    secrets.push(site.rancher.password());
    let keys = testbed.root(
        "wireguard-node",
        "find / -xdev -name 'peer*.conf' -exec sed -n 's/^PrivateKey *= *//p' {} +",
    );
    secrets.extend(keys.lines().map(str::to_owned));
    let keys = testbed.root(
        DEPLOYMENT,
        &format!("sed -n 's/.*client-key-data: *\\([^ ]*\\).*/\\1/p' {KUBECONFIG}"),
    );
    secrets.extend(keys.lines().map(str::to_owned));
    secrets.retain(|secret| !secret.is_empty());
    assert!(secrets.len() >= 4, "{} secrets are looked for", secrets.len());
    let patterns = secrets.join("\n");
    let script = format!(
        "{KEEP}; test -s all.log -a -s all.jsonl && grep -q deploy_started {INFRA}/inventory/.mosip-prov/journal.jsonl || exit 3
cat >/root/patterns <<'end'\n{patterns}\nend
grep -rlF -f /root/patterns all.log all.jsonl {INFRA}/inventory/.mosip-prov; code=$?; rm /root/patterns; exit $code"
    );
    let found = testbed.try_root(DEPLOYMENT, &script);
    assert_eq!(found.status.code(), Some(1), "secrets are in: {}", shown(&found));
}

/// `host` is lost and comes back as a fresh machine: with `--limit` it becomes what it was, and no other is changed.
fn one_host_comes_back(testbed: &Testbed, site: &Site<'_>, cluster: &Cluster<'_>, host: &'static str) {
    let others: Vec<&str> = VMS.into_iter().chain([NGINX]).filter(|other| *other != host).collect();
    let pictures: Vec<Picture> = others.iter().map(|other| Picture::of(testbed, other)).collect();
    let before = starts(testbed);
    testbed.reset(&[host]);
    let run = |more: &str| {
        let command = format!("cd {INFRA} && mosip-prov run deploy-all -i inventory/rancher.ini -f 12 {more} 2>&1");
        let done = site.run(&command);
        assert_eq!(done.status.code(), Some(0), "{}", shown(&done));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let said = run(&format!("--limit {host}"));
    assert!(said.contains(&format!("{host}  ")), "{said}");
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
}

/// What a pipeline gets when something is wrong before, or at, the first stage.
#[test]
#[ignore = "needs the testbed"]
fn what_cannot_begin_says_so_with_its_exit_code() {
    let testbed = Testbed::of(&["vm1"]);
    let folder = tempfile::tempdir().expect("a folder");
    let inventory = testbed.copy_inventory(folder.path());
    let path = inventory.to_str().expect("UTF-8").to_owned();
    let program = Program::new();
    let deploy = |more: &[&str]| program.run(&[&["deploy", "-i", &path], more].concat());

    let ran = deploy(&[]).expect(1);
    assert!(
        ran.stderr.contains("there is no terminal to ask on") && ran.stderr.contains("--yes"),
        "{}",
        ran.shown()
    );
    let ran = deploy(&["--yes", "--from", "verify-mosip", "--to", "wireguard"]).expect(1);
    assert!(
        ran.stderr.contains("no stage is left to be gone through"),
        "{}",
        ran.shown()
    );
    // All stages are looked at before the first: there are no roots of Terraform here.
    let ran = deploy(&["--yes"]).expect(1);
    assert!(
        ran.stderr.contains("obs_deployment") && ran.stderr.contains("mosip_deployment"),
        "{}",
        ran.shown()
    );
    assert!(!folder.path().join("inventory/.mosip-prov/journal.jsonl").exists());

    // A machine that is not there ends it at the first stage, which says how it goes on.
    let text = std::fs::read_to_string(&inventory).expect("read");
    std::fs::write(
        &inventory,
        text.replace("vm3 ansible_host=10.61.0.13", "vm3 ansible_host=10.61.0.99"),
    )
    .expect("written");
    // The public names lead to the public address, which is another one here than in the deployment above.
    let (of_the_site, here) = ("\napi 60 IN A 10.61.0.31", "\napi 60 IN A 203.0.113.31");
    let records = zone().replace(of_the_site, here);
    assert_ne!(records, zone());
    let nameserver = nameserver::start(&records);
    let server = nameserver.address().to_string();
    let words = ["--yes", "--to", "apt-upgrade", "--nameserver", &server];
    let ran = deploy(&words)
        .expect(4)
        .says(&["STAGE 1/3 preflight: unreachable", "STOPPED", "--to apt-upgrade --yes"]);
    assert!(!ran.stdout.contains("STAGE 2/3"), "{}", ran.shown());
    let ran = program.run(&["status", "--offline", "-i", &path]).expect(0);
    ran.says(&["preflight             failed", "Next is preflight"]);
}
