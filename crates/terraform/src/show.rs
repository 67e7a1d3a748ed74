//! `show -json` of a plan: which attributes differ. Terraform's own marks decide what is masked; and a value that it marks
//! somewhere is masked wherever else it stands, since marks do not reach what a provider copies.
//!
//! Format: <https://developer.hashicorp.com/terraform/internals/json-format>, version 1.

use crate::event::Action;
use crate::plan::Plan;
use crate::text::{clean, word};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::HashMap;

/// Longest value that is shown, in characters.
const VALUE_LIMIT: usize = 400;
/// Most attributes of one resource that are kept.
const ATTRIBUTES: usize = 200;
/// Deeper values are shown whole.
const DEPTH: usize = 12;

/// An attribute that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeChange {
    /// Where it is: `set[0].value`.
    pub path: String,
    /// What it is.
    pub before: Shown,
    /// What it becomes.
    pub after: Shown,
}

/// A value as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// There is none.
    Absent,
    /// As JSON, cut.
    Value(String),
    /// Terraform holds it sensitive.
    Sensitive,
    /// It is known after apply only.
    Unknown,
}

/// Shorter texts are not looked for elsewhere: they are in everything.
const SHORTEST_SECRET: usize = 4;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    resource_changes: Vec<ResourceChange>,
    #[serde(default)]
    output_changes: HashMap<String, Change>,
    #[serde(default)]
    variables: HashMap<String, Variable>,
    #[serde(default)]
    configuration: Configuration,
}

#[derive(Deserialize)]
struct Variable {
    #[serde(default)]
    value: Json,
}

#[derive(Deserialize, Default)]
struct Configuration {
    #[serde(default)]
    root_module: Module,
}

#[derive(Deserialize, Default)]
struct Module {
    #[serde(default)]
    variables: HashMap<String, Declared>,
}

#[derive(Deserialize)]
struct Declared {
    #[serde(default)]
    sensitive: bool,
}

impl File {
    /// The texts that are marked anywhere, longest first.
    fn secrets(&self) -> Vec<String> {
        let mut found = Vec::new();
        let changes = self.resource_changes.iter().map(|one| &one.change);
        for change in changes.chain(self.output_changes.values()) {
            marked(&change.before, &change.before_sensitive, &mut found);
            marked(&change.after, &change.after_sensitive, &mut found);
        }
        for (name, variable) in &self.variables {
            let declared = self.configuration.root_module.variables.get(name);
            if declared.is_some_and(|declared| declared.sensitive) {
                marked(&variable.value, &Json::Bool(true), &mut found);
            }
        }
        found.retain(|text| text.len() >= SHORTEST_SECRET);
        found.sort_by_key(|text| std::cmp::Reverse(text.len()));
        found.dedup();
        found
    }
}

/// The texts of `value` at the places that `mark` marks.
fn marked(value: &Json, mark: &Json, found: &mut Vec<String>) {
    match (value, mark) {
        (_, Json::Bool(false) | Json::Null) => {}
        (Json::Object(map), mark) => {
            for (key, below) in map {
                let mark = if is_true(mark) { mark } else { child(mark, key) };
                marked(below, mark, found);
            }
        }
        (Json::Array(all), mark) => {
            for (at, below) in all.iter().enumerate() {
                let mark = if is_true(mark) { mark } else { item(mark, at) };
                marked(below, mark, found);
            }
        }
        (Json::String(text), Json::Bool(true)) => found.push(text.clone()),
        _ => {}
    }
}

#[derive(Deserialize)]
struct ResourceChange {
    address: String,
    change: Change,
}

#[derive(Deserialize)]
struct Change {
    actions: Vec<String>,
    #[serde(default)]
    before: Json,
    #[serde(default)]
    after: Json,
    #[serde(default)]
    after_unknown: Json,
    #[serde(default)]
    before_sensitive: Json,
    #[serde(default)]
    after_sensitive: Json,
}

/// Puts the attributes that differ, by the output of `show -json`, into the changes of `plan`.
///
/// # Errors
/// It is no plan; the text says so without anything of it.
pub fn add_attributes(plan: &mut Plan, json: &[u8]) -> Result<(), String> {
    // Nothing of the text may get into a message: it holds secrets.
    let file: File = serde_json::from_slice(json).map_err(|error| {
        format!(
            "it is no plan in JSON, at line {} column {}",
            error.line(),
            error.column()
        )
    })?;
    let secrets = file.secrets();
    let mut by_address: HashMap<String, Vec<AttributeChange>> = HashMap::new();
    for one in file.resource_changes {
        let action = Action::of_list(&one.change.actions);
        if matches!(action, Action::NoOp | Action::Delete | Action::Forget) {
            continue;
        }
        // A deposed object has an entry of its own under the same address.
        by_address
            .entry(word(&one.address))
            .or_default()
            .extend(one.change.differences(&secrets));
    }
    for change in &mut plan.resources {
        if let Some(found) = by_address.get(&change.address) {
            change.attributes = Some(found.clone());
        }
    }
    Ok(())
}

impl Change {
    fn differences(&self, secrets: &[String]) -> Vec<AttributeChange> {
        let mut out = Vec::new();
        let sides = Sides {
            before: &self.before,
            after: &self.after,
            unknown: &self.after_unknown,
            hidden_before: &self.before_sensitive,
            hidden_after: &self.after_sensitive,
            secrets,
        };
        sides.walk(String::new(), 0, &mut out);
        out
    }
}

/// The same place in all five trees.
#[derive(Clone, Copy)]
struct Sides<'a> {
    before: &'a Json,
    after: &'a Json,
    unknown: &'a Json,
    hidden_before: &'a Json,
    hidden_after: &'a Json,
    secrets: &'a [String],
}

fn is_true(mark: &Json) -> bool {
    mark == &Json::Bool(true)
}

fn child<'a>(tree: &'a Json, key: &str) -> &'a Json {
    tree.get(key).unwrap_or(&Json::Null)
}

fn item(tree: &Json, at: usize) -> &Json {
    tree.get(at).unwrap_or(&Json::Null)
}

impl Sides<'_> {
    fn walk(self, path: String, depth: usize, out: &mut Vec<AttributeChange>) {
        if out.len() >= ATTRIBUTES {
            return;
        }
        let marked = is_true(self.unknown) || is_true(self.hidden_before) || is_true(self.hidden_after);
        if !marked && depth < DEPTH {
            if let Some(keys) = self.keys() {
                for key in keys {
                    let below = Self {
                        before: child(self.before, &key),
                        after: child(self.after, &key),
                        unknown: child(self.unknown, &key),
                        hidden_before: child(self.hidden_before, &key),
                        hidden_after: child(self.hidden_after, &key),
                        ..self
                    };
                    let path = if path.is_empty() {
                        word(&key)
                    } else {
                        format!("{path}.{}", word(&key))
                    };
                    below.walk(path, depth + 1, out);
                }
                return;
            }
            if let Some(count) = self.items() {
                for at in 0..count {
                    let below = Self {
                        before: item(self.before, at),
                        after: item(self.after, at),
                        unknown: item(self.unknown, at),
                        hidden_before: item(self.hidden_before, at),
                        hidden_after: item(self.hidden_after, at),
                        ..self
                    };
                    below.walk(format!("{path}[{at}]"), depth + 1, out);
                }
                return;
            }
        }
        let unknown = is_true(self.unknown);
        if self.before == self.after && !unknown {
            return;
        }
        // Below a depth where nothing is taken apart, a mark anywhere hides the whole.
        let hides = |mark: &Json| marks_any(mark);
        let hidden = hides(self.hidden_before) || hides(self.hidden_after);
        let before = shown(self.before, hidden || self.has_secret(self.before));
        let after = match unknown {
            true => Shown::Unknown,
            false => shown(self.after, hidden || self.has_secret(self.after)),
        };
        out.push(AttributeChange { path, before, after });
    }

    /// Whether a text that is marked elsewhere is in `value`.
    fn has_secret(self, value: &Json) -> bool {
        match value {
            Json::String(text) => self.secrets.iter().any(|secret| text.contains(secret)),
            Json::Array(all) => all.iter().any(|below| self.has_secret(below)),
            Json::Object(map) => map.values().any(|below| self.has_secret(below)),
            _ => false,
        }
    }

    /// The keys, when at least one side is an object and the other has no value of another kind.
    fn keys(self) -> Option<Vec<String>> {
        let good = |side: &Json| side.is_object() || side.is_null();
        if !(good(self.before) && good(self.after) && (self.before.is_object() || self.after.is_object())) {
            return None;
        }
        let mut keys: Vec<String> = Vec::new();
        for side in [self.before, self.after, self.unknown] {
            for key in side.as_object().into_iter().flat_map(|map| map.keys()) {
                if !keys.contains(key) {
                    keys.push(key.clone());
                }
            }
        }
        keys.sort();
        Some(keys)
    }

    /// How many items, when at least one side is a list and the other has no value of another kind.
    fn items(self) -> Option<usize> {
        let good = |side: &Json| side.is_array() || side.is_null();
        if !(good(self.before) && good(self.after) && (self.before.is_array() || self.after.is_array())) {
            return None;
        }
        let lengths = [self.before, self.after, self.unknown].map(|side| side.as_array().map_or(0, Vec::len));
        lengths.into_iter().max()
    }
}

fn marks_any(mark: &Json) -> bool {
    match mark {
        Json::Bool(on) => *on,
        Json::Array(all) => all.iter().any(marks_any),
        Json::Object(map) => map.values().any(marks_any),
        _ => false,
    }
}

fn shown(value: &Json, hidden: bool) -> Shown {
    match value {
        Json::Null => Shown::Absent,
        _ if hidden => Shown::Sensitive,
        other => Shown::Value(clean(&other.to_string(), VALUE_LIMIT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlannedChange;
    use serde_json::json;

    fn differences(change: &Json) -> Vec<(String, Shown, Shown)> {
        let mut change = change.clone();
        if change["actions"].is_null() {
            change["actions"] = json!(["update"]);
        }
        let change: Change = serde_json::from_value(change).expect("a change");
        let all = change.differences(&[]).into_iter();
        all.map(|d| (d.path, d.before, d.after)).collect()
    }

    fn value(json: &str) -> Shown {
        Shown::Value(json.into())
    }

    #[test]
    fn only_what_differs() {
        let found = differences(&json!({
            "before": {"a": 1, "b": "x", "list": [1, 2], "map": {"k": true}, "gone": "g"},
            "after": {"a": 1, "b": "y", "list": [1, 3, 4], "map": {"k": true, "n": null}},
            "after_unknown": {"c": true}
        }));
        assert_eq!(
            found,
            [
                ("b".into(), value("\"x\""), value("\"y\"")),
                ("c".into(), Shown::Absent, Shown::Unknown),
                ("gone".into(), value("\"g\""), Shown::Absent),
                ("list[1]".into(), value("2"), value("3")),
                ("list[2]".into(), Shown::Absent, value("4")),
            ]
        );
    }

    #[test]
    fn terraforms_marks_mask() {
        for change in [
            json!({"before": {"p": "old-hunter2"}, "after": {"p": "hunter2"}, "before_sensitive": {"p": true}, "after_sensitive": {"p": true}}),
            // A mark on one side hides both: the other is the same secret before it was one.
            json!({"before": {"p": "old-hunter2"}, "after": {"p": "hunter2"}, "before_sensitive": {}, "after_sensitive": {"p": true}}),
            json!({"before": {"p": {"a": "hunter2"}}, "after": {"p": {"a": "hunter2x"}}, "before_sensitive": {"p": {"a": true}}, "after_sensitive": {"p": true}}),
            json!({"before": null, "after": {"p": ["hunter2"]}, "after_sensitive": true}),
            // A mark inside, where one side is no object.
            json!({"before": {"p": "x"}, "after": {"p": {"a": "hunter2"}}, "after_sensitive": {"p": {"a": true}}}),
        ] {
            let found = format!("{:?}", differences(&change));
            assert!(!found.contains("hunter2") && found.contains("Sensitive"), "{found}");
        }
        let same = json!({"before": {"p": "hunter2"}, "after": {"p": "hunter2"}, "before_sensitive": {"p": true}, "after_sensitive": {"p": true}});
        assert!(differences(&same).is_empty());
    }

    #[test]
    fn a_recorded_plan() {
        let mut plan = Plan::default();
        for (address, action) in [
            ("terraform_data.item[0]", Action::Update),
            ("terraform_data.secret", Action::Replace),
            ("terraform_data.slow", Action::Replace),
        ] {
            plan.resources.push(PlannedChange {
                address: address.into(),
                action,
                reason: None,
                previous_address: None,
                attributes: None,
            });
        }
        add_attributes(&mut plan, crate::recorded::SHOW.as_bytes()).expect("a plan");
        let of = |at: usize| plan.resources[at].attributes.clone().expect("attributes");
        assert_eq!(of(0)[0].path, "input");
        assert_eq!(of(0)[0].after, value("\"v-0-2\""));
        assert_eq!((of(0)[1].path.as_str(), &of(0)[1].after), ("output", &Shown::Unknown));
        assert!(!format!("{plan:?}").contains("hunter2"));
        assert!(
            of(1)
                .iter()
                .any(|a| a.path == "triggers_replace[0]" && a.after == value("\"2\""))
        );
    }

    #[test]
    fn what_is_no_plan_says_nothing_of_its_text() {
        let error = add_attributes(&mut Plan::default(), b"{\"resource_changes\": \"hunter2\"}").expect_err("none");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
