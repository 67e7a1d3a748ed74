//! What is asked through the fronts, and what answers behind them: stand-ins on the node ports, not a cluster.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::sh::{Context, Error, Result};
use crate::testbed::hosts::{self, OUTSIDE_NAMESPACE, STATE};

/// Which hosts the stand-ins play the cluster on, with the ports that its ingresses and services have.
const STAND_INS: [(&str, &[&str]); 4] = [("vm4", MAIN), ("vm5", MAIN), ("vm6", MAIN), ("obs-node-1", &["30080"])];
const MAIN: &[&str] = &["30080", "31080", "30900", "--tcp", "31432", "--tcp", "31616"];

/// What is asked through the fronts: the words before the answer, from outside or not, URL, front, further words for
/// curl.
const REQUESTS: [(&str, bool, &str, &str, &[&str]); 8] = [
    (
        "a public name, from outside",
        true,
        "https://api.mosip.test/v1/demo",
        "nginx-node-1",
        &[],
    ),
    (
        "an internal name, from inside",
        false,
        "https://api-internal.mosip.test/v1/demo",
        "nginx-node-1",
        &[],
    ),
    (
        "the same, from outside",
        true,
        "https://api-internal.mosip.test/v1/demo",
        "nginx-node-1",
        &[],
    ),
    (
        "minio on 9000, from inside",
        false,
        "https://object-store.mosip.test:9000/",
        "nginx-node-1",
        &[],
    ),
    (
        "the same, from outside",
        true,
        "https://object-store.mosip.test:9000/",
        "nginx-node-1",
        &[],
    ),
    (
        "PostgreSQL's port, from inside",
        false,
        "telnet://postgres.mosip.test:5432",
        "nginx-node-1",
        &[],
    ),
    (
        "Rancher on port 80",
        false,
        "http://rancher.mosip.test/dashboard",
        "nginx-obs-node-1",
        &[],
    ),
    (
        "Rancher, following the redirect",
        false,
        "http://rancher.mosip.test/dashboard",
        "nginx-obs-node-1",
        &["--location"],
    ),
];

/// Stand-ins that end when this goes: each reads its input, which closes then.
struct StandIns(Vec<Child>);

impl StandIns {
    fn start(program: &Path) -> Result<Self> {
        let mut started = Self(Vec::new());
        for (host, ports) in STAND_INS {
            let mut child = Command::new("ip")
                .args(["netns", "exec", &hosts::find(host)?.namespace()])
                .arg(program)
                .args(ports)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .doing(format!("cannot start the stand-in on {host}"))?;
            let out = child.stdout.take();
            started.0.push(child);
            let mut line = String::new();
            if let Some(out) = out {
                BufReader::new(out)
                    .read_line(&mut line)
                    .doing("cannot read from the stand-in")?;
            }
            if line.trim() != "ready" {
                return Err(Error(format!(
                    "the stand-in on {host} does not listen; is a port of it taken?"
                )));
            }
        }
        Ok(started)
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(2) {
                if matches!(child.try_wait(), Ok(Some(_))) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            // One that has ended needs no killing.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Asks everything once, and prints the answers.
pub fn ask_all(stand_in: &Path) -> Result<()> {
    println!("(what answers behind the fronts are stand-ins on the node ports, not a cluster)");
    let _cluster = StandIns::start(stand_in)?;
    for (what, outside, url, front, words) in REQUESTS {
        let host = hosts::find(front)?;
        let answer = ask(outside, url, host.address, words)?;
        println!("\n{what}: {url}\n  {}", describe(&answer));
    }
    Ok(())
}

/// curl's standard output and, when it failed, what it complained.
fn ask(outside: bool, url: &str, address: &str, words: &[&str]) -> Result<(String, Option<String>)> {
    let mut command = if outside {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", OUTSIDE_NAMESPACE, "curl"]);
        command
    } else {
        Command::new("curl")
    };
    command
        .args(["--silent", "--show-error", "--max-time", "4", "--noproxy", "*"])
        .args([
            "--write-out",
            "\n%{http_code} %{redirect_url}",
            "--connect-to",
            &format!("::{address}:"),
            "--cacert",
        ])
        .arg(Path::new(STATE).join("ca.pem"))
        .args(words)
        .arg(url)
        // Closed at once: what `telnet:` says is nothing.
        .stdin(Stdio::null());
    let done = command.output().doing("cannot start curl")?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Ok((text, (!done.status.success()).then_some(complaint)))
}

fn describe((text, complaint): &(String, Option<String>)) -> String {
    let (body, last) = text.rsplit_once('\n').unwrap_or(("", text));
    if let Ok(seen) = serde_json::from_str::<serde_json::Value>(body) {
        let headers = &seen["headers"];
        return format!(
            "200, answered on node port {} ({} {}; Host {}, X-Forwarded-For {}, X-Forwarded-Proto {})",
            seen["port"],
            seen["protocol"].as_str().unwrap_or("?"),
            seen["path"].as_str().unwrap_or("?"),
            headers["host"].as_str().unwrap_or("?"),
            headers["x-forwarded-for"].as_str().unwrap_or("?"),
            headers["x-forwarded-proto"].as_str().unwrap_or("?"),
        );
    }
    if body.starts_with("hello from") {
        return format!("answered: {}", body.lines().next().unwrap_or_default());
    }
    match (complaint, last.split_once(' ')) {
        (Some(complaint), _) => format!("no answer: {complaint}"),
        (None, Some((status, to))) if !to.is_empty() => format!("{status}, sent on to {to}"),
        (None, _) => format!("status {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_in_a_line() {
        let seen =
            r#"{"port":30080,"path":"/x","protocol":"HTTP/1.1","headers":{"host":"h","x-forwarded-for":"1.2.3.4"}}"#;
        assert!(describe(&(format!("{seen}\n200 "), None)).contains("node port 30080"));
        assert_eq!(
            describe(&("\n301 https://h/".into(), None)),
            "301, sent on to https://h/"
        );
        assert_eq!(
            describe(&("\n000 ".into(), Some("refused".into()))),
            "no answer: refused"
        );
        assert_eq!(
            describe(&("hello from 31432\n\n000 ".into(), Some("x".into()))),
            "answered: hello from 31432"
        );
    }

    #[test]
    fn the_stand_ins_run_on_hosts_there_are() {
        for (host, _) in STAND_INS {
            hosts::find(host).unwrap();
        }
        for (_, _, _, front, _) in REQUESTS {
            hosts::find(front).unwrap();
        }
    }
}
