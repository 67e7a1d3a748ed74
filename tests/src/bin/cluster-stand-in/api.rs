//! What a request to the API server comes to.

use serde_json::{Value, json};

use crate::admission::admit;
use crate::http::Request;
use crate::objects::{Resource, text};
use crate::pki::User;
use crate::status::Refusal;
use crate::store::{Inner, Store};
use crate::{discovery, kubelet, patch, query, rke, table};

/// What is sent back.
pub enum Reply {
    /// A code and an object.
    Json(u16, Value),
    /// Bytes of a content type.
    Bytes(&'static str, Vec<u8>),
    /// Changes, as they happen.
    Watch(Watch),
}

/// Which changes a client wants to see.
pub struct Watch {
    /// The resource.
    pub resource: Resource,
    namespace: Option<String>,
    labels: String,
    fields: String,
    /// Whether as tables.
    pub tables: bool,
    /// After which revision; nothing when what is there comes first.
    pub after: Option<u64>,
    /// How long.
    pub seconds: u64,
}

impl Watch {
    /// Whether it is about this object.
    pub fn wants(&self, resource: &str, object: &Value) -> bool {
        resource == self.resource.key()
            && self
                .namespace
                .as_deref()
                .is_none_or(|space| space == text(object, "/metadata/namespace"))
            && query::labels_match(&self.labels, object)
            && query::fields_match(&self.fields, object)
    }
}

/// What a path is about.
struct Target {
    resource: Resource,
    namespace: Option<String>,
    name: Option<String>,
    sub: Option<String>,
}

/// Answers a request of a user. `version` is the Kubernetes version played.
pub fn handle(store: &Store, user: &User, version: &str, request: &Request) -> Reply {
    let reply = answer(store, user, version, request);
    if let Err(error) = store.save() {
        return Reply::Json(500, Refusal::bad(error.to_string()).to_json());
    }
    reply.unwrap_or_else(|refusal| Reply::Json(refusal.code, refusal.to_json()))
}

fn answer(store: &Store, user: &User, version: &str, request: &Request) -> Result<Reply, Refusal> {
    let reads = request.method == "GET";
    let path = request.path.trim_end_matches('/');
    if !user.is_admin() && !(user.is_node() && (reads || path == "/stand-in/heartbeat")) {
        let verb = request.method.to_lowercase();
        return Err(Refusal::forbidden(&user.name, &verb, &request.path));
    }
    if let Some(rest) = path.strip_prefix("/stand-in/") {
        return stand_in(&mut store.lock(), request, rest);
    }
    let mut inner = store.lock();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    if reads {
        match parts[..] {
            ["healthz" | "livez" | "readyz"] => return Ok(Reply::Bytes("text/plain", b"ok".to_vec())),
            ["version"] => return Ok(Reply::Json(200, discovery::version(version))),
            ["api"] => return Ok(Reply::Json(200, discovery::core(request.header("host")))),
            ["apis"] => return Ok(Reply::Json(200, discovery::groups(&inner.resources()))),
            ["openapi", "v2"] => return Ok(openapi(request)),
            ["apis", group] => return found(discovery::group(&inner.resources(), group)),
            ["api", core] => return found(discovery::resources(&inner.resources(), core)),
            ["apis", group, of] => {
                return found(discovery::resources(&inner.resources(), &format!("{group}/{of}")));
            }
            _ => {}
        }
    }
    if let ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"] = parts[..] {
        // Newer clients ask in protobuf, which need not be understood: the answer is the same for all questions.
        return Ok(Reply::Json(
            201,
            json!({
                "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": {},
                "status": {"allowed": true, "reason": "an administrator may do all"},
            }),
        ));
    }
    let target = target(&inner, &parts).ok_or_else(Refusal::no_path)?;
    on_target(&mut inner, request, &target)
}

fn found(document: Option<Value>) -> Result<Reply, Refusal> {
    Ok(Reply::Json(200, document.ok_or_else(Refusal::no_path)?))
}

/// A description without definitions: `kubectl` then leaves all checks to the server. In its protobuf form, which is
/// what `kubectl` asks for, that is an empty message; as a real server of this age, it names no media type for it.
fn openapi(request: &Request) -> Reply {
    if request.header("accept").contains("protobuf") {
        return Reply::Bytes("application/octet-stream", Vec::new());
    }
    let about = json!({"title": "Kubernetes", "version": "stand-in"});
    Reply::Json(
        200,
        json!({"swagger": "2.0", "info": about, "paths": {}, "definitions": {}}),
    )
}

/// What tests and the stand-ins of nodes ask, which no real server has.
fn stand_in(inner: &mut Inner, request: &Request, path: &str) -> Result<Reply, Refusal> {
    match (request.method.as_str(), path) {
        ("POST", "heartbeat") => Ok(Reply::Json(200, kubelet::heard(inner, &body(request)?)?)),
        ("GET", "state") => Ok(Reply::Json(200, inner.snapshot())),
        ("PUT", "state") => {
            let restored = inner.restore(&body(request)?);
            restored.map_err(|error| Refusal::bad(error.to_string()))?;
            Ok(Reply::Json(200, success()))
        }
        ("GET", "settings") => Ok(Reply::Json(200, inner.raw_settings().clone())),
        ("PUT", "settings") => {
            let settings = body(request)?;
            inner.set_settings(settings.clone());
            Ok(Reply::Json(200, settings))
        }
        _ => Err(Refusal::no_path()),
    }
}

/// The object in a request's body, which may be YAML.
fn body(request: &Request) -> Result<Value, Refusal> {
    let kind = request.header("content-type").split(';').next().unwrap_or_default();
    if kind.contains("protobuf") {
        return Err(Refusal::media(kind));
    }
    let text = String::from_utf8_lossy(&request.body);
    serde_json::from_str(&text)
        .or_else(|error| {
            if kind.contains("yaml") {
                rke::yaml(&text)
            } else {
                Err(error.to_string())
            }
        })
        .map_err(|error| Refusal::bad(format!("the body cannot be read: {error}")))
}

fn target(inner: &Inner, parts: &[&str]) -> Option<Target> {
    let (api_version, mut rest) = match parts {
        ["api", version, rest @ ..] => ((*version).to_owned(), rest),
        ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
        _ => return None,
    };
    let mut namespace = None;
    // `namespaces/x` is an object, `namespaces/x/pods` is not about it; `status` and `finalize` are parts of it.
    if let ["namespaces", space, plural, ..] = rest
        && !matches!(*plural, "status" | "finalize")
    {
        namespace = Some((*space).to_owned());
        rest = &rest[2..];
    }
    let (plural, rest) = rest.split_first()?;
    let resources = inner.resources();
    let is_it = |one: &Resource| one.api_version() == api_version && one.plural == *plural;
    let resource = resources.into_iter().find(is_it)?;
    let mut rest = rest.iter().map(|part| (*part).to_owned());
    let target = Target {
        namespace: namespace.filter(|_| resource.namespaced),
        resource,
        name: rest.next(),
        sub: rest.next(),
    };
    rest.next().is_none().then_some(target)
}

fn on_target(inner: &mut Inner, request: &Request, target: &Target) -> Result<Reply, Refusal> {
    let key = target.resource.key();
    let space = target.namespace.as_deref().unwrap_or_default();
    let dry = request.param("dryRun") == Some("All");
    match (request.method.as_str(), &target.name) {
        ("GET", None) => list(inner, request, target),
        ("POST", None) => {
            let mut object = body(request)?;
            let named = text(&object, "/metadata/namespace");
            if target.resource.namespaced && !named.is_empty() && named != space {
                return Err(Refusal::bad(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
            if target.resource.namespaced {
                object["metadata"]["namespace"] = json!(space);
            }
            admit(inner, &target.resource, &mut object, None)?;
            if dry {
                return Ok(Reply::Json(201, object));
            }
            Ok(Reply::Json(201, inner.create(&key, space, object)?))
        }
        ("DELETE", None) => {
            let all = selected(inner, request, target);
            let names: Vec<(String, String)> = all
                .iter()
                .map(|one| {
                    (
                        text(one, "/metadata/namespace").into(),
                        text(one, "/metadata/name").into(),
                    )
                })
                .collect();
            for (space, name) in names {
                inner.delete(&key, &space, &name)?;
            }
            Ok(Reply::Json(200, success()))
        }
        ("POST", Some(name)) if target.sub.as_deref() == Some("eviction") => {
            inner.delete("pods", space, name)?;
            Ok(Reply::Json(201, success()))
        }
        ("GET", Some(name)) => {
            let object = inner
                .get(&key, space, name)
                .ok_or_else(|| Refusal::not_found(&key, name))?;
            match target.sub.as_deref() {
                None | Some("status") => {}
                Some("log") => return Ok(Reply::Bytes("text/plain", b"a stand-in has no log\n".to_vec())),
                Some("scale") => return Ok(Reply::Json(200, scale(object))),
                Some(_) => return Err(Refusal::no_path()),
            }
            if request.header("accept").contains("as=Table") {
                return Ok(Reply::Json(
                    200,
                    table::render(&target.resource, &[object], inner.revision),
                ));
            }
            Ok(Reply::Json(200, object.clone()))
        }
        ("DELETE", Some(name)) => {
            if !dry {
                inner.delete(&key, space, name)?;
            }
            Ok(Reply::Json(200, success()))
        }
        ("PUT" | "PATCH", Some(name)) => write(inner, request, target, name, dry),
        _ => Err(Refusal::method()),
    }
}

fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
}

fn scale(object: &Value) -> Value {
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": object["metadata"],
        "spec": {"replicas": object["spec"]["replicas"]}, "status": {"replicas": object["status"]["replicas"]},
    })
}

fn selected<'i>(inner: &'i Inner, request: &Request, target: &Target) -> Vec<&'i Value> {
    let labels = request.param("labelSelector").unwrap_or_default();
    let fields = request.param("fieldSelector").unwrap_or_default();
    let mut all = inner.list(&target.resource.key(), target.namespace.as_deref());
    all.retain(|object| query::labels_match(labels, object) && query::fields_match(fields, object));
    all
}

fn list(inner: &Inner, request: &Request, target: &Target) -> Result<Reply, Refusal> {
    let tables = request.header("accept").contains("as=Table");
    if request.flag("watch") {
        let after = request
            .param("resourceVersion")
            .and_then(|revision| revision.parse().ok());
        return Ok(Reply::Watch(Watch {
            resource: target.resource.clone(),
            namespace: target.namespace.clone(),
            labels: request.param("labelSelector").unwrap_or_default().into(),
            fields: request.param("fieldSelector").unwrap_or_default().into(),
            tables,
            after: after.filter(|revision| *revision > 0),
            seconds: request
                .param("timeoutSeconds")
                .and_then(|text| text.parse().ok())
                .unwrap_or(600),
        }));
    }
    let items = selected(inner, request, target);
    if tables {
        return Ok(Reply::Json(
            200,
            table::render(&target.resource, &items, inner.revision),
        ));
    }
    Ok(Reply::Json(
        200,
        json!({
            "kind": format!("{}List", target.resource.kind), "apiVersion": target.resource.api_version(),
            "metadata": {"resourceVersion": inner.revision.to_string()}, "items": items,
        }),
    ))
}

/// PUT and PATCH of an object or of a part of it.
fn write(inner: &mut Inner, request: &Request, target: &Target, name: &str, dry: bool) -> Result<Reply, Refusal> {
    let key = target.resource.key();
    let space = target.namespace.as_deref().unwrap_or_default();
    let kind = request.header("content-type").split(';').next().unwrap_or_default();
    let given = body(request)?;
    let Some(old) = inner.get(&key, space, name).cloned() else {
        if kind == "application/apply-patch+yaml" && target.sub.is_none() {
            let mut object = given;
            object["metadata"]["name"] = json!(name);
            admit(inner, &target.resource, &mut object, None)?;
            return Ok(Reply::Json(201, inner.create(&key, space, object)?));
        }
        return Err(Refusal::not_found(&key, name));
    };
    let scaled = target.sub.as_deref() == Some("scale");
    let before = if scaled { scale(&old) } else { old.clone() };
    let mut new = before.clone();
    if request.method == "PUT" {
        new = given;
    } else {
        match kind {
            "application/json-patch+json" => patch::json_patch(&mut new, &given)
                .map_err(|error| Refusal::invalid(&target.resource.kind, name, &error))?,
            "application/strategic-merge-patch+json" if target.resource.custom => return Err(Refusal::media(kind)),
            "application/strategic-merge-patch+json" => patch::strategic(&mut new, &given),
            "application/apply-patch+yaml" if !target.resource.custom => patch::strategic(&mut new, &given),
            "application/merge-patch+json" | "application/apply-patch+yaml" => patch::merge(&mut new, &given),
            _ => return Err(Refusal::media(kind)),
        }
    }
    let mut object = match target.sub.as_deref() {
        None => {
            match old.get("status") {
                Some(status) => new["status"] = status.clone(),
                None => drop(new.as_object_mut().map(|fields| fields.shift_remove("status"))),
            }
            new
        }
        Some("scale") => {
            let mut object = old.clone();
            object["spec"]["replicas"] = new["spec"]["replicas"].clone();
            object
        }
        Some("status") => {
            let mut object = old.clone();
            object["status"] = new["status"].clone();
            object
        }
        Some(_) => return Err(Refusal::no_path()),
    };
    if text(&object, "/metadata/name") != name {
        return Err(Refusal::bad(
            "the name of the object does not match the name on the URL",
        ));
    }
    admit(inner, &target.resource, &mut object, Some(&old))?;
    let object = if dry {
        object
    } else {
        inner.update(&key, space, object)?
    };
    Ok(Reply::Json(200, if scaled { scale(&object) } else { object }))
}
