//! Ports that a machine is to serve, and who has them.

use mosip_prov_preflight::ports::{self, CLUSTER_FOLDERS, Port};
use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::{Answers, Ask, AskFacts, DecideError, Decision, Question, Resource};
use std::net::IpAddr;

/// No other program listens on these ports, on an address that matters: for a front all addresses at once or the one of
/// the default route, which it listens on; for a cluster all but loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreePorts {
    ports: Vec<Port>,
}

impl FreePorts {
    /// These ports.
    pub fn new(ports: Vec<Port>) -> Self {
        Self { ports }
    }
}

impl Resource for FreePorts {
    fn kind(&self) -> &'static str {
        "ports"
    }

    fn questions(&self) -> Vec<Question> {
        let folders = CLUSTER_FOLDERS.iter().map(|path| FileAsk::new(*path).question());
        folders
            .chain([ports::ask_listeners().question(), AskFacts.question()])
            .collect()
    }

    fn decide(&self, answers: &Answers) -> Result<Decision, DecideError> {
        let mut has_cluster = false;
        for path in CLUSTER_FOLDERS {
            has_cluster |= !matches!(answers.get(&FileAsk::new(path))?, FileState::Absent { .. });
        }
        let listeners = answers.get(&ports::ask_listeners())?;
        if listeners.status != 0 {
            return Ok(Decision::nothing("the machine has no `ss` that tells who listens"));
        }
        let own = answers
            .get(&AskFacts)?
            .default_ipv4
            .map(|ipv4| IpAddr::V4(ipv4.address));
        let taken = ports::taken(&self.ports, &listeners.output, own, has_cluster);
        if !taken.is_empty() {
            return Err(DecideError::impossible_help(
                format!("port {}", taken.join(", port ")),
                ports::REMEDY,
            ));
        }
        let numbers: Vec<String> = self.ports.iter().map(|port| port.number.to_string()).collect();
        Ok(Decision::nothing(format!(
            "no other service has {}",
            numbers.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_preflight::fleet::Duty;
    use mosip_prov_preflight::ports::{LISTENERS, ports_for};
    use mosip_prov_resources::Facts;
    use mosip_prov_resources::probe::facts::Ipv4;
    use mosip_prov_resources::testing::{self as t, expect_error, expect_nothing};
    use std::net::Ipv4Addr;

    fn host(listeners: &str, cluster: bool) -> Answers {
        let facts = Facts {
            default_ipv4: Some(Ipv4 {
                address: Ipv4Addr::new(10, 0, 0, 30),
                interface: "eth0".into(),
            }),
            ..Facts::default()
        };
        let answers = t::command(t::facts(Answers::new(), &facts), LISTENERS, 0, listeners);
        let answers = t::file_absent(answers, "/var/lib/rancher");
        if cluster {
            t::directory(answers, "/etc/kubernetes", 0o755, "root", "root")
        } else {
            t::file_absent(answers, "/etc/kubernetes")
        }
    }

    #[test]
    fn what_the_machine_says_decides() {
        let front = FreePorts::new(ports_for(&[Duty::Front].into()));
        let own = "LISTEN 0 511 10.0.0.30:443 0.0.0.0:* users:((\"nginx\",pid=7,fd=6))";
        assert_eq!(
            expect_nothing(&front, &host(own, false)),
            "no other service has 443, 9000, 5432, 61616"
        );
        let here = "LISTEN 0 244 10.0.0.30:443 0.0.0.0:* users:((\"haproxy\",pid=9,fd=5))";
        assert!(expect_error(&front, &host(here, false)).contains("443 (HTTPS) is taken by haproxy"));
        let control = FreePorts::new(ports_for(&[Duty::Node, Duty::Control].into()));
        let other = "LISTEN 0 50 *:6443 *:* users:((\"haproxy\",pid=3,fd=1))";
        assert!(expect_error(&control, &host(other, false)).contains("6443 (the Kubernetes API) is taken by haproxy"));
        expect_nothing(&control, &host(other, true));
        let without_ss = t::command(host("", false), LISTENERS, 127, "sh: ss: not found");
        assert!(expect_nothing(&control, &without_ss).contains("no `ss`"));
    }
}
