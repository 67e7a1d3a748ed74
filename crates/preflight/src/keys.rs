//! Area `keys`: the SSH keys that the machines are reached by.

use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::Location;
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::shell::quote;
use mosip_prov_transport::check_key_file;
use mosip_prov_transport::error::KeyFileError;
use std::path::PathBuf;

const AREA: &str = "keys";

/// A key, and who is reached by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The private key file.
    pub path: PathBuf,
    /// The machines.
    pub machines: Vec<String>,
    /// Where the inventory names it.
    pub place: Option<Location>,
    /// RKE uses this very file to reach the nodes; it asks nobody for a passphrase, and tries no other.
    pub rke: bool,
    /// There are other ways to log in where this one cannot be used.
    pub spare: bool,
}

/// Looks at a key, and whether it can be used to log in.
pub fn check(key: &KeyUse) -> (Finding, bool) {
    let shown = key.path.display().to_string();
    let whose = whose(&key.machines);
    let fails = |check: &str, what: String, remedy: String| {
        let place = key.place.as_ref().map(|place| format!(" (named in {place})"));
        let message = format!("{what}{}", place.unwrap_or_default());
        let finding = match (key.spare, key.rke) {
            (true, false) => {
                let message = format!("{message}; it is passed over, and {whose} can be logged in to by other means");
                Finding::warning(AREA, check, &shown, message, remedy)
            }
            (true, true) => {
                let message = format!("{message}; RKE reaches the nodes by it");
                Finding::failure(AREA, check, &shown, message, remedy)
            }
            (false, _) => Finding::failure(AREA, check, &shown, message, remedy),
        };
        (finding, false)
    };
    // What a public key or an empty file is taken for says more than that it cannot be parsed.
    let diagnosed = crate::ssh_keys::check(&key.path, None);
    match (check_key_file(&key.path), diagnosed) {
        (Err(KeyFileError::Missing(_)), _) => fails(
            "key_missing",
            format!("the private key is not there; {whose} are reached by it"),
            format!(
                "copy the key there and `chmod 600 {shown}`, or correct ansible_ssh_private_key_file; a new pair is made \
                 with `ssh-keygen -t ed25519`, and its public half belongs on the machines"
            ),
        ),
        (Err(KeyFileError::TooOpen { mode, .. }), _) => fails(
            "key_mode",
            format!("its mode is {mode:04o}, so that others can read it, and ssh refuses it"),
            format!("chmod 600 {shown}"),
        ),
        (_, Some(found)) if found.message.contains("its mode is") => {
            fails("key_mode", found.message, format!("chmod 600 {shown}"))
        }
        (Err(KeyFileError::Unreadable { source, .. }), _) => fails(
            "key_unreadable",
            format!("it cannot be read: {source}"),
            "run as the user whom the key belongs to".into(),
        ),
        (_, Some(found)) => fails(
            "key_unusable",
            found.message,
            found.help.unwrap_or_else(|| "copy the private key there again".into()),
        ),
        (Err(error), None) => fails(
            "key_unusable",
            error.to_string(),
            format!("copy the private key there again; `ssh-keygen -y -f {shown}` says whether it is whole"),
        ),
        (Ok(file), None) if file.encrypted => (encrypted(key, &shown, &whose), true),
        (Ok(file), None) => {
            let kind = file.kind.unwrap_or_default();
            let message = match key.spare {
                false => format!("{kind}, for its owner alone; {whose} are reached by it"),
                true => format!("{kind}, for its owner alone; it is one of the keys that {whose} are tried with"),
            };
            (Finding::ok(AREA, "key", &shown, message), true)
        }
    }
}

/// A key that asks for its passphrase. People can use it; RKE cannot.
fn encrypted(key: &KeyUse, shown: &str, whose: &str) -> Finding {
    if key.rke {
        return Finding::failure(
            AREA,
            "key_encrypted",
            shown,
            format!(
                "it is encrypted: each run asks for its passphrase, and RKE cannot use it at all; {whose} are reached by it"
            ),
            format!(
                "make a key of its own for the deployment without a passphrase, or take it off: `ssh-keygen -p -N '' -f \
                 {shown}`; `ssh-add {shown}` is enough where RKE2 builds the clusters"
            ),
        );
    }
    let message = match key.spare {
        false => format!("it is encrypted: each run asks for its passphrase; {whose} are reached by it"),
        true => format!("it is encrypted: a run that comes to it asks for its passphrase; {whose} are tried with it"),
    };
    let remedy = format!("`ssh-add {shown}` before a run that nobody watches");
    Finding::warning(AREA, "key_encrypted", shown, message, remedy)
}

/// The default key files, for machines whose key nobody names, as `uses` of one login: each is tried, and passed over when
/// it cannot be used, so that one that can is enough; so is `otherwise`: a key of the agent, or a password. Says whether
/// nothing is left to log in with.
pub fn check_defaults(uses: Vec<KeyUse>, otherwise: bool) -> (Vec<Finding>, bool) {
    let can: Vec<bool> = uses.iter().map(|key| check(key).1).collect();
    let looked_at = uses.into_iter().enumerate().map(|(number, key)| {
        let others = can.iter().enumerate().any(|(other, can)| other != number && *can);
        let key = KeyUse {
            spare: otherwise || others,
            ..key
        };
        check(&key).0
    });
    (looked_at.collect(), !otherwise && !can.contains(&true))
}

/// The inventory names no key for `machines`, and none of the default names is there.
pub fn none(machines: &[String], agent: bool, password: bool) -> Finding {
    let whose = whose(machines);
    if agent || password {
        let by = if password {
            "a password"
        } else {
            "the keys of the SSH agent"
        };
        return Finding::ok(AREA, "key", "login", format!("{whose} are reached by {by}"));
    }
    Finding::warning(
        AREA,
        "key_missing",
        "~/.ssh",
        format!("the inventory names no key for {whose}, and there is none by a default name"),
        "put the key at ~/.ssh/id_ed25519 with mode 0600, or set ansible_ssh_private_key_file",
    )
}

/// The key that RKE uses, on the deployment node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RkeKey {
    node: String,
    path: String,
}

impl RkeKey {
    /// The key at `path`, absolute or beginning with `~/`, of the machine `node`.
    pub fn new(node: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            path: path.into(),
        }
    }

    /// Its path, as it is written.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The question, asked as the login user. Nothing of the key is told. An OpenSSH key without passphrase begins with the
    /// name of its cipher, `none` (PROTOCOL.key of OpenSSH).
    pub fn ask(&self) -> AskCommand {
        let word = match self.path.strip_prefix("~/") {
            Some(rest) => format!("\"$HOME\"/{}", quote(rest)),
            None => quote(&self.path).into_owned(),
        };
        AskCommand(format!(
            "k={word}\n[ -e \"$k\" ] || exit 1\n[ -f \"$k\" ] || exit 2\n[ -r \"$k\" ] || exit 3\n\
             grep -q 'PRIVATE KEY' \"$k\" || exit 4\nstat -L -c %a \"$k\"\n\
             if grep -q ENCRYPTED \"$k\"; then echo locked\n\
             elif grep -q 'BEGIN OPENSSH' \"$k\" && ! grep -q '^b3BlbnNzaC1rZXktdjEAAAAABG5vbmU' \"$k\"; then echo locked\n\
             else echo open; fi"
        ))
    }

    /// What follows from the answer.
    pub fn judge(&self, status: i32, output: &str) -> Finding {
        let Self { node, path } = self;
        let subject = format!("{node}:{path}");
        let fails = |check: &str, what: String, remedy: String| Finding::failure(AREA, check, &subject, what, remedy);
        let copy = format!("copy the key that the nodes accept to {path} there, with mode 0600, or set ssh_key_path");
        let what = match status {
            0 => None,
            1 => Some(("key_missing", "is not there")),
            2 => Some(("key_unusable", "is not a file")),
            3 => Some(("key_unreadable", "cannot be read by the user who runs rke")),
            _ => Some(("key_unusable", "is not a private key")),
        };
        if let Some((check, what)) = what {
            return fails(check, format!("the key that RKE reaches the nodes by {what}"), copy);
        }
        let mut lines = output.lines();
        let mode = lines
            .next()
            .and_then(|line| u32::from_str_radix(line.trim(), 8).ok())
            .unwrap_or(0);
        if mode & 0o077 != 0 {
            let what = format!("its mode is {mode:04o}, so that others can read it, and ssh refuses it");
            return fails("key_mode", what, format!("chmod 600 {path}"));
        }
        if lines.next() == Some("locked") {
            let what = "it is encrypted, and RKE cannot use it".to_owned();
            return fails(
                "key_encrypted",
                what,
                format!("ssh-keygen -p -N '' -f {path}, or make a key of its own"),
            );
        }
        Finding::ok(AREA, "key", subject, "RKE reaches the nodes by it")
    }
}

fn whose(machines: &[String]) -> String {
    match machines {
        [] => "no machines".into(),
        [one] => one.clone(),
        [first, .., last] if machines.len() > 3 => format!("{} machines ({first} … {last})", machines.len()),
        some => some.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_events::Level;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    fn pair(folder: &Path, passphrase: &str) -> PathBuf {
        let path = folder.join("id_ed25519");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", passphrase, "-f"])
            .arg(&path)
            .status()
            .expect("ssh-keygen");
        assert!(made.success());
        path
    }

    fn of(path: &Path) -> (Finding, bool) {
        check(&KeyUse {
            path: path.to_owned(),
            machines: ["vm1", "vm2", "vm3", "vm4"].map(String::from).into(),
            place: Some(Location::file("rancher.ini")),
            rke: true,
            spare: false,
        })
    }

    #[test]
    fn every_kind_of_key_is_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = pair(folder.path(), "");
        let (good, usable) = of(&path);
        assert_eq!((good.level, usable), (Level::Ok, true), "{good:?}");
        assert_eq!(
            good.message,
            "ssh-ed25519, for its owner alone; 4 machines (vm1 … vm4) are reached by it"
        );

        let expect = |path: &Path, check: &str, usable: bool, words: &str| {
            let (found, can) = of(path);
            assert_eq!(
                (found.level, found.check.as_str(), can),
                (Level::Failure, check, usable),
                "{found:?}"
            );
            assert!(found.message.contains(words), "{found:?}");
            assert!(found.remedy.is_some());
        };
        expect(&folder.path().join("none"), "key_missing", false, "rancher.ini");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
        expect(&path, "key_mode", false, "0644");
        let public = folder.path().join("id_ed25519.pub");
        std::fs::set_permissions(&public, std::fs::Permissions::from_mode(0o600)).expect("set");
        expect(&public, "key_unusable", false, "is a public key");
        let text = std::fs::read_to_string(&path).expect("read");
        let cut = folder.path().join("cut");
        std::fs::write(&cut, &text[..text.len() / 2]).expect("written");
        std::fs::set_permissions(&cut, std::fs::Permissions::from_mode(0o600)).expect("set");
        expect(&cut, "key_unusable", false, "not a usable private key");
        expect(folder.path(), "key_unusable", false, "not a file");

        let other = tempfile::tempdir().expect("a folder");
        expect(
            &pair(other.path(), "secret"),
            "key_encrypted",
            true,
            "RKE cannot use it",
        );
    }

    #[test]
    fn the_key_of_rke_is_looked_at_where_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = pair(folder.path(), "");
        let look = |path: &Path| {
            let key = RkeKey::new("deployment-node", path.to_string_lossy());
            let done = Command::new("sh").args(["-c", &key.ask().0]).output().expect("sh");
            let found = key.judge(done.status.code().unwrap_or(-1), &String::from_utf8_lossy(&done.stdout));
            (found.level, found.check)
        };
        assert_eq!(look(&path), (Level::Ok, "key".into()));
        assert_eq!(
            look(&folder.path().join("none")),
            (Level::Failure, "key_missing".into())
        );
        assert_eq!(look(folder.path()), (Level::Failure, "key_unusable".into()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("set");
        assert_eq!(look(&path), (Level::Failure, "key_mode".into()));
        let other = tempfile::tempdir().expect("a folder");
        assert_eq!(
            look(&pair(other.path(), "secret")),
            (Level::Failure, "key_encrypted".into())
        );
    }

    #[test]
    fn without_a_named_key() {
        let machines = ["vm1".to_owned()];
        assert_eq!(none(&machines, false, false).level, Level::Warning);
        assert!(none(&machines, true, false).message.contains("agent"));
        assert!(none(&machines, true, true).message.contains("password"));
    }

    fn default(path: &Path, rke: bool) -> KeyUse {
        KeyUse {
            path: path.to_owned(),
            machines: vec!["vm1".into()],
            place: None,
            rke,
            spare: false,
        }
    }

    #[test]
    fn one_default_key_that_can_be_used_is_enough() {
        let folder = tempfile::tempdir().expect("a folder");
        let good = pair(folder.path(), "");
        let open = folder.path().join("id_rsa");
        std::fs::copy(&good, &open).expect("copied");
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).expect("set");
        let of = |uses: Vec<KeyUse>, otherwise| {
            let (found, none) = check_defaults(uses, otherwise);
            let found: Vec<_> = found.into_iter().map(|f| (f.level, f.check)).collect();
            (found, none)
        };
        let (ok, told, wrong) = (Level::Ok, Level::Warning, Level::Failure);
        let mode = || "key_mode".to_owned();
        let both = |rke| vec![default(&open, rke), default(&good, false)];
        assert_eq!(
            of(both(false), false),
            (vec![(told, mode()), (ok, "key".into())], false)
        );
        // Logins go on without it, and RKE does not.
        assert_eq!(
            of(both(true), false),
            (vec![(wrong, mode()), (ok, "key".into())], false)
        );
        // Alone it is in the way, unless an agent or a password lets in.
        let alone = || vec![default(&open, false)];
        assert_eq!(of(alone(), false), (vec![(wrong, mode())], true));
        assert_eq!(of(alone(), true), (vec![(told, mode())], false));
        let (found, _) = check_defaults(both(false), false);
        assert!(
            found[0].message.contains("passed over, and vm1 can be logged in to"),
            "{found:?}"
        );
    }

    #[test]
    fn a_passphrase_stands_in_the_way_of_rke_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = pair(folder.path(), "secret");
        let (found, usable) = check(&default(&path, false));
        assert_eq!(
            (found.level, found.check.as_str(), usable),
            (Level::Warning, "key_encrypted", true)
        );
        assert!(!found.message.contains("RKE"), "{found:?}");
        let (found, usable) = check(&default(&path, true));
        assert_eq!((found.level, usable), (Level::Failure, true));
    }
}
