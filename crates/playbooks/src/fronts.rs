//! What is true of both fronts before anything is deployed: the names that lead to them, and their certificate files.

use mosip_prov_front::{CertificateFiles, ListenAddress, Reader};
use mosip_prov_inventory::Inventory;
use mosip_prov_inventory::diagnostic::{Diagnostic, Diagnostics, Location};
use mosip_prov_inventory::vars::HostVars;
use mosip_prov_inventory::yaml;
use mosip_prov_preflight::CertificatePair;
use mosip_prov_preflight::dns::records::{Front, Observation, Site, front_names};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The variable with the address that the internet reaches.
const PUBLIC_IP: &str = "mosip_public_ip";

/// An inventory to read names from.
pub struct Fronts<'a> {
    inventory: &'a Inventory,
    vars_of: &'a dyn Fn(&str) -> Option<&'a HostVars>,
}

/// The certificate of a front, as it is to be looked at.
#[derive(Debug, Clone)]
pub struct CertificateOf {
    /// The front: `nginx` or `nginx_obs`.
    pub front: &'static str,
    /// Its files and the names they must be good for, or why there are none.
    pub pair: Result<CertificatePair, Diagnostic>,
}

/// The names of a front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamesOf {
    /// Its group: `nginx` or `nginx_obs`.
    pub front: &'static str,
    /// The domain of the installation, as this front knows it.
    pub domain: Option<String>,
    /// Names that its certificate must cover.
    pub required: Vec<String>,
    /// Names that it should cover.
    pub further: Vec<String>,
}

impl<'a> Fronts<'a> {
    /// Those of `inventory`; `vars_of` gives the variables of a host, without role defaults.
    pub fn new(inventory: &'a Inventory, vars_of: &'a dyn Fn(&str) -> Option<&'a HostVars>) -> Self {
        Self { inventory, vars_of }
    }

    /// Whether the inventory has no front at all.
    pub fn is_empty(&self) -> bool {
        ["nginx", "nginx_obs"]
            .iter()
            .all(|group| self.inventory.hosts_of(group).is_empty())
    }

    /// What the records of the installation are made from. All that is missing or wrong goes into `problems`, and then
    /// there is none.
    pub fn site(&self, problems: &mut Diagnostics) -> Option<Site> {
        let before = problems.error_count();
        let nginx = self.host("nginx", role_nginx::DEFAULTS, problems);
        let nginx_obs = self.host("nginx_obs", role_nginx_obs::DEFAULTS, problems);
        let Some(any) = nginx.as_ref().or(nginx_obs.as_ref()) else {
            problems.push(
                Diagnostic::error("neither group nginx nor group nginx_obs has a host, and names lead to nothing else")
                    .at(self.inventory.base_dir().map(Location::file))
                    .help("add the host of [nginx], [nginx_obs] or both to the inventory"),
            );
            return None;
        };
        // A host of the observation front alone has no such default.
        let domain = Reader::new(any, problems).domain("mosip_domain", "all names are made from it");
        let front = nginx.as_ref().and_then(|vars| {
            let public_names = match &domain {
                Some(_) => Reader::new(vars, problems).server_names("nginx_public_domain_names"),
                // Made from the domain, whose absence is said already.
                None => Vec::new(),
            };
            let private = address(vars, "nginx_internal_listen_ip", problems);
            let public = public_address(vars, problems);
            Some(Front {
                public: public?,
                private: private?,
                public_names,
            })
        });
        let observation = nginx_obs.as_ref().and_then(|vars| {
            let names = observation_names(vars, domain.as_deref(), problems);
            let private = address(vars, "nginx_obs_listen_ip", problems);
            Some(Observation {
                private: private?,
                names,
            })
        });
        (problems.error_count() == before).then_some(())?;
        Some(Site {
            domain: domain?,
            front,
            observation,
        })
    }

    /// The certificate of each front that has a host: where its files lie, and which names they must be good for. What is
    /// wrong with the names goes into `problems`.
    pub fn certificates(&self, problems: &mut Diagnostics) -> Vec<CertificateOf> {
        let with_files = |names: NamesOf| {
            let files = CertificateFiles::find(names.front, self.inventory.base_dir());
            CertificateOf {
                front: names.front,
                pair: files.map(|f| CertificatePair::new(f.certificate, f.key, names.required).further(names.further)),
            }
        };
        self.names(problems).into_iter().map(with_files).collect()
    }

    /// The names of each front that has a host, whether or not it has a certificate. What is wrong with them goes into
    /// `problems`.
    pub fn names(&self, problems: &mut Diagnostics) -> Vec<NamesOf> {
        let mut found = Vec::new();
        if let Some(vars) = self.host("nginx", role_nginx::DEFAULTS, problems) {
            let mut reader = Reader::new(&vars, problems);
            if let Some(domain) = reader.domain("mosip_domain", "all names nginx serves are made from it") {
                let public = reader.server_names("nginx_public_domain_names");
                let (required, further) = front_names(&domain, &public);
                found.push(NamesOf {
                    front: "nginx",
                    domain: Some(domain),
                    required,
                    further,
                });
            }
        }
        if let Some(vars) = self.host("nginx_obs", role_nginx_obs::DEFAULTS, problems) {
            let domain = Reader::new(&vars, problems).text("mosip_domain");
            let required = observation_names(&vars, domain.as_deref(), problems);
            found.push(NamesOf {
                front: "nginx_obs",
                domain,
                required,
                further: Vec::new(),
            });
        }
        found
    }

    /// The variables of the first host of `group`, with the role's defaults below them. A front is one machine.
    fn host(&self, group: &str, defaults: &str, problems: &mut Diagnostics) -> Option<HostVars> {
        let hosts = self.inventory.hosts_of(group);
        let first = hosts.first()?;
        if hosts.len() > 1 {
            problems.push(
                Diagnostic::warning(format!(
                    "group {group} has {} hosts, and names are taken to lead to the first of them, {first}",
                    hosts.len()
                ))
                .help("a front is one machine; what stands before several is not known here"),
            );
        }
        let defaults = problems.take(yaml::parse_vars(defaults, "<defaults>"))?;
        Some((self.vars_of)(first)?.clone().with_defaults(Arc::new(defaults)))
    }
}

fn observation_names(vars: &HostVars, domain: Option<&str>, problems: &mut Diagnostics) -> Vec<String> {
    let names = Reader::new(vars, problems).server_names("nginx_obs_public_domain_names");
    match (names.is_empty(), domain) {
        (true, Some(domain)) => vec![format!("rancher.{domain}"), format!("keycloak.{domain}")],
        _ => names,
    }
}

/// The address that a front listens on for the VPN: `listen`, else the one that SSH connects to.
fn address(vars: &HostVars, listen: &str, problems: &mut Diagnostics) -> Option<IpAddr> {
    let before = problems.error_count();
    let mut reader = Reader::new(vars, problems);
    match reader.listen_address(listen) {
        ListenAddress::Fixed(ip) if !ip.is_unspecified() => return Some(ip),
        _ if reader.problems().error_count() > before => return None,
        _ => {}
    }
    let host = vars.host();
    let connected = reader.text("ansible_host").unwrap_or_else(|| host.to_string());
    if reader.problems().error_count() > before {
        return None;
    }
    if let Ok(ip) = connected.parse::<IpAddr>() {
        return Some(ip);
    }
    problems.push(
        Diagnostic::error(format!(
            "the address of {host} is not known: {listen} is not set, and SSH connects to \"{connected}\", which is no whole \
             IP address"
        ))
        .at(vars.set_at("ansible_host"))
        .help(format!(
            "set {listen} of {host} to the address that the VPN and the clusters reach, or ansible_host to it"
        )),
    );
    None
}

fn public_address(vars: &HostVars, problems: &mut Diagnostics) -> Option<IpAddr> {
    let before = problems.error_count();
    let help =
        format!("set it in group_vars/all.yml to the address that the internet reaches: {PUBLIC_IP}: 203.0.113.31");
    let Some(text) = Reader::new(vars, problems).text(PUBLIC_IP) else {
        if problems.error_count() == before {
            // It belongs beside the domain.
            let beside = vars.set_at("mosip_domain").map(|place| Location {
                line: 0,
                column: 0,
                text: None,
                ..place
            });
            problems.push(
                Diagnostic::error(format!("{PUBLIC_IP} is not set, and the public names lead to it"))
                    .at(beside)
                    .help(help),
            );
        }
        return None;
    };
    match text.parse::<IpAddr>() {
        Ok(ip) if !ip.is_unspecified() => Some(ip),
        _ => {
            problems.push(
                Diagnostic::error(format!("{PUBLIC_IP} is \"{text}\", which is no whole IP address"))
                    .at(vars.set_at(PUBLIC_IP))
                    .help(help),
            );
            None
        }
    }
}

/// The folder where `front` looks for its certificate: the one that has it, else the one beside the inventory in
/// `base_dir`.
pub fn folder_of(front: &str, base_dir: &Path) -> PathBuf {
    let found = CertificateFiles::find(front, Some(base_dir)).ok();
    let folder = found.and_then(|files| files.certificate.parent().map(Path::to_owned));
    folder.unwrap_or_else(|| base_dir.join("files").join(front))
}

#[cfg(test)]
mod tests {
    use super::*;
    use indexmap::IndexMap;
    use mosip_prov_inventory::{LoadOptions, load};
    use mosip_prov_preflight::dns::records;

    const HOSTS: &str = "[nginx]\nfront ansible_host=10.1.0.31\n[nginx_obs]\nobs ansible_host=10.1.0.32\n";
    const VARS: &str = "mosip_domain: mosip.test\nmosip_public_ip: 203.0.113.31\n";

    fn with<T>(hosts: &str, vars: &str, look: impl Fn(&Fronts<'_>, &Path) -> T) -> T {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("group_vars")).expect("made");
        std::fs::write(dir.path().join("group_vars/all.yml"), vars).expect("written");
        std::fs::write(dir.path().join("hosts.ini"), hosts).expect("written");
        let loaded = load(&LoadOptions {
            sources: vec![dir.path().join("hosts.ini").to_string_lossy().into_owned()],
            ..LoadOptions::default()
        });
        assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
        let inventory = Arc::new(loaded.inventory);
        let all: IndexMap<Arc<str>, HostVars> = mosip_prov_engine::host_vars(&inventory, false);
        look(&Fronts::new(&inventory, &|host| all.get(host)), dir.path())
    }

    fn site(hosts: &str, vars: &str) -> Result<Site, String> {
        with(hosts, vars, |fronts, _| {
            let mut problems = Diagnostics::new();
            let site = fronts.site(&mut problems);
            let said = problems.iter().map(|d| format!("{d}\n")).collect::<String>();
            site.ok_or(said)
        })
    }

    #[test]
    fn from_the_inventory_of_the_guide() {
        let site = site(HOSTS, VARS).expect("a site");
        let lines: Vec<String> = records(&site)
            .iter()
            .map(|r| format!("{} {}", r.name, r.value))
            .collect();
        assert_eq!(lines[0], "rancher.mosip.test 10.1.0.32");
        assert_eq!(lines[2], "api-internal.mosip.test 10.1.0.31");
        assert_eq!(lines[3], "api.mosip.test 203.0.113.31");
        assert_eq!(lines.len(), 19);
    }

    #[test]
    fn listen_addresses_win_over_the_one_ssh_connects_to() {
        let vars = format!(
            "{VARS}nginx_listen_ip: 10.2.0.1\nnginx_obs_listen_ip: 0.0.0.0\nnginx_obs_public_domain_names: rancher.obs.test\n\
             nginx_public_domain_names: [api.mosip.test, esignet.mosip.test]\n"
        );
        let site = site(HOSTS, &vars).expect("a site");
        let (front, observation) = (site.front.expect("a front"), site.observation.expect("another"));
        assert_eq!(front.private.to_string(), "10.2.0.1");
        assert_eq!(front.public_names, ["api.mosip.test", "esignet.mosip.test"]);
        assert_eq!(observation.private.to_string(), "10.1.0.32");
        assert_eq!(observation.names, ["rancher.obs.test"]);
    }

    #[test]
    fn one_front_is_enough() {
        let only = site(
            "[nginx_obs]\nobs ansible_host=10.1.0.32\n",
            "mosip_domain: mosip.test\n",
        )
        .expect("a site");
        assert_eq!(records(&only).len(), 2);
        let none = site("[mosip_obs]\nobs ansible_host=10.1.0.32\n", VARS).expect_err("none");
        assert!(none.contains("neither group nginx nor group nginx_obs"), "{none}");
    }

    #[test]
    fn all_that_is_missing_is_told_at_once_with_its_place() {
        let said = site(
            "[nginx]\nfront ansible_host=front.internal\n[nginx_obs]\nobs ansible_host=172.16.50.\n",
            "mosip_domain: mosip.test\n",
        )
        .expect_err("problems");
        for part in [
            "mosip_public_ip is not set",
            "group_vars/all.yml\n",
            "SSH connects to \"front.internal\"",
            "SSH connects to \"172.16.50.\"",
            "hosts.ini:4:",
        ] {
            assert!(said.contains(part), "{part}\n{said}");
        }
        let said = site(HOSTS, "mosip_public_ip: 203.0.113.\nmosip_domain: '{MOSIP_DOMAIN}'\n").expect_err("problems");
        for part in [
            "mosip_public_ip is \"203.0.113.\"",
            "all.yml:1:",
            "mosip_domain is",
            "all.yml:2:",
        ] {
            assert!(said.contains(part), "{part}\n{said}");
        }
    }

    #[test]
    fn certificates_of_both_fronts() {
        with(HOSTS, "mosip_domain: mosip.test\n", |fronts, dir| {
            let mut problems = Diagnostics::new();
            let found = fronts.certificates(&mut problems);
            assert!(problems.is_empty(), "{problems:?}");
            assert_eq!(
                found.iter().map(|c| c.front).collect::<Vec<_>>(),
                ["nginx", "nginx_obs"]
            );
            let missing = found[0].pair.as_ref().expect_err("no files");
            assert!(missing.message.contains("no certificate for nginx"), "{missing}");
            let files = dir.join("files/nginx");
            std::fs::create_dir_all(&files).expect("made");
            std::fs::write(files.join("privkey.pem"), "").expect("written");
            let found = fronts.certificates(&mut problems);
            let pair = found[0].pair.as_ref().expect("a pair");
            assert_eq!(pair.key, files.join("privkey.pem"));
            for name in [
                "mosip.test",
                "api.mosip.test",
                "idp.mosip.test",
                "api-internal.mosip.test",
                "smtp.mosip.test",
            ] {
                assert!(pair.names.contains(&name.to_owned()), "{name}: {:?}", pair.names);
            }
            assert_eq!(pair.further_names, ["kibana.mosip.test", "object-store.mosip.test"]);
        });
    }
}
