//! What Istio's operator is told: an object of the type `IstioOperator` (its fields are those of
//! `install.istio.io/v1alpha1`, `MeshConfig`, `ProxyConfig` and `ExtensionProvider` of Istio 1.15).

use crate::settings::Settings;
use mosip_prov_front::NodePorts;
use serde_json::{Value, json};

/// Its name.
pub const NAME: &str = "istio-control-plane";

/// The whole object.
pub fn operator(settings: &Settings) -> Value {
    json!({
        "apiVersion": "install.istio.io/v1alpha1",
        "kind": "IstioOperator",
        "metadata": {"name": NAME, "namespace": settings.namespace},
        "spec": {
            "profile": "default",
            "hub": settings.hub,
            "tag": settings.version,
            "meshConfig": mesh(),
            "components": {
                "pilot": {"enabled": true, "k8s": {"resources": resources(("500m", "2048Mi"), ("1000m", "4096Mi"))}},
                "ingressGateways": gateways(&settings.ports),
            },
            "values": {"global": {"proxy": {"resources": resources(("100m", "128Mi"), ("2000m", "1024Mi"))}}},
        },
    })
}

fn resources(requests: (&str, &str), limits: (&str, &str)) -> Value {
    let of = |(cpu, memory): (&str, &str)| json!({"cpu": cpu, "memory": memory});
    json!({"requests": of(requests), "limits": of(limits)})
}

fn mesh() -> Value {
    json!({
        "accessLogFile": "/dev/stdout",
        "pathNormalization": {"normalization": "MERGE_SLASHES"},
        "defaultConfig": {
            "holdApplicationUntilProxyStarts": true,
            "proxyMetadata": {"ISTIO_META_IDLE_TIMEOUT": "0s"},
            // Two proxies stand before the gateways: the load balancer, and nginx.
            "gatewayTopology": {"numTrustedProxies": 2},
        },
        "extensionProviders": [{
            "name": "oauth2-proxy",
            "envoyExtAuthzHttp": {
                "service": "oauth2-proxy.oauth2-proxy.svc.cluster.local",
                "port": 80,
                "includeRequestHeadersInCheck": ["authorization", "cookie"],
                "includeAdditionalHeadersInCheck": {
                    "X-Auth-Request-Redirect": "https://%REQ(:authority)%%REQ(:path)%",
                },
                "headersToUpstreamOnAllow": [
                    "authorization",
                    "path",
                    "x-auth-access-token",
                    "x-auth-request-user",
                    "x-auth-request-email",
                    "x-auth-request-preferred-username",
                    "x-auth-request-groups",
                ],
                "headersToDownstreamOnDeny": ["content-type", "set-cookie"],
            },
        }],
    })
}

fn port(name: &str, port: u16, target: u16, node: u16) -> Value {
    json!({"name": name, "protocol": "TCP", "port": port, "targetPort": target, "nodePort": node})
}

/// The port of a node for the health of the gateway that serves at `node`: 521 in place of its last three digits, so that
/// 30080 has 30521 and 31080 has 31521; the next one where that is `taken`.
fn status(node: u16, taken: &[u16]) -> u16 {
    let first = node / 1000 * 1000 + 521;
    (first..).find(|port| !taken.contains(port)).unwrap_or(first)
}

fn gateways(ports: &NodePorts) -> Value {
    let mut taken = vec![
        ports.public,
        ports.internal,
        ports.minio,
        ports.postgres,
        ports.activemq,
    ];
    let status_public = status(ports.public, &taken);
    taken.push(status_public);
    let status_internal = status(ports.internal, &taken);
    let service = |ports: Value| json!({"service": {"type": "NodePort", "ports": ports}});
    json!([
        {
            "name": "istio-ingressgateway",
            "enabled": true,
            "k8s": service(json!([
                port("status-port", 15021, 15021, status_public),
                port("http2", 80, 8080, ports.public),
            ])),
        },
        {
            "name": "istio-ingressgateway-internal",
            "enabled": true,
            "label": {"istio": "ingressgateway-internal", "app": "istio-ingressgateway-internal"},
            "k8s": service(json!([
                port("status-port", 15021, 15021, status_internal),
                port("http2", 80, 8080, ports.internal),
                port("tcp-activemq", 61616, 61616, ports.activemq),
                port("tcp-postgres", 5432, 5432, ports.postgres),
                port("http-minio", 9000, 9000, ports.minio),
            ])),
        },
    ])
}
