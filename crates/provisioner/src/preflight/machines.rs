//! What the machines say of themselves, asked in two exchanges each, all at once; each goes on at its own pace.

use super::fleet::with_defaults;
use super::tools::{self, Tools};
use super::{Area, Listener, PreflightOptions, Progress, UNREACHABLE};
use crate::{InputErrors, Provisioner, Ready};
use futures::StreamExt as _;
use mosip_prov_engine::{Answers, Ask as _, CancelHandle, Inquiry, Play, Playbook, Question};
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_preflight::fleet::{Duty, Fleet, GROUPS, Machine};
use mosip_prov_preflight::guide::{Size, size_for};
use mosip_prov_preflight::hosts::{self, Offset};
use mosip_prov_preflight::keys::RkeKey;
use mosip_prov_preflight::ports::{self, CLUSTER_FOLDERS};
use mosip_prov_preflight::ranges::{self, Route};
use mosip_prov_preflight::room::Disk;
use mosip_prov_preflight::ways::{self, Way};
use mosip_prov_preflight::{mtu, paths, routing};
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::{AskFacts, Facts, Network, ask_lock_holder};
use mosip_prov_transport::{Connector, Prompt, TransportError};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

/// Seconds since the epoch, with a fraction where `date` has one.
const CLOCK: &str = "date -u +%s.%N";
/// The networks that the machine has routes to.
const ROUTES: &str = "ip -4 route show";
/// The UDP ports that the machine uses, those of its kernel among them.
const UDP: &str = "ss -Hlun";
/// The areas that machines are asked for.
const AREAS: [Area; 4] = [Area::Hosts, Area::Network, Area::Tools, Area::Keys];

/// What a machine is measured by.
struct Measure {
    size: Option<Size>,
    free_disk: u64,
    skew: u64,
}

/// The machines, ready to be asked.
pub(super) struct Machines {
    ready: Ready,
    fleet: Fleet,
    measures: HashMap<String, Measure>,
    tools: Option<Tools>,
    rke_key: Option<RkeKey>,
    ways: Vec<Way>,
    /// What peers of the VPN send through the tunnel.
    peers: Vec<Network>,
    forks: usize,
}

/// What one machine said.
struct Heard {
    /// To the first exchange, or why it could not be asked.
    first: Result<Answers, TransportError>,
    /// To the second, where there was one.
    second: Option<Result<Answers, TransportError>>,
    /// Where its clock is, seen from here.
    offset: Option<Offset>,
}

impl Machines {
    /// Those inside the limit, but for the `unusable`; `None` when none is left.
    pub fn prepare(
        provisioner: &Provisioner,
        options: &PreflightOptions,
        fleet: &Fleet,
        keys: &[PathBuf],
        unusable: &BTreeSet<String>,
    ) -> Result<Option<Self>, InputErrors> {
        let also = fleet.machines.iter().flat_map(|machine| &machine.also);
        let left_out: Vec<String> = also.chain(unusable).map(|name| format!(":!{name}")).collect();
        let groups: Vec<&str> = GROUPS
            .iter()
            .map(|(group, _)| *group)
            .filter(|g| *g != "deployment")
            .collect();
        let groups = groups.join(":");
        let optional = |play: Play| GROUPS.iter().fold(play, |play, (group, _)| play.optional(*group));
        let mut playbook = Playbook::new("preflight", "asks, and changes nothing");
        let deployment = super::fleet::deployment_node(provisioner);
        if !unusable.contains(deployment) {
            playbook = playbook.play(optional(
                Play::on_deployment_node("Look at the deployment node").serving(groups.as_str()),
            ));
        }
        let rest = fleet
            .machines
            .iter()
            .any(|machine| !machine.is(Duty::Deployment) && !unusable.contains(&machine.name));
        if rest && (options.has(Area::Hosts) || options.has(Area::Network)) {
            let pattern = format!("{groups}{}", left_out.concat());
            playbook = playbook.play(optional(Play::new("Look at the machines", pattern)));
        }
        if playbook.plays.is_empty() {
            return Ok(None);
        }
        let mut problems = Diagnostics::new();
        let mut measures = HashMap::new();
        for machine in &fleet.machines {
            let Some(vars) = provisioner.vars_of(&machine.name) else {
                continue;
            };
            let vars = with_defaults(vars, role_ready::DEFAULTS, &mut problems);
            if let Some(settings) = role_ready::Settings::read(&vars, &mut problems) {
                let measure = Measure {
                    size: settings
                        .size(size_for(&machine.duties))
                        .filter(|_| settings.guide_sizes),
                    free_disk: settings.min_free_disk,
                    skew: settings.max_clock_skew,
                };
                measures.insert(machine.name.clone(), measure);
            }
        }
        if problems.has_errors() {
            return Err(problems.into());
        }
        let checked_here = |key: &RkeKey| {
            let local = fleet
                .machine(deployment)
                .is_some_and(|machine| machine.address.is_empty());
            local && keys.contains(&paths::expand_tilde(key.path()))
        };
        let rke_key =
            tools::rke_key(provisioner, deployment, fleet).filter(|key| options.has(Area::Keys) && !checked_here(key));
        let peers = provisioner.inventory().hosts_of("wireguard").first().and_then(|host| {
            let vars = provisioner.vars_of(host)?;
            let vars = with_defaults(vars, mosip_prov_wireguard::settings::DEFAULTS, &mut problems);
            vars.string("wireguard_network").ok()?
        });
        let peers = peers
            .unwrap_or_default()
            .split(',')
            .filter_map(Network::parse)
            .collect();
        if rke_key.is_none()
            && ![Area::Hosts, Area::Network, Area::Tools]
                .into_iter()
                .any(|area| options.has(area))
        {
            return Ok(None);
        }
        Ok(Some(Self {
            ready: provisioner.prepare(&[playbook])?,
            tools: options
                .has(Area::Tools)
                .then(|| Tools::read(provisioner, deployment, fleet)),
            rke_key,
            ways: match options.has(Area::Network) {
                true => ways::needed(fleet),
                false => Vec::new(),
            },
            peers,
            fleet: fleet.clone(),
            measures,
            forks: provisioner.settings.forks,
        }))
    }

    pub fn warnings(&self) -> &[Diagnostic] {
        self.ready.warnings()
    }

    pub fn hosts(&self) -> Vec<&str> {
        self.ready.hosts()
    }

    pub fn with_prompt(self, prompt: Arc<dyn Prompt>) -> Self {
        Self {
            ready: self.ready.with_prompt(prompt),
            ..self
        }
    }

    pub fn with_connector(self, connector: Arc<dyn Connector>) -> Self {
        Self {
            ready: self.ready.with_connector(connector),
            ..self
        }
    }

    /// Asks all, and judges what they say.
    pub async fn run(
        &self,
        options: &PreflightOptions,
        progress: &Listener<'_>,
        cancel: &CancelHandle,
    ) -> Vec<Finding> {
        let inquiry = self.ready.inquiry();
        let asked: Vec<&Machine> = {
            let names = inquiry.hosts();
            self.fleet
                .machines
                .iter()
                .filter(|m| names.contains(&m.name.as_str()))
                .collect()
        };
        let (done, of) = (AtomicUsize::new(0), asked.len());
        let (inquiry_ref, done) = (&inquiry, &done);
        let all = futures::stream::iter(asked.into_iter().map(|machine| async move {
            let heard = self.hear(inquiry_ref, machine, options).await;
            progress(&Progress::Host {
                name: machine.name.clone(),
                exchanges: inquiry_ref.exchanges(&machine.name),
                done: done.fetch_add(1, Ordering::SeqCst) + 1,
                of,
            });
            (machine, heard)
        }))
        .buffered(self.forks.max(1))
        .collect::<Vec<_>>();
        let heard = tokio::select! {
            heard = all => heard,
            () = cancel.cancelled() => Vec::new(),
        };
        inquiry.close().await;
        self.judge(&heard, options)
    }

    async fn hear(&self, inquiry: &Inquiry, machine: &Machine, options: &PreflightOptions) -> Heard {
        let (first, one) = timed(inquiry, &machine.name, &self.first(machine, options)).await;
        let mut heard = Heard {
            first,
            second: None,
            offset: one,
        };
        let questions = self.second(machine, options);
        if heard.first.is_ok() && !questions.is_empty() {
            let (second, two) = timed(inquiry, &machine.name, &questions).await;
            heard.second = Some(second);
            heard.offset = match (heard.offset, two) {
                (Some(one), Some(two)) => Some(one.and(two)),
                (one, two) => one.or(two),
            };
        }
        heard
    }

    /// The questions of the first exchange. Commands are asked last, and the clock last of them.
    fn first(&self, machine: &Machine, options: &PreflightOptions) -> Vec<Question> {
        let mut questions = vec![AskFacts.question()];
        if options.has(Area::Hosts) {
            questions.extend(CLUSTER_FOLDERS.iter().map(|path| FileAsk::new(*path).question()));
            questions.push(Disk::ask().question());
            questions.push(ask_lock_holder().question());
            questions.push(AskCommand(ROUTES.into()).question());
        }
        if options.has(Area::Network) {
            questions.push(AskCommand(UDP.into()).question());
        }
        if options.has(Area::Network) && machine.is(Duty::Deployment) {
            questions.push(self.ask_routing().question());
        }
        if options.has(Area::Hosts) && !ports::ports_for(&machine.duties).is_empty() {
            questions.push(ports::ask_listeners().question());
        }
        questions.push(AskCommand(CLOCK.into()).question());
        questions
    }

    fn ask_routing(&self) -> AskCommand {
        let places: Vec<_> = self.fleet.places().into_iter().map(|(_, address)| address).collect();
        routing::ask(&places)
    }

    /// The machines that packets of this one are sent to in full size: nodes to nodes, the VPN to all.
    fn ask_mtu(&self, machine: &Machine) -> Option<AskCommand> {
        let node = |machine: &Machine| machine.is(Duty::Node) || machine.is(Duty::Observation);
        let others =
            self.fleet.machines.iter().filter(|other| {
                other.name != machine.name && ((node(machine) && node(other)) || machine.is(Duty::Vpn))
            });
        let addresses: Vec<&str> = others
            .map(|other| other.inner_address.as_str())
            .filter(|a| !a.is_empty())
            .collect();
        mtu::ask(&addresses)
    }

    /// The questions of the second exchange, which may take some seconds; the clock is asked first.
    fn second(&self, machine: &Machine, options: &PreflightOptions) -> Vec<Question> {
        let mut questions = Vec::new();
        if options.has(Area::Hosts) {
            questions.push(AskCommand(CLOCK.into()).question());
        }
        if options.has(Area::Network) {
            questions.extend(ways::ask(&self.ways, &machine.name).map(|ask| ask.question()));
            questions.extend(self.ask_mtu(machine).map(|ask| ask.question()));
        }
        if machine.is(Duty::Deployment) {
            questions.extend(self.tools.iter().flat_map(Tools::questions));
            questions.extend(self.rke_key.iter().map(|key| key.ask().question()));
        }
        questions
    }

    fn judge(&self, heard: &[(&Machine, Heard)], options: &PreflightOptions) -> Vec<Finding> {
        let mut found = Vec::new();
        let area = AREAS.into_iter().find(|area| options.has(*area));
        let area = area.unwrap_or(Area::Hosts).name();
        let mut known: Vec<(&Machine, &Answers, Facts)> = Vec::new();
        for (machine, heard) in heard {
            let error = match (&heard.first, &heard.second) {
                (Err(error), _) | (Ok(_), Some(Err(error))) => error,
                (Ok(answers), _) => {
                    match answers.get(&AskFacts) {
                        Ok(facts) => known.push((machine, answers, facts)),
                        Err(error) => {
                            found.push(hosts::unreachable(area, "answer", machine, &error.to_string()));
                        }
                    }
                    continue;
                }
            };
            let check = if error.is_unreachable() {
                UNREACHABLE
            } else {
                "connection"
            };
            found.push(hosts::unreachable(area, check, machine, &error.to_string()));
        }
        if options.has(Area::Hosts) {
            self.judge_hosts(&mut found, &known, heard);
        }
        if options.has(Area::Network) {
            self.judge_network(&mut found, &known, heard);
        }
        let second = heard.iter().filter(|(machine, _)| machine.is(Duty::Deployment));
        for answers in second.filter_map(|(_, heard)| heard.second.as_ref()?.as_ref().ok()) {
            found.extend(self.tools.iter().flat_map(|tools| tools.judge(answers)));
            let key = self.rke_key.as_ref().map(|key| (key, answers.get(&key.ask())));
            found.extend(key.map(|(key, answer)| match answer {
                Ok(answer) => key.judge(answer.status, &answer.output),
                Err(error) => key.judge(-1, &error.to_string()),
            }));
        }
        found
    }

    fn judge_network(
        &self,
        found: &mut Vec<Finding>,
        known: &[(&Machine, &Answers, Facts)],
        heard: &[(&Machine, Heard)],
    ) {
        let asked: Vec<&str> = known.iter().map(|(machine, ..)| machine.name.as_str()).collect();
        let said =
            |answers: &Answers, script: String| answers.get(&AskCommand(script)).ok().map(|answer| answer.output);
        let (mut came, mut sizes) = (Vec::new(), Vec::new());
        for (machine, heard) in heard {
            let Some(Ok(answers)) = &heard.second else { continue };
            let tried = ways::ask(&self.ways, &machine.name).and_then(|ask| said(answers, ask.0));
            came.extend(
                tried
                    .iter()
                    .flat_map(|output| ways::read(&self.ways, &machine.name, output)),
            );
            let measured = self.ask_mtu(machine).and_then(|ask| said(answers, ask.0));
            sizes.extend(measured.iter().flat_map(|output| mtu::read(&machine.name, output)));
        }
        let uses_udp = |name: &str, port: u16| {
            let of = |(machine, answers, _): &(&Machine, &Answers, Facts)| {
                machine.is_called(name) && said(answers, UDP.into()).is_some_and(|output| listens(&output, port))
            };
            known.iter().any(of)
        };
        found.extend(ways::check(&came, &asked, uses_udp));
        found.extend(mtu::check(&self.fleet, &sizes, &asked));
        for (machine, answers, _) in known.iter().filter(|(machine, ..)| machine.is(Duty::Deployment)) {
            if let Some(output) = said(answers, self.ask_routing().0).filter(|output| !output.is_empty()) {
                found.extend(routing::check(&machine.name, &self.fleet, &output));
            }
        }
        found.extend(mtu::reached_by_peers(&self.fleet, &self.peers));
        found.extend(ways::from_outside(&self.fleet));
    }

    fn judge_hosts(
        &self,
        found: &mut Vec<Finding>,
        known: &[(&Machine, &Answers, Facts)],
        heard: &[(&Machine, Heard)],
    ) {
        let offset_of = |machine: &Machine| {
            let (_, heard) = heard.iter().find(|(one, _)| one.name == machine.name)?;
            heard.offset
        };
        let deployment = known.iter().find(|(machine, ..)| machine.is(Duty::Deployment));
        let reference = deployment.and_then(|(machine, ..)| offset_of(machine));
        let mut routes = Vec::new();
        for (machine, answers, facts) in known {
            let Some(measure) = self.measures.get(&machine.name) else {
                continue;
            };
            let command = |script: &str| answers.get(&AskCommand(script.into())).ok().filter(|a| a.status == 0);
            let disk = command(&Disk::ask().0).and_then(|answer| Disk::parse(&answer.output));
            if let Some(wanted) = measure.size {
                found.extend(hosts::size(machine, facts, disk, wanted));
            }
            found.push(hosts::release(machine, facts));
            found.push(hosts::free_disk(machine, disk, measure.free_disk));
            let holder = command(&ask_lock_holder().0).map(|answer| answer.output);
            found.push(hosts::dpkg(machine, holder.as_deref()));
            if !machine.is(Duty::Deployment) {
                let offset = offset_of(machine);
                let seen = match (offset, reference) {
                    (Some(offset), Some(reference)) => Some(offset.relative_to(reference)),
                    (offset, _) => offset,
                };
                found.push(hosts::clock(machine, seen, measure.skew));
            }
            let wanted = ports::ports_for(&machine.duties);
            if !wanted.is_empty() {
                let is_cluster = CLUSTER_FOLDERS
                    .iter()
                    .any(|path| !matches!(answers.get(&FileAsk::new(*path)), Ok(FileState::Absent { .. })));
                let listeners = command(ports::LISTENERS).map(|answer| answer.output);
                let own = facts.default_ipv4.as_ref().map(|ipv4| IpAddr::V4(ipv4.address));
                found.push(ports::check(
                    &machine.name,
                    &wanted,
                    listeners.as_deref(),
                    own,
                    is_cluster,
                ));
            }
            if let Some(answer) = command(ROUTES) {
                let parsed = answer.output.lines().filter_map(Route::parse).collect();
                routes.push((machine.name.clone(), parsed));
            }
        }
        let identities: Vec<_> = known.iter().map(|(machine, _, facts)| (*machine, facts)).collect();
        found.extend(hosts::identities(&identities));
        found.extend(ranges::check(&self.fleet.ranges, &self.fleet.places(), &routes));
    }
}

/// Whether `output` of `ss -Hlun` has `port`: `UNCONN 0 0 0.0.0.0:8472 0.0.0.0:*`.
fn listens(output: &str, port: u16) -> bool {
    let local = |line: &str| line.split_whitespace().nth(3)?.rsplit_once(':')?.1.parse::<u16>().ok();
    output.lines().any(|line| local(line) == Some(port))
}

/// Asks, and reads off where the machine's clock is.
async fn timed(
    inquiry: &Inquiry,
    host: &str,
    questions: &[Question],
) -> (Result<Answers, TransportError>, Option<Offset>) {
    let sent = now();
    let answers = inquiry
        .ask_host(host, questions)
        .await
        .unwrap_or_else(|| Ok(Answers::new()));
    let received = now();
    let there = answers.as_ref().ok().and_then(|answers| {
        let answer = answers.get(&AskCommand(CLOCK.into())).ok()?;
        let text = answer.output.trim();
        // Where `date` has no fraction, it says so by repeating the letters.
        let whole = || text.split('.').next()?.parse::<f64>().ok().map(|t| t + 0.5);
        text.parse::<f64>().ok().or_else(whole)
    });
    (answers, there.map(|there| Offset::from_question(sent, there, received)))
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}
