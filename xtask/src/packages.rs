//! Installing what a chore needs from the machine's own distribution, saying what.

use std::process::Command;

use crate::sh::{self, Error, Result};

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
