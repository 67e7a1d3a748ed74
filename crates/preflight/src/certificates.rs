//! A certificate with its key, as an nginx front serves them: whole, fitting, in time, and good for the names served.

use crate::{chain, private_key, server_names};
use mosip_prov_inventory::diagnostic::{Diagnostic, Location};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// How long before its end a certificate is warned about, in days.
pub const WARN_DAYS: u32 = 30;

/// What to check.
#[derive(Debug, Clone)]
pub struct CertificatePair {
    /// PEM file with the server's certificate first, then the intermediate ones.
    pub certificate: PathBuf,
    /// PEM file with the private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
    /// Names the front is reached by: each must be covered.
    pub names: Vec<String>,
    /// Names it may be reached by, depending on what is installed behind it: one that is not covered is a warning.
    pub further_names: Vec<String>,
    /// The present.
    pub now: SystemTime,
    /// A certificate that ends within so many days is warned about.
    pub warn_days: u32,
}

impl CertificatePair {
    /// The pair in two files, good for `names`, as of now and warned about [`WARN_DAYS`] before its end.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>, names: Vec<String>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            names,
            further_names: Vec::new(),
            now: SystemTime::now(),
            warn_days: WARN_DAYS,
        }
    }

    /// The same, with names that should be covered as well.
    #[must_use]
    pub fn further(mut self, names: Vec<String>) -> Self {
        self.further_names = names;
        self
    }

    /// The same, as of `now`.
    #[must_use]
    pub fn as_of(mut self, now: SystemTime) -> Self {
        self.now = now;
        self
    }
}

/// Everything that is wrong with `pair`, each as its own finding: unreadable, no PEM, damaged, chain out of order or
/// broken, key encrypted or of another certificate, a name that is not covered, not yet or no longer valid. Warnings:
/// about to end, issuer missing, self-signed, [`CertificatePair::further_names`] not covered.
pub fn check_pair(pair: &CertificatePair) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let certificates = read(&pair.certificate).and_then(|text| parse(&pair.certificate, &text, &mut found));
    let key = read(&pair.key).and_then(|text| private_key::parse(&pair.key, &text));
    let ders = certificates.map_err(|problem| found.push(problem)).unwrap_or_default();
    let key = key.map_err(|problem| found.push(problem)).ok();
    if let (Some(leaf), Some(key)) = (ders.first(), &key) {
        found.extend(private_key::check_fit(&pair.key, key, &pair.certificate, leaf));
    }
    let mut chain = Vec::new();
    for (number, der) in ders.iter().enumerate() {
        match X509Certificate::from_der(der) {
            Ok((_, certificate)) => chain.push(certificate),
            Err(_) => {
                found.push(damaged(
                    &pair.certificate,
                    &format!("certificate {} is no X.509", number + 1),
                ));
                return found;
            }
        }
    }
    if let Some(leaf) = chain.first() {
        found.extend(chain::check(&pair.certificate, &chain));
        found.extend(
            chain
                .iter()
                .enumerate()
                .filter_map(|(number, c)| check_time(pair, number, c)),
        );
        found.extend(check_names(pair, leaf));
    }
    found
}

/// The finding about a file of a certificate pair that cannot be read.
pub fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(format!("{} cannot be read: {error}", path.display()))
        .at(Location::file(path))
        .help("it must be there, and readable by whoever runs this")
}

fn read(path: &Path) -> Result<Vec<u8>, Diagnostic> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

fn damaged(path: &Path, what: &str) -> Diagnostic {
    Diagnostic::error(format!("the certificate file {} is damaged: {what}", path.display()))
        .at(Location::file(path))
        .help(format!(
            "copy it again; `openssl x509 -in {} -noout -text` says whether it is whole",
            path.display()
        ))
}

fn parse(path: &Path, text: &[u8], found: &mut Vec<Diagnostic>) -> Result<Vec<CertificateDer<'static>>, Diagnostic> {
    let shown = path.display();
    let holds = |words: &str| text.windows(words.len()).any(|w| w == words.as_bytes());
    let error = |message: String, help: &str| Err(Diagnostic::error(message).at(Location::file(path)).help(help));
    if text.trim_ascii().is_empty() {
        return error(
            format!("{shown} is empty, and certificates in PEM form are needed"),
            "copy fullchain.pem there again",
        );
    }
    if holds("PRIVATE KEY-----") {
        found.push(
            Diagnostic::warning(format!(
                "{shown} holds a private key too, which would become readable by the group www-data on the host"
            ))
            .at(Location::file(path))
            .help("keep only the certificates in it; the key belongs into privkey.pem"),
        );
    }
    if !holds("-----BEGIN CERTIFICATE-----") {
        return error(
            format!("{shown} holds no certificate in PEM form"),
            "fullchain.pem begins with -----BEGIN CERTIFICATE-----; convert a DER file with \
             `openssl x509 -inform der -in FILE -out fullchain.pem`",
        );
    }
    CertificateDer::pem_slice_iter(text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| damaged(path, "a PEM block cannot be decoded"))
}

fn day(time: ASN1Time) -> String {
    let date = time.to_datetime();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

fn check_time(pair: &CertificatePair, number: usize, certificate: &X509Certificate<'_>) -> Option<Diagnostic> {
    const DAY: i64 = 86_400;
    let now = match pair.now.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(_) => 0,
    };
    let who = format!(
        "the certificate \"{}\" ({} of {})",
        chain::short(certificate.subject()),
        number + 1,
        pair.certificate.display()
    );
    let validity = certificate.validity();
    let (begin, end) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let renew = "renew it and copy the new fullchain.pem and privkey.pem";
    let finding = if now < begin {
        Diagnostic::error(format!("{who} is not valid before {}", day(validity.not_before)))
            .help("wait, or check the clock of this machine")
    } else if now > end {
        Diagnostic::error(format!("{who} expired on {}", day(validity.not_after))).help(renew)
    } else if end - now < i64::from(pair.warn_days) * DAY {
        let left = (end - now) / DAY;
        let left = match left {
            0 => "less than a day".to_owned(),
            1 => "1 day".to_owned(),
            n => format!("{n} days"),
        };
        Diagnostic::warning(format!("{who} expires in {left}, on {}", day(validity.not_after))).help(renew)
    } else {
        return None;
    };
    Some(finding.at(Location::file(&pair.certificate)))
}

fn check_names(pair: &CertificatePair, leaf: &X509Certificate<'_>) -> Vec<Diagnostic> {
    let good_for: Vec<&str> = match leaf.subject_alternative_name() {
        Ok(Some(names)) => names
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(*name),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let is_open = |name: &&String| !good_for.iter().any(|pattern| server_names::covers(pattern, name));
    let finding = |name: &String, make: fn(String) -> Diagnostic| {
        let listed = if good_for.is_empty() {
            "no name at all (the common name does not count)".to_owned()
        } else {
            good_for.join(", ")
        };
        let wanted = match server_names::wildcard_for(name) {
            Some(wildcard) => format!("{name} or {wildcard}"),
            None => name.clone(),
        };
        make(format!(
            "the certificate {} is not good for {name}: it is issued for {listed}",
            pair.certificate.display()
        ))
        .at(Location::file(&pair.certificate))
        .help(format!("have it issued with {wanted} as subject alternative name"))
    };
    let required = pair
        .names
        .iter()
        .filter(is_open)
        .map(|name| finding(name, Diagnostic::error));
    let further = pair
        .further_names
        .iter()
        .filter(is_open)
        .filter(|name| !pair.names.contains(name))
        .map(|name| finding(name, Diagnostic::warning));
    required.chain(further).collect()
}

#[cfg(test)]
mod tests;
