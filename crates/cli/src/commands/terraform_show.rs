//! How terraform's progress, plans and errors look.

use crate::output::{Look, complain};
use mosip_prov::terraform::{
    Action, Applied, Outputs, Phase, Plan, PlannedChange, Progress, Shown, TerraformDiagnostic, TerraformError,
    TerraformEvent,
};
use mosip_prov_report::paint::{Paint, Tone};
use mosip_prov_report::text::{count, cut, duration, neutral, neutral_line, pad, width};
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often a sign of life is given where lines stay.
const LINES: Duration = Duration::from_secs(30);
/// The same where the line is drawn anew.
const LIVE: Duration = Duration::from_millis(500);
/// Columns of the live line where the terminal does not say.
const COLUMNS: usize = 80;

/// Shows what terraform does, on standard error: in a live line on a terminal, in lines from time to time else.
pub struct Watch {
    live: bool,
    paint: Paint,
    width: usize,
    phase: Phase,
    started: Instant,
    drawn: bool,
    progress: Progress,
    running: BTreeMap<String, Action>,
}

impl Watch {
    /// For a terminal that looks so.
    pub fn new(look: &Look) -> Self {
        let live = look.live && look.color_err;
        Self {
            live,
            paint: Paint::new(look.color_err),
            width: look.width.unwrap_or(COLUMNS),
            phase: Phase::Plan,
            started: Instant::now(),
            drawn: false,
            progress: Progress::default(),
            running: BTreeMap::new(),
        }
    }

    /// How often a sign of life is wanted.
    pub fn heartbeat(&self) -> Duration {
        if self.live { LIVE } else { LINES }
    }

    /// Terraform begins with this.
    pub fn begin(&mut self, phase: Phase) {
        self.phase = phase;
        self.started = Instant::now();
        self.running.clear();
        self.progress = Progress::default();
        self.draw();
    }

    /// It is done with it.
    pub fn end(&mut self) {
        self.wipe();
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }

    fn draw(&mut self) {
        if !self.live {
            return;
        }
        let mut text = still(self.phase, self.started.elapsed(), self.progress);
        if let Some((address, action)) = self.running.first_key_value() {
            text.push_str(&format!(": {} {address}", doing(*action)));
        }
        let text = neutral_line(&text);
        let mut out = io::stderr().lock();
        let _ = write!(
            out,
            "\r\x1b[2K{}",
            self.paint.tone(Tone::Faint, &cut(&text, self.width.saturating_sub(1)))
        );
        let _ = out.flush();
        self.drawn = true;
    }

    fn line(&mut self, text: &str) {
        self.wipe();
        complain(text);
    }

    /// Something happens.
    pub fn event(&mut self, event: &TerraformEvent) {
        match event {
            TerraformEvent::StillWorking {
                phase,
                elapsed,
                progress,
            } => {
                self.progress = *progress;
                if self.live {
                    self.draw();
                } else {
                    self.line(&still(*phase, *elapsed, *progress));
                }
            }
            TerraformEvent::Message { text, .. } if self.phase == Phase::Init => {
                let first = text.lines().next().unwrap_or_default();
                if !first.is_empty() {
                    let text = self.paint.tone(Tone::Faint, &neutral_line(first));
                    self.line(&text);
                }
            }
            TerraformEvent::Started { address, action, .. } => {
                self.running.insert(address.clone(), *action);
            }
            TerraformEvent::Completed {
                address,
                action,
                elapsed,
            } if *action != Action::Read => {
                self.running.remove(address);
                let (word, tone) = done(*action);
                let text = format!(
                    "{}  {}{}",
                    self.paint.tone(tone, &pad(word, 9)),
                    neutral_line(address),
                    self.time(*elapsed)
                );
                self.line(&text);
            }
            TerraformEvent::Completed { address, .. } => {
                self.running.remove(address);
            }
            TerraformEvent::Errored { address, elapsed, .. } => {
                self.running.remove(address);
                let text = format!(
                    "{}  {}{}",
                    self.paint.tone(Tone::Bad, &pad("failed", 9)),
                    neutral_line(address),
                    self.time(*elapsed)
                );
                self.line(&text);
            }
            TerraformEvent::Provisioner {
                address,
                output: Some(output),
                ..
            } => {
                let text = format!("{}: {}", neutral_line(address), neutral_line(output));
                let text = self.paint.tone(Tone::Faint, &text);
                self.line(&text);
            }
            TerraformEvent::Interrupting { times, .. } => {
                let text = match times {
                    1 => {
                        "interrupt: passed on to terraform, which brings what is under way to an end; waiting for it (once \
                          more: it breaks off)"
                    }
                    2 => {
                        "second interrupt: passed on to terraform, which breaks off; waiting for it (once more: it is killed)"
                    }
                    _ => "killed terraform: its state may lack what was under way",
                };
                self.line(text);
            }
            _ => {}
        }
    }

    fn time(&self, elapsed: Duration) -> String {
        match elapsed.as_secs() {
            0 => String::new(),
            _ => self.paint.tone(Tone::Faint, &format!("  {}", in_words(elapsed))),
        }
    }
}

fn in_words(time: Duration) -> String {
    duration(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// How long it took.
pub fn took(started: Instant) -> String {
    in_words(started.elapsed())
}

/// How old a plan is.
pub fn age(plan: &Plan) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    in_words(Duration::from_secs(now.saturating_sub(plan.made)))
}

/// A sign of life: `still planning, 3m20s, 412 resources read`.
fn still(phase: Phase, elapsed: Duration, progress: Progress) -> String {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let what = match phase {
        Phase::Init => "initialising",
        Phase::Plan => "planning",
        Phase::Apply => "applying",
        other => other.command(),
    };
    let mut parts = vec![format!("still {what}"), in_words(elapsed)];
    if progress.read > 0 {
        parts.push(format!("{} read", count(number(progress.read), "resource")));
    }
    if progress.planned > 0 && phase == Phase::Plan {
        parts.push(format!("{} planned", count(number(progress.planned), "change")));
    }
    if phase == Phase::Apply {
        parts.push(format!(
            "{} of {} done",
            progress.done,
            count(number(progress.planned), "change")
        ));
        if progress.failed > 0 {
            parts.push(format!("{} failed", progress.failed));
        }
        if progress.running > 0 {
            parts.push(format!("{} under way", progress.running));
        }
    }
    parts.join(", ")
}

fn doing(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Read => "reading",
        Action::Update => "changing",
        Action::Delete => "destroying",
        _ => "working on",
    }
}

fn done(action: Action) -> (&'static str, Tone) {
    match action {
        Action::Create => ("created", Tone::Good),
        Action::Update => ("changed", Tone::Changed),
        Action::Delete => ("destroyed", Tone::Removed),
        _ => ("done", Tone::Good),
    }
}

fn sign(action: Action) -> (&'static str, Tone) {
    match action {
        Action::Create => ("+", Tone::Added),
        Action::Update => ("~", Tone::Changed),
        Action::Replace => ("-/+", Tone::Bad),
        Action::Delete => ("-", Tone::Removed),
        Action::Read => ("<=", Tone::Place),
        Action::Import => ("import", Tone::Place),
        Action::Move => ("->", Tone::Place),
        Action::Forget => ("forget", Tone::Notice),
        _ => ("?", Tone::Notice),
    }
}

/// Terraform's word for why.
fn reason(word: &str) -> String {
    match word {
        "cannot_update" | "replace_because_cannot_update" => "it cannot be changed in place".into(),
        "tainted" | "replace_because_tainted" => "it is marked as broken".into(),
        "requested" | "replace_by_request" => "that was asked for".into(),
        "delete_because_no_resource_config" => "the configuration has it no more".into(),
        other => other.replace('_', " "),
    }
}

/// A plan, to be read.
pub fn plan(name: &str, plan: &Plan, paint: Paint) -> String {
    let mut lines = Vec::new();
    if !plan.drift.is_empty() {
        lines.push(format!(
            "{} since terraform last worked here:",
            paint.tone(
                Tone::Notice,
                &format!("{} changed outside of it", count(plan.drift.len(), "resource"))
            )
        ));
        lines.extend(plan.drift.iter().map(|change| head(change, paint)));
        lines.push(String::new());
    }
    for warning in &plan.warnings {
        lines.push(diagnostic(warning, paint));
        lines.push(String::new());
    }
    if plan.is_empty() {
        lines.push(format!("{}: nothing to change", paint.tone(Tone::Strong, name)));
        return lines.join("\n");
    }
    for change in &plan.resources {
        lines.push(head(change, paint));
        let attributes = change.attributes.as_deref().unwrap_or_default();
        let columns = attributes
            .iter()
            .map(|a| width(&neutral_line(&a.path)))
            .max()
            .unwrap_or(0)
            .min(40);
        for attribute in attributes {
            let path = pad(&neutral_line(&attribute.path), columns);
            let text = match (&attribute.before, &attribute.after) {
                (Shown::Absent, after) => shown(after),
                (before, Shown::Absent) => format!("{} -> (none)", shown(before)),
                (before, after) => format!("{} -> {}", shown(before), shown(after)),
            };
            lines.push(format!("        {path}  {}", paint.tone(Tone::Faint, &text)));
        }
    }
    if !plan.outputs.is_empty() {
        let names = plan.outputs.iter().map(|output| {
            let (sign, tone) = sign(output.action);
            format!("{} {}", paint.tone(tone, sign), neutral_line(&output.name))
        });
        lines.push(format!("  outputs: {}", names.collect::<Vec<_>>().join(", ")));
    }
    let counts = [
        (plan.adds().count(), "to add"),
        (plan.changes().count(), "to change"),
        (plan.replaces().count(), "to replace"),
        (plan.destroys().count(), "to destroy"),
    ];
    let counts = counts.map(|(number, what)| format!("{number} {what}")).join(", ");
    lines.push(String::new());
    lines.push(paint.tone(Tone::Strong, &format!("{name}: {counts}")));
    lines.join("\n")
}

fn head(change: &PlannedChange, paint: Paint) -> String {
    let (sign, tone) = sign(change.action);
    let mut text = format!(
        "  {} {}",
        paint.tone(tone, &pad(sign, 3)),
        neutral_line(&change.address)
    );
    if let Some(previous) = &change.previous_address {
        text.push_str(&format!(" (was {})", neutral_line(previous)));
    }
    if let Some(word) = &change.reason {
        text.push_str(&paint.tone(Tone::Faint, &format!("  {}", neutral_line(&reason(word)))));
    }
    text
}

fn shown(value: &Shown) -> String {
    match value {
        Shown::Absent => "(none)".into(),
        Shown::Value(text) => neutral_line(text),
        Shown::Sensitive => "***".into(),
        Shown::Unknown => "(known after apply)".into(),
    }
}

/// What an apply came to.
pub fn applied(name: &str, applied: &Applied, started: Instant, paint: Paint) -> String {
    let counts = &applied.summary;
    let mut lines: Vec<String> = applied
        .warnings
        .iter()
        .map(|warning| diagnostic(warning, paint))
        .collect();
    lines.push(paint.tone(
        Tone::Good,
        &format!(
            "{name}: {} added, {} changed, {} destroyed ({})",
            counts.add,
            counts.change,
            counts.remove,
            took(started)
        ),
    ));
    lines.join("\n")
}

/// Outputs, sensitive ones masked.
pub fn outputs(name: &str, outputs: &Outputs, paint: Paint) -> String {
    if outputs.is_empty() {
        return format!("{name} has no outputs");
    }
    let columns = outputs.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let lines = outputs.iter().map(|(name, output)| {
        let value = match output.shown() {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        format!(
            "{}  {}",
            paint.tone(Tone::Strong, &pad(&neutral_line(name), columns)),
            neutral_line(&value)
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A finding of terraform, as it gives it.
fn diagnostic(found: &TerraformDiagnostic, paint: Paint) -> String {
    let (word, tone) = match found.error {
        true => ("error", Tone::Bad),
        false => ("warning", Tone::Notice),
    };
    let text = neutral(&found.to_string()).into_owned();
    match text.strip_prefix(word) {
        Some(rest) => format!("{}{rest}", paint.tone(tone, word)),
        None => text,
    }
}

/// An error: what terraform found first, then what it comes to, and what to do.
pub fn error(error: &TerraformError, paint: Paint) -> String {
    let mut blocks: Vec<String> = error
        .diagnostics()
        .iter()
        .map(|found| diagnostic(found, paint))
        .collect();
    blocks.push(format!(
        "{}: {}\n  help: {}",
        paint.tone(Tone::Bad, "error"),
        neutral(&error.to_string()),
        neutral_line(&error.help())
    ));
    blocks.join("\n\n")
}

#[cfg(test)]
mod tests;
