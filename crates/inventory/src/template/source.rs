//! Template text before it is parsed: is it one at all, and what Ansible does to its backslashes.

use minijinja::syntax::SyntaxConfig;
use std::borrow::Cow;

/// True when `text` may hold Jinja: Ansible's own quick test.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// The variable, when `text` is nothing but `{{ name }}`.
pub(crate) fn single_variable(text: &str) -> Option<&str> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    (!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')).then_some(name)
}

/// Doubles the backslashes of string literals inside `{{ }}`, as Ansible does for values (not for template files):
/// what YAML left of `'\1'` is meant as it stands.
pub(crate) fn keep_backslashes(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') || !text.contains("{{") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest
        .find("{{")
        .into_iter()
        .chain(rest.find("{%"))
        .chain(rest.find("{#"))
        .min()
    {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let close = match &tail[..2] {
            "{#" => {
                let end = tail.find("#}").map_or(tail.len(), |i| i + 2);
                out.push_str(&tail[..end]);
                rest = &tail[end..];
                continue;
            }
            "{%" => "%}",
            _ => "}}",
        };
        if close == "%}" && is_raw(tail) {
            let end = raw_end(tail);
            out.push_str(&tail[..end]);
            rest = &tail[end..];
            continue;
        }
        let end = copy_block(tail, close, &mut out);
        rest = &tail[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn is_raw(tail: &str) -> bool {
    tail[2..].trim_start_matches(['-', '+']).trim_start().starts_with("raw")
}

fn raw_end(tail: &str) -> usize {
    tail.find("endraw")
        .and_then(|i| tail[i..].find("%}").map(|j| i + j + 2))
        .unwrap_or(tail.len())
}

/// Copies one block, doubling backslashes in the strings of `{{ }}`; gives its length.
fn copy_block(tail: &str, close: &str, out: &mut String) -> usize {
    let double = close == "}}";
    let mut at = 2;
    out.push_str(&tail[..2]);
    let mut braces = 0usize;
    while at < tail.len() {
        let rest = &tail[at..];
        if braces == 0 && rest.starts_with(close) {
            out.push_str(close);
            return at + close.len();
        }
        let Some(c) = rest.chars().next() else { break };
        match c {
            '{' => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            '\'' | '"' => {
                let end = string_end(rest, c);
                if double {
                    out.push_str(&rest[..end].replace('\\', "\\\\"));
                } else {
                    out.push_str(&rest[..end]);
                }
                at += end;
                continue;
            }
            _ => {}
        }
        out.push(c);
        at += c.len_utf8();
    }
    at
}

fn string_end(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (i, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return i + 1;
        }
    }
    rest.len()
}

/// How a template's blocks are cut: Ansible's settings, unless the file's first line says otherwise.
pub(crate) fn syntax(trim_blocks: bool, lstrip_blocks: bool) -> SyntaxConfig {
    let mut builder = SyntaxConfig::builder();
    builder.trim_blocks(trim_blocks).lstrip_blocks(lstrip_blocks);
    builder.build().unwrap_or_default()
}

/// The settings of a `#jinja2: trim_blocks: False, lstrip_blocks: True` line, and the text after it.
pub(crate) fn header(text: &str) -> (SyntaxConfig, &str, u32) {
    let Some(line) = text.strip_prefix("#jinja2:") else {
        return (syntax(true, false), text, 0);
    };
    let (settings, rest) = line.split_once('\n').unwrap_or((line, ""));
    let (mut trim, mut strip) = (true, false);
    for pair in settings.split(',') {
        if let Some((key, value)) = pair.split_once(':') {
            let on = matches!(value.trim(), "True" | "true" | "1");
            match key.trim() {
                "trim_blocks" => trim = on,
                "lstrip_blocks" => strip = on,
                _ => {}
            }
        }
    }
    (syntax(trim, strip), rest, 1)
}

/// How deep brackets, blocks and operators may stand inside each other: minijinja's parser calls itself for each level
/// and would use up the stack.
const MAX_NESTING: usize = 40;
/// How many operators one expression may have between two commas.
const MAX_OPERATORS: usize = 500;

/// True when parsing `text` would go deeper than any honest template does.
pub(crate) fn is_too_deep(text: &str) -> bool {
    let mut rest = text;
    let (mut open_blocks, mut branches) = (0usize, 0usize);
    while let Some(at) = rest.find('{') {
        let tail = &rest[at..];
        let Some(kind) = tail.get(..2).filter(|kind| matches!(*kind, "{{" | "{%" | "{#")) else {
            rest = &tail[1..];
            continue;
        };
        if kind == "{#" {
            rest = tail.find("#}").map_or("", |end| &tail[end + 2..]);
            continue;
        }
        if kind == "{%" {
            if is_raw(tail) {
                rest = &tail[raw_end(tail)..];
                continue;
            }
            let word = tail[2..].trim_start_matches(['-', '+']).trim_start();
            let opens = [
                "if",
                "for",
                "with",
                "macro",
                "call",
                "filter",
                "set",
                "block",
                "autoescape",
            ];
            if word.starts_with("end") {
                open_blocks = open_blocks.saturating_sub(1);
                branches = 0;
            } else if word.starts_with("elif") {
                // Each is parsed inside the one before it.
                branches += 1;
            } else if opens.iter().any(|o| word.starts_with(o)) && !is_one_line_set(word) {
                open_blocks += 1;
            }
            if open_blocks + branches > MAX_NESTING {
                return true;
            }
        }
        match block_length(&tail[2..], if kind == "{{" { "}}" } else { "%}" }) {
            Some(length) => rest = &tail[2 + length..],
            None => return true,
        }
    }
    false
}

fn is_one_line_set(word: &str) -> bool {
    word.starts_with("set") && word.find("%}").is_some_and(|end| word[..end].contains('='))
}

/// The length of a block's inside; `None` when it nests too deep.
fn block_length(body: &str, close: &str) -> Option<usize> {
    let (mut nesting, mut operators, mut prefixes) = (0usize, 0usize, 0usize);
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        if nesting == 0 && rest.starts_with(close) {
            return Some(at);
        }
        let c = rest.chars().next()?;
        match c {
            '\'' | '"' => {
                at += string_end(rest, c);
                prefixes = 0;
                continue;
            }
            '(' | '[' | '{' => nesting += 1,
            ')' | ']' | '}' => nesting = nesting.saturating_sub(1),
            ',' => operators = 0,
            '+' | '-' | '*' | '/' | '~' | '|' | '.' | '%' | '<' | '>' | '=' | ':' => operators += 1,
            c if c.is_alphabetic() || c == '_' => {
                let end = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                match &rest[..end] {
                    "not" => prefixes += 1,
                    "and" | "or" | "if" | "else" | "is" | "in" => operators += 1,
                    _ => prefixes = 0,
                }
                at += end;
                if nesting + prefixes > MAX_NESTING || operators > MAX_OPERATORS {
                    return None;
                }
                continue;
            }
            _ => {}
        }
        match c {
            '-' => prefixes += 1,
            c if c.is_whitespace() || "([{".contains(c) => {}
            _ => prefixes = 0,
        }
        if nesting + prefixes > MAX_NESTING || operators > MAX_OPERATORS {
            return None;
        }
        at += c.len_utf8();
    }
    Some(body.len())
}
