//! The names of an installation, from its inventory.

use crate::{InputErrors, Provisioner};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_playbooks::fronts::Fronts;

pub use mosip_prov_preflight::dns::records::{Front, Observation};
pub use mosip_prov_preflight::dns::{
    AskError, Client, Kind, Nameservers, Reach, Record, Site, message, parse_nameserver, records, zone,
};

/// What the records of the DNS are made from, and what was found besides that stops nothing. Nothing is asked.
///
/// # Errors
/// All that is missing or wrong: no domain, no public address, an address that is cut off.
pub fn site(provisioner: &Provisioner) -> Result<(Site, Vec<Diagnostic>), InputErrors> {
    let mut problems = Diagnostics::new();
    let vars_of = |host: &str| provisioner.vars_of(host);
    match Fronts::new(provisioner.inventory(), &vars_of).site(&mut problems) {
        Some(site) => Ok((site, problems.into_iter().collect())),
        None => Err(problems.into()),
    }
}
