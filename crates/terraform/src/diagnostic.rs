//! What terraform finds wrong, exactly as it says it.
//!
//! The fields are those of the messages of type `diagnostic` of Terraform's machine-readable output, and of the lists that
//! `validate -json` and a failed `show -json` give.

use crate::text::{MESSAGE_LIMIT, clean, message, word};
use serde::Serialize;
use serde_json::Value as Json;
use std::fmt;

/// Values of a snippet that are kept.
const VALUES: usize = 20;

/// One finding of terraform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TerraformDiagnostic {
    /// Whether it is an error; a warning otherwise.
    pub error: bool,
    /// What is wrong, in a line.
    pub summary: String,
    /// More about it; may be empty or have several lines.
    pub detail: String,
    /// The resource that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
}

/// A place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, from the root's folder.
    pub file: String,
    /// Line, counted from 1.
    pub line: u64,
    /// Column, counted from 1.
    pub column: u64,
}

/// Lines of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// The block that they are in.
    pub context: Option<String>,
    /// The lines.
    pub code: String,
    /// The number of the first, counted from 1.
    pub start_line: u64,
    /// The marked part: bytes of `code`, from and to.
    pub marked: (usize, usize),
    /// What the names in it stand for. Terraform leaves the text of sensitive ones out.
    pub values: Vec<Value>,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// The name.
    pub name: String,
    /// What Terraform says about it: `is "x"`, `is a string`, `will be known only after apply`.
    pub statement: String,
}

impl TerraformDiagnostic {
    /// Reads the object `diagnostic` of a message. `None` when it is none.
    pub fn read(json: &Json) -> Option<Self> {
        let text = |json: &Json| json.as_str().map(message);
        Some(Self {
            error: json["severity"].as_str()? != "warning",
            summary: text(&json["summary"])?,
            detail: text(&json["detail"]).unwrap_or_default(),
            address: json["address"].as_str().filter(|a| !a.is_empty()).map(word),
            place: Place::read(&json["range"]),
            snippet: Snippet::read(&json["snippet"]),
        })
    }

    /// An error without a place.
    pub fn error(summary: &str, detail: &str) -> Self {
        Self {
            error: true,
            summary: message(summary),
            detail: message(detail),
            address: None,
            place: None,
            snippet: None,
        }
    }

    /// The findings in text for people: blocks that begin with `Error: ` or `Warning: `, with or without Terraform's
    /// frame of bars.
    pub fn in_text(text: &str) -> Vec<Self> {
        let mut found: Vec<(bool, String, String)> = Vec::new();
        for line in clean(text, MESSAGE_LIMIT).lines() {
            let line = line.trim_start_matches(['│', '╷', '╵', '|']).trim();
            if let Some(summary) = line.strip_prefix("Error: ") {
                found.push((true, summary.to_owned(), String::new()));
            } else if let Some(summary) = line.strip_prefix("Warning: ") {
                found.push((false, summary.to_owned(), String::new()));
            } else if let Some((_, _, detail)) = found.last_mut() {
                detail.push_str(line);
                detail.push('\n');
            }
        }
        found
            .into_iter()
            .map(|(error, summary, detail)| Self {
                error,
                ..Self::error(&summary, &detail)
            })
            .collect()
    }
}

impl Place {
    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            file: word(json["filename"].as_str()?),
            line: json["start"]["line"].as_u64()?,
            column: json["start"]["column"].as_u64().unwrap_or(1),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Snippet {
    fn read(json: &Json) -> Option<Self> {
        let code = json["code"].as_str()?;
        let offset = |name: &str| {
            let at = json[name].as_u64().and_then(|at| usize::try_from(at).ok());
            at.unwrap_or(0).min(code.len())
        };
        let (from, to) = (offset("highlight_start_offset"), offset("highlight_end_offset"));
        let kept = clean(code, MESSAGE_LIMIT);
        // Offsets count bytes of the text as it was.
        let marked = if kept == code && code.is_char_boundary(from) && code.is_char_boundary(to) && from <= to {
            (from, to)
        } else {
            (0, 0)
        };
        let values = json["values"].as_array().map(Vec::as_slice).unwrap_or_default();
        Some(Self {
            context: json["context"].as_str().map(word),
            code: kept,
            start_line: json["start_line"].as_u64().unwrap_or(0),
            marked,
            values: values
                .iter()
                .take(VALUES)
                .filter_map(|value| {
                    Some(Value {
                        name: word(value["traversal"].as_str()?),
                        statement: word(value["statement"].as_str()?),
                    })
                })
                .collect(),
        })
    }
}

impl fmt::Display for TerraformDiagnostic {
    /// The plain form: severity and summary, the place with its lines, the detail.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.error { "error" } else { "warning" };
        write!(f, "{word}: {}", self.summary)?;
        if let Some(address) = &self.address {
            write!(f, "\n  with {address}")?;
        }
        if let Some(place) = &self.place {
            write!(f, "\n  --> {place}")?;
            if let Some(context) = self.snippet.as_ref().and_then(|snippet| snippet.context.as_ref()) {
                write!(f, ", in {context}")?;
            }
        }
        if let Some(snippet) = &self.snippet {
            for (number, line) in (snippet.start_line..).zip(snippet.code.lines()) {
                write!(f, "\n  {number} | {line}")?;
            }
            for value in &snippet.values {
                write!(f, "\n    {} {}", value.name, value.statement)?;
            }
        }
        for line in self.detail.lines() {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_that_terraform_says_is_kept() {
        let read = TerraformDiagnostic::read(&json!({
            "severity": "error", "summary": "Resource precondition failed", "detail": "must hold",
            "address": "terraform_data.z",
            "range": {"filename": "main.tf", "start": {"line": 13, "column": 23, "byte": 275}, "end": {"line": 13, "column": 29, "byte": 281}},
            "snippet": {"context": "resource \"terraform_data\" \"z\"", "code": "      condition     = var.n == 2", "start_line": 13,
                "highlight_start_offset": 22, "highlight_end_offset": 32,
                "values": [{"traversal": "var.n", "statement": "is 1"}]}
        }))
        .expect("a diagnostic");
        assert_eq!(
            read.to_string(),
            "error: Resource precondition failed\n  with terraform_data.z\n  --> main.tf:13:23, in resource \"terraform_data\" \"z\"\n  \
             13 |       condition     = var.n == 2\n    var.n is 1\n  must hold"
        );
        let snippet = read.snippet.expect("a snippet");
        assert_eq!(&snippet.code[snippet.marked.0..snippet.marked.1], "var.n == 2");
    }

    #[test]
    fn offsets_beside_characters_mark_nothing() {
        for (code, from, to) in [("ä = 1", 1, 2), ("x", 5, 2), ("x\u{1b}[1m", 0, 3)] {
            let json =
                json!({"code": code, "start_line": 1, "highlight_start_offset": from, "highlight_end_offset": to});
            let snippet = Snippet::read(&json).expect("a snippet");
            assert!(snippet.code.get(snippet.marked.0..snippet.marked.1).is_some());
            if code != "x" {
                assert_eq!(snippet.marked, (0, 0));
            }
        }
        assert!(TerraformDiagnostic::read(&json!({"severity": "error"})).is_none());
    }

    #[test]
    fn text_for_people_is_understood() {
        let found = TerraformDiagnostic::in_text(
            "╷\n│ Warning: Old\n│ \n│ Very.\n╵\n\x1b[31m╷\n│ Error: Failed to query\n│ \n│ no such host\n╵\x1b[0m\n",
        );
        assert_eq!(found.len(), 2);
        assert!(!found[0].error && found[1].error);
        assert_eq!(found[1].summary, "Failed to query");
        assert_eq!(found[1].detail, "no such host");
    }
}
