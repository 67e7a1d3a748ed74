//! Predecessors of replaced files, kept until a role's end, and put back when what follows from the new ones fails.
//!
//! Each has a folder of its own with the file (`old`, missing when there was none) and where it belongs (`path`), so that
//! another run than the one that replaced it can put it back.

use super::component;
use crate::shell::quote;

pub(crate) const FOLDER: &str = "/var/lib/mosip-prov/undo";

/// Ends the script when the folder `$u` cannot be written. The shell's own words would not say why: `cat` has said it.
const NO_ROOM: &str = "{ echo \"cannot write to $u\" >&2; rm -rf $u/.new; exit 1; }";

/// Keeps the present state of `path` for `role`, unless an older one is kept: the oldest is the one that worked.
pub(crate) fn keep(role: &str, path: &str) -> String {
    let folder = format!("{FOLDER}/{}", component(role));
    let name = component(path);
    let path = quote(path);
    format!(
        "u={folder}
if ! [ -d $u/{name} ]; then
rm -rf $u/.new
(umask 077; mkdir -p $u/.new) && printf '%s' {path} | cat >$u/.new/path || {NO_ROOM}
if [ -e {path} ] || [ -L {path} ]; then cp -a -- {path} $u/.new/old || {NO_ROOM}; fi
mv $u/.new $u/{name} || exit
fi
"
    )
}

/// Puts back everything that is kept for `role`, and prints each path.
pub(crate) fn restore(role: &str) -> String {
    let folder = format!("{FOLDER}/{}", component(role));
    format!(
        "for k in {folder}/*/; do
[ -f \"$k/path\" ] || continue
t=$(cat \"$k/path\"; echo .); t=${{t%.}}
if [ -e \"$k/old\" ] || [ -L \"$k/old\" ]; then
b=$(mktemp -d \"${{t%/*}}/.mosip-prov.XXXXXX\") || exit
cp -a -- \"$k/old\" \"$b/old\" && mv -f -- \"$b/old\" \"$t\" || {{ rm -rf -- \"$b\"; exit 1; }}
rmdir -- \"$b\"
else rm -f -- \"$t\" || exit; fi
rm -rf -- \"$k\"
printf '%s\\n' \"$t\"
done
{}",
        forget_folder(&folder)
    )
}

/// Drops what is kept for `role`.
pub(crate) fn forget(role: &str) -> String {
    forget_folder(&format!("{FOLDER}/{}", component(role)))
}

fn forget_folder(folder: &str) -> String {
    format!("rm -rf -- {folder} 2>/dev/null\nrmdir {FOLDER} /var/lib/mosip-prov 2>/dev/null || :\n")
}

#[cfg(test)]
mod tests {
    use super::super::testing::Shell;
    use super::*;

    #[test]
    fn what_others_planted_beside_the_place_is_not_written_through() {
        let shell = Shell::new();
        let file = shell.root.path().join("conf");
        let victim = shell.root.path().join("victim");
        std::fs::write(&file, "good").expect("written");
        std::fs::write(&victim, "untouched").expect("written");
        let path = file.to_str().expect("utf8").to_owned();
        assert_eq!(shell.run(&keep("nginx", &path), b"").0, 0);
        std::fs::write(&file, "bad").expect("written");
        std::os::unix::fs::symlink(&victim, format!("{path}.mosip-prov.back")).expect("planted");
        assert_eq!(shell.run(&restore("nginx"), b"").0, 0);
        assert_eq!(std::fs::read(&victim).expect("there"), b"untouched");
        assert_eq!(std::fs::read(&file).expect("there"), b"good");
        assert!(!file.is_symlink());
    }

    #[test]
    fn only_their_owner_can_look_at_what_is_kept() {
        use std::os::unix::fs::PermissionsExt as _;
        let shell = Shell::new();
        let file = shell.root.path().join("conf");
        std::fs::write(&file, "good").expect("written");
        assert_eq!(shell.run(&keep("nginx", file.to_str().expect("utf8")), b"").0, 0);
        let folder = shell.root.path().join("var/lib/mosip-prov");
        for folder in [folder.clone(), folder.join("undo"), folder.join("undo/nginx")] {
            let mode = std::fs::metadata(&folder).expect("there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", folder.display());
        }
    }

    #[test]
    fn the_oldest_predecessor_is_put_back_and_nothing_is_left() {
        let shell = Shell::new();
        let file = shell.root.path().join("it's a file");
        let fresh = shell.root.path().join("fresh");
        std::fs::write(&file, "good").expect("written");
        let paths = [
            fresh.to_str().expect("utf8").to_owned(),
            file.to_str().expect("utf8").to_owned(),
        ];
        for content in ["bad", "worse"] {
            for path in &paths {
                let (status, _, err) = shell.run(&keep("nginx", path), b"");
                assert_eq!((status, err.as_str()), (0, ""));
                std::fs::write(path, content).expect("written");
            }
        }
        let (status, out, err) = shell.run(&restore("nginx"), b"");
        assert_eq!((status, err.as_str()), (0, ""));
        assert_eq!(out, format!("{}\n{}\n", paths[0], paths[1]));
        assert_eq!(std::fs::read(&file).expect("there"), b"good");
        assert!(!fresh.exists());
        let left = std::fs::read_dir(shell.root.path().join("var/lib"))
            .expect("dir")
            .count();
        assert_eq!(left, 0);
    }
}
