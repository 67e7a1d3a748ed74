//! Filters on texts.

use super::Call;
use crate::template::format;
use crate::template::methods;
use crate::template::value::{Eval, Key, Map, Text, V};

pub(super) const NAMES: &[&str] = &[
    "upper",
    "lower",
    "capitalize",
    "title",
    "trim",
    "string",
    "replace",
    "center",
    "indent",
    "truncate",
    "wordwrap",
    "wordcount",
    "format",
    "safe",
    "escape",
    "e",
    "forceescape",
    "striptags",
    "urlencode",
    "urldecode",
    "quote",
    "comment",
    "split",
    "pprint",
    "xmlattr",
];

pub(super) fn call(c: &Call<'_, '_, '_>) -> Eval<Option<V>> {
    let text = match c.name {
        "upper" => c.text()?.to_uppercase(),
        "lower" => c.text()?.to_lowercase(),
        "capitalize" => methods::capitalize(&c.text()?),
        "title" => title(&c.text()?),
        "trim" => {
            let [chars] = c.take(["chars"])?;
            let text = c.text()?;
            match chars {
                None | Some(V::None) => text.trim().to_owned(),
                Some(chars) => {
                    let set = chars.text()?.into_owned();
                    text.trim_matches(|x| set.contains(x)).to_owned()
                }
            }
        }
        "string" | "pprint" => {
            let text = if c.name == "pprint" {
                crate::template::python::repr(c.input)?
            } else {
                c.text()?
            };
            return Ok(Some(kept(text)));
        }
        "replace" => {
            let [old, new, count] = c.take(["old", "new", "count"])?;
            let (old, new) = (c.need(old, "old")?, c.need(new, "new")?);
            let (old, new) = (old.text()?, new.text()?);
            match usize::try_from(c.int_or(count, -1)?) {
                Ok(count) => c.text()?.replacen(&*old, &new, count),
                Err(_) => c.text()?.replace(&*old, &new),
            }
        }
        "center" => {
            let [width, fill] = c.take(["width", "fillchar"])?;
            let mut args = super::Args::default();
            args.positional.push(V::Int(c.int_or(width, 80)?));
            args.positional.extend(fill);
            return methods::call(c.renderer, V::str(c.text()?), c.name, args).map(|(v, _)| Some(v));
        }
        "indent" => {
            let [width, first, blank] = c.take(["width", "first", "blank"])?;
            let width = match width {
                Some(V::Str(text)) => text.text.to_string(),
                other => " ".repeat(usize::try_from(c.int_or(other, 4)?.clamp(0, 1000)).unwrap_or(0)),
            };
            indent(&c.text()?, &width, c.truth_or(first, false)?, c.truth_or(blank, false)?)
        }
        "truncate" => {
            let [length, kill, end, leeway] = c.take(["length", "killwords", "end", "leeway"])?;
            let text = c.text()?;
            let end = c.text_or(end, "...")?;
            let length = usize::try_from(c.int_or(length, 255)?).unwrap_or(0);
            let leeway = usize::try_from(c.int_or(leeway, 5)?).unwrap_or(0);
            let count = text.chars().count();
            if count <= length + leeway {
                text
            } else {
                let cut: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
                if c.truth_or(kill, false)? {
                    cut + &end
                } else {
                    cut.rsplit_once(' ').map_or(cut.clone(), |(left, _)| left.to_owned()) + &end
                }
            }
        }
        "wordwrap" => {
            let [width, long, wrap, _hyphens] =
                c.take(["width", "break_long_words", "wrapstring", "break_on_hyphens"])?;
            let width = usize::try_from(c.int_or(width, 79)?).unwrap_or(79).max(1);
            let (long, wrap) = (c.truth_or(long, true)?, c.text_or(wrap, "\n")?);
            let text = c.text()?;
            let lines: Vec<String> = text
                .lines()
                .map(|line| wrapped(line, width, long).join(&wrap))
                .collect();
            lines.join(&wrap)
        }
        "wordcount" => {
            let text = c.text()?;
            let words = text
                .split(|x: char| !x.is_alphanumeric() && x != '_')
                .filter(|w| !w.is_empty());
            return Ok(Some(V::int(words.count())));
        }
        "format" => {
            let template = V::str(c.text()?);
            let values = if c.args.named.is_empty() {
                V::tuple(c.args.positional.clone())
            } else {
                V::map(
                    c.args
                        .named
                        .iter()
                        .map(|(k, v)| (Key::str(k.clone()), v.clone()))
                        .collect::<Map>(),
                )
            };
            return format::percent(&template, &values).map(Some);
        }
        "safe" => c.text()?,
        "escape" | "e" | "forceescape" => escape(&c.text()?),
        "striptags" => striptags(&c.text()?),
        "xmlattr" => {
            let mut out = String::new();
            for (key, value) in c.renderer.mapping(c.input)?.iter() {
                if !matches!(value, V::None) {
                    out.push_str(&format!(" {}=\"{}\"", escape(&key.text), escape(&value.text()?)));
                }
            }
            out
        }
        "urlencode" => match c.input {
            V::Map(map) => {
                let mut parts = Vec::new();
                for (key, value) in map.iter() {
                    let value = percent_encode(&value.text()?, "").replace("%20", "+");
                    parts.push(format!("{}={value}", percent_encode(&key.text, "").replace("%20", "+")));
                }
                parts.join("&")
            }
            _ => percent_encode(&c.text()?, "/"),
        },
        "urldecode" => percent_decode(&c.text()?.replace('+', " ")),
        "quote" => match c.input {
            V::None => "''".into(),
            _ => quote(&c.text()?),
        },
        "split" => {
            let [sep, max] = c.take(["sep", "maxsplit"])?;
            let sep = match &sep {
                Some(V::Str(text)) => Some(&*text.text),
                _ => None,
            };
            return methods::split(c.string()?, sep, c.int_or(max, -1)?, false).map(Some);
        }
        "comment" => comment(c)?,
        _ => return Ok(None),
    };
    Ok(Some(V::str(text)))
}

/// A text that stays a text, even when it looks like a list.
pub(super) fn kept(text: String) -> V {
    V::Str(Text {
        text: text.into(),
        taint: Default::default(),
        keep: true,
    })
}

/// Jinja's `title`: words begin after white space, `-`, and opening brackets.
fn title(text: &str) -> String {
    let mut out = String::new();
    let mut start = true;
    for x in text.chars() {
        if start {
            out.extend(x.to_uppercase());
        } else {
            out.extend(x.to_lowercase());
        }
        start = x.is_whitespace() || "-({[<".contains(x);
    }
    out
}

pub(super) fn indent(text: &str, width: &str, first: bool, blank: bool) -> String {
    let mut out = String::new();
    let text = format!("{text}\n");
    let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(&text).split('\n').collect();
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        if (i > 0 || first) && (blank || !line.is_empty()) {
            out.push_str(width);
        }
        out.push_str(line);
    }
    out
}

fn wrapped(line: &str, width: usize, break_long: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    for word in line.split_whitespace() {
        let mut word = word.to_owned();
        loop {
            let used = current.chars().count();
            let length = word.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + length <= width {
                if gap == 1 {
                    current.push(' ');
                }
                current.push_str(&word);
                break;
            }
            if break_long && length > width {
                let room = width.saturating_sub(used + gap);
                if room > 0 {
                    if gap == 1 {
                        current.push(' ');
                    }
                    current.extend(word.chars().take(room));
                    word = word.chars().skip(room).collect();
                }
                lines.push(std::mem::take(&mut current));
                continue;
            }
            if used == 0 {
                current = word;
                break;
            }
            lines.push(std::mem::take(&mut current));
        }
    }
    lines.push(current);
    lines
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}

fn striptags(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for x in text.chars() {
        match x {
            '<' => inside = true,
            '>' if inside => inside = false,
            x if !inside => out.push(x),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn percent_encode(text: &str, safe: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let x = char::from(byte);
        if x.is_ascii_alphanumeric() || "_.-~".contains(x) || safe.contains(x) {
            out.push(x);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(code) => {
                out.push(code);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Quotes for a POSIX shell, as Python's `shlex.quote`.
fn quote(text: &str) -> String {
    let plain = |x: char| x.is_ascii_alphanumeric() || "@%+=:,./-_".contains(x);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

fn comment(c: &Call<'_, '_, '_>) -> Eval<String> {
    let mut args = c.args.clone();
    let style = if args.positional.is_empty() {
        args.named.shift_remove("style").unwrap_or_else(|| V::str("plain"))
    } else {
        args.positional.remove(0)
    };
    let (mut beginning, style_decoration, mut end) = match &*style.text()? {
        "plain" => (String::new(), "# ", String::new()),
        "erlang" => (String::new(), "% ", String::new()),
        "c" => (String::new(), "// ", String::new()),
        "cblock" => ("/*".into(), " * ", " */".into()),
        "xml" => ("<!--".into(), " - ", "-->".into()),
        other => return Err(c.wrong(format!("the style '{other}' is unknown"))),
    };
    let given = |name: &str| -> Eval<Option<String>> {
        args.named
            .get(name)
            .map(|v| v.text().map(|t| t.into_owned()))
            .transpose()
    };
    let decoration = given("decoration")?.unwrap_or_else(|| style_decoration.into());
    let edge = decoration.trim_end().to_owned();
    let newline = given("newline")?.unwrap_or_else(|| "\n".into());
    let prefix = given("prefix")?.unwrap_or_else(|| edge.clone());
    let postfix = given("postfix")?.unwrap_or_else(|| edge.clone());
    beginning = given("beginning")?.unwrap_or(beginning);
    end = given("end")?.unwrap_or(end);
    let count = |name: &str| -> Eval<usize> {
        let number = c.int_or(args.named.get(name).cloned(), 1)?;
        Ok(usize::try_from(number.clamp(0, 100)).unwrap_or(0))
    };
    let mut out = String::new();
    if !beginning.is_empty() {
        out = format!("{beginning}{newline}");
    }
    if !prefix.is_empty() {
        let line = if prefix == newline {
            newline.clone()
        } else {
            format!("{prefix}{newline}")
        };
        out.push_str(&line.repeat(count("prefix_count")?));
    }
    let body = format!(
        "{decoration}{}",
        c.text()?.replace(&newline, &format!("{newline}{decoration}"))
    );
    out.push_str(&body.replace(&format!("{decoration}{newline}"), &format!("{edge}{newline}")));
    out.push_str(&format!("{newline}{postfix}").repeat(count("postfix_count")?));
    if !end.is_empty() {
        out.push_str(&format!("{newline}{end}"));
    }
    Ok(out)
}
