//! `rke up`, only when it is needed: decided from what the cluster answers and from what the last one built.

use mosip_prov_cluster::{AskObjects, Kubectl, Reply, ready};
use mosip_prov_resources::probe::file::{FileAsk, FileState, digest};
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch};
use std::time::Duration;

/// What the last `rke up` that succeeded built: a copy of its `cluster.yml`.
pub const BUILT: &str = "cluster.yml.built";

/// The cluster of a folder, as its `cluster.yml` describes it.
#[derive(Debug, Clone)]
pub struct RkeUp {
    folder: String,
    config: String,
    nodes: Vec<String>,
    ask: AskObjects,
    backups: u32,
    timeout: Duration,
}

impl RkeUp {
    /// In `folder`, whose `cluster.yml` holds `config` by then, with nodes of these names.
    pub fn new(folder: impl Into<String>, config: impl Into<String>, nodes: Vec<String>) -> Self {
        let folder = folder.into();
        Self {
            ask: Kubectl::new(format!("{folder}/kube_config_cluster.yml")).get(["nodes"]),
            folder,
            config: config.into(),
            nodes,
            backups: 10,
            timeout: Duration::from_secs(3600),
        }
    }

    /// How many copies of the state are kept. Default: 10.
    #[must_use]
    pub fn backups(mut self, count: u32) -> Self {
        self.backups = count;
        self
    }

    /// How long it may take. Default: an hour.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn ask_file(&self, name: &str) -> FileAsk {
        FileAsk::new(format!("{}/{name}", self.folder))
    }

    /// Why `rke up` is needed; `None` when it is not.
    fn reason(&self, answers: &Answers) -> Result<Option<String>, DecideError> {
        let built = match answers.get(&self.ask_file(BUILT))? {
            FileState::Entry(entry) => Some(entry.digest.as_deref() == Some(digest(self.config.as_bytes()).as_str())),
            _ => None,
        };
        let state_lost = matches!(
            answers.get(&self.ask_file("cluster.rkestate"))?,
            FileState::Absent { .. }
        );
        let list = match answers.get(&self.ask)? {
            Reply::NoKubectl => {
                return Err(DecideError::impossible_help(
                    "there is no kubectl on the deployment node",
                    "install one newer than 1.19",
                ));
            }
            Reply::NoKubeconfig if state_lost => return Ok(Some("there is no cluster yet".into())),
            Reply::NoKubeconfig => return Ok(Some("the last `rke up` did not come to its end".into())),
            Reply::Refused(said) | Reply::NotFound(said) => return Err(refused(&said)),
            Reply::Down(said) if is_a_stranger(&said) => return Err(refused(&said)),
            other => other,
        };
        if state_lost {
            // A new state would be another cluster on the machines of this one.
            return Err(DecideError::impossible_help(
                format!("{}/cluster.rkestate is gone, and a kubeconfig is there", self.folder),
                "put back the newest cluster.rkestate.backup-NUMBER; without it RKE cannot change this cluster",
            ));
        }
        let trouble = match list.objects() {
            Err(why) => vec![why],
            Ok(list) => ready::nodes_trouble(&list, &self.nodes),
        };
        Ok(match (built, trouble.is_empty()) {
            (_, false) => Some(trouble.join(", ")),
            (None, true) => Some("no `rke up` of this cluster.yml is known to have succeeded".into()),
            (Some(false), true) => Some("cluster.yml differs from what was built".into()),
            (Some(true), true) => None,
        })
    }

    fn script(&self) -> String {
        format!(
            r#"cd -- {folder} || exit
umask 077
if [ -f cluster.rkestate ]; then
last=$(ls cluster.rkestate.backup-* 2>/dev/null | tail -n 1)
if [ -z "$last" ] || ! cmp -s cluster.rkestate "$last"; then
number=$(expr "${{last##*-}}" + 1 2>/dev/null) || number=1
cp -- cluster.rkestate "$(printf 'cluster.rkestate.backup-%06d' "$number")" || exit
ls cluster.rkestate.backup-* | head -n -{keep} | while read -r old; do rm -f -- "$old"; done
fi
fi
rm -f {BUILT}
umask 022
/usr/local/bin/rke up --config cluster.yml || exit
chmod 600 cluster.rkestate kube_config_cluster.yml || exit
cp -- cluster.yml {BUILT}.new && mv -f -- {BUILT}.new {BUILT}"#,
            folder = quote(&self.folder),
            keep = self.backups,
        )
    }
}

/// Whether the API answered after all, and does not know us or is not known to us: it runs, so that building it anew would
/// mend nothing.
fn is_a_stranger(said: &str) -> bool {
    ["nauthorized", "must be logged in", "unknown authority"]
        .iter()
        .any(|part| said.contains(part))
}

fn refused(said: &str) -> DecideError {
    let first = said.lines().next().unwrap_or_default();
    DecideError::impossible_help(
        format!("the cluster's API answers, and does not tell its nodes: {first}"),
        "see what is wrong with kube_config_cluster.yml or the API; `rke up` is not run on a cluster that answers",
    )
}

impl Resource for RkeUp {
    fn kind(&self) -> &'static str {
        "rke_up"
    }

    fn questions(&self) -> Vec<Question> {
        vec![
            self.ask_file(BUILT).question(),
            self.ask_file("cluster.rkestate").question(),
            self.ask.question(),
        ]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let Some(reason) = self.reason(answers)? else {
            let what = format!(
                "all {} nodes are ready, as cluster.yml describes them",
                self.nodes.len()
            );
            let pending = self
                .questions()
                .into_iter()
                .find_map(|q| answers.pending_for(&q).map(str::to_owned));
            return Ok(match pending {
                // The file itself and the folder are what comes before in every first run.
                Some(task) => Decision::unknown(format!("{what}, but \"{task}\" comes first and may change that")),
                None => Decision::nothing(what),
            });
        };
        Ok(Change::new(format!("run rke up: {reason}"))
            .differs(
                "cluster",
                Shown::text(reason),
                Shown::text("as cluster.yml describes it"),
            )
            .step(Shell::new("rke up", self.script()).long(self.timeout))
            .touching([
                Touch::Path(self.folder.clone()),
                Touch::Kind("kubectl"),
                Touch::Kind("kubeconfig"),
                Touch::Kind("command"),
            ])
            .into())
    }
}
