//! Values as inventories and variable files hold them: raw (strings may still be templates), each variable with the
//! place it came from.

use crate::diagnostic::Location;
use indexmap::IndexMap;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::fmt;
use std::sync::Arc;

/// A value of Ansible's data model.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// YAML's null, Python's `None`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number that fits 128 bits (Python's are unbounded; larger ones are kept as floats with a warning).
    Int(i128),
    /// A floating point number.
    Float(f64),
    /// A string; a template when it holds `{{`, `{%` or `{#`.
    Str(Arc<str>),
    /// A string that is never a template (`!unsafe`).
    Unsafe(Arc<str>),
    /// A decrypted vault string: used as a string that is never shown. `Debug` and JSON listings mask it.
    Secret(Secret),
    /// A list.
    List(Vec<Value>),
    /// A mapping in the order written. Keys that are not strings are kept in their Python `str()` form.
    Map(IndexMap<Arc<str>, Value>),
}

/// A string that must not be shown. Its `Debug` prints a mask; the text is reached through [`Secret::expose`] only,
/// and its memory is wiped when the last copy is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<zeroize::Zeroizing<String>>);

impl Secret {
    /// Takes `text` under protection.
    pub fn new(text: String) -> Self {
        Self(Arc::new(zeroize::Zeroizing::new(text)))
    }

    /// The protected text. Call it only where the secret is used.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Value {
    /// A string value.
    pub fn str(text: impl Into<Arc<str>>) -> Self {
        Self::Str(text.into())
    }

    /// The text of a string of any of the three kinds.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(s) | Self::Unsafe(s) => Some(s),
            Self::Secret(s) => Some(s.expose()),
            _ => None,
        }
    }

    /// The mapping's entry `key`, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// The same value with every string in it under protection, mapping keys excepted.
    #[must_use]
    pub fn into_secret(self) -> Self {
        match self {
            Self::Str(s) | Self::Unsafe(s) => Self::Secret(Secret::new(s.to_string())),
            Self::List(items) => Self::List(items.into_iter().map(Self::into_secret).collect()),
            Self::Map(map) => Self::Map(map.into_iter().map(|(k, v)| (k, v.into_secret())).collect()),
            other => other,
        }
    }

    /// What an operator would call this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Float(_) => "float",
            Self::Str(_) | Self::Unsafe(_) => "string",
            Self::Secret(_) => "vault string",
            Self::List(_) => "list",
            Self::Map(_) => "mapping",
        }
    }

    /// True when a vault string is in it, at any depth.
    pub fn holds_secret(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::List(items) => items.iter().any(Self::holds_secret),
            Self::Map(map) => map.values().any(Self::holds_secret),
            _ => false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(i) => write!(f, "{i}"),
            Self::Float(x) => write!(f, "{x:?}"),
            Self::Str(s) | Self::Unsafe(s) => write!(f, "{s:?}"),
            Self::Secret(s) => write!(f, "{s:?}"),
            Self::List(items) => f.debug_list().entries(items).finish(),
            Self::Map(map) => f.debug_map().entries(map).finish(),
        }
    }
}

impl Serialize for Value {
    /// JSON for listings: vault strings are masked as `***`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(i) => match (i64::try_from(*i), u64::try_from(*i)) {
                (Ok(i), _) => serializer.serialize_i64(i),
                (_, Ok(u)) => serializer.serialize_u64(u),
                _ => serializer.serialize_i128(*i),
            },
            Self::Float(x) => serializer.serialize_f64(*x),
            Self::Str(s) | Self::Unsafe(s) => serializer.serialize_str(s),
            Self::Secret(_) => serializer.serialize_str("***"),
            Self::List(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Self::Map(map) => {
                let mut out = serializer.serialize_map(Some(map.len()))?;
                for (key, value) in map {
                    out.serialize_entry(key.as_ref(), value)?;
                }
                out.end()
            }
        }
    }
}

/// A variable as it stands in its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Var {
    /// The raw value: strings in it may be templates.
    pub value: Value,
    /// Where it was set; `None` for values that come from no file (magic variables, defaults of ours).
    pub location: Option<Location>,
}

/// Variables by name, in the order written.
pub type VarMap = IndexMap<Arc<str>, Var>;
