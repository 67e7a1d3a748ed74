//! Logging in: certificates and keys, the agent, the password, in that order.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use russh::MethodKind;
use russh::Signer;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::signature::Signer as _;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use secrecy::ExposeSecret as _;
use tokio::net::UnixStream;

use super::Shared;
use super::handshake::{Goodbye, Login, Verifier};
use super::keys::{Loaded, certificate_of, default_key_files};
use crate::error::{ConnectError, ErrorKind};
use crate::target::AgentSource;

/// OpenSSH ends the connection at the sixth failure; one try is kept for the password.
const MOST_KEYS: usize = 5;

/// One login under way.
pub(super) struct Auth<'a> {
    pub handle: &'a mut Handle<Verifier>,
    pub shared: &'a Shared,
    pub login: &'a Login<'a>,
    goodbye: Goodbye,
    tried: Vec<String>,
    keys_tried: usize,
    /// What the server still takes, once it has said.
    remaining: Option<Vec<MethodKind>>,
}

enum Step {
    In,
    Go,
    Over,
}

impl<'a> Auth<'a> {
    pub fn new(handle: &'a mut Handle<Verifier>, shared: &'a Shared, login: &'a Login<'a>, goodbye: Goodbye) -> Self {
        Self {
            handle,
            shared,
            login,
            goodbye,
            tried: Vec::new(),
            keys_tried: 0,
            remaining: None,
        }
    }

    /// Tries all there is.
    pub async fn run(mut self) -> Result<(), ErrorKind> {
        let mut agent = self.agent().await;
        let agent_keys = match &mut agent {
            Some(client) => client.request_identities().await.unwrap_or_default(),
            None => Vec::new(),
        };
        // A named key file that cannot be used is an error before anything is sent; a default one is passed over.
        let mut files = Vec::new();
        for path in self.login.keys {
            files.push((path.clone(), self.shared.keys.load(path).await?));
        }
        let named = files.len();
        if self.login.default_keys {
            for path in default_key_files() {
                if !self.login.keys.contains(&path)
                    && let Ok(loaded) = self.shared.keys.load(&path).await
                {
                    files.push((path, loaded));
                }
            }
        }
        for (path, loaded) in &files[..named] {
            if let Step::In | Step::Over = self.file(path, loaded, &agent_keys, agent.as_mut(), true).await? {
                return self.finish().await;
            }
        }
        if let (Some(client), true) = (&mut agent, self.login.default_keys) {
            for identity in &agent_keys {
                if let Step::In | Step::Over = self.agent_key(identity, client).await? {
                    return self.finish().await;
                }
            }
        }
        for (path, loaded) in &files[named..] {
            if let Step::In | Step::Over = self.file(path, loaded, &agent_keys, agent.as_mut(), false).await? {
                return self.finish().await;
            }
        }
        if let Step::In | Step::Over = self.password().await? {
            return self.finish().await;
        }
        if self.tried.is_empty() {
            // Some servers let anyone in; all say what they take.
            let user = self.login.user.to_string();
            let answer = self.handle.authenticate_none(user);
            let answer = timed(self.login, answer).await?;
            self.judge(answer);
        }
        self.finish().await
    }

    async fn finish(self) -> Result<(), ErrorKind> {
        if self.login_done() {
            return Ok(());
        }
        if self.handle.is_closed() && !self.goodbye.load(Relaxed) {
            return Err(unreachable(self.login, ConnectError::DroppedEarly));
        }
        Err(ErrorKind::Auth {
            address: self.login.label().into(),
            user: self.login.user.into(),
            tried: self.tried,
            offered: self
                .remaining
                .unwrap_or_default()
                .iter()
                .map(|method| String::from(<&'static str>::from(method)))
                .collect(),
        })
    }

    /// Success is kept as a method list that is none at all.
    fn login_done(&self) -> bool {
        self.remaining
            .as_ref()
            .is_some_and(|methods| methods == &[MethodKind::None])
    }

    fn takes(&self, method: MethodKind) -> bool {
        self.remaining.as_ref().is_none_or(|methods| methods.contains(&method))
    }

    fn judge(&mut self, result: AuthResult) -> Step {
        match result {
            AuthResult::Success => {
                self.remaining = Some(vec![MethodKind::None]);
                Step::In
            }
            AuthResult::Failure { remaining_methods, .. } => {
                let methods: Vec<MethodKind> = remaining_methods.iter().copied().collect();
                if methods.is_empty() || self.handle.is_closed() {
                    return Step::Over;
                }
                self.remaining = Some(methods);
                Step::Go
            }
        }
    }

    async fn agent(&self) -> Option<AgentClient<UnixStream>> {
        let path = match self.login.agent {
            AgentSource::None => return None,
            AgentSource::Socket(path) => path.clone(),
            AgentSource::Environment => std::env::var_os("SSH_AUTH_SOCK")?.into(),
        };
        match AgentClient::connect_uds(&path).await {
            Ok(client) => Some(client),
            Err(error) => {
                tracing::debug!(socket = %path.display(), %error, "no ssh agent");
                None
            }
        }
    }

    async fn file(
        &mut self,
        path: &Path,
        loaded: &Loaded,
        agent_keys: &[AgentIdentity],
        agent: Option<&mut AgentClient<UnixStream>>,
        named: bool,
    ) -> Result<Step, ErrorKind> {
        if !self.takes(MethodKind::PublicKey) || self.keys_tried >= MOST_KEYS {
            return Ok(Step::Go);
        }
        let key = match loaded {
            Loaded::Key(key) => key.clone(),
            Loaded::Locked { text, public } => {
                // An agent that holds the key saves asking for its passphrase.
                let held = agent_keys.iter().find(|identity| match (identity, public) {
                    (AgentIdentity::PublicKey { key, .. }, Some(public)) => key.key_data() == public.key_data(),
                    _ => false,
                });
                if let (Some(identity), Some(agent)) = (held, agent) {
                    return self.agent_key(identity, agent).await;
                }
                match self.shared.keys.unlock(path, text.clone(), &self.shared.prompt).await {
                    Ok(key) => key,
                    Err(error) if named => return Err(error.into()),
                    Err(_) => return Ok(Step::Go),
                }
            }
        };
        if let Some(certificate) = certificate_of(path) {
            self.tried.push(format!("certificate {}-cert.pub", path.display()));
            self.keys_tried += 1;
            let answer = self.certificate(&key, certificate).await?;
            match self.judge(answer) {
                Step::Go => {}
                step => return Ok(step),
            }
            if !self.takes(MethodKind::PublicKey) {
                return Ok(Step::Go);
            }
        }
        self.tried.push(format!("key {}", path.display()));
        self.keys_tried += 1;
        let hash = self.hash(&key.algorithm()).await;
        let user = self.login.user.to_string();
        let key = PrivateKeyWithHashAlg::new(key, hash);
        let answer = timed(self.login, self.handle.authenticate_publickey(user, key)).await?;
        Ok(self.judge(answer))
    }

    async fn certificate(&mut self, key: &Arc<PrivateKey>, certificate: Certificate) -> Result<AuthResult, ErrorKind> {
        let user = self.login.user.to_string();
        if !matches!(key.algorithm(), Algorithm::Rsa { .. }) {
            return timed(
                self.login,
                self.handle.authenticate_openssh_cert(user, key.clone(), certificate),
            )
            .await;
        }
        // The plain way would name a SHA-1 signature, which servers refuse.
        let mut signer = RsaSigner(key.clone());
        let asked = self
            .handle
            .authenticate_certificate_with(user, certificate, Some(HashAlg::Sha512), &mut signer);
        match tokio::time::timeout(self.login.limit, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(ErrorKind::Protocol(format!(
                "the certificate could not be used: {error:?}"
            ))),
            Err(_) => Err(slow(self.login)),
        }
    }

    async fn agent_key(
        &mut self,
        identity: &AgentIdentity,
        agent: &mut AgentClient<UnixStream>,
    ) -> Result<Step, ErrorKind> {
        if !self.takes(MethodKind::PublicKey) || self.keys_tried >= MOST_KEYS {
            return Ok(Step::Go);
        }
        self.keys_tried += 1;
        let user = self.login.user.to_string();
        let limit = self.login.limit;
        let hash = self.hash(&identity.public_key().algorithm()).await;
        let answer = match identity {
            AgentIdentity::PublicKey { key, comment } => {
                self.tried.push(format!("agent key {}", shown(key, comment)));
                let asked = self.handle.authenticate_publickey_with(user, key.clone(), hash, agent);
                tokio::time::timeout(limit, asked).await
            }
            AgentIdentity::Certificate { certificate, comment } => {
                self.tried.push(format!("agent certificate {comment}"));
                let asked = self
                    .handle
                    .authenticate_certificate_with(user, certificate.clone(), hash, agent);
                tokio::time::timeout(limit, asked).await
            }
        };
        match answer {
            Ok(Ok(answer)) => Ok(self.judge(answer)),
            // An agent that will not sign (locked, confirmation denied) does not end the login.
            Ok(Err(error)) => {
                tracing::debug!(%error, "the ssh agent did not sign");
                Ok(if self.handle.is_closed() { Step::Over } else { Step::Go })
            }
            Err(_) => Err(slow(self.login)),
        }
    }

    /// The signature hash for RSA keys: never SHA-1 where the server says that it can do better, or nothing.
    async fn hash(&self, algorithm: &Algorithm) -> Option<HashAlg> {
        if !matches!(algorithm, Algorithm::Rsa { .. }) {
            return None;
        }
        match self.handle.best_supported_rsa_hash().await {
            Ok(Some(hash)) => hash,
            _ => Some(HashAlg::Sha512),
        }
    }

    async fn password(&mut self) -> Result<Step, ErrorKind> {
        let Some(password) = self.login.password else {
            return Ok(Step::Go);
        };
        let user = self.login.user.to_string();
        if self.takes(MethodKind::Password) {
            self.tried.push("password".into());
            let asked = self
                .handle
                .authenticate_password(user.clone(), password.expose_secret());
            let answer = timed(self.login, asked).await?;
            match self.judge(answer) {
                Step::Go => {}
                step => return Ok(step),
            }
        }
        if !self.takes(MethodKind::KeyboardInteractive) {
            return Ok(Step::Go);
        }
        self.tried.push("keyboard-interactive".into());
        let asked = self
            .handle
            .authenticate_keyboard_interactive_start(user, None::<String>);
        let mut answer = timed(self.login, asked).await?;
        let mut given = false;
        loop {
            let prompts = match answer {
                KeyboardInteractiveAuthResponse::Success => return Ok(self.judge(AuthResult::Success)),
                KeyboardInteractiveAuthResponse::Failure {
                    remaining_methods,
                    partial_success,
                } => {
                    return Ok(self.judge(AuthResult::Failure {
                        remaining_methods,
                        partial_success,
                    }));
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts,
            };
            // The password answers one hidden question, once; a second factor gets an empty answer and so fails.
            let replies = prompts
                .iter()
                .map(|prompt| {
                    if prompt.echo || given {
                        String::new()
                    } else {
                        given = true;
                        password.expose_secret().to_string()
                    }
                })
                .collect();
            let asked = self.handle.authenticate_keyboard_interactive_respond(replies);
            answer = timed(self.login, asked).await?;
        }
    }
}

fn shown(key: &PublicKey, comment: &str) -> String {
    if comment.is_empty() {
        crate::known_hosts::fingerprint(key.key_data())
    } else {
        comment.to_string()
    }
}

fn slow(login: &Login<'_>) -> ErrorKind {
    unreachable(login, ConnectError::Timeout(login.limit))
}

pub(super) fn unreachable(login: &Login<'_>, cause: ConnectError) -> ErrorKind {
    ErrorKind::Unreachable {
        address: login.label(),
        cause,
        attempts: 1,
    }
}

async fn timed<T>(login: &Login<'_>, asked: impl Future<Output = Result<T, russh::Error>>) -> Result<T, ErrorKind> {
    match tokio::time::timeout(login.limit, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(ErrorKind::ConnectionLost {
            doing: "logging in".into(),
        }),
        Err(_) => Err(slow(login)),
    }
}

/// Signs as an agent would: appends a length-prefixed signature to what is to be signed.
struct RsaSigner(Arc<PrivateKey>);

impl Signer for RsaSigner {
    type Error = russh::AgentAuthError;

    async fn auth_sign(
        &mut self,
        _key: &AgentIdentity,
        _hash: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        let signature = self
            .0
            .try_sign(&data)
            .map_err(|_| russh::keys::Error::InvalidSignature)?;
        let algorithm = signature.algorithm().to_string();
        let mut blob = Vec::new();
        for part in [algorithm.as_bytes(), signature.as_bytes()] {
            blob.extend_from_slice(&(part.len() as u32).to_be_bytes());
            blob.extend_from_slice(part);
        }
        data.extend_from_slice(&(blob.len() as u32).to_be_bytes());
        data.extend_from_slice(&blob);
        Ok(data)
    }
}
