//! A machine of a cluster that RKE2 builds: the release and images on it, its configuration, its service.
//!
//! The parts are plays of their own: what is large goes to all machines at once, the first server makes the cluster, further
//! servers join one after the other, and agents all at once. A machine has tasks in the part that is its own.

use mosip_prov_resources::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_resources::{File, Role, RoleContext, RoleTasks, RunAs, Task, WaitFor};
use mosip_prov_rke2::{
    API_PORT, Around, Artifacts, CONFIG_FILE, CONFIG_FOLDER, ConfigFile, DEFAULTS, Distribution, Flavor, Installed,
    Library, MANIFESTS_FOLDER, Machine, NodeToken, Placed, Rejoin, SUPERVISOR_PORT, Service, Settings, TOKEN_FILE,
    Topology, config,
};
use std::time::Duration;

/// The tag of what can be done long before the cluster is built.
const PREPARE: &str = "prepare";
/// The tag of what builds the cluster.
const CLUSTER: &str = "cluster";
/// The tag of what sets the MTU.
const MTU: &str = "mtu";

/// What of a machine a play brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The release and images, on all machines.
    Files,
    /// The server that makes the cluster.
    FirstServer,
    /// The servers that join it.
    FurtherServers,
    /// The agents.
    Agents,
}

/// The role `rke2-node`.
#[derive(Debug, Clone)]
pub struct Rke2Node {
    flavor: Flavor,
    part: Part,
    library: Library,
}

impl Rke2Node {
    /// `part` of every machine of a cluster. Roles that share a `library` read large files once.
    pub fn new(flavor: Flavor, part: Part, library: Library) -> Self {
        Self { flavor, part, library }
    }

    fn has_part(&self, topology: &Topology, machine: &Machine) -> bool {
        let first = topology.is_first(&machine.name);
        match self.part {
            Part::Files => true,
            Part::FirstServer => first,
            Part::FurtherServers => !first && machine.roles.is_server(),
            Part::Agents => !machine.roles.is_server(),
        }
    }

    /// The tasks for the host of `around`. All that is wrong goes into `problems`.
    pub fn tasks_for(&self, around: &Around<'_>, problems: &mut Diagnostics) -> RoleTasks {
        let none = RoleTasks::default();
        if Distribution::read(around.vars, problems) != Some(Distribution::Rke2) {
            return none;
        }
        let Some(topology) = Topology::read(self.flavor, around, problems) else {
            return none;
        };
        let Some(machine) = topology.machine(around.host) else {
            return none;
        };
        let Some(settings) = Settings::read(self.flavor, around, &topology, problems) else {
            return none;
        };
        let chosen = (&settings.release, settings.cni);
        let Some(artifacts) = Artifacts::read(around.vars, around.base_dir, chosen, &self.library, problems) else {
            return none;
        };
        if config::mtu_is_left_out(&settings) {
            problems.push(
                Diagnostic::warning(format!(
                    "network_mtu is {}, and RKE2 has no setting for the MTU of {}",
                    settings.mtu,
                    settings.cni.name()
                ))
                .at(around.vars.location("network_mtu"))
                .help("set network_mtu to 0, or take canal, calico or cilium"),
            );
        }
        if !self.has_part(&topology, machine) {
            return none;
        }
        let tasks = match self.part {
            Part::Files => files(&settings, artifacts, machine.roles.is_server()),
            _ => member(&settings, &topology, machine, &artifacts),
        };
        RoleTasks {
            tasks,
            handlers: Vec::new(),
        }
    }
}

impl Role for Rke2Node {
    fn name(&self) -> &str {
        "rke2-node"
    }

    fn summary(&self) -> &str {
        "a machine of an RKE2 cluster: release and images, configuration, service"
    }

    fn defaults(&self) -> &'static str {
        DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        self.tasks_for(&Around::of(cx), problems)
    }
}

fn files(settings: &Settings, artifacts: Artifacts, server: bool) -> Vec<Task> {
    let install = Installed::new(settings.release.clone(), artifacts.tarball);
    let mut tasks = vec![Task::new("Install RKE2", install)];
    for image in artifacts.images {
        let name = format!("Put {} into place", image.name);
        tasks.push(Task::new(name, Placed::new(image)));
    }
    let guard = Service::guard_path(server);
    tasks.push(Task::new(
        "Make the folder of the service's settings",
        File::directory(folder_of(&guard)),
    ));
    tasks.push(Task::new(
        "Keep RKE2 from starting without its configuration",
        of_root(File::content(guard, Service::guard()).mode(0o644)),
    ));
    tasks.into_iter().map(|task| task.tag(PREPARE)).collect()
}

fn of_root(file: File) -> File {
    file.owner("root").group("root")
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(folder, _)| folder)
}

fn member(settings: &Settings, topology: &Topology, machine: &Machine, artifacts: &Artifacts) -> Vec<Task> {
    let server = machine.roles.is_server();
    let content = config::config(settings, topology, machine);
    let release = format!("{} {}", settings.release.text, artifacts.tarball.sha256);
    let mut service = Service::new(server, &content, &release).for_at_most(settings.start_timeout);
    if !topology.is_first(&machine.name) {
        service = service.joins(settings.registration.as_str());
    }
    let token = NodeToken::at(TOKEN_FILE, settings.token.clone());
    let mut token_task = Task::new("Put the cluster's token into place", token.clone());
    if let Some((node, questions)) = token.consulted() {
        token_task = token_task.consult(node, RunAs::Login, questions);
    }
    let mut tasks = vec![
        Task::new(
            "Make the folder of RKE2's configuration",
            of_root(File::directory(CONFIG_FOLDER).mode(0o755)),
        ),
        token_task,
        Task::new("Configure RKE2", ConfigFile::new(CONFIG_FILE, content)),
    ];
    if topology.is_first(&machine.name) {
        let members = topology
            .machines
            .iter()
            .filter(|m| m.roles.etcd && m.name != machine.name);
        let others: Vec<_> = members
            .map(|m| (m.name.clone(), m.inner_address().to_owned()))
            .collect();
        if !others.is_empty() {
            let rejoin = Rejoin::one_of(others);
            let asked: Vec<_> = rejoin.consulted().collect();
            let task = Task::new("Join the cluster where other servers have it already", rejoin);
            tasks.push(asked.into_iter().fold(task, |task, (server, questions)| {
                task.consult(server, RunAs::User("root".into()), questions)
            }));
        }
    }
    if machine.roles.control_plane {
        let manifests = config::manifests(settings);
        if !manifests.is_empty() {
            tasks.push(Task::new(
                "Make the folder of manifests",
                File::directory(MANIFESTS_FOLDER),
            ));
        }
        for manifest in manifests {
            let file = of_root(File::content(manifest.path, manifest.content).mode(0o600));
            let mut task = Task::new(format!("Set the values of {}", manifest.chart), file);
            if manifest.chart != "rke2-ingress-nginx" {
                task = task.tag(MTU);
            }
            tasks.push(task);
        }
    }
    let drop_in = service.drop_in_path();
    let unit = service.unit();
    tasks.extend([
        Task::new(
            "Make the folder of the service's settings",
            File::directory(folder_of(&drop_in)),
        ),
        Task::new(
            "Tell the service which configuration it has",
            of_root(File::content(drop_in, service.drop_in()).mode(0o644)),
        ),
        Task::new(format!("Run {unit}, now and after each boot"), service),
    ]);
    if server {
        // Further servers and agents ask here.
        let answers = |port| WaitFor::port("localhost", port).for_at_most(Duration::from_secs(300));
        tasks.push(Task::new("See that others can join here", answers(SUPERVISOR_PORT)));
        if machine.roles.control_plane {
            tasks.push(Task::new("See that the API answers", answers(API_PORT)));
        }
    }
    tasks.into_iter().map(|task| task.tag(CLUSTER)).collect()
}
