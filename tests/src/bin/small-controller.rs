//! A program of its own over the library, whose playbooks are those of the tests: a process that can be killed and
//! interrupted. It takes the words of `mosip-prov run` that the tests need.

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use mosip_prov::{CancelHandle, Provisioner, RunOutcome, Settings};
use mosip_prov_tests::survival;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let mut settings = Settings::default();
    let (mut playbook, mut events) = (None, None);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        let seconds = |text: String| Duration::from_secs(text.parse().expect("seconds"));
        match word.as_str() {
            "run" => playbook = survival::find(&value()),
            "-i" => settings.inventory.push(value()),
            "--limit" => settings.limit = Some(value()),
            "--lock-timeout" => settings.lock_timeout = seconds(value()),
            "--reconnect-timeout" => settings.reconnect_timeout = seconds(value()),
            "--no-rollback" => settings.rollback = false,
            "--resume" => settings.resume = true,
            "--events" => events = Some(File::create(value()).expect("a file for events")),
            other => panic!("unexpected word {other}"),
        }
    }
    let playbook = playbook.expect("a playbook");
    let provisioner = Provisioner::load(settings).unwrap_or_else(|errors| panic!("{errors}"));
    let ready = provisioner
        .prepare(&[playbook])
        .and_then(mosip_prov::Ready::with_journal)
        .unwrap_or_else(|errors| panic!("{errors}"));
    let handler = |event: &mosip_prov::events::Event| {
        let mut line = serde_json::to_string(event).expect("JSON");
        line.push('\n');
        if let mosip_prov::events::EventKind::Warning { message, .. } = &event.kind {
            eprintln!("warning: {message}");
        }
        if let Some(file) = &mut events
            && let Err(error) = file.write_all(line.as_bytes())
        {
            // As the program does: it is said, and the run goes on.
            eprintln!("the events cannot be written: {error}");
        }
    };
    let report = tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let cancel = CancelHandle::new();
        let mut interrupts = signal(SignalKind::interrupt()).expect("a signal");
        let run = ready.run(handler, &cancel);
        let mut run = std::pin::pin!(run);
        loop {
            tokio::select! {
                report = &mut run => return report,
                _ = interrupts.recv() => cancel.cancel(),
            }
        }
    });
    for (name, host) in &report.hosts {
        if let Some(failure) = &host.unreachable {
            println!("{name}  unreachable: {}", failure.message);
        }
        for task in &host.tasks {
            println!("{name}  {:?}  {}  {}", task.status, task.id.task, task.reason);
            if let Some(error) = &task.error {
                let more = [&error.detail, &error.help].into_iter().flatten();
                println!("{name}  {}", error.message);
                more.for_each(|text| println!("{name}  {text}"));
            }
        }
    }
    ExitCode::from(match report.outcome() {
        RunOutcome::Ok => 0,
        RunOutcome::Failed => 2,
        RunOutcome::Unreachable => 4,
        RunOutcome::Interrupted => 130,
    })
}
