//! Many hosts on one terminal: a line for each host that is being worked on, below them a line for the whole run.
//! Everything else scrolls by above.

use crate::lines::Lines;
use crate::summary::task_name;
use crate::text::{count, names, neutral_line};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use mosip_prov_events::{Event, EventKind, TaskStatus};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

/// How often the elapsed times move on.
const TICK: Duration = Duration::from_millis(250);
/// Lines left for what scrolls by.
const LINES_ABOVE: usize = 4;

/// The live lines.
pub(crate) struct Live {
    multi: MultiProgress,
    total: ProgressBar,
    rows: Vec<Row>,
    most_rows: usize,
    ticking: bool,
    /// Where to write when no live line is left.
    afterwards: Option<Box<dyn Write + Send>>,
    waiting: Vec<String>,
    done: BTreeSet<String>,
    hosts: usize,
    changed: u32,
    failed: BTreeSet<String>,
}

/// A host that is being worked on.
struct Row {
    host: String,
    doing: String,
    output: String,
    /// Absent while the terminal has no line left for it.
    bar: Option<ProgressBar>,
}

impl Live {
    /// On a terminal of `height` lines. With `ticking`, elapsed times are shown and move on by themselves.
    pub(crate) fn new(
        target: ProgressDrawTarget,
        height: usize,
        ticking: bool,
        afterwards: Option<Box<dyn Write + Send>>,
    ) -> Self {
        let multi = MultiProgress::with_draw_target(target);
        let total = multi.add(ProgressBar::new_spinner());
        total.set_style(style(ticking));
        if ticking {
            total.enable_steady_tick(TICK);
        }
        Self {
            multi,
            total,
            rows: Vec::new(),
            most_rows: height.saturating_sub(LINES_ABOVE).max(1),
            ticking,
            afterwards,
            waiting: Vec::new(),
            done: BTreeSet::new(),
            hosts: 0,
            changed: 0,
            failed: BTreeSet::new(),
        }
    }

    /// Prints lines above; once the live lines are gone, without the spaces that would fill each line.
    pub(crate) fn print(&mut self, lines: &[String]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if let (true, Some(writer)) = (self.total.is_finished(), &mut self.afterwards) {
            writer.write_all((lines.join("\n") + "\n").as_bytes())?;
            return writer.flush();
        }
        self.multi.println(lines.join("\n"))
    }

    /// Brings the lines up to date with `event`.
    pub(crate) fn update(&mut self, event: &Event, lines: &Lines) {
        match &event.kind {
            EventKind::RunStarted { hosts, .. } => self.hosts = hosts.len(),
            EventKind::Warning { .. } => return,
            EventKind::PlayStarted { hosts, .. } => {
                self.done.clear();
                self.hosts = hosts.len();
                self.waiting = hosts
                    .iter()
                    .filter(|h| !self.rows.iter().any(|r| r.host == **h) && !self.failed.contains(*h))
                    .cloned()
                    .collect();
            }
            EventKind::HostConnected { host, .. } => self.show(host, "connected", lines),
            EventKind::HostUnreachable { host, .. } | EventKind::HostRefused { host, .. } => {
                self.failed.insert(host.clone());
                self.remove(host);
            }
            EventKind::TaskStarted { task, action } => {
                let doing = format!("{}: {}", task_name(task), neutral_line(action));
                self.show(&task.host, &doing, lines);
            }
            EventKind::TaskOutput { task, line } => self.output(&task.host, line),
            EventKind::TaskRetried {
                task,
                attempt,
                attempts,
                error: _,
            } => {
                let doing = format!("{}: trying again ({attempt} of {attempts} failed)", task_name(task));
                self.show(&task.host, &doing, lines);
            }
            EventKind::TaskFinished {
                task, status, ignored, ..
            } => {
                match status {
                    TaskStatus::Changed => self.changed += 1,
                    TaskStatus::Failed if !ignored => {
                        self.failed.insert(task.host.clone());
                    }
                    TaskStatus::Failed | TaskStatus::Ok | TaskStatus::Unknown | TaskStatus::Skipped => {}
                }
                self.show(&task.host, &format!("done: {}", task_name(task)), lines);
            }
            EventKind::HostFinished { host, .. } => {
                self.done.insert(host.clone());
                self.remove(host);
            }
            EventKind::Interrupted { .. } => {}
            EventKind::RunFinished { .. } => return self.clear(),
        }
        self.total.set_message(self.total_text());
    }

    /// Takes all live lines away.
    pub(crate) fn clear(&mut self) {
        for row in self.rows.drain(..) {
            if let Some(bar) = row.bar {
                bar.finish_and_clear();
            }
        }
        self.total.finish_and_clear();
    }

    fn show(&mut self, host: &str, doing: &str, lines: &Lines) {
        self.waiting.retain(|h| h != host);
        let at = match self.rows.iter().position(|r| r.host == host) {
            Some(at) => at,
            None => {
                self.rows.push(Row {
                    host: host.to_owned(),
                    doing: String::new(),
                    output: String::new(),
                    bar: None,
                });
                self.rows.len() - 1
            }
        };
        let row = &mut self.rows[at];
        row.doing = doing.to_owned();
        row.output.clear();
        if let Some(bar) = &row.bar {
            bar.reset_elapsed();
        }
        self.give_bars(lines);
        self.rows[at].draw();
    }

    fn output(&mut self, host: &str, line: &str) {
        if let Some(row) = self.rows.iter_mut().find(|r| r.host == host) {
            row.output = neutral_line(line);
            row.draw();
        }
    }

    fn remove(&mut self, host: &str) {
        self.waiting.retain(|h| h != host);
        if let Some(at) = self.rows.iter().position(|r| r.host == host)
            && let Some(bar) = self.rows.remove(at).bar
        {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
    }

    /// Gives free lines of the terminal to hosts without one.
    fn give_bars(&mut self, lines: &Lines) {
        let mut free = self
            .most_rows
            .saturating_sub(self.rows.iter().filter(|r| r.bar.is_some()).count());
        for row in self.rows.iter_mut().filter(|r| r.bar.is_none()) {
            if free == 0 {
                return;
            }
            free -= 1;
            let bar = self.multi.insert_before(&self.total, ProgressBar::new_spinner());
            bar.set_style(style(self.ticking));
            bar.set_prefix(lines.host(&row.host));
            if self.ticking {
                bar.enable_steady_tick(TICK);
            }
            row.bar = Some(bar);
            row.draw();
        }
    }

    fn total_text(&self) -> String {
        let mut text = format!(
            "{} of {} done, {} changed, {} failed",
            self.done.len(),
            count(self.hosts, "host"),
            self.changed,
            self.failed.len(),
        );
        let hidden = self.rows.iter().filter(|r| r.bar.is_none()).count();
        if hidden > 0 {
            text.push_str(&format!("; {hidden} more at work"));
        }
        if !self.waiting.is_empty() {
            text.push_str(&format!("; waiting for {}", neutral_line(&names(&self.waiting, 6))));
        }
        text
    }
}

impl Row {
    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        bar.set_message(match self.output.is_empty() {
            true => self.doing.clone(),
            false => format!("{} | {}", self.doing, self.output),
        });
    }
}

fn style(ticking: bool) -> ProgressStyle {
    let template = if ticking {
        "{prefix} {wide_msg} {elapsed:>5}"
    } else {
        "{prefix} {wide_msg}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
