//! `rke up`, stage by stage, and `rke remove`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Files;
use super::addons::{self, Objects};
use super::config::{self, Cluster, Node};
use super::log::Log;
use super::remote::{self, Image, Seen, Unreachable};
use super::state::{self, FullState};
use crate::client::{Client, kubeconfig};
use crate::objects::text;
use crate::{Failure, Outcome, pki};

/// The Docker versions that RKE v1.3.10 takes.
const DOCKERS: [&str; 8] = ["1.13", "17.03", "17.06", "17.09", "18.06", "18.09", "19.03", "20.10"];
const SSL: &str = "/etc/kubernetes/ssl";
const KUBERNETES: &str = "/etc/kubernetes";
const ETCD: &str = "/var/lib/etcd";

/// A run.
struct Up<'r> {
    files: &'r Files,
    log: &'r Log,
    cluster: Cluster,
    state: FullState,
    image: Image,
    authority: String,
    /// The nodes that answered, with what they are like.
    live: Vec<(Node, Seen)>,
    /// The addresses of those that did not.
    silent: Vec<String>,
}

fn home() -> String {
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
    fn stage(&self, name: &str) -> Outcome {
        let wishes = std::fs::read_to_string(&self.files.wishes).unwrap_or_default();
        let wishes: Value = serde_json::from_str(&wishes).unwrap_or_default();
        let from_environment = || std::env::var("RKE_STAND_IN_PAUSE").ok()?.parse().ok();
        let pause = wishes["pauses"][name]
            .as_u64()
            .or_else(|| wishes["pause_ms"].as_u64())
            .or_else(from_environment);
        std::thread::sleep(Duration::from_millis(pause.unwrap_or(0)));
        if wishes["fail"] == name {
            return Err(format!("[{name}] a test wants this stage to fail").into());
        }
        Ok(())
    }

    /// Does the work for all live nodes side by side; the first error counts.
    fn each<T: Send>(&self, work: impl Fn(&Node, &Seen) -> Outcome<T> + Sync) -> Outcome<Vec<T>> {
        each(&self.live, |(node, seen)| work(node, seen)).into_iter().collect()
    }

    fn first_control(&self) -> Outcome<&(Node, Seen)> {
        let found = self.live.iter().find(|(node, _)| node.is("controlplane"));
        found.ok_or_else(|| "Cluster must have at least one control plane host that can be contacted".into())
    }

    fn tunnels(&mut self) -> Outcome {
        for node in &self.cluster.nodes {
            self.log
                .info(format!("[dialer] Setup tunnel for host [{}]", node.address));
        }
        let looks = each(&self.cluster.nodes, |node| remote::look(node, &self.image.name));
        for (node, look) in self.cluster.nodes.iter().zip(looks) {
            let address = &node.address;
            match look {
                Ok(seen) => self.live.push((node.clone(), seen)),
                Err(why) => {
                    let why = match why {
                        Unreachable::Login(said) => format!(
                            "Can't retrieve Docker Info: error during connect: Unable to access node with address \
                             [{address}:{}] using SSH. Please check if you are able to SSH to the node using the \
                             specified SSH Private Key and if you have configured the correct SSH username. Error: {said}",
                            node.port
                        ),
                        Unreachable::Docker(said) => format!(
                            "Can't retrieve Docker Info: error during connect: Failed to dial to Docker. Please check if \
                             the configured user can execute `docker ps` on the node. Error: {said}"
                        ),
                    };
                    self.log
                        .warn(format!("Failed to set up SSH tunneling for host [{address}]: {why}"));
                    self.silent.push(address.clone());
                }
            }
        }
        for (node, seen) in &self.live {
            let series = seen.docker.split('.').take(2).collect::<Vec<_>>().join(".");
            if !DOCKERS.contains(&series.as_str()) {
                let what = format!(
                    "Unsupported Docker version found [{}] on host [{}], supported versions are [{}]",
                    seen.docker,
                    node.address,
                    DOCKERS.map(|series| format!("{series}.x")).join(" ")
                );
                if self.cluster.document["ignore_docker_version"] == false {
                    return Err(what.into());
                }
                self.log.warn(what);
            }
        }
        for address in &self.silent {
            self.log.warn(format!("Removing host [{address}] from node lists"));
        }
        if !self.live.iter().any(|(node, _)| node.is("etcd")) {
            return Err(format!(
                "Cluster must have at least one etcd plane host: failed to connect to the following etcd host(s) [{}]",
                self.silent.join(" ")
            )
            .into());
        }
        self.first_control()?;
        self.stage("tunnel")
    }

    fn certificates(&mut self) -> Outcome {
        self.log.info("[network] Deploying port listener containers");
        self.log
            .info("[network] Port listener containers deployed successfully");
        self.each(|node, seen| {
            if !seen.has_image {
                self.log.info(format!(
                    "Pulling image [{}] on host [{}], try #1",
                    self.image.name, node.address
                ));
                remote::import(node, &self.image)?;
            }
            Ok(())
        })?;
        self.stage("network-check")?;
        self.log
            .info("[certificates] Deploying kubernetes certificates to Cluster nodes");
        // What is there already is of another cluster, or of this one before its state was lost.
        let old = self.live.iter().find(|(node, seen)| {
            let of_another = |container: &remote::Container| container.authority != self.authority;
            node.is("etcd") && seen.containers.values().any(of_another)
        });
        let foreign = old.map(|(node, _)| node.address.clone());
        if foreign.is_none() {
            let mut files = BTreeMap::new();
            let mut put = |name: &str, content: &str| files.insert(format!("{SSL}/{name}"), content.to_owned());
            put("kube-ca.pem", &self.state.certificate("kube-ca")?.certificate);
            let node = self.state.certificate("kube-node")?;
            put("kube-node.pem", &node.certificate);
            put("kube-node-key.pem", &node.key);
            let server = self.state.certificate("kube-apiserver")?;
            let mut of_control = files.clone();
            of_control.insert(format!("{SSL}/kube-apiserver.pem"), server.certificate.clone());
            of_control.insert(format!("{SSL}/kube-apiserver-key.pem"), server.key.clone());
            self.each(|node, _| {
                let files = if node.is("controlplane") { &of_control } else { &files };
                remote::install_files(node, &self.image.name, KUBERNETES, files)
            })?;
        }
        let (first, _) = self.first_control()?;
        let text = kubeconfig(
            &self.cluster.name,
            &format!("https://{}:6443", first.address),
            self.state.certificate("kube-ca")?,
            self.state.certificate("kube-admin")?,
        );
        pki::write_private(&self.files.kubeconfig, &text)?;
        let path = self.files.kubeconfig.display();
        self.log
            .info(format!("Successfully Deployed local admin kubeconfig at [{path}]"));
        if let Some(address) = foreign {
            self.log.info("[etcd] Building up etcd plane..");
            return Err(format!(
                "[etcd] Failed to bring up Etcd Plane: etcd cluster is unhealthy: hosts [{address}] failed to report \
                 healthy. Check etcd container logs on each host for more information"
            )
            .into());
        }
        self.log
            .info("[certificates] Successfully deployed kubernetes certificates to Cluster nodes");
        self.stage("certificates")
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

fn each<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.iter().map(|item| scope.spawn(|| work(item))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, T>| thread.join().expect("a thread of rke");
        threads.into_iter().map(join).collect()
    })
}

/// Takes a cluster down: containers, what they wrote, and the state file.
///
/// # Errors
/// The configuration is wrong, or a node cannot be reached.
pub fn remove(files: &Files, log: &Log) -> Outcome {
    let text = std::fs::read_to_string(&files.config)?;
    let cluster = config::read(&text, &home())?;
    log.info("Tearing down Kubernetes cluster");
    let script = format!(
        "image=$(docker inspect -f '{{{{.Config.Image}}}}' kubelet 2>/dev/null) || exit 0
docker rm -f kubelet kube-apiserver >/dev/null 2>&1
docker run --rm --net none -v /usr:/usr:ro -v /etc:/host/etc -v /var/lib:/host/lib $image \
         /bin/rm -rf /host/etc/kubernetes /host/etc/cni /host/lib/etcd
docker image rm $image >/dev/null
docker ps -aq --filter label={} | grep -q . && exit 1; exit 0",
        remote::AUTHORITY
    );
    let outcomes: Vec<Outcome<String>> = each(&cluster.nodes, |node| remote::run(node, &script, b""));
    outcomes.into_iter().collect::<Outcome<Vec<_>>>()?;
    for file in [&files.state, &files.kubeconfig] {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::from(format!("{}: {error}", file.display())));
            }
            _ => log.info(format!("Removing local file: {}", file.display())),
        }
    }
    log.info("Cluster removed successfully");
    Ok(())
}
