//! The certificates that a server showed, as a client judges them.

use super::AREA;
use super::client::provider;
use crate::certificates::WARN_DAYS;
use crate::chain::short;
use crate::server_names;
use mosip_prov_events::Finding;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate};

/// Authorities whose certificates are believed.
#[derive(Debug, Clone)]
pub struct Roots {
    store: Arc<RootCertStore>,
    /// Whether an operator named authorities of their own.
    own: bool,
}

impl Roots {
    /// Those that browsers believe.
    pub fn public() -> Self {
        let mut store = RootCertStore::empty();
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Self {
            store: Arc::new(store),
            own: false,
        }
    }

    /// Those, and the ones in `pem`.
    ///
    /// # Errors
    /// What is wrong with `pem`, to stand after the name of the file.
    pub fn with(pem: &[u8]) -> Result<Self, String> {
        let mut store = (*Self::public().store).clone();
        let mut some = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| "is no PEM, or damaged")?;
            store
                .add(certificate)
                .map_err(|_| "holds a certificate that cannot be read")?;
            some = true;
        }
        match some {
            true => Ok(Self {
                store: Arc::new(store),
                own: true,
            }),
            false => Err("holds no certificate in PEM form".into()),
        }
    }
}

fn day(time: ASN1Time) -> String {
    let date = time.to_datetime();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// What a client thinks of `shown` from the server called `name`, `now` in seconds since 1970: one finding for each thing
/// that is wrong, or one that all is well.
pub(super) fn judge(shown: &[CertificateDer<'_>], name: &str, roots: &Roots, now: u64) -> Vec<Finding> {
    const INSTALL: &str = "install the right pair and deploy the front again: mosip-prov certificates install DIR";
    let mut found = Vec::new();
    let subject = format!("https://{name}");
    let failure =
        |check: &str, message: String, remedy: &str| Finding::failure(AREA, check, subject.as_str(), message, remedy);
    let leaf = shown.first().and_then(|der| X509Certificate::from_der(der).ok());
    let Some((_, leaf)) = leaf else {
        return vec![failure(
            "certificate_unreadable",
            "its certificate cannot be read".into(),
            INSTALL,
        )];
    };
    let issuer = short(leaf.issuer());
    let validity = leaf.validity();
    let signed_now = i64::try_from(now).unwrap_or(i64::MAX);
    let left = validity.not_after.timestamp() - signed_now;
    if left < 0 {
        let message = format!("its certificate expired on {}", day(validity.not_after));
        found.push(failure(
            "certificate_expired",
            message,
            "renew it: mosip-prov certificates renew; then deploy the front again",
        ));
    } else if signed_now < validity.not_before.timestamp() {
        let message = format!("its certificate is not valid before {}", day(validity.not_before));
        found.push(failure(
            "certificate_not_yet",
            message,
            "wait, or see that the clock of this machine is right",
        ));
    } else if left < i64::from(WARN_DAYS) * 86_400 {
        let message = format!("its certificate expires on {}", day(validity.not_after));
        let remedy = "renew it in time: mosip-prov certificates renew";
        found.push(Finding::warning(
            AREA,
            "certificate_expires",
            subject.as_str(),
            message,
            remedy,
        ));
    }
    let names = names_of(&leaf);
    if !names.iter().any(|pattern| server_names::covers(pattern, name)) {
        let listed = if names.is_empty() {
            "no name at all".to_owned()
        } else {
            names.join(", ")
        };
        found.push(failure(
            "certificate_name",
            format!("its certificate is for {listed}"),
            INSTALL,
        ));
    }
    found.extend(chain(shown, &leaf, name, roots, now).map(|found| match found {
        Chain::SelfSigned => failure_or_private(
            roots,
            &subject,
            "certificate_self_signed",
            "its certificate is self-signed".into(),
        ),
        Chain::Unknown(top) => failure_or_private(
            roots,
            &subject,
            "certificate_private",
            format!("its certificate comes from \"{top}\", which is no authority that browsers know"),
        ),
        Chain::Incomplete(top) => failure(
            "certificate_incomplete",
            format!("it shows its own certificate alone, without that of \"{top}\": some clients will refuse it"),
            "use fullchain.pem, not cert.pem: mosip-prov certificates install DIR, and deploy the front again",
        ),
        Chain::Wrong(why) => failure(
            "certificate_chain",
            format!("a client refuses its certificates: {why}"),
            INSTALL,
        ),
    }));
    if found.is_empty() {
        let message = format!("certificate of \"{issuer}\", valid until {}", day(validity.not_after));
        found.push(Finding::ok(AREA, "certificate", subject, message));
    }
    found
}

/// A private authority is a matter of choice, unless the operator said which ones are right.
fn failure_or_private(roots: &Roots, subject: &str, check: &str, message: String) -> Finding {
    if roots.own {
        let remedy = "it is not of the authorities of --ca-file either: see which certificate the front has";
        return Finding::failure(AREA, check, subject, message, remedy);
    }
    let remedy = "every client must be told to trust it; give its authority with --ca-file to have the chain checked";
    Finding::warning(AREA, check, subject, message, remedy)
}

enum Chain {
    SelfSigned,
    Unknown(String),
    Incomplete(String),
    Wrong(String),
}

/// Names in issuers of authorities that browsers know, and that sign with certificates a server must send along.
const KNOWN: [&str; 14] = [
    "Let's Encrypt",
    "ZeroSSL",
    "DigiCert",
    "GlobalSign",
    "Sectigo",
    "GoDaddy",
    "Google Trust Services",
    "Amazon",
    "Entrust",
    "Actalis",
    "Certum",
    "Buypass",
    "SSL Corp",
    "IdenTrust",
];

fn chain(
    shown: &[CertificateDer<'_>],
    leaf: &X509Certificate<'_>,
    name: &str,
    roots: &Roots,
    now: u64,
) -> Option<Chain> {
    let (first, rest) = shown.split_first()?;
    let server = ServerName::try_from(name.to_owned()).ok()?;
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.store.clone(), provider())
        .build()
        .ok()?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let error = match verifier.verify_server_cert(first, rest, &server, &[], now) {
        Ok(_) => return None,
        Err(error) => error,
    };
    let rustls::Error::InvalidCertificate(why) = error else {
        return Some(Chain::Wrong(error.to_string()));
    };
    // Names and dates of the server's own certificate are judged without it.
    let of_dates = matches!(
        why,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
            | CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. }
    );
    if of_dates {
        return None;
    }
    // A certificate that signed itself may not be a server's either; clients say so in several ways.
    if leaf.issuer().as_raw() == leaf.subject().as_raw() {
        return Some(Chain::SelfSigned);
    }
    if why != CertificateError::UnknownIssuer {
        return Some(Chain::Wrong(format!("{why:?}")));
    }
    let last = shown.last().and_then(|der| X509Certificate::from_der(der).ok());
    let top = last.map_or_else(|| short(leaf.issuer()), |(_, last)| short(last.issuer()));
    let issuer = leaf.issuer().to_string();
    match rest.is_empty() && KNOWN.iter().any(|known| issuer.contains(known)) {
        true => Some(Chain::Incomplete(top)),
        false => Some(Chain::Unknown(top)),
    }
}

fn names_of<'c>(leaf: &'c X509Certificate<'_>) -> Vec<&'c str> {
    let Ok(Some(names)) = leaf.subject_alternative_name() else {
        return Vec::new();
    };
    let all = names.value.general_names.iter();
    all.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    })
    .collect()
}
