//! Events as lines: what is printed for each, on a terminal above the live lines, piped one after the other.

use crate::diff;
use crate::paint::{Paint, Tone};
use crate::summary::task_name;
use crate::text::{count, cut, duration, names, neutral, neutral_line, pad, width};
use mosip_prov_events::{Difference, Event, EventKind, Failure, Moved, TaskId, TaskStatus};

/// Hosts named in one line at most.
const NAMES: usize = 12;
/// Columns of the host column at most.
const HOST_COLUMNS: usize = 24;
/// Columns of the status column: the longest word is `would change`.
const STATUS_COLUMNS: usize = 12;
/// Lines of a failed command's output shown unless asked for more: its end, where tools say what went wrong.
const DETAIL_LINES: usize = 15;

/// Makes the lines. Holds what it must know of the run.
pub(crate) struct Lines {
    pub(crate) paint: Paint,
    pub(crate) verbosity: u8,
    pub(crate) diff: bool,
    /// Lines that report progress are cut to this; failures never are.
    pub(crate) width: Option<usize>,
    /// Also say what begins; on a terminal the live lines do.
    pub(crate) say_started: bool,
    check: bool,
    host_columns: usize,
}

impl Lines {
    pub(crate) fn new(paint: Paint, verbosity: u8, diff: bool, width: Option<usize>, say_started: bool) -> Self {
        Self {
            paint,
            verbosity,
            diff,
            width,
            say_started,
            check: false,
            host_columns: 0,
        }
    }

    /// The host, padded and coloured: how each line of a host begins.
    pub(crate) fn host(&self, host: &str) -> String {
        self.paint
            .tone(Tone::Strong, &pad(&neutral_line(host), self.host_columns))
    }

    /// The lines of `event`; often none.
    pub(crate) fn of(&mut self, event: &Event) -> Vec<String> {
        match &event.kind {
            EventKind::RunStarted {
                playbooks,
                hosts,
                check,
                forks,
                program: _,
            } => self.run_started(playbooks, hosts, *check, *forks),
            EventKind::Warning { host, message } => self.warning(host.as_deref(), message),
            EventKind::PlayStarted { playbook, play, hosts } => {
                let text = format!(
                    "PLAY {} ({}): {}",
                    neutral_line(play),
                    neutral_line(playbook),
                    hosts_text(hosts)
                );
                vec![self.paint.tone(Tone::Strong, &text)]
            }
            EventKind::HostConnected { host, milliseconds } => match self.verbosity {
                0 => Vec::new(),
                _ => vec![self.line(
                    host,
                    Tone::Faint,
                    "connected",
                    &format!("in {}", duration(*milliseconds)),
                )],
            },
            EventKind::HostUnreachable { host, error } => {
                let mut lines = vec![self.whole_line(host, Tone::Bad, "unreachable", &first_line(&error.message))];
                lines.extend(self.failure_rest(host, error));
                lines
            }
            EventKind::HostRefused { host, error, moved } => self.refused(host, error, moved),
            EventKind::TaskStarted { task, action } => {
                if !self.say_started {
                    return Vec::new();
                }
                let text = format!("{}: {}", task_name(task), neutral_line(action));
                vec![self.line(&task.host, Tone::Faint, "started", &text)]
            }
            EventKind::TaskOutput { task, line } => match self.verbosity {
                0 | 1 => Vec::new(),
                _ => vec![self.line(&task.host, Tone::Faint, "|", &neutral_line(line))],
            },
            EventKind::TaskRetried {
                task,
                attempt,
                attempts,
                error,
            } => {
                let text = format!(
                    "{}: try {attempt} of {attempts} failed: {}",
                    task_name(task),
                    first_line(&error.message)
                );
                vec![self.line(&task.host, Tone::Notice, "retry", &text)]
            }
            EventKind::TaskFinished {
                task,
                status,
                reason,
                differences,
                error,
                ignored,
                notified,
                milliseconds,
            } => match error {
                Some(error) if *status == TaskStatus::Failed => self.task_failed(task, error, *ignored),
                _ => self.task_finished(task, *status, reason, differences, notified, *milliseconds),
            },
            EventKind::HostFinished { host, play, complete } => match (self.verbosity, complete) {
                (0, _) | (_, false) => Vec::new(),
                _ => vec![self.line(host, Tone::Faint, "done", &neutral_line(play))],
            },
            EventKind::Interrupted { running } => self.interrupted(running),
            // The recap is made by the renderer, from the whole run.
            EventKind::RunFinished { .. } => Vec::new(),
        }
    }

    fn run_started(&mut self, playbooks: &[String], hosts: &[String], check: bool, forks: usize) -> Vec<String> {
        self.check = check;
        self.host_columns = hosts.iter().map(|h| width(h)).max().unwrap_or(0).min(HOST_COLUMNS);
        let mut lines = Vec::new();
        if check {
            lines.push(
                self.paint
                    .tone(Tone::Notice, "CHECK MODE: nothing is changed; this is what would be"),
            );
        }
        let text = format!(
            "{} on {}, {forks} at a time",
            neutral_line(&playbooks.join(", ")),
            count(hosts.len(), "host")
        );
        lines.push(self.paint.tone(Tone::Strong, &text));
        lines
    }

    fn warning(&self, host: Option<&str>, message: &str) -> Vec<String> {
        match host {
            Some(host) => {
                vec![self.whole_line(host, Tone::Notice, "warning", &neutral_line(message))]
            }
            None => vec![format!(
                "{} {}",
                self.paint.tone(Tone::Notice, "warning:"),
                neutral_line(message)
            )],
        }
    }

    fn task_finished(
        &self,
        task: &TaskId,
        status: TaskStatus,
        reason: &str,
        differences: &[Difference],
        notified: &[String],
        milliseconds: u64,
    ) -> Vec<String> {
        let quiet = matches!(status, TaskStatus::Ok | TaskStatus::Skipped);
        if quiet && self.verbosity == 0 {
            return Vec::new();
        }
        let (tone, word) = status_word(status, self.check);
        let mut text = task_name(task);
        if !reason.is_empty() {
            text = format!("{text}: {}", neutral_line(reason));
        }
        if milliseconds >= 1000 {
            text = format!("{text} ({})", duration(milliseconds));
        }
        let mut lines = vec![self.line(&task.host, tone, word, &text)];
        if self.diff {
            let shown = differences.iter().flat_map(|d| diff::render(d, self.paint));
            lines.extend(shown.map(|line| self.further(&task.host, &line)));
        } else if self.verbosity > 0 {
            let shown = differences.iter().map(|d| self.in_short(d));
            lines.extend(shown.map(|line| self.further(&task.host, &line)));
        }
        if self.verbosity > 0 && !notified.is_empty() {
            let text = format!("notified: {}", neutral_line(&notified.join(", ")));
            lines.push(self.further(&task.host, &text));
        }
        lines
    }

    fn in_short(&self, difference: &Difference) -> String {
        match diff::size(difference) {
            Some((added, removed)) => format!("{}: +{added} -{removed} lines", neutral_line(&difference.what)),
            None => diff::render(difference, self.paint).remove(0),
        }
    }

    fn task_failed(&self, task: &TaskId, error: &Failure, ignored: bool) -> Vec<String> {
        let (tone, word) = if ignored {
            (Tone::Notice, "ignored")
        } else {
            (Tone::Bad, "failed")
        };
        let text = format!("{}: {}", task_name(task), first_line(&error.message));
        let mut lines = vec![self.whole_line(&task.host, tone, word, &text)];
        lines.extend(self.failure_rest(&task.host, error));
        lines
    }

    /// What follows the first line of a failure, each line under its host.
    fn failure_rest(&self, host: &str, error: &Failure) -> Vec<String> {
        failure_rest(error, self.verbosity, self.paint)
            .into_iter()
            .map(|line| format!("{}    {line}", self.host(host)))
            .collect()
    }

    /// A host that is left as it is, and task by task what was planned and what would be done now.
    fn refused(&self, host: &str, error: &Failure, moved: &[Moved]) -> Vec<String> {
        let mut lines = vec![self.whole_line(host, Tone::Bad, "refused", &first_line(&error.message))];
        for task in moved {
            lines.push(self.further(host, &task_name(&task.task)));
            for (word, said, differences) in [
                ("planned", &task.planned, &task.planned_differences),
                ("now", &task.now, &task.differences),
            ] {
                lines.push(self.further(host, &format!("  {word}: {}", neutral_line(said))));
                for difference in differences {
                    let shown: Vec<String> = match self.diff {
                        true => diff::render(difference, self.paint),
                        false => vec![self.in_short(difference)],
                    };
                    lines.extend(shown.iter().map(|line| self.further(host, &format!("    {line}"))));
                }
            }
        }
        lines.extend(self.failure_rest(host, error));
        lines
    }

    fn interrupted(&self, running: &[TaskId]) -> Vec<String> {
        let mut lines = vec![self.paint.tone(
            Tone::Bad,
            if running.is_empty() {
                "INTERRUPTED: nothing was running"
            } else {
                "INTERRUPTED: no new task begins; still running or to be finished:"
            },
        )];
        lines.extend(
            running
                .iter()
                .map(|task| self.whole_line(&task.host, Tone::Bad, "interrupted", &task_name(task))),
        );
        lines
    }

    /// A line of progress, cut to the width.
    fn line(&self, host: &str, tone: Tone, word: &str, text: &str) -> String {
        let used = self.host_columns + 2 + STATUS_COLUMNS + 2;
        let text = match self.width {
            Some(width) => cut(text, width.saturating_sub(used).max(20)),
            None => text.into(),
        };
        self.whole_line(host, tone, word, &text)
    }

    /// A line that is never cut.
    fn whole_line(&self, host: &str, tone: Tone, word: &str, text: &str) -> String {
        let word = self.paint.tone(tone, &pad(word, STATUS_COLUMNS));
        format!("{}  {word}  {text}", self.host(host)).trim_end().to_owned()
    }

    /// A line that belongs to the one above: may hold colours already, so it is cut only where it holds none.
    fn further(&self, host: &str, line: &str) -> String {
        let text = match self.width {
            Some(width) if !line.contains('\x1b') => {
                cut(line, width.saturating_sub(self.host_columns + 4).max(20)).into_owned()
            }
            _ => line.to_owned(),
        };
        format!("{}    {text}", self.host(host)).trim_end().to_owned()
    }
}

/// The word and colour of a status.
pub(crate) fn status_word(status: TaskStatus, check: bool) -> (Tone, &'static str) {
    match status {
        TaskStatus::Ok => (Tone::Good, "ok"),
        TaskStatus::Changed if check => (Tone::Changed, "would change"),
        TaskStatus::Changed => (Tone::Changed, "changed"),
        TaskStatus::Unknown => (Tone::Notice, "unknown"),
        TaskStatus::Skipped => (Tone::Skipped, "skipped"),
        TaskStatus::Failed => (Tone::Bad, "failed"),
    }
}

/// The first line of a message, neutral.
pub(crate) fn first_line(message: &str) -> String {
    neutral_line(message.trim().lines().next().unwrap_or(""))
}

/// What follows the first line of a failure: the rest of the message, the exit status, the end of the output, help.
pub(crate) fn failure_rest(error: &Failure, verbosity: u8, paint: Paint) -> Vec<String> {
    let mut lines: Vec<String> = error
        .message
        .trim()
        .lines()
        .skip(1)
        .map(|line| format!("| {}", neutral_line(line)))
        .collect();
    if let Some(status) = error.status {
        lines.push(format!("exit status {status}"));
    }
    if let Some(detail) = error.detail.as_deref().filter(|d| d.trim() != error.message.trim()) {
        let detail = neutral(detail.trim_end());
        let all: Vec<_> = detail.lines().collect();
        let skipped = match verbosity {
            0 => all.len().saturating_sub(DETAIL_LINES),
            _ => 0,
        };
        if skipped > 0 {
            let text = format!("| ... {skipped} lines before (all of them with -v)");
            lines.push(paint.tone(Tone::Faint, &text));
        }
        lines.extend(all[skipped..].iter().map(|line| format!("| {}", neutral_line(line))));
    }
    if let Some(help) = &error.help {
        lines.push(format!("{} {}", paint.tone(Tone::Good, "help:"), neutral_line(help)));
    }
    lines
}

fn hosts_text(hosts: &[String]) -> String {
    let hosts: Vec<_> = hosts.iter().map(|h| neutral_line(h)).collect();
    match hosts.len() {
        0 => "no hosts".to_owned(),
        1 => format!("1 host: {}", hosts[0]),
        n => format!("{n} hosts: {}", names(&hosts, NAMES)),
    }
}
