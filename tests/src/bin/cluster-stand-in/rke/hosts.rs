//! The first stages of `rke up`, in which hosts are looked at and get what they need, and the one of `rke remove`.

use std::collections::BTreeMap;

use super::Files;
use super::config;
use super::log::Log;
use super::remote::{self, Unreachable};
use super::up::{KUBERNETES, SSL, Up, each, home};
use crate::client::kubeconfig;
use crate::{Failure, Outcome, pki};

/// The Docker versions that RKE v1.3.10 takes.
const DOCKERS: [&str; 8] = ["1.13", "17.03", "17.06", "17.09", "18.06", "18.09", "19.03", "20.10"];

impl Up<'_> {
    /// Logs in everywhere; who does not answer is left out.
    ///
    /// # Errors
    /// Too few answer.
    pub fn tunnels(&mut self) -> Outcome {
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

    /// Brings image and certificates to the nodes, and the kubeconfig here.
    ///
    /// # Errors
    /// A node does not take them, or is of another cluster.
    pub fn certificates(&mut self) -> Outcome {
        self.log.info("[network] Deploying port listener containers");
        let taken = self.live.iter().find(|(node, seen)| {
            node.is("controlplane") && seen.port_taken && !seen.containers.contains_key("kube-apiserver")
        });
        if let Some((node, _)) = taken {
            return Err(format!(
                "[network] Failed to start [rke-cp-port-listener] container on host [{}]: listen tcp 0.0.0.0:6443: bind: \
                 address already in use",
                node.address
            )
            .into());
        }
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
