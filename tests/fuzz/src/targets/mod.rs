//! The targets, one file each.

mod certificates;
mod dns;
mod exchange;
mod ini;
mod jinja;
mod journal;
mod known_hosts;
mod kubectl;
mod output;
mod patterns;
mod rancher;
mod ssh_config;
mod terraform;
mod vault;
mod wireguard;
mod yaml;

/// Something that reads what others wrote.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: also that of its folder of inputs and of its file of words.
    pub name: &'static str,
    /// What is read.
    pub reads: &'static str,
    /// Panics when a property does not hold of these bytes.
    pub run: fn(&[u8]),
    /// How many variations a test run tries: about three seconds of them.
    pub variations: usize,
    /// How many very long inputs a test run tries.
    pub long: usize,
}

macro_rules! targets {
    ($($name:ident: $reads:literal, $variations:literal, $long:literal;)+) => {
        /// All of them.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            reads: $reads,
            run: $name::run,
            variations: $variations,
            long: $long,
        }),+];
    };
}

targets! {
    ini: "INI inventories", 2000, 10;
    yaml: "YAML and JSON: variables, inventories, scalars", 1500, 10;
    jinja: "templates, conditions and template files in values", 1500, 10;
    patterns: "host patterns and limits", 2000, 10;
    known_hosts: "known_hosts files", 800, 10;
    vault: "vaults: envelopes, and what is in them", 10, 4;
    exchange: "what a target answers, in any pieces", 2000, 10;
    terraform: "terraform's streams, plans, outputs and files of values", 2000, 10;
    kubectl: "objects, differences, kubeconfigs and manifests", 2000, 10;
    rancher: "Rancher's answers and URLs", 4000, 10;
    dns: "answers of nameservers", 8000, 10;
    ssh_config: "configurations and arguments of ssh", 3000, 10;
    certificates: "certificates and keys, of files and of servers", 800, 10;
    journal: "journals of earlier runs", 2000, 10;
    wireguard: "the VPN's files and states", 2000, 10;
    output: "what hosts and tools print", 3000, 10;
}

/// A target by its name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
