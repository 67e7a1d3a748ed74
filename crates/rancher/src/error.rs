//! Why a cluster could not be imported by way of Rancher's API.

use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// What was wanted, what came instead, where. None of them holds a password, a token, or an import URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RancherError {
    /// The address is none of a server.
    #[error("the address of Rancher, {shown:?}, cannot be used: {why}")]
    BadAddress {
        /// Why not.
        why: &'static str,
        /// Its harmless part.
        shown: String,
    },
    /// A file of authorities cannot be read, or none is in it.
    #[error("the authorities in {} cannot be used: {why}", path.display())]
    BadAuthorities {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// This system has no file of authorities.
    #[error("no authority can be trusted for {server}: this system has no file of them")]
    NoAuthorities {
        /// The server.
        server: String,
    },
    /// The name of the server is not known.
    #[error("{server} cannot be asked: its name does not resolve")]
    NoSuchName {
        /// The server.
        server: String,
    },
    /// The server cannot be reached.
    #[error("{server} cannot be reached: {why}")]
    Unreachable {
        /// The server.
        server: String,
        /// Why.
        why: String,
    },
    /// The server's certificate is not to be trusted.
    #[error("the certificate of {server} is not trusted: {why}")]
    NotTrusted {
        /// The server.
        server: String,
        /// Why.
        why: String,
    },
    /// No answer in time.
    #[error("{server} did not answer within {} s, asked to {what}", after.as_secs_f32())]
    TimedOut {
        /// The server.
        server: String,
        /// What it was asked.
        what: String,
        /// How long was waited.
        after: Duration,
    },
    /// The server says that it cannot work now, and went on saying so.
    #[error("{server} still answers {status} after {} s, asked to {what}", after.as_secs_f32())]
    NotReady {
        /// The server.
        server: String,
        /// What it was asked.
        what: String,
        /// The status: 502, 503, 504.
        status: u16,
        /// How long was waited.
        after: Duration,
    },
    /// The server sends us elsewhere, where credentials do not go.
    #[error("{server} refers to {to}, asked to {what}; credentials are not sent there")]
    Redirected {
        /// The server.
        server: String,
        /// What it was asked.
        what: String,
        /// The server it refers to.
        to: String,
    },
    /// What answers there is no Rancher.
    #[error("{server} does not answer as a Rancher does, asked to {what}: {why}")]
    NotRancher {
        /// The server.
        server: String,
        /// What it was asked.
        what: String,
        /// What came instead.
        why: String,
    },
    /// User and password are refused.
    #[error("{server} refuses the password of {user}")]
    WrongPassword {
        /// The server.
        server: String,
        /// The user.
        user: String,
    },
    /// The token is refused.
    #[error("{server} refuses the API token")]
    WrongToken {
        /// The server.
        server: String,
    },
    /// The user may not do what is needed.
    #[error("{server} does not let this user {what}")]
    Forbidden {
        /// The server.
        server: String,
        /// What was asked.
        what: String,
    },
    /// Another refusal, in Rancher's own words.
    #[error("{server} refuses to {what}: {status} {said}")]
    Refused {
        /// The server.
        server: String,
        /// What was asked.
        what: String,
        /// The status.
        status: u16,
        /// Code and message, neutral.
        said: String,
    },
    /// Rancher calls itself otherwise.
    #[error(
        "Rancher at {server} calls itself {calls_itself} (its setting server-url), where the cluster would report to"
    )]
    ServerUrlDiffers {
        /// The server that was asked.
        server: String,
        /// Its own name.
        calls_itself: String,
    },
    /// Several clusters have the name.
    #[error("{server} has {} clusters named {name}: {}", ids.len(), ids.join(", "))]
    Ambiguous {
        /// The server.
        server: String,
        /// The name.
        name: String,
        /// Their identifiers.
        ids: Vec<String>,
    },
    /// The cluster of that name is none that was imported.
    #[error("the cluster {name} of {server} ({id}) is none to be imported: {why}")]
    NotAnImport {
        /// The server.
        server: String,
        /// The name.
        name: String,
        /// Its identifier.
        id: String,
        /// What it is.
        why: String,
    },
    /// The cluster of that name is one of other machines.
    #[error("the cluster {name} of {server} ({id}) has other machines: {}", nodes.join(", "))]
    OtherNodes {
        /// The server.
        server: String,
        /// The name.
        name: String,
        /// Its identifier.
        id: String,
        /// Its machines, the first few.
        nodes: Vec<String>,
    },
    /// Something that Rancher makes on its own did not come.
    #[error("{server} has not {what} within {} s{}", after.as_secs_f32(), .instead.as_ref().map(|i| format!(": {i}")).unwrap_or_default())]
    NotMade {
        /// The server.
        server: String,
        /// What it should have done: `made the import URL of mosip`.
        what: String,
        /// How long was waited.
        after: Duration,
        /// What there was at last.
        instead: Option<String>,
    },
    /// It was called off.
    #[error("interrupted while {server} was asked to {what}")]
    Interrupted {
        /// The server.
        server: String,
        /// What it was asked.
        what: String,
    },
}

impl RancherError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::BadAddress { .. } => "set rancher_url to the server alone, such as https://rancher.example.org",
            Self::BadAuthorities { .. } => "let rancher_ca_file name a PEM file with the certificate of the authority",
            Self::NoAuthorities { .. } => {
                "install the package ca-certificates, or let rancher_ca_file name a PEM file with the authority"
            }
            Self::NoSuchName { .. } => {
                "see that DNS has the name (mosip-prov dns records prints all), or correct rancher_url"
            }
            Self::Unreachable { .. } => {
                "see that the VPN is up, and that the observation cluster's front runs; or correct rancher_url"
            }
            Self::NotTrusted { .. } => {
                "when the front's certificate comes from an authority of your own, let rancher_ca_file name its PEM file; \
                 there is no switch that trusts any certificate"
            }
            Self::TimedOut { .. } => "see whether Rancher's pods are well: mosip-prov verify obs; then run this again",
            Self::NotReady { .. } => {
                "Rancher starts, or is not there yet: see that its pods run in cattle-system, then run this again"
            }
            Self::Redirected { .. } => "set rancher_url to the server that answers itself",
            Self::NotRancher { .. } => {
                "see that Rancher is deployed in the observation cluster (the front answers 404 before), and that \
                 rancher_url is right"
            }
            Self::WrongPassword { .. } => {
                "give the present password of Rancher's user in rancher_bootstrap_password (in a vault), or an API token \
                 in rancher_api_token"
            }
            Self::WrongToken { .. } => {
                "make an API token in Rancher (Account & API Keys), without scope, and set rancher_api_token"
            }
            Self::Forbidden { .. } => "take the token of a user who may create clusters, such as an administrator",
            Self::Refused { .. } => "correct what Rancher names; or import by hand, and set rancher_import_url",
            Self::ServerUrlDiffers { .. } => {
                "set rancher_url to that address, or correct server-url in Rancher's settings"
            }
            Self::Ambiguous { .. } => {
                "delete those that are not wanted in Rancher, or choose another rancher_cluster_name"
            }
            Self::NotAnImport { .. } => "choose another rancher_cluster_name, or delete that cluster in Rancher",
            Self::OtherNodes { .. } => {
                "when it is another cluster, choose another rancher_cluster_name; when it is gone, delete it in Rancher first"
            }
            Self::NotMade { .. } => {
                "see what Rancher's log says (kubectl -n cattle-system logs deploy/rancher), then run this again"
            }
            Self::Interrupted { .. } => "run it again: what was made in Rancher is found again",
        }
    }

    /// Whether the server could not be reached at all, or was not ready.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::NoSuchName { .. } | Self::Unreachable { .. } | Self::TimedOut { .. } | Self::NotReady { .. }
        )
    }

    /// Whether what was given is wrong, before anything was connected to.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Self::BadAddress { .. } | Self::BadAuthorities { .. } | Self::NoAuthorities { .. }
        )
    }
}
