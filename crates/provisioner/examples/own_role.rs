//! A program of its own around the library: it defines a small role, runs it on the hosts of an inventory with an event
//! handler of its own, and works with the typed report.
//!
//! ```text
//! cargo run -p mosip-prov --example own_role -- inventory/rancher.ini 'physical_vms[0]'
//! ```

use mosip_prov::events::{EventKind, TaskStatus};
use mosip_prov::inventory::diagnostic::Diagnostics;
use mosip_prov::resources::File;
use mosip_prov::{
    CancelHandle, Play, PlaybookDefinition, Provisioner, Role, RoleContext, RoleTasks, RunOutcome, Settings, Task,
};
use std::process::ExitCode;

/// Tells who logs in what this machine is for.
struct Notice;

impl Role for Notice {
    fn name(&self) -> &str {
        "notice"
    }

    fn summary(&self) -> &str {
        "a line in /etc/motd that says what the machine is for"
    }

    // The defaults of the role's variables, in the same form as in an inventory.
    fn defaults(&self) -> &'static str {
        "notice_purpose: a node of MOSIP\nnotice_path: /etc/motd\n"
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        // Everything that is wrong goes into `problems`; nothing has been connected to yet.
        let purpose = problems
            .take(cx.vars.string("notice_purpose").map_err(Into::into))
            .flatten();
        let path = problems
            .take(cx.vars.string("notice_path").map_err(Into::into))
            .flatten();
        let mut out = RoleTasks::default();
        if let (Some(purpose), Some(path)) = (purpose, path) {
            let text = format!("{} is {purpose}\n", cx.host);
            out.tasks.push(Task::new(
                "say what the machine is for",
                File::content(path, text).mode(0o644),
            ));
        }
        out
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(inventory), pattern) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: own_role INVENTORY [PATTERN] [NAME=VALUE]");
        return ExitCode::from(1);
    };
    let settings = Settings {
        inventory: vec![inventory],
        extra_vars: arguments.collect(),
        ..Settings::default()
    };
    let pattern = pattern.unwrap_or_else(|| "all".to_owned());
    let playbook =
        PlaybookDefinition::new("notice", "what the machines are for").play(Play::new("Notice", pattern).role(Notice));

    let ready = Provisioner::load(settings).and_then(|p| p.prepare(&[playbook]));
    let ready = match ready {
        Ok(ready) => ready,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(1);
        }
    };
    let report = ready
        .run(
            |event| {
                if let EventKind::TaskFinished {
                    task, status, reason, ..
                } = &event.kind
                    && *status == TaskStatus::Changed
                {
                    println!("{}: {}: {reason}", task.host, task.task);
                }
            },
            &CancelHandle::new(),
        )
        .await;
    for (host, outcome) in &report.hosts {
        println!(
            "{host}: {} changed, {} failed, {} exchanges",
            outcome.counts.changed, outcome.counts.failed, outcome.exchanges
        );
    }
    match report.outcome() {
        RunOutcome::Ok => ExitCode::SUCCESS,
        RunOutcome::Failed | RunOutcome::Unreachable | RunOutcome::Interrupted => ExitCode::from(2),
    }
}
