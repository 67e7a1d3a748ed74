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

mod plan;
mod waiting;

pub use waiting::Waiting;

use crate::{Asking, InputErrors, Provisioner};
use mosip_prov_cluster::Kubectl;
use mosip_prov_cluster::verify::{Expected, Look, has_releases, is_final, judge};
use mosip_prov_engine::{Answers, CancelHandle, Inquiry, Play, RunOutcome};
use mosip_prov_events::{Finding, Level};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_preflight::certificates::Trusted;
use mosip_prov_preflight::https::{self, Probe, Roots};
use mosip_prov_transport::error::BecomeError;
use mosip_prov_transport::{Connector, ErrorKind, Prompt, TransportError};
use plan::{Plan, Reads, SeenOfFront};
use role_verify::Of;
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
    /// A PEM file with authorities to believe besides those that browsers and this machine know.
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
                roots: roots.and_trusted(&plan.authorities),
                plan,
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
    let roots = Roots::public().and_trusted(&Trusted::of_system());
    let Some(path) = &options.ca_file else {
        return Ok(roots);
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
    roots.and_pem(&pem).map_err(problem)
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

    /// Looks until all is well, until the time is over, until nothing is left that waiting could mend, or until the
    /// deployment node refuses the login. `waiting` is told
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
            let Some((looked, node)) = looked else {
                last.interrupted = true;
                break;
            };
            last = looked;
            if node == Node::Lost {
                // A connection that broke does not come back by itself.
                inquiry.close().await;
                inquiry = self.asking.open();
            }
            let failing = |one: &&Finding| one.level == Level::Failure;
            let failures: Vec<Finding> = last.findings.iter().filter(failing).cloned().collect();
            let left = self.options.timeout.saturating_sub(began.elapsed());
            let is_final = |one: &Finding| is_final(one) || https::is_final(one);
            // A login that was refused is not tried again: accounts are locked after a few. Without what the cluster says
            // the rest need not be waited for.
            if node == Node::Refused || failures.iter().all(is_final) || left.is_zero() {
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

    /// One look at everything; how the deployment node took it.
    async fn look_once(&self, inquiry: &Inquiry, before: Stage) -> (Verified, Node) {
        let probes: Vec<Probe> = self.plan.front.probes.iter().map(|(probe, _)| probe.clone()).collect();
        let streams = self.plan.front.streams.clone();
        let seen = tokio::task::spawn_blocking(move || {
            std::thread::scope(|scope| {
                let streams = scope.spawn(|| https::look_at_streams(&streams, STEP));
                SeenOfFront {
                    probes: Some(https::look(&probes, STEP)),
                    streams: streams.join().ok(),
                }
            })
        });
        let questions: HashMap<_, _> = self
            .asking
            .hosts()
            .into_iter()
            .map(|host| (host.to_owned(), self.look.questions()))
            .collect();
        let (answers, seen) = tokio::join!(inquiry.ask(&questions), seen);
        let (mut findings, found_stage, node) = self.of_cluster(answers.into_iter().next());
        let stage = self.options.stage.or(found_stage).unwrap_or(before);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let seen = seen.unwrap_or_default();
        findings.extend(self.plan.front.judge(&seen, stage, &self.roots, now));
        let ok = !findings.iter().any(|finding| finding.level == Level::Failure);
        let verified = Verified {
            findings,
            ok,
            stage,
            interrupted: false,
        };
        (verified, node)
    }

    fn of_cluster(
        &self,
        answered: Option<(String, Result<Answers, TransportError>)>,
    ) -> (Vec<Finding>, Option<Stage>, Node) {
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
            return (found, None, Node::Answers);
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
                let node = match is_refused(&error.kind) {
                    true => Node::Refused,
                    false => Node::Lost,
                };
                return (failure(&host, check, message, remedy), None, node);
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
                (
                    judge(&looked, &expected, self.look.kubeconfig()),
                    Some(stage),
                    Node::Answers,
                )
            }
            Err(error) => {
                let remedy = "see by hand what kubectl says there".to_owned();
                (
                    failure(&host, "no_answer", error.to_string(), remedy),
                    None,
                    Node::Answers,
                )
            }
        }
    }
}

/// How the deployment node took a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Answers,
    /// It could not be asked; it may be later.
    Lost,
    /// It, or we, refused the login.
    Refused,
}

/// Whether somebody must do something before such a login can come about.
fn is_refused(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::Auth { .. } | ErrorKind::HostKey(_) | ErrorKind::KeyFile(_) => true,
        ErrorKind::Become(error) => !matches!(error, BecomeError::NoAnswer { .. } | BecomeError::Other { .. }),
        _ => false,
    }
}
