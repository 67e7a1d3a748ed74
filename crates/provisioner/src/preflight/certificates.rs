//! Area `certificates`: certificates and keys of both fronts.

use super::{Area, PreflightOptions};
use crate::Provisioner;
use mosip_prov_events::Finding;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
use mosip_prov_playbooks::fronts::{CertificateOf, Fronts};
use mosip_prov_preflight::certificates::{self, Trusted};

/// What there is to look at.
pub(super) struct Certificates {
    of: Vec<CertificateOf>,
}

impl Certificates {
    /// Reads it from the inventory; `None` where there is nothing to look at.
    pub fn read(provisioner: &Provisioner, options: &PreflightOptions, problems: &mut Diagnostics) -> Option<Self> {
        let vars_of = |host: &str| provisioner.vars_of(host);
        let fronts = Fronts::new(provisioner.inventory(), &vars_of);
        if fronts.is_empty() {
            if options.areas.contains(&Area::Certificates) {
                problems.push(
                    Diagnostic::error(
                        "neither group nginx nor group nginx_obs has a host, and certificates are theirs",
                    )
                    .help("add the host of [nginx], [nginx_obs] or both to the inventory"),
                );
            }
            return None;
        }
        let mut of = fronts.certificates(problems);
        for one in of.iter_mut().filter_map(|one| one.pair.as_mut().ok()) {
            one.warn_days = options.threshold_days;
        }
        Some(Self { of })
    }

    /// Looks at all of it.
    pub async fn run(&self) -> Vec<Finding> {
        let of = self.of.clone();
        // Files are read, and signatures are work.
        let looked = tokio::task::spawn_blocking(move || {
            let trusted = Trusted::of_system();
            let found = of.iter().flat_map(|one| match &one.pair {
                Ok(pair) => certificates::look(one.front, pair, &trusted),
                Err(problem) => vec![certificates::absent(one.front, problem)],
            });
            found.collect::<Vec<_>>()
        });
        looked.await.unwrap_or_else(|error| {
            vec![Finding::failure(
                certificates::AREA,
                "unreadable",
                "certificates",
                format!("the check ended early: {error}"),
                "this is a fault of the program; please report it",
            )]
        })
    }
}
