//! Variables in, settings or findings out.

mod common;

use common::{INI, read, settings};
use mosip_prov_front::ListenAddress;

const NAMES: &str = "nginx_obs_public_domain_names: 'rancher.x.org keycloak.x.org'\n";

#[test]
fn defaults_are_those_operators_know() {
    let made = settings(NAMES);
    assert_eq!(made.names, ["rancher.x.org", "keycloak.x.org"]);
    assert_eq!(made.listen, ListenAddress::HostDefault);
    assert_eq!(made.nodeport, 30080);
    assert_eq!(made.nodes, ["172.16.50.21"]);
    assert_eq!(made.ssl_dir, "/etc/nginx/ssl");
    assert_eq!(made.cert_path, "/etc/nginx/ssl/fullchain.pem");
    assert_eq!(made.key_path, "/etc/nginx/ssl/privkey.pem");
    assert_eq!(made.firewall, None);
}

#[test]
fn its_variables_have_a_prefix_of_their_own() {
    // Those of the other front do not count.
    let made = settings(&format!(
        "{NAMES}nginx_listen_ip: 10.0.0.1\nnginx_ssl_dir: /other\nenable_firewall_rules: true\n\
         nginx_obs_listen_ip: 10.0.0.2\nnginx_obs_ssl_dir: /srv/tls\nnginx_obs_public_ingress_nodeport: 31000\n"
    ));
    assert_eq!(
        made.listen,
        ListenAddress::Fixed("10.0.0.2".parse().expect("an address"))
    );
    assert_eq!(
        (made.cert_path.as_str(), made.nodeport),
        ("/srv/tls/fullchain.pem", 31000)
    );
    assert_eq!(made.firewall, None);
    let made = settings(&format!("{NAMES}nginx_obs_enable_firewall_rules: true\n"));
    assert_eq!(
        made.firewall.expect("on").allowed,
        [std::net::Ipv4Addr::from([172, 16, 50, 21])]
    );
}

#[test]
fn nodes_are_known_by_node_ip_or_ansible_host() {
    let ini = INI.replace(
        "obs-node-1 ansible_host=172.16.50.21\n\n",
        "obs-node-1 ansible_host=172.16.50.21 node_ip=10.9.9.9\nobs-node-2 ansible_host=172.16.50.22\n\n",
    );
    let (made, problems) = read(&ini, NAMES);
    assert_eq!(problems, "");
    assert_eq!(made.expect("settings").nodes, ["10.9.9.9", "172.16.50.22"]);
}

#[test]
fn what_is_missing_is_an_error() {
    let (made, problems) = read(
        "[nginx_obs]\nnginx-obs-node-1 ansible_host=172.16.50.21\n[mosip_obs]\n",
        "x: y\n",
    );
    assert!(made.is_none());
    assert!(
        problems.contains("group mosip_obs has no host, and the observation front forwards to its hosts"),
        "{problems}"
    );
    assert!(
        problems.contains("nginx_obs_public_domain_names is not set"),
        "{problems}"
    );
    assert_eq!(problems.matches("error:").count(), 2, "{problems}");
}
