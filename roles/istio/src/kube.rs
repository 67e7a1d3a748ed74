//! What the cluster has, read strictly: an object, nothing, or an error with what to do.

use mosip_prov_cluster::{AskObjects, Reply};
use mosip_prov_resources::{Answers, DecideError};
use serde_json::Value;

/// The object that was asked for; `None` when there is none, or not even its type.
///
/// # Errors
/// When the cluster could not be asked.
pub(crate) fn object(answers: &Answers, ask: &AskObjects) -> Result<Option<Value>, DecideError> {
    let (why, help) = match answers.get(ask)? {
        Reply::Objects(value) => return Ok(Some(value)),
        Reply::NotFound(_) => return Ok(None),
        Reply::NoKubectl => (
            "there is no kubectl".to_owned(),
            "`mosip-prov run deployment-node` installs it",
        ),
        Reply::NoKubeconfig => (
            "there is no kubeconfig".to_owned(),
            "build the cluster first (deploy-rancher), or say in istio_kubeconfig where its kubeconfig is",
        ),
        Reply::Down(said) | Reply::Refused(said) => (
            said.lines().last().unwrap_or_default().to_owned(),
            "see that the cluster runs and that the kubeconfig is its own: kubectl get nodes",
        ),
    };
    Err(DecideError::impossible_help(
        format!("the cluster cannot be asked: {why}"),
        help,
    ))
}

/// Where `there` does not have what `wanted` has: paths with both values. More in `there` is no difference, since the
/// server adds defaults; a list must have the same entries.
pub(crate) fn differences(wanted: &Value, there: &Value, at: &str, out: &mut Vec<(String, Value, Value)>) {
    match (wanted, there) {
        (Value::Object(fields), Value::Object(_)) => {
            for (name, value) in fields {
                let at = if at.is_empty() {
                    name.clone()
                } else {
                    format!("{at}.{name}")
                };
                differences(value, &there[name.as_str()], &at, out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{at}[{index}]"), out);
            }
        }
        (a, b) if a == b => {}
        (a, b) => out.push((at.to_owned(), b.clone(), a.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_cluster::Kubectl;
    use mosip_prov_cluster::kubectl::testing as k;
    use serde_json::json;

    #[test]
    fn absent_is_told_from_not_to_be_asked() {
        let ask = Kubectl::new("/k").get(["deployment", "d"]);
        let there = k::objects(Answers::new(), &ask, &json!({"a": 1}));
        assert_eq!(object(&there, &ask), Ok(Some(json!({"a": 1}))));
        assert_eq!(object(&k::not_found(Answers::new(), &ask), &ask), Ok(None));
        let down = object(&k::down(Answers::new(), &ask), &ask).expect_err("down");
        assert!(
            down.to_string().contains("i/o timeout") && down.help().is_some(),
            "{down}"
        );
        let none = object(&k::no_kubeconfig(Answers::new(), &ask), &ask).expect_err("none");
        assert!(
            none.help().is_some_and(|help| help.contains("istio_kubeconfig")),
            "{none}"
        );
    }

    #[test]
    fn only_what_is_wanted_is_compared() {
        let find = |wanted: Value, there: Value| {
            let mut out = Vec::new();
            differences(&wanted, &there, "", &mut out);
            out
        };
        assert!(find(json!({"a": {"b": [1, 2]}}), json!({"a": {"b": [1, 2], "c": 3}, "d": 4})).is_empty());
        assert_eq!(
            find(json!({"a": {"b": [{"c": 1}]}}), json!({"a": {"b": [{"c": 2}]}})),
            [("a.b[0].c".to_owned(), json!(2), json!(1))]
        );
        assert_eq!(find(json!({"a": [1]}), json!({"a": [1, 2]})).len(), 1);
        assert_eq!(
            find(json!({"a": 1}), json!({})),
            [("a".to_owned(), Value::Null, json!(1))]
        );
    }
}
