//! MOSIP provisioning as a library: load an inventory, pick or build a playbook, run it with an event handler of your
//! own, get a typed report. It prints nothing, ends no process and keeps no global state.
//!
//! ```no_run
//! use mosip_prov::{CancelHandle, Provisioner, Settings};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings {
//!     inventory: vec!["inventory/rancher.ini".into()],
//!     check: true,
//!     ..Settings::default()
//! };
//! let provisioner = Provisioner::load(settings)?;
//! let playbook = provisioner.find("deploy-nginx")?;
//! let ready = provisioner.prepare(&[playbook])?.with_journal()?;
//! let report = ready
//!     .run(|event| eprintln!("{event:?}"), &CancelHandle::new())
//!     .await;
//! println!("{:?}", report.outcome());
//! # Ok(()) }
//! ```

mod asking;
pub mod certificates;
mod connector;
pub mod deploy;
pub mod names;
pub mod peers;
pub mod plans;
pub mod preflight;
pub mod rancher;
mod ready;
mod settings;
mod ssh_config;
mod target;
pub mod terraform;
pub mod verify;

use mosip_prov_engine::journal::{Entry, Journal, JournalError, Past};
use mosip_prov_engine::{Playbook, RunOptions, host_vars};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_inventory::find_placeholders;
use mosip_prov_inventory::vars::HostVars;
use mosip_prov_inventory::{self as inv, Inventory, LoadOptions};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub use asking::Asking;
pub use mosip_prov_engine::Playbook as PlaybookDefinition;
pub use mosip_prov_engine::journal;
pub use mosip_prov_engine::{
    CancelHandle, CheckContext, HostReport, InputCheck, Inquiry, Play, Role, RoleContext, RoleTasks, RunOutcome,
    RunReport, Serial, Task, TaskResult, prepared, sanitize,
};
pub use mosip_prov_events as events;
pub use mosip_prov_init as init;
pub use mosip_prov_inventory as inventory;
pub use mosip_prov_playbooks as playbooks;
pub use mosip_prov_resources as resources;
pub use mosip_prov_transport as transport;
pub use mosip_prov_wireguard as wireguard;
pub use ready::Ready;
pub use settings::Settings;

/// Inputs that have been read: an inventory and what is to be done with it.
#[derive(Clone)]
pub struct Provisioner {
    settings: Settings,
    inventory: Arc<Inventory>,
    vars: indexmap::IndexMap<Arc<str>, HostVars>,
    warnings: Vec<Diagnostic>,
    half_filled: Vec<Diagnostic>,
}

/// The inputs cannot be used: everything that is wrong with them, warnings included.
#[derive(Debug, Clone)]
pub struct InputErrors(Diagnostics);

impl InputErrors {
    /// The findings, in the order found.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.0
    }
}

impl InputErrors {
    pub(crate) fn of(diagnostic: Diagnostic) -> Self {
        let mut all = Diagnostics::new();
        all.push(diagnostic);
        Self(all)
    }
}

impl From<Diagnostics> for InputErrors {
    fn from(found: Diagnostics) -> Self {
        Self(found)
    }
}

impl fmt::Display for InputErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for InputErrors {}

/// Where the journal and the key of plans are.
fn journal_folder(inventory: &Inventory) -> Option<PathBuf> {
    inventory.base_dir().map(|dir| dir.join(".mosip-prov"))
}

impl Provisioner {
    /// Reads inventory and variables. Half-filled values do not stop this; [`Provisioner::prepare`] reports them together
    /// with everything else that is wrong.
    ///
    /// # Errors
    /// What could not be read, with file, line and column.
    pub fn load(settings: Settings) -> Result<Self, InputErrors> {
        let loaded = Self::read(&settings);
        let unreadable = loaded.diagnostics.has_errors();
        let mut found = loaded.diagnostics;
        found.extend(find_placeholders(&loaded.inventory));
        if unreadable {
            return Err(InputErrors(found));
        }
        Ok(Self::with(settings, loaded.inventory, found))
    }

    /// Reads inventory and variables for looking at them: half-filled values are no errors then.
    ///
    /// # Errors
    /// What could not be read.
    pub fn load_for_listing(settings: Settings) -> Result<Self, InputErrors> {
        let loaded = Self::read(&settings);
        if loaded.diagnostics.has_errors() {
            return Err(InputErrors(loaded.diagnostics));
        }
        Ok(Self::with(settings, loaded.inventory, loaded.diagnostics))
    }

    fn read(settings: &Settings) -> inv::Loaded {
        let sources = if settings.inventory.is_empty() {
            vec!["inventory".to_owned()]
        } else {
            settings.inventory.clone()
        };
        inv::load(&LoadOptions {
            sources,
            extra_vars: settings.extra_vars.clone(),
            vault: settings.vault.clone(),
            vars_dirs: settings.vars_dirs.clone(),
        })
    }

    fn with(settings: Settings, inventory: Inventory, found: Diagnostics) -> Self {
        let inventory = Arc::new(inventory);
        Self {
            vars: host_vars(&inventory, settings.check && !settings.to_apply),
            inventory,
            settings,
            warnings: found.iter().filter(|d| !d.is_error()).cloned().collect(),
            half_filled: found.into_iter().filter(Diagnostic::is_error).collect(),
        }
    }

    /// The same with a variable above all others, which is written nowhere.
    pub(crate) fn with_var(&self, name: &str, value: inv::value::Value) -> Self {
        let inventory = Inventory::clone(&self.inventory).with_extra(name, value);
        let mut found = Diagnostics::new();
        found.extend(self.warnings.iter().chain(&self.half_filled).cloned());
        Self::with(self.settings.clone(), inventory, found)
    }

    /// The inventory.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The variables of a host, evaluated when asked for; `None` when the inventory has no such host.
    pub fn vars_of(&self, host: &str) -> Option<&HostVars> {
        self.vars.get(host)
    }

    /// Findings that stop nothing.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Values that were not filled in; [`Provisioner::prepare`] refuses them.
    pub fn half_filled(&self) -> &[Diagnostic] {
        &self.half_filled
    }

    /// The playbooks that come with the program.
    pub fn playbooks(&self) -> Vec<Playbook> {
        mosip_prov_playbooks::all()
    }

    /// The playbook of that name.
    ///
    /// # Errors
    /// The name is not known; the error suggests the nearest.
    pub fn find(&self, name: &str) -> Result<Playbook, mosip_prov_playbooks::UnknownPlaybook> {
        mosip_prov_playbooks::find(name)
    }

    /// Makes playbooks, ours or your own, ready to run. Nothing is connected to.
    ///
    /// # Errors
    /// Everything that is wrong with selection, settings and files.
    pub fn prepare(&self, playbooks: &[Playbook]) -> Result<Ready, InputErrors> {
        let s = &self.settings;
        let options = RunOptions {
            forks: s.forks,
            check: s.check,
            listing: s.listing,
            limit: s.limit.clone(),
            tags: s.tags.clone(),
            skip_tags: s.skip_tags.clone(),
            start_at_task: s.start_at_task.clone(),
            become_user: s.become_user.clone(),
            command_timeout: s.command_timeout,
            lock_timeout: s.lock_timeout,
            reconnect_timeout: s.reconnect_timeout,
            rollback: s.rollback,
        };
        let recipes = RefCell::new(HashMap::new());
        let prepared =
            mosip_prov_engine::prepare(playbooks, &self.inventory, &self.vars, &options, &|vars, problems| {
                let (target, recipe) = target::target_of(vars, s, problems)?;
                recipes.borrow_mut().insert(target.name.clone(), recipe);
                Some(target)
            });
        let mut prepared = match (prepared, s.listing || self.half_filled.is_empty()) {
            (Ok(prepared), true) => prepared,
            (outcome, _) => {
                let mut all = Diagnostics::new();
                all.extend(self.half_filled.iter().cloned());
                all.extend(outcome.err().into_iter().flatten());
                return Err(InputErrors(all));
            }
        };
        if s.resume {
            let past = self.history()?;
            let run = past.unfinished().ok_or_else(|| {
                InputErrors::of(
                    Diagnostic::error("there is no run to continue: the last one ended well, or there was none")
                        .help("run the playbook without --resume; what is right already costs nothing"),
                )
            })?;
            let names: Vec<&str> = playbooks.iter().map(|p| p.name.as_str()).collect();
            if run.choice.playbooks != names {
                let was = run.choice.playbooks.join(" ");
                return Err(InputErrors::of(
                    Diagnostic::error(format!("the run to continue was of {was}, not of {}", names.join(" ")))
                        .help(format!("say `run {was} --resume`, or leave --resume out")),
                ));
            }
            prepared.resume(run);
        }
        Ok(Ready::new(
            prepared,
            options,
            recipes.into_inner(),
            s.clone(),
            self.inventory.clone(),
        ))
    }

    /// The folder of the journal: `.mosip-prov` beside the inventory. `None` for inventories that are no files.
    pub fn journal_folder(&self) -> Option<PathBuf> {
        journal_folder(&self.inventory)
    }

    /// What earlier runs did and left, from the journal.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn history(&self) -> Result<Past, InputErrors> {
        match self.journal_folder() {
            Some(folder) => Journal::past(&folder).map_err(|error| InputErrors::of(journal_problem(&error))),
            None => Ok(Past::default()),
        }
    }

    /// Every line of the journal, oldest first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn journal(&self) -> Result<Vec<Entry>, InputErrors> {
        match self.journal_folder() {
            Some(folder) => Journal::read(&folder).map_err(|error| InputErrors::of(journal_problem(&error))),
            None => Ok(Vec::new()),
        }
    }
}

pub(crate) fn journal_problem(error: &JournalError) -> Diagnostic {
    Diagnostic::error(error.to_string())
        .help("the journal is what lets a run make good what an earlier one owes; give its folder back, or move a broken file away")
}
