//! The files of an installation: what is in them, how they stand to what is there, and writing them.

use crate::plan::Plan;
use mosip_prov_files::Mode;
use mosip_prov_inventory::diagnostic::Diagnostics;
use mosip_prov_terraform::tfvars::Tfvars;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where.
    pub path: PathBuf,
    /// What is in it.
    pub content: String,
}

/// How a file stands to what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is there.
    New,
    /// It is there, the same.
    Same,
    /// Something else is there.
    Different(String),
}

/// The system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct WriteError {
    /// What was to be done.
    pub doing: &'static str,
    /// With which file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// The files of `plan` in `folder`: `inventory/…`, and the values of both Terraform roots, where these are: in
/// `terraform/` of `folder` or of a folder above, else in `folder`.
///
/// # Errors
/// A file of values, or its template, that cannot be read.
pub fn files(plan: &Plan, folder: &Path) -> Result<Vec<File>, Diagnostics> {
    let inventory = folder.join("inventory");
    let mut made = vec![
        File {
            path: inventory.join("rancher.ini"),
            content: rancher_ini(plan),
        },
        File {
            path: inventory.join("group_vars/all.yml"),
            content: all_yml(plan),
        },
    ];
    if let Some((address, endpoint)) = &plan.wireguard {
        made.push(File {
            path: inventory.join("hosts.ini"),
            content: hosts_ini(plan, address, endpoint),
        });
    }
    let base = base_folder(plan);
    let roots = [
        (
            "obs_deployment",
            [
                ("rancher_hostname", format!("rancher.{}", plan.domain)),
                ("kubeconfig_path", format!("{base}/obs/kube_config_cluster.yml")),
            ],
        ),
        (
            "mosip_deployment",
            [
                ("installation_domain", plan.domain.clone()),
                ("kubeconfig_path", format!("{base}/mosip/kube_config_cluster.yml")),
            ],
        ),
    ];
    let mut problems = Diagnostics::new();
    for (root, values) in roots {
        let root = root_folder(folder, root);
        match tfvars(&root, &values) {
            Ok(content) => made.push(File {
                path: root.join("terraform.tfvars"),
                content,
            }),
            Err(found) => problems.extend(found),
        }
    }
    match problems.has_errors() {
        true => Err(problems),
        false => Ok(made),
    }
}

/// The folder of the clusters' files on the deployment node.
fn base_folder(plan: &Plan) -> String {
    match plan.user.as_str() {
        "root" => "/root/rancher".to_owned(),
        user => format!("/home/{user}/rancher"),
    }
}

fn root_folder(folder: &Path, root: &str) -> PathBuf {
    let start = folder
        .canonicalize()
        .or_else(|_| std::path::absolute(folder))
        .unwrap_or_else(|_| folder.to_owned());
    let found = start
        .ancestors()
        .map(|above| above.join("terraform").join(root))
        .find(|root| root.is_dir());
    match found {
        Some(found) if !found.starts_with(&start) => found,
        _ => folder.join("terraform").join(root),
    }
}

/// The values of a root: those that are there, else those of its template, with ours in their places.
fn tfvars(root: &Path, values: &[(&str, String)]) -> Result<String, Diagnostics> {
    let file = root.join("terraform.tfvars");
    let template = root.join("terraform.tfvars.tmp");
    let text = std::fs::read_to_string(&file)
        .or_else(|_| std::fs::read_to_string(&template))
        .unwrap_or_default();
    let mut made = Tfvars::parse(if file.exists() { &file } else { &template }, &text)?;
    for (name, value) in values {
        made = made.with(name, value);
    }
    Ok(made.text().to_owned())
}

fn rancher_ini(plan: &Plan) -> String {
    let mut text = String::from(
        "# The machines of the installation, and what each of them does.\n\n\
         # The machine that runs mosip-prov. It is reached without SSH.\n[deployment]\n\
         deployment-node ansible_connection=local\n\n\
         # The machines of the MOSIP cluster: name, and the address that SSH connects to.\n[physical_vms]\n",
    );
    for (number, address) in plan.nodes.iter().enumerate() {
        let _ = writeln!(text, "vm{} ansible_host={address}", number + 1);
    }
    let mut role = |group: &str, word: &str, positions: std::ops::Range<usize>| {
        let _ = writeln!(text, "\n[{group}]");
        for (number, at) in positions.enumerate() {
            let _ = writeln!(
                text,
                "{word}-{} physical_vm=vm{} node_ip={}",
                number + 1,
                at + 1,
                plan.nodes[at]
            );
        }
    };
    role("control_plane_nodes", "control", 0..plan.control_plane());
    role("etcd_nodes", "etcd", 0..plan.control_plane());
    role("worker_nodes", "worker", plan.workers());
    let _ = write!(
        text,
        "\n[rancher_nodes:children]\ncontrol_plane_nodes\netcd_nodes\nworker_nodes\n\n\
         # The observation cluster: Rancher and Keycloak.\n[mosip_obs]\nobs-node-1 ansible_host={}\n\n\
         # The front of the MOSIP cluster.\n[nginx]\nnginx-node-1 ansible_host={}\n\n\
         # The front of the observation cluster.\n[nginx_obs]\nnginx-obs-node-1 ansible_host={}\n\n\
         [control_plane_nodes:vars]\nnode_role=control\n\n[etcd_nodes:vars]\nnode_role=etcd\n\n\
         [worker_nodes:vars]\nnode_role=worker\n\n[mosip_obs:vars]\nnode_role=obs\n\n\
         # The login, the same on all machines.\n[all:vars]\nansible_user={}\nansible_ssh_private_key_file={}\n",
        plan.obs, plan.nginx, plan.nginx_obs, plan.user, plan.private_key
    );
    text
}

fn hosts_ini(plan: &Plan, address: &str, endpoint: &str) -> String {
    format!(
        "# The VPN gateway. ansible_host is where SSH connects; wireguard_endpoint is what peers dial.\n[wireguard]\n\
         wireguard-node ansible_host={address} wireguard_endpoint={endpoint}\n\n[wireguard:vars]\nansible_user={}\n\
         ansible_ssh_private_key_file={}\nansible_become=yes\nansible_become_method=sudo\n",
        plan.user, plan.private_key
    )
}

fn all_yml(plan: &Plan) -> String {
    let base = base_folder(plan);
    format!(
        "# Settings of all machines. What is not set here has the default that its playbook's page tells.\n\n\
         # The domain of the installation; all names are made from it.\nmosip_domain: {}\n\
         # The address that the internet reaches.\nmosip_public_ip: \"{}\"\n\
         # Names that everyone may reach.\n\
         nginx_public_domain_names: \"api.{{{{ mosip_domain }}}} prereg.{{{{ mosip_domain }}}} resident.{{{{ mosip_domain }}}} idp.{{{{ mosip_domain }}}}\"\n\
         # Names of the observation cluster.\n\
         nginx_obs_public_domain_names: \"rancher.{{{{ mosip_domain }}}} keycloak.{{{{ mosip_domain }}}}\"\n\n\
         # Where the clusters' files are kept on the deployment node.\ncluster_name: mosip\nrancher_base_dir: {base}\n\
         rancher_obs_base_dir: {base}/obs\n",
        plan.domain, plan.public_ip
    )
}

/// How `file` stands to what is there.
///
/// # Errors
/// What is there cannot be read.
pub fn standing(file: &File) -> Result<Standing, WriteError> {
    match std::fs::read_to_string(&file.path) {
        Ok(there) if there == file.content => Ok(Standing::Same),
        Ok(there) => Ok(Standing::Different(there)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Standing::New),
        Err(source) => Err(WriteError {
            doing: "read",
            path: file.path.clone(),
            source,
        }),
    }
}

/// Writes `file`, whole or not at all.
///
/// # Errors
/// It cannot be written.
pub fn write(file: &File) -> Result<(), WriteError> {
    let failed = |doing: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| WriteError { doing, path, source }
    };
    let folder = file.path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed("make the folder", folder))?;
    // What was kept from others' eyes stays so.
    mosip_prov_files::write(&file.path, file.content.as_bytes(), Mode::Kept(0o666)).map_err(failed("write", &file.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{GUIDE, answers};
    use mosip_prov_inventory::{LoadOptions, find_placeholders, load};

    fn guide() -> Plan {
        Plan::of(&answers(&GUIDE), &mut Diagnostics::new()).expect("a plan")
    }

    #[test]
    fn an_inventory_that_loads() {
        let dir = tempfile::tempdir().expect("a folder");
        let made = files(&guide(), dir.path()).expect("made");
        assert_eq!(made.len(), 5);
        for file in &made {
            assert_eq!(standing(file).expect("read"), Standing::New);
            write(file).expect("written");
            assert_eq!(standing(file).expect("read"), Standing::Same);
        }
        let loaded = load(&LoadOptions {
            sources: ["rancher.ini", "hosts.ini"]
                .map(|name| dir.path().join("inventory").join(name).to_string_lossy().into_owned())
                .to_vec(),
            ..LoadOptions::default()
        });
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        assert!(find_placeholders(&loaded.inventory).is_empty());
        let of = |group: &str| loaded.inventory.hosts_of(group).len();
        let groups = [
            "physical_vms",
            "control_plane_nodes",
            "etcd_nodes",
            "worker_nodes",
            "nginx",
            "nginx_obs",
            "mosip_obs",
            "wireguard",
            "deployment",
        ];
        assert_eq!(groups.map(of), [6, 3, 3, 3, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn planted_links_are_not_followed_and_modes_are_kept() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("all.yml");
        std::fs::write(&path, "old").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
        let victim = dir.path().join("victim");
        std::fs::write(&victim, "untouched").expect("written");
        symlink(&victim, dir.path().join(format!("all.yml.{}.new", std::process::id()))).expect("planted");
        let content = "new".to_owned();
        write(&File {
            path: path.clone(),
            content,
        })
        .expect("written");
        assert_eq!(std::fs::read_to_string(&victim).expect("read"), "untouched");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "new");
        let mode = std::fs::symlink_metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode, 0o100_600);
    }

    #[test]
    fn a_template_of_values_keeps_the_rest() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().join("terraform/mosip_deployment");
        std::fs::create_dir_all(&root).expect("made");
        std::fs::write(
            root.join("terraform.tfvars.tmp"),
            "# toggles\nenable_kafka = true\ninstallation_domain = \"{MOSIP_DOMAIN}\"\n",
        )
        .expect("written");
        // The inventory is in a folder of the checkout.
        let folder = dir.path().join("ansible/infra");
        std::fs::create_dir_all(&folder).expect("made");
        let made = files(&guide(), &folder).expect("made");
        let root = root.canonicalize().expect("there");
        let mosip = made
            .iter()
            .find(|f| f.path == root.join("terraform.tfvars"))
            .expect("in its root");
        assert_eq!(
            mosip.content,
            "# toggles\nenable_kafka = true\ninstallation_domain = \"mosip.example.org\"\nkubeconfig_path = \"/home/ubuntu/rancher/mosip/kube_config_cluster.yml\"\n"
        );
        assert!(
            made.iter()
                .any(|f| f.path == folder.join("terraform/obs_deployment/terraform.tfvars"))
        );
        std::fs::write(root.join("terraform.tfvars.tmp"), "no values\n").expect("written");
        assert!(files(&guide(), &folder).is_err());
    }
}
