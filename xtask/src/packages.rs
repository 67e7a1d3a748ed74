//! Installing what a chore needs from the machine's own distribution, saying what.

use std::path::Path;
use std::process::Command;

use crate::sh::{self, Context, Error, Result};

/// Asked by the distribution's package scripts before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// A program that must be there and the Debian package that brings it.
pub type Need = (&'static str, &'static str);

/// Installs the packages of the programs that are missing; prints their names. Needs root only when something is missing.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let mut missing: Vec<&str> = needs
        .iter()
        .filter(|(program, _)| !sh::on_path(program))
        .map(|(_, package)| *package)
        .collect();
    missing.dedup();
    install(&missing)
}

/// Installs packages by name; does nothing for an empty list.
pub fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    if !sh::on_path("apt-get") {
        return Err(Error(format!(
            "needed and not there: {names} (names of Debian packages); this machine has no apt-get to install them"
        )));
    }
    if !sh::is_root() {
        return Err(Error(format!(
            "needed and not there: {names}. Run as root, or install them: apt-get install {names}"
        )));
    }
    println!("installing from the distribution: {names}");
    sh::output(Command::new("apt-get").args(["-q", "update"]))?;
    sh::output(
        Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["-q", "-y", "--no-install-recommends", "install"])
            .args(packages),
    )?;
    Ok(())
}

/// As [`ensure`], for packages whose service tests start themselves: it is neither started by the installation nor at the
/// next boot. A service of that name that was there before stays as it is.
pub fn ensure_without_service(needs: &[Need], service: &str) -> Result<()> {
    if needs.iter().all(|(program, _)| sh::on_path(program)) {
        return Ok(());
    }
    let policy = Policy::forbid(Path::new(POLICY))?;
    let outcome = ensure(needs);
    drop(policy);
    outcome?;
    if sh::on_path("systemctl") {
        sh::run(&["systemctl", "disable", service])?;
    }
    Ok(())
}

/// While this lives, package scripts start no service.
struct Policy<'a>(Option<&'a Path>);

impl<'a> Policy<'a> {
    /// A policy that is there already is whoever made it's, and stays.
    fn forbid(path: &'a Path) -> Result<Self> {
        if path.exists() || !sh::is_root() {
            return Ok(Self(None));
        }
        sh::write(path, "#!/bin/sh\nexit 101\n")?;
        sh::set_mode(path, 0o755).doing("a policy for services")?;
        Ok(Self(Some(path)))
    }
}

impl Drop for Policy<'_> {
    fn drop(&mut self) {
        if let Some(path) = self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_lasts_as_long_as_the_installation() {
        let folder = std::env::temp_dir().join(format!("policy-{}", std::process::id()));
        let path = folder.join("policy-rc.d");
        if sh::is_root() {
            let policy = Policy::forbid(&path).expect("made");
            assert!(path.exists());
            drop(policy);
            assert!(!path.exists());
        }
        sh::write(&path, "theirs").expect("written");
        drop(Policy::forbid(&path).expect("kept"));
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "theirs");
        let _ = std::fs::remove_dir_all(&folder);
    }
}
