//! Settings in, `nginx.conf` out, read back and held against what the front must do.

mod common;

use common::settings;
use mosip_prov_front::testing::{Block, parse};
use role_nginx_obs::configuration;

const NAMES: &str = "nginx_obs_public_domain_names: 'rancher.x.org keycloak.x.org'\n";

fn text() -> String {
    configuration(&settings(NAMES), Some("172.16.50.21".parse().expect("an address"))).expect("a configuration")
}

fn named<'a>(http: &'a Block, name: &str) -> Vec<&'a Block> {
    http.blocks("server")
        .into_iter()
        .filter(|server| server.value("server_name") == name)
        .collect()
}

#[test]
fn the_whole_is_as_it_was_reviewed() {
    assert_eq!(text(), include_str!("nginx.conf"));
}

#[test]
fn each_name_is_sent_to_https_and_proxied_there() {
    let conf = parse(&text()).expect("reads");
    let http = conf.block("http");
    assert_eq!(
        http.named("upstream", "observation").values("server"),
        ["172.16.50.21:30080"]
    );
    for name in ["rancher.x.org", "keycloak.x.org"] {
        let servers = named(http, name);
        assert_eq!(servers.len(), 2);
        assert_eq!(servers[0].value("listen"), "172.16.50.21:80");
        assert_eq!(servers[0].value("return"), "301 https://$host$request_uri");
        assert_eq!(servers[1].value("listen"), "172.16.50.21:443 ssl");
        let location = servers[1].named("location", "/");
        assert_eq!(location.value("proxy_pass"), "http://observation");
        assert_eq!(location.value("proxy_http_version"), "1.1");
        assert_eq!(location.value("proxy_buffering"), "off");
        let headers = location.values("proxy_set_header");
        for header in [
            "Host $host",
            "X-Real-IP $remote_addr",
            "X-Forwarded-For $proxy_add_x_forwarded_for",
            "X-Forwarded-Proto $scheme",
            "Upgrade $http_upgrade",
            "Connection upgrade",
        ] {
            assert!(headers.iter().any(|h| h == header), "{header} is not in {headers:?}");
        }
    }
}

#[test]
fn other_names_have_the_connection_closed() {
    let conf = parse(&text()).expect("reads");
    let other = named(conf.block("http"), "_");
    assert_eq!(other.len(), 1);
    assert_eq!(
        other[0].values("listen"),
        ["172.16.50.21:80 default_server", "172.16.50.21:443 ssl default_server"]
    );
    assert_eq!(other[0].value("return"), "444");
    assert!(conf.all("stream").is_empty());
}

#[test]
fn a_host_without_an_address_is_an_error_that_names_the_variable() {
    let error = configuration(&settings(NAMES), None).expect_err("no address");
    assert!(error.contains("nginx_obs_listen_ip"), "{error}");
}
