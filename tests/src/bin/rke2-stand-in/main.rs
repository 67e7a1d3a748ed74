//! A stand-in for `rke2`, for tests: it honours what the provisioner rests on, and builds no cluster.
//!
//! What it does as RKE2 does: it reads `/etc/rancher/rke2/config.yaml` and ends with an error at a key that is not an
//! option of its command; it reads the token from the file that is named, and lets nobody in with another; a server
//! without `server` makes the cluster and keeps the token, one with `server` joins at port 9345, one at a time, and only
//! with the same networks; it writes `node-token` and `rke2.yaml` where there is an API, and answers at 9345 and 6443; it
//! tells systemd when it is ready; it refuses labels that a node may not give itself; without images it does not start.
//! The name `refused.invalid` among `tls-san` makes it fail, for tests of a bad configuration.
//!
//! The API, and each node's kubelet, are the stand-ins of `cluster-stand-in`, which its archive has in
//! `share/rke2/cluster-stand-in`. What is said at port 9345 is plain and its own.

mod config;
mod join;
mod node;

use config::Config;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a part of the stand-in says when it fails.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome<T = ()> = Result<T, Failure>;

const CONFIG: &str = "/etc/rancher/rke2/config.yaml";

/// The folder `share/rke2` beside the program's own.
fn share() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let prefix = program.parent().and_then(|bin| bin.parent()).map(PathBuf::from);
    prefix.unwrap_or_default().join("share/rke2")
}

fn version() -> String {
    let text = std::fs::read_to_string(share().join("version")).unwrap_or_else(|_| "v0.0.0+rke2r0".into());
    text.trim().to_owned()
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--version"] => {
            println!("rke2 version {} (stand-in)\ngo version none", version());
            Ok(())
        }
        ["server"] => Config::read(CONFIG, true).and_then(|config| node::server(&config)),
        ["agent"] => Config::read(CONFIG, false).and_then(|config| node::agent(&config)),
        _ => Err("rke2 --version, rke2 server, rke2 agent".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("level=fatal msg=\"{error}\"");
            ExitCode::FAILURE
        }
    }
}
