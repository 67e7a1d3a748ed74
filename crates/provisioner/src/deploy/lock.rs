//! One deploy at a time beside an inventory.

use crate::InputErrors;
use mosip_prov_inventory::diagnostic::Diagnostic;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

const FILE: &str = "deploy.lock";

/// Held for as long as this is there; the system lets go of it when the process ends, however that comes.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not read")] File);

fn open(folder: &Path) -> io::Result<File> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(folder.join(FILE))
}

fn holder(mut file: &File) -> String {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    text.trim().chars().filter(char::is_ascii_digit).collect()
}

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    /// Another deploy has it, or its file cannot be made.
    pub fn take(folder: &Path) -> Result<Self, InputErrors> {
        let path = folder.join(FILE);
        let failed = |error: &io::Error| {
            let text = format!("cannot lock {}: {error}", path.display());
            InputErrors::of(Diagnostic::error(text).help("see who owns the folder, and whether the disk is full"))
        };
        let mut file = open(folder).map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("another deploy works on this inventory, as process {}", holder(&file));
                return Err(InputErrors::of(
                    Diagnostic::error(text).help("wait for its end; `mosip-prov status --offline` says how far it is"),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        // Only for the message above.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self(file))
    }

    /// The process that has it, if one has.
    pub fn holder(folder: &Path) -> Option<u32> {
        let file = File::open(folder.join(FILE)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => holder(&file).parse().ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_and_its_holder_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Lock::holder(folder.path()), None);
        let lock = Lock::take(folder.path()).expect("free");
        assert_eq!(Lock::holder(folder.path()), Some(std::process::id()));
        let refused = Lock::take(folder.path()).expect_err("taken").to_string();
        assert!(
            refused.contains(&format!("as process {}", std::process::id())),
            "{refused}"
        );
        drop(lock);
        assert_eq!(Lock::holder(folder.path()), None);
        Lock::take(folder.path()).expect("free again");
    }
}
