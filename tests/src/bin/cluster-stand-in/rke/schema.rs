//! The fields of `cluster.yml`, with the types that RKE's own structures give them.

use serde_json::Value;

/// One line for each place: its fields. `[]` are entries of a list, `{}` values of a mapping. Types: `s` text, `i` whole
/// number, `b` boolean, `m` mapping of texts, `l` list of texts, `o` a structure whose fields another line has, `x`
/// anything.
const FIELDS: &str = "
. nodes:o services:o network:o authentication:o addons:s addons_include:l system_images:m ssh_key_path:s ssh_cert_path:s ssh_agent_auth:b authorization:o ignore_docker_version:b enable_cri_dockerd:b kubernetes_version:s private_registries:x ingress:o cluster_name:s cloud_provider:x prefix_path:s win_prefix_path:s addon_job_timeout:i bastion_host:x monitoring:o restore:x rotate_encryption_key:b rotate_certificates:x dns:o upgrade_strategy:o
nodes[] address:s port:s internal_address:s role:l hostname_override:s user:s docker_socket:s ssh_agent_auth:b ssh_key:s ssh_key_path:s ssh_cert:s ssh_cert_path:s labels:m taints:x
services etcd:o kube-api:o kube-controller:o scheduler:o kubelet:o kubeproxy:o
services.etcd image:s extra_args:m extra_binds:l extra_env:l external_urls:l ca_cert:s cert:s key:s path:s uid:i gid:i snapshot:b retention:s creation:s backup_config:o
services.etcd.backup_config enabled:b interval_hours:i retention:i s3backupconfig:x safe_timestamp:b timeout:i
services.kube-api image:s extra_args:m extra_binds:l extra_env:l service_cluster_ip_range:s service_node_port_range:s pod_security_policy:b always_pull_images:b secrets_encryption_config:x audit_log:x admission_configuration:x event_rate_limit:x
services.kube-controller image:s extra_args:m extra_binds:l extra_env:l cluster_cidr:s service_cluster_ip_range:s
services.scheduler image:s extra_args:m extra_binds:l extra_env:l
services.kubelet image:s extra_args:m extra_binds:l extra_env:l cluster_domain:s infra_container_image:s cluster_dns_server:s fail_swap_on:b generate_serving_certificate:b
services.kubeproxy image:s extra_args:m extra_binds:l extra_env:l
network plugin:s options:m mtu:i node_selector:m update_strategy:x tolerations:x canal_network_provider:x calico_network_provider:x flannel_network_provider:x weave_network_provider:x aci_network_provider:x
authentication strategy:s sans:l webhook:x
authorization mode:s options:m
ingress provider:s options:m node_selector:m extra_args:m dns_policy:s extra_envs:x extra_volumes:x extra_volume_mounts:x update_strategy:x http_port:i https_port:i network_mode:s tolerations:x default_backend:b default_http_backend_priority_class_name:s nginx_ingress_controller_priority_class_name:s default_ingress_class:b
monitoring provider:s options:m node_selector:m update_strategy:x replicas:i tolerations:x metrics_server_priority_class_name:s
dns provider:s upstreamnameservers:l reversecidrs:l stubdomains:x node_selector:m nodelocal:x update_strategy:x linear_autoscaler_params:x tolerations:x options:m
upgrade_strategy max_unavailable_worker:s max_unavailable_controlplane:s drain:b node_drain_input:o
upgrade_strategy.node_drain_input force:b ignore_daemonsets:b delete_local_data:b grace_period:i timeout:i
";

/// The first thing in a parsed `cluster.yml` that is not of RKE's fields, or of another type.
///
/// # Errors
/// That thing.
pub fn check(config: &Value) -> Result<(), String> {
    structure(config, ".")
}

fn fields(place: &str) -> Vec<(&'static str, char)> {
    let line = FIELDS.lines().find_map(|line| {
        let (name, rest) = line.split_once(' ')?;
        (name == place).then_some(rest)
    });
    let words = line
        .unwrap_or_default()
        .split(' ')
        .filter_map(|word| word.split_once(':'));
    words
        .map(|(name, kind)| (name, kind.chars().next().unwrap_or('x')))
        .collect()
}

fn structure(value: &Value, place: &str) -> Result<(), String> {
    if let Value::Array(entries) = value {
        return entries
            .iter()
            .try_for_each(|entry| structure(entry, &format!("{place}[]")));
    }
    let Value::Object(entries) = value else {
        return Err(format!("cannot unmarshal {value} into {place}"));
    };
    let known = fields(place);
    for (name, value) in entries {
        let inner = if place == "." {
            name.clone()
        } else {
            format!("{place}.{name}")
        };
        let Some((_, kind)) = known.iter().find(|(known, _)| known == name) else {
            return Err(format!("unknown field \"{inner}\""));
        };
        typed(value, *kind, &inner)?;
    }
    Ok(())
}

fn typed(value: &Value, kind: char, place: &str) -> Result<(), String> {
    // YAML gives scalars of any type to a text, as RKE's parser does.
    let scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let good = match kind {
        _ if value.is_null() => true,
        's' => scalar(value),
        'i' => value.is_i64(),
        'b' => value.is_boolean(),
        'm' => value.as_object().is_some_and(|entries| entries.values().all(scalar)),
        'l' => value.as_array().is_some_and(|entries| entries.iter().all(scalar)),
        'o' => return structure(value, place),
        _ => true,
    };
    let wanted = match kind {
        's' => "string",
        'i' => "int",
        'b' => "bool",
        'm' => "map[string]string",
        _ => "[]string",
    };
    good.then_some(())
        .ok_or_else(|| format!("cannot unmarshal {value} into field {place} of type {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_known_and_typed() {
        let good = json!({"nodes": [{"address": "10.0.0.1", "port": 22, "role": ["etcd"], "labels": {"a": "true"}}],
                          "network": {"plugin": "canal", "mtu": 1400, "options": {}},
                          "upgrade_strategy": {"drain": true, "node_drain_input": {"timeout": 120}}});
        assert_eq!(check(&good), Ok(()));
        for (bad, part) in [
            (json!({"node": []}), "unknown field \"node\""),
            (json!({"nodes": [{"adress": "x"}]}), "unknown field \"nodes[].adress\""),
            (json!({"network": {"mtu": "1400"}}), "network.mtu of type int"),
            (json!({"services": {"kubelet": {"fail_swap_on": "no"}}}), "of type bool"),
            (
                json!({"services": {"etcd": {"backup_config": {"hours": 1}}}}),
                "backup_config.hours",
            ),
            (json!([]), ""),
        ] {
            match check(&bad) {
                Err(error) => assert!(error.contains(part), "{error}"),
                Ok(()) => assert_eq!(bad, json!([]), "accepted"),
            }
        }
    }
}
