//! Filters on mappings, and between kinds of values.

use super::Call;
use super::lists::entry;
use crate::template::error::ValueError;
use crate::template::value::{Eval, Key, Map, V};
use std::sync::Arc;

pub(super) const NAMES: &[&str] = &[
    "dict2items",
    "items2dict",
    "items",
    "dictsort",
    "combine",
    "extract",
    "attr",
    "ternary",
    "bool",
    "rekey_on_member",
    "json_query",
    "keep_keys",
    "remove_keys",
    "dict",
    "from_entries",
];

pub(super) fn call(c: &Call<'_, '_, '_>) -> Eval<Option<V>> {
    Ok(Some(match c.name {
        "dict2items" => {
            let [key, value] = c.take(["key_name", "value_name"])?;
            let (key, value) = (c.text_or(key, "key")?, c.text_or(value, "value")?);
            let map = mapping(c)?;
            V::list(
                map.iter()
                    .map(|(k, v)| entry(&key, k.value(), &value, v.clone()))
                    .collect(),
            )
        }
        "items2dict" => {
            let [key, value] = c.take(["key_name", "value_name"])?;
            let (key, value) = (c.text_or(key, "key")?, c.text_or(value, "value")?);
            let mut out = Map::new();
            for item in c.items()? {
                let V::Map(map) = &item else {
                    return Err(c.wrong(format!(
                        "a list of mappings was expected, one item is a {}",
                        item.type_name()
                    )));
                };
                let part = |name: &str| {
                    map.get(&Key::str(name))
                        .cloned()
                        .ok_or_else(|| c.wrong(format!("an item has no '{name}'")))
                };
                out.insert(Key::of(&part(&key)?)?, part(&value)?);
            }
            V::map(out)
        }
        "items" => {
            let map = mapping(c)?;
            V::list(map.iter().map(|(k, v)| V::tuple(vec![k.value(), v.clone()])).collect())
        }
        "dictsort" => {
            let [case, by, reverse] = c.take(["case_sensitive", "by", "reverse"])?;
            let (case, reverse) = (c.truth_or(case, false)?, c.truth_or(reverse, false)?);
            let by_value = c.text_or(by, "key")? == "value";
            let mut pairs: Vec<(V, V)> = mapping(c)?.iter().map(|(k, v)| (k.value(), v.clone())).collect();
            let fold = |v: &V| match v.as_str() {
                Some(text) if !case => V::str(text.to_lowercase()),
                _ => v.clone(),
            };
            let mut failed = None;
            pairs.sort_by(|a, b| {
                let (x, y) = if by_value { (&a.1, &b.1) } else { (&a.0, &b.0) };
                let order = fold(x).compare(&fold(y)).unwrap_or_else(|e| {
                    failed.get_or_insert(e);
                    std::cmp::Ordering::Equal
                });
                if reverse { order.reverse() } else { order }
            });
            if let Some(error) = failed {
                return Err(error);
            }
            V::list(pairs.into_iter().map(|(k, v)| V::tuple(vec![k, v])).collect())
        }
        "combine" => combine(c)?,
        "extract" => {
            let [container, more] = c.take(["container", "morekeys"])?;
            let mut value = c.need(container, "container")?;
            let mut keys = vec![c.input.clone()];
            match more {
                None | Some(V::None) => {}
                Some(V::List(list)) => keys.extend(list.iter().cloned()),
                Some(key) => keys.push(key),
            }
            for key in &keys {
                if value.is_undefined() {
                    break;
                }
                value = match c.renderer.item(&value, key)? {
                    Some(found) => found,
                    None => V::Undefined(Box::new(match value {
                        V::HostVars => ValueError::undefined(format!("hostvars.{}", key.text()?))
                            .with_help(format!("the inventory has no host '{}'", key.text()?)),
                        _ => crate::template::undefined(&key.text()?),
                    })),
                };
            }
            value
        }
        "attr" => {
            let [name] = c.take(["name"])?;
            let name = c.need(name, "name")?;
            match c.renderer.attribute(c.input, &name.text()?)? {
                Some(value) => value,
                None => crate::template::access::nothing(&name.text()?),
            }
        }
        "ternary" => {
            let [yes, no, none] = c.take(["true_val", "false_val", "none_val"])?;
            let (yes, no) = (need(c, yes, "true_val")?, need(c, no, "false_val")?);
            match none {
                Some(none) if matches!(c.input, V::None) && !matches!(none, V::None) => none,
                _ => {
                    if c.input.truth()? {
                        yes
                    } else {
                        no
                    }
                }
            }
        }
        "bool" => match c.input {
            V::None => V::None,
            V::Bool(b) => V::Bool(*b),
            V::Str(text) => V::Bool(matches!(text.text.to_lowercase().as_str(), "yes" | "on" | "1" | "true")),
            other => V::Bool(other.equals(&V::Int(1))?),
        },
        "rekey_on_member" => {
            let [key, duplicates] = c.take(["key", "duplicates"])?;
            let key = c.need(key, "key")?;
            let overwrite = c.text_or(duplicates, "error")? == "overwrite";
            let items = match c.input {
                V::Map(map) => map.values().cloned().collect(),
                _ => c.items()?,
            };
            let mut out = Map::new();
            for item in items {
                let member = c.renderer.item(&item, &key)?;
                let member =
                    member.ok_or_else(|| c.wrong(format!("an item has no '{}'", key.as_str().unwrap_or("?"))))?;
                let member = Key::of(&member)?;
                if out.contains_key(&member) && !overwrite {
                    return Err(c.wrong("two items have the same key"));
                }
                out.insert(member, item);
            }
            V::map(out)
        }
        "keep_keys" | "remove_keys" => {
            let [target] = c.take(["target"])?;
            let target = c.renderer.items(&c.need(target, "target")?)?;
            let keep = c.name == "keep_keys";
            let mut out = Vec::new();
            for item in c.items()? {
                let V::Map(map) = &item else {
                    return Err(c.wrong("a list of mappings was expected"));
                };
                let mut kept = Map::new();
                for (key, value) in map.iter() {
                    if target.iter().any(|t| t.as_str() == Some(&*key.text)) == keep {
                        kept.insert(key.clone(), value.clone());
                    }
                }
                out.push(V::map(kept));
            }
            V::list(out)
        }
        "dict" | "from_entries" => {
            let mut out = Map::new();
            for item in c.items()? {
                let pair = c.renderer.items(&item)?;
                let [key, value] = pair.as_slice() else {
                    return Err(c.wrong("a list of pairs was expected"));
                };
                out.insert(Key::of(key)?, value.clone());
            }
            V::map(out)
        }
        "json_query" => {
            return Err(ValueError::unsupported("the filter 'json_query'")
                .with_help("'selectattr', 'map' and plain attributes do the same"));
        }
        _ => return Ok(None),
    }))
}

fn need(c: &Call<'_, '_, '_>, value: Option<V>, what: &str) -> Eval<V> {
    value.ok_or_else(|| c.wrong(format!("the argument '{what}' is missing")))
}

fn mapping(c: &Call<'_, '_, '_>) -> Eval<Map> {
    c.renderer
        .mapping(c.input)
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| c.wrong(format!("a mapping was expected, not a {}", c.input.type_name())))
}

fn combine(c: &Call<'_, '_, '_>) -> Eval<V> {
    let mut args = c.args.clone();
    let recursive = c.truth_or(args.named.shift_remove("recursive"), false)?;
    let lists = c.text_or(args.named.shift_remove("list_merge"), "replace")?;
    if !matches!(
        &*lists,
        "replace" | "keep" | "append" | "prepend" | "append_rp" | "prepend_rp"
    ) {
        return Err(c.wrong("'list_merge' is one of replace, keep, append, prepend, append_rp, prepend_rp"));
    }
    if let Some(other) = args.named.keys().next() {
        return Err(c.wrong(format!("it has no argument '{other}'")));
    }
    let mut maps: Vec<Arc<Map>> = Vec::new();
    for value in std::iter::once(c.input).chain(&args.positional) {
        let parts = match value.check()? {
            V::List(items) => items.to_vec(),
            other => vec![other.clone()],
        };
        for part in parts {
            match part.defined()? {
                V::Map(map) => maps.push(map),
                V::None => {}
                other => return Err(c.wrong(format!("mappings were expected, not a {}", other.type_name()))),
            }
        }
    }
    let mut maps = maps.into_iter().rev();
    let Some(mut result) = maps.next() else {
        return Ok(V::map(Map::new()));
    };
    // From the last to the first, as Ansible does: that decides the order of the keys.
    for lower in maps {
        result = Arc::new(merge(&lower, &result, recursive, &lists)?);
    }
    Ok(V::Map(result))
}

/// `high` over `low`.
fn merge(low: &Map, high: &Map, recursive: bool, lists: &str) -> Eval<Map> {
    if low.is_empty() || V::map(low.clone()).equals(&V::map(high.clone()))? {
        return Ok(high.clone());
    }
    let mut out = low.clone();
    for (key, new) in high {
        let merged = match (out.get(key), new) {
            (Some(V::Map(a)), V::Map(b)) if recursive => V::map(merge(a, b, recursive, lists)?),
            (Some(V::List(a)), V::List(b)) if lists != "replace" => {
                let has = |item: &V| b.iter().any(|x| x.equals(item).unwrap_or(false));
                let old = a.iter().filter(|item| !lists.ends_with("_rp") || !has(item)).cloned();
                match lists {
                    "keep" => V::List(Arc::clone(a)),
                    "append" | "append_rp" => V::list(old.chain(b.iter().cloned()).collect()),
                    _ => V::list(b.iter().cloned().chain(old).collect()),
                }
            }
            _ => new.clone(),
        };
        out.insert(key.clone(), merged);
    }
    Ok(out)
}
