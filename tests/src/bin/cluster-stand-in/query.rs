//! Label and field selectors.

use serde_json::Value;

/// Whether an object satisfies a label selector as it stands in a query: `a=b,c!=d,e,!f,g in (h,i),j notin (k)`.
pub fn labels_match(selector: &str, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    terms(selector).iter().all(|term| label_term(term, labels))
}

/// Splits at commas outside parentheses.
fn terms(selector: &str) -> Vec<&str> {
    let (mut found, mut start, mut depth) = (Vec::new(), 0, 0);
    for (index, letter) in selector.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&selector[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    found.push(&selector[start..]);
    found
        .into_iter()
        .map(str::trim)
        .filter(|term| !term.is_empty())
        .collect()
}

fn label_term(term: &str, labels: &Value) -> bool {
    let value = |name: &str| labels.get(name.trim()).and_then(Value::as_str);
    let among = |list: &str, have: &str| {
        let list = list.trim().trim_start_matches('(').trim_end_matches(')');
        list.split(',').any(|item| item.trim() == have)
    };
    if let Some((name, list)) = term.split_once(" notin ") {
        return value(name).is_none_or(|have| !among(list, have));
    }
    if let Some((name, list)) = term.split_once(" in ") {
        return value(name).is_some_and(|have| among(list, have));
    }
    if let Some((name, wanted)) = term.split_once("!=") {
        return value(name) != Some(wanted.trim());
    }
    if let Some((name, wanted)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return value(name) == Some(wanted.trim());
    }
    match term.strip_prefix('!') {
        Some(name) => value(name).is_none(),
        None => value(term).is_some(),
    }
}

/// Whether an object satisfies a field selector: `metadata.name=x,status.phase!=Running`.
pub fn fields_match(selector: &str, object: &Value) -> bool {
    terms(selector).iter().all(|term| {
        let (path, wanted, equal) = match (term.split_once("!="), term.split_once("==").or(term.split_once('='))) {
            (Some((path, wanted)), _) => (path, wanted, false),
            (None, Some((path, wanted))) => (path, wanted, true),
            (None, None) => return false,
        };
        let have = object.pointer(&format!("/{}", path.replace('.', "/")));
        let have = match have {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        (have == wanted) == equal
    })
}

/// Whether labels satisfy a selector of a spec (`matchLabels` and `matchExpressions`).
pub fn selector_matches(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object().into_iter().flatten();
    let mut all_there = wanted.into_iter();
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    all_there.all(|(name, value)| labels.get(name) == Some(value))
        && expressions.into_iter().all(|expression| {
            let have = expression["key"].as_str().and_then(|key| labels.get(key));
            let listed = || {
                let values = expression["values"].as_array();
                values.is_some_and(|values| have.is_some_and(|have| values.contains(have)))
            };
            match expression["operator"].as_str() {
                Some("In") => listed(),
                Some("NotIn") => !listed(),
                Some("Exists") => have.is_some(),
                Some("DoesNotExist") => have.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_select() {
        let object = json!({"metadata": {"name": "x", "labels": {"k8s-app": "canal", "tier": "node"}},
                            "status": {"phase": "Running"}});
        for (selector, expected) in [
            ("", true),
            ("k8s-app=canal", true),
            ("k8s-app==canal,tier", true),
            ("k8s-app=canal,!tier", false),
            ("k8s-app in (a, canal),tier!=x", true),
            ("k8s-app notin (canal)", false),
            ("other!=x", true),
        ] {
            assert_eq!(labels_match(selector, &object), expected, "{selector}");
        }
        assert!(fields_match("metadata.name=x,status.phase!=Pending", &object));
        assert!(!fields_match("metadata.name=y", &object));
        let labels = &object["metadata"]["labels"];
        let selector = json!({"matchLabels": {"tier": "node"}, "matchExpressions": [
            {"key": "k8s-app", "operator": "In", "values": ["canal"]}]});
        assert!(selector_matches(&selector, labels));
        assert!(!selector_matches(&json!({"matchLabels": {"tier": "x"}}), labels));
    }
}
