//! The host a task talks to.
//!
//! A [`Connector`] makes a [`Host`] out of a [`Target`]; a host answers [`Request`]s, each in one round trip, as the login user or
//! as someone else. Changing something needs a [`Permit`] from the run's one [`Gate`].
//!
//! ```
//! use mosip_prov_transport::{Gate, Host, Identity, LocalHost, Request, Target};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let host = LocalHost::new(&Target::local("deployment-node"));
//! let answer = host.ask(&Identity::Login, Request::new("uname -s")).await?;
//! assert_eq!(answer.stdout_text().trim(), "Linux");
//!
//! let gate = Gate::open();
//! let permit = gate.permit().expect("this run may change things");
//! let request = Request::new("cat >/dev/null").payload("content");
//! assert!(host.apply(&permit, &Identity::Login, request).await?.success());
//! # Ok::<(), mosip_prov_transport::TransportError>(()) }).unwrap();
//! ```

pub mod error;
mod exchange;
pub mod fake;
mod files;
mod gate;
mod host;
pub mod known_hosts;
mod local;
mod process;
mod ssh;
mod ssh_args;
mod ssh_config;
mod stats;
mod target;

pub use error::{ErrorKind, TransportError};
pub use files::quote;
pub use gate::{Gate, GateClosed, Permit};
pub use host::{BecomeUser, Connector, ExchangeStats, Host, Identity, OutputLine, Request, Response, Stream};
pub use local::LocalHost;
pub use ssh::{NoPrompt, Prompt, RemoteConnector, check_key_file};
pub use ssh_args::{JumpSpec, SshArgs, expand_home, parse_ssh_args};
pub use ssh_config::resolve_ssh_config;
pub use target::{AgentSource, ConnectionKind, HostKeyPolicy, Jump, Secret, SudoSettings, Target, Timeouts};
