//! `dns records`: what it takes.

use super::{InventoryOptions, help};
use clap::{Args, Subcommand, ValueEnum};

/// What `dns` takes.
#[derive(Debug, Args)]
pub struct DnsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DnsCommand,
}

/// What there is to do with the DNS.
#[derive(Debug, Subcommand)]
pub enum DnsCommand {
    /// Print the records that the installation needs, to be created where its domain is kept.
    #[command(after_help = help::DNS_RECORDS)]
    Records {
        #[command(flatten)]
        inventory: InventoryOptions,
        /// How they are printed.
        #[arg(long, value_enum, default_value_t = RecordsFormat::Table)]
        format: RecordsFormat,
    },
}

/// How records are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecordsFormat {
    /// For people.
    #[value(alias = "text")]
    Table,
    /// Lines of a zone file, as BIND and most providers read them.
    Zone,
    /// For programs: a list of objects with `type`, `name`, `value`, `optional` and `purpose`.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn format(args: &[&str]) -> RecordsFormat {
        let args = [&["mosip-prov", "dns", "records"], args].concat();
        match Cli::try_parse_from(args).expect("taken").command {
            Command::Dns(DnsArgs {
                command: DnsCommand::Records { format, .. },
            }) => format,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn three_formats() {
        assert_eq!(format(&["-i", "hosts.ini"]), RecordsFormat::Table);
        assert_eq!(format(&["--format", "zone"]), RecordsFormat::Zone);
        assert_eq!(format(&["--format", "json"]), RecordsFormat::Json);
    }
}
