//! Kubeconfigs: a cluster's entry put into the user's `~/.kube/config`, beside those of other clusters.
//!
//! ```
//! use mosip_prov_cluster::MergedKubeconfig;
//!
//! let merged = MergedKubeconfig::new("/home/ubuntu/rancher/mosip/kube_config_cluster.yml", "mosip")
//!     .of_addresses(["10.0.0.11", "10.0.0.12"]);
//! ```
//!
//! Nothing of a kubeconfig is ever shown.

use crate::settle::settle;
use crate::yaml;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mosip_prov_resources::shell::{frame, quote, split_frames};
use mosip_prov_resources::{
    Answers, Ask, Change, Content, DecideError, Decision, Probe, Question, RawAnswer, Resource, Shell, Shown, Touch,
};
use serde_json::{Map, Value, json};
use std::fmt;

/// A kubeconfig: clusters, users, contexts.
#[derive(Clone, PartialEq)]
pub struct Kubeconfig(Map<String, Value>);

impl fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kubeconfig(***)")
    }
}

/// The entry called `name` of a section.
fn entry<'c>(config: &'c Map<String, Value>, section: &str, name: &str) -> Option<&'c Value> {
    let all = config.get(section)?.as_array()?;
    all.iter().find(|entry| entry["name"] == name)
}

/// The host of a server's URL.
fn host_of(server: &str) -> &str {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or(rest);
    match rest.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or(six),
        None => rest.rsplit_once(':').map_or(rest, |(host, _)| host),
    }
}

impl Kubeconfig {
    /// Reads one. An empty text is one without entries.
    ///
    /// # Errors
    /// It is none; the text says what is wrong, and nothing of what it holds.
    pub fn parse(text: &str) -> Result<Self, String> {
        let map = match yaml::read(text)? {
            Value::Null => Map::new(),
            Value::Object(map) => map,
            _ => return Err("it is not a mapping".into()),
        };
        for section in ["clusters", "users", "contexts"] {
            let good = match map.get(section) {
                None | Some(Value::Null) => true,
                Some(Value::Array(all)) => all.iter().all(|entry| entry["name"].is_string()),
                Some(_) => false,
            };
            if !good {
                return Err(format!("its {section} are not a list of entries with names"));
            }
        }
        Ok(Self(map))
    }

    /// The address in the server of the context that is chosen, or of the only cluster.
    pub fn server(&self) -> Option<&str> {
        let (cluster, _) = self.chosen()?;
        cluster["cluster"]["server"].as_str().map(host_of)
    }

    /// Whether the chosen clusters of both have one authority. `None` where one of them does not name its authority, or
    /// names it as a file.
    pub fn has_authority_of(&self, other: &Self) -> Option<bool> {
        let authority = |config: &Self| {
            let (cluster, _) = config.chosen()?;
            Some(cluster["cluster"]["certificate-authority-data"].as_str()?.to_owned())
        };
        Some(authority(self)? == authority(other)?)
    }

    /// Cluster and user of the context that is chosen, or of the only one.
    fn chosen(&self) -> Option<(&Value, &Value)> {
        let contexts = self.0.get("contexts")?.as_array()?;
        let current = self
            .0
            .get("current-context")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let context = match contexts.iter().find(|context| context["name"] == current) {
            Some(context) => context,
            None if contexts.len() == 1 => &contexts[0],
            None => return None,
        };
        let part = |section, key| entry(&self.0, section, context["context"][key].as_str()?);
        Some((part("clusters", "cluster")?, part("users", "user")?))
    }

    fn text(&self) -> String {
        yaml::document(&Value::Object(self.0.clone()))
    }

    /// This with the cluster of `source` under `name`: cluster and context of that name, user `kube-admin-NAME`. Entries
    /// of those names that are of the same cluster are replaced: same server or authority, or a server among
    /// `addresses`. Those of another cluster are kept under another name. The chosen context stays where there is one.
    ///
    /// # Errors
    /// `source` has no cluster.
    pub fn with(&self, source: &Self, name: &str, addresses: &[String]) -> Result<Self, String> {
        let (cluster, user) = source.chosen().ok_or("it has no context with a cluster and a user")?;
        let user_name = format!("kube-admin-{name}");
        let mut made = self.clone();
        if let Some(there) = entry(&self.0, "clusters", name) {
            let (theirs, ours) = (&there["cluster"], &cluster["cluster"]);
            let same = |key: &str| theirs[key].is_string() && theirs[key] == ours[key];
            let address = host_of(theirs["server"].as_str().unwrap_or_default()).to_owned();
            if !same("server") && !same("certificate-authority-data") && !addresses.contains(&address) {
                made.rename(name, &user_name);
            }
        }
        made.0.entry("apiVersion").or_insert_with(|| "v1".into());
        made.0.entry("kind").or_insert_with(|| "Config".into());
        made.put("clusters", name, "cluster", cluster["cluster"].clone());
        made.put("users", &user_name, "user", user["user"].clone());
        let context = match entry(&made.0, "contexts", name) {
            // What an operator added to it, a namespace for example, stays.
            Some(there) if there["context"].is_object() => {
                let mut context = there["context"].clone();
                context["cluster"] = name.into();
                context["user"] = user_name.as_str().into();
                context
            }
            _ => json!({"cluster": name, "user": user_name}),
        };
        made.put("contexts", name, "context", context);
        let current = made
            .0
            .get("current-context")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if entry(&made.0, "contexts", current).is_none() {
            made.0.insert("current-context".into(), name.into());
        }
        Ok(made)
    }

    fn put(&mut self, section: &str, name: &str, key: &str, value: Value) {
        let all = self.0.entry(section).or_insert(Value::Null);
        if !all.is_array() {
            *all = json!([]);
        }
        if let Some(all) = all.as_array_mut() {
            let new = json!({"name": name, (key): value});
            match all.iter_mut().find(|entry| entry["name"] == name) {
                Some(there) => *there = new,
                None => all.push(new),
            }
        }
    }

    /// Gives the entries of another cluster that stand under our names other ones.
    fn rename(&mut self, name: &str, user_name: &str) {
        let taken = |new: &str| {
            ["clusters", "users", "contexts"]
                .iter()
                .any(|section| entry(&self.0, section, new).is_some())
        };
        let Some(new) = (1..1000).map(|n| format!("{name}-other-{n}")).find(|new| !taken(new)) else {
            return;
        };
        for (section, old) in [("clusters", name), ("contexts", name), ("users", user_name)] {
            for one in self
                .0
                .get_mut(section)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                if one["name"] == old {
                    one["name"] = new.as_str().into();
                }
                if section == "contexts" {
                    for (key, old) in [("cluster", name), ("user", user_name)] {
                        if one["context"][key] == old {
                            one["context"][key] = new.as_str().into();
                        }
                    }
                }
            }
        }
        if self.0.get("current-context").is_some_and(|current| current == name) {
            self.0.insert("current-context".into(), new.into());
        }
    }
}

/// The cluster of one kubeconfig in another one, `~/.kube/config`, mode 0600.
#[derive(Debug, Clone)]
pub struct MergedKubeconfig {
    from: String,
    into: String,
    name: String,
    addresses: Vec<String>,
}

impl MergedKubeconfig {
    /// The chosen context of the kubeconfig at `from`, an absolute path, under `name` in `~/.kube/config` of the user who
    /// runs the task.
    pub fn new(from: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            into: "~/.kube/config".into(),
            name: name.into(),
            addresses: Vec::new(),
        }
    }

    /// The same, in the kubeconfig at this path: an absolute one, or one that begins with `~/`.
    #[must_use]
    pub fn into_file(mut self, path: impl Into<String>) -> Self {
        self.into = path.into();
        self
    }

    /// The same, knowing that servers at these addresses are the same cluster: an entry that names one is replaced even
    /// when server and authority are others now.
    #[must_use]
    pub fn of_addresses<A: Into<String>>(mut self, addresses: impl IntoIterator<Item = A>) -> Self {
        self.addresses = addresses.into_iter().map(Into::into).collect();
        self
    }

    fn decided(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let (from, into, name) = (&self.from, &self.into, &self.name);
        let bad = |path: &str, what: &str, help: &str| {
            Err(DecideError::impossible_help(
                format!("{path} is no kubeconfig: {what}"),
                help.to_owned(),
            ))
        };
        let source = match answers.get(&AskKubeconfig(from.clone()))? {
            Held::File { text, .. } => match Kubeconfig::parse(&text) {
                Ok(config) => config,
                Err(what) => return bad(from, &what, "remove it; building the cluster writes it anew"),
            },
            _ => {
                return Err(DecideError::impossible_help(
                    format!("there is no kubeconfig {from} that can be read"),
                    "build the cluster first",
                ));
            }
        };
        let (present, mode) = match answers.get(&AskKubeconfig(into.clone()))? {
            Held::Absent => (None, 0o600),
            Held::File { text, mode } => match Kubeconfig::parse(&text) {
                Ok(config) => (Some(config), mode),
                Err(what) => return bad(into, &what, "mend it or move it away; it is not written over"),
            },
            Held::Unreadable => return bad(into, "it cannot be read as a file", "see what it is, and who owns it"),
        };
        let base = present.clone().unwrap_or_else(|| Kubeconfig(Map::new()));
        let made = match base.with(&source, name, &self.addresses) {
            Ok(made) => made,
            Err(what) => return bad(from, &what, "remove it; building the cluster writes it anew"),
        };
        if present.as_ref() == Some(&made) {
            if mode & 0o177 == 0 {
                return Ok(Decision::nothing(format!("{into} has cluster {name}")));
            }
            let script = format!("chmod 600 -- {}", word(into));
            return Ok(Change::new(format!("close {into} to others"))
                .differs("mode", Shown::text(format!("{mode:04o}")), Shown::text("0600"))
                .step(Shell::new(format!("chmod {into}"), script))
                .touching(touches())
                .into());
        }
        let before = if present.is_some() {
            Shown::Masked
        } else {
            Shown::Absent
        };
        let script = format!(
            "umask 077\np={}\nmkdir -p -- \"${{p%/*}}\" || exit\n\
             q=$(readlink -f -- \"$p\" 2>/dev/null) && [ -n \"$q\" ] && p=$q\n\
             t=$(mktemp \"$p.XXXXXX\") || exit\ntrap 'rm -f -- \"$t\"' EXIT\ncat >\"$t\" && mv -f -- \"$t\" \"$p\"",
            word(into)
        );
        Ok(Change::new(format!("put cluster {name} into {into}"))
            .differs(format!("entries of {into}"), before, Shown::Masked)
            .step(Shell::new(format!("write {into}"), script).reading(Content::sensitive(made.text())))
            .touching(touches())
            .into())
    }
}

fn touches() -> [Touch; 2] {
    [Touch::Kind(KubeconfigProbe.name()), Touch::Kind("command")]
}

/// The path as a word of `sh`; a leading `~/` is the user's home.
fn word(path: &str) -> String {
    match path.strip_prefix("~/") {
        Some(rest) => format!("\"$HOME\"/{}", quote(rest)),
        None => quote(path).into_owned(),
    }
}

impl Resource for MergedKubeconfig {
    fn kind(&self) -> &'static str {
        "kubeconfig"
    }

    fn questions(&self) -> Vec<Question> {
        [&self.from, &self.into]
            .map(|path| AskKubeconfig(path.clone()).question())
            .into()
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        settle(answers, &self.questions(), self.decided(answers))
    }
}

/// Asks for a kubeconfig at a path, absolute or beginning with `~/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskKubeconfig(
    /// The path.
    pub String,
);

/// What is at the path of a kubeconfig.
#[derive(Clone, PartialEq, Eq)]
pub enum Held {
    /// Nothing.
    Absent,
    /// Something that is no file, or may not be read.
    Unreadable,
    /// A file.
    File {
        /// What it holds.
        text: String,
        /// Permission bits.
        mode: u32,
    },
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Unreadable => "Unreadable",
            Self::File { .. } => "File(***)",
        })
    }
}

impl Ask for AskKubeconfig {
    type Answer = Held;

    fn question(&self) -> Question {
        Question::new(&KubeconfigProbe, self.0.as_str())
    }

    fn read(&self, raw: &str) -> Result<Held, String> {
        let mut words = raw.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("absent"), ..) => Ok(Held::Absent),
            (Some("file"), Some(mode), encoded) => {
                let bytes = BASE64.decode(encoded.unwrap_or_default()).map_err(|_| "no base64")?;
                Ok(Held::File {
                    text: String::from_utf8_lossy(&bytes).into_owned(),
                    mode: u32::from_str_radix(mode, 8).map_err(|_| "no mode")?,
                })
            }
            _ => Ok(Held::Unreadable),
        }
    }
}

/// The kind of question behind [`AskKubeconfig`]: `absent`, `unreadable`, or `file MODE BASE64`.
pub struct KubeconfigProbe;

impl Probe for KubeconfigProbe {
    fn name(&self) -> &'static str {
        "kubeconfig"
    }

    fn script(&self, subjects: &[&str]) -> String {
        subjects
            .iter()
            .map(|path| {
                frame(&format!(
                    "p={}\nif [ -f \"$p\" ] && [ -r \"$p\" ]; then echo file \"$(stat -Lc %a \"$p\")\" \"$(base64 <\"$p\" | tr -d '\\n')\"\n\
                     elif [ -e \"$p\" ] || [ -L \"$p\" ]; then echo unreadable; else echo absent; fi",
                    word(path)
                ))
            })
            .collect()
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

    fn disturbed_by(&self, subject: &str, touch: &Touch) -> bool {
        match touch {
            Touch::Path(_) => subject.starts_with("~/") || touch.concerns_path(subject),
            Touch::Kind(kind) => *kind == self.name() || *kind == "command",
            _ => false,
        }
    }
}

/// Texts of answers, to test decisions without a host.
pub mod testing {
    use super::{AskKubeconfig, BASE64};
    use base64::Engine as _;
    use mosip_prov_resources::{Answers, Ask};

    /// A kubeconfig is at `path`; `None`: nothing is.
    pub fn kubeconfig(answers: Answers, path: &str, file: Option<(u32, &str)>) -> Answers {
        let raw = match file {
            None => "absent".to_owned(),
            Some((mode, text)) => format!("file {mode:o} {}", BASE64.encode(text)),
        };
        answers.with(AskKubeconfig(path.to_owned()).question(), raw)
    }
}

#[cfg(test)]
mod tests;
