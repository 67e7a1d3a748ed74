//! Global functions of templates, and lookups.

use super::error::ValueError;
use super::eval::Renderer;
use super::filters::Args;
use super::python;
use super::value::{Eval, Key, Loop, Map, Taint, Text, Turner, V};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const NAMES: &[&str] = &[
    "range",
    "dict",
    "lookup",
    "query",
    "q",
    "namespace",
    "cycler",
    "joiner",
    "undef",
    "lipsum",
    "now",
];

/// True when `name` is a global function.
pub(crate) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Calls the global function `name`.
pub(crate) fn call(renderer: &Renderer<'_, '_>, name: &str, args: Args) -> Eval<V> {
    match name {
        "range" => range(&args),
        "dict" => {
            let mut map = pairs(renderer, &args)?;
            for (key, value) in args.named {
                map.insert(Key::str(key), value);
            }
            Ok(V::map(map))
        }
        "namespace" => {
            let mut map = pairs(renderer, &args)?;
            for (key, value) in args.named {
                map.insert(Key::str(key), value);
            }
            Ok(V::Namespace(Arc::new(Mutex::new(map))))
        }
        "cycler" => Ok(V::Turner(Arc::new(Turner {
            items: args.positional,
            position: Mutex::new(0),
            joiner: false,
        }))),
        "joiner" => {
            let [sep] = args.take(name, ["sep"])?;
            Ok(V::Turner(Arc::new(Turner {
                items: vec![sep.unwrap_or_else(|| V::str(", "))],
                position: Mutex::new(0),
                joiner: true,
            })))
        }
        "undef" => {
            let [hint] = args.take(name, ["hint"])?;
            let hint = match hint {
                Some(hint) => hint.text()?.into_owned(),
                None => "this variable must be set".into(),
            };
            Ok(V::Undefined(Box::new(ValueError::undefined("undef()").with_help(hint))))
        }
        "lookup" | "query" | "q" => lookup(renderer, args, name != "lookup"),
        "now" => Err(ValueError::unsupported(
            "'now()' (its result would differ in every run, and nothing would ever be unchanged)",
        )),
        _ => Err(ValueError::unsupported(format!("the function '{name}'"))),
    }
}

/// The next item of `cycler` or `joiner`.
pub(crate) fn turn(turner: &Turner) -> Eval<V> {
    let mut position = turner.position.lock().map_err(|_| python::poisoned())?;
    let at = *position;
    *position += 1;
    if turner.joiner {
        return Ok(if at == 0 { V::str("") } else { turner.items[0].clone() });
    }
    if turner.items.is_empty() {
        return Err(ValueError::filter("cycler", "it has no items"));
    }
    Ok(turner.items[at % turner.items.len()].clone())
}

/// `loop.cycle(…)` and `loop.changed(…)`.
pub(crate) fn loop_method(turn: &Loop, name: &str, args: &Args) -> Eval<V> {
    match name {
        "cycle" if !args.positional.is_empty() => Ok(args.positional[turn.index0 % args.positional.len()].clone()),
        "changed" => {
            let mut last = turn.changed.lock().map_err(|_| python::poisoned())?;
            let same = match &*last {
                Some(values) => V::list(values.clone()).equals(&V::list(args.positional.clone()))?,
                None => false,
            };
            if !same {
                *last = Some(args.positional.clone());
            }
            Ok(V::Bool(!same))
        }
        _ => Err(ValueError::filter(name, "a loop has no such method")),
    }
}

fn pairs(renderer: &Renderer<'_, '_>, args: &Args) -> Eval<Map> {
    let mut map = Map::new();
    if let Some(first) = args.positional.first() {
        match first.check()? {
            V::Map(given) => map.extend(given.iter().map(|(k, v)| (k.clone(), v.clone()))),
            other => {
                for pair in renderer.items(other)? {
                    let parts = renderer.items(&pair)?;
                    let [key, value] = parts.as_slice() else {
                        return Err(ValueError::filter("dict", "it needs pairs of a key and a value"));
                    };
                    map.insert(Key::of(key)?, value.clone());
                }
            }
        }
    }
    Ok(map)
}

fn range(args: &Args) -> Eval<V> {
    let mut numbers = Vec::new();
    for arg in &args.positional {
        match arg.check()? {
            V::Int(i) => numbers.push(*i),
            V::Bool(b) => numbers.push(i128::from(*b)),
            other => {
                return Err(ValueError::filter(
                    "range",
                    format!("a whole number was expected, not a {}", other.type_name()),
                ));
            }
        }
    }
    let (start, stop, step) = match numbers.as_slice() {
        [stop] => (0, *stop, 1),
        [start, stop] => (*start, *stop, 1),
        [start, stop, step] if *step != 0 => (*start, *stop, *step),
        _ => {
            return Err(ValueError::filter(
                "range",
                "it needs one to three whole numbers, the step not 0",
            ));
        }
    };
    let mut out = Vec::new();
    let mut at = start;
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        if out.len() >= 1_000_000 {
            return Err(ValueError::filter("range", "more than a million numbers"));
        }
        out.push(V::Int(at));
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    Ok(V::list(out))
}

/// `lookup(plugin, terms…)`; with `all`, the list of results.
fn lookup(renderer: &Renderer<'_, '_>, mut args: Args, all: bool) -> Eval<V> {
    if args.positional.is_empty() {
        return Err(ValueError::filter("lookup", "the name of a lookup is missing"));
    }
    let plugin = args.positional.remove(0).text()?.into_owned();
    let plugin = plugin.strip_prefix("ansible.builtin.").unwrap_or(&plugin).to_owned();
    let wantlist = match args.named.shift_remove("wantlist") {
        Some(value) => value.truth()?,
        None => all,
    };
    let errors = match args.named.shift_remove("errors") {
        Some(value) => value.text()?.into_owned(),
        None => "strict".into(),
    };
    // Several terms may be given as one list.
    let mut terms = Vec::new();
    for term in std::mem::take(&mut args.positional) {
        match term.check()? {
            V::List(items)
                if !matches!(
                    &*plugin,
                    "items" | "list" | "dict" | "subelements" | "together" | "nested" | "indexed_items"
                ) =>
            {
                terms.extend(items.iter().cloned());
            }
            _ => terms.push(term),
        }
    }
    let found = match results(renderer, &plugin, &terms, &args) {
        Ok(found) => found,
        Err(error) if errors != "strict" && !error.is_undefined() => {
            return Ok(if wantlist || error.is_undefined() {
                V::list(Vec::new())
            } else {
                V::None
            });
        }
        Err(error) => return Err(error),
    };
    // What comes from outside is never a template.
    renderer.session.touch_unsafe();
    if wantlist {
        return Ok(V::list(found));
    }
    if found.iter().all(|v| matches!(v, V::Str(_))) {
        let taint = found.iter().fold(Taint::default(), |t, v| t.join(v.taint()));
        let parts: Vec<&str> = found.iter().filter_map(V::as_str).collect();
        return Ok(V::Str(Text {
            text: parts.join(",").into(),
            taint: taint.join(Taint {
                secret: false,
                unsafe_: true,
            }),
            keep: false,
        }));
    }
    Ok(match <[V; 1]>::try_from(found) {
        Ok([only]) => only,
        Err(found) => V::list(found),
    })
}

fn results(renderer: &Renderer<'_, '_>, plugin: &str, terms: &[V], args: &Args) -> Eval<Vec<V>> {
    let wrong = |message: String| ValueError::lookup(plugin, message);
    match plugin {
        "env" => {
            let mut out = Vec::new();
            for term in terms {
                let name = term.text()?;
                out.push(match (std::env::var(&*name), args.named.get("default")) {
                    (Ok(value), _) => V::str(value),
                    (Err(_), Some(default)) => default.clone().defined()?,
                    (Err(_), None) => V::str(""),
                });
            }
            Ok(out)
        }
        "file" | "unvault" => {
            let strip = |name: &str, default: bool| args.named.get(name).map_or(Ok(default), V::truth);
            let (left, right) = (strip("lstrip", false)?, strip("rstrip", true)?);
            let mut out = Vec::new();
            for term in terms {
                let name = term.text()?;
                let path = find_file(renderer, &name)
                    .ok_or_else(|| wrong(format!("the file '{name}' was not found beside the inventory")))?;
                let text = std::fs::read_to_string(&path)
                    .map_err(|e| wrong(format!("'{}' cannot be read: {e}", path.display())))?;
                let mut text = text.as_str();
                if left {
                    text = text.trim_start();
                }
                if right && plugin == "file" {
                    text = text.trim_end();
                }
                out.push(V::str(text));
            }
            Ok(out)
        }
        "fileglob" => Err(ValueError::unsupported("the lookup 'fileglob'")),
        "vars" => {
            let mut out = Vec::new();
            for term in terms {
                let name = term.text()?;
                let found = renderer.session.variable(renderer.scope, &name)?;
                out.push(match (found, args.named.get("default")) {
                    (Some(value), None) => value.defined()?,
                    (Some(value), Some(default)) => {
                        if value.is_undefined() {
                            default.clone()
                        } else {
                            value
                        }
                    }
                    (None, Some(default)) => default.clone(),
                    (None, None) => return Err(super::expr::undefined(&name)),
                });
            }
            Ok(out)
        }
        "varnames" => {
            let names = renderer.session.names(renderer.scope);
            let mut out = Vec::new();
            for term in terms {
                let pattern = super::filters::compile("varnames", &term.text()?, false, false)?;
                out.extend(
                    names
                        .iter()
                        .filter(|n| pattern.is_match(&***n).unwrap_or(false))
                        .map(|n| V::str(Arc::clone(n))),
                );
            }
            Ok(out)
        }
        "items" | "list" | "flattened" => {
            let mut out = Vec::new();
            for term in terms {
                match term {
                    V::List(items) if plugin == "items" => out.extend(items.iter().cloned()),
                    V::List(items) if plugin == "flattened" => out.extend(items.iter().cloned()),
                    other => out.push(other.clone()),
                }
            }
            Ok(out)
        }
        "indexed_items" => {
            let mut out = Vec::new();
            for term in terms {
                for item in renderer.items(term)? {
                    out.push(V::tuple(vec![V::int(out.len()), item]));
                }
            }
            Ok(out)
        }
        "dict" => {
            let mut out = Vec::new();
            for term in terms {
                for (key, value) in renderer.mapping(term)?.iter() {
                    out.push(V::dict([("key", key.value()), ("value", value.clone())]));
                }
            }
            Ok(out)
        }
        "together" => {
            let lists: Vec<Vec<V>> = terms.iter().map(|t| renderer.items(t)).collect::<Eval<_>>()?;
            let length = lists.iter().map(Vec::len).max().unwrap_or(0);
            Ok((0..length)
                .map(|i| V::list(lists.iter().map(|l| l.get(i).cloned().unwrap_or(V::None)).collect()))
                .collect())
        }
        "nested" | "cartesian" => {
            let lists: Vec<Vec<V>> = terms.iter().map(|t| renderer.items(t)).collect::<Eval<_>>()?;
            let rows = super::filters::product(&lists)?;
            Ok(rows.into_iter().map(V::list).collect())
        }
        "sequence" => sequence(terms, args),
        "inventory_hostnames" => {
            let world = &renderer.session.home().world;
            let mut out = Vec::new();
            for term in terms {
                let name = term.text()?;
                let groups = world.groups();
                match groups.get(&*name) {
                    Some(hosts) => out.extend(hosts.iter().map(|h| V::str(Arc::clone(h)))),
                    None if world.layers(&name).is_some() => out.push(V::str(&*name)),
                    None => {}
                }
            }
            Ok(out)
        }
        "first_found" => {
            let mut tried = Vec::new();
            for term in terms {
                let files = match term {
                    V::Map(map) => renderer.items(map.get(&Key::str("files")).unwrap_or(&V::None))?,
                    other => vec![other.clone()],
                };
                for file in files {
                    let name = file.text()?.into_owned();
                    if let Some(path) = find_file(renderer, &name) {
                        return Ok(vec![V::str(path.display().to_string())]);
                    }
                    tried.push(name);
                }
            }
            Err(wrong(format!("none of these files was found: {}", tried.join(", "))))
        }
        "pipe" | "lines" | "url" | "password" | "csvfile" | "ini" | "template" | "config" | "random_choice" => {
            let reason = match plugin {
                "pipe" | "lines" => "it would run a command on this machine while values are read",
                "url" => "it would load from the network while values are read",
                "password" | "random_choice" => "its result would differ from run to run",
                _ => "it is not supported",
            };
            Err(wrong(format!("refused: {reason}")).with_help("set the value itself, or give it with -e"))
        }
        _ => Err(wrong("there is no such lookup here".into())
            .with_help("env, file, vars, varnames, dict, items, nested, together, sequence and first_found are known")),
    }
}

fn sequence(terms: &[V], args: &Args) -> Eval<Vec<V>> {
    let wrong = |message: &str| ValueError::lookup("sequence", message);
    let (mut start, mut end, mut stride, mut count, mut format) = (1i128, None, 1i128, None, String::from("%d"));
    let mut settings: Vec<(String, String)> = Vec::new();
    for (key, value) in &args.named {
        settings.push((key.to_string(), value.text()?.into_owned()));
    }
    for term in terms {
        for part in term.text()?.split_whitespace() {
            let (key, value) = part.split_once('=').ok_or_else(|| wrong("it needs 'start=… end=…'"))?;
            settings.push((key.into(), value.into()));
        }
    }
    for (key, value) in settings {
        let number = || value.parse::<i128>().map_err(|_| wrong("a whole number was expected"));
        match key.as_str() {
            "start" => start = number()?,
            "end" => end = Some(number()?),
            "stride" => stride = number()?,
            "count" => count = Some(number()?),
            "format" => format = value,
            _ => return Err(wrong("it knows start, end, count, stride and format")),
        }
    }
    let end = match (end, count) {
        (Some(end), _) => end,
        (None, Some(count)) => start.saturating_add(count.saturating_sub(1).saturating_mul(stride)),
        _ => return Err(wrong("it needs 'end' or 'count'")),
    };
    let mut out = Vec::new();
    let mut at = start;
    while stride != 0 && ((stride > 0 && at <= end) || (stride < 0 && at >= end)) && out.len() < 100_000 {
        out.push(super::format::percent(&V::str(format.as_str()), &V::Int(at))?);
        at = at.saturating_add(stride);
    }
    Ok(out)
}

/// The file `name`: absolute, in the home folder, or beside the inventory or playbook (in `files/` first).
fn find_file(renderer: &Renderer<'_, '_>, name: &str) -> Option<PathBuf> {
    let path = match name.strip_prefix("~/") {
        Some(rest) => PathBuf::from(std::env::var_os("HOME")?).join(rest),
        None => PathBuf::from(name),
    };
    if path.is_absolute() {
        return path.is_file().then_some(path);
    }
    let scope = renderer.session.home();
    let bases = scope
        .playbook_dir
        .clone()
        .into_iter()
        .chain(scope.world.inventory_dir());
    bases
        .flat_map(|base: PathBuf| [base.join("files").join(&path), base.join(Path::new(&path))])
        .find(|candidate| candidate.is_file())
}
