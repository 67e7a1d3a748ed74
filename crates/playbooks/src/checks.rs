//! What must hold on the deployment node before a front is deployed. SSH keys are checked for every host that is
//! connected to, whatever the playbook, where connections are made ready.

use mosip_prov_engine::{CheckContext, InputCheck};
use mosip_prov_front::{CertificateFiles, Surroundings};
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics};
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

/// The address that leads to the machine of `host`: two names with the same one are one machine.
fn machine(cx: &CheckContext<'_>, host: &str) -> Option<String> {
    let vars = cx.vars.get(host)?;
    let address = vars.string("ansible_host").ok()?.unwrap_or_else(|| host.to_owned());
    let port = vars.int("ansible_port").ok()?.unwrap_or(22);
    Some(format!("{address}:{port}"))
}

/// Both fronts on one machine would write the same `/etc/nginx/nginx.conf`, each undoing the other.
pub(crate) struct OneFrontEach;

impl InputCheck for OneFrontEach {
    fn check(&self, cx: &CheckContext<'_>, problems: &mut Diagnostics) {
        for front in cx.inventory.hosts_of("nginx") {
            for other in cx.inventory.hosts_of("nginx_obs") {
                let address = machine(cx, front);
                if front == other || (address.is_some() && address == machine(cx, other)) {
                    let place = cx.vars.get(other).and_then(|vars| vars.location("ansible_host"));
                    problems.push(
                        Diagnostic::warning(format!(
                            "{front} of group nginx and {other} of group nginx_obs are one machine: both fronts write \
                             /etc/nginx/nginx.conf, so that the one deployed last replaces the other"
                        ))
                        .at(place)
                        .help(
                            "give each front a machine of its own; the observation front may share that of mosip_obs",
                        ),
                    );
                }
            }
        }
    }
}

/// A machine that stands under two names is upgraded under both. A reboot for the one would cut the other off in the
/// middle, unless they come one after the other.
pub(crate) struct RebootsOneByOne;

impl InputCheck for RebootsOneByOne {
    fn check(&self, cx: &CheckContext<'_>, problems: &mut Diagnostics) {
        let reboots = |host: &str| {
            let vars = cx.vars.get(host);
            vars.is_some_and(|vars| matches!(vars.bool("apt_reboot_if_required"), Ok(Some(true))))
        };
        let serial = cx
            .hosts
            .first()
            .and_then(|host| cx.vars.get(host)?.string("apt_upgrade_serial").ok()?);
        if serial.is_some_and(|serial| serial.trim() == "1") {
            return;
        }
        for (number, host) in cx.hosts.iter().enumerate() {
            for other in &cx.hosts[number + 1..] {
                let address = machine(cx, host);
                if address.is_none() || address != machine(cx, other) || !(reboots(host) || reboots(other)) {
                    continue;
                }
                let place = cx.vars.get(other).and_then(|vars| vars.location("ansible_host"));
                problems.push(
                    Diagnostic::error(format!(
                        "{host} and {other} are one machine, and a reboot for the one would cut the other off in the \
                         middle of its upgrade"
                    ))
                    .at(place)
                    .help(format!(
                        "set apt_upgrade_serial to 1, or leave one name out: --limit 'all:!{other}'"
                    )),
                );
            }
        }
    }
}
