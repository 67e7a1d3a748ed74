//! Methods of Python's texts, lists and mappings that templates call.

use super::error::ValueError;
use super::eval::Renderer;
use super::filters::Args;
use super::format;
use super::value::{Eval, Key, Map, V};
use std::sync::Arc;

/// The result, and the changed value when the method changes what it is called on.
type Called = Eval<(V, Option<V>)>;

/// `value.name(args)`.
pub(crate) fn call(renderer: &Renderer<'_, '_>, value: V, name: &str, args: Args) -> Called {
    match value {
        V::Str(text) => text_method(renderer, &text.text, name, args).map(|v| (v, None)),
        V::Map(map) => map_method(renderer, &map, name, args),
        V::List(items) => list_method(renderer, &items, name, args),
        V::Tuple(items) => match name {
            "index" | "count" => list_method(renderer, &items, name, args),
            _ => Err(unknown("tuple", name)),
        },
        V::Int(i) if name == "bit_length" => Ok((V::Int(i128::from(128 - i.unsigned_abs().leading_zeros())), None)),
        V::Float(x) if name == "is_integer" => Ok((V::Bool(x.fract() == 0.0), None)),
        other => Err(unknown(other.type_name(), name)),
    }
}

fn unknown(kind: &str, name: &str) -> ValueError {
    ValueError::filter(name, format!("a {kind} has no such method"))
}

fn strings(name: &str, value: Option<V>) -> Eval<Option<String>> {
    match value {
        None | Some(V::None) => Ok(None),
        Some(V::Str(text)) => Ok(Some(text.text.to_string())),
        Some(other) => Err(ValueError::filter(
            name,
            format!("a string was expected, not a {}", other.check()?.type_name()),
        )),
    }
}

fn need(name: &str, value: Option<V>) -> Eval<String> {
    strings(name, value)?.ok_or_else(|| ValueError::filter(name, "an argument is missing"))
}

fn number(name: &str, value: Option<V>, default: i128) -> Eval<i128> {
    match value {
        None | Some(V::None) => Ok(default),
        Some(V::Int(i)) => Ok(i),
        Some(other) => Err(ValueError::filter(
            name,
            format!("a whole number was expected, not a {}", other.check()?.type_name()),
        )),
    }
}

fn text_method(renderer: &Renderer<'_, '_>, text: &str, name: &str, args: Args) -> Eval<V> {
    let stripped = |args: Args, start: bool, end: bool| -> Eval<V> {
        let [chars] = args.take(name, ["chars"])?;
        let chars = strings(name, chars)?;
        let drop = |c: char| chars.as_ref().map_or(c.is_whitespace(), |set| set.contains(c));
        let mut rest = text;
        if start {
            rest = rest.trim_start_matches(drop);
        }
        if end {
            rest = rest.trim_end_matches(drop);
        }
        Ok(V::str(rest))
    };
    let all = |test: fn(char) -> bool| V::Bool(!text.is_empty() && text.chars().all(test));
    let cased = |lower: bool| {
        let letters = || text.chars().filter(|c| c.is_alphabetic());
        V::Bool(
            letters().next().is_some() && letters().all(|c| if lower { !c.is_uppercase() } else { !c.is_lowercase() }),
        )
    };
    Ok(match name {
        "upper" => V::str(text.to_uppercase()),
        "lower" | "casefold" => V::str(text.to_lowercase()),
        "title" => V::str(title(text)),
        "capitalize" => V::str(capitalize(text)),
        "swapcase" => V::str(
            text.chars()
                .map(|c| {
                    if c.is_uppercase() {
                        c.to_lowercase().to_string()
                    } else {
                        c.to_uppercase().to_string()
                    }
                })
                .collect::<String>(),
        ),
        "strip" => stripped(args, true, true)?,
        "lstrip" => stripped(args, true, false)?,
        "rstrip" => stripped(args, false, true)?,
        "split" | "rsplit" => {
            let [sep, max] = args.take(name, ["sep", "maxsplit"])?;
            let sep = strings(name, sep)?;
            split(text, sep.as_deref(), number(name, max, -1)?, name == "rsplit")?
        }
        "splitlines" => {
            let [keep] = args.take(name, ["keepends"])?;
            let keep = keep.map_or(Ok(false), |v| v.truth())?;
            V::list(
                text.split_inclusive('\n')
                    .map(|line| {
                        V::str(if keep {
                            line
                        } else {
                            line.trim_end_matches(['\n', '\r'])
                        })
                    })
                    .collect(),
            )
        }
        "partition" | "rpartition" => {
            let [sep] = args.take(name, ["sep"])?;
            let sep = need(name, sep)?;
            let found = if name == "partition" {
                text.find(&sep)
            } else {
                text.rfind(&sep)
            };
            let parts = match found {
                Some(at) => [&text[..at], &sep, &text[at + sep.len()..]],
                None if name == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            V::tuple(parts.into_iter().map(V::str).collect())
        }
        "join" => {
            let [items] = args.take(name, ["items"])?;
            let items = renderer.items(&items.unwrap_or(V::None))?;
            let mut parts = Vec::new();
            for item in &items {
                parts.push(need(name, Some(item.clone()))?);
            }
            V::str(parts.join(text))
        }
        "replace" => {
            let [old, new, count] = args.take(name, ["old", "new", "count"])?;
            let (old, new) = (need(name, old)?, need(name, new)?);
            match usize::try_from(number(name, count, -1)?) {
                Ok(count) => V::str(text.replacen(&old, &new, count)),
                Err(_) => V::str(text.replace(&old, &new)),
            }
        }
        "startswith" | "endswith" => {
            let [what, start] = args.take(name, ["prefix", "start"])?;
            let skip = usize::try_from(number(name, start, 0)?).unwrap_or(0);
            let text: String = text.chars().skip(skip).collect();
            let test = |part: &str| {
                if name == "startswith" {
                    text.starts_with(part)
                } else {
                    text.ends_with(part)
                }
            };
            match what.ok_or_else(|| ValueError::filter(name, "an argument is missing"))? {
                V::Tuple(parts) => V::Bool(parts.iter().filter_map(V::as_str).any(test)),
                part => V::Bool(test(&need(name, Some(part))?)),
            }
        }
        "removeprefix" | "removesuffix" => {
            let [part] = args.take(name, ["prefix"])?;
            let part = need(name, part)?;
            let rest = if name == "removeprefix" {
                text.strip_prefix(&part)
            } else {
                text.strip_suffix(&part)
            };
            V::str(rest.unwrap_or(text))
        }
        "find" | "rfind" | "index" | "rindex" => {
            let [part] = args.take(name, ["sub"])?;
            let part = need(name, part)?;
            let found = if name.starts_with('r') {
                text.rfind(&part)
            } else {
                text.find(&part)
            };
            match found {
                Some(at) => V::int(text[..at].chars().count()),
                None if name.ends_with("find") => V::Int(-1),
                None => return Err(ValueError::filter(name, "the text does not hold it")),
            }
        }
        "count" => {
            let [part] = args.take(name, ["sub"])?;
            V::int(text.matches(&*need(name, part)?).count())
        }
        "zfill" => {
            let [width] = args.take(name, ["width"])?;
            let width = usize::try_from(number(name, width, 0)?.min(1 << 20)).unwrap_or(0);
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
            let missing = width.saturating_sub(text.chars().count());
            V::str(format!("{sign}{}{digits}", "0".repeat(missing)))
        }
        "center" | "ljust" | "rjust" => {
            let [width, fill] = args.take(name, ["width", "fillchar"])?;
            let width = usize::try_from(number(name, width, 0)?.min(1 << 20)).unwrap_or(0);
            let fill = strings(name, fill)?.unwrap_or_else(|| " ".into());
            let missing = width.saturating_sub(text.chars().count());
            let left = match name {
                "ljust" => 0,
                "rjust" => missing,
                // CPython puts the odd one to the left when the width is odd.
                _ => missing / 2 + (missing & width & 1),
            };
            V::str(format!("{}{text}{}", fill.repeat(left), fill.repeat(missing - left)))
        }
        "expandtabs" => V::str(text.replace('\t', "        ")),
        "format" => {
            let named: Map = args.named.into_iter().map(|(k, v)| (Key::str(k), v)).collect();
            V::str(format::braces(text, &args.positional, &named)?)
        }
        "format_map" => {
            let [map] = args.take(name, ["mapping"])?;
            let map = map.unwrap_or(V::None);
            let map = renderer.mapping(&map)?;
            V::str(format::braces(text, &[], &map)?)
        }
        "isdigit" | "isdecimal" | "isnumeric" => all(char::is_numeric),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isspace" => all(char::is_whitespace),
        "isascii" => V::Bool(text.is_ascii()),
        "islower" => cased(true),
        "isupper" => cased(false),
        "isidentifier" => V::Bool(
            text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
                && text.chars().all(|c| c.is_alphanumeric() || c == '_'),
        ),
        "encode" | "decode" => V::str(text),
        _ => return Err(unknown("string", name)),
    })
}

/// Python's `split` and `rsplit`.
pub(crate) fn split(text: &str, sep: Option<&str>, max: i128, from_end: bool) -> Eval<V> {
    let limit = usize::try_from(max).map_or(usize::MAX, |m| m.saturating_add(1));
    let parts: Vec<&str> = match sep {
        Some("") => return Err(ValueError::filter("split", "the separator is empty")),
        Some(sep) if from_end => {
            let mut parts: Vec<_> = text.rsplitn(limit, sep).collect();
            parts.reverse();
            parts
        }
        Some(sep) => text.splitn(limit, sep).collect(),
        None if limit == usize::MAX => text.split_whitespace().collect(),
        None => {
            let mut parts = Vec::new();
            let mut rest = text.trim();
            while !rest.is_empty() {
                let cut = if from_end {
                    rest.rfind(char::is_whitespace)
                } else {
                    rest.find(char::is_whitespace)
                };
                match cut {
                    Some(at) if parts.len() + 1 < limit => {
                        let (left, right) = rest.split_at(at);
                        let (part, more) = if from_end {
                            (right.trim_start(), left.trim_end())
                        } else {
                            (left, right.trim_start())
                        };
                        parts.push(part);
                        rest = more;
                    }
                    _ => {
                        parts.push(rest);
                        break;
                    }
                }
            }
            if from_end {
                parts.reverse();
            }
            parts
        }
    };
    Ok(V::list(parts.into_iter().map(V::str).collect()))
}

pub(crate) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first
            .to_uppercase()
            .chain(chars.as_str().to_lowercase().chars())
            .collect(),
        None => String::new(),
    }
}

/// Python's `str.title`: a capital after every character that is no letter.
fn title(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

fn map_method(renderer: &Renderer<'_, '_>, map: &Arc<Map>, name: &str, args: Args) -> Called {
    let missing = || ValueError::filter(name, "the mapping has no such key");
    Ok(match name {
        "items" => (
            V::list(map.iter().map(|(k, v)| V::tuple(vec![k.value(), v.clone()])).collect()),
            None,
        ),
        "keys" => (V::list(map.keys().map(Key::value).collect()), None),
        "values" => (V::list(map.values().cloned().collect()), None),
        "copy" => (V::Map(Arc::clone(map)), None),
        "get" => {
            let [key, default] = args.take(name, ["key", "default"])?;
            let key = key.ok_or_else(|| ValueError::filter(name, "a key is missing"))?;
            let base = V::Map(Arc::clone(map));
            (renderer.item(&base, &key)?.or(default).unwrap_or(V::None), None)
        }
        "pop" => {
            let [key, default] = args.take(name, ["key", "default"])?;
            let mut changed = Map::clone(map);
            let key = Key::of(&key.unwrap_or(V::None))?;
            let value = changed.shift_remove(&key).or(default).ok_or_else(missing)?;
            (value, Some(V::map(changed)))
        }
        "update" => {
            let mut changed = Map::clone(map);
            for value in &args.positional {
                for (k, v) in renderer.mapping(value)?.iter() {
                    changed.insert(k.clone(), v.clone());
                }
            }
            for (k, v) in args.named {
                changed.insert(Key::str(k), v);
            }
            (V::None, Some(V::map(changed)))
        }
        "setdefault" => {
            let [key, default] = args.take(name, ["key", "default"])?;
            let key = Key::of(&key.unwrap_or(V::None))?;
            let mut changed = Map::clone(map);
            let value = changed.entry(key).or_insert(default.unwrap_or(V::None)).clone();
            (value, Some(V::map(changed)))
        }
        "clear" => (V::None, Some(V::map(Map::new()))),
        _ => {
            return match renderer.item(&V::Map(Arc::clone(map)), &V::str(name))? {
                Some(V::Macro(number)) => renderer.call_macro(number, args, None).map(|v| (v, None)),
                _ => Err(unknown("mapping", name)),
            };
        }
    })
}

fn list_method(renderer: &Renderer<'_, '_>, items: &Arc<Vec<V>>, name: &str, args: Args) -> Called {
    let mut changed = Vec::clone(items);
    let position = |needle: &V| -> Eval<usize> {
        for (i, item) in items.iter().enumerate() {
            if item.equals(needle)? {
                return Ok(i);
            }
        }
        Err(ValueError::filter(name, "the list does not hold it"))
    };
    let at = |value: Option<V>, default: i128| -> Eval<usize> {
        let i = number(name, value, default)?;
        let length = items.len() as i128;
        Ok(usize::try_from(if i < 0 { i + length } else { i }.clamp(0, length)).unwrap_or(0))
    };
    let result = match name {
        "index" => {
            let [value] = args.take(name, ["value"])?;
            return Ok((V::int(position(&value.unwrap_or(V::None))?), None));
        }
        "count" => {
            let [value] = args.take(name, ["value"])?;
            let value = value.unwrap_or(V::None);
            let mut count = 0;
            for item in items.iter() {
                count += usize::from(item.equals(&value)?);
            }
            return Ok((V::int(count), None));
        }
        "copy" => return Ok((V::List(Arc::clone(items)), None)),
        "append" => {
            let [value] = args.take(name, ["value"])?;
            changed.push(value.ok_or_else(|| ValueError::filter(name, "a value is missing"))?);
            V::None
        }
        "extend" => {
            let [value] = args.take(name, ["values"])?;
            changed.extend(renderer.items(&value.unwrap_or(V::None))?);
            V::None
        }
        "insert" => {
            let [index, value] = args.take(name, ["index", "value"])?;
            changed.insert(at(index, 0)?, value.unwrap_or(V::None));
            V::None
        }
        "pop" => {
            let [index] = args.take(name, ["index"])?;
            let index = at(index, -1)?;
            if index >= changed.len() {
                return Err(ValueError::filter(name, "the list has no such item"));
            }
            changed.remove(index)
        }
        "remove" => {
            let [value] = args.take(name, ["value"])?;
            changed.remove(position(&value.unwrap_or(V::None))?);
            V::None
        }
        "clear" => {
            changed.clear();
            V::None
        }
        "reverse" => {
            changed.reverse();
            V::None
        }
        "sort" => {
            let [_, reverse] = args.take(name, ["key", "reverse"])?;
            super::filters::sort_values(&mut changed, true)?;
            if reverse.map_or(Ok(false), |v| v.truth())? {
                changed.reverse();
            }
            V::None
        }
        _ => return Err(unknown("list", name)),
    };
    Ok((result, Some(V::list(changed))))
}
