//! Read-only checks before a deployment: names, certificates, keys, machines, the ways between them, tools. Nothing
//! here connects to a host, prints, changes a file or shows a key.
//!
//! Checks are functions of what is known: files on this machine, or what machines answered to questions that are asked by
//! whoever has the connections; only nameservers are asked here. They answer with findings (what was looked at, how it
//! is, what to do) or, where inputs are concerned, with diagnostics.

pub mod certificates;
mod chain;
pub mod dns;
pub mod fleet;
#[doc(hidden)]
pub mod fuzzing;
pub mod guide;
pub mod hosts;
pub mod https;
pub mod keys;
pub mod mtu;
pub mod paths;
pub mod ports;
pub mod private_key;
pub mod ranges;
pub mod room;
pub mod routing;
pub mod server_names;
pub mod ssh_keys;
pub mod ways;

pub use certificates::{CertificatePair, check_pair};
pub use paths::expand_tilde;
