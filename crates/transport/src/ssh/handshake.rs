//! From a stream to an encrypted connection with a server whose key was checked.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use russh::client::{self, DisconnectReason, Handle, Handler};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKeyOrCertificate};
use tokio::io::{AsyncRead, AsyncWrite};

use super::auth::unreachable;
use crate::error::{ConnectError, ErrorKind, HostKeyError};
use crate::known_hosts::{HostName, KnownHosts, Verdict, fingerprint, record};
use crate::ssh_args::expand_home;
use crate::target::{AgentSource, HostKeyPolicy, Jump, Secret, Target};

/// Quiet connections are asked for a sign of life this often, and given up after [`KEEPALIVES`] without one.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVES: usize = 4;
/// Downloads are four times as fast over a 20 ms link as with the 2 MiB that are usual.
const WINDOW: u32 = 16 << 20;

/// One server to log in to: the target or a machine on the way.
pub(super) struct Login<'a> {
    pub address: &'a str,
    pub port: u16,
    pub user: &'a str,
    pub keys: &'a [PathBuf],
    pub default_keys: bool,
    pub agent: &'a AgentSource,
    pub password: Option<&'a Secret>,
    pub host_keys: HostKeyPolicy,
    pub known_hosts: &'a [PathBuf],
    pub alias: Option<&'a str>,
    pub limit: Duration,
}

impl<'a> Login<'a> {
    pub fn target(target: &'a Target) -> Self {
        Self {
            address: &target.address,
            port: target.port,
            user: &target.user,
            keys: &target.keys,
            default_keys: target.default_keys,
            agent: &target.agent,
            password: target.password.as_ref(),
            host_keys: target.host_keys,
            known_hosts: &target.known_hosts,
            alias: target.host_key_alias.as_deref(),
            limit: target.timeouts.connect,
        }
    }

    /// A jump host is trusted by the target's rules, but never given the target's password.
    pub fn jump(jump: &'a Jump, target: &'a Target) -> Self {
        Self {
            address: &jump.address,
            port: jump.port,
            user: &jump.user,
            keys: if jump.keys.is_empty() { &target.keys } else { &jump.keys },
            password: None,
            alias: None,
            ..Self::target(target)
        }
    }

    /// Address and port for messages.
    pub fn label(&self) -> String {
        if self.address.contains(':') {
            format!("[{}]:{}", self.address, self.port)
        } else {
            format!("{}:{}", self.address, self.port)
        }
    }

    fn name(&self) -> HostName {
        match self.alias {
            Some(alias) => HostName::alias(alias),
            None => HostName::new(self.address, self.port),
        }
    }

    /// Files to read, the one to write to first.
    fn files(&self) -> Vec<PathBuf> {
        if self.known_hosts.is_empty() {
            vec![
                expand_home("~/.ssh/known_hosts"),
                PathBuf::from("/etc/ssh/ssh_known_hosts"),
            ]
        } else {
            self.known_hosts.to_vec()
        }
    }
}

/// Checks the server's key, at the first exchange and at each new one.
pub(crate) struct Verifier {
    policy: HostKeyPolicy,
    name: HostName,
    known: KnownHosts,
    write_to: PathBuf,
    accepted: Option<KeyData>,
    goodbye: Goodbye,
}

/// Whether the server ended the connection in words, as after too many attempts to log in, and not by dropping it.
pub(super) type Goodbye = Arc<AtomicBool>;

/// Why a handshake ended.
#[derive(Debug)]
pub(crate) enum VerifyError {
    HostKey(HostKeyError),
    Ssh(russh::Error),
}

impl From<russh::Error> for VerifyError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl Verifier {
    async fn decide(&self, shown: &PublicKeyOrCertificate) -> Result<(), HostKeyError> {
        let verdict = match shown {
            PublicKeyOrCertificate::Certificate(certificate) => self.known.check_certificate(&self.name, certificate),
            PublicKeyOrCertificate::PublicKey { key, .. } => self.known.check(&self.name, key),
        };
        let key = shown.public_key();
        match (verdict, self.policy) {
            (Verdict::Refused(error), _) => Err(error),
            (Verdict::Known, _) => Ok(()),
            (Verdict::Unknown, HostKeyPolicy::Strict) => Err(HostKeyError::Unknown {
                address: self.name.as_str().to_string(),
                algorithm: key.algorithm().to_string(),
                got: fingerprint(key.key_data()),
            }),
            (Verdict::Unknown, _) => {
                let (file, name) = (self.write_to.clone(), self.name.clone());
                tracing::info!(
                    host = name.as_str(),
                    key = fingerprint(key.key_data()),
                    "a new host key was accepted"
                );
                // Waiting for the lock of another run must not stop the others of this one.
                match tokio::task::spawn_blocking(move || record(&file, &name, &key)).await {
                    Ok(outcome) => outcome,
                    Err(error) => Err(HostKeyError::File {
                        file: self.write_to.clone(),
                        source: error.into(),
                    }),
                }
            }
        }
    }
}

impl Handler for Verifier {
    type Error = VerifyError;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let key = shown.public_key().key_data().clone();
        // Later exchanges of one connection must show the same key, whatever the policy.
        if let Some(accepted) = &self.accepted {
            return Ok(*accepted == key);
        }
        if self.policy != HostKeyPolicy::Off {
            self.decide(shown).await.map_err(VerifyError::HostKey)?;
        }
        self.accepted = Some(key);
        Ok(true)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Self::Error>) -> Result<(), Self::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                tracing::debug!(message = info.message, "the server ended the connection");
                self.goodbye.store(true, Relaxed);
                Ok(())
            }
            DisconnectReason::Error(error) => Err(error),
        }
    }
}

/// Host key algorithms, those on record first: a known host is then met with the key that is known. No SHA-1.
fn algorithms(known: &[Algorithm]) -> Vec<Algorithm> {
    let all = [
        Algorithm::Ed25519,
        Algorithm::Ecdsa {
            curve: EcdsaCurve::NistP256,
        },
        Algorithm::Ecdsa {
            curve: EcdsaCurve::NistP384,
        },
        Algorithm::Ecdsa {
            curve: EcdsaCurve::NistP521,
        },
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha512),
        },
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha256),
        },
    ];
    let on_record = |algorithm: &Algorithm| match algorithm {
        Algorithm::Rsa { .. } => known.iter().any(|known| matches!(known, Algorithm::Rsa { .. })),
        other => known.contains(other),
    };
    let (first, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(on_record);
    first.into_iter().chain(rest).collect()
}

fn config(known: &KnownHosts, name: &HostName) -> client::Config {
    let keys = algorithms(&known.algorithms(name));
    let mut config = client::Config {
        client_id: russh::SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-mosip-prov_", env!("CARGO_PKG_VERSION")))),
        window_size: WINDOW,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES,
        // Off by default, which costs 40 ms an exchange.
        nodelay: true,
        ..client::Config::default()
    };
    if known.has_authority(name) {
        config.preferred.host_key_certificates = Cow::Owned(keys.clone());
    }
    config.preferred.key = Cow::Owned(keys);
    config.preferred.compression = Cow::Owned(vec![russh::compression::NONE]);
    config
}

/// Speaks SSH over a stream up to the point where one can log in.
pub(super) async fn handshake<S>(stream: S, login: &Login<'_>) -> Result<(Handle<Verifier>, Goodbye), ErrorKind>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let files = login.files();
    let name = login.name();
    let known = match login.host_keys {
        HostKeyPolicy::Off => KnownHosts::default(),
        _ => KnownHosts::load_about(&files, &name)?,
    };
    for (file, line) in known.skipped() {
        tracing::debug!(file = %file.display(), line, "a line of known_hosts was skipped");
    }
    let config = Arc::new(config(&known, &name));
    let goodbye = Goodbye::default();
    let verifier = Verifier {
        goodbye: goodbye.clone(),
        policy: login.host_keys,
        name,
        known,
        write_to: files.into_iter().next().unwrap_or_default(),
        accepted: None,
    };
    let handle = client::connect_stream(config, stream, verifier).await;
    handle.map(|handle| (handle, goodbye)).map_err(|error| match error {
        VerifyError::HostKey(error) => error.into(),
        VerifyError::Ssh(error) => explain(login, error),
    })
}

fn explain(login: &Login<'_>, error: russh::Error) -> ErrorKind {
    use russh::Error as E;
    match error {
        E::IO(error) => unreachable(login, error.into()),
        E::Disconnect | E::HUP | E::RecvError | E::SendError => unreachable(login, ConnectError::DroppedEarly),
        E::ConnectionTimeout | E::KeepaliveTimeout | E::InactivityTimeout | E::Elapsed(_) => {
            unreachable(login, ConnectError::Timeout(login.limit))
        }
        E::Version => ErrorKind::Protocol(format!("{} does not speak SSH", login.label())),
        other => ErrorKind::Protocol(format!("{}: {other}", login.label())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_on_record_are_asked_for_first_and_none_is_lost() {
        let rsa = Algorithm::Rsa { hash: None };
        let order = algorithms(&[rsa]);
        assert!(matches!(
            order[0],
            Algorithm::Rsa {
                hash: Some(HashAlg::Sha512)
            }
        ));
        assert!(matches!(
            order[1],
            Algorithm::Rsa {
                hash: Some(HashAlg::Sha256)
            }
        ));
        assert_eq!((order.len(), algorithms(&[]).len()), (6, 6));
        assert_eq!(algorithms(&[])[0], Algorithm::Ed25519);
    }
}
