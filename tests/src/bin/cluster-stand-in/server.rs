//! The API server as a process: TLS, who asks, one thread per connection, the controllers beside.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::api::{Reply, Watch};
use crate::args::Args;
use crate::pki::{Doorkeeper, Pair};
use crate::status::Refusal;
use crate::store::Store;
use crate::{Outcome, api, controllers, http, pki, table};

struct Server {
    store: Store,
    doorkeeper: Arc<Doorkeeper>,
    tls: Arc<ServerConfig>,
    version: String,
}

/// `kube-apiserver --pki DIR --data DIR [--listen ADDRESS:PORT] [--kubernetes-version V]`, or, on a further
/// control-plane node, `kube-apiserver --upstream ADDRESS:PORT`, which passes connections on to the first.
///
/// # Errors
/// The words are wrong, a file is missing, the port is taken.
pub fn main(words: &[String]) -> Outcome {
    let valued = ["pki", "data", "listen", "kubernetes-version", "upstream"];
    let args = Args::parse(words, &valued, &[])?;
    let listen = args.get("listen").unwrap_or("0.0.0.0:6443");
    let listener = TcpListener::bind(listen).map_err(|error| format!("{listen}: {error}"))?;
    if let Some(upstream) = args.get("upstream") {
        return pass_on(&listener, upstream);
    }
    let folder = Path::new(args.need("pki")?);
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let doorkeeper = Doorkeeper::new(&read("kube-ca.pem")?)?;
    let pair = Pair {
        certificate: read("kube-apiserver.pem")?,
        key: read("kube-apiserver-key.pem")?,
        names: Vec::new(),
    };
    let data = Path::new(args.need("data")?);
    std::fs::create_dir_all(data)?;
    let server = Arc::new(Server {
        store: Store::open(data.join("stand-in.json"))?,
        tls: pki::server_config(doorkeeper.clone(), &pair)?,
        doorkeeper,
        version: args.get("kubernetes-version").unwrap_or("v1.22.9").to_owned(),
    });
    let controlled = server.clone();
    std::thread::spawn(move || controllers::run(&controlled.store));
    println!("listening on {listen}");
    for stream in listener.incoming().flatten() {
        let server = server.clone();
        // A client that goes away in the middle is its own business.
        std::thread::spawn(move || serve(&server, stream));
    }
    Ok(())
}

fn pass_on(listener: &TcpListener, upstream: &str) -> Outcome {
    for client in listener.incoming().flatten() {
        let upstream = upstream.to_owned();
        std::thread::spawn(move || -> std::io::Result<()> {
            let server = TcpStream::connect(upstream)?;
            let (mut up, mut up_to) = (client.try_clone()?, server.try_clone()?);
            let (mut down, mut down_to) = (server, client);
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut up, &mut up_to);
                let _ = up_to.shutdown(std::net::Shutdown::Write);
            });
            std::io::copy(&mut down, &mut down_to)?;
            down_to.shutdown(std::net::Shutdown::Write)
        });
    }
    Ok(())
}

fn serve(server: &Server, stream: TcpStream) -> Outcome {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let connection = ServerConnection::new(server.tls.clone())?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    while let Some(request) = http::read_request(&mut reader)? {
        let chain = reader.get_ref().conn.peer_certificates().unwrap_or_default();
        let user = server.doorkeeper.user(chain);
        let reply = match &user {
            Some(user) => api::handle(&server.store, user, &server.version, &request),
            None => {
                let refusal = Refusal::unauthorized();
                Reply::Json(refusal.code, refusal.to_json())
            }
        };
        let close = request.header("connection").eq_ignore_ascii_case("close");
        let out = reader.get_mut();
        match reply {
            Reply::Json(code, body) => {
                http::respond(out, code, "application/json", body.to_string().as_bytes(), close)?;
            }
            Reply::Bytes(kind, bytes) => http::respond(out, 200, kind, &bytes, close)?,
            Reply::Watch(watch) => return show_changes(&server.store, out, &watch),
        }
        if close {
            break;
        }
    }
    reader.get_mut().conn.send_close_notify();
    reader.get_mut().flush()?;
    Ok(())
}

/// Sends changes until the client's time is over or it is gone.
fn show_changes(store: &Store, out: &mut impl Write, watch: &Watch) -> Outcome {
    let began = Instant::now();
    http::begin_chunks(out, "application/json")?;
    let mut send = |kind: &str, object: &Value, revision: u64| -> Outcome {
        let object = if watch.tables {
            table::render(&watch.resource, &[object], revision)
        } else {
            object.clone()
        };
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        Ok(http::chunk(out, line.as_bytes())?)
    };
    let mut seen = match watch.after {
        Some(revision) => revision,
        None => {
            let (objects, revision): (Vec<Value>, u64) = {
                let inner = store.lock();
                let all = inner.list(&watch.resource.key(), None);
                (all.into_iter().cloned().collect(), inner.revision)
            };
            for object in objects
                .iter()
                .filter(|object| watch.wants(&watch.resource.key(), object))
            {
                send("ADDED", object, revision)?;
            }
            revision
        }
    };
    while began.elapsed() < Duration::from_secs(watch.seconds) {
        let Some(changes) = store.changes_after(seen, Duration::from_secs(1)) else {
            let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
                              "message": "too old resource version"});
            let line = format!("{}\n", json!({"type": "ERROR", "object": gone}));
            http::chunk(out, line.as_bytes())?;
            break;
        };
        for change in changes {
            seen = change.revision;
            if watch.wants(&change.resource, &change.object) {
                send(change.kind, &change.object, change.revision)?;
            }
        }
    }
    http::chunk(out, b"")?;
    Ok(())
}
