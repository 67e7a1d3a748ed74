//! The end of a run, for a person at two in the morning: one line a host, the failures once more, what to do next.

use crate::lines::{failure_rest, first_line};
use crate::paint::{Paint, Tone};
use crate::summary::{FinishedTask, Summary, task_name};
use crate::text::{count, cut, duration, neutral_line, pad, width};
use mosip_prov_events::{Counts, Failure};

/// How the recap is written.
pub(crate) struct RecapStyle<'a> {
    pub(crate) paint: Paint,
    pub(crate) verbosity: u8,
    /// `ok=23 changed=0` in each line, for pipes and `grep`; otherwise a table with a heading.
    pub(crate) labelled: bool,
    /// The command that ran, without `--limit`.
    pub(crate) command: Option<&'a str>,
    /// The command that ran, as it was.
    pub(crate) same_command: Option<&'a str>,
    /// The command that makes the changes a check run has shown.
    pub(crate) apply_command: Option<&'a str>,
}

/// A column: its name, and the value of a host.
struct Column {
    name: &'static str,
    tone: Tone,
    value: fn(&Counts) -> u32,
    always: bool,
}

const COLUMNS: [Column; 8] = [
    column("ok", Tone::Good, |c| c.ok, true),
    column("changed", Tone::Changed, |c| c.changed, true),
    column("failed", Tone::Bad, |c| c.failed, true),
    column("skipped", Tone::Skipped, |c| c.skipped, true),
    column("unreachable", Tone::Bad, |c| c.unreachable, true),
    column("refused", Tone::Bad, |c| c.refused, false),
    column("unknown", Tone::Notice, |c| c.unknown, false),
    column("ignored", Tone::Notice, |c| c.ignored, false),
];

const fn column(name: &'static str, tone: Tone, value: fn(&Counts) -> u32, always: bool) -> Column {
    Column {
        name,
        tone,
        value,
        always,
    }
}

/// A host's line.
struct Row {
    host: String,
    outcome: (&'static str, Tone),
    cells: Vec<(String, Tone)>,
}

/// The lines of the recap. Empty when the run has not ended.
pub(crate) fn render(run: &Summary, style: &RecapStyle<'_>) -> Vec<String> {
    let Some(ending) = &run.ending else {
        return Vec::new();
    };
    let paint = style.paint;
    let mut title = format!(
        "RECAP {} in {}",
        neutral_line(&run.playbooks.join(", ")),
        duration(ending.milliseconds)
    );
    if run.check {
        title.push_str(" (check mode: nothing was changed)");
    }
    if ending.interrupted {
        title.push_str(" (interrupted)");
    }
    let mut lines = vec![String::new(), paint.tone(Tone::Strong, &title)];
    lines.extend(table(run, style));
    lines.extend(failures(run, style));
    let next = next(run, style);
    if !next.is_empty() {
        lines.push(String::new());
        lines.extend(next);
    }
    lines
}

fn table(run: &Summary, style: &RecapStyle<'_>) -> Vec<String> {
    let paint = style.paint;
    let hosts = run.counts();
    let exchanges = run.ending.as_ref().map(|e| &e.exchanges);
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|c| c.always || (run.check && c.name == "unknown") || hosts.iter().any(|(_, n)| (c.value)(n) > 0))
        .collect();
    let rows: Vec<Row> = hosts
        .iter()
        .map(|(host, counts)| {
            let mut cells: Vec<_> = columns
                .iter()
                .map(|c| {
                    let value = (c.value)(counts);
                    let tone = if value == 0 { Tone::Faint } else { c.tone };
                    (cell(style.labelled, c.name, &value.to_string()), tone)
                })
                .collect();
            let trips = exchanges.and_then(|e| e.get(*host)).copied().unwrap_or(0);
            cells.push((cell(style.labelled, "exchanges", &trips.to_string()), Tone::Faint));
            let took = run.milliseconds_of(host).map_or("-".to_owned(), duration);
            cells.push((cell(style.labelled, "time", &took), Tone::Faint));
            Row {
                host: neutral_line(host),
                outcome: outcome(run, host, counts),
                cells,
            }
        })
        .collect();
    let mut headings: Vec<&str> = columns.iter().map(|c| c.name).collect();
    headings.extend(["exchanges", "time"]);
    let host_columns = rows.iter().map(|r| width(&r.host)).max().unwrap_or(0).clamp(4, 40);
    let outcome_columns = rows.iter().map(|r| width(r.outcome.0)).max().unwrap_or(0).max(6);
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(i, heading)| {
            let least = if style.labelled { 0 } else { width(heading) };
            rows.iter().map(|r| width(&r.cells[i].0)).max().unwrap_or(0).max(least)
        })
        .collect();
    let mut lines = Vec::new();
    if !style.labelled && !rows.is_empty() {
        let mut line = format!("{}  {}", pad("host", host_columns), pad("result", outcome_columns));
        for (heading, columns) in headings.iter().zip(&widths) {
            line.push_str(&format!("  {heading:>columns$}"));
        }
        lines.push(paint.tone(Tone::Faint, &line));
    }
    for Row {
        host,
        outcome: (word, tone),
        cells,
    } in &rows
    {
        let mut line = format!(
            "{}  {}",
            paint.tone(Tone::Strong, &pad(&cut(host, host_columns), host_columns)),
            paint.tone(*tone, &pad(word, outcome_columns))
        );
        for ((text, tone), columns) in cells.iter().zip(&widths) {
            let fill = " ".repeat(columns.saturating_sub(width(text)));
            let text = paint.tone(*tone, text);
            line.push_str(&if style.labelled {
                format!("  {text}{fill}")
            } else {
                format!("  {fill}{text}")
            });
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

fn cell(labelled: bool, name: &str, value: &str) -> String {
    if labelled {
        // A time has spaces in it; as a labelled value it must stay one word.
        format!("{name}={}", value.replace(' ', ""))
    } else {
        value.to_owned()
    }
}

fn outcome(run: &Summary, host: &str, counts: &Counts) -> (&'static str, Tone) {
    if counts.unreachable > 0 {
        ("UNREACHABLE", Tone::Bad)
    } else if counts.refused > 0 {
        ("REFUSED", Tone::Bad)
    } else if counts.failed > 0 {
        ("FAILED", Tone::Bad)
    } else if run.was_interrupted(host) {
        ("interrupted", Tone::Bad)
    } else if counts.changed > 0 && run.check {
        ("would change", Tone::Changed)
    } else if counts.changed > 0 {
        ("changed", Tone::Changed)
    } else if counts.unknown > 0 {
        ("unknown", Tone::Notice)
    } else {
        ("ok", Tone::Good)
    }
}

fn failures(run: &Summary, style: &RecapStyle<'_>) -> Vec<String> {
    let paint = style.paint;
    let mut lines = Vec::new();
    for (hosts, failed) in alike(run) {
        let hosts: Vec<String> = hosts.into_iter().map(neutral_line).collect();
        let heading = format!("{}  {}", hosts.join(", "), task_name(&failed.task));
        lines.extend(failure(
            &heading,
            "FAILED",
            failed.error.as_ref(),
            &failed.reason,
            style,
        ));
    }
    for (host, error) in &run.unreachable {
        lines.extend(failure(&neutral_line(host), "UNREACHABLE", Some(error), "", style));
    }
    for (host, error) in &run.refused {
        lines.extend(failure(&neutral_line(host), "REFUSED", Some(error), "", style));
    }
    if !run.interrupted.is_empty() {
        lines.push(String::new());
    }
    for task in &run.interrupted {
        lines.push(format!(
            "{}  {}  {}",
            paint.tone(Tone::Bad, "INTERRUPTED"),
            neutral_line(&task.host),
            task_name(task)
        ));
    }
    lines
}

/// The failures, those that say the same of several hosts together.
fn alike(run: &Summary) -> Vec<(Vec<&str>, &FinishedTask)> {
    let mut all: Vec<(Vec<&str>, &FinishedTask)> = Vec::new();
    for failed in run.failures() {
        let same = |(_, other): &&mut (Vec<&str>, &FinishedTask)| {
            task_name(&other.task) == task_name(&failed.task)
                && other.error == failed.error
                && other.reason == failed.reason
        };
        match all.iter_mut().find(same) {
            Some((hosts, _)) => hosts.push(&failed.task.host),
            None => all.push((vec![&failed.task.host], failed)),
        }
    }
    all
}

fn failure(heading: &str, word: &str, error: Option<&Failure>, reason: &str, style: &RecapStyle<'_>) -> Vec<String> {
    let message = error.map_or(reason, |e| &e.message);
    let mut lines = vec![
        String::new(),
        format!("{}  {heading}", style.paint.tone(Tone::Bad, word)),
        format!("    {}", first_line(message)),
    ];
    let rest = error.map(|e| failure_rest(e, style.verbosity, style.paint));
    lines.extend(rest.into_iter().flatten().map(|line| format!("    {line}")));
    lines
}

fn next(run: &Summary, style: &RecapStyle<'_>) -> Vec<String> {
    let hosts = run.counts();
    let wrong: Vec<&str> = hosts
        .iter()
        .filter(|(_, c)| c.failed > 0 || c.unreachable > 0)
        .map(|(host, _)| *host)
        .collect();
    let interrupted = run.ending.as_ref().is_some_and(|e| e.interrupted);
    let changes = hosts.iter().filter(|(_, c)| c.changed > 0).count();
    let mut lines = Vec::new();
    if interrupted {
        lines.push(
            "Run the same command again: what is right already is left alone, what was left running is waited for."
                .into(),
        );
        lines.extend(style.same_command.map(|command| format!("  {command}")));
    } else if !run.refused.is_empty() {
        let others = match wrong.len() {
            0 => String::new(),
            some => format!(
                " {} did not get to the end: correct what is named above.",
                count(some, "other host")
            ),
        };
        lines.push(format!(
            "{} left as it was, since the plan does not fit any more.{others} Plan again:",
            count(run.refused.len(), "host")
        ));
        lines.extend(style.apply_command.map(|command| format!("  {command}")));
    } else if !wrong.is_empty() {
        lines.push(format!(
            "{} did not get to the end. Correct what is named above, then run {} again:",
            count(wrong.len(), "host"),
            if wrong.len() == 1 { "it" } else { "them" }
        ));
        let limit = format!("--limit {}", neutral_line(&wrong.join(",")));
        lines.push(match (style.command, style.same_command) {
            (_, Some(same)) if wrong.len() == hosts.len() => format!("  {same}"),
            (Some(command), _) => format!("  {command} {limit}"),
            (None, _) => format!("  the same command with {limit}"),
        });
    } else if run.check && changes > 0 {
        lines.push(format!(
            "{} would change. To make these changes:",
            count(changes, "host")
        ));
        lines.extend(style.apply_command.map(|command| format!("  {command}")));
        if style.apply_command.is_none() {
            lines.push("  the same without check mode".into());
        }
    } else if changes == 0 && !hosts.is_empty() && hosts.iter().all(|(_, c)| c.unknown == 0) {
        lines.push("Nothing to do: every host is as it should be.".into());
    }
    lines
}
