//! Whether what was deployed works: the cluster, asked from the deployment node, and its front, from this machine.
//!
//! ```no_run
//! # async fn example(provisioner: &mosip_prov::Provisioner) -> Result<(), Box<dyn std::error::Error>> {
//! use mosip_prov::CancelHandle;
//! use mosip_prov::verify::{VerifyOptions, Which};
//!
//! let verification = provisioner.verify(Which::Mosip, &VerifyOptions::default())?;
//! let verified = verification.run(&|progress| eprintln!("{progress:?}"), &CancelHandle::new()).await;
//! println!("{} findings, {}", verified.findings.len(), if verified.ok { "all well" } else { "something is wrong" });
//! # Ok(()) }
//! ```

mod waiting;

pub use waiting::Waiting;

use crate::{Asking, InputErrors, Provisioner};
use mosip_prov_cluster::Kubectl;
use mosip_prov_cluster::verify::{Expected, Look, has_releases, is_final, judge};
use mosip_prov_engine::{Answers, CancelHandle, Inquiry, Play, Role, RoleContext, RoleTasks, RunOutcome};
use mosip_prov_events::{Finding, Level};
use mosip_prov_front::{ListenAddress, Surroundings};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_inventory::yaml;
use mosip_prov_preflight::https::{self, Awaited, Probe, Roots, Stream};
use mosip_prov_transport::{Connector, Prompt, TransportError};
use role_verify::{Of, Subject};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The area of findings about the deployment node.
pub const DEPLOYMENT: &str = "deployment";
/// The check of a deployment node that cannot be reached: see [`Verified::outcome`].
pub const UNREACHABLE: &str = "unreachable";
/// Time for each step of a request through a front.
const STEP: Duration = Duration::from_secs(10);
/// Ports that the MOSIP front passes on besides HTTPS, and what is behind them.
const STREAMS: [(&str, u16); 3] = [("postgres", 5432), ("activemq", 61616), ("minio", 9000)];

/// One of the two deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The observation cluster and its front.
    Obs,
    /// The MOSIP cluster and its front.
    Mosip,
}

/// How far the deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The cluster stands, and nothing is deployed in it.
    Cluster,
    /// Helm has deployed what belongs in it.
    Helm,
}

/// What is looked at, and how long.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// How far the deployment should be. `None`: what the cluster says, by whether something of Helm's is in it.
    pub stage: Option<Stage>,
    /// How long to wait until all is well; zero: look once.
    pub timeout: Duration,
    /// Time between two looks.
    pub every: Duration,
    /// A PEM file with authorities to believe besides those that browsers know.
    pub ca_file: Option<PathBuf>,
    /// Whether the fronts are looked for where the resolver of this machine says that their names are, in place of their
    /// addresses in the inventory.
    pub resolve_dns: bool,
    /// Whether the fronts are looked at.
    pub fronts: bool,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            stage: None,
            timeout: Duration::from_secs(300),
            every: Duration::from_secs(3),
            ca_file: None,
            resolve_dns: false,
            fronts: true,
        }
    }
}

/// Who is told of [`Waiting`].
pub type Listener<'a> = dyn Fn(&Waiting<'_>) + Send + Sync + 'a;

/// What came of it.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Everything that was looked at, in the order of areas: deployment node, API, nodes, pods, workloads, volumes, fronts.
    pub findings: Vec<Finding>,
    /// Whether nothing is wrong.
    pub ok: bool,
    /// How far the deployment was taken to be.
    pub stage: Stage,
    /// Whether it was stopped before its end; the findings are those of the last look.
    pub interrupted: bool,
}

impl Verified {
    /// How it ended, as an exit code says it: unreachable only when nothing else is wrong.
    pub fn outcome(&self) -> RunOutcome {
        let failures = || self.findings.iter().filter(|finding| finding.level == Level::Failure);
        if self.interrupted {
            RunOutcome::Interrupted
        } else if self.ok {
            RunOutcome::Ok
        } else if failures().all(|one| one.area == DEPLOYMENT && one.check == UNREACHABLE) {
            RunOutcome::Unreachable
        } else {
            RunOutcome::Failed
        }
    }
}

/// A front: its names with what is awaited after Helm, and its stream ports.
#[derive(Debug, Clone, Default)]
struct Front {
    probes: Vec<(Probe, Awaited)>,
    streams: Vec<Stream>,
}

/// All that is read before anything is connected to.
#[derive(Debug, Clone)]
struct Plan {
    subject: Subject,
    front: Front,
}

/// A verification that is ready to be made. All inputs are right; nothing has been connected to.
pub struct Verification {
    asking: Asking,
    plan: Plan,
    look: Look,
    roots: Roots,
    options: VerifyOptions,
}

impl Provisioner {
    /// Makes the verification of a deployment ready.
    ///
    /// # Errors
    /// Everything that is wrong with inventory, settings and files.
    pub fn verify(&self, which: Which, options: &VerifyOptions) -> Result<Verification, InputErrors> {
        let mut problems = Diagnostics::new();
        let roots = problems.take(roots(options));
        let reads = Arc::new(Mutex::new(None));
        let of = match which {
            Which::Obs => Of::Observation,
            Which::Mosip => Of::Main,
        };
        let role = Reads {
            which,
            of,
            options: options.clone(),
            plan: reads.clone(),
        };
        let play = Play::on_deployment_node("Verify the cluster")
            .serving(of.group())
            .role(role);
        let asking = match self.ask(play) {
            Ok(asking) => Some(asking),
            Err(errors) => {
                problems.extend(errors.diagnostics().iter().cloned());
                None
            }
        };
        let plan: Option<Plan> = reads.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (asking, plan, roots) {
            (Some(asking), Some(plan), Some(roots)) => Ok(Verification {
                look: Look::new(&Kubectl::new(plan.subject.kubeconfig.clone())),
                asking,
                plan,
                roots,
                options: options.clone(),
            }),
            (Some(_), None, _) if !problems.has_errors() => Err(InputErrors::of(
                Diagnostic::error(format!("the inventory has no host of group {}", of.group()))
                    .help("name the machines of the cluster in the inventory, and see that --limit leaves them in"),
            )),
            _ => Err(problems.into()),
        }
    }
}

fn roots(options: &VerifyOptions) -> Result<Roots, Diagnostic> {
    let Some(path) = &options.ca_file else {
        return Ok(Roots::public());
    };
    let shown = path.display();
    let problem = |what: String| {
        Diagnostic::error(format!("the file of --ca-file, {shown}, {what}"))
            .at(Location::file(path))
            .help(
                "it holds one or more certificates of authorities, each between BEGIN CERTIFICATE and END CERTIFICATE",
            )
    };
    let pem = std::fs::read(path).map_err(|error| problem(format!("cannot be read: {error}")))?;
    Roots::with(&pem).map_err(problem)
}

/// A role that reads what is to be looked at, and does nothing.
struct Reads {
    which: Which,
    of: Of,
    options: VerifyOptions,
    plan: Arc<Mutex<Option<Plan>>>,
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
        if let Some(subject) = subject {
            let plan = Plan { subject, front };
            *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
        }
        RoleTasks::default()
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

impl Verification {
    /// The deployment node.
    pub fn hosts(&self) -> Vec<&str> {
        self.asking.hosts()
    }

    /// The nodes that are to be in the cluster.
    pub fn nodes(&self) -> &[String] {
        &self.plan.subject.nodes
    }

    /// Findings about the inventory that stop nothing.
    pub fn warnings(&self) -> &[Diagnostic] {
        self.asking.warnings()
    }

    /// The same, asking `prompt` for the passphrases of keys.
    #[must_use]
    pub fn with_prompt(mut self, prompt: Arc<dyn Prompt>) -> Self {
        self.asking = self.asking.with_prompt(prompt);
        self
    }

    /// The same, reaching the deployment node in another way than SSH and a local shell: fakes for tests, for example.
    #[must_use]
    pub fn with_connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.asking = self.asking.with_connector(connector);
        self
    }

    /// Looks until all is well, until the time is over, or until nothing is left that waiting could mend. `waiting` is told
    /// after each look what is not well yet.
    pub async fn run(&self, waiting: &Listener<'_>, cancel: &CancelHandle) -> Verified {
        let began = Instant::now();
        let mut inquiry = self.asking.open();
        let mut last = Verified {
            findings: Vec::new(),
            ok: false,
            stage: self.options.stage.unwrap_or(Stage::Cluster),
            interrupted: false,
        };
        loop {
            let looked = tokio::select! {
                looked = self.look_once(&inquiry, last.stage) => Some(looked),
                () = cancel.cancelled() => None,
            };
            let Some((looked, lost)) = looked else {
                last.interrupted = true;
                break;
            };
            last = looked;
            if lost {
                // A connection that broke does not come back by itself.
                inquiry.close().await;
                inquiry = self.asking.open();
            }
            let failing = |one: &&Finding| one.level == Level::Failure;
            let failures: Vec<Finding> = last.findings.iter().filter(failing).cloned().collect();
            let left = self.options.timeout.saturating_sub(began.elapsed());
            if failures.iter().all(is_final) || left.is_zero() {
                break;
            }
            let told = Waiting {
                failures: &failures,
                left,
            };
            waiting(&told);
            tokio::select! {
                () = tokio::time::sleep(self.options.every.min(left)) => {}
                () = cancel.cancelled() => {}
            }
        }
        inquiry.close().await;
        last
    }

    /// One look at everything; whether the deployment node could not be asked.
    async fn look_once(&self, inquiry: &Inquiry, before: Stage) -> (Verified, bool) {
        let probes: Vec<Probe> = self.plan.front.probes.iter().map(|(probe, _)| probe.clone()).collect();
        let streams = self.plan.front.streams.clone();
        let seen = tokio::task::spawn_blocking(move || {
            std::thread::scope(|scope| {
                let streams = scope.spawn(|| https::look_at_streams(&streams, STEP));
                let seen = https::look(&probes, STEP);
                (seen, streams.join().unwrap_or_default())
            })
        });
        let questions: HashMap<_, _> = self
            .asking
            .hosts()
            .into_iter()
            .map(|host| (host.to_owned(), self.look.questions()))
            .collect();
        let (answers, seen) = tokio::join!(inquiry.ask(&questions), seen);
        let (mut findings, found_stage, lost) = self.of_cluster(answers.into_iter().next());
        let stage = self.options.stage.or(found_stage).unwrap_or(before);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        // Looking at a front does not panic; if it did, there would be nothing to tell.
        let (seen, streams) = seen.unwrap_or_default();
        for ((probe, after), seen) in self.plan.front.probes.iter().zip(&seen) {
            let awaited = match stage {
                Stage::Cluster => Awaited::Nothing,
                Stage::Helm => *after,
            };
            findings.extend(https::judge(probe, seen, awaited, &self.roots, now));
        }
        for (stream, seen) in self.plan.front.streams.iter().zip(&streams) {
            findings.push(https::judge_stream(stream, seen, stage == Stage::Helm));
        }
        let ok = !findings.iter().any(|finding| finding.level == Level::Failure);
        let verified = Verified {
            findings,
            ok,
            stage,
            interrupted: false,
        };
        (verified, lost)
    }

    fn of_cluster(
        &self,
        answered: Option<(String, Result<Answers, TransportError>)>,
    ) -> (Vec<Finding>, Option<Stage>, bool) {
        let failure = |host: &str, check: &str, message: String, remedy: String| {
            vec![Finding::failure(DEPLOYMENT, check, host, message, remedy)]
        };
        let Some((host, answers)) = answered else {
            let found = failure(
                "deployment node",
                "none",
                "there is none to ask".into(),
                "see group deployment of the inventory, and --limit".into(),
            );
            return (found, None, false);
        };
        let read = match answers {
            Ok(answers) => self.look.read(&answers),
            Err(error) => {
                let check = if error.is_unreachable() {
                    UNREACHABLE
                } else {
                    "cannot_ask"
                };
                let remedy = error.remedy();
                let message = error.kind.to_string();
                return (failure(&host, check, message, remedy), None, true);
            }
        };
        match read {
            Ok(looked) => {
                let expected = Expected::nodes(self.plan.subject.nodes.iter().cloned());
                let stage = if has_releases(&looked) {
                    Stage::Helm
                } else {
                    Stage::Cluster
                };
                (judge(&looked, &expected, self.look.kubeconfig()), Some(stage), false)
            }
            Err(error) => {
                let remedy = "see by hand what kubectl says there".to_owned();
                (failure(&host, "no_answer", error.to_string(), remedy), None, false)
            }
        }
    }
}
