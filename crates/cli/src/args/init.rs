//! `init`: what it takes.

use clap::{Args, ValueHint};
use std::path::PathBuf;

/// What `init` takes.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder that gets inventory/ and terraform/.
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// A file of answers, YAML or JSON: domain, node (a list), obs, nginx, nginx_obs, public_ip, wireguard,
    /// wireguard_endpoint, user, private_key.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub answers: Option<PathBuf>,
    /// Take answers from the outputs of the Terraform root that made the machines: its folder, or a file with what
    /// `terraform output -json` printed there.
    #[arg(long, value_name = "DIR|FILE", value_hint = ValueHint::AnyPath)]
    pub from_terraform: Option<PathBuf>,
    /// Replace files that hold something else.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub fields: Fields,
}

/// Answers as flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Answers (asked for where they are missing)")]
pub struct Fields {
    /// Domain of the installation.
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Private address of a node of the MOSIP cluster; repeated, or with commas. Of six and more the first three are of
    /// the control plane, of fewer the first.
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub node: Vec<String>,
    /// Private address of the observation node.
    #[arg(long, value_name = "IP")]
    pub obs: Option<String>,
    /// Private address of the front of the MOSIP cluster.
    #[arg(long, value_name = "IP")]
    pub nginx: Option<String>,
    /// Private address of the front of the observation cluster [default: the observation node].
    #[arg(long, value_name = "IP")]
    pub nginx_obs: Option<String>,
    /// Public address of the front of the MOSIP cluster.
    #[arg(long, value_name = "IP")]
    pub public_ip: Option<String>,
    /// Private address of the VPN gateway.
    #[arg(long, value_name = "IP")]
    pub wireguard: Option<String>,
    /// Public address or name of the VPN gateway.
    #[arg(long, value_name = "ADDRESS")]
    pub wireguard_endpoint: Option<String>,
    /// Login on all machines [default: ubuntu].
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// Private key to log in with [default: ~/.ssh/id_ed25519].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub private_key: Option<String>,
}
