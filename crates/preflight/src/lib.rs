//! Read-only checks of what a run needs on the deployment node: certificates and keys, before anything connects.
//!
//! Every check answers with diagnostics: what is wrong, in which file, and what to do. Nothing here prints, changes a
//! file or shows a key.

pub mod certificates;
mod chain;
pub mod paths;
pub mod private_key;
pub mod server_names;
pub mod ssh_keys;

pub use certificates::{CertificatePair, check_pair};
pub use paths::expand_tilde;
