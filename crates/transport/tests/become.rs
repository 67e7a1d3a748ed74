//! Becoming another user, with a stand-in for sudo that keeps sudo's contract: `-n`, `-S -p PROMPT`, `-H -u USER -- COMMAND`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use mosip_prov_transport::error::{BecomeError, ErrorKind};
use mosip_prov_transport::{Host, Identity, LocalHost, Request, Secret, SudoSettings, Target};

/// Asks for `right` like sudo does: at most three times, its prompt on standard error, reading one line at a time.
const STAND_IN: &str = r#"#!/bin/sh
echo "$*" >>FOLDER/calls
prompt= ask=
while :; do
  case $1 in
    -n) ask=no; shift ;;
    -S) ask=yes; shift ;;
    -p) prompt=$(printf %s "$2" | sed 's/%%/%/g'); shift 2 ;;
    -H) shift ;;
    -u) SUDO_AS=$2; export SUDO_AS; shift 2 ;;
    --) shift; break ;;
    *) echo "usage" >&2; exit 1 ;;
  esac
done
MODE
exec "$@"
"#;

const PASSWORD: &str = r#"
if [ "$ask" = no ]; then echo "sudo: a password is required" >&2; exit 1; fi
echo "We trust you have received the usual lecture." >&2
tries=0
while [ $tries -lt 3 ]; do
  printf '%s ' "$prompt" >&2
  read -r line || exit 1
  [ "$line" = "right horse" ] && break
  echo x >>FOLDER/wrong
  tries=$((tries + 1)); echo "Sorry, try again." >&2
done
[ $tries -lt 3 ] || { echo "sudo: 3 incorrect password attempts" >&2; exit 1; }
"#;

struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new(mode: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = STAND_IN
            .replace("MODE", mode)
            .replace("FOLDER", &folder.path().display().to_string());
        let program = folder.path().join("sudo");
        std::fs::write(&program, text).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
        Self { folder }
    }

    fn host(&self, password: Option<&str>) -> LocalHost {
        let mut target = Target::local("here");
        target.sudo = SudoSettings {
            password: password.map(Secret::from),
            program: self.folder.path().join("sudo").display().to_string(),
            timeout: Duration::from_secs(5),
        };
        LocalHost::new(&target)
    }

    fn count(&self, file: &str) -> usize {
        std::fs::read_to_string(self.folder.path().join(file)).map_or(0, |text| text.lines().count())
    }
}

async fn become_error(host: &LocalHost) -> BecomeError {
    let error = host
        .ask(&Identity::user("other"), Request::new("true"))
        .await
        .expect_err("refused");
    match error.kind {
        ErrorKind::Become(error) => error,
        kind => panic!("{kind}"),
    }
}

#[tokio::test]
async fn sudo_is_paid_once() {
    for (mode, password) in [("", None), (PASSWORD, Some("right horse")), ("", Some("not asked for"))] {
        let stage = Stage::new(mode);
        let host = stage.host(password);
        for number in 0..5 {
            let request = Request::new(format!("echo {number} $SUDO_AS; cat")).payload("payload");
            let answer = host.ask(&Identity::user("other"), request).await.expect("an answer");
            assert_eq!(answer.stdout_text(), format!("{number} other\npayload"));
        }
        assert_eq!((stage.count("calls"), stage.count("wrong")), (1, 0));
    }
}

#[tokio::test]
async fn a_wrong_password_is_noticed_at_once_and_tried_once() {
    let stage = Stage::new(PASSWORD);
    let host = stage.host(Some("wrong horse"));
    let began = Instant::now();
    assert!(matches!(become_error(&host).await, BecomeError::WrongPassword { user } if user == "other"));
    assert!(began.elapsed() < Duration::from_secs(4), "waited for the time limit");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.count("wrong"), 1);
}

#[tokio::test]
async fn sudo_that_refuses_is_understood() {
    let stage = Stage::new(PASSWORD);
    assert!(matches!(
        become_error(&stage.host(None)).await,
        BecomeError::PasswordRequired { .. }
    ));
    let stage = Stage::new("echo 'bob is not in the sudoers file.' >&2; exit 1");
    assert!(matches!(
        become_error(&stage.host(None)).await,
        BecomeError::NotAllowed { .. }
    ));
    let stage = Stage::new("echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1");
    assert!(matches!(become_error(&stage.host(None)).await, BecomeError::RequireTty));
    let stage = Stage::new("printf 'Verification code: ' >&2; sleep 60");
    assert!(
        matches!(become_error(&stage.host(Some("x"))).await, BecomeError::NoAnswer { said, .. } if said == "Verification code:")
    );
    std::fs::remove_file(stage.folder.path().join("sudo")).expect("removed");
    assert!(matches!(
        become_error(&stage.host(None)).await,
        BecomeError::NoSudo { .. }
    ));
}

#[tokio::test]
async fn becoming_oneself_needs_no_sudo() {
    let stage = Stage::new("exit 1");
    let host = stage.host(None);
    let name = host
        .ask(&Identity::Login, Request::new("id -un"))
        .await
        .expect("an answer");
    let me = Identity::user(name.stdout_text().trim());
    assert!(host.ask(&me, Request::new("true")).await.expect("an answer").success());
    assert_eq!((stage.count("calls"), host.stats().channels), (0, 1));
}

#[tokio::test]
async fn a_time_out_as_another_user_ends_what_runs_there() {
    let stage = Stage::new(PASSWORD);
    let host = stage.host(Some("right horse"));
    let other = Identity::user("other");
    let request = Request::new("echo $$; sleep 444").timeout(Duration::from_millis(300));
    let error = host.ask(&other, request).await.expect_err("too long");
    assert!(matches!(error.kind, ErrorKind::Timeout { .. }), "{error}");
    assert!(
        host.ask(&other, Request::new("true"))
            .await
            .expect("an answer")
            .success()
    );
}

#[tokio::test]
#[ignore = "needs root"]
async fn real_sudo_becomes_another_user() {
    if !Path::new("/usr/bin/sudo").exists() {
        return;
    }
    let host = LocalHost::new(&Target::local("here"));
    let answer = host
        .ask(&Identity::user("nobody"), Request::new("id -un"))
        .await
        .expect("an answer");
    assert_eq!(answer.stdout_text(), "nobody\n");
    let error = host
        .ask(&Identity::user("no-such-user"), Request::new("true"))
        .await
        .expect_err("nobody of that name");
    assert!(
        matches!(error.kind, ErrorKind::Become(BecomeError::UnknownUser { .. })),
        "{error}"
    );
}
