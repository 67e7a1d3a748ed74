//! Questions on the terminal itself whose answers may be seen, whatever standard input and output are.

use crate::prompt::{PromptError, yes_or_no};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};

/// A terminal to ask on.
pub struct Terminal {
    input: BufReader<File>,
    output: File,
}

impl Terminal {
    /// The terminal that this process has; `None` when it has none.
    pub fn open() -> Option<Self> {
        let tty = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        Some(Self {
            output: tty.try_clone().ok()?,
            input: BufReader::new(tty),
        })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn say(&mut self, text: &str) -> Result<(), PromptError> {
        writeln!(self.output, "{text}").map_err(|source| PromptError::Io {
            what: "an answer".to_owned(),
            source,
        })
    }

    /// Asks, and returns what was typed before Enter, without the blanks around it. Ctrl-D is an interrupt; Ctrl-C ends
    /// the process, which has changed nothing while it asks.
    ///
    /// # Errors
    /// Interrupted, or the terminal is gone.
    pub fn ask(&mut self, question: &str) -> Result<String, PromptError> {
        let failed = |source| PromptError::Io {
            what: question.to_owned(),
            source,
        };
        write!(self.output, "{question}: ")
            .and_then(|()| self.output.flush())
            .map_err(failed)?;
        let mut line = String::new();
        if self.input.read_line(&mut line).map_err(failed)? == 0 {
            let _ = writeln!(self.output);
            return Err(PromptError::Interrupted);
        }
        Ok(line.trim().to_owned())
    }

    /// Asks until it is yes or no; Enter is no.
    ///
    /// # Errors
    /// Interrupted, or the terminal is gone.
    pub fn confirm(&mut self, question: &str) -> Result<bool, PromptError> {
        loop {
            match yes_or_no(&self.ask(&format!("{question} [y/N]"))?) {
                Some(answer) => return Ok(answer),
                None => self.say("  y or n is wanted")?,
            }
        }
    }
}
