//! The fault suite as a program, for `cargo xtask faults`: `--list`, `--left-out`, `--only NAME` (a fault, a step, or
//! `FAULT/STEP`; may be given again).

use std::process::ExitCode;

use mosip_prov_tests::faults::{self, Case};
use mosip_prov_tests::testbed::Testbed;

fn main() -> ExitCode {
    let mut only = Vec::new();
    let mut words = std::env::args().skip(1);
    let every_day = faults::of_every_day();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--list" => {
                for case in faults::all() {
                    let mark = if every_day.contains(&case) {
                        "  with the tests"
                    } else {
                        ""
                    };
                    println!("{}{mark}", faults::name(case));
                }
                return ExitCode::SUCCESS;
            }
            "--left-out" => {
                for case in faults::all() {
                    if !every_day.contains(&case) {
                        println!("{}", faults::name(case));
                    }
                }
                return ExitCode::SUCCESS;
            }
            "--only" => only.push(words.next().expect("a name")),
            other => panic!("unexpected word {other}"),
        }
    }
    let wanted = |case: &Case| {
        let names = [case.0.name().to_owned(), case.1.name().to_owned(), faults::name(*case)];
        only.is_empty() || only.iter().any(|name| names.contains(name))
    };
    let cases: Vec<Case> = faults::all().into_iter().filter(wanted).collect();
    if cases.is_empty() {
        eprintln!("no case has a name of {}; see --list", only.join(", "));
        return ExitCode::FAILURE;
    }
    let testbed = Testbed::of(&faults::hosts());
    println!("{} cases", cases.len());
    let results = faults::run(&testbed, &cases, |name, outcome, took| match outcome {
        Ok(said) => println!("{name:<28} {said} ({:.0} s)", took.as_secs_f64()),
        Err(why) => println!("{name:<28} WRONG ({:.0} s): {why}", took.as_secs_f64()),
    });
    println!("\n{}\n\n{}", results.table(), results.summary());
    if results.failures().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
