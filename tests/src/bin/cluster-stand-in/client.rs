//! A client of the API server, by a kubeconfig or by certificates.

use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;

use crate::pki::{self, Pair};
use crate::{Outcome, http, rke};

/// The text of a kubeconfig in RKE's form.
pub fn kubeconfig(cluster: &str, server: &str, authority: &Pair, admin: &Pair) -> String {
    let encode = |text: &str| STANDARD.encode(text);
    format!(
        "apiVersion: v1
kind: Config
clusters:
- cluster:
    api-version: v1
    certificate-authority-data: {ca}
    server: \"{server}\"
  name: \"{cluster}\"
contexts:
- context:
    cluster: \"{cluster}\"
    user: \"kube-admin-{cluster}\"
  name: \"{cluster}\"
current-context: \"{cluster}\"
users:
- name: \"kube-admin-{cluster}\"
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
",
        ca = encode(&authority.certificate),
        certificate = encode(&admin.certificate),
        key = encode(&admin.key),
    )
}

/// A client; each request is a connection of its own.
pub struct Client {
    /// `host:port` of the server.
    pub address: String,
    config: Arc<ClientConfig>,
}

impl Client {
    /// One that trusts `authority` and shows `pair`. `server` is `https://host:port`.
    ///
    /// # Errors
    /// Something of it cannot be used.
    pub fn new(server: &str, authority: &str, pair: &Pair) -> Outcome<Self> {
        let address = server.strip_prefix("https://").unwrap_or(server).trim_end_matches('/');
        let address = if address.contains(':') {
            address.to_owned()
        } else {
            format!("{address}:443")
        };
        Ok(Self {
            address,
            config: pki::client_config(authority, Some(pair))?,
        })
    }

    /// By the current context of a kubeconfig, or by another.
    ///
    /// # Errors
    /// It is not there, or is no kubeconfig.
    pub fn from_kubeconfig(path: &Path, context: Option<&str>) -> Outcome<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let config = rke::yaml(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let context = context
            .or_else(|| config["current-context"].as_str())
            .unwrap_or_default();
        let named = |list: &str, name: &str| -> Outcome<Value> {
            let entries = config[list].as_array().into_iter().flatten();
            let found = entries.into_iter().find(|entry| entry["name"] == name);
            Ok(found
                .ok_or_else(|| format!("{}: no {name:?} among {list}", path.display()))?
                .clone())
        };
        let context = named("contexts", context)?["context"].clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let cluster = named("clusters", &text(&context["cluster"]))?["cluster"].clone();
        let user = named("users", &text(&context["user"]))?["user"].clone();
        let pem = |of: &Value, name: &str| -> Outcome<String> {
            if let Some(data) = of[format!("{name}-data")].as_str() {
                return Ok(String::from_utf8(STANDARD.decode(data)?)?);
            }
            Ok(std::fs::read_to_string(text(&of[name]))?)
        };
        let pair = Pair {
            certificate: pem(&user, "client-certificate")?,
            key: pem(&user, "client-key")?,
            names: Vec::new(),
        };
        let authority = pem(&cluster, "certificate-authority")?;
        Self::new(&text(&cluster["server"]), &authority, &pair)
    }

    /// Sends a request; the code and the object of the answer.
    ///
    /// # Errors
    /// The server cannot be reached, or one of the two does not trust the other.
    pub fn send(&self, method: &str, path: &str, kind: &str, body: Option<&Value>) -> Outcome<(u16, Value)> {
        let context = |error: &dyn std::fmt::Display| format!("{method} https://{}{path}: {error}", self.address);
        let address = self.address.to_socket_addrs()?.next().ok_or("no address")?;
        let patience = Duration::from_secs(5);
        let stream = TcpStream::connect_timeout(&address, patience).map_err(|error| context(&error))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        let host = self
            .address
            .rsplit_once(':')
            .map_or(self.address.as_str(), |(host, _)| host);
        let name = rustls::pki_types::ServerName::try_from(host.to_owned())?;
        let connection = ClientConnection::new(self.config.clone(), name)?;
        let mut stream = StreamOwned::new(connection, stream);
        let body = body.map(Value::to_string).unwrap_or_default();
        let (code, bytes) = http::exchange(&mut stream, &self.address, method, path, kind, body.as_bytes())
            .map_err(|error| context(&error))?;
        stream.conn.send_close_notify();
        let _ = stream.flush();
        let answer = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Ok((code, answer))
    }

    /// What is at a path; nothing when nothing is.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub fn get(&self, path: &str) -> Outcome<Option<Value>> {
        match self.send("GET", path, "application/json", None)? {
            (200, object) => Ok(Some(object)),
            (404, _) => Ok(None),
            (code, answer) => Err(refused("GET", path, code, &answer).into()),
        }
    }

    /// Sends an object that must be taken.
    ///
    /// # Errors
    /// It was not.
    pub fn put(&self, method: &str, path: &str, object: &Value) -> Outcome<Value> {
        match self.send(method, path, "application/json", Some(object))? {
            (200 | 201, answer) => Ok(answer),
            (code, answer) => Err(refused(method, path, code, &answer).into()),
        }
    }

    /// Makes an object be there as given: creates it, or merges it into the one that is there. `path` is that of its
    /// collection.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub fn apply(&self, path: &str, object: &Value) -> Outcome {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let own = format!("{path}/{name}");
        if self.get(&own)?.is_none() {
            return self.put("POST", path, object).map(drop);
        }
        match self.send("PATCH", &own, "application/merge-patch+json", Some(object))? {
            (200, _) => Ok(()),
            (code, answer) => Err(refused("PATCH", &own, code, &answer).into()),
        }
    }
}

fn refused(method: &str, path: &str, code: u16, answer: &Value) -> String {
    format!(
        "{method} {path}: {code} {}",
        answer["message"].as_str().unwrap_or_default()
    )
}
