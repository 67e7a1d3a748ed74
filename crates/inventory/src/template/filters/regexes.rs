//! Filters with regular expressions, in Python's dialect.

use super::Call;
use crate::template::error::ValueError;
use crate::template::value::{Eval, V};
use fancy_regex::{Captures, Regex, RegexBuilder};

pub(super) const NAMES: &[&str] = &["regex_replace", "regex_search", "regex_findall", "regex_escape"];

/// A pattern as Python's `re` reads it, as far as the two dialects meet.
pub(crate) fn compile(filter: &str, pattern: &str, ignore_case: bool, multi_line: bool) -> Eval<Regex> {
    // Python's \Z is the very end, which is \z elsewhere; its `$` also matches before a last newline.
    let translated = translate(pattern, multi_line);
    let mut builder = RegexBuilder::new(&translated);
    builder.case_insensitive(ignore_case).multi_line(multi_line);
    builder
        .build()
        .map_err(|e| ValueError::filter(filter, format!("the pattern '{pattern}' is wrong: {e}")))
}

fn translate(pattern: &str, multi_line: bool) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('Z') => out.push_str("\\z"),
                Some(next) => {
                    out.push('\\');
                    out.push(next);
                }
                None => out.push('\\'),
            },
            '[' if class => out.push_str("\\["),
            '[' => {
                class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            ']' if class => {
                class = false;
                out.push(']');
            }
            // Set operators of the Rust dialect are plain characters in Python's.
            '&' | '~' if class => {
                out.push('\\');
                out.push(c);
            }
            '$' if !class && !multi_line => out.push_str("(?=\\n?\\z)"),
            other => out.push(other),
        }
    }
    out
}

pub(super) fn call(c: &Call<'_, '_, '_>) -> Eval<Option<V>> {
    Ok(Some(match c.name {
        "regex_replace" => {
            let [pattern, replacement, ignore, multi, count, mandatory] = c.take([
                "pattern",
                "replacement",
                "ignorecase",
                "multiline",
                "count",
                "mandatory_count",
            ])?;
            let pattern = c.text_or(pattern, "")?;
            let replacement = c.text_or(replacement, "")?;
            let regex = compile(c.name, &pattern, c.truth_or(ignore, false)?, c.truth_or(multi, false)?)?;
            let limit = usize::try_from(c.int_or(count, 0)?).unwrap_or(0);
            let (text, done) = replace(c, &regex, &c.text()?, &replacement, limit)?;
            let mandatory = c.int_or(mandatory, 0)?;
            if mandatory != 0 && mandatory != done as i128 {
                return Err(c.wrong(format!(
                    "the pattern should match {mandatory} times and matches {done} times"
                )));
            }
            V::str(text)
        }
        "regex_search" => {
            let mut args = c.args.clone();
            let ignore = c.truth_or(args.named.shift_remove("ignorecase"), false)?;
            let multi = c.truth_or(args.named.shift_remove("multiline"), false)?;
            let mut positional = args.positional.into_iter();
            let pattern = positional.next().or_else(|| args.named.shift_remove("regex"));
            let pattern = c.need(pattern, "regex")?;
            let regex = compile(c.name, &pattern.text()?, ignore, multi)?;
            let text = c.text()?;
            let groups: Vec<String> = positional
                .map(|g| g.text().map(|t| t.into_owned()))
                .collect::<Eval<_>>()?;
            let Some(found) = regex.captures(text.as_str()).map_err(|_| slow(c))? else {
                return Ok(Some(V::None));
            };
            if groups.is_empty() {
                return Ok(Some(V::str(found.get(0).map_or("", |m| m.as_str()))));
            }
            let mut out = Vec::new();
            for group in groups {
                let name = group
                    .strip_prefix("\\g<")
                    .and_then(|rest| rest.strip_suffix('>'))
                    .or_else(|| group.strip_prefix('\\'))
                    .ok_or_else(|| c.wrong("groups are named '\\\\1' or '\\\\g<name>'"))?;
                out.push(match self::group(&found, name) {
                    Some(text) => V::str(text),
                    None => V::None,
                });
            }
            V::list(out)
        }
        "regex_findall" => {
            let [pattern, multi, ignore] = c.take(["regex", "multiline", "ignorecase"])?;
            let pattern = c.need(pattern, "regex")?;
            let regex = compile(
                c.name,
                &pattern.text()?,
                c.truth_or(ignore, false)?,
                c.truth_or(multi, false)?,
            )?;
            let text = c.text()?;
            let mut out = Vec::new();
            for found in regex.captures_iter(text.as_str()) {
                let found = found.map_err(|_| slow(c))?;
                let part = |i: usize| V::str(found.get(i).map_or("", |m| m.as_str()));
                out.push(match found.len() {
                    1 => part(0),
                    2 => part(1),
                    n => V::tuple((1..n).map(part).collect()),
                });
            }
            V::list(out)
        }
        "regex_escape" => {
            let [kind] = c.take(["re_type"])?;
            let special = match &*c.text_or(kind, "python")? {
                "python" => "()[]{}?*+-|^$\\.&~# \t\n\r\x0b\x0c",
                "posix_basic" => "].[^$*\\",
                other => return Err(c.wrong(format!("the kind '{other}' is not supported"))),
            };
            let mut out = String::new();
            for x in c.text()?.chars() {
                if special.contains(x) {
                    out.push('\\');
                }
                out.push(x);
            }
            V::str(out)
        }
        _ => return Ok(None),
    }))
}

fn slow(c: &Call<'_, '_, '_>) -> ValueError {
    c.wrong("the pattern takes too long on this text")
}

fn group<'t>(found: &Captures<'t, str>, name: &str) -> Option<&'t str> {
    let part = match name.parse::<usize>() {
        Ok(number) => found.get(number),
        Err(_) => found.name(name),
    };
    part.map(|m| m.as_str())
}

/// Python's `re.subn`: `\1`, `\g<1>` and `\g<name>` in `replacement` are groups.
fn replace(c: &Call<'_, '_, '_>, regex: &Regex, text: &str, replacement: &str, limit: usize) -> Eval<(String, usize)> {
    let mut out = String::new();
    let mut last = 0;
    let mut done = 0;
    for found in regex.captures_iter(text) {
        if limit > 0 && done == limit {
            break;
        }
        let found = found.map_err(|_| slow(c))?;
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&text[last..whole.start()]);
        expand(c, &found, replacement, &mut out)?;
        last = whole.end();
        done += 1;
    }
    out.push_str(&text[last..]);
    Ok((out, done))
}

fn expand(c: &Call<'_, '_, '_>, found: &Captures<'_, str>, replacement: &str, out: &mut String) -> Eval<()> {
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let Some(next) = tail.chars().next() else {
            return Err(c.wrong("the replacement ends in a backslash"));
        };
        if next == 'g' && tail[1..].starts_with('<') {
            let end = tail
                .find('>')
                .ok_or_else(|| c.wrong("'\\\\g<' is not closed in the replacement"))?;
            out.push_str(group(found, &tail[2..end]).unwrap_or(""));
            rest = &tail[end + 1..];
        } else if next.is_ascii_digit() {
            let length = if tail[1..].starts_with(|x: char| x.is_ascii_digit()) {
                2
            } else {
                1
            };
            let number: usize = tail[..length].parse().unwrap_or(0);
            if number >= found.len() {
                return Err(c.wrong(format!("the pattern has no group {number}")));
            }
            out.push_str(found.get(number).map_or("", |m| m.as_str()));
            rest = &tail[length..];
        } else {
            match next {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                '\\' => out.push('\\'),
                other => {
                    out.push('\\');
                    out.push(other);
                }
            }
            rest = &tail[next.len_utf8()..];
        }
    }
    out.push_str(rest);
    Ok(())
}
