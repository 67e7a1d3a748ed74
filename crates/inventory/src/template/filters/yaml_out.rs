//! Values written as YAML the way PyYAML writes them: its choice of quotes, its line folding, its indents.

use crate::template::python;
use crate::template::value::{Eval, Key, V};

/// How `yaml.dump` is asked to write.
pub(super) struct Settings {
    pub(super) indent: usize,
    pub(super) width: usize,
    /// `None`: collections of nothing but scalars on one line.
    pub(super) flow: Option<bool>,
    pub(super) sort: bool,
    pub(super) explicit_start: bool,
}

/// The text of `value`.
pub(super) fn dump(value: &V, settings: &Settings) -> Eval<String> {
    let indent = if (2..10).contains(&settings.indent) {
        settings.indent
    } else {
        2
    };
    let width = if settings.width > indent * 2 {
        settings.width
    } else {
        80
    };
    let mut out = Emitter {
        out: String::new(),
        column: 0,
        whitespace: true,
        indention: true,
        indent: None,
        best_indent: indent,
        width,
        flow_level: 0,
        settings,
    };
    if settings.explicit_start {
        out.out.push_str("---");
        out.column = 3;
        out.whitespace = false;
        out.indention = false;
        if is_collection(value) && !out.is_flow(value) {
            out.write_indent();
        }
    }
    out.node(value, false, false)?;
    if !out.out.ends_with('\n') {
        out.out.push('\n');
    }
    Ok(out.out)
}

struct Emitter<'s> {
    out: String,
    column: usize,
    whitespace: bool,
    indention: bool,
    indent: Option<usize>,
    best_indent: usize,
    width: usize,
    flow_level: usize,
    settings: &'s Settings,
}

fn is_collection(value: &V) -> bool {
    matches!(value, V::List(_) | V::Tuple(_) | V::Map(_))
}

/// Whether a key stands on one line before its colon, as libyaml decides, by which Ansible has YAML written.
fn is_simple_key(key: &Key) -> bool {
    !key.text.contains(['\n', '\u{85}', '\u{2028}', '\u{2029}']) && key.text.len() <= 128
}

impl Emitter<'_> {
    fn is_flow(&self, value: &V) -> bool {
        let empty = match value {
            V::List(items) | V::Tuple(items) => items.is_empty(),
            V::Map(map) => map.is_empty(),
            _ => false,
        };
        let wanted = self.settings.flow.unwrap_or_else(|| match value {
            V::List(items) | V::Tuple(items) => !items.iter().any(is_collection),
            V::Map(map) => !map.values().any(is_collection),
            _ => false,
        });
        self.flow_level > 0 || empty || wanted
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn indicator(&mut self, text: &str, need_space: bool, whitespace: bool, indention: bool) {
        if need_space && !self.whitespace {
            self.push(" ");
        }
        self.whitespace = whitespace;
        self.indention = self.indention && indention;
        self.push(text);
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.whitespace = true;
        self.indention = true;
    }

    fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        if self.column < indent {
            self.whitespace = true;
            let missing = indent - self.column;
            self.push(&" ".repeat(missing));
        }
    }

    fn deeper(&mut self, flow: bool, indentless: bool) -> Option<usize> {
        let before = self.indent;
        self.indent = match self.indent {
            None => Some(if flow { self.best_indent } else { 0 }),
            Some(n) if !indentless => Some(n + self.best_indent),
            same => same,
        };
        before
    }

    /// Writes `value`.
    fn node(&mut self, value: &V, in_mapping: bool, simple_key: bool) -> Eval<()> {
        match value.check()? {
            V::List(items) | V::Tuple(items) if self.is_flow(value) => {
                self.indicator("[", true, true, false);
                self.flow_level += 1;
                let before = self.deeper(true, false);
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.indicator(",", false, false, false);
                    }
                    if self.column > self.width {
                        self.write_indent();
                    }
                    self.node(item, false, false)?;
                }
                self.indent = before;
                self.flow_level -= 1;
                self.indicator("]", false, false, false);
            }
            V::List(items) | V::Tuple(items) => {
                let indentless = in_mapping && !self.indention;
                let before = self.deeper(false, indentless);
                for item in items.iter() {
                    self.write_indent();
                    self.indicator("-", true, false, true);
                    self.node(item, false, false)?;
                }
                self.indent = before;
            }
            V::Map(map) => {
                let flow = self.is_flow(value);
                let mut entries: Vec<(&Key, &V)> = map.iter().collect();
                if self.settings.sort {
                    entries.sort_by(|a, b| a.0.text.cmp(&b.0.text));
                }
                if flow {
                    self.indicator("{", true, true, false);
                    self.flow_level += 1;
                }
                let before = self.deeper(flow, false);
                for (i, (key, item)) in entries.into_iter().enumerate() {
                    if !flow {
                        self.write_indent();
                    } else {
                        if i > 0 {
                            self.indicator(",", false, false, false);
                        }
                        if self.column > self.width {
                            self.write_indent();
                        }
                    }
                    if is_simple_key(key) {
                        self.node(&key.value(), false, true)?;
                        self.indicator(":", false, false, false);
                    } else {
                        self.indicator("?", true, false, !flow);
                        self.node(&key.value(), true, false)?;
                        if !flow || self.column > self.width {
                            self.write_indent();
                        }
                        self.indicator(":", true, false, !flow);
                    }
                    self.node(item, true, false)?;
                }
                self.indent = before;
                if flow {
                    self.flow_level -= 1;
                    self.indicator("}", false, false, false);
                }
            }
            scalar => self.scalar(scalar, simple_key)?,
        }
        Ok(())
    }

    fn scalar(&mut self, value: &V, simple_key: bool) -> Eval<()> {
        let before = self.deeper(true, false);
        let (text, style) = match value {
            V::None => ("null".to_owned(), Style::Plain),
            V::Bool(b) => (b.to_string(), Style::Plain),
            V::Float(x) => (float(*x), Style::Plain),
            V::Str(text) => (text.text.to_string(), self.style(&text.text)),
            other => (other.text()?.into_owned(), Style::Plain),
        };
        let split = !simple_key;
        match style {
            Style::Plain => self.plain(&text, split),
            Style::Single => self.single_quoted(&text, split),
            Style::Double => self.double_quoted(&text, split),
        }
        self.indent = before;
        Ok(())
    }

    /// PyYAML's choice between no quotes, single and double ones.
    fn style(&self, text: &str) -> Style {
        let found = Analysis::of(text);
        let plain = if self.flow_level > 0 {
            found.flow_plain
        } else {
            found.block_plain
        };
        if plain && !text.is_empty() && is_string(text) {
            Style::Plain
        } else if found.single {
            Style::Single
        } else {
            Style::Double
        }
    }

    fn plain(&mut self, text: &str, split: bool) {
        if !self.whitespace && !text.is_empty() {
            self.push(" ");
        }
        self.whitespace = false;
        self.indention = false;
        let mut first = true;
        for word in text.split(' ') {
            if !first {
                // Only a single space may become a line break.
                let single = !word.is_empty() && !self.out.ends_with(' ');
                if single && self.column > self.width && split {
                    self.write_indent();
                    self.whitespace = false;
                    self.indention = false;
                } else {
                    self.push(" ");
                }
            }
            first = false;
            self.push(word);
        }
    }

    fn single_quoted(&mut self, text: &str, split: bool) {
        self.indicator("'", true, false, false);
        let chars: Vec<char> = text.chars().collect();
        let (mut spaces, mut breaks) = (false, false);
        let (mut start, mut end) = (0, 0);
        while end <= chars.len() {
            let c = chars.get(end).copied();
            if spaces {
                if c != Some(' ') {
                    let fold =
                        start + 1 == end && self.column > self.width && split && start != 0 && end != chars.len();
                    if fold {
                        self.write_indent();
                    } else {
                        let piece: String = chars[start..end].iter().collect();
                        self.push(&piece);
                    }
                    start = end;
                }
            } else if breaks {
                if c != Some('\n') {
                    if chars[start] == '\n' {
                        self.line_break();
                    }
                    for _ in start..end {
                        self.line_break();
                    }
                    self.write_indent();
                    start = end;
                }
            } else if matches!(c, None | Some(' ' | '\n' | '\'')) && start < end {
                let piece: String = chars[start..end].iter().collect();
                self.push(&piece);
                start = end;
            }
            if c == Some('\'') {
                self.push("''");
                start = end + 1;
            }
            spaces = c == Some(' ');
            breaks = c == Some('\n');
            end += 1;
        }
        self.indicator("'", false, false, false);
    }

    fn double_quoted(&mut self, text: &str, split: bool) {
        self.indicator("\"", true, false, false);
        let chars: Vec<char> = text.chars().collect();
        let (mut start, mut end) = (0, 0);
        while end <= chars.len() {
            let c = chars.get(end).copied();
            let special = c.is_none_or(|c| "\"\\\u{85}\u{2028}\u{2029}\u{feff}".contains(c) || !is_printable(c));
            if special {
                if start < end {
                    let piece: String = chars[start..end].iter().collect();
                    self.push(&piece);
                    start = end;
                }
                if let Some(c) = c {
                    self.push(&escape(c));
                    start = end + 1;
                }
            }
            if end > 0
                && end + 1 < chars.len()
                && (c == Some(' ') || start >= end)
                && self.column + end.saturating_sub(start) > self.width
                && split
            {
                let piece: String = chars[start.min(end)..end].iter().collect();
                self.push(&(piece + "\\"));
                start = start.max(end);
                self.write_indent();
                self.whitespace = false;
                self.indention = false;
                if chars[start] == ' ' {
                    self.push("\\");
                }
            }
            end += 1;
        }
        self.indicator("\"", false, false, false);
    }
}

#[derive(Clone, Copy)]
enum Style {
    Plain,
    Single,
    Double,
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

fn escape(c: char) -> String {
    match c {
        '\0' => "\\0".into(),
        '\x07' => "\\a".into(),
        '\x08' => "\\b".into(),
        '\t' => "\\t".into(),
        '\n' => "\\n".into(),
        '\x0b' => "\\v".into(),
        '\x0c' => "\\f".into(),
        '\r' => "\\r".into(),
        '\x1b' => "\\e".into(),
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        '\u{85}' => "\\N".into(),
        '\u{2028}' => "\\L".into(),
        '\u{2029}' => "\\P".into(),
        c => match c as u32 {
            n @ 0..=0xff => format!("\\x{n:02X}"),
            n @ 0x100..=0xffff => format!("\\u{n:04X}"),
            n => format!("\\U{n:08X}"),
        },
    }
}

/// What PyYAML finds out about a text before it chooses.
struct Analysis {
    flow_plain: bool,
    block_plain: bool,
    single: bool,
}

impl Analysis {
    fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let marks = text.starts_with("---") || text.starts_with("...");
        let (mut block, mut flow) = (marks, marks);
        let (mut line_breaks, mut special) = (false, false);
        let (mut space_break, mut break_space) = (false, false);
        let blank = |c: Option<&char>| c.is_none_or(|c| " \t\r\n\0".contains(*c));
        for (i, c) in chars.iter().enumerate() {
            let before_blank = i == 0 || blank(chars.get(i - 1));
            let after_blank = blank(chars.get(i + 1));
            if i == 0 {
                match c {
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
                        flow = true;
                        block = true;
                    }
                    '?' | ':' => {
                        flow = true;
                        block |= after_blank;
                    }
                    '-' if after_blank => {
                        flow = true;
                        block = true;
                    }
                    _ => {}
                }
            } else {
                match c {
                    ',' | '?' | '[' | ']' | '{' | '}' => flow = true,
                    ':' => {
                        flow = true;
                        block |= after_blank;
                    }
                    '#' if before_blank => {
                        flow = true;
                        block = true;
                    }
                    _ => {}
                }
            }
            line_breaks |= *c == '\n';
            special |= *c != '\n' && (!is_printable(*c) || *c == '\u{feff}');
            let previous = i.checked_sub(1).map(|p| chars[p]);
            space_break |= *c == '\n' && previous == Some(' ');
            break_space |= *c == ' ' && previous == Some('\n');
        }
        let edge = |c: Option<&char>| matches!(c, Some(' ' | '\n'));
        let plain =
            !edge(chars.first()) && !edge(chars.last()) && !break_space && !space_break && !special && !line_breaks;
        Self {
            flow_plain: plain && !flow,
            block_plain: plain && !block,
            single: !break_space && !space_break && !special,
        }
    }
}

/// True when YAML 1.1 reads the bare `text` back as a string.
fn is_string(text: &str) -> bool {
    if matches!(text, "=" | "<<") || is_timestamp(text) {
        return false;
    }
    match crate::yaml::parse_value(text, "<to_yaml>") {
        Ok(value) => value.as_str().is_some(),
        Err(_) => true,
    }
}

fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits =
        |range: std::ops::Range<usize>| bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let date = digits(0..4) && bytes.get(4) == Some(&b'-');
    (date && bytes.len() == 10 && digits(5..7) && bytes[7] == b'-' && digits(8..10))
        || (date
            && bytes.len() > 14
            && text.contains(':')
            && text[4..].chars().all(|c| "0123456789-:.TtZ+ \t".contains(c)))
}

fn float(x: f64) -> String {
    if x.is_nan() {
        return ".nan".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { ".inf".into() } else { "-.inf".into() };
    }
    let text = python::float(x);
    // YAML 1.1 needs a point before the exponent.
    match text.split_once('e') {
        Some((mantissa, power)) if !mantissa.contains('.') => format!("{mantissa}.0e{power}"),
        _ => text,
    }
}
