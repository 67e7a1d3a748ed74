//! `cargo xtask bench`: what the program takes, beside others that do the same on the same hosts.

mod cold;
mod contestants;
mod figures;
mod files;
mod ground;
mod many;
mod meter;
mod peers;
mod proxy;
mod record;
mod report;
mod runner;
mod settings;
mod svg;
mod terraform;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::packages;
use crate::sh::{self, Context, Error, Result};
use crate::tidy;
use contestants::Programs;
use record::Book;
use runner::Runner;

/// What is measured, and how.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    subject: Option<Subject>,
    /// Few rounds: 8 minutes rather than 40 for all subjects
    #[arg(long, global = true)]
    quick: bool,
    /// Leave out subjects that were measured to their end already, of this commit and with as many rounds
    #[arg(long, global = true)]
    resume: bool,
    /// Leave out pyinfra, Ansible and Mitogen: ours and plain ssh alone
    #[arg(long, global = true)]
    without_peers: bool,
    /// Where raw data, tables and charts go
    #[arg(long, global = true, default_value = "docs/benchmarks")]
    out: PathBuf,
    /// The program, in place of an optimised build
    #[arg(long, global = true)]
    program: Option<PathBuf>,
    /// The tests' bench-controller, in place of an optimised build
    #[arg(long, global = true)]
    controller: Option<PathBuf>,
}

/// What is measured.
#[derive(clap::Subcommand, Clone, Debug, PartialEq)]
pub enum Subject {
    /// Six nodes that are right already: ours, plain ssh, pyinfra, Ansible with and without pipelining and Mitogen
    Peers,
    /// 100 and 1000 addresses at once
    Many,
    /// 1,000 small files onto a host that is 26 ms away
    Files,
    /// 200 MB onto six hosts, beside scp
    Upload,
    /// The first preparation of six new machines, beside the same commands in one script
    Cold,
    /// Write tables and charts of the raw data that there is; measure nothing
    Report,
    /// `mosip-prov terraform` against terraform by hand: plan, apply, destroy of roots of built-in resources
    Terraform(terraform::Arguments),
}

impl Subject {
    fn name(&self) -> &'static str {
        match self {
            Self::Peers => "peers",
            Self::Many => "many",
            Self::Files => "files",
            Self::Upload => "upload",
            Self::Cold => "cold",
            Self::Report => "report",
            Self::Terraform(_) => "terraform",
        }
    }

    /// Minutes after which nothing more of it is begun, with all rounds and with few.
    fn minutes(&self, quick: bool) -> f64 {
        let (all, few) = match self {
            Self::Peers => (12.0, 3.0),
            Self::Many => (10.0, 1.5),
            Self::Files => (3.0, 0.5),
            Self::Upload => (3.0, 1.0),
            Self::Cold => (12.0, 2.5),
            Self::Report | Self::Terraform(_) => (0.0, 0.0),
        };
        if quick { few } else { all }
    }
}

const NEEDS: [packages::Need; 4] = [
    ("ssh", "openssh-client"),
    ("scp", "openssh-client"),
    ("ip", "iproute2"),
    ("tar", "tar"),
];

/// Measures.
pub fn main(arguments: Arguments) -> Result<()> {
    let subjects = match &arguments.subject {
        Some(Subject::Terraform(own)) => return terraform::main(own, arguments.program.as_deref()),
        Some(Subject::Report) => return report::write(&arguments.out).map(|()| show_figures(&arguments.out)),
        Some(one) => vec![one.clone()],
        None => vec![
            Subject::Peers,
            Subject::Many,
            Subject::Files,
            Subject::Upload,
            Subject::Cold,
        ],
    };
    if !sh::is_root() {
        return Err(Error(
            "the benchmarks need root: they use the testbed, and control groups to count processor time".into(),
        ));
    }
    meter::ensure()?;
    packages::ensure(&NEEDS)?;
    let workspace = PathBuf::from(tidy::workspace()?.root);
    let out = std::path::absolute(if arguments.out.is_absolute() {
        arguments.out.clone()
    } else {
        workspace.join(&arguments.out)
    })
    .doing("cannot find the folder of results")?;
    let total: f64 = subjects.iter().map(|subject| subject.minutes(arguments.quick)).sum();
    println!(
        "subjects, and the minutes after which nothing more of each is begun (builds and a testbed that is down aside):"
    );
    for subject in &subjects {
        println!("  {:<8} {} min", subject.name(), subject.minutes(arguments.quick));
    }
    println!("  together {total} min; results go to {}", out.display());

    let small = subjects
        .iter()
        .any(|subject| matches!(subject, Subject::Files | Subject::Upload));
    let controller = match (&arguments.controller, small) {
        (Some(path), _) => std::path::absolute(path).doing("cannot find the controller")?,
        (None, true) => built("mosip-prov-tests", "bench-controller")?,
        (None, false) => PathBuf::new(),
    };
    let programs = Programs {
        ours: match &arguments.program {
            Some(path) => std::path::absolute(path).doing("cannot find the program")?,
            None => built("mosip-prov-cli", "mosip-prov")?,
        },
        peers: match arguments.without_peers {
            true => Err("as asked".into()),
            false => contestants::peers().map_err(|error| error.to_string()),
        },
    };
    if let Err(why) = &programs.peers {
        println!("peers       left out: {why}");
    }
    let ground = ground::Ground::take()?;
    let mut failures = Vec::new();
    for subject in &subjects {
        if let Err(error) = measure(subject, &arguments, &programs, &controller, &out) {
            println!("{} did not run to its end: {error}", subject.name());
            failures.push(format!("{}: {error}", subject.name()));
        }
        // What there is is shown, whatever becomes of the rest.
        if let Err(error) = report::write(&out) {
            failures.push(format!("the report: {error}"));
        }
    }
    if let Err(error) = ground.leave() {
        failures.push(format!("the hosts were not brought back to their first boot: {error}"));
    }
    show_figures(&out);
    match failures.is_empty() {
        true => Ok(()),
        false => Err(Error(failures.join("\n"))),
    }
}

fn measure(subject: &Subject, arguments: &Arguments, programs: &Programs, controller: &Path, out: &Path) -> Result<()> {
    let quick = arguments.quick;
    let head = head(programs, quick);
    if arguments.resume && record::is_finished(out, subject.name(), &head) {
        println!("{} was measured already", subject.name());
        return Ok(());
    }
    println!("== {}", subject.name());
    let minutes = Duration::from_secs_f64(subject.minutes(quick) * 60.0);
    let mut runner = Runner {
        programs,
        book: Book::begin(out, subject.name(), head.clone())?,
        deadline: Instant::now() + minutes,
        limit: Duration::from_secs(240),
        rows: vec![head],
    };
    match subject {
        Subject::Peers => peers::run(&mut runner, quick)?,
        Subject::Many => many::run(&mut runner, out, quick)?,
        Subject::Files => files::small(&mut runner, controller, quick)?,
        Subject::Upload => files::large(&mut runner, controller, quick)?,
        Subject::Cold => cold::run(&mut runner, quick)?,
        Subject::Report | Subject::Terraform(_) => {}
    }
    runner.book.finish()
}

/// An optimised build of a program of this workspace.
fn built(package: &str, name: &str) -> Result<PathBuf> {
    let workspace = tidy::workspace()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let words = ["build", "--release", "-p", package, "--bin", name];
    sh::show(Command::new(cargo).current_dir(&workspace.root).args(words))?;
    Ok(PathBuf::from(workspace.target).join("release").join(name))
}

/// What stands before the data: machine, versions, commit, how busy it was.
fn head(programs: &Programs, quick: bool) -> Value {
    let line = |words: &[&str]| sh::run(words).map(|text| text.trim().to_owned()).unwrap_or_default();
    let of_file = |path: &str, name: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let found = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        found
            .split_once([':', '='])
            .map_or("", |(_, value)| value)
            .trim()
            .trim_matches('"')
            .to_owned()
    };
    let commit = line(&["git", "rev-parse", "--short=10", "HEAD"]);
    let altered = !line(&["git", "status", "--porcelain", "--", "crates", "roles", "xtask"]).is_empty();
    json!({
        "what": "head",
        "quick": quick,
        "commit": if altered { format!("{commit}, altered") } else { commit },
        "date": line(&["date", "-u", "+%F %R UTC"]),
        "processor": of_file("/proc/cpuinfo", "model name"),
        "processors": line(&["nproc"]),
        "memory": of_file("/proc/meminfo", "MemTotal"),
        "kernel": line(&["uname", "-sr"]),
        "system": of_file("/etc/os-release", "PRETTY_NAME"),
        "hosts": format!("Debian {} in systemd containers, each in a network namespace of its own, on the same processors",
                         crate::testbed::RELEASE),
        "versions": programs.versions(),
        "busy": runner::busy().round(),
    })
}

fn show_figures(out: &Path) {
    println!("\n{:<84} {:>10} {:>11}  reached", "what", "asked", "measured");
    for figure in figures::all(out) {
        println!(
            "{:<84} {:>10} {:>11}  {}",
            figure.what,
            figure.asked,
            figure.measured.as_deref().unwrap_or("–"),
            figure.verdict()
        );
    }
}
