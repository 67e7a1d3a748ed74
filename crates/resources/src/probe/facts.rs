//! Facts: what a host is. One fragment for all; it works without `ip`, Python and systemd.

use super::{all_failed, shorten};
use mosip_prov_engine::inventory::value::{Value, Var, VarMap};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What a host is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// `ID` of os-release(5): `debian`, `ubuntu`.
    pub distribution: String,
    /// Its release: `12.4` on Debian (from `/etc/debian_version`, as Ansible has it), `22.04` on Ubuntu.
    pub version: String,
    /// Its code name: `bookworm`; empty when it has none.
    pub codename: String,
    /// `ID_LIKE` of os-release(5), in order.
    pub like: Vec<String>,
    /// `uname -m`: `x86_64`, `aarch64`.
    pub architecture: String,
    /// `uname -r`.
    pub kernel: String,
    /// The host's name, without domain.
    pub hostname: String,
    /// The host's name with its domain, where the host knows it.
    pub fqdn: String,
    /// The address and interface of the default route.
    pub default_ipv4: Option<Ipv4>,
    /// All IPv4 addresses but loopback.
    pub all_ipv4: Vec<Ipv4Addr>,
    /// Logical processors.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memtotal_mb: u64,
    /// Changes with each boot.
    pub boot_id: String,
    /// Stays the same for the life of an installation.
    pub machine_id: String,
    /// The name of process 1: `systemd`.
    pub init: String,
    /// Whether apt-get is there.
    pub has_apt: bool,
}

/// An address and the interface that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv4 {
    /// The address.
    pub address: Ipv4Addr,
    /// The interface: `eth0`.
    pub interface: String,
}

impl Facts {
    /// The facts as they travel in an answer: JSON on one line.
    pub fn to_raw(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether the host is Debian or made from it.
    pub fn is_debian_family(&self) -> bool {
        let debian = |id: &str| matches!(id, "debian" | "ubuntu");
        debian(&self.distribution) || self.like.iter().any(|id| debian(id))
    }

    /// The variables by which Ansible's playbooks and templates know them: `ansible_default_ipv4`, … and the same
    /// without prefix in `ansible_facts`.
    pub fn to_vars(&self) -> VarMap {
        let text = |text: &str| Value::str(text);
        let distribution = match self.distribution.as_str() {
            "debian" => "Debian".to_owned(),
            "ubuntu" => "Ubuntu".to_owned(),
            other => {
                let mut chars = other.chars();
                chars
                    .next()
                    .map_or(String::new(), |c| c.to_uppercase().chain(chars).collect())
            }
        };
        let family = if self.is_debian_family() {
            "Debian"
        } else {
            distribution.as_str()
        };
        let mut default_ipv4 = indexmap::IndexMap::<Arc<str>, Value>::new();
        if let Some(ipv4) = &self.default_ipv4 {
            default_ipv4.insert("address".into(), Value::str(ipv4.address.to_string()));
            default_ipv4.insert("interface".into(), text(&ipv4.interface));
        }
        let addresses = self.all_ipv4.iter().map(|a| Value::str(a.to_string())).collect();
        let facts: Vec<(&str, Value)> = vec![
            ("default_ipv4", Value::Map(default_ipv4)),
            ("all_ipv4_addresses", Value::List(addresses)),
            ("distribution", text(&distribution)),
            ("distribution_release", text(&self.codename)),
            ("distribution_version", text(&self.version)),
            (
                "distribution_major_version",
                text(self.version.split('.').next().unwrap_or("")),
            ),
            ("os_family", text(family)),
            ("hostname", text(&self.hostname)),
            ("fqdn", text(&self.fqdn)),
            ("architecture", text(&self.architecture)),
            ("kernel", text(&self.kernel)),
            ("processor_vcpus", Value::Int(self.vcpus.into())),
            ("memtotal_mb", Value::Int(self.memtotal_mb.into())),
            ("machine_id", text(&self.machine_id)),
            ("service_mgr", text(&self.init)),
            ("pkg_mgr", text(if self.has_apt { "apt" } else { "unknown" })),
        ];
        let var = |value: Value| Var { value, location: None };
        let mut vars = VarMap::new();
        let mut plain = indexmap::IndexMap::<Arc<str>, Value>::new();
        for (name, value) in facts {
            vars.insert(format!("ansible_{name}").into(), var(value.clone()));
            plain.insert(name.into(), value);
        }
        vars.insert("ansible_facts".into(), var(Value::Map(plain)));
        vars
    }
}

/// Asks for the host's [`Facts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskFacts;

impl Ask for AskFacts {
    type Answer = Facts;

    fn question(&self) -> Question {
        Question::new(&FactsProbe, "host")
    }

    fn read(&self, raw: &str) -> Result<Facts, String> {
        serde_json::from_str(raw).map_err(|error| error.to_string())
    }
}

/// The kind of question behind [`AskFacts`].
pub struct FactsProbe;

/// Most of it by the shell's own `read`: a process for each would cost the host more than all that is read here.
const SCRIPT: &str = r#"say() { printf '%s=%s\n' "$1" "$2"; }
line() { l=; { IFS= read -r l <"$2"; } 2>/dev/null; say "$1" "$l"; }
set -- $(uname -nrm)
say hostname "$1"; say kernel "$2"; say architecture "$3"
# Where names are looked up in /etc/hosts first, that is where `hostname -f` has it from.
f=; h=
if [ -r /etc/nsswitch.conf ] && [ -r /etc/hosts ]; then
  while read -r k a r; do if [ "$k" = hosts: ]; then h=$a; fi; done </etc/nsswitch.conf
  if [ "$h" = files ]; then
    while read -r a c r; do
      case $a in ''|'#'*) continue ;; esac
      case " $c ${r%%#*} " in *" $1 "*) f=$c; break ;; esac
    done </etc/hosts
  fi
fi
if [ -n "$f" ]; then say fqdn "$f"
elif command -v hostname >/dev/null; then
  if command -v timeout >/dev/null; then say fqdn "$(timeout 2 hostname -f 2>/dev/null)"; else say fqdn "$(hostname -f 2>/dev/null)"; fi
fi
say vcpus "$(grep -c '^processor' /proc/cpuinfo)"
while read -r k a r; do if [ "$k" = MemTotal: ]; then say memory "$a"; break; fi; done </proc/meminfo
line boot_id /proc/sys/kernel/random/boot_id
[ ! -r /etc/machine-id ] || line machine_id /etc/machine-id
line init /proc/1/comm
if command -v apt-get >/dev/null; then say apt yes; fi
[ ! -r /etc/debian_version ] || line debian_version /etc/debian_version
for o in /etc/os-release /usr/lib/os-release; do
  if [ -r $o ]; then
    echo '[os]'
    while IFS= read -r l || [ -n "$l" ]; do printf '%s\n' "$l"; done <$o
    break
  fi
done
if command -v ip >/dev/null; then
  # One process for both, where ip takes more than one command and there is a default route.
  if a=$(ip -4 -o -batch - 2>/dev/null <<'E'
route get 1.1.1.1
addr show
E
  ); then
    printf '%s\n' '[get]' "$a" '[addresses]' "$a"
  else
    echo '[get]'; ip -4 route get 1.1.1.1 2>/dev/null
    echo '[default]'; ip -4 route show default 2>/dev/null
    echo '[addresses]'; ip -4 -o addr show 2>/dev/null
  fi
else
  echo '[routes]'; cat /proc/net/route
  echo '[trie]'; cat /proc/net/fib_trie
fi
echo '[end]'"#;

impl Probe for FactsProbe {
    fn name(&self) -> &'static str {
        "facts"
    }

    fn script(&self, _: &[&str]) -> String {
        SCRIPT.to_owned()
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        match gather(output) {
            Some(facts) => vec![Ok(facts.to_raw()); subjects.len()],
            None => all_failed(subjects.len(), &format!("the output breaks off: {}", shorten(output))),
        }
    }

    fn disturbed_by(&self, _: &str, touch: &Touch) -> bool {
        const PATHS: [&str; 5] = [
            "/etc/os-release",
            "/etc/debian_version",
            "/etc/hostname",
            "/etc/hosts",
            "/etc/machine-id",
        ];
        PATHS.iter().any(|path| touch.concerns_path(path))
    }
}

fn gather(output: &str) -> Option<Facts> {
    let mut section = "";
    let mut facts = Facts::default();
    let mut debian_version = "";
    let mut sections: Vec<(&str, &str)> = Vec::new();
    for line in output.lines() {
        if line.starts_with('[') && line.ends_with(']') {
            section = line;
        } else {
            sections.push((section, line));
        }
    }
    if section != "[end]" {
        return None;
    }
    let of = |name: &'static str| sections.iter().filter(move |(s, _)| *s == name).map(|(_, line)| *line);
    for line in of("") {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let text = || value.trim().to_owned();
        match key {
            "architecture" => facts.architecture = text(),
            "kernel" => facts.kernel = text(),
            "hostname" => facts.hostname = value.split('.').next().unwrap_or("").to_owned(),
            "fqdn" => facts.fqdn = text(),
            "vcpus" => facts.vcpus = value.parse().unwrap_or(0),
            "memory" => facts.memtotal_mb = value.parse::<u64>().unwrap_or(0) / 1024,
            "boot_id" => facts.boot_id = text(),
            "machine_id" => facts.machine_id = text(),
            "init" => facts.init = text(),
            "apt" => facts.has_apt = true,
            "debian_version" => debian_version = value.trim(),
            _ => {}
        }
    }
    if facts.fqdn.is_empty() {
        facts.fqdn = facts.hostname.clone();
    }
    for line in of("[os]") {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let value = value.trim().trim_matches(['"', '\'']);
        match key {
            "ID" => facts.distribution = value.to_owned(),
            "VERSION_ID" => facts.version = value.to_owned(),
            "VERSION_CODENAME" => facts.codename = value.to_owned(),
            "ID_LIKE" => facts.like = value.split_whitespace().map(str::to_owned).collect(),
            _ => {}
        }
    }
    if facts.distribution == "debian" && debian_version.starts_with(|c: char| c.is_ascii_digit()) {
        facts.version = debian_version.to_owned();
    }
    facts.all_ipv4 = of("[addresses]")
        .filter_map(|line| Some(interface_address(line)?.1))
        .collect();
    let table: String = of("[routes]").flat_map(|line| [line, "\n"]).collect();
    let trie: Vec<Ipv4Addr> = local_addresses(of("[trie]"));
    facts.default_ipv4 = of("[get]")
        .find_map(|line| Some((after(line, "src")?.parse().ok()?, after(line, "dev")?)))
        .or_else(|| {
            of("[default]").find_map(|line| {
                let interface = after(line, "dev")?;
                let source = after(line, "src").and_then(|a| a.parse().ok());
                let address = source.or_else(|| {
                    of("[addresses]")
                        .filter_map(interface_address)
                        .find_map(|(name, address)| (name == interface).then_some(address))
                });
                Some((address?, interface))
            })
        })
        .or_else(|| default_of_table(&table, &trie))
        .filter(|(address, _)| !address.is_loopback())
        .map(|(address, interface)| Ipv4 {
            address,
            interface: interface.to_owned(),
        });
    facts.all_ipv4.extend(trie);
    facts.all_ipv4.retain(|address| !address.is_loopback());
    Some(facts)
}

/// The word after `key`.
fn after<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    words.find(|word| *word == key)?;
    words.next()
}

/// `2: eth0    inet 10.0.0.5/24 brd …`, as `ip -o addr` prints it.
fn interface_address(line: &str) -> Option<(&str, Ipv4Addr)> {
    let interface = line.split_whitespace().nth(1)?;
    let address = after(line, "inet")?.split('/').next()?.parse().ok()?;
    Some((interface, address))
}

/// The addresses that are the host's own in /proc/net/fib_trie: each `|-- ADDRESS` followed by `/32 host LOCAL`.
fn local_addresses<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Ipv4Addr> {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    let mut last = None;
    for line in lines {
        if let Some((_, address)) = line.split_once("|-- ") {
            last = address.trim().parse::<Ipv4Addr>().ok();
        } else if line.contains("/32 host LOCAL")
            && let Some(address) = last
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

/// The interface of the default route in /proc/net/route (addresses in hex, least significant byte first), and which
/// of `own` lies in a network of that interface.
fn default_of_table<'a>(table: &'a str, own: &[Ipv4Addr]) -> Option<(Ipv4Addr, &'a str)> {
    let rows: Vec<(&str, u32, u32, u32)> = table
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let hex = |i: usize| u32::from_str_radix(words.get(i)?, 16).ok().map(u32::swap_bytes);
            let metric = words.get(6)?.parse().ok()?;
            Some((*words.first()?, hex(1)?, hex(7)?, metric))
        })
        .collect();
    let (interface, ..) = rows
        .iter()
        .filter(|(_, network, mask, _)| *network == 0 && *mask == 0)
        .min_by_key(|(.., metric)| *metric)?;
    let address = own.iter().copied().find(|address| {
        rows.iter()
            .any(|(name, network, mask, _)| name == interface && *mask != 0 && u32::from(*address) & mask == *network)
    })?;
    Some((address, interface))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask_with, sh_available};

    const COMMON: &str = "architecture=x86_64\nkernel=6.1.0\nhostname=vm1.example\nfqdn=\nvcpus=4\nmemory=8152340\n\
        boot_id=b\ninit=systemd\napt=yes\ndebian_version=12.4\n[os]\nNAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\n\
        VERSION_CODENAME=bookworm\n";

    #[test]
    fn facts_come_from_ip() {
        let output = format!(
            "{COMMON}[get]\n1.1.1.1 via 10.61.0.1 dev eth0 src 10.61.0.11 uid 0\n    cache\n[default]\n[addresses]\n\
             1: lo    inet 127.0.0.1/8 scope host lo\n2: eth0    inet 10.61.0.11/24 brd 10.61.0.255 scope global eth0\n[end]"
        );
        let facts = gather(&output).expect("whole");
        assert_eq!(
            (facts.distribution.as_str(), facts.version.as_str()),
            ("debian", "12.4")
        );
        assert_eq!((facts.hostname.as_str(), facts.fqdn.as_str()), ("vm1", "vm1"));
        assert_eq!((facts.vcpus, facts.memtotal_mb), (4, 7961));
        let ipv4 = facts.default_ipv4.clone().expect("a default");
        assert_eq!(
            (ipv4.address.to_string().as_str(), ipv4.interface.as_str()),
            ("10.61.0.11", "eth0")
        );
        assert_eq!(facts.all_ipv4, [ipv4.address]);
        assert_eq!(AskFacts.read(&facts.to_raw()), Ok(facts));
    }

    #[test]
    fn facts_come_from_proc_where_ip_is_missing() {
        let output = format!(
            "{COMMON}[routes]\nIface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
             eth1\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
             eth1\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n\
             [trie]\nMain:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 10.0.0.7\n        /32 host LOCAL\n\
             Local:\n     |-- 10.0.0.7\n        /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\n[end]"
        );
        let facts = gather(&output).expect("whole");
        let ipv4 = facts.default_ipv4.expect("a default");
        assert_eq!(
            (ipv4.address.to_string().as_str(), ipv4.interface.as_str()),
            ("10.0.0.7", "eth1")
        );
        assert_eq!(facts.all_ipv4.len(), 1);
    }

    #[test]
    fn a_host_without_a_default_route_has_no_default_address() {
        let output = format!("{COMMON}[get]\n[default]\n[addresses]\n1: lo    inet 127.0.0.1/8 scope host lo\n[end]");
        assert_eq!(gather(&output).expect("whole").default_ipv4, None);
        assert!(gather(COMMON).is_none(), "an output that breaks off is no answer");
    }

    #[test]
    fn the_variables_have_ansibles_names() {
        let facts = Facts {
            distribution: "ubuntu".into(),
            version: "22.04".into(),
            default_ipv4: Some(Ipv4 {
                address: Ipv4Addr::new(10, 0, 0, 5),
                interface: "ens3".into(),
            }),
            ..Facts::default()
        };
        let vars = facts.to_vars();
        assert_eq!(vars["ansible_distribution"].value.as_str(), Some("Ubuntu"));
        assert_eq!(vars["ansible_os_family"].value.as_str(), Some("Debian"));
        assert_eq!(vars["ansible_distribution_major_version"].value.as_str(), Some("22"));
        let address = vars["ansible_facts"]
            .value
            .get("default_ipv4")
            .and_then(|v| v.get("address"));
        assert_eq!(address.and_then(Value::as_str), Some("10.0.0.5"));
    }

    #[test]
    fn this_machine_answers() {
        for shell in sh_available() {
            let output = ask_with(shell, &FactsProbe, &["host"]);
            let raw = FactsProbe.split(&output, &["host"]).remove(0).expect("an answer");
            let facts = AskFacts.read(&raw).expect("understood");
            assert!(
                facts.vcpus > 0 && facts.memtotal_mb > 0 && !facts.kernel.is_empty(),
                "{shell:?} {facts:?}"
            );
        }
    }
}
