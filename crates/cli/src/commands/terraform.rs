//! `terraform`: init, plan, apply, output and destroy of a root.

use super::run::cannot_start;
use super::stopped;
use super::terraform_show::{self as show, Watch};
use crate::args::{
    Consent, DestroyArgs, Format, OutputArgs, RootOptions, TerraformApplyArgs, TerraformArgs, TerraformCommand,
    TerraformPlanArgs,
};
use crate::diagnostics;
use crate::exit::Exit;
use crate::output::{Look, complain, say, say_json};
use crate::prompt::{self, PromptError};
use crate::session::{self, Stop};
use crate::signals::Signals;
use mosip_prov::InputErrors;
use mosip_prov::inventory::diagnostic::Diagnostic;
use mosip_prov::terraform::{
    self, Details, Interrupt, Located, Output, Phase, Plan, PlanOptions, Root, TerraformError, Which,
};
use mosip_prov_report::paint::Paint;
use serde_json::json;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

/// `terraform`.
pub fn terraform(args: &TerraformArgs, look: &Look) -> Exit {
    let options = match &args.command {
        TerraformCommand::Init(init) => &init.root,
        TerraformCommand::Plan(plan) => &plan.root,
        TerraformCommand::Apply(apply) => &apply.root,
        TerraformCommand::Output(output) => &output.root,
        TerraformCommand::Destroy(destroy) => &destroy.root,
    };
    if let TerraformCommand::Apply(TerraformApplyArgs { consent, .. })
    | TerraformCommand::Destroy(DestroyArgs { consent, .. }) = &args.command
        && let Some(problem) = nobody_to_ask(*consent)
    {
        return stopped(&problem.into(), look);
    }
    if let TerraformCommand::Destroy(DestroyArgs { consent, .. }) = &args.command
        && !consent.allow_destroy
    {
        let problem = Diagnostic::error("destroy destroys everything that the root made")
            .help("say --allow-destroy as well; `plan --destroy` shows what would go");
        return stopped(&problem.into(), look);
    }
    let only_asks = matches!(args.command, TerraformCommand::Output(_));
    let located = match locate(&args.root, options, only_asks, look) {
        Ok(located) => located,
        Err(stop) => return stopped(&stop, look),
    };
    if !only_asks {
        match located.check() {
            Ok(checked) => {
                if let Some(template) = checked.begun_with {
                    complain(&format!("{} begun with {}", checked.file.display(), template.display()));
                }
                for (name, value) in checked.added {
                    complain(&format!("{}: {name} = \"{value}\" written", checked.file.display()));
                }
            }
            Err(errors) => return stopped(&errors.into(), look),
        }
    }
    let watch = Watch::new(look);
    let root = located.root().clone().with_heartbeat(watch.heartbeat());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cannot_start(&error),
    };
    let exit = runtime.block_on(async {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return cannot_start(&error),
        };
        let work = Work {
            name: &args.root,
            root,
            interrupt: Interrupt::new(),
            look,
        };
        let interrupt = work.interrupt.clone();
        let done = work.of(&args.command, watch);
        tokio::pin!(done);
        loop {
            tokio::select! {
                exit = &mut done => return exit,
                _ = signals.next() => interrupt.press(),
            }
        }
    });
    // A question that was broken off still waits for its answer.
    runtime.shutdown_background();
    exit
}

/// Where nobody can be asked, consent must be given.
fn nobody_to_ask(consent: Consent) -> Option<Diagnostic> {
    let asks = !consent.yes && !io::stdin().is_terminal();
    asks.then(|| {
        Diagnostic::error("cannot ask whether the plan is to be applied: standard input is no terminal")
            .help("look at the plan with `plan`, then say --yes")
    })
}

fn locate(word: &str, options: &RootOptions, only_asks: bool, look: &Look) -> Result<Located, Stop> {
    let which = Which::of(word)?;
    let located = match &which {
        Which::Folder(folder) if options.inventory.inventory.is_empty() => terraform::in_folder(folder)?,
        _ => {
            let (provisioner, warnings) = session::load_inventory(&options.inventory)?;
            diagnostics::report(&warnings, look);
            let half_filled = provisioner.half_filled();
            if !only_asks && !half_filled.is_empty() && !matches!(which, Which::Folder(_)) {
                let mut found = half_filled.to_vec();
                // All that is wrong is said at once.
                if let Err(more) = terraform::find(&provisioner, &which) {
                    found.extend(more.diagnostics().iter().cloned());
                }
                return Err(Stop::Inputs(found));
            }
            terraform::find(&provisioner, &which)?
        }
    };
    let lock_timeout = Duration::from_secs(options.lock_timeout);
    Ok(located.map(|root| {
        let root = root.with_lock_timeout(lock_timeout);
        match &options.terraform {
            Some(program) => root.with_program(Some(program.clone())),
            None => root,
        }
    }))
}

impl From<&InputErrors> for Stop {
    fn from(errors: &InputErrors) -> Self {
        Self::Inputs(errors.diagnostics().iter().cloned().collect())
    }
}

/// How it ended, but for [`Exit::Ok`].
type Ended = Result<(), Exit>;

struct Work<'a> {
    name: &'a str,
    root: Root,
    interrupt: Interrupt,
    look: &'a Look,
}

impl Work<'_> {
    async fn of(&self, command: &TerraformCommand, mut watch: Watch) -> Exit {
        let done = match command {
            TerraformCommand::Init(_) => self.init(&mut watch).await,
            TerraformCommand::Plan(args) => self.plan(args, &mut watch).await,
            TerraformCommand::Apply(args) => self.apply(args, &mut watch).await,
            TerraformCommand::Output(args) => self.output(args).await,
            TerraformCommand::Destroy(args) => self.destroy(args, &mut watch).await,
        };
        match done {
            Ok(()) => Exit::Ok,
            Err(exit) => exit,
        }
    }

    fn failed(&self, error: &TerraformError) -> Exit {
        complain(&show::error(error, Paint::new(self.look.color_err)));
        match error {
            TerraformError::Interrupted { .. } => Exit::Interrupted,
            TerraformError::InvalidConfiguration { .. } | TerraformError::NotInitialised { .. } => Exit::Inputs,
            error if error.is_input() => Exit::Inputs,
            _ => Exit::Failed,
        }
    }

    fn said(&self, exit: Exit) -> Ended {
        match exit {
            Exit::Ok => Ok(()),
            other => Err(other),
        }
    }

    async fn init(&self, watch: &mut Watch) -> Ended {
        let started = Instant::now();
        watch.begin(Phase::Init);
        let done = self.root.init(&mut |event| watch.event(&event), &self.interrupt).await;
        watch.end();
        done.map_err(|error| self.failed(&error))?;
        self.said(say(&format!("{} is initialised ({})", self.name, show::took(started))))
    }

    async fn planned(&self, destroy: bool, diff: bool, watch: &mut Watch) -> Result<Plan, Exit> {
        let options = PlanOptions {
            destroy,
            details: if diff { Details::All } else { Details::OfChanges },
        };
        watch.begin(Phase::Plan);
        let planned = self
            .root
            .plan(&options, &mut |event| watch.event(&event), &self.interrupt)
            .await;
        watch.end();
        planned.map_err(|error| self.failed(&error))
    }

    async fn plan(&self, args: &TerraformPlanArgs, watch: &mut Watch) -> Ended {
        let plan = self.planned(args.destroy, args.diff, watch).await?;
        let exit = match args.format {
            Format::Json => {
                say_json(&json!({"root": self.name, "plan": &plan, "warnings": &plan.warnings}).to_string())
            }
            Format::Text => {
                let mut text = show::plan(self.name, &plan, Paint::new(self.look.color_out));
                if !plan.is_empty() {
                    text.push_str(&format!(
                        "\n\nThe plan is kept: `mosip-prov terraform {} apply` applies exactly that.",
                        self.name
                    ));
                }
                say(&text)
            }
        };
        self.said(exit)?;
        match args.exit_code && !plan.is_empty() {
            true => Err(Exit::Pending),
            false => Ok(()),
        }
    }

    async fn apply(&self, args: &TerraformApplyArgs, watch: &mut Watch) -> Ended {
        let kept = match args.replan {
            true => None,
            false => self.root.saved_plan().map_err(|error| self.failed(&error))?,
        };
        let (plan, is_new) = match kept {
            Some(mut plan) => {
                complain(&format!("the plan that was made {} ago", show::age(&plan)));
                let shows = args.diff
                    || (args.format == Format::Text && plan.changes().chain(plan.replaces()).next().is_some());
                if shows {
                    let read = self.root.add_details(&mut plan, &self.interrupt).await;
                    read.map_err(|error| self.failed(&error))?;
                }
                (plan, false)
            }
            None => (self.planned(false, args.diff, watch).await?, true),
        };
        self.carry_out(plan, is_new, args.consent, args.format, watch).await
    }

    async fn destroy(&self, args: &DestroyArgs, watch: &mut Watch) -> Ended {
        let plan = self.planned(true, false, watch).await?;
        self.carry_out(plan, true, args.consent, args.format, watch).await
    }

    /// Shows a plan, asks, and applies it.
    async fn carry_out(&self, plan: Plan, is_new: bool, consent: Consent, format: Format, watch: &mut Watch) -> Ended {
        let shown = show::plan(self.name, &plan, Paint::new(self.look.color_out));
        match format {
            Format::Text => self.said(say(&shown))?,
            Format::Json if !consent.yes => complain(&shown),
            Format::Json => {}
        }
        if plan.is_empty() {
            return match format {
                Format::Json => self.said(say_json(
                    &json!({"root": self.name, "plan": &plan, "applied": null}).to_string(),
                )),
                Format::Text => Ok(()),
            };
        }
        if plan.losses().next().is_some() && !consent.allow_destroy {
            let addresses = plan.losses().map(|change| change.address.clone()).collect();
            if is_new {
                self.root.discard(&plan);
            }
            return Err(self.failed(&TerraformError::DestroyRefused { addresses }));
        }
        if !consent.yes {
            let answer = self.ask("\nApply exactly this?").await;
            if answer != Some(true) {
                if is_new {
                    self.root.discard(&plan);
                }
                complain("nothing was applied");
                return Err(if answer.is_none() {
                    Exit::Interrupted
                } else {
                    Exit::Inputs
                });
            }
        }
        let started = Instant::now();
        watch.begin(Phase::Apply);
        let described = (format == Format::Json).then(|| json!(&plan));
        let copy = is_new.then(|| plan.clone());
        let applied = self
            .root
            .apply(
                plan,
                consent.allow_destroy,
                &mut |event| watch.event(&event),
                &self.interrupt,
            )
            .await;
        watch.end();
        let applied = applied.map_err(|error| {
            if let Some(plan) = &copy {
                self.root.discard(plan);
            }
            self.failed(&error)
        })?;
        self.said(match described {
            Some(plan) => say_json(&json!({"root": self.name, "plan": plan, "applied": applied}).to_string()),
            None => say(&show::applied(
                self.name,
                &applied,
                started,
                Paint::new(self.look.color_out),
            )),
        })
    }

    /// Asks on the terminal. `None`: it was broken off.
    async fn ask(&self, question: &'static str) -> Option<bool> {
        let answer = tokio::task::spawn_blocking(move || prompt::confirm(question));
        tokio::select! {
            answer = answer => match answer {
                Ok(Ok(answer)) => Some(answer),
                Ok(Err(PromptError::Interrupted)) | Err(_) => None,
                Ok(Err(error)) => {
                    complain(&format!("error: {error}"));
                    Some(false)
                }
            },
            _ = self.interrupt.beyond(0) => None,
        }
    }

    async fn output(&self, args: &OutputArgs) -> Ended {
        let outputs = self.root.outputs(&self.interrupt).await;
        let outputs = outputs.map_err(|error| self.failed(&error))?;
        let paint = Paint::new(self.look.color_out);
        let Some(name) = &args.name else {
            return self.said(match args.format {
                Format::Json => say_json(&serde_json::to_string_pretty(&outputs).unwrap_or_default()),
                Format::Text => say(&show::outputs(self.name, &outputs, paint)),
            });
        };
        let Some(output) = outputs.get(name) else {
            let names: Vec<String> = outputs.iter().map(|(name, _)| name.to_owned()).collect();
            let mut problem = Diagnostic::error(format!("{} has no output {name}", self.name));
            problem = problem.help(match (session::nearest(name, &names), names.is_empty()) {
                (Some(near), _) => format!("did you mean {near}?"),
                (None, true) => "it has none at all; apply it first".into(),
                (None, false) => format!("its outputs are {}", names.join(", ")),
            });
            return Err(stopped(&problem.into(), self.look));
        };
        self.said(match (args.reveal, args.format, output) {
            (true, Format::Text, output) => say(output.reveal().expose()),
            (true, Format::Json, Output::Open(value)) => say_json(&value.to_string()),
            (true, Format::Json, Output::Sensitive(secret)) => say_json(secret.expose()),
            (false, Format::Json, output) => say_json(&output.shown().to_string()),
            (false, Format::Text, Output::Open(_)) => say(output.reveal().expose()),
            (false, Format::Text, Output::Sensitive(_)) => {
                complain(&format!("{name} is sensitive; --reveal prints it"));
                say("***")
            }
        })
    }
}
