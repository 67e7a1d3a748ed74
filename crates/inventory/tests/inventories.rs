//! The corpora against the recorded answers of ansible-core: listings, host patterns, YAML texts, Python literals.
//! `oracle_inventory.rs` holds that the records are still what Ansible says.

mod support;

use mosip_prov_inventory::python_literal::literal_or_text;
use mosip_prov_inventory::yaml;
use serde_json::Value as Json;
use support::{corpus, listing, masked, plain, read_json, same};

#[test]
fn listings_equal_ansible() {
    let mut wrong = Vec::new();
    let cases = support::inventory_cases();
    assert!(cases.len() >= 60, "the corpus covers the whole format");
    for folder in &cases {
        let case = support::case_request(folder);
        let loaded = support::load_case(&case);
        let ours = listing(&loaded.inventory);
        let theirs = masked(read_json(&folder.join("expected.json")));
        let errors: Vec<String> = loaded
            .diagnostics
            .iter()
            .filter(|d| d.is_error())
            .map(ToString::to_string)
            .collect();
        if !same(&ours, &theirs) || !errors.is_empty() {
            wrong.push(format!(
                "{}\nours:   {ours}\ntheirs: {theirs}\n{errors:?}",
                folder.display()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn patterns_equal_ansible() {
    let expected = read_json(&corpus().join("patterns/expected.json"));
    let mut count = 0;
    for (case, theirs) in support::pattern_cases()
        .iter()
        .zip(expected.as_array().expect("a list"))
    {
        let ours = support::select_all(case);
        let pairs = case["patterns"].as_array().expect("patterns");
        for ((pair, ours), theirs) in pairs.iter().zip(&ours).zip(theirs.as_array().expect("a list")) {
            count += 1;
            // Ansible's command refuses an empty selection; here that is for the caller to judge.
            let theirs_empty = theirs["error"]
                .as_str()
                .is_some_and(|e| e.contains("no hosts to target"));
            let agree = if case["expect_errors"] == true {
                ours.is_object()
            } else {
                ours == theirs || (theirs_empty && (ours.as_array().is_some_and(Vec::is_empty)))
            };
            assert!(agree, "{pair}: ours {ours}, Ansible's {theirs}");
        }
    }
    assert!(count >= 50, "{count} patterns");
}

fn texts_equal(name: &str, least: usize, ours: impl Fn(&str) -> Option<Json>) {
    let texts = read_json(&corpus().join(format!("yaml/{name}.json")));
    let expected = read_json(&corpus().join(format!("yaml/{name}.expected.json")));
    let (texts, expected) = (texts.as_array().expect("a list"), expected.as_array().expect("a list"));
    assert!(texts.len() >= least && texts.len() == expected.len());
    let mut wrong = Vec::new();
    for (text, theirs) in texts.iter().zip(expected) {
        let text = text.as_str().expect("a text");
        let agree = match (ours(text), theirs.get("value")) {
            (Some(ours), Some(theirs)) => same(&ours, theirs),
            (None, None) => true,
            _ => false,
        };
        if !agree {
            wrong.push(format!("{text:?}: ours {:?}, Ansible's {theirs}", ours(text)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        texts.len(),
        wrong.join("\n")
    );
}

#[test]
fn yaml_scalars_equal_pyyaml() {
    texts_equal("scalars", 80, |text| {
        yaml::parse_value(text, "test").ok().map(|value| plain(&value))
    });
}

#[test]
fn yaml_documents_equal_pyyaml() {
    texts_equal("documents", 30, |text| {
        yaml::parse_value(text, "test").ok().map(|value| plain(&value))
    });
}

#[test]
fn literals_equal_python() {
    texts_equal("literals", 80, |text| Some(plain(&literal_or_text(text))));
}
