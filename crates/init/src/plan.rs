//! The installation that the answers describe, checked as a whole.

use crate::answers::{Answers, Field};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_preflight::expand_tilde;

/// From so many nodes on there are three of the control plane.
const HIGHLY_AVAILABLE: usize = 6;

/// An installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its domain.
    pub domain: String,
    /// The nodes of the MOSIP cluster.
    pub nodes: Vec<String>,
    /// The observation node.
    pub obs: String,
    /// The front of the MOSIP cluster.
    pub nginx: String,
    /// The front of the observation cluster.
    pub nginx_obs: String,
    /// The address that the internet reaches.
    pub public_ip: String,
    /// The VPN gateway, and the address that peers dial.
    pub wireguard: Option<(String, String)>,
    /// The login.
    pub user: String,
    /// The key.
    pub private_key: String,
}

impl Plan {
    /// Makes it; warnings too go into `problems`.
    pub fn of(answers: &Answers, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        check(answers, problems);
        let mut all =
            |field: Field| -> Vec<String> {
                if let Some(given) = answers.get(field) {
                    return given.texts.iter().filter(|text| *text != "-").cloned().collect();
                }
                match field.default_of(answers) {
                    Some(default) => vec![default],
                    None if field.is_optional(answers) => Vec::new(),
                    None => {
                        problems.push(
                            Diagnostic::error(format!("{} is missing: {}", field.key(), field.question())).help(
                                format!("give {}, or {} in the file of answers", field.flag(), field.key()),
                            ),
                        );
                        Vec::new()
                    }
                }
            };
        let [
            domain,
            nodes,
            obs,
            nginx,
            nginx_obs,
            public_ip,
            wireguard,
            endpoint,
            user,
            private_key,
        ] = Field::ALL.map(&mut all);
        let one = |texts: Vec<String>| texts.into_iter().next();
        if let Some(key) = private_key.first()
            && !expand_tilde(key).is_file()
        {
            problems.push(
                Diagnostic::warning(format!("the private key {key} is not there"))
                    .help("copy it there before the first run, with mode 0600"),
            );
        }
        (problems.error_count() == before).then_some(())?;
        Some(Self {
            domain: one(domain)?,
            nodes,
            obs: one(obs)?,
            nginx: one(nginx)?,
            nginx_obs: one(nginx_obs)?,
            public_ip: one(public_ip)?,
            wireguard: one(wireguard).zip(one(endpoint)),
            user: one(user)?,
            private_key: one(private_key)?,
        })
    }

    /// How many nodes, from the first on, are of the control plane and hold etcd: three of six and more, one of fewer.
    pub fn control_plane(&self) -> usize {
        match self.nodes.len() >= HIGHLY_AVAILABLE {
            true => 3,
            false => 1,
        }
    }

    /// The positions of the nodes that carry workloads: those that are not of the control plane; of a single node, it.
    pub fn workers(&self) -> std::ops::Range<usize> {
        match self.nodes.len() {
            0 | 1 => 0..self.nodes.len(),
            n => self.control_plane()..n,
        }
    }
}

/// Checks the answers that are there, one by one and against each other; what is missing is no mistake here.
pub fn check(answers: &Answers, problems: &mut Diagnostics) {
    answers.check(problems);
    same_machine(answers, problems);
}

/// Machines that have one task each, and yet are one.
fn same_machine(answers: &Answers, problems: &mut Diagnostics) {
    let mut seen: Vec<(String, String, Field)> = Vec::new();
    for field in [Field::Node, Field::Obs, Field::Nginx, Field::NginxObs, Field::Wireguard] {
        let Some(given) = answers.get(field) else { continue };
        for (number, text) in given.texts.iter().enumerate().filter(|(_, text)| *text != "-") {
            let name = match field {
                Field::Node => format!("node {}", number + 1),
                other => other.key().to_owned(),
            };
            let may_share = |other: Field| field == Field::NginxObs && other == Field::Obs;
            if let Some((_, other, _)) = seen.iter().find(|(ip, _, other)| ip == text && !may_share(*other)) {
                problems.push(
                    Diagnostic::error(format!("{name} has the address of {other}: {text}"))
                        .at(given.place.clone())
                        .help("each has a machine of its own; only nginx_obs may be the machine of obs"),
                );
            }
            seen.push((text.clone(), name, field));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::answers::{From, Given};

    pub(crate) fn answers(pairs: &[(Field, &str)]) -> Answers {
        let mut answers = Answers::default();
        for (field, texts) in pairs {
            answers.give(
                *field,
                Given {
                    texts: texts.split(' ').map(str::to_owned).collect(),
                    from: From::Flag,
                    place: None,
                },
            );
        }
        answers
    }

    pub(crate) const GUIDE: [(Field, &str); 8] = [
        (Field::Domain, "mosip.example.org"),
        (
            Field::Node,
            "192.0.2.11 192.0.2.12 192.0.2.13 192.0.2.14 192.0.2.15 192.0.2.16",
        ),
        (Field::Obs, "192.0.2.21"),
        (Field::Nginx, "192.0.2.31"),
        (Field::NginxObs, "192.0.2.32"),
        (Field::PublicIp, "203.0.113.31"),
        (Field::Wireguard, "192.0.2.41"),
        (Field::WireguardEndpoint, "203.0.113.41"),
    ];

    fn plan(pairs: &[(Field, &str)]) -> Result<Plan, Vec<String>> {
        let mut problems = Diagnostics::new();
        let plan = Plan::of(&answers(pairs), &mut problems);
        plan.ok_or_else(|| {
            problems
                .iter()
                .filter(|d| d.is_error())
                .map(|d| d.message.clone())
                .collect()
        })
    }

    #[test]
    fn defaults_and_who_is_what() {
        let whole = plan(&GUIDE).expect("a plan");
        assert_eq!(
            (whole.user.as_str(), whole.private_key.as_str()),
            ("ubuntu", "~/.ssh/id_ed25519")
        );
        assert_eq!((whole.control_plane(), whole.workers()), (3, 3..6));
        for (nodes, wanted) in [
            ("10.0.0.1", (1, 0..1)),
            ("10.0.0.1 10.0.0.2", (1, 1..2)),
            ("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5", (1, 1..5)),
        ] {
            let plan = plan(&[
                (Field::Domain, "a.b"),
                (Field::Node, nodes),
                (Field::Obs, "10.0.1.1"),
                (Field::Nginx, "10.0.1.2"),
                (Field::PublicIp, "203.0.113.1"),
            ])
            .expect("a plan");
            assert_eq!((plan.control_plane(), plan.workers()), wanted);
            assert_eq!((plan.nginx_obs.as_str(), plan.wireguard), ("10.0.1.1", None));
        }
    }

    #[test]
    fn all_that_is_missing_or_wrong() {
        let said = plan(&[
            (Field::Domain, "org"),
            (Field::Wireguard, "10.0.0.9"),
            (Field::Node, "10.0.0.1 10.0.0.1 10.0."),
            (Field::Nginx, "10.0.0.1"),
        ])
        .expect_err("wrong");
        let has = |part: &str| said.iter().filter(|message| message.contains(part)).count();
        assert_eq!(has("which is no"), 2, "{said:#?}");
        assert_eq!(has("has the address of node 1"), 2, "{said:#?}");
        for key in [
            "obs is missing",
            "nginx_obs is missing",
            "public_ip is missing",
            "wireguard_endpoint is missing",
        ] {
            assert_eq!(
                said.iter().filter(|m| m.starts_with(key)).count(),
                1,
                "{key}: {said:#?}"
            );
        }
        assert!(
            plan(&[(Field::Nginx, "10.0.0.1 10.0.0.2")])
                .expect_err("two")
                .iter()
                .any(|m| m.contains("2 values"))
        );
    }
}
