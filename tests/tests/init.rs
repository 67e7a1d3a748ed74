//! A first inventory from answers, and that it is one that can be deployed.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mosip_prov_tests::certificates::{Kind, write_pair};
use mosip_prov_tests::cluster;
use mosip_prov_tests::program::Program;
use mosip_prov_tests::testbed::Testbed;
use mosip_prov_tests::{program_path, write};

const DOMAIN: &str = "mosip.test";

fn answers(key: &str) -> String {
    format!(
        "domain: {DOMAIN}\nnode: [10.61.0.11, 10.61.0.12, 10.61.0.13, 10.61.0.14, 10.61.0.15, 10.61.0.16]\nobs: 10.61.0.21\n\
         nginx: 10.61.0.31\nnginx_obs: 10.61.0.32\nwireguard: 10.61.0.41\nwireguard_endpoint: 203.0.113.41\n\
         public_ip: 203.0.113.31\nprivate_key: {key}\n"
    )
}

#[test]
fn again_and_with_another_answer() {
    let program = Program::new();
    let site = program.home().join("site");
    write(&program.home().join("answers.yml"), answers("/nowhere/id"));
    let words = ["init", "site", "--answers", "answers.yml"];
    program.run(&words).expect(0).says(&[
        "rancher.ini  written",
        "/nowhere/id is not there",
        "mosip-prov preflight",
    ]);
    program
        .run(&words)
        .expect(0)
        .says(&["rancher.ini  as it was", "terraform.tfvars  as it was"]);
    let all = site.join("inventory/group_vars/all.yml");
    let before = std::fs::read_to_string(&all).expect("written");
    let other = [&words[..], &["--domain", "other.test"]].concat();
    program.run(&other).expect(1).says(&[
        "all.yml is there, and holds something else",
        "-mosip_domain: mosip.test",
        "nothing was written",
    ]);
    assert_eq!(std::fs::read_to_string(&all).expect("kept"), before);
    program
        .run(&[&other[..], &["--force"]].concat())
        .expect(0)
        .says(&["all.yml  replaced"]);
    assert!(
        std::fs::read_to_string(&all)
            .expect("replaced")
            .contains("mosip_domain: other.test")
    );
    write(
        &program.home().join("answers.yml"),
        "domian: x\nnode: [10.61.0.]\nobs: {}\n",
    );
    program
        .run(&words)
        .expect(1)
        .says(&["answers.yml:1:1", "did you mean domain?", "10.61.0.", "answers.yml:3"]);
}

#[test]
fn from_outputs_of_terraform() {
    let program = Program::new();
    write(
        &program.home().join("outputs.json"),
        r#"{"mosip_nodes": {"value": ["10.61.0.11"]}, "obs_ip": {"value": "10.61.0.21"}, "nginx_ip": {"value": "10.61.0.31"},
            "public_ip": {"value": "203.0.113.31"}, "vpc": {"value": "v"}}"#,
    );
    let words = [
        "init",
        "site",
        "--from-terraform",
        "outputs.json",
        "--domain",
        DOMAIN,
        "--nginx",
        "10.61.0.33",
    ];
    program
        .run(&words)
        .expect(0)
        .says(&["outputs that say nothing to us: vpc"]);
    let text = std::fs::read_to_string(program.home().join("site/inventory/rancher.ini")).expect("written");
    assert!(
        text.contains("nginx-node-1 ansible_host=10.61.0.33") && text.contains("vm1 ansible_host=10.61.0.11"),
        "{text}"
    );
    assert!(!program.home().join("site/inventory/hosts.ini").exists());
}

#[test]
fn on_a_terminal() {
    let program = Program::new();
    let binary = program_path("MOSIP_PROV_BIN", "mosip-prov", "mosip-prov-cli");
    let mut child = Command::new("script")
        .args(["-qec", &format!("{} init", binary.display()), "/dev/null"])
        .env("HOME", program.home())
        .env("TERM", "xterm")
        .current_dir(program.home())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script");
    let mut input = child.stdin.take().expect("its input");
    let mut output = child.stdout.take().expect("its output");
    let mut text = Vec::new();
    let mut seen = 0;
    let began = Instant::now();
    for (question, answer) in [
        ("Domain of the installation:", "https://mosip.test"),
        ("address of a page", ""),
        ("an answer is wanted", DOMAIN),
        ("MOSIP nodes", "10.61.0.11 10.61.0.12"),
        ("observation node:", "10.61.0.11"),
        ("has the address of", "10.61.0.21"),
        ("MOSIP front (nginx):", "10.61.0.31"),
        ("[10.61.0.21]:", ""),
        ("Public address of the MOSIP front:", "203.0.113.31"),
        ("VPN gateway (- for none) [-]:", ""),
        ("[ubuntu]:", ""),
        ("[~/.ssh/id_ed25519]:", ""),
    ] {
        let mut buffer = [0_u8; 4096];
        loop {
            let said = String::from_utf8_lossy(&text[seen..]).into_owned();
            if let Some(at) = said.find(question) {
                seen += at + question.len();
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{question}\n{said}");
            let size = output.read(&mut buffer).expect("read");
            assert!(
                size > 0,
                "it ended before {question:?}: {}",
                String::from_utf8_lossy(&text)
            );
            text.extend(&buffer[..size]);
        }
        writeln!(input, "{answer}").expect("typed");
    }
    output.read_to_end(&mut text).expect("read");
    let text = String::from_utf8_lossy(&text);
    assert!(child.wait().expect("ended").success(), "{text}");
    let ini = std::fs::read_to_string(program.home().join("inventory/rancher.ini")).expect("written");
    assert!(
        ini.contains("nginx-obs-node-1 ansible_host=10.61.0.21") && ini.contains("worker-1 physical_vm=vm2"),
        "{ini}"
    );
}

#[test]
#[ignore = "needs the testbed"]
fn what_it_writes_can_be_deployed() {
    let machines = ["vm1", "vm2", "vm3", "vm4", "vm5", "vm6", "nginx-node-1"];
    let testbed = Testbed::of(&machines);
    let program = Program::new();
    write(
        &program.home().join("answers.yml"),
        answers(&testbed.key().to_string_lossy()),
    );
    program.run(&["init", "site", "--answers", "answers.yml"]).expect(0);
    let made = program.home().join("certs");
    write_pair(&made, DOMAIN, Kind::Good);
    let inventory = "site/inventory/rancher.ini";
    program
        .run(&["certificates", "install", "certs", "-i", inventory])
        .expect(0)
        .says(&["nginx: placed", "nginx_obs: placed"]);
    program.run(&["preflight", "--static", "-i", inventory]).expect(0);
    // What the machine that runs it must have, and what of the testbed is not of an installation: its kernel's settings.
    let tools = program.home().join("tools");
    cluster::tool(&tools, "istioctl", "1.15.0");
    let rke = cluster::tool(&tools, "rke", "v1.3.10");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    let (binary, sum) = (
        format!("rke_binary_path={}", rke.path),
        format!("rke_sha256={}", rke.sha256),
    );
    let settings = format!("@{}", testbed.inventory_folder().join("group_vars/all.yml").display());
    let words = [
        "run",
        "deploy-all",
        "--check",
        "-i",
        inventory,
        "-e",
        &settings,
        "-e",
        &binary,
        "-e",
        &sum,
        "--known-hosts",
        "off",
    ];
    let child = program
        .command(&words)
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let ran = program.end(&words, child).expect(0);
    for machine in ["vm1", "vm6", "nginx-node-1", "deployment-node"] {
        assert_eq!(ran.count(machine, "failed"), 0, "{}", ran.shown());
    }
}
