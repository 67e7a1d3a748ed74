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
//!
//! A host over SSH, with what the ssh configuration and `ansible_ssh_common_args` say about it:
//!
//! ```no_run
//! use mosip_prov_transport::{Connector, HostKeyPolicy, Identity, RemoteConnector, Request, Target};
//! use mosip_prov_transport::{parse_ssh_args, resolve_ssh_config};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut target = Target::ssh("vm1", "10.0.0.11", "ubuntu");
//! resolve_ssh_config("10.0.0.11", Some("ubuntu"), None, None).await?.apply_to(&mut target);
//! parse_ssh_args("-J ubuntu@bastion -o StrictHostKeyChecking=yes")?.apply_to(&mut target);
//! assert_eq!(target.host_keys, HostKeyPolicy::Strict);
//! let connector = RemoteConnector::default(); // one for each run: it keeps passphrases and jump hosts
//! let host = connector.connect(&target).await?;
//! let answer = host.ask(&Identity::root(), Request::new("cat /etc/shadow").sensitive()).await?;
//! # let _ = answer; Ok(()) }
//! ```
//!
//! Inside: `exchange` is the shell on the target that answers requests, over anything that runs programs (`process`); `local` and
//! `ssh` are the two that do; [`known_hosts`] decides about host keys; [`fake`] is for tests of everything above.

pub mod error;
mod exchange;
pub mod fake;
mod files;
#[doc(hidden)]
pub mod fuzzing;
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
pub use ssh::{KeyFile, NoPrompt, Prompt, RemoteConnector, agent_keys, check_key_file, default_key_files};
pub use ssh_args::{JumpSpec, SshArgs, expand_home, parse_ssh_args};
pub use ssh_config::resolve_ssh_config;
pub use target::{AgentSource, ConnectionKind, HostKeyPolicy, Jump, Secret, SudoSettings, Target, Timeouts};
