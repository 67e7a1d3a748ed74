//! YAML as Ansible reads it: PyYAML's YAML 1.1 with `!vault` and `!unsafe`, each value with its place.

mod compose;
mod construct;
mod resolve;

use crate::diagnostic::{Diagnostic, Diagnostics, Location};
use crate::source_text::SourceText;
use crate::value::{Value, Var, VarMap};
use crate::vault::{self, VaultSecrets};
use indexmap::IndexMap;
use std::path::Path;
use std::sync::Arc;

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum NodeKind {
    /// Anything but a list or mapping.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A mapping in the order written, merged keys first.
    Map(Vec<Entry>),
}

/// An entry of a mapping.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key, in Python's `str()` form when it is no string.
    pub key: Arc<str>,
    /// False when the key is a number, boolean, null or date.
    pub key_is_string: bool,
    /// Line of the key, counted from 1.
    pub line: usize,
    /// Column of the key, counted from 1.
    pub column: usize,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The value without places.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Scalar(value) => value.clone(),
            NodeKind::List(items) => Value::List(items.iter().map(Self::to_value).collect()),
            NodeKind::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|e| (e.key.clone(), e.value.to_value()))
                    .collect::<IndexMap<_, _>>(),
            ),
        }
    }

    /// What an operator would call this kind of value.
    pub fn kind_name(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar(value) => value.kind(),
            NodeKind::List(_) => "list",
            NodeKind::Map(_) => "mapping",
        }
    }

    fn into_secret(self) -> Self {
        let kind = match self.kind {
            NodeKind::Scalar(value) => NodeKind::Scalar(value.into_secret()),
            NodeKind::List(items) => NodeKind::List(items.into_iter().map(Self::into_secret).collect()),
            NodeKind::Map(entries) => NodeKind::Map(
                entries
                    .into_iter()
                    .map(|e| Entry {
                        value: e.value.into_secret(),
                        ..e
                    })
                    .collect(),
            ),
        };
        Self { kind, ..self }
    }
}

/// A YAML or JSON file that was read.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its text by lines.
    pub source: SourceText,
    /// Its content; `None` when the file is empty or could not be read at all.
    pub root: Option<Node>,
}

impl Document {
    /// The place of `node`.
    pub fn at(&self, node: &Node) -> Location {
        self.source.at(node.line, node.column)
    }

    /// The content as variables. Empty files have none.
    ///
    /// # Errors
    /// Content that is not a mapping.
    pub fn to_vars(&self) -> Result<VarMap, Diagnostic> {
        match &self.root {
            None => Ok(VarMap::new()),
            Some(node) => match &node.kind {
                NodeKind::Map(entries) => Ok(entries
                    .iter()
                    .map(|entry| {
                        let location = Some(self.at(&entry.value));
                        (
                            entry.key.clone(),
                            Var {
                                value: entry.value.to_value(),
                                location,
                            },
                        )
                    })
                    .collect()),
                // Ansible skips what Python calls false.
                NodeKind::Scalar(Value::Null | Value::Bool(false) | Value::Int(0)) => Ok(VarMap::new()),
                NodeKind::Scalar(value) if value.as_str() == Some("") => Ok(VarMap::new()),
                NodeKind::List(items) if items.is_empty() => Ok(VarMap::new()),
                _ => Err(Diagnostic::error(format!(
                    "a file of variables must hold a mapping, this one holds a {}",
                    node.kind_name()
                ))
                .at(self.at(node))
                .help("write `name: value` lines")),
            },
        }
    }
}

/// Reads `text` as YAML, or as JSON when it is JSON. With `hidden` no finding shows a line, and every string is secret.
pub fn read(text: &str, name: &Path, secrets: &VaultSecrets, hidden: bool) -> (Document, Diagnostics) {
    read_as(text, name, secrets, hidden, true)
}

fn read_as(text: &str, name: &Path, secrets: &VaultSecrets, hidden: bool, json: bool) -> (Document, Diagnostics) {
    let mut source = SourceText::of_yaml(name, text, hidden);
    let mut found = Diagnostics::new();
    // Ansible tries JSON first; the two differ in numbers (`1e3` is one in JSON only).
    let is_json = json
        && text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let root = match compose::compose(text, &source) {
        Ok(Some(node)) => {
            let (root, findings) = construct::construct(&node, &source, secrets, is_json);
            found.extend(findings);
            Some(root)
        }
        Ok(None) => None,
        // JSON has a few escapes that YAML lacks: it is read without places then.
        Err(_) if is_json => serde_json::from_str(text).ok().map(json_node),
        Err(diagnostic) => {
            found.push(diagnostic);
            None
        }
    };
    let root = root.map(|root| if hidden { root.into_secret() } else { root });
    source.forget_hidden();
    (Document { source, root }, found)
}

fn json_node(value: serde_json::Value) -> Node {
    use serde_json::Value as Json;
    let kind = match value {
        Json::Null => NodeKind::Scalar(Value::Null),
        Json::Bool(b) => NodeKind::Scalar(Value::Bool(b)),
        Json::Number(number) => NodeKind::Scalar(match number.as_i128() {
            Some(i) => Value::Int(i),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        }),
        Json::String(text) => NodeKind::Scalar(Value::str(text)),
        Json::Array(items) => NodeKind::List(items.into_iter().map(json_node).collect()),
        Json::Object(map) => NodeKind::Map(
            map.into_iter()
                .map(|(key, value)| Entry {
                    key: key.into(),
                    key_is_string: true,
                    line: 1,
                    column: 0,
                    value: json_node(value),
                })
                .collect(),
        ),
    };
    Node {
        kind,
        line: 1,
        column: 0,
    }
}

/// Reads and, when it is a vault, decrypts a file.
///
/// # Errors
/// A file that cannot be read, is not UTF-8, or cannot be decrypted. The flag is true when it was a vault.
pub(crate) fn read_text(path: &Path, secrets: &VaultSecrets) -> Result<(zeroize::Zeroizing<String>, bool), Diagnostic> {
    let place = || Location::file(path);
    let bytes =
        std::fs::read(path).map_err(|e| Diagnostic::error(format!("the file cannot be read: {e}")).at(place()))?;
    let text = decode(bytes).map_err(|line| {
        Diagnostic::error("the file is not UTF-8 text")
            .at(Location::at(Arc::from(path), line, 0, None))
            .help("convert it, for example with `iconv -f latin1 -t utf-8`")
    })?;
    if !vault::is_vault(&text) {
        return Ok((zeroize::Zeroizing::new(text), false));
    }
    match secrets.decrypt(&text) {
        Ok(plain) => Ok((plain, true)),
        Err(error) => Err(
            Diagnostic::error(format!("the encrypted file cannot be opened: {error}"))
                .at(place())
                .help(error.help()),
        ),
    }
}

/// Bytes as text. What is not UTF-8 in a comment line does no harm, as with Ansible; elsewhere the line's number is the
/// error.
fn decode(bytes: Vec<u8>) -> Result<String, u32> {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error.into_bytes(),
    };
    let mut text = String::new();
    for (line, number) in bytes.split_inclusive(|b| *b == b'\n').zip(1..) {
        match std::str::from_utf8(line) {
            Ok(line) => text.push_str(line),
            Err(_) if matches!(line[0], b'#' | b';') => text.push_str(&String::from_utf8_lossy(line)),
            Err(_) => return Err(number),
        }
    }
    Ok(text)
}

/// Reads a YAML or JSON file with its places.
pub fn load_document(path: &Path, secrets: &VaultSecrets) -> (Document, Diagnostics) {
    match read_text(path, secrets) {
        Ok((text, hidden)) => read(&text, path, secrets, hidden),
        Err(diagnostic) => {
            let mut found = Diagnostics::new();
            found.push(diagnostic);
            (
                Document {
                    source: SourceText::new(path, "", false),
                    root: None,
                },
                found,
            )
        }
    }
}

/// Reads a YAML or JSON file; what could not be read is null.
pub fn load_yaml_file(path: &Path, secrets: &VaultSecrets) -> (Value, Diagnostics) {
    let (document, found) = load_document(path, secrets);
    (document.root.map_or(Value::Null, |node| node.to_value()), found)
}

/// Reads a file of variables.
pub fn load_vars_file(path: &Path, secrets: &VaultSecrets) -> (VarMap, Diagnostics) {
    let (document, mut found) = load_document(path, secrets);
    let vars = found.take(document.to_vars()).unwrap_or_default();
    (vars, found)
}

/// The value of YAML text that comes from no file: the `from_yaml` filter, defaults of roles. `name` stands for the
/// file in errors. Warnings are dropped.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse_value(text: &str, name: &str) -> Result<Value, Diagnostic> {
    let document = parse(text, name)?;
    Ok(document.root.map_or(Value::Null, |node| node.to_value()))
}

/// The same for a mapping of variables.
///
/// # Errors
/// The first thing that is wrong, or text that is not a mapping.
pub fn parse_vars(text: &str, name: &str) -> Result<VarMap, Diagnostic> {
    parse(text, name)?.to_vars()
}

fn parse(text: &str, name: &str) -> Result<Document, Diagnostic> {
    let (document, found) = read_as(text, Path::new(name), &VaultSecrets::none(), false, false);
    match found.into_iter().find(Diagnostic::is_error) {
        Some(error) => Err(error),
        None => Ok(document),
    }
}
