//! Certificates made for a test, good and bad.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

use crate::{set_mode, write};

/// What a pair is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it should be.
    Good,
    /// The key belongs to another certificate.
    ForeignKey,
    /// Ended years ago.
    Expired,
}

/// Writes `fullchain.pem` and `privkey.pem` for `*.domain` and `domain` into `folder`.
///
/// # Panics
/// They cannot be made or written.
pub fn write_pair(folder: &Path, domain: &str, kind: Kind) {
    let params = |name: &str, names: Vec<String>| {
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(if kind == Kind::Expired { 2021 } else { 2090 }, 1, 1);
        params
    };
    let mut authority = params("Authority of a test", Vec::new());
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let leaf = params(&format!("*.{domain}"), vec![format!("*.{domain}"), domain.to_owned()])
        .signed_by(&key, &authority)
        .expect("a certificate");
    let key = if kind == Kind::ForeignKey {
        KeyPair::generate().expect("a key")
    } else {
        key
    };
    write(&folder.join("fullchain.pem"), leaf.pem() + &authority.pem());
    write(&folder.join("privkey.pem"), key.serialize_pem());
    set_mode(&folder.join("privkey.pem"), 0o600);
}
