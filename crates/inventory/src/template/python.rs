//! Values written as Python writes them (`str`, `repr`), and Python literals read back.

use super::error::ValueError;
use super::value::{Eval, Key, Map, V};
use std::borrow::Cow;
use std::fmt::Write;

/// Python's `str(value)`.
pub(crate) fn str(value: &V) -> Eval<Cow<'_, str>> {
    match value {
        V::Str(text) => Ok(Cow::Borrowed(&text.text)),
        V::Blank => Ok(Cow::Borrowed("")),
        other => repr(other).map(Cow::Owned),
    }
}

/// Python's `repr(value)`.
pub(crate) fn repr(value: &V) -> Eval<String> {
    let mut out = String::new();
    write_repr(&mut out, value)?;
    Ok(out)
}

fn write_repr(out: &mut String, value: &V) -> Eval<()> {
    match value {
        V::Undefined(error) => return Err((**error).clone()),
        V::Blank => out.push_str("Undefined"),
        V::None => out.push_str("None"),
        V::Bool(true) => out.push_str("True"),
        V::Bool(false) => out.push_str("False"),
        V::Int(i) => {
            let _ = write!(out, "{i}");
        }
        V::Float(x) => out.push_str(&float(*x)),
        V::Str(text) => write_quoted(out, &text.text),
        V::List(items) => {
            out.push('[');
            write_items(out, items)?;
            out.push(']');
        }
        V::Tuple(items) => {
            out.push('(');
            write_items(out, items)?;
            if items.len() == 1 {
                out.push(',');
            }
            out.push(')');
        }
        V::Map(map) => write_map(out, map)?,
        V::Namespace(map) => {
            out.push_str("<Namespace ");
            let map = map.lock().map_err(|_| poisoned())?;
            write_map(out, &map)?;
            out.push('>');
        }
        other => {
            let _ = write!(out, "<{}>", other.type_name());
        }
    }
    Ok(())
}

pub(crate) fn poisoned() -> ValueError {
    ValueError::operation("a namespace is in use")
}

fn write_items(out: &mut String, items: &[V]) -> Eval<()> {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write_repr(out, item)?;
    }
    Ok(())
}

fn write_map(out: &mut String, map: &Map) -> Eval<()> {
    out.push('{');
    for (i, (key, value)) in map.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        if key.is_str {
            write_quoted(out, &key.text);
        } else {
            out.push_str(&key.text);
        }
        out.push_str(": ");
        write_repr(out, value)?;
    }
    out.push('}');
    Ok(())
}

fn write_quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() || c == '\u{a0}' || c == '\u{ad}' => {
                let _ = match c as u32 {
                    n @ 0..=0xff => write!(out, "\\x{n:02x}"),
                    n => write!(out, "\\u{n:04x}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// Python's `repr` of a float: the shortest digits that read back, an exponent from 1e16 and below 1e-4.
pub(crate) fn float(x: f64) -> String {
    if x.is_nan() {
        return "nan".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{x:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if x != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{x}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

/// Reads a Python literal (with JSON's `true`, `false`, `null` as well), as `ast.literal_eval` does. `None` when
/// `text` is none.
pub(crate) fn literal(text: &str) -> Option<V> {
    let mut reader = Reader {
        rest: text.trim_matches([' ', '\t']),
        depth: 0,
    };
    let value = reader.value()?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn space(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
            if !self.rest.starts_with('#') {
                return;
            }
            self.rest = self.rest.find('\n').map_or("", |i| &self.rest[i..]);
        }
    }

    fn eat(&mut self, c: char) -> bool {
        self.space();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<V> {
        self.space();
        self.depth += 1;
        if self.depth > 80 {
            return None;
        }
        let value = match self.rest.chars().next()? {
            '[' => {
                self.eat('[');
                V::list(self.items(']')?.0)
            }
            '(' => {
                self.eat('(');
                let (mut items, comma) = self.items(')')?;
                if items.len() == 1 && !comma {
                    items.pop()?
                } else {
                    V::tuple(items)
                }
            }
            '{' => self.map()?,
            '-' => {
                self.eat('-');
                match self.number()? {
                    V::Int(i) => V::Int(-i),
                    V::Float(x) => V::Float(-x),
                    _ => return None,
                }
            }
            '+' => {
                self.eat('+');
                self.number()?
            }
            '0'..='9' | '.' => self.number()?,
            '\'' | '"' => self.strings()?,
            'a'..='z' | 'A'..='Z' | '_' => self.word()?,
            _ => return None,
        };
        self.depth -= 1;
        Some(value)
    }

    /// Items up to `close`, and whether the last was followed by a comma.
    fn items(&mut self, close: char) -> Option<(Vec<V>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            if self.eat(close) {
                return Some((items, comma));
            }
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.value()?);
            comma = self.eat(',');
        }
    }

    fn map(&mut self) -> Option<V> {
        self.eat('{');
        let mut map = Map::new();
        let mut comma = true;
        loop {
            if self.eat('}') {
                return Some(V::map(map));
            }
            if !comma {
                return None;
            }
            let key = Key::of(&self.value()?).ok()?;
            if !self.eat(':') {
                return None;
            }
            map.insert(key, self.value()?);
            comma = self.eat(',');
        }
    }

    fn word(&mut self) -> Option<V> {
        let end = self
            .rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        let after = &self.rest[end..];
        if after.starts_with(['\'', '"']) && matches!(word, "u" | "U" | "r" | "R") {
            return self.strings();
        }
        self.rest = after;
        match word {
            "True" | "true" => Some(V::Bool(true)),
            "False" | "false" => Some(V::Bool(false)),
            "None" | "null" => Some(V::None),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<V> {
        self.space();
        let bytes = self.rest.as_bytes();
        for (prefix, radix) in [("0x", 16), ("0X", 16), ("0o", 8), ("0b", 2)] {
            if let Some(digits) = self.rest.strip_prefix(prefix) {
                let end = digits
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(digits.len());
                let value = i128::from_str_radix(&digits[..end].replace('_', ""), radix).ok()?;
                self.rest = &digits[end..];
                return Some(V::Int(value));
            }
        }
        let mut end = 0;
        let mut is_float = false;
        while end < bytes.len() {
            match bytes[end] {
                b'0'..=b'9' | b'_' => {}
                b'.' => is_float = true,
                b'e' | b'E' => {
                    is_float = true;
                    if matches!(bytes.get(end + 1), Some(b'+' | b'-')) {
                        end += 1;
                    }
                }
                b'a'..=b'z' | b'A'..=b'Z' => return None,
                _ => break,
            }
            end += 1;
        }
        let digits = self.rest[..end].replace('_', "");
        self.rest = &self.rest[end..];
        if is_float {
            return digits.parse().ok().map(V::Float);
        }
        // Python refuses a leading zero on a number that is not zero.
        if digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|b| b != b'0') {
            return None;
        }
        digits.parse().ok().map(V::Int)
    }

    fn strings(&mut self) -> Option<V> {
        let mut out = String::new();
        let mut any = false;
        loop {
            self.space();
            let mut raw = false;
            let rest = match self.rest.as_bytes() {
                [b'u' | b'U', b'\'' | b'"', ..] => &self.rest[1..],
                [b'r' | b'R', b'\'' | b'"', ..] => {
                    raw = true;
                    &self.rest[1..]
                }
                [b'\'' | b'"', ..] => self.rest,
                _ => return any.then(|| V::str(out)),
            };
            any = true;
            let quote = &rest[..1];
            let triple = quote.repeat(3);
            let (delimiter, long) = if rest.starts_with(&triple) {
                (triple.as_str(), true)
            } else {
                (quote, false)
            };
            let body = &rest[delimiter.len()..];
            let used = read_string(body, delimiter, raw, long, &mut out)?;
            self.rest = &body[used..];
        }
    }
}

/// Reads up to `delimiter` into `out`; gives how many bytes were used, the delimiter included.
fn read_string(body: &str, delimiter: &str, raw: bool, long: bool, out: &mut String) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &body[at..];
        if rest.starts_with(delimiter) {
            return Some(at + delimiter.len());
        }
        let c = rest.chars().next()?;
        if c == '\n' && !long {
            return None;
        }
        if c != '\\' {
            out.push(c);
            at += c.len_utf8();
            continue;
        }
        let next = rest[1..].chars().next()?;
        at += 1 + next.len_utf8();
        if raw {
            out.push('\\');
            out.push(next);
            continue;
        }
        match next {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(next),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\x07'),
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'v' => out.push('\x0b'),
            '0'..='7' => {
                let digits: String = body[at - 1..]
                    .chars()
                    .take(3)
                    .take_while(|c| ('0'..='7').contains(c))
                    .collect();
                at += digits.len() - 1;
                out.push(char::from_u32(u32::from_str_radix(&digits, 8).ok()?)?);
            }
            'x' | 'u' | 'U' => {
                let count = match next {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let digits = body.get(at..at + count)?;
                at += count;
                out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
            }
            other => {
                out.push('\\');
                out.push(other);
            }
        }
    }
}
