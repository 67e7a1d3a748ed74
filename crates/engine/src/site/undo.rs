//! Predecessors of replaced files, kept until a role's end, and put back when what follows from the new ones fails.

use super::component;
use crate::shell::quote;
use std::fmt::Write;

const FOLDER: &str = "/var/lib/mosip-prov/undo";

/// Keeps the present state of `path` for `role`, unless an older one is kept: the oldest is the one that worked.
pub(crate) fn keep(role: &str, path: &str) -> String {
    let folder = format!("{FOLDER}/{}", component(role));
    let name = component(path);
    let quoted = quote(path);
    format!(
        "u={folder}
if ! [ -d $u ]; then (umask 077; mkdir -p $u) || exit; fi
if ! [ -e $u/{name} ] && ! [ -L $u/{name} ] && ! [ -e $u/{name}.absent ]; then
if [ -e {quoted} ] || [ -L {quoted} ]; then cp -a -- {quoted} $u/{name}.new && mv $u/{name}.new $u/{name} || exit
else : >$u/{name}.absent || exit; fi
fi
"
    )
}

/// Puts back everything that is kept for `role`, and prints each path.
pub(crate) fn restore(role: &str, paths: &[String]) -> String {
    let folder = format!("{FOLDER}/{}", component(role));
    let mut out = format!("u={folder}\n");
    for path in paths.iter().rev() {
        let name = component(path);
        let quoted = quote(path);
        let _ = write!(
            out,
            "if [ -e $u/{name} ] || [ -L $u/{name} ]; then
t={quoted}.mosip-prov.back
cp -a -- $u/{name} \"$t\" && mv -f -- \"$t\" {quoted} && rm -f $u/{name} && printf '%s\\n' {quoted} || exit
elif [ -e $u/{name}.absent ]; then rm -f -- {quoted} && rm -f $u/{name}.absent && printf '%s\\n' {quoted} || exit
fi
"
        );
    }
    out.push_str(&forget_folder(&folder));
    out
}

/// Drops what is kept for `role`.
pub(crate) fn forget(role: &str) -> String {
    forget_folder(&format!("{FOLDER}/{}", component(role)))
}

fn forget_folder(folder: &str) -> String {
    format!("rm -rf -- {folder}\nrmdir {FOLDER} /var/lib/mosip-prov 2>/dev/null || :\n")
}

#[cfg(test)]
mod tests {
    use super::super::testing::Shell;
    use super::*;

    #[test]
    fn the_oldest_predecessor_is_put_back_and_nothing_is_left() {
        let shell = Shell::new();
        let file = shell.root.path().join("it's a file");
        let fresh = shell.root.path().join("fresh");
        std::fs::write(&file, "good").expect("written");
        let paths = [
            file.to_str().expect("utf8").to_owned(),
            fresh.to_str().expect("utf8").to_owned(),
        ];
        for content in ["bad", "worse"] {
            for path in &paths {
                let (status, _, err) = shell.run(&keep("nginx", path), b"");
                assert_eq!((status, err.as_str()), (0, ""));
                std::fs::write(path, content).expect("written");
            }
        }
        let (status, out, err) = shell.run(&restore("nginx", &paths), b"");
        assert_eq!((status, err.as_str()), (0, ""));
        assert_eq!(out, format!("{}\n{}\n", paths[1], paths[0]));
        assert_eq!(std::fs::read(&file).expect("there"), b"good");
        assert!(!fresh.exists());
        let left = std::fs::read_dir(shell.root.path().join("var/lib"))
            .expect("dir")
            .count();
        assert_eq!(left, 0);
    }
}
