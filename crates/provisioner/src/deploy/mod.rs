//! A whole deployment: preflight, playbooks, Terraform, verification, as stages that can be stopped anywhere and continued.
//!
//! [`Deployment::prepare`] reads all inputs of all stages and says everything that is wrong at once; [`Deployment::run`]
//! goes through the stages, tells a [`Watch`] what happens, and writes down beside the inventory how far it came.

mod doers;
mod inputs;
mod lock;
mod runs;
mod stage;
mod standing;
mod status;

pub use stage::Stage;
pub use standing::{Beginning, Standing, Went, choose};
pub use status::{Drift, StageStatus, Status};

use crate::terraform::{Phase, TerraformError, TerraformEvent};
use crate::{InputErrors, Provisioner, Settings, journal_problem};
use mosip_prov_engine::CancelHandle;
use mosip_prov_engine::journal::{Journal, Record};
use mosip_prov_events::Event;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_transport::Prompt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What an operator says about a deployment, besides the settings of its runs.
#[derive(Debug, Clone, Default)]
pub struct DeployOptions {
    /// Begin with this stage, whatever was done before.
    pub from: Option<Stage>,
    /// End with this stage.
    pub to: Option<Stage>,
    /// Leave these out.
    pub skip: Vec<Stage>,
    /// The servers that preflight asks for DNS records; the system's resolver when there is none here.
    pub nameservers: Vec<SocketAddr>,
    /// Before a stage changes something, work out what, show it and ask [`Watch::confirm`].
    pub ask: bool,
}

/// What the operator said to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Go on.
    Yes,
    /// Do not.
    No,
    /// Ctrl-C.
    Interrupt,
}

/// How a stage ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Well: what was done, in a few words.
    Ok(String),
    /// There is nothing to do for it here, and why.
    LeftOut(String),
    /// Something is wrong: what, and what to do.
    Failed(String, Option<String>),
    /// Something was not reached: what, and what to do.
    Unreachable(String, Option<String>),
    /// The operator did not want it.
    Declined,
    /// Interrupted.
    Interrupted,
}

impl Ended {
    /// The word for it in the journal.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::LeftOut(_) => "left_out",
            Self::Failed(..) => "failed",
            Self::Unreachable(..) => "unreachable",
            Self::Declined => "declined",
            Self::Interrupted => "interrupted",
        }
    }

    /// What there is to say of it.
    pub fn reason(&self) -> &str {
        match self {
            Self::Ok(text) | Self::LeftOut(text) | Self::Failed(text, _) | Self::Unreachable(text, _) => text,
            Self::Declined => "not wanted",
            Self::Interrupted => "interrupted",
        }
    }

    /// What there is to do about it.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Failed(_, help) | Self::Unreachable(_, help) => help.as_deref(),
            Self::Ok(_) | Self::LeftOut(_) | Self::Declined | Self::Interrupted => None,
        }
    }

    /// Whether the next stage may begin.
    pub fn goes_on(&self) -> bool {
        matches!(self, Self::Ok(_) | Self::LeftOut(_))
    }

    fn of_inputs(errors: &InputErrors) -> Self {
        Self::Failed(errors.to_string(), None)
    }
}

/// What is told of Terraform.
#[derive(Debug, Clone, Copy)]
pub enum OfTerraform<'a> {
    /// It begins with this.
    Begins(Phase),
    /// Something happened.
    Event(&'a TerraformEvent),
    /// It has ended with that.
    Ended,
    /// It failed, with all that it says.
    Failed(&'a TerraformError),
}

/// Who is told what happens, and asked.
pub trait Watch {
    /// A stage begins: the `number`th of `of`.
    fn stage(&mut self, number: usize, of: usize, stage: Stage);
    /// An event of a run of that stage; `check`: of one that only works out what would change.
    fn event(&mut self, event: &Event, check: bool);
    /// Something that the stage found out, or waits for; one or more lines.
    fn say(&mut self, text: &str);
    /// What checks found.
    fn findings(&mut self, findings: &mosip_prov_events::Findings);
    /// What Terraform does.
    fn terraform(&mut self, told: OfTerraform<'_>);
    /// What Terraform would do in the root of that name.
    fn plan(&mut self, name: &str, plan: &crate::terraform::Plan);
    /// How often Terraform's signs of life are wanted.
    fn heartbeat(&self) -> Duration {
        Duration::from_secs(10)
    }
    /// Asks the operator before something is changed. Only when [`DeployOptions::ask`].
    fn confirm(&mut self, question: &str) -> Said;
    /// A stage has ended, after `milliseconds`.
    fn ended(&mut self, stage: Stage, ended: &Ended, milliseconds: u64);
}

/// A deployment that is ready to begin or go on. All inputs are right as far as can be told; nothing has been connected to.
pub struct Deployment {
    settings: Settings,
    options: DeployOptions,
    inputs: String,
    vpn_inventory: Option<PathBuf>,
    folder: Option<PathBuf>,
    last: Option<Standing>,
    stages: Vec<Stage>,
    beginning: Beginning,
    warnings: Vec<Diagnostic>,
    prompt: Option<Arc<dyn Prompt>>,
}

impl Deployment {
    /// Reads and checks the inputs of all stages that are to be gone through.
    ///
    /// # Errors
    /// Everything that is wrong with inventory, variables, files, playbooks' settings and Terraform's values.
    pub fn prepare(settings: Settings, options: DeployOptions) -> Result<Self, InputErrors> {
        let provisioner = Provisioner::load(settings.clone())?;
        let inputs = inputs::digest(&provisioner, &settings);
        let vpn_inventory = inputs::vpn_inventory(&provisioner);
        let last = Standing::of(&provisioner.journal()?);
        let (stages, beginning) = choose(options.from, options.to, &options.skip, last.as_ref(), &inputs);
        if stages.is_empty() {
            let problem = Diagnostic::error("no stage is left to be gone through")
                .help("--from must not come after --to; `mosip-prov deploy --list-stages` lists the stages in order");
            return Err(InputErrors::of(problem));
        }
        let mut warnings = Diagnostics::new();
        warnings.extend(provisioner.warnings().iter().cloned());
        let mut problems = Diagnostics::new();
        inputs::check(&provisioner, &settings, &options, &stages, &mut problems, &mut warnings);
        if problems.has_errors() {
            problems.extend(warnings);
            return Err(problems.into());
        }
        Ok(Self {
            folder: provisioner.journal_folder(),
            settings,
            options,
            inputs,
            vpn_inventory,
            last,
            stages,
            beginning,
            warnings: warnings.into_iter().collect(),
            prompt: None,
        })
    }

    /// Nothing is to be gone through: `last` is to be looked at.
    fn with(settings: Settings, provisioner: &Provisioner, last: Option<Standing>, warnings: Vec<Diagnostic>) -> Self {
        Self {
            folder: provisioner.journal_folder(),
            settings,
            options: DeployOptions::default(),
            inputs: String::new(),
            vpn_inventory: inputs::vpn_inventory(provisioner),
            last,
            stages: Vec::new(),
            beginning: Beginning::Said,
            warnings,
            prompt: None,
        }
    }

    /// The same, asking `prompt` for the passphrases of keys.
    #[must_use]
    pub fn with_prompt(mut self, prompt: Arc<dyn Prompt>) -> Self {
        self.prompt = Some(prompt);
        self
    }

    /// The stages that will be gone through, in order.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Why these.
    pub fn beginning(&self) -> Beginning {
        self.beginning
    }

    /// The inventory that is read beside the others for the stage of the VPN, when one is.
    pub fn vpn_inventory(&self) -> Option<&std::path::Path> {
        self.vpn_inventory.as_deref()
    }

    /// The last deployment beside this inventory, as far as it came.
    pub fn last(&self) -> Option<&Standing> {
        self.last.as_ref()
    }

    /// Findings that stop nothing.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Goes through the stages until one does not end well. Returns how the last one ended.
    ///
    /// # Errors
    /// Another deploy works on this inventory, or the journal cannot be written: nothing has been done then.
    pub async fn run(&self, watch: &mut dyn Watch, cancel: &CancelHandle) -> Result<Ended, InputErrors> {
        let _alone = self.folder.as_deref().map(lock::Lock::take).transpose()?;
        let journal = match &self.folder {
            Some(folder) => Some(Journal::begin(folder).map_err(|e| InputErrors::of(journal_problem(&e)))?),
            None => None,
        };
        let promise = |record| {
            if let Some(journal) = &journal {
                journal.promise(record);
            }
        };
        promise(Record::DeployStarted {
            stages: self.stages.iter().map(|stage| stage.name().to_owned()).collect(),
            inputs: self.inputs.clone(),
            pid: std::process::id(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
        });
        let mut last = Ended::Ok(String::new());
        for (index, stage) in self.stages.iter().copied().enumerate() {
            watch.stage(index + 1, self.stages.len(), stage);
            promise(Record::StageStarted {
                stage: stage.name().to_owned(),
            });
            let began = Instant::now();
            last = match cancel.is_cancelled() {
                true => Ended::Interrupted,
                false => self.go_through(stage, watch, cancel).await,
            };
            let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            promise(Record::StageEnded {
                stage: stage.name().to_owned(),
                outcome: last.word().to_owned(),
                reason: last.reason().lines().next().unwrap_or_default().to_owned(),
                milliseconds,
            });
            watch.ended(stage, &last, milliseconds);
            if !last.goes_on() {
                break;
            }
        }
        promise(Record::DeployEnded {
            outcome: if last.goes_on() { "ok" } else { last.word() }.to_owned(),
        });
        if let Some(failure) = journal.as_ref().and_then(Journal::failure) {
            watch.say(&format!(
                "warning: {failure}; the next deploy begins where this was last written down"
            ));
        }
        Ok(last)
    }
}
