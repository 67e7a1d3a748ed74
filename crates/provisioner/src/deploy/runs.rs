//! The stages that are playbooks.

use super::doers::{confirmed, of_rancher, rarely};
use super::{Deployment, Ended, Said, Stage, Watch, inputs};
use crate::rancher::{AskError, Importing};
use crate::{InputErrors, Provisioner, Ready, Settings};
use mosip_prov_engine::{CancelHandle, Playbook, RunOutcome, RunReport};
use mosip_prov_inventory::diagnostic::Diagnostic;

impl Deployment {
    /// Goes through one stage.
    pub(super) async fn go_through(&self, stage: Stage, watch: &mut dyn Watch, cancel: &CancelHandle) -> Ended {
        let provisioner = match Provisioner::load(self.settings.clone()) {
            Ok(provisioner) => provisioner,
            Err(errors) => return Ended::of_inputs(&errors),
        };
        if let Some(reason) = inputs::left_out(&provisioner, stage) {
            return Ended::LeftOut(reason);
        }
        match stage.playbook() {
            Some(name) => self.playbook(&provisioner, stage, name, watch, cancel).await,
            None => self.other(&provisioner, stage, watch, cancel).await,
        }
    }

    async fn playbook(
        &self,
        provisioner: &Provisioner,
        stage: Stage,
        name: &str,
        watch: &mut dyn Watch,
        cancel: &CancelHandle,
    ) -> Ended {
        let settings = inputs::settings_for(provisioner, &self.settings, stage);
        if self.options.ask {
            let report = match self.asked(&settings, stage, name, true, watch, cancel).await {
                Ok(ready) => ready.run(|event| watch.event(event, true), cancel).await,
                Err(ended) => return ended,
            };
            if report.outcome() != RunOutcome::Ok {
                return ended(&report, true);
            }
            // A run without changes is made all the same: it also does what earlier ones owe.
            if report.has_changes() {
                match confirmed(watch, &format!("Make these changes ({stage})?"), cancel).await {
                    Said::Yes => {}
                    Said::No => return Ended::Declined,
                    Said::Interrupt => return Ended::Interrupted,
                }
            }
        }
        match self
            .asked(&settings, stage, name, false, watch, cancel)
            .await
            .map(Ready::with_journal)
        {
            Ok(Ok(ready)) => ended(&ready.run(|event| watch.event(event, false), cancel).await, false),
            Ok(Err(errors)) => Ended::of_inputs(&errors),
            Err(ended) => ended,
        }
    }

    /// The run of a playbook, after Rancher was asked for the import URL where it imports the cluster.
    async fn asked(
        &self,
        settings: &Settings,
        stage: Stage,
        name: &str,
        check: bool,
        watch: &mut dyn Watch,
        cancel: &CancelHandle,
    ) -> Result<Ready, Ended> {
        if stage != Stage::Main || self.options.skip.contains(&Stage::Import) {
            return self
                .ready(settings, name, check)
                .map_err(|errors| Ended::of_inputs(&errors));
        }
        let of_inputs = |errors: InputErrors| Ended::of_inputs(&errors);
        let (provisioner, playbook) = load(settings, name, check).map_err(of_inputs)?;
        let given = self.given(&provisioner, cancel).await?;
        if given.password.is_none()
            && !provisioner.has_import_url()
            && matches!(provisioner.rancher_import(&given), Ok(None))
            && !provisioner.inventory().hosts_of("mosip_obs").is_empty()
        {
            watch.say("the cluster is not handed to Rancher: no password, token or import URL is known");
        }
        let ready = match provisioner.prepare_importing(&[playbook], &given).map_err(of_inputs)? {
            Importing::Ready(ready) => *ready,
            Importing::Ask(ask) => match ask.ask(rarely(watch), cancel).await {
                Ok(asked) => {
                    if let Some(why) = &asked.unasked {
                        watch.say(&format!("{why}; so what the import would change is not known"));
                    }
                    *asked.ready
                }
                Err(AskError::Rancher(error)) => return Err(of_rancher(&error, cancel)),
                Err(AskError::Inputs(errors)) => return Err(of_inputs(errors)),
            },
        };
        Ok(self.prompted(ready))
    }

    fn prompted(&self, ready: Ready) -> Ready {
        match &self.prompt {
            Some(prompt) => ready.with_prompt(prompt.clone()),
            None => ready,
        }
    }

    pub(super) fn ready(&self, settings: &Settings, name: &str, check: bool) -> Result<Ready, InputErrors> {
        let (provisioner, playbook) = load(settings, name, check)?;
        Ok(self.prompted(provisioner.prepare(&[playbook])?))
    }
}

fn load(settings: &Settings, name: &str, check: bool) -> Result<(Provisioner, Playbook), InputErrors> {
    let settings = Settings {
        check,
        ..settings.clone()
    };
    let provisioner = Provisioner::load(settings)?;
    let playbook = provisioner
        .find(name)
        .map_err(|error| InputErrors::of(Diagnostic::error(error.to_string())))?;
    Ok((provisioner, playbook))
}

/// How a run ended, as the end of its stage.
fn ended(report: &RunReport, check: bool) -> Ended {
    let changed: u32 = report.hosts.values().map(|host| host.counts.changed).sum();
    let on = report.hosts.values().filter(|host| host.counts.changed > 0).count();
    let names = |which: &dyn Fn(&crate::HostReport) -> bool| -> String {
        let names: Vec<&str> = report
            .hosts
            .iter()
            .filter(|(_, h)| which(h))
            .map(|(name, _)| name.as_str())
            .collect();
        names.join(", ")
    };
    let doing = if check {
        "working out what would change"
    } else {
        "the run"
    };
    match report.outcome() {
        RunOutcome::Ok if changed == 0 => Ended::Ok("nothing was to be changed".to_owned()),
        RunOutcome::Ok => Ended::Ok(format!("changed={changed} on {on} of {} hosts", report.hosts.len())),
        RunOutcome::Failed => Ended::Failed(
            format!("{doing} failed on {}", names(&|host| host.counts.failed > 0)),
            Some("what failed is named above with what to do".to_owned()),
        ),
        RunOutcome::Unreachable => {
            let who = names(&|host| host.unreachable.is_some());
            Ended::Unreachable(
                format!("not reached: {who}"),
                Some("why, and what to do, is named above".to_owned()),
            )
        }
        RunOutcome::Interrupted => Ended::Interrupted,
    }
}
