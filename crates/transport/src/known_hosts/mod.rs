//! Host keys on record: our own reading of known_hosts files, by the rules of sshd(8).
//!
//! Lines that cannot be read are skipped and do not spoil the rest. A key marked `@revoked` is refused even when another line
//! accepts it. Certificates count only under a matching `@cert-authority` line.

mod pattern;
mod record;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey};

use crate::error::HostKeyError;
use pattern::HostField;
pub(crate) use pattern::wildcard;

pub use record::record;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    CertAuthority,
    Revoked,
}

#[derive(Debug, Clone)]
struct Entry {
    marker: Option<Marker>,
    hosts: HostField,
    key: PublicKey,
    file: PathBuf,
    line: usize,
}

/// The name that host keys are recorded under: in lower case, `[name]:port` for ports other than 22.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    host: String,
    full: String,
}

impl HostName {
    /// For an address and port as connected to.
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let full = if port == 22 {
            host.clone()
        } else {
            format!("[{host}]:{port}")
        };
        Self { host, full }
    }

    /// For a name that replaces address and port (`HostKeyAlias`).
    pub fn alias(name: &str) -> Self {
        let host = name.to_ascii_lowercase();
        Self {
            full: host.clone(),
            host,
        }
    }

    /// As it stands in a file.
    pub fn as_str(&self) -> &str {
        &self.full
    }
}

/// What the record says about a key.
#[derive(Debug)]
pub enum Verdict {
    /// It is the host's key.
    Known,
    /// Nothing is on record for the host.
    Unknown,
    /// It must not be accepted.
    Refused(HostKeyError),
}

/// The lines of one or more known_hosts files.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
    skipped: Vec<(PathBuf, usize)>,
}

/// SHA256 fingerprint as OpenSSH shows it.
pub fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

impl KnownHosts {
    /// Reads of the files that exist what is about one host: of the record of a thousand hosts, each of them keeps its own
    /// line in memory.
    ///
    /// # Errors
    /// [`HostKeyError::File`] when one exists but cannot be read.
    pub fn load_about(files: &[PathBuf], name: &HostName) -> Result<Self, HostKeyError> {
        let mut known = Self::default();
        for file in files {
            match std::fs::read(file) {
                Ok(bytes) => known.add_lines(file, &String::from_utf8_lossy(&bytes), Some(name)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(HostKeyError::File {
                        file: file.clone(),
                        source,
                    });
                }
            }
        }
        Ok(known)
    }

    /// Adds the lines of one file.
    pub fn add(&mut self, file: &Path, text: &str) {
        self.add_lines(file, text, None);
    }

    /// Adds those lines of one file that are about `name`, or all. Of the others only the names are read.
    fn add_lines(&mut self, file: &Path, text: &str, name: Option<&HostName>) {
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim_matches(|c: char| c.is_ascii_whitespace());
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            match parse_line(trimmed, name) {
                Some(None) => {}
                Some(Some((marker, hosts, key))) => self.entries.push(Entry {
                    marker,
                    hosts,
                    key,
                    file: file.to_path_buf(),
                    line: index + 1,
                }),
                None => self.skipped.push((file.to_path_buf(), index + 1)),
            }
        }
    }

    /// Lines that could not be read: file and line from 1.
    pub fn skipped(&self) -> &[(PathBuf, usize)] {
        &self.skipped
    }

    /// Line numbers (from 1) that are about a name, in order, as `ssh-keygen -F` finds them.
    pub fn lines_for(&self, name: &HostName) -> Vec<usize> {
        self.matching(&name.full).map(|entry| entry.line).collect()
    }

    fn matching<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.hosts.matches(name))
    }

    fn plain<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.matching(name).filter(|entry| entry.marker.is_none())
    }

    /// Key algorithms on record for a host. The server is asked for one of these first, so that a known host is not met with a key
    /// of a kind never seen.
    pub fn algorithms(&self, name: &HostName) -> Vec<Algorithm> {
        let mut found: Vec<Algorithm> = self.plain(&name.full).map(|entry| entry.key.algorithm()).collect();
        if found.is_empty() {
            found = self.plain(&name.host).map(|entry| entry.key.algorithm()).collect();
        }
        found.dedup();
        found
    }

    /// Whether some authority may vouch for a host: only then are certificates asked for.
    pub fn has_authority(&self, name: &HostName) -> bool {
        self.matching(&name.full)
            .any(|entry| entry.marker == Some(Marker::CertAuthority))
    }

    fn revoked(&self, name: &HostName, key: &KeyData) -> Option<HostKeyError> {
        self.entries
            .iter()
            .filter(|entry| entry.marker == Some(Marker::Revoked) && entry.key.key_data() == key)
            .find(|entry| entry.hosts.matches(&name.full) || entry.hosts.matches(&name.host))
            .map(|entry| HostKeyError::Revoked {
                address: name.full.clone(),
                file: entry.file.clone(),
                line: entry.line,
                got: fingerprint(key),
            })
    }

    /// What is known of a plain key.
    pub fn check(&self, name: &HostName, key: &PublicKey) -> Verdict {
        if let Some(error) = self.revoked(name, key.key_data()) {
            return Verdict::Refused(error);
        }
        let known = |name: &str| self.plain(name).any(|entry| entry.key.key_data() == key.key_data());
        if known(&name.full) {
            return Verdict::Known;
        }
        // Another key of the same kind, or else of any kind: the server was asked for the kinds on record first, so one that shows
        // another has lost its key, or is someone else.
        let same_kind = self
            .plain(&name.full)
            .find(|entry| entry.key.algorithm() == key.algorithm());
        if let Some(entry) = same_kind.or_else(|| self.plain(&name.full).next()) {
            return Verdict::Refused(HostKeyError::Changed {
                address: name.full.as_str().into(),
                algorithm: key.algorithm().to_string().into(),
                file: entry.file.as_path().into(),
                line: entry.line,
                expected: format!("{} {}", entry.key.algorithm(), fingerprint(entry.key.key_data())).into(),
                got: fingerprint(key.key_data()).into(),
            });
        }
        // As OpenSSH does: a key recorded without the port counts for any port.
        if name.full != name.host && known(&name.host) {
            return Verdict::Known;
        }
        Verdict::Unknown
    }

    /// What is known of a host certificate, at the present time.
    pub fn check_certificate(&self, name: &HostName, certificate: &Certificate) -> Verdict {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.check_certificate_at(name, certificate, now)
    }

    fn check_certificate_at(&self, name: &HostName, certificate: &Certificate, now: u64) -> Verdict {
        for key in [certificate.public_key(), certificate.signature_key()] {
            if let Some(error) = self.revoked(name, key) {
                return Verdict::Refused(error);
            }
        }
        let trusted = self.matching(&name.full).any(|entry| {
            entry.marker == Some(Marker::CertAuthority) && entry.key.key_data() == certificate.signature_key()
        });
        if !trusted {
            // Signed by someone we do not know: it counts as the plain key it holds.
            return self.check(name, &PublicKey::new(certificate.public_key().clone(), ""));
        }
        let reason = if certificate.cert_type() != CertType::Host {
            Some("it is a user certificate".to_string())
        } else if now < certificate.valid_after() {
            Some("it is not valid yet".into())
        } else if now >= certificate.valid_before() {
            Some("it has expired".into())
        } else if !certificate.critical_options().is_empty() {
            Some("it has critical options that are not known".into())
        } else if !names_host(certificate.valid_principals(), &name.host) {
            Some(format!("it is for {}", certificate.valid_principals().join(", ")))
        } else if matches!(certificate.signature_key().algorithm(), Algorithm::Dsa) {
            Some("its authority has a DSA key".into())
        } else {
            let authority = certificate.signature_key().fingerprint(HashAlg::Sha256);
            certificate
                .validate_at(now, [&authority])
                .err()
                .map(|error| format!("its signature does not hold ({error})"))
        };
        match reason {
            None => Verdict::Known,
            Some(reason) => Verdict::Refused(HostKeyError::Certificate {
                address: name.full.clone(),
                reason,
            }),
        }
    }
}

/// Principals of host certificates may hold wildcards; none at all means any host.
fn names_host(principals: &[String], host: &str) -> bool {
    principals.is_empty()
        || principals
            .iter()
            .any(|principal| wildcard(principal.to_ascii_lowercase().as_bytes(), host.as_bytes()))
}

type Parsed = (Option<Marker>, HostField, PublicKey);

/// What a line says; nothing inside where it is about other hosts than the one that is asked for.
fn parse_line(line: &str, name: Option<&HostName>) -> Option<Option<Parsed>> {
    let mut words = line.split_ascii_whitespace();
    let mut first = words.next()?;
    let marker = match first {
        "@cert-authority" => Some(Marker::CertAuthority),
        "@revoked" => Some(Marker::Revoked),
        _ if first.starts_with('@') => return None,
        _ => None,
    };
    if marker.is_some() {
        first = words.next()?;
    }
    let hosts = HostField::parse(first)?;
    if name.is_some_and(|name| !hosts.matches(&name.full) && !hosts.matches(&name.host)) {
        return Some(None);
    }
    let (algorithm, blob) = (words.next()?, words.next()?);
    let key = PublicKey::from_openssh(&format!("{algorithm} {blob}")).ok()?;
    Some(Some((marker, hosts, key)))
}

#[cfg(test)]
mod tests;
