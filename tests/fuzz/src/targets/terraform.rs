//! Terraform's streams of JSON lines, its plans as JSON, its outputs, and files of values.

use crate::input::{Input, pieces};
use crate::properties;
use mosip_prov_terraform::tfvars::{Tfvars, quoted};
use mosip_prov_terraform::{Outputs, Shown, TerraformDiagnostic, fuzzing, text};
use serde_json::{Value, json};
use std::path::Path;

/// The first byte chooses: a stream, in whatever pieces; a plan; outputs; what terraform says to people; a file of values.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    match choice % 8 {
        0..=3 => stream(input.rest(), u64::from(choice)),
        4 => plan(input.rest()),
        5 => outputs(input.rest()),
        6 => {
            for found in TerraformDiagnostic::in_text(&input.text()) {
                shown(&serde_json::to_value(&found).expect("JSON"), bytes.len());
            }
        }
        _ => values(&input.text()),
    }
}

/// It makes no difference in which pieces a stream comes; what is told of it steers no terminal, and is bounded.
fn stream(bytes: &[u8], seed: u64) {
    let (events, progress) = fuzzing::stream(&[bytes]);
    let cut = fuzzing::stream(&pieces(bytes, seed));
    assert_eq!((&events, progress), (&cut.0, cut.1), "pieces make a difference");
    assert!(events.len() <= bytes.split(|byte| *byte == b'\n').count());
    for event in &events {
        shown(&serde_json::to_value(event).expect("JSON"), bytes.len());
    }
}

/// No text in an event is longer than what is kept, or steers a terminal.
fn shown(value: &Value, _size: usize) {
    match value {
        Value::String(text) => {
            properties::harmless(text);
            assert!(text.chars().count() <= text::MESSAGE_LIMIT + 1);
        }
        Value::Array(items) => items.iter().for_each(|item| shown(item, _size)),
        Value::Object(map) => map.iter().for_each(|(_, item)| shown(item, _size)),
        _ => {}
    }
}

/// What terraform marks as sensitive is shown nowhere, though it may stand at other places too.
fn plan(bytes: &[u8]) {
    let Ok(mut json) = serde_json::from_slice::<Value>(bytes) else {
        // What nobody reads is passed over, be it text or not.
        assert!(fuzzing::show(&[], bytes).is_err() || std::str::from_utf8(bytes).is_err());
        return;
    };
    let mut addresses = vec!["terraform_data.x".to_owned()];
    for change in json["resource_changes"].as_array().into_iter().flatten() {
        addresses.extend(change["address"].as_str().map(str::to_owned));
    }
    let plain = fuzzing::show(&addresses, bytes);
    assert_eq!(plain, fuzzing::show(&addresses, bytes));
    if let Ok(plan) = &plain {
        shown(&serde_json::to_value(plan).expect("JSON"), bytes.len());
    }
    const SECRET: &str = "pl4nt3d-s3cret";
    let Some(changes) = json.get_mut("resource_changes").and_then(Value::as_array_mut) else {
        return;
    };
    for change in changes
        .iter_mut()
        .filter_map(|one| one.get_mut("change"))
        .filter(|change| change.is_object())
    {
        change["actions"] = json!(["update"]);
        change["after_sensitive"] = json!({"planted": true});
        match change.get_mut("after").and_then(Value::as_object_mut) {
            Some(after) => {
                after.insert("planted".into(), SECRET.into());
                after.insert("copied".into(), format!("x{SECRET}y").into());
            }
            None => change["after"] = json!({"planted": SECRET, "copied": [SECRET]}),
        }
    }
    let planted = serde_json::to_vec(&json).expect("JSON");
    if let Ok(plan) = fuzzing::show(&addresses, &planted) {
        for attribute in plan
            .resources
            .iter()
            .filter_map(|one| one.attributes.as_ref())
            .flatten()
        {
            for value in [&attribute.before, &attribute.after] {
                if let Shown::Value(text) = value {
                    assert!(!text.contains(SECRET), "{} shows the secret", attribute.path);
                }
            }
        }
    }
}

/// What does not say that it may be shown is not.
fn outputs(bytes: &[u8]) {
    let read = Outputs::read(bytes);
    assert_eq!(read, Outputs::read(bytes));
    let (Ok(outputs), Ok(json)) = (read, serde_json::from_slice::<Value>(bytes)) else {
        return;
    };
    for (name, output) in outputs.iter() {
        properties::harmless(name);
        let open = json.get(name).is_some_and(|one| one["sensitive"] == false);
        assert!(
            open || output.shown() == "***" || json.get(name).is_none(),
            "{name} is shown"
        );
    }
}

/// A file of values keeps what it says when one value is set, and the value can be read from it.
fn values(text: &str) {
    let file = Path::new("terraform.tfvars");
    let values = match Tfvars::parse(file, text) {
        Ok(values) => values,
        Err(found) => {
            assert!(found.has_errors());
            // Other ends of lines are none in HCL.
            let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split('\n').collect();
            properties::in_lines(&found, &lines, text.len(), false);
            return;
        }
    };
    assert_eq!(values.text(), text);
    let value = text.lines().next().unwrap_or_default();
    for name in ["new_name", values.names().next().unwrap_or("other")] {
        let set = values.with(name, value);
        let again = Tfvars::parse(file, set.text());
        let again = again.unwrap_or_else(|found| panic!("{:?}: {found:?}", set.text()));
        let found = again.get(name).expect("the name is there");
        assert_eq!(
            found.string.as_deref(),
            Some(value),
            "{:?}, written as {}",
            set.text(),
            quoted(value)
        );
        for (other, text, _) in values.strings().filter(|(other, _, _)| *other != name) {
            assert_eq!(
                again.get(other).and_then(|found| found.string).as_deref(),
                Some(text),
                "{other}"
            );
        }
    }
}
