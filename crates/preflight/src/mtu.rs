//! How large a packet gets from machine to machine, and whether what is sent in packets fits.

use crate::fleet::{Duty, Fleet};
use mosip_prov_events::Finding;
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::shell::quote;
use std::net::Ipv4Addr;

const AREA: &str = "network";
const CHECK: &str = "mtu";
/// VXLAN around a packet of IPv4: 14 bytes Ethernet, 20 IPv4, 8 UDP, 8 VXLAN (RFC 7348).
const OVERLAY: u32 = 50;
/// WireGuard around a packet, with IPv6 outside: 40 IPv6, 8 UDP, 32 WireGuard.
const TUNNEL: u32 = 80;

/// What a machine found out about the way to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// From which machine.
    pub from: String,
    /// To which address.
    pub to: String,
    /// The MTU of the interface that it sends by.
    pub interface: u32,
    /// The largest packet that arrived and came back; `None` where it could not be tried.
    pub path: Option<u32>,
}

/// The question by which a machine tries the ways to `addresses`, all at once. Each is tried with what its interface
/// carries; where that does not arrive, with less, eight sizes at a time, and once more with all of it before less is
/// believed. A size counts as arrived when one of three echoes comes back: a single one may be lost on any way.
pub fn ask(addresses: &[&str]) -> Option<AskCommand> {
    if addresses.is_empty() {
        return None;
    }
    let addresses: Vec<_> = addresses.iter().map(|address| quote(address).into_owned()).collect();
    Some(AskCommand(format!(
        r#"try() {{ ping -n -q -c 3 -i 0.2 -W 1 -M do -s $(($2 - 28)) "$1" >/dev/null 2>&1; }}
largest() {{
  lo=$2 hi=$3
  while [ $((hi - lo)) -gt 1 ]; do
    step=$(((hi - lo + 8) / 9)) s=$((lo + step)) all=
    while [ "$s" -lt "$hi" ]; do all="$all $s"; s=$((s + step)); done
    best=$( (for s in $all; do (try "$1" "$s" && echo "$s") & done; wait) | sort -n | tail -n 1)
    [ -z "$best" ] || lo=$best
    for s in $all; do if [ "$s" -gt "$lo" ]; then hi=$s; break; fi; done
  done
  echo "$lo"
}}
one() {{
  d=$(ip -4 route get "$1" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
  m=$(ip -o link show dev "${{d:-none}}" 2>/dev/null | sed -n 's/.* mtu \([0-9]*\).*/\1/p')
  [ "${{m:-0}}" -gt 0 ] || {{ echo "$1 0 -"; return; }}
  [ "$m" -le 9216 ] || m=9216
  if ! command -v ping >/dev/null 2>&1; then echo "$1 $m -"
  elif try "$1" "$m"; then echo "$1 $m $m"
  elif ! try "$1" 576; then echo "$1 $m -"
  else
    p=$(largest "$1" 576 "$m")
    if try "$1" "$m"; then p=$m; fi
    echo "$1 $m $p"
  fi
}}
for a in {}; do one "$a" & done
wait"#,
        addresses.join(" ")
    )))
}

/// What `from` answered.
pub fn read(from: &str, output: &str) -> Vec<Path> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        Some(Path {
            from: from.to_owned(),
            to: words.next()?.to_owned(),
            interface: words.next()?.parse().ok().filter(|mtu| *mtu > 0)?,
            path: words.next()?.parse().ok(),
        })
    };
    output.lines().filter_map(line).collect()
}

/// Whether the pods' and the tunnel's packets fit through `paths` between machines of `fleet`. `asked` are the machines
/// that answered.
pub fn check(fleet: &Fleet, paths: &[Path], asked: &[&str]) -> Vec<Finding> {
    let to = |path: &Path| fleet.machines.iter().find(|machine| machine.inner_address == path.to);
    let known: Vec<&Path> = paths
        .iter()
        .filter(|path| to(path).is_some_and(|machine| asked.contains(&machine.name.as_str())))
        .collect();
    let is = |name: &str, duties: &[Duty]| {
        fleet
            .machine(name)
            .is_some_and(|machine| duties.iter().any(|duty| machine.is(*duty)))
    };
    let between = |duties: &[Duty]| -> Option<(u32, &Path)> {
        let of = |path: &&&Path| {
            let other = to(path).map_or("", |machine| machine.name.as_str());
            is(&path.from, duties) && (is(other, duties) || duties.contains(&Duty::Vpn))
        };
        let measured = |path: &&Path| (path.path.unwrap_or(path.interface), path.path.is_none());
        known
            .iter()
            .filter(of)
            .min_by_key(|path| measured(path))
            .map(|path| (measured(path).0, *path))
    };
    let mut wrong = Vec::new();
    let mut mend = Vec::new();
    let mut fits = Vec::new();
    let mut needed = 0;
    let mut narrowest: Option<(u32, &Path)> = None;
    let nodes = between(&[Duty::Node, Duty::Observation]);
    let vpn = between(&[Duty::Vpn]);
    for (variable, value, around, way) in [
        (
            "network_mtu",
            Some(fleet.mtus.pods).filter(|mtu| *mtu > 0),
            OVERLAY,
            nodes,
        ),
        ("wireguard_mtu", fleet.mtus.vpn, TUNNEL, vpn),
    ] {
        let (Some(value), Some((path, at))) = (value, way) else {
            continue;
        };
        let most = path.saturating_sub(around);
        if narrowest.is_none_or(|(least, _)| path < least) {
            narrowest = Some((path, at));
        }
        match value <= most {
            true => fits.push(format!("{variable} {value} fits (up to {most})")),
            false => {
                wrong.push(format!("{variable} {value} needs {}", value + around));
                needed = needed.max(value + around);
                mend.push(format!("{variable}: {most}"));
            }
        }
    }
    let Some((path, at)) = narrowest else { return Vec::new() };
    let mut found = Vec::new();
    let target = to(at).map_or(at.to.as_str(), |machine| machine.name.as_str());
    if wrong.is_empty() {
        let message = format!("packets of {path} bytes arrive everywhere; {}", fits.join(", "));
        found.push(Finding::ok(AREA, CHECK, "packets", message));
    } else {
        found.push(Finding::failure(
            AREA,
            CHECK,
            format!("{} → {target}", at.from),
            format!(
                "packets of more than {path} bytes do not arrive, and {}",
                wrong.join(", ")
            ),
            format!(
                "set {}, or give the way between them an MTU of {needed}",
                mend.join(" and ")
            ),
        ));
    }
    let untried: Vec<&str> = known
        .iter()
        .filter(|p| p.path.is_none())
        .map(|p| p.from.as_str())
        .collect();
    if let Some(first) = untried.first() {
        found.push(Finding::warning(
            AREA,
            CHECK,
            "packets",
            format!(
                "{} ways could not be tried ({first} has no ping, or the answers do not come): what their interfaces carry is \
                 taken for them",
                untried.len()
            ),
            "install iputils-ping there, or let ICMP echo through between the machines",
        ));
    }
    found
}

/// Whether the peers of the VPN reach the machines: `networks` is what their files send through the tunnel.
pub fn reached_by_peers(fleet: &Fleet, networks: &[mosip_prov_resources::Network]) -> Option<Finding> {
    if networks.is_empty() {
        return None;
    }
    let outside = |(_, address): &(String, Ipv4Addr)| !networks.iter().any(|network| network.contains(*address));
    let outside: Vec<String> = fleet
        .places()
        .into_iter()
        .filter(outside)
        .map(|(name, _)| name)
        .collect();
    let all: Vec<String> = networks.iter().map(ToString::to_string).collect();
    let shown = format!("wireguard_network {}", all.join(", "));
    Some(match outside.as_slice() {
        [] => Finding::ok(AREA, "vpn", shown, "peers of the VPN reach all machines"),
        [first, rest @ ..] => Finding::warning(
            AREA,
            "vpn",
            shown,
            match rest.len() {
                0 => format!("peers of the VPN do not reach {first}"),
                more => format!("peers of the VPN do not reach {first} and {more} more"),
            },
            "set wireguard_network to the network of the machines",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Machine, Mtus, Ports};
    use mosip_prov_events::Level;
    use mosip_prov_resources::Network;

    fn fleet(pods: u32, vpn: Option<u32>) -> Fleet {
        let machine = |name: &str, last: u8, duty: Duty| Machine {
            name: name.into(),
            also: Vec::new(),
            address: format!("10.0.0.{last}"),
            inner_address: format!("10.0.0.{last}"),
            ssh_port: 22,
            duties: [duty].into(),
        };
        Fleet {
            machines: vec![
                machine("vm1", 1, Duty::Node),
                machine("vm2", 2, Duty::Node),
                machine("wireguard-node", 4, Duty::Vpn),
            ],
            main: None,
            observation: None,
            ranges: Vec::new(),
            ports: Ports {
                workers: Vec::new(),
                observation: Vec::new(),
                vpn: 51820,
            },
            mtus: Mtus { pods, vpn },
        }
    }

    const ASKED: [&str; 3] = ["vm1", "vm2", "wireguard-node"];

    #[test]
    fn what_is_sent_must_fit() {
        let wide = read("vm1", "10.0.0.2 1500 1500\n10.0.0.4 1500 1500\n");
        let found = check(&fleet(1400, None), &wide, &ASKED);
        assert_eq!((found.len(), found[0].level), (1, Level::Ok));
        assert!(
            found[0].message.contains("network_mtu 1400 fits (up to 1450)"),
            "{}",
            found[0].message
        );

        let mut narrow = read("vm1", "10.0.0.2 1500 1300\n");
        narrow.extend(read("wireguard-node", "10.0.0.1 1500 1500\n10.0.0.2 1500 1300\n"));
        let found = check(&fleet(1400, Some(1330)), &narrow, &ASKED);
        assert_eq!(
            (found.len(), found[0].level, found[0].subject.as_str()),
            (1, Level::Failure, "vm1 → vm2")
        );
        assert_eq!(
            found[0].message,
            "packets of more than 1300 bytes do not arrive, and network_mtu 1400 needs 1450, wireguard_mtu 1330 needs 1410"
        );
        assert_eq!(
            found[0].remedy.as_deref(),
            Some("set network_mtu: 1250 and wireguard_mtu: 1220, or give the way between them an MTU of 1450")
        );
        // What leads to a machine that is down says nothing.
        assert!(check(&fleet(1400, None), &read("vm1", "10.0.0.2 1500 -"), &["vm1"]).is_empty());
    }

    #[test]
    fn without_ping_the_interface_is_taken() {
        let found = check(&fleet(1400, None), &read("vm1", "10.0.0.2 1500 -"), &ASKED);
        assert_eq!(
            found.iter().map(|f| f.level).collect::<Vec<_>>(),
            [Level::Ok, Level::Warning]
        );
        let found = check(&fleet(1400, None), &read("vm1", "10.0.0.2 1400 -"), &ASKED);
        assert_eq!(found[0].level, Level::Failure);
    }

    #[test]
    fn a_machine_measures_itself() {
        for shell in mosip_prov_resources::testing::sh_available() {
            let script = ask(&["127.0.0.1"]).expect("a question").0;
            let done = std::process::Command::new(shell[0])
                .args(&shell[1..])
                .args(["-c", &script])
                .output()
                .expect("runs");
            let output = String::from_utf8(done.stdout).expect("text");
            let paths = read("here", &output);
            assert_eq!(paths.len(), 1, "{shell:?} {output}");
            // Where ping may be used, all that the loopback carries arrives.
            assert!(
                paths[0].path.is_none_or(|path| path == paths[0].interface),
                "{shell:?} {output}"
            );
        }
    }

    /// What a machine measures whose ping is a stand-in; `loses` decides, with the size of the packet in `$s`, the number
    /// of echoes in `$c` and a folder to remember in, `$D`.
    fn measured(loses: &str) -> Vec<Option<u32>> {
        let script = ask(&["192.0.2.7"]).expect("a question").0;
        let measure = |shell: &&[&str]| {
            let folder = tempfile::tempdir().expect("a folder");
            let tool = |name: &str, body: &str| {
                use std::os::unix::fs::PermissionsExt as _;
                let path = folder.path().join(name);
                std::fs::write(&path, format!("#!/bin/sh\n# a stand-in\n{body}\n")).expect("written");
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
            };
            tool(
                "ip",
                "case \"$*\" in *route*) echo '192.0.2.7 dev eth0 src 192.0.2.1' ;; \
                 *) echo '2: eth0: <UP> mtu 1500 qdisc noop' ;; esac",
            );
            tool(
                "ping",
                &format!(
                    "D={}\nwhile [ $# -gt 1 ]; do case $1 in -c) c=$2 ;; -s) s=$(($2 + 28)) ;; esac; shift; done\n{loses}",
                    folder.path().display()
                ),
            );
            let path = std::env::var("PATH").unwrap_or_default();
            let done = std::process::Command::new(shell[0])
                .args(&shell[1..])
                .args(["-c", &script])
                .env("PATH", format!("{}:{path}", folder.path().display()))
                .output()
                .expect("runs");
            let paths = read("here", &String::from_utf8_lossy(&done.stdout));
            assert_eq!((paths.len(), paths[0].interface), (1, 1500), "{shell:?} {done:?}");
            paths[0].path
        };
        // Not busybox: it may prefer its own ping.
        let shells = mosip_prov_resources::testing::sh_available();
        shells
            .iter()
            .filter(|shell| shell[0] != "busybox")
            .map(measure)
            .collect()
    }

    #[test]
    fn a_lost_echo_is_no_smaller_mtu() {
        let all_are = |found: Vec<Option<u32>>, wanted: u32| {
            assert!(
                !found.is_empty() && found.iter().all(|path| *path == Some(wanted)),
                "{found:?}"
            );
        };
        // Of the full size the first echo is lost, and others come.
        let first =
            "[ \"$s\" -ne 1500 ] || mkdir \"$D/lost\" 2>/dev/null || exit 0\n[ \"$s\" -ne 1500 ] || [ \"$c\" -gt 1 ]";
        all_are(measured(first), 1500);
        // All of the first try are lost, as when a way is learnt: the second says otherwise than the search.
        let burst = "[ \"$s\" -ne 1500 ] || ! mkdir \"$D/lost\" 2>/dev/null";
        all_are(measured(burst), 1500);
        // What is too large never arrives.
        all_are(measured("[ \"$s\" -le 1300 ]"), 1300);
    }

    #[test]
    fn whom_peers_reach() {
        let of = |text: &str| reached_by_peers(&fleet(0, None), &[Network::parse(text).expect("a network")]);
        assert_eq!(of("10.0.0.0/24").map(|f| f.level), Some(Level::Ok));
        let found = of("172.16.50.0/24").expect("a finding");
        assert_eq!(
            (found.level, found.message.as_str()),
            (Level::Warning, "peers of the VPN do not reach vm1 and 2 more")
        );
    }
}
