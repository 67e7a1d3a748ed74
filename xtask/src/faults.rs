//! The fault suite: every fault against every kind of step, on the testbed.

use std::process::Command;

use crate::sh::{self, Context, Error, Result};
use crate::testbed::{self, hosts::STATE};
use crate::{packages, tidy};

/// What plays a clock that jumps, for the controller.
pub const CLOCK: &str = "libfaketime";

/// Installs [`CLOCK`] unless it is there.
pub fn ensure_clock() -> Result<()> {
    let there = sh::succeeds(&["sh", "-c", "ls /usr/lib/*/faketime/libfaketime.so.1"]);
    if there { Ok(()) } else { packages::install(&[CLOCK]) }
}

/// Builds the suite and runs it with `only` and `list`; an error when a case is not as it should be.
pub fn main(only: &[String], list: bool) -> Result<()> {
    let workspace = tidy::workspace()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    packages::ensure(&[("cc", "build-essential")])?;
    sh::show(Command::new(&cargo).current_dir(&workspace.root).args([
        "build",
        "-q",
        "-p",
        "mosip-prov-tests",
        "--bins",
    ]))?;
    let mut suite = Command::new(format!("{}/debug/fault-suite", workspace.target));
    if list {
        return sh::show(suite.arg("--list"));
    }
    if !sh::is_root() {
        return Err(Error("the hosts of the testbed need root; --list does not".into()));
    }
    testbed::main(testbed::Action::Up)?;
    ensure_clock()?;
    for name in only {
        suite.args(["--only", name]);
    }
    suite.env("MOSIP_PROV_TESTBED", STATE);
    suite.env(
        "MOSIP_PROV_XTASK",
        std::env::current_exe().doing("cannot find this program")?,
    );
    sh::show(&mut suite)
}

/// The names of the cases that do not run with the other tests.
pub fn left_out() -> Result<Vec<String>> {
    let workspace = tidy::workspace()?;
    let listed = sh::output(Command::new(format!("{}/debug/fault-suite", workspace.target)).arg("--left-out"))?;
    Ok(listed.lines().map(str::to_owned).collect())
}
