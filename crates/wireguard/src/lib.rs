//! The VPN's peers: where their files are on the host, what must stand in them, names, addresses, and the states that
//! the role `wireguard` and the command `wireguard peers` bring about.
//!
//! Private and preshared keys are made on the host and stay there. A file travels to the deployment node with its keys
//! masked (see [`mask`]), is edited in that form, and gets its keys back on the host. Only a peer file that an operator
//! fetches crosses over whole, as a [`config::WgConfig`] or a secret, neither of which can be printed.

pub mod ask;
pub mod config;
pub mod layout;
pub mod mask;
pub mod name;
pub mod peer_file;
pub mod peers;
pub mod role;
pub mod server;
pub mod settings;
pub mod state;
pub mod tunnel;

mod script;

pub use ask::AskPeers;
pub use layout::{Backend, Layout};
pub use name::{DeclaredPeers, PeerName};
pub use peer_file::{PeerFiles, PeerSettings};
pub use peers::Peers;
pub use role::{PeersRole, Wish};
pub use settings::Settings;
pub use state::{HostState, PeerState};
pub use tunnel::Tunnel;
