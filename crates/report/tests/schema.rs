//! The event format is a promise: its schema, kept as a file, must fit every variant, field by field.

mod common;

use common::{at, changed, difference, ended, failed, failure, finished, play, started, task};
use mosip_prov_events::{Counts, Difference, Event, EventKind, Moved, TaskId, TaskStatus};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

const SCHEMA: &str = include_str!("../schema/events-v1.json");
const DOCS: &str = include_str!("../../../docs/events.md");

/// Checks `value` against the part of JSON Schema that the file uses.
fn check(root: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.strip_prefix("#/$defs/").expect("local reference");
        let target = root["$defs"].get(name).unwrap_or_else(|| panic!("no {reference}"));
        return check(root, target, value, path);
    }
    if let Some(all) = schema.get("oneOf").and_then(Value::as_array) {
        let results: Vec<_> = all.iter().map(|s| check(root, s, value, path)).collect();
        return match results.iter().filter(|r| r.is_ok()).count() {
            1 => Ok(()),
            n => Err(format!("{path}: fits {n} of the alternatives: {results:?}")),
        };
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        return Err(format!("{path}: {value} is not {constant}"));
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        return Err(format!("{path}: {value} is not one of {allowed:?}"));
    }
    let types = match schema.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.is_empty() && !types.contains(&is) {
        return Err(format!("{path}: {is} instead of {types:?}"));
    }
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        let name = required.as_str().unwrap();
        if value.get(name).is_none() {
            return Err(format!("{path}: {name} is missing"));
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let rule = schema["properties"].get(name).or(schema.get("additionalProperties"));
        match rule {
            Some(rule) => check(root, rule, inner, &format!("{path}.{name}"))?,
            None => return Err(format!("{path}: the schema does not know {name}")),
        }
    }
    for (i, inner) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(rule) = schema.get("items") {
            check(root, rule, inner, &format!("{path}[{i}]"))?;
        }
    }
    Ok(())
}

/// The end of a run that says where its time went.
fn profiled() -> EventKind {
    let mut kind = ended(&[("vm1", Counts::default(), 1)], 1, false);
    if let EventKind::RunFinished { profile, .. } = &mut kind {
        profile.insert("vm1".into(), mosip_prov_events::HostProfile::default());
    }
    kind
}

/// Each variant twice: with every field there can be, and with as few as there can be.
fn variants() -> Vec<(EventKind, EventKind)> {
    let few = task("vm1", "t");
    let all = TaskId {
        handler: true,
        ..few.clone()
    };
    let error = failure("m", Some("d"), Some(1), Some("h"));
    let least = failure("m", None, None, None);
    let twice = |kind: EventKind| (kind.clone(), kind);
    let mut finished_all = changed(all.clone(), "r", vec![difference("w", None, Some("a"))], 1);
    if let EventKind::TaskFinished { error: e, ignored, .. } = &mut finished_all {
        *e = Some(error.clone());
        *ignored = true;
    }
    vec![
        twice(started(&["vm1"], true)),
        (
            EventKind::Warning {
                host: Some("vm1".into()),
                message: "m".into(),
            },
            EventKind::Warning {
                host: None,
                message: "m".into(),
            },
        ),
        twice(play(&["vm1"])),
        twice(EventKind::HostConnected {
            host: "vm1".into(),
            milliseconds: 1,
        }),
        (
            EventKind::HostUnreachable {
                host: "vm1".into(),
                error: error.clone(),
            },
            EventKind::HostUnreachable {
                host: "vm1".into(),
                error: least.clone(),
            },
        ),
        (
            EventKind::HostRefused {
                host: "vm1".into(),
                error: error.clone(),
                moved: vec![Moved {
                    task: all.clone(),
                    planned: "nothing to do".into(),
                    now: "change".into(),
                    planned_differences: Vec::new(),
                    differences: vec![Difference {
                        what: "mode".into(),
                        before: None,
                        after: Some("0644".into()),
                    }],
                }],
            },
            EventKind::HostRefused {
                host: "vm1".into(),
                error: least.clone(),
                moved: Vec::new(),
            },
        ),
        (
            EventKind::TaskStarted {
                task: all.clone(),
                action: "a".into(),
            },
            EventKind::TaskStarted {
                task: few.clone(),
                action: "a".into(),
            },
        ),
        (
            EventKind::TaskOutput {
                task: all.clone(),
                line: "l".into(),
            },
            EventKind::TaskOutput {
                task: few.clone(),
                line: "l".into(),
            },
        ),
        (
            EventKind::TaskRetried {
                task: all.clone(),
                attempt: 1,
                attempts: 2,
                error,
            },
            EventKind::TaskRetried {
                task: few.clone(),
                attempt: 1,
                attempts: 2,
                error: least.clone(),
            },
        ),
        (finished_all, finished(few.clone(), TaskStatus::Ok, "r")),
        twice(EventKind::HostFinished {
            host: "vm1".into(),
            play: "p".into(),
            complete: true,
        }),
        twice(EventKind::Interrupted { running: vec![all] }),
        (profiled(), ended(&[("vm1", Counts::default(), 1)], 1, false)),
    ]
}

/// The name a variant has on a line. Without a wildcard, so that a new variant does not go unnoticed here.
fn name(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::RunStarted { .. } => "run_started",
        EventKind::Warning { .. } => "warning",
        EventKind::PlayStarted { .. } => "play_started",
        EventKind::HostConnected { .. } => "host_connected",
        EventKind::HostUnreachable { .. } => "host_unreachable",
        EventKind::HostRefused { .. } => "host_refused",
        EventKind::TaskStarted { .. } => "task_started",
        EventKind::TaskOutput { .. } => "task_output",
        EventKind::TaskRetried { .. } => "task_retried",
        EventKind::TaskFinished { .. } => "task_finished",
        EventKind::HostFinished { .. } => "host_finished",
        EventKind::Interrupted { .. } => "interrupted",
        EventKind::RunFinished { .. } => "run_finished",
    }
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn keys(object: &Map<String, Value>) -> BTreeSet<&str> {
    object.keys().map(String::as_str).collect()
}

#[test]
fn every_variant_fits_the_schema_and_comes_back() {
    let schema = schema();
    for kind in variants().into_iter().flat_map(|(a, b)| [a, b]) {
        let event = at(0, kind);
        let value = serde_json::to_value(&event).unwrap();
        check(&schema, &schema, &value, "event").unwrap();
        let back: Event = serde_json::from_value(value).unwrap();
        assert_eq!(back, event);
    }
}

#[test]
fn the_schema_names_exactly_the_fields_there_are() {
    let schema = schema();
    for (all, few) in variants() {
        let name = name(&all);
        let rule = &schema["$defs"][name];
        let all = serde_json::to_value(at(0, all)).unwrap();
        let few = serde_json::to_value(at(0, few)).unwrap();
        assert_eq!(all["type"], name);
        assert_eq!(
            keys(all.as_object().unwrap()),
            keys(rule["properties"].as_object().unwrap()),
            "fields of {name}"
        );
        let required: BTreeSet<_> = rule["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r.as_str().unwrap())
            .collect();
        assert_eq!(keys(few.as_object().unwrap()), required, "required fields of {name}");
    }
    assert_eq!(schema["oneOf"].as_array().unwrap().len(), variants().len());
}

#[test]
fn the_checker_refuses_what_does_not_fit() {
    let schema = schema();
    let refused = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        check(&schema, &schema, &value, "event").is_err()
    };
    let time = "2026-09-21T00:00:00Z";
    assert!(refused(&format!(
        r#"{{"v":2,"time":"{time}","type":"warning","message":"m"}}"#
    )));
    assert!(refused(&format!(r#"{{"v":1,"time":"{time}","type":"warning"}}"#)));
    assert!(refused(&format!(
        r#"{{"v":1,"time":"{time}","type":"warning","message":1}}"#
    )));
    assert!(refused(&format!(
        r#"{{"v":1,"time":"{time}","type":"warning","message":"m","more":1}}"#
    )));
    assert!(refused(&format!(r#"{{"v":1,"time":"{time}","type":"other"}}"#)));
}

#[test]
fn the_page_shows_a_valid_line_of_every_variant() {
    let schema = schema();
    let mut shown = BTreeSet::new();
    for line in DOCS.lines().filter(|l| l.starts_with("{\"v\"")) {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        check(&schema, &schema, &value, "event").unwrap_or_else(|e| panic!("{line}: {e}"));
        let event: Event = serde_json::from_value(value).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), line, "exactly as it is written");
        shown.insert(name(&event.kind));
    }
    let all: BTreeSet<_> = variants().iter().map(|(kind, _)| name(kind)).collect();
    assert_eq!(shown, all);
}

#[test]
fn a_failed_task_is_the_same_with_and_without_detail() {
    let schema = schema();
    let event = at(0, failed(task("vm1", "t"), failure("m", None, None, None), false));
    check(&schema, &schema, &serde_json::to_value(event).unwrap(), "event").unwrap();
}
