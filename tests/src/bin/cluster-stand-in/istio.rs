//! Istio's operator: an IstioOperator object is checked and becomes istiod and gateways.

use serde_json::{Value, json};

use crate::admission::admit;
use crate::controllers::write;
use crate::objects::{Resource, builtin, condition, name, text};
use crate::patch;
use crate::store::Inner;

const KEY: &str = "istiooperators.install.istio.io";

/// The fields of an IstioOperator's spec that Istio 1.15 knows, by place; `[]` are entries of a list. Places that are
/// not named hold anything.
const FIELDS: &str = "
spec profile hub tag namespace revision installPackagePath resourceSuffix meshConfig components addonComponents values unvalidatedValues
spec.components base pilot cni istiodRemote ingressGateways egressGateways
spec.components.base enabled namespace hub tag spec k8s
spec.components.pilot enabled namespace hub tag spec k8s
spec.components.cni enabled namespace hub tag spec k8s
spec.components.ingressGateways[] enabled namespace hub tag spec name label k8s
spec.components.egressGateways[] enabled namespace hub tag spec name label k8s
spec.components.pilot.k8s affinity env hpaSpec imagePullPolicy nodeSelector overlays podAnnotations podDisruptionBudget priorityClassName readinessProbe replicaCount resources securityContext service serviceAnnotations strategy tolerations volumes volumeMounts
spec.components.ingressGateways[].k8s affinity env hpaSpec imagePullPolicy nodeSelector overlays podAnnotations podDisruptionBudget priorityClassName readinessProbe replicaCount resources securityContext service serviceAnnotations strategy tolerations volumes volumeMounts
spec.components.ingressGateways[].k8s.service ports selector clusterIP type externalIPs sessionAffinity loadBalancerIP loadBalancerSourceRanges externalName externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses sessionAffinityConfig
spec.components.ingressGateways[].k8s.service.ports[] name protocol port targetPort nodePort
spec.meshConfig accessLogFile accessLogEncoding accessLogFormat ca caCertificates certificates configSources connectTimeout defaultConfig defaultDestinationRuleExportTo defaultHttpRetryPolicy defaultProviders defaultServiceExportTo defaultVirtualServiceExportTo disableEnvoyListenerLog discoverySelectors dnsRefreshRate enableAutoMtls enableEnvoyAccessLogService enablePrometheusMerge enableTracing extensionProviders h2UpgradePolicy inboundClusterStatName ingressClass ingressControllerMode ingressSelector ingressService localityLbSetting meshMTLS outboundClusterStatName outboundTrafficPolicy pathNormalization protocolDetectionTimeout proxyHttpPort proxyInboundListenPort proxyListenPort rootNamespace serviceSettings tcpKeepalive thriftConfig trustDomain trustDomainAliases verifyCertificateAtClient
spec.meshConfig.pathNormalization normalization
spec.meshConfig.defaultConfig availabilityZone binaryPath caCertificatesPem concurrency configPath controlPlaneAuthPolicy customConfigFile discoveryAddress drainDuration envoyAccessLogService envoyMetricsService extraStatTags gatewayTopology holdApplicationUntilProxyStarts image interceptionMode meshId parentShutdownDuration privateKeyProvider proxyAdminPort proxyBootstrapTemplatePath proxyMetadata proxyStatsMatcher readinessProbe runtimeValues sds serviceCluster statNameLength statsdUdpAddress statusPort terminationDrainDuration tracing zipkinAddress
spec.meshConfig.defaultConfig.gatewayTopology numTrustedProxies forwardClientCertDetails
spec.meshConfig.extensionProviders[] name envoyExtAuthzHttp envoyExtAuthzGrpc zipkin lightstep datadog stackdriver opencensus skywalking opentelemetry prometheus envoyFileAccessLog envoyHttpAls envoyTcpAls envoyOtelAls
spec.meshConfig.extensionProviders[].envoyExtAuthzHttp service port timeout pathPrefix failOpen statusOnError includeHeadersInCheck includeRequestHeadersInCheck includeAdditionalHeadersInCheck includeRequestBodyInCheck headersToUpstreamOnAllow headersToDownstreamOnDeny headersToDownstreamOnAllow
";

/// What is wrong with an IstioOperator's spec: unknown fields, and values that Istio refuses.
///
/// # Errors
/// The first thing.
pub fn check(object: &Value) -> Result<(), String> {
    known(&object["spec"], "spec")?;
    let spec = &object["spec"];
    let profile = spec["profile"].as_str().unwrap_or("default");
    const PROFILES: [&str; 8] = [
        "default",
        "demo",
        "empty",
        "external",
        "minimal",
        "openshift",
        "preview",
        "remote",
    ];
    if !PROFILES.contains(&profile) {
        return Err(format!("unknown profile {profile:?}"));
    }
    let normalization = spec["meshConfig"]["pathNormalization"]["normalization"]
        .as_str()
        .unwrap_or("DEFAULT");
    const NORMALIZATIONS: [&str; 5] = ["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"];
    if !NORMALIZATIONS.contains(&normalization) {
        return Err(format!(
            "unknown value {normalization:?} for enum istio.mesh.v1alpha1.NormalizationType"
        ));
    }
    let trusted = &spec["meshConfig"]["defaultConfig"]["gatewayTopology"]["numTrustedProxies"];
    if !trusted.is_null() && !trusted.is_u64() {
        return Err(format!("numTrustedProxies: cannot unmarshal {trusted} into uint32"));
    }
    for provider in spec["meshConfig"]["extensionProviders"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let authz = &provider["envoyExtAuthzHttp"];
        if !authz.is_null() && (text(authz, "/service").is_empty() || !authz["port"].is_u64()) {
            return Err(format!(
                "extension provider {}: service and port are required",
                provider["name"]
            ));
        }
        let fixed = authz["includeAdditionalHeadersInCheck"]
            .as_object()
            .into_iter()
            .flatten();
        if let Some((header, _)) = fixed.into_iter().find(|(_, value)| !value.is_string()) {
            return Err(format!(
                "includeAdditionalHeadersInCheck: the value of {header} is no string"
            ));
        }
    }
    Ok(())
}

fn known(value: &Value, place: &str) -> Result<(), String> {
    if let Value::Array(entries) = value {
        return entries.iter().try_for_each(|entry| known(entry, &format!("{place}[]")));
    }
    let line = FIELDS
        .lines()
        .find_map(|line| line.strip_prefix(place)?.strip_prefix(' '));
    let (Some(line), Value::Object(fields)) = (line, value) else {
        return Ok(());
    };
    fields.iter().try_for_each(|(name, inner)| {
        if !line.split(' ').any(|field| field == name) {
            return Err(format!("unknown field \"{name}\" in {place}"));
        }
        known(inner, &format!("{place}.{name}"))
    })
}

/// One round for all IstioOperator objects, while the operator runs.
pub fn control(inner: &mut Inner) {
    let operator = inner.get("deployments.apps", "istio-operator", "istio-operator");
    let Some(operator) = operator.filter(|operator| condition(operator, "Available") == "True") else {
        return;
    };
    let watched = text(operator, "/spec/template/spec/containers/0/env/0/value").to_owned();
    let all: Vec<Value> = inner.list(KEY, None).into_iter().cloned().collect();
    for object in all {
        if watched
            .split(',')
            .any(|space| space == text(&object, "/metadata/namespace"))
        {
            reconcile(inner, object);
        }
    }
}

fn reconcile(inner: &mut Inner, mut object: Value) {
    let outcome = check(&object).and_then(|()| bring_up(inner, &object));
    object["status"] = match outcome {
        Err(error) => json!({"status": "ERROR", "message": error}),
        Ok(deployments) => {
            let healthy = |(_, name): &(&'static str, String)| {
                let found = inner.get("deployments.apps", text(&object, "/metadata/namespace"), name);
                found.is_some_and(|found| {
                    condition(found, "Available") == "True"
                        && found["status"]["observedGeneration"] == found["metadata"]["generation"]
                })
            };
            let mut components = json!({"Base": {"status": "HEALTHY"}});
            for one in &deployments {
                let status = if healthy(one) { "HEALTHY" } else { "RECONCILING" };
                if components[one.0]["status"] != "RECONCILING" {
                    components[one.0] = json!({"status": status});
                }
            }
            let all = deployments.iter().all(healthy);
            json!({"status": if all { "HEALTHY" } else { "RECONCILING" }, "componentStatus": components})
        }
    };
    write(inner, KEY, object);
}

fn resource(plural: &str) -> Result<Resource, String> {
    let found = builtin().into_iter().find(|one| one.plural == plural);
    found.ok_or_else(|| format!("no resource {plural}"))
}

/// Makes an object be there as wanted.
fn ensure(inner: &mut Inner, plural: &str, wanted: Value) -> Result<(), String> {
    let resource = resource(plural)?;
    let (key, space) = (resource.key(), text(&wanted, "/metadata/namespace").to_owned());
    let old = inner.get(&key, &space, name(&wanted)).cloned();
    let mut new = old.clone().unwrap_or_else(|| wanted.clone());
    if plural == "services" {
        // Ports that are not asked for any more go.
        new["spec"]["ports"] = Value::Null;
    }
    patch::merge(&mut new, &wanted);
    admit(inner, &resource, &mut new, old.as_ref()).map_err(|refusal| refusal.message)?;
    let done = match old {
        Some(_) => inner.update(&key, &space, new),
        None => inner.create(&key, &space, new),
    };
    done.map(drop).map_err(|refusal| refusal.message)
}

/// The component and the name of each Deployment.
fn bring_up(inner: &mut Inner, object: &Value) -> Result<Vec<(&'static str, String)>, String> {
    let spec = &object["spec"];
    let space = text(object, "/metadata/namespace");
    let or = |value: &Value, default: &str| value.as_str().unwrap_or(default).to_owned();
    let (hub, tag) = (or(&spec["hub"], "docker.io/istio"), or(&spec["tag"], "1.15.0"));
    let owner = json!([{"apiVersion": object["apiVersion"], "kind": "IstioOperator", "name": name(object),
                        "uid": object["metadata"]["uid"]}]);
    let metadata = |name: &str, labels: &Value| json!({"name": name, "namespace": space, "labels": labels, "ownerReferences": owner});
    let workload = |name: &str, labels: &Value, image: &str, settings: &Value| {
        let container = json!({"name": if name == "istiod" { "discovery" } else { "istio-proxy" },
                               "image": format!("{hub}/{image}:{tag}"), "resources": settings["resources"],
                               "env": settings["env"]});
        json!({"metadata": metadata(name, labels), "spec": {
            "replicas": settings["replicaCount"].as_u64().unwrap_or(1), "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}})
    };
    let mut made = Vec::new();
    let empty = spec["profile"] == "empty";
    let pilot = &spec["components"]["pilot"];
    if !empty && pilot["enabled"] != false {
        let mesh = spec["meshConfig"].to_string();
        let map = json!({"metadata": metadata("istio", &json!({})), "data": {"mesh": mesh}});
        ensure(inner, "configmaps", map)?;
        let labels = json!({"app": "istiod", "istio": "pilot"});
        ensure(
            inner,
            "deployments",
            workload("istiod", &labels, "pilot", &pilot["k8s"]),
        )?;
        let ports = json!([{"name": "grpc-xds", "port": 15010}, {"name": "https-dns", "port": 15012},
                           {"name": "https-webhook", "port": 443, "targetPort": 15017}]);
        let service = json!({"metadata": metadata("istiod", &labels), "spec": {"selector": labels, "ports": ports}});
        ensure(inner, "services", service)?;
        made.push(("Pilot", "istiod".to_owned()));
    }
    let mut gateways = spec["components"]["ingressGateways"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let of_profile = !empty && spec["profile"] != "minimal";
    if of_profile && !gateways.iter().any(|one| one["name"] == "istio-ingressgateway") {
        gateways.push(json!({"name": "istio-ingressgateway", "enabled": true}));
    }
    for gateway in &gateways {
        let own_name = text(gateway, "/name");
        let default = own_name == "istio-ingressgateway" && of_profile;
        if gateway["enabled"] == false || (gateway["enabled"].is_null() && !default) {
            for plural in ["deployments", "services"] {
                let _ = inner.delete(&resource(plural)?.key(), space, own_name);
            }
            continue;
        }
        let mut labels = json!({"app": own_name, "istio": "ingressgateway"});
        patch::merge(
            &mut labels,
            if gateway["label"].is_object() {
                &gateway["label"]
            } else {
                &Value::Null
            },
        );
        if !labels.is_object() {
            labels = json!({"app": own_name, "istio": "ingressgateway"});
        }
        ensure(
            inner,
            "deployments",
            workload(own_name, &labels, "proxyv2", &gateway["k8s"]),
        )?;
        let mut service = json!({"type": "LoadBalancer", "ports": [
            {"name": "status-port", "port": 15021, "targetPort": 15021}, {"name": "http2", "port": 80, "targetPort": 8080},
            {"name": "https", "port": 443, "targetPort": 8443}]});
        if gateway["k8s"]["service"].is_object() {
            patch::merge(&mut service, &gateway["k8s"]["service"]);
        }
        service["selector"] = labels.clone();
        ensure(
            inner,
            "services",
            json!({"metadata": metadata(own_name, &labels), "spec": service}),
        )?;
        made.push(("IngressGateways", own_name.to_owned()));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn operator(spec: Value) -> Value {
        json!({"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator",
               "metadata": {"name": "istio-control-plane", "namespace": "istio-system"}, "spec": spec})
    }

    fn gateway(name: &str, node: u64) -> Value {
        json!({"name": name, "enabled": true, "label": {"istio": name}, "k8s": {"service": {"type": "NodePort", "ports": [
            {"name": "http2", "port": 80, "targetPort": 8080, "nodePort": node}]}}})
    }

    #[test]
    fn unknown_fields_and_values_are_named() {
        for (spec, part) in [
            (json!({"profiles": "x"}), "unknown field \"profiles\""),
            (json!({"profile": "big"}), "unknown profile"),
            (json!({"meshConfig": {"accessLog": ""}}), "unknown field \"accessLog\""),
            (
                json!({"meshConfig": {"pathNormalization": {"normalization": "ALL"}}}),
                "NormalizationType",
            ),
            (
                json!({"meshConfig": {"extensionProviders": [{"name": "o", "envoyExtAuthzHttp": {"service": "s"}}]}}),
                "service and port are required",
            ),
            (
                json!({"components": {"ingressGateways": [{"name": "a", "k8s": {"service": {"ports": [{"nodeport": 1}]}}}]}}),
                "unknown field \"nodeport\"",
            ),
        ] {
            let error = check(&operator(spec)).expect_err("bad");
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(
            check(&operator(json!({"profile": "default", "values": {"any": 1}}))),
            Ok(())
        );
    }

    #[test]
    fn gateways_get_the_node_ports_they_ask_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path().join("state.json")).expect("a store");
        let mut inner = store.lock();
        inner
            .create("namespaces", "", json!({"metadata": {"name": "istio-system"}}))
            .expect("created");
        let gateways = [
            gateway("istio-ingressgateway", 30080),
            gateway("istio-ingressgateway-internal", 31080),
        ];
        let wanted = operator(json!({"components": {"ingressGateways": gateways}}));
        let made = bring_up(&mut inner, &wanted).expect("good");
        assert_eq!(made.len(), 3);
        let service = inner
            .get("services", "istio-system", "istio-ingressgateway-internal")
            .expect("made");
        assert_eq!(service["spec"]["ports"][0]["nodePort"], 31080);
        assert_eq!(service["spec"]["selector"]["istio"], "istio-ingressgateway-internal");
        let revision = inner.revision;
        bring_up(&mut inner, &wanted).expect("good again");
        assert_eq!(inner.revision, revision, "nothing changes the second time");
        let clash = operator(json!({"components": {"ingressGateways": [gateway("istio-ingressgateway", 31080)]}}));
        let error = bring_up(&mut inner, &clash).expect_err("taken");
        assert!(error.contains("already allocated"), "{error}");
    }
}
