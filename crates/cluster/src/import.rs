//! Importing the cluster into a Rancher: the manifest behind the URL that Rancher gives. The URL holds a token and is never
//! shown beyond its server.

use crate::kubectl::{AskObjects, Kubectl, Reply};
use crate::settle::settle;
use crate::yaml;
use mosip_prov_resources::download::shown_url;
use mosip_prov_resources::shell::{frame, quote, split_frames};
use mosip_prov_resources::{
    Answers, Ask, Change, Content, DecideError, Decision, Probe, Question, RawAnswer, Resource, Shell, Shown, Touch,
};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// Where Rancher's agent lives in an imported cluster.
pub const NAMESPACE: &str = "cattle-system";
/// Rancher's agent in an imported cluster.
pub const AGENT: &str = "cattle-cluster-agent";

/// What the import URL answers with.
#[derive(Clone, PartialEq, Eq)]
enum Answered {
    NoCurl,
    Failed(String),
    Status(u32),
    Text { text: String, all_there: bool },
}

/// The server of a URL, without what follows.
fn server(url: &str) -> String {
    let shown = shown_url(url);
    match shown.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.split('/').next().unwrap_or(rest)),
        None => "the URL".into(),
    }
}

/// The Rancher that the agent in `deployment` reports to.
fn rancher_of(deployment: &Value) -> Option<&str> {
    let containers = deployment.pointer("/spec/template/spec/containers")?.as_array()?;
    containers
        .iter()
        .filter_map(|container| container["env"].as_array())
        .flatten()
        .find(|variable| variable["name"] == "CATTLE_SERVER")?["value"]
        .as_str()
}

/// The agent's deployment in a manifest.
///
/// # Errors
/// What the text is instead; nothing of it is in there.
pub(crate) fn agent_in(text: &str) -> Result<Value, String> {
    let begin = text.trim_start();
    if begin.starts_with('<') {
        return Err("answers with a web page".into());
    }
    let documents = yaml::documents(text);
    let mut agent = None;
    for document in &documents {
        let object = yaml::read(document).map_err(|_| "answers with what is not YAML".to_owned())?;
        if !object["apiVersion"].is_string() || !object["kind"].is_string() {
            return Err("answers with YAML that describes no objects of Kubernetes".into());
        }
        if object["kind"] == "Deployment" && object["metadata"]["name"] == AGENT {
            agent = Some(object);
        }
    }
    agent.ok_or_else(|| format!("answers with a manifest without {AGENT}"))
}

/// What both tasks know.
#[derive(Clone)]
struct Import {
    url: String,
    kubectl: Kubectl,
    agent: AskObjects,
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Import({}/***)", server(&self.url))
    }
}

/// Where the import stands.
enum State {
    /// The agent reports to this server, and all that the manifest describes is there.
    Imported(String),
    /// The manifest is to be applied; the cluster's agent reports to another server.
    Wanted {
        text: String,
        reports_to: Option<String>,
        server: String,
    },
}

impl Import {
    fn new(kubectl: &Kubectl, url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            kubectl: kubectl.clone(),
            agent: kubectl.get(["-n", NAMESPACE, "deployment", AGENT]),
        }
    }

    fn ask(&self) -> AskImport {
        AskImport(format!("{} {}", quote(self.kubectl.kubeconfig()), quote(&self.url)))
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question(), self.agent.question()]
    }

    fn state(&self, answers: &Answers) -> Result<State, DecideError> {
        let at = server(&self.url);
        // The question holds the URL, which is not for an error's text.
        let answered = answers
            .get(&self.ask())
            .map_err(|_| DecideError::impossible(format!("could not ask the import URL at {at}")))?;
        let live = match answers.get(&self.agent)? {
            Reply::Objects(deployment) => Some(deployment),
            _ => None,
        };
        let reports_to = live
            .as_ref()
            .map(|live| rancher_of(live).unwrap_or_default().to_owned());
        let problem = |what: String, help: &str| {
            // A token is good for a while only; one that is imported needs it no more.
            match &reports_to {
                Some(to) if host(to) == host(&at) || to.is_empty() => Ok(State::Imported(to.clone())),
                _ => Err(DecideError::impossible_help(what, help.to_owned())),
            }
        };
        match answered {
            Answered::NoCurl => problem(
                format!("the import URL at {at} cannot be fetched: there is no curl"),
                "install curl on the deployment node",
            ),
            Answered::Failed(said) => problem(
                format!(
                    "the import URL at {at} cannot be fetched: {}",
                    said.replace(&self.url, &at)
                ),
                "see that the deployment node reaches Rancher, and that rancher_import_url is right",
            ),
            Answered::Status(code) => problem(
                format!("the import URL at {at} answers with {code}"),
                "copy rancher_import_url again from Rancher: Cluster Management, Import Existing, Generic",
            ),
            Answered::Text { text, all_there } => match agent_in(&text) {
                Err(what) => problem(
                    format!("the import URL at {at} {what}"),
                    "copy rancher_import_url again from Rancher: Cluster Management, Import Existing, Generic",
                ),
                Ok(agent) => {
                    let server = rancher_of(&agent).unwrap_or_default().to_owned();
                    match reports_to {
                        Some(to) if to == server && all_there => Ok(State::Imported(to)),
                        reports_to => Ok(State::Wanted {
                            text,
                            reports_to,
                            server,
                        }),
                    }
                }
            },
        }
    }
}

fn host(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// The import URL answers with Rancher's manifest, or the cluster is imported already. Changes nothing; for the beginning
/// of a role, before anything is touched.
#[derive(Debug, Clone)]
pub struct ImportReachable(Import);

impl ImportReachable {
    /// For that URL, fetched by `curl` where the task runs.
    pub fn new(kubectl: &Kubectl, url: impl Into<String>) -> Self {
        Self(Import::new(kubectl, url))
    }
}

impl Resource for ImportReachable {
    fn kind(&self) -> &'static str {
        "rancher_import"
    }

    fn questions(&self) -> Vec<Question> {
        self.0.questions()
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        Ok(Decision::nothing(match self.0.state(answers)? {
            State::Imported(_) => "the cluster is imported".to_owned(),
            State::Wanted { .. } => format!("{} has a manifest", server(&self.0.url)),
        }))
    }
}

/// The cluster is imported into the Rancher of a URL: the manifest is applied when its agent is not there, reports to
/// another Rancher, or something of the manifest is missing. What Rancher changed in it since is left alone.
#[derive(Debug, Clone)]
pub struct RancherImport(Import);

impl RancherImport {
    /// By that URL, fetched by `curl` where the task runs.
    pub fn new(kubectl: &Kubectl, url: impl Into<String>) -> Self {
        Self(Import::new(kubectl, url))
    }
}

impl Resource for RancherImport {
    fn kind(&self) -> &'static str {
        "rancher_import"
    }

    fn questions(&self) -> Vec<Question> {
        self.0.questions()
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let decided = self.0.state(answers).map(|state| match state {
            State::Imported(to) => Decision::nothing(match to.as_str() {
                "" => "the cluster is imported".to_owned(),
                to => format!("the cluster is imported into {to}"),
            }),
            State::Wanted {
                text,
                reports_to,
                server,
            } => {
                let before = reports_to.map_or(Shown::Absent, Shown::Text);
                let script = self.0.kubectl.command(["apply", "-f", "-"]);
                Change::new("import the cluster into Rancher")
                    .differs("Rancher of the cluster", before, Shown::text(server))
                    .step(
                        Shell::new("kubectl apply (Rancher's manifest)", script)
                            .reading(Content::sensitive(text))
                            .long(Duration::from_secs(300)),
                    )
                    .touching(Kubectl::touches())
                    .into()
            }
        });
        // Applying stays a change in check mode; an error about the URL is one there too.
        match decided {
            Ok(Decision::Nothing { .. }) => settle(answers, &self.questions(), decided),
            other => other,
        }
    }
}

/// The cluster is to be imported by a URL that is not there yet (check mode): what that would do is not known.
#[derive(Debug, Clone)]
pub struct RancherImportLater {
    why: String,
}

impl RancherImportLater {
    /// There is no URL, because of `why`: `Rancher has no cluster mosip yet`.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

impl Resource for RancherImportLater {
    fn kind(&self) -> &'static str {
        "rancher_import"
    }

    fn questions(&self) -> Vec<Question> {
        Vec::new()
    }

    fn decide(&self, _answers: &Answers) -> Result<Decision, DecideError> {
        Ok(Decision::unknown(self.why.clone()))
    }
}

struct AskImport(String);

impl Ask for AskImport {
    type Answer = Answered;

    fn question(&self) -> Question {
        Question::new(&ImportProbe, self.0.as_str())
    }

    fn read(&self, raw: &str) -> Result<Answered, String> {
        let (head, text) = raw.split_once('\n').unwrap_or((raw, ""));
        let mut words = head.split(' ');
        Ok(match (words.next(), words.next(), words.next()) {
            (Some("90"), ..) => Answered::NoCurl,
            (Some("0"), Some("200"), all) => Answered::Text {
                text: text.to_owned(),
                all_there: all == Some("all"),
            },
            (Some("0"), Some(code), _) => Answered::Status(code.parse().map_err(|_| "no status")?),
            _ => Answered::Failed(text.lines().next().unwrap_or("curl failed").to_owned()),
        })
    }
}

/// The kind of question behind the import: `STATUS-OF-CURL HTTP-CODE all|some` on a line, then the text. Its subject is the
/// kubeconfig's path and the URL, as shell words; `all` when the cluster has every object of the text.
pub struct ImportProbe;

impl Probe for ImportProbe {
    fn name(&self) -> &'static str {
        "import"
    }

    fn script(&self, subjects: &[&str]) -> String {
        // The URL goes to curl on standard input: arguments are seen by everybody on the machine.
        let mut script = String::from(
            r#"import() {
command -v curl >/dev/null 2>&1 || { echo '90 0 some'; return; }
u=$(printf '%s' "$2" | sed 's/[\\"]/\\&/g')
a=$(printf 'url = "%s"\n' "$u" | curl -K - -sS -L --max-time 30 --max-filesize 4194304 -w '\n%{http_code}' 2>&1); t=$?
c=${a##*
}
a=${a%
*}
h=some
if [ "$t" = 0 ] && [ "$c" = 200 ] && [ -e "$1" ] && command -v kubectl >/dev/null 2>&1; then
printf '%s\n' "$a" | timeout 30 kubectl --kubeconfig "$1" --request-timeout=15s get -f - -o name >/dev/null 2>&1 && h=all
fi
printf '%s %s %s\n%s\n' "$t" "$c" "$h" "$a"
}
"#,
        );
        for subject in subjects {
            script.push_str(&frame(&format!("import {subject} </dev/null")));
        }
        script
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        let output = format!("{}\n\n", output.trim_end_matches('\n'));
        match split_frames(&output) {
            Ok(frames) if frames.len() == subjects.len() => {
                frames.into_iter().map(|frame| Ok(frame.text.to_owned())).collect()
            }
            _ => vec![Err("the output breaks off".to_owned()); subjects.len()],
        }
    }

    fn disturbed_by(&self, _subject: &str, touch: &Touch) -> bool {
        matches!(touch, Touch::Kind("kubectl" | "command"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::testing as k;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_error, expect_nothing};
    use serde_json::json;

    const URL: &str = "https://rancher.example.org/v3/import/t0ken_c-m-1.yaml";
    const MANIFEST: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: cattle-system\n---\napiVersion: apps/v1\nkind: Deployment\n\
metadata:\n  name: cattle-cluster-agent\nspec:\n  template:\n    spec:\n      containers:\n      - env:\n        - name: CATTLE_SERVER\n          value: https://rancher.example.org\n";

    fn import() -> RancherImport {
        RancherImport::new(&Kubectl::new("/b/kube"), URL)
    }

    fn check() -> ImportReachable {
        ImportReachable::new(&Kubectl::new("/b/kube"), URL)
    }

    fn answers(answer: &str, reports_to: Option<&str>) -> Answers {
        let import = import().0;
        let answers = Answers::new().with(import.ask().question(), answer);
        match reports_to {
            None => k::not_found(answers, &import.agent),
            Some(server) => k::objects(
                answers,
                &import.agent,
                &json!({"spec": {"template": {"spec": {"containers": [{"env": [{"name": "CATTLE_SERVER", "value": server}]}]}}}}),
            ),
        }
    }

    #[test]
    fn the_manifest_is_applied_once() {
        let fetched = format!("0 200 some\n{MANIFEST}");
        let change = expect_change(&import(), &answers(&fetched, None));
        assert_eq!(t::scripts(&change), "kubectl --kubeconfig /b/kube apply -f -");
        assert!(!format!("{change:?}").contains("t0ken"));
        expect_nothing(&check(), &answers(&fetched, None));
        let there = Some("https://rancher.example.org");
        // Half applied.
        expect_change(&import(), &answers(&fetched, there));
        let all = format!("0 200 all\n{MANIFEST}");
        assert!(expect_nothing(&import(), &answers(&all, there)).contains("rancher.example.org"));
        // Another Rancher.
        let change = expect_change(&import(), &answers(&all, Some("https://old.example.org")));
        assert_eq!(change.differences[0].before, Shown::text("https://old.example.org"));
    }

    #[test]
    fn what_is_no_manifest_is_an_error_unless_it_is_imported() {
        for (answer, part) in [
            ("0 404 some\n{}", "answers with 404"),
            ("0 200 some\n<html>", "a web page"),
            ("0 200 some\na: 1\nb: 2", "no objects of Kubernetes"),
            ("0 200 some\na: [1\n\tb: {", "not YAML"),
            (
                "0 200 some\napiVersion: v1\nkind: Namespace",
                "without cattle-cluster-agent",
            ),
            (
                "6 000 some\ncurl: (6) Could not resolve host: rancher.example.org",
                "Could not resolve",
            ),
            ("90 0 some", "no curl"),
        ] {
            for error in [
                expect_error(&check(), &answers(answer, None)),
                expect_error(&import(), &answers(answer, None)),
            ] {
                assert!(error.contains(part) && !error.contains("t0ken"), "{error}");
            }
            expect_nothing(&check(), &answers(answer, Some("https://rancher.example.org")));
        }
    }
}
