//! A plan: what terraform would change, by address.

use crate::diagnostic::TerraformDiagnostic;
use crate::event::{Action, Summary};
use crate::show::AttributeChange;
use crate::store::Saved;
use serde::{Deserialize, Serialize};

/// What is planned for one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChange {
    /// The resource.
    pub address: String,
    /// What is done with it.
    pub action: Action,
    /// Why, in a word of Terraform's: `cannot_update`, `tainted`, `requested`, `delete_because_no_resource_config`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The address that it has now, when it gets another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_address: Option<String>,
    /// The attributes that differ, where they were asked for. Sensitive ones are masked by type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<AttributeChange>>,
}

/// What happens to an output; its value is not in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputChange {
    /// Its name.
    pub name: String,
    /// What happens.
    pub action: Action,
    /// Whether it is sensitive.
    pub sensitive: bool,
}

/// What terraform would change. The plan itself is in a file that is its user's alone, and holds secrets; it goes when it
/// was applied or [`crate::Root::discard`]ed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Resources, by address; without those that stay as they are.
    pub resources: Vec<PlannedChange>,
    /// Resources that are no longer as terraform left them.
    pub drift: Vec<PlannedChange>,
    /// Outputs that change.
    pub outputs: Vec<OutputChange>,
    /// Terraform's counts.
    pub summary: Summary,
    /// Warnings.
    #[serde(skip)]
    pub warnings: Vec<TerraformDiagnostic>,
    /// Whether all is to be destroyed.
    pub destroy: bool,
    /// Whether terraform says that nothing is to be changed.
    pub(crate) empty: bool,
    /// When it was made, in seconds since 1970.
    pub made: u64,
    /// Where it is.
    #[serde(skip)]
    pub(crate) saved: Option<Saved>,
}

impl Plan {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    fn of(&self, action: Action) -> impl Iterator<Item = &PlannedChange> {
        self.resources.iter().filter(move |change| change.action == action)
    }

    /// What is made.
    pub fn adds(&self) -> impl Iterator<Item = &PlannedChange> {
        self.of(Action::Create)
    }

    /// What is changed in place.
    pub fn changes(&self) -> impl Iterator<Item = &PlannedChange> {
        self.of(Action::Update)
    }

    /// What is destroyed.
    pub fn destroys(&self) -> impl Iterator<Item = &PlannedChange> {
        self.of(Action::Delete)
    }

    /// What is destroyed and made anew.
    pub fn replaces(&self) -> impl Iterator<Item = &PlannedChange> {
        self.of(Action::Replace)
    }

    /// All of which something that is there goes.
    pub fn losses(&self) -> impl Iterator<Item = &PlannedChange> {
        self.resources.iter().filter(|change| change.action.destroys())
    }
}
