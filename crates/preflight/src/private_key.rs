//! Private keys of certificates: what kind a PEM file holds, and whether it belongs to a certificate. Keys are looked
//! at in memory only and never shown.

use crate::certificates::Issue;
use mosip_prov_inventory::diagnostic::{Diagnostic, Location};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use std::path::Path;

/// The key in `text`, the content of the PEM file `path`.
///
/// # Errors
/// When there is none, or one that nginx could not use.
pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, Issue> {
    let shown = path.display();
    let error = |check, message: String, help: String| {
        Issue::new(check, Diagnostic::error(message).at(Location::file(path)).help(help))
    };
    let holds = |words: &str| text.windows(words.len()).any(|w| w == words.as_bytes());
    if text.trim_ascii().is_empty() {
        return Err(error(
            "empty",
            format!("{shown} is empty, and a private key in PEM form is needed"),
            "copy privkey.pem there again".into(),
        ));
    }
    if holds("-----BEGIN ENCRYPTED PRIVATE KEY-----") || holds("Proc-Type: 4,ENCRYPTED") {
        return Err(error(
            "encrypted",
            format!("the private key {shown} is encrypted, and nginx could not start without its passphrase"),
            format!("take the passphrase off: `openssl pkey -in {shown} -out privkey.pem`, then chmod 600 privkey.pem"),
        ));
    }
    if holds("-----BEGIN OPENSSH PRIVATE KEY-----") {
        return Err(error(
            "ssh_key",
            format!("{shown} is an SSH key; the private key of the certificate is needed"),
            "copy the privkey.pem that was issued together with fullchain.pem".into(),
        ));
    }
    if !holds("PRIVATE KEY-----") {
        let found = if holds("-----BEGIN CERTIFICATE-----") {
            "a certificate"
        } else {
            "no PEM"
        };
        return Err(error(
            "not_a_key",
            format!("{shown} holds {found}, and a private key in PEM form is needed"),
            "privkey.pem begins with -----BEGIN PRIVATE KEY-----; convert a DER file with \
             `openssl pkey -inform der -in FILE -out privkey.pem`"
                .into(),
        ));
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|_| broken(path))
}

fn broken(path: &Path) -> Issue {
    let shown = path.display();
    let diagnostic = Diagnostic::error(format!(
        "the private key {shown} is damaged: its PEM block cannot be decoded"
    ));
    Issue::new(
        "damaged",
        diagnostic.at(Location::file(path)).help(format!(
            "copy it again; `openssl pkey -in {shown} -noout -check` says whether it is whole"
        )),
    )
}

/// What is wrong with `key`, read from `path`, as the key of `leaf`, the first certificate of `certificate`.
pub(crate) fn check_fit(
    path: &Path,
    key: &PrivateKeyDer<'_>,
    certificate: &Path,
    leaf: &CertificateDer<'static>,
) -> Option<Issue> {
    let shown = path.display();
    let signer = match any_supported_type(key) {
        Ok(signer) => signer,
        Err(_) if is_rare(key) => {
            return Some(Issue::new(
                "rare_key",
                Diagnostic::warning(format!(
                    "the private key {shown} is of a rare kind, so that it could not be checked whether it fits the certificate"
                ))
                .at(Location::file(path))
                .help("nginx itself checks it on the host before anything is replaced; ECDSA P-256 and RSA keys are checked here"),
            ));
        }
        Err(_) => return Some(broken(path)),
    };
    match CertifiedKey::new(vec![leaf.clone()], signer).keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Some(Issue::new(
            "key_mismatch",
            Diagnostic::error(format!(
                "the private key {shown} does not belong to the first certificate of {}",
                certificate.display()
            ))
            .at(Location::file(path))
            .related(Location::file(certificate), "the certificate")
            .help("copy fullchain.pem and privkey.pem of the same issue together"),
        )),
        _ => None,
    }
}

/// Algorithms that nginx can use and this check cannot: P-521, Ed448 and the explicit mark of RSA-PSS.
fn is_rare(key: &PrivateKeyDer<'_>) -> bool {
    const P521: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
    const ED448: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x71];
    const RSA_PSS: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
    let der = key.secret_der();
    // The algorithm stands near the start of a PKCS#8 key, and at the end of a SEC1 key.
    [P521, ED448, RSA_PSS]
        .iter()
        .any(|oid| der.windows(oid.len()).any(|w| w == *oid))
}

/// What is wrong with who may read the key file: everyone is an error, its group a warning.
pub(crate) fn check_mode(path: &Path) -> Option<Issue> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    let shown = path.display();
    let finding = match (mode & 0o007 != 0, mode & 0o070 != 0) {
        (true, _) => Diagnostic::error(format!(
            "the private key {shown} is open to everyone on this machine: its mode is {mode:04o}"
        )),
        (false, true) => Diagnostic::warning(format!(
            "the private key {shown} is open to its group: its mode is {mode:04o}"
        )),
        (false, false) => return None,
    };
    Some(Issue::new(
        "key_mode",
        finding.at(Location::file(path)).help(format!("chmod 600 {shown}")),
    ))
}
