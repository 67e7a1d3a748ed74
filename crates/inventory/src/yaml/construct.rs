//! From nodes to values, as PyYAML's `SafeLoader` with Ansible's constructors: tags, merge keys, duplicate keys.

use super::compose::{Node as Raw, NodeKind as RawKind};
use super::resolve::{self, Kind};
use super::{Entry, Node, NodeKind};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::python_literal::key_text;
use crate::source_text::SourceText;
use crate::value::{Secret, Value};
use crate::vault::VaultSecrets;
use base64::Engine;
use std::collections::HashMap;
use std::rc::Rc;

/// A few aliases of aliases can stand for billions of values; no file of variables needs that many.
const MAX_NODES: usize = 1_000_000;

const YAML: &str = "tag:yaml.org,2002:";

pub(super) fn construct(raw: &Raw, source: &SourceText, secrets: &VaultSecrets, json: bool) -> (Node, Diagnostics) {
    let mut constructor = Constructor {
        source,
        secrets,
        json,
        made: 0,
        found: Diagnostics::new(),
    };
    let node = constructor.node(raw, false);
    (node, constructor.found)
}

struct Constructor<'a> {
    source: &'a SourceText,
    secrets: &'a VaultSecrets,
    json: bool,
    made: usize,
    found: Diagnostics,
}

impl Constructor<'_> {
    fn error(&mut self, raw: &Raw, message: impl Into<String>, help: &str) -> NodeKind {
        let place = self.source.at(raw.line, raw.column);
        let mut diagnostic = Diagnostic::error(message).at(place);
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.found.push(diagnostic);
        NodeKind::Scalar(Value::Null)
    }

    fn node(&mut self, raw: &Raw, is_unsafe: bool) -> Node {
        self.made += 1;
        let kind = if self.made > MAX_NODES {
            if self.made == MAX_NODES + 1 {
                self.error(
                    raw,
                    format!("the file makes more than {MAX_NODES} values"),
                    "write fewer aliases",
                );
            }
            NodeKind::Scalar(Value::Null)
        } else {
            self.kind(raw, is_unsafe)
        };
        Node {
            kind,
            line: raw.line,
            column: raw.column,
        }
    }

    fn kind(&mut self, raw: &Raw, is_unsafe: bool) -> NodeKind {
        let tag = raw.tag.as_deref();
        match (tag.map(|t| t.strip_prefix(YAML).unwrap_or(t)), &raw.kind) {
            (Some("!unsafe"), RawKind::Scalar { text, .. }) => NodeKind::Scalar(Value::Unsafe(text.as_str().into())),
            (Some("!unsafe"), _) => self.collection(raw, true),
            (Some("!vault" | "!vault-encrypted"), RawKind::Scalar { text, .. }) => self.vault(raw, text),
            (None | Some("!"), RawKind::Scalar { text, plain }) => {
                let value = if !plain {
                    Value::str(text.as_str())
                } else if self.json {
                    json_scalar(text)
                } else {
                    match self.plain(raw, text) {
                        Some(value) => value,
                        None => return NodeKind::Scalar(Value::Null),
                    }
                };
                NodeKind::Scalar(mark_unsafe(value, is_unsafe))
            }
            (Some(name), RawKind::Scalar { text, .. }) => self.tagged(raw, name, text, is_unsafe),
            (None | Some("!" | "seq" | "map"), _) => self.collection(raw, is_unsafe),
            (Some("set"), RawKind::Map(_)) => match self.collection(raw, is_unsafe) {
                NodeKind::Map(entries) => NodeKind::List(
                    entries
                        .into_iter()
                        .map(|e| Node {
                            kind: NodeKind::Scalar(Value::Str(e.key)),
                            line: e.line,
                            column: e.column,
                        })
                        .collect(),
                ),
                other => other,
            },
            (Some("omap" | "pairs"), RawKind::Seq(_)) => match self.collection(raw, is_unsafe) {
                NodeKind::List(items) => NodeKind::List(items.into_iter().map(pair_as_list).collect()),
                other => other,
            },
            (Some(name), _) => self.unknown_tag(raw, name),
        }
    }

    fn unknown_tag(&mut self, raw: &Raw, name: &str) -> NodeKind {
        let message = format!("the tag `{name}` is not known here");
        self.error(
            raw,
            message,
            "Ansible's own are !vault and !unsafe; quote a text that starts with `!`",
        )
    }

    fn vault(&mut self, raw: &Raw, text: &str) -> NodeKind {
        match self.secrets.decrypt(text.trim()) {
            Ok(plain) => NodeKind::Scalar(Value::Secret(Secret::new(plain.to_string()))),
            Err(error) => self.error(raw, format!("the vault value cannot be opened: {error}"), error.help()),
        }
    }

    /// A plain scalar without a tag.
    fn plain(&mut self, raw: &Raw, text: &str) -> Option<Value> {
        let value = match resolve::kind(text) {
            Kind::Null => Some(Value::Null),
            Kind::Bool => resolve::boolean(text).map(Value::Bool),
            Kind::Int => resolve::integer(text),
            Kind::Float => resolve::float(text).map(Value::Float),
            Kind::Timestamp => resolve::timestamp(text).map(Value::str),
            Kind::Str if text != "=" => Some(Value::str(text)),
            Kind::Merge | Kind::Str => {
                let message = format!("`{text}` has a meaning of its own in YAML 1.1 and cannot stand as a value");
                self.error(raw, message, "quote it when it is meant as text");
                return None;
            }
        };
        if value.is_none() {
            let message = format!("`{}` looks like a number or a date and is none", self.shown(text));
            self.error(raw, message, "quote it when it is meant as text");
        }
        value
    }

    fn shown<'t>(&self, text: &'t str) -> &'t str {
        if self.source.is_hidden() { "***" } else { text }
    }

    fn tagged(&mut self, raw: &Raw, name: &str, text: &str, is_unsafe: bool) -> NodeKind {
        let value = match name {
            "str" | "python/unicode" => Some(mark_unsafe(Value::str(text), is_unsafe)),
            "null" => Some(Value::Null),
            "bool" => resolve::boolean(text).map(Value::Bool),
            "int" => resolve::integer(text),
            "float" => resolve::float(text).map(Value::Float),
            "timestamp" => resolve::timestamp(text).map(Value::str),
            "binary" => {
                let clean: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                let bytes = base64::engine::general_purpose::STANDARD.decode(clean).ok();
                bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(Value::str)
            }
            _ => return self.unknown_tag(raw, name),
        };
        match value {
            Some(value) => NodeKind::Scalar(value),
            None => self.error(
                raw,
                format!("`{}` is not of the kind its tag `!!{name}` says", self.shown(text)),
                "",
            ),
        }
    }

    fn collection(&mut self, raw: &Raw, is_unsafe: bool) -> NodeKind {
        match &raw.kind {
            RawKind::Seq(items) => NodeKind::List(items.iter().map(|item| self.node(item, is_unsafe)).collect()),
            RawKind::Map(_) => self.map(raw, is_unsafe),
            RawKind::Scalar { text, .. } => NodeKind::Scalar(mark_unsafe(Value::str(text.as_str()), is_unsafe)),
        }
    }

    fn map(&mut self, raw: &Raw, is_unsafe: bool) -> NodeKind {
        let mut pairs = Vec::new();
        self.flatten(raw, &mut pairs, 0);
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<std::sync::Arc<str>, (usize, bool)> = HashMap::new();
        for Pair {
            key: raw_key,
            value,
            merged,
        } in pairs
        {
            let key_node = match &raw_key.kind {
                RawKind::Scalar { text, plain: true } if text.is_empty() && raw_key.tag.is_none() => {
                    self.error(&raw_key, "no key stands before the `:`", "write `name: value`");
                    continue;
                }
                RawKind::Scalar { text, .. } if text == "=" => Node {
                    kind: NodeKind::Scalar(Value::str("=")),
                    line: raw_key.line,
                    column: raw_key.column,
                },
                RawKind::Scalar { .. } => self.node(&raw_key, false),
                _ => {
                    let help = "quote a value that starts with a template: \"{{ name }}\"";
                    self.error(&raw_key, "a list or mapping cannot be a key", help);
                    continue;
                }
            };
            let NodeKind::Scalar(key) = &key_node.kind else {
                continue;
            };
            let entry = Entry {
                key: key_text(key),
                key_is_string: key.as_str().is_some(),
                line: raw_key.line,
                column: raw_key.column,
                value: self.node(&value, is_unsafe),
            };
            match seen.get(&entry.key).copied() {
                Some((index, first_merged)) => {
                    if !merged && !first_merged {
                        self.duplicate(&entries[index], &entry);
                    }
                    seen.insert(entry.key.clone(), (index, merged));
                    entries[index] = entry;
                }
                None => {
                    seen.insert(entry.key.clone(), (entries.len(), merged));
                    entries.push(entry);
                }
            }
        }
        NodeKind::Map(entries)
    }

    fn duplicate(&mut self, first: &Entry, second: &Entry) {
        let message = format!(
            "the key `{}` stands twice in one mapping, the last one counts",
            second.key
        );
        let diagnostic = Diagnostic::warning(message)
            .at(self.source.at(second.line, second.column))
            .related(self.source.at(first.line, first.column), "the first one")
            .help("remove one of them");
        self.found.push(diagnostic);
    }

    /// The entries of a mapping, those of its merge keys first: a later one wins.
    fn flatten(&mut self, raw: &Raw, into: &mut Vec<Pair>, depth: usize) {
        let RawKind::Map(pairs) = &raw.kind else {
            return;
        };
        if depth > 100 || into.len() > MAX_NODES {
            return;
        }
        for (key, value) in pairs.iter().filter(|(key, _)| is_merge(key)) {
            let sources: Vec<&Rc<Raw>> = match &value.kind {
                RawKind::Map(_) => vec![value],
                RawKind::Seq(items) => items.iter().rev().collect(),
                RawKind::Scalar { .. } => Vec::new(),
            };
            let all_maps = sources.iter().all(|s| matches!(s.kind, RawKind::Map(_)));
            if !all_maps || matches!(value.kind, RawKind::Scalar { .. }) {
                let help = "`<<` takes an alias of a mapping, or a list of them";
                self.error(key, "only mappings can be merged", help);
            }
            let start = into.len();
            for source in sources {
                self.flatten(source, into, depth + 1);
            }
            for pair in &mut into[start..] {
                pair.merged = true;
            }
        }
        let own = pairs.iter().filter(|(key, _)| !is_merge(key));
        into.extend(own.map(|(key, value)| Pair {
            key: key.clone(),
            value: value.clone(),
            merged: false,
        }));
    }
}

struct Pair {
    key: Rc<Raw>,
    value: Rc<Raw>,
    merged: bool,
}

fn is_merge(key: &Raw) -> bool {
    match (&key.kind, key.tag.as_deref()) {
        (RawKind::Scalar { text, plain: true }, None) => resolve::kind(text) == Kind::Merge,
        (RawKind::Scalar { .. }, Some(tag)) => tag.strip_prefix(YAML) == Some("merge"),
        _ => false,
    }
}

/// An entry of an ordered mapping, which Python reads as a pair.
fn pair_as_list(node: Node) -> Node {
    match node.kind {
        NodeKind::Map(mut entries) if entries.len() == 1 => {
            let Some(entry) = entries.pop() else {
                return Node {
                    kind: NodeKind::Map(entries),
                    ..node
                };
            };
            let key = Node {
                kind: NodeKind::Scalar(Value::Str(entry.key)),
                ..node
            };
            Node {
                line: node.line,
                column: node.column,
                kind: NodeKind::List(vec![key, entry.value]),
            }
        }
        kind => Node { kind, ..node },
    }
}

fn mark_unsafe(value: Value, is_unsafe: bool) -> Value {
    match value {
        Value::Str(text) if is_unsafe => Value::Unsafe(text),
        other => other,
    }
}

/// A plain scalar of a JSON text: numbers, `true`, `false`, `null`.
fn json_scalar(text: &str) -> Value {
    match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match text.parse::<i128>() {
            Ok(i) => Value::Int(i),
            Err(_) => text.parse().map_or_else(|_| Value::str(text), Value::Float),
        },
    }
}
