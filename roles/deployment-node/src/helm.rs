//! Repositories that helm knows.

use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};
use std::time::Duration;

/// How long fetching a repository's index may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Lists the repositories as JSON; `[]` when there are none, which helm says by failing. 3: there is no helm.
const LIST: &str = "PATH=\"$PATH:/usr/local/bin:/snap/bin\"\ncommand -v helm >/dev/null 2>&1 || exit 3\n\
                    helm repo list -o json 2>/dev/null || echo '[]'";

/// A repository of charts, for the user that the task runs as.
#[derive(Debug, Clone)]
pub struct HelmRepository {
    name: String,
    url: String,
}

impl HelmRepository {
    /// The repository at `url`, known as `name`.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
        }
    }

    /// The question that it asks.
    pub fn ask() -> AskCommand {
        AskCommand(LIST.to_owned())
    }
}

impl Resource for HelmRepository {
    fn kind(&self) -> &'static str {
        "helm_repository"
    }

    fn questions(&self) -> Vec<Question> {
        vec![Self::ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let Self { name, url } = self;
        let ask = Self::ask();
        let answer = answers.get(&ask)?;
        let known = if answer.status == 3 {
            if let Some(task) = answers.pending_for(&ask.question()) {
                return Ok(Decision::unknown(format!("helm may come with \"{task}\"")));
            }
            return Err(DecideError::impossible_help(
                format!("there is no helm to tell of the repository {name}"),
                "install helm (--tags tools), or empty helm_repositories",
            ));
        } else {
            known(&answer.output, name)?
        };
        if known
            .as_deref()
            .is_some_and(|known| known.trim_end_matches('/') == url.trim_end_matches('/'))
        {
            return Ok(Decision::nothing(format!("helm knows {name} at {url}")));
        }
        let force = if known.is_some() { " --force-update" } else { "" };
        let script = format!(
            "PATH=\"$PATH:/usr/local/bin:/snap/bin\"\nhelm repo add{force} -- {} {}",
            quote(name),
            quote(url)
        );
        Ok(Change::new(format!("add the helm repository {name}"))
            .differs(
                format!("helm repository {name}"),
                known.map_or(Shown::Absent, Shown::text),
                Shown::text(url),
            )
            .step(Shell::new(format!("helm repo add {name}"), script).long(TIMEOUT))
            .touching([Touch::Kind("command")])
            .into())
    }
}

/// The URL that helm knows for `name`.
fn known(list: &str, name: &str) -> Result<Option<String>, DecideError> {
    let all: serde_json::Value = serde_json::from_str(list.trim())
        .map_err(|error| DecideError::impossible(format!("`helm repo list -o json` printed no JSON: {error}")))?;
    let entries = all.as_array().map(Vec::as_slice).unwrap_or_default();
    let entry = entries.iter().find(|entry| entry["name"] == name);
    Ok(entry.and_then(|entry| entry["url"].as_str()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_error, expect_nothing, expect_unknown};

    fn listed(status: i32, output: &str) -> Answers {
        t::command(Answers::new(), LIST, status, output)
    }

    #[test]
    fn a_known_one_is_left_alone_and_another_url_is_replaced() {
        let mosip = HelmRepository::new("mosip", "https://mosip.github.io/mosip-helm");
        let right = listed(0, r#"[{"name":"mosip","url":"https://mosip.github.io/mosip-helm/"}]"#);
        expect_nothing(&mosip, &right);
        let none = expect_change(&mosip, &listed(0, "[]"));
        assert!(t::scripts(&none).ends_with("helm repo add -- mosip https://mosip.github.io/mosip-helm"));
        assert_eq!(none.differences[0].before, Shown::Absent);
        let other = expect_change(
            &mosip,
            &listed(0, r#"[{"name":"mosip","url":"https://old.example.org"}]"#),
        );
        assert!(t::scripts(&other).contains("add --force-update"));
        assert_eq!(other.differences[0].before, Shown::text("https://old.example.org"));
    }

    #[test]
    fn without_helm_it_is_an_error_unless_helm_may_come() {
        let mosip = HelmRepository::new("mosip", "https://mosip.github.io/mosip-helm");
        assert!(expect_error(&mosip, &listed(3, "")).contains("there is no helm"));
        let coming = listed(3, "").with_pending("Install helm", vec![Touch::Path("/usr/local/bin/helm".into())]);
        assert!(expect_unknown(&mosip, &coming).contains("Install helm"));
        assert!(expect_error(&mosip, &listed(0, "Error: x")).contains("printed no JSON"));
    }
}
