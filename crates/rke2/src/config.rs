//! What a machine's `config.yaml` and the manifests of a server say.
//!
//! Every key is an option of `rke2 server` or `rke2 agent`; RKE2 ends with an error where one is unknown.

use crate::settings::{Cni, Settings};
use crate::topology::{Machine, Topology};
use crate::{MANIFESTS_FOLDER, SUPERVISOR_PORT, TOKEN_FILE};
use mosip_prov_resources::{Answers, DecideError, Decision, File, Question, Resource, Shown};
use std::fmt::Write as _;

/// Snapshots of etcd, as many and as often as RKE 1 was told to: every 12 hours, 6 kept.
const SNAPSHOT_CRON: &str = "0 */12 * * *";
const SNAPSHOTS_KEPT: u32 = 6;

/// From this version on, what runs behind the API's ports is chosen by `ingress-controller`, and it is not nginx by
/// default from 1.36 on.
const INGRESS_IS_CHOSEN: (u32, u32) = (1, 32);

/// YAML as it is written, key by key.
struct Yaml(String);

impl Yaml {
    fn text(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "{key}: {}", scalar(value));
    }

    fn flag(&mut self, key: &str) {
        let _ = writeln!(self.0, "{key}: true");
    }

    fn number(&mut self, key: &str, value: u32) {
        let _ = writeln!(self.0, "{key}: {value}");
    }

    fn list(&mut self, key: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        let _ = writeln!(self.0, "{key}:");
        for item in items {
            let _ = writeln!(self.0, "  - {}", scalar(item));
        }
    }
}

/// A text as YAML reads it back: in double quotes, which nothing in it can end.
fn scalar(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// The content of `config.yaml` for `machine`. The token is in a file of its own, which it names.
pub fn config(settings: &Settings, topology: &Topology, machine: &Machine) -> String {
    let mut yaml = Yaml("# Written by mosip-prov.\n".to_owned());
    let roles = machine.roles;
    yaml.text("token-file", TOKEN_FILE);
    if !topology.is_first(&machine.name) {
        yaml.text(
            "server",
            &format!("https://{}:{SUPERVISOR_PORT}", settings.registration),
        );
    }
    yaml.text("node-name", &machine.name);
    if let Some(ip) = &machine.node_ip {
        yaml.text("node-ip", ip);
    }
    yaml.list("node-label", &settings.labels);
    if !roles.worker {
        // What is deployed stays off; RKE2's own components bear these.
        let mut taints = Vec::new();
        if roles.control_plane {
            taints.push("node-role.kubernetes.io/control-plane=true:NoSchedule".to_owned());
        }
        if roles.etcd {
            taints.push("node-role.kubernetes.io/etcd=true:NoExecute".to_owned());
        }
        yaml.list("node-taint", &taints);
    }
    yaml.list("kubelet-arg", &[format!("max-pods={}", settings.max_pods)]);
    if !roles.is_server() {
        return yaml.0;
    }
    yaml.list("tls-san", &names(settings, topology));
    yaml.text("write-kubeconfig-mode", "0600");
    yaml.text("cni", settings.cni.name());
    yaml.text("cluster-cidr", &settings.cluster_cidr);
    yaml.text("service-cidr", &settings.service_cidr);
    yaml.text("cluster-dns", &settings.cluster_dns);
    yaml.text("cluster-domain", &settings.cluster_domain);
    if settings.release.minor() >= INGRESS_IS_CHOSEN {
        yaml.text(
            "ingress-controller",
            if settings.ingress { "ingress-nginx" } else { "none" },
        );
    } else if !settings.ingress {
        yaml.list("disable", &["rke2-ingress-nginx".to_owned()]);
    }
    if !roles.etcd {
        yaml.flag("disable-etcd");
    } else {
        yaml.text("etcd-snapshot-schedule-cron", SNAPSHOT_CRON);
        yaml.number("etcd-snapshot-retention", SNAPSHOTS_KEPT);
    }
    if !roles.control_plane {
        yaml.flag("disable-apiserver");
        yaml.flag("disable-controller-manager");
        yaml.flag("disable-scheduler");
    }
    yaml.0
}

/// All names and addresses that the API may be called by, each once: those of its servers, where nodes join, where the
/// deployment node finds it, and what the operator adds.
fn names(settings: &Settings, topology: &Topology) -> Vec<String> {
    let servers = topology.machines.iter().filter(|m| m.roles.is_server());
    let all = [&settings.registration, &settings.api]
        .into_iter()
        .map(String::as_str)
        .chain(servers.flat_map(|m| [m.name.as_str(), m.address.as_str(), m.inner_address()]))
        .chain(settings.tls_san.iter().map(String::as_str));
    let mut names: Vec<String> = Vec::new();
    for name in all {
        if !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// The folder and content of a manifest that sets values of one of RKE2's own charts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The chart: `rke2-canal`.
    pub chart: &'static str,
    /// Where it lies on a server.
    pub path: String,
    /// The manifest.
    pub content: String,
}

/// The manifests of a server with an API.
pub fn manifests(settings: &Settings) -> Vec<Manifest> {
    let mut all = Vec::new();
    let mtu = settings.mtu;
    let values = match settings.cni {
        _ if mtu == 0 => None,
        Cni::Canal => Some(("rke2-canal", format!("calico:\n  vethuMTU: {mtu}\n"))),
        Cni::Calico => Some((
            "rke2-calico",
            format!("installation:\n  calicoNetwork:\n    mtu: {mtu}\n"),
        )),
        Cni::Cilium => Some(("rke2-cilium", format!("MTU: {mtu}\n"))),
        Cni::Flannel | Cni::None => None,
    };
    all.extend(values.map(|(chart, values)| manifest(chart, &values)));
    if settings.ingress {
        all.push(manifest(
            "rke2-ingress-nginx",
            "controller:\n  config:\n    use-forwarded-headers: \"true\"\n",
        ));
    }
    all
}

/// Whether the MTU that is wanted is left to the network plugin, since its chart has no setting for it.
pub fn mtu_is_left_out(settings: &Settings) -> bool {
    settings.mtu != 0 && matches!(settings.cni, Cni::Flannel | Cni::None)
}

fn manifest(chart: &'static str, values: &str) -> Manifest {
    let mut content = format!(
        "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata:\n  name: {chart}\n  namespace: kube-system\nspec:\n  valuesContent: |-\n"
    );
    for line in values.lines() {
        let _ = writeln!(content, "    {line}");
    }
    Manifest {
        chart,
        path: format!("{MANIFESTS_FOLDER}/{chart}-config.yaml"),
        content,
    }
}

/// The configuration in its place, mode 0600. What it takes the place of is shown, but not where it may hold a secret: a
/// cluster that was made by other means may have its token in there.
#[derive(Debug, Clone)]
pub struct ConfigFile(File);

impl ConfigFile {
    /// `content` at `path`; there must be no secret in it.
    pub fn new(path: impl Into<String>, content: impl Into<String>) -> Self {
        let file = File::content(path, content.into());
        Self(file.mode(0o600).owner("root").group("root"))
    }
}

/// Whether a `config.yaml` may hold a secret: by the words of its options, however it is written. The names of files that
/// hold one are none.
fn may_hold_secrets(text: &str) -> bool {
    let text = text.to_ascii_lowercase().replace("token-file", "");
    let words = ["token", "secret", "access-key", "password", "datastore-endpoint"];
    words.iter().any(|word| text.contains(word))
}

impl Resource for ConfigFile {
    fn kind(&self) -> &'static str {
        "rke2_config"
    }

    fn questions(&self) -> Vec<Question> {
        self.0.questions()
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let mut decision = self.0.decide(answers)?;
        if let Decision::Change(change) = &mut decision {
            for difference in &mut change.differences {
                if matches!(&difference.before, Shown::Text(text) if may_hold_secrets(text)) {
                    difference.before = Shown::Masked;
                }
            }
        }
        Ok(decision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_change, expect_nothing};

    const PATH: &str = "/etc/rancher/rke2/config.yaml";
    const OURS: &str = "# Written by mosip-prov.\ntoken-file: \"/etc/rancher/rke2/token\"\n";

    fn with(there: &str) -> Answers {
        t::file(Answers::new(), PATH, 0o600, "root", "root", there)
    }

    #[test]
    fn a_secret_of_the_one_before_is_not_shown() {
        let file = ConfigFile::new(PATH, OURS);
        expect_nothing(&file, &with(OURS));
        for secret in [
            "server: x\ntoken: s3cr3t\n",
            "\"agent-token\" : s3cr3t\n",
            "{token: s3cr3t}\n",
            "token-file: /x\ndatastore-endpoint: mysql://u:s3cr3t@tcp(x)/y\n",
            "etcd-s3-secret-key: s3cr3t\n",
        ] {
            let change = expect_change(&file, &with(secret));
            assert!(!format!("{change:?}").contains("s3cr3t"), "{change:?}");
            assert!(
                change.differences.iter().any(|d| d.before == Shown::Masked),
                "{change:?}"
            );
            assert!(
                change.differences.iter().any(|d| d.after == Shown::text(OURS)),
                "{change:?}"
            );
        }
        // Without one, what changes is to be seen.
        let before = "token-file: \"/x\"\nnode-name: a\n";
        let change = expect_change(&file, &with(before));
        assert!(
            change.differences.iter().any(|d| d.before == Shown::text(before)),
            "{change:?}"
        );
    }
}
