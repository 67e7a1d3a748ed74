//! Jinja's and Ansible's tests: `x is name(args)`.

use super::error::ValueError;
use super::eval::Renderer;
use super::filters::{self, Args};
use super::value::{Eval, Key, V};
use std::cmp::Ordering;
use std::path::Path;

/// True when `name` is a test.
pub(crate) fn exists(name: &str) -> bool {
    KNOWN.contains(&name)
}

const KNOWN: &[&str] = &[
    "defined",
    "undefined",
    "none",
    "boolean",
    "true",
    "false",
    "integer",
    "float",
    "number",
    "string",
    "mapping",
    "sequence",
    "iterable",
    "callable",
    "sameas",
    "in",
    "eq",
    "equalto",
    "==",
    "ne",
    "!=",
    "gt",
    "greaterthan",
    ">",
    "ge",
    ">=",
    "lt",
    "lessthan",
    "<",
    "le",
    "<=",
    "odd",
    "even",
    "divisibleby",
    "lower",
    "upper",
    "escaped",
    "filter",
    "test",
    "failed",
    "failure",
    "succeeded",
    "success",
    "successful",
    "changed",
    "change",
    "skipped",
    "skip",
    "reachable",
    "unreachable",
    "started",
    "finished",
    "timedout",
    "match",
    "search",
    "regex",
    "version",
    "version_compare",
    "any",
    "all",
    "truthy",
    "falsy",
    "contains",
    "subset",
    "issubset",
    "superset",
    "issuperset",
    "vault_encrypted",
    "exists",
    "file",
    "is_file",
    "directory",
    "is_dir",
    "link",
    "is_link",
    "abs",
    "is_abs",
    "nan",
    "isnan",
    "ip",
    "ipv4",
    "ipv6",
    "ip_address",
    "ipv4_address",
    "ipv6_address",
    "uri",
    "url",
    "urn",
];

/// `value is name(args)`.
pub(crate) fn call(renderer: &Renderer<'_, '_>, name: &str, value: &V, args: Args) -> Eval<bool> {
    let name = name
        .strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.utils."))
        .unwrap_or(name);
    let first = || -> Eval<V> {
        args.positional
            .first()
            .cloned()
            .ok_or_else(|| ValueError::filter(name, "the test needs a value to compare with"))?
            .defined()
    };
    // These look at the type only and take undefined names as they are.
    match name {
        "defined" => return Ok(!value.is_undefined()),
        "undefined" => return Ok(value.is_undefined()),
        "none" => return Ok(matches!(value, V::None)),
        "boolean" => return Ok(matches!(value, V::Bool(_))),
        "true" => return Ok(matches!(value, V::Bool(true))),
        "false" => return Ok(matches!(value, V::Bool(false))),
        "integer" => return Ok(matches!(value, V::Int(_))),
        "float" => return Ok(matches!(value, V::Float(_))),
        "number" => return Ok(matches!(value, V::Int(_) | V::Float(_) | V::Bool(_))),
        "string" => return Ok(matches!(value, V::Str(_))),
        "mapping" => return Ok(matches!(value, V::Map(_) | V::HostVars | V::Host(_))),
        "sequence" => {
            return Ok(matches!(
                value,
                V::List(_) | V::Tuple(_) | V::Str(_) | V::Map(_) | V::HostVars | V::Host(_)
            ));
        }
        "callable" => {
            return Ok(matches!(
                value,
                V::Macro(_) | V::Function(_) | V::Turner(_) | V::Loop(_)
            ));
        }
        "vault_encrypted" => return Ok(value.taint().secret),
        "escaped" => return Ok(false),
        _ => {}
    }
    value.check()?;
    Ok(match name {
        "iterable" => renderer.items(value).is_ok(),
        "sameas" => same(value, &first()?)?,
        "in" => renderer.contains(&first()?, value)?,
        "eq" | "equalto" | "==" => value.equals(&first()?)?,
        "ne" | "!=" => !value.equals(&first()?)?,
        "gt" | "greaterthan" | ">" => value.compare(&first()?)?.is_gt(),
        "ge" | ">=" => value.compare(&first()?)?.is_ge(),
        "lt" | "lessthan" | "<" => value.compare(&first()?)?.is_lt(),
        "le" | "<=" => value.compare(&first()?)?.is_le(),
        "odd" => remainder(name, value, 2)? == 1,
        "even" => remainder(name, value, 2)? == 0,
        "divisibleby" => match first()? {
            V::Int(by) if by != 0 => remainder(name, value, by)? == 0,
            _ => return Err(ValueError::filter(name, "a whole number other than 0 was expected")),
        },
        "lower" => cased(&value.text()?, char::is_uppercase),
        "upper" => cased(&value.text()?, char::is_lowercase),
        "filter" => filters::exists(&value.text()?),
        "test" => exists(&value.text()?),
        "failed" | "failure" => flag(name, value, "failed")?,
        "succeeded" | "success" | "successful" => !flag(name, value, "failed")?,
        "skipped" | "skip" => flag(name, value, "skipped")?,
        "unreachable" => flag(name, value, "unreachable")?,
        "reachable" => !flag(name, value, "unreachable")?,
        "timedout" => flag(name, value, "timedout")?,
        "started" | "finished" => match value {
            V::Map(map) if map.contains_key(&Key::str(name)) => flag(name, value, name)?,
            V::Map(_) => true,
            _ => flag(name, value, name)?,
        },
        "changed" | "change" => changed(name, value)?,
        "match" | "search" | "regex" => {
            let [pattern, ignorecase, multiline, kind] =
                args.take(name, ["pattern", "ignorecase", "multiline", "match_type"])?;
            let on = |v: Option<V>| v.map_or(Ok(false), |v| v.truth());
            let pattern = pattern.map_or(Ok(String::new()), |v| v.text().map(|t| t.into_owned()))?;
            let kind = match kind {
                Some(kind) => kind.text()?.into_owned(),
                None => name.replace("regex", "search"),
            };
            let pattern = match kind.as_str() {
                "match" => format!("\\A(?:{pattern})"),
                "fullmatch" => format!("\\A(?:{pattern})\\z"),
                _ => pattern,
            };
            let pattern = filters::compile(name, &pattern, on(ignorecase)?, on(multiline)?)?;
            pattern
                .is_match(&*value.text()?)
                .map_err(|_| ValueError::filter(name, "the pattern takes too long on this text"))?
        }
        "version" | "version_compare" => version(name, value, &args)?,
        "any" => renderer
            .items(value)?
            .iter()
            .map(V::truth)
            .collect::<Eval<Vec<_>>>()?
            .contains(&true),
        "all" => !renderer
            .items(value)?
            .iter()
            .map(V::truth)
            .collect::<Eval<Vec<_>>>()?
            .contains(&false),
        "truthy" | "falsy" => {
            let [convert] = args.take(name, ["convert_bool"])?;
            let convert = convert.map_or(Ok(false), |v| v.truth())?;
            let word = value.as_str().map(|t| t.trim().to_ascii_lowercase());
            let truth = match word.as_deref() {
                Some("yes" | "on" | "1" | "true" | "y" | "t") if convert => true,
                Some("no" | "off" | "0" | "false" | "n" | "f") if convert => false,
                _ => value.truth()?,
            };
            truth == (name == "truthy")
        }
        "contains" => renderer.contains(value, &first()?)?,
        "subset" | "issubset" => within(renderer, value, &first()?)?,
        "superset" | "issuperset" => within(renderer, &first()?, value)?,
        "exists" => Path::new(&*value.text()?).exists(),
        "file" | "is_file" => Path::new(&*value.text()?).is_file(),
        "directory" | "is_dir" => Path::new(&*value.text()?).is_dir(),
        "link" | "is_link" => Path::new(&*value.text()?).is_symlink(),
        "abs" | "is_abs" => Path::new(&*value.text()?).is_absolute(),
        "nan" | "isnan" => value.as_float().is_some_and(f64::is_nan),
        "ip" | "ip_address" | "ipv4" | "ipv4_address" | "ipv6" | "ipv6_address" => {
            let text = value.text()?;
            let text = if name.ends_with("address") {
                &*text
            } else {
                text.split('/').next().unwrap_or("")
            };
            match (text.parse::<std::net::IpAddr>(), &name[..4.min(name.len())]) {
                (Ok(address), "ipv4") => address.is_ipv4(),
                (Ok(address), "ipv6") => address.is_ipv6(),
                (found, _) => found.is_ok(),
            }
        }
        "uri" => value
            .text()?
            .split_once(':')
            .is_some_and(|(scheme, _)| is_scheme(scheme)),
        "url" => value
            .text()?
            .split_once("://")
            .is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty()),
        "urn" => value.text()?.to_ascii_lowercase().starts_with("urn:"),
        _ => {
            return Err(ValueError::unsupported(format!("the test '{name}'"))
                .with_help(filters::nearest(name, KNOWN.iter().copied())));
        }
    })
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn same(a: &V, b: &V) -> Eval<bool> {
    Ok(std::mem::discriminant(a) == std::mem::discriminant(b) && a.equals(b)?)
}

fn remainder(name: &str, value: &V, by: i128) -> Eval<i128> {
    match value {
        V::Int(i) => Ok(i.wrapping_rem_euclid(by)),
        V::Bool(b) => Ok(i128::from(*b).rem_euclid(by)),
        other => Err(ValueError::filter(
            name,
            format!("a whole number was expected, not a {}", other.type_name()),
        )),
    }
}

fn cased(text: &str, other: fn(char) -> bool) -> bool {
    text.chars().any(char::is_alphabetic) && !text.chars().any(other)
}

/// The entry `key` of a task's result, as a truth.
fn flag(name: &str, value: &V, key: &str) -> Eval<bool> {
    match value {
        V::Map(map) => map.get(&Key::str(key)).map_or(Ok(false), V::truth),
        other => Err(ValueError::filter(
            name,
            format!("the result of a task was expected, not a {}", other.type_name()),
        )),
    }
}

fn changed(name: &str, value: &V) -> Eval<bool> {
    if let V::Map(map) = value
        && !map.contains_key(&Key::str("changed"))
        && let Some(V::List(results)) = map.get(&Key::str("results"))
    {
        for result in results.iter() {
            if matches!(result, V::Map(_)) && flag(name, result, "changed")? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    flag(name, value, "changed")
}

/// True when every item of `part` is in `whole`.
fn within(renderer: &Renderer<'_, '_>, part: &V, whole: &V) -> Eval<bool> {
    for item in renderer.items(part)? {
        if !renderer.contains(whole, &item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn version(name: &str, value: &V, args: &Args) -> Eval<bool> {
    let [other, operator, strict, kind] = args.take(name, ["version", "operator", "strict", "version_type"])?;
    let wrong = |message: &str| ValueError::filter(name, message);
    let other = other.ok_or_else(|| wrong("the version to compare with is missing"))?;
    let (left, right) = (value.text()?.into_owned(), other.text()?.into_owned());
    if left.is_empty() || right.is_empty() {
        return Err(wrong("the version is empty"));
    }
    let kind = match kind {
        Some(kind) => kind.text()?.into_owned(),
        None if strict.map_or(Ok(false), |s| s.truth())? => "strict".into(),
        None => "loose".into(),
    };
    let order = match kind.as_str() {
        "semver" | "semantic" => semantic(&left, &right).ok_or_else(|| wrong("this is no semantic version"))?,
        "loose" | "strict" | "pep440" => loose(&left, &right)
            .ok_or_else(|| wrong("the versions cannot be compared: a number stands against letters"))?,
        _ => {
            return Err(wrong(
                "the version type is one of loose, strict, semver, semantic, pep440",
            ));
        }
    };
    let operator = operator.map_or(Ok("eq".into()), |o| o.text().map(|t| t.into_owned()))?;
    Ok(match operator.as_str() {
        "==" | "=" | "eq" => order.is_eq(),
        "!=" | "<>" | "ne" => order.is_ne(),
        "<" | "lt" => order.is_lt(),
        "<=" | "le" => order.is_le(),
        ">" | "gt" => order.is_gt(),
        ">=" | "ge" => order.is_ge(),
        _ => return Err(wrong("the operator is one of ==, !=, <, <=, >, >=")),
    })
}

/// Python's `LooseVersion`: numbers and runs of letters, compared one by one.
fn loose(left: &str, right: &str) -> Option<Ordering> {
    #[derive(PartialEq)]
    enum Part {
        Number(u128),
        Word(String),
    }
    fn parts(text: &str) -> Vec<Part> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let class = |c: char| (c.is_ascii_digit(), c.is_ascii_lowercase(), c == '.');
            let end = rest.find(|c| class(c) != class(first)).unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            rest = after;
            if first == '.' {
                continue;
            }
            out.push(match piece.parse() {
                Ok(number) => Part::Number(number),
                Err(_) => Part::Word(piece.into()),
            });
        }
        out
    }
    let (left, right) = (parts(left), parts(right));
    for (a, b) in left.iter().zip(&right) {
        let order = match (a, b) {
            (Part::Number(a), Part::Number(b)) => a.cmp(b),
            (Part::Word(a), Part::Word(b)) => a.cmp(b),
            _ => return None,
        };
        if order.is_ne() {
            return Some(order);
        }
    }
    Some(left.len().cmp(&right.len()))
}

fn semantic(left: &str, right: &str) -> Option<Ordering> {
    fn parse(text: &str) -> Option<([u64; 3], Option<&str>)> {
        let text = text.split('+').next()?;
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (text, None),
        };
        let numbers: Vec<u64> = core.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        Some((numbers.try_into().ok()?, pre))
    }
    let ((a, pre_a), (b, pre_b)) = (parse(left)?, parse(right)?);
    Some(a.cmp(&b).then_with(|| match (pre_a, pre_b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => {
            let mut left = a.split('.');
            let mut right = b.split('.');
            loop {
                let order = match (left.next(), right.next()) {
                    (None, None) => return Ordering::Equal,
                    (None, Some(_)) => Ordering::Less,
                    (Some(_), None) => Ordering::Greater,
                    (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                        (Ok(a), Ok(b)) => a.cmp(&b),
                        (Ok(_), Err(_)) => Ordering::Less,
                        (Err(_), Ok(_)) => Ordering::Greater,
                        _ => a.cmp(b),
                    },
                };
                if order.is_ne() {
                    return order;
                }
            }
        }
    }))
}
