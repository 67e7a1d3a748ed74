//! Events on their way out, and the counting that goes with them.

use crate::decision::{Difference, Shown};
use crate::report::{HostReport, RunReport, TaskResult};
use crate::text::sanitize;
use mosip_prov_events::{self as events, Event, EventKind, Failure, TaskStatus};
use mosip_prov_transport::TransportError;
use tokio::sync::mpsc::UnboundedSender;

/// Sends events to the one owner that puts them in order.
#[derive(Clone)]
pub(crate) struct Emitter {
    sender: UnboundedSender<Event>,
    /// Only the loss of a host is told.
    muted: bool,
}

impl Emitter {
    pub fn new(sender: UnboundedSender<Event>) -> Self {
        Self { sender, muted: false }
    }

    /// The same for a rehearsal, of which nothing is told but that a host was lost.
    pub fn muted(&self) -> Self {
        Self {
            muted: true,
            ..self.clone()
        }
    }

    /// Sends one; when nobody listens any more the run goes on all the same.
    pub fn send(&self, kind: EventKind) {
        if !self.muted || matches!(kind, EventKind::HostUnreachable { .. }) {
            let _ = self.sender.send(Event::now(kind));
        }
    }
}

/// A difference as it may leave the engine.
pub(crate) fn shown(difference: &Difference) -> events::Difference {
    let text = |s: &Shown| match s {
        Shown::Absent => None,
        Shown::Text(text) => Some(sanitize(text)),
        Shown::Masked => Some("***".to_owned()),
        Shown::Binary { bytes } => Some(format!("({bytes} bytes that are not text)")),
    };
    events::Difference {
        what: sanitize(&difference.what),
        before: text(&difference.before),
        after: text(&difference.after),
    }
}

/// A failure of the way to the host. The host itself and the remedy have places of their own beside the message.
pub(crate) fn transport_failure(error: &TransportError) -> Failure {
    Failure {
        message: sanitize(&error.kind.to_string()),
        detail: None,
        status: None,
        help: Some(error.remedy()).filter(|h| !h.is_empty()),
    }
}

/// Counts an event into the report.
pub(crate) fn count(report: &mut RunReport, kind: &EventKind) {
    match kind {
        EventKind::TaskFinished {
            task,
            status,
            reason,
            differences,
            error,
            ignored,
            ..
        } => {
            let host = report.hosts.entry(task.host.clone()).or_default();
            let counts = &mut host.counts;
            match status {
                TaskStatus::Ok => counts.ok += 1,
                TaskStatus::Changed => {
                    counts.ok += 1;
                    counts.changed += 1;
                }
                TaskStatus::Unknown => counts.unknown += 1,
                TaskStatus::Skipped => counts.skipped += 1,
                TaskStatus::Failed if *ignored => counts.ignored += 1,
                TaskStatus::Failed => counts.failed += 1,
            }
            host.tasks.push(TaskResult {
                id: task.clone(),
                status: *status,
                reason: reason.clone(),
                differences: differences.clone(),
                error: error.clone(),
                ignored: *ignored,
            });
        }
        EventKind::HostUnreachable { host, error } => {
            let host: &mut HostReport = report.hosts.entry(host.clone()).or_default();
            host.counts.unreachable = 1;
            host.unreachable = Some(error.clone());
        }
        EventKind::HostRefused { host, error, moved } => {
            let host: &mut HostReport = report.hosts.entry(host.clone()).or_default();
            host.counts.refused = 1;
            host.refused = Some((error.clone(), moved.clone()));
        }
        EventKind::RunStarted { hosts, .. } => {
            for host in hosts {
                report.hosts.entry(host.clone()).or_default();
            }
        }
        EventKind::Warning { .. }
        | EventKind::PlayStarted { .. }
        | EventKind::HostConnected { .. }
        | EventKind::TaskStarted { .. }
        | EventKind::TaskOutput { .. }
        | EventKind::TaskRetried { .. }
        | EventKind::HostFinished { .. }
        | EventKind::Interrupted { .. }
        | EventKind::RunFinished { .. } => {}
    }
}
