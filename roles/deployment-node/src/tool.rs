//! A tool: there in a version that will do, else installed.

use crate::settings::{Fetch, Settings, Source, ToolSettings};
use mosip_prov_resources::download::{Download, Origin, VersionCheck, shown_url};
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::shell::quote;
use mosip_prov_resources::versions::{first_in, numbers};
use mosip_prov_resources::{
    Answers, Apt, AptPackages, Ask, Condition, DecideError, Decision, Question, Resource, Verdict,
};
use std::sync::Arc;

/// What is known of a tool beforehand.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name, which is that of its program and begins its variables.
    pub name: &'static str,
    /// Words after which it prints its version, and asks no server.
    pub version: &'static str,
}

/// The tools of a deployment, in the order of their use.
pub const TOOLS: [Known; 6] = [
    Known {
        name: "kubectl",
        // `--short` is gone since 1.28, and the plain form was Go's syntax before.
        version: "version --client -o yaml",
    },
    Known {
        name: "helm",
        version: "version --short",
    },
    Known {
        name: "terraform",
        version: "version",
    },
    Known {
        name: "istioctl",
        version: "version --remote=false",
    },
    Known {
        name: "rke",
        version: "--version",
    },
    Known {
        name: "jq",
        version: "--version",
    },
];

/// Which versions will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// This one.
    Exactly(String),
    /// This one or a newer one.
    AtLeast(String),
}

impl Wanted {
    fn shown(&self) -> String {
        match self {
            Self::Exactly(version) => format!("exactly {version}"),
            Self::AtLeast(version) => format!("{version} or newer"),
        }
    }

    /// Whether a tool that says `output` will do.
    fn holds(&self, output: &str) -> bool {
        match self {
            Self::Exactly(version) => VersionCheck::new("", version).holds(output),
            Self::AtLeast(version) => match (first_in(output), numbers(version)) {
                (Some(found), Some(wanted)) => numbers(&found).is_some_and(|found| found >= wanted),
                _ => false,
            },
        }
    }
}

#[derive(Debug)]
enum Install {
    Fetch(Download),
    Package(AptPackages),
    Nothing,
}

/// A tool on the deployment node.
#[derive(Debug)]
pub struct Tool {
    known: &'static Known,
    wanted: Wanted,
    place: String,
    replace: bool,
    /// Where it comes from, in words.
    from: String,
    /// Why it cannot be installed, and what to do about that.
    cannot: Option<(String, String)>,
    zipped: bool,
    install: Install,
}

/// What follows from what is there.
enum Found {
    Right(String),
    Missing(String),
}

impl Tool {
    /// The tool that `tool` describes.
    pub fn new(tool: &ToolSettings, settings: &Settings) -> Self {
        let name = tool.known.name;
        let place = format!("{}/{name}", settings.folder);
        let mut cannot = None;
        let (from, install) = match &tool.source {
            Source::Present => {
                let help = format!("install it, or let {name}_source say where it comes from");
                cannot = Some((format!("{name}_source is present"), help));
                (String::new(), Install::Nothing)
            }
            Source::Package(package) => (
                format!("from the package {package}"),
                Install::Package(Apt::present([package.as_str()]).lock_timeout(settings.lock_timeout)),
            ),
            Source::Fetch(Fetch { origin, sha256, member }) => {
                let check = VersionCheck::new(format!("\"$1\" {}", tool.known.version), &tool.version);
                let mut download = Download::new(&place, origin.clone()).mode(0o755).version(check);
                if settings.as_root {
                    download = download.owner("root").group("root");
                }
                if let Some(sum) = sha256 {
                    download = download.sha256(sum);
                }
                if let Some((kind, member)) = member {
                    download = download.member(*kind, member);
                }
                if let (Origin::Url(url), None) = (origin, sha256) {
                    cannot = Some((
                        format!("{name}_sha256 is empty"),
                        format!(
                            "give the SHA-256 that the project publishes for {} as {name}_sha256, or bring the file and \
                             name it in {name}_path",
                            shown_url(url)
                        ),
                    ));
                }
                (format!("from {origin}"), Install::Fetch(download))
            }
        };
        Self {
            known: tool.known,
            wanted: tool.wanted.clone(),
            place,
            replace: settings.replace,
            from,
            cannot,
            zipped: tool.comes_zipped(),
            install,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.known.name
    }

    /// Whether it comes from the distribution.
    pub fn is_package(&self) -> bool {
        matches!(self.install, Install::Package(_))
    }

    /// Where it is found first, on the first line, and what it says of its version. Sessions without a terminal may lack
    /// folders that an operator's has.
    pub fn ask(&self) -> AskCommand {
        AskCommand(format!(
            "PATH=\"$PATH:/usr/local/bin:/snap/bin:\"{folder}\nt=$(command -v {name}) || exit 1\nprintf '%s\\n' \"$t\"\n\"$t\" {version} 2>&1 || exit 1",
            folder = quote(self.place.rsplit_once('/').map_or("/", |(folder, _)| folder)),
            name = self.known.name,
            version = self.known.version,
        ))
    }

    fn found(&self, answers: &Answers) -> Result<Found, DecideError> {
        let name = self.known.name;
        let answer = answers.get(&self.ask())?;
        let (path, said) = answer.output.split_once('\n').unwrap_or((&answer.output, ""));
        if answer.status == 0 && self.wanted.holds(said) {
            let version = first_in(said).unwrap_or_default();
            return Ok(Found::Right(format!("{path} is version {version}")));
        }
        let wanted = self.wanted.shown();
        let what = if path.is_empty() {
            format!("there is no {name}, and {wanted} is needed")
        } else {
            let is = match first_in(said) {
                Some(version) if answer.status == 0 => format!("{path} is version {version}"),
                _ => format!("{path} does not tell its version"),
            };
            let what = format!("{is}, and {wanted} is needed");
            if path != self.place {
                let help = format!("remove {path}, or put the right one in its place");
                return Err(DecideError::impossible_help(what, help));
            }
            if !self.replace {
                let help = format!("remove {path}, or set tools_replace: true to have it replaced");
                return Err(DecideError::impossible_help(what, help));
            }
            what
        };
        match &self.cannot {
            None => Ok(Found::Missing(what)),
            Some((why, help)) => Err(DecideError::impossible_help(format!("{what}; {why}"), help)),
        }
    }

    /// Whether it is there in a version that will do, from the answer to [`Tool::ask`]: where it is and what it says.
    ///
    /// # Errors
    /// It is missing or of a wrong version; the error says what to do.
    pub fn look(&self, answers: &Answers) -> Result<String, DecideError> {
        match self.found(answers)? {
            Found::Right(reason) => Ok(reason),
            Found::Missing(what) => Err(DecideError::impossible_help(
                what,
                format!("`mosip-prov run deployment-node` brings it {}", self.from),
            )),
        }
    }

    fn installer(&self) -> Option<&dyn Resource> {
        match &self.install {
            Install::Fetch(download) => Some(download),
            Install::Package(package) => Some(package),
            Install::Nothing => None,
        }
    }
}

/// A tool, installed where it is missing.
#[derive(Debug)]
pub struct Installed(
    /// The tool.
    pub Arc<Tool>,
);

impl Resource for Installed {
    fn kind(&self) -> &'static str {
        "tool"
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![self.0.ask().question()];
        questions.extend(self.0.installer().map(Resource::questions).unwrap_or_default());
        questions
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let tool = &self.0;
        match (tool.found(answers)?, tool.installer()) {
            (Found::Missing(_), Some(installer)) => match installer.decide(answers)? {
                // It is where it should be, and yet it was not found to be right.
                Decision::Nothing { reason } => Err(DecideError::impossible_help(
                    format!("{}: {reason}, but it does not answer as it should", tool.name()),
                    "run it by hand on the deployment node, and mend what it complains of",
                )),
                other => Ok(other),
            },
            (Found::Missing(what), None) => Err(DecideError::impossible(what)),
            (Found::Right(reason), _) => Ok(Decision::nothing(reason)),
        }
    }
}

/// All tools, only looked at: what cannot be brought about is told in one go, before anything is changed.
#[derive(Debug)]
pub struct Tools(
    /// The tools.
    pub Vec<Arc<Tool>>,
);

impl Resource for Tools {
    fn kind(&self) -> &'static str {
        "tools"
    }

    fn questions(&self) -> Vec<Question> {
        self.0.iter().map(|tool| tool.ask().question()).collect()
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let (mut right, mut missing) = (Vec::new(), Vec::new());
        let (mut wrong, mut help) = (Vec::new(), Vec::new());
        for tool in &self.0 {
            match tool.found(answers) {
                Ok(Found::Right(reason)) => right.push(reason),
                Ok(Found::Missing(_)) => missing.push(format!("{} will come {}", tool.name(), tool.from)),
                Err(DecideError::Impossible { what, help: to_do }) => {
                    wrong.push(what);
                    help.extend(to_do.map(|to_do| format!("{}: {to_do}", tool.name())));
                }
                Err(other) => return Err(other),
            }
        }
        if !wrong.is_empty() {
            return Err(DecideError::impossible_help(wrong.join("\n"), help.join("\n")));
        }
        missing.append(&mut right);
        Ok(Decision::nothing(missing.join("; ")))
    }
}

/// Whether one of `tools` is not there, in words when none is missing.
fn any_missing(tools: &[Arc<Tool>], answers: &Answers, none: &str) -> Result<Verdict, DecideError> {
    for tool in tools {
        if let Found::Missing(_) = tool.found(answers)? {
            return Ok(Verdict::Do);
        }
    }
    Ok(Verdict::Skip(none.to_owned()))
}

fn those(tools: &[Arc<Tool>], which: impl Fn(&Tool) -> bool) -> (Vec<Arc<Tool>>, Vec<Question>) {
    let tools: Vec<Arc<Tool>> = tools.iter().filter(|tool| which(tool)).cloned().collect();
    let questions = tools.iter().map(|tool| tool.ask().question()).collect();
    (tools, questions)
}

/// True when a tool that comes from the distribution is not there.
pub(crate) fn any_package_missing(tools: &[Arc<Tool>]) -> Condition {
    let (tools, questions) = those(tools, Tool::is_package);
    Condition::new(questions, move |answers| {
        any_missing(&tools, answers, "every tool of the distribution is there")
    })
}

/// Succeeds where something can unpack a zip archive.
const UNZIPS: &str = "command -v unzip >/dev/null 2>&1 || busybox unzip --help >/dev/null 2>&1 || \
command -v python3 >/dev/null 2>&1";

/// True when a tool that comes in a zip archive is not there, and nothing that could unpack it.
pub(crate) fn any_zip_missing(tools: &[Arc<Tool>]) -> Condition {
    let (tools, mut questions) = those(tools, |tool| tool.zipped);
    let unzips = AskCommand(UNZIPS.to_owned());
    questions.push(unzips.question());
    Condition::new(questions, move |answers| {
        if answers.get(&unzips)?.status == 0 {
            return Ok(Verdict::Skip("zip archives can be unpacked".to_owned()));
        }
        any_missing(&tools, answers, "every tool of a zip archive is there")
    })
}
