//! What is wrong with the inputs, shown all at once: the place, the line with the mistake marked, what to do.

use crate::output::{Look, complain};
use mosip_prov::inventory::diagnostic::{Diagnostic, Location};
use mosip_prov_report::paint::{Paint, Tone};
use mosip_prov_report::text::{count, neutral_line, width};

/// Columns of a source line shown at most; a longer one is cut around the mistake.
const LINE_COLUMNS: usize = 120;
/// Parts of names whose values are never shown.
const SECRET_NAMES: [&str; 8] = [
    // Whoever has it can join the cluster to a Rancher, or see its manifest with the token.
    "import_url",
    "pass",
    "secret",
    "token",
    "private_key",
    "apikey",
    "api_key",
    "credential",
];

/// Writes all of `found` to standard error: errors first, each group by file and line, and the counts at the end.
pub fn report(found: &[Diagnostic], look: &Look) {
    if !found.is_empty() {
        complain(&render(found, Paint::new(look.color_err)));
    }
}

/// The text of it.
pub fn render(found: &[Diagnostic], paint: Paint) -> String {
    let mut sorted: Vec<&Diagnostic> = found.iter().collect();
    sorted.sort_by_key(|d| {
        let place = d.location.as_ref().map(|l| (l.file.clone(), l.line, l.column));
        (!d.is_error(), place)
    });
    sorted.dedup();
    let mut blocks: Vec<String> = sorted.iter().map(|d| one(d, paint)).collect();
    let errors = sorted.iter().filter(|d| d.is_error()).count();
    let warnings = sorted.len() - errors;
    if errors > 0 {
        let mut counts = count(errors, "error");
        if warnings > 0 {
            counts = format!("{counts}, {}", count(warnings, "warning"));
        }
        blocks.push(paint.tone(Tone::Strong, &format!("{counts}; nothing was connected to")));
    }
    blocks.join("\n\n")
}

fn one(diagnostic: &Diagnostic, paint: Paint) -> String {
    let (word, tone) = match diagnostic.is_error() {
        true => ("error", Tone::Bad),
        false => ("warning", Tone::Notice),
    };
    let message = paint.tone(Tone::Strong, &format!(": {}", neutral_line(&diagnostic.message)));
    let mut lines = vec![format!("{}{message}", paint.tone(tone, word))];
    let places: Vec<(&Location, Option<&str>)> = diagnostic
        .location
        .iter()
        .map(|l| (l, None))
        .chain(diagnostic.related.iter().map(|(l, what)| (l, Some(what.as_str()))))
        .collect();
    let gutter = places.iter().map(|(l, _)| l.line.to_string().len()).max().unwrap_or(1);
    for (location, what) in &places {
        place(&mut lines, location, *what, gutter, tone, paint);
    }
    if let Some(help) = &diagnostic.help {
        let sign = if places.is_empty() { "  " } else { "= " };
        let gutter = if places.is_empty() { 0 } else { gutter + 1 };
        lines.push(format!(
            "{}{}{} {}",
            " ".repeat(gutter),
            paint.tone(Tone::Place, sign),
            paint.tone(Tone::Strong, "help:"),
            neutral_line(help)
        ));
    }
    lines.join("\n")
}

fn place(lines: &mut Vec<String>, location: &Location, what: Option<&str>, gutter: usize, tone: Tone, paint: Paint) {
    let what = what.map(|w| format!(" ({})", neutral_line(w))).unwrap_or_default();
    let indent = " ".repeat(gutter);
    lines.push(format!(
        "{indent}{} {}{what}",
        paint.tone(Tone::Place, "-->"),
        neutral_line(&location.to_string())
    ));
    let Some(text) = location.text.as_deref().filter(|_| location.line > 0) else {
        return;
    };
    let bar = paint.tone(Tone::Place, "|");
    let (text, caret) = excerpt(text, location.column as usize);
    lines.push(format!("{indent} {bar}"));
    lines.push(format!(
        "{} {bar} {text}",
        paint.tone(Tone::Place, &format!("{:>gutter$}", location.line))
    ));
    if let Some(caret) = caret {
        lines.push(format!("{indent} {bar} {}{}", " ".repeat(caret), paint.tone(tone, "^")));
    }
}

/// The line as it may be shown, and how many columns before the caret. `column` counts characters from 1; 0 is none.
fn excerpt(line: &str, column: usize) -> (String, Option<usize>) {
    let shown = masked(line);
    let chars: Vec<char> = shown.chars().collect();
    let at = column.checked_sub(1).filter(|at| *at <= chars.len());
    let mut from = 0;
    if chars.len() > LINE_COLUMNS {
        from = at.unwrap_or(0).saturating_sub(LINE_COLUMNS / 2);
    }
    let to = chars.len().min(from + LINE_COLUMNS);
    let part = |range: std::ops::Range<usize>| neutral_line_keeping_spaces(&chars[range].iter().collect::<String>());
    let before = if from > 0 { "..." } else { "" };
    let after = if to < chars.len() { "..." } else { "" };
    let caret = at.map(|at| width(before) + width(&part(from..at)));
    (
        format!("{before}{}{after}", part(from..to)).trim_end().to_owned(),
        caret,
    )
}

fn neutral_line_keeping_spaces(text: &str) -> String {
    mosip_prov_report::text::neutral(text).replace('\n', " ")
}

/// The line with the value of a variable that sounds like a secret left out, whatever was wrong with it.
fn masked(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut best: Option<usize> = None;
    for name in SECRET_NAMES {
        for (start, _) in lower.match_indices(name) {
            // The rest of the name, then the sign between name and value.
            let rest = &line[start..];
            let Some(sign) = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '"' | '\''))) else {
                continue;
            };
            let after = rest[sign..].trim_start();
            if !after.starts_with(['=', ':']) || is_harmless(&rest[..sign]) {
                continue;
            }
            let value = line.len() - after.len() + 1;
            if !line[value..].trim().is_empty() {
                best = Some(best.map_or(value, |b| b.min(value)));
            }
        }
    }
    match best {
        Some(value) => {
            let space = if line[value..].starts_with(' ') { " " } else { "" };
            format!("{}{space}***", &line[..value])
        }
        None => line.to_owned(),
    }
}

/// Names that speak of a secret but hold the path of its file.
fn is_harmless(name: &str) -> bool {
    name.ends_with("_file") || name.ends_with("_path")
}

/// True when a variable of that name holds a secret by its sound.
pub fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !is_harmless(&lower) && SECRET_NAMES.iter().any(|part| lower.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::sync::Arc;

    fn at(file: &str, line: u32, column: u32, text: &str) -> Location {
        Location::at(Arc::from(Path::new(file)), line, column, Some(Arc::from(text)))
    }

    fn shown(found: &[Diagnostic]) -> String {
        render(found, Paint::new(false))
    }

    #[test]
    fn errors_first_by_place_and_counted() {
        let found = [
            Diagnostic::warning("duplicate key `a`")
                .at(at("group_vars/all.yml", 7, 1, "a: 2"))
                .related(at("group_vars/all.yml", 3, 1, "a: 1"), "first here"),
            Diagnostic::error("`172.16.50.` is no address")
                .at(at("hosts.ini", 12, 18, "vm1 ansible_host=172.16.50."))
                .help("write all four parts"),
            Diagnostic::error("no playbook `deploy-ngin`").help("did you mean `deploy-nginx`?"),
        ];
        assert_eq!(
            shown(&found),
            "error: no playbook `deploy-ngin`
  help: did you mean `deploy-nginx`?

error: `172.16.50.` is no address
  --> hosts.ini:12:18
   |
12 | vm1 ansible_host=172.16.50.
   |                  ^
   = help: write all four parts

warning: duplicate key `a`
 --> group_vars/all.yml:7:1
  |
7 | a: 2
  | ^
 --> group_vars/all.yml:3:1 (first here)
  |
3 | a: 1
  | ^

2 errors, 1 warning; nothing was connected to"
        );
    }

    #[test]
    fn warnings_alone_have_no_count() {
        assert_eq!(shown(&[Diagnostic::warning("w")]), "warning: w");
    }

    #[test]
    fn values_of_secrets_are_left_out() {
        for (line, safe) in [
            (
                "vm1 ansible_become_password=hunter2 x=1",
                "vm1 ansible_become_password=***",
            ),
            ("db_password: \"hunter2\"", "db_password: ***"),
            ("  \"api_token\" : hunter2", "  \"api_token\" :***"),
            (
                "ansible_ssh_private_key_file=~/.ssh/id",
                "ansible_ssh_private_key_file=~/.ssh/id",
            ),
            (
                "node_ip: 10.0.0.1 # not a password",
                "node_ip: 10.0.0.1 # not a password",
            ),
        ] {
            let masked = masked(line);
            assert!(!masked.contains("hunter2"), "{masked}");
            assert_eq!(masked.replace(" ***", "***"), safe.replace(" ***", "***"));
        }
    }

    #[test]
    fn the_caret_stands_under_its_character() {
        let (text, caret) = excerpt("\tä日x: 1", 4);
        assert_eq!((text.as_str(), caret), (" ä日x: 1", Some(4)));
        let long = format!("{}X{}", "a".repeat(300), "b".repeat(300));
        let (text, caret) = excerpt(&long, 301);
        assert_eq!(text.chars().nth(caret.unwrap()), Some('X'));
        assert!(text.len() < 140);
        assert_eq!(excerpt("short", 40).1, None);
    }

    #[test]
    fn a_file_cannot_steer_the_terminal() {
        let text = shown(&[Diagnostic::error("bad \x1b[2J").at(at("x", 1, 1, "\x1b]0;t\x07"))]);
        assert!(!text.contains('\x1b') && !text.contains('\x07'));
    }
}
