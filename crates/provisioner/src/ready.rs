//! A run that is ready to go, and going.

use mosip_prov_engine::{CancelHandle, Engine, Prepared, RunOptions, RunReport};
use mosip_prov_events::Event;
use mosip_prov_inventory::diagnostic::Diagnostic;
use mosip_prov_transport::{Connector, Prompt, RemoteConnector};
use std::sync::Arc;

/// All inputs are right and every host's tasks are known; nothing has been connected to.
pub struct Ready {
    prepared: Prepared,
    options: RunOptions,
    connector: Option<Arc<dyn Connector>>,
    prompt: Option<Arc<dyn Prompt>>,
}

impl Ready {
    pub(crate) fn new(prepared: Prepared, options: RunOptions) -> Self {
        Self {
            prepared,
            options,
            connector: None,
            prompt: None,
        }
    }

    /// What will be done where.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// All hosts that tasks run for.
    pub fn hosts(&self) -> Vec<&str> {
        self.prepared.hosts()
    }

    /// Findings that stop nothing.
    pub fn warnings(&self) -> &[Diagnostic] {
        self.prepared.warnings()
    }

    /// The same, asking `prompt` for the passphrases of keys.
    #[must_use]
    pub fn with_prompt(mut self, prompt: Arc<dyn Prompt>) -> Self {
        self.prompt = Some(prompt);
        self
    }

    /// The same, reaching hosts in another way than SSH and local shells: fakes for tests, for example.
    #[must_use]
    pub fn with_connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.connector = Some(connector);
        self
    }

    /// Runs it. `handler` gets every event in order; `cancel` stops it.
    pub async fn run(&self, handler: impl FnMut(&Event), cancel: &CancelHandle) -> RunReport {
        let connector: Arc<dyn Connector> = match (&self.connector, &self.prompt) {
            (Some(connector), _) => connector.clone(),
            (None, Some(prompt)) => Arc::new(RemoteConnector::new().with_prompt(prompt.clone())),
            (None, None) => Arc::new(RemoteConnector::new()),
        };
        Engine::new(connector, self.options.clone())
            .run(&self.prepared, handler, cancel)
            .await
    }
}
