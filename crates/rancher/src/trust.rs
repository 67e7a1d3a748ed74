//! Which authorities are trusted for Rancher's certificate: those of the system, and one of the operator's.

use crate::error::RancherError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};

/// Where the distributions keep the authorities they trust.
const SYSTEM: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Authorities. There is no way to trust everybody.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// A file of the system in place of those where distributions keep it (`SSL_CERT_FILE` of the environment, by custom).
    pub system: Option<PathBuf>,
    /// A PEM file with further authorities (`rancher_ca_file`).
    pub more: Option<PathBuf>,
}

impl Trust {
    /// What is trusted for `server`.
    ///
    /// # Errors
    /// A file that was named cannot be read or has no certificate; there is none at all.
    pub fn roots(&self, server: &str) -> Result<Vec<CertificateDer<'static>>, RancherError> {
        let mut all = Vec::new();
        match &self.system {
            Some(path) => all.extend(read(path)?),
            None => {
                // What is broken there is not ours to complain of, as long as something is left to trust.
                let found = SYSTEM.iter().find_map(|path| read(Path::new(path)).ok());
                all.extend(found.unwrap_or_default());
            }
        }
        if let Some(path) = &self.more {
            all.extend(read(path)?);
        }
        match all.is_empty() {
            true => Err(RancherError::NoAuthorities { server: server.into() }),
            false => Ok(all),
        }
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, RancherError> {
    let bad = |why: String| RancherError::BadAuthorities { path: path.into(), why };
    let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let mut found = Vec::new();
    for one in CertificateDer::pem_slice_iter(&bytes) {
        found.push(one.map_err(|_| bad("it is no PEM file".into()))?);
    }
    match found.is_empty() {
        true => Err(bad("no certificate is in it".into())),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let made = rcgen::generate_simple_self_signed(vec!["r.example.org".into()]).unwrap();
        let good = file("good.pem", &made.cert.pem());
        let trust = |system: &Path, more: Option<&Path>| Trust {
            system: Some(system.into()),
            more: more.map(Into::into),
        };
        assert_eq!(trust(&good, None).roots("s").unwrap().len(), 1);
        assert_eq!(trust(&good, Some(&good)).roots("s").unwrap().len(), 2);
        let key = file("key.pem", &made.signing_key.serialize_pem());
        let broken = file(
            "broken.pem",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        );
        for (path, part) in [
            (key, "no certificate"),
            (broken, "no PEM"),
            (file("empty", ""), "no certificate"),
            (folder.path().join("absent"), "No such file"),
        ] {
            let error = trust(&good, Some(&path)).roots("s").unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
    }
}
