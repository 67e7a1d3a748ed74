//! Files of a root that hold secrets: plans, and what terraform says. In a folder that is its user's alone.

use crate::error::TerraformError;
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The description of the plan that is kept.
const DESCRIPTION: &str = "plan.json";
/// Names of plans begin so.
const PLAN: &str = "plan-";
/// Folders below a root that are not looked into for its configuration.
const MODULE_LIST: &str = ".terraform/modules/modules.json";

/// The same once terraform was started with it: it is not offered again, whatever becomes of us meanwhile.
const APPLYING: &str = "applying.json";
/// A plan that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    /// Terraform's own file.
    pub file: PathBuf,
    /// The digest of the configuration that it is of.
    pub digest: String,
}

#[derive(Serialize, Deserialize)]
struct Description {
    plan: Plan,
    file: String,
    digest: String,
}

/// The folder, while it is ours.
pub(crate) struct Store {
    folder: PathBuf,
    lock: File,
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> TerraformError + 'a {
    move |source| TerraformError::File {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

impl Drop for Store {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is being started at this moment may still hold a copy of it.
        let _ = self.lock.unlock();
    }
}

impl Store {
    /// Makes the folder where it is not there, and takes it.
    pub fn open(folder: &Path, root: &Path) -> Result<Self, TerraformError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed("make", folder))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed("close", folder))?;
        let path = folder.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed("write", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                folder: folder.to_owned(),
                lock,
            }),
            Err(TryLockError::WouldBlock) => Err(TerraformError::Busy {
                folder: root.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(failed("lock", &path)(source)),
        }
    }

    /// A new, empty file of that name, for its user alone. What has the old one open keeps it.
    pub fn fresh(&self, name: &str) -> Result<(PathBuf, File), TerraformError> {
        let path = self.folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("replace", &path)(error)),
            _ => {}
        }
        let file = OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed("write", &path))?;
        Ok((path, file))
    }

    /// A new file for a plan; earlier plans go.
    pub fn fresh_plan(&self) -> Result<PathBuf, TerraformError> {
        self.forget_plans();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{PLAN}{}-{}.tfplan", since.as_nanos(), std::process::id());
        Ok(self.fresh(&name)?.0)
    }

    /// Removes all plans.
    pub fn forget_plans(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(PLAN) || name == DESCRIPTION || name == APPLYING {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Writes down what the plan in `saved` is, for a later process.
    pub fn describe(&self, plan: &Plan, saved: &Saved) -> Result<(), TerraformError> {
        let mut plan = plan.clone();
        // They are read from the plan again where they are wanted.
        for change in plan.resources.iter_mut().chain(&mut plan.drift) {
            change.attributes = None;
        }
        let name = saved.file.file_name().map(|name| name.to_string_lossy().into_owned());
        let description = Description {
            plan,
            file: name.unwrap_or_default(),
            digest: saved.digest.clone(),
        };
        let (path, mut file) = self.fresh(DESCRIPTION)?;
        let text = serde_json::to_vec(&description).map_err(|error| failed("write", &path)(error.into()))?;
        file.write_all(&text).map_err(failed("write", &path))
    }
}

/// The plan that is kept in `folder`, if there is one.
pub(crate) fn kept(folder: &Path) -> Result<Option<Plan>, TerraformError> {
    let path = folder.join(DESCRIPTION);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", &path)(error)),
    };
    // One of another version is as good as none.
    let Ok(Description { mut plan, file, digest }) = serde_json::from_slice(&text) else {
        return Ok(None);
    };
    let file = folder.join(Path::new(&file).file_name().unwrap_or_default());
    if !file.is_file() {
        return Ok(None);
    }
    plan.saved = Some(Saved { file, digest });
    Ok(Some(plan))
}

/// Terraform is about to be started with that plan.
pub(crate) fn begin(saved: &Saved) {
    rename(saved, DESCRIPTION, APPLYING);
}

/// Terraform did not take the plan after all.
pub(crate) fn give_back(saved: &Saved) {
    rename(saved, APPLYING, DESCRIPTION);
}

/// A plan that is described nowhere is only not offered again: nothing depends on these files.
fn rename(saved: &Saved, from: &str, to: &str) {
    let Some(folder) = saved.file.parent() else { return };
    if described(&folder.join(from)).is_some_and(|file| folder.join(file) == saved.file) {
        let _ = fs::rename(folder.join(from), folder.join(to));
    }
}

/// The plan's file that a description is of.
fn described(path: &Path) -> Option<String> {
    let text = fs::read(path).ok()?;
    serde_json::from_slice::<Description>(&text)
        .ok()
        .map(|found| found.file)
}

/// Removes a plan, and its description when it is of that one.
pub(crate) fn forget(saved: &Saved) {
    let _ = fs::remove_file(&saved.file);
    let Some(folder) = saved.file.parent() else { return };
    for name in [DESCRIPTION, APPLYING] {
        let path = folder.join(name);
        if described(&path).is_none_or(|file| !folder.join(file).is_file()) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// A digest of the configuration in `root`: the files that terraform reads, those of modules on this machine included.
pub(crate) fn digest(root: &Path) -> String {
    let mut folders = vec![root.to_owned()];
    folders.extend(modules(root));
    folders.sort();
    folders.dedup();
    let mut sum = Sha256::new();
    for folder in folders {
        let mut files: Vec<PathBuf> = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| is_configuration(path))
            .collect();
        files.sort();
        for file in files {
            let content = fs::read(&file).unwrap_or_default();
            sum.update(file.as_os_str().as_encoded_bytes());
            sum.update((content.len() as u64).to_le_bytes());
            sum.update(content);
        }
    }
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_configuration(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == ".terraform.lock.hcl"
        || [".tf", ".tfvars", ".tf.json", ".tfvars.json", ".tofu", ".tofu.json"]
            .iter()
            .any(|end| name.ends_with(end))
}

/// The folders of modules, as `init` wrote them down.
fn modules(root: &Path) -> Vec<PathBuf> {
    let text = fs::read(root.join(MODULE_LIST)).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let all = json["Modules"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .filter_map(|module| Some(root.join(module["Dir"].as_str()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_their_users_alone_and_the_folder_is_one_processs() {
        let dir = tempfile::tempdir().expect("dir");
        let folder = dir.path().join("a/b");
        let store = Store::open(&folder, dir.path()).expect("ours");
        assert!(matches!(
            Store::open(&folder, dir.path()),
            Err(TerraformError::Busy { .. })
        ));
        let plan = store.fresh_plan().expect("a plan");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&plan)), (0o700, 0o600));
        drop(store);
        Store::open(&folder, dir.path()).expect("ours again");
    }

    #[test]
    fn a_plan_is_found_again_and_only_the_last() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(dir.path(), dir.path()).expect("ours");
        assert!(kept(dir.path()).expect("none").is_none());
        let keep = |made| {
            let saved = Saved {
                file: store.fresh_plan().expect("a plan"),
                digest: "d".into(),
            };
            let plan = Plan {
                made,
                ..Plan::default()
            };
            store.describe(&plan, &saved).expect("described");
            saved
        };
        let first = keep(1);
        let second = keep(2);
        assert!(!first.file.exists());
        let found = kept(dir.path()).expect("read").expect("there");
        assert_eq!((found.made, found.saved.as_ref()), (2, Some(&second)));
        // The one that is gone does not take the other's description along.
        forget(&first);
        // Once terraform has it, it is not offered, until it was given back.
        begin(&second);
        assert!(kept(dir.path()).expect("read").is_none());
        begin(&first);
        give_back(&second);
        assert!(kept(dir.path()).expect("read").is_some());
        forget(&second);
        assert!(kept(dir.path()).expect("read").is_none());
        assert!(!dir.path().join(DESCRIPTION).exists());
    }

    #[test]
    fn the_digest_is_of_what_terraform_reads() {
        let dir = tempfile::tempdir().expect("dir");
        let root = dir.path().join("root");
        fs::create_dir_all(root.join(".terraform/modules")).expect("made");
        fs::create_dir(dir.path().join("module")).expect("made");
        fs::write(
            root.join(MODULE_LIST),
            r#"{"Modules":[{"Key":"","Dir":"."},{"Key":"m","Dir":"../module"}]}"#,
        )
        .expect("written");
        let mut before = digest(&root);
        for (file, changes) in [
            ("root/main.tf", true),
            ("root/terraform.tfvars", true),
            ("module/main.tf", true),
            ("root/terraform.tfstate", false),
            ("root/README.md", false),
        ] {
            fs::write(dir.path().join(file), "x").expect("written");
            let after = digest(&root);
            assert_eq!(before != after, changes, "{file}");
            before = after;
        }
    }
}
