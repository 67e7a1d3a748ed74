//! The docker backend: Docker with the tunnel's MTU, the image, its container and unit, and the files of its peers.

use crate::daemon::{self, DAEMON_FILE, VALIDATE};
use crate::folder::{Folder, FolderThere, FormerGone, WithFolder, Within};
use crate::settings::{DockerSettings, Settings};
use crate::{CONFIG, DOCKER, WIREGUARD, native, one_is_missing};
use mosip_prov_resources::probe::package::{AskPackage, PackageStatus};
use mosip_prov_resources::{
    Apt, Ask, Condition, Container, File, Group, Health, Image, Outcome, RoleTasks, Task, Unit, User, Verdict,
};
use mosip_prov_wireguard::PeerFiles;
use std::time::Duration;

const INSTALL: &str = "Install Docker";
const CONFIGURE: &str = "Configure Docker";
const COMMAND: &str = "Have Docker started on that alone";
const DROP_IN_FOLDER: &str = "/etc/systemd/system/docker.service.d";
const DROP_IN: &str = "/etc/systemd/system/docker.service.d/mosip-wireguard.conf";
/// The unit of the container.
pub(crate) const UNIT: &str = "wireguard-container.service";
const UNIT_FILE: &str = "/etc/systemd/system/wireguard-container.service";

/// The network inside the tunnel that the image makes when it is told of none.
const OF_IMAGE: &str = "10.13.13.0/24";

/// `/etc/default/docker` may hold options, and one that stands in daemon.json too keeps Docker from starting. Debian and
/// Ubuntu have the program in different folders.
const DROP_IN_TEXT: &str = "# Managed by mosip-prov: all of Docker's settings stand in /etc/docker/daemon.json.
[Service]
ExecStart=
ExecStart=/usr/bin/env dockerd -H fd:// --containerd=/run/containerd/containerd.sock
";

const ANSWERS: &str = "timeout 20 docker version --format '{{.Server.Version}}'";

pub(crate) fn tasks(settings: &Settings, docker: &DockerSettings) -> RoleTasks {
    let mut tasks: Vec<Task> = native::stopped().into_iter().map(|task| task.tag(WIREGUARD)).collect();
    tasks.extend(the_daemon(settings, docker).into_iter().map(|task| task.tag(DOCKER)));
    tasks.extend(
        the_container(settings, docker)
            .into_iter()
            .map(|task| task.tag(WIREGUARD)),
    );
    let files =
        PeerFiles::new(settings.vpn.layout.clone(), settings.vpn.peer.clone()).of(settings.vpn.declared.names());
    tasks.push(
        Task::new(
            "Have every peer's file say where the VPN is and leads to",
            Within(Duration::from_secs(30), files),
        )
        .tag(CONFIG),
    );
    RoleTasks {
        tasks,
        handlers: Vec::new(),
    }
}

fn the_daemon(settings: &Settings, docker: &DockerSettings) -> Vec<Task> {
    let wait = settings.lock_timeout;
    let roots = |file: File, mode| file.mode(mode).owner("root").group("root");
    let wanted = daemon::wanted(settings.vpn.peer.mtu, &docker.daemon);
    vec![
        // Before Docker comes, so that it starts on them at once.
        Task::new(
            "Make the folder of Docker's configuration",
            roots(File::directory("/etc/docker"), 0o755),
        ),
        Task::new(
            CONFIGURE,
            roots(File::content(DAEMON_FILE, daemon::merged(wanted)), 0o644).validate(VALIDATE),
        ),
        Task::new(
            "Make the folder of its unit's settings",
            roots(File::directory(DROP_IN_FOLDER), 0o755),
        ),
        Task::new(COMMAND, roots(File::content(DROP_IN, DROP_IN_TEXT), 0o644)),
        Task::new("Refresh the package index", Apt::update_cache().lock_timeout(wait)).when(missing()),
        Task::new(
            INSTALL,
            // What it recommends is git, criu, needrestart and the like; without apparmor's tools no container starts where
            // the kernel has AppArmor.
            Apt::present(["docker.io", "apparmor"])
                .no_recommends()
                .lock_timeout(wait),
        )
        .when(not_from_vendor()),
        Task::new("Restart Docker on its new settings", Unit::restarted("docker")).when(settings_changed()),
        Task::new(
            "Run Docker, now and after each boot",
            Unit::new("docker").running().enabled(),
        ),
        Task::new(
            "Make the group of those who use Docker",
            Group::present("docker").system(),
        ),
        Task::new(
            "Put the user into it",
            User::present(&docker.user).groups(["docker"], true),
        ),
        Task::new(
            "See that Docker answers",
            Health::of("Docker", ANSWERS).for_at_most(Duration::from_secs(60)),
        ),
    ]
}

/// Docker's own package would be removed by the distribution's, and serves as well.
fn not_from_vendor() -> Condition {
    let ask = AskPackage::new("docker-ce");
    Condition::new(vec![ask.question()], move |answers| {
        Ok(match answers.get(&ask)?.status {
            PackageStatus::Installed { version } => Verdict::Skip(format!("docker-ce {version} is installed")),
            _ => Verdict::Do,
        })
    })
}

fn missing() -> Condition {
    one_is_missing(&["docker.io", "apparmor"], &["docker-ce"])
}

/// One that has only just been installed runs on them already.
fn settings_changed() -> Condition {
    Condition::new(Vec::new(), |answers| {
        let changed = |task| answers.outcome(task) == Some(Outcome::Changed);
        Ok(if changed(INSTALL) {
            Verdict::Skip("Docker has started on them".into())
        } else if changed(CONFIGURE) || changed(COMMAND) {
            Verdict::Do
        } else {
            Verdict::Skip("its settings are as they were".into())
        })
    })
}

fn the_container(settings: &Settings, docker: &DockerSettings) -> Vec<Task> {
    let vpn = &settings.vpn;
    let (name, folder) = (&vpn.layout.container, Folder(vpn.layout.folder.clone()));
    let mut image = Image::present(&docker.image);
    if let Some(archive) = &docker.archive {
        image = image.from_archive(archive.clone());
    }
    if docker.newest {
        image = image.newest();
    }
    let mut container = Container::running(name, &docker.image)
        .env("PUID", docker.puid.to_string())
        .env("PGID", docker.pgid.to_string())
        .env("TZ", &docker.timezone)
        .env("PEERS", vpn.declared.for_image())
        .port(format!("{}:51820/udp", vpn.port))
        .volume("/lib/modules:/lib/modules")
        .capability("NET_ADMIN")
        .capability("SYS_MODULE")
        .sysctl("net.ipv4.conf.all.src_valid_mark", "1")
        .restart("unless-stopped")
        // The image makes its files first and the tunnel then: from here on they stay as they are.
        .ready_when("wg show wg0", 30);
    let subnet = vpn.subnet.to_string();
    if subnet != OF_IMAGE {
        let address = subnet.split('/').next().unwrap_or_default();
        container = container.env("INTERNAL_SUBNET", address);
    }
    let unit = File::content(UNIT_FILE, unit_file(name))
        .mode(0o644)
        .owner("root")
        .group("root");
    vec![
        Task::new(
            "Make the folder of the VPN's files",
            FolderThere {
                folder: folder.clone(),
                owner: (docker.puid, docker.pgid),
            },
        ),
        Task::new("Get the image", image),
        Task::new(
            "Remove the container of a former name",
            FormerGone {
                unit: UNIT,
                file: UNIT_FILE,
                name: name.clone(),
            },
        ),
        Task::new("Run the container", WithFolder { folder, container }),
        Task::new("Write its unit", unit),
        Task::new(
            "Run the unit, now and after each boot",
            Unit::new(UNIT).running().enabled(),
        ),
    ]
}

/// Docker starts the container again when it ends; the unit starts it at boot, and stops it for good.
fn unit_file(name: &str) -> String {
    format!(
        "# Managed by mosip-prov.\n[Unit]\nDescription=WireGuard in the container {name}\nRequires=docker.service\n\
         After=docker.service\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/docker start {name}\n\
         ExecStop=/usr/bin/docker stop {name}\n\n[Install]\nWantedBy=multi-user.target\n"
    )
}

/// The docker backend's unit does not run: its container holds the port.
pub(crate) fn stopped() -> Task {
    Task::new(
        "See that the container of the other backend does not run",
        Unit::new(UNIT).stopped().disabled(),
    )
}
