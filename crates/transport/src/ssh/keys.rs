//! Private key files: where they are, whether they may be used, and their passphrases, asked once a run.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{self, Certificate, PrivateKey, PublicKey};
use secrecy::ExposeSecret as _;
use tokio::sync::Mutex;

use crate::error::KeyFileError;
use crate::ssh_args::expand_home;
use crate::target::Secret;

/// How a person is asked. The library itself never touches a terminal.
pub trait Prompt: Send + Sync {
    /// The passphrase of a key file; `None` when there is nobody to ask. May block.
    fn passphrase(&self, key: &Path) -> Option<Secret>;
}

/// Nobody to ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPrompt;

impl Prompt for NoPrompt {
    fn passphrase(&self, _key: &Path) -> Option<Secret> {
        None
    }
}

/// The names OpenSSH tries by itself, in its order.
const DEFAULT_NAMES: &[&str] = &["id_rsa", "id_ecdsa", "id_ed25519"];

/// The key files of this user that a login tries where none is named, in its order: those of the default names that exist.
/// One that cannot be used is passed over.
pub fn default_key_files() -> Vec<PathBuf> {
    DEFAULT_NAMES
        .iter()
        .map(|name| expand_home(&format!("~/.ssh/{name}")))
        .filter(|path| path.is_file())
        .collect()
}

/// What a key file turned out to be.
#[derive(Debug, Clone)]
pub(super) enum Loaded {
    Key(Arc<PrivateKey>),
    /// Not opened yet; the public half is known where the format shows it or `KEY.pub` is there.
    Locked {
        text: Arc<Secret>,
        public: Option<PublicKey>,
    },
}

#[derive(Debug, Clone, Copy)]
enum Failed {
    NoPassphrase,
    WrongPassphrase,
}

/// Keys read in this run.
#[derive(Default)]
pub(super) struct Keys {
    opened: Mutex<HashMap<PathBuf, Result<Arc<PrivateKey>, Failed>>>,
}

impl Keys {
    /// Reads a key file without asking anyone.
    pub async fn load(&self, path: &Path) -> Result<Loaded, KeyFileError> {
        if let Some(Ok(key)) = self.opened.lock().await.get(path) {
            return Ok(Loaded::Key(key.clone()));
        }
        let loaded = load(path)?;
        if let Loaded::Key(key) = &loaded {
            self.opened.lock().await.insert(path.to_path_buf(), Ok(key.clone()));
        }
        Ok(loaded)
    }

    /// Opens an encrypted key. The lock is held while someone is asked, so that one key is asked for once.
    pub async fn unlock(
        &self,
        path: &Path,
        text: Arc<Secret>,
        prompt: &Arc<dyn Prompt>,
    ) -> Result<Arc<PrivateKey>, KeyFileError> {
        let mut opened = self.opened.lock().await;
        let known = opened.get(path).cloned();
        let outcome = match known {
            Some(outcome) => outcome,
            None => {
                let outcome = open(path.to_path_buf(), text, prompt.clone()).await;
                opened.insert(path.to_path_buf(), outcome.clone());
                outcome
            }
        };
        outcome.map_err(|failed| match failed {
            Failed::NoPassphrase => KeyFileError::PassphraseNeeded(path.to_path_buf()),
            Failed::WrongPassphrase => KeyFileError::WrongPassphrase(path.to_path_buf()),
        })
    }
}

fn load(path: &Path) -> Result<Loaded, KeyFileError> {
    let text = read(path)?;
    match keys::decode_secret_key(&text, None) {
        Ok(key) if !key.is_encrypted() => Ok(Loaded::Key(Arc::new(key))),
        Ok(key) => Ok(Loaded::Locked {
            public: Some(key.public_key().clone()),
            text: Arc::new(text.into()),
        }),
        Err(keys::Error::KeyIsEncrypted) => Ok(locked(path, text)),
        Err(_) if text.contains("ENCRYPTED") => Ok(locked(path, text)),
        Err(error) => Err(KeyFileError::Unparsable {
            path: path.to_path_buf(),
            reason: error.to_string(),
        }),
    }
}

fn locked(path: &Path, text: String) -> Loaded {
    let public = PrivateKey::from_openssh(&text)
        .map(|key| key.public_key().clone())
        .ok()
        .or_else(|| keys::load_public_key(with_suffix(path, ".pub")).ok());
    Loaded::Locked {
        public,
        text: Arc::new(text.into()),
    }
}

/// Deriving the key from the passphrase takes a while by design, and asking takes longer: neither may hold up other hosts.
async fn open(path: PathBuf, text: Arc<Secret>, prompt: Arc<dyn Prompt>) -> Result<Arc<PrivateKey>, Failed> {
    tokio::task::spawn_blocking(move || {
        let passphrase = prompt.passphrase(&path).ok_or(Failed::NoPassphrase)?;
        keys::decode_secret_key(text.expose_secret(), Some(passphrase.expose_secret()))
            .map(Arc::new)
            .map_err(|_| Failed::WrongPassphrase)
    })
    .await
    .unwrap_or(Err(Failed::NoPassphrase))
}

fn read(path: &Path) -> Result<String, KeyFileError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing(path.to_path_buf()),
        _ => KeyFileError::Unreadable {
            path: path.to_path_buf(),
            source,
        },
    };
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(KeyFileError::Unparsable {
            path: path.to_path_buf(),
            reason: "it is not a file".into(),
        });
    }
    let me = std::fs::metadata("/proc/self").map(|meta| meta.uid()).ok();
    // As OpenSSH does: the rule is about one's own keys.
    if Some(meta.uid()) == me && meta.mode() & 0o077 != 0 {
        return Err(KeyFileError::TooOpen {
            path: path.to_path_buf(),
            mode: meta.mode() & 0o7777,
        });
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| KeyFileError::Unparsable {
        path: path.to_path_buf(),
        reason: "it is not text".into(),
    })
}

/// Checks a key file as a login would, without connecting: it exists, only its owner can read it, and it is a private key. An
/// encrypted one passes; its passphrase is asked for when it is used.
///
/// # Errors
/// What is wrong with it.
pub fn check_key_file(path: &Path) -> Result<KeyFile, KeyFileError> {
    Ok(match load(path)? {
        Loaded::Key(key) => KeyFile {
            kind: Some(key.algorithm().to_string()),
            encrypted: false,
        },
        Loaded::Locked { public, .. } => KeyFile {
            kind: public.map(|key| key.algorithm().to_string()),
            encrypted: true,
        },
    })
}

/// A private key file that a login could use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The key's algorithm, as SSH calls it: `ssh-ed25519`. `None` where only its passphrase would show it.
    pub kind: Option<String>,
    /// Whether it needs a passphrase.
    pub encrypted: bool,
}

/// The certificate beside a key, if there is a readable one.
pub(super) fn certificate_of(path: &Path) -> Option<Certificate> {
    let path = with_suffix(path, "-cert.pub");
    if !path.is_file() {
        return None;
    }
    match keys::load_openssh_certificate(&path) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "a certificate that cannot be read was left out");
            None
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
