//! From YAML text to a tree of nodes: events of the parser put together, aliases resolved, places kept.

use crate::diagnostic::Diagnostic;
use crate::source_text::SourceText;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// Deeper nesting is refused: no variables file needs it, and it could exhaust the stack.
const MAX_DEPTH: usize = 100;

pub(crate) struct Node {
    pub kind: NodeKind,
    /// The full tag, such as `!vault` or `tag:yaml.org,2002:str`.
    pub tag: Option<String>,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub column: usize,
}

pub(crate) enum NodeKind {
    Scalar { text: String, plain: bool },
    Seq(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

/// The one document in `text`; `None` when there is none.
pub(crate) fn compose(text: &str, source: &SourceText) -> Result<Option<Rc<Node>>, Diagnostic> {
    let mut text = Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text));
    loop {
        let mut composer = Composer {
            parser: Parser::new_from_str(&text),
            source,
            open_end: (!text.ends_with(['\n', '\r'])).then(|| text.chars().count()),
            anchors: HashMap::new(),
            quiet_lines: Vec::new(),
            refused_tab: None,
        };
        let result = composer.document();
        if let Some(patched) = composer.refused_tab.and_then(|at| without_tabs_before(&text, at)) {
            text = Cow::Owned(patched);
            continue;
        }
        if let Some(tab) = first_tab(source, &composer.quiet_lines, result.is_ok()) {
            return Err(tab);
        }
        return result;
    }
}

/// `text` with blanks for the tabs that end before the character `at`: PyYAML takes `key:<tab>value`, which the parser
/// refuses. All places stay as they are. `None` when there is no tab.
fn without_tabs_before(text: &str, at: usize) -> Option<String> {
    let mut chars: Vec<char> = text.chars().collect();
    let mut tab = at.min(chars.len());
    let mut any = false;
    while tab > 0 && matches!(chars[tab - 1], '\t' | ' ') {
        tab -= 1;
        any |= chars[tab] == '\t';
        chars[tab] = ' ';
    }
    any.then(|| chars.into_iter().collect())
}

/// A tab in the indentation, which YAML forbids; Ansible refuses such a file. `quiet` are the lines inside scalars of
/// several lines and inside flow collections, where a tab does no harm.
fn first_tab(source: &SourceText, quiet: &[(usize, usize)], parsed: bool) -> Option<Diagnostic> {
    for (index, line) in source.lines().iter().enumerate() {
        let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
        let Some(tab) = line[..blanks].find('\t') else {
            continue;
        };
        let number = index + 1;
        if quiet.iter().any(|(first, last)| *first < number && number <= *last) || (parsed && blanks == line.len()) {
            continue;
        }
        let message = "a tab in the indentation: YAML allows blanks only";
        let help = "replace the tab by blanks";
        return Some(Diagnostic::error(message).at(source.at(number, tab + 1)).help(help));
    }
    None
}

struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    source: &'a SourceText,
    /// The number of characters, when the text's last line has no line end.
    open_end: Option<usize>,
    anchors: HashMap<usize, Rc<Node>>,
    /// First and last line of what may hold tabs after its first line.
    quiet_lines: Vec<(usize, usize)>,
    /// Where the parser refused a tab after a colon.
    refused_tab: Option<usize>,
}

/// What the parser does not read: `[a -]`, which YAML allows.
const LAST_DASH: &str = "a value without quotes cannot have a `-` just before `,`, `[`, `]`, `{` or `}` here";

impl<'a> Composer<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Diagnostic> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn syntax(&mut self, error: &ScanError) -> Diagnostic {
        let mark = error.marker();
        if error.info().contains("must be followed by a valid YAML whitespace") {
            self.refused_tab = Some(mark.index());
        }
        let help = "quote a value that holds `: `, `#`, or starts with `{`, `[`, `@`, `*`, `&`, `!`, `%` or a template";
        // At the end of a text the parser may count on behind its last line.
        let line = self.source.lines().get(mark.line().saturating_sub(1));
        let end = line.map_or(0, |line| line.chars().count()) + 1;
        // The parser says so of any word of such a text, where YAML forbids it of the first alone.
        let (what, help) = match error.info().contains("plain scalar cannot start with '-'") {
            true => (LAST_DASH.to_owned(), "quote the value"),
            false => (format!("this is not YAML: {}", error.info()), help),
        };
        Diagnostic::error(what)
            .at(self.source.at(mark.line(), end.min(mark.col() + 1)))
            .help(help)
    }

    fn document(&mut self) -> Result<Option<Rc<Node>>, Diagnostic> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) if root.is_some() => {
                    let help = "keep the first document, and put the others into files of their own";
                    return Err(
                        Diagnostic::error("a second YAML document starts here, where only one is allowed")
                            .at(self.source.at(span.start.line(), span.start.col() + 1))
                            .help(help),
                    );
                }
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                other => root = Some(self.node(other, span, 0)?),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Rc<Node>, Diagnostic> {
        let (line, column) = (span.start.line(), span.start.col() + 1);
        if depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(Diagnostic::error(message).at(self.source.at(line, column)));
        }
        let (anchor, tag, kind) = match event {
            Event::Alias(id) => {
                let help = "an alias can only name an anchor that is complete above it";
                return self.anchors.get(&id).cloned().ok_or_else(|| {
                    Diagnostic::error("the alias stands inside the value that it names")
                        .at(self.source.at(line, column))
                        .help(help)
                });
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let mut text = text.into_owned();
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let open = self.open_end.is_some_and(|end| span.end.index() >= end);
                // The end of a block is the first line that is no longer in it.
                let last = span.end.line() - usize::from(block && !open);
                self.quiet_lines.push((line, last));
                if block && open && text.ends_with('\n') {
                    // PyYAML adds no line end that the file does not have.
                    text.pop();
                }
                (anchor, tag, NodeKind::Scalar { text, plain })
            }
            Event::SequenceStart(anchor, tag) => {
                let flow = !span.is_empty();
                let mut items = Vec::new();
                loop {
                    let (event, inner) = self.next()?;
                    if matches!(event, Event::SequenceEnd | Event::StreamEnd) {
                        if flow && inner.end.line() > line {
                            self.quiet_lines.push((line, inner.end.line()));
                        }
                        break;
                    }
                    items.push(self.node(event, inner, depth + 1)?);
                }
                (anchor, tag, NodeKind::Seq(items))
            }
            Event::MappingStart(anchor, tag) => {
                let flow = !span.is_empty();
                let mut pairs = Vec::new();
                loop {
                    let (event, inner) = self.next()?;
                    if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                        if flow && inner.end.line() > line {
                            self.quiet_lines.push((line, inner.end.line()));
                        }
                        break;
                    }
                    let key = self.node(event, inner, depth + 1)?;
                    let (event, inner) = self.next()?;
                    let value = self.node(event, inner, depth + 1)?;
                    pairs.push((key, value));
                }
                (anchor, tag, NodeKind::Map(pairs))
            }
            _ => (
                0,
                None,
                NodeKind::Scalar {
                    text: String::new(),
                    plain: true,
                },
            ),
        };
        let tag = tag.map(full_tag);
        let node = Rc::new(Node {
            kind,
            tag,
            line,
            column,
        });
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }
}

fn full_tag(tag: Cow<'_, Tag>) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}
