//! The exchange: one long-lived shell per identity that answers one request per round trip.
//!
//! Wire format, after the start line of [`script::boot`] (everything before the nonce is noise of banners and profiles):
//!
//! ```text
//! ->  SCRIPT_BYTES PAYLOAD_BYTES OUTPUT_LIMIT\n  script  payload
//! <-  NONCE done ok|full|large STATUS STDOUT_BYTES STDERR_BYTES TOTAL_BYTES BEGAN ENDED\n  stdout  stderr
//! ```

pub(crate) mod fuzzing;
mod once;
mod script;
mod shells;
mod sudo;
#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use secrecy::ExposeSecret as _;
use tokio::io::AsyncWriteExt as _;

use crate::error::{BecomeError, ErrorKind};
use crate::host::{BecomeUser, Request, Response};
use crate::process::{Event, Opener, Process};
use crate::target::SudoSettings;

pub(crate) use script::Mark;
pub(crate) use shells::{ShellSettings, Shells};

/// How much noise before the start marker, and how much standard error of the serving shell, is kept.
const NOISE_KEPT: usize = 64 << 10;
/// No line of the protocol is longer.
const LONGEST_LINE: usize = 8 << 10;

/// Payloads up to this size travel in one write with their script.
const ONE_WRITE: usize = 64 << 10;

/// 128 bits from the system, in hex.
pub(crate) fn nonce() -> Result<String, ErrorKind> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|source| ErrorKind::Local {
            doing: "reading /dev/urandom".into(),
            source,
        })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a request may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub time: Duration,
    pub output: usize,
}

/// A shell that has said that it is there.
pub(crate) struct Exchange {
    process: Process,
    nonce: String,
    stdout: BytesMut,
    stderr: Vec<u8>,
    status: Option<i32>,
    /// More came than was asked for, and some of it was left out: there is no telling any more what is an answer.
    flooded: bool,
    /// Its process id on the target.
    pub pid: u32,
    /// Its private folder on the target.
    pub folder: String,
    /// How long the last request ran there, by the target's own clock, which counts hundredths of a second.
    pub remote: Duration,
}

/// Who is to run the shell, and how to start it.
pub(crate) struct Start<'a> {
    pub shell: &'a str,
    pub user: Option<&'a BecomeUser>,
    pub sudo: &'a SudoSettings,
    /// Folder of an earlier shell that could not clean up.
    pub leftover: &'a str,
    pub mark: &'a Mark,
    /// How many bytes of output may wait to be read.
    pub backlog: usize,
}

enum Line {
    Text(String),
    Ended,
    /// It began as one of ours and does not end.
    Endless,
}

impl Exchange {
    /// A shell that has said nothing yet.
    fn over(process: Process, nonce: String) -> Self {
        Self {
            process,
            nonce,
            stdout: BytesMut::new(),
            stderr: Vec::new(),
            status: None,
            flooded: false,
            pid: 0,
            folder: String::new(),
            remote: Duration::ZERO,
        }
    }

    /// Starts a shell that serves requests until it is dropped. A `first` request travels along, which saves a round trip; its
    /// answer is [`Exchange::first_answer`].
    pub async fn open(
        opener: &dyn Opener,
        start: &Start<'_>,
        first: Option<(&Request, Limits)>,
    ) -> Result<Self, ErrorKind> {
        let nonce = nonce()?;
        let mut program = BytesMut::from(script::serve(&nonce, start.leftover, start.mark).as_bytes());
        if let Some((request, limits)) = first {
            program.extend_from_slice(&framed(request, &nonce, limits)?);
            program.extend_from_slice(&request.payload);
        }
        let mut exchange = Self::start(opener, start, nonce, program.freeze()).await?;
        exchange.stderr.clear();
        Ok(exchange)
    }

    async fn start(opener: &dyn Opener, start: &Start<'_>, nonce: String, program: Bytes) -> Result<Self, ErrorKind> {
        // Only sudo that may ask for a password has to be waited for.
        let boot = script::boot(&nonce, start.user.is_some() && start.sudo.password.is_some());
        let command = sudo::command(start.shell, &boot, &nonce, start.user, start.sudo)?;
        let limit = start.sudo.timeout;
        let process = match tokio::time::timeout(limit, opener.open(command, start.backlog)).await {
            Ok(process) => process?,
            Err(_) => {
                return Err(ErrorKind::ConnectionLost {
                    doing: "opening a channel".into(),
                });
            }
        };
        let mut exchange = Self::over(process, nonce);
        match tokio::time::timeout(limit, exchange.begin(start, program)).await {
            Ok(outcome) => outcome.map(|()| exchange),
            Err(_) => Err(match start.user {
                Some(_) => BecomeError::NoAnswer {
                    limit,
                    said: exchange.said(),
                }
                .into(),
                None => ErrorKind::NoShell {
                    status: None,
                    said: format!("no answer within {limit:?}; {}", exchange.said()),
                },
            }),
        }
    }

    async fn begin(&mut self, start: &Start<'_>, program: Bytes) -> Result<(), ErrorKind> {
        if let (Some(user), Some(password)) = (start.user, &start.sudo.password) {
            // sudo may take our next line as a password, so nothing is sent before it is known what it does.
            self.give_password(user, password.expose_secret()).await?;
        }
        // A shell that is gone shows in the read below, with a reason.
        let _ = self.process.stdin.write_all(&program).await;
        let _ = self.process.stdin.flush().await;
        loop {
            match self.marked_line().await {
                Line::Ended => return Err(self.never_started(start)),
                Line::Endless => return Err(endless()),
                Line::Text(line) => {
                    let words: Vec<_> = line.split(' ').collect();
                    match words[..] {
                        ["up"] => {}
                        ["ready", pid, folder] => {
                            self.pid = pid
                                .parse()
                                .map_err(|_| ErrorKind::Protocol(format!("{pid:?} is not a process id")))?;
                            // It is named in later scripts, so it must be what we would have made.
                            if !is_our_folder(folder) {
                                return Err(ErrorKind::Protocol(format!("{folder:?} is not a folder of ours")));
                            }
                            self.folder = folder.to_string();
                            return Ok(());
                        }
                        ["nospace"] => {
                            return Err(ErrorKind::NoSpace {
                                said: "none of /dev/shm, /run, /tmp and /var/tmp can be written to".into(),
                            });
                        }
                        _ => return Err(ErrorKind::Protocol(format!("unexpected start line {line:?}"))),
                    }
                }
            }
        }
    }

    async fn give_password(&mut self, user: &BecomeUser, password: &str) -> Result<(), ErrorKind> {
        let prompt = sudo::prompt(&self.nonce);
        let up = format!("{} up\n", self.nonce);
        let mut given = false;
        loop {
            if find(&self.stdout, up.as_bytes()).is_some() {
                self.stderr.clear();
                return Ok(());
            }
            if let Some(at) = find(&self.stderr, prompt.as_bytes()) {
                if given {
                    return Err(BecomeError::WrongPassword {
                        user: user.as_str().into(),
                    }
                    .into());
                }
                self.stderr.drain(..at + prompt.len());
                given = true;
                let line = secrecy::SecretString::from(format!("{password}\n"));
                let _ = self.process.stdin.write_all(line.expose_secret().as_bytes()).await;
                let _ = self.process.stdin.flush().await;
                continue;
            }
            let excess = self.stdout.len().saturating_sub(NOISE_KEPT);
            self.stdout.advance(excess);
            if !self.more().await {
                return Err(match self.status {
                    _ if self.flooded => flooded(),
                    None => self.lost("starting sudo"),
                    status => sudo::explain(&self.said(), status, user.as_str()).into(),
                });
            }
        }
    }

    fn never_started(&self, start: &Start<'_>) -> ErrorKind {
        match (self.status, start.user) {
            _ if self.flooded => flooded(),
            (None, _) => self.lost("starting a shell"),
            (status, Some(user)) => sudo::explain(&self.said(), status, user.as_str()).into(),
            (status, None) => ErrorKind::NoShell {
                status,
                said: self.said(),
            },
        }
    }

    /// Takes in one more event; false when there are none left.
    async fn more(&mut self) -> bool {
        match self.process.events.recv().await {
            Some(Event::Stdout(bytes)) => self.stdout.extend_from_slice(&bytes),
            Some(Event::Stderr(bytes)) => {
                self.stderr.extend_from_slice(&bytes);
                let excess = self.stderr.len().saturating_sub(NOISE_KEPT);
                self.stderr.drain(..excess);
            }
            Some(Event::Exit(status)) => self.status = Some(status),
            Some(Event::Lost) => {
                self.flooded = true;
                return false;
            }
            None => return false,
        }
        true
    }

    /// The rest of the next line that starts with the nonce; what comes before it is dropped.
    async fn marked_line(&mut self) -> Line {
        let mark = format!("{} ", self.nonce);
        // What was looked through is not looked through again.
        let mut from = 0;
        loop {
            if let Some(at) = find(&self.stdout[from..], mark.as_bytes()) {
                self.stdout.advance(from + at);
                break;
            }
            let excess = self.stdout.len().saturating_sub(NOISE_KEPT);
            self.stdout.advance(excess);
            from = self.stdout.len().saturating_sub(mark.len() - 1);
            if !self.more().await {
                return Line::Ended;
            }
        }
        loop {
            let end = self.stdout.iter().take(LONGEST_LINE).position(|&byte| byte == b'\n');
            if let Some(end) = end {
                let line = String::from_utf8_lossy(&self.stdout[mark.len()..end])
                    .trim_end()
                    .to_string();
                self.stdout.advance(end + 1);
                return Line::Text(line);
            }
            if self.stdout.len() >= LONGEST_LINE {
                return Line::Endless;
            }
            if !self.more().await {
                return Line::Ended;
            }
        }
    }

    async fn take(&mut self, count: usize) -> Option<Bytes> {
        self.stdout.reserve(count.saturating_sub(self.stdout.len()));
        while self.stdout.len() < count {
            if !self.more().await {
                return None;
            }
        }
        Some(self.stdout.split_to(count).freeze())
    }

    /// What was said on both streams, for an error message.
    fn said(&self) -> String {
        let text = [&self.stderr[..], &self.stdout[..]].concat();
        let text = String::from_utf8_lossy(&text).replace(&self.nonce, "");
        let text = text.trim();
        if text.is_empty() {
            return "it said nothing".into();
        }
        let skip = text.chars().count().saturating_sub(500);
        text.chars().skip(skip).collect()
    }

    fn lost(&self, doing: &str) -> ErrorKind {
        ErrorKind::ConnectionLost { doing: doing.into() }
    }

    /// Sends a request and reads its answer. Not to be used again after an error, except for [`Exchange::answer`] after a time-out
    /// of the caller.
    pub async fn round(&mut self, request: &Request, limits: Limits) -> Result<Response, ErrorKind> {
        let mut head = framed(request, &self.nonce, limits)?;
        let payload = request.payload.clone();
        let mut stdin = std::mem::replace(&mut self.process.stdin, Box::new(tokio::io::sink()));
        let sent = async {
            // One write where it can be: the whole request in as few packets as possible.
            if payload.len() <= ONE_WRITE {
                head.extend_from_slice(&payload);
                let _ = stdin.write_all(&head).await;
            } else {
                let _ = stdin.write_all(&head).await;
                let _ = stdin.write_all(&payload).await;
            }
            let _ = stdin.flush().await;
            // A write that failed shows in the answer, or the lack of one.
            std::future::pending::<()>().await;
        };
        let outcome = {
            let answer = self.answer(limits);
            tokio::pin!(sent);
            tokio::select! {
                answer = answer => Some(answer),
                () = tokio::time::sleep(limits.time) => None,
                () = &mut sent => None,
            }
        };
        self.process.stdin = stdin;
        outcome.unwrap_or_else(|| {
            Err(ErrorKind::Timeout {
                limit: limits.time,
                stderr: String::new(),
            })
        })
    }

    /// Reads the answer to the request that the shell was opened with.
    pub async fn first_answer(&mut self, limits: Limits) -> Result<Response, ErrorKind> {
        match tokio::time::timeout(limits.time, self.answer(limits)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ErrorKind::Timeout {
                limit: limits.time,
                stderr: String::new(),
            }),
        }
    }

    /// Reads the answer to a request that was sent before.
    pub async fn answer(&mut self, limits: Limits) -> Result<Response, ErrorKind> {
        let line = match self.marked_line().await {
            Line::Text(line) => line,
            Line::Ended => return Err(self.ended()),
            Line::Endless => return Err(endless()),
        };
        let words: Vec<_> = line.split(' ').collect();
        let number = |text: &str| {
            text.parse::<u64>()
                .map_err(|_| ErrorKind::Protocol(format!("unexpected answer {line:?}")))
        };
        match words[..] {
            ["done", verdict, status, out, err, total, began, ended] => {
                self.remote = between(began, ended);
                let status = number(status)? as i32;
                let (out, err) = (number(out)? as usize, number(err)? as usize);
                if out.saturating_add(err) > limits.output.saturating_add(4096) {
                    return Err(ErrorKind::Protocol(format!(
                        "an answer of {} bytes was announced",
                        out.saturating_add(err)
                    )));
                }
                let (Some(stdout), Some(stderr)) = (self.take(out).await, self.take(err).await) else {
                    return Err(self.ended());
                };
                match verdict {
                    "ok" => Ok(Response { stdout, stderr, status }),
                    "large" => Err(ErrorKind::OutputTooLarge {
                        size: number(total)?,
                        limit: limits.output as u64,
                    }),
                    _ => Err(self.full(&stderr)),
                }
            }
            ["full"] => Err(self.full(&[])),
            _ => Err(ErrorKind::Protocol(format!("unexpected answer {line:?}"))),
        }
    }

    fn full(&self, stderr: &[u8]) -> ErrorKind {
        let said = String::from_utf8_lossy(stderr);
        ErrorKind::NoSpace {
            said: format!("{} is full. {}", self.folder, said.trim())
                .trim_end()
                .to_string(),
        }
    }

    fn ended(&self) -> ErrorKind {
        match self.status {
            _ if self.flooded => flooded(),
            None => self.lost("waiting for an answer"),
            status => ErrorKind::ShellEnded {
                status,
                said: self.said(),
            },
        }
    }
}

/// A request as it travels, without its payload.
fn framed(request: &Request, nonce: &str, limits: Limits) -> Result<BytesMut, ErrorKind> {
    if request.script.contains('\0') {
        return Err(ErrorKind::BadRequest("a script cannot contain a NUL byte".into()));
    }
    let end = script::end(nonce);
    let length = request.script.len() + end.len();
    let head = format!("{length} {} {}\n", request.payload.len(), limits.output);
    let mut bytes = BytesMut::with_capacity(head.len() + length + request.payload.len().min(ONE_WRITE));
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(request.script.as_bytes());
    bytes.extend_from_slice(end.as_bytes());
    Ok(bytes)
}

/// The time between two readings of `/proc/uptime`; none where the target has no such file, or says what no clock says.
fn between(began: &str, ended: &str) -> Duration {
    let hundredths = |text: &str| -> Option<u64> {
        let (seconds, rest) = text.split_once('.')?;
        Some(u64::from(seconds.parse::<u32>().ok()?) * 100 + rest.get(..2)?.parse::<u64>().ok()?)
    };
    match (hundredths(began), hundredths(ended)) {
        (Some(began), Some(ended)) => Duration::from_millis(ended.saturating_sub(began) * 10),
        _ => Duration::ZERO,
    }
}

fn endless() -> ErrorKind {
    ErrorKind::Protocol(format!("a line of an answer is longer than {LONGEST_LINE} bytes"))
}

fn flooded() -> ErrorKind {
    ErrorKind::Protocol("the host sends far more than it was asked for".into())
}

/// Whether a folder is one that [`script`] makes.
fn is_our_folder(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    path.rsplit_once('/').is_some_and(|(folder, name)| {
        ["/dev/shm", "/run", "/tmp", "/var/tmp"].contains(&folder)
            && name.starts_with(".mosip-prov.")
            && name.chars().all(plain)
    })
}

/// Where `needle` starts in `hay`.
fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}
