//! What the operator sees: live lines on a terminal, plain lines in a pipe, the recap at the end of both.

use crate::lines::Lines;
use crate::live::Live;
use crate::paint::Paint;
use crate::profile;
use crate::recap::{self, RecapStyle};
use crate::summary::Summary;
use crate::{RenderError, Renderer};
use indicatif::{ProgressDrawTarget, TermLike};
use mosip_prov_events::{Event, EventKind};
use std::io::Write;

/// How much is shown, and how.
#[derive(Debug, Clone, Default)]
pub struct TerminalOptions {
    /// 0: what changed or went wrong. 1: also what was left as it is, with the reason. 2: also the output of long
    /// steps.
    pub verbosity: u8,
    /// Colours.
    pub color: bool,
    /// Show what differs, line by line.
    pub diff: bool,
    /// Say at the end where the time went.
    pub profile: bool,
    /// Columns of the terminal; lines of progress are cut to it. `None` cuts nothing.
    pub width: Option<usize>,
    /// Lines of the terminal; 0 is read as 24.
    pub height: usize,
    /// The command that ran, without `--limit`: the recap offers it for the hosts that failed.
    pub command: Option<String>,
    /// The command that ran, as it was: the recap offers it after an interruption.
    pub same_command: Option<String>,
    /// The command that makes the changes a check run has shown.
    pub apply_command: Option<String>,
}

enum Output {
    Plain(Box<dyn Write + Send>),
    Live(Box<Live>),
}

/// Shows a run to a person.
pub struct Terminal {
    lines: Lines,
    summary: Summary,
    output: Output,
    options: TerminalOptions,
}

impl Terminal {
    /// Plain lines to `writer`, no control sequences but colours if asked for. Each line is written at once.
    pub fn plain(writer: impl Write + Send + 'static, options: TerminalOptions) -> Self {
        Self::with(Output::Plain(Box::new(writer)), options)
    }

    /// Live lines on standard output, which must be a terminal.
    pub fn live(options: TerminalOptions) -> Self {
        let live = Live::new(
            ProgressDrawTarget::stdout(),
            height(&options),
            true,
            Some(Box::new(std::io::stdout())),
        );
        Self::with(Output::Live(Box::new(live)), options)
    }

    /// Live lines on any terminal, without elapsed times, so that what it shows depends on the events alone.
    pub fn live_on(terminal: Box<dyn TermLike>, options: TerminalOptions) -> Self {
        // Every state is drawn, not only some a second.
        let target = ProgressDrawTarget::term_like(terminal);
        let live = Live::new(target, height(&options), false, None);
        Self::with(Output::Live(Box::new(live)), options)
    }

    fn with(output: Output, options: TerminalOptions) -> Self {
        let plain = matches!(output, Output::Plain(_));
        let lines = Lines::new(
            Paint::new(options.color),
            options.verbosity,
            options.diff,
            options.width,
            plain,
        );
        Self {
            lines,
            summary: Summary::new(),
            output,
            options,
        }
    }

    fn recap(&self) -> Vec<String> {
        recap::render(
            &self.summary,
            &RecapStyle {
                paint: self.lines.paint,
                verbosity: self.options.verbosity,
                labelled: matches!(self.output, Output::Plain(_)),
                command: self.options.command.as_deref(),
                same_command: self.options.same_command.as_deref(),
                apply_command: self.options.apply_command.as_deref(),
            },
        )
    }
}

impl Renderer for Terminal {
    fn event(&mut self, event: &Event) -> Result<(), RenderError> {
        self.summary.add(event);
        let mut lines = self.lines.of(event);
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            lines.extend(self.recap());
            if self.options.profile {
                lines.extend(profile::render(&self.summary, self.lines.paint));
            }
        }
        match &mut self.output {
            Output::Plain(writer) => {
                if !lines.is_empty() {
                    writer.write_all((lines.join("\n") + "\n").as_bytes())?;
                    writer.flush()?;
                }
            }
            Output::Live(live) => {
                live.update(event, &self.lines);
                live.print(&lines)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), RenderError> {
        match &mut self.output {
            Output::Plain(writer) => writer.flush()?,
            Output::Live(live) => live.clear(),
        }
        Ok(())
    }
}

fn height(options: &TerminalOptions) -> usize {
    match options.height {
        0 => 24,
        height => height,
    }
}
