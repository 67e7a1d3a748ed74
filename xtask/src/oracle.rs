//! The Python oracle: Ansible, Jinja2 and PyYAML in a venv of their own, for tests that compare us with them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::packages;
use crate::sh::{self, Context, Error, Result};
use crate::testbed::hosts::STATE;

const WANTED: [&str; 4] = ["ansible-core>=2.18,<2.19", "jinja2", "pyyaml", "netaddr"];
/// The oldest Python that this ansible-core runs on.
const OLDEST: (u32, u32) = (3, 11);

fn folder() -> Result<PathBuf> {
    if sh::is_root() {
        return Ok(Path::new(STATE).join("venv"));
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    cache
        .or(home)
        .map(|cache| cache.join("mosip-prov/venv"))
        .ok_or_else(|| Error("neither XDG_CACHE_HOME nor HOME is set".into()))
}

/// The venv, made if it is not there or not of today's list; an error says why it cannot be had.
pub fn ensure() -> Result<PathBuf> {
    let folder = folder()?;
    venv("oracle", &folder, &WANTED, "import ansible, jinja2, yaml, netaddr")?;
    Ok(folder)
}

/// Makes a venv that holds what is `wanted` of PyPI, if it is not there, or not of this list, or `works`, a line of Python, fails in it.
/// What is said begins with `name`.
pub fn venv(name: &str, folder: &Path, wanted: &[&str], works: &str) -> Result<()> {
    let stamp = folder.join("wanted");
    let list = wanted.join("\n");
    let python = folder.join("bin/python");
    let does = || sh::output(Command::new(&python).args(["-c", works])).is_ok();
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == list) && does() {
        println!("{name:<11} {} is there", folder.display());
        return Ok(());
    }
    let started = Instant::now();
    let system = python_with_venv()?;
    println!("{name:<11} making {} with {system} and pip", folder.display());
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).doing(format!("cannot make {}", parent.display()))?;
    }
    sh::output(Command::new(&system).args(["-m", "venv", "--clear"]).arg(folder))?;
    sh::output(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(wanted),
    )?;
    sh::write(&stamp, list)?;
    println!("{name:<11} made in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// A Python that is new enough and can make a venv; the distribution's before any other, installed if need be.
fn python_with_venv() -> Result<String> {
    const CANDIDATES: [&str; 2] = ["/usr/bin/python3", "python3"];
    let good = |python: &&str| version(python).is_some_and(|have| have >= OLDEST);
    let venv = |python: &&str| sh::succeeds(&[python, "-c", "import venv, ensurepip"]);
    if let Some(python) = CANDIDATES.iter().filter(|p| good(p)).find(|p| venv(p)) {
        return Ok((*python).to_owned());
    }
    packages::install(&["python3", "python3-venv"])?;
    CANDIDATES
        .iter()
        .filter(|python| good(python))
        .find(|python| venv(python))
        .map(|python| (*python).to_owned())
        .ok_or_else(|| {
            Error(format!(
                "no Python {}.{} or newer with venv on this machine",
                OLDEST.0, OLDEST.1
            ))
        })
}

fn version(python: &str) -> Option<(u32, u32)> {
    let script = "import sys; print(sys.version_info[0], sys.version_info[1])";
    let text = sh::run(&[python, "-c", script]).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
