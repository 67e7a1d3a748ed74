//! Filters on numbers and sizes.

use super::Call;
use crate::template::value::{Eval, Number, V};

pub(super) const NAMES: &[&str] = &[
    "int",
    "float",
    "abs",
    "round",
    "log",
    "pow",
    "root",
    "human_readable",
    "human_to_bytes",
    "filesizeformat",
];

pub(super) fn call(c: &Call<'_, '_, '_>) -> Eval<Option<V>> {
    Ok(Some(match c.name {
        "int" => {
            let [default, base] = c.take(["default", "base"])?;
            let default = default.unwrap_or(V::Int(0));
            let base = u32::try_from(c.int_or(base, 10)?).unwrap_or(10);
            match c.input {
                V::Int(_) => c.input.clone(),
                V::Bool(b) => V::Int(i128::from(*b)),
                V::Float(x) if x.is_finite() => V::Int(x.trunc() as i128),
                V::Str(text) => integer(&text.text, base).map_or(default, V::Int),
                _ => default,
            }
        }
        "float" => {
            let [default] = c.take(["default"])?;
            let default = default.unwrap_or(V::Float(0.0));
            match c.input {
                V::Str(text) => text.text.trim().replace('_', "").parse().map_or(default, V::Float),
                other => other.as_float().map_or(default, V::Float),
            }
        }
        "abs" => match number(c, c.input)? {
            Number::Int(i) => V::Int(i.checked_abs().ok_or_else(|| c.wrong("the number is too large"))?),
            Number::Float(x) => V::Float(x.abs()),
        },
        "round" => {
            let [precision, method] = c.take(["precision", "method"])?;
            let precision = i32::try_from(c.int_or(precision, 0)?.clamp(-300, 300)).unwrap_or(0);
            let method = c.text_or(method, "common")?;
            let value = number(c, c.input)?;
            let factor = 10f64.powi(precision);
            match method.as_str() {
                "common" => match value {
                    // Python's round() leaves whole numbers whole.
                    Number::Int(i) if precision >= 0 => V::Int(i),
                    Number::Int(i) => V::Int(((i as f64 * factor).round_ties_even() / factor) as i128),
                    Number::Float(x) => V::Float(round(x, precision)),
                },
                "ceil" => V::Float((value.float() * factor).ceil() / factor),
                "floor" => V::Float((value.float() * factor).floor() / factor),
                _ => return Err(c.wrong("the method is one of common, ceil, floor")),
            }
        }
        "log" => {
            let [base] = c.take(["base"])?;
            let x = number(c, c.input)?.float();
            V::Float(match base {
                None => x.ln(),
                Some(base) => match number(c, &base)?.float() {
                    10.0 => x.log10(),
                    base => x.ln() / base.ln(),
                },
            })
        }
        "pow" => {
            let [power] = c.take(["y"])?;
            let power = number(c, &c.need(power, "y")?)?.float();
            V::Float(number(c, c.input)?.float().powf(power))
        }
        "root" => {
            let [base] = c.take(["base"])?;
            let x = number(c, c.input)?.float();
            match base {
                None | Some(V::Int(2)) => V::Float(x.sqrt()),
                Some(base) => V::Float(x.powf(1.0 / number(c, &base)?.float())),
            }
        }
        "human_readable" => {
            let [bits, unit] = c.take(["isbits", "unit"])?;
            V::str(human_readable(c, c.truth_or(bits, false)?, unit)?)
        }
        "human_to_bytes" => {
            let [unit, bits] = c.take(["default_unit", "isbits"])?;
            human_to_bytes(c, unit, c.truth_or(bits, false)?)?
        }
        "filesizeformat" => {
            let [binary] = c.take(["binary"])?;
            let binary = c.truth_or(binary, false)?;
            let bytes = match c.input {
                V::Str(text) => text.text.trim().parse().map_err(|_| c.wrong("a number was expected"))?,
                other => number(c, other)?.float(),
            };
            V::str(filesize(bytes, binary))
        }
        _ => return Ok(None),
    }))
}

fn number(c: &Call<'_, '_, '_>, value: &V) -> Eval<Number> {
    value
        .check()?
        .number()
        .ok_or_else(|| c.wrong(format!("a number was expected, not a {}", value.type_name())))
}

/// A whole number in a text, as Jinja's `int` reads it.
fn integer(text: &str, base: u32) -> Option<i128> {
    let text = text.trim().replace('_', "");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let digits = match (base, digits.get(..2)) {
        (16, Some("0x" | "0X")) | (8, Some("0o" | "0O")) | (2, Some("0b" | "0B")) => &digits[2..],
        _ => digits,
    };
    if !(2..=36).contains(&base) {
        return None;
    }
    let value = match i128::from_str_radix(digits, base) {
        Ok(value) => value,
        // "42.7" counts as 42.
        Err(_) => {
            let x: f64 = digits.parse().ok()?;
            if !x.is_finite() {
                return None;
            }
            x.trunc() as i128
        }
    };
    Some(if negative { -value } else { value })
}

/// Python's `round`: to even, judged by the exact decimal value.
fn round(x: f64, precision: i32) -> f64 {
    match usize::try_from(precision) {
        Ok(digits) if digits <= 20 => format!("{x:.digits$}").parse().unwrap_or(x),
        Ok(_) => x,
        Err(_) => {
            let factor = 10f64.powi(-precision);
            (x / factor).round_ties_even() * factor
        }
    }
}

const UNITS: [(&str, u32); 9] = [
    ("Y", 80),
    ("Z", 70),
    ("E", 60),
    ("P", 50),
    ("T", 40),
    ("G", 30),
    ("M", 20),
    ("K", 10),
    ("B", 0),
];

fn human_readable(c: &Call<'_, '_, '_>, bits: bool, unit: Option<V>) -> Eval<String> {
    let size = match c.input {
        V::Str(text) => text.text.trim().parse().map_err(|_| c.wrong("a number was expected"))?,
        other => number(c, other)?.float(),
    };
    let wanted = match unit {
        None | Some(V::None) => None,
        Some(unit) => Some(
            unit.text()?
                .chars()
                .next()
                .unwrap_or('B')
                .to_ascii_uppercase()
                .to_string(),
        ),
    };
    let chosen = UNITS.iter().find(|(suffix, power)| match &wanted {
        Some(wanted) => wanted == suffix,
        None => size >= 2f64.powi(i32::try_from(*power).unwrap_or(0)),
    });
    let (suffix, power) = chosen.copied().unwrap_or(("B", 0));
    let base = if bits { "bits" } else { "Bytes" };
    let name = match (suffix, bits) {
        ("B", _) => base.to_owned(),
        (suffix, true) => format!("{suffix}b"),
        (suffix, false) => format!("{suffix}B"),
    };
    Ok(format!(
        "{:.2} {name}",
        size / 2f64.powi(i32::try_from(power).unwrap_or(0))
    ))
}

fn human_to_bytes(c: &Call<'_, '_, '_>, unit: Option<V>, bits: bool) -> Eval<V> {
    let text = c.text()?;
    let text = text.trim();
    let end = text
        .find(|x: char| !x.is_ascii_digit() && x != '.')
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let value: f64 = digits
        .parse()
        .map_err(|_| c.wrong("a size such as '10G' was expected"))?;
    let suffix = match (suffix.trim(), unit) {
        ("", Some(unit)) => unit.text()?.into_owned(),
        (suffix, _) => suffix.to_owned(),
    };
    let letter = suffix.chars().next().map_or('B', |x| x.to_ascii_uppercase());
    let known = UNITS.iter().find(|(name, _)| name.starts_with(letter));
    let (name, power) = known
        .copied()
        .ok_or_else(|| c.wrong(format!("the unit '{suffix}' is unknown")))?;
    let lower = suffix.to_ascii_lowercase();
    let fits = match (name, bits) {
        ("B", false) => matches!(&*lower, "" | "b" | "byte" | "bytes"),
        ("B", true) => matches!(&*lower, "" | "b" | "bit" | "bits"),
        (_, false) => suffix.len() == 1 || suffix.ends_with('B') || lower.ends_with("byte") || lower.ends_with("bytes"),
        (_, true) => suffix.len() == 1 || suffix.ends_with('b') || lower.ends_with("bit") || lower.ends_with("bits"),
    };
    if !fits {
        return Err(c.wrong(format!("the unit '{suffix}' is unknown")));
    }
    Ok(V::Int(
        (value * 2f64.powi(i32::try_from(power).unwrap_or(0))).round_ties_even() as i128,
    ))
}

fn filesize(bytes: f64, binary: bool) -> String {
    let base = if binary { 1024.0 } else { 1000.0 };
    let units: [&str; 8] = if binary {
        ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    } else {
        ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    };
    if bytes == 1.0 {
        return "1 Byte".into();
    }
    if bytes < base {
        return format!("{} Bytes", bytes.trunc());
    }
    let mut unit = base;
    for (i, name) in units.iter().enumerate() {
        unit *= base;
        if bytes < unit || i + 1 == units.len() {
            return format!("{:.1} {name}", base * bytes / unit);
        }
    }
    String::new()
}
