//! What apt-get would do, by its own simulation (`apt-get -s`), which takes no lock and changes nothing. A subject is
//! the arguments, as `dist-upgrade` or `autoremove --purge`; the answer is the output, or a first line `broken` when
//! the installed packages do not fit together (an interrupted installation).

use super::{all_failed, shorten, whole_frames};
use mosip_prov_engine::shell::{frame, split_frames};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer, Touch};

/// A package that would be installed or upgraded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// Its name, with the architecture when that is not the host's own.
    pub name: String,
    /// The version there is; `None` when it is new.
    pub old: Option<String>,
    /// The version there would be.
    pub new: String,
    /// Where that comes from: `Debian-Security:12/stable-security`.
    pub origins: Vec<String>,
}

impl Install {
    /// Whether an origin is a security archive: of a suite named `…-security`, or labelled `Debian-Security`.
    pub fn is_security(&self) -> bool {
        self.origins
            .iter()
            .any(|origin| origin.ends_with("-security") || origin.starts_with("Debian-Security:"))
    }
}

/// What a simulation showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simulation {
    /// Installed or upgraded.
    pub installs: Vec<Install>,
    /// Removed, with the version.
    pub removes: Vec<(String, String)>,
    /// Downloaded files deleted: package and version.
    pub deletes: Vec<(String, String)>,
    /// Kept at their version.
    pub kept_back: Vec<String>,
    /// An earlier installation broke off; it must be completed first.
    pub broken: bool,
}

/// Asks what apt-get would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskSimulation {
    arguments: String,
}

impl AskSimulation {
    /// With these arguments, words of `sh`.
    pub fn new(arguments: impl Into<String>) -> Self {
        Self {
            arguments: arguments.into(),
        }
    }
}

impl Ask for AskSimulation {
    type Answer = Simulation;

    fn question(&self) -> Question {
        Question::new(&SimulationProbe, self.arguments.as_str())
    }

    fn read(&self, raw: &str) -> Result<Simulation, String> {
        let mut simulation = Simulation::default();
        let mut kept = false;
        for line in raw.lines() {
            if kept && line.starts_with(' ') {
                simulation.kept_back.extend(line.split_whitespace().map(str::to_owned));
                continue;
            }
            kept = line.contains("kept back:");
            let mut words = line.split_whitespace();
            match words.next() {
                Some("broken") if line == "broken" => simulation.broken = true,
                Some("Inst") => simulation.installs.push(install(line).ok_or_else(|| shorten(line))?),
                Some("Remv" | "Purg") => {
                    let name = words.next().ok_or_else(|| shorten(line))?;
                    let version = words.next().unwrap_or("").trim_matches(['[', ']']);
                    simulation.removes.push((name.to_owned(), version.to_owned()));
                }
                Some("Del") => {
                    let name = words.next().ok_or_else(|| shorten(line))?;
                    simulation
                        .deletes
                        .push((name.to_owned(), words.next().unwrap_or("").to_owned()));
                }
                _ => {}
            }
        }
        Ok(simulation)
    }
}

/// `Inst NAME [OLD] (NEW ORIGIN, ORIGIN [ARCH]) …`
fn install(line: &str) -> Option<Install> {
    let rest = line.strip_prefix("Inst ")?;
    let (front, rest) = rest.split_once('(')?;
    let (inner, _) = rest.split_once(')')?;
    let (name, old) = front.split_once(' ')?;
    let old = old.trim().trim_matches(['[', ']']);
    let (new, origins) = inner.split_once(' ')?;
    let origins = origins.rsplit_once(" [").map_or(origins, |(origins, _)| origins);
    Some(Install {
        name: name.to_owned(),
        old: (!old.is_empty()).then(|| old.to_owned()),
        new: new.to_owned(),
        origins: origins.split(", ").map(str::to_owned).collect(),
    })
}

/// The kind of question behind [`AskSimulation`].
pub struct SimulationProbe;

impl Probe for SimulationProbe {
    fn name(&self) -> &'static str {
        "apt-simulation"
    }

    fn script(&self, subjects: &[&str]) -> String {
        subjects
            .iter()
            .map(|arguments| {
                frame(&format!(
                    "set -- /var/lib/dpkg/updates/[0-9]*; if [ -e \"$1\" ]; then echo broken; exit; fi
apt-get -s -q -o Debug::NoLocking=1 {arguments}"
                ))
            })
            .collect()
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        let output = whole_frames(output);
        match split_frames(&output) {
            Ok(frames) if frames.len() == subjects.len() => frames
                .into_iter()
                .map(|frame| match frame.status {
                    0 => Ok(frame.text.to_owned()),
                    // apt-get has but one status for all failures.
                    100 if frame.text.contains("--fix-broken") || frame.text.contains("dpkg --configure -a") => {
                        Ok("broken".into())
                    }
                    status => Err(format!(
                        "apt-get -s failed with status {status}: {}",
                        complaint(frame.text)
                    )),
                })
                .collect(),
            Ok(_) => all_failed(subjects.len(), "the output breaks off"),
            Err(reason) => all_failed(subjects.len(), &reason),
        }
    }

    fn disturbed_by(&self, _: &str, touch: &Touch) -> bool {
        match touch {
            Touch::Path(_) => touch.concerns_path("/etc/apt") || touch.concerns_path("/var/cache/apt"),
            Touch::Kind(kind) => matches!(*kind, "package" | "apt-lists" | "apt-simulation"),
            Touch::Thing(kind, _) => *kind == "package",
            Touch::Everything => true,
        }
    }
}

/// The lines with which apt says what is wrong.
fn complaint(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("E: ")).collect();
    if lines.is_empty() {
        shorten(text)
    } else {
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::frames;

    /// From Debian 12 and Ubuntu 22.04, shortened.
    const OUTPUT: &str = "NOTE: This is only a simulation!
Reading package lists...
The following packages have been kept back:
  linux-image-generic snapd
The following packages will be upgraded:
  libc6 tzdata
Inst libc6 [2.36-9+deb12u1] (2.36-9+deb12u4 Debian:12.4/stable, Debian-Security:12/stable-security [amd64]) []
Inst tzdata [2023c-5] (2024a-0+deb12u1 Debian:12.5/oldstable-updates [all])
Inst linux-image-6.1.0-18 (6.1.76-1 Debian:12.5/stable [amd64])
Inst openssl [3.0.2-0ubuntu1.10] (3.0.2-0ubuntu1.18 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])
Conf libc6 (2.36-9+deb12u4 Debian:12.4/stable [amd64])
Remv old-thing [1.0]
Purg gone-thing [2.0-1]
Del nginx 1.22.1-9 [51.2 kB]";

    #[test]
    fn a_simulation_is_read() {
        let simulation = AskSimulation::new("dist-upgrade").read(OUTPUT).expect("read");
        let names: Vec<(&str, bool)> = simulation
            .installs
            .iter()
            .map(|i| (i.name.as_str(), i.is_security()))
            .collect();
        assert_eq!(
            names,
            [
                ("libc6", true),
                ("tzdata", false),
                ("linux-image-6.1.0-18", false),
                ("openssl", true)
            ]
        );
        assert_eq!(simulation.installs[0].old.as_deref(), Some("2.36-9+deb12u1"));
        assert_eq!(simulation.installs[2].old, None);
        assert_eq!(simulation.kept_back, ["linux-image-generic", "snapd"]);
        assert_eq!(simulation.removes.len(), 2);
        assert_eq!(simulation.removes[1], ("gone-thing".into(), "2.0-1".into()));
        assert_eq!(simulation.deletes, [("nginx".to_owned(), "1.22.1-9".to_owned())]);
    }

    #[test]
    fn trouble_is_told_from_a_broken_installation() {
        let output = frames(&[
            (
                100,
                "E: Unmet dependencies. Try 'apt --fix-broken install' with no packages",
            ),
            (100, "Reading…\nE: The list of sources could not be read."),
        ]);
        let answers = SimulationProbe.split(&output, &["upgrade", "dist-upgrade"]);
        assert_eq!(answers[0], Ok("broken".into()));
        assert_eq!(
            answers[1],
            Err("apt-get -s failed with status 100: E: The list of sources could not be read.".into())
        );
    }
}
