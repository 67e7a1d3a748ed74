//! The certificate and key of a front, as they lie on the deployment node.

use bytes::Bytes;
use mosip_prov_resources::Content;
use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics, Location};
use std::path::{Path, PathBuf};

/// The name of the certificate's file: the server's certificate and the intermediate ones.
pub const CERTIFICATE: &str = "fullchain.pem";
/// The name of the key's file.
pub const KEY: &str = "privkey.pem";

/// Where a front's certificate and key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// `fullchain.pem`.
    pub certificate: PathBuf,
    /// `privkey.pem`.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// Looks for the files of `role`: in `files/ROLE/` beside the inventory, else in `playbooks/roles/ROLE/files/` of the
    /// checkout that holds it, which is `base_dir` or a folder above. The first folder that has one of the two is
    /// taken, so that a certificate of one place is never paired with the key of another.
    ///
    /// # Errors
    /// When neither is anywhere: names the folders looked in.
    pub fn find(role: &str, base_dir: Option<&Path>) -> Result<Self, Diagnostic> {
        let beside = |folder: &Path| folder.join("files").join(role);
        let within = |folder: &Path| folder.join("playbooks/roles").join(role).join("files");
        let base = match base_dir {
            Some(dir) => std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf()),
            None => PathBuf::from("."),
        };
        let places = std::iter::once(beside(&base)).chain(base.ancestors().map(within));
        let is_there = |folder: &PathBuf| folder.join(CERTIFICATE).exists() || folder.join(KEY).exists();
        if let Some(folder) = places.into_iter().find(is_there) {
            return Ok(Self {
                certificate: folder.join(CERTIFICATE),
                key: folder.join(KEY),
            });
        }
        let first = beside(&base);
        let checkout = base.ancestors().find(|folder| within(folder).is_dir()).map(within);
        let second = match &checkout {
            Some(folder) => folder.display().to_string(),
            None => format!("playbooks/roles/{role}/files/ of the checkout that holds the inventory"),
        };
        let misnamed = [Some(&first), checkout.as_ref()]
            .into_iter()
            .flatten()
            .any(|folder| folder.join("cert.pem").exists() || folder.join("key.pem").exists());
        let help = if misnamed {
            format!("cert.pem and key.pem must be named {CERTIFICATE} and {KEY}")
        } else {
            format!("copy {CERTIFICATE} and {KEY} into {}", first.display())
        };
        Err(Diagnostic::error(format!(
            "no certificate for {role}: neither {CERTIFICATE} nor {KEY} is in {}, nor in {second}",
            first.display()
        ))
        .at(Location::file(&first))
        .help(help))
    }

    /// Reads both: the certificate, and the key as content that is never shown. What cannot be read is among the
    /// problems.
    pub fn read(&self, problems: &mut Diagnostics) -> Option<(Content, Content)> {
        let certificate = read(&self.certificate, problems);
        let key = read(&self.key, problems);
        Some((Content::public(certificate?), Content::sensitive(key?)))
    }
}

fn read(path: &Path, problems: &mut Diagnostics) -> Option<Bytes> {
    match std::fs::read(path) {
        Ok(bytes) => Some(bytes.into()),
        Err(error) => {
            // The words of the check of certificates, so that the two are one finding.
            problems.push(
                Diagnostic::error(format!("{} cannot be read: {error}", path.display()))
                    .at(Location::file(path))
                    .help("it must be there, and readable by whoever runs this"),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn put(path: &Path) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, path.to_string_lossy().as_bytes()).expect("written");
    }

    #[test]
    fn beside_the_inventory_comes_before_the_checkout() {
        let dir = tempfile::tempdir().expect("a folder");
        let (inventory, old) = (
            dir.path().join("inventory"),
            dir.path().join("playbooks/roles/nginx/files"),
        );
        put(&old.join(CERTIFICATE));
        put(&old.join(KEY));
        fs::create_dir_all(&inventory).expect("made");
        let found = CertificateFiles::find("nginx", Some(&inventory)).expect("found");
        assert_eq!(found.certificate, old.join(CERTIFICATE));
        // One of the two is enough to choose the folder: the missing one is then the error.
        put(&inventory.join("files/nginx").join(KEY));
        let found = CertificateFiles::find("nginx", Some(&inventory)).expect("found");
        assert_eq!(found.key, inventory.join("files/nginx").join(KEY));
        let mut problems = Diagnostics::new();
        assert_eq!(found.read(&mut problems), None);
        assert_eq!(problems.error_count(), 1);
        put(&inventory.join("files/nginx").join(CERTIFICATE));
        let (certificate, key) = found.read(&mut Diagnostics::new()).expect("read");
        assert!(!certificate.is_sensitive() && key.is_sensitive());
        // The other role has files of its own.
        assert!(CertificateFiles::find("nginx_obs", Some(&inventory)).is_err());
    }

    #[test]
    fn the_checkout_may_be_several_folders_above() {
        let dir = tempfile::tempdir().expect("a folder");
        let inventory = dir.path().join("inventory/prod/eu");
        fs::create_dir_all(&inventory).expect("made");
        let old = dir.path().join("playbooks/roles/nginx_obs/files");
        put(&old.join(CERTIFICATE));
        let found = CertificateFiles::find("nginx_obs", Some(&inventory)).expect("found");
        assert_eq!(found.key, old.join(KEY));
    }

    #[test]
    fn nowhere_names_both_places_and_the_remedy() {
        let dir = tempfile::tempdir().expect("a folder");
        let old = dir.path().join("playbooks/roles/nginx/files");
        fs::create_dir_all(&old).expect("made");
        let problem = CertificateFiles::find("nginx", Some(dir.path())).expect_err("none");
        let beside = dir.path().join("files/nginx");
        assert!(problem.message.contains(&*beside.to_string_lossy()), "{problem}");
        assert!(problem.message.contains(&*old.to_string_lossy()), "{problem}");
        assert!(
            problem
                .help
                .expect("help")
                .contains("copy fullchain.pem and privkey.pem into")
        );
        put(&old.join("cert.pem"));
        let problem = CertificateFiles::find("nginx", Some(dir.path())).expect_err("none");
        assert!(problem.help.expect("help").contains("must be named"));
    }
}
