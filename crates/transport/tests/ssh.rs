//! SSH against a real sshd on the loopback, started by each test as the current user.

mod sshd;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mosip_prov_transport::error::{ConnectError, ErrorKind, HostKeyError, KeyFileError};
use mosip_prov_transport::{
    AgentSource, Connector, Gate, Host, HostKeyPolicy, Identity, Jump, Prompt, RemoteConnector, Request, Secret,
    Target, TransportError,
};
use sshd::{Agent, Proxy, Sshd, keygen, run_tool};
use tokio::sync::mpsc;

async fn connect(target: &Target) -> Result<Arc<dyn Host>, TransportError> {
    RemoteConnector::default().connect(target).await
}

async fn failure(target: &Target) -> TransportError {
    match connect(target).await {
        Ok(_) => panic!("{} was let in", target.name),
        Err(error) => error,
    }
}

async fn works(host: &Arc<dyn Host>) {
    let answer = host
        .ask(&Identity::Login, Request::new("echo \"$((6 * 7))\""))
        .await
        .expect("an answer");
    assert_eq!(answer.stdout_text(), "42\n");
}

/// Someone who knows one passphrase, and how often they were asked.
struct Person {
    says: Option<&'static str>,
    asked: AtomicUsize,
}

impl Person {
    fn new(says: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self {
            says,
            asked: AtomicUsize::new(0),
        })
    }
}

impl Prompt for Person {
    fn passphrase(&self, _key: &Path) -> Option<Secret> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.says.map(Secret::from)
    }
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn every_kind_of_key_logs_in() {
    let server = Sshd::start("");
    for (name, options) in [
        ("ed25519", &["-t", "ed25519"][..]),
        ("ecdsa256", &["-t", "ecdsa", "-b", "256"]),
        ("ecdsa384", &["-t", "ecdsa", "-b", "384"]),
        ("ecdsa521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("rsa-pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("rsa-pkcs8", &["-t", "rsa", "-b", "2048", "-m", "PKCS8"]),
    ] {
        let key = server.key(name, options);
        server.authorize(&[&key]);
        let mut target = server.target();
        target.keys = vec![key];
        match connect(&target).await {
            Ok(host) => works(&host).await,
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_passphrase_is_asked_once_for_all_hosts() {
    let server = Sshd::start("");
    for options in [&["-t", "ed25519"][..], &["-t", "rsa", "-b", "2048", "-m", "PKCS8"]] {
        let key = server.folder().join(format!("locked{}", options.len()));
        keygen(&key, "open sesame", options);
        server.authorize(&[&key]);
        let mut target = server.target();
        target.keys = vec![key.clone()];
        let person = Person::new(Some("open sesame"));
        let connector = RemoteConnector::new(person.clone());
        for _ in 0..3 {
            works(&connector.connect(&target).await.expect("let in")).await;
        }
        assert_eq!(person.asked.load(Ordering::SeqCst), 1);

        let person = Person::new(Some("wrong"));
        let error = RemoteConnector::new(person.clone())
            .connect(&target)
            .await
            .err()
            .expect("refused");
        assert!(
            matches!(error.kind, ErrorKind::KeyFile(KeyFileError::WrongPassphrase(_))),
            "{error}"
        );
        let error = failure(&target).await;
        assert!(
            matches!(error.kind, ErrorKind::KeyFile(KeyFileError::PassphraseNeeded(_))),
            "{error}"
        );
    }
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn key_files_that_cannot_be_used_are_named_before_anything_is_sent() {
    let server = Sshd::start("");
    let mut target = server.target();
    target.keys = vec![server.folder().join("nowhere")];
    let error = failure(&target).await;
    assert!(
        matches!(error.kind, ErrorKind::KeyFile(KeyFileError::Missing(_))),
        "{error}"
    );

    let open = server.key("open", &["-t", "ed25519"]);
    run_tool("chmod", &["644", open.to_str().expect("a path")]);
    target.keys = vec![open.clone()];
    let error = failure(&target).await;
    assert!(
        matches!(
            error.kind,
            ErrorKind::KeyFile(KeyFileError::TooOpen { mode: 0o644, .. })
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains(&format!("chmod 600 {}", open.display())),
        "{error}"
    );

    let garbage = server.folder().join("garbage");
    std::fs::write(&garbage, "not a key\n").expect("written");
    run_tool("chmod", &["600", garbage.to_str().expect("a path")]);
    target.keys = vec![garbage];
    let error = failure(&target).await;
    assert!(
        matches!(error.kind, ErrorKind::KeyFile(KeyFileError::Unparsable { .. })),
        "{error}"
    );
    assert_eq!(server.logins(), 0);
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn refused_credentials_say_what_was_tried() {
    let server = Sshd::start("");
    let key = server.key("stranger", &["-t", "ed25519"]);
    let mut target = server.target();
    target.keys = vec![key.clone()];
    target.password = Some(Secret::from("secret"));
    let error = failure(&target).await;
    let ErrorKind::Auth { tried, offered, .. } = &error.kind else {
        panic!("{error}");
    };
    assert_eq!(tried, &[format!("key {}", key.display())]);
    assert_eq!(offered, &["publickey"]);
    assert!(error.is_unreachable() && !error.is_transient());
    assert!(!error.to_string().contains("secret"));

    target.keys.clear();
    target.password = None;
    let error = failure(&target).await;
    assert!(
        matches!(&error.kind, ErrorKind::Auth { offered, .. } if offered == &["publickey"]),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn user_certificates_log_in_without_an_authorized_key() {
    for options in [&["-t", "ed25519"][..], &["-t", "rsa", "-b", "2048"]] {
        let server = Sshd::prepare();
        let authority = server.key("user_ca", options);
        let server = server.run(&format!("TrustedUserCAKeys {}.pub\n", authority.display()));
        let key = server.key("certified", options);
        server.authorize(&[]);
        let mut target = server.target();
        target.keys = vec![key.clone()];
        assert!(matches!(failure(&target).await.kind, ErrorKind::Auth { .. }));
        let (ca, user, public) = (
            authority.to_str().expect("a path"),
            target.user.clone(),
            format!("{}.pub", key.display()),
        );
        run_tool("ssh-keygen", &["-q", "-s", ca, "-I", "test", "-n", &user, &public]);
        match connect(&target).await {
            Ok(host) => works(&host).await,
            Err(error) => panic!("{options:?}: {error}\n{}", server.log()),
        }
    }
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn an_agent_logs_in_and_saves_asking() {
    let server = Sshd::start("");
    let agent = Agent::start(server.folder());
    let rsa = server.key("agent_rsa", &["-t", "rsa", "-b", "2048"]);
    server.authorize(&[&rsa]);
    agent.add(&rsa);
    let mut target = server.target();
    target.keys.clear();
    target.default_keys = true;
    target.agent = AgentSource::Socket(agent.socket());
    works(&connect(&target).await.expect("let in by the agent")).await;

    // An encrypted key file whose key the agent holds needs no passphrase.
    let key = server.key("agent_locked", &["-t", "ed25519"]);
    agent.add(&key);
    server.authorize(&[&key]);
    run_tool(
        "ssh-keygen",
        &[
            "-q",
            "-p",
            "-P",
            "",
            "-N",
            "locked now",
            "-f",
            key.to_str().expect("a path"),
        ],
    );
    target.keys = vec![key];
    target.default_keys = false;
    works(&connect(&target).await.expect("let in by the agent")).await;
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn host_keys_are_learned_then_held_to() {
    let server = Sshd::start("");
    let mut target = server.target();
    let known = target.known_hosts[0].clone();
    std::fs::write(&known, "# mine, without a line end at the end: vm9 x").expect("written");

    target.host_keys = HostKeyPolicy::Strict;
    let error = failure(&target).await;
    assert!(
        matches!(error.kind, ErrorKind::HostKey(HostKeyError::Unknown { .. })),
        "{error}"
    );

    target.host_keys = HostKeyPolicy::AcceptNew;
    connect(&target).await.expect("taken in");
    let text = std::fs::read_to_string(&known).expect("there");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines[1].starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 ", server.port())),
        "{text}"
    );
    target.host_keys = HostKeyPolicy::Strict;
    connect(&target).await.expect("known now");

    // Another key on record: refused with both fingerprints and the line, whatever is new is accepted.
    let other = server.key("other_host", &["-t", "ed25519"]);
    let line = |marker: &str, public: &str| format!("{marker}[127.0.0.1]:{} {}", server.port(), public.trim());
    let public = |path: &PathBuf| std::fs::read_to_string(format!("{}.pub", path.display())).expect("a public key");
    target.host_keys = HostKeyPolicy::AcceptNew;
    std::fs::write(&known, format!("\n{}\n", line("", &public(&other)))).expect("written");
    let error = failure(&target).await;
    let ErrorKind::HostKey(HostKeyError::Changed {
        line: at,
        expected,
        got,
        ..
    }) = &error.kind
    else {
        panic!("{error}");
    };
    assert_eq!(*at, 2);
    assert!(expected.contains(&sshd::fingerprint(&other)), "{expected}");
    assert_eq!(**got, sshd::fingerprint(&server.host_key("ed25519")));

    // Revoked wins over known.
    let ours = public(&server.host_key("ed25519"));
    std::fs::write(&known, format!("{}\n{}\n", line("", &ours), line("@revoked ", &ours))).expect("written");
    let error = failure(&target).await;
    assert!(
        matches!(error.kind, ErrorKind::HostKey(HostKeyError::Revoked { line: 2, .. })),
        "{error}"
    );

    // A known host with a key of another kind than the one usually picked is asked for that kind.
    for kind in ["rsa", "ecdsa"] {
        std::fs::write(&known, line("", &public(&server.host_key(kind)))).expect("written");
        target.host_keys = HostKeyPolicy::Strict;
        connect(&target).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
    }

    // Off believes anyone.
    std::fs::write(&known, line("", &public(&other))).expect("written");
    target.host_keys = HostKeyPolicy::Off;
    connect(&target).await.expect("not checked");
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn host_certificates_count_under_their_authority_only() {
    let server = Sshd::prepare();
    let authority = server.key("host_ca", &["-t", "ed25519"]);
    let ca_public = std::fs::read_to_string(format!("{}.pub", authority.display())).expect("a key");
    let host_key = server.host_key("ed25519");
    let sign = |options: &[&str]| {
        let public = format!("{}.pub", host_key.display());
        let mut all = vec!["-q", "-h", "-s", authority.to_str().expect("a path"), "-I", "host"];
        all.extend(options);
        all.push(&public);
        run_tool("ssh-keygen", &all);
    };
    sign(&["-n", "127.0.0.1"]);
    let certificate = format!("HostCertificate {}-cert.pub\n", host_key.display());
    let mut server = server.run(&certificate);
    let mut target = server.target();
    let known = target.known_hosts[0].clone();
    target.host_keys = HostKeyPolicy::Strict;
    std::fs::write(&known, format!("@cert-authority [127.0.0.*]:* {ca_public}")).expect("written");
    works(&connect(&target).await.expect("vouched for")).await;

    let other = server.key("other_ca", &["-t", "ed25519"]);
    let other = std::fs::read_to_string(format!("{}.pub", other.display())).expect("a key");
    std::fs::write(&known, format!("@cert-authority * {other}")).expect("written");
    let error = failure(&target).await;
    assert!(
        matches!(error.kind, ErrorKind::HostKey(HostKeyError::Unknown { .. })),
        "{error}"
    );

    for (options, reason) in [
        (&["-n", "elsewhere"][..], "it is for elsewhere"),
        (&["-n", "127.0.0.1", "-V", "20200101:20200102"], "expired"),
        (&["-n", "127.0.0.1", "-V", "+1d:+2d"], "not valid yet"),
    ] {
        sign(options);
        server.restart();
        std::fs::write(&known, format!("@cert-authority * {ca_public}")).expect("written");
        let error = failure(&target).await;
        assert!(
            matches!(&error.kind, ErrorKind::HostKey(HostKeyError::Certificate { reason: said, .. }) if said.contains(reason)),
            "{error}"
        );
    }
    sign(&["-n", "127.0.0.1"]);
    server.restart();
    std::fs::write(&known, format!("@cert-authority * {ca_public}@revoked * {ca_public}")).expect("written");
    let error = failure(&target).await;
    assert!(
        matches!(error.kind, ErrorKind::HostKey(HostKeyError::Revoked { line: 2, .. })),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn round_trips_are_counted_and_share_one_channel() {
    let server = Sshd::start("");
    let host = connect(&server.target()).await.expect("let in");
    let began = Instant::now();
    for number in 0..100 {
        let answer = host
            .ask(&Identity::Login, Request::new(format!("echo {number}")))
            .await
            .expect("an answer");
        assert_eq!(answer.stdout_text(), format!("{number}\n"));
    }
    eprintln!("100 exchanges: {:?}, {:?}", began.elapsed(), host.stats());
    let stats = host.stats();
    assert_eq!((stats.exchanges, stats.channels, stats.connects), (100, 1, 1));
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn bytes_are_exact_over_ssh() {
    let server = Sshd::start("");
    let host = connect(&server.target()).await.expect("let in");
    for size in [0_usize, 1, 32_768, 100_000, 3_000_000] {
        let payload: Vec<u8> = (0..size).map(|at| (at * 7 % 256) as u8).collect();
        let answer = host
            .ask(
                &Identity::Login,
                Request::new("cat; echo err >&2").payload(payload.clone()),
            )
            .await
            .expect("an answer");
        assert!(answer.stdout == payload && answer.stderr == "err\n", "{size} bytes");
    }
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn more_watched_requests_than_sessions_take_turns() {
    let server = Sshd::start("MaxSessions 5\n");
    let host = connect(&server.target()).await.expect("let in");
    let runs = (0..20).map(|number| {
        let host = host.clone();
        tokio::spawn(async move {
            let gate = Gate::open();
            let permit = gate.permit().expect("open");
            let (lines, mut seen) = mpsc::channel(10);
            let drain = tokio::spawn(async move { while seen.recv().await.is_some() {} });
            let request = Request::new(format!("sleep 0.1; seq 1 20000; exit {number}"));
            let response = host
                .apply_watched(&permit, &Identity::Login, request, lines)
                .await
                .expect("an answer");
            drain.await.expect("drained");
            (response.status, response.stdout_text().lines().count())
        })
    });
    for (number, run) in runs.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(run.await.expect("no panic"), (number as i32, 20_000));
    }
    works(&host).await;
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn many_logins_to_one_server_are_paced() {
    let server = Sshd::start("MaxStartups 10:30:100\n");
    let connector = Arc::new(RemoteConnector::default());
    let logins: Vec<_> = (0..40)
        .map(|_| {
            let (connector, mut target) = (connector.clone(), server.target());
            target.timeouts.connect = Duration::from_secs(30);
            tokio::spawn(async move { connector.connect(&target).await.map(|_| ()) })
        })
        .collect();
    for login in logins {
        login.await.expect("no panic").expect("let in");
    }
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn large_files_go_up_by_sftp_and_without_it() {
    for extra in ["Subsystem sftp internal-sftp\n", ""] {
        let server = Sshd::start(extra);
        let host = connect(&server.target()).await.expect("let in");
        let gate = Gate::open();
        let permit = gate.permit().expect("open");
        let content: Vec<u8> = (0..20_000_000_u32).map(|at| (at / 3 % 251) as u8).collect();
        let began = Instant::now();
        let path = host.upload(&permit, content.clone().into()).await.expect("a path");
        eprintln!("20 MB up: {:?}", began.elapsed());
        let answer = host
            .ask(&Identity::Login, Request::new(format!("stat -c '%a %s' {path}")))
            .await
            .expect("there");
        assert_eq!(answer.stdout_text(), "600 20000000\n");
        let began = Instant::now();
        let back = host
            .download(&Identity::Login, &path, content.len())
            .await
            .expect("there");
        eprintln!("20 MB down: {:?}", began.elapsed());
        assert!(back == content);
        std::fs::remove_file(path).expect("removed");
        // The session it took is given back.
        for _ in 0..12 {
            let path = host.upload(&permit, "small".into()).await.expect("a path");
            std::fs::remove_file(path).expect("removed");
        }
    }
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_chain_of_jump_hosts_is_shared() {
    let (first, second, target_server) = (Sshd::start(""), Sshd::start(""), Sshd::start(""));
    let mut target = target_server.target();
    for jump in [&first, &second] {
        let of = jump.target();
        target.jumps.push(Jump {
            address: of.address,
            port: of.port,
            user: of.user,
            keys: of.keys,
        });
    }
    let connector = RemoteConnector::default();
    let (one, two) = tokio::join!(connector.connect(&target), connector.connect(&target));
    let (one, two) = (one.expect("through"), two.expect("through"));
    works(&one).await;
    works(&two).await;
    assert_eq!((first.logins(), second.logins(), target_server.logins()), (1, 1, 2));

    // What the last jump host cannot reach is said so.
    drop(target_server);
    target.attempts = 1;
    let error = connector.connect(&target).await.err().expect("nobody there");
    assert!(
        matches!(
            &error.kind,
            ErrorKind::Unreachable {
                cause: ConnectError::JumpRefused { .. },
                ..
            }
        ),
        "{error}"
    );
    connector.close().await;
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn what_keeps_a_connection_from_coming_about_is_told_apart() {
    // Nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut target = Target::ssh("vm1", "127.0.0.1", "nobody");
    target.port = free.local_addr().expect("an address").port();
    target.attempts = 2;
    target.timeouts.connect = Duration::from_millis(500);
    target.default_keys = false;
    target.agent = AgentSource::None;
    target.host_keys = HostKeyPolicy::Off;
    drop(free);
    let error = failure(&target).await;
    assert!(
        matches!(
            &error.kind,
            ErrorKind::Unreachable {
                cause: ConnectError::Refused,
                attempts: 2,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.is_transient() && error.is_unreachable());

    // Someone listens and says nothing; someone hangs up; someone speaks something else.
    let silent = Proxy::fixed(None);
    target.port = silent.port();
    let error = failure(&target).await;
    assert!(
        matches!(
            &error.kind,
            ErrorKind::Unreachable {
                cause: ConnectError::Timeout(_),
                ..
            }
        ),
        "{error}"
    );
    let rude = Proxy::fixed(Some(""));
    target.port = rude.port();
    let error = failure(&target).await;
    assert!(
        matches!(
            &error.kind,
            ErrorKind::Unreachable {
                cause: ConnectError::DroppedEarly,
                ..
            }
        ),
        "{error}"
    );
    let web = Proxy::fixed(Some("HTTP/1.1 400 Bad Request\r\n\r\n"));
    target.port = web.port();
    let error = failure(&target).await;
    assert!(!matches!(error.kind, ErrorKind::Auth { .. }), "{error}");

    target.address = "no-such-host.invalid".into();
    let error = failure(&target).await;
    assert!(
        matches!(
            &error.kind,
            ErrorKind::Unreachable {
                cause: ConnectError::Name(_),
                attempts: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_server_that_is_slow_to_greet_is_waited_for() {
    let server = Sshd::start("");
    let proxy = Proxy::to(server.port(), Duration::from_millis(1500));
    let mut target = server.target();
    target.port = proxy.port();
    works(&connect(&target).await.expect("let in")).await;
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_lost_connection_is_made_again_for_questions_only() {
    let server = Sshd::start("");
    let proxy = Proxy::to(server.port(), Duration::ZERO);
    let mut target = server.target();
    target.port = proxy.port();
    let host = connect(&target).await.expect("let in");
    works(&host).await;
    proxy.cut();
    works(&host).await;
    assert_eq!(host.stats().connects, 2);

    let gate = Gate::open();
    let permit = gate.permit().expect("open");
    let marks = server.folder().join("marks");
    let request = Request::new(format!("echo once >>{}; sleep 2", marks.display()));
    let change = host.apply(&permit, &Identity::Login, request);
    let cutting = async {
        while !marks.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        proxy.cut();
    };
    let (outcome, ()) = tokio::join!(change, cutting);
    let error = outcome.expect_err("lost");
    assert!(matches!(error.kind, ErrorKind::ConnectionLost { .. }), "{error}");
    works(&host).await;
    assert_eq!(std::fs::read_to_string(&marks).expect("there"), "once\n");
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_request_over_its_time_leaves_the_connection_usable() {
    let server = Sshd::start("");
    let host = connect(&server.target()).await.expect("let in");
    let request = Request::new("sleep 333").timeout(Duration::from_millis(300));
    let error = host.ask(&Identity::Login, request).await.expect_err("too long");
    assert!(matches!(error.kind, ErrorKind::Timeout { .. }), "{error}");
    works(&host).await;
    assert_eq!(host.stats().connects, 1);
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn odd_login_shells_and_noise_do_not_matter() {
    let noisy = "ForceCommand echo welcome; printf 'no line end'; echo trouble >&2; exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n";
    let mut shells = vec![("noisy", noisy.to_string())];
    for (name, shell) in [
        ("fish", "/usr/bin/fish"),
        ("csh", "/usr/bin/tcsh"),
        ("busybox", "/usr/bin/busybox sh"),
        ("traced", "/bin/bash -xv"),
    ] {
        if Path::new(shell.split(' ').next().unwrap_or_default()).exists() {
            shells.push((
                name,
                format!("ForceCommand exec {shell} -c \"$SSH_ORIGINAL_COMMAND\"\n"),
            ));
        }
    }
    for (name, extra) in shells {
        let server = Sshd::start(&extra);
        let host = connect(&server.target()).await.expect("let in");
        works(&host).await;
        let request = Request::new("printf %s \"$1$HOME'\\\"\"; cat >&2").payload("ok");
        let answer = host
            .ask(&Identity::Login, request)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            (answer.stdout_text().ends_with("'\""), answer.stderr_text().as_ref()),
            (true, "ok"),
            "{name}"
        );
        let gate = Gate::open();
        let permit = gate.permit().expect("open");
        let (lines, mut seen) = mpsc::channel(10);
        let request = Request::new("echo out; echo err >&2");
        let response = host
            .apply_watched(&permit, &Identity::Login, request, lines)
            .await
            .expect("an answer");
        assert_eq!(
            (response.stdout_text().as_ref(), response.stderr_text().as_ref()),
            ("out\n", "err\n"),
            "{name}"
        );
        let mut count = 0;
        while seen.recv().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 2, "{name}");
    }
    let server = Sshd::start("ForceCommand echo This account is currently not available.; exit 1\n");
    let host = connect(&server.target()).await.expect("let in");
    let error = host
        .ask(&Identity::Login, Request::new("true"))
        .await
        .expect_err("no shell");
    assert!(
        matches!(&error.kind, ErrorKind::NoShell { status: Some(1), said } if said.contains("not available")),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn a_host_that_returns_is_waited_for() {
    let mut server = Sshd::start("");
    let mut target = server.target();
    target.timeouts.connect = Duration::from_secs(2);
    let host = connect(&target).await.expect("let in");
    works(&host).await;
    server.stop();
    let back = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        server.restart();
    };
    let (outcome, ()) = tokio::join!(host.wait_for_return(Duration::from_secs(30), None), back);
    outcome.expect("it is back");
    works(&host).await;

    // The same boot is not a return.
    let boot = host
        .ask(&Identity::Login, Request::new("cat /proc/sys/kernel/random/boot_id"))
        .await
        .expect("an answer");
    let error = host
        .wait_for_return(Duration::from_secs(3), Some(&boot.stdout_text()))
        .await
        .expect_err("it never left");
    assert!(matches!(error.kind, ErrorKind::NoReturn { .. }), "{error}");
    host.wait_for_return(Duration::from_secs(10), Some("another"))
        .await
        .expect("it is back");
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn too_many_keys_are_a_refusal_and_a_dropped_login_is_not() {
    let server = Sshd::start("MaxAuthTries 2\n");
    let mut target = server.target();
    target.keys = (0..4)
        .map(|number| server.key(&format!("k{number}"), &["-t", "ed25519"]))
        .collect();
    let error = failure(&target).await;
    assert!(
        matches!(&error.kind, ErrorKind::Auth { tried, .. } if tried.len() == 2),
        "{error}"
    );

    // Cut at any point before: worth another try, and never called a refusal.
    let mut cut = 0;
    for bytes in (0..4000).step_by(300) {
        let proxy = Proxy::limited(server.port(), bytes);
        target.port = proxy.port();
        target.attempts = 1;
        let error = failure(&target).await;
        match &error.kind {
            ErrorKind::Auth { tried, .. } => assert_eq!(tried.len(), 2, "{error}"),
            _ => {
                assert!(error.is_transient() && error.is_unreachable(), "{bytes} bytes: {error}");
                cut += 1;
            }
        }
    }
    assert!(cut >= 4, "only {cut} were cut");
}

/// A stand-in for sudo that says nothing while `silent` is there.
fn sudo_that_can_be_silent(folder: &Path, silent: &Path) -> String {
    let program = folder.join("sudo");
    let script = format!(
        "#!/bin/sh\nif [ -e '{}' ]; then exec sleep 60; fi\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n",
        silent.display()
    );
    std::fs::write(&program, script).expect("written");
    run_tool("chmod", &["755", program.to_str().expect("UTF-8")]);
    program.to_str().expect("UTF-8").to_owned()
}

#[tokio::test]
#[ignore = "needs sshd"]
async fn sudo_that_worked_and_says_nothing_any_more_is_a_lost_connection() {
    let server = Sshd::start("");
    let folder = tempfile::tempdir().expect("a folder");
    let silent = folder.path().join("silent");
    let mut target = server.target();
    target.sudo.program = sudo_that_can_be_silent(folder.path(), &silent);
    target.sudo.timeout = Duration::from_millis(1500);
    let identity = Identity::user("nobody");
    let gate = Gate::open();
    let permit = gate.permit().expect("open");
    let (lines, _nobody) = mpsc::channel(8);

    let host = connect(&target).await.expect("let in");
    std::fs::write(&silent, "").expect("written");
    let error = host.ask(&identity, Request::new(":")).await.expect_err("silence");
    assert!(matches!(error.kind, ErrorKind::Become(_)), "never worked: {error}");

    std::fs::remove_file(&silent).expect("removed");
    host.ask(&identity, Request::new(":")).await.expect("an answer");
    std::fs::write(&silent, "").expect("written");
    let error = host
        .apply_watched(&permit, &identity, Request::new("echo done"), lines.clone())
        .await
        .expect_err("silence");
    assert!(error.is_unreachable(), "it had worked: {error}");
    let before = host.stats().connects;

    std::fs::remove_file(&silent).expect("removed");
    let answer = host
        .apply_watched(&permit, &identity, Request::new("echo done"), lines)
        .await
        .expect("an answer");
    assert_eq!(answer.stdout_text(), "done\n");
    assert_eq!(host.stats().connects, before + 1, "over a connection of its own");
}
