//! The address of a Rancher.

use crate::error::RancherError;
use std::fmt;

/// `https://HOST[:PORT]` of a Rancher: no path, no user, nothing but TLS. Credentials go there and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Reads it; a slash at the end is no harm, nor are capitals.
    ///
    /// # Errors
    /// [`RancherError::BadAddress`]: it is something else.
    pub fn parse(text: &str) -> Result<Self, RancherError> {
        let bad = |why| RancherError::BadAddress {
            why,
            // What comes after an @ or a slash may be a secret.
            shown: shown(text),
        };
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(bad("it has no https:// at its begin"));
        };
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(bad("credentials are sent over https only"));
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err(bad("it has a user in it"));
        }
        if authority.contains(['/', '?', '#']) {
            return Err(bad("it has a path, and the server alone is wanted"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(|| bad("its [ is not closed"))?;
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(bad("what is between [ and ] is no IPv6 address"));
                }
                let port = match after {
                    "" => None,
                    after => Some(
                        after
                            .strip_prefix(':')
                            .ok_or_else(|| bad("what comes after its ] is no port"))?,
                    ),
                };
                (host, port)
            }
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_');
        let is_address = authority.starts_with('[');
        if host.is_empty() || !host.chars().all(plain) || (host.contains(':') && !is_address) {
            return Err(bad("it has no name of a host"));
        }
        if port.is_some_and(|port| port.parse::<u16>().ok().filter(|port| *port > 0).is_none()) {
            return Err(bad("its port is no number from 1 to 65535"));
        }
        let authority = authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(":443").unwrap_or(&authority);
        Ok(Self(format!("https://{authority}")))
    }

    /// Whether `url` is of this server. Its scheme, host and port are compared.
    pub fn has(&self, url: &str) -> bool {
        Self::of(url).is_some_and(|server| server == *self)
    }

    /// The server of a URL, whatever comes after it; `None` when it is not of TLS.
    pub fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        Self::parse(&format!("{scheme}://{authority}")).ok()
    }

    /// The URL of a path that begins with a slash.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The server as it is written: `https://rancher.example.org`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Scheme and host of what somebody wrote, for an error: neither user nor path, where secrets are.
pub(crate) fn shown(text: &str) -> String {
    let (scheme, rest) = text.trim().split_once("://").unwrap_or(("", text.trim()));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let plain: String = host.chars().filter(|c| c.is_ascii_graphic()).take(80).collect();
    // What is no scheme may be a user as well.
    let is_scheme = !scheme.is_empty() && scheme.len() <= 10 && scheme.chars().all(|c| c.is_ascii_alphanumeric());
    if is_scheme {
        format!("{scheme}://{plain}")
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_no_port() {
        assert!(ServerUrl::parse("https://host:443:443").is_err());
        assert!(ServerUrl::parse("https://[::1]:443").is_ok());
        for text in [
            "https://[::1]x",
            "https://[::1][]:443",
            "https://[::1]]\n:443",
            "https://[::1].example.net",
        ] {
            assert!(ServerUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_of_a_url_steers_no_terminal() {
        assert_eq!(shown("ht\x1b[2Jtps://a:b@\x1bhost/p?q"), "host");
        assert_eq!(shown("admin:pw@x://host"), "host");
        assert_eq!(shown("https://admin:pw@host/x"), "https://host");
        assert_eq!(shown("\x1b]0;x\x07"), "]0;x");
    }

    #[test]
    fn servers_are_read() {
        for (text, server) in [
            ("https://rancher.example.org", "https://rancher.example.org"),
            (" HTTPS://Rancher.Example.org/ ", "https://rancher.example.org"),
            ("https://10.0.0.1:8443", "https://10.0.0.1:8443"),
            ("https://r.example.org:443", "https://r.example.org"),
            ("https://[fd00::1]:8443/", "https://[fd00::1]:8443"),
        ] {
            assert_eq!(ServerUrl::parse(text).unwrap().as_str(), server, "{text}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused_without_its_secrets() {
        for text in [
            "",
            "rancher.example.org",
            "http://rancher.example.org",
            "https://admin:s3cret@rancher.example.org",
            "https://rancher.example.org/v3/import/s3cret.yaml",
            "https://rancher.example.org?token=s3cret",
            "https://",
            "https://:443",
            "https://a b",
            "https://a:0",
            "https://a:x",
            "https://[fd00::1",
            "https://[x]",
        ] {
            let error = ServerUrl::parse(text).unwrap_err();
            assert!(matches!(error, RancherError::BadAddress { .. }), "{text}");
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn servers_are_compared_not_strings() {
        let server = ServerUrl::parse("https://r.example.org").unwrap();
        assert!(server.has("https://R.example.org:443/v3/import/x.yaml"));
        for other in [
            "http://r.example.org/",
            "https://r.example.org.evil.net/",
            "https://r.example.org@evil.net/",
            "https://r.example.org:8443/",
            "/v3",
        ] {
            assert!(!server.has(other), "{other}");
        }
    }
}
