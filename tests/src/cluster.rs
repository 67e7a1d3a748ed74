//! Clusters of stand-ins on the testbed: the tools to build them with, a look at their objects by the real `kubectl`,
//! and what a test may wish of them. `tests/README.md` says what is played.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::testbed::{HERE, Testbed};
use crate::{output, program_path, shown, stdout, write};

/// The stages of `rke up` in their order, as [`Rke::pause`] and [`Rke::fail`] name them.
pub const STAGES: [&str; 10] = [
    "init",
    "tunnel",
    "network-check",
    "certificates",
    "reconcile",
    "etcd",
    "controlplane",
    "worker",
    "network",
    "addons",
];

/// A file with its digest, for variables such as `rke_binary_path` and `rke_sha256`.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Where it is.
    pub path: String,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// Makes a tool (`rke` or `istioctl`) that says it has a version, as an executable file of this machine.
///
/// # Panics
/// It cannot be written.
pub fn tool(folder: &Path, name: &str, version: &str) -> Tool {
    let program = program_path("MOSIP_PROV_CLUSTER_STAND_IN", "cluster-stand-in", "mosip-prov-tests");
    let path = folder.join(name);
    std::fs::create_dir_all(folder).expect("a folder");
    // Without what only a debugger needs it is a third of the size; it goes onto every node.
    let stripped = Command::new("strip").arg("-o").arg(&path).arg(&program).status();
    if !stripped.is_ok_and(|status| status.success()) {
        std::fs::copy(&program, &path).expect("copied");
    }
    let mut bytes = std::fs::read(&path).expect("read");
    bytes.extend_from_slice(format!("\n#stand-in name={name} version={version}\n").as_bytes());
    write(&path, bytes);
    crate::set_mode(&path, 0o755);
    let line = stdout(Command::new("sha256sum").arg(&path));
    Tool {
        sha256: line.split(' ').next().expect("a digest").to_owned(),
        path: path.to_string_lossy().into_owned(),
    }
}

/// The same on a host, below `/home/ubuntu/tools`.
///
/// # Panics
/// It cannot be brought there.
pub fn tool_on(testbed: &Testbed, host: &str, name: &str, version: &str) -> Tool {
    let folder = tempfile::tempdir().expect("a folder");
    let made = tool(folder.path(), name, version);
    let path = format!("/home/ubuntu/tools/{name}-{version}");
    // A running one is not written over.
    let script =
        format!("mkdir -p /home/ubuntu/tools && cat >{path}.new && chmod 755 {path}.new && mv {path}.new {path}");
    let file = std::fs::File::open(&made.path).expect("the tool");
    let done = testbed
        .ssh("ubuntu", host)
        .arg(script)
        .stdin(file)
        .output()
        .expect("ssh");
    assert!(done.status.success(), "{}", shown(&done));
    Tool {
        path,
        sha256: made.sha256,
    }
}

/// Installs the distribution's Docker on hosts, in the short way; what a test of a role may not use.
///
/// # Panics
/// It cannot be installed.
pub fn install_docker(testbed: &Testbed, hosts: &[&str]) {
    let script = r#"command -v docker >/dev/null || {
export DEBIAN_FRONTEND=noninteractive
mkdir -p /etc/docker && echo "{\"storage-driver\":\"vfs\"}" >/etc/docker/daemon.json
apt-get -qq update && apt-get -qq -y --no-install-recommends install docker.io >/dev/null
usermod -aG docker ubuntu; }"#;
    on_all(hosts, |host| drop(testbed.root(host, script)));
}

/// Takes all of a cluster away from hosts; Docker stays.
///
/// # Panics
/// A host cannot be reached.
pub fn remove(testbed: &Testbed, hosts: &[&str]) {
    let script = "if command -v docker >/dev/null; then
docker ps -aq --filter label=stand-in.authority | xargs -r docker rm -f >/dev/null; fi
rm -rf /etc/kubernetes /etc/cni /var/lib/etcd";
    on_all(hosts, |host| drop(testbed.root(host, script)));
}

fn on_all(hosts: &[&str], work: impl Fn(&str) + Sync) {
    std::thread::scope(|scope| {
        for host in hosts {
            scope.spawn(|| work(host));
        }
    });
}

/// A folder of a host with a `cluster.yml`, where `rke` is run.
pub struct Rke<'t> {
    testbed: &'t Testbed,
    host: &'t str,
    /// The folder.
    pub folder: String,
}

impl<'t> Rke<'t> {
    /// That folder of a host; it need not be there yet.
    pub fn in_folder(testbed: &'t Testbed, host: &'t str, folder: &str) -> Self {
        Self {
            testbed,
            host,
            folder: folder.into(),
        }
    }

    /// Writes a file in the folder.
    ///
    /// # Panics
    /// It cannot.
    pub fn write(&self, name: &str, text: &str) {
        let (folder, text) = (&self.folder, text.replace('\'', r"'\''"));
        let script = format!("mkdir -p {folder} && printf %s '{text}' >{folder}/{name}");
        let done = output(self.testbed.ssh("ubuntu", self.host).arg(script));
        assert!(done.status.success(), "{}", shown(&done));
    }

    /// Every `rke up` of this folder waits so long in that stage, until [`Rke::undisturbed`].
    pub fn pause(&self, stage: &str, milliseconds: u64) {
        assert!(STAGES.contains(&stage), "no stage {stage}");
        self.write(
            "rke-stand-in.json",
            &json!({"pauses": {stage: milliseconds}}).to_string(),
        );
    }

    /// Every `rke up` of this folder fails in that stage, until [`Rke::undisturbed`].
    pub fn fail(&self, stage: &str) {
        assert!(STAGES.contains(&stage), "no stage {stage}");
        self.write("rke-stand-in.json", &json!({"fail": stage}).to_string());
    }

    /// No pause and no failure any more.
    pub fn undisturbed(&self) {
        self.write("rke-stand-in.json", "{}");
    }

    /// A command that runs `rke` there with its output on standard output; [`Rke::kill`] ends the last one.
    pub fn command(&self, tool: &Tool, words: &str) -> Command {
        let mut command = self.testbed.ssh("ubuntu", self.host);
        let script = format!("cd {} && echo $$ >rke.pid && exec {} {words}", self.folder, tool.path);
        command.arg(script).stdin(Stdio::null());
        command
    }

    /// Ends a running `rke` of [`Rke::command`] as a power failure would.
    ///
    /// # Panics
    /// None runs.
    pub fn kill(&self) {
        self.testbed
            .root(self.host, &format!("kill -9 $(cat {}/rke.pid)", self.folder));
    }

    /// `rke up`, to its end.
    pub fn up(&self, tool: &Tool) -> Output {
        output(&mut self.command(tool, "up --config cluster.yml"))
    }

    /// The cluster that it builds.
    pub fn cluster(&self) -> Cluster<'t> {
        Cluster {
            testbed: self.testbed,
            host: self.host,
            kubeconfig: format!("{}/kube_config_cluster.yml", self.folder),
        }
    }
}

/// A cluster, looked at by the real `kubectl` of a host.
pub struct Cluster<'t> {
    testbed: &'t Testbed,
    host: &'t str,
    kubeconfig: String,
}

impl<'t> Cluster<'t> {
    /// By a kubeconfig that is on a host with `kubectl`.
    pub fn by(testbed: &'t Testbed, host: &'t str, kubeconfig: &str) -> Self {
        Self {
            testbed,
            host,
            kubeconfig: kubeconfig.into(),
        }
    }

    /// Runs `kubectl` with words for a shell, and `input` for `-f -`.
    pub fn try_kubectl(&self, words: &str, input: &str) -> Output {
        let script = format!("KUBECONFIG={} kubectl --request-timeout=20s {words}", self.kubeconfig);
        let mut child = self
            .testbed
            .ssh("ubuntu", self.host)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ssh");
        let mut stdin = child.stdin.take().expect("its input");
        // A `kubectl` that fails early reads none of it.
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("its end")
    }

    /// The same, having succeeded: what it printed.
    ///
    /// # Panics
    /// It failed.
    #[track_caller]
    pub fn kubectl(&self, words: &str, input: &str) -> String {
        let done = self.try_kubectl(words, input);
        assert!(done.status.success(), "kubectl {words}\n{}", shown(&done));
        String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
    }

    /// `kubectl get WORDS -o json`.
    ///
    /// # Panics
    /// It failed.
    #[track_caller]
    pub fn get(&self, words: &str) -> Value {
        serde_json::from_str(&self.kubectl(&format!("get {words} -o json"), "")).expect("JSON")
    }

    /// The names of the nodes that are ready, sorted.
    ///
    /// # Panics
    /// The API cannot be reached.
    #[track_caller]
    pub fn ready_nodes(&self) -> Vec<String> {
        let nodes = self.get("nodes");
        let ready = |node: &&Value| {
            let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
            conditions
                .into_iter()
                .any(|one| one["type"] == "Ready" && one["status"] == "True")
        };
        let items = nodes["items"].as_array().expect("a list").iter().filter(ready);
        let mut names: Vec<String> = items
            .map(|node| node["metadata"]["name"].as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        names
    }

    /// Waits until just these nodes are ready.
    ///
    /// # Panics
    /// They are not within 40 s.
    #[track_caller]
    pub fn wait_ready(&self, nodes: &[&str]) {
        let began = std::time::Instant::now();
        loop {
            let have = self.ready_nodes();
            if have == nodes {
                return;
            }
            assert!(began.elapsed().as_secs() < 40, "ready are {have:?}, not {nodes:?}");
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
    }

    /// What a test wishes of the cluster: `not_ready_nodes` (names), `stuck_pods` (`namespace/start of name`, which stay
    /// in creation), `pod_delay_ms`, `definition_delay_ms`. `{}` undoes all.
    ///
    /// # Panics
    /// The API cannot be reached.
    #[track_caller]
    pub fn wish(&self, wishes: &Value) {
        self.kubectl("replace --raw /stand-in/settings -f -", &wishes.to_string());
    }
}

/// A stand-in for Rancher's import URL on this machine's address on the hosts' network; ends when this goes.
pub struct ImportServer {
    child: Child,
    address: String,
}

impl ImportServer {
    /// Starts it.
    ///
    /// # Panics
    /// It cannot listen.
    pub fn start() -> Self {
        let program: PathBuf = program_path("MOSIP_PROV_CLUSTER_STAND_IN", "cluster-stand-in", "mosip-prov-tests");
        let mut child = Command::new(program)
            .args(["import-server", "--listen", &format!("{HERE}:0")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the import server");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("its first line");
        let address = line.trim().strip_prefix("ready ").expect("it listens").to_owned();
        Self { child, address }
    }

    /// The URL of `good.yaml` (a manifest), `html.yaml` (a login page), `other.yaml` (YAML, but no manifest),
    /// `broken.yaml` (no YAML), `moved.yaml` (a redirect to the good one), `slow.yaml`, or of what is not there (404).
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/v3/import/{name}", self.address)
    }
}

impl Drop for ImportServer {
    fn drop(&mut self) {
        // Its input closes, and it ends.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
