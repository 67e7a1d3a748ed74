//! Stand-ins for the cluster behind the fronts, in the networks of its hosts.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::program_path;
use crate::testbed::Testbed;

/// What the ingresses and services of a cluster listen on: HTTP ports, then plain TCP ports.
pub const MAIN_CLUSTER: &[&str] = &["30080", "31080", "30900", "--tcp", "31432", "--tcp", "31616"];
/// The ingress of the observation cluster.
pub const OBS_CLUSTER: &[&str] = &["30080"];

/// Stand-ins that run until this goes.
pub struct StandIns(Vec<Child>);

impl StandIns {
    /// Starts one in the network of each host; all listen when this returns.
    ///
    /// # Panics
    /// A port is taken.
    pub fn start(testbed: &Testbed, hosts: &[&str], ports: &[&str]) -> Self {
        let path = program_path("MOSIP_PROV_STAND_IN", "upstream-stand-in", "mosip-prov-tests");
        let path = path.to_string_lossy();
        let children = hosts.iter().map(|host| {
            let mut child = testbed
                .within(host, &path)
                .args(ports)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a stand-in");
            let mut line = String::new();
            let out = child.stdout.take().expect("its output");
            BufReader::new(out).read_line(&mut line).expect("its first line");
            assert_eq!(line.trim(), "ready", "the stand-in on {host} does not listen");
            child
        });
        Self(children.collect())
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Its input closes, and it ends.
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}
