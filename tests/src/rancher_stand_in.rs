//! A stand-in for Rancher: as much of its API as importing a cluster takes, over TLS with an authority of its own. What of
//! the contract it keeps, and where that is from, `tests/README.md` says.

// Shared with the stand-ins of the cluster, which speak more of it.
#[allow(dead_code)]
#[path = "bin/cluster-stand-in/http.rs"]
mod http;

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::testbed::Testbed;
use crate::write;
use http::Request;

/// The manifest of an import; the agent in it reports to [`MANIFEST_SERVER`] until that is replaced.
const MANIFEST: &str = include_str!("bin/cluster-stand-in/rancher-manifest.yaml");
const MANIFEST_SERVER: &str = "https://rancher.mosip.test";
/// The name of the token that the dashboard shows.
const DEFAULT_TOKEN: &str = "default-token";

/// What a test wishes of it.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// The password of `admin`.
    pub password: String,
    /// Whether the dashboard would ask for another password.
    pub must_change_password: bool,
    /// The setting `server-url`: `None` is its own address.
    pub server_url: Option<String>,
    /// So many requests are answered with 503 first, as a front does before Rancher is there.
    pub not_ready: usize,
    /// So long after a token was made its value comes, and with that the import URL.
    pub url_after: Duration,
    /// So many attempts to make a token of a new cluster fail, since its namespace is not there yet.
    pub namespace_after: usize,
    /// API tokens, and whether each may make clusters.
    pub api_tokens: Vec<(String, bool)>,
    /// Objects of a page of a list.
    pub page: usize,
    /// Requests are read and never answered.
    pub silent: bool,
    /// Every request is sent elsewhere.
    pub redirect: Option<String>,
    /// It has the newer path of logins alone.
    pub new_login_only: bool,
    /// Everything is 404, as the ingress of a cluster without Rancher answers.
    pub absent: bool,
    /// A cluster is made, and the front answers 502 all the same, once.
    pub lost_answer: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            password: "b00tstrap-of-the-stand-in".into(),
            must_change_password: false,
            server_url: None,
            not_ready: 0,
            url_after: Duration::ZERO,
            namespace_after: 0,
            api_tokens: Vec::new(),
            page: 1000,
            silent: false,
            redirect: None,
            new_login_only: false,
            absent: false,
            lost_answer: false,
        }
    }
}

struct Token {
    id: String,
    cluster: String,
    value: String,
    made: Instant,
}

struct State {
    wishes: Wishes,
    own: String,
    server_url: String,
    clusters: Vec<Value>,
    nodes: Vec<Value>,
    tokens: Vec<Token>,
    sessions: BTreeMap<String, ()>,
    log: Vec<String>,
    count: usize,
    lost: bool,
}

/// A Rancher that runs until this goes.
pub struct RancherStandIn {
    address: SocketAddr,
    folder: TempDir,
    state: Arc<Mutex<State>>,
}

impl RancherStandIn {
    /// Listens on a port of an address of this machine: 127.0.0.1, or [`crate::testbed::HERE`], which the hosts reach.
    ///
    /// # Panics
    /// It cannot listen, or make a certificate.
    pub fn start(address: &str, wishes: Wishes) -> Self {
        Self::with_names(&format!("{address}:0"), &[address, "localhost"], wishes)
    }

    /// The same at an address with a port, with a certificate for those names.
    ///
    /// # Panics
    /// As [`RancherStandIn::start`].
    pub fn with_names(listen: &str, names: &[&str], wishes: Wishes) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Arc::new(certified(&folder.path().join("ca.pem"), names));
        let listener = TcpListener::bind(listen).unwrap_or_else(|error| panic!("{listen}: {error}"));
        let address = listener.local_addr().expect("an address");
        let own = format!("https://{address}");
        let state = State {
            server_url: wishes.server_url.clone().unwrap_or_else(|| own.clone()),
            wishes,
            own,
            clusters: vec![
                json!({"id": "local", "type": "cluster", "name": "local", "state": "active", "internal": true, "driver": "imported"}),
            ],
            nodes: Vec::new(),
            tokens: Vec::new(),
            sessions: BTreeMap::new(),
            log: Vec::new(),
            count: 0,
            lost: false,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        // The thread ends with the test's process; its port is free before.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, state) = (config.clone(), shared.clone());
                std::thread::spawn(move || serve(&config, &state, stream));
            }
        });
        Self { address, folder, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test failed within")
    }

    /// The server: the value of `rancher_url`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The same with the name `localhost`, which is in the certificate too.
    pub fn url_by_name(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// The file with its authority: the value of `rancher_ca_file`.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The password of `admin`.
    pub fn password(&self) -> String {
        self.state().wishes.password.clone()
    }

    /// Changes what is wished of it.
    pub fn wish(&self, change: impl FnOnce(&mut Wishes)) {
        change(&mut self.state().wishes);
    }

    /// What was asked, in order: `POST /v3/cluster 201`; values of queries are in it, tokens are not.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// The requests that may have changed something, logins and logouts aside.
    pub fn changes(&self) -> Vec<String> {
        let mut all = self.log();
        all.retain(|line| !line.starts_with("GET ") && !line.contains("login") && !line.contains("logout"));
        all
    }

    /// How many sessions were begun and not ended.
    pub fn sessions(&self) -> usize {
        self.state().sessions.len()
    }

    /// The setting `server-url`.
    pub fn server_url(&self) -> String {
        self.state().server_url.clone()
    }

    /// The names of the clusters, that which Rancher runs in aside.
    pub fn clusters(&self) -> Vec<String> {
        let state = self.state();
        let names = state.clusters.iter().filter(|one| one["id"] != "local");
        names
            .map(|one| one["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// All that must be seen nowhere: password, sessions' and API tokens, values in import URLs.
    pub fn secrets(&self) -> Vec<String> {
        let state = self.state();
        let mut all = vec![state.wishes.password.clone()];
        all.extend(state.wishes.api_tokens.iter().map(|(token, _)| token.clone()));
        all.extend(state.tokens.iter().map(|token| token.value.clone()));
        all
    }

    /// Adds a cluster as it stands in a list; `id` and `name` must be in it.
    pub fn add_cluster(&self, cluster: Value) {
        self.state().clusters.push(cluster);
    }

    /// The agent of the cluster of that name has reported: the cluster is active, with those machines.
    pub fn agent_reported(&self, name: &str, machines: &[&str]) {
        let mut state = self.state();
        let cluster = state
            .clusters
            .iter_mut()
            .find(|one| one["name"] == name)
            .expect("the cluster");
        cluster["state"] = "active".into();
        cluster["driver"] = "imported".into();
        let id = cluster["id"].clone();
        for machine in machines {
            let node = json!({"id": format!("{}:m-{machine}", id.as_str().unwrap_or_default()), "type": "node", "clusterId": id,
                "nodeName": machine, "hostname": machine, "ipAddress": "192.0.2.1"});
            state.nodes.push(node);
        }
    }

    /// Lets a host trust its authority, so that `curl` there fetches the manifest.
    ///
    /// # Panics
    /// The host cannot be reached.
    pub fn trusted_by(&self, testbed: &Testbed, host: &str) {
        let pem = std::fs::read_to_string(self.ca_file()).expect("the authority");
        let script = format!(
            "printf %s '{pem}' >/usr/local/share/ca-certificates/rancher-stand-in.crt && update-ca-certificates >/dev/null 2>&1"
        );
        testbed.root(host, &script);
    }
}

/// The server's side of TLS with a fresh certificate for `names`; its authority is written to `ca`.
fn certified(ca: &Path, names: &[&str]) -> ServerConfig {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "Authority of the Rancher stand-in");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    write(ca, authority.pem());
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let params = CertificateParams::new(names).expect("names");
    let key = KeyPair::generate().expect("a key");
    let leaf = params.signed_by(&key, &authority).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("the key");
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(leaf)], key)
        .expect("a pair")
}

fn serve(config: &Arc<ServerConfig>, state: &Mutex<State>, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let connection = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    while let Some(request) = http::read_request(&mut reader)? {
        let answer = {
            let mut state = state.lock().expect("no test failed within");
            let answer = state.answer(&request);
            let query = request.query.iter().map(|(name, value)| format!("{name}={value}"));
            let query = query.collect::<Vec<_>>().join("&");
            let path = match (request.path.starts_with("/v3/import/"), query.is_empty()) {
                (true, _) => "/v3/import/…".to_owned(),
                (_, true) => request.path.clone(),
                (_, false) => format!("{}?{query}", request.path),
            };
            state.log.push(format!("{} {path} {}", request.method, answer.code));
            answer
        };
        if answer.code == 0 {
            // The client goes when its patience ends.
            let _ = http::read_request(&mut reader);
            return Ok(());
        }
        let out = reader.get_mut();
        if answer.code == 302 {
            let head = format!(
                "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                answer.body
            );
            return out.write_all(head.as_bytes());
        }
        http::respond(out, answer.code, answer.kind, answer.body.as_bytes(), false)?;
    }
    Ok(())
}

struct Answer {
    code: u16,
    kind: &'static str,
    body: String,
}

impl Answer {
    fn json(code: u16, body: &Value) -> Self {
        Self {
            code,
            kind: "application/json",
            body: body.to_string(),
        }
    }

    fn error(code: u16, word: &str, message: &str) -> Self {
        Self::json(
            code,
            &json!({"type": "error", "status": code, "code": word, "message": message}),
        )
    }

    fn text(code: u16, kind: &'static str, body: impl Into<String>) -> Self {
        let body = body.into();
        Self { code, kind, body }
    }

    fn unauthorized() -> Self {
        Self::error(401, "Unauthorized", "must authenticate")
    }
}

/// Who asks.
#[derive(Clone, PartialEq)]
enum User {
    Session(String),
    Token { may_create: bool },
}

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        let wishes = &mut self.wishes;
        if wishes.silent {
            return Answer::text(0, "", "");
        }
        if let Some(to) = &wishes.redirect {
            return Answer::text(302, "", to.clone());
        }
        if wishes.not_ready > 0 {
            wishes.not_ready -= 1;
            let page = "<html><head><title>503 Service Temporarily Unavailable</title></head></html>";
            return Answer::text(503, "text/html", page);
        }
        if wishes.absent {
            return Answer::text(404, "text/plain", "404 page not found\n");
        }
        let path = request.path.as_str();
        if let Some(name) = path.strip_prefix("/v3/import/") {
            return self.manifest(name);
        }
        if request.method != "GET" && !request.header("content-type").starts_with("application/json") {
            return Answer::error(415, "UnsupportedMediaType", "send application/json");
        }
        let body = match (request.method.as_str(), request.body.as_slice()) {
            ("GET", b"") => Value::Null,
            ("GET", _) => return Answer::error(400, "BadRequest", "a GET has no body"),
            (_, body) => match serde_json::from_slice::<Value>(body) {
                Ok(body) if body.is_object() => body,
                _ => return Answer::error(422, "InvalidBodyContent", "the body is no object of JSON"),
            },
        };
        match (request.method.as_str(), path) {
            ("POST", "/v3-public/localProviders/local") if !self.wishes.new_login_only => {
                match request.param("action") {
                    Some("login") => self.log_in(&body, 201),
                    _ => Answer::error(404, "ActionNotAvailable", "no such action"),
                }
            }
            ("POST", "/v1-public/login") if self.wishes.new_login_only => match body["type"] == "localProvider" {
                true => self.log_in(&body, 200),
                false => Answer::error(422, "InvalidBodyContent", "no type of a provider"),
            },
            (_, path) if path.starts_with("/v3/") => match self.user(request) {
                Some(user) => self.v3(request, &body, &user),
                None => Answer::unauthorized(),
            },
            _ => Answer::error(404, "NotFound", "not found"),
        }
    }

    fn user(&self, request: &Request) -> Option<User> {
        let token = request.header("authorization").strip_prefix("Bearer ")?;
        if self.sessions.contains_key(token) {
            return Some(User::Session(token.into()));
        }
        let known = self.wishes.api_tokens.iter().find(|(one, _)| one == token)?;
        Some(User::Token { may_create: known.1 })
    }

    fn next(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    fn log_in(&mut self, body: &Value, code: u16) -> Answer {
        let known = [
            "type",
            "username",
            "password",
            "description",
            "ttl",
            "responseType",
            "labels",
        ];
        if let Some(unknown) = body
            .as_object()
            .and_then(|body| body.keys().find(|key| !known.contains(&key.as_str())))
        {
            return Answer::error(422, "InvalidBodyContent", &format!("unknown field {unknown}"));
        }
        if body["username"] != "admin" || body["password"] != self.wishes.password.as_str() {
            return Answer::error(401, "Unauthorized", "authentication failed");
        }
        let id = format!("token-{:05}", self.next());
        let token = format!("{id}:s3ssion{:020}", self.next());
        self.sessions.insert(token.clone(), ());
        Answer::json(
            code,
            &json!({"type": "token", "baseType": "token", "id": id, "token": token, "userId": "user-abcde", "authProvider": "local",
                "current": false, "expired": false, "isDerived": false, "ttl": body["ttl"], "description": body["description"]}),
        )
    }

    fn v3(&mut self, request: &Request, body: &Value, user: &User) -> Answer {
        let may_create = *user != User::Token { may_create: false };
        let forbidden = || Answer::error(403, "Forbidden", "clusters.management.cattle.io is forbidden");
        let path = &request.path["/v3/".len()..];
        match (request.method.as_str(), path) {
            ("POST", "tokens") if request.param("action") == Some("logout") => {
                let User::Session(token) = user else {
                    return Answer::error(400, "InvalidAction", "no session");
                };
                self.sessions.remove(token);
                Answer::json(200, &json!({}))
            }
            // The session that asks is not ended so; see `deleteToken` in Rancher's pkg/auth/tokens/manager.go.
            ("DELETE", path) if path.starts_with("tokens/") => Answer::error(
                400,
                "BadRequest",
                "Cannot delete token for current session. Use logout instead",
            ),
            ("GET", "users") if request.param("me") == Some("true") => {
                let must = self.wishes.must_change_password;
                let user = json!({"id": "user-abcde", "type": "user", "username": "admin", "me": true, "mustChangePassword": must});
                self.list("user", vec![user], request)
            }
            ("GET", "settings/server-url") if may_create => Answer::json(200, &self.setting()),
            ("PUT", "settings/server-url") if may_create => match body["value"].as_str() {
                Some(value) if body["name"] == "server-url" && value.starts_with("https://") => {
                    self.server_url = value.to_owned();
                    Answer::json(200, &self.setting())
                }
                _ => Answer::error(422, "InvalidFormat", "server-url must be an https URL"),
            },
            (_, "settings/server-url") => forbidden(),
            ("GET", "clusters") => {
                let name = request.param("name");
                let of = |one: &&Value| name.is_none_or(|name| one["name"] == name);
                let found = self.clusters.iter().filter(of).cloned().collect();
                self.list("cluster", found, request)
            }
            ("POST", "cluster" | "clusters") if may_create => self.create_cluster(body),
            ("POST", "cluster" | "clusters") => forbidden(),
            ("GET", "nodes") => {
                let cluster = request.param("clusterId");
                let of = |one: &&Value| cluster.is_none_or(|id| one["clusterId"] == id);
                let found = self.nodes.iter().filter(of).cloned().collect();
                self.list("node", found, request)
            }
            ("GET", "clusterregistrationtokens") => {
                let cluster = request.param("clusterId");
                let of = |one: &&Token| cluster.is_none_or(|id| one.cluster == id);
                let found: Vec<Value> = self.tokens.iter().filter(of).map(|token| self.shown(token)).collect();
                self.list("clusterRegistrationToken", found, request)
            }
            ("POST", "clusterregistrationtokens" | "clusterregistrationtoken") => self.create_token(body),
            _ => Answer::error(404, "NotFound", "not found"),
        }
    }

    fn setting(&self) -> Value {
        json!({"id": "server-url", "type": "setting", "name": "server-url", "value": self.server_url, "default": "",
            "customized": !self.server_url.is_empty(), "source": if self.server_url.is_empty() { "default" } else { "db" }})
    }

    /// A page of a list.
    fn list(&self, kind: &str, all: Vec<Value>, request: &Request) -> Answer {
        let total = all.len();
        let from: usize = request
            .param("marker")
            .and_then(|marker| marker.parse().ok())
            .unwrap_or(0);
        let page: Vec<Value> = all.into_iter().skip(from).take(self.wishes.page).collect();
        let to = from + page.len();
        let mut pagination = json!({"limit": self.wishes.page, "total": total});
        if to < total {
            let query = request.query.iter().filter(|(name, _)| *name != "marker");
            let query: String = query.map(|(name, value)| format!("{name}={value}&")).collect();
            // The URLs in answers have the name that was asked.
            let own = format!("https://{}", request.header("host"));
            pagination["next"] = format!("{own}{}?{query}marker={to}", request.path).into();
            pagination["partial"] = true.into();
        }
        let body = json!({"type": "collection", "resourceType": kind, "links": {"self": format!("{}{}", self.own, request.path)},
            "pagination": pagination, "data": page});
        Answer::json(200, &body)
    }

    fn create_cluster(&mut self, body: &Value) -> Answer {
        let Some(name) = body["name"].as_str().filter(|name| !name.is_empty()) else {
            return Answer::error(422, "MissingRequired", "name is required");
        };
        if body["type"] != "cluster" {
            return Answer::error(422, "InvalidType", "type must be cluster");
        }
        if self.clusters.iter().any(|one| one["name"] == name) {
            return Answer::error(422, "NotUnique", "Cluster name must be unique");
        }
        let id = format!("c-{:05}", self.next());
        let cluster = json!({"id": id, "type": "cluster", "baseType": "cluster", "name": name, "state": "pending", "driver": null,
            "internal": false, "removed": null, "nodeCount": 0, "transitioning": "no", "rancherKubernetesEngineConfig": null});
        self.clusters.push(cluster.clone());
        if self.wishes.lost_answer && !self.lost {
            self.lost = true;
            return Answer::text(
                502,
                "text/html",
                "<html><head><title>502 Bad Gateway</title></head></html>",
            );
        }
        Answer::json(201, &cluster)
    }

    fn create_token(&mut self, body: &Value) -> Answer {
        let cluster = body["clusterId"].as_str().unwrap_or_default().to_owned();
        if !self.clusters.iter().any(|one| one["id"] == cluster.as_str()) {
            return Answer::error(422, "InvalidReference", "no such cluster");
        }
        if self.wishes.namespace_after > 0 {
            self.wishes.namespace_after -= 1;
            return Answer::error(404, "NotFound", &format!("namespaces \"{cluster}\" not found"));
        }
        let id = format!("{cluster}:{}", body["name"].as_str().unwrap_or(DEFAULT_TOKEN));
        if self.tokens.iter().any(|token| token.id == id) {
            return Answer::error(409, "AlreadyExists", &format!("{id} already exists"));
        }
        let value = format!("imp0rt{:030}", self.next());
        let token = Token {
            id,
            cluster,
            value,
            made: Instant::now(),
        };
        // Its value comes later, and so does its URL.
        let shown =
            json!({"id": token.id, "type": "clusterRegistrationToken", "clusterId": token.cluster, "state": "active"});
        self.tokens.push(token);
        Answer::json(201, &shown)
    }

    fn shown(&self, token: &Token) -> Value {
        let mut shown = json!({"id": token.id, "type": "clusterRegistrationToken", "clusterId": token.cluster, "state": "active",
            "removed": null});
        if token.made.elapsed() >= self.wishes.url_after {
            let server = if self.server_url.is_empty() {
                &self.own
            } else {
                &self.server_url
            };
            let url = format!("{server}/v3/import/{}_{}.yaml", token.value, token.cluster);
            shown["token"] = token.value.clone().into();
            shown["command"] = format!("kubectl apply -f {url}").into();
            shown["insecureCommand"] = format!("curl --insecure -sfL {url} | kubectl apply -f -").into();
            shown["manifestUrl"] = url.into();
        }
        shown
    }

    fn manifest(&self, name: &str) -> Answer {
        let parts = name.strip_suffix(".yaml").and_then(|name| name.split_once('_'));
        match parts {
            Some((token, cluster))
                if self
                    .tokens
                    .iter()
                    .any(|one| one.value == token && one.cluster == cluster) =>
            {
                Answer::text(200, "text/plain", MANIFEST.replace(MANIFEST_SERVER, &self.server_url))
            }
            // The real one makes a manifest of any token; an agent that has a wrong one is turned away later.
            Some(_) => Answer::text(404, "text/plain", "no such token\n"),
            None => Answer::text(
                400,
                "text/plain",
                "invalid filename format, expected {token}_{clusterId}.yaml",
            ),
        }
    }
}
