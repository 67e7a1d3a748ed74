//! Objects as a manifest describes them: applied when the API says that something differs.
//!
//! ```
//! use mosip_prov_cluster::{Kubectl, Manifest};
//!
//! let kubectl = Kubectl::new("/home/ubuntu/rancher/mosip/kube_config_cluster.yml");
//! let manifest = Manifest::new(&kubectl, "namespace one", "apiVersion: v1\nkind: Namespace\nmetadata: {name: one}\n");
//! ```
//!
//! The comparison is `kubectl diff`: the API applies the manifest without keeping the result, so that defaults and what
//! webhooks and controllers add do not count as differences.

use crate::kubectl::{Kubectl, asking_functions};
use crate::settle::settle;
use mosip_prov_resources::shell::{frame, quote, split_frames};
use mosip_prov_resources::{
    Answers, Ask, Change, Content, DecideError, Decision, Probe, Question, RawAnswer, Resource, Shell, Shown, Touch,
};
use std::time::Duration;

/// How long applying may take.
const APPLY_WITHIN: Duration = Duration::from_secs(300);

/// The objects of a manifest.
#[derive(Clone)]
pub struct Manifest {
    kubectl: Kubectl,
    name: String,
    text: String,
    sensitive: bool,
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Manifest {
    /// The objects of `text`, YAML of one or several documents; `name` is what an operator would call them. Objects
    /// without a namespace are in `default`. Kinds that the API does not know yet are an error: see
    /// [`crate::CrdEstablished`].
    pub fn new(kubectl: &Kubectl, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            kubectl: kubectl.clone(),
            name: name.into(),
            text: text.into(),
            sensitive: false,
        }
    }

    /// The same; differences are never shown.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    fn ask(&self) -> AskDifference {
        AskDifference {
            subject: format!("{} {}", quote(self.kubectl.kubeconfig()), quote(&self.text)),
        }
    }

    fn decided(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let name = &self.name;
        // The question holds the whole manifest, which is not for an error's text.
        let answer = answers
            .get(&self.ask())
            .map_err(|_| DecideError::impossible(format!("could not find out whether the cluster has {name}")))?;
        let (status, said) = answer;
        let first = match self.sensitive {
            true => "what it says may hold secrets",
            false => said.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing"),
        };
        let impossible = |what: String, help: &str| Err(DecideError::impossible_help(what, help));
        match status {
            0 => Ok(Decision::nothing(format!("the cluster has {name} as wanted"))),
            1 => Ok(self.apply(&said).into()),
            90 => impossible(
                format!("{name} is wanted, and there is no kubectl"),
                "install kubectl on the deployment node",
            ),
            91 => impossible(
                format!(
                    "{name} is wanted, and there is no kubeconfig {}",
                    self.kubectl.kubeconfig()
                ),
                "build the cluster first",
            ),
            93 => impossible(
                format!("{name} is wanted, and the API does not answer: {first}"),
                "see that the cluster runs",
            ),
            _ => impossible(
                format!("{name} cannot be compared with what the cluster has: {first}"),
                "correct the manifest, or what the API complains about",
            ),
        }
    }

    fn apply(&self, difference: &str) -> Change {
        let name = &self.name;
        let script = self.kubectl.command(["apply", "-f", "-"]);
        let content = if self.sensitive {
            Content::sensitive(self.text.clone())
        } else {
            Content::public(self.text.clone())
        };
        let mut change = Change::new(format!("apply {name}"))
            .step(
                Shell::new(format!("kubectl apply ({name})"), script)
                    .reading(content)
                    .long(APPLY_WITHIN),
            )
            .touching(Kubectl::touches());
        for object in objects_of(difference) {
            let (before, after) = if self.sensitive || object.name.contains(".Secret.") {
                (Shown::Masked, Shown::Masked)
            } else {
                (
                    if object.before.is_empty() {
                        Shown::Absent
                    } else {
                        Shown::text(object.before)
                    },
                    Shown::text(object.after),
                )
            };
            change = change.differs(object.name, before, after);
        }
        if change.differences.is_empty() {
            change = change.differs(
                name.as_str(),
                Shown::text("differs"),
                Shown::text("as the manifest says"),
            );
        }
        change
    }
}

pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// The objects of the output of `kubectl diff`, which is that of `diff -u -N` for folders with a file an object.
pub(crate) fn objects_of(output: &str) -> Vec<Object> {
    let mut all: Vec<Object> = Vec::new();
    let mut in_hunk = false;
    for line in output.lines() {
        if line.starts_with("diff -") {
            let path = line.rsplit(' ').next().unwrap_or_default();
            all.push(Object {
                name: path.rsplit('/').next().unwrap_or_default().to_owned(),
                before: String::new(),
                after: String::new(),
            });
            in_hunk = false;
        } else if line.starts_with("@@") {
            in_hunk = true;
        } else if let (true, Some(object)) = (in_hunk, all.last_mut())
            && let Some(mark) = line.chars().next()
        {
            let rest = &line[mark.len_utf8()..];
            if matches!(mark, ' ' | '-') {
                object.before.push_str(rest);
                object.before.push('\n');
            }
            if matches!(mark, ' ' | '+') {
                object.after.push_str(rest);
                object.after.push('\n');
            }
        }
    }
    all
}

impl Resource for Manifest {
    fn kind(&self) -> &'static str {
        "manifest"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        settle(answers, &self.questions(), self.decided(answers))
    }
}

/// What applying would change: the status of `kubectl diff`, and what it printed.
struct AskDifference {
    subject: String,
}

impl Ask for AskDifference {
    type Answer = (i32, String);

    fn question(&self) -> Question {
        Question::new(&DifferenceProbe, self.subject.as_str())
    }

    fn read(&self, raw: &str) -> Result<(i32, String), String> {
        let (status, said) = raw.split_once('\n').unwrap_or((raw, ""));
        let status = status.parse().map_err(|_| "no status".to_owned())?;
        Ok((status, said.to_owned()))
    }
}

/// The kind of question behind [`Manifest`]. Its subject is the kubeconfig's path and the manifest, as shell words.
pub struct DifferenceProbe;

impl Probe for DifferenceProbe {
    fn name(&self) -> &'static str {
        "kubectl diff"
    }

    fn script(&self, subjects: &[&str]) -> String {
        let mut script = asking_functions();
        script.push_str(
            r#"differs() {
k=$1
command -v kubectl >/dev/null 2>&1 || return 90
[ -e "$k" ] || return 91
a=$(printf '%s\n' "$2" | timeout 60 kubectl --kubeconfig "$k" --request-timeout=15s diff -f - 2>&1); t=$?
printf '%s\n' "$a"
case "$t" in 0) return 0 ;; 1) case "$a" in *"diff -"*) return 1 ;; esac ;; esac
tell_kubectl "$t" "$a"
return "$r"
}
"#,
        );
        for subject in subjects {
            script.push_str(&frame(&format!("differs {subject} </dev/null")));
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

    fn disturbed_by(&self, _subject: &str, touch: &Touch) -> bool {
        // Paths: the kubeconfig may come with any of them.
        !matches!(touch, Touch::Kind(kind) if !["kubectl", "command"].contains(kind))
            && !matches!(touch, Touch::Thing(..))
    }
}

/// Texts of answers, to test decisions without a cluster.
pub mod testing {
    use super::{Ask, Manifest};
    use mosip_prov_resources::Answers;

    /// Applying `manifest` would change nothing.
    pub fn same(answers: Answers, manifest: &Manifest) -> Answers {
        answers.with(manifest.ask().question(), "0\n")
    }

    /// Applying `manifest` would change what this output of `kubectl diff` says.
    pub fn differs(answers: Answers, manifest: &Manifest, output: &str) -> Answers {
        answers.with(manifest.ask().question(), format!("1\n{output}"))
    }

    /// `kubectl diff` failed with this output; `status` is 90 to 94, as [`crate::Kubectl`] tells failures apart.
    pub fn failed(answers: Answers, manifest: &Manifest, status: i32, output: &str) -> Answers {
        answers.with(manifest.ask().question(), format!("{status}\n{output}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{expect_change, expect_error, expect_nothing, expect_unknown};

    const OUTPUT: &str = "diff -u -N /tmp/LIVE-1/v1.ConfigMap.default.one /tmp/MERGED-2/v1.ConfigMap.default.one
--- /tmp/LIVE-1/v1.ConfigMap.default.one\t2026
+++ /tmp/MERGED-2/v1.ConfigMap.default.one\t2026
@@ -1,4 +1,4 @@
 apiVersion: v1
 data:
-  a: \"1\"
+  a: \"2\"
diff -u -N /tmp/LIVE-1/v1.Secret.default.two /tmp/MERGED-2/v1.Secret.default.two
--- /tmp/LIVE-1/v1.Secret.default.two\t2026
+++ /tmp/MERGED-2/v1.Secret.default.two\t2026
@@ -0,0 +1,2 @@
+apiVersion: v1
+data: s3cret";

    fn manifest() -> Manifest {
        Manifest::new(&Kubectl::new("/b/kube"), "two objects", "a: 1\n")
    }

    #[test]
    fn it_is_applied_when_the_api_says_that_it_differs() {
        expect_nothing(&manifest(), &testing::same(Answers::new(), &manifest()));
        let change = expect_change(&manifest(), &testing::differs(Answers::new(), &manifest(), OUTPUT));
        assert_eq!(change.differences.len(), 2);
        assert_eq!(
            change.differences[0].before,
            Shown::text("apiVersion: v1\ndata:\n  a: \"1\"\n")
        );
        assert_eq!(change.differences[1].after, Shown::Masked);
        assert!(!format!("{change:?}").contains("s3cret"));
        let script = mosip_prov_resources::testing::scripts(&change);
        assert_eq!(script, "kubectl --kubeconfig /b/kube apply -f -");
        let masked = manifest().sensitive();
        let change = expect_change(&masked, &testing::differs(Answers::new(), &masked, OUTPUT));
        assert_eq!(change.differences[0].after, Shown::Masked);
    }

    #[test]
    fn failures_say_what_is_wrong_and_are_unknown_while_something_is_pending() {
        let answers = testing::failed(Answers::new(), &manifest(), 92, "error: no matches for kind \"X\"");
        let error = expect_error(&manifest(), &answers);
        assert!(error.contains("no matches for kind"), "{error}");
        let pending = answers.with_pending("build", vec![Touch::Everything]);
        expect_unknown(&manifest(), &pending);
        let unanswered = Answers::new().with_failure(manifest().ask().question(), "no");
        assert!(!expect_error(&manifest(), &unanswered).contains("a: 1"));
    }
}
