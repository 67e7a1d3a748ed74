//! Ansible Vault, formats 1.1 and 1.2 with the AES256 cipher: PBKDF2-HMAC-SHA256 of 10 000 rounds gives two keys and
//! a counter, HMAC-SHA256 guards the ciphertext, AES-256-CTR encrypts, PKCS#7 pads. Source of the format: the page
//! "Ansible Vault" of Ansible's own documentation.

use aes::Aes256;
use aes::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const HEADER: &str = "$ANSIBLE_VAULT";
const ROUNDS: u32 = 10_000;
const KEY: usize = 32;
const BLOCK: usize = 16;

type Keys = Zeroizing<[u8; KEY * 2 + BLOCK]>;

/// What stands between a vault and its content. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// No password was given at all.
    #[error("the vault needs a password and none was given")]
    NoSecret,
    /// None of the passwords fits.
    #[error("none of the vault passwords given fits{}", label_note(.label.as_deref()))]
    WrongPassword {
        /// The vault id that the vault names.
        label: Option<String>,
    },
    /// The text is damaged or of another format.
    #[error("the vault text is damaged: {0}")]
    Format(String),
    /// The content is not UTF-8 text.
    #[error("the vault's content is not UTF-8 text")]
    NotText,
    /// A password file could not be used.
    #[error("vault password file {}: {reason}", path.display())]
    PasswordFile {
        /// The file as it was named.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

fn label_note(label: Option<&str>) -> String {
    label.map_or_else(String::new, |label| format!(" (its vault id is `{label}`)"))
}

impl VaultError {
    /// What an operator can do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoSecret => "give --vault-password-file FILE or --ask-vault-pass",
            Self::WrongPassword { .. } => "check the password given with --vault-password-file or --ask-vault-pass",
            Self::Format(_) => "encrypt it again with `ansible-vault`; a vault begins with $ANSIBLE_VAULT;1.1;AES256",
            Self::NotText => "only text can be used as variables",
            Self::PasswordFile { .. } => "the file holds the password, or is executable and prints it",
        }
    }
}

/// Passwords by vault id. Nothing of them is ever printed.
#[derive(Clone, Default)]
pub struct VaultSecrets {
    secrets: Vec<(String, SecretString)>,
}

impl fmt::Debug for VaultSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<&str> = self.secrets.iter().map(|(label, _)| label.as_str()).collect();
        f.debug_struct("VaultSecrets")
            .field("labels", &labels)
            .finish_non_exhaustive()
    }
}

impl VaultSecrets {
    /// None: vaults cannot be opened.
    pub fn none() -> Self {
        Self::default()
    }

    /// The password in `path`, or what `path` prints when it is executable, under the label `default`.
    ///
    /// # Errors
    /// A file that is missing, unreadable or empty, or a program that fails.
    pub fn from_file(path: &Path) -> Result<Self, VaultError> {
        let mut secrets = Self::default();
        secrets.add_file("default", path)?;
        Ok(secrets)
    }

    /// Adds the password of a file or program, as [`VaultSecrets::from_file`], under `label`.
    ///
    /// # Errors
    /// As [`VaultSecrets::from_file`].
    pub fn add_file(&mut self, label: &str, path: &Path) -> Result<(), VaultError> {
        let problem = |reason: String| VaultError::PasswordFile {
            path: path.to_path_buf(),
            reason,
        };
        let bytes = if is_executable(path) {
            // A bare name would be looked up on PATH instead of here.
            let program = std::path::absolute(path).map_err(|e| problem(e.to_string()))?;
            let output = std::process::Command::new(program)
                .stdin(std::process::Stdio::null())
                .stderr(std::process::Stdio::inherit())
                .output()
                .map_err(|e| problem(format!("it is executable but does not run: {e}")))?;
            if !output.status.success() {
                return Err(problem(format!("the program ended with {}", output.status)));
            }
            Zeroizing::new(output.stdout)
        } else {
            Zeroizing::new(std::fs::read(path).map_err(|e| problem(e.to_string()))?)
        };
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| problem("the password is not UTF-8".into()))?
            .trim();
        if text.is_empty() {
            return Err(problem("it is empty".into()));
        }
        self.add(label, SecretString::from(text.to_owned()));
        Ok(())
    }

    /// Adds a password.
    pub fn add(&mut self, label: impl Into<String>, secret: SecretString) {
        self.secrets.push((label.into(), secret));
    }

    /// True when there is no password.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The content of a vault. The password whose label the vault names is tried first, then the others in order.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn decrypt(&self, vault: &str) -> Result<Zeroizing<String>, VaultError> {
        let envelope = Envelope::parse(vault)?;
        if self.is_empty() {
            return Err(VaultError::NoSecret);
        }
        let is_named = |label: &str| Some(label) == envelope.label.as_deref();
        let named = self.secrets.iter().filter(|(label, _)| is_named(label));
        let others = self.secrets.iter().filter(|(label, _)| !is_named(label));
        for (_, secret) in named.chain(others) {
            if let Some(plain) = envelope.open(secret)? {
                let text = std::str::from_utf8(&plain).map_err(|_| VaultError::NotText)?;
                return Ok(Zeroizing::new(text.to_owned()));
            }
        }
        Err(VaultError::WrongPassword { label: envelope.label })
    }
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(_path: &Path) -> bool {
    false
}

/// True when `text` is a vault.
pub fn is_vault(text: &str) -> bool {
    text.starts_with(HEADER)
}

/// Encrypts `text` with `secret`. `salt` must be 32 bytes from the system's random source. A `label` other than
/// `default` makes a vault of format 1.2 that names it.
pub fn encrypt(text: &str, secret: &SecretString, salt: &[u8; 32], label: Option<&str>) -> String {
    let mut data = Zeroizing::new(text.as_bytes().to_vec());
    let padding = BLOCK - data.len() % BLOCK;
    data.extend(std::iter::repeat_n(u8::try_from(padding).unwrap_or(0), padding));
    seal(data, secret, salt, label)
}

/// A vault of exactly these bytes, the padding included.
pub(crate) fn seal(
    mut data: Zeroizing<Vec<u8>>,
    secret: &SecretString,
    salt: &[u8; 32],
    label: Option<&str>,
) -> String {
    let keys = derive(secret, salt);
    apply_cipher(&keys, &mut data);
    let tag = authenticate(&keys, &data).finalize().into_bytes();
    let inner = format!("{}\n{}\n{}", to_hex(salt), to_hex(&tag), to_hex(&data));
    let body = to_hex(inner.as_bytes());
    let mut vault = match label.filter(|label| *label != "default") {
        Some(label) => format!("{HEADER};1.2;AES256;{label}\n"),
        None => format!("{HEADER};1.1;AES256\n"),
    };
    for (at, c) in body.chars().enumerate() {
        if at > 0 && at % 80 == 0 {
            vault.push('\n');
        }
        vault.push(c);
    }
    vault.push('\n');
    vault
}

struct Envelope {
    label: Option<String>,
    salt: Vec<u8>,
    tag: Vec<u8>,
    data: Vec<u8>,
}

impl Envelope {
    fn parse(vault: &str) -> Result<Self, VaultError> {
        let format = |what: &str| VaultError::Format(what.to_owned());
        let mut lines = vault.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(';').map(str::trim).collect();
        let (version, cipher, label) = match header[..] {
            [HEADER, version, cipher] => (version, cipher, None),
            [HEADER, version, cipher, label, ..] => (version, cipher, Some(label.to_owned())),
            _ => return Err(format("its first line is not a vault header")),
        };
        if !matches!(version, "1.1" | "1.2") {
            return Err(format(&format!(
                "format version {version} is not supported, only 1.1 and 1.2 are"
            )));
        }
        if cipher != "AES256" {
            return Err(format(&format!("cipher {cipher} is not supported, only AES256 is")));
        }
        let body: String = lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect();
        let body = from_hex(body.as_bytes()).ok_or_else(|| format("its body is not hexadecimal"))?;
        let mut parts = body.splitn(3, |b| *b == b'\n').map(from_hex);
        match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten()) {
            (Some(salt), Some(tag), Some(data)) => Ok(Self { label, salt, tag, data }),
            _ => Err(format("it is cut off or changed")),
        }
    }

    /// The content, or `None` when `secret` does not fit.
    fn open(&self, secret: &SecretString) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let keys = derive(secret, &self.salt);
        if authenticate(&keys, &self.data).verify_slice(&self.tag).is_err() {
            return Ok(None);
        }
        let mut data = Zeroizing::new(self.data.clone());
        apply_cipher(&keys, &mut data);
        let padding = usize::from(data.last().copied().unwrap_or(0));
        if padding == 0 || padding > BLOCK || padding > data.len() {
            return Err(VaultError::Format("its padding is wrong".into()));
        }
        let length = data.len() - padding;
        data.truncate(length);
        Ok(Some(data))
    }
}

fn derive(secret: &SecretString, salt: &[u8]) -> Keys {
    let mut keys = Zeroizing::new([0; KEY * 2 + BLOCK]);
    pbkdf2::pbkdf2_hmac::<Sha256>(secret.expose_secret().as_bytes(), salt, ROUNDS, &mut keys[..]);
    keys
}

fn apply_cipher(keys: &Keys, data: &mut [u8]) {
    let (mut key, mut counter) = (Zeroizing::new([0; KEY]), [0; BLOCK]);
    key.copy_from_slice(&keys[..KEY]);
    counter.copy_from_slice(&keys[KEY * 2..]);
    ctr::Ctr128BE::<Aes256>::new(&(*key).into(), &counter.into()).apply_keystream(data);
}

fn authenticate(keys: &Keys, data: &[u8]) -> Hmac<Sha256> {
    let mut key = Zeroizing::new([0; KEY]);
    key.copy_from_slice(&keys[KEY..KEY * 2]);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key[..]).expect("HMAC takes keys of any length");
    mac.update(data);
    mac
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    rest.is_empty().then_some(())?;
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}
