//! Files of this machine, written whole or not at all, and never readable by more than they should be.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! use mosip_prov_files::{Mode, write};
//!
//! let path = folder.path().join("privkey.pem");
//! write(&path, b"secret", Mode::Fixed(0o600))?;
//! # assert_eq!(std::fs::read(&path)?, b"secret");
//! # Ok(()) }
//! ```

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile, PersistError};

/// Links that are followed one after the other, as many as Linux follows.
const LINKS: usize = 40;

/// The permission bits of a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// These, whatever was there and whatever the umask is.
    Fixed(u32),
    /// Those of the file that is replaced; these without the umask's for a new one.
    Kept(u32),
}

/// A file that is written beside its place and is not there yet. It is removed again unless it gets there.
#[derive(Debug)]
pub struct Candidate {
    file: NamedTempFile,
    place: PathBuf,
}

/// Writes `content` as the file at `path`: whole or not at all. Where `path` is a link, what it points to is written. Owner
/// and group are those of the file that is replaced, those of the folder for a new one, as far as this process may give
/// files away.
///
/// # Errors
/// The system refused; what was there is as it was.
pub fn write(path: &Path, content: &[u8], mode: Mode) -> io::Result<()> {
    Candidate::write(path, content, mode)?.place()
}

impl Candidate {
    /// The first half of [`write`]: the content is on the disk, under another name in the same folder. What others planted
    /// there is not touched: the name is a random one, and must be new.
    ///
    /// # Errors
    /// The system refused.
    pub fn write(path: &Path, content: &[u8], mode: Mode) -> io::Result<Self> {
        Self::at(followed(path)?, content, mode)
    }

    /// The same for a file whose place may hold a link to a file that is somebody else's affair: the link itself is replaced.
    ///
    /// # Errors
    /// The system refused.
    pub fn instead_of_link(path: &Path, content: &[u8], mode: Mode) -> io::Result<Self> {
        Self::at(path.to_owned(), content, mode)
    }

    fn at(place: PathBuf, content: &[u8], mode: Mode) -> io::Result<Self> {
        let (mut made, old) = Self::begin(place, mode)?;
        made.file.write_all(content)?;
        made.own(old.as_ref(), mode)?;
        made.file.as_file().sync_all()?;
        Ok(made)
    }

    /// The empty file, for its owner alone as long as it is not known who else may read it.
    fn begin(place: PathBuf, mode: Mode) -> io::Result<(Self, Option<Metadata>)> {
        let old = match fs::metadata(&place) {
            Ok(old) if old.is_file() => Some(old),
            Ok(_) => return Err(io::Error::other("what is there is no file")),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let bits = match (mode, &old) {
            (Mode::Kept(new), None) => new,
            _ => 0o600,
        };
        let file = Builder::new()
            .prefix(".mosip-prov-")
            .permissions(Permissions::from_mode(bits))
            .tempfile_in(folder_of(&place))?;
        Ok((Self { file, place }, old))
    }

    fn own(&self, old: Option<&Metadata>, mode: Mode) -> io::Result<()> {
        let file = self.file.as_file();
        let folder;
        let like = match old {
            Some(old) => old,
            None => {
                folder = fs::metadata(folder_of(&self.place))?;
                &folder
            }
        };
        // Another's file stays that one's, as far as we may.
        if fchown(file, Some(like.uid()), Some(like.gid())).is_err() {
            let _ = fchown(file, None, Some(like.gid()));
        }
        let bits = match (mode, old) {
            (Mode::Fixed(bits), _) => bits,
            (Mode::Kept(_), None) => return Ok(()),
            (Mode::Kept(_), Some(old)) => {
                let bits = old.permissions().mode() & 0o777;
                match file.metadata()?.gid() == old.gid() {
                    true => bits,
                    // What one group might is not another's: that one may what all may.
                    false => bits & (0o707 | (bits & 0o007) << 3),
                }
            }
        };
        file.set_permissions(Permissions::from_mode(bits))
    }

    /// The second half of [`write`]: takes its place.
    ///
    /// # Errors
    /// The system refused; what was there is as it was.
    pub fn place(self) -> io::Result<()> {
        self.place_by(|file, place| file.persist(place))
    }

    /// The same where nothing is yet.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when something is there, which stays; the system refused.
    pub fn place_new(self) -> io::Result<()> {
        self.place_by(|file, place| file.persist_noclobber(place))
    }

    fn place_by(self, persist: impl FnOnce(NamedTempFile, &Path) -> Result<File, PersistError>) -> io::Result<()> {
        let Self { file, place } = self;
        persist(file, &place).map_err(|error| error.error)?;
        // That it is there outlasts a loss of power too, where the file system can promise it.
        if let Ok(folder) = File::open(folder_of(&place)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Where `path` leads, when it is a link, and a link to a link; the last one need not lead to anything.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&at) {
            Ok(to) => at = folder_of(&at).join(to),
            // It is no link, or not there.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => return Ok(at),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many links, one after the other"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o7777
    }

    fn names(folder: &Path) -> Vec<String> {
        let all = fs::read_dir(folder).expect("read");
        let mut names: Vec<String> = all
            .map(|entry| entry.expect("one").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn put(path: &Path, content: &str, bits: u32) {
        fs::write(path, content).expect("written");
        fs::set_permissions(path, Permissions::from_mode(bits)).expect("set");
    }

    #[test]
    fn nobody_else_reads_it_while_it_is_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("all.yml");
        for (bits, wanted) in [
            (0o600, Mode::Kept(0o644)),
            (0o644, Mode::Kept(0o644)),
            (0o644, Mode::Fixed(0o600)),
        ] {
            put(&path, "old", bits);
            let (made, _) = Candidate::begin(path.clone(), wanted).expect("begun");
            assert_eq!(mode(made.file.path()), 0o600);
            drop(made);
            assert_eq!(names(dir.path()), ["all.yml"]);
        }
        let new = dir.path().join("privkey.pem");
        let (made, _) = Candidate::begin(new.clone(), Mode::Fixed(0o644)).expect("begun");
        assert_eq!(mode(made.file.path()), 0o600);
    }

    #[test]
    fn modes_are_kept_or_given() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("file");
        for (old, wanted, bits) in [
            (0o600, Mode::Kept(0o644), 0o600),
            (0o640, Mode::Kept(0o644), 0o640),
            (0o600, Mode::Fixed(0o644), 0o644),
            (0o664, Mode::Fixed(0o600), 0o600),
        ] {
            put(&path, "a longer content than the new one", old);
            write(&path, b"new", wanted).expect("written");
            assert_eq!((mode(&path), fs::read(&path).expect("read")), (bits, b"new".to_vec()));
        }
        let new = dir.path().join("new");
        write(&new, b"", Mode::Kept(0o600)).expect("written");
        assert_eq!(mode(&new), 0o600);
        // The umask is this process's, and takes from a new file what it takes from all.
        let plain = dir.path().join("plain");
        fs::write(&plain, "").expect("written");
        let other = dir.path().join("other");
        write(&other, b"", Mode::Kept(0o666)).expect("written");
        assert_eq!(mode(&other), mode(&plain));
        assert_eq!(names(dir.path()), ["file", "new", "other", "plain"]);
    }

    #[test]
    fn links_of_the_operator_are_followed_and_planted_ones_are_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let (folder, elsewhere) = (dir.path().join("folder"), dir.path().join("elsewhere"));
        fs::create_dir_all(&folder).expect("made");
        fs::create_dir_all(&elsewhere).expect("made");
        let path = folder.join("values");
        symlink("second", &path).expect("linked");
        symlink("../elsewhere/values", folder.join("second")).expect("linked");
        // It leads to nothing yet, then to a file.
        for content in ["one", "two"] {
            write(&path, content.as_bytes(), Mode::Kept(0o644)).expect("written");
            assert_eq!(fs::read_to_string(elsewhere.join("values")).expect("read"), content);
            assert!(path.is_symlink());
        }
        assert_eq!(names(&elsewhere), ["values"]);
        // Names that could be guessed.
        let victim = dir.path().join("victim");
        put(&victim, "untouched", 0o644);
        let file = folder.join("file");
        for end in [format!(".{}.new", std::process::id()), ".new".into(), ".tmp".into()] {
            symlink(&victim, folder.join(format!("file{end}"))).expect("planted");
        }
        write(&file, b"content", Mode::Kept(0o644)).expect("written");
        assert_eq!(fs::read_to_string(&victim).expect("read"), "untouched");
        assert!(!file.is_symlink());
        let ring = folder.join("ring");
        symlink("ring", &ring).expect("linked");
        assert!(write(&ring, b"", Mode::Kept(0o644)).is_err());
    }

    #[test]
    fn what_cannot_be_placed_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("file");
        fs::create_dir_all(&path).expect("made");
        assert!(write(&path, b"x", Mode::Kept(0o644)).is_err());
        assert!(write(&dir.path().join("none/file"), b"x", Mode::Kept(0o644)).is_err());
        assert_eq!(names(dir.path()), ["file"]);
        let candidate = Candidate::write(&dir.path().join("other"), b"x", Mode::Fixed(0o600)).expect("written");
        assert_eq!(names(dir.path()).len(), 2);
        drop(candidate);
        assert_eq!(names(dir.path()), ["file"]);
    }
}
