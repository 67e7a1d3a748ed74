//! Python's operators.

use super::error::ValueError;
use super::eval::too_large;
use super::format;
use super::session::MAX_SIZE;
use super::value::{Eval, Number, V};
use minijinja::machinery::ast::BinOpKind;

fn cannot(op: &str, left: &V, right: &V) -> ValueError {
    let mut error = ValueError::operation(format!(
        "'{op}' cannot be used on a {} and a {}",
        left.type_name(),
        right.type_name()
    ));
    let is_text = |v: &V| matches!(v, V::Str(_));
    if op == "+" && is_text(left) != is_text(right) {
        error = error.with_help("join texts with '~', or turn the text into a number with '| int'");
    } else if is_text(left) || is_text(right) {
        error = error.with_help("turn the text into a number with '| int' or '| float'");
    }
    error
}

/// `-value`.
pub(crate) fn negate(value: &V) -> Eval<V> {
    match value.check()?.number() {
        Some(Number::Int(i)) => i.checked_neg().map(V::Int).ok_or_else(overflow),
        Some(Number::Float(x)) => Ok(V::Float(-x)),
        None => Err(ValueError::operation(format!(
            "a {} cannot be negated",
            value.type_name()
        ))),
    }
}

fn overflow() -> ValueError {
    ValueError::operation("the number is too large")
}

fn by_zero() -> ValueError {
    ValueError::operation("division by zero")
}

/// The operators that compute.
pub(crate) fn arithmetic(op: BinOpKind, left: &V, right: &V) -> Eval<V> {
    match op {
        BinOpKind::Concat => {
            let text = format!("{}{}", left.text()?, right.text()?);
            if text.len() > MAX_SIZE {
                return Err(too_large());
            }
            Ok(V::str(text))
        }
        BinOpKind::Add => add(left, right),
        BinOpKind::Mul => multiply(left, right),
        BinOpKind::Rem if matches!(left, V::Str(_)) => format::percent(left, right),
        BinOpKind::Sub => numbers("-", left, right, i128::checked_sub, |a, b| a - b),
        BinOpKind::Div => {
            let (a, b) = pair("/", left, right)?;
            if b.float() == 0.0 {
                return Err(by_zero());
            }
            Ok(V::Float(a.float() / b.float()))
        }
        BinOpKind::FloorDiv => match pair("//", left, right)? {
            (_, Number::Int(0)) => Err(by_zero()),
            (Number::Int(a), Number::Int(b)) => {
                let quotient = a.checked_div(b).ok_or_else(overflow)?;
                let down = a % b != 0 && (a < 0) != (b < 0);
                Ok(V::Int(quotient - i128::from(down)))
            }
            (_, b) if b.float() == 0.0 => Err(by_zero()),
            (a, b) => Ok(V::Float((a.float() / b.float()).floor())),
        },
        BinOpKind::Rem => match pair("%", left, right)? {
            (_, Number::Int(0)) => Err(by_zero()),
            (Number::Int(a), Number::Int(b)) => {
                let rest = a.checked_rem(b).ok_or_else(overflow)?;
                Ok(V::Int(if rest != 0 && (rest < 0) != (b < 0) {
                    rest + b
                } else {
                    rest
                }))
            }
            (_, b) if b.float() == 0.0 => Err(by_zero()),
            (a, b) => {
                let (a, b) = (a.float(), b.float());
                Ok(V::Float(a - b * (a / b).floor()))
            }
        },
        BinOpKind::Pow => match pair("**", left, right)? {
            (Number::Int(a), Number::Int(b)) if b >= 0 => u32::try_from(b)
                .ok()
                .and_then(|b| a.checked_pow(b))
                .map(V::Int)
                .ok_or_else(overflow),
            (a, b) => Ok(V::Float(a.float().powf(b.float()))),
        },
        _ => Err(ValueError::operation("the operator is unknown")),
    }
}

fn pair(op: &str, left: &V, right: &V) -> Eval<(Number, Number)> {
    match (left.number(), right.number()) {
        (Some(a), Some(b)) => Ok((a, b)),
        _ => Err(cannot(op, left, right)),
    }
}

fn numbers(
    op: &str,
    left: &V,
    right: &V,
    ints: fn(i128, i128) -> Option<i128>,
    floats: fn(f64, f64) -> f64,
) -> Eval<V> {
    match pair(op, left, right)? {
        (Number::Int(a), Number::Int(b)) => ints(a, b).map(V::Int).ok_or_else(overflow),
        (a, b) => Ok(V::Float(floats(a.float(), b.float()))),
    }
}

/// `left + right`.
pub(crate) fn add(left: &V, right: &V) -> Eval<V> {
    match (left, right) {
        (V::Str(a), V::Str(b)) if a.text.len() + b.text.len() > MAX_SIZE => Err(too_large()),
        (V::Str(a), V::Str(b)) => Ok(V::str(format!("{}{}", a.text, b.text))),
        (V::List(a), V::List(b)) => Ok(V::list(a.iter().chain(b.iter()).cloned().collect())),
        (V::Tuple(a), V::Tuple(b)) => Ok(V::tuple(a.iter().chain(b.iter()).cloned().collect())),
        _ => numbers("+", left, right, i128::checked_add, |a, b| a + b),
    }
}

fn multiply(left: &V, right: &V) -> Eval<V> {
    let (items, count) = match (left, right) {
        (V::Str(_) | V::List(_) | V::Tuple(_), V::Int(n)) => (left, *n),
        (V::Int(n), V::Str(_) | V::List(_) | V::Tuple(_)) => (right, *n),
        _ => return numbers("*", left, right, i128::checked_mul, |a, b| a * b),
    };
    let count = usize::try_from(count.max(0)).map_err(|_| too_large())?;
    let length = match items {
        V::Str(text) => text.text.len(),
        other => other.sequence().map_or(0, |s| s.len()) * 16,
    };
    if length.saturating_mul(count) > MAX_SIZE {
        return Err(too_large());
    }
    Ok(match items {
        V::Str(text) => V::str(text.text.repeat(count)),
        V::List(list) => V::list(repeat(list, count)),
        other => V::tuple(other.sequence().map(|s| repeat(s, count)).unwrap_or_default()),
    })
}

fn repeat(items: &[V], count: usize) -> Vec<V> {
    std::iter::repeat_n(items, count).flatten().cloned().collect()
}

/// `value[start:stop:step]`.
pub(crate) fn slice(value: &V, start: Option<V>, stop: Option<V>, step: Option<V>) -> Eval<V> {
    let number = |part: Option<V>| -> Eval<Option<i128>> {
        match part {
            None | Some(V::None) => Ok(None),
            Some(V::Int(i)) => Ok(Some(i)),
            Some(other) => Err(ValueError::operation(format!(
                "the bounds of a slice are whole numbers, not a {}",
                other.type_name()
            ))),
        }
    };
    let step = number(step)?.unwrap_or(1);
    if step == 0 {
        return Err(ValueError::operation("the step of a slice cannot be 0"));
    }
    let (start, stop) = (number(start)?, number(stop)?);
    let chars: Vec<V>;
    let items: &[V] = match value {
        V::List(items) | V::Tuple(items) => items,
        V::Str(text) => {
            chars = text.text.chars().map(|c| V::str(c.to_string())).collect();
            &chars
        }
        other => {
            return Err(ValueError::operation(format!(
                "a {} cannot be sliced",
                other.type_name()
            )));
        }
    };
    let length = items.len() as i128;
    let clamp = |bound: i128, low: i128, high: i128| (if bound < 0 { bound + length } else { bound }).clamp(low, high);
    let (mut at, end) = if step > 0 {
        (
            start.map_or(0, |s| clamp(s, 0, length)),
            stop.map_or(length, |s| clamp(s, 0, length)),
        )
    } else {
        (
            start.map_or(length - 1, |s| clamp(s, -1, length - 1)),
            stop.map_or(-1, |s| clamp(s, -1, length - 1)),
        )
    };
    let mut out = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        if let Some(item) = usize::try_from(at).ok().and_then(|i| items.get(i)) {
            out.push(item.clone());
        }
        at = at.saturating_add(step);
    }
    Ok(match value {
        V::Str(_) => V::str(out.iter().filter_map(V::as_str).collect::<String>()),
        V::Tuple(_) => V::tuple(out),
        _ => V::list(out),
    })
}
