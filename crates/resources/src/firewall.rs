//! Forwarding rules of iptables that survive a reboot, in chains of their own: in table filter before or after what else
//! FORWARD does, in table nat for POSTROUTING. Rules of others are left as they are.
//!
//! ```
//! use mosip_prov_resources::Chains;
//!
//! let vpn = Chains::new("MOSIP-VPN", "mosip-vpn-firewall", "the VPN")
//!     .filter("-i wg0 -j ACCEPT")
//!     .nat("-s 10.13.13.0/24 ! -o wg0 -j MASQUERADE")
//!     .first();
//! let tasks = vpn.tasks();
//! ```
//!
//! A script fills both chains anew in one go with `iptables-restore`; a systemd unit runs it at boot, and takes the chains
//! away when it is stopped. Rules are written as `iptables-save` prints them, which is how they are compared with those in
//! force.

use crate::probe::command::AskCommand;
use crate::{Apt, File, Unit};
use mosip_prov_engine::{Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Task};
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

/// Rules in chains of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chains {
    chain: String,
    unit: String,
    of: String,
    filter: Vec<String>,
    nat: Vec<String>,
    first: bool,
}

impl Chains {
    /// The chain `chain` of both tables (at most 28 characters), kept by the unit `unit`, with forwarding rules of `of`: a few words
    /// for comments. The script has the unit's name too.
    pub fn new(chain: impl Into<String>, unit: impl Into<String>, of: impl Into<String>) -> Self {
        Self {
            chain: chain.into(),
            unit: unit.into(),
            of: of.into(),
            filter: Vec::new(),
            nat: Vec::new(),
            first: false,
        }
    }

    /// One more rule for what is forwarded, as `iptables-save` prints it behind the chain's name.
    #[must_use]
    pub fn filter(mut self, rule: impl AsRef<str>) -> Self {
        self.filter.push(format!("-A {} {}", self.chain, rule.as_ref()));
        self
    }

    /// One more rule for what leaves the host.
    #[must_use]
    pub fn nat(mut self, rule: impl AsRef<str>) -> Self {
        self.nat.push(format!("-A {} {}", self.chain, rule.as_ref()));
        self
    }

    /// The chain of table filter comes before all other rules of FORWARD. Default: after those that are there.
    #[must_use]
    pub fn first(mut self) -> Self {
        self.first = true;
        self
    }

    /// Where the script is that puts the rules in force.
    pub fn script_path(&self) -> String {
        format!("/usr/local/sbin/{}", self.unit)
    }

    /// The full name of the unit that runs it at boot.
    pub fn unit_name(&self) -> String {
        format!("{}.service", self.unit)
    }

    /// The script at [`Chains::script_path`]: `start` puts the rules in force, `stop` takes them away. Both may be run again.
    pub fn script(&self) -> String {
        let chain = &self.chain;
        let mut out = format!(
            "#!/bin/sh\n# Managed by mosip-prov: forwarding rules of {}, in chains of their own.\nset -eu\n\n\
             start() {{\n    iptables-restore -w --noflush <<'RULES'\n*filter\n:{chain} - [0:0]\n",
            self.of
        );
        for rule in &self.filter {
            let _ = writeln!(out, "{rule}");
        }
        let _ = write!(out, "COMMIT\n*nat\n:{chain} - [0:0]\n");
        for rule in &self.nat {
            let _ = writeln!(out, "{rule}");
        }
        let join = if self.first { "-I" } else { "-A" };
        let _ = write!(
            out,
            "COMMIT\nRULES\n    \
             iptables -w -C FORWARD -j {chain} 2>/dev/null || iptables -w {join} FORWARD -j {chain}\n    \
             iptables -w -t nat -C POSTROUTING -j {chain} 2>/dev/null || iptables -w -t nat -A POSTROUTING -j {chain}\n}}\n\n\
             stop() {{\n    \
             iptables -w -D FORWARD -j {chain} 2>/dev/null || :\n    \
             iptables -w -t nat -D POSTROUTING -j {chain} 2>/dev/null || :\n    \
             for table in filter nat; do\n        \
             iptables -w -t \"$table\" -F {chain} 2>/dev/null || :\n        \
             iptables -w -t \"$table\" -X {chain} 2>/dev/null || :\n    done\n}}\n\n\
             case ${{1-}} in\n    start) start ;;\n    stop) stop ;;\n    \
             *) echo \"usage: $0 start|stop\" >&2; exit 2 ;;\nesac\n"
        );
        out
    }

    /// The unit's file.
    pub fn unit_file(&self) -> String {
        let script = self.script_path();
        format!(
            "# Managed by mosip-prov.\n[Unit]\nDescription=Forwarding rules of {}\nAfter=systemd-modules-load.service\n\
             Before=network-pre.target\nWants=network-pre.target\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
             ExecStart={script} start\nExecReload={script} start\nExecStop={script} stop\n\n[Install]\nWantedBy=multi-user.target\n",
            self.of
        )
    }

    /// All that brings them about, in order: iptables, script, unit, and that the rules are in force.
    pub fn tasks(&self) -> [Task; 5] {
        let file = |path: String, text: String, mode| File::content(path, text).mode(mode).owner("root").group("root");
        [
            Task::new("Install iptables", Apt::present(["iptables"])),
            Task::new(
                "Write the forwarding rules",
                file(self.script_path(), self.script(), 0o755),
            ),
            Task::new(
                "Write their unit",
                file(
                    format!("/etc/systemd/system/{}", self.unit_name()),
                    self.unit_file(),
                    0o644,
                ),
            ),
            Task::new(
                "Have the rules set after each boot",
                Unit::new(self.unit_name()).running().enabled(),
            ),
            Task::new("Put the forwarding rules in force", InForce(self.clone())),
        ]
    }
}

/// The rules are in force: asks `iptables-save`, and has the unit run its script when one is missing or too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce(
    /// The rules.
    pub Chains,
);

/// Prints both tables; nothing where iptables is not installed yet.
pub fn save_script() -> String {
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

impl InForce {
    fn ask(&self) -> AskCommand {
        AskCommand(save_script())
    }
}

impl Resource for InForce {
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
        let Chains { chain, filter, nat, .. } = &self.0;
        let of = |table: &str, name: &str| saved.get(&(table.into(), name.into())).cloned().unwrap_or_default();
        let mut change = Change::new("put the forwarding rules in force");
        for (table, wanted, base) in [("filter", filter, "FORWARD"), ("nat", nat, "POSTROUTING")] {
            let present = of(table, chain);
            if present != *wanted {
                let before = if present.is_empty() {
                    Shown::Absent
                } else {
                    Shown::text(present.join("\n"))
                };
                change = change.differs(
                    format!("chain {chain} of table {table}"),
                    before,
                    Shown::text(wanted.join("\n")),
                );
            }
            let jump = format!("-A {base} -j {chain}");
            if !of(table, base).contains(&jump) {
                change = change.differs(format!("{base} of table {table}"), Shown::Absent, Shown::text(jump));
            }
        }
        if change.differences.is_empty() {
            return Ok(Decision::nothing(format!(
                "all {} rules are in force",
                filter.len() + nat.len() + 2
            )));
        }
        let command = format!("systemctl reload-or-restart {}", self.0.unit_name());
        let mut shell = Shell::new(command.as_str(), command.as_str());
        shell.timeout = Some(Duration::from_secs(60));
        Ok(change.step(shell).into())
    }
}

#[cfg(test)]
mod tests;
