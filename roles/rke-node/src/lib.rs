//! A machine made ready to be a node of a Kubernetes cluster that RKE builds: kernel, limits, no swap, and Docker.
//!
//! There is no task that waits for the host: a task begins when the connection is there, and making it, with its
//! attempts, is the transport's.

mod daemon;
mod settings;
mod system;

pub use daemon::Daemon;
pub use settings::{DockerFrom, Settings};
pub use system::SuitableSystem;

use mosip_prov_resources::diagnostic::Diagnostics;
use mosip_prov_resources::probe::package::{AskPackage, PackageStatus};
use mosip_prov_resources::{
    Apt, AptRepository, Ask, Block, Condition, File, Group, Health, KernelModules, Role, RoleContext, RoleTasks,
    Source, Swap, Sysctl, Task, Unit, User, Verdict,
};
use std::time::Duration;

/// The defaults of the role's variables.
pub const DEFAULTS: &str = include_str!("../defaults.yml");

/// The tag of all tasks.
const PREPARE: &str = "prepare";
const RESTART: &str = "restart docker";
const PROVE: &str = "see that docker answers";

const LIMITS_MARKER: &str = "# {mark} ANSIBLE MANAGED BLOCK - SYSTEM LIMITS";
const SYSCTL_FILE: &str = "/etc/sysctl.d/99-kubernetes.conf";
const DAEMON_FILE: &str = "/etc/docker/daemon.json";

/// Docker only recommends it, but where the kernel has AppArmor, no container starts without its tools.
const APPARMOR: &str = "apparmor";

/// Docker before 23 cannot check a file. What it finds wrong is printed; what it finds right, too.
const VALIDATE: &str = r#"command -v dockerd >/dev/null || exit 0
dockerd --help 2>&1 | grep -q -e --validate || exit 0
o=$(dockerd --validate --config-file "$1" 2>&1) || { echo "$o"; exit 1; }"#;

/// The daemon itself, not only its client.
const ANSWERS: &str = "timeout 20 docker version --format '{{.Server.Version}}'";

/// The role `rke-node`.
#[derive(Debug, Clone, Copy, Default)]
pub struct RkeNode;

impl Role for RkeNode {
    fn name(&self) -> &str {
        "rke-node"
    }

    fn summary(&self) -> &str {
        "a machine ready to be a node: kernel modules and settings, limits, no swap, Docker"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        match Settings::read(cx.vars, problems) {
            Some(settings) => tasks(&settings),
            None => RoleTasks::default(),
        }
    }
}

/// The tasks for these settings, in order, and the handlers.
pub fn tasks(settings: &Settings) -> RoleTasks {
    let mut tasks = vec![Task::new("See that the machine can become a node", SuitableSystem)];
    tasks.extend(kernel(settings).map(|task| task.tag("kernel")));
    tasks.extend(packages(settings).map(|task| task.tag("packages")));
    tasks.extend(docker(settings).into_iter().map(|task| task.tag("docker")));
    let handlers = vec![
        Task::new(RESTART, Unit::restarted("docker")),
        Task::new(PROVE, docker_answers()),
    ];
    RoleTasks {
        tasks: tasks.into_iter().map(|task| task.tag(PREPARE)).collect(),
        handlers,
    }
}

fn kernel(settings: &Settings) -> impl Iterator<Item = Task> {
    let mut modules = KernelModules::loaded(settings.kernel_modules.clone());
    for (module, proof) in [("br_netfilter", "/proc/sys/net/bridge"), ("overlay", "overlay")] {
        if settings.kernel_modules.iter().any(|name| name == module) {
            modules = modules.proof(module, proof);
        }
    }
    let limits = Block::new("/etc/security/limits.conf", settings.limits.join("\n"))
        .marker(LIMITS_MARKER)
        .create(0o644);
    let swap = settings
        .disable_swap
        .then(|| Task::new("Switch swap off, now and after each boot", Swap::off()));
    [
        Task::new("Load the kernel modules, now and after each boot", modules),
        Task::new("Set the limits of sessions", limits),
        Task::new(
            "Set the kernel's parameters, now and after each boot",
            Sysctl::in_file(SYSCTL_FILE).set_all(&settings.sysctl),
        ),
    ]
    .into_iter()
    .chain(swap)
}

fn packages(settings: &Settings) -> [Task; 2] {
    let wait = settings.lock_timeout;
    let mut required = settings.required_packages.clone();
    required.push(APPARMOR.to_owned());
    let docker = settings.docker.packages().iter().map(|name| (*name).to_owned());
    let all: Vec<String> = required.iter().cloned().chain(docker).collect();
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

fn docker(settings: &Settings) -> Vec<Task> {
    let wait = settings.lock_timeout;
    // What it recommends is git, criu, needrestart and the like.
    let mut install = Apt::present(settings.docker.packages().iter().copied())
        .no_recommends()
        .lock_timeout(wait);
    let mut tasks = Vec::new();
    if let DockerFrom::Vendor { version, vars } = &settings.docker {
        let of_host = |name: &'static str| {
            let vars = vars.clone();
            Source::from_facts(move |facts| settings::with_facts(&vars, facts, name))
        };
        let repository = AptRepository::with_key_from(
            "docker",
            of_host("docker_apt_repository"),
            of_host("docker_apt_gpg_key"),
        );
        tasks.push(Task::new(
            "Add Docker's package repository",
            repository.lock_timeout(wait),
        ));
        if let Some(version) = version {
            install = install
                .version("docker-ce", version)
                .version("docker-ce-cli", version)
                .hold();
        }
    }
    tasks.extend([
        Task::new("Install Docker", install),
        Task::new(
            "Make the group of those who use Docker",
            Group::present("docker").system(),
        ),
        Task::new(
            "Put the user that RKE logs in as into it",
            User::present(&settings.docker_user).groups(["docker"], true),
        ),
        Task::new(
            "Make the folder of Docker's configuration",
            File::directory("/etc/docker").mode(0o755).owner("root").group("root"),
        ),
        Task::new(
            "Configure Docker",
            File::content(DAEMON_FILE, settings.daemon.to_json())
                .mode(0o644)
                .owner("root")
                .group("root")
                .validate(VALIDATE),
        )
        .notify(RESTART)
        .notify(PROVE),
        Task::new(
            "Run containerd, now and after each boot",
            Unit::new("containerd").running().enabled(),
        ),
        Task::new(
            "Run Docker, now and after each boot",
            Unit::new("docker").running().enabled(),
        ),
        Task::new("See that Docker answers", docker_answers()),
    ]);
    tasks
}

fn docker_answers() -> Health {
    Health::of("Docker", ANSWERS).for_at_most(Duration::from_secs(60))
}
