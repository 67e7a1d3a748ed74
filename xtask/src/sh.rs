//! Running other programs: one place that says which command failed and what it printed.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What went wrong, in words for the person at the terminal.
#[derive(Debug)]
pub struct Error(pub String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Shorthand for everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Adds the thing that was attempted to an error of the standard library.
pub trait Context<T> {
    /// Turns the error into `<doing>: <cause>`.
    fn doing(self, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn doing(self, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|cause| Error(format!("{doing}: {cause}")))
    }
}

/// How a command is shown in messages: its words, quoted where a shell would need it.
fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| {
            let word = word.to_string_lossy();
            if word.contains(|c: char| c.is_whitespace()) {
                format!("'{word}'")
            } else {
                word.into_owned()
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs a command with its output kept; its standard output on success, an error with all it printed otherwise.
pub fn output(command: &mut Command) -> Result<String> {
    let words = shown(command);
    let done = command
        .stdin(Stdio::null())
        .output()
        .doing(format!("cannot start `{words}`"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(Error(format!(
        "`{words}` ended with {}\n{}{}",
        done.status,
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    )))
}

/// [`output`] for a command given as words.
pub fn run(words: &[&str]) -> Result<String> {
    output(Command::new(words[0]).args(&words[1..]))
}

/// Whether the command could be started and ended well; its output is dropped.
pub fn succeeds(words: &[&str]) -> bool {
    run(words).is_ok()
}

/// Runs a command whose output goes straight to the terminal.
pub fn show(command: &mut Command) -> Result<()> {
    let words = shown(command);
    let status = command.status().doing(format!("cannot start `{words}`"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error(format!("`{words}` ended with {status}")))
}

/// Becomes the command: its output, its exit status. Returns only when it cannot be started.
pub fn become_command(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let words = shown(command);
    Err(command.exec()).doing(format!("cannot start `{words}`"))
}

/// Runs a command that reads `input`, its output appended to the file `log`.
pub fn logged(command: &mut Command, input: &str, log: &Path) -> Result<()> {
    let words = shown(command);
    let open = || {
        std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .doing(format!("cannot write {}", log.display()))
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(open()?)
        .stderr(open()?)
        .spawn()
        .doing(format!("cannot start `{words}`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that ends early closes its input; its status tells the story better than the broken pipe.
        let _ = stdin.write_all(input.as_bytes());
    }
    let status = child.wait().doing(format!("waiting for `{words}`"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error(format!(
        "`{words}` ended with {status}; the end of {}:\n{}",
        log.display(),
        tail(log, 25)
    )))
}

/// The last `lines` lines of a file; empty when it cannot be read.
pub fn tail(path: &Path, lines: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Whether a program of that name is on the PATH or in the system folders.
pub fn on_path(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .any(|folder| Path::new(folder).join(program).is_file())
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    run(&["id", "-u"]).is_ok_and(|uid| uid.trim() == "0")
}

/// Writes a file and its parent folders.
pub fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).doing(format!("cannot make {}", parent.display()))?;
    }
    std::fs::write(path, text).doing(format!("cannot write {}", path.display()))
}

/// Sets the permission bits of a file.
pub fn set_mode(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .doing(format!("cannot set the mode of {}", path.display()))
}
