//! Doors for the fuzz targets in `tests/fuzz`: certificates out of any bytes, where everyone else has files or a server. No API.

use crate::certificates::{self, CertificatePair};
use crate::https::{Roots, certificate};
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::Diagnostic;
use rustls::pki_types::CertificateDer;
use std::time::{Duration, UNIX_EPOCH};

/// What is said of a certificate file and a key file with this content, at this time.
pub fn pair(certificate: &[u8], key: &[u8], seconds: u64) -> Vec<Diagnostic> {
    let names = vec!["api.example.org".to_owned()];
    let pair = CertificatePair::new("fullchain.pem", "privkey.pem", names)
        .further(vec!["*.example.org".to_owned()])
        .as_of(UNIX_EPOCH + Duration::from_secs(seconds));
    certificates::check_content(&pair, certificate, key)
}

/// What is said of a server that shows these certificates.
pub fn shown(certificates: &[&[u8]], seconds: u64) -> Vec<Finding> {
    let certificates: Vec<CertificateDer<'_>> = certificates.iter().map(|der| CertificateDer::from(*der)).collect();
    certificate::judge(&certificates, "api.example.org", &Roots::public(), seconds)
}
