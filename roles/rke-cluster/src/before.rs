//! What must hold on the deployment node before anything is changed anywhere.

use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::versions::numbers;
use mosip_prov_resources::{Answers, Ask, DecideError, Decision, Question, Resource};

/// A path as a word of `sh`; a leading `~/` is the user's home.
fn word(path: &str) -> String {
    match path.strip_prefix("~/") {
        Some(rest) => format!("\"$HOME\"/{}", quote(rest)),
        None => quote(path).into_owned(),
    }
}

/// `kubectl` is there and newer than 1.19, and the key can be read.
#[derive(Debug, Clone)]
pub struct CanBuild {
    key: String,
}

impl CanBuild {
    /// With the key at that path, absolute or beginning with `~/`.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into() }
    }

    fn ask_key(&self) -> AskCommand {
        AskCommand(format!(
            "k={}\n[ -e \"$k\" ] || exit 1\n[ -f \"$k\" ] || exit 2\n[ -r \"$k\" ] || exit 3\ngrep -q 'PRIVATE KEY' \"$k\" || exit 4",
            word(&self.key)
        ))
    }

    fn ask_kubectl() -> AskCommand {
        AskCommand("command -v kubectl >/dev/null 2>&1 || exit 1\nkubectl version --client -o json 2>/dev/null".into())
    }
}

/// Major and minor number of the client in the output of `kubectl version -o json`.
fn client_version(output: &str) -> Option<(u64, u64)> {
    let value: serde_json::Value = serde_json::from_str(output).ok()?;
    let [major, minor, _] = numbers(value.pointer("/clientVersion/gitVersion")?.as_str()?)?;
    Some((major, minor))
}

impl Resource for CanBuild {
    fn kind(&self) -> &'static str {
        "tools"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask_key().question(), Self::ask_kubectl().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let key = &self.key;
        let what = match answers.get(&self.ask_key())?.status {
            0 => None,
            1 => Some("is not there"),
            2 => Some("is not a file"),
            3 => Some("cannot be read by the user who runs rke"),
            _ => Some("is not a private key"),
        };
        if let Some(what) = what {
            return Err(DecideError::impossible_help(
                format!("the SSH key {key} on the deployment node {what}"),
                "copy the key that the nodes accept there, with mode 0600, or set ssh_key_path",
            ));
        }
        let kubectl = answers.get(&Self::ask_kubectl())?;
        if kubectl.status != 0 {
            return Err(DecideError::impossible_help(
                "there is no kubectl on the deployment node",
                "install one newer than 1.19: mosip-prov run deployment-node",
            ));
        }
        match client_version(&kubectl.output) {
            Some((major, minor)) if (major, minor) > (1, 19) => Ok(Decision::nothing(format!(
                "kubectl {major}.{minor} is there, and {key} can be read"
            ))),
            Some((major, minor)) => Err(DecideError::impossible_help(
                format!("kubectl on the deployment node is {major}.{minor}, and a version above 1.19 is wanted"),
                "install a newer one: mosip-prov run deployment-node",
            )),
            None => Err(DecideError::impossible_help(
                "kubectl on the deployment node does not say its version",
                "install a newer one: mosip-prov run deployment-node",
            )),
        }
    }
}

/// No cluster of other machines is in the folder.
#[derive(Debug, Clone)]
pub struct NoOtherCluster {
    folder: String,
    variable: &'static str,
    addresses: Vec<String>,
}

impl NoOtherCluster {
    /// In `folder`, for machines at these addresses; `variable` switches the check off.
    pub fn new(folder: impl Into<String>, variable: &'static str, addresses: Vec<String>) -> Self {
        Self {
            folder: folder.into(),
            variable,
            addresses,
        }
    }

    fn ask(&self) -> AskCommand {
        // The state is JSON with an entry "address" for each node, the kubeconfig has the URL of one.
        AskCommand(format!(
            "cd -- {} 2>/dev/null || exit 0\n\
             [ ! -f cluster.rkestate ] || {{ grep -o '\"address\": *\"[^\"]*\"' cluster.rkestate | sort -u | sed 's/.*\"\\([^\"]*\\)\"$/state \\1/'; }}\n\
             [ ! -f kube_config_cluster.yml ] || sed -n 's#.*server: *\"*https*://\\([^:/\"]*\\).*#server \\1#p' kube_config_cluster.yml\nexit 0",
            quote(&self.folder)
        ))
    }
}

impl Resource for NoOtherCluster {
    fn kind(&self) -> &'static str {
        "other_cluster"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let output = answers.get(&self.ask())?.output;
        let of = |kind: &str| -> Vec<&str> {
            let lines = output.lines().filter_map(|line| line.split_once(' '));
            lines
                .filter(|(have, _)| *have == kind)
                .map(|(_, address)| address)
                .collect()
        };
        let (state, server) = (of("state"), of("server"));
        // The state knows best; a kubeconfig alone names one machine.
        let found = if state.is_empty() { server } else { state };
        let ours = |address: &&str| self.addresses.iter().any(|own| own == address);
        if found.is_empty() {
            return Ok(Decision::nothing(format!("{} has no cluster yet", self.folder)));
        }
        if found.iter().any(ours) {
            return Ok(Decision::nothing(format!("the cluster of {} is this one", self.folder)));
        }
        Err(DecideError::impossible_help(
            format!(
                "{} holds the files of another cluster, whose machines are {}",
                self.folder,
                found.join(", ")
            ),
            format!(
                "give this cluster another name or folder, or move those files away; {} set to false builds in their place",
                self.variable
            ),
        ))
    }
}

/// No machine is said to carry anything: there is no cluster to build.
#[derive(Debug, Clone, Copy)]
pub struct NotDescribed;

impl Resource for NotDescribed {
    fn kind(&self) -> &'static str {
        "cluster"
    }

    fn questions(&self) -> Vec<Question> {
        Vec::new()
    }

    fn decide(&self, _answers: &Answers) -> Result<Decision, DecideError> {
        Err(DecideError::impossible_help(
            "the inventory describes no cluster: control_plane_nodes, etcd_nodes and worker_nodes have no hosts",
            "give each group hosts with a physical_vm; --tags prepare prepares machines without a cluster",
        ))
    }
}
