//! What the roles of an RKE2 cluster share: which machine is what, the settings, the artefacts, and the resources that
//! bring them about.
//!
//! RKE2 is one binary, `rke2`, run by systemd as `rke2-server` (control plane, etcd or both) or `rke2-agent`. The first
//! server makes the cluster; all others join it at port 9345 with a token. What is said about RKE2 here is taken from its
//! documentation (docs.rke2.io), its `install.sh` and the units in its archive.

pub mod around;
pub mod artifacts;
pub mod config;
pub mod flavor;
pub mod install;
pub mod reader;
pub mod rejoin;
pub mod service;
pub mod settings;
mod shared_file;
pub mod token;
pub mod topology;

pub use around::Around;
pub use artifacts::{Artifacts, Image, Library, Tarball};
pub use config::ConfigFile;
pub use flavor::{Distribution, Flavor};
pub use install::{Installed, Placed};
pub use mosip_prov_resources::Network;
pub use reader::Reader;
pub use rejoin::Rejoin;
pub use service::Service;
pub use settings::{Cni, ImportUrl, Release, Settings};
pub use shared_file::SharedFile;
pub use token::{KeptToken, NodeToken, TokenFrom};
pub use topology::{Machine, Roles, Topology};

/// The defaults of the variables that the roles of RKE2 read.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

/// Where servers answer those who join.
pub const SUPERVISOR_PORT: u16 = 9345;
/// Where the API of Kubernetes answers.
pub const API_PORT: u16 = 6443;
/// The folder of a machine's configuration.
pub const CONFIG_FOLDER: &str = "/etc/rancher/rke2";
/// The configuration of a machine. The token is not in it, so that changes can be shown.
pub const CONFIG_FILE: &str = "/etc/rancher/rke2/config.yaml";
/// What a server joins, where it did not make the cluster although the inventory has it first.
pub const JOIN_FILE: &str = "/etc/rancher/rke2/config.yaml.d/10-join.yaml";
/// The token of a machine, which the configuration names.
pub const TOKEN_FILE: &str = "/etc/rancher/rke2/token";
/// The kubeconfig that a server with an API writes, for root alone.
pub const KUBECONFIG_FILE: &str = "/etc/rancher/rke2/rke2.yaml";
/// Manifests that a server with an API applies on its own.
pub const MANIFESTS_FOLDER: &str = "/var/lib/rancher/rke2/server/manifests";
/// Archives of images that a machine loads when RKE2 starts.
pub const IMAGES_FOLDER: &str = "/var/lib/rancher/rke2/agent/images";
