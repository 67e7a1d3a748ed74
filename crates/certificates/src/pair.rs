//! A certificate and its key, as an authority or certbot left them in a folder.

use mosip_prov_inventory::diagnostic::{Diagnostic, Location};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// Names of the certificate's file, the better ones first. certbot's `cert.pem` lacks the chain that its
/// `fullchain.pem` has.
const CERTIFICATES: [&str; 2] = ["fullchain.pem", "cert.pem"];
/// Names of the key's file.
const KEYS: [&str; 2] = ["privkey.pem", "key.pem"];

/// Where a pair comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The certificate, and those of its issuers.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Source {
    /// The pair in `folder`: `fullchain.pem` (else `cert.pem`) and `privkey.pem` (else `key.pem`).
    ///
    /// # Errors
    /// Each file that is missing, or the folder when it cannot be looked into.
    pub fn find(folder: &Path) -> Result<Self, Vec<Diagnostic>> {
        if let Err(error) = std::fs::read_dir(folder) {
            let shown = folder.display();
            let help = match folder.is_file() {
                true => "name the folder that holds fullchain.pem and privkey.pem, not a file in it",
                false => {
                    "name the folder that holds fullchain.pem and privkey.pem; certbot keeps them in live/DOMAIN, for root only"
                }
            };
            let problem = Diagnostic::error(format!("the folder {shown} cannot be read: {error}"));
            return Err(vec![problem.at(Location::file(folder)).help(help)]);
        }
        let first = |names: [&str; 2]| names.iter().map(|name| folder.join(name)).find(|file| file.exists());
        match (first(CERTIFICATES), first(KEYS)) {
            (Some(certificate), Some(key)) => Ok(Self { certificate, key }),
            (certificate, key) => {
                let missing = |found: &Option<PathBuf>, names: [&str; 2]| {
                    found.is_none().then(|| {
                        Diagnostic::error(format!(
                            "neither {} nor {} is in {}",
                            names[0],
                            names[1],
                            folder.display()
                        ))
                        .at(Location::file(folder))
                        .help(format!("copy it there as {}, as the authority gave it", names[0]))
                    })
                };
                Err([missing(&certificate, CERTIFICATES), missing(&key, KEYS)]
                    .into_iter()
                    .flatten()
                    .collect())
            }
        }
    }
}

/// Until when the first certificate of the file is valid; `None` when it cannot be read.
pub fn valid_until(certificate: &Path) -> Option<SystemTime> {
    let text = std::fs::read(certificate).ok()?;
    let der = CertificateDer::pem_slice_iter(&text).next()?.ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let end = certificate.validity().not_after.timestamp();
    Some(match u64::try_from(end) {
        Ok(end) => UNIX_EPOCH + Duration::from_secs(end),
        Err(_) => UNIX_EPOCH,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_names_come_first() {
        let dir = tempfile::tempdir().expect("a folder");
        let put = |name: &str| std::fs::write(dir.path().join(name), "x").expect("written");
        let said = Source::find(dir.path()).expect_err("nothing there");
        assert_eq!(said.len(), 2, "{said:?}");
        put("key.pem");
        let said = Source::find(dir.path()).expect_err("no certificate");
        assert_eq!(said.len(), 1);
        assert!(
            said[0].message.contains("neither fullchain.pem nor cert.pem"),
            "{}",
            said[0]
        );
        put("cert.pem");
        assert_eq!(
            Source::find(dir.path()).expect("both").certificate,
            dir.path().join("cert.pem")
        );
        put("fullchain.pem");
        put("privkey.pem");
        let found = Source::find(dir.path()).expect("both");
        assert_eq!(found.certificate, dir.path().join("fullchain.pem"));
        assert_eq!(found.key, dir.path().join("privkey.pem"));
    }

    #[test]
    fn no_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("fullchain.pem");
        std::fs::write(&file, "x").expect("written");
        let said = Source::find(&file).expect_err("a file");
        assert!(
            said[0].help.as_deref().is_some_and(|h| h.contains("not a file")),
            "{}",
            said[0]
        );
        assert!(Source::find(&dir.path().join("none")).is_err());
        assert_eq!(valid_until(&file), None);
    }
}
