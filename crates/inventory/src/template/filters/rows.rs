//! Filters that make rows of several lists: sets, products, choices, elements of elements.

use super::Call;
use super::lists::holds;
use crate::template::error::ValueError;
use crate::template::value::{Eval, Key, V};

/// How many rows a filter may make.
pub(super) const MAX_ROWS: usize = 1_000_000;

/// Lists inside lists, made one list.
pub(super) fn flatten(items: &[V], levels: Option<i128>, skip_nulls: bool, out: &mut Vec<V>) {
    for item in items {
        let null = matches!(item, V::None) || matches!(item.as_str(), Some("None" | "null"));
        match item.sequence() {
            _ if skip_nulls && null => {}
            Some(inner) if levels.is_none_or(|l| l >= 1) => {
                flatten(inner, levels.map(|l| l - 1), skip_nulls, out);
            }
            _ => out.push(item.clone()),
        }
    }
}

/// Set operations that keep the order of the lists.
pub(super) fn sets(name: &str, a: Vec<V>, b: Vec<V>) -> Eval<V> {
    let mut out: Vec<V> = Vec::new();
    let add = |item: &V, out: &mut Vec<V>| -> Eval<()> {
        if !holds(out, item)? {
            out.push(item.clone());
        }
        Ok(())
    };
    for item in &a {
        let shared = holds(&b, item)?;
        if match name {
            "union" => true,
            "intersect" => shared,
            _ => !shared,
        } {
            add(item, &mut out)?;
        }
    }
    if matches!(name, "union" | "symmetric_difference") {
        for item in &b {
            if name == "union" || !holds(&a, item)? {
                add(item, &mut out)?;
            }
        }
    }
    Ok(V::list(out))
}

fn too_many() -> ValueError {
    ValueError::filter("product", "more than a million rows")
}

/// All rows with one item of each list.
pub(crate) fn product(lists: &[Vec<V>]) -> Eval<Vec<Vec<V>>> {
    let mut rows: Vec<Vec<V>> = vec![Vec::new()];
    for list in lists {
        if rows.len().saturating_mul(list.len()) > MAX_ROWS {
            return Err(too_many());
        }
        rows = rows
            .iter()
            .flat_map(|row| {
                list.iter().map(move |item| {
                    let mut row = row.clone();
                    row.push(item.clone());
                    row
                })
            })
            .collect();
    }
    Ok(rows)
}

/// Rows of `size` items: in every order, or each choice once.
pub(super) fn pick(
    items: &[V],
    size: usize,
    ordered: bool,
    chosen: &mut Vec<usize>,
    out: &mut Vec<Vec<V>>,
) -> Eval<()> {
    if chosen.len() == size {
        out.push(chosen.iter().map(|i| items[*i].clone()).collect());
        return if out.len() > MAX_ROWS { Err(too_many()) } else { Ok(()) };
    }
    let start = if ordered { 0 } else { chosen.last().map_or(0, |i| i + 1) };
    for i in start..items.len() {
        if !chosen.contains(&i) {
            chosen.push(i);
            pick(items, size, ordered, chosen, out)?;
            chosen.pop();
        }
    }
    Ok(())
}

pub(super) fn subelements(c: &Call<'_, '_, '_>) -> Eval<V> {
    let [path, skip] = c.take(["subelements", "skip_missing"])?;
    let path = c.need(path, "subelements")?;
    let skip = c.truth_or(skip, false)?;
    let parts: Vec<String> = match &path {
        V::Str(text) => text.text.split('.').map(str::to_owned).collect(),
        other => c
            .renderer
            .items(other)?
            .iter()
            .map(|v| v.text().map(|t| t.into_owned()))
            .collect::<Eval<_>>()?,
    };
    let elements = match c.input {
        V::Map(map) => map.values().cloned().collect(),
        _ => c.items()?,
    };
    let mut out = Vec::new();
    for element in elements {
        let mut values = Some(element.clone());
        for part in &parts {
            values = match values {
                Some(V::Map(map)) => map.get(&Key::str(part.as_str())).cloned(),
                _ => None,
            };
        }
        match values {
            Some(V::List(items)) => {
                out.extend(items.iter().map(|item| V::tuple(vec![element.clone(), item.clone()])));
            }
            None if skip => {}
            None => return Err(c.wrong(format!("an item has no '{}'", parts.join(".")))),
            Some(other) => {
                return Err(c.wrong(format!(
                    "'{}' must be a list, not a {}",
                    parts.join("."),
                    other.type_name()
                )));
            }
        }
    }
    Ok(V::list(out))
}
