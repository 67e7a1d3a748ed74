//! Settings in, `nginx.conf` out, read back and held against what the front must do.

mod common;

use common::settings;
use mosip_prov_front::testing::{Block, parse};
use role_nginx::configuration;
use std::net::IpAddr;

const DOMAIN: &str = "mosip_domain: mosip.example.org\n";

fn host() -> Option<IpAddr> {
    Some("172.16.50.5".parse().expect("an address"))
}

fn text(vars: &str) -> String {
    configuration(&settings(&format!("{DOMAIN}{vars}\n")), host()).expect("a configuration")
}

fn conf(vars: &str) -> Block {
    parse(&text(vars)).expect("reads")
}

/// The servers of `http` that listen as `listen` says.
fn listening<'a>(http: &'a Block, listen: &str) -> Vec<&'a Block> {
    http.blocks("server")
        .into_iter()
        .filter(|server| server.values("listen").iter().any(|value| value == listen))
        .collect()
}

#[track_caller]
fn one<'a>(servers: &[&'a Block]) -> &'a Block {
    assert_eq!(servers.len(), 1, "{servers:#?}");
    servers[0]
}

#[track_caller]
fn assert_proxied(location: &Block, upstream: &str) {
    assert_eq!(location.value("proxy_pass"), format!("http://{upstream}"));
    assert_eq!(location.value("proxy_http_version"), "1.1");
    assert_eq!(
        location.values("proxy_set_header"),
        [
            "Upgrade $http_upgrade",
            "Connection upgrade",
            "Host $host",
            "Referer $http_referer",
            "X-Real-IP $remote_addr",
            "X-Forwarded-For $proxy_add_x_forwarded_for",
            "X-Forwarded-Proto $scheme",
        ]
    );
    assert_eq!(location.value("proxy_pass_request_headers"), "on");
}

const ALLOWED: [&str; 6] = [
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "172.16.50.0/24",
];

/// Outsiders have the connection closed, and nothing but the allowed ranges gets past that.
#[track_caller]
fn assert_closed_to_outsiders(server: &Block) {
    let condition = server.named("if", "($mosip_internal_client = 0)");
    assert_eq!(condition.value("return"), "444");
    assert_eq!(server.values("allow"), ALLOWED);
    assert_eq!(server.value("deny"), "all");
}

#[test]
fn the_whole_is_as_it_was_reviewed() {
    let reviewed = include_str!("nginx.conf");
    assert_eq!(text("nginx_public_listen_ip: 203.0.113.9"), reviewed);
}

#[test]
fn upstreams_are_every_node_at_its_port() {
    let conf = conf("");
    let http = conf.block("http");
    for (name, port) in [("public", 30080), ("internal", 31080), ("minio", 30900)] {
        let wanted = [format!("172.16.50.21:{port}"), format!("172.16.50.12:{port}")];
        assert_eq!(http.named("upstream", name).values("server"), wanted);
    }
    let stream = conf.block("stream");
    for (name, port) in [("postgres", 31432), ("activemq", 31616)] {
        let wanted = [format!("172.16.50.21:{port}"), format!("172.16.50.12:{port}")];
        assert_eq!(stream.named("upstream", name).values("server"), wanted);
    }
}

#[test]
fn on_one_address_public_names_are_open_and_the_rest_is_not() {
    let conf = conf("");
    let http = conf.block("http");
    assert_eq!(http.blocks("server").len(), 3);
    let public = one(&listening(http, "172.16.50.5:443 ssl"));
    assert_eq!(
        public.value("server_name"),
        "api.mosip.example.org prereg.mosip.example.org resident.mosip.example.org idp.mosip.example.org"
    );
    assert!(public.all("if").is_empty() && public.all("allow").is_empty() && public.all("deny").is_empty());
    assert_proxied(public.named("location", "/"), "public");
    let internal = one(&listening(http, "172.16.50.5:443 ssl default_server"));
    assert_closed_to_outsiders(internal);
    assert_proxied(internal.named("location", "/"), "internal");
    let minio = one(&listening(http, "172.16.50.5:9000 ssl"));
    assert_closed_to_outsiders(minio);
    assert_proxied(minio.named("location", "/"), "minio");
    let geo = http.named("geo", "$mosip_internal_client");
    let mut wanted = vec![("default".to_owned(), "0".to_owned())];
    wanted.extend(ALLOWED.map(|range| (range.to_owned(), "1".to_owned())));
    let listed: Vec<_> = geo.directives.iter().map(|d| (d.name.clone(), d.value())).collect();
    assert_eq!(listed, wanted);
}

#[test]
fn packet_creation_has_its_long_timeouts() {
    let conf = conf("");
    let internal = one(&listening(conf.block("http"), "172.16.50.5:443 ssl default_server"));
    let location = internal.named("location", "/v1/packetcreator/");
    assert_proxied(location, "internal");
    for name in [
        "proxy_connect_timeout",
        "proxy_send_timeout",
        "proxy_read_timeout",
        "send_timeout",
    ] {
        assert_eq!(location.value(name), "600s");
        assert!(internal.named("location", "/").all(name).is_empty());
    }
}

#[test]
fn on_two_addresses_the_public_one_knows_public_names_only() {
    let conf = conf("nginx_public_listen_ip: 203.0.113.9");
    let http = conf.block("http");
    assert_eq!(http.blocks("server").len(), 4);
    let public = one(&listening(http, "203.0.113.9:443 ssl"));
    // Within the VPN the public names still lead to the public gateway.
    assert_eq!(public.values("listen"), ["203.0.113.9:443 ssl", "172.16.50.5:443 ssl"]);
    let other = one(&listening(http, "203.0.113.9:443 ssl default_server"));
    assert_eq!(other.value("return"), "444");
    assert!(other.all("location").is_empty());
    assert_closed_to_outsiders(one(&listening(http, "172.16.50.5:443 ssl default_server")));
    assert_closed_to_outsiders(one(&listening(http, "172.16.50.5:9000 ssl")));
    let public_listens = |block: &Block| {
        block
            .blocks("server")
            .into_iter()
            .flat_map(|s| s.values("listen"))
            .filter(|l| l.starts_with("203."))
            .count()
    };
    assert_eq!(public_listens(http), 2);
    assert_eq!(public_listens(conf.block("stream")), 0);
}

#[test]
fn tcp_connections_are_forwarded_for_the_allowed_ranges() {
    let conf = conf("");
    let servers = conf.block("stream").blocks("server");
    let found: Vec<_> = servers
        .iter()
        .map(|s| (s.value("listen"), s.value("proxy_pass")))
        .collect();
    let wanted = [("172.16.50.5:5432", "postgres"), ("172.16.50.5:61616", "activemq")];
    assert_eq!(found, wanted.map(|(l, p)| (l.to_owned(), p.to_owned())));
    for server in servers {
        assert_eq!(server.values("allow"), ALLOWED);
        assert_eq!(server.value("deny"), "all");
    }
}

#[test]
fn an_empty_list_opens_everything() {
    let text = text("nginx_internal_allowed_ranges: []");
    for word in ["geo", "allow", "deny", "444", "if ("] {
        assert!(
            !text.lines().any(|line| line.trim_start().starts_with(word)),
            "{word} in\n{text}"
        );
    }
    let conf = parse(&text).expect("reads");
    assert_eq!(conf.block("http").blocks("server").len(), 3);
}

#[test]
fn ports_names_paths_and_ipv6_follow_the_settings() {
    let conf = conf(
        "nginx_listen_ip: 'fd00::5'\nnginx_public_ingress_nodeport: 31000\nnginx_ssl_dir: /srv/tls\n\
         nginx_public_domain_names: a.x.org b.x.org",
    );
    let http = conf.block("http");
    assert_eq!(http.value("ssl_certificate"), "/srv/tls/fullchain.pem");
    assert_eq!(http.value("ssl_certificate_key"), "/srv/tls/privkey.pem");
    assert_eq!(
        one(&listening(http, "[fd00::5]:443 ssl")).value("server_name"),
        "a.x.org b.x.org"
    );
    assert_eq!(
        http.named("upstream", "public").values("server")[0],
        "172.16.50.21:31000"
    );
    assert_eq!(
        conf.block("stream").blocks("server")[0].value("listen"),
        "[fd00::5]:5432"
    );
}

#[test]
fn a_host_without_an_address_is_an_error_that_names_the_variable() {
    let made = settings(DOMAIN);
    let error = configuration(&made, None).expect_err("no address");
    assert!(error.contains("nginx_public_listen_ip or nginx_listen_ip"), "{error}");
    let fixed = settings(&format!("{DOMAIN}nginx_listen_ip: 10.0.0.1\n"));
    assert!(configuration(&fixed, None).is_ok());
}
