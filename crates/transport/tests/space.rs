//! Targets with no room: full or read-only file systems, made in a mount namespace of their own.

use std::os::unix::fs::PermissionsExt as _;

use mosip_prov_transport::error::ErrorKind;
use mosip_prov_transport::{Host, Identity, LocalHost, Request, Target};

/// A shell in a world where these mounts were made first.
fn host(folder: &tempfile::TempDir, mounts: &str) -> LocalHost {
    let program = folder.path().join("shell");
    let text = format!("#!/bin/sh\nexec unshare -m /bin/sh -c '{mounts}; exec /bin/sh \"$@\"' sh \"$@\"\n");
    std::fs::write(&program, text).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
    LocalHost::with_shell(&Target::local("here"), &program.display().to_string())
}

const READ_ONLY: &str = "for d in /dev/shm /run /tmp /var/tmp; do mount -t tmpfs -o ro tmpfs $d; done";
const SMALL: &str =
    "for d in /run /tmp /var/tmp; do mount -t tmpfs -o ro tmpfs $d; done; mount -t tmpfs -o size=64k tmpfs /dev/shm";
const FULL_MEMORY: &str = "mount -t tmpfs -o size=8k tmpfs /dev/shm; cat /dev/zero >/dev/shm/fill; mount -t tmpfs -o size=1m tmpfs /tmp; mount -t tmpfs -o ro tmpfs /run";

#[tokio::test]
#[ignore = "needs root"]
async fn nowhere_to_write_is_said_at_once() {
    let folder = tempfile::tempdir_in("/root").expect("a folder");
    let error = host(&folder, READ_ONLY)
        .ask(&Identity::Login, Request::new("true"))
        .await
        .expect_err("no room");
    assert!(
        matches!(&error.kind, ErrorKind::NoSpace { said } if said.contains("/dev/shm")),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_cut_off_answer_is_never_taken_for_a_whole_one() {
    let folder = tempfile::tempdir_in("/root").expect("a folder");
    let host = host(&folder, SMALL);
    let fits = host
        .ask(&Identity::Login, Request::new("head -c 20000 /dev/zero"))
        .await
        .expect("an answer");
    assert_eq!(fits.stdout.len(), 20_000);
    for request in [
        Request::new("head -c 200000 /dev/zero; exit 0"),
        Request::new("head -c 200000 /dev/zero 2>/dev/null; true"),
        Request::new("cat >/dev/null").payload(vec![b'x'; 300_000]),
    ] {
        let error = host.ask(&Identity::Login, request).await.expect_err("no room");
        assert!(matches!(error.kind, ErrorKind::NoSpace { .. }), "{error}");
        assert!(
            host.ask(&Identity::Login, Request::new("true"))
                .await
                .expect("an answer")
                .success()
        );
    }
}

#[tokio::test]
#[ignore = "needs root"]
async fn the_next_place_is_taken_when_the_first_is_full() {
    let folder = tempfile::tempdir_in("/root").expect("a folder");
    let host = host(&folder, FULL_MEMORY);
    let answer = host
        .ask(&Identity::Login, Request::new("echo $mp_d"))
        .await
        .expect("an answer");
    assert!(
        answer.stdout_text().starts_with("/tmp/.mosip-prov."),
        "{}",
        answer.stdout_text()
    );
}
