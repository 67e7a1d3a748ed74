//! Peers' files on this machine: for their owner's eyes alone, whole or not at all, and never in place of something else.

use mosip_prov::inventory::value::Secret;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is new, or replaced another.
    Written,
    /// It was there with this very content.
    Same,
}

/// Why a file was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Another file is there.
    #[error("{} is there and holds something else", .0.display())]
    Different(PathBuf),
    /// The system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes `folder` (0700) and those above it, as far as they are missing. One that is there keeps its mode.
pub fn make_folder(folder: &Path) -> Result<(), SaveError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed("make the folder", folder))
}

/// Saves `content` as `path` (0600). With `replace` a file with other contents is replaced.
pub fn save(path: &Path, content: &Secret, replace: bool) -> Result<Saved, SaveError> {
    match File::open(path) {
        Ok(mut file) => {
            let mut present = Zeroizing::new(Vec::new());
            file.read_to_end(&mut present).map_err(failed("read", path))?;
            if present.as_slice() == content.expose().as_bytes() {
                // It may have been saved by somebody who did not think of its mode.
                file.set_permissions(Permissions::from_mode(0o600))
                    .map_err(failed("change the mode of", path))?;
                return Ok(Saved::Same);
            }
            if !replace {
                return Err(SaveError::Different(path.to_owned()));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("read", path)(error)),
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = write_new(&beside, content).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written.map(|()| Saved::Written).map_err(failed("write", path))
}

fn write_new(path: &Path, content: &Secret) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content.expose().as_bytes())?;
    file.sync_all()
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SaveError {
    let path = path.to_owned();
    move |source| SaveError::Io { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("there").permissions().mode() & 0o7777
    }

    #[test]
    fn for_the_owner_alone_and_never_in_place_of_something_else() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = temporary.path().join("a/b");
        make_folder(&folder).expect("made");
        assert_eq!((mode(&folder), mode(&temporary.path().join("a"))), (0o700, 0o700));
        let file = folder.join("alice.conf");
        assert_eq!(save(&file, &secret("one"), false).expect("saved"), Saved::Written);
        assert_eq!(mode(&file), 0o600);
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("changed");
        assert_eq!(save(&file, &secret("one"), false).expect("saved"), Saved::Same);
        assert_eq!(mode(&file), 0o600);
        let error = save(&file, &secret("two"), false).expect_err("kept");
        assert!(matches!(&error, SaveError::Different(path) if *path == file));
        assert!(!format!("{error} {error:?}").contains("two"));
        assert_eq!(std::fs::read_to_string(&file).expect("read"), "one");
        assert_eq!(save(&file, &secret("two"), true).expect("saved"), Saved::Written);
        assert_eq!(std::fs::read_to_string(&file).expect("read"), "two");
        // Nothing is left beside it.
        assert_eq!(std::fs::read_dir(&folder).expect("read").count(), 1);
    }

    #[test]
    fn what_cannot_be_written_says_where() {
        let error = save(Path::new("/proc/none/alice.conf"), &secret("one"), false).expect_err("refused");
        assert!(error.to_string().contains("/proc/none/alice.conf"), "{error}");
    }
}
