//! What a cluster says: `kubectl get … -o json`, all questions of a role together.
//!
//! ```
//! use mosip_prov_cluster::Kubectl;
//! use mosip_prov_resources::Ask;
//!
//! let kubectl = Kubectl::new("/home/ubuntu/rancher/mosip/kube_config_cluster.yml");
//! let question = kubectl.get(["-n", "istio-system", "deployment", "istiod"]).question();
//! ```
//!
//! An API that does not answer is asked once, by the first question with its kubeconfig; the others have the same answer.

use mosip_prov_resources::shell::{frame, quote, quote_all, split_frames};
use mosip_prov_resources::{Ask, Probe, Question, RawAnswer, Touch};
use serde_json::Value;

/// How long one question may take, in seconds: less than an operator's patience, more than a busy API needs.
const ANSWER_WITHIN: u32 = 20;

/// `kubectl` with a kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kubectl {
    kubeconfig: String,
}

impl Kubectl {
    /// With the kubeconfig at that absolute path on the machine that the task runs on.
    pub fn new(kubeconfig: impl Into<String>) -> Self {
        Self {
            kubeconfig: kubeconfig.into(),
        }
    }

    /// The path of the kubeconfig.
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// Asks `kubectl get WORDS -o json`: `["nodes"]`, `["-n", "kube-system", "configmap", "canal-config"]`.
    pub fn get<W: AsRef<str>>(&self, words: impl IntoIterator<Item = W>) -> AskObjects {
        AskObjects {
            kubectl: self.clone(),
            words: words.into_iter().map(|word| word.as_ref().to_owned()).collect(),
        }
    }

    /// `kubectl` with this kubeconfig and `words` as a command of a script, for steps.
    pub fn command<W: AsRef<str>>(&self, words: impl IntoIterator<Item = W>) -> String {
        let words: Vec<W> = words.into_iter().collect();
        format!(
            "kubectl --kubeconfig {} {}",
            quote(&self.kubeconfig),
            quote_all(words.iter().map(AsRef::as_ref))
        )
    }

    /// What a step touches that changes objects of a cluster.
    pub fn touches() -> [Touch; 2] {
        [Touch::Kind(KubectlProbe.name()), Touch::Kind("command")]
    }
}

/// Asks for objects: see [`Kubectl::get`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskObjects {
    kubectl: Kubectl,
    words: Vec<String>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The machine has no `kubectl`.
    NoKubectl,
    /// There is no kubeconfig at the path.
    NoKubeconfig,
    /// The API does not answer; what `kubectl` says.
    Down(String),
    /// There is no such object, or no such kind.
    NotFound(String),
    /// The API answers, and refuses; what `kubectl` says.
    Refused(String),
    /// The object, or a `List` with `items`.
    Objects(Value),
}

impl Reply {
    /// The objects, or why there are none, in words that continue "the API …" or stand alone.
    ///
    /// # Errors
    /// There are none; the text says why, without what `kubectl` printed beyond its first line.
    pub fn objects(self) -> Result<Value, String> {
        let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
        match self {
            Self::Objects(value) => Ok(value),
            Self::NoKubectl => Err("there is no kubectl".into()),
            Self::NoKubeconfig => Err("there is no kubeconfig yet".into()),
            Self::Down(said) => Err(format!("the API does not answer: {}", first(said))),
            Self::NotFound(said) | Self::Refused(said) => Err(first(said)),
        }
    }
}

impl Ask for AskObjects {
    type Answer = Reply;

    fn question(&self) -> Question {
        let words = self.words.iter().map(String::as_str);
        let subject = format!("{} get {} -o json", quote(&self.kubectl.kubeconfig), quote_all(words));
        Question::new(&KubectlProbe, subject)
    }

    fn read(&self, raw: &str) -> Result<Reply, String> {
        let (status, said) = raw.split_once('\n').unwrap_or((raw, ""));
        let said_so = said.trim().to_owned();
        Ok(match status {
            "0" => Reply::Objects(objects_in(said)?),
            "90" => Reply::NoKubectl,
            "91" => Reply::NoKubeconfig,
            "92" => Reply::NotFound(said_so),
            "93" => Reply::Down(said_so),
            _ => Reply::Refused(said_so),
        })
    }
}

/// The JSON in what `kubectl` printed: warnings may stand on lines before and after it.
fn objects_in(said: &str) -> Result<Value, String> {
    let begin = if said.starts_with('{') {
        Some(0)
    } else {
        said.find("\n{").map(|at| at + 1)
    };
    let Some(begin) = begin else {
        return Err("kubectl printed no object".into());
    };
    let mut values = serde_json::Deserializer::from_str(&said[begin..]).into_iter::<Value>();
    match values.next() {
        Some(Ok(value)) => Ok(value),
        _ => Err("kubectl printed what is no JSON".into()),
    }
}

/// The kind of question behind [`AskObjects`]. Its subject is the kubeconfig's path and the words, as a shell reads them.
/// It is disturbed by what touches the kind itself, any command, and the kubeconfig.
pub struct KubectlProbe;

impl Probe for KubectlProbe {
    fn name(&self) -> &'static str {
        "kubectl"
    }

    fn script(&self, subjects: &[&str]) -> String {
        let mut script = asking_functions();
        for subject in subjects {
            script.push_str(&frame(&format!("ask_kubectl {subject} </dev/null")));
            let kubeconfig = first_word(subject);
            script.push_str(&format!(
                "[ \"$s\" != 93 ] || {{ down=\"$down|\"{kubeconfig}\"|\"; why=$o; }}\n"
            ));
        }
        script
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        let output = format!("{}\n\n", output.trim_end_matches('\n'));
        match split_frames(&output) {
            Ok(frames) if frames.len() == subjects.len() => frames
                .into_iter()
                .map(|frame| Ok(format!("{}\n{}", frame.status, frame.text)))
                .collect(),
            Ok(_) => vec![Err("the output breaks off".to_owned()); subjects.len()],
            Err(reason) => vec![Err(reason); subjects.len()],
        }
    }

    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        match touch {
            Touch::Kind(kind) => *kind == self.name() || *kind == "command",
            Touch::Path(_) => {
                touch.concerns_path(first_word(subject).trim_matches('\''))
                    || touch.concerns_path("/usr/local/bin/kubectl")
            }
            _ => false,
        }
    }
}

/// The first word of a line of shell words, still quoted.
fn first_word(subject: &str) -> &str {
    match subject.strip_prefix('\'') {
        Some(rest) => rest.find("' ").map_or(subject, |end| &subject[..end + 2]),
        None => subject.split(' ').next().unwrap_or(subject),
    }
}

/// `ask_kubectl KUBECONFIG WORDS`: status 0 with the output, or 90 no kubectl, 91 no kubeconfig, 92 no such object,
/// 93 the API does not answer, 94 refused. `down` has the kubeconfigs whose API is known not to answer, `why` the reason.
pub(crate) fn asking_functions() -> String {
    format!(
        r#"down=; why=
tell_kubectl() {{
case "$2" in
*NotFound*|*"doesn't have a resource type"*|*"no matches for kind"*) r=92 ;;
*"Unable to connect"*|*refused*|*"no route to host"*|*"i/o timeout"*|*imeout\ exceeded*|*"deadline exceeded"*|*"TLS handshake"*|*"unexpected EOF"*|*"connection reset"*|*"unknown authority"*|*"ServiceUnavailable"*|*"no configuration has been provided"*|*"nauthorized"*|*"must be logged in"*) r=93 ;;
*) r=94; [ "$1" != 124 ] || r=93 ;;
esac
}}
ask_kubectl() {{
k=$1; shift
command -v kubectl >/dev/null 2>&1 || return 90
[ -e "$k" ] || return 91
case "$down" in *"|$k|"*) printf '%s\n' "$why"; return 93 ;; esac
a=$(timeout {ANSWER_WITHIN} kubectl --kubeconfig "$k" --request-timeout=15s "$@" 2>&1); t=$?
[ "$t" != 124 ] || a="no answer within {ANSWER_WITHIN} s"
printf '%s\n' "$a"
[ "$t" != 0 ] || return 0
tell_kubectl "$t" "$a"
return "$r"
}}
"#
    )
}

/// Texts of answers, to test decisions without a cluster.
pub mod testing {
    use super::{Ask, AskObjects};
    use mosip_prov_resources::Answers;
    use serde_json::Value;

    /// The cluster has these objects.
    pub fn objects(answers: Answers, ask: &AskObjects, value: &Value) -> Answers {
        answers.with(ask.question(), format!("0\n{value}"))
    }

    /// There is no such object.
    pub fn not_found(answers: Answers, ask: &AskObjects) -> Answers {
        answers.with(ask.question(), "92\nError from server (NotFound): not found")
    }

    /// The API does not answer.
    pub fn down(answers: Answers, ask: &AskObjects) -> Answers {
        answers.with(
            ask.question(),
            "93\nUnable to connect to the server: dial tcp: i/o timeout",
        )
    }

    /// There is no kubeconfig.
    pub fn no_kubeconfig(answers: Answers, ask: &AskObjects) -> Answers {
        answers.with(ask.question(), "91")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{ask_with, sh_available};
    use std::os::unix::fs::PermissionsExt;

    /// Asks with a stand-in for kubectl that is `script`.
    fn asked(script: &str, words: &[&[&str]]) -> Vec<Reply> {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("kubectl");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
        let kubeconfig = folder.path().join("it's a config");
        std::fs::write(&kubeconfig, "").expect("written");
        let kubectl = Kubectl::new(kubeconfig.to_string_lossy());
        let asks: Vec<AskObjects> = words.iter().map(|words| kubectl.get(*words)).collect();
        let questions: Vec<Question> = asks.iter().map(Ask::question).collect();
        let subjects: Vec<&str> = questions.iter().map(Question::subject).collect();
        let mut all = Vec::new();
        for shell in sh_available() {
            let path = format!("PATH={}:$PATH", folder.path().display());
            let probe = With(path);
            let answers = KubectlProbe.split(&ask_with(shell, &probe, &subjects), &subjects);
            all = asks
                .iter()
                .zip(answers)
                .map(|(ask, answer)| ask.read(&answer.expect("an answer")).expect("understood"))
                .collect();
        }
        all
    }

    struct With(String);

    impl Probe for With {
        fn name(&self) -> &'static str {
            "kubectl"
        }
        fn script(&self, subjects: &[&str]) -> String {
            format!("{}\n{}", self.0, KubectlProbe.script(subjects))
        }
        fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
            KubectlProbe.split(output, subjects)
        }
    }

    #[test]
    fn what_kubectl_says_is_told_apart() {
        let script = r#"case "$*" in
*"get nodes -o json") echo 'Warning: old' >&2; printf '{\n  "items": []\n}\n' ;;
*"get configmap it's -o json") echo '{"kind": "ConfigMap"}' ;;
*"get pod x"*) echo 'Error from server (NotFound): pods "x" not found' >&2; exit 1 ;;
*) echo 'Error from server (Forbidden): no' >&2; exit 1 ;;
esac"#;
        let replies = asked(
            script,
            &[&["nodes"], &["configmap", "it's"], &["pod", "x"], &["secret", "y"]],
        );
        assert_eq!(replies[0], Reply::Objects(serde_json::json!({"items": []})));
        assert_eq!(replies[1], Reply::Objects(serde_json::json!({"kind": "ConfigMap"})));
        assert!(matches!(&replies[2], Reply::NotFound(said) if said.contains("\"x\" not found")));
        assert!(matches!(&replies[3], Reply::Refused(said) if said.contains("Forbidden")));
    }

    #[test]
    fn an_api_that_does_not_answer_is_asked_once() {
        let script = r#"echo "asked $*" >>"${0%/*}/log"
[ "$(wc -l <"${0%/*}/log")" = 1 ] || { echo 'asked again'; exit 1; }
echo 'The connection to the server 10.0.0.1:6443 was refused' >&2; exit 1"#;
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("kubectl");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
        let kubectl = Kubectl::new(program.to_string_lossy());
        let questions = [
            kubectl.get(["nodes"]).question(),
            kubectl.get(["pods", "-A"]).question(),
        ];
        let subjects: Vec<&str> = questions.iter().map(Question::subject).collect();
        for shell in sh_available() {
            let _ = std::fs::remove_file(folder.path().join("log"));
            let probe = With(format!("PATH={}:$PATH", folder.path().display()));
            for answer in KubectlProbe.split(&ask_with(shell, &probe, &subjects), &subjects) {
                let reply = kubectl.get(["nodes"]).read(&answer.expect("an answer"));
                assert!(
                    matches!(&reply, Ok(Reply::Down(said)) if said.contains("was refused")),
                    "{shell:?} {reply:?}"
                );
            }
        }
    }

    #[test]
    fn what_touches_the_kubeconfig_or_runs_a_command_disturbs() {
        let question = Kubectl::new("/a b/kube").get(["nodes"]).question();
        for (touch, wanted) in [
            (Touch::Path("/a b/kube".into()), true),
            (Touch::Path("/a b".into()), true),
            (Touch::Path("/etc".into()), false),
            (Touch::Kind("kubectl"), true),
            (Touch::Kind("command"), true),
            (Touch::Kind("unit"), false),
            (Touch::Everything, true),
        ] {
            assert_eq!(question.disturbed_by(&touch), wanted, "{touch:?}");
        }
    }
}
