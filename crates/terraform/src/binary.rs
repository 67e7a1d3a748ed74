//! Which program is terraform.

use crate::error::TerraformError;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Programs that are taken when none is named, in this order.
const NAMES: [&str; 2] = ["terraform", "tofu"];

/// The program `named`, a path or a word that is looked up in `path` (in the form of the variable PATH); else the first of
/// terraform and tofu there.
pub(crate) fn find(named: Option<&Path>, path: Option<&OsStr>) -> Result<PathBuf, TerraformError> {
    let folders: Vec<PathBuf> = path
        .map(|path| std::env::split_paths(path).collect())
        .unwrap_or_default();
    let in_path = |name: &Path| {
        folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|file| is_program(file))
    };
    let missing = |looked: String| TerraformError::MissingBinary { looked };
    match named {
        Some(named) if named.components().count() == 1 => {
            in_path(named).ok_or_else(|| missing(format!("no program {} on the PATH", named.display())))
        }
        Some(named) if is_program(named) => std::path::absolute(named).map_err(|source| TerraformError::CannotStart {
            program: named.to_owned(),
            source,
        }),
        Some(named) => Err(missing(format!("{} is no program", named.display()))),
        None => NAMES
            .iter()
            .find_map(|name| in_path(Path::new(name)))
            .ok_or_else(|| missing("neither terraform nor tofu is on the PATH".into())),
    }
}

fn is_program(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn program(file: &Path, mode: u32) {
        fs::write(file, "").expect("written");
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("mode");
    }

    #[test]
    fn terraform_before_tofu_and_what_is_named_before_both() {
        let (one, two) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
        let path = std::env::join_paths([one.path(), two.path()]).expect("path");
        let found = |named: Option<&Path>| find(named, Some(&path));
        assert!(matches!(found(None), Err(TerraformError::MissingBinary { .. })));
        program(&one.path().join("tofu"), 0o755);
        assert_eq!(found(None).expect("tofu"), one.path().join("tofu"));
        program(&one.path().join("terraform"), 0o644);
        program(&two.path().join("terraform"), 0o755);
        assert_eq!(found(None).expect("terraform"), two.path().join("terraform"));
        assert_eq!(found(Some(Path::new("tofu"))).expect("tofu"), one.path().join("tofu"));
        let named = one.path().join("tofu");
        assert_eq!(found(Some(&named)).expect("tofu"), named);
        let error = found(Some(Path::new("terraform-1.5"))).expect_err("none").to_string();
        assert_eq!(error, "there is no terraform: no program terraform-1.5 on the PATH");
        assert!(
            found(Some(&one.path().join("terraform"))).is_err(),
            "it may not be executed"
        );
    }
}
