//! The key of an inventory's plans.

use super::PlanError;
use mosip_prov_engine::binding::{Digest, Key};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The file with the key in the journal's folder.
pub fn path_in(folder: &Path) -> PathBuf {
    folder.join("plan.key")
}

/// The key of `path`.
pub fn read(path: &Path) -> Result<Key, PlanError> {
    let io = |source| PlanError::Io {
        path: path.to_owned(),
        doing: "read",
        source,
    };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(PlanError::NoKey { path: path.to_owned() }),
        Err(error) => return Err(io(error)),
    };
    let mut text = String::new();
    file.take(256).read_to_string(&mut text).map_err(io)?;
    // A key is written as a digest is.
    match text.trim_end().parse::<Digest>() {
        Ok(bytes) => Ok(Key::new(bytes.into())),
        Err(_) => Err(PlanError::BadKey { path: path.to_owned() }),
    }
}

/// The key in `folder`, made when there is none: folder 0700, file 0600.
pub fn read_or_make(folder: &Path) -> Result<Key, PlanError> {
    let path = path_in(folder);
    match read(&path) {
        Err(PlanError::NoKey { .. }) => {}
        found => return found,
    }
    let io = |source| PlanError::Io {
        path: path.clone(),
        doing: "written",
        source,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(io)?;
    let mut bytes = [0; 32];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(io)?;
    // Whoever makes one at the same time has made the one that counts.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            file.write_all(format!("{}\n", Digest::from(bytes)).as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(io)?;
            Ok(Key::new(bytes))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(&path),
        Err(error) => Err(io(error)),
    }
}
