//! What the nginx fronts of MOSIP have in common: settings with every mistake reported, where certificates lie, the
//! common part of the configuration, the test of a candidate, the task list, and the forwarding rules.

pub mod address;
pub mod candidate;
pub mod configuration;
pub mod files;
pub mod firewall;
pub mod node_ports;
pub mod nodes;
pub mod reader;
pub mod surroundings;
mod tasks;
pub mod testing;

pub use address::{Network, with_port};
pub use configuration::render;
pub use files::CertificateFiles;
pub use firewall::Firewall;
pub use node_ports::NodePorts;
pub use reader::{ListenAddress, Reader};
pub use surroundings::Surroundings;
pub use tasks::Front;
