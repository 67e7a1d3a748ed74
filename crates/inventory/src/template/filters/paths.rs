//! Filters on paths and URLs.

use super::Call;
use crate::template::value::{Eval, V};
use std::path::Path;

pub(super) const NAMES: &[&str] = &[
    "basename",
    "dirname",
    "expanduser",
    "expandvars",
    "path_join",
    "realpath",
    "relpath",
    "splitext",
    "commonpath",
    "normpath",
    "win_basename",
    "win_dirname",
    "win_splitdrive",
    "urlsplit",
    "fileglob",
];

pub(super) fn call(c: &Call<'_, '_, '_>) -> Eval<Option<V>> {
    let text = match c.name {
        "basename" => {
            let text = c.text()?;
            text.rsplit_once('/').map_or(text.clone(), |(_, base)| base.to_owned())
        }
        "dirname" => dirname(&c.text()?),
        "expanduser" => {
            let text = c.text()?;
            match (text.strip_prefix('~'), std::env::var("HOME")) {
                (Some(rest), Ok(home)) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
                _ => text,
            }
        }
        "expandvars" => expandvars(&c.text()?),
        "path_join" => {
            let parts = match c.input {
                V::Str(text) => return Ok(Some(V::str(&*text.text))),
                _ => c.items()?,
            };
            let mut out = String::new();
            for part in parts {
                let part = part.text()?.into_owned();
                if part.starts_with('/') || out.is_empty() {
                    out = part;
                } else {
                    if !out.ends_with('/') {
                        out.push('/');
                    }
                    out.push_str(&part);
                }
            }
            out
        }
        "normpath" => normpath(&c.text()?),
        "realpath" => {
            let text = c.text()?;
            match Path::new(&text).canonicalize() {
                Ok(path) => path.display().to_string(),
                Err(_) => normpath(&absolute(&text)),
            }
        }
        "relpath" => {
            let [start] = c.take(["start"])?;
            let start = normpath(&absolute(&c.text_or(start, ".")?));
            relpath(&normpath(&absolute(&c.text()?)), &start)
        }
        "splitext" => {
            let text = c.text()?;
            let base = text.rfind('/').map_or(0, |i| i + 1);
            let name = &text[base..];
            let dots = name.len() - name.trim_start_matches('.').len();
            let at = name[dots..].rfind('.').map_or(text.len(), |i| base + dots + i);
            return Ok(Some(V::tuple(vec![V::str(&text[..at]), V::str(&text[at..])])));
        }
        "commonpath" => {
            let mut paths = Vec::new();
            for item in c.items()? {
                paths.push(item.text()?.into_owned());
            }
            commonpath(&paths)
        }
        "win_basename" => c.text()?.rsplit(['\\', '/']).next().unwrap_or_default().to_owned(),
        "win_dirname" => {
            let text = c.text()?;
            text.rfind(['\\', '/']).map_or(String::new(), |i| text[..i].to_owned())
        }
        "win_splitdrive" => {
            let text = c.text()?;
            let at = if text.as_bytes().get(1) == Some(&b':') { 2 } else { 0 };
            return Ok(Some(V::tuple(vec![V::str(&text[..at]), V::str(&text[at..])])));
        }
        "urlsplit" => return urlsplit(c).map(Some),
        "fileglob" => return Err(crate::template::ValueError::unsupported("the filter 'fileglob'")),
        _ => return Ok(None),
    };
    Ok(Some(V::str(text)))
}

fn dirname(text: &str) -> String {
    let Some(at) = text.rfind('/') else {
        return String::new();
    };
    let head = &text[..=at];
    let trimmed = head.trim_end_matches('/');
    if trimmed.is_empty() {
        head.to_owned()
    } else {
        trimmed.to_owned()
    }
}

fn absolute(text: &str) -> String {
    if text.starts_with('/') {
        return text.into();
    }
    let here = std::env::current_dir().unwrap_or_default();
    format!("{}/{text}", here.display())
}

/// Python's `os.path.normpath`.
fn normpath(text: &str) -> String {
    if text.is_empty() {
        return ".".into();
    }
    let lead = match text.len() - text.trim_start_matches('/').len() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            ".." if !lead.is_empty() => {}
            part => parts.push(part),
        }
    }
    let out = format!("{lead}{}", parts.join("/"));
    if out.is_empty() { ".".into() } else { out }
}

fn relpath(path: &str, start: &str) -> String {
    let split = |p: &'_ str| {
        p.split('/')
            .filter(|x| !x.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (path, start) = (split(path), split(start));
    let shared = path.iter().zip(&start).take_while(|(a, b)| a == b).count();
    let mut parts = vec!["..".to_owned(); start.len() - shared];
    parts.extend(path[shared..].iter().cloned());
    if parts.is_empty() { ".".into() } else { parts.join("/") }
}

fn commonpath(paths: &[String]) -> String {
    let split = |p: &'_ String| {
        p.split('/')
            .filter(|x| !x.is_empty() && *x != ".")
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let Some(first) = paths.first() else {
        return String::new();
    };
    let mut shared = split(first);
    for path in paths {
        let parts = split(path);
        let length = shared.iter().zip(&parts).take_while(|(a, b)| a == b).count();
        shared.truncate(length);
    }
    let lead = if first.starts_with('/') { "/" } else { "" };
    format!("{lead}{}", shared.join("/"))
}

fn expandvars(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let (name, used) = match tail.strip_prefix('{') {
            Some(inner) => match inner.find('}') {
                Some(end) => (&inner[..end], end + 2),
                None => ("", 0),
            },
            None => {
                let end = tail
                    .find(|x: char| !x.is_ascii_alphanumeric() && x != '_')
                    .unwrap_or(tail.len());
                (&tail[..end], end)
            }
        };
        match std::env::var(name) {
            Ok(value) if !name.is_empty() => out.push_str(&value),
            _ => out.push_str(&rest[at..=at + used]),
        }
        rest = &tail[used..];
    }
    out.push_str(rest);
    out
}

fn urlsplit(c: &Call<'_, '_, '_>) -> Eval<V> {
    let [query] = c.take(["query"])?;
    let text = c.text()?;
    let (rest, fragment) = text.split_once('#').unwrap_or((&text, ""));
    let (rest, question) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, after))
            if !scheme.is_empty() && scheme.chars().all(|x| x.is_ascii_alphanumeric() || "+-.".contains(x)) =>
        {
            (scheme.to_lowercase(), after)
        }
        _ => (String::new(), rest),
    };
    let (netloc, path) = match rest.strip_prefix("//") {
        Some(after) => after.split_at(after.find('/').unwrap_or(after.len())),
        None => ("", rest),
    };
    let (user, host) = match netloc.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, netloc),
    };
    let (username, password) = match user.map(|u| u.split_once(':').map_or((u, None), |(a, b)| (a, Some(b)))) {
        Some((name, password)) => (V::str(name), password.map_or(V::None, V::str)),
        None => (V::None, V::None),
    };
    let (hostname, port) = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        Some((address, after)) => (address, after.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(h, p)| (h, Some(p))),
    };
    let port = port.and_then(|p| p.parse().ok()).map_or(V::None, V::Int);
    let hostname = if hostname.is_empty() {
        V::None
    } else {
        V::str(hostname.to_lowercase())
    };
    let all = V::dict([
        ("fragment", V::str(fragment)),
        ("hostname", hostname),
        ("netloc", V::str(netloc)),
        ("password", password),
        ("path", V::str(path)),
        ("port", port),
        ("query", V::str(question)),
        ("scheme", V::str(scheme)),
        ("username", username),
    ]);
    match query {
        None => Ok(all),
        Some(part) if part.text()?.is_empty() => Ok(all),
        Some(part) => c
            .renderer
            .item(&all, &part)?
            .ok_or_else(|| c.wrong("a URL has no such part")),
    }
}
