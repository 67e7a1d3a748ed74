//! The docker backend: Docker with the tunnel's MTU, the image, its container and unit, and the files of its peers.

use crate::daemon::{self, DAEMON_FILE};
use crate::folder::{Folder, FolderThere, FormerGone, WithFolder, Within};
use crate::running::NotRunning;
use crate::settings::{DockerSettings, Settings};
use crate::{CONFIG, DOCKER, WIREGUARD, native, one_is_missing};
use mosip_prov_resources::probe::command::AskCommand;
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
        Task::new(CONFIGURE, daemon::DaemonFile(wanted)),
        Task::new(
            "Make the folder of its unit's settings",
            roots(File::directory(DROP_IN_FOLDER), 0o755),
        ),
        Task::new(COMMAND, roots(File::content(DROP_IN, DROP_IN_TEXT), 0o644)),
        Task::new("Refresh the package index", Apt::update_cache().lock_timeout(wait)).when(missing()),
        // Without them no container starts where the kernel has AppArmor. By themselves, since a change to these is no start
        // of Docker.
        Task::new(
            "Install the tools of AppArmor",
            Apt::present(["apparmor"]).no_recommends().lock_timeout(wait),
        )
        .when(not_from_vendor()),
        Task::new(
            INSTALL,
            // What it recommends is git, criu, needrestart and the like.
            Apt::present(["docker.io"]).no_recommends().lock_timeout(wait),
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

/// Prints `older` where Docker runs since before a file of its settings was written. systemd tells whole seconds: a file of
/// the same second was written before, as when this role restarts it right after.
fn runs_on_former() -> AskCommand {
    AskCommand(format!(
        "s=$(LC_ALL=C TZ=UTC systemctl show -p ExecMainStartTimestamp docker.service 2>/dev/null) || exit 0\ns=${{s#*=}}\n\
         [ -n \"$s\" ] || exit 0\ns=$(date -d \"$s\" +%s 2>/dev/null) || exit 0\n\
         for t in $(stat -L -c %Y {DAEMON_FILE} {DROP_IN} 2>/dev/null); do\n\
         if [ \"$t\" -gt \"$s\" ]; then echo older; exit 0; fi\ndone"
    ))
}

/// One that has only just been installed runs on them already. What an earlier run wrote before it broke off counts too, and
/// that before the image is pulled: mirrors and registries of it may stand in these settings. A handler would come too late.
fn settings_changed() -> Condition {
    let ask = runs_on_former();
    Condition::new(vec![ask.question()], move |answers| {
        let changed = |task: &str| answers.outcome(task) == Some(Outcome::Changed);
        Ok(restart_needed(changed, answers.get(&ask)?.output.trim() == "older"))
    })
}

fn restart_needed(changed: impl Fn(&str) -> bool, older: bool) -> Verdict {
    if changed(INSTALL) {
        Verdict::Skip("Docker has started on them".into())
    } else if changed(CONFIGURE) || changed(COMMAND) || older {
        Verdict::Do
    } else {
        Verdict::Skip("Docker runs on them".into())
    }
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

/// The docker backend does not run: its container holds the port, whoever started it.
pub(crate) fn stopped(settings: &Settings) -> [Task; 2] {
    [
        Task::new(
            "See that the container of the other backend does not run",
            Unit::new(UNIT).stopped().disabled(),
        ),
        Task::new(
            "See that nothing else runs that container",
            NotRunning {
                name: settings.vpn.layout.container.clone(),
                port: settings.vpn.port,
            },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(changed: &[&str], said: &str) -> bool {
        matches!(
            restart_needed(|task| changed.contains(&task), said == "older"),
            Verdict::Do
        )
    }

    #[test]
    fn docker_is_restarted_when_it_runs_on_former_settings() {
        assert!(!verdict(&[], ""));
        assert!(verdict(&[CONFIGURE], "") && verdict(&[COMMAND], ""));
        assert!(!verdict(&[CONFIGURE, COMMAND, INSTALL], ""), "it has started on them");
        // Docker was there, and another package was not.
        assert!(verdict(&[CONFIGURE, "Install the tools of AppArmor"], ""));
        // An earlier run broke off between the settings and the restart.
        assert!(verdict(&[], "older"));
    }

    #[test]
    fn docker_is_asked_since_when_it_runs() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let script = runs_on_former()
            .0
            .replace(DAEMON_FILE, &at("daemon.json"))
            .replace(DROP_IN, &at("drop-in"));
        let said = |show: &str| {
            let script = format!("systemctl() {{ {show}; }}\n{script}");
            let output = std::process::Command::new("sh").args(["-c", &script]).output();
            let output = output.expect("sh");
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).expect("text").trim().to_owned()
        };
        let (before, after) = (
            "echo ExecMainStartTimestamp=Tue 2020-01-07 10:00:00 UTC",
            "echo ExecMainStartTimestamp=Wed 2098-01-01 10:00:00 UTC",
        );
        assert_eq!(said(before), "", "there are no settings");
        std::fs::write(at("daemon.json"), "{}").expect("written");
        assert_eq!((said(before).as_str(), said(after).as_str()), ("older", ""));
        let touched = std::process::Command::new("touch")
            .args(["-d", "2020-01-07 10:00:00.7 UTC", &at("daemon.json")])
            .status();
        assert!(touched.expect("touch").success());
        assert_eq!(said(before), "", "restarted in the second it was written in");
        assert_eq!(said("echo ExecMainStartTimestamp="), "", "it does not run");
        assert_eq!(said("return 127"), "");
    }
}
