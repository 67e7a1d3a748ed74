//! `certificates`: what it takes.

use super::wireguard::How;
use super::{InventoryOptions, OutputOptions, SurvivalOptions, help};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// What `certificates` takes.
#[derive(Debug, Args)]
pub struct CertificatesArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CertificatesCommand,
}

/// What there is to do with certificates.
#[derive(Debug, Subcommand)]
pub enum CertificatesCommand {
    /// Check a certificate and its key, and place them where the fronts look for them.
    #[command(after_help = help::CERTIFICATES_INSTALL)]
    Install(InstallArgs),
    /// Have a wildcard certificate issued by way of certbot, and place it.
    #[command(after_help = help::CERTIFICATES_REQUEST)]
    Request(Box<RequestArgs>),
    /// Request anew what ends soon, place it, and deploy it to the fronts.
    #[command(after_help = help::CERTIFICATES_RENEW)]
    Renew(Box<RenewArgs>),
    /// What certbot calls.
    #[command(hide = true)]
    Hook {
        /// Which of its hooks.
        kind: HookKind,
    },
}

/// certbot's hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HookKind {
    /// `--manual-auth-hook`.
    Auth,
    /// `--manual-cleanup-hook`.
    Cleanup,
}

/// A front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum FrontName {
    /// The front of the MOSIP cluster.
    Nginx,
    /// The front of the observation cluster.
    NginxObs,
}

impl FrontName {
    /// Its group in the inventory.
    pub fn group(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxObs => "nginx_obs",
        }
    }
}

/// What `certificates install` takes.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// The folder that holds fullchain.pem (or cert.pem) and privkey.pem (or key.pem).
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Only for this front; may be repeated. Without it: for each front all of whose names are covered.
    #[arg(long, value_enum, value_name = "FRONT")]
    pub front: Vec<FrontName>,
    #[command(flatten)]
    pub inventory: InventoryOptions,
}

/// How a certificate is requested.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Request")]
pub struct AuthorityOptions {
    /// The authority's ACME directory [default: Let's Encrypt].
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub server: Option<String>,
    /// Where the authority may write to. Asked for when certbot has no account yet.
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub email: Option<String>,
    /// Register without an address.
    #[arg(long, conflicts_with = "email")]
    pub no_email: bool,
    /// Agree to the authority's terms of service. Asked for when certbot has no account yet.
    #[arg(long)]
    pub agree_tos: bool,
    /// Also good for this name, or wildcard; may be repeated.
    #[arg(short, long = "domain", value_name = "NAME")]
    pub domains: Vec<String>,
    /// A command of your own that creates the record (your DNS provider's API), run once for each with certbot's
    /// variables CERTBOT_DOMAIN and CERTBOT_VALIDATION. Nobody is asked to create anything then.
    #[arg(long, value_name = "COMMAND")]
    pub auth_hook: Option<String>,
    /// A command of your own that removes the record.
    #[arg(long, value_name = "COMMAND", requires = "auth_hook")]
    pub cleanup_hook: Option<String>,
    /// Who is asked for the zone's nameservers, as IP or IP:PORT; may be repeated [default: the system's]. With another
    /// port than 53, the zone's nameservers are asked at that port too.
    #[arg(long, value_name = "ADDRESS")]
    pub nameserver: Vec<String>,
    /// Seconds to wait for the records.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub wait: u64,
    /// Seconds between two looks at the nameservers.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub interval: u64,
    /// certbot, when it is not on the PATH.
    #[arg(long, value_name = "PROGRAM", default_value = "certbot", value_hint = ValueHint::CommandName)]
    pub certbot: PathBuf,
    /// certbot's folder (accounts, certificates, logs) [default: .mosip-prov/certbot beside the inventory].
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub certbot_dir: Option<PathBuf>,
}

/// What `certificates request` takes.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Only for this front; may be repeated.
    #[arg(long, value_enum, value_name = "FRONT")]
    pub front: Vec<FrontName>,
    /// Have a new one issued though certbot has one that is good for long.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub authority: AuthorityOptions,
    #[command(flatten)]
    pub inventory: InventoryOptions,
}

/// What `certificates renew` takes.
#[derive(Debug, Args)]
pub struct RenewArgs {
    /// Only for this front; may be repeated.
    #[arg(long, value_enum, value_name = "FRONT")]
    pub front: Vec<FrontName>,
    /// Renew when less than so many days are left.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub days: u32,
    /// Renew whatever is left.
    #[arg(long)]
    pub force: bool,
    /// Place the new certificate, and leave the fronts as they are.
    #[arg(long)]
    pub no_deploy: bool,
    #[command(flatten)]
    pub authority: AuthorityOptions,
    #[command(flatten)]
    pub how: How,
    #[command(flatten)]
    pub survival: SurvivalOptions,
    #[command(flatten)]
    pub output: OutputOptions,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn certificates(args: &[&str]) -> Result<CertificatesCommand, clap::Error> {
        let args = [&["mosip-prov", "certificates"], args].concat();
        Cli::try_parse_from(args).map(|cli| match cli.command {
            Command::Certificates(args) => args.command,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn installing() {
        let Ok(CertificatesCommand::Install(args)) =
            certificates(&["install", "live/x", "--front", "nginx_obs", "-i", "hosts.ini"])
        else {
            panic!("not taken");
        };
        assert_eq!(args.front, [FrontName::NginxObs]);
        assert_eq!(args.inventory.inventory, ["hosts.ini"]);
        assert!(certificates(&["install"]).is_err(), "what?");
    }

    #[test]
    fn requesting_and_renewing() {
        let Ok(CertificatesCommand::Request(args)) = certificates(&["request", "--agree-tos", "--no-email"]) else {
            panic!("not taken");
        };
        assert!(args.authority.agree_tos && args.authority.no_email && args.authority.server.is_none());
        assert!(certificates(&["request", "--email", "a@b.test", "--no-email"]).is_err());
        assert!(certificates(&["request", "--cleanup-hook", "x"]).is_err(), "of what?");
        let Ok(CertificatesCommand::Renew(args)) = certificates(&["renew", "-i", "rancher.ini", "--days", "40", "-K"])
        else {
            panic!("not taken");
        };
        assert_eq!((args.days, args.no_deploy), (40, false));
        assert!(args.how.privilege.password.ask_become_pass);
        assert!(matches!(
            certificates(&["hook", "auth"]),
            Ok(CertificatesCommand::Hook { kind: HookKind::Auth })
        ));
    }
}
