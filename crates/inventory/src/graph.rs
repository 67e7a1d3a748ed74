//! Hosts, groups and who belongs to whom, built up by the inventory sources in the order they are read.

use crate::diagnostic::{Diagnostic, Location};
use crate::value::{Value, Var, VarMap};
use indexmap::{IndexMap, IndexSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The names that mean this machine, present in the inventory or not.
pub const LOCALHOST: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// A host of the inventory.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name in the inventory.
    pub name: Arc<str>,
    /// Where it was first named. `None` for the implicit `localhost`.
    pub location: Option<Location>,
    /// Variables set on the host in inventory files.
    pub vars: Arc<VarMap>,
    /// The source that first named it (`inventory_file`): a file, or the text of a literal host list.
    pub inventory_file: Option<PathBuf>,
    /// True for a `localhost` that no inventory names.
    pub implicit: bool,
}

impl Host {
    /// The folder of the source that first named it (`inventory_dir`).
    pub fn inventory_dir(&self) -> Option<&Path> {
        self.inventory_file
            .as_deref()
            .filter(|file| file.is_file())
            .and_then(Path::parent)
    }
}

/// A group of the inventory.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: Arc<str>,
    /// Where it was first named. `None` for `all` and `ungrouped`.
    pub location: Option<Location>,
    /// Variables set on the group in inventory files.
    pub vars: Arc<VarMap>,
    /// Hosts named in the group itself, in order.
    pub hosts: IndexSet<Arc<str>>,
    /// Child groups, in order.
    pub children: IndexSet<Arc<str>>,
    /// Parent groups, in order.
    pub parents: IndexSet<Arc<str>>,
    /// The longest way down from `all`, which is 0.
    pub depth: usize,
    /// `ansible_group_priority`: among groups of one depth the higher wins. 1 unless set.
    pub priority: i64,
}

/// The hosts and groups read so far.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    pub(crate) groups: IndexMap<Arc<str>, Group>,
    pub(crate) hosts: IndexMap<Arc<str>, Host>,
    /// The host of the inventory that stands for this machine, the first one named.
    pub(crate) localhost: Option<Arc<str>>,
}

impl Graph {
    /// Only `all` and `ungrouped`.
    pub fn new() -> Self {
        let mut graph = Self::default();
        graph.add_group("all", None);
        graph.add_group("ungrouped", None);
        // Cannot fail: both are there and neither is above the other.
        let _ = graph.add_child("all", "ungrouped");
        graph
    }

    pub(crate) fn add_group(&mut self, name: &str, location: Option<Location>) {
        if !self.groups.contains_key(name) {
            let name: Arc<str> = name.into();
            let group = Group {
                name: name.clone(),
                location,
                vars: Arc::default(),
                hosts: IndexSet::new(),
                children: IndexSet::new(),
                parents: IndexSet::new(),
                depth: 0,
                priority: 1,
            };
            self.groups.insert(name, group);
        }
    }

    /// Adds `name` to `group`, and to the inventory if it is new. A port counts only for a new host.
    pub(crate) fn add_host(
        &mut self,
        name: &str,
        group: &str,
        port: Option<u32>,
        location: Option<Location>,
        source: &Path,
    ) {
        if !self.hosts.contains_key(name) {
            let name: Arc<str> = name.into();
            let mut vars = VarMap::new();
            if let Some(port) = port.filter(|port| *port != 0) {
                let value = Value::Int(port.into());
                vars.insert(
                    "ansible_port".into(),
                    Var {
                        value,
                        location: location.clone(),
                    },
                );
            }
            let host = Host {
                name: name.clone(),
                location,
                vars: Arc::new(vars),
                inventory_file: Some(source.to_path_buf()),
                implicit: false,
            };
            if self.localhost.is_none() && LOCALHOST.contains(&&*name) {
                self.localhost = Some(name.clone());
            }
            self.hosts.insert(name, host);
        }
        if let Some(group) = self.groups.get_mut(group) {
            group.hosts.insert(name.into());
        }
    }

    /// Sets a variable of a group or, where no group has that name, of a host (Ansible's own order).
    ///
    /// # Errors
    /// `ansible_group_priority` that is not a whole number, as a sentence without its place.
    pub(crate) fn set_variable(&mut self, entity: &str, name: &str, var: Var) -> Result<(), String> {
        if let Some(group) = self.groups.get_mut(entity) {
            if name == "ansible_group_priority" {
                let number = match &var.value {
                    Value::Int(i) => i64::try_from(*i).ok(),
                    Value::Bool(b) => Some((*b).into()),
                    Value::Float(x) => Some(*x as i64),
                    other => other.as_str().and_then(|text| text.trim().parse().ok()),
                };
                group.priority = number.ok_or("ansible_group_priority must be a whole number")?;
            } else {
                Arc::make_mut(&mut group.vars).insert(name.into(), var);
            }
        } else if let Some(host) = self.hosts.get_mut(entity) {
            Arc::make_mut(&mut host.vars).insert(name.into(), var);
        }
        Ok(())
    }

    /// Makes `child`, a group or else a host, part of `parent`.
    ///
    /// # Errors
    /// A group that would contain itself, as a sentence without its place.
    pub(crate) fn add_child(&mut self, parent: &str, child: &str) -> Result<(), String> {
        if !self.groups.contains_key(child) {
            if let Some((name, group)) = self
                .hosts
                .get(child)
                .map(|h| h.name.clone())
                .zip(self.groups.get_mut(parent))
            {
                group.hosts.insert(name);
            }
            return Ok(());
        }
        if parent == child {
            return Err(format!("group `{child}` cannot be its own child"));
        }
        if self.ancestors(parent).contains(child) {
            return Err(format!(
                "group `{child}` cannot be a child of `{parent}`, which is below it already"
            ));
        }
        let (parent_name, child_name) = (self.groups[parent].name.clone(), self.groups[child].name.clone());
        if let Some(group) = self.groups.get_mut(parent) {
            group.children.insert(child_name);
        }
        if let Some(group) = self.groups.get_mut(child) {
            group.parents.insert(parent_name);
        }
        Ok(())
    }

    /// All groups above `group`, without itself.
    pub(crate) fn ancestors(&self, group: &str) -> IndexSet<Arc<str>> {
        self.walk(group, |g| &g.parents)
    }

    /// `group` and all groups below it, level by level, each level in the order written.
    pub(crate) fn descendants(&self, group: &str) -> IndexSet<Arc<str>> {
        let mut all: IndexSet<Arc<str>> = self.groups.get(group).map(|g| g.name.clone()).into_iter().collect();
        all.extend(self.walk(group, |g| &g.children));
        all
    }

    fn walk(&self, from: &str, next: impl Fn(&Group) -> &IndexSet<Arc<str>>) -> IndexSet<Arc<str>> {
        let mut seen: IndexSet<Arc<str>> = self.groups.get(from).map(|g| next(g).clone()).unwrap_or_default();
        let mut at = 0;
        while let Some(name) = seen.get_index(at).cloned() {
            at += 1;
            if let Some(group) = self.groups.get(&name) {
                seen.extend(next(group).iter().cloned());
            }
        }
        seen
    }

    /// Hosts of `group` and the groups below it, each once.
    pub(crate) fn hosts_of(&self, group: &str) -> IndexSet<Arc<str>> {
        let below = self.descendants(group);
        below
            .iter()
            .filter_map(|name| self.groups.get(name))
            .flat_map(|g| g.hosts.iter().cloned())
            .collect()
    }

    /// Groups that `host` is in, directly or through children, `all` included.
    pub(crate) fn groups_of(&self, host: &str) -> IndexSet<Arc<str>> {
        let mut all = IndexSet::new();
        for group in self.groups.values().filter(|g| g.hosts.contains(host)) {
            all.extend(self.ancestors(&group.name));
            all.insert(group.name.clone());
        }
        all
    }

    /// The rules that hold once everything is read: every group is below `all`, every host in some group.
    pub(crate) fn reconcile(&mut self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let names: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for name in names.iter().filter(|name| &***name != "all") {
            if self.groups[name].parents.is_empty()
                && let Err(message) = self.add_child("all", name)
            {
                found.push(Diagnostic::error(message).at(self.groups[name].location.clone()));
            }
        }
        let hosts: Vec<Arc<str>> = self.hosts.keys().cloned().collect();
        for host in &hosts {
            let groups = self.groups_of(host);
            let others = groups.iter().any(|g| !matches!(&**g, "all" | "ungrouped"));
            if groups.contains("ungrouped") {
                if others && let Some(ungrouped) = self.groups.get_mut("ungrouped") {
                    ungrouped.hosts.shift_remove(host);
                }
            } else if !others && let Err(message) = self.add_child("ungrouped", host) {
                found.push(Diagnostic::error(message).at(self.hosts[host].location.clone()));
            }
            if &**host == "all" {
                let message = "`all` is the group of all hosts and cannot be the name of a host";
                found.push(Diagnostic::error(message).at(self.hosts[host].location.clone()));
                continue;
            }
            if self.groups.contains_key(host) {
                let message = format!("`{host}` is the name of both a host and a group");
                let help = "variables and patterns of that name mean the group: rename one of them";
                found.push(
                    Diagnostic::warning(message)
                        .at(self.hosts[host].location.clone())
                        .help(help),
                );
            }
        }
        self.set_depths();
        found
    }

    fn set_depths(&mut self) {
        // Longest paths: at most one round per group, since there are no cycles.
        for _ in 0..self.groups.len() {
            let mut changed = false;
            let names: Vec<Arc<str>> = self.groups.keys().cloned().collect();
            for name in names {
                let above = self.groups[&name]
                    .parents
                    .iter()
                    .filter_map(|p| self.groups.get(p))
                    .map(|p| p.depth + 1)
                    .max();
                let depth = above.unwrap_or(0);
                if let Some(group) = self.groups.get_mut(&name).filter(|g| g.depth != depth) {
                    group.depth = depth;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
    }

    /// Groups of `host` without `all`, in the order their variables count: the last wins.
    pub(crate) fn groups_by_precedence(&self, host: &str) -> Vec<&Group> {
        let names = self.groups_of(host);
        let mut groups: Vec<&Group> = names
            .iter()
            .filter(|g| &***g != "all")
            .filter_map(|name| self.groups.get(name))
            .collect();
        groups.sort_by(|a, b| (a.depth, a.priority, &a.name).cmp(&(b.depth, b.priority, &b.name)));
        groups
    }
}
