//! What is asked: the fields, what each may be, and where an answer came from.

use mosip_prov_inventory::VaultSecrets;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_inventory::value::Value;
use mosip_prov_inventory::yaml::{self, Node, NodeKind};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

/// A field. The order is the one in which it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The domain of the installation.
    Domain,
    /// The nodes of the MOSIP cluster.
    Node,
    /// The machine of the observation cluster.
    Obs,
    /// The front of the MOSIP cluster.
    Nginx,
    /// The front of the observation cluster.
    NginxObs,
    /// The address that the internet reaches.
    PublicIp,
    /// The VPN gateway.
    Wireguard,
    /// The address that peers of the VPN dial.
    WireguardEndpoint,
    /// The login on all machines.
    User,
    /// The key to log in with.
    PrivateKey,
}

impl Field {
    /// All, in the order in which they are asked for.
    pub const ALL: [Self; 10] = [
        Self::Domain,
        Self::Node,
        Self::Obs,
        Self::Nginx,
        Self::NginxObs,
        Self::PublicIp,
        Self::Wireguard,
        Self::WireguardEndpoint,
        Self::User,
        Self::PrivateKey,
    ];

    /// Its name in a file of answers.
    pub fn key(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Node => "node",
            Self::Obs => "obs",
            Self::Nginx => "nginx",
            Self::NginxObs => "nginx_obs",
            Self::PublicIp => "public_ip",
            Self::Wireguard => "wireguard",
            Self::WireguardEndpoint => "wireguard_endpoint",
            Self::User => "user",
            Self::PrivateKey => "private_key",
        }
    }

    /// Its flag.
    pub fn flag(self) -> String {
        format!("--{}", self.key().replace('_', "-"))
    }

    /// The question, without its default.
    pub fn question(self) -> &'static str {
        match self {
            Self::Domain => "Domain of the installation",
            Self::Node => "Private addresses of the MOSIP nodes, with blanks between them",
            Self::Obs => "Private address of the observation node",
            Self::Nginx => "Private address of the MOSIP front (nginx)",
            Self::NginxObs => "Private address of the observation front (nginx)",
            Self::PublicIp => "Public address of the MOSIP front",
            Self::Wireguard => "Private address of the VPN gateway (- for none)",
            Self::WireguardEndpoint => "Public address or name of the VPN gateway",
            Self::User => "Login on all machines",
            Self::PrivateKey => "Private key to log in with",
        }
    }

    /// What it is when nothing else is said, given the answers so far.
    pub fn default_of(self, answers: &Answers) -> Option<String> {
        match self {
            Self::User => Some("ubuntu".into()),
            Self::PrivateKey => Some("~/.ssh/id_ed25519".into()),
            // The guide: they may be one machine.
            Self::NginxObs => answers.first(Self::Obs).map(str::to_owned),
            _ => None,
        }
    }

    /// Whether it may be left out.
    pub fn is_optional(self, answers: &Answers) -> bool {
        match self {
            Self::Wireguard => true,
            Self::WireguardEndpoint => answers.first(Self::Wireguard).is_none(),
            _ => false,
        }
    }

    /// Whether there may be several.
    pub fn is_list(self) -> bool {
        self == Self::Node
    }

    /// What is wrong with `text` as one answer to it: what is said, and what to do.
    ///
    /// # Errors
    /// Both.
    pub fn check(self, text: &str) -> Result<(), (String, String)> {
        let wrong = |what: &str, help: &str| Err((format!("{} is \"{text}\", {what}", self.key()), help.to_owned()));
        match self {
            Self::Domain => match domain_problem(text) {
                Some(what) => wrong(what, "write it as mosip.example.org"),
                None => Ok(()),
            },
            Self::User => match text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
                true => Ok(()),
                false => wrong("which is no name of a user", "write it as ubuntu"),
            },
            Self::PrivateKey => match text.contains(['<', '>', '{', '}', '\n', '#', '"', '\'', ' ']) {
                true => wrong(
                    "which cannot be written into an inventory",
                    "give the path of the private key's file, without blanks",
                ),
                false if text.ends_with(".pub") => wrong(
                    "which is the public key",
                    "name the private one beside it, without .pub",
                ),
                false => Ok(()),
            },
            Self::WireguardEndpoint if domain_problem(text).is_none() => Ok(()),
            Self::WireguardEndpoint if text.parse::<IpAddr>().is_err() => wrong(
                "which is neither a whole IP address nor a name",
                "write it as 203.0.113.51; the port is wireguard_port's",
            ),
            _ => match text.parse::<IpAddr>() {
                Ok(ip) if ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() => wrong(
                    "which leads to no other machine",
                    "give the address by which the other machines reach it",
                ),
                Ok(_) => Ok(()),
                Err(_) => wrong("which is no whole IP address", "write it as 192.0.2.11"),
            },
        }
    }
}

/// What keeps `text` from being a domain: lower-case labels, two at least.
fn domain_problem(text: &str) -> Option<&'static str> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if text.contains("://") || text.contains('/') {
        return Some("which is the address of a page");
    }
    if text.starts_with("*.") {
        return Some("which is a wildcard");
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some("which has capital letters");
    }
    let labels: Vec<&str> = text.split('.').collect();
    let numeric = labels
        .last()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    match labels.len() >= 2 && labels.iter().all(|l| label(l)) && !numeric && text.len() <= 253 {
        true => None,
        false => Some("which is no domain"),
    }
}

/// Where an answer came from. The later wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum From {
    /// Outputs of Terraform.
    Terraform,
    /// A file of answers.
    File,
    /// A flag.
    Flag,
    /// The terminal.
    Asked,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The texts: one, or several for a list.
    pub texts: Vec<String>,
    /// Where it came from.
    pub from: From,
    /// Its place in a file.
    pub place: Option<Location>,
}

/// The answers so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers(BTreeMap<Field, Given>);

impl Answers {
    /// Sets one, unless a stronger one is there. No texts: nothing is set.
    pub fn give(&mut self, field: Field, given: Given) {
        let stronger = self.0.get(&field).is_some_and(|there| there.from > given.from);
        if !stronger && !given.texts.is_empty() {
            self.0.insert(field, given);
        }
    }

    /// One.
    pub fn get(&self, field: Field) -> Option<&Given> {
        self.0.get(&field)
    }

    /// Its first text; `-` stands for none.
    pub fn first(&self, field: Field) -> Option<&str> {
        let first = self.0.get(&field)?.texts.first()?;
        (first != "-").then_some(first)
    }

    /// Checks those that are there one by one.
    pub fn check(&self, problems: &mut Diagnostics) {
        for (field, given) in &self.0 {
            if !field.is_list() && given.texts.len() > 1 {
                problems.push(
                    Diagnostic::error(format!(
                        "{} has {} values, and one is wanted",
                        field.key(),
                        given.texts.len()
                    ))
                    .at(given.place.clone())
                    .help(format!("leave one: {} {}", field.flag(), given.texts[0])),
                );
            }
            for text in given
                .texts
                .iter()
                .filter(|text| *text != "-" || *field != Field::Wireguard)
            {
                if let Err((what, help)) = field.check(text) {
                    problems.push(Diagnostic::error(what).at(given.place.clone()).help(help));
                }
            }
        }
    }
}

/// Reads a file of answers, YAML or JSON: a mapping of the fields' keys.
///
/// # Errors
/// What cannot be read, keys that are none, and values that are no text.
pub fn read_file(path: &Path, answers: &mut Answers) -> Result<(), Diagnostics> {
    let (document, mut problems) = yaml::load_document(path, &VaultSecrets::none());
    if let Some(root) = &document.root {
        match &root.kind {
            NodeKind::Map(entries) => {
                for entry in entries {
                    let Some(field) = Field::ALL.into_iter().find(|field| field.key() == &*entry.key) else {
                        problems.push(unknown_key(&entry.key, document.source.at(entry.line, entry.column)));
                        continue;
                    };
                    match texts(&entry.value) {
                        Some(texts) => answers.give(
                            field,
                            Given {
                                texts,
                                from: From::File,
                                place: Some(document.at(&entry.value)),
                            },
                        ),
                        None => problems.push(
                            Diagnostic::error(format!("{} must be a text, or a list of texts", field.key()))
                                .at(document.at(&entry.value))
                                .help("put it into quotes when it looks like something else"),
                        ),
                    }
                }
            }
            _ => problems.push(
                Diagnostic::error("a file of answers is a mapping")
                    .at(document.at(root))
                    .help("write lines such as domain: mosip.example.org"),
            ),
        }
    }
    match problems.has_errors() {
        true => Err(problems),
        false => Ok(()),
    }
}

fn unknown_key(key: &str, place: Location) -> Diagnostic {
    let keys = Field::ALL.map(Field::key);
    let near = keys
        .iter()
        .map(|known| (strsim::jaro_winkler(known, key), known))
        .filter(|(near, _)| *near > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let help = match near {
        Some((_, near)) => format!("did you mean {near}? There are: {}", keys.join(", ")),
        None => format!("there are: {}", keys.join(", ")),
    };
    Diagnostic::error(format!("{key} is no answer")).at(place).help(help)
}

fn texts(node: &Node) -> Option<Vec<String>> {
    match &node.kind {
        NodeKind::Scalar(Value::Null) => Some(Vec::new()),
        NodeKind::Scalar(value) => Some(value.as_str()?.split_whitespace().map(str::to_owned).collect()),
        NodeKind::List(items) => items
            .iter()
            .map(texts)
            .collect::<Option<Vec<_>>>()
            .map(|all| all.concat()),
        NodeKind::Map(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_field_may_be() {
        for (field, right, wrong) in [
            (
                Field::Domain,
                &["mosip.example.org", "a.b"][..],
                &[
                    "",
                    "org",
                    "*.a.b",
                    "https://a.b",
                    "A.b",
                    "a..b",
                    "{MOSIP_DOMAIN}",
                    "10.0.0.1",
                ][..],
            ),
            (
                Field::Node,
                &["192.0.2.11", "fd00::1"],
                &[
                    "172.16.50.",
                    "vm1",
                    "<node1-private-ip>",
                    "0.0.0.0",
                    "127.0.0.1",
                    "10.0.0.256",
                ],
            ),
            (
                Field::WireguardEndpoint,
                &["203.0.113.5", "vpn.example.org"],
                &["203.0.113.5:51820", "203.0.113", "vpn"],
            ),
            (Field::User, &["ubuntu", "a-b_c"], &["a b", "<user>"]),
            (
                Field::PrivateKey,
                &["~/.ssh/id_rsa", "/k"],
                &["~/.ssh/id_rsa.pub", "<key>", "a b"],
            ),
        ] {
            for text in right {
                assert_eq!(field.check(text), Ok(()), "{text}");
            }
            for text in wrong {
                assert!(field.check(text).is_err(), "{field:?} {text}");
            }
        }
    }

    #[test]
    fn a_file_with_mistakes_is_told_as_a_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("answers.yml");
        std::fs::write(
            &file,
            "domian: a.b\nnode: [10.0.0.1, 10.0.0.2]\nobs: 5\nnginx: {a: b}\n",
        )
        .expect("written");
        let said = read_file(&file, &mut Answers::default()).expect_err("wrong");
        let all: Vec<String> = said.iter().map(ToString::to_string).collect();
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(
            all[0].contains("did you mean domain?") && all[0].contains("answers.yml:1:1"),
            "{}",
            all[0]
        );
        std::fs::write(
            &file,
            r#"{"domain": "a.b", "node": "10.0.0.1 10.0.0.2", "wireguard": null}"#,
        )
        .expect("written");
        let mut answers = Answers::default();
        answers.give(
            Field::Domain,
            Given {
                texts: vec!["flag.b".into()],
                from: From::Flag,
                place: None,
            },
        );
        read_file(&file, &mut answers).expect("read");
        assert_eq!(answers.first(Field::Domain), Some("flag.b"));
        assert_eq!(answers.get(Field::Node).expect("given").texts.len(), 2);
        assert_eq!(answers.get(Field::Wireguard), None);
    }
}
