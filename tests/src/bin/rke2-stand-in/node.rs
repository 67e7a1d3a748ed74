//! A machine of the cluster, as `rke2 server` and `rke2 agent` make it.

use crate::config::Config;
use crate::join::{Cluster, Joining, LEARNING, join};
use crate::{Outcome, share, version};
use serde_json::{Map, Value, json};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const DATA: &str = "/var/lib/rancher/rke2";
const KUBECONFIG: &str = "/etc/rancher/rke2/rke2.yaml";
const PKI: [&str; 6] = [
    "kube-ca.pem",
    "kube-ca-key.pem",
    "kube-apiserver.pem",
    "kube-apiserver-key.pem",
    "kube-node.pem",
    "kube-node-key.pem",
];

fn data(path: &str) -> PathBuf {
    Path::new(DATA).join(path)
}

fn write(path: &Path, text: &str, mode: u32) -> Outcome {
    let context = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(context)?;
    }
    std::fs::write(path, text).map_err(context)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?)
}

fn stand_in(words: &[&str]) -> Command {
    let mut command = Command::new(share().join("cluster-stand-in"));
    command.args(words);
    command
}

/// Images that are not there would have to be pulled, from where no machine of a test gets them.
fn load_images() -> Outcome {
    let folder = data("agent/images");
    let archives = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let found = archives
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains(".tar."))
        .count();
    if found == 0 {
        return Err(format!("failed to pull images, and none are in {}", folder.display()).into());
    }
    eprintln!("level=info msg=\"{found} archives of images loaded\"");
    Ok(())
}

/// `rke2 server`.
pub fn server(config: &Config) -> Outcome {
    load_images()?;
    let name = config.get("node-name").ok_or("no node-name")?;
    let address = config.get("node-ip").ok_or("no node-ip")?;
    let (etcd, control) = (!config.is("disable-etcd"), !config.is("disable-apiserver"));
    let kept = data("server/token");
    let long = format!("K10{}::server:{}", "0".repeat(64), config.token);
    if let Ok(text) = std::fs::read_to_string(&kept)
        && text.trim() != long
    {
        return Err("bootstrap data already found and encrypted with different token".into());
    }
    let mtu = mtu();
    let first = config.get("server").is_none();
    let told = match config.get("server") {
        None => make(config, address)?,
        Some(server) => {
            let remembered = std::fs::read_to_string(data("server/db/joined")).ok();
            match remembered.and_then(|text| serde_json::from_str(&text).ok()) {
                Some(told) => told,
                None => {
                    let told = join(
                        server,
                        &Joining {
                            role: "server",
                            name,
                            token: &config.token,
                            critical: &config.critical(),
                            etcd,
                            api: control.then_some(address),
                        },
                    )?;
                    if etcd {
                        std::thread::sleep(LEARNING);
                    }
                    write(&data("server/db/joined"), &told.to_string(), 0o600)?;
                    told
                }
            }
        }
    };
    unpack(&told, "server/tls")?;
    write(&kept, &format!("{long}\n"), 0o600)?;
    write(&data("server/node-token"), &format!("{long}\n"), 0o600)?;
    let api = if first && control {
        Some(address.to_owned())
    } else {
        told["api"].as_str().map(str::to_owned)
    };
    let mut children = Vec::new();
    if control {
        let own = api.as_deref() == Some(address);
        children.push(start_api(own, api.as_deref().unwrap_or(address))?);
        write(KUBECONFIG.as_ref(), &kubeconfig()?, 0o600)?;
    }
    let cluster = Cluster {
        token: config.token.clone(),
        critical: config.critical(),
        files: told["files"].clone(),
        mtu: if control {
            mtu
        } else {
            told["mtu"].as_str().unwrap_or("1450").to_owned()
        },
        api: Mutex::new(api.clone()),
        log: data("server/db/joins"),
        learner: Mutex::new(None),
    };
    if control {
        wait_for(6443)?;
    }
    let listener = TcpListener::bind("0.0.0.0:9345")?;
    let mut labels = Vec::new();
    if control {
        labels.push("node-role.kubernetes.io/control-plane=true".to_owned());
        labels.push("node-role.kubernetes.io/master=true".to_owned());
    }
    if etcd {
        labels.push("node-role.kubernetes.io/etcd=true".to_owned());
    }
    if let Some(api) = &api {
        children.push(kubelet(config, &labels, api, "server/tls", &cluster.mtu)?);
    }
    ready()?;
    std::thread::scope(|scope| {
        scope.spawn(|| cluster.answer(&listener));
        if api.is_none() {
            // A first server without an API is a node once another has brought one.
            scope.spawn(|| late_kubelet(config, &labels, &cluster));
        }
        watch(children)
    })
}

/// `rke2 agent`.
pub fn agent(config: &Config) -> Outcome {
    load_images()?;
    let name = config.get("node-name").ok_or("no node-name")?;
    let server = config.get("server").ok_or("--server is required")?;
    let joining = Joining {
        role: "agent",
        name,
        token: &config.token,
        critical: "",
        etcd: false,
        api: None,
    };
    let told = join(server, &joining)?;
    unpack(&told, "agent/tls")?;
    write(&data("agent/client-kubelet.crt"), "a certificate\n", 0o600)?;
    let api = told["api"].as_str().ok_or("the cluster has no API yet")?.to_owned();
    let mtu = told["mtu"].as_str().unwrap_or("1450");
    let child = kubelet(config, &[], &api, "agent/tls", mtu)?;
    ready()?;
    watch(vec![child])
}

/// Makes the cluster's authority and certificates when they are not there; what those who join are told.
fn make(config: &Config, address: &str) -> Outcome<Value> {
    let folder = data("server/tls");
    if !folder.join(PKI[0]).exists() {
        let dir = folder.to_string_lossy().into_owned();
        let mut words = vec![
            "pki",
            "--dir",
            &dir,
            "--cluster",
            "default",
            "--server",
            "https://127.0.0.1:6443",
        ];
        let sans = config.all("tls-san");
        for san in sans.iter().copied().chain([address, "127.0.0.1", "localhost"]) {
            words.extend(["--name", san]);
        }
        let done = stand_in(&words).output()?;
        if !done.status.success() {
            return Err(format!("pki: {}", String::from_utf8_lossy(&done.stderr)).into());
        }
    }
    let mut files = Map::new();
    for name in PKI.into_iter().chain(["kubeconfig"]) {
        files.insert(name.into(), json!(std::fs::read_to_string(folder.join(name))?));
    }
    Ok(json!({"files": files}))
}

fn unpack(told: &Value, folder: &str) -> Outcome {
    for (name, content) in told["files"].as_object().into_iter().flatten() {
        // What a server tells is a plain name.
        let name = name.rsplit('/').next().unwrap_or_default();
        write(&data(folder).join(name), content.as_str().unwrap_or_default(), 0o600)?;
    }
    Ok(())
}

/// The administrator's kubeconfig in the form in which RKE2 writes it.
fn kubeconfig() -> Outcome<String> {
    let text = std::fs::read_to_string(data("server/tls/kubeconfig"))?;
    let of = |key: &str| {
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix(key));
        lines
            .map(str::trim)
            .next()
            .map(str::to_owned)
            .ok_or_else(|| format!("no {key}"))
    };
    let (ca, certificate, key) = (
        of("certificate-authority-data:")?,
        of("client-certificate-data:")?,
        of("client-key-data:")?,
    );
    Ok(format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {ca}\n    server: https://127.0.0.1:6443\n  name: default\n\
         contexts:\n- context:\n    cluster: default\n    user: default\n  name: default\ncurrent-context: default\n\
         kind: Config\npreferences: {{}}\nusers:\n- name: default\n  user:\n    client-certificate-data: {certificate}\n    client-key-data: {key}\n"
    ))
}

fn start_api(own: bool, api: &str) -> Outcome<Child> {
    let version = version();
    let kubernetes = version.split('+').next().unwrap_or_default();
    let (pki, db) = (data("server/tls"), data("server/db/api"));
    let (pki, db) = (pki.to_string_lossy(), db.to_string_lossy());
    let upstream = format!("{api}:6443");
    let mut command = if own {
        stand_in(&[
            "kube-apiserver",
            "--pki",
            &pki,
            "--data",
            &db,
            "--kubernetes-version",
            kubernetes,
        ])
    } else {
        stand_in(&["kube-apiserver", "--upstream", &upstream])
    };
    Ok(command.spawn()?)
}

fn kubelet(config: &Config, labels: &[String], api: &str, pki: &str, mtu: &str) -> Outcome<Child> {
    let version = version();
    let kubernetes = version.split('+').next().unwrap_or_default();
    let (pki, server) = (data(pki), format!("https://{api}:6443"));
    let name = config.get("node-name").unwrap_or_default();
    // What the chart of the network plugin brings to a node.
    write(
        "/etc/cni/net.d/10-canal.conflist".as_ref(),
        &format!(
            "{}\n",
            json!({"name": "k8s-pod-network", "plugins": [{"type": "calico", "mtu": mtu}]})
        ),
        0o600,
    )?;
    let pki = pki.to_string_lossy();
    let own = config
        .get("node-ip")
        .map(str::to_owned)
        .map_or_else(|| own_address(api), Ok)?;
    let mut command = stand_in(&[
        "kubelet",
        "--name",
        name,
        "--address",
        &own,
        "--server",
        &server,
        "--pki",
        &pki,
        "--kubernetes-version",
        kubernetes,
    ]);
    for label in labels.iter().map(String::as_str).chain(config.all("node-label")) {
        command.args(["--label", label]);
    }
    Ok(command.spawn()?)
}

fn late_kubelet(config: &Config, labels: &[String], cluster: &Cluster) {
    loop {
        let api = cluster.api.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(api) = api {
            if let Err(error) =
                kubelet(config, labels, &api, "server/tls", &cluster.mtu).and_then(|child| watch(vec![child]))
            {
                eprintln!("level=error msg=\"{error}\"");
            }
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The address of this machine on the way to `api`.
fn own_address(api: &str) -> Outcome<String> {
    let stream = TcpStream::connect(format!("{api}:6443"))?;
    Ok(stream.local_addr()?.ip().to_string())
}

/// The MTU that the manifest for the network plugin's chart says.
fn mtu() -> String {
    let text = std::fs::read_to_string(data("server/manifests/rke2-canal-config.yaml")).unwrap_or_default();
    let said = text.lines().find_map(|line| line.trim().strip_prefix("vethuMTU:"));
    said.map_or_else(|| "1450".to_owned(), |mtu| mtu.trim().to_owned())
}

fn wait_for(port: u16) -> Outcome {
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > Duration::from_secs(30) {
            return Err(format!("nobody listens on port {port}").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Tells systemd.
fn ready() -> Outcome {
    if let Ok(path) = std::env::var("NOTIFY_SOCKET") {
        UnixDatagram::unbound()?.send_to(b"READY=1", path)?;
    }
    Ok(())
}

/// Ends when one of the children does.
fn watch(mut children: Vec<Child>) -> Outcome {
    loop {
        for child in &mut children {
            if let Some(status) = child.try_wait()? {
                eprintln!("level=fatal msg=\"a part of the node ended: {status}\"");
                std::process::exit(1);
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
