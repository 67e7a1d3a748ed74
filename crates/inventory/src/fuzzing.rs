//! Doors for the fuzz targets in `tests/fuzz`: an inventory out of a text, where everyone else has files. No API.

use crate::diagnostic::Diagnostics;
use crate::graph::Graph;
use crate::inventory::{self, Inventory, Loaded};
use crate::source_text::SourceText;
use crate::vault::{self, VaultSecrets};
use crate::{ini, yaml, yaml_inventory};
use secrecy::SecretString;
use std::path::Path;
use zeroize::Zeroizing;

/// The INI inventory in `text`; with `hidden` as if it had been in a vault.
pub fn ini(text: &str, name: &Path, hidden: bool) -> Loaded {
    let mut graph = Graph::new();
    let found = ini::parse(&SourceText::new(name, text, hidden), name, &mut graph);
    loaded(graph, found)
}

/// The YAML inventory in `text`.
pub fn yaml(text: &str, name: &Path, secrets: &VaultSecrets, hidden: bool) -> Loaded {
    let mut graph = Graph::new();
    let (document, mut found) = yaml::read(text, name, secrets, hidden);
    found.extend(yaml_inventory::parse(&document, name, &mut graph));
    loaded(graph, found)
}

fn loaded(mut graph: Graph, mut diagnostics: Diagnostics) -> Loaded {
    diagnostics.extend(graph.reconcile());
    let mut inventory = Inventory::default();
    if graph.localhost.is_none() {
        inventory.implicit = inventory::implicit_hosts();
    }
    inventory.graph = graph;
    Loaded { inventory, diagnostics }
}

/// A vault of exactly these bytes, with no padding put to them.
pub fn sealed(content: &[u8], secret: &SecretString, salt: &[u8; 32]) -> String {
    vault::seal(Zeroizing::new(content.to_vec()), secret, salt, None)
}
