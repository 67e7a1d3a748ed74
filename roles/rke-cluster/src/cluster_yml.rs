//! `cluster.yml`, as RKE 1 reads it.

use crate::settings::Settings;
use mosip_prov_cluster::yaml;
use mosip_prov_rke2::Machine;
use serde_json::{Map, Value, json};

/// The cluster's `cluster.yml` as data.
pub fn model(settings: &Settings, machines: &[Machine]) -> Value {
    let nodes: Vec<Value> = machines.iter().map(|machine| node(settings, machine)).collect();
    let gate = json!({"feature-gates": "RemoveSelfLink=false"});
    let mut network = json!({"plugin": settings.plugin});
    if settings.mtu > 0 {
        network["mtu"] = settings.mtu.into();
    }
    let ingress = if settings.ingress == "nginx" {
        json!({"provider": "nginx", "options": {"use-forwarded-headers": "true"}})
    } else {
        json!({"provider": settings.ingress})
    };
    let mut made = json!({
        "cluster_name": settings.name,
        "nodes": nodes,
        "ssh_key_path": settings.ssh_key_path,
        "services": {
            "etcd": {"backup_config": {"enabled": true, "interval_hours": 12, "retention": 6}},
            "kube-api": {"service_cluster_ip_range": settings.service_range, "extra_args": gate},
            "kube-controller": {
                "cluster_cidr": settings.cluster_cidr, "service_cluster_ip_range": settings.service_range,
            },
            "kubelet": {
                "cluster_domain": settings.domain,
                "cluster_dns_server": settings.dns_server,
                "fail_swap_on": false,
                "generate_serving_certificate": true,
                "extra_args": {"max-pods": settings.max_pods.to_string(), "feature-gates": "RemoveSelfLink=false"},
            },
        },
        "network": network,
        "authentication": {"strategy": settings.auth_strategy},
        "dns": {"provider": "coredns", "upstreamnameservers": ["1.1.1.1", "1.1.1.2"]},
        "monitoring": {"provider": "metrics-server"},
        "ingress": ingress,
        "upgrade_strategy": {
            "max_unavailable_worker": "20%",
            "max_unavailable_controlplane": "1",
            "drain": true,
            "node_drain_input": {"ignore_daemonsets": true, "grace_period": 120, "timeout": 120},
        },
    });
    if !settings.kubernetes_version.is_empty() {
        made["kubernetes_version"] = settings.kubernetes_version.as_str().into();
    }
    made
}

fn node(settings: &Settings, machine: &Machine) -> Value {
    let roles = machine.roles;
    let all = [
        (roles.control_plane, "controlplane", "control-plane"),
        (roles.etcd, "etcd", "etcd"),
        (roles.worker, "worker", "worker"),
    ];
    let carried = || all.iter().filter(|(carried, ..)| *carried);
    let labels: Map<String, Value> = carried()
        .map(|(_, _, label)| (format!("node-role.kubernetes.io/{label}"), "true".into()))
        .collect();
    json!({
        "address": machine.address,
        "port": "22",
        "hostname_override": machine.name,
        "user": settings.ssh_user,
        "docker_socket": "/var/run/docker.sock",
        "ssh_key_path": settings.ssh_key_path,
        "role": carried().map(|(_, role, _)| *role).collect::<Vec<_>>(),
        "labels": labels,
    })
}

/// The same as text.
pub fn text(settings: &Settings, machines: &[Machine]) -> String {
    yaml::document(&model(settings, machines))
}
