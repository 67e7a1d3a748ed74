//! Settings read from variables, with all that is wrong with them collected.

use crate::address::{Network, dns_name};
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::value::{Value, Var, VarMap};
use mosip_prov_resources::vars::{HostVars, ValueError};
use std::net::IpAddr;
use std::sync::Arc;

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenAddress {
    /// The host's default IPv4 address, known when the host has answered.
    HostDefault,
    /// This one.
    Fixed(IpAddr),
}

/// What stands for the host's default address while settings are read: nothing has been asked yet.
const HOST_DEFAULT: &str = "the host's default IPv4 address";

/// Reads variables of one host.
pub struct Reader<'a> {
    vars: HostVars,
    problems: &'a mut Diagnostics,
}

impl<'a> Reader<'a> {
    /// Reads from `vars` and puts what is wrong into `problems`. Values may refer to
    /// `ansible_default_ipv4.address`, which is then known once the host has answered.
    pub fn new(vars: &HostVars, problems: &'a mut Diagnostics) -> Self {
        let address = Value::Map([(Arc::from("address"), Value::str(HOST_DEFAULT))].into_iter().collect());
        let facts = Value::Map([(Arc::from("default_ipv4"), address.clone())].into_iter().collect());
        let var = |value| Var { value, location: None };
        let known: VarMap = [
            (Arc::from("ansible_default_ipv4"), var(address)),
            (Arc::from("ansible_facts"), var(facts)),
        ]
        .into_iter()
        .collect();
        Self {
            vars: vars.clone().with_facts(Arc::new(known)),
            problems,
        }
    }

    /// The variables as they are read here.
    pub fn vars(&self) -> &HostVars {
        &self.vars
    }

    /// Where problems go.
    pub fn problems(&mut self) -> &mut Diagnostics {
        self.problems
    }

    /// Says that the value of `name` is wrong.
    pub fn error(&mut self, name: &str, message: impl Into<String>, help: impl Into<String>) {
        let place = self.vars.set_at(name);
        self.problems.push(Diagnostic::error(message).at(place).help(help));
    }

    /// Says something about the value of `name` that stops nothing.
    pub fn warn(&mut self, name: &str, message: impl Into<String>, help: impl Into<String>) {
        let place = self.vars.set_at(name);
        self.problems.push(Diagnostic::warning(message).at(place).help(help));
    }

    /// Whether the inventory sets `name`, rather than the role's defaults.
    fn is_set(&self, name: &str) -> bool {
        self.vars.set_at(name).is_some()
    }

    fn take<T>(&mut self, value: Result<Option<T>, ValueError>) -> Option<T> {
        self.problems.take(value.map_err(Diagnostic::from)).flatten()
    }

    /// The variable as text without blanks around it. `None` when it is not set, empty, or wrong.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let value = self.vars.string(name);
        self.take(value)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    }

    /// The variable as a boolean; not set is no.
    pub fn bool(&mut self, name: &str) -> bool {
        let value = self.vars.bool(name);
        self.take(value).unwrap_or(false)
    }

    /// The variable as a TCP port. 0 when it is wrong, which is then among the problems.
    pub fn port(&mut self, name: &str) -> u16 {
        let value = self.vars.int(name);
        let before = self.problems.error_count();
        match self.take(value) {
            Some(number) => match u16::try_from(number) {
                Ok(port) if port > 0 => return port,
                _ => self.error(
                    name,
                    format!("{name} is {number}, which is no TCP port"),
                    "ports are 1 to 65535",
                ),
            },
            None if self.problems.error_count() == before => {
                self.error(
                    name,
                    format!("{name} is not set"),
                    "leave it out for its default, or give a port",
                );
            }
            None => {}
        }
        0
    }

    /// The variable as an absolute path that a configuration file can hold without quotes.
    pub fn path(&mut self, name: &str) -> String {
        let before = self.problems.error_count();
        let Some(path) = self.text(name) else {
            if self.problems.error_count() > before {
                // A value that cannot be worked out is a problem already.
                return String::new();
            }
            self.error(
                name,
                format!("{name} is empty"),
                "leave it out for its default, or give an absolute path",
            );
            return String::new();
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@');
        if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
            self.error(
                name,
                format!("{name} is \"{path}\", which is no absolute path"),
                "write it from the root: /etc/nginx/ssl",
            );
        } else if let Some(bad) = path.chars().find(|c| !plain(*c)) {
            self.error(
                name,
                format!("{name} is \"{path}\", and {bad:?} cannot stand in a path of the configuration"),
                "use letters, digits, and / . _ - + @",
            );
        }
        path
    }

    /// The variable as an address to listen on; not set is the host's default one.
    pub fn listen_address(&mut self, name: &str) -> ListenAddress {
        match self.text(name).as_deref() {
            None | Some(HOST_DEFAULT) => ListenAddress::HostDefault,
            Some(text) => match text.parse() {
                Ok(ip) => ListenAddress::Fixed(ip),
                Err(_) => {
                    self.error(
                        name,
                        format!("{name} is \"{text}\", which is no IP address"),
                        "write the whole address of an interface of the host, or leave it out for the host's default one",
                    );
                    ListenAddress::HostDefault
                }
            },
        }
    }

    /// The variable as a domain that must be there.
    pub fn domain(&mut self, name: &str, needed_for: &str) -> Option<String> {
        let before = self.problems.error_count();
        let Some(text) = self.text(name) else {
            if self.problems.error_count() == before {
                self.error(
                    name,
                    format!("{name} is not set, and {needed_for}"),
                    format!("set it in group_vars/all.yml, for example {name}: mosip.example.org"),
                );
            }
            return None;
        };
        match dns_name(&text) {
            Ok(domain) => Some(domain),
            Err(what) => {
                self.error(
                    name,
                    format!("{name} is \"{text}\", which {what}"),
                    format!("write it as {name}: mosip.example.org"),
                );
                None
            }
        }
    }

    /// The variable as a list of server names: a list, or one string with blanks or commas between them. Each once.
    pub fn server_names(&mut self, name: &str) -> Vec<String> {
        let value = self.vars.string_list(name, true);
        let mut names: Vec<String> = Vec::new();
        for text in self.take(value).unwrap_or_default() {
            let text = text.trim();
            let (wildcard, bare) = match text.strip_prefix("*.") {
                Some(bare) => ("*.", bare),
                None => ("", text),
            };
            match dns_name(bare) {
                Ok(bare) => {
                    let full = format!("{wildcard}{bare}");
                    if !names.contains(&full) {
                        names.push(full);
                    }
                }
                Err(what) => self.error(
                    name,
                    format!("{name} has \"{text}\", which {what}"),
                    "names stand with blanks between them: api.example.org prereg.example.org",
                ),
            }
        }
        names
    }

    /// The variable as a list of networks, each once: a list, or one string with blanks or commas between them.
    /// `behind` is a variable that the default is made from, for the place of a mistake.
    pub fn networks(&mut self, name: &str, behind: &str) -> Vec<Network> {
        let value = self.vars.string_list(name, true);
        let mut networks = Vec::new();
        let items = self.take(value).unwrap_or_default();
        // One item may be a list of its own: `wireguard_network` is what peers are told, which may name several.
        for text in items
            .iter()
            .flat_map(|item| item.split([',', ' ']))
            .filter(|text| !text.is_empty())
        {
            match text.parse::<Network>() {
                // Peers that send all their traffic through the VPN are told 0.0.0.0/0: where they may go, not where
                // they come from.
                Ok(network) if network.is_everything() && !self.is_set(name) => self.warn(
                    behind,
                    format!("{behind} has {network}, which does not count for {name}: it would open it to everyone"),
                    format!("name the networks that clients come from in {name}"),
                ),
                Ok(network) if !networks.contains(&network) => {
                    if network.is_everything() {
                        self.warn(
                            name,
                            format!("{name} has {network}: what is internal is open to everyone"),
                            "an empty list says the same plainly",
                        );
                    }
                    networks.push(network);
                }
                Ok(_) => {}
                Err(what) => {
                    let behind_it = self.vars.string(behind).ok().flatten();
                    let is_from = behind_it.is_some_and(|value| value.contains(text));
                    let origin = if is_from { behind } else { name };
                    self.error(
                        origin,
                        format!("{origin} has \"{text}\", which {what}"),
                        "for example 172.16.50.0/24",
                    );
                }
            }
        }
        networks
    }
}
