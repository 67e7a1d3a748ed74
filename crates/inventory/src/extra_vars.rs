//! Variables of the command line: `-e k=v`, `-e '{"k": "v"}'`, `-e @file`.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::sources::{absolute, option_place};
use crate::value::{Value, Var, VarMap};
use crate::vault::VaultSecrets;
use crate::yaml;
use std::path::Path;

/// Reads `options` in order; a later one wins. Values of `k=v` are always strings, as with Ansible.
pub fn parse(options: &[String], secrets: &VaultSecrets) -> (VarMap, Diagnostics) {
    let (mut vars, mut found) = (VarMap::new(), Diagnostics::new());
    for option in options.iter().filter(|option| !option.is_empty()) {
        let place = option_place("-e", option);
        if let Some(file) = option.strip_prefix('@') {
            let (more, findings) = yaml::load_vars_file(&absolute(file), secrets);
            found.extend(findings);
            vars.extend(more);
        } else if option.starts_with(['/', '.']) {
            let message = format!("`-e {option}` looks like a file");
            found.push(Diagnostic::error(message).at(place).help(format!("write -e @{option}")));
        } else if option.starts_with(['{', '[']) {
            let (document, findings) = yaml::read(option, Path::new("<-e>"), secrets, false);
            found.extend(findings);
            if let Some(more) = found.take(document.to_vars()) {
                vars.extend(more);
            }
        } else {
            match key_values(option) {
                Ok(pairs) => vars.extend(pairs.into_iter().map(|(key, value)| {
                    (
                        key.into(),
                        Var {
                            value: Value::str(value),
                            location: Some(place.clone()),
                        },
                    )
                })),
                Err(problem) => {
                    let help = "write -e name=value, -e \"name='a b'\", -e '{\"name\": [1, 2]}' or -e @file.yml";
                    found.push(Diagnostic::error(problem).at(place).help(help));
                }
            }
        }
    }
    (vars, found)
}

fn key_values(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for word in split_words(text)? {
        let word = decode_escapes(&word);
        let equals = word
            .char_indices()
            .find(|(at, c)| *c == '=' && *at > 0 && !word[..*at].ends_with('\\'))
            .map(|(at, _)| at)
            .ok_or_else(|| format!("expected name=value, found `{}`", word.trim()))?;
        let (key, value) = (&word[..equals], &word[equals + 1..]);
        pairs.push((key.trim().to_owned(), unquote(value.trim()).to_owned()));
    }
    Ok(pairs)
}

fn unquote(text: &str) -> &str {
    let bytes = text.as_bytes();
    match bytes {
        [first @ (b'"' | b'\''), .., before, last] if first == last && *before != b'\\' => &text[1..text.len() - 1],
        [b'"', b'"'] | [b'\'', b'\''] => "",
        _ => text,
    }
}

/// `\n`, `\t`, `\x41` and their like; other backslashes stay.
fn decode_escapes(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let mut chars = tail.chars();
        let (plain, used) = match chars.next() {
            Some(c @ ('\\' | '\'' | '"')) => (Some(c), 1),
            Some('a') => (Some('\u{7}'), 1),
            Some('b') => (Some('\u{8}'), 1),
            Some('f') => (Some('\u{c}'), 1),
            Some('n') => (Some('\n'), 1),
            Some('r') => (Some('\r'), 1),
            Some('t') => (Some('\t'), 1),
            Some('v') => (Some('\u{b}'), 1),
            Some('x') => (hex(tail, 2), 3),
            Some('u') => (hex(tail, 4), 5),
            Some('U') => (hex(tail, 8), 9),
            _ => (None, 0),
        };
        match plain {
            Some(c) => {
                out.push(c);
                rest = &tail[used..];
            }
            None => {
                out.push('\\');
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out
}

fn hex(tail: &str, digits: usize) -> Option<char> {
    let code = tail.get(1..=digits)?;
    code.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
    char::from_u32(u32::from_str_radix(code, 16).ok()?)
}

/// Words at blanks, but not inside quotes or Jinja delimiters; quotes stay.
fn split_words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quote, mut depth) = (None, 0usize);
    let mut previous = '\0';
    for c in text.chars() {
        match (quote, c) {
            (None, '"' | '\'') if previous != '\\' => quote = Some(c),
            (Some(open), _) if c == open && previous != '\\' => quote = None,
            _ => {}
        }
        if matches!((previous, c), ('{', '{' | '%' | '#')) {
            depth += 1;
        } else if matches!((previous, c), ('}' | '%' | '#', '}')) {
            depth = depth.saturating_sub(1);
        }
        if quote.is_none() && depth == 0 && (c == ' ' || c == '\n') {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
        previous = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    if quote.is_some() {
        return Err("a quote is not closed".into());
    }
    if depth > 0 {
        return Err("a `{{` or `{%` is not closed".into());
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_options() {
        let cases: [(&str, &[(&str, Value)]); 8] = [
            ("a=1", &[("a", Value::str("1"))]),
            (
                "a=1 b='two words'",
                &[("a", Value::str("1")), ("b", Value::str("two words"))],
            ),
            ("a=\"x=y\"", &[("a", Value::str("x=y"))]),
            ("a={{ b + 1 }}", &[("a", Value::str("{{ b + 1 }}"))]),
            (
                "{\"a\": 1, \"b\": true}",
                &[("a", Value::Int(1)), ("b", Value::Bool(true))],
            ),
            ("{a: 1e3}", &[("a", Value::str("1e3"))]),
            ("{\"a\": 1e3}", &[("a", Value::Float(1000.0))]),
            ("a=x\\ty", &[("a", Value::str("x\ty"))]),
        ];
        for (text, wanted) in cases {
            let (vars, found) = parse(&[text.to_owned()], &VaultSecrets::none());
            assert!(found.is_empty(), "{text}: {found:?}");
            let got: Vec<(&str, Value)> = vars.iter().map(|(k, v)| (&**k, v.value.clone())).collect();
            assert_eq!(got, wanted, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("foo", "name=value"),
            ("./x.yml", "looks like a file"),
            ("a='b", "not closed"),
            ("[1]", "mapping"),
        ] {
            let (_, found) = parse(&[text.to_owned()], &VaultSecrets::none());
            assert!(
                found.iter().any(|d| d.is_error() && d.message.contains(part)),
                "{text}: {found:?}"
            );
        }
    }
}
