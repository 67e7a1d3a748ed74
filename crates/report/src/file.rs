//! Files that a run leaves behind, readable by their owner only: they name hosts and hold parts of configurations.

use crate::RenderError;
use std::fs::{self, File, OpenOptions, Permissions};
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
            // A file of an earlier run goes first: whoever has it open, or owns it, reads nothing of this one. Links, pipes and
            // devices are the operator's own doing. Where the folder is not ours, the file is taken as it is.
            if path.symlink_metadata().is_ok_and(|there| there.is_file()) && fs::remove_file(path).is_ok() {
                return OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn who_had_the_old_file_open_reads_nothing_of_the_new_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.html");
        fs::write(&path, "old").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("set");
        let mut open = File::open(&path).expect("opened");
        PrivateFile::create(&path).expect("made").write("new").expect("written");
        let mut text = String::new();
        open.read_to_string(&mut text).expect("read");
        assert_eq!(text, "old");
        assert_eq!(fs::read_to_string(&path).expect("read"), "new");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_link_of_the_operator_is_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&path, "an older and longer text").expect("written");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        PrivateFile::create(&link).expect("made").write("new").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), "new");
        assert!(link.is_symlink());
    }
}
