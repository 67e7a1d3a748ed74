//! Where a deployment stands: what the journal says, and what the machines say to it.

use super::lock::Lock;
use super::{Deployment, Stage, Standing, Went, inputs};
use crate::{InputErrors, Provisioner, Settings, verify};
use mosip_prov_engine::CancelHandle;
use mosip_prov_events::{Finding, TaskStatus};
use mosip_prov_inventory::diagnostic::Diagnostic;
use serde::Serialize;

/// The version of the JSON of [`Status`].
pub const VERSION: u32 = 1;

/// Where a deployment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Version of the format.
    pub v: u32,
    /// Every stage, in order.
    pub stages: Vec<StageStatus>,
    /// The stage with which the next deploy goes on; `None` when all are done.
    pub next: Option<&'static str>,
    /// Inventory and variables are others than those of the last deploy.
    pub inputs_changed: bool,
    /// The deploy goes on right now, as this process of this machine.
    pub running: Option<u32>,
    /// Handlers and long work that earlier runs owe.
    pub owed: Vec<String>,
    /// What is not as a stage that was done has left it. `None` when the machines were not asked.
    pub drift: Option<Vec<Drift>>,
    /// What the clusters that were deployed say. `None` when they were not asked.
    pub findings: Option<Vec<Finding>>,
}

/// How a stage went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageStatus {
    /// Its name.
    pub stage: &'static str,
    /// How it went last; `None` when it was never begun.
    #[serde(flatten)]
    pub went: Option<Went>,
}

/// What is different on a host from what a playbook that was run makes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The playbook.
    pub playbook: String,
    /// The host.
    pub host: String,
    /// What the playbook would change there, one line each; or why it could not be told.
    pub changes: Vec<String>,
    /// The host was not reached.
    pub unreachable: bool,
}

impl Status {
    /// Whether nothing is left to do and nothing has drifted, as far as was looked.
    pub fn is_settled(&self) -> bool {
        let well = |finding: &Finding| finding.level != mosip_prov_events::Level::Failure;
        self.next.is_none()
            && self.owed.is_empty()
            && self.drift.as_ref().is_none_or(Vec::is_empty)
            && self.findings.iter().flatten().all(well)
    }

    /// Whether some host was not reached.
    pub fn unreachable(&self) -> bool {
        let lost = |finding: &Finding| finding.area == verify::DEPLOYMENT && finding.check == verify::UNREACHABLE;
        self.drift.iter().flatten().any(|drift| drift.unreachable) || self.findings.iter().flatten().any(lost)
    }

    /// What the journal says, without connecting to anything.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn of_journal(provisioner: &Provisioner) -> Result<Self, InputErrors> {
        let standing = Standing::of(&provisioner.journal()?);
        let past = provisioner.history()?;
        let inputs = inputs::digest(provisioner, &provisioner.settings);
        let inputs_changed = standing.as_ref().is_some_and(|s| s.inputs != inputs);
        let went = |stage: Stage| standing.as_ref().and_then(|s| s.went.get(&stage)).cloned();
        let handlers = past
            .owed
            .iter()
            .map(|owed| format!("{}: handler \"{}\" of role {}", owed.host, owed.handler, owed.role));
        let units = past
            .units
            .iter()
            .map(|unit| format!("{}: {} still runs, or its result was not taken", unit.host, unit.task));
        Ok(Self {
            v: VERSION,
            stages: Stage::ALL
                .into_iter()
                .map(|stage| StageStatus {
                    stage: stage.name(),
                    went: went(stage),
                })
                .collect(),
            next: match &standing {
                // Then all of it is begun anew.
                Some(standing) if !inputs_changed => standing.first_open().map(Stage::name),
                _ => Some(Stage::Preflight.name()),
            },
            inputs_changed,
            running: provisioner.journal_folder().as_deref().and_then(Lock::holder),
            owed: handlers.chain(units).collect(),
            drift: None,
            findings: None,
        })
    }
}

impl Deployment {
    /// Asks the machines: works out every playbook whose stage was done, and looks once at the clusters that were
    /// verified. Changes nothing. `say` is told what goes on.
    ///
    /// # Errors
    /// Inputs that are wrong.
    pub async fn status(&self, mut say: impl FnMut(&str), cancel: &CancelHandle) -> Result<Status, InputErrors> {
        let provisioner = Provisioner::load(self.settings.clone())?;
        let mut status = Status::of_journal(&provisioner)?;
        let done = |stage: Stage| self.last.as_ref().is_some_and(|last| last.is_done(stage));
        let mut drift = Vec::new();
        let mut findings = Vec::new();
        for stage in Stage::ALL {
            if !done(stage) || inputs::left_out(&provisioner, stage).is_some() || cancel.is_cancelled() {
                continue;
            }
            if let Some(name) = stage.playbook() {
                say(&format!("working out {name}"));
                let settings = inputs::settings_for(&provisioner, &self.settings, stage);
                drift.extend(self.drift_of(&settings, name, cancel).await?);
            } else if matches!(stage, Stage::VerifyRancher | Stage::VerifyMosip)
                || (stage == Stage::VerifyObservation && !done(Stage::VerifyRancher))
                || (stage == Stage::VerifyMain && !done(Stage::VerifyMosip))
            {
                say(&format!("looking at {stage}"));
                findings.extend(self.look(&provisioner, stage, cancel).await?);
            }
        }
        status.drift = Some(drift);
        status.findings = Some(findings);
        Ok(status)
    }

    async fn drift_of(
        &self,
        settings: &Settings,
        name: &str,
        cancel: &CancelHandle,
    ) -> Result<Vec<Drift>, InputErrors> {
        let report = self.ready(settings, name, true)?.run(|_| {}, cancel).await;
        let mut drift = Vec::new();
        for (host, on_host) in &report.hosts {
            let differs = |status| matches!(status, TaskStatus::Changed | TaskStatus::Unknown | TaskStatus::Failed);
            let told = on_host
                .tasks
                .iter()
                .filter(|task| differs(task.status) && !task.ignored);
            let mut changes: Vec<String> = told
                .map(|task| match &task.error {
                    Some(error) => format!("{} : {}: {}", task.id.role, task.id.task, error.message),
                    None => format!("{} : {}: {}", task.id.role, task.id.task, task.reason),
                })
                .collect();
            changes.extend(on_host.unreachable.iter().map(|why| why.message.clone()));
            if !changes.is_empty() {
                drift.push(Drift {
                    playbook: name.to_owned(),
                    host: host.clone(),
                    changes,
                    unreachable: on_host.unreachable.is_some(),
                });
            }
        }
        Ok(drift)
    }

    /// All playbooks and clusters are to be looked at: the inputs of a status.
    ///
    /// # Errors
    /// Inventory and journal cannot be read.
    pub fn to_look_at(settings: Settings) -> Result<Self, InputErrors> {
        let provisioner = Provisioner::load(Settings {
            check: true,
            ..settings.clone()
        })?;
        let last = Standing::of(&provisioner.journal()?);
        let warnings: Vec<Diagnostic> = provisioner.warnings().to_vec();
        Ok(Self::with(settings, &provisioner, last, warnings))
    }
}
