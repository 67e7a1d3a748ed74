//! Passwords asked on the terminal itself, without echo, whatever standard input and output are.

use mosip_prov::transport::{Prompt, Secret};
use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// There is no terminal to ask on.
    #[error("cannot ask for {what}: there is no terminal")]
    NoTerminal {
        /// What was to be asked for.
        what: String,
    },
    /// The operator pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// Reading failed.
    #[error("cannot read {what} from the terminal: {source}")]
    Io {
        /// What was asked for.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A password file could not be read.
    #[error("cannot read {what} from {}: {reason}", path.display())]
    File {
        /// What it was to hold.
        what: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl PromptError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoTerminal { .. } => {
                "name a file that holds it (--vault-password-file, --become-password-file, --connection-password-file), \
                 or run from a terminal"
            }
            Self::Interrupted | Self::Io { .. } => "run the command again",
            Self::File { .. } => "the file holds the password in its first line and is readable by you",
        }
    }
}

/// Asks for `what`. Nothing that is typed is shown. `None`: only Enter was pressed.
pub fn ask(what: &str) -> Result<Option<Secret>, PromptError> {
    let io_error = |source| PromptError::Io {
        what: what.to_owned(),
        source,
    };
    let no_terminal = || PromptError::NoTerminal { what: what.to_owned() };
    let mut tty = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|_| no_terminal())?;
    let _quiet = Quiet::begin(&tty).map_err(|_| no_terminal())?;
    let mut out = tty.try_clone().map_err(io_error)?;
    write!(out, "{what}: ").map_err(io_error)?;
    let typed = read_line(&mut tty);
    // The line end that was typed was not shown either.
    let _ = writeln!(out);
    match typed {
        Ok(Typed::Line(text)) => Ok((!text.is_empty()).then(|| Secret::from(text.as_str()))),
        Ok(Typed::Interrupt) => Err(PromptError::Interrupted),
        Err(source) => Err(io_error(source)),
    }
}

/// Whether there is a terminal to ask on.
pub fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Asks `question`, to be answered with yes or no; only Enter is no.
pub fn confirm(question: &str) -> Result<bool, PromptError> {
    let io_error = |source| PromptError::Io {
        what: "the answer".to_owned(),
        source,
    };
    let no_terminal = || PromptError::NoTerminal {
        what: "an answer".to_owned(),
    };
    let mut tty = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|_| no_terminal())?;
    let _quiet = Quiet::begin(&tty).map_err(|_| no_terminal())?;
    let mut out = tty.try_clone().map_err(io_error)?;
    loop {
        write!(out, "{question} [y/N] ").map_err(io_error)?;
        let typed = read_line(&mut tty).map_err(io_error)?;
        let Typed::Line(line) = typed else {
            let _ = writeln!(out);
            return Err(PromptError::Interrupted);
        };
        // What is typed is not shown by itself here.
        let _ = writeln!(out, "{}", line.escape_default());
        if let Some(answer) = yes_or_no(&line) {
            return Ok(answer);
        }
    }
}

/// What a line that was typed means; `None`: it has to be asked again.
pub fn yes_or_no(line: &str) -> Option<bool> {
    match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Some(true),
        "" | "n" | "no" => Some(false),
        _ => None,
    }
}

/// The first line of a file.
pub fn from_file(what: &str, path: &Path) -> Result<Secret, PromptError> {
    let problem = |reason: String| PromptError::File {
        what: what.to_owned(),
        path: path.to_owned(),
        reason,
    };
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|e| problem(e.to_string()))?);
    match text.lines().next().map(str::trim_end).filter(|line| !line.is_empty()) {
        Some(line) => Ok(Secret::from(line)),
        None => Err(problem("it is empty".to_owned())),
    }
}

enum Typed {
    Line(Zeroizing<String>),
    Interrupt,
}

/// Reads what is typed up to the line end, with the editing keys people use on passwords.
fn read_line(input: &mut impl Read) -> io::Result<Typed> {
    // Never grows, so that no copy is left behind in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let mut byte = [0u8];
    loop {
        if input.read(&mut byte)? == 0 {
            if bytes.is_empty() {
                return Ok(Typed::Interrupt);
            }
            break;
        }
        match byte[0] {
            b'\n' | b'\r' => break,
            0x03 => return Ok(Typed::Interrupt),
            0x04 if bytes.is_empty() => return Ok(Typed::Interrupt),
            0x04 => break,
            // Backspace takes a whole character away.
            0x08 | 0x7f => while bytes.pop().is_some_and(|b| b & 0xc0 == 0x80) {},
            0x15 => bytes.clear(),
            other if bytes.len() < bytes.capacity() => bytes.push(other),
            _ => {}
        }
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Typed::Line(Zeroizing::new(text.to_owned()))),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8")),
    }
}

/// The terminal without echo; as it was when dropped. Ctrl-C comes as a character, so that it cannot end the process
/// while the echo is off.
struct Quiet {
    tty: File,
    before: Termios,
}

impl Quiet {
    fn begin(tty: &File) -> io::Result<Self> {
        let before = termios::tcgetattr(tty)?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        let tty = tty.try_clone()?;
        termios::tcsetattr(&tty, OptionalActions::Flush, &quiet)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(&self.tty, OptionalActions::Flush, &self.before);
    }
}

/// Asks for the passphrases of keys.
pub struct Passphrases;

impl Prompt for Passphrases {
    fn passphrase(&self, key: &Path) -> Option<Secret> {
        ask(&format!("Passphrase of {}", key.display())).ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Option<String> {
        match read_line(&mut &*bytes).unwrap() {
            Typed::Line(text) => Some(text.as_str().to_owned()),
            Typed::Interrupt => None,
        }
    }

    #[test]
    fn editing_keys() {
        assert_eq!(typed(b"secret\n").as_deref(), Some("secret"));
        assert_eq!(typed(b"wrong\x15right\r").as_deref(), Some("right"));
        assert_eq!(typed("aäß\x7f\x7fb\n".as_bytes()).as_deref(), Some("ab"));
        assert_eq!(typed(b"\n").as_deref(), Some(""));
        assert_eq!(typed(b"end\x04").as_deref(), Some("end"));
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        assert_eq!(
            ["y", "YES ", "", "n", "No"].map(yes_or_no),
            [Some(true), Some(true), Some(false), Some(false), Some(false)]
        );
        assert_eq!(yes_or_no("yeah"), None);
    }

    #[test]
    fn interrupts() {
        assert_eq!(typed(b"abc\x03"), None);
        assert_eq!(typed(b"\x04"), None);
        assert_eq!(typed(b""), None);
    }
}
