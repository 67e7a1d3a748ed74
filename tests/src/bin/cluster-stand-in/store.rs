//! All objects of a cluster, in memory and in one file that is replaced whole; what changed can be waited for.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::objects::{self, Resource, name, text};
use crate::status::Refusal;
use crate::{Outcome, pki};

/// How many changes a watcher may be behind.
const REMEMBERED: usize = 4000;

/// A change of an object.
#[derive(Clone)]
pub struct Change {
    /// The store's revision with it.
    pub revision: u64,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub kind: &'static str,
    /// The key of its resource.
    pub resource: String,
    /// The object.
    pub object: Value,
}

/// What a test may set.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long a pod is in creation.
    pub pod_delay: Duration,
    /// Nodes that are not ready whatever they say.
    pub not_ready_nodes: Vec<String>,
    /// Pods (`namespace/start of name`) that stay in creation.
    pub stuck_pods: Vec<String>,
    /// How long a CustomResourceDefinition takes until it is established.
    pub definition_delay: Duration,
    /// Nothing happens by itself: objects stay as a test has put them.
    pub frozen: bool,
}

impl Settings {
    /// Reads them from JSON; what is absent has its default.
    pub fn read(json: &Value) -> Self {
        let list = |name: &str| {
            let items = json[name].as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let delay = |name: &str, default| Duration::from_millis(json[name].as_u64().unwrap_or(default));
        Self {
            pod_delay: delay("pod_delay_ms", 1500),
            not_ready_nodes: list("not_ready_nodes"),
            stuck_pods: list("stuck_pods"),
            definition_delay: delay("definition_delay_ms", 500),
            frozen: json["frozen"] == true,
        }
    }
}

/// What a kubelet said last.
pub struct Heartbeat {
    /// When.
    pub at: Instant,
    /// The pod that wrote its network configuration; empty when none has.
    pub network_pod: String,
}

/// The objects and what is known beside them.
pub struct Inner {
    /// The revision of the last change.
    pub revision: u64,
    objects: BTreeMap<(String, String, String), Value>,
    changes: VecDeque<Change>,
    settings: Value,
    unsaved: bool,
    /// What kubelets said since this server started.
    pub heartbeats: HashMap<String, Heartbeat>,
    /// When this server saw objects first, by their uid.
    pub seen: HashMap<String, Instant>,
}

/// The store.
pub struct Store {
    inner: Mutex<Inner>,
    changed: Condvar,
    file: PathBuf,
}

impl Store {
    /// Opens the file, or begins a cluster with the namespaces that every cluster has.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn open(file: PathBuf) -> Outcome<Self> {
        let mut inner = Inner {
            revision: 0,
            objects: BTreeMap::new(),
            changes: VecDeque::new(),
            settings: json!({}),
            unsaved: false,
            heartbeats: HashMap::new(),
            seen: HashMap::new(),
        };
        match std::fs::read(&file) {
            Ok(bytes) => inner.restore(&serde_json::from_slice(&bytes)?)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
                    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
                    inner.create("namespaces", "", namespace)?;
                }
            }
            Err(error) => return Err(format!("{}: {error}", file.display()).into()),
        }
        let store = Self {
            inner: Mutex::new(inner),
            changed: Condvar::new(),
            file,
        };
        store.save()?;
        Ok(store)
    }

    /// The objects, for one at a time.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what changed to the file, and wakes those who wait.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self) -> Outcome {
        let mut inner = self.lock();
        if inner.unsaved {
            pki::write_private(&self.file, &inner.snapshot().to_string())?;
            inner.unsaved = false;
            self.changed.notify_all();
        }
        Ok(())
    }

    /// The changes after `revision`, waiting for one; none when `patience` ended; `None` when they are forgotten.
    pub fn changes_after(&self, revision: u64, patience: Duration) -> Option<Vec<Change>> {
        let inner = self.lock();
        let nothing_new = |inner: &mut Inner| inner.revision <= revision;
        let waited = self.changed.wait_timeout_while(inner, patience, nothing_new);
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if revision < inner.revision && inner.changes.front().is_none_or(|first| first.revision > revision + 1) {
            return None;
        }
        let newer = inner.changes.iter().filter(|change| change.revision > revision);
        Some(newer.cloned().collect())
    }
}

impl Inner {
    /// All of it as it is written to the file.
    pub fn snapshot(&self) -> Value {
        let objects: Vec<Value> = self
            .objects
            .iter()
            .map(|((resource, _, _), object)| json!({"resource": resource, "object": object}))
            .collect();
        json!({"revision": self.revision, "settings": self.settings, "objects": objects})
    }

    /// Takes over a snapshot.
    ///
    /// # Errors
    /// It is none.
    pub fn restore(&mut self, snapshot: &Value) -> Outcome {
        self.revision = snapshot["revision"].as_u64().ok_or("a snapshot without revision")?;
        self.settings = snapshot["settings"].clone();
        self.objects.clear();
        for entry in snapshot["objects"].as_array().ok_or("a snapshot without objects")? {
            let object = entry["object"].clone();
            let resource = entry["resource"].as_str().unwrap_or_default().to_owned();
            let namespace = text(&object, "/metadata/namespace").to_owned();
            self.objects
                .insert((resource, namespace, name(&object).to_owned()), object);
        }
        self.changes.clear();
        self.unsaved = true;
        Ok(())
    }

    /// What a test has set.
    pub fn settings(&self) -> Settings {
        Settings::read(&self.settings)
    }

    /// The same as it was set.
    pub fn raw_settings(&self) -> &Value {
        &self.settings
    }

    /// Sets it.
    pub fn set_settings(&mut self, settings: Value) {
        self.settings = settings;
        self.unsaved = true;
    }

    /// An object.
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.get(&(resource.into(), namespace.into(), name.into()))
    }

    /// The objects of a resource, of one namespace or of all.
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<&Value> {
        let of = self
            .objects
            .iter()
            .filter(|((kind, space, _), _)| kind == resource && namespace.is_none_or(|namespace| namespace == space));
        of.map(|(_, object)| object).collect()
    }

    /// The resources there are: the built in ones and those of established definitions.
    pub fn resources(&self) -> Vec<Resource> {
        let mut all = objects::builtin();
        for definition in self.list("customresourcedefinitions.apiextensions.k8s.io", None) {
            if objects::condition(definition, "Established") == "True" {
                all.extend(objects::of_definition(definition));
            }
        }
        all
    }

    fn note(&mut self, kind: &'static str, resource: &str, object: &Value) {
        self.unsaved = true;
        self.changes.push_back(Change {
            revision: self.revision,
            kind,
            resource: resource.into(),
            object: object.clone(),
        });
        if self.changes.len() > REMEMBERED {
            self.changes.pop_front();
        }
    }

    fn stamp(&mut self, object: &mut Value) {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
    }

    /// Adds an object, with the metadata a server gives.
    ///
    /// # Errors
    /// One of that name is there, or its namespace is not.
    pub fn create(&mut self, resource: &str, namespace: &str, mut object: Value) -> Result<Value, Refusal> {
        let metadata = &mut object["metadata"];
        if !metadata["name"].is_string() {
            match metadata["generateName"].as_str() {
                Some(start) => metadata["name"] = json!(format!("{start}{}", objects::suffix())),
                None => return Err(Refusal::bad("name or generateName is required")),
            }
        }
        if !namespace.is_empty() {
            metadata["namespace"] = json!(namespace);
            if self.get("namespaces", "", namespace).is_none() {
                return Err(Refusal::not_found("namespaces", namespace));
            }
        }
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(objects::uid());
        metadata["creationTimestamp"] = json!(objects::now());
        metadata["generation"] = json!(1);
        let key = (resource.to_owned(), namespace.to_owned(), name(&object).to_owned());
        if self.objects.contains_key(&key) {
            return Err(Refusal::exists(resource, &key.2));
        }
        self.stamp(&mut object);
        self.note("ADDED", resource, &object);
        self.objects.insert(key, object.clone());
        Ok(object)
    }

    /// Replaces an object by a changed one; what a server owns stays, and nothing happens when nothing differs.
    ///
    /// # Errors
    /// There is none, or it was changed since it was read.
    pub fn update(&mut self, resource: &str, namespace: &str, mut object: Value) -> Result<Value, Refusal> {
        let key = (resource.to_owned(), namespace.to_owned(), name(&object).to_owned());
        let Some(old) = self.objects.get(&key) else {
            return Err(Refusal::not_found(resource, &key.2));
        };
        let read = text(&object, "/metadata/resourceVersion");
        if !read.is_empty() && read != text(old, "/metadata/resourceVersion") {
            return Err(Refusal::conflict(resource, &key.2));
        }
        for owned in ["uid", "creationTimestamp", "generation", "resourceVersion", "namespace"] {
            match old["metadata"].get(owned) {
                Some(value) => object["metadata"][owned] = value.clone(),
                None => drop(
                    object["metadata"]
                        .as_object_mut()
                        .map(|metadata| metadata.remove(owned)),
                ),
            }
        }
        if &object == old {
            return Ok(object);
        }
        if object["spec"] != old["spec"] {
            let generation = old["metadata"]["generation"].as_u64().unwrap_or(1);
            object["metadata"]["generation"] = json!(generation + 1);
        }
        self.stamp(&mut object);
        self.note("MODIFIED", resource, &object);
        self.objects.insert(key, object.clone());
        Ok(object)
    }

    /// Removes an object; a namespace with all in it, a definition with all of its kind, an owner with what it owns.
    ///
    /// # Errors
    /// There is none.
    pub fn delete(&mut self, resource: &str, namespace: &str, name: &str) -> Result<Value, Refusal> {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        let Some(mut object) = self.objects.remove(&key) else {
            return Err(Refusal::not_found(resource, name));
        };
        self.stamp(&mut object);
        self.note("DELETED", resource, &object);
        let uid = text(&object, "/metadata/uid").to_owned();
        self.seen.remove(&uid);
        let goes = |(kind, space, _): &(String, String, String), other: &Value| match resource {
            "namespaces" if space == name => true,
            "customresourcedefinitions.apiextensions.k8s.io" if kind == name => true,
            _ => {
                let owners = other["metadata"]["ownerReferences"].as_array();
                owners.into_iter().flatten().any(|owner| owner["uid"] == uid.as_str())
            }
        };
        let also: Vec<_> = self
            .objects
            .iter()
            .filter(|(key, other)| goes(key, other))
            .map(|(key, _)| key.clone())
            .collect();
        for (resource, namespace, name) in also {
            // Gone already when something that went before owned it.
            let _ = self.delete(&resource, &namespace, &name);
        }
        Ok(object)
    }

    /// How long this server has known an object.
    pub fn age(&mut self, object: &Value) -> Duration {
        let uid = text(object, "/metadata/uid");
        match self.seen.get(uid) {
            Some(since) => since.elapsed(),
            None => {
                self.seen.insert(uid.to_owned(), Instant::now());
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(folder.path().join("state.json")).expect("a store")
    }

    fn pod(name: &str) -> Value {
        json!({"kind": "Pod", "metadata": {"name": name}, "spec": {"a": 1}})
    }

    #[test]
    fn objects_outlive_the_process_and_revisions_go_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = store(&folder);
        let made = first.lock().create("pods", "default", pod("a")).expect("created");
        first.save().expect("saved");
        let again = store(&folder);
        assert_eq!(again.lock().get("pods", "default", "a"), Some(&made));
        assert_eq!(again.lock().revision, first.lock().revision);
    }

    #[test]
    fn an_update_of_what_was_changed_since_is_refused_and_one_without_difference_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let mut inner = store.lock();
        let read = inner.create("pods", "default", pod("a")).expect("created");
        assert_eq!(inner.update("pods", "default", read.clone()).as_ref(), Ok(&read));
        let mut changed = read.clone();
        changed["spec"]["a"] = json!(2);
        let changed = inner.update("pods", "default", changed).expect("updated");
        assert_eq!(changed["metadata"]["generation"], 2);
        let refused = inner.update("pods", "default", read).expect_err("stale");
        assert_eq!(refused.reason, "Conflict");
    }

    #[test]
    fn what_belongs_to_a_deleted_object_goes_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let mut inner = store.lock();
        let namespace = json!({"metadata": {"name": "x"}});
        inner.create("namespaces", "", namespace).expect("created");
        inner.create("pods", "x", pod("a")).expect("created");
        let refused = inner.create("pods", "y", pod("a")).expect_err("no namespace");
        assert_eq!(refused.reason, "NotFound");
        inner.delete("namespaces", "", "x").expect("deleted");
        assert!(inner.list("pods", None).is_empty());
    }

    #[test]
    fn changes_can_be_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let begun = store.lock().revision;
        assert_eq!(store.changes_after(begun, Duration::ZERO).expect("known").len(), 0);
        store.lock().create("pods", "default", pod("a")).expect("created");
        let changes = store.changes_after(begun, Duration::ZERO).expect("known");
        assert_eq!((changes.len(), changes[0].kind), (1, "ADDED"));
    }
}
