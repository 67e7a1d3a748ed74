//! The settings of the MOSIP cluster's front, as `defaults.yml` documents them.

use mosip_prov_front::{Firewall, ListenAddress, Network, NodePorts, Reader, Surroundings, nodes};
use mosip_prov_resources::diagnostic::Diagnostics;

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The domain of the installation.
    pub domain: String,
    /// Names open to everyone.
    pub public_names: Vec<String>,
    /// The address that serves the public names.
    pub public_listen: ListenAddress,
    /// The address that serves everything else, and the public names too.
    pub internal_listen: ListenAddress,
    /// Who may reach what is internal; empty: everyone.
    pub allowed: Vec<Network>,
    /// Ports of the nodes.
    pub ports: NodePorts,
    /// Addresses of the nodes.
    pub nodes: Vec<String>,
    /// The folder of certificate and key on the host.
    pub ssl_dir: String,
    /// The certificate on the host.
    pub cert_path: String,
    /// The key on the host.
    pub key_path: String,
    /// The forwarding rules, when they are switched on.
    pub firewall: Option<Firewall>,
}

impl Settings {
    /// Reads them; all that is wrong goes into `problems`, and then there are none.
    pub fn read(around: &Surroundings<'_>, problems: &mut Diagnostics) -> Option<Self> {
        let before = problems.error_count();
        let nodes = nodes::addresses(around, "worker_nodes", "nginx forwards to its hosts", problems);
        let mut reader = Reader::new(around.vars, problems);
        let domain = reader.domain("mosip_domain", "all names nginx serves are made from it");
        let public_names = match &domain {
            Some(_) => public_names(&mut reader),
            // Made from the domain, whose absence is said already.
            None => Vec::new(),
        };
        let made = Self {
            domain: domain.unwrap_or_default(),
            public_names,
            public_listen: reader.listen_address("nginx_public_listen_ip"),
            internal_listen: reader.listen_address("nginx_internal_listen_ip"),
            allowed: reader.networks("nginx_internal_allowed_ranges", "wireguard_network"),
            ports: NodePorts::read(&mut reader),
            ssl_dir: reader.path("nginx_ssl_dir"),
            cert_path: reader.path("nginx_cert_path"),
            key_path: reader.path("nginx_key_path"),
            firewall: match reader.bool("enable_firewall_rules") {
                true => Firewall::read(&mut reader, "firewall_config", &nodes),
                false => None,
            },
            nodes,
        };
        (problems.error_count() == before).then_some(made)
    }

    /// Names that lead to this front within the installation: the certificate must cover the first ones, and should
    /// cover the further ones, which belong to parts that not every installation has.
    pub fn internal_names(&self) -> (Vec<String>, Vec<String>) {
        const FURTHER: [&str; 11] = [
            "activemq",
            "kibana",
            "regclient",
            "admin",
            "object-store",
            "kafka",
            "iam",
            "postgres",
            "pmp",
            "onboarder",
            "smtp",
        ];
        let name = |host: &str| format!("{host}.{}", self.domain);
        let further = FURTHER.iter().map(|host| name(host)).chain([self.domain.clone()]);
        (vec![name("api-internal")], further.collect())
    }
}

fn public_names(reader: &mut Reader<'_>) -> Vec<String> {
    let before = reader.problems().error_count();
    let names = reader.server_names("nginx_public_domain_names");
    if names.is_empty() && reader.problems().error_count() == before {
        reader.error(
            "nginx_public_domain_names",
            "nginx_public_domain_names has no name in it",
            "leave it out for its default, or name what everyone may reach: api.example.org prereg.example.org",
        );
    }
    names
}
