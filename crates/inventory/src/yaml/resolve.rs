//! What a plain YAML scalar means, by the YAML 1.1 rules of PyYAML's `SafeLoader`: `yes` is a boolean, `0644` is 420,
//! `12:30:45` is a number, a float needs its dot, and an exponent its sign.

use crate::value::Value;
use regex::Regex;
use std::sync::LazyLock;

static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    )
    .expect("a constant expression")
});
static INT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$",
    )
    .expect("a constant expression")
});
static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?(?:[ \t]*(Z|([-+])([0-9]{1,2})(?::([0-9]{2}))?))?)?$",
    )
    .expect("a constant expression")
});

/// The kinds a scalar can resolve to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    Merge,
    Str,
}

/// The kind of a plain scalar without a tag.
pub(crate) fn kind(text: &str) -> Kind {
    match text.as_bytes().first() {
        None => return Kind::Null,
        Some(b'<') if text == "<<" => return Kind::Merge,
        Some(b'~') if text == "~" => return Kind::Null,
        _ => {}
    }
    if boolean(text).is_some() && has_yaml_case(text) {
        return Kind::Bool;
    }
    if matches!(text, "null" | "Null" | "NULL") {
        return Kind::Null;
    }
    if FLOAT.is_match(text) {
        return Kind::Float;
    }
    if INT.is_match(text) {
        return Kind::Int;
    }
    if is_timestamp(text) {
        return Kind::Timestamp;
    }
    Kind::Str
}

/// `yes`, `Yes` and `YES` count, `yEs` does not.
fn has_yaml_case(text: &str) -> bool {
    let tail = &text[1..];
    text.bytes().all(|b| b.is_ascii_uppercase()) || tail.bytes().all(|b| b.is_ascii_lowercase())
}

fn is_timestamp(text: &str) -> bool {
    TIMESTAMP.captures(text).is_some_and(|parts| {
        // A date alone needs two digits everywhere; with a time one digit will do.
        parts.get(4).is_some() || (parts[2].len() == 2 && parts[3].len() == 2)
    })
}

/// The boolean a word stands for, in any case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" => Some(true),
        "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// A YAML 1.1 integer. One that does not fit 128 bits becomes a float.
pub(crate) fn integer(text: &str) -> Option<Value> {
    let clean = text.replace('_', "");
    let (sign, digits) = signed(&clean);
    let whole = |digits: &str, radix| i128::from_str_radix(digits, radix).ok().map(|i| Value::Int(sign * i));
    if digits.is_empty() || digits.starts_with(['-', '+']) {
        return None;
    }
    if digits == "0" {
        Some(Value::Int(0))
    } else if let Some(bits) = digits.strip_prefix("0b") {
        whole(bits, 2)
    } else if let Some(hex) = digits.strip_prefix("0x") {
        whole(hex, 16)
    } else if digits.starts_with('0') {
        whole(digits, 8)
    } else if digits.contains(':') {
        let mut total: i128 = 0;
        for part in digits.split(':') {
            total = total.checked_mul(60)?.checked_add(part.parse::<i128>().ok()?)?;
        }
        Some(Value::Int(sign * total))
    } else {
        whole(digits, 10).or_else(|| {
            digits
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| clean.parse().ok().map(Value::Float))?
        })
    }
}

fn signed(text: &str) -> (i128, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// A YAML 1.1 float.
pub(crate) fn float(text: &str) -> Option<f64> {
    let clean = text.replace('_', "").to_ascii_lowercase();
    let (sign, digits) = match clean.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, clean.strip_prefix('+').unwrap_or(&clean)),
    };
    let number = match digits {
        ".inf" => f64::INFINITY,
        ".nan" => return Some(f64::NAN),
        _ if digits.contains(':') => {
            let mut total = 0.0;
            for part in digits.split(':') {
                total = total * 60.0 + part.parse::<f64>().ok()?;
            }
            total
        }
        // Rust would also take `inf`, `nan` and `infinity`.
        _ if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => digits.parse().ok()?,
        _ => return None,
    };
    Some(sign * number)
}

/// A date or time in the ISO form that Python's `isoformat` prints, which is what Ansible's JSON shows of it.
/// `None` when there is no such day or time.
pub(crate) fn timestamp(text: &str) -> Option<String> {
    let parts = TIMESTAMP.captures(text)?;
    let number = |i: usize| parts.get(i).and_then(|m| m.as_str().parse::<u32>().ok());
    let (year, month, day) = (number(1)?, number(2)?, number(3)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || day == 0 || day > days {
        return None;
    }
    let mut iso = format!("{year:04}-{month:02}-{day:02}");
    let Some(hour) = number(4) else {
        return Some(iso);
    };
    let (minute, second) = (number(5)?, number(6)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    iso.push_str(&format!("T{hour:02}:{minute:02}:{second:02}"));
    if let Some(fraction) = parts.get(7).map(|m| m.as_str()).filter(|digits| !digits.is_empty()) {
        let micros: String = fraction.chars().chain(std::iter::repeat('0')).take(6).collect();
        if micros != "000000" {
            iso.push('.');
            iso.push_str(&micros);
        }
    }
    if let Some(zone) = parts.get(8) {
        match (parts.get(9), number(10)) {
            (Some(sign), Some(hours)) => {
                let minutes = hours * 60 + number(11).unwrap_or(0);
                if minutes >= 24 * 60 {
                    return None;
                }
                let sign = if minutes == 0 { "+" } else { sign.as_str() };
                iso.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
            }
            _ if zone.as_str() == "Z" => iso.push_str("+00:00"),
            _ => {}
        }
    }
    Some(iso)
}
