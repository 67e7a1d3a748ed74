//! `/etc/nginx/nginx.conf` from the settings.

use crate::settings::Settings;
use mosip_prov_front::{ListenAddress, render, with_port};
use serde::Serialize;
use std::net::IpAddr;

#[derive(Serialize)]
struct Values<'a> {
    cert_path: &'a str,
    key_path: &'a str,
    names: &'a [String],
    plain_listen: String,
    tls_listen: String,
    nodes: Vec<String>,
}

/// The configuration for a host whose default IPv4 address is `host_default`.
///
/// # Errors
/// When the settings leave the address to the host and it has none.
pub fn configuration(settings: &Settings, host_default: Option<IpAddr>) -> Result<String, String> {
    let listen = match settings.listen {
        ListenAddress::Fixed(ip) => ip,
        ListenAddress::HostDefault => {
            host_default.ok_or("the host has no default IPv4 address to listen on; set nginx_obs_listen_ip")?
        }
    };
    let values = Values {
        cert_path: &settings.cert_path,
        key_path: &settings.key_path,
        names: &settings.names,
        plain_listen: with_port(&listen.to_string(), 80),
        tls_listen: with_port(&listen.to_string(), 443),
        nodes: settings
            .nodes
            .iter()
            .map(|node| with_port(node, settings.nodeport))
            .collect(),
    };
    render("nginx.conf.j2", include_str!("../templates/nginx.conf.j2"), values)
}
