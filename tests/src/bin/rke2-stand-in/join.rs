//! What is said at port 9345: a line with role, name, token and critical values; a line of JSON as the answer.

use crate::{Failure, Outcome};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a new member of etcd is a learner, of which there is never more than one.
pub const LEARNING: Duration = Duration::from_millis(1500);

/// What those who join are told.
pub struct Cluster {
    /// What they must show.
    pub token: String,
    /// What servers must agree on.
    pub critical: String,
    /// Files for their certificates: name and content.
    pub files: Value,
    /// The MTU of pods.
    pub mtu: String,
    /// Where the API is.
    pub api: Mutex<Option<String>>,
    /// Who has joined is written down here.
    pub log: std::path::PathBuf,
    /// When the last member of etcd came.
    pub learner: Mutex<Option<Instant>>,
}

/// One who joins.
pub struct Joining<'a> {
    /// `server` or `agent`.
    pub role: &'a str,
    /// The node's name.
    pub name: &'a str,
    /// What it shows.
    pub token: &'a str,
    /// What servers must agree on; of no meaning for agents.
    pub critical: &'a str,
    /// Whether it becomes a member of etcd.
    pub etcd: bool,
    /// The address of its API, when it has one.
    pub api: Option<&'a str>,
}

impl Cluster {
    /// Answers those who join, for ever.
    pub fn answer(&self, listener: &TcpListener) {
        for stream in listener.incoming().flatten() {
            // Who only looks whether the port is open says nothing.
            let _ = self.one(stream);
        }
    }

    fn one(&self, mut stream: TcpStream) -> Outcome {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut line = String::new();
        BufReader::new(stream.try_clone()?).read_line(&mut line)?;
        let answer = match self.admit(&serde_json::from_str(&line)?) {
            Ok(answer) => answer,
            Err(error) => json!({"error": error.to_string()}),
        };
        Ok(writeln!(stream, "{answer}")?)
    }

    fn admit(&self, asked: &Value) -> Outcome<Value> {
        let text = |key: &str| asked[key].as_str().unwrap_or_default();
        // The long form has the token behind the authority's hash.
        if text("token").rsplit(':').next() != self.token.rsplit(':').next() {
            return Err("401 Unauthorized: token is not valid".into());
        }
        let role = text("role");
        if role == "server" {
            if text("critical") != self.critical {
                return Err("failed to validate server configuration: critical configuration value mismatch".into());
            }
            if asked["etcd"] == true {
                let mut learner = self.learner.lock().unwrap_or_else(PoisonError::into_inner);
                if learner.is_some_and(|since| since.elapsed() < LEARNING) {
                    return Err("etcdserver: too many learner members in cluster".into());
                }
                *learner = Some(Instant::now());
            }
        }
        let mut api = self.api.lock().unwrap_or_else(PoisonError::into_inner);
        let own = asked["api"].as_str().map(str::to_owned);
        let is_first_api = api.is_none() && own.is_some();
        if is_first_api {
            api.clone_from(&own);
        }
        if let Some(folder) = self.log.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        writeln!(log, "{role} {}", text("name"))?;
        Ok(json!({"files": self.files, "mtu": self.mtu, "api": api.clone(), "api_is_yours": is_first_api}))
    }
}

/// Joins at `server`, an URL; the answer.
pub fn join(server: &str, joining: &Joining<'_>) -> Outcome<Value> {
    let address = server
        .strip_prefix("https://")
        .ok_or_else(|| format!("{server} is no https URL"))?;
    let said = json!({
        "role": joining.role, "name": joining.name, "token": joining.token, "critical": joining.critical,
        "etcd": joining.etcd, "api": joining.api,
    });
    let mut stream =
        TcpStream::connect(address).map_err(|error| format!("failed to get CA certs: {server}: {error}"))?;
    writeln!(stream, "{said}")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let answer: Value = serde_json::from_str(&line)?;
    match answer["error"].as_str() {
        Some(error) => Err(Failure::from(error.to_owned())),
        None => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(folder: &std::path::Path) -> Cluster {
        Cluster {
            token: "right-token".into(),
            critical: "c".into(),
            files: json!({}),
            mtu: "1400".into(),
            api: Mutex::new(Some("10.0.0.1".into())),
            log: folder.join("joined"),
            learner: Mutex::new(None),
        }
    }

    fn asked(role: &str, token: &str, critical: &str) -> Value {
        json!({"role": role, "name": "x", "token": token, "critical": critical, "etcd": true})
    }

    #[test]
    fn who_does_not_fit_is_not_let_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let cluster = cluster(folder.path());
        assert!(
            cluster
                .admit(&asked("agent", "wrong", ""))
                .expect_err("refused")
                .to_string()
                .contains("401")
        );
        assert!(cluster.admit(&asked("server", "right-token", "d")).is_err());
        assert!(cluster.admit(&asked("agent", "K10abc::server:right-token", "")).is_ok());
        assert!(cluster.admit(&asked("server", "right-token", "c")).is_ok());
        let error = cluster
            .admit(&asked("server", "right-token", "c"))
            .expect_err("refused");
        assert!(error.to_string().contains("too many learner"), "{error}");
        let log = std::fs::read_to_string(folder.path().join("joined")).expect("written");
        assert_eq!(log, "agent x\nserver x\n");
    }
}
