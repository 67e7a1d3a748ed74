//! A container that is in the way.

use mosip_prov_resources::probe::docker::{AskContainer, InDocker};
use mosip_prov_resources::{
    Answers, Ask, Change, DecideError, Decision, Question, Resource, Shell, Shown, Touch, shell,
};

/// The container of this name does not hold the port, though somebody else started it: by hand, or another tool.
#[derive(Debug, Clone)]
pub(crate) struct NotRunning {
    pub name: String,
    /// The UDP port of the host.
    pub port: u16,
}

impl NotRunning {
    fn ask(&self) -> AskContainer {
        AskContainer(self.name.clone())
    }

    /// Whether one of `PORT:PORT/PROTOCOL` or `ADDRESS:PORT:PORT/PROTOCOL` is the host's. A container without any may be in
    /// the host's own network.
    fn is_held_by(&self, ports: &[String]) -> bool {
        let of_host = |port: &String| {
            let udp = port.strip_suffix("/udp").unwrap_or_default();
            udp.rsplit(':').nth(1).is_some_and(|p| p == self.port.to_string())
        };
        ports.is_empty() || ports.iter().any(of_host)
    }
}

impl Resource for NotRunning {
    fn kind(&self) -> &'static str {
        "container"
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.ask().question()]
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let name = &self.name;
        // Where Docker does not run, nothing in it does.
        let InDocker::Present(state) = answers.get(&self.ask())? else {
            return Ok(Decision::nothing(format!("no container {name} runs")));
        };
        let runs = matches!(state.status.as_str(), "running" | "restarting" | "paused");
        // Docker starts one with `always` again when it is started itself.
        let comes_back = state.restart == "always";
        if !(runs || comes_back) || !self.is_held_by(&state.ports) {
            return Ok(Decision::nothing(format!(
                "container {name} does not hold UDP port {}",
                self.port
            )));
        }
        let quoted = shell::quote(name);
        let mut script = String::new();
        if comes_back {
            script.push_str(&format!(
                "docker update --restart unless-stopped {quoted} >/dev/null || exit\n"
            ));
        }
        script.push_str(&format!("docker stop {quoted} >/dev/null"));
        Ok(
            Change::new(format!("stop container {name}, which holds UDP port {}", self.port))
                .differs(
                    format!("state of container {name}"),
                    Shown::text(state.status),
                    Shown::text("stopped"),
                )
                .step(Shell::new(format!("docker stop {name}"), script))
                .touching([Touch::Thing("container", name.clone())])
                .into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_resources::testing as t;

    fn said(status: &str, ports: &str, restart: &str) -> Answers {
        let text = format!(
            r#"[{{"Image":"sha256:1","State":{{"Status":"{status}","ExitCode":0}},"Config":{{"Image":"wg","Env":[]}},
            "HostConfig":{{"PortBindings":{ports},"RestartPolicy":{{"Name":"{restart}"}}}}}}]"#
        );
        raw(&format!("present\n{text}\n--\n[]"))
    }

    fn raw(text: &str) -> Answers {
        Answers::new().with(AskContainer("wireguard".into()).question(), text.to_owned())
    }

    #[test]
    fn a_container_that_somebody_else_runs_gives_the_port_back() {
        let wanted = NotRunning {
            name: "wireguard".into(),
            port: 51820,
        };
        let ours = r#"{"51820/udp":[{"HostIp":"","HostPort":"51820"}]}"#;
        let other = r#"{"80/tcp":[{"HostIp":"","HostPort":"80"}]}"#;
        for there in [
            raw("none"),
            raw("down no answer"),
            raw("absent"),
            said("exited", ours, "unless-stopped"),
            said("running", other, "always"),
        ] {
            t::expect_nothing(&wanted, &there);
        }
        let change = t::expect_change(&wanted, &said("running", ours, "unless-stopped"));
        assert_eq!(t::scripts(&change), "docker stop wireguard >/dev/null");
        assert_eq!(change.summary, "stop container wireguard, which holds UDP port 51820");
        for status in ["running", "exited"] {
            let change = t::expect_change(&wanted, &said(status, ours, "always"));
            assert!(t::scripts(&change).starts_with("docker update --restart unless-stopped wireguard"));
        }
        t::expect_change(&wanted, &said("running", "{}", "no"));
    }
}
