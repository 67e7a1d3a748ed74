//! Private keys for SSH: there, readable, and readable by nobody else.

use mosip_prov_inventory::diagnostic::{Diagnostic, Location};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What is wrong with the private key file `path`; `None` when it can be used. `place` is where the operator named the
/// file, for the message.
pub fn check(path: &Path, place: Option<Location>) -> Option<Diagnostic> {
    let shown = path.display();
    let problem = |message: String, help: String| {
        let diagnostic = match &place {
            Some(place) => Diagnostic::error(message).at(place.clone()),
            None => Diagnostic::error(message).at(Location::file(path)),
        };
        Some(diagnostic.help(help))
    };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return problem(
                format!("the SSH private key {shown} is not there"),
                "correct ansible_ssh_private_key_file, or make a key pair with `ssh-keygen -t ed25519` and put its \
                 public half on the hosts"
                    .into(),
            );
        }
        Err(error) => {
            return problem(
                format!("the SSH private key {shown} cannot be seen: {error}"),
                "run as the user the key belongs to".into(),
            );
        }
    };
    if !metadata.is_file() {
        return problem(
            format!("the SSH private key {shown} is not a file"),
            "name the private key file itself, for example ~/.ssh/id_ed25519".into(),
        );
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return problem(
            format!("the SSH private key {shown} is open to others: its mode is {mode:04o}"),
            format!("chmod 600 {shown}"),
        );
    }
    let mut start = [0_u8; 64];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut start));
    match read {
        Err(error) => problem(
            format!("the SSH private key {shown} cannot be read: {error}"),
            "run as the user the key belongs to".into(),
        ),
        Ok(0) => problem(
            format!("the SSH private key {shown} is empty"),
            "put the private key there, or correct ansible_ssh_private_key_file".into(),
        ),
        Ok(length) if is_public(&start[..length]) => problem(
            format!("{shown} is a public key, and the private one is needed"),
            "name the file without .pub".into(),
        ),
        Ok(_) => None,
    }
}

fn is_public(start: &[u8]) -> bool {
    [
        &b"ssh-"[..],
        b"ecdsa-sha2-",
        b"sk-ssh-",
        b"sk-ecdsa-",
        b"---- BEGIN SSH2 PUBLIC",
    ]
    .iter()
    .any(|prefix| start.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn key(dir: &tempfile::TempDir, text: &str, mode: u32) -> PathBuf {
        let path = dir.path().join("id");
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        path
    }

    #[test]
    fn a_key_of_its_owner_alone_is_fine() {
        let dir = tempfile::tempdir().expect("a folder");
        for mode in [0o600, 0o400, 0o700] {
            let path = key(&dir, "-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
            assert_eq!(check(&path, None), None, "{mode:o}");
        }
    }

    #[test]
    fn an_open_key_is_named_with_the_remedy() {
        let dir = tempfile::tempdir().expect("a folder");
        for mode in [0o644, 0o640, 0o604, 0o660] {
            let path = key(&dir, "-----BEGIN OPENSSH PRIVATE KEY-----\n", mode);
            let found = check(&path, Some(Location::file("rancher.ini"))).expect("found");
            assert!(found.message.contains(&format!("{mode:04o}")), "{found}");
            assert_eq!(found.help, Some(format!("chmod 600 {}", path.display())));
            assert_eq!(found.location, Some(Location::file("rancher.ini")));
        }
    }

    #[test]
    fn absent_empty_public_and_folder_are_told_apart() {
        let dir = tempfile::tempdir().expect("a folder");
        let message = |path: &Path| check(path, None).expect("found").message;
        assert!(message(&dir.path().join("none")).contains("is not there"));
        assert!(message(&key(&dir, "", 0o600)).contains("is empty"));
        assert!(message(&key(&dir, "ssh-ed25519 AAAA me@here\n", 0o600)).contains("is a public key"));
        assert!(message(dir.path()).contains("is not a file"));
    }
}
