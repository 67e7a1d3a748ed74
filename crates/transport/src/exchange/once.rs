//! A watched request: a shell of its own, its output passed on line by line.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Exchange, Start, find, nonce, script};
use crate::error::ErrorKind;
use crate::host::{OutputLine, Request, Response, Stream};
use crate::process::{Event, Opener};

/// How much of each stream the response keeps: the end, where errors are.
const KEPT: usize = 1 << 20;
/// A line is passed on at this length even without its end.
const LONGEST_LINE: usize = 64 << 10;
/// How long output may stay silent after the script ended while a child of it still holds the stream.
const SILENCE: Duration = Duration::from_millis(500);

/// Stands where output came faster than it was read.
const LEFT_OUT: &[u8] = b"\n[output left out: it came faster than it could be read]\n";

/// Cuts a stream into lines and keeps its end.
#[derive(Default)]
struct Lines {
    kept: BytesMut,
    partial: Vec<u8>,
    after_return: bool,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        self.kept.extend_from_slice(bytes);
        if self.kept.len() > 2 * KEPT {
            let excess = self.kept.len() - KEPT;
            let _ = self.kept.split_to(excess);
        }
        let mut out = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => out.push(self.cut()),
                _ => {
                    self.partial.push(byte);
                    if self.partial.len() >= LONGEST_LINE {
                        out.push(self.cut());
                    }
                }
            }
            self.after_return = byte == b'\r';
        }
        out
    }

    fn cut(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.partial).into_owned();
        self.partial.clear();
        line
    }

    fn rest(&mut self) -> Option<String> {
        (!self.partial.is_empty()).then(|| self.cut())
    }

    fn into_bytes(mut self) -> Bytes {
        let excess = self.kept.len().saturating_sub(KEPT);
        let _ = self.kept.split_to(excess);
        self.kept.freeze()
    }
}

impl Exchange {
    /// Starts a shell that runs this one request.
    pub(super) async fn open_once(
        opener: &dyn Opener,
        start: &Start<'_>,
        request: &Request,
    ) -> Result<Self, ErrorKind> {
        if request.script.contains('\0') {
            return Err(ErrorKind::BadRequest("a script cannot contain a NUL byte".into()));
        }
        let nonce = nonce()?;
        let mut program = BytesMut::from(script::once(&nonce, start.mark).as_bytes());
        program.extend_from_slice(format!("{} {}\n", request.script.len(), request.payload.len()).as_bytes());
        program.extend_from_slice(request.script.as_bytes());
        program.extend_from_slice(&request.payload);
        Self::start(opener, start, nonce, program.freeze()).await
    }

    /// Passes on what the request writes until it has ended. Output before the start is left out.
    pub(super) async fn watch(&mut self, lines: &mpsc::Sender<OutputLine>) -> Result<Response, ErrorKind> {
        // Input is complete: a script that reads on sees its end, and nothing waits for us.
        let _ = self.process.stdin.shutdown().await;
        let mut out = Lines::default();
        let mut err = Lines::default();
        let mark = format!("{} ready\n", self.nonce);
        // The mark on standard error may come after the one on standard output; until it does, what comes is noise.
        let mut noise;
        let early = self.stdout.split();
        let early_err = std::mem::take(&mut self.stderr);
        if let Some(at) = find(&early_err, mark.as_bytes()) {
            noise = None;
            send(lines, Stream::Stderr, err.push(&early_err[at + mark.len()..])).await;
        } else {
            noise = Some(early_err);
        }
        send(lines, Stream::Stdout, out.push(&early)).await;
        let mut end: Option<Instant> = None;
        loop {
            let event = match end {
                None => self.process.events.recv().await,
                Some(end) => match tokio::time::timeout_at(end, self.process.events.recv()).await {
                    Ok(event) => event,
                    Err(_) => break,
                },
            };
            match event {
                Some(Event::Stdout(bytes)) => send(lines, Stream::Stdout, out.push(&bytes)).await,
                Some(Event::Stderr(bytes)) => match &mut noise {
                    None => send(lines, Stream::Stderr, err.push(&bytes)).await,
                    Some(before) => {
                        // The mark may begin in what came before, which is of no other use.
                        let excess = before.len().saturating_sub(mark.len());
                        before.drain(..excess);
                        before.extend_from_slice(&bytes);
                        if let Some(at) = find(before, mark.as_bytes()) {
                            let rest = before.split_off(at + mark.len());
                            noise = None;
                            send(lines, Stream::Stderr, err.push(&rest)).await;
                        }
                    }
                },
                Some(Event::Exit(status)) => self.status = Some(status),
                // Its end counts, and what is in between is on the target for who wants it.
                Some(Event::Lost) => send(lines, Stream::Stdout, out.push(LEFT_OUT)).await,
                None => break,
            }
            if self.status.is_some() {
                end = Some(Instant::now() + SILENCE);
            }
        }
        send(lines, Stream::Stdout, out.rest().into_iter().collect()).await;
        send(lines, Stream::Stderr, err.rest().into_iter().collect()).await;
        match self.status {
            Some(status) => Ok(Response {
                stdout: out.into_bytes(),
                stderr: err.into_bytes(),
                status,
            }),
            None => Err(self.lost("watching a long request")),
        }
    }
}

async fn send(lines: &mpsc::Sender<OutputLine>, stream: Stream, text: Vec<String>) {
    for line in text {
        // Whoever watched may have gone; the work goes on.
        let _ = lines.send(OutputLine { stream, line }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_either_kind_of_end_once() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\ntw"), ["one"]);
        assert_eq!(lines.push(b"o\r\n10%\r"), ["two", "10%"]);
        assert_eq!(lines.push(b"\n\nlast"), [""]);
        assert_eq!(lines.rest().as_deref(), Some("last"));
        assert_eq!(&lines.into_bytes()[..], b"one\ntwo\r\n10%\r\n\nlast");
    }

    #[test]
    fn only_the_end_of_long_output_is_kept() {
        let mut lines = Lines::default();
        for _ in 0..50 {
            lines.push(&[b'x'; 100_000]);
        }
        lines.push(b"end");
        let kept = lines.into_bytes();
        assert_eq!(kept.len(), KEPT);
        assert!(kept.ends_with(b"xend"));
    }
}
