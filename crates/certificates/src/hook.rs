//! What certbot's hooks and the program that started certbot say to each other: a line of JSON over a socket, and a word
//! back. certbot calls the hook once for each challenge, one after the other, and goes on when it ends.

use serde::{Deserialize, Serialize};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The variable that names the socket to the hook.
pub(crate) const SOCKET: &str = "MOSIP_PROV_HOOK_SOCKET";
/// The variable with the operator's own command that creates a record.
pub(crate) const AUTH_COMMAND: &str = "MOSIP_PROV_AUTH_HOOK";
/// The variable with the operator's own command that removes it.
pub(crate) const CLEANUP_COMMAND: &str = "MOSIP_PROV_CLEANUP_HOOK";
/// The word that lets the hook end well.
pub(crate) const GO_ON: &str = "go on";

/// Which of the two hooks is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A record is to be there when it ends.
    Auth,
    /// The record is no longer needed.
    Cleanup,
}

/// What a hook says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    pub(crate) domain: String,
    pub(crate) value: String,
    /// How many calls follow.
    pub(crate) remaining: usize,
    /// What went wrong with the operator's own command.
    pub(crate) failure: Option<String>,
}

/// A hook could not do its part.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Called by something else.
    #[error("{0} is not set: this hook is called by certbot, started by `mosip-prov certificates request`")]
    NotCalled(&'static str),
    /// The program that started certbot is gone.
    #[error("cannot reach the program that started certbot: {0}")]
    Gone(std::io::Error),
    /// It says to stop.
    #[error("{0}")]
    Stop(String),
}

fn variable(name: &'static str) -> Result<String, HookError> {
    std::env::var(name).map_err(|_| HookError::NotCalled(name))
}

/// Does the part of certbot's hook: runs the operator's own command when there is one, tells the program that started
/// certbot, and waits for its word. Returns what the operator's command printed, which certbot hands to the other hook.
///
/// # Errors
/// Not called by certbot, or told to stop.
pub fn run(kind: Kind) -> Result<String, HookError> {
    let socket = PathBuf::from(variable(SOCKET)?);
    let domain = variable("CERTBOT_DOMAIN")?;
    let value = variable("CERTBOT_VALIDATION")?;
    let number = |name: &str| std::env::var(name).ok()?.trim().parse().ok();
    let remaining = number("CERTBOT_REMAINING_CHALLENGES").unwrap_or(0);
    let command = match kind {
        Kind::Auth => std::env::var(AUTH_COMMAND),
        Kind::Cleanup => std::env::var(CLEANUP_COMMAND),
    };
    let (printed, failure) = match command {
        Ok(command) => own(&command),
        Err(_) => (String::new(), None),
    };
    let call = Call {
        kind,
        domain,
        value,
        remaining,
        failure,
    };
    let mut stream = UnixStream::connect(&socket).map_err(HookError::Gone)?;
    let line = serde_json::to_string(&call).unwrap_or_default();
    writeln!(stream, "{line}").map_err(HookError::Gone)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(HookError::Gone)?;
    match answer.trim() {
        GO_ON => Ok(printed),
        "" => Err(HookError::Stop("the program that started certbot has ended".into())),
        reason => Err(HookError::Stop(reason.to_owned())),
    }
}

/// Runs the operator's command as certbot would; what it printed, and how it failed.
fn own(command: &str) -> (String, Option<String>) {
    let done = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).output();
    match done {
        Ok(done) => {
            let printed = String::from_utf8_lossy(&done.stdout).into_owned();
            let failure = (!done.status.success()).then(|| {
                let said = String::from_utf8_lossy(&done.stderr);
                let last: Vec<&str> = said.lines().rev().take(5).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                format!("ended with {}: {}", done.status, last.join(" / "))
            });
            (printed, failure)
        }
        Err(error) => (String::new(), Some(format!("cannot be started: {error}"))),
    }
}
