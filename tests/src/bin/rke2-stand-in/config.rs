//! `config.yaml`, read strictly: a key that the command does not have is an error, as with RKE2.

use crate::Outcome;
use std::collections::BTreeMap;

/// Options of both commands.
const BOTH: [&str; 9] = [
    "token-file",
    "server",
    "node-name",
    "node-ip",
    "node-label",
    "node-taint",
    "kubelet-arg",
    "kube-proxy-arg",
    "private-registry",
];
/// Options of a server alone.
const SERVER: [&str; 15] = [
    "tls-san",
    "write-kubeconfig-mode",
    "cni",
    "cluster-cidr",
    "service-cidr",
    "cluster-dns",
    "cluster-domain",
    "ingress-controller",
    "disable",
    "disable-etcd",
    "disable-apiserver",
    "disable-controller-manager",
    "disable-scheduler",
    "etcd-snapshot-schedule-cron",
    "etcd-snapshot-retention",
];
/// What must be the same on all servers.
const CRITICAL: [&str; 4] = ["cluster-cidr", "cluster-dns", "cluster-domain", "service-cidr"];
const CNIS: [&str; 5] = ["none", "calico", "canal", "cilium", "flannel"];

/// What a machine's configuration says.
pub struct Config {
    values: BTreeMap<String, Vec<String>>,
    /// The token of the file that is named.
    pub token: String,
}

impl Config {
    /// Reads it for `rke2 server` or `rke2 agent`.
    pub fn read(path: &str, server: bool) -> Outcome<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let mut values = parse(&text)?;
        // Files beside it add to it, in the order of their names.
        let mut more: Vec<_> = std::fs::read_dir(format!("{path}.d"))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        more.sort();
        for file in more
            .iter()
            .filter(|file| file.extension().is_some_and(|kind| kind == "yaml"))
        {
            values.extend(parse(&std::fs::read_to_string(file)?)?);
        }
        for key in values.keys() {
            let known = BOTH.contains(&key.as_str()) || (server && SERVER.contains(&key.as_str()));
            if !known {
                return Err(format!("flag provided but not defined: -{key}").into());
            }
        }
        let mut made = Self {
            values,
            token: String::new(),
        };
        if let Some(cni) = made.get("cni").filter(|cni| !CNIS.contains(cni)) {
            return Err(format!("Invalid value {cni} for --cni flag").into());
        }
        if let Some(label) = made.all("node-label").iter().find(|label| is_kept(label)) {
            return Err(
                format!("unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [{label}]").into(),
            );
        }
        // For tests of what becomes of a configuration on which nothing comes up.
        if made.all("tls-san").contains(&"refused.invalid") {
            return Err("this name is refused".into());
        }
        let file = made.get("token-file").ok_or("--token is required")?;
        let token = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        made.token = token.trim().to_owned();
        Ok(made)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key)?.first().map(String::as_str)
    }

    /// The items of a key.
    pub fn all(&self, key: &str) -> Vec<&str> {
        self.values.get(key).into_iter().flatten().map(String::as_str).collect()
    }

    /// Whether a switch is on.
    pub fn is(&self, key: &str) -> bool {
        self.get(key) == Some("true")
    }

    /// What must be the same on all servers, as one word.
    pub fn critical(&self) -> String {
        let all: Vec<String> = CRITICAL
            .iter()
            .map(|key| format!("{key}={}", self.get(key).unwrap_or_default()))
            .collect();
        all.join(",")
    }
}

fn is_kept(label: &str) -> bool {
    let domain = label.split_once('/').map_or("", |(domain, _)| domain);
    (domain.ends_with("kubernetes.io") || domain.ends_with("k8s.io"))
        && !domain.ends_with("node.kubernetes.io")
        && !domain.ends_with("kubelet.kubernetes.io")
}

/// Keys with one value or a list, which is all of YAML that such a file needs.
fn parse(text: &str) -> Outcome<BTreeMap<String, Vec<String>>> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut last: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: &str| format!("config.yaml:{}: {what}", number + 1);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(item) = line.strip_prefix("  - ") {
            let key = last.as_ref().ok_or_else(|| wrong("an item without a key"))?;
            values
                .entry(key.clone())
                .or_default()
                .push(unquote(item).map_err(|e| wrong(&e))?);
            continue;
        }
        let (key, value) = line.split_once(':').ok_or_else(|| wrong("no key"))?;
        if values.contains_key(key) {
            return Err(wrong("a key that is there already").into());
        }
        let value = value.trim();
        let items = if value.is_empty() {
            Vec::new()
        } else {
            vec![unquote(value).map_err(|e| wrong(&e))?]
        };
        last = value.is_empty().then(|| key.to_owned());
        values.insert(key.to_owned(), items);
    }
    Ok(values)
}

fn unquote(text: &str) -> Result<String, String> {
    match text.strip_prefix('"') {
        Some(rest) => serde_json::from_str(text).map_err(|_| format!("{rest:?} is not ended")),
        None if text.contains(['"', '{', '[', '#']) => Err(format!("{text:?} is not understood")),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, server: bool) -> Outcome<Config> {
        let folder = tempfile::tempdir().expect("a folder");
        let (config, token) = (folder.path().join("config.yaml"), folder.path().join("token"));
        std::fs::write(&token, "0123456789abcdef\n").expect("written");
        std::fs::write(&config, format!("token-file: \"{}\"\n{text}", token.display())).expect("written");
        Config::read(&config.to_string_lossy(), server)
    }

    #[test]
    fn keys_are_those_of_the_command() {
        let config = read(
            "# x\nnode-name: vm1\ntls-san:\n  - \"a\"\n  - b\ndisable-etcd: true\n",
            true,
        )
        .expect("good");
        assert_eq!(
            (config.get("node-name"), config.all("tls-san")),
            (Some("vm1"), vec!["a", "b"])
        );
        assert!(config.is("disable-etcd") && config.token == "0123456789abcdef");
        for (text, server, part) in [
            ("tls-san: a\n", false, "not defined: -tls-san"),
            ("nodename: a\n", true, "not defined: -nodename"),
            ("cni: weave\n", true, "Invalid value weave"),
            (
                "node-label:\n  - node-role.kubernetes.io/worker=true\n",
                true,
                "unknown 'kubernetes.io'",
            ),
            ("node-name: a\nnode-name: b\n", true, "there already"),
        ] {
            let error = read(text, server).err().expect("refused").to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
