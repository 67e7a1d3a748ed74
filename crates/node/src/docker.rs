//! Docker on a node: what is there already, packages, its user, its settings, and that it answers.

use crate::daemon::DaemonFile;
use crate::settings::{self, Docker, DockerFrom};
use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::probe::package::{AskPackage, PackageStatus};
use mosip_prov_resources::{
    Answers, Apt, AptRepository, Ask, DecideError, Decision, File, Group, Health, Question, Resource, Source, Task,
    Unit, User,
};
use std::time::Duration;

const RESTART: &str = "restart docker";
const PROVE: &str = "see that docker answers";

/// The daemon itself, not only its client.
const ANSWERS: &str = "timeout 20 docker version --format '{{.Server.Version}}'";

/// Packages that bring a `docker` of their own and do not go together with another's.
const DOCKERS: [&str; 4] = ["docker-ce", "docker.io", "docker-engine", "podman-docker"];
/// Docker as a snap, beside which no package of it works.
const SNAP: &str = "/snap/docker";

/// Docker is on the host as the settings want it, or not at all: what is there in another version, or from another
/// source, is not replaced unasked, since that stops every container of the host.
#[derive(Debug, Clone)]
pub struct SuitableDocker {
    packages: &'static [&'static str],
    version: Option<String>,
    replace: bool,
}

impl SuitableDocker {
    /// Docker as `docker` wants it.
    pub fn new(docker: &Docker) -> Self {
        let version = match &docker.from {
            DockerFrom::Vendor { version, .. } => version.clone(),
            DockerFrom::Distribution => None,
        };
        Self {
            packages: docker.from.packages(),
            version,
            replace: docker.replace,
        }
    }

    /// The version that its first package shall have, and the question that tells which it has. The same question as
    /// the task's that installs it.
    fn ask(&self) -> AskPackage {
        let ask = AskPackage::new(self.packages[0]);
        if self.version.is_some() {
            ask.with_candidate()
        } else {
            ask
        }
    }

    fn others(&self) -> impl Iterator<Item = &'static str> {
        let own = self.packages[0];
        DOCKERS.into_iter().filter(move |name| *name != own)
    }

    /// What `docker_install_from_apt` says, in its own words.
    fn source(&self) -> &'static str {
        if self.packages[0] == "docker.io" {
            "docker_install_from_apt is true, which means docker.io"
        } else {
            "docker_install_from_apt is false, which means docker-ce"
        }
    }
}

impl Resource for SuitableDocker {
    fn kind(&self) -> &'static str {
        "docker"
    }

    fn questions(&self) -> Vec<Question> {
        let others = self.others().map(|name| AskPackage::new(name).state_only().question());
        let mut questions = vec![self.ask().question(), FileAsk::new(SNAP).question()];
        questions.extend(others);
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        const REPLACE: &str = "set docker_replace_other_version to true to have it replaced, which stops every container \
                               of the host for that time";
        if let Some(task) = self
            .questions()
            .iter()
            .find_map(|question| answers.pending_for(question))
        {
            return Ok(Decision::unknown(format!(
                "\"{task}\" comes first and may change which Docker is there"
            )));
        }
        let own = self.packages[0];
        let mut foreign = Vec::new();
        for name in self.others() {
            if let PackageStatus::Installed { version } = answers.get(&AskPackage::new(name).state_only())?.status {
                foreign.push(format!("{name} {version}"));
            }
        }
        if !matches!(answers.get(&FileAsk::new(SNAP))?, FileState::Absent { .. }) {
            return Err(DecideError::impossible_help(
                format!("Docker is installed as a snap, and {}", self.source()),
                "remove the snap on the host (snap remove docker), which removes its containers too",
            ));
        }
        let installed = match answers.get(&self.ask())?.status {
            PackageStatus::Installed { version } => Some(version),
            _ => None,
        };
        let other_version = match (&installed, &self.version) {
            (Some(there), Some(wanted)) => {
                // Whether a version is the wanted one is said by what installs it.
                let pinned = Apt::present([own]).version(own, wanted);
                matches!(pinned.decide(answers)?, Decision::Change(_)).then(|| (there.clone(), wanted.clone()))
            }
            _ => None,
        };
        if self.replace && !(foreign.is_empty() && other_version.is_none()) {
            let there = other_version.map_or_else(|| foreign.join(", "), |(there, _)| format!("{own} {there}"));
            return Ok(Decision::nothing(format!("{there} is installed, and will be replaced")));
        }
        if !foreign.is_empty() {
            let choice = match (foreign[0].starts_with("docker.io"), own) {
                (true, _) => "set docker_install_from_apt to true to keep it, or ",
                (_, "docker.io") if foreign[0].starts_with("docker-ce") => {
                    "set docker_install_from_apt to false and docker_version to what is there to keep it, or "
                }
                _ => "",
            };
            return Err(DecideError::impossible_help(
                format!("{} is installed, and {}", foreign.join(", "), self.source()),
                format!("{choice}{REPLACE}"),
            ));
        }
        if let Some((there, wanted)) = other_version {
            return Err(DecideError::impossible_help(
                format!("{own} {there} is installed, and docker_version is {wanted}"),
                format!("set docker_version to {there} to keep it, or {REPLACE}"),
            ));
        }
        Ok(Decision::nothing(match installed {
            Some(version) => format!("{own} {version} is installed"),
            None => "no Docker is installed yet".to_owned(),
        }))
    }
}

pub(crate) fn suitable(docker: &Docker) -> Task {
    Task::new("See that no other Docker is there", SuitableDocker::new(docker))
}

/// Docker is restarted, and answers, or what condemned it is taken back.
pub(crate) fn handlers() -> Vec<Task> {
    vec![
        Task::new(RESTART, Unit::restarted("docker")),
        Task::new(PROVE, docker_answers()),
    ]
}

pub(crate) fn tasks(docker: &Docker, wait: Duration) -> Vec<Task> {
    // What it recommends is git, criu, needrestart and the like.
    let mut install = Apt::present(docker.from.packages().iter().copied())
        .no_recommends()
        .lock_timeout(wait);
    if docker.replace {
        install = install.allow_downgrade();
    }
    let mut tasks = Vec::new();
    if let DockerFrom::Vendor { version, vars } = &docker.from {
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
            User::present(&docker.user).groups(["docker"], true),
        ),
        Task::new(
            "Make the folder of Docker's configuration",
            File::directory("/etc/docker").mode(0o755).owner("root").group("root"),
        ),
        Task::new("Configure Docker", DaemonFile(docker.daemon.clone()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::Touch;
    use mosip_prov_resources::testing::{self as t, expect_error, expect_nothing, expect_unknown};

    const OF_VENDOR: &[&str] = &["docker-ce", "docker-ce-cli", "containerd.io"];

    fn vendor(version: Option<&str>) -> SuitableDocker {
        SuitableDocker {
            packages: OF_VENDOR,
            version: version.map(str::to_owned),
            replace: false,
        }
    }

    fn distribution() -> SuitableDocker {
        SuitableDocker {
            packages: &["docker.io"],
            version: None,
            replace: false,
        }
    }

    /// A host with these packages of Docker.
    fn host(installed: &[(&str, &str)]) -> Answers {
        let answers = t::file_absent(Answers::new(), SNAP);
        DOCKERS.into_iter().fold(answers, |answers, name| {
            let version = installed
                .iter()
                .find(|(one, _)| *one == name)
                .map(|(_, version)| *version);
            t::package(answers, name, version, None)
        })
    }

    #[test]
    fn none_and_the_wanted_one_will_do() {
        assert_eq!(
            expect_nothing(&vendor(Some("5:20.10.*")), &host(&[])),
            "no Docker is installed yet"
        );
        let there = host(&[("docker-ce", "5:20.10.24~3-0~ubuntu-jammy")]);
        assert_eq!(
            expect_nothing(&vendor(Some("5:20.10.*")), &there),
            "docker-ce 5:20.10.24~3-0~ubuntu-jammy is installed"
        );
        // Without a version the newest is installed, and any that is there stays.
        expect_nothing(&vendor(None), &host(&[("docker-ce", "5:24.0.7-1")]));
        expect_nothing(&distribution(), &host(&[("docker.io", "20.10.24+dfsg1-1")]));
    }

    #[test]
    fn another_version_is_named_with_both_ways_out() {
        let there = host(&[("docker-ce", "5:24.0.7-1")]);
        let error = expect_error(&vendor(Some("5:20.10.*")), &there);
        assert!(
            error.starts_with("docker-ce 5:24.0.7-1 is installed, and docker_version is 5:20.10.*"),
            "{error}"
        );
        assert!(
            error.contains("set docker_version to 5:24.0.7-1 to keep it")
                && error.contains("docker_replace_other_version"),
            "{error}"
        );
        let replacing = SuitableDocker {
            replace: true,
            ..vendor(Some("5:20.10.*"))
        };
        assert_eq!(
            expect_nothing(&replacing, &there),
            "docker-ce 5:24.0.7-1 is installed, and will be replaced"
        );
    }

    #[test]
    fn another_source_is_named() {
        let error = expect_error(&vendor(None), &host(&[("docker.io", "20.10.24")]));
        assert!(
            error.starts_with("docker.io 20.10.24 is installed, and docker_install_from_apt is false"),
            "{error}"
        );
        assert!(error.contains("set docker_install_from_apt to true"), "{error}");
        let error = expect_error(
            &distribution(),
            &host(&[("docker-ce", "5:20.10.24"), ("podman-docker", "4")]),
        );
        assert!(
            error
                .starts_with("docker-ce 5:20.10.24, podman-docker 4 is installed, and docker_install_from_apt is true"),
            "{error}"
        );
        assert!(error.contains("docker_install_from_apt to false"), "{error}");
        let replacing = SuitableDocker {
            replace: true,
            ..distribution()
        };
        expect_nothing(&replacing, &host(&[("docker-ce", "5:20.10.24")]));
        let snap = t::directory(host(&[]), SNAP, 0o755, "root", "root");
        assert!(expect_error(&replacing, &snap).contains("as a snap"));
    }

    #[test]
    fn what_check_mode_has_not_installed_makes_it_unknown() {
        let pending = host(&[]).with_pending("Upgrade packages", vec![Touch::Kind("package")]);
        assert!(expect_unknown(&distribution(), &pending).contains("Upgrade packages"));
    }
}
