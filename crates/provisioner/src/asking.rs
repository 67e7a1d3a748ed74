//! Asking hosts without changing them.

use crate::ready::Ready;
use crate::{InputErrors, Provisioner};
use mosip_prov_engine::{Inquiry, Play, Playbook};
use mosip_prov_inventory::diagnostic::Diagnostic;
use mosip_prov_transport::{Connector, Prompt};
use std::sync::Arc;

/// Hosts that are to be asked. All inputs are right; nothing has been connected to.
pub struct Asking(Ready);

impl Provisioner {
    /// The hosts of `play` inside the limit, to be asked as the user that the play works as. Its roles read their settings,
    /// so that what is wrong is said before anything connects; their tasks are not done.
    ///
    /// ```no_run
    /// # async fn example(provisioner: &mosip_prov::Provisioner) -> Result<(), Box<dyn std::error::Error>> {
    /// use mosip_prov::Play;
    /// use mosip_prov::resources::{AskFacts, Ask as _};
    ///
    /// let inquiry = provisioner.ask(Play::new("Look at the nodes", "physical_vms"))?.open();
    /// let questions = inquiry.hosts().into_iter().map(|host| (host.to_owned(), vec![AskFacts.question()]));
    /// for (host, answers) in inquiry.ask(&questions.collect()).await {
    ///     println!("{host}: {:?}", answers?.get(&AskFacts)?);
    /// }
    /// inquiry.close().await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with selection, settings and files.
    pub fn ask(&self, play: Play) -> Result<Asking, InputErrors> {
        let playbook = Playbook::new(play.name.clone(), "asks, and changes nothing").play(play);
        self.prepare(&[playbook]).map(Asking)
    }
}

impl Asking {
    /// The hosts.
    pub fn hosts(&self) -> Vec<&str> {
        self.0.hosts()
    }

    /// Findings that stop nothing.
    pub fn warnings(&self) -> &[Diagnostic] {
        self.0.warnings()
    }

    /// The same, asking `prompt` for the passphrases of keys.
    #[must_use]
    pub fn with_prompt(self, prompt: Arc<dyn Prompt>) -> Self {
        Self(self.0.with_prompt(prompt))
    }

    /// The same, reaching hosts in another way than SSH and local shells: fakes for tests, for example.
    #[must_use]
    pub fn with_connector(self, connector: Arc<dyn Connector>) -> Self {
        Self(self.0.with_connector(connector))
    }

    /// Ready to ask: each host is connected to when it is first asked.
    pub fn open(&self) -> Inquiry {
        self.0.inquiry()
    }
}
