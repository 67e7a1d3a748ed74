//! The settings of the observation cluster's front, as `defaults.yml` documents them.

use mosip_prov_front::{Firewall, ListenAddress, Reader, Surroundings, nodes};
use mosip_prov_resources::diagnostic::Diagnostics;

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Names it serves.
    pub names: Vec<String>,
    /// The address it listens on.
    pub listen: ListenAddress,
    /// The port of the nodes.
    pub nodeport: u16,
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
        let nodes = nodes::addresses(
            around,
            "mosip_obs",
            "the observation front forwards to its hosts",
            problems,
        );
        let mut reader = Reader::new(around.vars, problems);
        let names_before = reader.problems().error_count();
        let names = reader.server_names("nginx_obs_public_domain_names");
        if names.is_empty() && reader.problems().error_count() == names_before {
            reader.error(
                "nginx_obs_public_domain_names",
                "nginx_obs_public_domain_names is not set, so that the observation front would serve nothing",
                "set it in group_vars/all.yml: nginx_obs_public_domain_names: \"rancher.example.org keycloak.example.org\"",
            );
        }
        let made = Self {
            names,
            listen: reader.listen_address("nginx_obs_listen_ip"),
            nodeport: reader.port("nginx_obs_public_ingress_nodeport"),
            ssl_dir: reader.path("nginx_obs_ssl_dir"),
            cert_path: reader.path("nginx_obs_cert_path"),
            key_path: reader.path("nginx_obs_key_path"),
            firewall: match reader.bool("nginx_obs_enable_firewall_rules") {
                true => Firewall::read(&mut reader, "nginx_obs_firewall_config", &nodes),
                false => None,
            },
            nodes,
        };
        (problems.error_count() == before).then_some(made)
    }
}
