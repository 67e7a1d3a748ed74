//! What all objects of the API have in common: names, conditions, owners, times.

use jiff::Timestamp;
use serde_json::Value;

/// The text at a JSON pointer; empty when there is none.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The objects of a list.
pub(crate) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

/// The whole number at a JSON pointer.
pub(crate) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// The condition of that type in an object's status.
pub(crate) fn condition<'v>(object: &'v Value, kind: &str) -> Option<&'v Value> {
    let all = object.pointer("/status/conditions")?.as_array()?;
    all.iter().find(|condition| condition["type"] == kind)
}

/// Whether the condition of that type is `status`.
pub(crate) fn is(object: &Value, kind: &str, status: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == status)
}

/// The object's name.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// The object's namespace; empty for those that have none.
pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// `namespace/name`, as findings call an object.
pub(crate) fn subject(object: &Value) -> String {
    match namespace(object) {
        "" => name(object).to_owned(),
        space => format!("{space}/{}", name(object)),
    }
}

/// Kind and name of what made the object.
pub(crate) fn owner(object: &Value) -> Option<(&str, &str)> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let chosen = owners.iter().find(|owner| owner["controller"] == true);
    let owner = chosen.or_else(|| owners.first())?;
    Some((owner["kind"].as_str()?, owner["name"].as_str()?))
}

/// Seconds from the time at a JSON pointer until `now`, 0 for one ahead; `None` when there is no time.
pub(crate) fn seconds_since(object: &Value, pointer: &str, now: Timestamp) -> Option<i64> {
    let time: Timestamp = object.pointer(pointer)?.as_str()?.parse().ok()?;
    Some((now.as_second() - time.as_second()).max(0))
}

/// A duration as people say it: `40 s`, `12 min`, `3 h`, `2 days`.
pub(crate) fn spoken(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// As much of what a cluster says as a line has room for.
const MESSAGE: usize = 300;

/// What a cluster says, on one line, without control characters, not too long.
pub(crate) fn said(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|c| !c.is_control()));
    }
    if let Some((end, _)) = line.char_indices().nth(MESSAGE) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// ` (WHAT)`, or nothing when there is nothing to say.
pub(crate) fn in_brackets(what: &str) -> String {
    match said(what) {
        what if what.is_empty() => what,
        what => format!(" ({what})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_cluster_says_stays_on_one_short_line() {
        assert_eq!(said("a\n b\u{1b}[2J\tc"), "a b[2J c");
        let long = said(&"ä".repeat(400));
        assert_eq!(long.chars().count(), MESSAGE + 1);
        assert_eq!(in_brackets("  "), "");
        assert_eq!(in_brackets("why"), " (why)");
    }

    #[test]
    fn times_and_owners() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let object = json!({"at": "2026-11-24T11:58:00Z", "ahead": "2026-11-24T13:00:00Z", "metadata": {
            "ownerReferences": [{"kind": "A", "name": "a"}, {"kind": "ReplicaSet", "name": "b", "controller": true}]}});
        assert_eq!(seconds_since(&object, "/at", now), Some(120));
        assert_eq!(seconds_since(&object, "/ahead", now), Some(0));
        assert_eq!(seconds_since(&object, "/none", now), None);
        assert_eq!(owner(&object), Some(("ReplicaSet", "b")));
        assert_eq!(
            (spoken(119), spoken(120), spoken(7200)),
            ("119 s".into(), "2 min".into(), "2 h".into())
        );
    }
}
