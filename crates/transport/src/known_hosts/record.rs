//! Writing down a host key that was accepted.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use russh::keys::PublicKey;

use super::{HostName, KnownHosts, Verdict};
use crate::error::HostKeyError;

/// Appends a key for a host, unless it is there by now. Concurrent runs are kept apart by a lock on the file.
///
/// # Errors
/// [`HostKeyError::File`] when it cannot be written; [`HostKeyError::Changed`] when someone recorded another key meanwhile.
pub fn record(file: &Path, name: &HostName, key: &PublicKey) -> Result<(), HostKeyError> {
    let failed = |source: io::Error| HostKeyError::File {
        file: file.to_path_buf(),
        source,
    };
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
    }
    let mut open = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)
        .map_err(failed)?;
    open.lock().map_err(failed)?;
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes).map_err(failed)?;
    let mut known = KnownHosts::default();
    known.add_lines(file, &String::from_utf8_lossy(&bytes), Some(name));
    match known.check(name, key) {
        Verdict::Known => return Ok(()),
        Verdict::Refused(error) => return Err(error),
        Verdict::Unknown => {}
    }
    let key = PublicKey::new(key.key_data().clone(), "")
        .to_openssh()
        .map_err(|error| failed(io::Error::other(error)))?;
    // A last line that someone left without its end must not swallow ours.
    let separator = if bytes.is_empty() || bytes.ends_with(b"\n") {
        ""
    } else {
        "\n"
    };
    let line = format!("{separator}{} {}\n", name.as_str(), key.trim());
    // One write: a reader sees all of the line or nothing.
    open.write_all(line.as_bytes()).map_err(failed)
}
