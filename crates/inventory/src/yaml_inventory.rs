//! Ansible's YAML inventories: groups with `hosts`, `children` and `vars`, read as `ansible.builtin.yaml` reads them.

use crate::address;
use crate::diagnostic::{Diagnostic, Diagnostics, Location};
use crate::graph::Graph;
use crate::value::{Value, Var};
use crate::yaml::{Document, Entry, Node, NodeKind};
use std::path::Path;

/// Reads `document` into `graph`. `origin` is what hosts report as their `inventory_file`.
pub fn parse(document: &Document, origin: &Path, graph: &mut Graph) -> Diagnostics {
    let mut reader = Reader {
        document,
        origin,
        graph,
        found: Diagnostics::new(),
    };
    match document.root.as_ref().map(|root| (&root.kind, root)) {
        Some((NodeKind::Map(entries), root)) => {
            if let Some(plugin) = entries.iter().find(|e| &*e.key == "plugin") {
                let help = "give a static inventory, or the output of the plugin saved as YAML or JSON";
                reader.error(
                    &plugin.value,
                    "this configures a dynamic inventory plugin, which is not supported",
                    help,
                );
            } else if entries.is_empty() {
                reader.error(root, "the inventory is empty", "it needs at least one group");
            } else {
                for entry in entries {
                    reader.group(entry);
                }
            }
        }
        Some((_, root)) => {
            let message = format!(
                "a YAML inventory must be a mapping of groups, this is a {}",
                root.kind_name()
            );
            reader.error(
                root,
                message,
                "begin with `all:`, with `hosts:` and `children:` below it",
            );
        }
        None => {
            let message = "the inventory is empty";
            reader
                .found
                .push(Diagnostic::error(message).at(document.source.whole()));
        }
    }
    reader.found
}

struct Reader<'a> {
    document: &'a Document,
    origin: &'a Path,
    graph: &'a mut Graph,
    found: Diagnostics,
}

impl Reader<'_> {
    fn error(&mut self, node: &Node, message: impl Into<String>, help: &str) {
        self.found
            .push(Diagnostic::error(message).at(self.document.at(node)).help(help));
    }

    fn key_place(&self, entry: &Entry) -> Location {
        self.document.source.at(entry.line, entry.column)
    }

    /// Reads one group; false when its name cannot be one.
    fn group(&mut self, entry: &Entry) -> bool {
        let place = self.key_place(entry);
        let name = &*entry.key;
        if !matches!(entry.value.kind, NodeKind::Map(_) | NodeKind::Scalar(Value::Null)) {
            let message = format!(
                "`{name}` is skipped: a group is a mapping, this is a {}",
                entry.value.kind_name()
            );
            let help = "a group holds `hosts:`, `children:` and `vars:`";
            self.found.push(Diagnostic::warning(message).at(place).help(help));
            return true;
        }
        if !entry.key_is_string || name.is_empty() {
            let message = format!("the group name `{name}` is not a text");
            self.found.push(Diagnostic::error(message).at(place).help("quote it"));
            return false;
        }
        self.graph.add_group(name, Some(place));
        if let NodeKind::Map(sections) = &entry.value.kind {
            for section in sections {
                self.section(name, section);
            }
        }
        true
    }

    fn section(&mut self, group: &str, section: &Entry) {
        let key = &*section.key;
        let known = matches!(key, "vars" | "children" | "hosts");
        let single;
        let entries = match &section.value.kind {
            NodeKind::Scalar(Value::Null) => return,
            NodeKind::Map(entries) => entries,
            NodeKind::Scalar(value) if known && value.as_str().is_some() => {
                // `hosts: web1` is short for one host without variables.
                let null = Node {
                    kind: NodeKind::Scalar(Value::Null),
                    ..section.value
                };
                single = vec![Entry {
                    key: value.as_str().unwrap_or_default().into(),
                    key_is_string: true,
                    line: section.value.line,
                    column: section.value.column,
                    value: null,
                }];
                &single
            }
            _ if known => {
                let message = format!(
                    "`{key}` of group `{group}` must be a mapping, this is a {}",
                    section.value.kind_name()
                );
                self.error(&section.value, message, "write `name:` lines, without dashes");
                return;
            }
            _ => {
                let message = format!(
                    "`{key}` in group `{group}` is skipped, it is a {}",
                    section.value.kind_name()
                );
                self.unexpected(section, message);
                return;
            }
        };
        match key {
            "vars" => {
                for entry in entries {
                    self.set(group, entry);
                }
            }
            "children" => {
                for entry in entries {
                    if !self.group(entry) {
                        continue;
                    }
                    let place = self.key_place(entry);
                    if !self.graph.groups.contains_key(&*entry.key) && !self.graph.hosts.contains_key(&*entry.key) {
                        let message = format!("`{}` is neither a group nor a host", entry.key);
                        self.found.push(Diagnostic::error(message).at(place));
                    } else if let Err(message) = self.graph.add_child(group, &entry.key) {
                        self.found.push(Diagnostic::error(message).at(place));
                    }
                }
            }
            "hosts" => {
                for entry in entries {
                    self.host(group, entry);
                }
            }
            _ => {
                let message = format!("`{key}` in group `{group}` is skipped");
                self.unexpected(section, message);
            }
        }
    }

    fn unexpected(&mut self, section: &Entry, message: String) {
        let place = self.key_place(section);
        let help = "a group holds `hosts:`, `children:` and `vars:` only; variables go below `vars:`";
        self.found.push(Diagnostic::warning(message).at(place).help(help));
    }

    fn set(&mut self, entity: &str, entry: &Entry) {
        let location = Some(self.document.at(&entry.value));
        let var = Var {
            value: entry.value.to_value(),
            location: location.clone(),
        };
        if let Err(message) = self.graph.set_variable(entity, &entry.key, var) {
            self.found.push(Diagnostic::error(message).at(location));
        }
    }

    fn host(&mut self, group: &str, entry: &Entry) {
        let place = self.key_place(entry);
        let text = &*entry.key;
        if !entry.key_is_string {
            let message = format!("the host name `{text}` is not a text");
            self.found.push(Diagnostic::error(message).at(place).help("quote it"));
            return;
        }
        let (names, port) = match address::expand(text) {
            Ok(found) if !text.is_empty() => found,
            Ok(_) => {
                self.found.push(Diagnostic::error("a host needs a name").at(place));
                return;
            }
            Err(message) => {
                self.found.push(Diagnostic::error(message).at(place));
                return;
            }
        };
        let vars: &[Entry] = match &entry.value.kind {
            NodeKind::Map(entries) => entries,
            NodeKind::Scalar(Value::Null) => &[],
            _ => {
                let message = format!(
                    "the variables of host `{text}` must be a mapping, this is a {}",
                    entry.value.kind_name()
                );
                self.error(&entry.value, message, "write `name: value` lines below the host");
                &[]
            }
        };
        for name in &names {
            self.graph.add_host(name, group, port, Some(place.clone()), self.origin);
            for var in vars {
                self.set(name, var);
            }
        }
    }
}
