//! Area `dns`: the records of the domain.

use super::PreflightOptions;
use crate::Provisioner;
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::Diagnostics;

/// What there is to ask for.
pub(super) struct Dns {}

impl Dns {
    /// Reads it from the inventory; `None` where there is nothing to ask for.
    pub fn read(_provisioner: &Provisioner, _options: &PreflightOptions, _problems: &mut Diagnostics) -> Option<Self> {
        None
    }

    /// Asks for all of it.
    pub async fn run(&self) -> Vec<Finding> {
        Vec::new()
    }
}
