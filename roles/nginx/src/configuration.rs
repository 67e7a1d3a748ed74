//! `/etc/nginx/nginx.conf` from the settings.

use crate::settings::Settings;
use mosip_prov_front::{ListenAddress, render, with_port};
use serde::Serialize;
use std::net::IpAddr;

#[derive(Serialize)]
struct Node {
    public: String,
    internal: String,
    minio: String,
    postgres: String,
    activemq: String,
}

#[derive(Serialize)]
struct StreamServer {
    listen: String,
    upstream: &'static str,
}

#[derive(Serialize)]
struct Values<'a> {
    cert_path: &'a str,
    key_path: &'a str,
    public_names: &'a [String],
    /// Where the public names are served: at the public address, and at the internal one when it is another.
    public_listen: Vec<String>,
    /// The public address, when the internal one is another: it needs a default server of its own.
    only_public: Option<String>,
    internal_listen: String,
    minio_listen: String,
    allowed: Vec<String>,
    nodes: Vec<Node>,
    stream: [StreamServer; 2],
}

/// The configuration for a host whose default IPv4 address is `host_default`.
///
/// # Errors
/// When the settings leave an address to the host and it has none.
pub fn configuration(settings: &Settings, host_default: Option<IpAddr>) -> Result<String, String> {
    let address = |listen: ListenAddress, variable: &str| match listen {
        ListenAddress::Fixed(ip) => Ok(ip),
        ListenAddress::HostDefault => {
            host_default.ok_or_else(|| format!("the host has no default IPv4 address to listen on; set {variable}"))
        }
    };
    let public = address(settings.public_listen, "nginx_public_listen_ip or nginx_listen_ip")?;
    let internal = address(settings.internal_listen, "nginx_internal_listen_ip or nginx_listen_ip")?;
    let at = |ip: IpAddr, port: u16| with_port(&ip.to_string(), port);
    let mut public_listen = vec![at(public, 443)];
    if internal != public {
        public_listen.push(at(internal, 443));
    }
    let values = Values {
        cert_path: &settings.cert_path,
        key_path: &settings.key_path,
        public_names: &settings.public_names,
        public_listen,
        only_public: (internal != public).then(|| at(public, 443)),
        internal_listen: at(internal, 443),
        minio_listen: at(internal, 9000),
        allowed: settings.allowed.iter().map(ToString::to_string).collect(),
        nodes: settings
            .nodes
            .iter()
            .map(|node| Node {
                public: with_port(node, settings.ports.public),
                internal: with_port(node, settings.ports.internal),
                minio: with_port(node, settings.ports.minio),
                postgres: with_port(node, settings.ports.postgres),
                activemq: with_port(node, settings.ports.activemq),
            })
            .collect(),
        stream: [
            StreamServer {
                listen: at(internal, 5432),
                upstream: "postgres",
            },
            StreamServer {
                listen: at(internal, 61616),
                upstream: "activemq",
            },
        ],
    };
    render("nginx.conf.j2", include_str!("../templates/nginx.conf.j2"), values)
}
