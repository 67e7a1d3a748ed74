//! A run that is ready to go, and going.

use crate::connector::ConfiguredConnector;
use crate::plans::Recording;
use crate::target::Recipe;
use crate::{InputErrors, Settings, journal_problem};
use mosip_prov_engine::binding::Binding;
use mosip_prov_engine::journal::{Journal, Past};
use mosip_prov_engine::{CancelHandle, Engine, Inquiry, Prepared, RunOptions, RunReport};
use mosip_prov_events::Event;
use mosip_prov_inventory::Inventory;
use mosip_prov_inventory::diagnostic::Diagnostic;
use mosip_prov_transport::{Connector, Prompt};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All inputs are right and every host's tasks are known; nothing has been connected to.
pub struct Ready {
    prepared: Prepared,
    options: RunOptions,
    recipes: Arc<HashMap<String, Recipe>>,
    settings: Settings,
    inventory: Arc<Inventory>,
    folder: Option<PathBuf>,
    recording: Option<Recording>,
    binding: Option<Arc<Binding>>,
    journal: Option<(Arc<Journal>, Past)>,
    connector: Option<Arc<dyn Connector>>,
    prompt: Option<Arc<dyn Prompt>>,
}

impl Ready {
    pub(crate) fn new(
        prepared: Prepared,
        options: RunOptions,
        recipes: HashMap<String, Recipe>,
        settings: Settings,
        inventory: Arc<Inventory>,
    ) -> Self {
        Self {
            folder: crate::journal_folder(&inventory),
            settings,
            inventory,
            recording: None,
            binding: None,
            prepared,
            options,
            recipes: Arc::new(recipes),
            journal: None,
            connector: None,
            prompt: None,
        }
    }

    /// What will be done where.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    pub(crate) fn recording_made(&self) -> Option<&Recording> {
        self.recording.as_ref()
    }

    pub(crate) fn set_recording(&mut self, recording: Recording) {
        self.recording = Some(recording);
    }

    pub(crate) fn bind(&mut self, binding: Arc<Binding>) {
        self.binding = Some(binding);
    }

    /// All hosts that tasks run for.
    pub fn hosts(&self) -> Vec<&str> {
        self.prepared.hosts()
    }

    /// Findings that stop nothing.
    pub fn warnings(&self) -> &[Diagnostic] {
        self.prepared.warnings()
    }

    /// The same, written down beside the inventory, and making good what earlier runs owe. Without it a run is as good,
    /// but the next one knows nothing of it.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub fn with_journal(mut self) -> Result<Self, InputErrors> {
        if let Some(folder) = self.folder.as_ref().filter(|_| !self.options.check) {
            let problem = |error| InputErrors::of(journal_problem(&error));
            let past = Journal::past(folder).map_err(problem)?;
            self.journal = Some((Arc::new(Journal::begin(folder).map_err(problem)?), past));
        }
        Ok(self)
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

    fn connector(&self) -> Arc<dyn Connector> {
        match &self.connector {
            Some(connector) => connector.clone(),
            None => Arc::new(ConfiguredConnector::new(
                self.prompt.clone(),
                self.recipes.clone(),
                self.settings.ssh_config.clone(),
            )),
        }
    }

    /// Its hosts, to be asked instead of changed.
    pub(crate) fn inquiry(&self) -> Inquiry {
        Inquiry::new(
            self.connector(),
            &self.prepared,
            self.options.forks,
            self.options.command_timeout,
        )
    }

    /// Runs it. `handler` gets every event in order; `cancel` stops it.
    pub async fn run(&self, handler: impl FnMut(&Event), cancel: &CancelHandle) -> RunReport {
        let connector = self.connector();
        let mut engine = Engine::new(connector, self.options.clone());
        if let Some((journal, past)) = &self.journal {
            engine = engine.with_journal(journal.clone(), past.clone());
        }
        if let Some(recording) = &self.recording {
            engine = engine.with_recorder(recording.recorder.clone(), recording.past.clone());
        }
        if let Some(binding) = &self.binding {
            engine = engine.with_binding(binding.clone());
        }
        engine.run(&self.prepared, handler, cancel).await
    }
}
