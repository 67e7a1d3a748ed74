//! The forwarding rules of a front, for VPN clients that reach the nodes through it: read from variables, and made into
//! [`Chains`].

use crate::address::Ipv4Range;
use crate::reader::Reader;
use mosip_prov_resources::Chains;
use mosip_prov_resources::value::Value;
use std::net::Ipv4Addr;

/// Who may be reached from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firewall {
    /// Where clients come from: `src_range`.
    pub from: Vec<Ipv4Range>,
    /// Where answers go to: `dst_range`.
    pub back_to: Vec<Ipv4Range>,
    /// What may be reached: `allowed_ips`.
    pub allowed: Vec<Ipv4Addr>,
    /// Interface that packets leave by under its own address: `nat_interface`.
    pub interface: String,
}

impl Firewall {
    /// Reads the variable `name`, a mapping with `allowed_ip_ranges` (a list of mappings, or one mapping, with
    /// `src_range` and `dst_range`), `allowed_ips` and `nat_interface`. Without `allowed_ips` the `nodes` are allowed.
    pub fn read(reader: &mut Reader<'_>, name: &str, nodes: &[String]) -> Option<Self> {
        let map = reader.vars().map(name);
        let before = reader.problems().error_count();
        let map = reader.problems().take(map.map_err(Into::into))?.unwrap_or_default();
        let entries: Vec<&Value> = match map.get("allowed_ip_ranges") {
            Some(Value::List(entries)) => entries.iter().collect(),
            Some(entry) => vec![entry],
            None => Vec::new(),
        };
        let from = ranges(reader, name, &entries, "src_range");
        let back_to = ranges(reader, name, &entries, "dst_range");
        let allowed = match map.get("allowed_ips") {
            None | Some(Value::Null) => nodes.to_vec(),
            Some(value) => words(value),
        };
        let allowed = addresses(reader, name, &allowed);
        let interface = map
            .get("nat_interface")
            .and_then(Value::as_str)
            .unwrap_or("eth0")
            .trim()
            .to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
        if interface.is_empty() || interface.len() > 15 || !interface.chars().all(plain) {
            reader.error(
                name,
                format!("{name} has nat_interface \"{interface}\", which is no name of a network interface"),
                "`ip -br link` on the host shows the names",
            );
        }
        let whole = reader.problems().error_count() == before;
        whole.then_some(Self {
            from,
            back_to,
            allowed,
            interface,
        })
    }

    /// The rules, in chains of their own at the end of what else the host forwards.
    pub fn chains(&self) -> Chains {
        let mut chains = Chains::new("MOSIP-FRONT", "mosip-front-firewall", "the MOSIP front");
        for range in &self.from {
            for ip in &self.allowed {
                chains = chains.filter(format!("-d {ip}/32 -m iprange --src-range {range} -j ACCEPT"));
            }
        }
        for range in &self.back_to {
            for ip in &self.allowed {
                chains = chains.filter(format!("-s {ip}/32 -m iprange --dst-range {range} -j ACCEPT"));
            }
        }
        chains
            .filter("-j DROP")
            .nat(format!("-o {} -j MASQUERADE", self.interface))
    }
}

/// The words of a list, or of one text with blanks or commas between them.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::List(items) => items.iter().flat_map(words).collect(),
        other => other
            .as_str()
            .unwrap_or_default()
            .split([',', ' '])
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}

fn ranges(reader: &mut Reader<'_>, name: &str, entries: &[&Value], key: &str) -> Vec<Ipv4Range> {
    let mut found = Vec::new();
    for text in entries
        .iter()
        .filter_map(|entry| entry.get(key))
        .map(|v| v.as_str().unwrap_or_default())
    {
        match text.trim().parse::<Ipv4Range>() {
            Ok(range) if !found.contains(&range) => found.push(range),
            Ok(_) => {}
            Err(what) => reader.error(
                name,
                format!("{name} has {key} \"{text}\", which {what}"),
                "correct it, or set enable_firewall_rules to false",
            ),
        }
    }
    if entries.iter().all(|entry| entry.get(key).is_none()) {
        reader.error(
            name,
            format!("{name} has no {key} in allowed_ip_ranges, and firewall rules are switched on"),
            format!("add an entry such as {key}: 10.13.13.2-10.13.13.51"),
        );
    }
    found
}

fn addresses(reader: &mut Reader<'_>, name: &str, texts: &[String]) -> Vec<Ipv4Addr> {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    for text in texts {
        match text.parse() {
            Ok(ip) if !found.contains(&ip) => found.push(ip),
            Ok(_) => {}
            Err(_) => reader.error(
                name,
                format!("{name} would allow \"{text}\", which is no IPv4 address"),
                "list the addresses themselves in allowed_ips: iptables knows no names",
            ),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_addresses_become_rules() {
        let firewall = Firewall {
            from: vec!["10.13.13.2-10.13.13.51".parse().expect("range")],
            back_to: vec!["10.13.13.2-10.13.13.60".parse().expect("range")],
            allowed: vec![[10, 1, 2, 3].into(), [10, 1, 2, 4].into()],
            interface: "eth0".into(),
        };
        let script = firewall.chains().script();
        let rules: Vec<&str> = script.lines().filter(|line| line.starts_with("-A ")).collect();
        assert_eq!(
            rules,
            [
                "-A MOSIP-FRONT -d 10.1.2.3/32 -m iprange --src-range 10.13.13.2-10.13.13.51 -j ACCEPT",
                "-A MOSIP-FRONT -d 10.1.2.4/32 -m iprange --src-range 10.13.13.2-10.13.13.51 -j ACCEPT",
                "-A MOSIP-FRONT -s 10.1.2.3/32 -m iprange --dst-range 10.13.13.2-10.13.13.60 -j ACCEPT",
                "-A MOSIP-FRONT -s 10.1.2.4/32 -m iprange --dst-range 10.13.13.2-10.13.13.60 -j ACCEPT",
                "-A MOSIP-FRONT -j DROP",
                "-A MOSIP-FRONT -o eth0 -j MASQUERADE",
            ]
        );
    }
}
