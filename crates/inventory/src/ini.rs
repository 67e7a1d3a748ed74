//! Ansible's INI inventories: sections of hosts, children and variables, read as `ansible.builtin.ini` reads them.
//! Everything wrong in a file is reported, not only the first mistake.

use crate::address;
use crate::diagnostic::{Diagnostic, Diagnostics, Location};
use crate::graph::Graph;
use crate::python_literal::literal_or_text;
use crate::shell_words;
use crate::source_text::SourceText;
use crate::value::{Value, Var};
use indexmap::IndexMap;
use regex::Regex;
use std::path::Path;
use std::sync::LazyLock;

static SECTION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$").expect("a constant expression"));
static GROUP_NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^([^:\]\s]+)\s*(?:#.*)?$").expect("a constant expression"));

#[derive(Clone, Copy, PartialEq)]
enum Section {
    Hosts,
    Children,
    Vars,
    /// After a header that could not be read: its lines are skipped.
    Unknown,
}

/// A group that was used before it was declared.
enum Pending {
    Vars(Location),
    Child(Vec<(String, Location)>),
}

/// Reads `text` into `graph`. `origin` is what hosts report as their `inventory_file`.
pub fn parse(text: &SourceText, origin: &Path, graph: &mut Graph) -> Diagnostics {
    let mut parser = Parser {
        text,
        origin,
        graph,
        pending: IndexMap::new(),
        group: "ungrouped".to_owned(),
        section: Section::Hosts,
        found: Diagnostics::new(),
    };
    for number in 0..text.lines().len() {
        parser.line(number);
    }
    parser.finish();
    parser.found
}

struct Parser<'a> {
    text: &'a SourceText,
    origin: &'a Path,
    graph: &'a mut Graph,
    pending: IndexMap<String, Pending>,
    group: String,
    section: Section,
    found: Diagnostics,
}

/// A line without the blanks around it, and where it stands.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

impl Parser<'_> {
    /// The place of the character at `column`, counted from 0 in the trimmed line.
    fn at(&self, line: Line<'_>, column: usize) -> Location {
        self.text.at(line.number + 1, line.indent + column + 1)
    }

    fn error(&mut self, line: Line<'_>, column: usize, message: impl Into<String>, help: &str) {
        let diagnostic = Diagnostic::error(message).at(self.at(line, column)).help(help);
        self.found.push(diagnostic);
    }

    /// What a value's text means. In a decrypted file every string stays hidden.
    fn value(&self, text: &str) -> Value {
        let value = literal_or_text(text);
        if self.text.is_hidden() {
            value.into_secret()
        } else {
            value
        }
    }

    fn line(&mut self, number: usize) {
        let full = self.text.lines()[number].clone();
        let text = full.trim();
        if text.is_empty() || text.starts_with([';', '#']) {
            return;
        }
        let indent = full.chars().take_while(|c| c.is_whitespace()).count();
        let line = Line { number, indent, text };
        if let Some(found) = SECTION.captures(text) {
            let (name, kind) = (found[1].to_owned(), found.get(2).map(|m| m.as_str()));
            self.header(line, name, kind);
        } else if text.starts_with('[') && text.ends_with(']') {
            self.section = Section::Unknown;
            let message = format!("`{}` is not a section header", self.shown(text));
            self.error(
                line,
                0,
                message,
                "write [group], [group:children] or [group:vars], without spaces inside",
            );
        } else {
            match self.section {
                Section::Hosts => self.hosts(line),
                Section::Children => self.child(line),
                Section::Vars => self.variable(line),
                Section::Unknown => {}
            }
        }
    }

    fn shown<'t>(&self, text: &'t str) -> &'t str {
        if self.text.is_hidden() { "***" } else { text }
    }

    fn header(&mut self, line: Line<'_>, name: String, kind: Option<&str>) {
        self.section = match kind {
            None | Some("hosts") => Section::Hosts,
            Some("children") => Section::Children,
            Some("vars") => Section::Vars,
            Some(other) => {
                self.section = Section::Unknown;
                let message = format!("section [{name}:{other}] has the unknown type `{other}`");
                let column = name.chars().count() + 2;
                self.error(
                    line,
                    column,
                    message,
                    "a section is [group], [group:children] or [group:vars]",
                );
                return;
            }
        };
        let place = self.at(line, 1);
        if !self.graph.groups.contains_key(&*name) {
            if self.section == Section::Vars && !self.pending.contains_key(&name) {
                self.pending.insert(name.clone(), Pending::Vars(place.clone()));
            }
            self.graph.add_group(&name, Some(place));
        }
        if self.section != Section::Vars
            && let Some(Pending::Child(parents)) = self.pending.shift_remove(&name)
        {
            for (parent, place) in parents {
                self.add_child(&parent, &name, place);
            }
        }
        self.group = name;
    }

    fn add_child(&mut self, parent: &str, child: &str, place: Location) {
        if let Err(message) = self.graph.add_child(parent, child) {
            self.found.push(
                Diagnostic::error(message)
                    .at(place)
                    .help("groups may not contain each other in a circle"),
            );
        }
    }

    fn child(&mut self, line: Line<'_>) {
        let Some(found) = GROUP_NAME.captures(line.text) else {
            let message = format!("expected the name of a group, found `{}`", self.shown(line.text));
            self.error(
                line,
                0,
                message,
                "a [group:children] section holds one group name a line",
            );
            return;
        };
        let (child, parent, place) = (found[1].to_owned(), self.group.clone(), self.at(line, 0));
        if self.graph.groups.contains_key(&*child) {
            self.add_child(&parent, &child, place);
        } else if let Pending::Child(parents) = self.pending.entry(child).or_insert_with(|| Pending::Child(Vec::new()))
        {
            parents.push((parent, place));
        }
    }

    fn variable(&mut self, line: Line<'_>) {
        let Some((key, value)) = line.text.split_once('=') else {
            let message = format!(
                "expected `key=value` for a group variable, found `{}`",
                self.shown(line.text)
            );
            self.error(
                line,
                0,
                message,
                "write name=value; hosts belong into a section without `:vars`",
            );
            return;
        };
        let blanks = value.chars().take_while(|c| c.is_whitespace()).count();
        let place = self.at(line, key.chars().count() + 1 + blanks);
        let var = Var {
            value: self.value(value.trim()),
            location: Some(place.clone()),
        };
        let group = self.group.clone();
        self.set(&group, key.trim(), var, place);
    }

    fn set(&mut self, entity: &str, name: &str, var: Var, place: Location) {
        if let Err(message) = self.graph.set_variable(entity, name, var) {
            self.found.push(Diagnostic::error(message).at(place));
        }
    }

    fn hosts(&mut self, line: Line<'_>) {
        let words = match shell_words::split(line.text) {
            Ok(words) => words,
            Err(error) => {
                let message = format!("the host line cannot be split into words: {}", error.message);
                self.error(
                    line,
                    error.column,
                    message,
                    "close the quote, or put the value into the other kind of quotes",
                );
                return;
            }
        };
        let Some(first) = words.first() else {
            return;
        };
        let (names, port) = match self.names(line, &first.text) {
            Some(found) => found,
            None => return,
        };
        let mut vars = Vec::new();
        let mut faulty = false;
        for word in &words[1..] {
            match word.text.split_once('=') {
                Some((key, value)) => {
                    let place = self.at(line, word.column_after(key.chars().count() + 1));
                    let var = Var {
                        value: self.value(value),
                        location: Some(place.clone()),
                    };
                    vars.push((key.to_owned(), var, place));
                }
                None => {
                    faulty = true;
                    let message = format!(
                        "expected `key=value` for a host variable, found `{}`",
                        self.shown(&word.text)
                    );
                    self.error(
                        line,
                        word.start,
                        message,
                        "no blanks around `=`; a value with blanks needs quotes: key='a b'",
                    );
                }
            }
        }
        // The host is added even when one of its variables is wrong, so that patterns on it give no second error.
        let (group, place) = (self.group.clone(), self.at(line, first.start));
        for name in &names {
            self.graph
                .add_host(name, &group, port, Some(place.clone()), self.origin);
            for (key, var, place) in vars.iter().filter(|_| !faulty) {
                self.set(name, key, var.clone(), place.clone());
            }
        }
    }

    fn names(&mut self, line: Line<'_>, text: &str) -> Option<(Vec<String>, Option<u32>)> {
        let problem = if text.is_empty() {
            "a host needs a name".to_owned()
        } else if text.starts_with('[') && !text.contains(']') {
            "the bracket of the section header is not closed".to_owned()
        } else {
            match address::expand(text) {
                Ok((_, None)) if text.trim().ends_with(':') => {
                    "a host name cannot end with `:`, which starts a port".to_owned()
                }
                Ok((names, _)) if names.iter().any(|name| name.trim() == "---") => {
                    "`---` starts a YAML file, but this is read as an INI inventory".to_owned()
                }
                Ok(found) => return Some(found),
                Err(message) => message,
            }
        };
        self.error(
            line,
            0,
            problem,
            "a host line is `name[:port] key=value …`, ranges are `node[01:10:2]`; YAML inventories are named *.yml",
        );
        None
    }

    fn finish(&mut self) {
        for (name, pending) in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Vars(place) => self.found.push(
                    Diagnostic::error(format!("section [{name}:vars] is for the undefined group `{name}`"))
                        .at(place)
                        .help(format!("declare [{name}], which may be empty, or correct the name")),
                ),
                Pending::Child(parents) => {
                    for (parent, place) in parents {
                        let near = crate::pattern::nearest(&name, self.graph.groups.keys().map(|g| &**g));
                        let help = match near.first() {
                            Some(near) => {
                                format!("did you mean `{near}`? A group may be declared later, and be empty: [{name}]")
                            }
                            None => {
                                format!("declare [{name}], which may be empty, or correct the name")
                            }
                        };
                        self.found.push(
                            Diagnostic::error(format!(
                                "section [{parent}:children] includes the undefined group `{name}`"
                            ))
                            .at(place)
                            .help(help),
                        );
                    }
                }
            }
        }
    }
}
