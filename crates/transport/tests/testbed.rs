//! The transport against the odd users of the testbed (`cargo xtask testbed up`): fish, noise, busybox, passwords, no rights.

use std::path::Path;
use std::sync::Arc;

use mosip_prov_transport::error::{BecomeError, ErrorKind};
use mosip_prov_transport::{
    AgentSource, Connector, Gate, Host, HostKeyPolicy, Identity, Jump, RemoteConnector, Request, Secret, Target,
};

const KEY: &str = "/var/lib/mosip-prov-testbed/id_ed25519";
const PASSWORD: &str = "correct horse 7!";

fn target(address: &str, user: &str) -> Target {
    let mut target = Target::ssh(address, address, user);
    target.keys = vec![Path::new(KEY).to_path_buf()];
    target.default_keys = false;
    target.agent = AgentSource::None;
    target.host_keys = HostKeyPolicy::Off;
    target
}

async fn connect(target: &Target) -> Arc<dyn Host> {
    match RemoteConnector::default().connect(target).await {
        Ok(host) => host,
        Err(error) => panic!("{error}"),
    }
}

async fn works_as(host: &Arc<dyn Host>, identity: &Identity, name: &str) {
    let request = Request::new("id -un; cat; printf 'no end' >&2; exit 3").payload(vec![0_u8, 255, 10, 0]);
    let answer = host
        .ask(identity, request)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(answer.stdout, [name.as_bytes(), b"\n\0\xff\n\0"].concat(), "{name}");
    assert_eq!((answer.stderr_text().as_ref(), answer.status), ("no end", 3), "{name}");
}

#[tokio::test]
#[ignore = "needs the testbed"]
async fn odd_users_are_served_and_become_root() {
    for user in ["ubuntu", "fishuser", "noisyuser", "busyuser"] {
        let host = connect(&target("10.61.0.11", user)).await;
        works_as(&host, &Identity::Login, user).await;
        works_as(&host, &Identity::root(), "root").await;
        works_as(&host, &Identity::user("nobody"), "nobody").await;
        let gate = Gate::open();
        let permit = gate.permit().expect("open");
        let content: Vec<u8> = (0..2_000_000_u32).map(|at| (at % 253) as u8).collect();
        let path = host.upload(&permit, content.clone().into()).await.expect("a path");
        assert!(
            host.download(&Identity::root(), &path, 2_000_000).await.expect("there") == content,
            "{user}"
        );
        let removed = host
            .apply(&permit, &Identity::Login, Request::new(format!("rm {path}")))
            .await
            .expect("an answer");
        assert!(removed.success());
        let folders = host
            .ask(
                &Identity::root(),
                Request::new("ls -d /dev/shm/.mosip-prov.* /run/.mosip-prov.* 2>/dev/null | grep -c ."),
            )
            .await;
        eprintln!(
            "{user}: {} folders in use, {:?}",
            folders.expect("an answer").stdout_text().trim(),
            host.stats()
        );
        host.close().await;
    }
}

#[tokio::test]
#[ignore = "needs the testbed"]
async fn passwords_open_the_login_and_sudo() {
    let mut wanted = target("10.61.0.12", "pwuser");
    wanted.keys.clear();
    wanted.password = Some(Secret::from(PASSWORD));
    wanted.sudo.password = Some(Secret::from(PASSWORD));
    let host = connect(&wanted).await;
    works_as(&host, &Identity::Login, "pwuser").await;
    works_as(&host, &Identity::root(), "root").await;
    works_as(&host, &Identity::user("nobody"), "nobody").await;

    let keyed = target("10.61.0.12", "pwuser");
    let error = connect(&keyed)
        .await
        .ask(&Identity::root(), Request::new("true"))
        .await
        .expect_err("no password");
    assert!(
        matches!(error.kind, ErrorKind::Become(BecomeError::PasswordRequired { .. })),
        "{error}"
    );
    let mut wrong = keyed.clone();
    wrong.sudo.password = Some(Secret::from("wrong"));
    let error = connect(&wrong)
        .await
        .ask(&Identity::root(), Request::new("true"))
        .await
        .expect_err("wrong password");
    assert!(
        matches!(error.kind, ErrorKind::Become(BecomeError::WrongPassword { .. })),
        "{error}"
    );
    wrong.keys.clear();
    wrong.password = Some(Secret::from("wrong"));
    let error = RemoteConnector::default().connect(&wrong).await.err().expect("refused");
    assert!(
        matches!(&error.kind, ErrorKind::Auth { tried, .. } if tried.contains(&"password".to_string())),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs the testbed"]
async fn a_user_without_rights_is_told_so() {
    let host = connect(&target("10.61.0.13", "nosudo")).await;
    works_as(&host, &Identity::Login, "nosudo").await;
    let error = host
        .ask(&Identity::root(), Request::new("true"))
        .await
        .expect_err("no rights");
    assert!(matches!(error.kind, ErrorKind::Become(_)), "{error}");
    assert!(!error.is_unreachable(), "{error}");
}

#[tokio::test]
#[ignore = "needs the testbed"]
async fn hosts_behind_another_are_reached() {
    let connector = RemoteConnector::default();
    for address in ["10.61.0.12", "10.61.0.13", "10.61.0.14"] {
        let mut behind = target(address, "ubuntu");
        behind.jumps = vec![Jump {
            address: "10.61.0.11".into(),
            port: 22,
            user: "fishuser".into(),
            keys: Vec::new(),
        }];
        let host = connector
            .connect(&behind)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        works_as(&host, &Identity::root(), "root").await;
    }
}
