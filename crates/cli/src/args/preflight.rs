//! `preflight`: what it takes.

use super::{BecomeOptions, ConnectionOptions, Format, InventoryOptions, Selection, What};
use clap::{Args, ValueEnum};
use mosip_prov::names::parse_nameserver;
use mosip_prov::preflight::{Area, PreflightOptions};
use std::net::SocketAddr;

/// What `preflight` takes.
#[derive(Debug, Args)]
pub struct PreflightArgs {
    /// What is looked at; everything without it.
    #[arg(value_name = "AREA", value_enum)]
    pub areas: Vec<AreaName>,
    /// Only what needs neither hosts nor DNS: keys, certificates, address ranges.
    #[arg(long = "static")]
    pub fixed_only: bool,
    /// Ask this server for DNS records, ADDRESS or ADDRESS:PORT, in place of the system's resolver; may be repeated.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_nameserver)]
    pub nameserver: Vec<SocketAddr>,
    /// Tell of certificates that end within so many days.
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub threshold_days: u32,
    /// A table to read, or JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Count what is as it should be instead of showing it.
    #[arg(long)]
    pub brief: bool,
    /// Only look at hosts of this pattern: `vm1,vm2`, `nginx:!vm3`.
    #[arg(short, long, value_name = "PATTERN", alias = "subset", help_heading = "Selection")]
    pub limit: Option<String>,
    /// How many hosts are asked at the same time.
    #[arg(short, long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Selection")]
    pub forks: u16,
    #[command(flatten)]
    pub inventory: InventoryOptions,
    #[command(flatten)]
    pub connection: ConnectionOptions,
    #[command(flatten)]
    pub privilege: BecomeOptions,
}

/// A part of the surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AreaName {
    /// The records of the domain.
    Dns,
    /// Certificates and keys of both fronts.
    Certificates,
    /// Sizes, releases, disks, clocks, names, ports, address ranges.
    Hosts,
    /// Ways between the machines, and what fits through them.
    Network,
    /// Programs on the deployment node.
    Tools,
    /// SSH keys.
    Keys,
}

impl From<AreaName> for Area {
    fn from(name: AreaName) -> Self {
        match name {
            AreaName::Dns => Self::Dns,
            AreaName::Certificates => Self::Certificates,
            AreaName::Hosts => Self::Hosts,
            AreaName::Network => Self::Network,
            AreaName::Tools => Self::Tools,
            AreaName::Keys => Self::Keys,
        }
    }
}

impl PreflightArgs {
    /// What is looked at.
    pub fn options(&self) -> PreflightOptions {
        PreflightOptions {
            areas: self.areas.iter().copied().map(Into::into).collect(),
            nameservers: self.nameserver.clone(),
            threshold_days: self.threshold_days,
            fixed_only: self.fixed_only,
        }
    }

    /// The same as what a run takes.
    pub fn what(&self) -> What {
        What {
            playbooks: Vec::new(),
            inventory: self.inventory.clone(),
            selection: Selection {
                limit: self.limit.clone(),
                forks: self.forks.into(),
                ..Selection::default()
            },
            connection: self.connection.clone(),
            privilege: self.privilege.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn preflight(args: &[&str]) -> Result<PreflightArgs, clap::Error> {
        let args = [&["mosip-prov", "preflight"], args].concat();
        Cli::try_parse_from(args).map(|cli| match cli.command {
            Command::Preflight(args) => *args,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn areas_and_servers() {
        let all = preflight(&["-i", "rancher.ini"]).expect("taken");
        assert!(all.options().areas.is_empty() && !all.fixed_only && all.threshold_days == 30);
        let some = preflight(&[
            "dns",
            "keys",
            "--nameserver",
            "192.0.2.1",
            "--nameserver",
            "[2001:db8::1]:5353",
        ]);
        let some = some.expect("taken");
        assert_eq!(some.options().areas, [Area::Dns, Area::Keys]);
        let servers: Vec<String> = some.nameserver.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::1]:5353"]);
        assert!(preflight(&["moon"]).is_err());
        assert!(preflight(&["--nameserver", "dns.example.org"]).is_err());
        assert!(preflight(&["--static", "-l", "vm1", "-f", "2", "--format", "json", "--brief"]).is_ok());
    }
}
