//! Files that a run leaves behind, readable by their owner only: they name hosts and hold parts of configurations.

use crate::RenderError;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file opened for writing, with the name it is reported under.
pub(crate) struct PrivateFile {
    path: PathBuf,
    file: File,
}

impl PrivateFile {
    /// Creates or empties `path`, mode 0600. Pipes and devices keep their mode.
    pub(crate) fn create(path: &Path) -> Result<Self, RenderError> {
        let open = || -> io::Result<File> {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path)?;
            // A file of an earlier run keeps the mode it had then.
            if file.metadata()?.is_file() {
                file.set_permissions(Permissions::from_mode(0o600))?;
            }
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file,
            }),
            Err(source) => Err(RenderError::File {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Writes all of `text`, so that whoever follows the file sees it at once.
    pub(crate) fn write(&mut self, text: &str) -> Result<(), RenderError> {
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.flush())
            .map_err(|source| RenderError::File {
                path: self.path.clone(),
                source,
            })
    }
}
