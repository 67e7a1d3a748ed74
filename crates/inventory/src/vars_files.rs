//! `group_vars/` and `host_vars/`: files named after a group or host, or folders of such files.

use crate::diagnostic::{Diagnostic, Diagnostics, Location};
use crate::graph::Graph;
use crate::sources::YAML_EXTENSIONS;
use crate::value::VarMap;
use crate::vault::VaultSecrets;
use crate::yaml::{self, Document};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The variables that stand beside one inventory or playbook folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct FolderVars {
    pub groups: HashMap<Arc<str>, Arc<VarMap>>,
    pub hosts: HashMap<Arc<str>, Arc<VarMap>>,
}

/// Reads every file once, however many sources share it.
pub(crate) struct VarsReader<'a> {
    secrets: &'a VaultSecrets,
    files: HashMap<PathBuf, Arc<VarMap>>,
    pub documents: Vec<Document>,
    pub found: Diagnostics,
}

impl<'a> VarsReader<'a> {
    pub fn new(secrets: &'a VaultSecrets) -> Self {
        Self {
            secrets,
            files: HashMap::new(),
            documents: Vec::new(),
            found: Diagnostics::new(),
        }
    }

    /// The variables of all groups and hosts of `graph`, and of the implicit `localhost` names, beside `folder`.
    pub fn folder(&mut self, folder: &Path, graph: &Graph) -> FolderVars {
        let mut vars = FolderVars::default();
        if let Some(place) = self.folder_of(folder, "group_vars") {
            for name in graph.groups.keys() {
                vars.groups
                    .extend(self.named(&place, name).map(|found| (name.clone(), found)));
            }
        }
        if let Some(place) = self.folder_of(folder, "host_vars") {
            let implicit = crate::graph::LOCALHOST.iter().map(|name| Arc::from(*name));
            let names = graph.hosts.keys().cloned().chain(implicit);
            for name in names {
                vars.hosts.extend(self.named(&place, &name).map(|found| (name, found)));
            }
        }
        vars
    }

    fn folder_of(&mut self, folder: &Path, name: &str) -> Option<PathBuf> {
        let place = folder.join(name);
        if place.is_file() {
            let message = format!("{name} is not a folder and is passed over");
            self.found.push(Diagnostic::warning(message).at(Location::file(&place)));
        }
        place.is_dir().then_some(place)
    }

    fn named(&mut self, folder: &Path, name: &str) -> Option<Arc<VarMap>> {
        if name.is_empty() || name.starts_with('/') {
            return None;
        }
        let mut files = Vec::new();
        for extension in [""].iter().chain(&YAML_EXTENSIONS) {
            let path = folder.join(format!("{name}{extension}"));
            if path.is_dir() {
                self.files_below(&path, &mut files);
                break;
            }
            if path.exists() {
                files.push(path);
                break;
            }
        }
        let mut layers = files.iter().map(|file| self.file(file));
        let first = layers.next()?;
        Some(layers.fold(first, |mut below, above| {
            Arc::make_mut(&mut below).extend(above.iter().map(|(k, v)| (k.clone(), v.clone())));
            below
        }))
    }

    fn files_below(&mut self, folder: &Path, files: &mut Vec<PathBuf>) {
        let mut inner: Vec<PathBuf> = match std::fs::read_dir(folder) {
            Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
            Err(error) => {
                let message = format!("the folder cannot be read: {error}");
                self.found.push(Diagnostic::error(message).at(Location::file(folder)));
                return;
            }
        };
        inner.sort();
        for path in inner {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            let extension = name.rfind('.').filter(|at| *at > 0).map_or("", |at| &name[at..]);
            if path.is_dir() {
                if extension.is_empty() {
                    self.files_below(&path, files);
                }
            } else if extension.is_empty() || YAML_EXTENSIONS.contains(&extension) {
                files.push(path);
            }
        }
    }

    fn file(&mut self, path: &Path) -> Arc<VarMap> {
        if let Some(vars) = self.files.get(path) {
            return vars.clone();
        }
        let (document, found) = yaml::load_document(path, self.secrets);
        self.found.extend(found);
        let vars = Arc::new(self.found.take(document.to_vars()).unwrap_or_default());
        self.documents.push(document);
        self.files.insert(path.to_path_buf(), vars.clone());
        vars
    }
}
