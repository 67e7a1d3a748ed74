//! Everything that must hold before a commit is shared, in one go.

use std::process::Command;
use std::time::Instant;

use crate::sh::{self, Error, Result};
use crate::{release, test, tidy};

/// Runs every check, and the tests even when a check failed; says at the end what failed and what was left out.
pub fn main(without_hosts: bool) -> Result<()> {
    let started = Instant::now();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = tidy::workspace()?.root;
    let run = |words: &[&str]| sh::show(Command::new(&cargo).current_dir(&root).args(words));
    let has = |tool: &str| sh::output(Command::new(&cargo).args([tool, "--version"])).is_ok();

    // Name, the cargo tool it needs with the way to get it, what to do.
    type Step<'a> = (&'a str, Option<[&'a str; 2]>, Box<dyn Fn() -> Result<()> + 'a>);
    let steps: [Step; 7] = [
        (
            "format",
            Some(["fmt", "rustup component add rustfmt"]),
            Box::new(|| run(&["fmt", "--all", "--check"])),
        ),
        (
            "clippy",
            Some(["clippy", "rustup component add clippy"]),
            Box::new(|| {
                run(&[
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--locked",
                    "--",
                    "-D",
                    "warnings",
                ])
            }),
        ),
        ("tidy", None, Box::new(tidy::main)),
        (
            "deny",
            Some(["deny", "cargo install --locked cargo-deny"]),
            Box::new(|| run(&["deny", "check", "bans", "licenses", "sources"])),
        ),
        (
            "advisories",
            Some(["deny", "cargo install --locked cargo-deny"]),
            Box::new(|| run(&["deny", "check", "advisories"])),
        ),
        ("release", None, Box::new(release::main)),
        ("test", None, Box::new(|| test::main(without_hosts))),
    ];
    let mut failed = Vec::new();
    let mut skipped = Vec::new();
    for (name, tool, step) in steps {
        println!("==> {name}");
        if let Some([tool, how]) = tool
            && !has(tool)
        {
            println!("skipped: cargo-{tool} is not installed; to get it: {how}");
            skipped.push(name);
            continue;
        }
        // Its database is fetched apart, so that being offline is told from being vulnerable.
        if name == "advisories"
            && let Err(error) = sh::output(Command::new(&cargo).current_dir(&root).args(["deny", "fetch", "db"]))
        {
            println!("skipped: the advisory database cannot be fetched\n{error}");
            skipped.push(name);
            continue;
        }
        let since = Instant::now();
        if let Err(error) = step() {
            println!("{name}: {error}");
            failed.push(name);
        }
        println!("    {name} took {:.0} s", since.elapsed().as_secs_f64());
    }
    let skips = if skipped.is_empty() {
        String::new()
    } else {
        format!("; skipped: {}", skipped.join(", "))
    };
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    if failed.is_empty() {
        println!("ci: all good in {minutes:.1} min{skips}");
        return Ok(());
    }
    Err(Error(format!(
        "ci: failed: {} (in {minutes:.1} min{skips})",
        failed.join(", ")
    )))
}
