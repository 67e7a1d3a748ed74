//! Requests by `curl`: a client that knows nothing of the program tested.

use std::process::Command;

use serde_json::Value;

use crate::output;
use crate::testbed::Testbed;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// curl's exit code: 0 when an answer came, 7 refused, 28 too late, 35 no TLS, 52 and 56 closed.
    pub exit: i32,
    /// The status of the last answer; 0 when none came.
    pub status: u16,
    /// Its head.
    pub head: String,
    /// Its body.
    pub body: String,
    /// What curl complained.
    pub complaint: String,
}

impl Reply {
    /// The body as JSON, as the stand-in sends it.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// A header of the answer; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.trim())
    }

    /// Whether the connection was refused, closed or never answered.
    pub fn is_shut_out(&self) -> bool {
        self.status == 0 && matches!(self.exit, 7 | 28 | 35 | 52 | 56 | 92)
    }
}

/// Asks for `url`, where its host name stands for `address`, with further words for curl; from a client outside when
/// `outside`.
pub fn ask(testbed: &Testbed, outside: bool, url: &str, address: &str, words: &[&str]) -> Reply {
    let (name, port) = name_and_port(url);
    let mut command = if outside {
        testbed.outside("curl")
    } else {
        Command::new("curl")
    };
    command
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "5",
            "--http1.1",
            "--include",
            "--noproxy",
            "*",
        ])
        .args(["--resolve", &format!("{name}:{port}:{address}"), "--cacert"])
        .arg(testbed.authority())
        .args(words)
        .arg(url);
    let done = output(&mut command);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let (mut head, mut body) = (String::new(), text);
    // Interim answers (100 Continue) come before the last one.
    while body.starts_with("HTTP/") {
        let Some((first, rest)) = body.split_once("\r\n\r\n") else {
            break;
        };
        head = first.to_owned();
        body = rest.to_owned();
    }
    Reply {
        exit: done.status.code().unwrap_or(-1),
        status: head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0),
        head,
        body,
        complaint: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

fn name_and_port(url: &str) -> (&str, &str) {
    let (scheme, rest) = url.split_once("://").expect("a scheme");
    let authority = rest.split('/').next().unwrap_or_default();
    authority
        .split_once(':')
        .unwrap_or((authority, if scheme == "https" { "443" } else { "80" }))
}
