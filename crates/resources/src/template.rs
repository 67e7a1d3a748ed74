//! A file whose content is rendered from a template and a typed context. Templates are usually `include_str!`ed files
//! of the role.
//!
//! Rendering is as Ansible's: the newline after a block tag is dropped, the last newline is kept. An undefined variable
//! is an error that names the template and line.

use crate::file::File;
use crate::source::Source;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use mosip_prov_engine::{Content, DecideError};
use serde::Serialize;

/// A template that could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template {name}{}: {reason}", .line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct TemplateError {
    /// The template's name.
    pub name: String,
    /// The line at fault, from 1, where that is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl From<TemplateError> for DecideError {
    fn from(error: TemplateError) -> Self {
        Self::impossible(error.to_string())
    }
}

/// Renders `text`, a template called `name` in errors, with the fields of `context`.
pub fn render(name: &str, text: &str, context: &impl Serialize) -> Result<String, TemplateError> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .keep_trailing_newline(true)
        .build();
    environment.set_syntax(syntax.map_err(|error| TemplateError {
        name: name.to_owned(),
        line: None,
        reason: error.to_string(),
    })?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let rendered = environment
        .template_from_named_str(name, text)
        .and_then(|template| template.render(Serde(context)));
    rendered.map_err(|error| {
        let reason = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        TemplateError {
            name: name.to_owned(),
            line: error.line(),
            reason,
        }
    })
}

/// Makes [`File`]s from templates.
#[derive(Debug, Clone, Copy)]
pub struct Template;

impl Template {
    /// A file at `path` with `text` (called `name` in errors) rendered with `context`. Errors are those of [`render`].
    pub fn file(
        path: impl Into<String>,
        name: &str,
        text: &str,
        context: &impl Serialize,
    ) -> Result<File, TemplateError> {
        Ok(File::content(path, render(name, text, context)?))
    }

    /// A content that is rendered while deciding, with what `context` makes of the host's facts.
    pub fn from_facts<C: Serialize>(
        name: &'static str,
        text: &'static str,
        context: impl Fn(&crate::Facts) -> Result<C, String> + Send + Sync + 'static,
    ) -> Source {
        use crate::probe::facts::AskFacts;
        use mosip_prov_engine::Ask;
        Source::computed(vec![AskFacts.question()], move |answers| {
            let facts = answers.get(&AskFacts)?;
            let context = context(&facts).map_err(DecideError::impossible)?;
            Ok(Content::public(render(name, text, &context)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_renders_as_ansible_does() {
        let context = BTreeMap::from([("names", vec!["a", "b<"])]);
        let text = "{% for name in names %}\nserver {{ name }};\n{% endfor %}\n";
        assert_eq!(render("x", text, &context).expect("renders"), "server a;\nserver b<;\n");
    }

    #[test]
    fn an_undefined_variable_is_named_with_its_line() {
        let context: BTreeMap<&str, &str> = BTreeMap::new();
        let error = render("nginx.conf", "a\n{{ nowhere }}\n", &context).expect_err("undefined");
        assert_eq!((error.name.as_str(), error.line), ("nginx.conf", Some(2)));
        assert!(
            error
                .to_string()
                .starts_with("template nginx.conf, line 2: undefined value"),
            "{error}"
        );
    }
}
