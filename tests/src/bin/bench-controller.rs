//! What `cargo xtask bench` measures where no playbook of the program does the like: many small files, one large file.
//! A program of its own over the library, as an embedder would write it.
//!
//! ```text
//! bench-controller files FOLDER PATH-THERE -i INVENTORY --events FILE
//! bench-controller upload FILE PATH-THERE -i INVENTORY --events FILE
//! ```

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use mosip_prov::resources::{Content, File, Task};
use mosip_prov::{CancelHandle, Provisioner, RunOutcome, Settings};
use mosip_prov_tests::small_role::{SmallRole, failures};

/// One file of the host for each file of `from`: a folder's files below `to`, or one file as `to`.
fn tasks(from: &PathBuf, to: &str) -> std::io::Result<Vec<Task>> {
    let mut names = Vec::new();
    if from.is_dir() {
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            names.push((entry.path(), format!("{to}/{}", entry.file_name().to_string_lossy())));
        }
        names.sort();
    } else {
        names.push((from.clone(), to.to_owned()));
    }
    names
        .into_iter()
        .map(|(path, to)| {
            let bytes = std::fs::read(path)?;
            Ok(Task::new(
                format!("Copy {to}"),
                File::content(to, Content::public(bytes)).mode(0o644),
            ))
        })
        .collect()
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let ["files" | "upload", from, to, "-i", inventory, "--events", events] =
        words.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        eprintln!("usage: bench-controller files|upload FROM TO -i INVENTORY --events FILE");
        return ExitCode::from(1);
    };
    let tasks = match tasks(&PathBuf::from(from), to) {
        Ok(tasks) => tasks,
        Err(error) => {
            eprintln!("cannot read {from}: {error}");
            return ExitCode::from(1);
        }
    };
    let settings = Settings {
        inventory: vec![inventory.to_owned()],
        ..Settings::default()
    };
    let playbook = SmallRole::new(move |_| tasks.clone()).playbook("all");
    let ready = Provisioner::load(settings)
        .and_then(|provisioner| provisioner.prepare(&[playbook]))
        .and_then(mosip_prov::Ready::with_journal);
    let ready = match ready {
        Ok(ready) => ready,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(1);
        }
    };
    let mut events = match std::fs::File::create(events) {
        Ok(file) => BufWriter::new(file),
        Err(error) => {
            eprintln!("cannot write {events}: {error}");
            return ExitCode::from(1);
        }
    };
    let handler = |event: &mosip_prov::events::Event| {
        if let Ok(line) = serde_json::to_string(event) {
            let _ = writeln!(events, "{line}");
        }
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let report = runtime.block_on(ready.run(handler, &CancelHandle::new()));
    eprint!("{}", failures(&report));
    ExitCode::from(match report.outcome() {
        RunOutcome::Ok => 0,
        RunOutcome::Failed => 2,
        RunOutcome::Unreachable => 4,
        RunOutcome::Interrupted => 130,
    })
}
