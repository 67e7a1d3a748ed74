//! A root: a folder with a configuration, and what terraform does with it.

use crate::binary;
use crate::diagnostic::TerraformDiagnostic;
use crate::error::{TerraformError, classify};
use crate::event::{Action, Phase, Summary, TerraformEvent};
use crate::interrupt::Interrupt;
use crate::options::{Applied, Details, PlanOptions};
use crate::outputs::Outputs;
use crate::plan::Plan;
use crate::process::{Ended, Job, is_understood, lacks_json, left};
use crate::show;
use crate::store::{self, Saved, Store};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is told of each event, as it happens.
pub type OnEvent<'a> = dyn FnMut(TerraformEvent) + Send + 'a;

/// A folder with a configuration of terraform, and how terraform is run there.
#[derive(Debug, Clone)]
pub struct Root {
    folder: PathBuf,
    files: PathBuf,
    program: Option<PathBuf>,
    first_on_path: Option<PathBuf>,
    lock_timeout: Duration,
    heartbeat: Duration,
}

impl Root {
    /// The root in `folder`. Plans are kept in `.mosip-prov/terraform` there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self {
            files: folder.join(".mosip-prov/terraform"),
            folder,
            program: None,
            first_on_path: None,
            lock_timeout: Duration::ZERO,
            heartbeat: Duration::from_secs(10),
        }
    }

    /// The same, with plans and what terraform says kept in this folder, which becomes its user's alone.
    #[must_use]
    pub fn keeping_files_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.files = folder.into();
        self
    }

    /// The same, with this program: a path, or a word that is looked up on the PATH. `None`: terraform, else tofu.
    #[must_use]
    pub fn with_program(mut self, program: Option<PathBuf>) -> Self {
        self.program = program;
        self
    }

    /// The same, with this folder first on the PATH of terraform.
    #[must_use]
    pub fn with_first_on_path(mut self, folder: Option<PathBuf>) -> Self {
        self.first_on_path = folder;
        self
    }

    /// The same, waiting that long for a lock of the state that somebody else holds; whole seconds.
    #[must_use]
    pub fn with_lock_timeout(mut self, time: Duration) -> Self {
        self.lock_timeout = time;
        self
    }

    /// The same, with a sign of life that often.
    #[must_use]
    pub fn with_heartbeat(mut self, time: Duration) -> Self {
        self.heartbeat = time;
        self
    }

    /// The root's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of plans and of what terraform says.
    pub fn files(&self) -> &Path {
        &self.files
    }

    /// The program that is run.
    ///
    /// # Errors
    /// There is none.
    pub fn program(&self) -> Result<PathBuf, TerraformError> {
        binary::find(self.program.as_deref(), std::env::var_os("PATH").as_deref())
    }

    fn job<'a>(&'a self, phase: Phase, program: &'a Path, args: Vec<OsString>) -> Job<'a> {
        let path = self.first_on_path.as_ref().and_then(|first| {
            let rest = std::env::var_os("PATH").unwrap_or_default();
            std::env::join_paths(std::iter::once(first.clone()).chain(std::env::split_paths(&rest))).ok()
        });
        Job {
            phase,
            program,
            folder: &self.folder,
            args,
            path,
            heartbeat: self.heartbeat,
        }
    }

    fn args(&self, phase: Phase, more: &[&str]) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec![phase.command().into(), "-json".into(), "-input=false".into()];
        if matches!(phase, Phase::Plan | Phase::Apply) && !self.lock_timeout.is_zero() {
            args.push(format!("-lock-timeout={}s", self.lock_timeout.as_secs()).into());
        }
        args.extend(more.iter().map(OsString::from));
        args
    }

    /// Runs what gives a stream.
    async fn stream(
        &self,
        store: &Store,
        job: &Job<'_>,
        on_event: &mut OnEvent<'_>,
        interrupt: &Interrupt,
    ) -> Result<Ended, TerraformError> {
        let name = job.phase.command();
        let out = store.fresh(&format!("{name}.jsonl"))?;
        let errors = store.fresh(&format!("{name}.stderr"))?;
        job.stream(out, errors, on_event, interrupt).await
    }

    /// What a run that gives a stream comes to. `done`: with which exit codes it did what was asked.
    async fn ended(&self, job: &Job<'_>, ended: Ended, done: &[i32]) -> Result<Ended, TerraformError> {
        let phase = job.phase;
        let unsupported = |version: String, reason: &str| TerraformError::UnsupportedVersion {
            program: job.program.to_owned(),
            version,
            reason: reason.to_owned(),
        };
        if let (Some(version), Some(ui)) = (&ended.version, &ended.ui)
            && !is_understood(version, ui)
        {
            let reason =
                format!("terraform 1.x is wanted, whose machine-readable output is of version 1; this one's is {ui}");
            return Err(unsupported(version.clone(), &reason));
        }
        let code = ended.status.code();
        if code.is_some_and(|code| done.contains(&code)) {
            if ended.version.is_none() && phase != Phase::Init {
                return Err(TerraformError::Answer {
                    phase,
                    reason: "it does not say which version it is".into(),
                });
            }
            return Ok(ended);
        }
        if ended.interrupts > 0 {
            return Err(TerraformError::Interrupted {
                phase,
                state: left(phase, &ended),
            });
        }
        if let Some(signal) = ended.status.signal() {
            return Err(TerraformError::Killed { phase, signal });
        }
        if ended.version.is_none() && lacks_json(&ended.text) {
            let version = self.version_in_words(job.program).await;
            return Err(unsupported(
                version,
                "it has no machine-readable output; terraform 1.0 or newer is wanted",
            ));
        }
        let mut diagnostics = ended.diagnostics;
        if !diagnostics.iter().any(|found| found.error) {
            diagnostics.extend(
                TerraformDiagnostic::in_text(&ended.text)
                    .into_iter()
                    .filter(|d| d.error),
            );
        }
        if !diagnostics.iter().any(|found| found.error) {
            let text = ended.text.trim();
            let how = format!("exit code {}", code.unwrap_or(-1));
            diagnostics.push(TerraformDiagnostic::error(&how, text));
        }
        Err(classify(
            phase,
            job.program.to_owned(),
            self.folder.clone(),
            ended.version.as_deref(),
            ended.began,
            diagnostics,
        ))
    }

    /// What the program says about its version.
    async fn version_in_words(&self, program: &Path) -> String {
        let job = self.job(Phase::Version, program, vec!["version".into()]);
        let said = job.answer(&Interrupt::new()).await;
        let text = said.map(|(_, answer, _)| crate::text::word(&String::from_utf8_lossy(&answer)));
        let first = text
            .ok()
            .and_then(|text| text.split("  ").next().map(|line| line.trim().to_owned()));
        first
            .filter(|line| !line.is_empty())
            .unwrap_or_else(|| "unknown".into())
    }

    /// `init`: brings providers and modules, prepares the state's place. May be repeated.
    ///
    /// # Errors
    /// [`TerraformError::Download`], [`TerraformError::InvalidConfiguration`], [`TerraformError::Failed`] and what can go
    /// wrong with any run.
    pub async fn init(&self, on_event: &mut OnEvent<'_>, interrupt: &Interrupt) -> Result<(), TerraformError> {
        let program = self.program()?;
        let store = Store::open(&self.files, &self.folder)?;
        let mut job = self.job(Phase::Init, &program, self.args(Phase::Init, &[]));
        let mut ended = self.stream(&store, &job, on_event, interrupt).await?;
        if !ended.status.success() && ended.version.is_none() && lacks_json(&ended.text) {
            // Before 1.9 it speaks to people only.
            job.args = ["init", "-input=false", "-no-color"].map(OsString::from).into();
            let mut in_words = |event| match event {
                TerraformEvent::Broken { text, .. } => on_event(TerraformEvent::Message {
                    level: crate::event::MessageLevel::Info,
                    text,
                }),
                other => on_event(other),
            };
            ended = self.stream(&store, &job, &mut in_words, interrupt).await?;
        }
        self.ended(&job, ended, &[0]).await.map(|_| ())
    }

    /// Plans, and keeps the plan. Nothing is changed.
    ///
    /// # Errors
    /// [`TerraformError::NotInitialised`], [`TerraformError::Locked`], [`TerraformError::InvalidConfiguration`],
    /// [`TerraformError::Failed`] and what can go wrong with any run.
    pub async fn plan(
        &self,
        options: &PlanOptions,
        on_event: &mut OnEvent<'_>,
        interrupt: &Interrupt,
    ) -> Result<Plan, TerraformError> {
        let program = self.program()?;
        let store = Store::open(&self.files, &self.folder)?;
        let saved = Saved {
            file: store.fresh_plan()?,
            digest: store::digest(&self.folder),
        };
        let planned = self
            .plan_into(&store, &program, &saved, options, on_event, interrupt)
            .await;
        let mut plan = match planned {
            Ok(plan) if !plan.is_empty() => plan,
            other => {
                store.forget_plans();
                return other;
            }
        };
        if let Err(error) = store.describe(&plan, &saved) {
            store.forget_plans();
            return Err(error);
        }
        plan.saved = Some(saved);
        let wanted = match options.details {
            Details::None => false,
            Details::OfChanges => plan
                .resources
                .iter()
                .any(|change| matches!(change.action, Action::Update | Action::Replace)),
            Details::All => true,
        };
        if wanted {
            self.add_details(&mut plan, interrupt).await?;
        }
        Ok(plan)
    }

    async fn plan_into(
        &self,
        store: &Store,
        program: &Path,
        saved: &Saved,
        options: &PlanOptions,
        on_event: &mut OnEvent<'_>,
        interrupt: &Interrupt,
    ) -> Result<Plan, TerraformError> {
        let mut args = self.args(Phase::Plan, &["-detailed-exitcode"]);
        if options.destroy {
            args.push("-destroy".into());
        }
        let mut out = OsString::from("-out=");
        out.push(std::path::absolute(&saved.file).unwrap_or_else(|_| saved.file.clone()));
        args.push(out);
        let job = self.job(Phase::Plan, program, args);
        let mut plan = Plan {
            destroy: options.destroy,
            made: store::now(),
            ..Plan::default()
        };
        let mut collect = |event: TerraformEvent| {
            match &event {
                TerraformEvent::Planned(change) if change.action != Action::NoOp => plan.resources.push(change.clone()),
                TerraformEvent::Drift(change) => plan.drift.push(change.clone()),
                TerraformEvent::Outputs { outputs } => {
                    plan.outputs = outputs.iter().filter(|o| o.action != Action::NoOp).cloned().collect();
                }
                TerraformEvent::Summary { counts, .. } => plan.summary = *counts,
                _ => {}
            }
            on_event(event);
        };
        let ended = self.stream(store, &job, &mut collect, interrupt).await?;
        // 2: there is something to change.
        let ended = self.ended(&job, ended, &[0, 2]).await?;
        // Terraform names them as it gets to them.
        plan.resources.sort_by(|a, b| a.address.cmp(&b.address));
        plan.empty = ended.status.code() == Some(0);
        plan.warnings = ended.diagnostics;
        let closed = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&saved.file, closed).map_err(|source| TerraformError::File {
            doing: "close",
            path: saved.file.clone(),
            source,
        })?;
        Ok(plan)
    }

    /// Reads the attributes that differ into a plan. That runs terraform once more.
    ///
    /// # Errors
    /// The plan is not there any more, or terraform cannot show it.
    pub async fn add_details(&self, plan: &mut Plan, interrupt: &Interrupt) -> Result<(), TerraformError> {
        let saved = plan.saved.as_ref().ok_or(TerraformError::NoPlan)?;
        let program = self.program()?;
        let file = std::path::absolute(&saved.file).unwrap_or_else(|_| saved.file.clone());
        let job = self.job(Phase::Show, &program, vec!["show".into(), "-json".into(), file.into()]);
        let (status, answer, errors) = job.answer(interrupt).await?;
        if !status.success() {
            return Err(TerraformError::Failed {
                phase: Phase::Show,
                diagnostics: TerraformDiagnostic::in_text(&errors),
            });
        }
        show::add_attributes(plan, &answer).map_err(|reason| TerraformError::Answer {
            phase: Phase::Show,
            reason,
        })
    }

    /// The plan that was made last and not applied, without details.
    ///
    /// # Errors
    /// Its description cannot be read.
    pub fn saved_plan(&self) -> Result<Option<Plan>, TerraformError> {
        store::kept(&self.files)
    }

    /// Removes the file of a plan.
    pub fn discard(&self, plan: &Plan) {
        if let Some(saved) = &plan.saved {
            store::forget(saved);
        }
    }

    /// Applies exactly that plan, and removes its file; where the state is locked, the plan is kept.
    ///
    /// # Errors
    /// [`TerraformError::DestroyRefused`] when it destroys or replaces anything and `allow_destroy` is false;
    /// [`TerraformError::StalePlan`] when state or configuration are others than the plan's; [`TerraformError::Interrupted`],
    /// [`TerraformError::Failed`] and what can go wrong with any run.
    pub async fn apply(
        &self,
        plan: Plan,
        allow_destroy: bool,
        on_event: &mut OnEvent<'_>,
        interrupt: &Interrupt,
    ) -> Result<Applied, TerraformError> {
        if plan.is_empty() {
            return Ok(Applied::default());
        }
        let losses: Vec<String> = plan.losses().map(|change| change.address.clone()).collect();
        if !losses.is_empty() && !allow_destroy {
            return Err(TerraformError::DestroyRefused { addresses: losses });
        }
        let saved = plan.saved.as_ref().ok_or(TerraformError::NoPlan)?;
        let program = self.program()?;
        let store = Store::open(&self.files, &self.folder)?;
        if !saved.file.is_file() {
            let reason = "another one was made since, or its file was removed".into();
            return Err(TerraformError::StalePlan { reason });
        }
        if store::digest(&self.folder) != saved.digest {
            store::forget(saved);
            let reason = format!(
                "files of the configuration in {} were changed since",
                self.folder.display()
            );
            return Err(TerraformError::StalePlan { reason });
        }
        let mut args = self.args(Phase::Apply, &[]);
        args.push(
            std::path::absolute(&saved.file)
                .unwrap_or_else(|_| saved.file.clone())
                .into(),
        );
        let job = self.job(Phase::Apply, &program, args);
        let mut summary = Summary::default();
        let mut spent = false;
        let mut collect = |event: TerraformEvent| {
            match &event {
                TerraformEvent::Summary { counts, .. } => summary = *counts,
                // From here on the plan is read and spent; it holds secrets.
                TerraformEvent::Started { .. } if !std::mem::replace(&mut spent, true) => store::forget(saved),
                _ => {}
            }
            on_event(event);
        };
        store::begin(saved);
        let ended = self.stream(&store, &job, &mut collect, interrupt).await;
        let ended = match ended {
            Ok(ended) => self.ended(&job, ended, &[0]).await,
            Err(error) => Err(error),
        };
        match ended {
            Err(TerraformError::Locked { .. } | TerraformError::CannotStart { .. }) => store::give_back(saved),
            _ => store::forget(saved),
        }
        ended.map(|ended| Applied {
            summary,
            warnings: ended.diagnostics,
        })
    }

    /// The outputs of what was applied.
    ///
    /// # Errors
    /// Terraform cannot say.
    pub async fn outputs(&self, interrupt: &Interrupt) -> Result<Outputs, TerraformError> {
        let program = self.program()?;
        let args = ["output", "-json", "-no-color"].map(OsString::from).into();
        let job = self.job(Phase::Output, &program, args);
        let (status, answer, errors) = job.answer(interrupt).await?;
        if let Some(signal) = status.signal() {
            return Err(TerraformError::Killed {
                phase: Phase::Output,
                signal,
            });
        }
        if !status.success() {
            let mut found = TerraformDiagnostic::in_text(&errors);
            found.retain(|d| d.error);
            if found.is_empty() {
                let how = format!("exit code {}", status.code().unwrap_or(-1));
                found.push(TerraformDiagnostic::error(&how, &errors));
            }
            return Err(classify(
                Phase::Output,
                program,
                self.folder.clone(),
                None,
                false,
                found,
            ));
        }
        Outputs::read(&answer).map_err(|reason| TerraformError::Answer {
            phase: Phase::Output,
            reason,
        })
    }
}
