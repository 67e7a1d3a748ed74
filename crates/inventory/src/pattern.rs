//! Host patterns of Ansible: names, groups, globs, `~regex`, unions by `:` or `,`, `:&`, `:!`, `web[0]`, `web[1:3]`.

use crate::address;
use crate::graph::{Graph, LOCALHOST};
use indexmap::IndexSet;
use regex::Regex;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

static SUBSCRIPT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)^(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]$").expect("a constant expression"));
static PARTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:[^\s:\[\]]|\[[^\]]*\])+").expect("a constant expression"));

/// Why a pattern selects nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A plain name in it is neither a group nor a host.
    #[error("`{name}` in the host pattern `{pattern}` is neither a group nor a host of the inventory{}", did_you_mean(.nearest))]
    Unknown {
        /// The name.
        name: String,
        /// The whole pattern.
        pattern: String,
        /// Names of the inventory that look like it, the most alike first.
        nearest: Vec<String>,
    },
    /// A `~` part is no regular expression.
    #[error("`{part}` in the host pattern `{pattern}` is not a usable regular expression: {reason}")]
    Regex {
        /// The part.
        part: String,
        /// The whole pattern.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// `name[7]` where there are fewer hosts.
    #[error("no host has the number in `{part}`: `{name}` has {count} hosts, counted from 0")]
    Subscript {
        /// The part with its subscript.
        part: String,
        /// The part before it.
        name: String,
        /// How many hosts it has.
        count: usize,
    },
    /// The file of a part `@file`, as in `--limit @file`, cannot be read.
    #[error("the limit file {} cannot be read: {reason}", path.display())]
    LimitFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The limit leaves none of the hosts.
    #[error("--limit `{limit}` leaves none of the hosts of `{pattern}`")]
    LimitMatchesNothing {
        /// The limit.
        limit: String,
        /// The pattern it was to limit.
        pattern: String,
    },
}

fn did_you_mean(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        names => format!(
            ", did you mean {}?",
            names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" or ")
        ),
    }
}

/// Up to three of `names` that look like `name`, the most alike first.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut scored: Vec<(f64, &str)> = names
        .map(|other| (strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase()), other))
        .filter(|(score, _)| *score > 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// Names selected by `pattern`, in Ansible's order. A part `@file` stands for the lines of that file.
pub(crate) fn select(graph: &Graph, pattern: &str) -> Result<Vec<Arc<str>>, PatternError> {
    let mut parts = Vec::new();
    for part in split(pattern) {
        match part.strip_prefix('@') {
            Some(file) => {
                let path = crate::sources::absolute(file);
                let text = std::fs::read_to_string(&path).map_err(|e| PatternError::LimitFile {
                    path,
                    reason: e.to_string(),
                })?;
                parts.extend(text.lines().map(|line| line.trim().to_owned()));
            }
            None => parts.push(part),
        }
    }
    evaluate(graph, parts, pattern)
}

/// The same, only those that `limit` selects too.
pub(crate) fn select_limited(graph: &Graph, pattern: &str, limit: &str) -> Result<Vec<Arc<str>>, PatternError> {
    let hosts = select(graph, pattern)?;
    let allowed: IndexSet<Arc<str>> = select(graph, limit)?.into_iter().collect();
    let empty_before = hosts.is_empty();
    let hosts: Vec<Arc<str>> = hosts.into_iter().filter(|host| allowed.contains(host)).collect();
    if hosts.is_empty() && !empty_before {
        return Err(PatternError::LimitMatchesNothing {
            limit: limit.to_owned(),
            pattern: pattern.to_owned(),
        });
    }
    Ok(hosts)
}

fn split(pattern: &str) -> Vec<String> {
    let parts: Vec<&str> = if pattern.contains(',') {
        pattern.split(',').collect()
    } else if address::parse_address(pattern).is_some() {
        vec![pattern]
    } else {
        PARTS.find_iter(pattern).map(|m| m.as_str()).collect()
    };
    parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn evaluate(graph: &Graph, parts: Vec<String>, pattern: &str) -> Result<Vec<Arc<str>>, PatternError> {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let of_kind = |sign: char| {
        parts
            .iter()
            .filter(move |part| part.starts_with(sign))
            .map(String::as_str)
    };
    let mut ordered: Vec<&str> = parts
        .iter()
        .filter(|part| !part.starts_with(['!', '&']))
        .map(String::as_str)
        .collect();
    if ordered.is_empty() {
        ordered.push("all");
    }
    ordered.extend(of_kind('&'));
    ordered.extend(of_kind('!'));
    let mut hosts: Vec<Arc<str>> = Vec::new();
    for part in ordered {
        if let Some(host) = graph.hosts.get(part) {
            hosts.push(host.name.clone());
            continue;
        }
        let matched = one(graph, part.strip_prefix(['!', '&']).unwrap_or(part), pattern)?;
        if part.starts_with('!') {
            hosts.retain(|host| !matched.contains(host));
        } else if part.starts_with('&') {
            hosts.retain(|host| matched.contains(host));
        } else {
            let new: Vec<Arc<str>> = matched.into_iter().filter(|host| !hosts.contains(host)).collect();
            hosts.extend(new);
        }
    }
    Ok(hosts.into_iter().collect::<IndexSet<_>>().into_iter().collect())
}

/// The hosts of one part without its sign. May hold a host twice, which subscripts count.
fn one(graph: &Graph, part: &str, pattern: &str) -> Result<Vec<Arc<str>>, PatternError> {
    let found = if part.starts_with('~') {
        None
    } else {
        SUBSCRIPT.captures(part)
    };
    let Some(found) = found else {
        return matches(graph, part, pattern);
    };
    let name = found.get(1).map_or("", |m| m.as_str());
    let hosts = matches(graph, name, pattern)?;
    if hosts.is_empty() {
        return Ok(hosts);
    }
    let count = hosts.len();
    let outside = || PatternError::Subscript {
        part: part.to_owned(),
        name: name.to_owned(),
        count,
    };
    if let Some(index) = found.get(2) {
        let index: i64 = index.as_str().parse().map_err(|_| outside())?;
        let at = if index < 0 { index + count as i64 } else { index };
        let host = usize::try_from(at)
            .ok()
            .and_then(|at| hosts.get(at))
            .ok_or_else(outside)?;
        return Ok(vec![host.clone()]);
    }
    let number = |i: usize| found.get(i).map(|m| m.as_str()).filter(|text| !text.is_empty());
    let start: usize = number(3).and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
    // An end of 0 counts as none in Ansible, and leaves the one host at the start.
    let end: usize = match number(4) {
        None => count - 1,
        Some(text) => text.parse().unwrap_or(usize::MAX),
    };
    if end == 0 && number(4).is_some() {
        return hosts.get(start).map(|host| vec![host.clone()]).ok_or_else(outside);
    }
    Ok(hosts.into_iter().take(end.saturating_add(1)).skip(start).collect())
}

fn matches(graph: &Graph, part: &str, pattern: &str) -> Result<Vec<Arc<str>>, PatternError> {
    let expression = match part.strip_prefix('~') {
        Some(expression) => format!("^(?:{expression})"),
        None => glob(part),
    };
    let expression = Regex::new(&expression).map_err(|error| PatternError::Regex {
        part: part.to_owned(),
        pattern: pattern.to_owned(),
        reason: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
    })?;
    let mut hosts = Vec::new();
    let mut any_group = false;
    for name in graph.groups.keys().filter(|name| expression.is_match(name)) {
        any_group = true;
        hosts.extend(graph.hosts_of(name));
    }
    if !any_group || part.starts_with('~') || part.contains(['.', '?', '*', '[']) {
        hosts.extend(graph.hosts.keys().filter(|name| expression.is_match(name)).cloned());
    }
    if hosts.is_empty() && LOCALHOST.contains(&part) {
        hosts.push(graph.localhost.clone().unwrap_or_else(|| part.into()));
    }
    let is_name = !part.starts_with('~') && !part.contains(['?', '*', '[']);
    if hosts.is_empty() && !any_group && is_name {
        let names = graph.groups.keys().chain(graph.hosts.keys()).map(|name| &**name);
        return Err(PatternError::Unknown {
            name: part.to_owned(),
            pattern: pattern.to_owned(),
            nearest: nearest(part, names),
        });
    }
    Ok(hosts)
}

/// A shell glob as a regular expression.
fn glob(pattern: &str) -> String {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::from("(?s)^");
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        at += 1;
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                let negated = chars.get(at) == Some(&'!');
                let first = at + usize::from(negated);
                // A bracket right after the opening one belongs to the set.
                let close = (first + 1..chars.len()).find(|i| chars[*i] == ']');
                match close {
                    None => out.push_str("\\["),
                    Some(close) => {
                        out.push_str(if negated { "[^" } else { "[" });
                        set(&chars[first..close], &mut out);
                        out.push(']');
                        at = close + 1;
                    }
                }
            }
            other => out.push_str(&regex::escape(&other.to_string())),
        }
    }
    out.push('$');
    out
}

fn set(chars: &[char], out: &mut String) {
    let mut at = 0;
    let mut any = false;
    while at < chars.len() {
        if let (Some('-'), Some(last)) = (chars.get(at + 1), chars.get(at + 2)) {
            if chars[at] <= *last {
                push_range(chars[at], *last, out);
                any = true;
            }
            at += 3;
        } else {
            push_range(chars[at], chars[at], out);
            any = true;
            at += 1;
        }
    }
    if !any {
        // Only ranges that run backwards: nothing matches.
        out.push_str("&&[^\\x{0}-\\x{10FFFF}]");
    }
}

fn push_range(first: char, last: char, out: &mut String) {
    out.push_str(&format!("\\x{{{:X}}}-\\x{{{:X}}}", u32::from(first), u32::from(last)));
}
