//! istioctl of the right version: it installs the version that it is.

use crate::PATH;
use mosip_prov_resources::download::VersionCheck;
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::{Answers, Ask, DecideError, Decision, Question, Resource};

/// istioctl on the PATH: only asked, never changed.
#[derive(Debug, Clone)]
pub struct Istioctl {
    version: String,
}

impl Istioctl {
    /// It must be exactly that version.
    pub fn new(version: impl Into<String>) -> Self {
        Self {
            version: version.into(),
        }
    }

    /// Where it is, on the first line, and what it says of its version.
    pub fn ask() -> AskCommand {
        AskCommand(format!(
            "{PATH}t=$(command -v istioctl) || exit 1\nprintf '%s\\n' \"$t\"\n\"$t\" version --remote=false 2>&1 || exit 1"
        ))
    }
}

impl Resource for Istioctl {
    fn kind(&self) -> &'static str {
        "istioctl"
    }

    fn questions(&self) -> Vec<Question> {
        vec![Self::ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let version = &self.version;
        let answer = answers.get(&Self::ask())?;
        let (path, said) = answer.output.split_once('\n').unwrap_or((&answer.output, ""));
        if answer.status == 0 && VersionCheck::new("", version).holds(said) {
            return Ok(Decision::nothing(format!("{path} is version {version}")));
        }
        if let Some(task) = answers.pending_for(&Self::ask().question()) {
            return Ok(Decision::unknown(format!("istioctl may come with \"{task}\"")));
        }
        let what = match (path, said.trim()) {
            ("", _) => "there is no istioctl on the PATH of the deployment node".to_owned(),
            (path, "") => format!("{path} does not tell its version"),
            (path, said) => format!("{path} says {said:?}"),
        };
        Err(DecideError::impossible_help(
            format!("{what}, and exactly version {version} is needed"),
            format!(
                "`mosip-prov run deployment-node` installs it; by hand: take istioctl-{version}-linux-amd64.tar.gz from \
                 https://github.com/istio/istio/releases/tag/{version} and put istioctl into /usr/local/bin"
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_error, expect_nothing};

    fn says(status: i32, output: &str) -> Answers {
        t::command(Answers::new(), &Istioctl::ask().0, status, output)
    }

    #[test]
    fn it_must_be_that_very_version() {
        let istioctl = Istioctl::new("1.15.0");
        for said in ["1.15.0", "client version: 1.15.0"] {
            let reason = expect_nothing(&istioctl, &says(0, &format!("/usr/local/bin/istioctl\n{said}")));
            assert_eq!(reason, "/usr/local/bin/istioctl is version 1.15.0");
        }
        for (status, output, part) in [
            (
                0,
                "/usr/local/bin/istioctl\n1.15.1",
                "/usr/local/bin/istioctl says \"1.15.1\", and exactly version 1.15.0",
            ),
            (0, "/usr/bin/istioctl\n1.15.0-rc.0", "1.15.0-rc.0"),
            (1, "", "there is no istioctl on the PATH"),
            (1, "/usr/bin/istioctl\n", "does not tell its version"),
        ] {
            let error = expect_error(&istioctl, &says(status, output));
            assert!(error.contains(part), "{error}");
            assert!(error.contains("istioctl-1.15.0-linux-amd64.tar.gz"), "{error}");
        }
    }
}
