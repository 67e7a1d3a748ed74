//! Area `certificates`: certificates and keys of both fronts.

use super::PreflightOptions;
use crate::Provisioner;
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::Diagnostics;

/// What there is to look at.
pub(super) struct Certificates {}

impl Certificates {
    /// Reads it from the inventory; `None` where there is nothing to look at.
    pub fn read(_provisioner: &Provisioner, _options: &PreflightOptions, _problems: &mut Diagnostics) -> Option<Self> {
        None
    }

    /// Looks at all of it.
    pub async fn run(&self) -> Vec<Finding> {
        Vec::new()
    }
}
