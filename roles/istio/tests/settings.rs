//! Variables in, settings or findings out; settings in, the operator's object out.

mod common;

use common::{INI, read, settings};
use mosip_prov_front::NodePorts;
use role_istio::operator;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn defaults_are_those_operators_know() {
    let made = settings("");
    assert_eq!(
        (made.version.as_str(), made.namespace.as_str(), made.hub.as_str()),
        ("1.15.0", "istio-system", "docker.io/istio")
    );
    assert_eq!(made.operator_wait, Duration::from_secs(300));
    assert_eq!(made.kubeconfig, "/home/ubuntu/rancher/mosip/kube_config_cluster.yml");
    assert_eq!(made.ports, NodePorts::DEFAULT);
    let moved = settings("rancher_base_dir: /srv/rancher\ncluster_name: two\n");
    assert_eq!(moved.kubeconfig, "/srv/rancher/two/kube_config_cluster.yml");
}

#[test]
fn every_mistake_is_told_with_its_place() {
    for (vars, part) in [
        ("istio_version: latest", "istio_version is \"latest\""),
        ("istio_version: '1.15'", "istio_version is \"1.15\""),
        ("istio_namespace: Istio", "istio_namespace is \"Istio\""),
        (
            "istio_hub: https://docker.io/istio",
            "istio_hub is \"https://docker.io/istio\"",
        ),
        (
            "istio_operator_wait_timeout: soon",
            "istio_operator_wait_timeout is \"soon\"",
        ),
        (
            "istio_kubeconfig: ~/.kube/config",
            "istio_kubeconfig is \"~/.kube/config\", which is no absolute path",
        ),
        (
            "nginx_minio_ingress_nodeport: 99999",
            "nginx_minio_ingress_nodeport is 99999, which is no TCP port",
        ),
    ] {
        let (made, problems) = read(INI, vars);
        assert!(
            made.is_none() && problems.contains(part) && problems.contains("all.yml:1"),
            "{vars}: {problems}"
        );
    }
}

#[test]
fn gateways_open_the_ports_that_the_front_forwards_to() {
    let of = |settings: &role_istio::Settings, gateway: usize| -> Vec<(u64, u64, u64)> {
        let object = operator(settings);
        let ports = object["spec"]["components"]["ingressGateways"][gateway]["k8s"]["service"]["ports"].clone();
        let number = |port: &Value, name: &str| port[name].as_u64().expect("a number");
        let ports = ports.as_array().expect("ports");
        ports
            .iter()
            .map(|port| {
                (
                    number(port, "port"),
                    number(port, "targetPort"),
                    number(port, "nodePort"),
                )
            })
            .collect()
    };
    let NodePorts {
        public,
        internal,
        minio,
        postgres,
        activemq,
    } = NodePorts::DEFAULT;
    let made = settings("");
    assert_eq!(of(&made, 0), [(15021, 15021, 30521), (80, 8080, public.into())]);
    assert_eq!(
        of(&made, 1),
        [
            (15021, 15021, 31521),
            (80, 8080, internal.into()),
            (61616, 61616, activemq.into()),
            (5432, 5432, postgres.into()),
            (9000, 9000, minio.into()),
        ]
    );
    // What is changed for nginx is changed for Istio.
    let moved = settings("nginx_postgres_nodeport: 31999\nnginx_public_ingress_nodeport: 32080\n");
    assert_eq!(of(&moved, 1)[3], (5432, 5432, 31999));
    assert_eq!(of(&moved, 0), [(15021, 15021, 32521), (80, 8080, 32080)]);
    let ini = INI.replace("nginx-2 ", "nginx-2 nginx_minio_ingress_nodeport=30901 ");
    let (_, problems) = read(&ini, "");
    assert!(
        problems.contains("nginx_minio_ingress_nodeport is 30900 on nginx-1 and 30901 on nginx-2"),
        "{problems}"
    );
    let (made, problems) = read("[deployment]\ndeployment-node\n", "");
    assert_eq!(
        (made.expect("settings").ports, problems.as_str()),
        (NodePorts::DEFAULT, "")
    );
}

/// Every field of the object with its place, as `spec.tag = "1.15.0"`.
fn fields(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let dot = if at.is_empty() { "" } else { "." };
                fields(inner, &format!("{at}{dot}{name}"), out);
            }
        }
        Value::Array(all) => {
            for (index, inner) in all.iter().enumerate() {
                fields(inner, &format!("{at}[{index}]"), out);
            }
        }
        other => out.push(format!("{at} = {other}")),
    }
}

#[test]
fn the_object_says_this_and_nothing_else() {
    let mut found = Vec::new();
    fields(&operator(&settings("")), "", &mut found);
    found.retain(|field| !field.starts_with("spec.components.ingressGateways"));
    found.sort();
    let authz = "spec.meshConfig.extensionProviders[0].envoyExtAuthzHttp";
    let mut wanted = vec![
        "apiVersion = \"install.istio.io/v1alpha1\"".to_owned(),
        "kind = \"IstioOperator\"".into(),
        "metadata.name = \"istio-control-plane\"".into(),
        "metadata.namespace = \"istio-system\"".into(),
        "spec.profile = \"default\"".into(),
        "spec.hub = \"docker.io/istio\"".into(),
        "spec.tag = \"1.15.0\"".into(),
        "spec.meshConfig.accessLogFile = \"/dev/stdout\"".into(),
        "spec.meshConfig.pathNormalization.normalization = \"MERGE_SLASHES\"".into(),
        "spec.meshConfig.defaultConfig.holdApplicationUntilProxyStarts = true".into(),
        "spec.meshConfig.defaultConfig.proxyMetadata.ISTIO_META_IDLE_TIMEOUT = \"0s\"".into(),
        "spec.meshConfig.defaultConfig.gatewayTopology.numTrustedProxies = 2".into(),
        "spec.meshConfig.extensionProviders[0].name = \"oauth2-proxy\"".into(),
        format!("{authz}.service = \"oauth2-proxy.oauth2-proxy.svc.cluster.local\""),
        format!("{authz}.port = 80"),
        format!("{authz}.includeRequestHeadersInCheck[0] = \"authorization\""),
        format!("{authz}.includeRequestHeadersInCheck[1] = \"cookie\""),
        format!(
            "{authz}.includeAdditionalHeadersInCheck.X-Auth-Request-Redirect = \"https://%REQ(:authority)%%REQ(:path)%\""
        ),
        format!("{authz}.headersToDownstreamOnDeny[0] = \"content-type\""),
        format!("{authz}.headersToDownstreamOnDeny[1] = \"set-cookie\""),
        "spec.components.pilot.enabled = true".into(),
        "spec.components.pilot.k8s.resources.requests.cpu = \"500m\"".into(),
        "spec.components.pilot.k8s.resources.requests.memory = \"2048Mi\"".into(),
        "spec.components.pilot.k8s.resources.limits.cpu = \"1000m\"".into(),
        "spec.components.pilot.k8s.resources.limits.memory = \"4096Mi\"".into(),
        "spec.values.global.proxy.resources.requests.cpu = \"100m\"".into(),
        "spec.values.global.proxy.resources.requests.memory = \"128Mi\"".into(),
        "spec.values.global.proxy.resources.limits.cpu = \"2000m\"".into(),
        "spec.values.global.proxy.resources.limits.memory = \"1024Mi\"".into(),
    ];
    let upstream = [
        "authorization",
        "path",
        "x-auth-access-token",
        "x-auth-request-user",
        "x-auth-request-email",
        "x-auth-request-preferred-username",
        "x-auth-request-groups",
    ];
    let upstream = upstream.iter().enumerate();
    wanted.extend(upstream.map(|(index, name)| format!("{authz}.headersToUpstreamOnAllow[{index}] = \"{name}\"")));
    wanted.sort();
    assert_eq!(found, wanted);
    let object = operator(&settings(""));
    let gateways = &object["spec"]["components"]["ingressGateways"];
    let of = |index: usize| {
        (
            gateways[index]["name"].clone(),
            gateways[index]["enabled"].clone(),
            gateways[index]["k8s"]["service"]["type"].clone(),
        )
    };
    assert_eq!(gateways.as_array().map(Vec::len), Some(2));
    assert_eq!(of(0), (json!("istio-ingressgateway"), json!(true), json!("NodePort")));
    assert_eq!(
        of(1),
        (json!("istio-ingressgateway-internal"), json!(true), json!("NodePort"))
    );
    assert_eq!(gateways[0].get("label"), None);
    assert_eq!(gateways[1]["label"]["istio"], "ingressgateway-internal");
}

#[test]
fn no_two_gateways_open_one_port() {
    for vars in [
        "nginx_internal_ingress_nodeport: 30081\n",
        "nginx_public_ingress_nodeport: 31081\n",
        "nginx_minio_ingress_nodeport: 30521\n",
        "nginx_postgres_nodeport: 31521\nnginx_activemq_nodeport: 31522\n",
    ] {
        let mut found = Vec::new();
        fields(&operator(&settings(vars)), "", &mut found);
        let mut ports: Vec<&str> = found
            .iter()
            .filter_map(|field| field.split_once(".nodePort = ").map(|(_, port)| port))
            .collect();
        ports.sort_unstable();
        let all = ports.len();
        ports.dedup();
        assert_eq!((ports.len(), all), (7, 7), "{vars}: {ports:?}");
    }
}
