//! A target that lies, or never stops talking. A program that plays the target's shell says what it is told to; what counts is that
//! every answer is an error in bounded time and memory.

use mosip_prov_transport::error::ErrorKind;
use mosip_prov_transport::{Host as _, Identity, LocalHost, Request, Target};
use std::os::unix::fs::PermissionsExt as _;

/// As much as a target says too much here; many times what may wait.
const FLOOD: usize = 40 << 20;

/// A host whose shell reads the program that it is sent, and then does what `then` says, with the nonce in `$n`.
fn host(folder: &tempfile::TempDir, then: &str) -> LocalHost {
    let shell = folder.path().join("shell");
    let script = format!(
        "#!/bin/sh\nIFS= read -r line\n\
         n=$(printf '%s\\n' \"$line\" | sed 's/.*echo \"\\([0-9a-f]*\\)\"\"\\([0-9a-f]*\\) ready .*/\\1\\2/')\n\
         flood() {{ yes \"$1\" | head -c {FLOOD}; }}\n\
         ready() {{ echo \"$n ready $$ /dev/shm/.mosip-prov.1.x\"; }}\n{then}\n"
    );
    std::fs::write(&shell, script).expect("written");
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o700)).expect("set");
    let mut target = Target::local("here");
    target.output_limit = 1 << 20;
    LocalHost::with_shell(&target, shell.to_str().expect("UTF-8"))
}

/// The most memory that this process had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("read");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    let number: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    number << 10
}

async fn refused(then: &str) -> ErrorKind {
    let folder = tempfile::tempdir().expect("a folder");
    let host = host(&folder, then);
    let answer = host.ask(&Identity::Login, Request::new("true")).await;
    answer.expect_err(then).kind
}

#[tokio::test]
async fn a_lie_is_an_error_of_the_protocol() {
    for then in [
        // Folders that are named in later scripts, and what is no number.
        "echo \"$n ready 12 /etc\"",
        "echo \"$n ready 12 /tmp/.mosip-prov.1.\\$(reboot)\"",
        "echo \"$n ready 12 /tmp/.mosip-prov.1/../../etc\"",
        "echo \"$n ready x /tmp/.mosip-prov.1.x\"",
        "echo \"$n hello\"",
        "ready; read -r l; echo \"$n done ok 0 99999999999 1 1\"; sleep 5",
        "ready; read -r l; echo \"$n done ok 0 18446744073709551615 18446744073709551615 1\"; sleep 5",
        "ready; read -r l; echo \"$n done ok 0 -1 0 0\"; sleep 5",
        "ready; read -r l; echo \"$n done ok zero 1 0 0\"; sleep 5",
        "ready; read -r l; echo \"$n done\"; sleep 5",
    ] {
        let error = refused(then).await;
        assert!(matches!(error, ErrorKind::Protocol(_)), "{then}: {error:?}");
    }
    // Another's nonce is noise, and what ends without an answer has ended.
    let error = refused("echo '0123456789abcdef0123456789abcdef ready 1 /tmp/.mosip-prov.1.x'").await;
    assert!(matches!(error, ErrorKind::NoShell { .. }), "{error:?}");
}

#[tokio::test]
async fn an_endless_answer_takes_no_memory() {
    let before = peak();
    // It ends, or it was so much faster than it was read that it is given up.
    let given_up = |error: &ErrorKind| matches!(error, ErrorKind::NoShell { .. } | ErrorKind::Protocol(_));
    let error = refused("flood noise").await;
    assert!(given_up(&error), "{error:?}");
    // The same on the stream for errors.
    let error = refused("flood noise >&2; exit 3").await;
    assert!(given_up(&error), "{error:?}");
    // One line without an end, where the protocol has one.
    let error = refused("printf '%s ready ' \"$n\"; flood x | tr -d '\\n'").await;
    assert!(matches!(error, ErrorKind::Protocol(_)), "{error:?}");

    // Nobody reads while nothing is asked.
    let folder = tempfile::tempdir().expect("a folder");
    let done = folder.path().join("done");
    let then = format!(
        "ready; read -r l; head -c \"${{l%% *}}\" >/dev/null; echo \"$n done ok 0 0 0 0 0.00 0.00\"; flood x; : >'{}'; sleep 30",
        done.display()
    );
    let host = host(&folder, &then);
    host.ask(&Identity::Login, Request::new("true"))
        .await
        .expect("an answer");
    for _ in 0..600 {
        if done.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(done.exists(), "the flood was not taken off its hands");
    let error = host
        .ask(&Identity::Login, Request::new("true"))
        .await
        .expect_err("out of step");
    assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{error:?}");
    host.close().await;

    let grown = peak() - before;
    assert!(grown < FLOOD / 2, "{} MiB", grown >> 20);
}
