//! The forwarding rules of a front, for VPN clients that reach the nodes through it.
//!
//! The rules live in chains of their own, which `iptables-restore` fills anew in one go; rules of others are left as
//! they are. A systemd unit puts them in force at boot, and takes them away when it is stopped.

use crate::address::Ipv4Range;
use crate::reader::Reader;
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::value::Value;
use mosip_prov_resources::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown};
use std::collections::HashMap;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

/// The chain, in table filter and in table nat.
pub const CHAIN: &str = "MOSIP-FRONT";
/// The script that puts the rules in force.
pub const SCRIPT: &str = "/usr/local/sbin/mosip-front-firewall";
/// The unit that runs it at boot.
pub const UNIT: &str = "mosip-front-firewall.service";
/// The unit's file.
pub const UNIT_FILE: &str = "/etc/systemd/system/mosip-front-firewall.service";

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

    fn filter_rules(&self) -> Vec<String> {
        let mut rules = Vec::new();
        for range in &self.from {
            for ip in &self.allowed {
                rules.push(format!(
                    "-A {CHAIN} -d {ip}/32 -m iprange --src-range {range} -j ACCEPT"
                ));
            }
        }
        for range in &self.back_to {
            for ip in &self.allowed {
                rules.push(format!(
                    "-A {CHAIN} -s {ip}/32 -m iprange --dst-range {range} -j ACCEPT"
                ));
            }
        }
        rules.push(format!("-A {CHAIN} -j DROP"));
        rules
    }

    fn nat_rules(&self) -> Vec<String> {
        vec![format!("-A {CHAIN} -o {} -j MASQUERADE", self.interface)]
    }

    /// The script at [`SCRIPT`]: `start` puts the rules in force, `stop` takes them away. Both may be run again.
    pub fn script(&self) -> String {
        let mut out = format!(
            "#!/bin/sh\n# Managed by mosip-prov: forwarding rules of the MOSIP front, in chains of their own.\nset -eu\n\n\
             start() {{\n    iptables-restore -w --noflush <<'RULES'\n*filter\n:{CHAIN} - [0:0]\n"
        );
        for rule in self.filter_rules() {
            let _ = writeln!(out, "{rule}");
        }
        let _ = write!(out, "COMMIT\n*nat\n:{CHAIN} - [0:0]\n");
        for rule in self.nat_rules() {
            let _ = writeln!(out, "{rule}");
        }
        let _ = write!(
            out,
            "COMMIT\nRULES\n    \
             iptables -w -C FORWARD -j {CHAIN} 2>/dev/null || iptables -w -A FORWARD -j {CHAIN}\n    \
             iptables -w -t nat -C POSTROUTING -j {CHAIN} 2>/dev/null || iptables -w -t nat -A POSTROUTING -j {CHAIN}\n}}\n\n\
             stop() {{\n    \
             iptables -w -D FORWARD -j {CHAIN} 2>/dev/null || :\n    \
             iptables -w -t nat -D POSTROUTING -j {CHAIN} 2>/dev/null || :\n    \
             for table in filter nat; do\n        \
             iptables -w -t \"$table\" -F {CHAIN} 2>/dev/null || :\n        \
             iptables -w -t \"$table\" -X {CHAIN} 2>/dev/null || :\n    done\n}}\n\n\
             case ${{1-}} in\n    start) start ;;\n    stop) stop ;;\n    \
             *) echo \"usage: $0 start|stop\" >&2; exit 2 ;;\nesac\n"
        );
        out
    }
}

/// The unit's file.
pub fn unit_file() -> String {
    format!(
        "# Managed by mosip-prov.\n[Unit]\nDescription=Forwarding rules of the MOSIP front\nAfter=systemd-modules-load.service\n\
         Before=network-pre.target\nWants=network-pre.target\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
         ExecStart={SCRIPT} start\nExecReload={SCRIPT} start\nExecStop={SCRIPT} stop\n\n[Install]\nWantedBy=multi-user.target\n"
    )
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

/// The rules are in force: asks `iptables-save`, and has the unit run its script when one is missing or too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardingRules(
    /// The rules.
    pub Firewall,
);

/// Prints both tables; nothing where iptables is not installed yet.
fn save_script() -> String {
    "if command -v iptables-save >/dev/null 2>&1; then iptables-save -t filter && iptables-save -t nat; fi".into()
}

/// The rules of each chain by table and chain, as `iptables-save` prints them.
fn saved_rules(text: &str) -> HashMap<(String, String), Vec<String>> {
    let mut table = String::new();
    let mut rules: HashMap<(String, String), Vec<String>> = HashMap::new();
    for line in text.lines().map(str::trim_end) {
        if let Some(name) = line.strip_prefix('*') {
            table = name.to_owned();
        } else if let Some(chain) = line.strip_prefix("-A ").and_then(|rest| rest.split(' ').next()) {
            rules
                .entry((table.clone(), chain.to_owned()))
                .or_default()
                .push(line.to_owned());
        }
    }
    rules
}

impl ForwardingRules {
    fn ask(&self) -> AskCommand {
        AskCommand(save_script())
    }
}

impl Resource for ForwardingRules {
    fn kind(&self) -> &'static str {
        "forwarding_rules"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let answer = answers.get(&self.ask())?;
        if answer.status != 0 {
            return Err(DecideError::impossible_help(
                format!("the rules in force cannot be listed: {}", answer.output),
                "`iptables-save` on the host must work as root",
            ));
        }
        let saved = saved_rules(&answer.output);
        let chain = |table: &str, name: &str| saved.get(&(table.into(), name.into())).cloned().unwrap_or_default();
        let (filter, nat) = (self.0.filter_rules(), self.0.nat_rules());
        let mut change = Change::new("put the forwarding rules in force");
        for (table, wanted, base) in [("filter", &filter, "FORWARD"), ("nat", &nat, "POSTROUTING")] {
            let present = chain(table, CHAIN);
            if present != *wanted {
                let before = if present.is_empty() {
                    Shown::Absent
                } else {
                    Shown::text(present.join("\n"))
                };
                change = change.differs(
                    format!("chain {CHAIN} of table {table}"),
                    before,
                    Shown::text(wanted.join("\n")),
                );
            }
            let jump = format!("-A {base} -j {CHAIN}");
            if !chain(table, base).contains(&jump) {
                change = change.differs(format!("{base} of table {table}"), Shown::Absent, Shown::text(jump));
            }
        }
        if change.differences.is_empty() {
            return Ok(Decision::nothing(format!(
                "all {} rules are in force",
                filter.len() + nat.len() + 2
            )));
        }
        let mut shell = Shell::new(
            format!("systemctl reload-or-restart {UNIT}"),
            format!("systemctl reload-or-restart {UNIT}"),
        );
        shell.timeout = Some(Duration::from_secs(60));
        Ok(change.step(shell).into())
    }
}

#[cfg(test)]
mod tests;
