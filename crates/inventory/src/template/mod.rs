//! Jinja as Ansible means it: minijinja's parser, and an evaluator of our own with Python's values.
//!
//! minijinja's own engine has Rust's ideas of truth, undefined names and written lists; Ansible's inventories rely on
//! Python's. So only the syntax tree comes from there. Values are computed here, variable by variable and only when
//! asked for, which is also what makes errors name their place and secrets stay secret.

mod access;
mod error;
mod eval;
mod expr;
mod filters;
mod format;
mod functions;
mod methods;
mod ops;
mod python;
pub(crate) mod session;
mod source;
mod tests;
pub(crate) mod value;

pub use error::{ValueError, ValueErrorKind};

use crate::value::Value;
use std::sync::Arc;

/// True for what `{{ omit }}` gives: the setting is to be treated as if it were not there.
pub fn is_omit(value: &Value) -> bool {
    matches!(value, Value::Str(text) if **text == *session::OMIT)
}

/// True when `text` may hold Jinja and would be evaluated.
pub fn is_template(text: &str) -> bool {
    source::is_template(text)
}

pub(crate) use expr::undefined;
pub(crate) use python::float;

/// Leaves out what is [`is_omit`], at any depth; `None` when that is the whole value.
pub(crate) fn without_omitted(value: Value) -> Option<Value> {
    match value {
        value if is_omit(&value) => None,
        Value::List(items) => Some(Value::List(items.into_iter().filter_map(without_omitted).collect())),
        Value::Map(map) => Some(Value::Map(
            map.into_iter()
                .filter_map(|(key, item): (Arc<str>, Value)| Some((key, without_omitted(item)?)))
                .collect(),
        )),
        other => Some(other),
    }
}
