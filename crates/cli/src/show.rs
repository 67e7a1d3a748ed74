//! Shows a run while it goes on: the renderers, in a thread of their own, so that a slow terminal never holds up the
//! work on the hosts.

use crate::args::OutputOptions;
use crate::output::Look;
use mosip_prov::events::{Event, EventKind, TaskId};
use mosip_prov_report::{HtmlReport, JsonLines, JunitReport, RenderError, Renderers, Terminal, TerminalOptions};
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the last lines may take to appear when the operator leaves at once.
const LAST_LINES: Duration = Duration::from_millis(500);

/// What is to be shown, besides the flags. Without commands none are offered in the recap.
pub struct Showing {
    /// Differences, line by line.
    pub diff: bool,
    /// The command to offer for the hosts that failed.
    pub command: Option<String>,
    /// The command as it was.
    pub same_command: Option<String>,
    /// The command that makes the changes of a check run.
    pub apply_command: Option<String>,
}

/// The renderers that the flags ask for. Files are created now, so that a mistake shows before anything connects.
pub fn renderers(output: &OutputOptions, showing: Showing, look: &Look) -> Result<Renderers, RenderError> {
    let options = TerminalOptions {
        verbosity: output.verbose,
        color: look.color_out,
        diff: showing.diff,
        profile: output.profile,
        width: look.width,
        height: look.height,
        command: showing.command,
        same_command: showing.same_command,
        apply_command: showing.apply_command,
    };
    let mut renderers = Renderers::new();
    if look.live {
        renderers.push(Terminal::live(options));
    } else {
        renderers.push(Terminal::plain(std::io::stdout(), options));
    }
    if let Some(path) = &output.events {
        renderers.push(JsonLines::create(path)?);
    }
    if let Some(path) = &output.report {
        renderers.push(HtmlReport::create(path)?);
    }
    if let Some(path) = &output.junit {
        renderers.push(JunitReport::create(path)?);
    }
    Ok(renderers)
}

/// The thread that shows, and what is running right now.
pub struct Show {
    events: Option<Sender<Event>>,
    done: Receiver<Vec<RenderError>>,
    thread: Option<JoinHandle<()>>,
    running: BTreeSet<TaskId>,
}

impl Show {
    /// Starts the thread.
    pub fn start(mut renderers: Renderers) -> Self {
        let (events, incoming) = channel::<Event>();
        let (report, done) = channel();
        let thread = std::thread::spawn(move || {
            for event in incoming {
                renderers.event(&event);
            }
            // Nobody may be waiting any more.
            let _ = report.send(renderers.finish());
        });
        Self {
            events: Some(events),
            done,
            thread: Some(thread),
            running: BTreeSet::new(),
        }
    }

    /// Shows an event.
    pub fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::TaskStarted { task, .. } => {
                self.running.insert(task.clone());
            }
            EventKind::TaskFinished { task, .. } => {
                self.running.remove(task);
            }
            EventKind::HostUnreachable { host, .. } | EventKind::HostRefused { host, .. } => {
                self.running.retain(|task| task.host != *host)
            }
            EventKind::RunStarted { .. }
            | EventKind::Warning { .. }
            | EventKind::PlayStarted { .. }
            | EventKind::HostConnected { .. }
            | EventKind::TaskOutput { .. }
            | EventKind::TaskRetried { .. }
            | EventKind::HostFinished { .. }
            | EventKind::Interrupted { .. }
            | EventKind::RunFinished { .. } => {}
        }
        if let Some(events) = &self.events {
            // The thread ends only after this end of the channel has gone.
            let _ = events.send(event.clone());
        }
    }

    /// Says something to the operator, in its place among the events.
    pub fn say(&mut self, message: String) {
        self.event(&Event::now(EventKind::Warning { host: None, message }));
    }

    /// The tasks that are running, and where.
    pub fn running(&self) -> &BTreeSet<TaskId> {
        &self.running
    }

    /// Shows all that is left and ends the thread. Returns what could not be written.
    pub fn finish(mut self) -> Vec<RenderError> {
        self.events = None;
        let errors = self.done.recv().unwrap_or_default();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        errors
    }

    /// Shows what it can in half a second: a terminal that has stopped must not keep the operator.
    pub fn leave(&mut self) {
        self.events = None;
        let _ = self.done.recv_timeout(LAST_LINES);
    }
}
