//! What the nodes of both clusters have in common: a machine made ready to be a node of a Kubernetes cluster. Kernel,
//! limits, no swap, and, for a cluster that RKE builds, Docker; RKE2 brings a container runtime of its own.
//!
//! There is no task that waits for the host: a task begins when the connection is there, and making it, with its
//! attempts, is the transport's.

mod daemon;
mod docker;
mod kernel;
mod settings;
mod system;

pub use daemon::Daemon;
pub use docker::SuitableDocker;
pub use settings::{Docker, DockerFrom, Settings};
pub use system::SuitableSystem;

use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::probe::package::{AskPackage, PackageStatus};
use mosip_prov_resources::vars::HostVars;
use mosip_prov_resources::{Apt, Ask, Condition, RoleTasks, Task, Verdict};

/// The tag of all tasks.
const PREPARE: &str = "prepare";

/// Docker only recommends it, but where the kernel has AppArmor, no container starts without its tools.
const APPARMOR: &str = "apparmor";

/// The tasks for a host with these variables, the role's defaults among them; all that is wrong with them goes into
/// `problems`, and then there are none.
pub fn tasks_from(vars: &HostVars, problems: &mut Diagnostics) -> RoleTasks {
    match Settings::read(vars, problems) {
        Some(settings) => tasks(&settings),
        None => RoleTasks::default(),
    }
}

/// Of the tasks for a host with these variables, those at the start that only ask: what only the host can tell and what
/// would keep it from becoming a node. None where the variables are wrong, which [`tasks_from`] reports.
pub fn checks_from(vars: &HostVars) -> Vec<Task> {
    Settings::read(vars, &mut Diagnostics::new()).map_or_else(Vec::new, |settings| checks(&settings))
}

/// What is seen to before the first change of a host.
fn checks(settings: &Settings) -> Vec<Task> {
    let system = SuitableSystem::new(&settings.kernel_modules, settings.sysctl.keys());
    let mut tasks = vec![Task::new("See that the machine can become a node", system).tag("kernel")];
    tasks.extend(
        settings
            .docker
            .as_ref()
            .map(|docker| docker::suitable(docker).tag("docker")),
    );
    tasks
}

/// The tasks for these settings, in order, and the handlers.
pub fn tasks(settings: &Settings) -> RoleTasks {
    let mut tasks = checks(settings);
    tasks.extend(kernel::tasks(settings).map(|task| task.tag("kernel")));
    tasks.extend(packages(settings).map(|task| task.tag("packages")));
    let mut handlers = Vec::new();
    if let Some(docker) = &settings.docker {
        tasks.extend(
            docker::tasks(docker, settings.lock_timeout)
                .into_iter()
                .map(|task| task.tag("docker")),
        );
        handlers = docker::handlers();
    }
    RoleTasks {
        tasks: tasks.into_iter().map(|task| task.tag(PREPARE)).collect(),
        handlers,
    }
}

fn packages(settings: &Settings) -> [Task; 2] {
    let wait = settings.lock_timeout;
    let mut required = settings.required_packages.clone();
    required.push(APPARMOR.to_owned());
    let docker = settings.docker.iter().flat_map(|docker| docker.from.packages());
    let all: Vec<String> = required
        .iter()
        .cloned()
        .chain(docker.map(|name| (*name).to_owned()))
        .collect();
    [
        Task::new("Refresh the package index", Apt::update_cache().lock_timeout(wait)).when(one_is_missing(all)),
        Task::new(
            "Install the packages that every node has",
            Apt::present(required).lock_timeout(wait),
        ),
    ]
}

/// The index of packages matters only where one is missing: a host that is right is not changed by its age.
fn one_is_missing(names: Vec<String>) -> Condition {
    let questions = names
        .iter()
        .map(|name| AskPackage::new(name.as_str()).question())
        .collect();
    Condition::new(questions, move |answers| {
        for name in &names {
            if !matches!(
                answers.get(&AskPackage::new(name.as_str()))?.status,
                PackageStatus::Installed { .. }
            ) {
                return Ok(Verdict::Do);
            }
        }
        Ok(Verdict::Skip("all packages are installed".into()))
    })
}
