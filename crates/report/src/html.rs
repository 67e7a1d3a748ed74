//! A run as one HTML page that needs nothing else: hosts and tasks, failures, differences. No script, no link, nothing
//! loaded; everything from a host or an input is escaped.

use crate::diff;
use crate::file::PrivateFile;
use crate::junit::escape;
use crate::lines::status_word;
use crate::paint::Paint;
use crate::summary::{FinishedTask, Summary, task_name};
use crate::text::{count, duration};
use crate::{RenderError, Renderer};
use mosip_prov_events::{Event, Failure, TaskStatus};
use std::fmt::Write;
use std::path::Path;

const STYLE: &str = include_str!("html.css");

/// Gathers the run and writes the page when it is over.
pub struct HtmlReport {
    file: PrivateFile,
    run: Summary,
}

impl HtmlReport {
    /// Creates or empties `path`, mode 0600: that it cannot be written is known before the run.
    pub fn create(path: &Path) -> Result<Self, RenderError> {
        Ok(Self {
            file: PrivateFile::create(path)?,
            run: Summary::of_all_tasks(),
        })
    }
}

impl Renderer for HtmlReport {
    fn event(&mut self, event: &Event) -> Result<(), RenderError> {
        self.run.add(event);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), RenderError> {
        self.file.write(&render(&self.run))
    }
}

/// The whole page.
fn render(run: &Summary) -> String {
    let title = escape(&run.playbooks.join(", "));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<h1>{title}</h1>\n"
    );
    heading(&mut page, run);
    hosts(&mut page, run);
    problems(&mut page, run);
    matrix(&mut page, run);
    changes(&mut page, run);
    page.push_str("</body>\n</html>\n");
    page
}

fn heading(page: &mut String, run: &Summary) {
    if run.check {
        page.push_str("<p class=\"unknown\">Check mode: nothing was changed; this is what would be.</p>\n");
    }
    page.push_str("<p>");
    if let Some(started) = run.started {
        let _ = write!(page, "Began {}. ", started.strftime("%Y-%m-%d %H:%M:%S UTC"));
    }
    match &run.ending {
        Some(ending) => {
            let _ = write!(page, "Took {}. ", duration(ending.milliseconds));
            if ending.interrupted {
                page.push_str("<strong class=\"failed\">Interrupted.</strong> ");
            }
        }
        None => page.push_str("<strong class=\"failed\">The run did not come to its end.</strong> "),
    }
    let _ = writeln!(page, "mosip-prov {}</p>", escape(&run.program));
}

fn hosts(page: &mut String, run: &Summary) {
    page.push_str("<h2>Hosts</h2>\n<table>\n<tr><th>host</th>");
    for name in [
        "ok",
        "changed",
        "failed",
        "skipped",
        "unreachable",
        "unknown",
        "ignored",
        "exchanges",
        "time",
    ] {
        let _ = write!(page, "<th>{name}</th>");
    }
    page.push_str("</tr>\n");
    for (host, counts) in run.counts() {
        let _ = write!(page, "<tr><th>{}</th>", escape(host));
        for (class, value) in [
            ("ok", counts.ok),
            ("changed", counts.changed),
            ("failed", counts.failed),
            ("skipped", counts.skipped),
            ("failed", counts.unreachable),
            ("unknown", counts.unknown),
            ("unknown", counts.ignored),
        ] {
            let class = if value == 0 { "none" } else { class };
            let _ = write!(page, "<td class=\"{class}\">{value}</td>");
        }
        let exchanges = run.ending.as_ref().and_then(|e| e.exchanges.get(host)).unwrap_or(&0);
        let took = run.milliseconds_of(host).map_or("-".to_owned(), duration);
        let _ = writeln!(page, "<td>{exchanges}</td><td>{took}</td></tr>");
    }
    page.push_str("</table>\n");
}

fn problems(page: &mut String, run: &Summary) {
    let mut section = String::new();
    for task in run.tasks.iter().filter(|t| t.status == TaskStatus::Failed) {
        let word = if task.ignored { "ignored" } else { "failed" };
        let name = format!("{}: {}", task.task.host, task_name(&task.task));
        failure(&mut section, word, &name, task.error.as_ref(), &task.reason);
    }
    for (host, error) in &run.unreachable {
        failure(&mut section, "unreachable", host, Some(error), "");
    }
    for (host, error) in &run.refused {
        failure(&mut section, "refused", host, Some(error), "");
    }
    for task in &run.interrupted {
        let name = format!("{}: {}", task.host, task_name(task));
        failure(
            &mut section,
            "interrupted",
            &name,
            None,
            "was running or is still to be finished",
        );
    }
    if !section.is_empty() {
        let _ = write!(page, "<h2>Failures</h2>\n{section}");
    }
    if !run.warnings.is_empty() {
        page.push_str("<h2>Warnings</h2>\n<ul>\n");
        for (host, message) in &run.warnings {
            let host = host.as_ref().map(|h| format!("{h}: ")).unwrap_or_default();
            let _ = writeln!(page, "<li>{}</li>", escape(&format!("{host}{message}")));
        }
        page.push_str("</ul>\n");
    }
}

fn failure(page: &mut String, word: &str, name: &str, error: Option<&Failure>, reason: &str) {
    let _ = writeln!(
        page,
        "<section class=\"problem\"><h3><span class=\"failed\">{word}</span> {}</h3>",
        escape(name)
    );
    let _ = writeln!(page, "<p>{}</p>", escape(error.map_or(reason, |e| &e.message)));
    if let Some(error) = error {
        if let Some(status) = error.status {
            let _ = writeln!(page, "<p>Exit status {status}</p>");
        }
        if let Some(detail) = &error.detail {
            let _ = writeln!(page, "<pre>{}</pre>", escape(detail));
        }
        if let Some(help) = &error.help {
            let _ = writeln!(page, "<p class=\"help\">{}</p>", escape(help));
        }
    }
    page.push_str("</section>\n");
}

/// Tasks down, hosts across. Tasks stand in the order in which they first ended.
fn matrix(page: &mut String, run: &Summary) {
    let mut rows: Vec<(&str, String)> = Vec::new();
    for task in &run.tasks {
        let row = (task.task.play.as_str(), task_name(&task.task));
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return;
    }
    page.push_str("<h2>Tasks</h2>\n<div class=\"wide\"><table>\n<tr><th>task</th>");
    for host in &run.hosts {
        let _ = write!(page, "<th>{}</th>", escape(host));
    }
    page.push_str("</tr>\n");
    let mut play = "";
    for (of_play, name) in rows {
        if of_play != play {
            play = of_play;
            let _ = writeln!(
                page,
                "<tr><th class=\"play\" colspan=\"{}\">{}</th></tr>",
                run.hosts.len() + 1,
                escape(play)
            );
        }
        let _ = write!(page, "<tr><th>{}</th>", escape(&name));
        for host in &run.hosts {
            let task = run
                .tasks
                .iter()
                .rfind(|t| t.task.host == *host && t.task.play == of_play && task_name(&t.task) == name);
            match task {
                Some(task) => {
                    let _ = write!(
                        page,
                        "<td class=\"{}\" title=\"{}\">{}</td>",
                        class(task),
                        escape(&task.reason),
                        status_word(task.status, run.check).1
                    );
                }
                None => page.push_str("<td></td>"),
            }
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

fn changes(page: &mut String, run: &Summary) {
    let changed: Vec<_> = run.tasks.iter().filter(|t| !t.differences.is_empty()).collect();
    if changed.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "<h2>{}</h2>\n<p>{}</p>",
        if run.check { "What would change" } else { "What changed" },
        count(changed.len(), "task")
    );
    for task in changed {
        let _ = writeln!(
            page,
            "<details><summary><strong>{}</strong> {}: {}</summary>\n<pre>",
            escape(&task.task.host),
            escape(&task_name(&task.task)),
            escape(&task.reason)
        );
        for line in task.differences.iter().flat_map(|d| diff::render(d, Paint::new(false))) {
            let text = escape(&line);
            let _ = match line.chars().next() {
                Some('+') => writeln!(page, "<ins>{text}</ins>"),
                Some('-') => writeln!(page, "<del>{text}</del>"),
                _ => writeln!(page, "{text}"),
            };
        }
        page.push_str("</pre></details>\n");
    }
}

fn class(task: &FinishedTask) -> &'static str {
    match task.status {
        TaskStatus::Ok => "ok",
        TaskStatus::Changed => "changed",
        TaskStatus::Unknown => "unknown",
        TaskStatus::Skipped => "skipped",
        TaskStatus::Failed if task.ignored => "unknown",
        TaskStatus::Failed => "failed",
    }
}
