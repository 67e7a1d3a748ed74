//! nginx configurations made from templates. A front's template extends `front.conf.j2`, which holds what the fronts
//! have in common, and fills its blocks `http` and `stream`; `proxied.j2` is the inside of a location that is proxied.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

/// What the fronts have in common.
const FRONT: &str = include_str!("../templates/front.conf.j2");
/// The inside of a proxied location.
const PROXIED: &str = include_str!("../templates/proxied.j2");

/// The configuration that `template`, called `name` in errors, makes of `values`. A value that the template needs and
/// that is not there is an error.
///
/// # Errors
/// What is wrong with the template, with its line.
pub fn render(name: &str, template: &str, values: impl Serialize) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    let rendered = syntax
        .map(|syntax| environment.set_syntax(syntax))
        .and_then(|()| environment.add_template("front.conf.j2", FRONT))
        .and_then(|()| environment.add_template("proxied.j2", PROXIED))
        .and_then(|()| environment.add_template(name, template))
        .and_then(|()| environment.get_template(name)?.render(Serde(values)));
    rendered.map_err(|error| format!("the configuration could not be made: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parse;
    use indexmap::IndexMap;

    fn values() -> IndexMap<&'static str, &'static str> {
        [("cert_path", "/c.pem"), ("key_path", "/k.pem")].into_iter().collect()
    }

    #[test]
    fn what_the_fronts_have_in_common_is_as_specified() {
        let text = render("test", "{% extends 'front.conf.j2' %}", values()).expect("renders");
        let conf = parse(&text).expect("a configuration");
        assert_eq!(conf.value("user"), "www-data");
        assert_eq!(conf.value("worker_processes"), "auto");
        // Debian's packages load the stream module from here: a second load_module would be refused.
        assert_eq!(conf.value("include"), "/etc/nginx/modules-enabled/*.conf");
        assert!(conf.all("load_module").is_empty());
        let events = conf.block("events");
        assert_eq!(events.value("worker_connections"), "768");
        assert_eq!(events.value("multi_accept"), "on");
        let http = conf.block("http");
        for (name, wanted) in [
            ("proxy_buffer_size", "128k"),
            ("proxy_buffers", "4 256k"),
            ("proxy_busy_buffers_size", "256k"),
            ("client_max_body_size", "30m"),
            ("sendfile", "on"),
            ("tcp_nopush", "on"),
            ("tcp_nodelay", "on"),
            ("keepalive_timeout", "65"),
            ("types_hash_max_size", "2048"),
            ("server_tokens", "off"),
            ("ssl_protocols", "TLSv1.2 TLSv1.3"),
            ("ssl_prefer_server_ciphers", "on"),
            ("gzip", "on"),
            ("ssl_certificate", "/c.pem"),
            ("ssl_certificate_key", "/k.pem"),
        ] {
            assert_eq!(http.value(name), wanted, "{name}");
        }
    }

    #[test]
    fn a_missing_value_is_an_error_that_names_it() {
        let error = render("test", "{{ nothing }}", values()).expect_err("strict");
        assert!(error.contains("undefined"), "{error}");
    }
}
