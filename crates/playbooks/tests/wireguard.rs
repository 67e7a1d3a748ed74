//! The VPN made ready against inventories of every kind; nothing is connected to.

use mosip_prov_engine::{RunOptions, host_vars, prepare};
use mosip_prov_inventory::{LoadOptions, load};
use mosip_prov_playbooks::find;
use mosip_prov_transport::Target;
use std::sync::Arc;

/// What is wrong with the inventory, as one text; empty when nothing is.
fn problems(ini: &str) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("hosts.ini");
    std::fs::write(&path, ini).expect("written");
    let loaded = load(&LoadOptions {
        sources: vec![path.to_string_lossy().into_owned()],
        ..LoadOptions::default()
    });
    let mut said: String = loaded
        .diagnostics
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect();
    let inventory = Arc::new(loaded.inventory);
    let vars = host_vars(&inventory, false);
    let target = |vars: &mosip_prov_inventory::vars::HostVars, _: &mut _| {
        Some(Target::ssh(vars.host().to_string(), "127.0.0.1", "ubuntu"))
    };
    let playbook = find("wireguard").expect("a playbook");
    match prepare(&[playbook], &inventory, &vars, &RunOptions::default(), &target) {
        Ok(prepared) => assert_eq!(prepared.hosts(), ["wireguard-node"]),
        Err(problems) => said.extend(problems.iter().map(|problem| format!("{problem}\n"))),
    }
    said
}

/// As the guide has it.
const INI: &str = "[wireguard]
wireguard-node ansible_host=192.0.2.51 wireguard_endpoint=198.51.100.51

[wireguard:vars]
ansible_user=ubuntu
ansible_become=yes
ansible_become_method=sudo
";

#[test]
fn the_guides_inventory_is_ready() {
    assert_eq!(problems(INI), "");
    assert_eq!(
        problems(&format!(
            "{INI}wireguard_backend=native\nwireguard_peers=['anna', 'ben']\n"
        )),
        ""
    );
}

#[test]
fn a_half_filled_one_is_told_with_its_place() {
    let said = problems(&INI.replace("198.51.100.51", "<public-ip>"));
    assert!(said.contains("<public-ip>") && said.contains("hosts.ini:2:"), "{said}");
    let said = problems(&INI.replace(" wireguard_endpoint=198.51.100.51", ""));
    assert!(said.contains("wireguard_endpoint is not set"), "{said}");
    let said = problems(&format!(
        "{INI}wireguard_network=172.16.50.\nwireguard_mtu=9\nwireguard_peers=['a', 'a']\n"
    ));
    for (part, line) in [
        ("172.16.50. is no network", 8),
        ("wireguard_mtu is 9", 9),
        ("twice", 10),
    ] {
        assert!(
            said.contains(part) && said.contains(&format!("hosts.ini:{line}:")),
            "{part} in\n{said}"
        );
    }
}

#[test]
fn a_node_of_a_cluster_has_its_own_docker() {
    for nodes in [
        "\n[physical_vms]\nwireguard-node\n",
        "\n[mosip_obs]\nobs-node-1 ansible_host=192.0.2.51\n",
        "\n[mosip_obs]\n192.0.2.51\n",
    ] {
        let said = problems(&format!("{INI}{nodes}"));
        assert!(
            said.contains("whose Docker has other settings") && said.contains("native"),
            "{said}"
        );
        assert_eq!(problems(&format!("{INI}wireguard_backend=native\n{nodes}")), "");
        // RKE2 brings a container runtime of its own.
        assert_eq!(
            problems(&format!("{INI}{nodes}\n[all:vars]\ncluster_distribution=rke2\n")),
            ""
        );
    }
    // Behind one address, machines are told apart by their ports.
    for other in ["ansible_host=192.0.2.1", "ansible_host=192.0.2.51 ansible_port=2222"] {
        assert_eq!(problems(&format!("{INI}\n[physical_vms]\nvm1 {other}\n")), "");
    }
}
