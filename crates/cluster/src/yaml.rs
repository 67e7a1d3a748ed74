//! YAML out of data and back: what `rke` and `kubectl` read, written so that every reader of YAML 1.1 and 1.2 sees the
//! same.

use mosip_prov_inventory::value::Value as Read;
use mosip_prov_inventory::yaml::parse_value;
use serde_json::Value;

/// `value` as a document in block style. Strings that any reader could take for something else are quoted.
pub fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(map, 0, &mut out),
        Value::Array(list) if !list.is_empty() => sequence(list, 0, &mut out),
        other => {
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
    out
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', depth * 2));
}

fn mapping(map: &serde_json::Map<String, Value>, depth: usize, out: &mut String) {
    for (at, (key, value)) in map.iter().enumerate() {
        // The first key of a mapping in a list stands behind the dash.
        if at > 0 || !out.ends_with("- ") {
            indent(depth, out);
        }
        out.push_str(&string(key));
        out.push(':');
        under(value, depth, out);
    }
}

fn under(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            mapping(map, depth + 1, out);
        }
        Value::Array(list) if !list.is_empty() => {
            out.push('\n');
            sequence(list, depth, out);
        }
        other => {
            out.push(' ');
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

fn sequence(list: &[Value], depth: usize, out: &mut String) {
    for value in list {
        indent(depth, out);
        out.push_str("- ");
        match value {
            Value::Object(map) if !map.is_empty() => mapping(map, depth + 1, out),
            // A list in a list is rare: as JSON, which is YAML.
            other => {
                out.push_str(&scalar(other));
                out.push('\n');
            }
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        other => other.to_string(),
    }
}

fn string(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let mut chars = text.chars();
    let begins = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let plain = begins
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | '+' | '='))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

/// The data of one YAML document.
///
/// # Errors
/// It is no YAML; the text says the line, and nothing of what stands there.
pub fn read(text: &str) -> Result<Value, String> {
    match parse_value(text, "a document") {
        Ok(value) => Ok(json(&value)),
        Err(problem) => Err(match problem.location.as_ref().map_or(0, |place| place.line) {
            0 => "it is not YAML".to_owned(),
            line => format!("line {line} is not YAML"),
        }),
    }
}

fn json(value: &Read) -> Value {
    match value {
        Read::Null => Value::Null,
        Read::Bool(value) => (*value).into(),
        Read::Int(value) => i64::try_from(*value).map_or_else(|_| value.to_string().into(), Value::from),
        Read::Float(value) => (*value).into(),
        Read::Str(text) | Read::Unsafe(text) => text.as_ref().into(),
        Read::Secret(secret) => secret.expose().into(),
        Read::List(items) => items.iter().map(json).collect(),
        Read::Map(map) => Value::Object(map.iter().map(|(key, value)| (key.to_string(), json(value))).collect()),
    }
}

/// The documents of a file of several, as texts.
pub fn documents(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.lines() {
        if line == "---" || line.starts_with("--- ") {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    let holds = |text: &String| {
        text.lines()
            .any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#') && line.trim() != "...")
    };
    all.retain(holds);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_back() {
        let value = json!({
            "plain": "a/b-c.d", "number": 22, "text": "22", "yes": "yes", "empty": "", "none": null, "on": true,
            "list": ["a", "1", {"x": 1, "y": {"z": []}}, ["b"]], "map": {"a.b/c": "true", "deep": {"list": [{"k": ["v"]}]}},
            "odd": "a: b # c", "lines": "one\ntwo\t\"", "base64": "LS0tLS1+/==", "star": "*", "date": "2020-01-01", "~": "~",
        });
        let text = document(&value);
        assert_eq!(read(&text), Ok(value), "{text}");
        assert!(
            text.contains("\ntext: \"22\"\n") && text.contains("plain: a/b-c.d\n"),
            "{text}"
        );
    }

    #[test]
    fn what_is_no_yaml_is_said_without_what_it_is() {
        let error = read("users:\n- name: [s3cret\n  x: {").expect_err("no YAML");
        assert!(error.contains("not YAML") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn documents_are_told_apart() {
        let all = documents("# only a comment\n---\na: 1\n---\n\n---\nb: |\n  --- x\n");
        assert_eq!(all, ["a: 1\n", "b: |\n  --- x\n"]);
    }
}
