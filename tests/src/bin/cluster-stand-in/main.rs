//! Stand-ins for what no test machine has: RKE 1, a Kubernetes API server with kubelets, `istioctl`, Rancher's import
//! URL. `tests/README.md` says which contract each honours and what it leaves out.
//!
//! One program plays all. Which one, in this order: what [`trailer`] says, the name it was started under, its first
//! word.

mod admission;
mod api;
mod args;
mod client;
mod controllers;
mod discovery;
mod http;
mod import_server;
mod istio;
mod istioctl;
mod kubelet;
mod objects;
mod patch;
mod pki;
mod pods;
mod query;
mod rke;
mod server;
mod status;
mod store;
mod table;
mod trailer;

use std::process::ExitCode;

/// What a part of the stand-in says when it fails.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome<T = ()> = Result<T, Failure>;

fn main() -> ExitCode {
    let mut words = std::env::args();
    let started_as = words.next().unwrap_or_default();
    let started_as = started_as.rsplit('/').next().unwrap_or_default().to_owned();
    let mut words: Vec<String> = words.collect();
    let trailer = trailer::read();
    let name = match trailer.name {
        Some(name) => name,
        None if PARTS.contains(&started_as.as_str()) => started_as,
        None if words.is_empty() => String::new(),
        None => words.remove(0),
    };
    let version = trailer.version.as_deref();
    match name.as_str() {
        "rke" => rke::main(&words, version.unwrap_or("v1.3.10")),
        "istioctl" => istioctl::main(&words, version.unwrap_or("1.15.0")),
        "kube-apiserver" => finish(server::main(&words)),
        "kubelet" => finish(kubelet::main(&words)),
        "pki" => finish(pki::main(&words)),
        "install-files" => finish(kubelet::install_files()),
        "import-server" => finish(import_server::main(&words)),
        _ => {
            eprintln!("cluster-stand-in: what to play? {}", PARTS.join(", "));
            ExitCode::from(2)
        }
    }
}

const PARTS: [&str; 7] = [
    "rke",
    "istioctl",
    "kube-apiserver",
    "kubelet",
    "pki",
    "install-files",
    "import-server",
];

fn finish(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster-stand-in: {error}");
            ExitCode::FAILURE
        }
    }
}
