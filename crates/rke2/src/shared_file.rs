//! A large file of the deployment node that goes to many machines: read when the first needs it, held once for all, and let
//! go of when the last has it.

use bytes::Bytes;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A file that is read when it is needed. Cheap to clone; all clones share what was read.
#[derive(Clone)]
pub struct SharedFile {
    path: Arc<Path>,
    held: Arc<Mutex<Weak<Vec<u8>>>>,
}

/// What was read, for as long as anybody has it.
struct Held(Arc<Vec<u8>>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl SharedFile {
    /// The file at `path`, which is not looked at yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: Arc::from(path.into()),
            held: Arc::default(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its content.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> io::Result<Bytes> {
        // Whoever comes while another reads waits and shares: several gigabytes at once would be too much.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let content = match held.upgrade() {
            Some(content) => content,
            None => {
                let content = Arc::new(std::fs::read(&self.path)?);
                *held = Arc::downgrade(&content);
                content
            }
        };
        Ok(Bytes::from_owner(Held(content)))
    }
}

impl fmt::Debug for SharedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedFile").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_once_and_let_go_of() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x");
        std::fs::write(&path, "one").expect("written");
        let file = SharedFile::new(&path);
        let (a, b) = (file.read().expect("read"), file.clone().read().expect("read"));
        assert_eq!(a.as_ptr(), b.as_ptr());
        drop((a, b));
        std::fs::write(&path, "two").expect("written");
        assert_eq!(file.read().expect("read"), "two");
        std::fs::remove_file(&path).expect("removed");
        assert!(file.read().is_err());
    }
}
