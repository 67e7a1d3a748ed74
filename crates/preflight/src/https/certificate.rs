//! The certificates that a server showed, as a client judges them.

use super::AREA;
use super::client::provider;
use crate::certificates::{Trusted, WARN_DAYS, day, names_of};
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
use x509_parser::prelude::{FromDer as _, X509Certificate};

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

    /// Those, and the ones in `trusted`: an authority that was installed on this machine is believed by its clients.
    #[must_use]
    pub fn and_trusted(self, trusted: &Trusted) -> Self {
        let mut store = Arc::unwrap_or_clone(self.store);
        // A system's store may hold old certificates that cannot be used; its other clients pass over them too.
        store.add_parsable_certificates(trusted.authorities().iter().cloned());
        Self {
            store: Arc::new(store),
            own: self.own,
        }
    }

    /// Those, and the ones in `pem`, which an operator named.
    ///
    /// # Errors
    /// What is wrong with `pem`, to stand after the name of the file.
    pub fn and_pem(self, pem: &[u8]) -> Result<Self, String> {
        let mut store = Arc::unwrap_or_clone(self.store);
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

/// What a client thinks of `shown` from the server called `name`, `now` in seconds since 1970: one finding for each thing
/// that is wrong, or one that all is well.
pub(crate) fn judge(shown: &[CertificateDer<'_>], name: &str, roots: &Roots, now: u64) -> Vec<Finding> {
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
    let began = signed_now >= validity.not_before.timestamp();
    if left < 0 {
        let message = format!("its certificate expired on {}", day(validity.not_after));
        found.push(failure(
            "certificate_expired",
            message,
            "renew it: mosip-prov certificates renew; then deploy the front again",
        ));
    } else if !began {
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
    let named = names.iter().any(|pattern| server_names::covers(pattern, name));
    if !named {
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
    let told = Told {
        dates: left < 0 || !began,
        name: !named,
    };
    found.extend(chain(shown, &leaf, name, roots, now, told).map(|found| match found {
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
            format!("its certificate comes from \"{top}\", which is no authority that browsers or this machine know"),
        ),
        Chain::Incomplete(top) => failure(
            "certificate_incomplete",
            format!("it shows its own certificate alone, without that of \"{top}\": some clients will refuse it"),
            "use fullchain.pem, not cert.pem: mosip-prov certificates install DIR, and deploy the front again",
        ),
        Chain::IssuerExpired(who) => failure(
            "certificate_issuer_expired",
            format!("{who} has expired, and with it the chain: a client refuses it"),
            "take the authority's certificates of today into fullchain.pem (mosip-prov certificates renew, or install DIR), \
             and deploy the front again",
        ),
        Chain::IssuerNotYet(who) => failure(
            "certificate_issuer_not_yet",
            format!("{who} is not valid yet: a client refuses it"),
            "wait, or see that the clock of this machine is right",
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
    /// Whose certificate, in words.
    IssuerExpired(String),
    IssuerNotYet(String),
    Wrong(String),
}

/// What has been said of the server's own certificate.
#[derive(Clone, Copy)]
struct Told {
    dates: bool,
    name: bool,
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
    told: Told,
) -> Option<Chain> {
    let (first, rest) = shown.split_first()?;
    let server = ServerName::try_from(name.to_owned()).ok()?;
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.store.clone(), provider())
        .build()
        .ok()?;
    let present = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let error = match verifier.verify_server_cert(first, rest, &server, &[], present) {
        Ok(_) => return None,
        Err(error) => error,
    };
    let rustls::Error::InvalidCertificate(why) = error else {
        return Some(Chain::Wrong(error.to_string()));
    };
    // What is wrong with names and dates may be so of the server's own certificate, which was judged without the chain, or
    // of one of its issuers'.
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            return (!told.dates).then(|| Chain::IssuerExpired(issuer_where(rest, |begin_end| begin_end.1 < now)));
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            return (!told.dates).then(|| Chain::IssuerNotYet(issuer_where(rest, |begin_end| begin_end.0 > now)));
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            return (!told.name).then(|| Chain::Wrong(format!("they are not valid for {name}")));
        }
        _ => {}
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

/// The first of the issuers' certificates whose begin and end, in seconds since 1970, are so.
fn issuer_where(issuers: &[CertificateDer<'_>], is_so: impl Fn((i64, i64)) -> bool) -> String {
    let found = issuers.iter().find_map(|der| {
        let (_, issuer) = X509Certificate::from_der(der).ok()?;
        let validity = issuer.validity();
        is_so((validity.not_before.timestamp(), validity.not_after.timestamp())).then(|| {
            format!(
                "the certificate of its issuer \"{}\" ({} to {})",
                short(issuer.subject()),
                day(validity.not_before),
                day(validity.not_after)
            )
        })
    });
    found.unwrap_or_else(|| "a certificate of its issuers".to_owned())
}
