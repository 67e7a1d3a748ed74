//! Playbooks of the tests' own, run through the library as another program would.

use std::sync::Arc;

use mosip_prov::inventory::diagnostic::Diagnostics;
use mosip_prov::resources::{Role, RoleContext, RoleTasks, Task};
use mosip_prov::{CancelHandle, Play, PlaybookDefinition, Provisioner, RunReport, Settings};

type Make = dyn Fn(&RoleContext<'_>) -> Vec<Task> + Send + Sync;

/// A role made of a function.
pub struct SmallRole(Arc<Make>);

impl SmallRole {
    /// The role whose tasks `make` makes.
    pub fn new(make: impl Fn(&RoleContext<'_>) -> Vec<Task> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// A playbook that has it done on the hosts of `pattern`, as root.
    pub fn playbook(self, pattern: &str) -> PlaybookDefinition {
        let mut playbook = PlaybookDefinition::new("small", "a small role of a test");
        playbook.plays.push(Play::new("small", pattern).role(self));
        playbook
    }
}

impl Role for SmallRole {
    fn name(&self) -> &str {
        "small"
    }

    fn summary(&self) -> &str {
        "a small role of a test"
    }

    fn tasks(&self, cx: &RoleContext<'_>, _problems: &mut Diagnostics) -> RoleTasks {
        RoleTasks {
            tasks: (self.0)(cx),
            handlers: Vec::new(),
        }
    }
}

/// Runs a playbook to its end.
///
/// # Panics
/// The inputs are refused.
pub fn run(settings: Settings, playbook: PlaybookDefinition) -> RunReport {
    let provisioner = Provisioner::load(settings).unwrap_or_else(|errors| panic!("{errors}"));
    let ready = provisioner
        .prepare(&[playbook])
        .unwrap_or_else(|errors| panic!("{errors}"));
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(ready.run(|_| {}, &CancelHandle::new()))
}

/// What went wrong in a run, for messages: message, detail and help of all failures, and why hosts were not reached.
pub fn failures(report: &RunReport) -> String {
    let of_host = |(name, host): (&String, &mosip_prov::HostReport)| {
        let tasks = host
            .tasks
            .iter()
            .filter_map(|task| Some((task.id.task.clone(), task.error.clone()?)));
        let lost = host
            .unreachable
            .clone()
            .map(|failure| ("unreachable".to_owned(), failure));
        tasks
            .chain(lost)
            .map(|(what, failure)| {
                format!(
                    "{name}: {what}: {}\n{}\n{}\n",
                    failure.message,
                    failure.detail.unwrap_or_default(),
                    failure.help.unwrap_or_default()
                )
            })
            .collect::<String>()
    };
    report.hosts.iter().map(of_host).collect()
}

/// Asserts that a run was fine on `host` and changed so many things there.
///
/// # Panics
/// It was not.
#[track_caller]
pub fn assert_changed(report: &RunReport, host: &str, changed: u32) {
    assert_eq!(failures(report), "");
    let have = report
        .hosts
        .get(host)
        .unwrap_or_else(|| panic!("{host} was not in the run"));
    let shown: Vec<_> = have
        .tasks
        .iter()
        .map(|t| format!("{:?} {}: {}", t.status, t.id.task, t.reason))
        .collect();
    assert_eq!(have.counts.changed, changed, "{host}:\n{}", shown.join("\n"));
}
