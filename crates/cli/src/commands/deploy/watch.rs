//! What an operator sees of a deployment.

use crate::args::{DeployArgs, Everywhere, OutputOptions};
use crate::commands::{run, terraform_show};
use crate::exit::Exit;
use crate::output::{Look, complain, say};
use crate::prompt;
use crate::repeat;
use crate::show::{self, Show, Showing};
use mosip_prov::deploy::{Deployment, Ended, OfTerraform, Said, Stage, Watch};
use mosip_prov::events::{Event, EventKind, Findings};
use mosip_prov::terraform::{Plan, TerraformEvent};
use mosip_prov_report::paint::{Paint, Tone};
use mosip_prov_report::text::{duration, neutral, neutral_line, pad};
use mosip_prov_report::{JsonLines, RenderError, Renderer as _, findings};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The state of what is shown.
pub struct Progress {
    look: Look,
    verbose: u8,
    diff: bool,
    how: Everywhere,
    vpn: Option<String>,
    /// Terraform runs.
    terraforming: bool,
    /// The stage that goes on: its number, of how many.
    at: (usize, usize),
    /// The run that goes on.
    show: Option<Show>,
    events: Option<JsonLines>,
    terraform: terraform_show::Watch,
    ended: Vec<(Stage, Ended, u64)>,
}

impl Progress {
    /// Nothing has been shown yet. The file of `--events` is made now, so that a mistake shows before anything connects.
    pub fn new(args: &DeployArgs, deployment: &Deployment, look: &Look) -> Result<Self, RenderError> {
        Ok(Self {
            look: *look,
            verbose: args.verbose,
            diff: args.diff,
            how: args.how.clone(),
            vpn: deployment.vpn_inventory().map(|path| path.display().to_string()),
            terraforming: false,
            at: (0, 0),
            show: None,
            events: args.events.as_deref().map(JsonLines::create).transpose()?,
            terraform: terraform_show::Watch::new(look),
            ended: Vec::new(),
        })
    }

    fn paint(&self) -> Paint {
        Paint::new(self.look.color_out)
    }

    fn event(&mut self, event: &Event, check: bool) {
        if let Some(events) = &mut self.events
            && let Err(error) = events.event(event)
        {
            complain(&format!(
                "warning: {error}; events are written no further, the deployment goes on"
            ));
            self.events = None;
        }
        if let EventKind::RunStarted { playbooks, .. } = &event.kind {
            self.end_show();
            let output = OutputOptions {
                verbose: self.verbose,
                profile: false,
                events: None,
                report: None,
                junit: None,
            };
            let playbooks: Vec<&str> = playbooks.iter().map(String::as_str).collect();
            let how = playbooks.first().map_or_else(
                || self.how.clone(),
                |playbook| self.how.with_vpn(playbook, self.vpn.as_deref()),
            );
            let command = repeat::command("run", &how.of(&playbooks), None);
            let showing = Showing {
                diff: self.diff || check,
                command: Some(command.clone()),
                same_command: Some(command.clone()),
                apply_command: Some(command),
            };
            match show::renderers(&output, showing, &self.look) {
                Ok(renderers) => self.show = Some(Show::start(renderers)),
                Err(error) => complain(&format!("warning: {error}")),
            }
        }
        if let Some(show) = &mut self.show {
            show.event(event);
        }
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            self.end_show();
        }
    }

    fn end_show(&mut self) {
        for error in self.show.take().map(Show::finish).into_iter().flatten() {
            if !error.is_broken_pipe() {
                complain(&format!("warning: {error}"));
            }
        }
    }

    /// Says `text` in its place among what is shown.
    fn say(&mut self, text: &str) {
        match &mut self.show {
            Some(show) => show.say(text.to_owned()),
            None => {
                say(&neutral(text));
            }
        }
    }
}

/// The same for the deployment that tells, and for the signals that interrupt it.
#[derive(Clone)]
pub struct Shared(Rc<RefCell<Progress>>);

impl Shared {
    /// Shares `progress`.
    pub fn new(progress: Progress) -> Self {
        Self(Rc::new(RefCell::new(progress)))
    }

    /// Ends the process at once, saying what was left.
    pub fn leave(&self) -> ! {
        let mut progress = self.0.borrow_mut();
        if progress.terraforming {
            complain("terraform was told to stop, and ends by itself; the next deploy waits for its lock");
        }
        complain("`mosip-prov deploy` goes on where this was");
        match &mut progress.show {
            Some(show) => run::leave(show),
            None => std::process::exit(i32::from(Exit::Interrupted.code())),
        }
    }

    /// The stage that did not end well.
    pub fn stopped_at(&self) -> Option<Stage> {
        let progress = self.0.borrow();
        let last = progress.ended.last();
        last.filter(|(_, ended, _)| !ended.goes_on()).map(|(stage, ..)| *stage)
    }

    /// How it all went; `again` is the command that goes on.
    pub fn summary(&self, last: &Ended, milliseconds: u64, again: &str) -> String {
        let progress = self.0.borrow();
        let paint = progress.paint();
        let widest = Stage::ALL
            .iter()
            .map(|stage| stage.name().len())
            .max()
            .unwrap_or_default();
        let mut out = String::from("\n");
        let (tone, word) = match last.goes_on() {
            true => (Tone::Good, "DEPLOYED"),
            false => (Tone::Bad, "STOPPED"),
        };
        out.push_str(&format!("{} in {}\n", paint.tone(tone, word), duration(milliseconds)));
        for (stage, ended, took) in &progress.ended {
            let word = match ended {
                Ended::Ok(_) => paint.tone(Tone::Good, &pad("ok", 11)),
                Ended::LeftOut(_) => paint.tone(Tone::Skipped, &pad("left out", 11)),
                other => paint.tone(Tone::Bad, &pad(other.word(), 11)),
            };
            let reason = ended.reason().lines().next().unwrap_or_default();
            let reason = neutral_line(reason);
            out.push_str(&format!(
                "  {word}  {}  {}  {reason}\n",
                pad(stage.name(), widest),
                pad(&duration(*took), 12)
            ));
        }
        if !last.goes_on() {
            out.push_str(&format!(
                "\nPut right what is named above, then go on where this was:\n  {again}\n"
            ));
        }
        out
    }
}

impl Watch for Shared {
    fn stage(&mut self, number: usize, of: usize, stage: Stage) {
        let mut progress = self.0.borrow_mut();
        progress.at = (number, of);
        let head = progress
            .paint()
            .tone(Tone::Strong, &format!("STAGE {number}/{of} {stage}"));
        say(&format!("\n{head}: {}", stage.what()));
    }

    fn event(&mut self, event: &Event, check: bool) {
        self.0.borrow_mut().event(event, check);
    }

    fn say(&mut self, text: &str) {
        self.0.borrow_mut().say(text);
    }

    fn findings(&mut self, found: &Findings) {
        let progress = self.0.borrow();
        say(findings::table(found, progress.paint(), progress.verbose == 0).trim_end());
    }

    fn terraform(&mut self, told: OfTerraform<'_>) {
        let mut progress = self.0.borrow_mut();
        match told {
            OfTerraform::Begins(phase) => {
                progress.terraforming = true;
                progress.terraform.begin(phase);
            }
            // Here a second signal leaves at once; what comes of it was said already.
            OfTerraform::Event(TerraformEvent::Interrupting { .. }) => {}
            OfTerraform::Event(event) => progress.terraform.event(event),
            OfTerraform::Ended => {
                progress.terraforming = false;
                progress.terraform.end();
            }
            OfTerraform::Failed(error) => {
                complain(&terraform_show::error(error, Paint::new(progress.look.color_err)));
            }
        }
    }

    fn plan(&mut self, name: &str, plan: &Plan) {
        say(&terraform_show::plan(name, plan, self.0.borrow().paint()));
    }

    fn heartbeat(&self) -> Duration {
        self.0.borrow().terraform.heartbeat()
    }

    fn confirm(&mut self, question: &str) -> Said {
        match prompt::confirm(question) {
            Ok(true) => Said::Yes,
            Ok(false) => Said::No,
            Err(prompt::PromptError::Interrupted) => Said::Interrupt,
            Err(error) => {
                complain(&format!("error: {error}; nothing was changed"));
                Said::No
            }
        }
    }

    fn ended(&mut self, stage: Stage, ended: &Ended, milliseconds: u64) {
        let mut progress = self.0.borrow_mut();
        progress.end_show();
        let (number, of) = progress.at;
        let tone = if ended.goes_on() { Tone::Good } else { Tone::Bad };
        let word = progress.paint().tone(tone, &ended.word().replace('_', " "));
        let mut text = format!("STAGE {number}/{of} {stage}: {word} after {}", duration(milliseconds));
        if !ended.reason().is_empty() {
            text.push_str(": ");
            text.push_str(&neutral(ended.reason()));
        }
        if let Some(help) = ended.help() {
            text.push_str(&format!("\n  help: {}", neutral(help)));
        }
        say(&text);
        progress.ended.push((stage, ended.clone(), milliseconds));
    }
}
