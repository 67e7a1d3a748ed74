//! What `kubectl` prints: objects as JSON with warnings around them, differences, kubeconfigs, manifests.

use crate::input::Input;
use crate::properties;
use mosip_prov_cluster::kubectl::Reply;
use mosip_prov_cluster::verify::{Expected, Looked, has_releases, is_final, judge};
use mosip_prov_cluster::{Kubeconfig, Kubectl, fuzzing, ready, yaml};
use mosip_prov_resources::Ask as _;
use serde_json::Value;

/// The first byte chooses: objects; the output of `kubectl diff`; a kubeconfig; a manifest.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.byte() % 8 {
        0..=4 => objects(&input.text()),
        5 => difference(&input.text()),
        6 => kubeconfig(&input.text()),
        _ => manifest(&input.text()),
    }
}

/// Objects are judged, the same way each time; there are at most a few findings an object; what is written of them as YAML is read
/// back as they are.
fn objects(text: &str) {
    let ask = Kubectl::new("/b/kube").get(["nodes"]);
    let raw = format!("0\n{text}");
    let reply = ask.read(&raw);
    assert_eq!(reply, ask.read(&raw));
    for status in ["90", "91", "92", "93", "1"] {
        let reply = ask.read(&format!("{status}\n{text}")).expect("a reply");
        assert!(reply.objects().is_err());
    }
    let Ok(Reply::Objects(value)) = reply else {
        return;
    };
    ready::node_trouble(&value);
    ready::deployment_trouble(&value);
    ready::nodes_trouble(&value, &["vm1".to_owned()]);
    let reply = || Reply::Objects(value.clone());
    let looked = Looked {
        nodes: reply(),
        pods: reply(),
        workloads: reply(),
        events: reply(),
    };
    let expected = Expected::nodes(["vm1", "vm2"]).at("2026-11-24T12:00:00Z".parse().expect("a time"));
    let found = judge(&looked, &expected, "/b/kube");
    let items = value["items"].as_array().map_or(0, Vec::len);
    assert!(
        found.len() <= 10 + 8 * items,
        "{} findings of {items} objects",
        found.len()
    );
    assert_eq!(found, judge(&looked, &expected, "/b/kube"));
    let size: usize = found
        .iter()
        .map(|one| one.subject.len() + one.message.len() + one.remedy.as_ref().map_or(0, String::len))
        .sum();
    assert!(
        size <= 10_000 + found.len() * (2000 + 8 * text.len()),
        "{size} bytes of findings"
    );
    let later = found.iter().filter(|one| !is_final(one)).count();
    assert!(later <= found.len());
    has_releases(&looked);
    written(&value);
}

fn written(value: &Value) {
    let numbers_fit = whole(value);
    let text = yaml::document(value);
    let read = yaml::read(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    if numbers_fit {
        assert_eq!(&read, value, "{text}");
    }
}

/// Without numbers that YAML and JSON write differently: those with a point or beyond 64 bits.
fn whole(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_i64(),
        Value::Array(items) => items.iter().all(whole),
        Value::Object(map) => map.values().all(whole),
        _ => true,
    }
}

fn difference(text: &str) {
    let objects = fuzzing::difference(text);
    assert_eq!(objects, fuzzing::difference(text));
    let size: usize = objects.iter().flatten().map(String::len).sum();
    // A line may stand before and after; each ends with a line end.
    assert!(
        size <= 2 * text.len() + 2 * text.lines().count(),
        "{size} bytes out of {}",
        text.len()
    );
}

/// What is wrong with a kubeconfig is said without anything of it; one can be put into another, and is then in there once.
fn kubeconfig(text: &str) {
    const SECRET: &str = "k3y-m4t3rial";
    let config = match Kubeconfig::parse(text) {
        Ok(config) => config,
        Err(error) => {
            let planted = format!("{text}\nuser: {SECRET}\n");
            if let Err(planted) = Kubeconfig::parse(&planted) {
                assert!(!planted.contains(SECRET), "{planted}");
            }
            properties::harmless(&error);
            return;
        }
    };
    config.server();
    config.has_authority_of(&config);
    let shown = format!("{config:?}");
    if let Some(data) = text
        .split("-data:")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        && data.len() > 16
    {
        assert!(!shown.contains(data), "{shown}");
    }
    let empty = Kubeconfig::parse("").expect("one without entries");
    if let Ok(merged) = empty.with(&config, "mosip", &["10.0.0.1".to_owned()]) {
        let again = merged
            .with(&config, "mosip", &["10.0.0.1".to_owned()])
            .expect("put in twice");
        assert_eq!(format!("{merged:?}"), format!("{again:?}"));
    }
}

fn manifest(text: &str) {
    if let Err(error) = fuzzing::agent(text) {
        properties::harmless(&error);
        assert!(error.len() < 200, "{error}");
    }
    let documents = yaml::documents(text);
    let size: usize = documents.iter().map(String::len).sum();
    assert!(size <= text.len() + 1);
}
