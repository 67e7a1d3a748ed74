//! `rke up`, stage by stage.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Files;
use super::addons::{self, Objects};
use super::config::{self, Cluster, Node};
use super::log::Log;
use super::remote::{self, Image, Seen};
use super::state::{self, FullState};
use crate::client::Client;
use crate::objects::text;
use crate::{Outcome, pki};

/// Where certificates are on a node.
pub const SSL: &str = "/etc/kubernetes/ssl";
/// Where RKE writes on a node.
pub const KUBERNETES: &str = "/etc/kubernetes";
const ETCD: &str = "/var/lib/etcd";

/// A run.
pub struct Up<'r> {
    /// Where its files are.
    pub files: &'r Files,
    /// What it says.
    pub log: &'r Log,
    /// The cluster that is wanted.
    pub cluster: Cluster,
    /// The state file's content.
    pub state: FullState,
    /// What nodes run.
    pub image: Image,
    /// The digest of the cluster's authority.
    pub authority: String,
    /// The nodes that answered, with what they are like.
    pub live: Vec<(Node, Seen)>,
    /// The addresses of those that did not.
    pub silent: Vec<String>,
}

/// The home of whoever runs this.
pub fn home() -> String {
    std::env::var("HOME").unwrap_or_default()
}

/// Brings a cluster up.
///
/// # Errors
/// What RKE would say.
pub fn up(files: &Files, only_begin: bool, log: &Log) -> Outcome {
    let text = std::fs::read_to_string(&files.config).map_err(|error| {
        format!(
            "Failed to resolve cluster file: Can not find cluster configuration file: open {}: {error}",
            files.config.display()
        )
    })?;
    let cluster = config::read(&text, &home())?;
    log.info("Initiating Kubernetes cluster");
    let mut state = FullState::read(&files.state)?.unwrap_or_default();
    if state.desired.certificates.is_empty() {
        log.info("[certificates] Generating CA kubernetes certificates");
        log.info("[certificates] Generating Kubernetes API server certificates");
        log.info("[certificates] Generating admin certificates and kubeconfig");
    }
    state::complete(&mut state.desired.certificates, &cluster)?;
    state.desired.config = Some(cluster.document.clone());
    state.write(&files.state)?;
    log.info(format!(
        "Successfully Deployed state file at [{}]",
        files.state.display()
    ));
    let authority = pki::digest(state.certificate("kube-ca")?.certificate.as_bytes());
    let mut run = Up {
        files,
        log,
        cluster,
        state,
        image: Image::of_this_program()?,
        authority,
        live: Vec::new(),
        silent: Vec::new(),
    };
    run.stage("init")?;
    if only_begin {
        return Ok(());
    }
    log.info("Building Kubernetes cluster");
    run.tunnels()?;
    run.certificates()?;
    run.reconcile()?;
    run.etcd()?;
    let client = run.control_plane()?;
    run.workers(&client)?;
    run.network_and_addons(&client)?;
    if !run.silent.is_empty() {
        return Err(format!(
            "Provisioning incomplete, host(s) [{}] skipped because they could not be contacted",
            run.silent.join(",")
        )
        .into());
    }
    log.info("Finished building Kubernetes cluster successfully");
    Ok(())
}

impl Up<'_> {
    /// Waits or fails here when a test wants that.
    pub fn stage(&self, name: &str) -> Outcome {
        let wishes = std::fs::read_to_string(&self.files.wishes).unwrap_or_default();
        let wishes: Value = serde_json::from_str(&wishes).unwrap_or_default();
        let from_environment = || std::env::var("RKE_STAND_IN_PAUSE").ok()?.parse().ok();
        let pause = wishes["pauses"][name]
            .as_u64()
            .or_else(|| wishes["pause_ms"].as_u64())
            .or_else(from_environment);
        if let Some(pause) = pause {
            self.log.info(format!("[{name}] a test wants a pause here"));
            std::thread::sleep(Duration::from_millis(pause));
        }
        if wishes["fail"] == name {
            return Err(format!("[{name}] a test wants this stage to fail").into());
        }
        Ok(())
    }

    /// Does the work for all live nodes side by side; the first error counts.
    pub fn each<T: Send>(&self, work: impl Fn(&Node, &Seen) -> Outcome<T> + Sync) -> Outcome<Vec<T>> {
        each(&self.live, |(node, seen)| work(node, seen)).into_iter().collect()
    }

    /// The node whose API server the others pass connections on to.
    ///
    /// # Errors
    /// There is none.
    pub fn first_control(&self) -> Outcome<&(Node, Seen)> {
        let found = self.live.iter().find(|(node, _)| node.is("controlplane"));
        found.ok_or_else(|| "Cluster must have at least one control plane host that can be contacted".into())
    }

    /// Takes away what is no node of the cluster any more.
    fn reconcile(&mut self) -> Outcome {
        self.log.info("[reconcile] Reconciling cluster state");
        let gone = self.state.nodes_gone(&self.cluster, &home());
        for node in &gone {
            self.log
                .info(format!("[hosts] Removing host [{}] from the cluster", node.address));
            let script = "docker rm -f kubelet kube-apiserver >/dev/null 2>&1; true";
            if let Err(error) = remote::run(node, script, b"") {
                self.log.warn(format!(
                    "[reconcile] Couldn't clean up host [{}]: {error}",
                    node.address
                ));
            }
        }
        if self.state.current.config.is_none() {
            self.log.info("[reconcile] This is newly generated cluster");
        }
        self.stage("reconcile")?;
        self.log.info("[reconcile] Reconciled cluster state successfully");
        Ok(())
    }

    fn client(&self) -> Outcome<Client> {
        let (first, _) = self.first_control()?;
        let server = format!("https://{}:6443", first.address);
        let authority = &self.state.certificate("kube-ca")?.certificate;
        Client::new(&server, authority, self.state.certificate("kube-admin")?)
    }

    /// The state is where the first API server is. When that is a fresh host, the copy of another etcd node serves.
    fn etcd(&mut self) -> Outcome {
        self.log.info("[etcd] Building up etcd plane..");
        let (first, seen) = self.first_control()?;
        let own_server = |seen: &Seen| seen.containers.contains_key("kube-apiserver");
        if !own_server(seen) {
            let copies = self.each(|node, seen| {
                if !node.is("etcd") || !seen.containers.get("kubelet").is_some_and(|kubelet| kubelet.running) {
                    return Ok(None);
                }
                let copy = remote::run(node, &format!("docker exec kubelet cat {ETCD}/copy.json || true"), b"")?;
                Ok(serde_json::from_str::<Value>(&copy).ok())
            })?;
            let newest = copies
                .into_iter()
                .flatten()
                .max_by_key(|copy| copy["revision"].as_u64());
            if let Some(copy) = newest {
                self.log.info(format!(
                    "[etcd] Restoring the members of host [{}] from its peers",
                    first.address
                ));
                let files = BTreeMap::from([(format!("{ETCD}/stand-in.json"), copy.to_string())]);
                remote::install_files(first, &self.image.name, ETCD, &files)?;
            }
        }
        for (node, _) in self.live.iter().filter(|(node, _)| node.is("etcd")) {
            self.log.info(format!(
                "[etcd] Running rolling snapshot container on host [{}]",
                node.address
            ));
        }
        self.stage("etcd")?;
        self.log
            .info("[etcd] Successfully started etcd plane.. Checking etcd cluster health");
        Ok(())
    }

    fn control_plane(&mut self) -> Outcome<Client> {
        self.log.info("[controlplane] Building up Controller Plane..");
        let (first, _) = self.first_control()?;
        let first = first.address.clone();
        let server = &self.state.certificate("kube-apiserver")?.certificate;
        self.each(|node, seen| {
            if !node.is("controlplane") {
                return Ok(false);
            }
            let mut words = vec!["kube-apiserver".to_owned()];
            if node.address == first {
                words.extend(["--pki", SSL, "--data", ETCD].map(String::from));
                words.extend(["--kubernetes-version".into(), self.cluster.kubernetes().into()]);
            } else {
                words.extend(["--upstream".into(), format!("{first}:6443")]);
            }
            // A new certificate means a new start.
            let mounts = [
                format!("{KUBERNETES}:{KUBERNETES}:ro"),
                format!("{ETCD}:{ETCD}"),
                format!("/dev/null:/run/certificate-{}", pki::digest(server.as_bytes())),
            ];
            let mounts: Vec<&str> = mounts.iter().map(String::as_str).collect();
            let image = &self.image.name;
            let started = remote::ensure(node, seen, image, &self.authority, "kube-apiserver", &mounts, &words)?;
            if started {
                let address = &node.address;
                self.log.info(format!(
                    "[controlplane] Successfully started [kube-apiserver] container on host [{address}]"
                ));
            }
            Ok(started)
        })?;
        let client = self.client()?;
        let began = Instant::now();
        loop {
            match client.get("/readyz") {
                Ok(_) => break,
                Err(error) if began.elapsed() > Duration::from_secs(40) => {
                    return Err(format!(
                        "[controlPlane] Failed to bring up Control Plane: [Failed to verify healthcheck: Failed to check \
                         https://localhost:6443/healthz for service [kube-apiserver] on host [{first}]: {error}]"
                    )
                    .into());
                }
                Err(_) => std::thread::sleep(Duration::from_millis(250)),
            }
        }
        self.stage("controlplane")?;
        self.log.info("[controlplane] Successfully started Controller Plane..");
        self.log.info("[authz] Creating rke-job-deployer ServiceAccount");
        self.state.current = self.state.desired.clone();
        self.state.write(&self.files.state)?;
        self.log.info(format!(
            "Successfully Deployed state file at [{}]",
            self.files.state.display()
        ));
        self.log.info("[state] Saving full cluster state to Kubernetes");
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "full-cluster-state"},
                         "data": {"full-cluster-state": serde_json::to_string(&self.state)?}});
        client.apply("/api/v1/namespaces/kube-system/configmaps", &map)?;
        self.log
            .info("[state] Successfully Saved full cluster state to Kubernetes ConfigMap: full-cluster-state");
        Ok(client)
    }

    fn workers(&self, client: &Client) -> Outcome {
        self.log.info("[worker] Building up Worker Plane..");
        let (first, _) = self.first_control()?;
        self.each(|node, seen| {
            let mut words = vec!["kubelet".to_owned()];
            let server = format!("https://{}:6443", first.address);
            for (flag, value) in [
                ("--name", node.name.as_str()),
                ("--address", &node.address),
                ("--server", &server),
                ("--pki", SSL),
                ("--kubernetes-version", self.cluster.kubernetes()),
            ] {
                words.extend([flag.into(), value.into()]);
            }
            if node.is("etcd") {
                words.extend(["--etcd-dir".into(), ETCD.into()]);
            }
            let certificates = format!("{KUBERNETES}:{KUBERNETES}:ro");
            let mounts = [
                certificates.as_str(),
                "/etc/cni:/etc/cni",
                "/var/lib/etcd:/var/lib/etcd",
            ];
            let image = &self.image.name;
            if remote::ensure(node, seen, image, &self.authority, "kubelet", &mounts, &words)? {
                let address = &node.address;
                self.log.info(format!(
                    "[worker] Successfully started [kubelet] container on host [{address}]"
                ));
            }
            Ok(())
        })?;
        self.stage("worker")?;
        let began = Instant::now();
        for (node, _) in &self.live {
            let path = format!("/api/v1/nodes/{}", node.name);
            let have = loop {
                match client.get(&path)? {
                    Some(have) => break have,
                    None if began.elapsed() > Duration::from_secs(40) => {
                        return Err(format!(
                            "[workerPlane] Failed to bring up Worker Plane: [Failed to verify healthcheck: Failed to \
                             check http://localhost:10248/healthz for service [kubelet] on host [{}]]",
                            node.address
                        )
                        .into());
                    }
                    None => std::thread::sleep(Duration::from_millis(250)),
                }
            };
            self.label(client, &path, node, &have)?;
        }
        for gone in client
            .get("/api/v1/nodes")?
            .iter()
            .flat_map(|list| list["items"].as_array().into_iter().flatten())
        {
            let name = text(gone, "/metadata/name");
            if !self.cluster.nodes.iter().any(|node| node.name == name) {
                client.send("DELETE", &format!("/api/v1/nodes/{name}"), "application/json", None)?;
                self.log
                    .info(format!("[hosts] Successfully deleted host [{name}] from the cluster"));
            }
        }
        self.log.info("[worker] Successfully started Worker Plane..");
        self.log.info("[sync] Successfully synced nodes Labels and Taints");
        Ok(())
    }

    /// Gives a node its labels and taints, and takes those away that RKE gave it before.
    fn label(&self, client: &Client, path: &str, node: &Node, have: &Value) -> Outcome {
        const GIVEN: &str = "rke.cattle.io/given-labels";
        let wanted = node.all_labels();
        let given = text(have, "/metadata/annotations/rke.cattle.io~1given-labels").split(',');
        let mut labels: BTreeMap<&str, Value> = given
            .filter(|name| !name.is_empty())
            .map(|name| (name, Value::Null))
            .collect();
        labels.extend(wanted.iter().map(|(name, value)| (name.as_str(), json!(value))));
        let names: Vec<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
        let patch = json!({
            "metadata": {"labels": labels, "annotations": {GIVEN: names.join(",")}}, "spec": {"taints": node.taints()},
        });
        match client.send("PATCH", path, "application/merge-patch+json", Some(&patch))? {
            (200, _) => Ok(()),
            (code, answer) => Err(format!("[sync] {path}: {code} {}", answer["message"]).into()),
        }
    }

    fn network_and_addons(&self, client: &Client) -> Outcome {
        let plugin = &self.cluster.plugin;
        self.log.info(format!("[network] Setting up network plugin: {plugin}"));
        self.addon(client, "rke-network-plugin", &addons::network(&self.cluster))?;
        self.stage("network")?;
        for (map, what, objects) in [
            ("rke-coredns-addon", "CoreDNS", addons::dns(&self.cluster)),
            ("rke-metrics-addon", "Metrics Server", addons::metrics(&self.cluster)),
            ("rke-ingress-controller", "nginx", addons::ingress(&self.cluster)),
        ] {
            self.log.info(format!("[addons] Setting up {what}"));
            self.addon(client, map, &objects)?;
        }
        self.stage("addons")?;
        self.log.info("[addons] Setting up user addons");
        self.log.info("[addons] no user addons defined");
        Ok(())
    }

    /// As RKE: what an addon consists of is kept in a ConfigMap, and applied only when it differs from that.
    fn addon(&self, client: &Client, map: &str, objects: &Objects) -> Outcome {
        let maps = "/api/v1/namespaces/kube-system/configmaps";
        let content = serde_json::to_string(objects)?;
        self.log
            .info(format!("[addons] Saving ConfigMap for addon {map} to Kubernetes"));
        let have = client.get(&format!("{maps}/{map}"))?;
        let old = have
            .as_ref()
            .map(|have| text(have, "/data/content").to_owned())
            .unwrap_or_default();
        if old == content {
            return Ok(());
        }
        let old: Objects = serde_json::from_str(&old).unwrap_or_default();
        for (path, object) in &old {
            let name = text(object, "/metadata/name");
            if !objects
                .iter()
                .any(|(other, new)| other == path && text(new, "/metadata/name") == name)
            {
                client.send("DELETE", &format!("{path}/{name}"), "application/json", None)?;
            }
        }
        for (path, object) in objects {
            client.apply(path, object)?;
        }
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": map}, "data": {"content": content}});
        client.apply(maps, &object)?;
        self.log.info(format!(
            "[addons] Successfully saved ConfigMap for addon {map} to Kubernetes"
        ));
        Ok(())
    }
}

/// Does the work for all side by side, and returns what came of it in their order.
pub fn each<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.iter().map(|item| scope.spawn(|| work(item))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, T>| thread.join().expect("a thread of rke");
        threads.into_iter().map(join).collect()
    })
}
