//! The house rules, checked: allowed arrows between crates, the map in `crates/README.md`, and how files look.

mod arrows;
mod files;

use std::path::Path;
use std::process::Command;

use crate::sh::{self, Context, Error, Result};
use arrows::Package;
use files::File;

/// Checks the whole workspace; one line per finding, an error when there is any.
pub fn main() -> Result<()> {
    let metadata = workspace()?;
    let root = metadata.root;
    let listed = sh::output(
        // what is tracked, and what would be with `git add .`
        Command::new("git")
            .current_dir(&root)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]),
    )?;
    let mut paths: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    let files: Vec<File> = paths
        .iter()
        // a file can be deleted and still be tracked
        .filter_map(|path| {
            let bytes = std::fs::read(Path::new(&root).join(path)).ok()?;
            Some(File {
                path: (*path).to_owned(),
                text: String::from_utf8(bytes).ok(),
            })
        })
        .collect();
    let map = files
        .iter()
        .find(|file| file.path == arrows::MAP)
        .and_then(|file| file.text.as_deref());

    let mut findings = arrows::check_arrows(&metadata.packages);
    findings.extend(arrows::check_lints(&metadata.packages, &files));
    findings.extend(arrows::check_map(&metadata.packages, map, |path| {
        Path::new(&root).join(path).exists()
    }));
    findings.extend(files::check(&files));
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!(
            "tidy: {} crates and {} files keep the house rules",
            metadata.packages.len(),
            files.len()
        );
        return Ok(());
    }
    Err(Error(format!("{} findings against the house rules", findings.len())))
}

/// The workspace as cargo sees it.
pub struct Workspace {
    /// Absolute path of the checkout.
    pub root: String,
    /// Where cargo builds.
    pub target: String,
    packages: Vec<Package>,
}

/// Asks cargo about the workspace.
pub fn workspace() -> Result<Workspace> {
    let text = sh::output(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
        ]),
    )?;
    let json: serde_json::Value = serde_json::from_str(&text).doing("cannot read the output of `cargo metadata`")?;
    let root = json["workspace_root"].as_str().unwrap_or(".").to_owned();
    Ok(Workspace {
        packages: arrows::packages(&json, &root),
        target: json["target_directory"].as_str().unwrap_or("target").to_owned(),
        root,
    })
}
