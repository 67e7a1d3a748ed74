//! What `-i` names: files, folders of files, and literal lists of hosts.

use crate::address;
use crate::diagnostic::{Diagnostic, Diagnostics, Location};
use crate::graph::Graph;
use crate::source_text::SourceText;
use crate::vault::VaultSecrets;
use crate::yaml::{self, Document, NodeKind};
use crate::{ini, yaml_inventory};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Endings that Ansible passes over in a folder of inventories.
const IGNORED: [&str; 13] = [
    ".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".ini", ".cfg", ".retry",
];
/// Extensions of YAML files.
pub(crate) const YAML_EXTENSIONS: [&str; 3] = [".yml", ".yaml", ".json"];

/// Everything the sources hold.
#[derive(Default)]
pub(crate) struct Sources {
    pub graph: Graph,
    /// The folder beside which `group_vars` and `host_vars` are looked for, one for each source that has one.
    pub folders: Vec<PathBuf>,
    pub documents: Vec<Document>,
    pub found: Diagnostics,
}

/// Reads `sources` in order.
pub(crate) fn read(sources: &[String], secrets: &VaultSecrets) -> Sources {
    let mut all = Sources {
        graph: Graph::new(),
        ..Sources::default()
    };
    for source in sources {
        let path = absolute(source);
        if !path.exists() && source.contains(',') {
            host_list(source, &mut all.graph);
        } else if path.is_dir() {
            all.folders.push(path.clone());
            if !folder(&path, secrets, &mut all) {
                let message = format!("no inventory in the folder {source}");
                let help =
                    "name the file itself with -i: in a folder, files such as *.ini, *.txt and *.bak are passed over";
                all.found
                    .push(Diagnostic::error(message).at(Location::file(&path)).help(help));
            }
        } else if path.exists() {
            all.folders.extend(path.parent().map(Path::to_path_buf));
            file(&path, secrets, &mut all);
        } else {
            let message = format!("there is no inventory {source}");
            let help = "check the path given with -i; a literal list of hosts ends with a comma: -i host1,";
            all.found
                .push(Diagnostic::error(message).at(Location::file(source)).help(help));
        }
    }
    let reconciled = all.graph.reconcile();
    all.found.extend(reconciled);
    all
}

/// `~` and relative paths made absolute, without following symbolic links.
pub(crate) fn absolute(source: &str) -> PathBuf {
    let path = match (source.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(source),
    };
    let path = std::path::absolute(&path).unwrap_or(path);
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

fn host_list(text: &str, graph: &mut Graph) {
    let place = Location::file(format!("<-i {text}>"));
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let (host, port) = match address::parse_address(name).filter(|a| !a.host.contains('[')) {
            Some(address) => (address.host, address.port),
            None => (name.to_owned(), None),
        };
        if !graph.hosts.contains_key(&*host) {
            graph.add_host(&host, "ungrouped", port, Some(place.clone()), Path::new(text));
        }
    }
}

/// Reads all inventories of a folder; false when there was none.
fn folder(path: &Path, secrets: &VaultSecrets, all: &mut Sources) -> bool {
    let mut names: Vec<PathBuf> = match std::fs::read_dir(path) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
        Err(error) => {
            let message = format!("the folder cannot be read: {error}");
            all.found.push(Diagnostic::error(message).at(Location::file(path)));
            return true;
        }
    };
    names.sort();
    let mut any = false;
    for inner in names {
        let name = inner.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || matches!(&*name, "group_vars" | "host_vars" | "vars_plugins") {
            continue;
        }
        if IGNORED.iter().any(|end| name.ends_with(end)) {
            if name.ends_with(".ini") {
                let message = format!("{name} is passed over, as Ansible does with *.ini in a folder of inventories");
                let help = format!("name it with -i {}", inner.display());
                all.found
                    .push(Diagnostic::warning(message).at(Location::file(path)).help(help));
            }
        } else if inner.is_dir() {
            any |= folder(&inner, secrets, all);
        } else {
            any = true;
            file(&inner, secrets, all);
        }
    }
    any
}

fn file(path: &Path, secrets: &VaultSecrets, all: &mut Sources) {
    let Some((text, hidden)) = all.found.take(yaml::read_text(path, secrets)) else {
        return;
    };
    let place = Location::file(path);
    if text.starts_with("#!") {
        let help = "run it with --list, save what it prints as a .json or .yml inventory, and give that";
        let message = "this is a script: dynamic inventories are not supported";
        all.found.push(Diagnostic::error(message).at(place).help(help));
        return;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let extension = name.rfind('.').filter(|at| *at > 0).map_or("", |at| &name[at..]);
    if extension == ".toml" {
        let message = "TOML inventories are not supported";
        all.found
            .push(Diagnostic::error(message).at(place).help("write it as INI or YAML"));
        return;
    }
    let by_name = YAML_EXTENSIONS.contains(&extension);
    if by_name || extension.is_empty() {
        let (document, found) = yaml::read(&text, path, secrets, hidden);
        let is_map = matches!(document.root.as_ref().map(|root| &root.kind), Some(NodeKind::Map(entries)) if !entries.is_empty());
        // Without an extension the content decides: what is a mapping, or begins like one, is YAML.
        if by_name || (is_map && !found.has_errors()) || begins_as_yaml(&text) {
            let failed = document.root.is_none() && found.has_errors();
            all.found.extend(found);
            if !failed {
                let found = yaml_inventory::parse(&document, path, &mut all.graph);
                all.found.extend(found);
                all.documents.push(document);
            }
            return;
        }
    }
    let source = SourceText::new(path, &text, hidden);
    let found = ini::parse(&source, path, &mut all.graph);
    all.found.extend(found);
}

fn begins_as_yaml(text: &str) -> bool {
    let first = text
        .lines()
        .map(str::trim_end)
        .find(|line| !line.trim().is_empty() && !line.starts_with(['#', ';']));
    first.is_some_and(|line| line == "---" || (line.ends_with(':') && !line.contains(['[', '='])))
}

/// The place that stands for the command line option `option`.
pub(crate) fn option_place(option: &str, text: &str) -> Location {
    let file: Arc<Path> = Arc::from(PathBuf::from(format!("<{option}>")));
    Location::at(file, 1, 1, Some(text.into()))
}
