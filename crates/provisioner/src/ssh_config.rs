//! Whether the ssh configuration says anything that matters to us. Asking `ssh -G` costs a process for every host, and on a
//! machine as its distribution made it there is nothing to be heard.

use std::path::Path;

/// Options, in lower case, that change nothing for us whatever they say.
const IDLE: [&str; 8] = [
    "sendenv",
    "setenv",
    "hashknownhosts",
    "gssapiauthentication",
    "gssapidelegatecredentials",
    "forwardx11",
    "forwardx11trusted",
    "forwardagent",
];

/// Files that include files that include files are asked about.
const DEPTH: u32 = 2;

/// Whether the configuration of this user or of the machine says something that could matter. When in doubt it does.
pub(crate) fn matters() -> bool {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".ssh/config"));
    home.is_some_and(|file| file.exists()) || file_matters(Path::new("/etc/ssh/ssh_config"), DEPTH)
}

fn file_matters(path: &Path, depth: u32) -> bool {
    match std::fs::read_to_string(path) {
        Ok(text) => text.lines().any(|line| line_matters(line, depth)),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

fn line_matters(line: &str, depth: u32) -> bool {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return false;
    }
    let mut words = line
        .split(|c: char| c.is_ascii_whitespace() || c == '=')
        .filter(|word| !word.is_empty());
    let keyword = words.next().unwrap_or_default().to_ascii_lowercase();
    let mut values = words.peekable();
    match keyword.as_str() {
        // What stands under it is looked at all the same.
        "host" => false,
        "include" => values.any(|pattern| included_matters(pattern, depth)),
        other => !IDLE.contains(&other),
    }
}

/// Only what distributions have, `FOLDER/*.conf` from the root on, is looked into.
fn included_matters(pattern: &str, depth: u32) -> bool {
    let Some(folder) = pattern.strip_suffix("/*.conf").filter(|folder| folder.starts_with('/')) else {
        return true;
    };
    if depth == 0 || folder.contains(['*', '?', '[', '%']) {
        return true;
    }
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.any(|entry| {
            entry.map_or(true, |entry| {
                let path = entry.path();
                path.extension().is_some_and(|extension| extension == "conf") && file_matters(&path, depth - 1)
            })
        }),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_distributions_ship_says_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let included = folder.path().join("ssh_config.d");
        std::fs::create_dir(&included).expect("made");
        let file = folder.path().join("ssh_config");
        let shipped = format!(
            "# comment\n\nInclude {}/*.conf\n\nHost *\n#   Port 22\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n    GSSAPIAuthentication yes\n",
            included.display()
        );
        std::fs::write(&file, &shipped).expect("written");
        assert!(!file_matters(&file, DEPTH));
        assert!(!file_matters(&folder.path().join("none"), DEPTH));
        for line in [
            "ProxyJump bastion",
            "  IdentityFile=/k",
            "Match user root",
            "user\tme",
            "Include ~/.ssh/other",
            "Include /etc/ssh/more",
            "SomethingNew yes",
        ] {
            std::fs::write(&file, format!("{shipped}{line}\n")).expect("written");
            assert!(file_matters(&file, DEPTH), "{line}");
        }
        std::fs::write(&file, &shipped).expect("written");
        std::fs::write(included.join("note.txt"), "Port 2222\n").expect("written");
        assert!(!file_matters(&file, DEPTH));
        std::fs::write(included.join("own.conf"), "Port 2222\n").expect("written");
        assert!(file_matters(&file, DEPTH));
    }
}
