//! The variables that role and command share, as `defaults.yml` documents them.

use crate::layout::{Backend, Layout};
use crate::name::{DeclaredPeers, MOST_PEERS, PeerName};
use crate::peer_file::PeerSettings;
use crate::server::Subnet;
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::value::Value;
use mosip_prov_resources::vars::HostVars;
use std::net::IpAddr;

/// The defaults of these variables.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

/// What role and command must both know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `wireguard_backend`.
    pub backend: Backend,
    /// Where the files are.
    pub layout: Layout,
    /// The UDP port peers connect to: `wireguard_port`.
    pub port: u16,
    /// What every peer's file says.
    pub peer: PeerSettings,
    /// The peers that are declared: `wireguard_peers`.
    pub declared: DeclaredPeers,
    /// The network inside the tunnel: `wireguard_internal_subnet`.
    pub subnet: Subnet,
}

impl Settings {
    /// Reads them from a host's variables. All that is wrong goes into `problems`.
    pub fn read(vars: &HostVars, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let mut reader = Reader { vars, problems };
        let backend = reader.backend();
        let port = reader.number("wireguard_port", 51820, 1, 65535);
        // Less than 1280 is no IPv6, less than 576 no IPv4 at all; Ethernet's jumbo frames end at 9000.
        let mtu = reader.number("wireguard_mtu", 1330, 576, 9000);
        let network = reader.network();
        let endpoint = reader.endpoint(port);
        let declared = reader.declared(backend);
        let subnet = reader.subnet();
        let folder = reader
            .text("wireguard_config_dir")
            .unwrap_or_else(|| "~/wireguard/config".into());
        if !folder.starts_with('/') && folder != "~" && !folder.starts_with("~/") {
            reader.wrong(
                "wireguard_config_dir",
                format!("is \"{folder}\", which is no absolute path"),
                "begin it with / or ~/",
            );
        }
        let container = reader
            .text("wireguard_container_name")
            .unwrap_or_else(|| "wireguard".into());
        let fine = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if !container.chars().all(fine) || !container.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            reader.wrong(
                "wireguard_container_name",
                format!("is \"{container}\", which Docker does not take"),
                "letters, digits, hyphens, underscores and dots are allowed",
            );
        }
        if problems.error_count() > before {
            return None;
        }
        Some(Self {
            backend,
            layout: match backend {
                Backend::Docker => Layout::docker(folder, container),
                Backend::Native => Layout::native(),
            },
            port,
            peer: PeerSettings {
                network: network?,
                endpoint: endpoint?,
                mtu,
            },
            declared: declared?,
            subnet: subnet?,
        })
    }
}

struct Reader<'a> {
    vars: &'a HostVars,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn text(&mut self, name: &str) -> Option<String> {
        let value = self
            .problems
            .take(self.vars.string(name).map_err(Diagnostic::from))
            .flatten();
        value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn wrong(&mut self, name: &str, what: String, help: &str) {
        let host = self.vars.host();
        self.problems.push(
            Diagnostic::error(format!("{host}: {name} {what}"))
                .at(self.vars.location(name))
                .help(help),
        );
    }

    fn backend(&mut self) -> Backend {
        match self.text("wireguard_backend").as_deref() {
            None | Some("docker") => Backend::Docker,
            Some("native") => Backend::Native,
            Some(other) => {
                let what = format!("is \"{other}\", which is no backend");
                self.wrong("wireguard_backend", what, "write docker or native");
                Backend::Docker
            }
        }
    }

    fn number(&mut self, name: &str, default: u16, least: i64, most: i64) -> u16 {
        let number = self
            .problems
            .take(self.vars.int(name).map_err(Diagnostic::from))
            .flatten();
        let number = number.unwrap_or_else(|| i64::from(default));
        if (least..=most).contains(&number) {
            return u16::try_from(number).unwrap_or(default);
        }
        self.wrong(
            name,
            format!("is {number}, which cannot be"),
            &format!("write a number from {least} to {most}"),
        );
        default
    }

    fn network(&mut self) -> Option<String> {
        let name = "wireguard_network";
        let text = self.text(name).unwrap_or_else(|| "172.16.50.0/24".into());
        let parts: Vec<&str> = text.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
        let wrong: Vec<&str> = parts.iter().copied().filter(|p| !is_network(p)).collect();
        if parts.is_empty() || !wrong.is_empty() {
            let what = format!("is \"{text}\", and {} is no network", wrong.join(", "));
            self.wrong(
                name,
                what,
                "write it as 172.16.50.0/24; several are separated by commas",
            );
            return None;
        }
        Some(parts.join(", "))
    }

    fn endpoint(&mut self, port: u16) -> Option<String> {
        let name = "wireguard_endpoint";
        let Some(text) = self.text(name) else {
            self.wrong(
                name,
                "is not set".into(),
                "give the host's public address or DNS name: it is what peers connect to",
            );
            return None;
        };
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(match address {
                IpAddr::V4(v4) => format!("{v4}:{port}"),
                IpAddr::V6(v6) => format!("[{v6}]:{port}"),
            });
        }
        let cut_off = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if cut_off || text.len() > 253 || !text.trim_end_matches('.').split('.').all(label) {
            let what = format!("is \"{text}\", which is neither an address nor a DNS name");
            self.wrong(name, what, "write it without a port: wireguard_port is added");
            return None;
        }
        Some(format!("{text}:{port}"))
    }

    fn declared(&mut self, backend: Backend) -> Option<DeclaredPeers> {
        let name = "wireguard_peers";
        let help = "write a number of peers, or a list of names";
        let value = self.problems.take(self.vars.get(name).map_err(Diagnostic::from))?;
        let count = |number: Option<i128>| number.and_then(|n| usize::try_from(n).ok());
        let words: Vec<String> = match &value {
            None | Some(Value::Null) => return Some(DeclaredPeers::Count(5)),
            Some(Value::Int(number)) => return self.counted(count(Some(*number)), &number.to_string()),
            Some(Value::List(items)) => items
                .iter()
                .map(|item| match item {
                    Value::Int(number) => number.to_string(),
                    other => other.as_str().unwrap_or_default().to_owned(),
                })
                .collect(),
            Some(other) => match other.as_str().map(str::trim) {
                Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                    return self.counted(count(digits.parse().ok()), digits);
                }
                Some(text) => text
                    .split(',')
                    .map(|w| w.trim().to_owned())
                    .filter(|w| !w.is_empty())
                    .collect(),
                None => {
                    self.wrong(name, format!("is a {}", other.kind()), help);
                    return None;
                }
            },
        };
        let mut names: Vec<PeerName> = Vec::new();
        let mut sound = true;
        for word in &words {
            match PeerName::of(word, backend) {
                Ok(peer) if names.contains(&peer) => {
                    sound = false;
                    self.wrong(name, format!("has {peer} twice"), "each peer has a name of its own");
                }
                Ok(peer) => names.push(peer),
                Err(what) => {
                    sound = false;
                    self.wrong(
                        name,
                        format!("has a name \"{word}\" that {what}"),
                        "choose another name",
                    );
                }
            }
        }
        if names.len() > MOST_PEERS {
            return self.counted(Some(names.len()), &names.len().to_string());
        }
        sound.then_some(DeclaredPeers::Names(names))
    }

    fn counted(&mut self, count: Option<usize>, text: &str) -> Option<DeclaredPeers> {
        match count {
            Some(count) if count <= MOST_PEERS => Some(DeclaredPeers::Count(count)),
            _ => {
                let help = format!("write a number from 0 to {MOST_PEERS}, or a list of names");
                self.wrong("wireguard_peers", format!("asks for {text} peers"), &help);
                None
            }
        }
    }

    fn subnet(&mut self) -> Option<Subnet> {
        let name = "wireguard_internal_subnet";
        let text = self.text(name).unwrap_or_else(|| "10.13.13.0/24".into());
        match text.parse() {
            Ok(subnet) => Some(subnet),
            Err(what) => {
                self.wrong(
                    name,
                    format!("is \"{text}\", which {what}"),
                    "write it as 10.13.13.0/24",
                );
                None
            }
        }
    }
}

/// An address, alone or with the length of a prefix.
fn is_network(text: &str) -> bool {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
    prefix.is_none_or(|p| p.parse::<u8>().is_ok_and(|p| p <= longest))
}
