//! Lines as RKE's logger writes them: short with the seconds since the start on a terminal, `key=value` elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use crate::objects;

/// The logger.
pub struct Log {
    began: Instant,
    terminal: bool,
}

impl Log {
    /// One that begins now, for standard output.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            terminal: std::io::stdout().is_terminal(),
        }
    }

    fn line(&self, level: &str, message: &str) {
        let line = line(self.terminal, self.began.elapsed().as_secs(), level, message);
        let mut out = std::io::stdout().lock();
        // Whoever reads it may be gone; that ends no RKE.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }

    /// What it does.
    pub fn info(&self, message: impl AsRef<str>) {
        self.line("info", message.as_ref());
    }

    /// What is odd.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.line("warning", message.as_ref());
    }

    /// What ends it.
    pub fn fatal(&self, message: impl AsRef<str>) {
        self.line("fatal", message.as_ref());
    }
}

fn line(terminal: bool, seconds: u64, level: &str, message: &str) -> String {
    if terminal {
        return format!("{}[{seconds:04}] {message}\n", &level.to_uppercase()[..4]);
    }
    let escaped = message.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("time=\"{}\" level={level} msg=\"{escaped}\"\n", objects::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_both_forms() {
        assert_eq!(line(true, 7, "warning", "a"), "WARN[0007] a\n");
        let plain = line(false, 7, "fatal", "say \"a\"");
        assert!(
            plain.starts_with("time=\"20") && plain.ends_with(" level=fatal msg=\"say \\\"a\\\"\"\n"),
            "{plain}"
        );
    }
}
