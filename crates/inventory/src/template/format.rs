//! Python's two ways to fill texts: `'%s' % x` and `'{}'.format(x)`.

use super::error::ValueError;
use super::python;
use super::value::{Eval, Key, Map, Number, V};

fn wrong(message: impl Into<String>) -> ValueError {
    ValueError::filter("format", message)
}

/// `template % values`.
pub(crate) fn percent(template: &V, values: &V) -> Eval<V> {
    let (single, list);
    let items: &[V] = match values {
        V::Tuple(items) => {
            list = items.clone();
            &list
        }
        other => {
            single = [other.clone()];
            &single
        }
    };
    let text = template.as_str().unwrap_or_default();
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut next = items.iter();
    let mut named = false;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut value = None;
        if chars.peek() == Some(&'(') {
            chars.next();
            let name: String = chars.by_ref().take_while(|c| *c != ')').collect();
            let V::Map(map) = values else {
                return Err(wrong("'%(name)s' needs a mapping"));
            };
            named = true;
            value = Some(
                map.get(&Key::str(name.as_str()))
                    .cloned()
                    .ok_or_else(|| wrong(format!("the mapping has no '{name}'")))?,
            );
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| "-+ #0".contains(*c)) {
            match flag {
                '-' => spec.align = Some('<'),
                '0' => spec.zero = true,
                '+' | ' ' => spec.sign = Some(flag),
                _ => spec.alternate = true,
            }
        }
        let mut number = || -> Option<usize> {
            let mut digits = String::new();
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                digits.push(d);
            }
            digits.parse().ok()
        };
        spec.width = number().unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                digits.push(d);
            }
            spec.precision = Some(digits.parse().unwrap_or(0));
        }
        let kind = chars
            .next()
            .ok_or_else(|| wrong("the text ends in the middle of a '%'"))?;
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = match value {
            Some(value) => value,
            None => next
                .next()
                .cloned()
                .ok_or_else(|| wrong("there are more '%' than values"))?,
        };
        spec.width = spec.width.min(1 << 20);
        let body = match kind {
            's' => {
                spec.zero = false;
                value.text()?.into_owned()
            }
            'r' | 'a' => {
                spec.zero = false;
                python::repr(&value)?
            }
            'c' => match &value {
                V::Int(i) => u32::try_from(*i)
                    .ok()
                    .and_then(char::from_u32)
                    .map(String::from)
                    .ok_or_else(|| wrong("'%c' needs a character"))?,
                other => other.text()?.into_owned(),
            },
            'd' | 'i' | 'u' => {
                let number = match value.check()?.number() {
                    Some(Number::Int(i)) => i,
                    Some(Number::Float(x)) => x.trunc() as i128,
                    None => return Err(wrong(format!("'%d' needs a number, not a {}", value.type_name()))),
                };
                out.push_str(&spec.number(number < 0, &number.unsigned_abs().to_string(), '>'));
                continue;
            }
            'f' | 'F' | 'e' | 'E' | 'g' | 'G' | 'x' | 'X' | 'o' => {
                out.push_str(&spec.typed(&value, kind)?);
                continue;
            }
            other => return Err(wrong(format!("'%{other}' is unknown"))),
        };
        let body = match spec.precision {
            Some(p) if matches!(kind, 's' | 'r') => body.chars().take(p).collect(),
            _ => body,
        };
        out.push_str(&spec.pad(&body, '>'));
    }
    if !named && next.next().is_some() && !matches!(values, V::Map(_)) {
        return Err(wrong("there are more values than '%'"));
    }
    Ok(V::str(out))
}

/// How one value is laid out.
#[derive(Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    comma: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Spec {
    fn parse(text: &str) -> Eval<Self> {
        let mut spec = Self::default();
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        let is_align = |c: Option<&char>| c.is_some_and(|c| "<>^=".contains(*c));
        if is_align(chars.get(1)) {
            spec.fill = Some(chars[0]);
            spec.align = Some(chars[1]);
            at = 2;
        } else if is_align(chars.first()) {
            spec.align = Some(chars[0]);
            at = 1;
        }
        if let Some(c) = chars.get(at).filter(|c| "+- ".contains(**c)) {
            spec.sign = Some(*c);
            at += 1;
        }
        if chars.get(at) == Some(&'#') {
            spec.alternate = true;
            at += 1;
        }
        if chars.get(at) == Some(&'0') {
            spec.zero = true;
            at += 1;
        }
        let digits = |at: &mut usize| {
            let start = *at;
            while chars.get(*at).is_some_and(char::is_ascii_digit) {
                *at += 1;
            }
            chars[start..*at].iter().collect::<String>().parse::<usize>().ok()
        };
        spec.width = digits(&mut at).unwrap_or(0).min(1 << 20);
        if let Some(c) = chars.get(at).filter(|c| ",_".contains(**c)) {
            spec.comma = Some(*c);
            at += 1;
        }
        if chars.get(at) == Some(&'.') {
            at += 1;
            spec.precision = digits(&mut at);
        }
        spec.kind = chars.get(at).copied();
        if at + usize::from(spec.kind.is_some()) != chars.len() {
            return Err(wrong(format!("the layout '{text}' is unknown")));
        }
        Ok(spec)
    }

    fn pad(&self, body: &str, default: char) -> String {
        let missing = self.width.saturating_sub(body.chars().count());
        let fill = self.fill.unwrap_or(' ').to_string();
        match self.align.unwrap_or(default) {
            '<' => format!("{body}{}", fill.repeat(missing)),
            '^' => format!(
                "{}{body}{}",
                fill.repeat(missing / 2),
                fill.repeat(missing - missing / 2)
            ),
            _ => fill.repeat(missing) + body,
        }
    }

    fn number(&self, negative: bool, digits: &str, default: char) -> String {
        let mut digits = digits.to_owned();
        if let Some(comma) = self.comma {
            let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
            let mut grouped = String::new();
            for (i, c) in whole.chars().enumerate() {
                if i > 0 && (whole.len() - i) % 3 == 0 {
                    grouped.push(comma);
                }
                grouped.push(c);
            }
            digits = grouped + rest;
        }
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            _ => "",
        };
        let left = self.align == Some('<');
        if (self.zero && !left && self.align.is_none()) || self.align == Some('=') {
            let fill = self.fill.unwrap_or('0').to_string();
            let missing = self.width.saturating_sub(digits.chars().count() + sign.len());
            return format!("{sign}{}{digits}", fill.repeat(missing));
        }
        self.pad(&format!("{sign}{digits}"), default)
    }

    fn typed(&self, value: &V, kind: char) -> Eval<String> {
        let number = value
            .check()?
            .number()
            .ok_or_else(|| wrong(format!("a number was expected, not a {}", value.type_name())))?;
        let integer = |radix: char| -> Eval<String> {
            let Number::Int(i) = number else {
                return Err(wrong("a whole number was expected"));
            };
            let n = i.unsigned_abs();
            let (prefix, digits) = match radix {
                'x' => ("0x", format!("{n:x}")),
                'X' => ("0X", format!("{n:X}")),
                'o' => ("0o", format!("{n:o}")),
                'b' => ("0b", format!("{n:b}")),
                _ => ("", n.to_string()),
            };
            let digits = if self.alternate {
                format!("{prefix}{digits}")
            } else {
                digits
            };
            Ok(self.number(i < 0, &digits, '>'))
        };
        let x = number.float();
        let precision = self.precision.unwrap_or(6).min(400);
        Ok(match kind {
            'x' | 'X' | 'o' | 'b' | 'd' | 'n' => integer(kind)?,
            'f' | 'F' => self.number(x < 0.0, &format!("{:.precision$}", x.abs()), '>'),
            '%' => self.number(x < 0.0, &format!("{:.precision$}%", x.abs() * 100.0), '>'),
            'e' | 'E' => {
                let text = exponent(x.abs(), precision);
                let text = if kind == 'E' { text.to_uppercase() } else { text };
                self.number(x < 0.0, &text, '>')
            }
            _ => {
                let text = general(x.abs(), precision.max(1));
                self.number(x < 0.0, &text, '>')
            }
        })
    }

    fn apply(&self, value: &V) -> Eval<String> {
        match (self.kind, value.check()?) {
            (None | Some('s'), V::Str(text)) => {
                let body: String = match self.precision {
                    Some(p) => text.text.chars().take(p).collect(),
                    None => text.text.to_string(),
                };
                Ok(self.pad(&body, '<'))
            }
            (None, V::Int(i)) => Ok(self.number(*i < 0, &i.unsigned_abs().to_string(), '>')),
            (None, V::Float(x)) => {
                let text = match self.precision {
                    Some(p) => general(x.abs(), p.max(1)),
                    None => python::float(x.abs()),
                };
                Ok(self.number(*x < 0.0, &text, '>'))
            }
            (None, other) => Ok(self.pad(&other.text()?, '<')),
            (Some('c'), V::Int(i)) => Ok(u32::try_from(*i)
                .ok()
                .and_then(char::from_u32)
                .map(|c| self.pad(&c.to_string(), '<'))
                .unwrap_or_default()),
            (Some(kind), other) => self.typed(other, kind),
        }
    }
}

fn exponent(x: f64, precision: usize) -> String {
    let text = format!("{x:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, power)) => {
            let power: i32 = power.parse().unwrap_or(0);
            let sign = if power < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", power.abs())
        }
        None => text,
    }
}

/// `%g`: the shorter of the two forms, without zeros at the end.
fn general(x: f64, precision: usize) -> String {
    let power = if x == 0.0 {
        0
    } else {
        let text = format!("{x:.*e}", precision - 1);
        text.split_once('e')
            .and_then(|(_, p)| p.parse::<i32>().ok())
            .unwrap_or(0)
    };
    let strip = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if power < -4 || power >= i32::try_from(precision).unwrap_or(i32::MAX) {
        let text = exponent(x, precision - 1);
        match text.split_once('e') {
            Some((mantissa, power)) => format!("{}e{power}", strip(mantissa)),
            None => text,
        }
    } else {
        let digits = usize::try_from(i32::try_from(precision).unwrap_or(0) - 1 - power).unwrap_or(0);
        strip(&format!("{x:.digits$}"))
    }
}

/// `template.format(*args, **kwargs)`.
pub(crate) fn braces(template: &str, args: &[V], named: &Map) -> Eval<String> {
    let mut out = String::new();
    let mut rest = template;
    let mut auto = 0;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        if tail.starts_with("{{") || tail.starts_with("}}") {
            out.push_str(&tail[..1]);
            rest = &tail[2..];
            continue;
        }
        if tail.starts_with('}') {
            return Err(wrong("a single '}' stands in the text"));
        }
        let end = tail.find('}').ok_or_else(|| wrong("a '{' is not closed"))?;
        let field = &tail[1..end];
        rest = &tail[end + 1..];
        let (field, spec) = field.split_once(':').unwrap_or((field, ""));
        let (path, conversion) = field.split_once('!').unwrap_or((field, ""));
        let mut value = argument(path, args, named, &mut auto)?;
        value = match conversion {
            "" => value,
            "s" => V::str(value.text()?.into_owned()),
            "r" | "a" => V::str(python::repr(&value)?),
            other => return Err(wrong(format!("the conversion '!{other}' is unknown"))),
        };
        out.push_str(&Spec::parse(spec)?.apply(&value)?);
    }
    out.push_str(rest);
    Ok(out)
}

fn argument(path: &str, args: &[V], named: &Map, auto: &mut usize) -> Eval<V> {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (name, mut rest) = path.split_at(end);
    let missing = || wrong(format!("there is no value for '{{{path}}}'"));
    let mut value = if name.is_empty() {
        *auto += 1;
        args.get(*auto - 1).cloned().ok_or_else(missing)?
    } else if let Ok(number) = name.parse::<usize>() {
        args.get(number).cloned().ok_or_else(missing)?
    } else {
        named.get(&Key::str(name)).cloned().ok_or_else(missing)?
    };
    while !rest.is_empty() {
        let (key, after) = if let Some(inner) = rest.strip_prefix('[') {
            let close = inner.find(']').ok_or_else(missing)?;
            (&inner[..close], &inner[close + 1..])
        } else {
            let inner = &rest[1..];
            let end = inner.find(['.', '[']).unwrap_or(inner.len());
            (&inner[..end], &inner[end..])
        };
        value = match &value {
            V::Map(map) => map.get(&Key::str(key)).cloned().ok_or_else(missing)?,
            V::List(items) | V::Tuple(items) => key
                .parse::<usize>()
                .ok()
                .and_then(|i| items.get(i).cloned())
                .ok_or_else(missing)?,
            _ => return Err(missing()),
        };
        rest = after;
    }
    Ok(value)
}
