//! What the machines say of themselves, asked in two exchanges each, all at once; each goes on at its own pace.

use super::fleet::with_defaults;
use super::{Area, Listener, PreflightOptions, Progress, UNREACHABLE};
use crate::{InputErrors, Provisioner, Ready};
use futures::StreamExt as _;
use mosip_prov_engine::{Answers, Ask as _, CancelHandle, Inquiry, Play, Playbook, Question};
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_preflight::fleet::{Duty, Fleet, GROUPS, Machine};
use mosip_prov_preflight::guide::{Size, size_for};
use mosip_prov_preflight::hosts::{self, Offset};
use mosip_prov_preflight::ports::{self, CLUSTER_FOLDERS};
use mosip_prov_preflight::ranges::{self, Route};
use mosip_prov_preflight::room::Disk;
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::probe::file::{FileAsk, FileState};
use mosip_prov_resources::{AskFacts, Facts, ask_lock_holder};
use mosip_prov_transport::{Connector, Prompt, TransportError};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

/// Seconds since the epoch, with a fraction where `date` has one.
const CLOCK: &str = "date -u +%s.%N";
/// The networks that the machine has routes to.
const ROUTES: &str = "ip -4 route show";

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
        Ok(Some(Self {
            ready: provisioner.prepare(&[playbook])?,
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
        if options.has(Area::Hosts) && !ports::ports_for(&machine.duties).is_empty() {
            questions.push(ports::ask_listeners().question());
        }
        questions.push(AskCommand(CLOCK.into()).question());
        questions
    }

    /// The questions of the second exchange, which may take some seconds; the clock is asked first.
    fn second(&self, _machine: &Machine, options: &PreflightOptions) -> Vec<Question> {
        match options.has(Area::Hosts) {
            true => vec![AskCommand(CLOCK.into()).question()],
            false => Vec::new(),
        }
    }

    fn judge(&self, heard: &[(&Machine, Heard)], options: &PreflightOptions) -> Vec<Finding> {
        let mut found = Vec::new();
        let area = [Area::Hosts, Area::Network, Area::Tools]
            .into_iter()
            .find(|area| options.has(*area));
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
        found
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
