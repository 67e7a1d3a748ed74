//! The values that templates compute with: Ansible's data model plus what only lives during an evaluation.

use super::error::ValueError;
use super::python;
use crate::value::{Secret, Value};
use indexmap::IndexMap;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::{Arc, Mutex};

/// What evaluation gives.
pub(crate) type Eval<T> = Result<T, ValueError>;

/// What clings to a text: where it came from decides how it may be used afterwards.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Taint {
    /// Made from a vault string: never shown.
    pub(crate) secret: bool,
    /// Made from an `!unsafe` string or a lookup: never a template.
    pub(crate) unsafe_: bool,
}

impl Taint {
    pub(crate) fn join(self, other: Self) -> Self {
        Self {
            secret: self.secret || other.secret,
            unsafe_: self.unsafe_ || other.unsafe_,
        }
    }
}

/// A string.
#[derive(Clone)]
pub(crate) struct Text {
    pub(crate) text: Arc<str>,
    pub(crate) taint: Taint,
    /// Came from a filter such as `to_json` whose result stays a string even when it looks like a list.
    pub(crate) keep: bool,
}

/// A key of a mapping: its Python `repr` when it is no string.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) text: Arc<str>,
    pub(crate) is_str: bool,
}

pub(crate) type Map = IndexMap<Key, V>;

/// One turn of a `for`.
pub(crate) struct Loop {
    pub(crate) index0: usize,
    pub(crate) length: usize,
    pub(crate) depth: usize,
    pub(crate) previous: Option<V>,
    pub(crate) next: Option<V>,
    pub(crate) changed: Arc<Mutex<Option<Vec<V>>>>,
    /// The loop statement, when it is recursive.
    pub(crate) recursive: Option<usize>,
}

/// `cycler(...)` and `joiner(...)`.
pub(crate) struct Turner {
    pub(crate) items: Vec<V>,
    pub(crate) position: Mutex<usize>,
    pub(crate) joiner: bool,
}

/// A value during evaluation.
#[derive(Clone)]
pub(crate) enum V {
    /// Nothing, and the error to raise when it is used.
    Undefined(Box<ValueError>),
    /// What an inline `if` without `else` gives: undefined, and empty when used all the same.
    Blank,
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Text),
    List(Arc<Vec<V>>),
    Tuple(Arc<Vec<V>>),
    Map(Arc<Map>),
    /// `hostvars`.
    HostVars,
    /// `hostvars['name']`, and `vars` for the host itself.
    Host(Arc<str>),
    Namespace(Arc<Mutex<Map>>),
    Loop(Arc<Loop>),
    /// A macro of the running template, by number.
    Macro(usize),
    Turner(Arc<Turner>),
    /// A global function.
    Function(Arc<str>),
}

impl V {
    pub(crate) fn str(text: impl Into<Arc<str>>) -> Self {
        Self::Str(Text {
            text: text.into(),
            taint: Taint::default(),
            keep: false,
        })
    }

    pub(crate) fn list(items: Vec<V>) -> Self {
        Self::List(Arc::new(items))
    }

    pub(crate) fn tuple(items: Vec<V>) -> Self {
        Self::Tuple(Arc::new(items))
    }

    pub(crate) fn map(map: Map) -> Self {
        Self::Map(Arc::new(map))
    }

    pub(crate) fn int(number: usize) -> Self {
        Self::Int(number as i128)
    }

    /// A mapping with string keys.
    pub(crate) fn dict<'a>(entries: impl IntoIterator<Item = (&'a str, V)>) -> Self {
        Self::map(entries.into_iter().map(|(k, v)| (Key::str(k), v)).collect())
    }

    /// The raw `value`, with nothing evaluated.
    pub(crate) fn from_raw(value: &Value) -> Self {
        match value {
            Value::Null => Self::None,
            Value::Bool(b) => Self::Bool(*b),
            Value::Int(i) => Self::Int(*i),
            Value::Float(x) => Self::Float(*x),
            Value::Str(s) => Self::str(Arc::clone(s)),
            Value::Unsafe(s) => Self::Str(Text {
                text: Arc::clone(s),
                taint: Taint {
                    secret: false,
                    unsafe_: true,
                },
                keep: false,
            }),
            Value::Secret(s) => Self::secret(s.expose()),
            Value::List(items) => Self::list(items.iter().map(Self::from_raw).collect()),
            Value::Map(map) => Self::map(
                map.iter()
                    .map(|(k, v)| (Key::str(Arc::clone(k)), Self::from_raw(v)))
                    .collect(),
            ),
        }
    }

    pub(crate) fn secret(text: &str) -> Self {
        Self::Str(Text {
            text: text.into(),
            taint: Taint {
                secret: true,
                unsafe_: true,
            },
            keep: false,
        })
    }

    /// As a value that outlives the evaluation. Every string gets `taint` on top of its own.
    pub(crate) fn into_value(self, taint: Taint) -> Eval<Value> {
        Ok(match self {
            Self::Undefined(error) => return Err(*error),
            Self::None => Value::Null,
            Self::Bool(b) => Value::Bool(b),
            Self::Int(i) => Value::Int(i),
            Self::Float(x) => Value::Float(x),
            Self::Str(text) => {
                let taint = taint.join(text.taint);
                if taint.secret {
                    Value::Secret(Secret::new(text.text.to_string()))
                } else if taint.unsafe_ && super::source::is_template(&text.text) {
                    Value::Unsafe(text.text)
                } else {
                    Value::Str(text.text)
                }
            }
            Self::List(items) | Self::Tuple(items) => Value::List(
                items
                    .iter()
                    .map(|item| item.clone().into_value(taint))
                    .collect::<Eval<_>>()?,
            ),
            Self::Map(map) => {
                let mut out = IndexMap::with_capacity(map.len());
                for (key, value) in map.iter() {
                    out.insert(Arc::clone(&key.text), value.clone().into_value(taint)?);
                }
                Value::Map(out)
            }
            other => Value::str(python::str(&other)?.into_owned()),
        })
    }

    /// All that clings to the texts in it, at any depth.
    pub(crate) fn taint(&self) -> Taint {
        match self {
            Self::Str(text) => text.taint,
            Self::List(items) | Self::Tuple(items) => {
                items.iter().fold(Taint::default(), |t, item| t.join(item.taint()))
            }
            Self::Map(map) => map.values().fold(Taint::default(), |t, item| t.join(item.taint())),
            _ => Taint::default(),
        }
    }

    pub(crate) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_) | Self::Blank)
    }

    /// The value, or the error of an undefined one.
    pub(crate) fn defined(self) -> Eval<Self> {
        match self {
            Self::Undefined(error) => Err(*error),
            other => Ok(other),
        }
    }

    pub(crate) fn check(&self) -> Eval<&Self> {
        match self {
            Self::Undefined(error) => Err((**error).clone()),
            other => Ok(other),
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(&text.text),
            _ => None,
        }
    }

    /// Python's type name, as error messages call it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "AnsibleUndefined",
            Self::Blank => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Map(_) => "dict",
            Self::HostVars => "HostVars",
            Self::Host(_) => "HostVarsVars",
            Self::Namespace(_) => "Namespace",
            Self::Loop(_) => "LoopContext",
            Self::Macro(_) => "Macro",
            Self::Turner(t) if t.joiner => "Joiner",
            Self::Turner(_) => "Cycler",
            Self::Function(_) => "function",
        }
    }

    /// Python's truth.
    pub(crate) fn truth(&self) -> Eval<bool> {
        Ok(match self {
            Self::Undefined(error) => return Err((**error).clone()),
            Self::None | Self::Blank => false,
            Self::Bool(b) => *b,
            Self::Int(i) => *i != 0,
            Self::Float(x) => *x != 0.0,
            Self::Str(text) => !text.text.is_empty(),
            Self::List(items) | Self::Tuple(items) => !items.is_empty(),
            Self::Map(map) => !map.is_empty(),
            _ => true,
        })
    }

    /// As a number, booleans included.
    pub(crate) fn number(&self) -> Option<Number> {
        match self {
            Self::Bool(b) => Some(Number::Int(i128::from(*b))),
            Self::Int(i) => Some(Number::Int(*i)),
            Self::Float(x) => Some(Number::Float(*x)),
            _ => None,
        }
    }

    pub(crate) fn as_float(&self) -> Option<f64> {
        self.number().map(Number::float)
    }

    pub(crate) fn sequence(&self) -> Option<&Arc<Vec<V>>> {
        match self {
            Self::List(items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The text of it, as Python's `str()`.
    pub(crate) fn text(&self) -> Eval<Cow<'_, str>> {
        python::str(self)
    }

    /// Python's `==`.
    pub(crate) fn equals(&self, other: &V) -> Eval<bool> {
        self.check()?;
        other.check()?;
        if let (Some(a), Some(b)) = (self.number(), other.number()) {
            return Ok(a.compare(b) == Some(Ordering::Equal));
        }
        Ok(match (self, other) {
            (Self::None, Self::None) | (Self::Blank, Self::Blank) | (Self::HostVars, Self::HostVars) => true,
            (Self::Str(a), Self::Str(b)) => a.text == b.text,
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (x, y) in a.iter().zip(b.iter()) {
                    if !x.equals(y)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Map(a), Self::Map(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (key, x) in a.iter() {
                    match b.get(key) {
                        Some(y) if x.equals(y)? => {}
                        _ => return Ok(false),
                    }
                }
                true
            }
            (Self::Host(a), Self::Host(b)) => a == b,
            _ => false,
        })
    }

    /// Python's ordering; an error for values that Python does not order.
    pub(crate) fn compare(&self, other: &V) -> Eval<Ordering> {
        self.check()?;
        other.check()?;
        if let (Some(a), Some(b)) = (self.number(), other.number()) {
            return Ok(a.compare(b).unwrap_or(Ordering::Equal));
        }
        match (self, other) {
            (Self::Str(a), Self::Str(b)) => Ok(a.text.cmp(&b.text)),
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => {
                for (x, y) in a.iter().zip(b.iter()) {
                    if !x.equals(y)? {
                        return x.compare(y);
                    }
                }
                Ok(a.len().cmp(&b.len()))
            }
            _ => Err(ValueError::operation(format!(
                "a {} and a {} cannot be ordered",
                self.type_name(),
                other.type_name()
            ))),
        }
    }
}

/// A Python number.
#[derive(Clone, Copy)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Int(i) => i as f64,
            Self::Float(x) => x,
        }
    }

    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (a, b) => a.float().partial_cmp(&b.float()),
        }
    }
}

impl Key {
    pub(crate) fn str(text: impl Into<Arc<str>>) -> Self {
        Self {
            text: text.into(),
            is_str: true,
        }
    }

    /// The key that stands for `value`; an error when Python could not hash it.
    pub(crate) fn of(value: &V) -> Eval<Self> {
        Ok(match value.check()? {
            V::Str(text) => Self::str(Arc::clone(&text.text)),
            // Python's 1, True and 1.0 are one key.
            V::Bool(b) => Self {
                text: python::repr(&V::Bool(*b))?.into(),
                is_str: false,
            },
            V::Float(x) if x.fract() == 0.0 && x.abs() < 1e15 => Self {
                text: format!("{x:.0}").into(),
                is_str: false,
            },
            V::None | V::Int(_) | V::Float(_) | V::Tuple(_) => Self {
                text: python::repr(value)?.into(),
                is_str: false,
            },
            other => {
                return Err(ValueError::operation(format!(
                    "a {} cannot be a key",
                    other.type_name()
                )));
            }
        })
    }

    /// The key as a value again.
    pub(crate) fn value(&self) -> V {
        if self.is_str {
            V::str(Arc::clone(&self.text))
        } else {
            python::literal(&self.text).unwrap_or_else(|| V::str(Arc::clone(&self.text)))
        }
    }
}
