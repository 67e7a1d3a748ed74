//! What must hold on every machine before the first one is changed: a run that cannot end well should not begin. All
//! tasks of these roles only ask; none changes anything.

mod clock;
mod guide_size;
mod ports;
mod room;
mod settings;
mod tools;

pub use clock::SameTime;
pub use guide_size::GuideSize;
pub use mosip_prov_preflight::guide::{Size, WantedSize};
pub use ports::FreePorts;
pub use room::FreeDisk;
pub use settings::Settings;
pub use tools::{Tool, Wanted};

use mosip_prov_node::SuitableSystem;
use mosip_prov_preflight::fleet::{Duty, duties_of};
use mosip_prov_preflight::guide;
use mosip_prov_preflight::ports::ports_for;
use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::{Role, RoleContext, RoleTasks, RunAs, Task};
use std::collections::BTreeSet;

/// The defaults of the roles' variables.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

/// Checks that stand before everything are made whatever tags are chosen.
const ALWAYS: &str = "always";
const CHECK: &str = "check";

/// What the machine of `cx` is there for.
fn duties(cx: &RoleContext<'_>) -> BTreeSet<Duty> {
    let physical = |host: &str| cx.vars_of(host)?.string("physical_vm").ok()?;
    duties_of(cx.host, |group| cx.hosts_of(group), physical)
}

/// The role `ready`: a machine that is to be deployed to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ready;

impl Role for Ready {
    fn name(&self) -> &str {
        "ready"
    }

    fn summary(&self) -> &str {
        "a machine that can be deployed to: system, free disk, clock, ports; changes nothing"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        let Some(settings) = Settings::read(cx.vars, problems) else {
            return RoleTasks::default();
        };
        let deployment = cx.deployment_node();
        let mut tasks = vec![
            Task::new(
                "See that the machine can be used",
                SuitableSystem::new([""; 0], [""; 0]),
            ),
            Task::new(
                "See that its disk has room",
                FreeDisk::at_least_mib(settings.min_free_disk),
            ),
        ];
        if cx.host != deployment {
            let clock = SameTime::within_seconds(settings.max_clock_skew);
            let there = clock.elsewhere();
            tasks.push(Task::new("See that its clock is right", clock).consult(deployment, RunAs::Login, vec![there]));
        }
        let duties = duties(cx);
        let ports = ports_for(&duties);
        if !ports.is_empty() {
            tasks.push(Task::new(
                "See that no other service has its ports",
                FreePorts::new(ports),
            ));
        }
        if let Some(wanted) = settings.wanted(guide::size_for(&duties)) {
            tasks.push(Task::new("Compare it with the guide", GuideSize::new(wanted)).ignore_errors());
        }
        RoleTasks {
            tasks: tasks.into_iter().map(|task| task.tag(CHECK).tag(ALWAYS)).collect(),
            handlers: Vec::new(),
        }
    }
}

/// The role `ready-tools`: the deployment node has the tools that the playbook calls there.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadyTools;

impl Role for ReadyTools {
    fn name(&self) -> &str {
        "ready-tools"
    }

    fn summary(&self) -> &str {
        "a deployment node with the tools that are called there, in their versions; changes nothing"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        let Some(settings) = Settings::read(cx.vars, problems) else {
            return RoleTasks::default();
        };
        let kubectl = Task::new("See that kubectl is there", Tool::kubectl(1, 20));
        let istioctl = Task::new("See that istioctl is there", Tool::istioctl(settings.istio_version));
        RoleTasks {
            tasks: vec![
                ["cluster", "mtu", "import", "verify", "istio", CHECK]
                    .into_iter()
                    .fold(kubectl, Task::tag),
                istioctl.tag("istio").tag(CHECK),
            ],
            handlers: Vec::new(),
        }
    }
}
