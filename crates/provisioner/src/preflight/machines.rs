//! What the machines say of themselves, asked in two exchanges each, all at once; each goes on at its own pace.

mod judge;

use super::fleet::with_defaults;
use super::tools::{self, Tools};
use super::{Area, Listener, PreflightOptions, Progress};
use crate::{InputErrors, Provisioner, Ready};
use futures::StreamExt as _;
use mosip_prov_engine::{Answers, Ask as _, CancelHandle, Inquiry, Play, Playbook, Question};
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_preflight::fleet::{Duty, Fleet, GROUPS, Machine};
use mosip_prov_preflight::guide::{WantedSize, size_for};
use mosip_prov_preflight::hosts::Offset;
use mosip_prov_preflight::keys::RkeKey;
use mosip_prov_preflight::ports::{self, CLUSTER_FOLDERS};
use mosip_prov_preflight::room::Disk;
use mosip_prov_preflight::ways::{self, Way};
use mosip_prov_preflight::{mtu, routing};
use mosip_prov_resources::probe::command::AskCommand;
use mosip_prov_resources::probe::file::FileAsk;
use mosip_prov_resources::{AskFacts, Network, ask_hidden_lock_holder, ask_lock_holder};
use mosip_prov_transport::{Connector, Prompt, TransportError};
use std::collections::{BTreeSet, HashMap};
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
/// As whom the machine was asked: 0 is root.
const USER: &str = "id -u";
/// The play of the deployment node, which works there as the login user.
const DEPLOYMENT: &str = "Look at the deployment node";
/// The areas that machines are asked for.
pub(super) const AREAS: [Area; 4] = [Area::Hosts, Area::Network, Area::Tools, Area::Keys];

/// What a machine is measured by.
struct Measure {
    size: Option<WantedSize>,
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
    /// What the deployment node said as the login user, where it is asked as root for the rest.
    own: Option<Result<Answers, TransportError>>,
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
        let mut plays = Vec::new();
        let deployment = super::fleet::deployment_node(provisioner);
        if !unusable.contains(deployment) {
            plays.push(optional(Play::on_deployment_node(DEPLOYMENT).serving(groups.as_str())));
        }
        let in_groups = |name: &str| {
            let mut groups = GROUPS.iter().filter(|(_, duty)| *duty != Duty::Deployment);
            groups.any(|(group, _)| provisioner.inventory().hosts_of(group).contains(&name))
        };
        let rest = fleet
            .machines
            .iter()
            .any(|machine| in_groups(&machine.name) && !unusable.contains(&machine.name));
        if rest && (options.has(Area::Hosts) || options.has(Area::Network)) {
            let pattern = format!("{groups}{}", left_out.concat());
            // First, so that a deployment node that is one of them is asked as root too: only root is told which programs
            // have its ports and locks.
            plays.insert(0, optional(Play::new("Look at the machines", pattern)));
        }
        let playbook = Playbook::new("preflight", "asks, and changes nothing");
        let playbook = plays.into_iter().fold(playbook, Playbook::play);
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
                    size: settings.wanted(size_for(&machine.duties)),
                    free_disk: settings.min_free_disk,
                    skew: settings.max_clock_skew,
                };
                measures.insert(machine.name.clone(), measure);
            }
        }
        if problems.has_errors() {
            return Err(problems.into());
        }
        let here = super::keys::rke_here(provisioner, fleet);
        let checked_here = here.is_some_and(|path| keys.contains(&path));
        let rke_key =
            tools::rke_key(provisioner, deployment, fleet).filter(|_| options.has(Area::Keys) && !checked_here);
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

    /// Asks all, and judges what they say. When `cancel` is used, what was said by then is judged.
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
        let answers = futures::stream::iter(asked.iter().enumerate().map(|(number, machine)| async move {
            let heard = self.hear(inquiry_ref, machine, options).await;
            progress(&Progress::Host {
                name: machine.name.clone(),
                exchanges: inquiry_ref.exchanges(&machine.name),
                done: done.fetch_add(1, Ordering::SeqCst) + 1,
                of,
            });
            (number, *machine, heard)
        }))
        .buffer_unordered(self.forks.max(1));
        let mut answers = std::pin::pin!(answers);
        let mut heard = Vec::new();
        let whole = loop {
            tokio::select! {
                next = answers.next() => match next {
                    Some(one) => heard.push(one),
                    None => break true,
                },
                () = cancel.cancelled() => break false,
            }
        };
        inquiry.close().await;
        // In the inventory's order, whoever was first.
        heard.sort_by_key(|(number, ..)| *number);
        let heard: Vec<_> = heard.into_iter().map(|(_, machine, heard)| (machine, heard)).collect();
        self.judge(&heard, options, whole)
    }

    async fn hear(&self, inquiry: &Inquiry, machine: &Machine, options: &PreflightOptions) -> Heard {
        let name = &machine.name;
        let (first, one) = timed(inquiry, name, &self.first(machine, options)).await;
        let mut heard = Heard {
            first,
            second: None,
            own: None,
            offset: one,
        };
        let mut questions = self.second(machine, options);
        let own = self.of_deployment_node(machine);
        // Tools and keys are those of the user who deploys.
        let apart = inquiry.is_asked_otherwise(DEPLOYMENT, name);
        if !apart {
            questions.extend(own.iter().cloned());
        }
        if heard.first.is_ok() && !questions.is_empty() {
            let (second, two) = timed(inquiry, name, &questions).await;
            heard.second = Some(second);
            heard.offset = match (heard.offset, two) {
                (Some(one), Some(two)) => Some(one.and(two)),
                (one, two) => one.or(two),
            };
        }
        if heard.first.is_ok() && apart && !own.is_empty() {
            heard.own = inquiry.ask_host_of(DEPLOYMENT, name, &own).await;
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
            questions.push(ask_hidden_lock_holder().question());
            questions.push(AskCommand(USER.into()).question());
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
        questions
    }

    /// What the deployment node alone is asked, in the second exchange where that is as the same user.
    fn of_deployment_node(&self, machine: &Machine) -> Vec<Question> {
        if !machine.is(Duty::Deployment) {
            return Vec::new();
        }
        let tools = self.tools.iter().flat_map(Tools::questions);
        tools
            .chain(self.rke_key.iter().map(|key| key.ask().question()))
            .collect()
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
