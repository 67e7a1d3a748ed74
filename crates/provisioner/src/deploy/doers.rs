//! The stages that are no playbooks: looking, Terraform, Rancher.

use super::{Deployment, Ended, OfTerraform, Said, Stage, Watch, inputs};
use crate::preflight::{self, Area, PreflightOptions, Progress};
use crate::rancher::{self, Given, Mode, Outcome, RancherError};
use crate::terraform::{self, Interrupt, Located, Phase, PlanOptions, TerraformError, TerraformEvent};
use crate::verify::{self, Verification, VerifyOptions, Waiting};
use crate::{InputErrors, Provisioner, Settings};
use mosip_prov_engine::{CancelHandle, RunOutcome};
use mosip_prov_events::{Finding, Findings, Level};
use mosip_prov_inventory::diagnostic::Diagnostic;
use mosip_prov_inventory::value::Secret;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How long a lock of Terraform's state is waited for: it may be held by a terraform that outlived its deploy.
const STATE_LOCK: Duration = Duration::from_secs(600);
/// What is waited for is said no more often than that.
const RARELY: Duration = Duration::from_secs(15);
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
        // Whatever password comes, this is what it will be used with.
        Stage::Import => {
            let given = Given {
                password: Some(Secret::new("to come".to_owned())),
                ..Given::default()
            };
            provisioner.rancher_import(&given).map(|_| Vec::new())
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

/// The name of the root of `stage` on the command line.
fn root_of(stage: Stage) -> &'static str {
    match stage {
        Stage::TerraformMosip => "mosip",
        _ => "obs",
    }
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
        let outcome = preflight::outcome(&findings);
        of_findings(findings, outcome, watch)
    }

    async fn verify(
        &self,
        provisioner: &Provisioner,
        stage: Stage,
        watch: &mut dyn Watch,
        cancel: &CancelHandle,
    ) -> Ended {
        let verification = match self.verification(provisioner, stage, patience(stage)) {
            Ok(verification) => verification,
            Err(errors) => return Ended::of_inputs(&errors),
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
        let outcome = verified.outcome();
        of_findings(verified.findings, outcome, watch)
    }

    fn verification(
        &self,
        provisioner: &Provisioner,
        stage: Stage,
        timeout: Duration,
    ) -> Result<Verification, InputErrors> {
        let verification = provisioner.verify(which_cluster(stage), &verify_options(stage, timeout))?;
        Ok(match &self.prompt {
            Some(prompt) => verification.with_prompt(prompt.clone()),
            None => verification,
        })
    }

    /// Looks once at what `stage` waits for.
    pub(super) async fn look(
        &self,
        provisioner: &Provisioner,
        stage: Stage,
        cancel: &CancelHandle,
    ) -> Result<Vec<Finding>, InputErrors> {
        let verification = self.verification(provisioner, stage, Duration::ZERO)?;
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
            Err(error) => {
                watch.terraform(OfTerraform::Failed(&error));
                let help = match &error {
                    TerraformError::DestroyRefused { .. } => {
                        let root = root_of(stage);
                        format!(
                            "deploy destroys nothing; look at it with `mosip-prov terraform {root} plan`, and where that is \
                             meant, `mosip-prov terraform {root} apply --allow-destroy`, then deploy again"
                        )
                    }
                    error => error.help(),
                };
                Ended::Failed(error.to_string(), Some(help))
            }
        }
    }

    async fn apply(
        &self,
        located: &Located,
        stage: Stage,
        watch: &mut dyn Watch,
        cancel: &CancelHandle,
    ) -> Result<Ended, TerraformError> {
        let root = located.root().clone().with_heartbeat(watch.heartbeat());
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
        watch.plan(root_of(stage), &plan);
        if plan.is_empty() {
            return Ok(Ended::Ok("nothing was to be changed".to_owned()));
        }
        if plan.losses().next().is_some() {
            let addresses = plan.losses().map(|change| change.address.clone()).collect();
            root.discard(&plan);
            return Err(TerraformError::DestroyRefused { addresses });
        }
        if self.options.ask {
            match confirmed(watch, &format!("Apply this plan ({stage})?"), cancel).await {
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

    /// Rancher's password, from Terraform's outputs, where no variable has it, nor a token or the URL itself.
    pub(super) async fn given(&self, provisioner: &Provisioner, cancel: &CancelHandle) -> Result<Given, Ended> {
        let mut given = Given::default();
        if provisioner.has_import_url() || matches!(provisioner.rancher_import(&given), Ok(Some(_))) {
            return Ok(given);
        }
        let Ok(located) = located(provisioner, Stage::TerraformObs) else {
            return Ok(given);
        };
        let interrupt = Interrupt::new();
        let outputs = tokio::select! {
            outputs = located.root().outputs(&interrupt) => outputs,
            () = cancel.cancelled() => return Err(Ended::Interrupted),
        };
        match outputs {
            Ok(outputs) => {
                given.password = outputs.get(PASSWORD).map(|output| -> Secret { output.reveal() });
                Ok(given)
            }
            Err(error) => Err(Ended::Failed(
                format!("Rancher's password cannot be read from terraform/obs_deployment: {error}"),
                Some(format!(
                    "{}; or set rancher_api_token or rancher_bootstrap_password in a vault, or leave the import out: --skip import",
                    error.help()
                )),
            )),
        }
    }

    async fn import(&self, provisioner: &Provisioner, watch: &mut dyn Watch, cancel: &CancelHandle) -> Ended {
        let given = match self.given(provisioner, cancel).await {
            Ok(given) => given,
            Err(ended) => return ended,
        };
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
                    match confirmed(watch, "Make these changes (import)?", cancel).await {
                        Said::Yes => {}
                        Said::No => return Ended::Declined,
                        Said::Interrupt => return Ended::Interrupted,
                    }
                }
                Err(error) => return of_rancher(&error, cancel),
            }
        }
        let imported = request.carry_out(Mode::Change, rarely(watch), cancel).await;
        match imported {
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

/// Tells what goes on in Rancher; what is waited for, from time to time.
pub(super) fn rarely(watch: &mut dyn Watch) -> impl FnMut(&rancher::Progress) {
    let mut last: Option<Instant> = None;
    move |progress| {
        let waits = matches!(
            progress,
            rancher::Progress::NotReady { .. } | rancher::Progress::Waiting { .. }
        );
        if waits && last.is_some_and(|last| last.elapsed() < RARELY) {
            return;
        }
        last = waits.then(Instant::now);
        watch.say(&progress.to_string());
    }
}

/// What a refusal of Rancher is for the stage.
pub(super) fn of_rancher(error: &RancherError, cancel: &CancelHandle) -> Ended {
    let help = Some(error.help().to_string());
    match (cancel.is_cancelled(), error.is_unreachable()) {
        (true, _) => Ended::Interrupted,
        (false, true) => Ended::Unreachable(error.to_string(), help),
        (false, false) => Ended::Failed(error.to_string(), help),
    }
}

/// Asks the operator. A signal that came meanwhile counts above the answer.
pub(super) async fn confirmed(watch: &mut dyn Watch, question: &str, cancel: &CancelHandle) -> Said {
    let said = watch.confirm(question);
    // Whoever hears signals has its turn now: nothing was heard while the question stood.
    tokio::task::yield_now().await;
    match cancel.is_cancelled() {
        true => Said::Interrupt,
        false => said,
    }
}

/// Shows what was found, and says what it comes to.
fn of_findings(findings: Vec<Finding>, outcome: RunOutcome, watch: &mut dyn Watch) -> Ended {
    let findings = Findings::from(findings);
    watch.findings(&findings);
    let some = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let counts = format!(
        "{} ok, {}, {}",
        findings.ok,
        some(findings.warnings, "warning"),
        some(findings.failures, "failure")
    );
    let help = Some("each failure above has its remedy".to_owned());
    match outcome {
        RunOutcome::Ok => Ended::Ok(counts),
        RunOutcome::Failed => Ended::Failed(counts, help),
        RunOutcome::Unreachable => Ended::Unreachable(counts, help),
        RunOutcome::Interrupted => Ended::Interrupted,
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
    if cancel.is_cancelled() {
        let state = "nothing was begun".into();
        return Err(TerraformError::Interrupted { phase, state });
    }
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
