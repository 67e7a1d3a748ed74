//! All tests, with what they need brought up first: real hosts when we are root, the Python oracle when it can be had.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::sh::{self, Context, Error, Result};
use crate::testbed::{self, hosts::STATE};
use crate::{oracle, tidy};

/// The crate whose tests may need hosts.
const END_TO_END: &str = "mosip-prov-tests";

/// The test of a whole deployment, which needs the real terraform too.
const DEPLOY: &str = "a_deployment_goes_on_wherever_it_was_killed_and_is_then_left_alone";
/// The crate whose tests may need the real terraform.
const TERRAFORM: &str = "mosip-prov-terraform";

/// Counts of one or several runs.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// What tests of DNS start: a nameserver, what changes and checks its zones, and what asks it.
const NAMESERVER: [crate::packages::Need; 4] = [
    ("named", "bind9"),
    ("named-checkzone", "bind9-utils"),
    ("nsupdate", "bind9-dnsutils"),
    ("dig", "bind9-dnsutils"),
];

/// What tests of certificates start: certbot, and an authority.
const AUTHORITY: [crate::packages::Need; 2] = [("certbot", "certbot"), ("pebble", "pebble")];

/// What the tests are given.
struct Ground {
    cargo: std::ffi::OsString,
    root: String,
    nextest: bool,
    hosts: bool,
    oracle: Option<PathBuf>,
    binary: PathBuf,
}

/// Runs all tests; an error when one failed.
pub fn main(without_hosts: bool) -> Result<()> {
    crate::packages::ensure(&[("cc", "build-essential"), ("git", "git")])?;
    let ground = prepare(without_hosts)?;
    let mut counts = Counts::default();
    let mut skipped = Vec::new();
    let mut broken = Vec::new();

    let terraform = sh::succeeds(&["terraform", "version"]);
    if !terraform {
        println!("terraform   left out: it is not on the PATH");
        if ground.hosts {
            skipped.push(format!("{END_TO_END} {DEPLOY} (needs terraform)"));
        }
    }
    let runs: [(&[&str], bool, bool); 3] = [
        (
            &["--workspace", "--exclude", END_TO_END, "--exclude", TERRAFORM],
            ground.oracle.is_some(),
            false,
        ),
        (&["-p", TERRAFORM], terraform, false),
        (&["-p", END_TO_END], ground.hosts, true),
    ];
    for (selection, with_ignored, serial) in runs {
        let mut words = if ground.nextest {
            nextest_words(selection, with_ignored, serial)
        } else {
            libtest_words(selection, with_ignored, serial)
        };
        if with_ignored && !terraform && selection.contains(&END_TO_END) {
            let but = match ground.nextest {
                true => ["-E".to_owned(), format!("not test(={DEPLOY})")],
                false => ["--skip".to_owned(), DEPLOY.to_owned()],
            };
            words.extend(but);
            counts.skipped += usize::from(!ground.nextest);
        }
        let outcome = ground.run(&words)?;
        counts.add(&outcome.counts);
        if ground.nextest && !with_ignored {
            skipped.extend(ground.ignored(selection)?);
        }
        skipped.extend(outcome.ignored);
        if !outcome.success && outcome.counts.failed == 0 {
            broken.push(words.join(" "));
        }
    }
    if ground.nextest {
        // nextest leaves the examples in documentation to cargo
        let outcome = ground.run(&["test", "--workspace", "--doc", "--no-fail-fast"].map(String::from))?;
        counts.add(&outcome.counts);
        skipped.extend(outcome.ignored);
        if !outcome.success && outcome.counts.failed == 0 {
            broken.push("test --doc".into());
        }
    }
    for name in &skipped {
        println!("skipped: {name}");
    }
    if ground.hosts && broken.is_empty() {
        let left_out = crate::faults::left_out()?;
        println!(
            "left to `cargo xtask faults`: {} cases of its matrix: {}",
            left_out.len(),
            left_out.join(" ")
        );
    }
    for words in &broken {
        println!("did not run to its end: cargo {words}");
    }
    println!(
        "{} passed, {} failed, {} skipped. {}",
        counts.passed,
        counts.failed,
        counts.skipped,
        next(&counts, broken.is_empty(), &ground)
    );
    if counts.failed > 0 || !broken.is_empty() {
        return Err(Error("tests failed".into()));
    }
    Ok(())
}

fn next(counts: &Counts, whole: bool, ground: &Ground) -> String {
    if !whole {
        return "Something did not build or run; its message is above".into();
    }
    if counts.failed > 0 {
        let hosts = if ground.hosts {
            "; the hosts are still up: cargo xtask testbed ssh HOST"
        } else {
            ""
        };
        return format!("Next: look at the failures above{hosts}");
    }
    if !ground.hosts {
        return "Next: run as root without --no-hosts for the tests that need hosts".into();
    }
    "Next: cargo xtask ci before a commit; cargo xtask testbed down to end the hosts".into()
}

fn prepare(without_hosts: bool) -> Result<Ground> {
    let workspace = tidy::workspace()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let nextest = sh::output(Command::new(&cargo).args(["nextest", "--version"])).is_ok();
    if !nextest {
        println!("runner      cargo test (cargo-nextest is not installed)");
    }
    let hosts = if without_hosts {
        println!("hosts       left out, as asked");
        false
    } else if !sh::is_root() {
        println!("hosts       left out: they need root");
        false
    } else {
        testbed::main(testbed::Action::Up)?;
        crate::packages::ensure_without_service(&NAMESERVER, "named")?;
        crate::packages::ensure(&AUTHORITY)?;
        crate::faults::ensure_clock()?;
        true
    };
    let oracle = match oracle::ensure() {
        Ok(folder) => Some(folder),
        Err(error) => {
            println!("oracle      left out: {error}");
            None
        }
    };
    // The end-to-end tests run the real program.
    sh::show(
        Command::new(&cargo)
            .current_dir(&workspace.root)
            .args(["build", "-p", "mosip-prov-cli"]),
    )?;
    Ok(Ground {
        binary: PathBuf::from(workspace.target).join("debug/mosip-prov"),
        root: workspace.root,
        cargo,
        nextest,
        hosts,
        oracle,
    })
}

fn nextest_words(selection: &[&str], with_ignored: bool, serial: bool) -> Vec<String> {
    let mut words: Vec<&str> = vec!["nextest", "run", "--no-fail-fast", "--no-tests", "pass"];
    words.extend(selection);
    if with_ignored {
        words.extend(["--run-ignored", "all"]);
    }
    if serial {
        // Each test locks the hosts that it uses, and most of its time is a host's.
        words.extend(["--test-threads", "4"]);
    }
    words.into_iter().map(String::from).collect()
}

fn libtest_words(selection: &[&str], with_ignored: bool, serial: bool) -> Vec<String> {
    let mut words: Vec<&str> = vec!["test", "--no-fail-fast"];
    words.extend(selection);
    words.push("--");
    if with_ignored {
        words.push("--include-ignored");
    }
    if serial {
        words.push("--test-threads=1");
    }
    words.into_iter().map(String::from).collect()
}

/// What one run came to.
struct Outcome {
    success: bool,
    counts: Counts,
    ignored: Vec<String>,
}

impl Ground {
    fn cargo(&self, words: &[String]) -> Command {
        let mut command = Command::new(&self.cargo);
        command
            .current_dir(&self.root)
            .args(words)
            .env("MOSIP_PROV_BIN", &self.binary);
        if let Ok(own) = std::env::current_exe() {
            command.env("MOSIP_PROV_XTASK", own);
        }
        if self.hosts {
            command.env("MOSIP_PROV_TESTBED", STATE);
        }
        if let Some(oracle) = &self.oracle {
            command.env("MOSIP_PROV_ORACLE", oracle);
        }
        command
    }

    /// Runs cargo, passing its output on line by line while counting.
    fn run(&self, words: &[String]) -> Result<Outcome> {
        println!("running     cargo {}", words.join(" "));
        let (reader, writer) = std::io::pipe().doing("cannot make a pipe")?;
        let mut command = self.cargo(words);
        command
            .stdin(Stdio::null())
            .stderr(writer.try_clone().doing("cannot share a pipe")?)
            .stdout(writer);
        let mut child = command.spawn().doing("cannot start cargo")?;
        // The pipe ends when no one holds its other side any more.
        drop(command);
        let mut counts = Counts::default();
        let mut ignored = Vec::new();
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).doing("cannot read from cargo")? > 0 {
            let _ = std::io::stdout().write_all(&line);
            let text = String::from_utf8_lossy(&line).into_owned();
            if words[0] == "nextest" {
                counts.add(&nextest_counts(&text).unwrap_or_default());
            } else {
                counts.add(&libtest_counts(&text).unwrap_or_default());
                ignored.extend(ignored_name(&text));
            }
            line.clear();
        }
        let success = child.wait().doing("waiting for cargo")?.success();
        Ok(Outcome {
            success,
            counts,
            ignored,
        })
    }

    /// The names of the tests that nextest leaves out as ignored.
    fn ignored(&self, selection: &[&str]) -> Result<Vec<String>> {
        let mut words = vec!["nextest", "list", "--run-ignored", "only", "--message-format", "json"];
        words.extend(selection);
        let words: Vec<String> = words.into_iter().map(String::from).collect();
        Ok(names_in_list(&sh::output(&mut self.cargo(&words))?))
    }
}

/// Reads `nextest list --message-format json` made with `--run-ignored only`.
fn names_in_list(json: &str) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let suites = json["rust-suites"].as_object();
    suites
        .into_iter()
        .flatten()
        .flat_map(|(suite, content)| {
            let cases = content["testcases"].as_object();
            cases
                .into_iter()
                .flatten()
                .filter(|(_, case)| case["filter-match"]["status"] == "matches")
                .map(move |(name, _)| format!("{suite} {name}"))
        })
        .collect()
}

/// The counts in nextest's closing line: `Summary […] 3 tests run: 2 passed, 1 failed, 4 skipped`.
fn nextest_counts(line: &str) -> Option<Counts> {
    let line = without_colours(line);
    let rest = line.trim_start().strip_prefix("Summary [")?;
    Some(counts_in(rest.split_once(" run: ")?.1))
}

/// The counts in the closing line of each binary of `cargo test`: `test result: ok. 2 passed; 0 failed; 4 ignored; …`.
/// It stands at the start of the line; indented it is the output of a failed test.
fn libtest_counts(line: &str) -> Option<Counts> {
    let line = without_colours(line);
    let rest = line.strip_prefix("test result: ")?;
    Some(counts_in(rest.split_once(". ")?.1))
}

fn counts_in(rest: &str) -> Counts {
    let mut counts = Counts::default();
    for part in rest.split([',', ';', '(', ')']) {
        let Some((number, what)) = part.trim().split_once(' ') else {
            continue;
        };
        let Ok(number) = number.parse::<usize>() else {
            continue;
        };
        match what.split(' ').next().unwrap_or_default() {
            "passed" => counts.passed += number,
            "failed" | "timed" => counts.failed += number,
            "skipped" | "ignored" => counts.skipped += number,
            // slow, flaky, leaky: said of tests that are counted already
            _ => {}
        }
    }
    counts
}

/// The name in cargo test's `test NAME ... ignored, WHY`.
fn ignored_name(line: &str) -> Option<String> {
    let line = without_colours(line);
    let (name, outcome) = line.trim_end().strip_prefix("test ")?.split_once(" ... ")?;
    outcome.starts_with("ignored").then(|| format!("{name} ({outcome})"))
}

fn without_colours(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        text.push_str(before);
        rest = after
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or("", |end| &after[end + 1..]);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: usize, failed: usize, skipped: usize) -> Option<Counts> {
        Some(Counts {
            passed,
            failed,
            skipped,
        })
    }

    #[test]
    fn the_closing_line_of_nextest_is_read() {
        for (line, expected) in [
            (
                "     Summary [   0.013s] 8 tests run: 8 passed, 2 skipped\n",
                counts(8, 0, 2),
            ),
            (
                "\x1b[32;1m     Summary\x1b[0m [   1.2s] \x1b[1m5\x1b[0m tests run: \x1b[1m3\x1b[0m passed (1 slow), 1 failed, 1 timed out, 0 skipped\n",
                counts(3, 2, 0),
            ),
            (
                "     Summary [   0.1s] 1 test run: 1 passed (1 flaky), 0 skipped",
                counts(1, 0, 0),
            ),
            // what a failed test printed is shown again, and must not count twice
            (
                "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 14 filtered out",
                None,
            ),
            ("    Finished `test` profile", None),
        ] {
            assert_eq!(nextest_counts(line), expected, "{line}");
        }
    }

    #[test]
    fn the_closing_lines_of_cargo_test_are_read() {
        for (line, expected) in [
            (
                "test result: FAILED. 5 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.01s",
                counts(5, 1, 2),
            ),
            (
                "test result: \x1b[32mok\x1b[0m. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
                counts(1, 0, 0),
            ),
            ("    test result: ok. 5 passed; 1 failed; 2 ignored", None),
            ("test parser::passed ... ok", None),
        ] {
            assert_eq!(libtest_counts(line), expected, "{line}");
        }
    }

    #[test]
    fn ignored_tests_are_named() {
        assert_eq!(
            ignored_name("test nginx::twice ... ignored, needs the testbed\n").as_deref(),
            Some("nginx::twice (ignored, needs the testbed)")
        );
        assert_eq!(ignored_name("test nginx::once ... ok"), None);
        let json = r#"{"rust-suites":{"mosip-prov-tests::fronts":{"testcases":{
            "twice":{"ignored":true,"filter-match":{"status":"matches"}},
            "once":{"ignored":false,"filter-match":{"status":"mismatch","reason":"ignored"}}}}}}"#;
        assert_eq!(names_in_list(json), ["mosip-prov-tests::fronts twice"]);
    }

    #[test]
    fn tests_that_use_hosts_are_few_at_a_time() {
        assert!(
            nextest_words(&["-p", "x"], true, true)
                .ends_with(&["--run-ignored", "all", "--test-threads", "4"].map(String::from))
        );
        // Tests of one process share its locks.
        assert!(
            libtest_words(&["-p", "x"], true, true)
                .ends_with(&["--", "--include-ignored", "--test-threads=1"].map(String::from))
        );
        assert!(!nextest_words(&["--workspace"], false, false).contains(&"--run-ignored".to_owned()));
    }
}
