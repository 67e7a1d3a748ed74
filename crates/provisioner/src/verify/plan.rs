//! What is to be looked at, read from the inventory; and what is found at a front.

use super::{Stage, VerifyOptions, Which};
use crate::rancher::local_file;
use mosip_prov_engine::{Role, RoleContext, RoleTasks};
use mosip_prov_events::Finding;
use mosip_prov_front::{ListenAddress, Surroundings};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_inventory::yaml;
use mosip_prov_preflight::certificates::Trusted;
use mosip_prov_preflight::https::{self, Awaited, Probe, Roots, Seen, Stream, StreamSeen};
use role_verify::{Of, Subject};
use std::sync::{Arc, Mutex, PoisonError};

/// Ports that the MOSIP front passes on besides HTTPS, and what is behind them.
const STREAMS: [(&str, u16); 3] = [("postgres", 5432), ("activemq", 61616), ("minio", 9000)];

/// A front: its names with what is awaited after Helm, and its stream ports.
#[derive(Debug, Clone, Default)]
pub(super) struct Front {
    pub(super) probes: Vec<(Probe, Awaited)>,
    pub(super) streams: Vec<Stream>,
}

/// What was seen of a front; `None`: it could not be looked at.
#[derive(Debug, Default)]
pub(super) struct SeenOfFront {
    pub(super) probes: Option<Vec<Seen>>,
    pub(super) streams: Option<Vec<StreamSeen>>,
}

impl Front {
    /// What follows from what was seen, `now` in seconds since 1970. What was not looked at is not taken for well.
    pub(super) fn judge(&self, seen: &SeenOfFront, stage: Stage, roots: &Roots, now: u64) -> Vec<Finding> {
        let mut findings = Vec::new();
        let of_probes = seen.probes.as_deref().unwrap_or_default();
        for (at, (probe, after)) in self.probes.iter().enumerate() {
            let awaited = match stage {
                Stage::Cluster => Awaited::Nothing,
                Stage::Helm => *after,
            };
            match of_probes.get(at) {
                Some(seen) => findings.extend(https::judge(probe, seen, awaited, roots, now)),
                None => findings.push(not_looked(format!("https://{}", probe.name))),
            }
        }
        let of_streams = seen.streams.as_deref().unwrap_or_default();
        for (at, stream) in self.streams.iter().enumerate() {
            findings.push(match of_streams.get(at) {
                Some(seen) => https::judge_stream(stream, seen, stage == Stage::Helm),
                None => not_looked(format!("{} {}:{}", stream.name, stream.host, stream.port)),
            });
        }
        findings
    }
}

fn not_looked(subject: String) -> Finding {
    Finding::failure(
        https::AREA,
        "not_looked",
        subject,
        "this machine could not look at it",
        "verify again; if it stays so, see that this machine has memory left and may start threads: free -m, ulimit -u",
    )
}

/// All that is read before anything is connected to.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) subject: Subject,
    pub(super) front: Front,
    /// The authorities of `rancher_ca_file`.
    pub(super) authorities: Trusted,
}

/// A role that reads what is to be looked at, and does nothing.
pub(super) struct Reads {
    pub(super) which: Which,
    pub(super) of: Of,
    pub(super) options: VerifyOptions,
    pub(super) plan: Arc<Mutex<Option<Plan>>>,
}

impl Role for Reads {
    fn name(&self) -> &str {
        "verify"
    }

    fn summary(&self) -> &str {
        "what was deployed is looked at; nothing is changed"
    }

    fn defaults(&self) -> &'static str {
        role_verify::DEFAULTS
    }

    fn tasks(&self, cx: &RoleContext<'_>, problems: &mut Diagnostics) -> RoleTasks {
        let subject = Subject::read(self.of, cx, problems);
        let front = match self.options.fronts {
            true => front(self.which, cx, self.options.resolve_dns, problems),
            false => Front::default(),
        };
        let authorities = match self.options.fronts {
            true => of_rancher(cx, problems),
            false => Trusted::default(),
        };
        if let Some(subject) = subject {
            let plan = Plan {
                subject,
                front,
                authorities,
            };
            *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
        }
        RoleTasks::default()
    }
}

/// The authorities that Rancher's clients are told to believe.
fn of_rancher(cx: &RoleContext<'_>, problems: &mut Diagnostics) -> Trusted {
    const NAME: &str = "rancher_ca_file";
    let text = problems.take(cx.vars.string(NAME).map_err(Diagnostic::from)).flatten();
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Trusted::default();
    };
    let path = local_file(text.trim(), cx.base_dir());
    let problem = |what: String| {
        Diagnostic::error(format!("{}, which {NAME} names, {what}", path.display()))
            .at(cx.vars.set_at(NAME))
            .help("let it name a PEM file with the certificate of the authority, or leave it out")
    };
    match std::fs::read(&path) {
        Ok(pem) => {
            let trusted = Trusted::in_pem(&pem);
            if trusted.is_empty() {
                problems.push(problem("holds no certificate in PEM form".into()));
            }
            trusted
        }
        Err(error) => {
            problems.push(problem(format!("cannot be read: {error}")));
            Trusted::default()
        }
    }
}

/// The front of a deployment, as the inventory describes it. An installation whose front is elsewhere has none here.
fn front(which: Which, cx: &RoleContext<'_>, resolve: bool, problems: &mut Diagnostics) -> Front {
    let (group, defaults) = match which {
        Which::Obs => ("nginx_obs", role_nginx_obs::DEFAULTS),
        Which::Mosip => ("nginx", role_nginx::DEFAULTS),
    };
    let mut front = Front::default();
    let defaults = problems.take(yaml::parse_vars(defaults, "<defaults of the front>"));
    let defaults = Arc::new(defaults.unwrap_or_default());
    for host in cx.hosts_of(group) {
        let Some(vars) = cx.vars_of(host) else { continue };
        let own = problems
            .take(vars.string("ansible_host").map_err(Diagnostic::from))
            .flatten();
        let own = own.unwrap_or_else(|| host.to_owned());
        let vars = vars.clone().with_defaults(defaults.clone());
        let around = Surroundings::new(
            &vars,
            cx.base_dir(),
            |group| cx.hosts_of(group),
            |host| cx.vars_of(host),
        );
        let address = |listen: ListenAddress| match listen {
            ListenAddress::Fixed(ip) if !ip.is_unspecified() => ip.to_string(),
            _ => own.clone(),
        };
        let mut add = |name: &str, address: &str, awaited: Awaited| {
            // What stands for many names is none that can be asked for.
            if name.starts_with('*') || front.probes.iter().any(|(probe, _)| probe.name == name && resolve) {
                return;
            }
            let probe = Probe {
                name: name.to_owned(),
                host: (!resolve).then(|| address.to_owned()),
                port: 443,
            };
            front.probes.push((probe, awaited));
        };
        match which {
            Which::Obs => {
                let Some(settings) = role_nginx_obs::Settings::read(&around, problems) else {
                    continue;
                };
                let address = address(settings.listen);
                for name in &settings.names {
                    let awaited = match name.starts_with("rancher.") {
                        true => Awaited::Redirect,
                        false => Awaited::Anything,
                    };
                    add(name, &address, awaited);
                }
            }
            Which::Mosip => {
                let Some(settings) = role_nginx::Settings::read(&around, problems) else {
                    continue;
                };
                // The internal address serves the public names too, and can be reached from where this runs.
                let address = address(settings.internal_listen);
                add(&settings.domain, &address, Awaited::Redirect);
                add(
                    &format!("api-internal.{}", settings.domain),
                    &address,
                    Awaited::Anything,
                );
                for name in &settings.public_names {
                    add(name, &address, Awaited::Anything);
                }
                front.streams.extend(STREAMS.map(|(name, port)| Stream {
                    name: name.to_owned(),
                    host: address.clone(),
                    port,
                }));
            }
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosip_prov_events::Level;

    #[test]
    fn what_was_not_looked_at_is_not_well() {
        let probe = |name: &str| Probe {
            name: name.into(),
            host: None,
            port: 443,
        };
        let front = Front {
            probes: ["a.mosip.test", "b.mosip.test"]
                .map(|name| (probe(name), Awaited::Anything))
                .into(),
            streams: vec![Stream {
                name: "postgres".into(),
                host: "192.0.2.1".into(),
                port: 5432,
            }],
        };
        let checks = |seen: SeenOfFront| -> Vec<(String, Level)> {
            let found = front.judge(&seen, Stage::Helm, &Roots::public(), 0);
            found.into_iter().map(|one| (one.check, one.level)).collect()
        };
        let failure = |check: &str| (check.to_owned(), Level::Failure);
        assert_eq!(checks(SeenOfFront::default()), [(); 3].map(|()| failure("not_looked")));
        let half = SeenOfFront {
            probes: Some(vec![Seen::Refused]),
            streams: Some(vec![StreamSeen::Refused]),
        };
        assert_eq!(
            checks(half),
            [failure("refused"), failure("not_looked"), failure("stream_refused")]
        );
    }
}
