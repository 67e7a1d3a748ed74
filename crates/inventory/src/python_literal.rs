//! Python literals in inventory values, as `ast.literal_eval` reads them: Ansible's INI inventory turns `k=v` values
//! into numbers, booleans, lists and mappings this way, and keeps what is no literal as text.

use crate::value::Value;
use indexmap::IndexMap;
use std::sync::Arc;

/// Brackets deeper than this are no literal (CPython's own parser stops at 200).
const MAX_DEPTH: usize = 150;

/// The value of `text` when it is a literal; `None` when it is not, and the text itself is the value.
/// Tuples and sets become lists, bytes become strings; complex numbers are not taken.
pub fn literal_eval(text: &str) -> Option<Value> {
    let mut parser = Parser {
        chars: text.trim_start_matches([' ', '\t']).chars().collect(),
        at: 0,
        depth: 0,
    };
    let first = parser.expression()?;
    let value = if parser.peek_token() == Some(',') {
        Value::List(parser.rest_of_tuple(first, None)?.0)
    } else {
        first.value
    };
    while parser.peek_token() == Some('\n') {
        parser.at += 1;
    }
    (parser.at == parser.chars.len()).then_some(value)
}

/// As Ansible's INI inventory does: the literal, or the text.
pub fn literal_or_text(text: &str) -> Value {
    literal_eval(text).unwrap_or_else(|| Value::str(text))
}

/// Python's `str()` of a value that is a mapping key.
pub(crate) fn key_text(value: &Value) -> Arc<str> {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Int(i) => i.to_string().into(),
        Value::Float(x) => float_text(*x).into(),
        Value::Str(s) | Value::Unsafe(s) => s.clone(),
        Value::Secret(s) => s.expose().into(),
        other => format!("{other:?}").into(),
    }
}

/// Python's `repr` of a float.
pub(crate) fn float_text(x: f64) -> String {
    if x.is_nan() {
        return "nan".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf" } else { "-inf" }.into();
    }
    let magnitude = x.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{x:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{x:?}")
}

struct Item {
    value: Value,
    hashable: bool,
}

impl Item {
    fn plain(value: Value) -> Self {
        Self { value, hashable: true }
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// The next character that is neither blank nor comment. Line ends count as blank inside brackets only.
    fn peek_token(&mut self) -> Option<char> {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\u{c}' => self.at += 1,
                '\n' | '\r' if self.depth > 0 => self.at += 1,
                '#' => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return Some(c),
            }
        }
        None
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        (self.peek_token() == Some(wanted)).then(|| self.at += 1)
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        self.at += 1;
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Option<Item> {
        match self.peek_token()? {
            '(' => self.nested(Self::parenthesis),
            '[' => self.nested(|p| {
                let (items, _) = p.items(']')?;
                Some(Item {
                    value: Value::List(items),
                    hashable: false,
                })
            }),
            '{' => self.nested(Self::braces),
            sign @ ('-' | '+') => {
                self.at += 1;
                match self.peek_token()? {
                    '-' | '+' => return None,
                    _ => {}
                }
                let item = self.expression()?;
                match (sign, item.value) {
                    ('-', Value::Int(i)) => Some(Item::plain(Value::Int(i.checked_neg()?))),
                    ('-', Value::Float(x)) => Some(Item::plain(Value::Float(-x))),
                    ('+', number @ (Value::Int(_) | Value::Float(_))) => Some(Item::plain(number)),
                    _ => None,
                }
            }
            '0'..='9' | '.' => self.number(),
            '\'' | '"' => self.strings(),
            c if c.is_alphabetic() || c == '_' => self.word(),
            _ => None,
        }
    }

    fn parenthesis(&mut self) -> Option<Item> {
        if self.take(')').is_some() {
            return Some(Item::plain(Value::List(Vec::new())));
        }
        let first = self.expression()?;
        if self.take(')').is_some() {
            return Some(first);
        }
        let (items, hashable) = self.rest_of_tuple(first, Some(')'))?;
        self.take(')')?;
        Some(Item {
            value: Value::List(items),
            hashable,
        })
    }

    /// `, b, c` and an optional last comma, up to `end` or the end of the text.
    fn rest_of_tuple(&mut self, first: Item, end: Option<char>) -> Option<(Vec<Value>, bool)> {
        let mut hashable = first.hashable;
        let mut items = vec![first.value];
        while self.take(',').is_some() {
            let next = self.peek_token();
            if next == end || (end.is_none() && matches!(next, None | Some('\n'))) {
                break;
            }
            let item = self.expression()?;
            hashable &= item.hashable;
            items.push(item.value);
        }
        Some((items, hashable))
    }

    fn items(&mut self, end: char) -> Option<(Vec<Value>, bool)> {
        let (mut items, mut hashable) = (Vec::new(), true);
        loop {
            if self.take(end).is_some() {
                return Some((items, hashable));
            }
            let item = self.expression()?;
            hashable &= item.hashable;
            items.push(item.value);
            if self.take(',').is_none() {
                self.take(end)?;
                return Some((items, hashable));
            }
        }
    }

    fn braces(&mut self) -> Option<Item> {
        let mut map = IndexMap::new();
        if self.take('}').is_some() {
            return Some(Item {
                value: Value::Map(map),
                hashable: false,
            });
        }
        let first = self.expression()?;
        if self.peek_token() != Some(':') {
            let mut items = vec![first.value];
            let mut hashable = first.hashable;
            if self.take(',').is_some() {
                let (rest, rest_hashable) = self.items('}')?;
                items.extend(rest);
                hashable &= rest_hashable;
            } else {
                self.take('}')?;
            }
            let mut unique: Vec<Value> = Vec::new();
            for item in items {
                if !unique.contains(&item) {
                    unique.push(item);
                }
            }
            // Python refuses lists and mappings in a set, so that the text is no literal.
            return hashable.then_some(Item {
                value: Value::List(unique),
                hashable: false,
            });
        }
        let mut key = first;
        loop {
            if !key.hashable {
                return None;
            }
            self.take(':')?;
            let item = self.expression()?;
            map.insert(key_text(&key.value), item.value);
            if self.take(',').is_none() {
                self.take('}')?;
                break;
            }
            if self.take('}').is_some() {
                break;
            }
            key = self.expression()?;
        }
        Some(Item {
            value: Value::Map(map),
            hashable: false,
        })
    }

    fn word(&mut self) -> Option<Item> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            self.at += 1;
        }
        let word: String = self.chars[start..self.at].iter().collect();
        if matches!(self.peek(), Some('\'' | '"')) {
            self.at = start;
            return self.strings();
        }
        match word.as_str() {
            "True" => Some(Item::plain(Value::Bool(true))),
            "False" => Some(Item::plain(Value::Bool(false))),
            "None" => Some(Item::plain(Value::Null)),
            "set" => {
                self.take('(')?;
                self.take(')')?;
                Some(Item {
                    value: Value::List(Vec::new()),
                    hashable: false,
                })
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Item> {
        let start = self.at;
        while let Some(c) = self.peek() {
            let after_e = self.at > start && matches!(self.chars[self.at - 1], 'e' | 'E');
            let based = self.at > start + 1 && matches!(self.chars[start + 1], 'x' | 'X');
            if c.is_alphanumeric() || c == '_' || c == '.' || (matches!(c, '+' | '-') && after_e && !based) {
                self.at += 1;
            } else {
                break;
            }
        }
        let text: String = self.chars[start..self.at].iter().collect();
        number(&text).map(Item::plain)
    }

    /// One string or several beside each other.
    fn strings(&mut self) -> Option<Item> {
        let mut text = String::new();
        let mut bytes = None;
        loop {
            let (part, is_bytes) = self.string()?;
            if *bytes.get_or_insert(is_bytes) != is_bytes {
                return None;
            }
            text.push_str(&part);
            let mark = self.at;
            match self.peek_token() {
                Some('\'' | '"') => {}
                Some(c) if c.is_ascii_alphabetic() => {
                    let prefixed = self.chars[self.at..].iter().take(3).any(|c| matches!(c, '\'' | '"'));
                    if !prefixed {
                        self.at = mark;
                        break;
                    }
                }
                _ => {
                    self.at = mark;
                    break;
                }
            }
        }
        Some(Item::plain(Value::str(text)))
    }

    fn string(&mut self) -> Option<(String, bool)> {
        let (mut raw, mut bytes) = (false, false);
        let start = self.at;
        while let Some(c) = self.peek().filter(|c| !matches!(c, '\'' | '"')) {
            match c.to_ascii_lowercase() {
                'r' if !raw => raw = true,
                'b' if !bytes => bytes = true,
                'u' if self.at == start && matches!(self.chars.get(self.at + 1), Some('\'' | '"')) => {}
                _ => return None,
            }
            self.at += 1;
        }
        let quote = self.peek()?;
        let triple = self.chars.get(self.at + 1) == Some(&quote) && self.chars.get(self.at + 2) == Some(&quote);
        let fence = if triple { 3 } else { 1 };
        self.at += fence;
        let mut text = String::new();
        loop {
            if (0..fence).all(|i| self.chars.get(self.at + i) == Some(&quote)) {
                self.at += fence;
                return Some((text, bytes));
            }
            let c = self.peek()?;
            self.at += 1;
            match c {
                '\n' | '\r' if !triple => return None,
                '\\' if raw => {
                    text.push('\\');
                    text.push(self.peek()?);
                    self.at += 1;
                }
                '\\' => self.escape(&mut text, bytes)?,
                c if bytes && !c.is_ascii() => return None,
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self, text: &mut String, bytes: bool) -> Option<()> {
        let c = self.peek()?;
        self.at += 1;
        let plain = match c {
            '\n' => return Some(()),
            '\\' | '\'' | '"' => c,
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '0'..='7' => {
                let mut code = c.to_digit(8)?;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    code = code * 8 + digit;
                    self.at += 1;
                }
                char::from_u32(code)?
            }
            'x' => self.hex(2)?,
            'u' if !bytes => self.hex(4)?,
            'U' if !bytes => self.hex(8)?,
            // Characters by name would need the whole Unicode name table: the text stays as it is written.
            'N' if !bytes => return None,
            other => {
                text.push('\\');
                other
            }
        };
        if bytes && !plain.is_ascii() {
            // Bytes that are no text cannot be a value of ours.
            return None;
        }
        text.push(plain);
        Some(())
    }

    fn hex(&mut self, digits: usize) -> Option<char> {
        let mut code = 0u32;
        for _ in 0..digits {
            code = code.checked_mul(16)? + self.peek()?.to_digit(16)?;
            self.at += 1;
        }
        char::from_u32(code)
    }
}

/// Digits with single underscores between them, `radix` up to 16; underscores taken out.
fn digits(text: &str, radix: u32) -> Option<String> {
    let clean: String = text.chars().filter(|c| *c != '_').collect();
    let underscores_ok = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    (underscores_ok && !clean.is_empty() && clean.chars().all(|c| c.is_digit(radix))).then_some(clean)
}

fn number(text: &str) -> Option<Value> {
    let lower = text.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = lower.strip_prefix(prefix) {
            let clean = digits(rest.strip_prefix('_').unwrap_or(rest), radix)?;
            return i128::from_str_radix(&clean, radix).ok().map(Value::Int);
        }
    }
    if let Some(clean) = digits(&lower, 10) {
        if clean.len() > 1 && clean.starts_with('0') && clean.bytes().any(|b| b != b'0') {
            return None;
        }
        return match clean.parse::<i128>() {
            Ok(i) => Some(Value::Int(i)),
            Err(_) if clean.len() <= 4300 => clean.parse().ok().map(Value::Float),
            Err(_) => None,
        };
    }
    let (mantissa, exponent) = match lower.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (lower.as_str(), None),
    };
    let mut clean = match mantissa.split_once('.') {
        Some((whole, part)) => {
            if whole.is_empty() && part.is_empty() {
                return None;
            }
            let whole = if whole.is_empty() {
                "0".into()
            } else {
                digits(whole, 10)?
            };
            let part = if part.is_empty() { "0".into() } else { digits(part, 10)? };
            format!("{whole}.{part}")
        }
        None => digits(mantissa, 10)?,
    };
    if let Some(exponent) = exponent {
        let (sign, rest) = match exponent.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", exponent.strip_prefix('+').unwrap_or(exponent)),
        };
        clean = format!("{clean}e{sign}{}", digits(rest, 10)?);
    }
    clean.parse().ok().map(Value::Float)
}
