//! Area `dns`: the records of the domain.

use super::{Area, PreflightOptions};
use crate::Provisioner;
use crate::names::{Client, Nameservers, Site};
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_playbooks::fronts::Fronts;
use mosip_prov_preflight::dns;
use std::net::SocketAddr;

/// What there is to ask for.
pub(super) struct Dns {
    site: Site,
    nameservers: Vec<SocketAddr>,
}

impl Dns {
    /// Reads it from the inventory; `None` where there is nothing to ask for.
    pub fn read(provisioner: &Provisioner, options: &PreflightOptions, problems: &mut Diagnostics) -> Option<Self> {
        let vars_of = |host: &str| provisioner.vars_of(host);
        let fronts = Fronts::new(provisioner.inventory(), &vars_of);
        // An inventory without fronts, for example that of the VPN, has no names; unless they are what was asked for.
        if fronts.is_empty() && !options.areas.contains(&Area::Dns) {
            return None;
        }
        Some(Self {
            site: fronts.site(problems)?,
            nameservers: options.nameservers.clone(),
        })
    }

    /// Asks for all of it.
    pub async fn run(&self) -> Vec<Finding> {
        let servers = match Nameservers::new(self.nameservers.clone()) {
            Some(servers) => Ok(servers),
            None => Nameservers::of_system(),
        };
        match servers {
            Ok(servers) => dns::check(&self.site, &Client::new(servers), self.nameservers.is_empty()).await,
            Err(error) => vec![Finding::failure(
                dns::AREA,
                "nameserver",
                &self.site.domain,
                error.to_string(),
                "name a nameserver there, or ask one with --nameserver",
            )],
        }
    }
}
