//! The key of an inventory's plans.

use super::PlanError;
use mosip_prov_engine::binding::{Digest, Key};
use mosip_prov_files::{Candidate, Mode};
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
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
    // It is there whole or not at all; whoever makes one at the same time has made the one that counts.
    let text = format!("{}\n", Digest::from(bytes));
    match Candidate::write(&path, text.as_bytes(), Mode::Fixed(0o600)).and_then(Candidate::place_new) {
        Ok(()) => Ok(Key::new(bytes)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(&path),
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_counts_and_is_there_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = || (0..20).map(|_| folder.path());
        let digests: Vec<String> = std::thread::scope(|scope| {
            let made: Vec<_> = places()
                .map(|at| scope.spawn(move || read_or_make(at).expect("a key")))
                .collect();
            made.into_iter()
                .map(|one| {
                    one.join()
                        .expect("no panic")
                        .digest("test", [b"x".as_slice()])
                        .to_string()
                })
                .collect()
        });
        assert!(digests.iter().all(|one| *one == digests[0]), "{digests:?}");
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1);
    }

    #[test]
    fn a_key_that_is_none_says_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(path_in(folder.path()), "half").expect("written");
        let Err(error) = read_or_make(folder.path()) else {
            panic!("half a key was taken");
        };
        assert!(error.help().contains("remove it"), "{}", error.help());
    }
}
