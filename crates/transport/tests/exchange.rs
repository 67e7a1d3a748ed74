//! The exchange against the shells of this machine: every byte, every way a script can end.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mosip_prov_transport::error::ErrorKind;
use mosip_prov_transport::{Gate, Host, Identity, LocalHost, OutputLine, Request, Response, Stream, Target};
use tokio::sync::mpsc;

/// The POSIX shells that are here; there is at least `/bin/sh`.
fn shells() -> Vec<&'static str> {
    let mut found = vec!["/bin/sh"];
    for (path, command) in [
        ("/usr/bin/dash", "/usr/bin/dash"),
        ("/bin/bash", "/bin/bash --posix"),
        ("/usr/bin/bash", "/usr/bin/bash"),
        ("/usr/bin/busybox", "/usr/bin/busybox sh"),
        // Everything from busybox, its `head` that reads ahead included.
        ("/usr/bin/busybox", BUSYBOX_ONLY),
    ] {
        if Path::new(path).exists() {
            found.push(command);
        }
    }
    found
}

const BUSYBOX_ONLY: &str = "(only busybox)";

fn host(shell: &str) -> LocalHost {
    let mut target = Target::local("here");
    target.output_limit = 4 << 20;
    if shell == BUSYBOX_ONLY {
        // Beside the build, not where programs leave things behind.
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("busybox");
        if std::fs::create_dir_all(&folder).is_ok() {
            for tool in ["head", "tail", "wc", "mktemp", "rm", "cat", "sleep", "seq", "od"] {
                let _ = std::os::unix::fs::symlink("/usr/bin/busybox", folder.join(tool));
            }
        }
        return LocalHost::with_shell(&target, &format!("env PATH={} /usr/bin/busybox sh", folder.display()));
    }
    LocalHost::with_shell(&target, shell)
}

async fn ask(host: &LocalHost, request: Request) -> Response {
    host.ask(&Identity::Login, request).await.expect("an answer")
}

fn run<F: Future<Output = ()>>(test: impl Fn(&'static str) -> F) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for shell in shells() {
        eprintln!("shell: {shell}");
        runtime.block_on(test(shell));
    }
}

/// Bytes of all values, different from one size to the next.
fn noise(size: usize) -> Vec<u8> {
    let mut state = size as u64 ^ 0x9e37_79b9_7f4a_7c15;
    (0..size)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        })
        .collect()
}

#[test]
fn payload_and_output_are_exact_at_every_size() {
    run(|shell| async move {
        let host = host(shell);
        for size in [
            0,
            1,
            2,
            511,
            512,
            1023,
            1024,
            4095,
            4096,
            4097,
            8191,
            65_535,
            65_536,
            65_537,
            131_073,
            1 << 20,
            3_000_001,
        ] {
            let payload = noise(size);
            let answer = ask(&host, Request::new("cat").payload(payload.clone())).await;
            assert!(
                answer.stdout == payload && answer.stderr.is_empty(),
                "{size} bytes with {shell}"
            );
            let answer = ask(&host, Request::new("cat >&2; exit 3").payload(payload.clone())).await;
            assert!(
                answer.stderr == payload && answer.status == 3,
                "{size} bytes on stderr with {shell}"
            );
        }
        assert_eq!(host.stats().exchanges, 34);
        assert_eq!(host.stats().channels, 1);
    });
}

#[test]
fn script_text_arrives_as_written() {
    run(|shell| async move {
        let host = host(shell);
        let script = "printf '%s' 'a\\b $x `id` \"q\" ü\t'\ncat <<'END'\n  body \\n\nEND\n\n\n";
        assert_eq!(
            ask(&host, Request::new(script)).await.stdout_text(),
            "a\\b $x `id` \"q\" ü\t  body \\n\n"
        );
        let long = format!("# {}\necho end", "x".repeat(300_000));
        assert_eq!(ask(&host, Request::new(long)).await.stdout_text(), "end\n");
        assert_eq!(ask(&host, Request::new("")).await, Response::default());
    });
}

#[test]
fn every_ending_is_reported_and_the_shell_lives_on() {
    run(|shell| async move {
        let host = host(shell);
        let cases: [(&str, i32); 9] = [
            ("true", 0),
            ("false", 1),
            ("exit 255", 255),
            ("exec sh -c 'exit 7'", 7),
            ("set -e; false; exit 9", 1),
            ("sh -c 'kill -9 $$'", 137),
            ("sh -c 'kill -TERM $$'", 143),
            ("/nonexistent/command", 127),
            ("cd /; exec </dev/null >/dev/null 2>&1; exit 5", 5),
        ];
        for (script, status) in cases {
            assert_eq!(
                ask(&host, Request::new(script)).await.status,
                status,
                "{script} with {shell}"
            );
        }
        let broken = ask(&host, Request::new("if then fi ((")).await;
        assert!(broken.status != 0 && !broken.stderr.is_empty(), "{shell}");
        // What a script sets is gone with it.
        ask(
            &host,
            Request::new("x=1; cd /usr; set -- a b; trap 'echo trap' EXIT; mp_d=/"),
        )
        .await;
        let fresh = ask(
            &host,
            Request::new("echo \"${x-unset} $#\"; [ \"$PWD\" = /usr ] || echo elsewhere"),
        )
        .await;
        assert_eq!(fresh.stdout_text(), "unset 0\nelsewhere\n", "{shell}");
        assert_eq!(host.stats().channels, 1, "{shell}");
    });
}

#[test]
fn a_payload_read_in_part_does_not_spill_into_the_next_request() {
    run(|shell| async move {
        let host = host(shell);
        for size in [10, 100_000, 2_000_000] {
            let answer = ask(&host, Request::new("head -c 3").payload(noise(size))).await;
            assert_eq!(answer.stdout, &noise(size)[..3]);
            let answer = ask(&host, Request::new("true").payload(noise(size))).await;
            assert_eq!(answer, Response::default());
            assert_eq!(ask(&host, Request::new("cat; echo next")).await.stdout_text(), "next\n");
        }
    });
}

#[test]
fn output_that_looks_like_the_protocol_is_just_output() {
    run(|shell| async move {
        let host = host(shell);
        // The serving shell holds the nonce in the program it was given.
        let script = r#"printf '%s' "$mp_b" | sed -n 's/.*echo "\([0-9a-f]*\)""\([0-9a-f]*\) ready.*/\1\2 done ok 0 5 0 5 - -/p'; printf more"#;
        let answer = ask(&host, Request::new(script)).await;
        let text = answer.stdout_text();
        assert!(text.len() > 40 && text.ends_with("more"), "{text:?} with {shell}");
        assert_eq!(ask(&host, Request::new("echo next")).await.stdout_text(), "next\n");
    });
}

#[test]
fn a_child_in_the_background_neither_blocks_nor_mixes_in() {
    run(|shell| async move {
        let host = host(shell);
        let began = Instant::now();
        let answer = ask(
            &host,
            Request::new("(sleep 1; echo late; echo late >&2; sleep 20) & echo now; echo $!"),
        )
        .await;
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "waited for the child with {shell}"
        );
        let text = answer.stdout_text().into_owned();
        let pid = text.strip_prefix("now\n").expect("the first line").trim().to_string();
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let answer = ask(&host, Request::new("echo clean")).await;
        assert_eq!(
            (answer.stdout_text().as_ref(), answer.stderr.len()),
            ("clean\n", 0),
            "{shell}"
        );
        ask(&host, Request::new(format!("kill {pid}"))).await;
    });
}

#[test]
fn too_much_output_is_an_error_and_the_shell_lives_on() {
    run(|shell| async move {
        let host = host(shell);
        let outcome = host
            .ask(&Identity::Login, Request::new("head -c 6000000 /dev/zero"))
            .await;
        let error = outcome.expect_err("more than the limit");
        assert!(
            matches!(
                error.kind,
                ErrorKind::OutputTooLarge {
                    size: 6_000_000,
                    limit: 4_194_304
                }
            ),
            "{error} with {shell}"
        );
        assert_eq!(ask(&host, Request::new("echo on")).await.stdout_text(), "on\n");
        assert_eq!(host.stats().channels, 1, "{shell}");
    });
}

#[test]
fn a_request_over_its_time_is_ended_on_the_target_and_the_shell_lives_on() {
    run(|shell| async move {
        let host = host(shell);
        let mark = format!("7{:06}", std::process::id());
        let script = format!("echo started >&2; sleep {mark} & sleep {mark}; echo never");
        let request = Request::new(script).timeout(Duration::from_millis(300));
        let error = host.ask(&Identity::Login, request).await.expect_err("a time-out");
        let ErrorKind::Timeout { stderr, .. } = &error.kind else {
            panic!("{error}");
        };
        assert!(stderr.starts_with("started\n"), "{stderr:?} with {shell}");
        let left = ask(
            &host,
            Request::new(format!(
                "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f; echo; done 2>/dev/null | grep -c '^sleep {mark} '"
            )),
        )
        .await;
        assert_eq!(left.stdout_text().trim(), "0", "children left with {shell}");
    });
}

#[test]
fn a_script_that_kills_the_serving_shell_is_told_and_replaced() {
    run(|shell| async move {
        let host = host(shell);
        let folder = ask(&host, Request::new("echo $mp_d"))
            .await
            .stdout_text()
            .trim()
            .to_string();
        assert!(Path::new(&folder).is_dir());
        let error = host
            .ask(&Identity::Login, Request::new("kill -9 $$; sleep 1"))
            .await
            .expect_err("no answer");
        assert!(
            matches!(error.kind, ErrorKind::ShellEnded { status: Some(137), .. }),
            "{error} with {shell}"
        );
        assert_eq!(ask(&host, Request::new("echo again")).await.stdout_text(), "again\n");
        assert!(!Path::new(&folder).exists(), "{folder} was left with {shell}");
    });
}

#[test]
fn nothing_is_left_behind() {
    run(|shell| async move {
        let host = host(shell);
        let folder = ask(&host, Request::new("echo $mp_d").payload("x"))
            .await
            .stdout_text()
            .trim()
            .to_string();
        assert!(Path::new(&folder).is_dir(), "{folder:?}");
        host.close().await;
        for _ in 0..100 {
            if !Path::new(&folder).exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{folder} was left with {shell}");
    });
}

#[test]
fn a_caller_that_gives_up_leaves_nothing_out_of_step() {
    run(|shell| async move {
        let host = Arc::new(host(shell));
        let slow = host.clone();
        let asking = tokio::spawn(async move {
            slow.ask(&Identity::Login, Request::new("sleep 1; echo stale"))
                .await
                .is_ok()
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        asking.abort();
        assert!(asking.await.is_err());
        assert_eq!(
            ask(&host, Request::new("echo fresh")).await.stdout_text(),
            "fresh\n",
            "{shell}"
        );
    });
}

#[test]
fn watched_output_comes_line_by_line_while_it_runs() {
    run(|shell| async move {
        let host = host(shell);
        let gate = Gate::open();
        let permit = gate.permit().expect("open");
        let (lines, mut receiver) = mpsc::channel(100);
        let request =
            Request::new("read x; echo got $x; echo bad >&2; sleep 1; printf 'a\\rb'; exit 4").payload("input\nrest");
        let watching = host.apply_watched(&permit, &Identity::Login, request, lines);
        let listening = async {
            let first = receiver.recv().await;
            let at_first = Instant::now();
            let mut rest = Vec::new();
            while let Some(line) = receiver.recv().await {
                rest.push(line);
            }
            (first, at_first, rest)
        };
        let (response, (first, at_first, rest)) = tokio::join!(watching, listening);
        let response = response.expect("an answer");
        assert_eq!(
            (response.status, response.stdout_text().as_ref()),
            (4, "got input\na\rb"),
            "{shell}"
        );
        assert_eq!(response.stderr_text(), "bad\n", "{shell}");
        let out = |line: &str| OutputLine {
            stream: Stream::Stdout,
            line: line.into(),
        };
        let mut all: Vec<_> = first.into_iter().chain(rest).collect();
        all.retain(|line| line.stream == Stream::Stdout);
        assert_eq!(all, [out("got input"), out("a"), out("b")], "{shell}");
        assert!(
            at_first.elapsed() > Duration::from_millis(500),
            "the first line came with the last, {shell}"
        );
    });
}

#[test]
fn a_watched_request_over_its_time_is_ended() {
    run(|shell| async move {
        let host = host(shell);
        let gate = Gate::open();
        let permit = gate.permit().expect("open");
        let (lines, _receiver) = mpsc::channel(100);
        let request = Request::new("sleep 600").timeout(Duration::from_millis(300));
        let error = host
            .apply_watched(&permit, &Identity::Login, request, lines)
            .await
            .expect_err("a time-out");
        assert!(matches!(error.kind, ErrorKind::Timeout { .. }), "{error}");
    });
}

#[test]
fn files_go_up_and_come_down() {
    run(|shell| async move {
        let host = host(shell);
        let gate = Gate::open();
        let permit = gate.permit().expect("open");
        let content = noise(2_500_000);
        let path = host.upload(&permit, content.clone().into()).await.expect("a path");
        let mode = ask(&host, Request::new(format!("stat -c %a {path}"))).await;
        assert_eq!(mode.stdout_text(), "600\n");
        let back = host
            .download(&Identity::Login, &path, content.len())
            .await
            .expect("the file");
        assert!(back == content);
        let error = host
            .download(&Identity::Login, &path, 1000)
            .await
            .expect_err("too large");
        assert!(matches!(error.kind, ErrorKind::OutputTooLarge { .. }), "{error}");
        std::fs::remove_file(&path).expect("removed");
        let error = host.download(&Identity::Login, &path, 1000).await.expect_err("gone");
        assert!(
            matches!(&error.kind, ErrorKind::File { said, .. } if said.contains("No such file") || said.contains("can't open") || said.contains("nonexistent")),
            "{error} with {shell}"
        );
    });
}

#[test]
fn a_sensitive_request_does_not_show() {
    let request = Request::new("echo hunter2").payload("hunter2").sensitive();
    assert!(!format!("{request:?}").contains("hunter2"));
}

#[test]
fn folders_that_outlived_their_shells_go_and_others_stay() {
    run(|shell| async move {
        let number = std::process::id();
        let own = Path::new("/var/tmp").join(format!(".mosip-prov.{number}.alive1"));
        // No process has a number beyond the kernel's greatest, 2^22.
        let stale = Path::new("/var/tmp").join(format!(".mosip-prov.{}.gone{number}", 1 << 23));
        for folder in [&own, &stale] {
            std::fs::create_dir_all(folder).expect("made");
            std::fs::write(folder.join("o1"), "an answer").expect("written");
        }
        ask(&host(shell), Request::new(":")).await;
        let left = [own.exists(), stale.exists()];
        std::fs::remove_dir_all(&own).expect("removed");
        assert_eq!(left, [true, false], "{shell}");
    });
}
