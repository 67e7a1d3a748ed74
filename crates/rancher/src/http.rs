//! One server, asked over TLS: bounded in time, patient while it starts, and sending credentials nowhere else.

use crate::address::{self, ServerUrl};
use crate::error::RancherError;
use crate::flow::{Patience, Progress};
use mosip_prov_events::text::is_unsafe;
use mosip_prov_inventory::value::Secret;
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// Larger answers are none of Rancher's lists.
const MOST: u64 = 16 << 20;

/// What is asked.
pub struct Ask<'a> {
    /// `GET`, `POST`, `PUT`.
    pub method: &'static str,
    /// The URL.
    pub url: String,
    /// The body.
    pub body: Option<&'a Value>,
    /// What it is about, after *to*: `log in`.
    pub what: String,
    /// Whether it may be sent again.
    pub repeatable: bool,
}

/// What comes back.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// A server, and how it is asked.
pub struct Http<'a> {
    agent: ureq::Agent,
    pub server: ServerUrl,
    pub patience: Patience,
    progress: &'a mut dyn FnMut(&Progress),
    cancelled: &'a dyn Fn() -> bool,
    secrets: Vec<Secret>,
    closing: bool,
}

impl<'a> Http<'a> {
    pub fn new(
        server: &ServerUrl,
        roots: &[CertificateDer<'static>],
        patience: Patience,
        progress: &'a mut dyn FnMut(&Progress),
        cancelled: &'a dyn Fn() -> bool,
    ) -> Self {
        let roots: Vec<_> = roots.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::from(roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = ureq::Agent::config_builder()
            .https_only(true)
            .http_status_as_error(false)
            // A redirection is an answer here, so that credentials do not follow it.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Rancher is inside the VPN, where no proxy reaches.
            .proxy(None)
            .user_agent(concat!("mosip-prov/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .timeout_connect(Some(patience.connect))
            .timeout_global(Some(patience.request))
            .tls_config(tls)
            .build();
        Self {
            agent: ureq::Agent::new_with_config(config),
            server: server.clone(),
            patience,
            progress,
            cancelled,
            secrets: Vec::new(),
            closing: false,
        }
    }

    /// Shows `secret` in no message from now on.
    pub fn hide(&mut self, secret: &Secret) {
        self.secrets.push(secret.clone());
    }

    /// What is asked from now on is asked once, and even when all was called off.
    pub fn close(&mut self) {
        self.closing = true;
    }

    pub fn tell(&mut self, progress: &Progress) {
        (self.progress)(progress);
    }

    /// What others said, fit to be shown.
    pub fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self
            .secrets
            .iter()
            .map(Secret::expose)
            .filter(|secret| secret.len() > 3)
        {
            text = text.replace(secret, "***");
        }
        neutral(&text)
    }

    /// Sleeps for as long as the pause between two looks.
    ///
    /// # Errors
    /// [`RancherError::Interrupted`].
    pub fn pause(&self, what: &str) -> Result<(), RancherError> {
        let end = Instant::now() + self.patience.pause;
        loop {
            if (self.cancelled)() {
                return Err(RancherError::Interrupted {
                    server: self.server.to_string(),
                    what: what.into(),
                });
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    /// Asks. While the server says that it is not ready, a question that may be sent again is.
    pub fn ask(&mut self, ask: &Ask<'_>, bearer: Option<&Secret>) -> Result<Answer, RancherError> {
        debug_assert!(self.server.has(&ask.url), "credentials for another server");
        let began = Instant::now();
        loop {
            if !self.closing && (self.cancelled)() {
                return Err(RancherError::Interrupted {
                    server: self.server.to_string(),
                    what: ask.what.clone(),
                });
            }
            let answer = self.once(ask, bearer)?;
            if !matches!(answer.status, 502..=504) {
                return Ok(answer);
            }
            let after = began.elapsed();
            if !ask.repeatable || self.closing || after >= self.patience.starting {
                return Err(RancherError::NotReady {
                    server: self.server.to_string(),
                    what: ask.what.clone(),
                    status: answer.status,
                    after,
                });
            }
            self.tell(&Progress::NotReady {
                server: self.server.to_string(),
                status: answer.status,
                after,
                patience: self.patience.starting,
            });
            self.pause(&ask.what)?;
        }
    }

    fn once(&self, ask: &Ask<'_>, bearer: Option<&Secret>) -> Result<Answer, RancherError> {
        let began = Instant::now();
        let failed = |error| self.failure(error, &ask.what, began.elapsed());
        let mut request = ureq::http::Request::builder().method(ask.method).uri(&ask.url);
        if let Some(bearer) = bearer {
            request = request.header("Authorization", format!("Bearer {}", bearer.expose()));
        }
        let sent = match ask.body {
            Some(body) => request
                .header("Content-Type", "application/json")
                .body(body.to_string())
                .map_err(ureq::Error::Http)
                .and_then(|request| self.agent.run(request)),
            None => request
                .body(())
                .map_err(ureq::Error::Http)
                .and_then(|request| self.agent.run(request)),
        };
        let mut response = sent.map_err(failed)?;
        let status = response.status().as_u16();
        if (300..400).contains(&status) {
            let to = response.headers().get("location").and_then(|to| to.to_str().ok());
            let to = match to {
                Some(to) if to.contains("://") => address::shown(to),
                Some(_) => format!("another page of {}", self.server),
                None => "nowhere".into(),
            };
            return Err(RancherError::Redirected {
                server: self.server.to_string(),
                what: ask.what.clone(),
                to,
            });
        }
        let body = response.body_mut().with_config().limit(MOST).read_to_vec();
        Ok(Answer {
            status,
            body: body.map_err(failed)?,
        })
    }

    fn failure(&self, error: ureq::Error, what: &str, after: Duration) -> RancherError {
        let server = self.server.to_string();
        let unreachable = |why: String| RancherError::Unreachable {
            server: server.clone(),
            why: self.clean(&why),
        };
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => unreachable(format!(
                "it took no connection within {} s",
                self.patience.connect.as_secs_f32()
            )),
            ureq::Error::Timeout(_) => RancherError::TimedOut {
                server,
                what: what.into(),
                after: after.max(self.patience.request),
            },
            ureq::Error::HostNotFound => RancherError::NoSuchName { server },
            ureq::Error::Rustls(error) => self.tls(&error),
            ureq::Error::Io(error) => match tls_error(&error) {
                Some(error) => self.tls(error),
                // The standard library gives lookups no kind of their own.
                None if error.to_string().starts_with("failed to lookup address") => {
                    RancherError::NoSuchName { server }
                }
                None => unreachable(error.to_string()),
            },
            other => unreachable(other.to_string()),
        }
    }

    fn tls(&self, error: &rustls::Error) -> RancherError {
        let server = self.server.to_string();
        let rustls::Error::InvalidCertificate(why) = error else {
            return RancherError::Unreachable {
                server,
                why: self.clean(&format!("TLS: {error}")),
            };
        };
        let why = match why {
            CertificateError::UnknownIssuer => "its authority is not known here".into(),
            CertificateError::BadSignature => "the authority of that name that is known here has another key".into(),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has ended".into(),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "it does not hold yet; or this machine's clock is wrong".into()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "it is not for this name".into()
            }
            other => self.clean(&other.to_string()),
        };
        RancherError::NotTrusted { server, why }
    }
}

/// The error of TLS within one of the connection.
fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner
        .downcast_ref::<rustls::Error>()
        .or_else(|| inner.source()?.downcast_ref())
}

/// One line, bounded, without what a terminal would obey.
pub fn neutral(text: &str) -> String {
    let mut out: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .filter(|c| !is_unsafe(*c))
        .take(301)
        .collect();
    if out.chars().count() > 300 {
        out.pop();
        out.push('…');
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_bounded_and_harmless() {
        assert_eq!(neutral(" a\u{1b}[31mb\nc\u{202e}\u{feff} "), "a [31mb c");
        assert_eq!(neutral(&"x".repeat(1000)).chars().count(), 301);
    }
}
