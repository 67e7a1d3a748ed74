//! The certificates of a file as a chain: their order, whether one is missing, who vouches for the last, and whether
//! clients of today still accept how they were made.

use crate::certificates::Issue;
use mosip_prov_inventory::diagnostic::{Diagnostic, Location};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Name;

/// Keys of RSA shorter than this are refused by OpenSSL's default level and by browsers.
const RSA_BITS: usize = 2048;

/// Signature algorithms that rest on MD5 or SHA-1, and what to call them (RFC 3279, section 2.2).
const WEAK_SIGNATURES: [(&str, &str); 4] = [
    ("1.2.840.113549.1.1.4", "MD5"),
    ("1.2.840.113549.1.1.5", "SHA-1"),
    ("1.2.840.10045.4.1", "SHA-1"),
    ("1.2.840.10040.4.3", "SHA-1"),
];

/// A name as an operator knows it: the common name, else the whole.
pub(crate) fn short(name: &X509Name<'_>) -> String {
    name.iter_common_name()
        .next()
        .and_then(|cn| cn.as_str().ok())
        .map_or_else(|| name.to_string(), str::to_owned)
}

fn is_self_signed(certificate: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == certificate.subject().as_raw()
}

fn issued_by(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == issuer.subject().as_raw()
        && !matches!(
            certificate.verify_signature(Some(issuer.public_key())),
            Err(X509Error::SignatureVerificationError)
        )
}

/// The positions of `chain` in the order in which a server must send them: the one that issued none of the others, its
/// issuer, and so on, as far as it goes.
fn right_order(chain: &[X509Certificate<'_>]) -> Vec<usize> {
    let issued_none = |at: usize| {
        !chain
            .iter()
            .enumerate()
            .any(|(other, c)| other != at && issued_by(c, &chain[at]))
    };
    let leaf = (0..chain.len())
        .find(|at| issued_none(*at) && !chain[*at].is_ca())
        .or_else(|| (0..chain.len()).find(|at| issued_none(*at)))
        .unwrap_or(0);
    let mut order = vec![leaf];
    let mut last = leaf;
    while let Some(next) = (0..chain.len()).find(|at| !order.contains(at) && issued_by(&chain[last], &chain[*at])) {
        order.push(next);
        last = next;
    }
    order
}

/// Which certificate of `chain` is the server's: the first, unless all are there and only their order is wrong.
pub(crate) fn leaf(chain: &[X509Certificate<'_>]) -> usize {
    let order = right_order(chain);
    match order.len() == chain.len() {
        true => order.first().copied().unwrap_or(0),
        false => 0,
    }
}

/// What is wrong with the order and completeness of `chain`, read from `path`; it holds at least one.
pub(crate) fn check(path: &Path, chain: &[X509Certificate<'_>]) -> Option<Issue> {
    let shown = path.display();
    let (first, last) = (chain.first()?, chain.last()?);
    let in_order = chain.windows(2).position(|pair| !issued_by(&pair[0], &pair[1]));
    if let Some(at) = in_order {
        return Some(out_of_order(path, chain, at));
    }
    if chain.len() == 1 && is_self_signed(first) {
        return Some(Issue::new(
            "self_signed",
            Diagnostic::warning(format!(
                "the certificate in {shown} is self-signed: every client must be told to trust it"
            ))
            .at(Location::file(path))
            .help("fine for a trial; otherwise have one issued for the domain"),
        ));
    }
    if chain.len() == 1 && !last.is_ca() {
        return Some(Issue::new(
            "incomplete",
            Diagnostic::warning(format!(
                "{shown} holds the server's certificate alone, without that of its issuer \"{}\": clients that do not know \
                 the issuer will refuse it",
                short(first.issuer())
            ))
            .at(Location::file(path))
            .help("append the intermediate certificates: use fullchain.pem rather than cert.pem"),
        ));
    }
    None
}

/// The finding about `chain`, whose certificate at `at` was not issued by the next one.
fn out_of_order(path: &Path, chain: &[X509Certificate<'_>], at: usize) -> Issue {
    let shown = path.display();
    let order = right_order(chain);
    let names = |positions: &[usize]| {
        positions
            .iter()
            .map(|at| format!("\"{}\"", short(chain[*at].subject())))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if order.len() == chain.len() {
        let error = Diagnostic::error(format!("the certificates in {shown} are out of order"))
            .help(format!("write them in this order: {}", names(&order)));
        return Issue::new("order", error.at(Location::file(path)));
    }
    let (this, next) = (&chain[at], &chain[at + 1]);
    let issuer = short(this.issuer());
    let name = short(next.subject());
    let what = if issuer == name {
        format!(
            "certificate {} was not signed with the key of certificate {}, though the names agree",
            at + 1,
            at + 2
        )
    } else {
        format!(
            "certificate {} (\"{}\") was issued by \"{issuer}\", and the next one is \"{name}\"",
            at + 1,
            short(this.subject()),
        )
    };
    let error = Diagnostic::error(format!("the chain in {shown} is broken: {what}")).help(
        "the file must hold the server's certificate, then the one that issued it, and so on; use the fullchain.pem \
         that the authority supplies",
    );
    Issue::new("chain", error.at(Location::file(path)))
}

/// Keys and signatures in `chain` that nginx or its clients refuse: RSA keys shorter than 2048 bits, MD5 and SHA-1. How an
/// authority signed itself does not matter.
pub(crate) fn check_strength(path: &Path, chain: &[X509Certificate<'_>]) -> Vec<Issue> {
    let mut found = Vec::new();
    for (number, certificate) in chain.iter().enumerate() {
        let who = format!(
            "the certificate \"{}\" ({} of {})",
            short(certificate.subject()),
            number + 1,
            path.display()
        );
        if let Some(bits) = rsa_bits(certificate).filter(|bits| *bits < RSA_BITS) {
            found.push(Issue::new(
                "weak_key",
                Diagnostic::error(format!(
                    "{who} has an RSA key of {bits} bits, which nginx and its clients refuse as too short"
                ))
                .at(Location::file(path))
                .help("have it issued anew for an ECDSA P-256 key, or one of RSA with 2048 bits"),
            ));
        }
        let oid = certificate.signature_algorithm.algorithm.to_id_string();
        let weak = WEAK_SIGNATURES.iter().find(|(known, _)| *known == oid);
        if let Some((_, digest)) = weak.filter(|_| !is_self_signed(certificate)) {
            found.push(Issue::new(
                "weak_signature",
                Diagnostic::error(format!(
                    "{who} is signed with {digest}, which nginx and its clients refuse as forgeable"
                ))
                .at(Location::file(path))
                .help("have it issued anew; authorities sign with SHA-256 today"),
            ));
        }
    }
    found
}

/// The length of an RSA key in bits; `None` for other keys.
pub(crate) fn rsa_bits(certificate: &X509Certificate<'_>) -> Option<usize> {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) => Some(rsa.key_size()),
        _ => None,
    }
}

/// Authorities that clients of this machine trust.
#[derive(Debug, Clone, Default)]
pub struct Trusted {
    authorities: Vec<CertificateDer<'static>>,
}

/// Where Debian and its family keep them; OpenSSL reads `SSL_CERT_FILE` in its place.
const SYSTEM_STORE: &str = "/etc/ssl/certs/ca-certificates.crt";

impl Trusted {
    /// Those of `$SSL_CERT_FILE`, else of the distribution's `ca-certificates`. None where there is no such file: then
    /// nothing is said about who is trusted.
    pub fn of_system() -> Self {
        let path = std::env::var_os("SSL_CERT_FILE").map_or_else(|| PathBuf::from(SYSTEM_STORE), PathBuf::from);
        Self::in_pem(&std::fs::read(path).unwrap_or_default())
    }

    /// Those of a PEM file's content; what cannot be read in it is left out.
    pub fn in_pem(text: &[u8]) -> Self {
        Self {
            authorities: CertificateDer::pem_slice_iter(text).filter_map(Result::ok).collect(),
        }
    }

    /// Their certificates.
    pub(crate) fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.authorities.is_empty()
    }

    /// Whether one of them is, or issued, a certificate of `chain`.
    fn vouch_for(&self, chain: &[X509Certificate<'_>]) -> bool {
        self.authorities.iter().any(|der| {
            let Ok((_, authority)) = X509Certificate::from_der(der) else {
                return false;
            };
            chain.iter().any(|certificate| {
                let same = certificate.subject().as_raw() == authority.subject().as_raw()
                    && certificate.public_key().raw == authority.public_key().raw;
                same || issued_by(certificate, &authority)
            })
        })
    }

    /// What clients that trust these will make of `chain`, which is in order: an issuer that must be in the file, an
    /// authority that they do not know, a root that they do not need.
    pub(crate) fn check(&self, path: &Path, chain: &[X509Certificate<'_>]) -> Option<Issue> {
        if self.authorities.is_empty() {
            return None;
        }
        let (first, last) = (chain.first()?, chain.last()?);
        let shown = path.display();
        let vouched = self.vouch_for(chain);
        let own_root = is_self_signed(last) && chain.len() > 1;
        if vouched && own_root {
            return Some(Issue::new(
                "root",
                Diagnostic::warning(format!(
                    "{shown} ends with the root \"{}\", which clients have already and which is sent to each of them for \
                     nothing",
                    short(last.subject())
                ))
                .at(Location::file(path))
                .help("take the last certificate out of the file"),
            ));
        }
        if vouched || (chain.len() == 1 && is_self_signed(first)) {
            return None;
        }
        if chain.len() == 1 {
            return Some(Issue::new(
                "incomplete",
                Diagnostic::error(format!(
                    "{shown} holds the server's certificate alone, and clients do not know its issuer \"{}\": they will \
                     refuse it",
                    short(first.issuer())
                ))
                .at(Location::file(path))
                .help("append the intermediate certificates: use fullchain.pem rather than cert.pem"),
            ));
        }
        let root = if own_root { last.subject() } else { last.issuer() };
        Some(Issue::new(
            "unknown_authority",
            Diagnostic::warning(format!(
                "the chain in {shown} leads to \"{}\", which is not among the authorities that are publicly trusted",
                short(root)
            ))
            .at(Location::file(path))
            .help(
                "fine with an authority of your own, as long as every client and Rancher's agents are told to trust it",
            ),
        ))
    }
}
