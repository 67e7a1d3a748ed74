//! The stages that are no playbooks: looking, Terraform, Rancher.

use super::{Deployment, Ended, OfTerraform, Said, Stage, Watch, inputs};
use crate::preflight::{Area, PreflightOptions, Progress, UNREACHABLE};
use crate::rancher::{Given, Mode, Outcome, RancherError};
use crate::terraform::{self, Interrupt, Located, Phase, PlanOptions, TerraformError, TerraformEvent};
use crate::verify::{self, VerifyOptions, Waiting};
use crate::{InputErrors, Provisioner, Settings};
use mosip_prov_engine::CancelHandle;
use mosip_prov_events::{Finding, Findings, Level};
use mosip_prov_inventory::diagnostic::Diagnostic;
use mosip_prov_inventory::value::Secret;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How long a lock of Terraform's state is waited for: it may be held by a terraform that outlived its deploy.
const STATE_LOCK: Duration = Duration::from_secs(600);
/// The output of the first root that has Rancher's first password.
const PASSWORD: &str = "rancher_bootstrap_password";

/// The check of a package manager that somebody uses.
const LOCKED: &str = "dpkg";

/// Checks the inputs of a stage that is no playbook.
pub fn check(provisioner: &Provisioner, stage: Stage) -> Result<Vec<Diagnostic>, InputErrors> {
    match stage {
        Stage::TerraformObs | Stage::TerraformMosip => {
            located(provisioner, stage)?.look_before_the_cluster()?;
            Ok(Vec::new())
        }
        Stage::VerifyObservation | Stage::VerifyRancher | Stage::VerifyMain | Stage::VerifyMosip => {
            let options = VerifyOptions::default();
            Ok(provisioner.verify(which_cluster(stage), &options)?.warnings().to_vec())
        }
        _ => Ok(Vec::new()),
    }
}

fn located(provisioner: &Provisioner, stage: Stage) -> Result<Located, InputErrors> {
    let which = match stage {
        Stage::TerraformMosip => terraform::Which::Mosip,
        _ => terraform::Which::Obs,
    };
    let located = terraform::find(provisioner, &which)?;
    Ok(located.map(|root| root.with_lock_timeout(STATE_LOCK)))
}

fn which_cluster(stage: Stage) -> verify::Which {
    match stage {
        Stage::VerifyMain | Stage::VerifyMosip => verify::Which::Mosip,
        _ => verify::Which::Obs,
    }
}

/// How a verification of `stage` is made, waiting for `timeout`.
fn verify_options(stage: Stage, timeout: Duration) -> VerifyOptions {
    let helm = matches!(stage, Stage::VerifyRancher | Stage::VerifyMosip);
    VerifyOptions {
        stage: Some(if helm {
            verify::Stage::Helm
        } else {
            verify::Stage::Cluster
        }),
        timeout,
        ..VerifyOptions::default()
    }
}

/// How long pods that are starting are waited for.
fn patience(stage: Stage) -> Duration {
    match stage {
        Stage::VerifyMosip => Duration::from_secs(1200),
        Stage::VerifyRancher => Duration::from_secs(600),
        _ => Duration::from_secs(300),
    }
}

impl Deployment {
    /// A stage that is no playbook.
    pub(super) async fn other(
        &self,
        provisioner: &Provisioner,
        stage: Stage,
        watch: &mut dyn Watch,
        cancel: &CancelHandle,
    ) -> Ended {
        match stage {
            Stage::Preflight => self.preflight(provisioner, watch, cancel).await,
            Stage::TerraformObs | Stage::TerraformMosip => self.terraform(provisioner, stage, watch, cancel).await,
            Stage::Import => self.import(provisioner, watch, cancel).await,
            _ => self.verify(provisioner, stage, watch, cancel).await,
        }
    }

    async fn preflight(&self, provisioner: &Provisioner, watch: &mut dyn Watch, cancel: &CancelHandle) -> Ended {
        let settings = Settings {
            check: true,
            ..inputs::settings_for(provisioner, &self.settings, Stage::Wireguard)
        };
        // The tools that are missing are installed by the next stage, which looks at them first.
        let tools_come = self.stages.contains(&Stage::DeploymentNode);
        let areas = Area::ALL.into_iter().filter(|area| *area != Area::Tools || !tools_come);
        let options = PreflightOptions {
            areas: areas.collect(),
            nameservers: self.options.nameservers.clone(),
            ..PreflightOptions::default()
        };
        let preflight = match Provisioner::load(settings).and_then(|p| p.preflight(&options)) {
            Ok(preflight) => preflight,
            Err(errors) => return Ended::of_inputs(&errors),
        };
        let preflight = match &self.prompt {
            Some(prompt) => preflight.with_prompt(prompt.clone()),
            None => preflight,
        };
        let hosts = preflight.hosts().len();
        watch.say(&format!("asking {hosts} hosts, and the nameservers"));
        let silent = |_: &Progress| {};
        let mut findings = preflight.run(&silent, cancel).await;
        let held = |finding: &&mut Finding| finding.check == LOCKED && finding.level == Level::Failure;
        for finding in findings.iter_mut().filter(held) {
            // The playbooks wait for it themselves; it may be work of ours that outlived a killed deploy.
            finding.level = Level::Warning;
        }
        if cancel.is_cancelled() {
            return Ended::Interrupted;
        }
        of_findings(findings, watch)
    }

    async fn verify(
        &self,
        provisioner: &Provisioner,
        stage: Stage,
        watch: &mut dyn Watch,
        cancel: &CancelHandle,
    ) -> Ended {
        let options = verify_options(stage, patience(stage));
        let verification = match provisioner.verify(which_cluster(stage), &options) {
            Ok(verification) => verification,
            Err(errors) => return Ended::of_inputs(&errors),
        };
        let verification = match &self.prompt {
            Some(prompt) => verification.with_prompt(prompt.clone()),
            None => verification,
        };
        let (sender, mut waiting) = unbounded_channel();
        let listener = |on: &Waiting<'_>| drop(sender.send(on.to_string()));
        let mut work = std::pin::pin!(verification.run(&listener, cancel));
        let mut last = String::new();
        let verified = loop {
            tokio::select! {
                verified = &mut work => break verified,
                Some(text) = waiting.recv() => {
                    if text != last {
                        watch.say(&text);
                        last = text;
                    }
                }
            }
        };
        if cancel.is_cancelled() {
            return Ended::Interrupted;
        }
        of_findings(verified.findings, watch)
    }

    /// Looks once at what `stage` waits for.
    pub(super) async fn look(
        &self,
        provisioner: &Provisioner,
        stage: Stage,
        cancel: &CancelHandle,
    ) -> Result<Vec<Finding>, InputErrors> {
        let options = verify_options(stage, Duration::ZERO);
        let verification = provisioner.verify(which_cluster(stage), &options)?;
        Ok(verification.run(&|_| {}, cancel).await.findings)
    }

    async fn terraform(
        &self,
        provisioner: &Provisioner,
        stage: Stage,
        watch: &mut dyn Watch,
        cancel: &CancelHandle,
    ) -> Ended {
        let located = match located(provisioner, stage) {
            Ok(located) => located,
            Err(errors) => return Ended::of_inputs(&errors),
        };
        match located.check() {
            Ok(checked) => {
                for (name, value) in &checked.added {
                    watch.say(&format!("{}: wrote {name} = {value}", checked.file.display()));
                }
            }
            Err(errors) => return Ended::of_inputs(&errors),
        }
        match self.apply(&located, stage, watch, cancel).await {
            Ok(ended) => ended,
            Err(TerraformError::Interrupted { .. }) => Ended::Interrupted,
            Err(error) => Ended::Failed(error.to_string(), Some(error.help())),
        }
    }

    async fn apply(
        &self,
        located: &Located,
        stage: Stage,
        watch: &mut dyn Watch,
        cancel: &CancelHandle,
    ) -> Result<Ended, TerraformError> {
        let root = located.root();
        let interrupt = Interrupt::new();
        told(Phase::Init, watch, cancel, &interrupt, async |events, interrupt| {
            root.init(&mut |event| drop(events.send(event)), interrupt).await
        })
        .await?;
        let plan = told(Phase::Plan, watch, cancel, &interrupt, async |events, interrupt| {
            root.plan(
                &PlanOptions::default(),
                &mut |event| drop(events.send(event)),
                interrupt,
            )
            .await
        })
        .await?;
        watch.plan(stage.name().trim_start_matches("terraform-"), &plan);
        if plan.is_empty() {
            return Ok(Ended::Ok("nothing was to be changed".to_owned()));
        }
        if plan.losses().next().is_some() {
            let addresses = plan.losses().map(|change| change.address.clone()).collect();
            root.discard(&plan);
            return Err(TerraformError::DestroyRefused { addresses });
        }
        if self.options.ask {
            match watch.confirm(&format!("Apply this plan ({stage})?")) {
                Said::Yes => {}
                Said::No => {
                    root.discard(&plan);
                    return Ok(Ended::Declined);
                }
                Said::Interrupt => {
                    root.discard(&plan);
                    return Ok(Ended::Interrupted);
                }
            }
        }
        let applied = told(Phase::Apply, watch, cancel, &interrupt, async |events, interrupt| {
            root.apply(plan, false, &mut |event| drop(events.send(event)), interrupt)
                .await
        })
        .await?;
        Ok(Ended::Ok(counts(&applied.summary)))
    }

    /// Rancher's password, from Terraform's outputs, where no variable has it.
    pub(super) async fn given(&self, provisioner: &Provisioner) -> Given {
        let mut given = Given::default();
        // A hand-given password, token or URL wins; so does the absence of a state to read.
        if let Ok(located) = located(provisioner, Stage::TerraformObs)
            && let Ok(outputs) = located.root().outputs(&Interrupt::new()).await
        {
            given.password = outputs.get(PASSWORD).map(|output| -> Secret { output.reveal() });
        }
        given
    }

    async fn import(&self, provisioner: &Provisioner, watch: &mut dyn Watch, cancel: &CancelHandle) -> Ended {
        let given = self.given(provisioner).await;
        let request = match provisioner.rancher_import(&given) {
            Ok(Some(request)) => request,
            Ok(None) if provisioner.has_import_url() => {
                return Ended::LeftOut("rancher_import_url is set: Rancher need not be asked".to_owned());
            }
            Ok(None) => {
                return Ended::Failed(
                    "Rancher's password is not known: it is neither a variable nor an output of terraform/obs_deployment"
                        .to_owned(),
                    Some(
                        "set rancher_api_token or rancher_bootstrap_password in a vault, or rancher_import_url; or leave \
                         the import out: --skip import"
                            .to_owned(),
                    ),
                );
            }
            Err(errors) => return Ended::of_inputs(&errors),
        };
        if self.options.ask {
            let looked = request.carry_out(Mode::Check, |_| {}, cancel).await;
            match looked {
                Ok(looked) if looked.changes.is_empty() => {}
                Ok(looked) => {
                    watch.say(&format!("in Rancher: {}", looked.changes.join("; ")));
                    match watch.confirm("Make these changes (import)?") {
                        Said::Yes => {}
                        Said::No => return Ended::Declined,
                        Said::Interrupt => return Ended::Interrupted,
                    }
                }
                Err(error) => return of_rancher(&error, cancel),
            }
        }
        let mut last = String::new();
        let said = |progress: &crate::rancher::Progress| {
            let text = progress.to_string();
            if text != last {
                watch.say(&text);
                last = text;
            }
        };
        match request.carry_out(Mode::Change, said, cancel).await {
            Ok(imported) => {
                for note in &imported.notes {
                    watch.say(note);
                }
                Ended::Ok(match imported.outcome {
                    Outcome::Created { .. } => "the cluster was created in Rancher".to_owned(),
                    _ => "the cluster is there in Rancher".to_owned(),
                })
            }
            Err(error) => of_rancher(&error, cancel),
        }
    }
}

fn of_rancher(error: &RancherError, cancel: &CancelHandle) -> Ended {
    match cancel.is_cancelled() {
        true => Ended::Interrupted,
        false => Ended::Failed(error.to_string(), Some(error.help().to_string())),
    }
}

/// Shows what was found, and says what it comes to.
fn of_findings(findings: Vec<Finding>, watch: &mut dyn Watch) -> Ended {
    let unreachable = findings
        .iter()
        .filter(|f| f.level == Level::Failure)
        .all(|f| f.check == UNREACHABLE || f.check == verify::UNREACHABLE);
    let findings = Findings::from(findings);
    watch.findings(&findings);
    let some = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let counts = format!(
        "{} ok, {}, {}",
        findings.ok,
        some(findings.warnings, "warning"),
        some(findings.failures, "failure")
    );
    match (findings.failures, unreachable) {
        (0, _) => Ended::Ok(counts),
        (_, true) => Ended::Unreachable(counts),
        (_, false) => Ended::Failed(counts, Some("each failure above has its remedy".to_owned())),
    }
}

fn counts(summary: &terraform::Summary) -> String {
    format!("{} added, {} changed", summary.add, summary.change)
}

/// Runs `work` of Terraform, telling `watch` its events as they come, and passing an interrupt on, once.
async fn told<T>(
    phase: Phase,
    watch: &mut dyn Watch,
    cancel: &CancelHandle,
    interrupt: &Interrupt,
    work: impl AsyncFnOnce(UnboundedSender<TerraformEvent>, &Interrupt) -> Result<T, TerraformError>,
) -> Result<T, TerraformError> {
    watch.terraform(OfTerraform::Begins(phase));
    let (sender, mut events) = unbounded_channel();
    let mut work = std::pin::pin!(work(sender, interrupt));
    let mut passed_on = false;
    let result = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => watch.terraform(OfTerraform::Event(&event)),
            result = &mut work => break result,
            () = cancel.cancelled(), if !passed_on => {
                passed_on = true;
                interrupt.press();
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        watch.terraform(OfTerraform::Event(&event));
    }
    watch.terraform(OfTerraform::Ended);
    result
}
