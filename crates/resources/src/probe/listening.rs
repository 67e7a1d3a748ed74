//! TCP ports, as seen from the target: its own from the kernel's list of listening sockets, those of others by
//! connecting. A subject is `HOST PORT`; the answer is `open` or `closed`.

use super::{all_failed, shorten, whole_frames};
use mosip_prov_engine::shell::{frame, quote, split_frames};
use mosip_prov_engine::{Ask, Probe, Question, RawAnswer};

/// Asks whether a TCP port accepts connections; `true` when it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskPort {
    /// Host name or address; `localhost` and loopback addresses mean the target itself.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Ask for AskPort {
    type Answer = bool;

    fn question(&self) -> Question {
        Question::new(&PortProbe, format!("{} {}", self.host, self.port))
    }

    fn read(&self, raw: &str) -> Result<bool, String> {
        match raw {
            "open" => Ok(true),
            "closed" => Ok(false),
            other => Err(format!("no state of a port: {}", shorten(other))),
        }
    }
}

/// The kind of question behind [`AskPort`].
pub struct PortProbe;

fn parse(subject: &str) -> (&str, u16) {
    let (host, port) = subject.rsplit_once(' ').unwrap_or((subject, "0"));
    (host, port.parse().unwrap_or(0))
}

fn is_own(host: &str) -> bool {
    host == "localhost" || host == "::1" || host.starts_with("127.")
}

/// Exit status of the connection attempt when no tool for it is there.
const NO_TOOL: i32 = 9;

fn connect(host: &str, port: u16) -> String {
    let host = quote(host);
    frame(&format!(
        "h={host} p={port}
if command -v bash >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1; then
  timeout 3 bash -c 'exec 3<>\"/dev/tcp/$0/$1\"' \"$h\" \"$p\" 2>/dev/null || exit 1
elif command -v nc >/dev/null 2>&1; then nc -z -w 3 \"$h\" \"$p\" </dev/null >/dev/null 2>&1 || exit 1
elif command -v python3 >/dev/null 2>&1; then
  python3 -c 'import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)' \"$h\" \"$p\" 2>/dev/null || exit 1
elif command -v curl >/dev/null 2>&1; then
  curl -s --connect-timeout 3 --max-time 4 \"telnet://$h:$p\" </dev/null >/dev/null 2>&1; case $? in 0|28) ;; *) exit 1 ;; esac
else exit {NO_TOOL}; fi"
    ))
}

/// The ports that /proc/net/tcp and tcp6 list as listening: state 0A, proc_pid_net(5).
fn listening(table: &str) -> Vec<u16> {
    table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let local = words.nth(1)?;
            let state = words.nth(1)?;
            let (_, port) = local.rsplit_once(':')?;
            (state == "0A").then(|| u16::from_str_radix(port, 16).ok())?
        })
        .collect()
}

impl Probe for PortProbe {
    fn name(&self) -> &'static str {
        "port"
    }

    fn script(&self, subjects: &[&str]) -> String {
        let mut out = frame("cat /proc/net/tcp && { ! [ -e /proc/net/tcp6 ] || cat /proc/net/tcp6; }");
        for (host, port) in subjects.iter().map(|s| parse(s)).filter(|(host, _)| !is_own(host)) {
            out.push_str(&connect(host, port));
        }
        out
    }

    fn split(&self, output: &str, subjects: &[&str]) -> Vec<RawAnswer> {
        let output = whole_frames(output);
        let frames = match split_frames(&output) {
            Ok(frames) => frames,
            Err(reason) => return all_failed(subjects.len(), &reason),
        };
        let mut frames = frames.into_iter();
        let Some(own) = frames.next() else {
            return all_failed(subjects.len(), "no answer");
        };
        let ports = listening(own.text);
        let word = |open: bool| if open { "open" } else { "closed" }.to_owned();
        subjects
            .iter()
            .map(|subject| {
                let (host, port) = parse(subject);
                if is_own(host) {
                    return if own.status == 0 {
                        Ok(word(ports.contains(&port)))
                    } else {
                        Err(shorten(own.text))
                    };
                }
                match frames.next().map(|frame| frame.status) {
                    Some(0) => Ok(word(true)),
                    Some(1) => Ok(word(false)),
                    Some(NO_TOOL) => Err("neither bash, nc, python3 nor curl is there to try a connection with".into()),
                    Some(status) => Err(format!("the attempt to connect ended with status {status}")),
                    None => Err("the output breaks off".into()),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask_with, sh_available};

    #[test]
    fn a_listening_port_is_open_and_a_free_one_closed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        let port = listener.local_addr().expect("address").port();
        let subjects = [
            format!("localhost {port}"),
            "127.0.0.1 1".into(),
            format!("0.0.0.0 {port}"),
        ];
        let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
        for shell in sh_available() {
            let answers = PortProbe.split(&ask_with(shell, &PortProbe, &subjects), &subjects);
            assert_eq!(
                answers,
                [Ok("open".into()), Ok("closed".into()), Ok("open".into())],
                "{shell:?}"
            );
        }
    }
}
