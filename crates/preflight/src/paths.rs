//! Paths as operators write them.

use std::path::{Path, PathBuf};

/// `text` with a leading `~` or `~/` replaced by the home folder of whoever runs this. The home of another user
/// (`~name/`) is not looked up: such a path stays as it is, and is then reported as a file that is not there.
pub fn expand_tilde(text: &str) -> PathBuf {
    expand_tilde_with(text, std::env::var_os("HOME").map(PathBuf::from).as_deref())
}

/// As [`expand_tilde`], with the home folder given.
pub fn expand_tilde_with(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_path_buf(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_tilde_is_the_home_folder() {
        let home = Some(Path::new("/home/ubuntu"));
        for (text, wanted) in [
            ("~", "/home/ubuntu"),
            ("~/.ssh/id_ed25519", "/home/ubuntu/.ssh/id_ed25519"),
            ("~other/.ssh/id", "~other/.ssh/id"),
            ("/root/~/x", "/root/~/x"),
            ("keys/id", "keys/id"),
        ] {
            assert_eq!(expand_tilde_with(text, home), Path::new(wanted), "{text}");
        }
        assert_eq!(expand_tilde_with("~/x", None), Path::new("~/x"));
    }
}
