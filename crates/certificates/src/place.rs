//! Placing a pair where a front looks for it: whole or not at all, the predecessor kept.

use crate::judge::Target;
use crate::pair::Source;
use mosip_prov_files::{Candidate, Mode};
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The names under which fronts look for them, and their modes.
const CERTIFICATE: (&str, u32) = ("fullchain.pem", 0o644);
const KEY: (&str, u32) = ("privkey.pem", 0o600);

/// What became of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// It was there.
    Same,
    /// There was none.
    New,
    /// Another was there, and is kept in these files.
    Replaced(Vec<PathBuf>),
}

/// The system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct PlaceError {
    /// What was to be done.
    pub doing: &'static str,
    /// With which file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PlaceError {
    let path = path.to_owned();
    move |source| PlaceError { doing, path, source }
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, PlaceError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// A file written beside its place.
fn candidate(path: &Path, content: &[u8], mode: u32) -> Result<Candidate, PlaceError> {
    // Where it is a link, into certbot's folder for example, what is there is certbot's.
    Candidate::instead_of_link(path, content, Mode::Fixed(mode)).map_err(failed("write", path))
}

/// Places `source` for `target`. Both files are written beside their places first, and then take them one right after
/// the other; should the second fail, the first is put back. What was there before is kept as `FILE.previous`, in place
/// of an older one.
///
/// # Errors
/// What could not be read or written.
pub fn place(source: &Source, target: &Target) -> Result<Placed, PlaceError> {
    let wanted = |path: &Path| read(path)?.ok_or_else(|| failed("read", path)(io::ErrorKind::NotFound.into()));
    let (new_certificate, new_key) = (wanted(&source.certificate)?, wanted(&source.key)?);
    let folder = &target.folder;
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .map_err(failed("make the folder", folder))?;
    let (certificate, key) = (folder.join(CERTIFICATE.0), folder.join(KEY.0));
    let (old_certificate, old_key) = (read(&certificate)?, read(&key)?);
    if old_certificate.as_ref() == Some(&new_certificate) && old_key.as_ref() == Some(&new_key) {
        // It may have been placed by somebody who did not think of its mode.
        std::fs::set_permissions(&key, Permissions::from_mode(KEY.1)).map_err(failed("change the mode of", &key))?;
        return Ok(Placed::Same);
    }
    let first = candidate(&key, &new_key, KEY.1)?;
    let second = candidate(&certificate, &new_certificate, CERTIFICATE.1)?;
    let mut kept = Vec::new();
    for (path, old, mode) in [(&certificate, &old_certificate, CERTIFICATE.1), (&key, &old_key, KEY.1)] {
        if let Some(old) = old {
            let previous = with_end(path, ".previous");
            mosip_prov_files::write(&previous, old, Mode::Fixed(mode)).map_err(failed("write", &previous))?;
            kept.push(previous);
        }
    }
    first.place().map_err(failed("write", &key))?;
    if let Err(error) = second.place() {
        // The first error is the one to tell.
        let _ = match &old_key {
            Some(old) => mosip_prov_files::write(&key, old, Mode::Fixed(KEY.1)),
            None => std::fs::remove_file(&key),
        };
        return Err(failed("write", &certificate)(error));
    }
    Ok(match kept.is_empty() {
        true => Placed::New,
        false => Placed::Replaced(kept),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("there").permissions().mode() & 0o7777
    }

    fn source(dir: &Path, certificate: &str, key: &str) -> Source {
        std::fs::create_dir_all(dir).expect("made");
        std::fs::write(dir.join("cert.pem"), certificate).expect("written");
        std::fs::write(dir.join("key.pem"), key).expect("written");
        Source::find(dir).expect("both")
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .expect("read")
            .map(|entry| entry.expect("one").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn new_then_the_same_then_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("files/nginx");
        let target = Target {
            front: "nginx".into(),
            folder: folder.clone(),
            required: Vec::new(),
            further: Vec::new(),
        };
        let one = source(&dir.path().join("one"), "c1", "k1");
        assert_eq!(place(&one, &target).expect("placed"), Placed::New);
        assert_eq!(names(&folder), ["fullchain.pem", "privkey.pem"]);
        assert_eq!(
            (mode(&folder.join(KEY.0)), mode(&folder.join(CERTIFICATE.0))),
            (0o600, 0o644)
        );
        std::fs::set_permissions(folder.join(KEY.0), Permissions::from_mode(0o644)).expect("changed");
        assert_eq!(place(&one, &target).expect("placed"), Placed::Same);
        assert_eq!(mode(&folder.join(KEY.0)), 0o600);
        for (certificate, key, before) in [("c2", "k2", "c1"), ("c3", "k3", "c2")] {
            let next = source(&dir.path().join("next"), certificate, key);
            let Placed::Replaced(kept) = place(&next, &target).expect("placed") else {
                panic!("it is another");
            };
            assert_eq!(kept.len(), 2);
            assert_eq!(std::fs::read_to_string(&kept[0]).expect("read"), before);
            assert_eq!(mode(&kept[1]), 0o600);
        }
        // One predecessor, and nothing else is left.
        assert_eq!(
            names(&folder),
            [
                "fullchain.pem",
                "fullchain.pem.previous",
                "privkey.pem",
                "privkey.pem.previous"
            ]
        );
    }

    #[test]
    fn what_cannot_be_written_leaves_all_as_it_was() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("nginx");
        // A folder in place of the certificate: it can be read by nobody.
        std::fs::create_dir_all(folder.join(CERTIFICATE.0)).expect("made");
        std::fs::write(folder.join(KEY.0), "old").expect("written");
        let target = Target {
            front: "nginx".into(),
            folder: folder.clone(),
            required: Vec::new(),
            further: Vec::new(),
        };
        let error = place(&source(&dir.path().join("one"), "c1", "k1"), &target).expect_err("refused");
        assert!(error.to_string().contains("fullchain.pem"), "{error}");
        assert!(!format!("{error:?}").contains("k1"));
        assert_eq!(std::fs::read_to_string(folder.join(KEY.0)).expect("read"), "old");
        assert_eq!(names(&folder), ["fullchain.pem", "privkey.pem"]);
    }

    #[test]
    fn what_a_link_leads_to_is_left_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let source = source(&dir.path().join("new"), "new certificate", "new key");
        let (live, folder) = (dir.path().join("live"), dir.path().join("files"));
        std::fs::create_dir_all(&live).expect("made");
        std::fs::create_dir_all(&folder).expect("made");
        for name in [CERTIFICATE.0, KEY.0] {
            std::fs::write(live.join(name), format!("of certbot: {name}")).expect("written");
            std::os::unix::fs::symlink(live.join(name), folder.join(name)).expect("linked");
        }
        let target = Target {
            front: "nginx".into(),
            folder: folder.clone(),
            required: Vec::new(),
            further: Vec::new(),
        };
        assert!(matches!(place(&source, &target), Ok(Placed::Replaced(_))));
        for (name, content) in [(CERTIFICATE.0, "new certificate"), (KEY.0, "new key")] {
            assert_eq!(std::fs::read_to_string(folder.join(name)).expect("read"), content);
            assert!(!folder.join(name).is_symlink());
            let kept = std::fs::read_to_string(live.join(name)).expect("read");
            assert_eq!(kept, format!("of certbot: {name}"));
        }
    }
}
