//! What must hold on the deployment node, and between the hosts of an inventory, before anything connects. SSH keys are checked for every host that is
//! connected to, whatever the playbook, where connections are made ready.

mod machines;

pub(crate) use machines::{DockerOfTheVpn, OneFrontEach, OneTaskEach, RebootsOneByOne};

use mosip_prov_engine::{CheckContext, InputCheck};
use mosip_prov_front::{CertificateFiles, Surroundings};
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_inventory::vars::HostVars;
use mosip_prov_inventory::yaml;
use mosip_prov_preflight::{CertificatePair, check_pair};
use std::path::Path;
use std::sync::Arc;

/// Names that a certificate must cover, and names that it should cover.
struct Names {
    required: Vec<String>,
    further: Vec<String>,
}

type NamesOf = fn(&Surroundings<'_>) -> Option<Names>;

/// The certificate and key of a front: whole, fitting, in time, and good for the names it serves.
pub(crate) struct FrontCertificate {
    role: &'static str,
    defaults: &'static str,
    names_of: NamesOf,
}

impl FrontCertificate {
    pub(crate) fn of_nginx() -> Self {
        Self {
            role: "nginx",
            defaults: role_nginx::DEFAULTS,
            names_of: |around| {
                let settings = role_nginx::Settings::read(around, &mut Diagnostics::new())?;
                let (internal, further) = settings.internal_names();
                let mut required = settings.public_names;
                required.extend(internal);
                Some(Names { required, further })
            },
        }
    }

    pub(crate) fn of_nginx_obs() -> Self {
        Self {
            role: "nginx_obs",
            defaults: role_nginx_obs::DEFAULTS,
            names_of: |around| {
                let settings = role_nginx_obs::Settings::read(around, &mut Diagnostics::new())?;
                Some(Names {
                    required: settings.names,
                    further: Vec::new(),
                })
            },
        }
    }

    /// The names the host of `vars` serves; `None` when its settings are wrong, which the role itself reports.
    fn names(&self, cx: &CheckContext<'_>, vars: &HostVars, base_dir: Option<&Path>) -> Option<Names> {
        let defaults = yaml::parse_vars(self.defaults, "<defaults>").ok()?;
        let vars = vars.clone().with_defaults(Arc::new(defaults));
        let around = Surroundings::new(
            &vars,
            base_dir,
            |group| cx.inventory.hosts_of(group),
            |host| cx.vars.get(host),
        );
        (self.names_of)(&around)
    }
}

impl InputCheck for FrontCertificate {
    fn check(&self, cx: &CheckContext<'_>, problems: &mut Diagnostics) {
        let base_dir = cx.inventory.base_dir();
        let fronts = cx.inventory.hosts_of(self.role);
        let vars: Vec<&HostVars> = cx
            .hosts
            .iter()
            .filter(|host| fronts.contains(&&***host))
            .filter_map(|host| cx.vars.get(host))
            .collect();
        if vars.is_empty() {
            return;
        }
        let Some(files) = problems.take(CertificateFiles::find(self.role, base_dir)) else {
            return;
        };
        let (mut required, mut further): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for names in vars.iter().filter_map(|vars| self.names(cx, vars, base_dir)) {
            let new = |known: &[String], names: Vec<String>| -> Vec<String> {
                names.into_iter().filter(|name| !known.contains(name)).collect()
            };
            let more = new(&required, names.required);
            required.extend(more);
            let more = new(&further, names.further);
            further.extend(more);
        }
        let pair = CertificatePair::new(files.certificate, files.key, required).further(further);
        problems.extend(check_pair(&pair));
    }
}
