//! The fleet: names, addresses, and where each host's files live.

use std::path::{Path, PathBuf};

use crate::sh::{Error, Result};

/// Everything the testbed keeps, outside the checkout.
pub const STATE: &str = "/var/lib/mosip-prov-testbed";
/// The bridge that joins the hosts, and the machine's own address on it.
pub const BRIDGE: &str = "mpbr0";
/// The machine's address on [`BRIDGE`], which is the hosts' default gateway.
pub const GATEWAY: &str = "10.61.0.1";
/// The hosts' network.
pub const SUBNET: &str = "10.61.0.0/24";
/// The bridge of the outside network; the machine itself has no address on it.
pub const OUTSIDE_BRIDGE: &str = "mpbr1";
/// The namespace that plays a client outside the private networks.
pub const OUTSIDE_NAMESPACE: &str = "mp-outside";
/// Its address, of TEST-NET-2 (RFC 5737).
pub const OUTSIDE_ADDRESS: &str = "198.51.100.10";
/// The password of `pwuser`, who alone may log in with one.
pub const PWUSER_PASSWORD: &str = "correct horse 7!";

/// One host of the fleet.
#[derive(Debug, PartialEq, Eq)]
pub struct Host {
    /// Inventory name and host name.
    pub name: &'static str,
    /// Short name for its veth pair, whose names must stay within 15 characters.
    pub short: &'static str,
    /// Address on the hosts' network.
    pub address: &'static str,
    /// Second address, on the outside network, for the fronts.
    pub outside: Option<&'static str>,
    /// Whether the host has a python3.
    pub python: bool,
    /// Whether it is the machine others are deployed from: it has the test key, `kubectl` and `jq`.
    pub deployment: bool,
}

const fn host(name: &'static str, short: &'static str, address: &'static str) -> Host {
    Host {
        name,
        short,
        address,
        outside: None,
        python: true,
        deployment: false,
    }
}

/// All hosts.
pub const HOSTS: [Host; 11] = [
    host("vm1", "vm1", "10.61.0.11"),
    host("vm2", "vm2", "10.61.0.12"),
    // One host without python3, so that nothing comes to lean on it.
    Host {
        python: false,
        ..host("vm3", "vm3", "10.61.0.13")
    },
    host("vm4", "vm4", "10.61.0.14"),
    host("vm5", "vm5", "10.61.0.15"),
    host("vm6", "vm6", "10.61.0.16"),
    host("obs-node-1", "obs", "10.61.0.21"),
    Host {
        outside: Some("198.51.100.31"),
        ..host("nginx-node-1", "nginx", "10.61.0.31")
    },
    Host {
        outside: Some("198.51.100.32"),
        ..host("nginx-obs-node-1", "nginx-obs", "10.61.0.32")
    },
    host("wireguard-node", "wg", "10.61.0.41"),
    Host {
        deployment: true,
        ..host("deployment-node", "deploy", "10.61.0.51")
    },
];

impl Host {
    /// The host's network namespace.
    pub fn namespace(&self) -> String {
        format!("mp-{}", self.short)
    }

    /// The outer end of its veth pair on the hosts' bridge.
    pub fn veth(&self) -> String {
        format!("mpv-{}", self.short)
    }

    /// The outer end of its veth pair on the outside bridge.
    pub fn outside_veth(&self) -> String {
        format!("mpo-{}", self.short)
    }

    /// The folder of its layers, log and pid.
    pub fn folder(&self) -> PathBuf {
        Path::new(STATE).join("hosts").join(self.name)
    }

    /// Where its file system is mounted.
    pub fn root(&self) -> PathBuf {
        self.folder().join("root")
    }

    /// The console log of its current boot.
    pub fn log(&self) -> PathBuf {
        self.folder().join("log")
    }
}

/// The private key every user of every host accepts.
pub fn key() -> PathBuf {
    Path::new(STATE).join("id_ed25519")
}

/// The hosts of those names; all when none is named.
pub fn select(names: &[String]) -> Result<Vec<&'static Host>> {
    if names.is_empty() {
        return Ok(HOSTS.iter().collect());
    }
    names.iter().map(|name| find(name)).collect()
}

/// The host of that name.
pub fn find(name: &str) -> Result<&'static Host> {
    HOSTS.iter().find(|host| host.name == name).ok_or_else(|| {
        let known: Vec<_> = HOSTS.iter().map(|host| host.name).collect();
        Error(format!("the testbed has no host `{name}`; it has {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_fit_the_kernel_limit() {
        for host in &HOSTS {
            assert!(host.veth().len() <= 15, "{}", host.veth());
            assert!(host.outside_veth().len() <= 15, "{}", host.outside_veth());
        }
    }

    #[test]
    fn names_and_addresses_are_unique() {
        for (index, host) in HOSTS.iter().enumerate() {
            for other in &HOSTS[index + 1..] {
                assert_ne!(host.name, other.name);
                assert_ne!(host.short, other.short);
                assert_ne!(host.address, other.address);
            }
        }
    }

    #[test]
    fn no_name_means_all_and_a_wrong_name_lists_the_right_ones() {
        assert_eq!(select(&[]).unwrap().len(), HOSTS.len());
        assert_eq!(select(&["vm3".into()]).unwrap()[0].address, "10.61.0.13");
        let error = select(&["vm9".into()]).unwrap_err().to_string();
        assert!(error.contains("vm9") && error.contains("vm6"), "{error}");
    }
}
