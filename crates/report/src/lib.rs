//! Renderers of a run's events: what an operator sees on the terminal, and the files a run leaves behind (JSONL, JUnit,
//! HTML). They know events only; nothing here decides, connects or changes anything.
//!
//! A program makes the [`Renderer`]s it wants, puts them into [`Renderers`] and hands every event to it, in order.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod diff;
mod file;
pub mod findings;
pub mod html;
pub mod jsonl;
pub mod junit;
mod lines;
mod live;
pub mod paint;
mod profile;
mod recap;
pub mod summary;
pub mod terminal;
pub mod text;

pub use html::HtmlReport;
pub use jsonl::JsonLines;
pub use junit::JunitReport;
pub use terminal::{Terminal, TerminalOptions};

use mosip_prov_events::{Event, EventKind};
use std::io;
use std::path::PathBuf;

/// Something that shows a run or writes it down. After the first error it is handed nothing more.
pub trait Renderer: Send {
    /// Takes the next event. Events come in the order in which they happened, `run_started` first.
    fn event(&mut self, event: &Event) -> Result<(), RenderError>;

    /// The run is over: writes what is still to be written. Called once, also when the run was cut short.
    fn finish(&mut self) -> Result<(), RenderError>;
}

/// What a renderer could not write.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A file could not be created or written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The terminal, or what the output is piped to, could not be written to.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl RenderError {
    /// True when the reader of a pipe has gone (`… | head`): nobody is left to be told.
    pub fn is_broken_pipe(&self) -> bool {
        match self {
            Self::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            Self::File { .. } => false,
        }
    }
}

/// Several renderers as one. A renderer that fails is dropped; the others are told why, once, by a warning. The run
/// goes on: a full disk under a report is no reason to leave machines half-way.
#[derive(Default)]
pub struct Renderers {
    parts: Vec<Box<dyn Renderer>>,
    errors: Vec<RenderError>,
}

impl Renderers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. The first one added is served first.
    pub fn push(&mut self, renderer: impl Renderer + 'static) {
        self.parts.push(Box::new(renderer));
    }

    /// Hands `event` to all of them.
    pub fn event(&mut self, event: &Event) {
        let mut pending = vec![event.clone()];
        while let Some(event) = pending.pop() {
            let errors = &mut self.errors;
            self.parts.retain_mut(|part| match part.event(&event) {
                Ok(()) => true,
                Err(error) => {
                    if !error.is_broken_pipe() {
                        pending.push(Event {
                            kind: EventKind::Warning {
                                host: None,
                                message: format!("{error}; it is written no further, the run goes on"),
                            },
                            ..event.clone()
                        });
                    }
                    errors.push(error);
                    false
                }
            });
        }
    }

    /// The run is over. Returns all that could not be written, in the order in which it came up.
    pub fn finish(mut self) -> Vec<RenderError> {
        for part in &mut self.parts {
            if let Err(error) = part.finish() {
                self.errors.push(error);
            }
        }
        self.errors
    }
}
