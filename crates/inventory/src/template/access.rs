//! Reaching into values: attributes, items, iteration, membership, and the variables of hosts.

use super::error::ValueError;
use super::eval::Renderer;
use super::python;
use super::value::{Eval, Key, Map, V};
use std::borrow::Cow;
use std::sync::Arc;

impl Renderer<'_, '_> {
    /// `base.name`; `None` when there is no such thing.
    pub(crate) fn attribute(&self, base: &V, name: &str) -> Eval<Option<V>> {
        match base {
            V::Loop(turn) => {
                let from_end = turn.length - turn.index0;
                Ok(Some(match name {
                    "index" => V::int(turn.index0 + 1),
                    "index0" => V::int(turn.index0),
                    "revindex" => V::int(from_end),
                    "revindex0" => V::int(from_end - 1),
                    "first" => V::Bool(turn.index0 == 0),
                    "last" => V::Bool(from_end == 1),
                    "length" => V::int(turn.length),
                    "depth" => V::int(turn.depth),
                    "depth0" => V::int(turn.depth - 1),
                    "previtem" => turn.previous.clone().unwrap_or_else(|| nothing("loop.previtem")),
                    "nextitem" => turn.next.clone().unwrap_or_else(|| nothing("loop.nextitem")),
                    _ => return Ok(None),
                }))
            }
            // What `groupby` gives: a pair with names.
            V::Tuple(items) if items.len() == 2 && name == "grouper" => Ok(Some(items[0].clone())),
            V::Tuple(items) if items.len() == 2 && name == "list" => Ok(Some(items[1].clone())),
            V::Macro(number) if name == "name" => Ok(self.macros.borrow().get(*number).map(|m| V::str(m.decl.name))),
            _ => self.item(base, &V::str(name)),
        }
    }

    /// `base[key]`; `None` when there is no such thing.
    pub(crate) fn item(&self, base: &V, key: &V) -> Eval<Option<V>> {
        Ok(match base {
            V::Undefined(_) => Some(base.clone()),
            V::Map(map) => lookup(map, key)?,
            V::Namespace(map) => {
                let map = map.lock().map_err(|_| python::poisoned())?;
                lookup(&map, key)?
            }
            V::List(items) | V::Tuple(items) => index(key, items.len()).map(|i| items[i].clone()),
            V::Str(text) => {
                let chars: Vec<char> = text.text.chars().collect();
                index(key, chars.len()).map(|i| V::str(chars[i].to_string()))
            }
            V::HostVars => {
                let name = key.text()?;
                self.session.scope(&name).map(|scope| V::Host(Arc::clone(&scope.host)))
            }
            V::Host(host) => match self.session.scope(host) {
                Some(scope) => self.session.variable(&scope, &key.text()?)?,
                None => None,
            },
            _ => None,
        })
    }

    /// The items that a `for` goes through.
    pub(crate) fn items(&self, value: &V) -> Eval<Vec<V>> {
        Ok(match value.check()? {
            V::List(items) | V::Tuple(items) => items.to_vec(),
            V::Map(map) => map.keys().map(Key::value).collect(),
            V::Str(text) => text.text.chars().map(|c| V::str(c.to_string())).collect(),
            V::Blank => Vec::new(),
            V::HostVars => {
                let names = self.session.home().world.host_names();
                names.into_iter().map(V::str).collect()
            }
            V::Host(host) => match self.session.scope(host) {
                Some(scope) => self.session.names(&scope).into_iter().map(V::str).collect(),
                None => Vec::new(),
            },
            other => {
                return Err(ValueError::operation(format!(
                    "a {} has no items to go through",
                    other.type_name()
                )));
            }
        })
    }

    /// The entries of a mapping of any kind.
    pub(crate) fn mapping<'v>(&self, value: &'v V) -> Eval<Cow<'v, Map>> {
        match value.check()? {
            V::Map(map) => Ok(Cow::Borrowed(map)),
            V::HostVars | V::Host(_) => match self.materialize(value)? {
                V::Map(map) => Ok(Cow::Owned(Map::clone(&map))),
                _ => Ok(Cow::Owned(Map::new())),
            },
            V::Namespace(map) => Ok(Cow::Owned(map.lock().map_err(|_| python::poisoned())?.clone())),
            other => Err(ValueError::operation(format!(
                "a mapping was expected, not a {}",
                other.type_name()
            ))),
        }
    }

    /// `hostvars` or one host's variables as an ordinary mapping, one level deep. What cannot be evaluated is
    /// undefined there, so that it fails only when it is used.
    pub(crate) fn materialize(&self, value: &V) -> Eval<V> {
        let names = self.items(value)?;
        let mut out = Map::with_capacity(names.len());
        for name in names {
            let item = match self.item(value, &name) {
                Ok(Some(inner)) => inner,
                Ok(None) => continue,
                Err(error) => V::Undefined(Box::new(error)),
            };
            out.insert(Key::of(&name)?, item);
        }
        Ok(V::map(out))
    }

    /// `value` with every host's variables in it written out.
    pub(crate) fn written_out(&self, value: &V) -> Eval<V> {
        let all = |items: &[V]| items.iter().map(|v| self.written_out(v)).collect::<Eval<Vec<V>>>();
        Ok(match value {
            V::HostVars | V::Host(_) => {
                let map = self.materialize(value)?;
                self.session.touch(&map);
                self.written_out(&map)?
            }
            V::Map(map) => {
                let mut out = Map::with_capacity(map.len());
                for (key, item) in map.iter() {
                    out.insert(key.clone(), self.written_out(item)?);
                }
                V::map(out)
            }
            V::List(items) => V::list(all(items)?),
            V::Tuple(items) => V::tuple(all(items)?),
            other => other.clone(),
        })
    }

    /// `needle in haystack`.
    pub(crate) fn contains(&self, haystack: &V, needle: &V) -> Eval<bool> {
        needle.check()?;
        match haystack.check()? {
            V::Str(text) => match needle {
                V::Str(part) => Ok(text.text.contains(&*part.text)),
                other => Err(ValueError::operation(format!(
                    "'in' a string needs a string, not a {}",
                    other.type_name()
                ))),
            },
            V::Map(map) => Ok(Key::of(needle).is_ok_and(|key| map.contains_key(&key))),
            V::HostVars | V::Host(_) => Ok(self.item(haystack, needle)?.is_some_and(|v| !v.is_undefined())),
            other => {
                for item in self.items(other)? {
                    if item.equals(needle)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// `value.a.b.0`, as `attribute=` of filters takes it.
    pub(crate) fn path(&self, value: &V, path: &V) -> Eval<V> {
        let parts: Vec<V> = match path {
            V::Str(text) => text
                .text
                .split('.')
                .map(|part| match part.parse::<i128>() {
                    Ok(number) => V::Int(number),
                    Err(_) => V::str(part),
                })
                .collect(),
            other => vec![other.clone()],
        };
        let mut current = value.clone();
        for part in &parts {
            if matches!(current, V::Undefined(_)) {
                return Ok(current);
            }
            let found = match part {
                V::Str(name) => self.attribute(&current, &name.text)?,
                key => self.item(&current, key)?,
            };
            current = match found {
                Some(found) => found,
                None => nothing(&path.text()?),
            };
        }
        Ok(current)
    }
}

/// What stands for `name`, which is not there.
pub(crate) fn nothing(name: &str) -> V {
    V::Undefined(Box::new(super::expr::undefined(name)))
}

fn lookup(map: &Map, key: &V) -> Eval<Option<V>> {
    let key = Key::of(key)?;
    if let Some(value) = map.get(&key) {
        return Ok(Some(value.clone()));
    }
    // Mappings of variable files keep `1:` as the text "1".
    if key.is_str {
        return Ok(None);
    }
    Ok(map.get(&Key::str(key.text)).cloned())
}

fn index(key: &V, length: usize) -> Option<usize> {
    let number = match key {
        V::Int(i) => *i,
        V::Bool(b) => i128::from(*b),
        _ => return None,
    };
    let length = length as i128;
    let position = if number < 0 { number + length } else { number };
    (0..length)
        .contains(&position)
        .then(|| usize::try_from(position).ok())
        .flatten()
}
