//! A run as JUnit XML, for continuous integration: a test suite a host, a test case a task. The format is the one that
//! Jenkins, GitLab and GitHub's reporters read (`testsuites/testsuite/testcase` with `failure`, `skipped`, `error`).

use crate::file::PrivateFile;
use crate::summary::{FinishedTask, Summary};
use crate::text::neutral;
use crate::{RenderError, Renderer};
use mosip_prov_events::{Event, Failure, TaskStatus};
use std::fmt::Write;
use std::path::Path;

/// Gathers the run and writes the file when it is over.
pub struct JunitReport {
    file: PrivateFile,
    run: Summary,
}

impl JunitReport {
    /// Creates or empties `path`, mode 0600: that it cannot be written is known before the run.
    pub fn create(path: &Path) -> Result<Self, RenderError> {
        Ok(Self {
            file: PrivateFile::create(path)?,
            run: Summary::of_all_tasks(),
        })
    }
}

impl Renderer for JunitReport {
    fn event(&mut self, event: &Event) -> Result<(), RenderError> {
        self.run.add(event);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), RenderError> {
        self.file.write(&render(&self.run))
    }
}

/// The whole document.
fn render(run: &Summary) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let total = run.ending.as_ref().map_or(0, |e| e.milliseconds);
    let _ = writeln!(
        xml,
        "<testsuites name=\"{}\" time=\"{}\">",
        escape(&run.playbooks.join(", ")),
        seconds(total)
    );
    let mut hosts: Vec<&str> = run.hosts.iter().map(String::as_str).collect();
    for task in &run.tasks {
        if !hosts.contains(&task.task.host.as_str()) {
            hosts.push(&task.task.host);
        }
    }
    for host in hosts {
        suite(&mut xml, run, host);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(xml: &mut String, run: &Summary, host: &str) {
    let tasks: Vec<_> = run.tasks.iter().filter(|t| t.task.host == host).collect();
    let unreachable = run.unreachable.iter().map(|(h, e)| (h, "unreachable", e));
    let refused = run.refused.iter().map(|(h, e)| (h, "refused", e));
    let lost: Vec<_> = unreachable.chain(refused).filter(|(h, ..)| *h == host).collect();
    let failed = tasks.iter().filter(|t| is_failure(t)).count();
    let skipped = tasks.iter().filter(|t| is_skipped(t)).count();
    let _ = write!(
        xml,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"{}\" skipped=\"{skipped}\" time=\"{}\"",
        escape(host),
        tasks.len() + lost.len(),
        lost.len(),
        seconds(run.milliseconds_of(host).unwrap_or(0)),
    );
    if let Some(started) = run.started {
        let _ = write!(xml, " timestamp=\"{started}\"");
    }
    xml.push_str(">\n");
    for (_, word, error) in lost {
        let _ = writeln!(
            xml,
            "    <testcase classname=\"{}\" name=\"connection\" time=\"0.000\">",
            escape(host)
        );
        problem(xml, "error", word, error);
        xml.push_str("    </testcase>\n");
    }
    for task in tasks {
        case(xml, run.check, task);
    }
    xml.push_str("  </testsuite>\n");
}

fn case(xml: &mut String, check: bool, task: &FinishedTask) {
    let class = format!("{}.{}", task.task.play, task.task.role);
    let _ = write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        escape(&class),
        escape(&task.task.task),
        seconds(task.milliseconds)
    );
    match (task.status, &task.error) {
        (TaskStatus::Failed, error) if !task.ignored => {
            xml.push_str(">\n");
            let unnamed = Failure {
                message: task.reason.clone(),
                detail: None,
                status: None,
                help: None,
            };
            problem(xml, "failure", "failed", error.as_ref().unwrap_or(&unnamed));
            xml.push_str("    </testcase>\n");
        }
        (TaskStatus::Skipped | TaskStatus::Unknown, _) => {
            let _ = write!(
                xml,
                ">\n      <skipped message=\"{}\"/>\n    </testcase>\n",
                escape(&task.reason)
            );
        }
        (TaskStatus::Changed, _) => {
            let word = if check { "would change" } else { "changed" };
            let text = escape(&format!("{word}: {}", task.reason));
            let _ = write!(xml, ">\n      <system-out>{text}</system-out>\n    </testcase>\n");
        }
        (TaskStatus::Ok | TaskStatus::Failed, error) => {
            let text = match error {
                Some(error) => format!("ignored: {}", error.message),
                None => task.reason.clone(),
            };
            let _ = write!(
                xml,
                ">\n      <system-out>{}</system-out>\n    </testcase>\n",
                escape(&text)
            );
        }
    }
}

fn problem(xml: &mut String, element: &str, kind: &str, error: &Failure) {
    let mut text = error.detail.clone().unwrap_or_default();
    if let Some(status) = error.status {
        let _ = write!(text, "\nexit status {status}");
    }
    if let Some(help) = &error.help {
        let _ = write!(text, "\nhelp: {help}");
    }
    let _ = writeln!(
        xml,
        "      <{element} type=\"{kind}\" message=\"{}\">{}</{element}>",
        escape(&error.message),
        escape(text.trim_start())
    );
}

fn is_failure(task: &FinishedTask) -> bool {
    task.status == TaskStatus::Failed && !task.ignored
}

fn is_skipped(task: &FinishedTask) -> bool {
    matches!(task.status, TaskStatus::Skipped | TaskStatus::Unknown)
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// Escapes for XML and HTML, in text and in attributes. Control characters, which XML forbids, were made visible.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in neutral(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
