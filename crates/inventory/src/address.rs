//! Host names with ports and ranges, as they stand in inventories: `web[01:10:2]:2222`, `[2001:db8::1]:22`.

use regex::Regex;
use std::sync::LazyLock;

/// More hosts than this from one line is taken for a slip of the finger.
const MAX_EXPANSION: usize = 65_536;

/// A host expression with its port taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host name, address, or either with ranges in it.
    pub host: String,
    /// The port, when one was written.
    pub port: Option<u32>,
}

static IPV4: LazyLock<Regex> = LazyLock::new(|| {
    let part = r"(?:[01]?[0-9]{1,2}|2[0-4][0-9]|25[0-5]|\[[0-9]+:[0-9]+(?::[0-9]+)?\])";
    Regex::new(&format!(r"^(?:{part}\.){{3}}{part}$")).expect("a constant expression")
});

// Only the last of Ansible's alternatives is bound to the end, so that the others accept any tail: kept, since host
// patterns are split or not by this very expression.
static IPV6: LazyLock<Regex> = LazyLock::new(|| {
    let p = r"(?:[0-9a-f]{1,4}|\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\])";
    Regex::new(&format!(
        r"(?i)^(?:(?:{p}:){{7}}{p}|(?:{p}:){{1,6}}:|(?:{p}:)(?::{p}){{1,6}}|(?:{p}:){{2}}(?::{p}){{1,5}}|(?:{p}:){{3}}(?::{p}){{1,4}}|(?:{p}:){{4}}(?::{p}){{1,3}}|(?:{p}:){{5}}(?::{p}){{1,2}}|(?:{p}:){{6}}(?::{p})|:(?::{p}){{1,6}}|{p}?::|(?:0:){{6}}(?:{p}\.){{3}}{p}|::(?:ffff:)?(?:{p}\.){{3}}{p}|(?:0:){{5}}ffff:(?:{p}\.){{3}}{p}$)"
    ))
    .expect("a constant expression")
});

static HOSTNAME: LazyLock<Regex> = LazyLock::new(|| {
    let range = r"\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]";
    let label = format!(r"(?:(?:\w|{range})(?:[\w-]|{range})*)");
    Regex::new(&format!(r"(?i)^{label}(?:\.{label})*$")).expect("a constant expression")
});

/// Takes the port off `text`. `None` when it is no host name, address, or either with ranges.
pub fn parse_address(text: &str) -> Option<Address> {
    let (mut host, mut port) = (text, None);
    if let Some((inner, digits)) = host.strip_prefix('[').and_then(|rest| rest.rsplit_once("]:"))
        && !inner.is_empty()
        && is_digits(digits)
    {
        host = inner;
        port = digits.parse().ok();
    }
    if let Some((name, digits)) = split_port(host) {
        host = name;
        port = digits.parse().ok();
    }
    let is_host = !host.is_empty() && (IPV4.is_match(host) || IPV6.is_match(host) || is_hostname(host));
    is_host.then(|| Address {
        host: host.to_owned(),
        port,
    })
}

/// True for a plain IPv4 or IPv6 address (ranges and Ansible's lenient tails included).
pub fn is_address(text: &str) -> bool {
    IPV4.is_match(text) || IPV6.is_match(text)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `name:port` where the name has colons inside brackets only.
fn split_port(text: &str) -> Option<(&str, &str)> {
    let (name, digits) = text.rsplit_once(':')?;
    if !is_digits(digits) {
        return None;
    }
    let mut open = false;
    for c in name.chars() {
        match c {
            '[' if !open => open = true,
            ']' if open => open = false,
            ']' => return None,
            ':' if !open => return None,
            _ => {}
        }
    }
    (!open).then_some((name, digits))
}

fn is_hostname(text: &str) -> bool {
    // A label may not end with a hyphen or an underscore.
    HOSTNAME.is_match(text) && text.split('.').all(|label| !label.ends_with(['-', '_']))
}

/// Host names and port of a host expression, its ranges expanded in order.
///
/// # Errors
/// What is wrong with a range, as a sentence without its place.
pub fn expand(text: &str) -> Result<(Vec<String>, Option<u32>), String> {
    let (pattern, port) = match parse_address(text) {
        Some(Address { host, port }) => (host, port),
        None => (text.to_owned(), None),
    };
    if !pattern.contains('[') {
        return Ok((vec![pattern], port));
    }
    let mut hosts = Vec::new();
    expand_ranges(&pattern, &mut hosts)?;
    Ok((hosts, port))
}

fn expand_ranges(pattern: &str, hosts: &mut Vec<String>) -> Result<(), String> {
    let Some((head, rest)) = pattern.split_once('[') else {
        if hosts.len() >= MAX_EXPANSION {
            return Err(format!("the range makes more than {MAX_EXPANSION} hosts"));
        }
        hosts.push(pattern.to_owned());
        return Ok(());
    };
    let (range, tail) = rest
        .split_once(']')
        .ok_or_else(|| format!("the bracket in `{pattern}` is not closed"))?;
    if [head, range, tail].iter().any(|part| part.contains('|')) {
        return Err(format!("`|` cannot stand in the host range `{pattern}`"));
    }
    for part in range_values(range)? {
        expand_ranges(&format!("{head}{part}{tail}"), hosts)?;
    }
    Ok(())
}

fn range_values(range: &str) -> Result<Vec<String>, String> {
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let bounds: Vec<&str> = range.split(':').collect();
    let (begin, end, step) = match bounds[..] {
        [begin, end] => (begin, end, 1),
        [begin, end, step] => {
            let step = step.trim().parse::<usize>().ok().filter(|step| *step > 0);
            (
                begin,
                end,
                step.ok_or_else(|| format!("the step of the host range [{range}] must be a whole number from 1"))?,
            )
        }
        _ => {
            return Err(format!(
                "a host range is [begin:end] or [begin:end:step], found [{range}]"
            ));
        }
    };
    let begin = if begin.is_empty() { "0" } else { begin };
    if end.is_empty() {
        return Err(format!("the host range [{range}] has no end"));
    }
    let width = if begin.len() > 1 && begin.starts_with('0') {
        begin.len()
    } else {
        0
    };
    if width > 0 && width != end.len() {
        return Err(format!(
            "begin and end of the host range [{range}] must have the same number of digits"
        ));
    }
    if let (Some(first), Some(last)) = (LETTERS.find(begin), LETTERS.find(end)) {
        if first > last {
            return Err(format!("the host range [{range}] ends before it begins"));
        }
        return Ok(LETTERS[first..=last].chars().step_by(step).map(String::from).collect());
    }
    let number = |text: &str| {
        text.trim()
            .parse::<u64>()
            .map_err(|_| format!("the host range [{range}] must be between two numbers or two letters"))
    };
    let (first, last) = (number(begin)?, number(end)?);
    let count = last.saturating_sub(first) / step as u64;
    if last >= first && count >= MAX_EXPANSION as u64 {
        return Err(format!(
            "the host range [{range}] makes more than {MAX_EXPANSION} hosts"
        ));
    }
    Ok((first..=last).step_by(step).map(|n| format!("{n:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_come_off() {
        let cases = [
            ("web", Some(("web", None))),
            ("web:22", Some(("web", Some(22)))),
            ("web[1:3]:22", Some(("web[1:3]", Some(22)))),
            ("[2001:db8::1]:22", Some(("2001:db8::1", Some(22)))),
            ("2001:db8::1", Some(("2001:db8::1", None))),
            ("192.0.2.1:2222", Some(("192.0.2.1", Some(2222)))),
            ("web-:22", None),
            ("a:b", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            let got = parse_address(text);
            let got = got.as_ref().map(|a| (a.host.as_str(), a.port));
            assert_eq!(got, wanted, "{text}");
        }
    }

    #[test]
    fn ranges_expand_in_order() {
        let hosts = |text: &str| expand(text).expect("expands").0.join(" ");
        assert_eq!(hosts("node[01:10:2]"), "node01 node03 node05 node07 node09");
        assert_eq!(hosts("db-[a:c].x"), "db-a.x db-b.x db-c.x");
        assert_eq!(hosts("r[1:2]n[8:9]"), "r1n8 r1n9 r2n8 r2n9");
        assert_eq!(hosts("x[:2]"), "x0 x1 x2");
    }

    #[test]
    fn bad_ranges_say_why() {
        for (text, part) in [
            ("n[1:]", "no end"),
            ("n[1]", "[begin:end]"),
            ("n[01:100]", "same number of digits"),
            ("n[d:a]", "ends before"),
            ("n[1:5:0]", "step"),
            ("n[1:99999999]", "more than"),
            ("n[1:5", "not closed"),
            ("n[a:5]", "two numbers or two letters"),
        ] {
            let error = expand(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
