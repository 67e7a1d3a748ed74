//! The inventory as a whole: what all sources together say, and the questions that plays ask of it.

use crate::diagnostic::Diagnostics;
use crate::extra_vars;
use crate::graph::{Graph, Group, Host, LOCALHOST};
use crate::pattern::{self, PatternError};
use crate::sources;
use crate::value::{Value, Var, VarMap};
use crate::vars_files::{FolderVars, VarsReader};
use crate::vault::VaultSecrets;
use crate::yaml::Document;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The `-i` options in order: files, folders, or literal lists with a comma (`host1,host2`).
    pub sources: Vec<String>,
    /// The `-e` options in order.
    pub extra_vars: Vec<String>,
    /// Vault passwords.
    pub vault: VaultSecrets,
    /// Playbook folders, whose `group_vars/` and `host_vars/` count above those beside the inventory.
    pub vars_dirs: Vec<PathBuf>,
}

/// What could be read, and everything that is wrong with it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The inventory, as far as it could be read.
    pub inventory: Inventory,
    /// All findings. Nothing may connect while there is an error among them.
    pub diagnostics: Diagnostics,
}

/// Hosts, groups and their raw variables.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    pub(crate) graph: Graph,
    pub(crate) implicit: Vec<Host>,
    pub(crate) beside_inventory: Vec<FolderVars>,
    pub(crate) beside_playbook: Vec<FolderVars>,
    pub(crate) extra: Arc<VarMap>,
    pub(crate) documents: Vec<Document>,
    base_dir: Option<PathBuf>,
}

/// Reads everything that `options` name. Always returns as much as could be read.
pub fn load(options: &LoadOptions) -> Loaded {
    let read = sources::read(&options.sources, &options.vault);
    let mut diagnostics = read.found;
    let mut files = VarsReader::new(&options.vault);
    let beside_inventory = read
        .folders
        .iter()
        .map(|folder| files.folder(folder, &read.graph))
        .collect();
    let beside_playbook = options
        .vars_dirs
        .iter()
        .map(|folder| files.folder(&sources::absolute(&folder.to_string_lossy()), &read.graph))
        .collect();
    diagnostics.extend(files.found);
    let (extra, found) = extra_vars::parse(&options.extra_vars, &options.vault);
    diagnostics.extend(found);
    let mut documents = read.documents;
    documents.extend(files.documents);
    let implicit = if read.graph.localhost.is_some() {
        Vec::new()
    } else {
        implicit_hosts()
    };
    let inventory = Inventory {
        graph: read.graph,
        implicit,
        beside_inventory,
        beside_playbook,
        extra: Arc::new(extra),
        documents,
        base_dir: read.folders.into_iter().next(),
    };
    Loaded { inventory, diagnostics }
}

/// This machine under the names that mean it, when no inventory names it.
pub(crate) fn implicit_hosts() -> Vec<Host> {
    let local = |name: &str| {
        let var = Var {
            value: Value::str("local"),
            location: None,
        };
        Host {
            name: name.into(),
            location: None,
            vars: Arc::new(std::iter::once((Arc::from("ansible_connection"), var)).collect()),
            inventory_file: None,
            implicit: true,
        }
    };
    LOCALHOST.iter().map(|name| local(name)).collect()
}

impl Inventory {
    /// All hosts that the inventory names, in the order of their first mention.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.graph.hosts.values()
    }

    /// A host by name. `localhost`, `127.0.0.1` and `::1` mean this machine even where no inventory names it.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.graph.hosts.get(name).or_else(|| {
            let is_local = LOCALHOST.contains(&name);
            match &self.graph.localhost {
                Some(known) if is_local => self.graph.hosts.get(known),
                _ => self.implicit.iter().find(|host| &*host.name == name),
            }
        })
    }

    /// All groups, `all` and `ungrouped` first.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.graph.groups.values()
    }

    /// A group by name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.graph.groups.get(name)
    }

    /// Hosts of `group` and of the groups below it, in Ansible's order. Empty for an unknown group.
    pub fn hosts_of(&self, group: &str) -> Vec<&str> {
        let names = self.graph.hosts_of(group);
        names
            .iter()
            .filter_map(|name| self.graph.hosts.get(name))
            .map(|host| &*host.name)
            .collect()
    }

    /// The groups that `host` is in, sorted, without `all`: the value of `group_names`.
    pub fn groups_of(&self, host: &str) -> Vec<&str> {
        let names = self.graph.groups_of(host);
        let mut groups: Vec<&str> = names
            .iter()
            .filter(|g| &***g != "all")
            .filter_map(|g| self.graph.groups.get(g))
            .map(|g| &*g.name)
            .collect();
        groups.sort_unstable();
        groups
    }

    /// Hosts that `pattern` selects, in Ansible's order. A part `@file` stands for the lines of that file.
    ///
    /// # Errors
    /// A name that is unknown, a bad regular expression, a subscript out of range.
    pub fn select(&self, pattern: &str) -> Result<Vec<Arc<str>>, PatternError> {
        pattern::select(&self.graph, pattern)
    }

    /// The same within `--limit`.
    ///
    /// # Errors
    /// As [`Inventory::select`], and a limit that leaves nothing.
    pub fn select_limited(&self, pattern: &str, limit: Option<&str>) -> Result<Vec<Arc<str>>, PatternError> {
        match limit {
            Some(limit) => pattern::select_limited(&self.graph, pattern, limit),
            None => self.select(pattern),
        }
    }

    /// Raw variables of `host`, lowest precedence first: `all` and groups of inventory files, `group_vars/all` beside
    /// inventory and playbook, `group_vars` of groups beside both, the host's own, `host_vars` beside both, `-e`.
    pub fn layers(&self, host: &str) -> Vec<Arc<VarMap>> {
        let Some(host) = self.host(host) else {
            return vec![self.extra.clone()];
        };
        let groups = self.graph.groups_by_precedence(&host.name);
        let mut layers: Vec<Arc<VarMap>> = Vec::new();
        layers.extend(self.graph.groups.get("all").map(|all| all.vars.clone()));
        layers.extend(groups.iter().map(|group| group.vars.clone()));
        for folder in self.beside_inventory.iter().chain(&self.beside_playbook) {
            layers.extend(folder.groups.get("all").cloned());
        }
        for folder in self.beside_inventory.iter().chain(&self.beside_playbook) {
            layers.extend(
                groups
                    .iter()
                    .filter_map(|group| folder.groups.get(&group.name).cloned()),
            );
        }
        layers.push(host.vars.clone());
        for folder in self.beside_inventory.iter().chain(&self.beside_playbook) {
            layers.extend(folder.hosts.get(&host.name).cloned());
        }
        layers.push(self.extra.clone());
        layers.retain(|layer| !layer.is_empty());
        layers
    }

    /// The same with a variable above all others, those of `-e` included: what was found out, and is written nowhere.
    #[must_use]
    pub fn with_extra(mut self, name: &str, value: Value) -> Self {
        let mut extra = VarMap::clone(&self.extra);
        extra.insert(name.into(), Var { value, location: None });
        self.extra = Arc::new(extra);
        self
    }

    /// The folder of the first source that is a file or folder.
    pub fn base_dir(&self) -> Option<&Path> {
        self.base_dir.as_deref()
    }
}
