//! The fleet's inventory in the shape operators write today, with variables and certificates of a test authority.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::hosts::{self, HOSTS, STATE};
use super::{registry, wireguard_image};
use crate::sh::{self, Context, Result};

const DOMAIN: &str = "mosip.test";

fn folder() -> PathBuf {
    Path::new(STATE).join("inventory")
}

/// Writes inventories, `group_vars/all.yml` and, unless good ones are there, the certificates.
pub fn write() -> Result<()> {
    let folder = folder();
    let write = |name: &str, text: String| sh::write(&folder.join(name), text);
    write("rancher.ini", rancher_ini())?;
    write("deploy.ini", deploy_ini())?;
    write("hosts.ini", hosts_ini())?;
    write("group_vars/all.yml", all_yml())?;
    // It names keys that open every host; the files below it are the certificates' private keys.
    sh::set_mode(&folder, 0o700)?;
    certificates()?;
    println!("inventory   {}", folder.display());
    Ok(())
}

fn vars() -> String {
    format!(
        "\n[all:vars]\nansible_user=ubuntu\nansible_ssh_private_key_file={}\nansible_host_key_checking=False\n",
        hosts::key().display()
    )
}

fn with_prefix(prefix: &str) -> impl Iterator<Item = &'static hosts::Host> + '_ {
    HOSTS.iter().filter(move |host| host.name.starts_with(prefix))
}

fn rancher_ini() -> String {
    let mut text = String::from("[physical_vms]\n# Physical VMs where nodes are running\n");
    for host in with_prefix("vm") {
        text.push_str(&format!("{} ansible_host={}\n", host.name, host.address));
    }
    let vms: Vec<_> = with_prefix("vm").collect();
    for (group, comment, node, role, on) in [
        (
            "control_plane_nodes",
            "Control plane nodes - responsible for managing the cluster",
            "control",
            "control",
            &vms[..3],
        ),
        (
            "etcd_nodes",
            "etcd nodes - responsible for storing cluster state",
            "etcd",
            "etcd",
            &vms[..3],
        ),
        (
            "worker_nodes",
            "Worker nodes - where applications run",
            "worker",
            "worker",
            &vms[3..],
        ),
    ] {
        text.push_str(&format!("\n[{group}]\n# {comment}\n"));
        for (index, host) in on.iter().enumerate() {
            text.push_str(&format!(
                "{node}-{} physical_vm={} node_ip={}\n",
                index + 1,
                host.name,
                host.address
            ));
        }
        text.push_str(&format!("\n[{group}:vars]\nnode_role={role}\n"));
    }
    text.push_str("\n[rancher_nodes:children]\ncontrol_plane_nodes\netcd_nodes\nworker_nodes\n");
    for (group, comment, prefix) in [
        ("mosip_obs", "Single node Rancher OBS cluster", "obs-node"),
        ("nginx", "Add your nginx nodes here", "nginx-node"),
        ("nginx_obs", "Add your OBS nginx nodes here", "nginx-obs"),
    ] {
        text.push_str(&format!("\n[{group}]\n# {comment}\n"));
        for host in with_prefix(prefix) {
            text.push_str(&format!("{} ansible_host={}\n", host.name, host.address));
        }
    }
    text.push_str("\n[mosip_obs:vars]\nnode_role=obs\n");
    text.push_str(&vars());
    text
}

/// The same fleet, deployed from a host of it instead of from this machine.
fn deploy_ini() -> String {
    let mut text = String::from("[deployment]\n");
    for host in HOSTS.iter().filter(|host| host.deployment) {
        text.push_str(&format!("{} ansible_host={}\n", host.name, host.address));
    }
    // How the deployment node reaches the others, as opposed to how this machine reaches all.
    text.push_str("\n[deployment:vars]\nssh_user=ubuntu\nssh_key_path=/home/ubuntu/.ssh/id_ed25519\n\n");
    text.push_str(&rancher_ini());
    text
}

fn hosts_ini() -> String {
    let mut text = String::from("[wireguard]\n");
    for host in with_prefix("wireguard") {
        text.push_str(&format!(
            "{} ansible_host={} wireguard_endpoint={}\n",
            host.name, host.address, host.address
        ));
    }
    text.push_str("\n[wireguard:vars]\nansible_become=yes\nansible_become_method=sudo\n");
    // The stand-in for the image, and what its hosts' Docker must be told here.
    text.push_str(&format!(
        "wireguard_image={}\nwireguard_docker_daemon_config={{'insecure-registries': ['{}'], 'storage-driver': 'vfs'}}\n",
        wireguard_image::reference(),
        registry::address()
    ));
    text.push_str(&vars());
    text
}

fn all_yml() -> String {
    format!(
        "---
# The DNS domain of the installation
mosip_domain: {DOMAIN}
# Reserved for documentation: nothing is there.
mosip_public_ip: 203.0.113.31

# Names the observation front serves
nginx_obs_public_domain_names: \"rancher.{DOMAIN} keycloak.{DOMAIN}\"

# Kernel settings of a Kubernetes node; those only that a network namespace has of its own,
# since vm.*, fs.* and kernel.* would be those of the machine that carries the hosts.
sysctl_params:
  net.core.somaxconn: 32768
  net.ipv4.ip_forward: 1
  net.ipv4.ip_local_port_range: \"1024 65535\"
  net.ipv4.tcp_fin_timeout: 15
  net.ipv4.tcp_keepalive_intvl: 30
  net.ipv4.tcp_keepalive_probes: 5
  net.ipv4.tcp_keepalive_time: 600
  net.ipv4.tcp_max_syn_backlog: 8096
  net.ipv4.tcp_mtu_probing: 1
  net.ipv4.tcp_retries2: 8
  net.ipv4.tcp_rmem: \"4096 87380 16777216\"
  net.ipv4.tcp_slow_start_after_idle: 0
  net.ipv4.tcp_syn_retries: 3
  net.ipv4.tcp_synack_retries: 3
  net.ipv4.tcp_tw_reuse: 1
  net.ipv4.tcp_wmem: \"4096 65536 16777216\"
  net.ipv4.conf.all.rp_filter: 0

# Few packages, so that six hosts are ready soon
required_packages: [apt-transport-https, ca-certificates, curl, nfs-common]

# The distribution's Docker: Docker's own repository is out of reach here
docker_install_from_apt: true
# The hosts stand on an overlay themselves, on which none can be mounted
docker_storage_driver: vfs
docker_overlay2_override_kernel_check: false
# Nor may they raise limits: no container would start with more
docker_daemon_config: {{ ulimit_nofile: 16384, ulimit_nproc: 16384 }}
disable_swap: true

# All hosts share this machine, which is none of the guide's sizes
check_min_vcpus: 1
check_min_memory: 2
check_min_disk: 8
# What is free on this machine's disk is free on every host, all at once
check_min_free_disk: 64
"
    )
}

/// A test authority (`ca.pem` in the state folder) and a pair for each front, signed by it for the domain and all below.
fn certificates() -> Result<()> {
    let state = Path::new(STATE);
    let (ca, ca_key) = (state.join("ca.pem"), state.join("ca.key"));
    let fronts = ["nginx", "nginx_obs"].map(|name| folder().join("files").join(name));
    let month = "2592000";
    let good = |path: &Path| {
        sh::succeeds(&[
            "openssl",
            "x509",
            "-noout",
            "-checkend",
            month,
            "-in",
            &path.to_string_lossy(),
        ])
    };
    if good(&ca)
        && fronts
            .iter()
            .all(|front| good(&front.join("fullchain.pem")) && front.join("privkey.pem").exists())
    {
        return Ok(());
    }
    openssl(|command| {
        command
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
            ])
            .args(["-days", "3650", "-subj", "/CN=mosip-prov testbed CA", "-keyout"])
            .arg(&ca_key)
            .args(["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out"])
            .arg(&ca);
    })?;
    sh::set_mode(&ca_key, 0o600)?;
    for front in fronts {
        fs::create_dir_all(&front).doing(format!("cannot make {}", front.display()))?;
        let (chain, key) = (front.join("fullchain.pem"), front.join("privkey.pem"));
        openssl(|command| {
            command
                .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "825"])
                .args(["-subj", &format!("/CN=*.{DOMAIN}"), "-keyout"])
                .arg(&key)
                .arg("-CA")
                .arg(&ca)
                .arg("-CAkey")
                .arg(&ca_key)
                .args(["-addext", &format!("subjectAltName=DNS:*.{DOMAIN},DNS:{DOMAIN}")])
                .args(["-addext", "basicConstraints=critical,CA:FALSE"])
                .args(["-addext", "extendedKeyUsage=serverAuth", "-out"])
                .arg(&chain);
        })?;
        let mut text = fs::read_to_string(&chain).doing("cannot read the new certificate")?;
        text.push_str(&fs::read_to_string(&ca).doing("cannot read the test authority")?);
        sh::write(&chain, text)?;
        sh::set_mode(&key, 0o600)?;
        sh::set_mode(&chain, 0o600)?;
    }
    Ok(())
}

fn openssl(arguments: impl FnOnce(&mut Command)) -> Result<()> {
    let mut command = Command::new("openssl");
    arguments(&mut command);
    sh::output(&mut command).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inventory_has_the_groups_of_the_guide() {
        let text = rancher_ini();
        for line in [
            "vm6 ansible_host=10.61.0.16",
            "control-3 physical_vm=vm3 node_ip=10.61.0.13",
            "etcd-1 physical_vm=vm1 node_ip=10.61.0.11",
            "worker-1 physical_vm=vm4 node_ip=10.61.0.14",
            "worker-3 physical_vm=vm6 node_ip=10.61.0.16",
            "[rancher_nodes:children]",
            "obs-node-1 ansible_host=10.61.0.21",
            "nginx-node-1 ansible_host=10.61.0.31",
            "nginx-obs-node-1 ansible_host=10.61.0.32",
            "ansible_host_key_checking=False",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}\n{text}");
        }
        let deploy = deploy_ini();
        assert!(
            deploy.starts_with("[deployment]\ndeployment-node ansible_host=10.61.0.51\n"),
            "{deploy}"
        );
        assert!(deploy.ends_with(&text), "{deploy}");
        assert!(hosts_ini().contains("wireguard-node ansible_host=10.61.0.41 wireguard_endpoint=10.61.0.41"));
    }
}
