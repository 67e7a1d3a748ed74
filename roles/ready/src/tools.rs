//! Tools on the deployment node: there, and in a version that will do.

use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::versions::{first_in, numbers};
use mosip_prov_resources::{Answers, Ask, DecideError, Decision, Question, Resource};

/// Which version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// This one.
    Exactly(String),
    /// This one, major and minor number, or a newer one.
    AtLeast(u64, u64),
}

/// A tool on the PATH of the login user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    name: &'static str,
    /// Prints its version somewhere in its output, and asks no server. A session without a terminal may lack folders of
    /// the PATH.
    script: &'static str,
    wanted: Wanted,
    how_to_get: String,
}

impl Tool {
    /// kubectl of at least this version.
    pub fn kubectl(major: u64, minor: u64) -> Self {
        Self {
            name: "kubectl",
            // `--short` is gone since 1.28, and before it the plain form prints Go's syntax; both have GitVersion in YAML.
            script: "PATH=\"$PATH:/usr/local/bin:/snap/bin\"; command -v kubectl >/dev/null || exit 127; kubectl version --client -o yaml 2>/dev/null | grep -m 1 gitVersion",
            wanted: Wanted::AtLeast(major, minor),
            how_to_get: "`mosip-prov run deployment-node` installs it".into(),
        }
    }

    /// istioctl of exactly this version: it installs the version that it is.
    pub fn istioctl(version: String) -> Self {
        Self {
            name: "istioctl",
            script: "PATH=\"$PATH:/usr/local/bin:/snap/bin\"; command -v istioctl >/dev/null || exit 127; istioctl version --remote=false 2>/dev/null",
            how_to_get: format!(
                "`mosip-prov run deployment-node` installs it, or take istioctl-{version}-linux-amd64.tar.gz from the \
                 project's release page and put istioctl into /usr/local/bin"
            ),
            wanted: Wanted::Exactly(version),
        }
    }
}

impl Resource for Tool {
    fn kind(&self) -> &'static str {
        "tool"
    }

    fn questions(&self) -> Vec<Question> {
        vec![AskCommand(self.script.into()).question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let name = self.name;
        let wanted = match &self.wanted {
            Wanted::Exactly(version) => format!("exactly {version}"),
            Wanted::AtLeast(major, minor) => format!("{major}.{minor} or newer"),
        };
        let fails = |what: String| DecideError::impossible_help(what, self.how_to_get.clone());
        let answer = answers.get(&AskCommand(self.script.into()))?;
        if answer.status == 127 {
            return Err(fails(format!(
                "there is no {name} on the PATH of the deployment node, and {wanted} is needed"
            )));
        }
        let Some(found) = first_in(&answer.output) else {
            return Err(fails(format!(
                "{name} does not tell its version: it ended with {} and said {:?}",
                answer.status, answer.output
            )));
        };
        let good = match &self.wanted {
            Wanted::Exactly(version) => found == version.trim_start_matches('v'),
            Wanted::AtLeast(major, minor) => numbers(&found).is_some_and(|have| have >= [*major, *minor, 0]),
        };
        if good {
            Ok(Decision::nothing(format!("{name} {found} is there")))
        } else {
            Err(fails(format!("{name} is {found}, and {wanted} is needed")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing::{self as t, expect_error, expect_nothing};

    fn says(tool: &Tool, status: i32, output: &str) -> Answers {
        t::command(Answers::new(), tool.script, status, output)
    }

    #[test]
    fn kubectl_may_be_newer() {
        let tool = Tool::kubectl(1, 20);
        for (output, version) in [
            ("  gitVersion: v1.20.2", "1.20.2"),
            ("  gitVersion: v1.31.0-rc.1", "1.31.0-rc.1"),
            // A vendor's, which says no third number.
            ("  gitVersion: v1.20+", "1.20"),
            ("gitVersion: \"v2.0.0\"", "2.0.0"),
        ] {
            assert_eq!(
                expect_nothing(&tool, &says(&tool, 0, output)),
                format!("kubectl {version} is there")
            );
        }
        let error = expect_error(&tool, &says(&tool, 0, "  gitVersion: v1.19.9"));
        assert!(
            error.starts_with("kubectl is 1.19.9, and 1.20 or newer is needed"),
            "{error}"
        );
        let error = expect_error(&tool, &says(&tool, 127, ""));
        assert!(
            error.starts_with("there is no kubectl on the PATH of the deployment node")
                && error.contains("deployment-node"),
            "{error}"
        );
        assert!(expect_error(&tool, &says(&tool, 1, "")).contains("does not tell its version"));
    }

    #[test]
    fn istioctl_must_be_that_one() {
        let tool = Tool::istioctl("1.15.0".into());
        expect_nothing(&tool, &says(&tool, 0, "1.15.0"));
        expect_nothing(&tool, &says(&tool, 0, "client version: 1.15.0"));
        let error = expect_error(&tool, &says(&tool, 0, "1.15.1"));
        assert!(
            error.starts_with("istioctl is 1.15.1, and exactly 1.15.0 is needed"),
            "{error}"
        );
        assert!(error.contains("istioctl-1.15.0-linux-amd64.tar.gz"), "{error}");
    }
}
