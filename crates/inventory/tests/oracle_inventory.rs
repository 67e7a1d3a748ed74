//! Holds the recorded answers against ansible-core itself. `MOSIP_PROV_ORACLE` names a virtual environment with
//! ansible-core 2.18; with `MOSIP_PROV_ORACLE_RECORD=1` the answers are written down.

mod support;

use serde_json::{Value as Json, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{corpus, read_json, same};

fn ask(action: &str, request: &Json) -> Vec<Json> {
    let oracle = std::env::var("MOSIP_PROV_ORACLE").expect("MOSIP_PROV_ORACLE names a virtual environment");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/inventory.py");
    let mut python = Command::new(Path::new(&oracle).join("bin/python"))
        .arg(script)
        .arg(action)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    python
        .stdin
        .take()
        .expect("piped")
        .write_all(request.to_string().as_bytes())
        .expect("python reads");
    let output = python.wait_with_output().expect("python ends");
    assert!(output.status.success(), "{action}: {}", output.status);
    let answer: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    answer.as_array().expect("a list").clone()
}

/// Compares with the record, or writes it.
fn hold(record: &Path, answer: &Json) {
    if std::env::var_os("MOSIP_PROV_ORACLE_RECORD").is_some() {
        let text = serde_json::to_string_pretty(answer).expect("JSON");
        std::fs::write(record, text + "\n").expect("written");
    }
    let recorded = read_json(record);
    assert!(
        same(&recorded, answer),
        "{}: Ansible now says {answer}",
        record.display()
    );
}

#[test]
#[ignore = "needs the oracle"]
fn listings() {
    let cases = support::inventory_cases();
    let request: Vec<Json> = cases.iter().map(|folder| support::case_request(folder)).collect();
    for (folder, answer) in cases.iter().zip(ask("list", &json!(request))) {
        assert!(answer.get("error").is_none(), "{}: {answer}", folder.display());
        hold(&folder.join("expected.json"), &answer);
    }
}

#[test]
#[ignore = "needs the oracle"]
fn examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../inventory-examples");
    let request: Vec<Json> = ["guide/rancher.ini", "small/hosts.ini", "wireguard/hosts.ini"]
        .iter()
        .map(|source| json!({ "folder": folder, "sources": [source] }))
        .collect();
    for (case, theirs) in request.iter().zip(ask("list", &json!(request))) {
        let ours = support::listing(&support::load_case(case).inventory);
        assert!(same(&ours, &theirs), "{case}: ours {ours}, Ansible's {theirs}");
    }
}

#[test]
#[ignore = "needs the oracle"]
fn patterns() {
    let answers = ask("patterns", &json!(support::pattern_cases()));
    hold(&corpus().join("patterns/expected.json"), &json!(answers));
}

#[test]
#[ignore = "needs the oracle"]
fn yaml_texts() {
    for name in ["scalars", "documents"] {
        let texts = read_json(&corpus().join(format!("yaml/{name}.json")));
        hold(
            &corpus().join(format!("yaml/{name}.expected.json")),
            &json!(ask("yaml", &texts)),
        );
    }
}

#[test]
#[ignore = "needs the oracle"]
fn literals() {
    let texts = read_json(&corpus().join("yaml/literals.json"));
    hold(
        &corpus().join("yaml/literals.expected.json"),
        &json!(ask("literal", &texts)),
    );
}

#[test]
#[ignore = "needs the oracle"]
fn ansible_opens_our_vaults() {
    let texts = ["", "one line", "two\nlines: ü\n", "exactly sixteen."];
    let secret = secrecy::SecretString::from("swordfish".to_owned());
    let request: Vec<Json> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| {
            let salt = [u8::try_from(i).expect("small"); 32];
            let vault = mosip_prov_inventory::vault::encrypt(text, &secret, &salt, (i % 2 == 0).then_some("lab"));
            json!({ "password": "swordfish", "text": vault })
        })
        .collect();
    assert_eq!(ask("vault", &json!(request)), texts.map(|text| json!(text)));
}
