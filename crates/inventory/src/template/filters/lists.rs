//! Filters on lists.

use super::Call;
use super::rows::{MAX_ROWS, flatten, pick, product, sets, subelements};
use crate::template::error::ValueError;
use crate::template::tests;
use crate::template::value::{Eval, Key, Map, V};
use std::cmp::Ordering;
use std::collections::HashSet;

pub(super) const NAMES: &[&str] = &[
    "list",
    "length",
    "count",
    "first",
    "last",
    "join",
    "reverse",
    "sort",
    "unique",
    "min",
    "max",
    "sum",
    "map",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "batch",
    "slice",
    "groupby",
    "flatten",
    "union",
    "intersect",
    "difference",
    "symmetric_difference",
    "zip",
    "zip_longest",
    "product",
    "permutations",
    "combinations",
    "random",
    "shuffle",
    "subelements",
];

pub(super) fn call(c: &Call<'_, '_, '_>) -> Eval<Option<V>> {
    Ok(Some(match c.name {
        "list" => V::list(c.items()?),
        "length" | "count" => V::int(c.items()?.len()),
        "first" | "last" => {
            let mut items = c.items()?;
            let item = if c.name == "last" {
                items.pop()
            } else {
                items.drain(..).next()
            };
            item.unwrap_or_else(|| {
                V::Undefined(Box::new(
                    ValueError::undefined(format!("the {} item of an empty list", c.name))
                        .with_help("the list is empty; give it an item, or the expression a default"),
                ))
            })
        }
        "join" => {
            let [sep, attribute] = c.take(["d", "attribute"])?;
            let sep = c.text_or(sep, "")?;
            let mut parts = Vec::new();
            for item in c.items()? {
                let item = match &attribute {
                    Some(path) => c.renderer.path(&item, path)?,
                    None => item,
                };
                c.renderer.session.touch(&item);
                parts.push(item.text()?.into_owned());
            }
            V::str(parts.join(&sep))
        }
        "reverse" => match c.input {
            V::Str(text) => V::str(text.text.chars().rev().collect::<String>()),
            _ => {
                let mut items = c.items()?;
                items.reverse();
                V::list(items)
            }
        },
        "sort" => {
            let [reverse, case, attribute] = c.take(["reverse", "case_sensitive", "attribute"])?;
            let sorted = sorted(
                c,
                c.items()?,
                attribute.as_ref(),
                c.truth_or(case, false)?,
                c.truth_or(reverse, false)?,
            )?;
            V::list(sorted)
        }
        "unique" => {
            let [case, attribute] = c.take(["case_sensitive", "attribute"])?;
            let case = c.truth_or(case, false)?;
            let mut seen: Vec<V> = Vec::new();
            let mut keys = HashSet::new();
            let mut out = Vec::new();
            for item in c.items()? {
                let key = folded(attribute_of(c, &item, attribute.as_ref())?.defined()?, case);
                let fresh = match Key::of(&key) {
                    Ok(key) => keys.insert(key),
                    Err(_) => !holds(&seen, &key)?,
                };
                if fresh {
                    seen.push(key);
                    out.push(item);
                }
            }
            V::list(out)
        }
        "min" | "max" => {
            let [case, attribute] = c.take(["case_sensitive", "attribute"])?;
            let case = c.truth_or(case, false)?;
            let mut best: Option<(V, V)> = None;
            for item in c.items()? {
                let key = folded(attribute_of(c, &item, attribute.as_ref())?, case);
                let better = match &best {
                    None => true,
                    Some((top, _)) => {
                        key.compare(top)?
                            == if c.name == "min" {
                                Ordering::Less
                            } else {
                                Ordering::Greater
                            }
                    }
                };
                if better {
                    best = Some((key, item));
                }
            }
            match best {
                Some((_, item)) => item,
                None => V::Undefined(Box::new(ValueError::undefined(format!(
                    "the {} of an empty list",
                    c.name
                )))),
            }
        }
        "sum" => {
            let [attribute, start] = c.take(["attribute", "start"])?;
            let mut total = start.unwrap_or(V::Int(0));
            for item in c.items()? {
                let item = attribute_of(c, &item, attribute.as_ref())?.defined()?;
                total = crate::template::ops::add(&total, &item)?;
            }
            total
        }
        "map" => map(c)?,
        "select" | "reject" | "selectattr" | "rejectattr" => select(c)?,
        "batch" => {
            let [count, fill] = c.take(["linecount", "fill_with"])?;
            let count = usize::try_from(c.int_or(count, 1)?).ok().filter(|n| *n > 0);
            let count = count.ok_or_else(|| c.wrong("the size must be at least 1"))?;
            let mut rows: Vec<Vec<V>> = c.items()?.chunks(count).map(<[V]>::to_vec).collect();
            if let (Some(last), Some(fill)) = (rows.last_mut(), fill) {
                last.resize(count, fill);
            }
            V::list(rows.into_iter().map(V::list).collect())
        }
        "slice" => {
            let [slices, fill] = c.take(["slices", "fill_with"])?;
            let slices = usize::try_from(c.int_or(slices, 1)?)
                .ok()
                .filter(|n| (1..=MAX_ROWS).contains(n));
            let slices = slices.ok_or_else(|| c.wrong("the number of slices must be at least 1"))?;
            let items = c.items()?;
            let (each, extra) = (items.len() / slices, items.len() % slices);
            let mut at = 0;
            let mut out = Vec::new();
            for i in 0..slices {
                let take = each + usize::from(i < extra);
                let mut row = items[at..at + take].to_vec();
                at += take;
                if i >= extra && extra > 0 {
                    row.extend(fill.clone());
                }
                out.push(V::list(row));
            }
            V::list(out)
        }
        "groupby" => {
            let [attribute, default, case] = c.take(["attribute", "default", "case_sensitive"])?;
            let attribute = c.need(attribute, "attribute")?;
            let case = c.truth_or(case, false)?;
            let mut keyed = Vec::new();
            for item in c.items()? {
                let mut key = c.renderer.path(&item, &attribute)?;
                if key.is_undefined()
                    && let Some(default) = &default
                {
                    key = default.clone();
                }
                keyed.push((folded(key.clone().defined()?, case), key, item));
            }
            sort_by(&mut keyed, |a, b| a.0.compare(&b.0))?;
            let mut groups: Vec<(V, V, Vec<V>)> = Vec::new();
            for (sorting, key, item) in keyed {
                match groups.last_mut() {
                    Some((last, _, items)) if last.equals(&sorting)? => items.push(item),
                    _ => groups.push((sorting, key, vec![item])),
                }
            }
            V::list(
                groups
                    .into_iter()
                    .map(|(_, key, items)| V::tuple(vec![key, V::list(items)]))
                    .collect(),
            )
        }
        "flatten" => {
            let [levels, skip] = c.take(["levels", "skip_nulls"])?;
            let levels = match levels {
                None | Some(V::None) => None,
                Some(levels) => Some(c.int_or(Some(levels), 0)?),
            };
            let mut out = Vec::new();
            flatten(&c.items()?, levels, c.truth_or(skip, true)?, &mut out);
            V::list(out)
        }
        "union" | "intersect" | "difference" | "symmetric_difference" => {
            let [other] = c.take(["b"])?;
            let other = c.renderer.items(&c.need(other, "b")?)?;
            sets(c.name, c.items()?, other)?
        }
        "zip" | "zip_longest" => {
            let mut args = c.args.clone();
            let fill = args.named.shift_remove("fillvalue").unwrap_or(V::None);
            let mut lists = vec![c.items()?];
            for other in &args.positional {
                lists.push(c.renderer.items(other)?);
            }
            let lengths = lists.iter().map(Vec::len);
            let length = if c.name == "zip" { lengths.min() } else { lengths.max() };
            let row = |i: usize| {
                V::tuple(
                    lists
                        .iter()
                        .map(|l| l.get(i).cloned().unwrap_or_else(|| fill.clone()))
                        .collect(),
                )
            };
            V::list((0..length.unwrap_or(0)).map(row).collect())
        }
        "product" => {
            let mut lists = vec![c.items()?];
            for other in &c.args.positional {
                lists.push(c.renderer.items(other)?);
            }
            if let Some(repeat) = c.args.named.get("repeat") {
                let times = usize::try_from(c.int_or(Some(repeat.clone()), 1)?.clamp(0, 20)).unwrap_or(1);
                lists = std::iter::repeat_n(lists, times).flatten().collect();
            }
            V::list(product(&lists)?.into_iter().map(V::tuple).collect())
        }
        "permutations" | "combinations" => {
            let [size] = c.take(["r"])?;
            let items = c.items()?;
            let size = usize::try_from(c.int_or(size, items.len() as i128)?).unwrap_or(0);
            let mut out = Vec::new();
            pick(&items, size, c.name == "permutations", &mut Vec::new(), &mut out)?;
            V::list(out.into_iter().map(V::tuple).collect())
        }
        "random" | "shuffle" => {
            return Err(ValueError::unsupported(format!(
                "the filter '{}' (its result would differ in every run)",
                c.name
            )));
        }
        "subelements" => subelements(c)?,
        _ => return Ok(None),
    }))
}

fn attribute_of(c: &Call<'_, '_, '_>, item: &V, attribute: Option<&V>) -> Eval<V> {
    match attribute {
        None | Some(V::None) => Ok(item.clone()),
        Some(path) => c.renderer.path(item, path),
    }
}

/// `value` as it counts when case does not.
fn folded(value: V, case_sensitive: bool) -> V {
    match &value {
        V::Str(text) if !case_sensitive => V::str(text.text.to_lowercase()),
        _ => value,
    }
}

pub(super) fn holds(items: &[V], value: &V) -> Eval<bool> {
    for item in items {
        if item.equals(value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Sorts with a comparison that may fail.
fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Eval<Ordering>) -> Eval<()> {
    let mut failed = None;
    items.sort_by(|a, b| {
        compare(a, b).unwrap_or_else(|e| {
            failed.get_or_insert(e);
            Ordering::Equal
        })
    });
    failed.map_or(Ok(()), Err)
}

/// Sorts `items` as Python's `sort`.
pub(crate) fn sort_values(items: &mut [V], case_sensitive: bool) -> Eval<()> {
    sort_by(items, |a, b| {
        folded(a.clone(), case_sensitive).compare(&folded(b.clone(), case_sensitive))
    })
}

fn sorted(c: &Call<'_, '_, '_>, items: Vec<V>, attribute: Option<&V>, case: bool, reverse: bool) -> Eval<Vec<V>> {
    let paths: Vec<V> = match attribute {
        Some(V::Str(text)) => text.text.split(',').map(V::str).collect(),
        Some(other) if !matches!(other, V::None) => vec![other.clone()],
        _ => Vec::new(),
    };
    let mut keyed = Vec::new();
    for item in items {
        let keys: Vec<V> = if paths.is_empty() {
            vec![folded(item.clone().defined()?, case)]
        } else {
            paths
                .iter()
                .map(|path| Ok(folded(c.renderer.path(&item, path)?.defined()?, case)))
                .collect::<Eval<_>>()?
        };
        keyed.push((V::list(keys), item));
    }
    // Reversed comparison, not reversed result: equal items keep their order, as in Python.
    sort_by(&mut keyed, |a, b| {
        let order = a.0.compare(&b.0)?;
        Ok(if reverse { order.reverse() } else { order })
    })?;
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

fn map(c: &Call<'_, '_, '_>) -> Eval<V> {
    let mut args = c.args.clone();
    let mut out = Vec::new();
    if args.positional.is_empty() {
        let default = args.named.shift_remove("default");
        let attribute = args.named.shift_remove("attribute");
        let attribute = c.need(attribute, "attribute")?;
        if let Some(other) = args.named.keys().next() {
            return Err(c.wrong(format!("it has no argument '{other}'")));
        }
        for item in c.items()? {
            let value = c.renderer.path(&item, &attribute)?;
            out.push(match &default {
                Some(default) if value.is_undefined() => default.clone(),
                _ => value,
            });
        }
        return Ok(V::list(out));
    }
    let name = args.positional.remove(0).text()?.into_owned();
    for item in c.items()? {
        let result = super::call(c.renderer, &name, item, args.clone())?;
        c.renderer.session.touch(&result);
        out.push(result);
    }
    Ok(V::list(out))
}

fn select(c: &Call<'_, '_, '_>) -> Eval<V> {
    let mut args = c.args.clone();
    let by_attribute = c.name.ends_with("attr");
    let attribute = if by_attribute {
        if args.positional.is_empty() {
            return Err(c.wrong("the name of an attribute is missing"));
        }
        Some(args.positional.remove(0))
    } else {
        None
    };
    let test = if args.positional.is_empty() {
        None
    } else {
        Some(args.positional.remove(0).text()?.into_owned())
    };
    let wanted = c.name.starts_with("select");
    let mut out = Vec::new();
    for item in c.items()? {
        let value = match &attribute {
            Some(path) => c.renderer.path(&item, path)?,
            None => item.clone(),
        };
        let passed = match &test {
            Some(test) => tests::call(c.renderer, test, &value, args.clone())?,
            None => value.truth()?,
        };
        if passed == wanted {
            out.push(item);
        }
    }
    Ok(V::list(out))
}

/// Used by `dict2items` and its kind.
pub(super) fn entry(key: &str, k: V, value: &str, v: V) -> V {
    V::map(Map::from_iter([(Key::str(key), k), (Key::str(value), v)]))
}
