//! How long a verification goes on, with a deployment node that cannot be asked.

use mosip_prov::events::Level;
use mosip_prov::transport::ErrorKind;
use mosip_prov::transport::error::{BecomeError, ConnectError, KeyFileError};
use mosip_prov::transport::fake::FakeConnector;
use mosip_prov::verify::{Verified, VerifyOptions, Which};
use mosip_prov::{CancelHandle, Provisioner, RunOutcome, Settings};
use std::sync::Arc;
use std::time::Duration;

fn provisioner(folder: &std::path::Path, more: &str) -> Provisioner {
    let inventory = folder.join("hosts.ini");
    std::fs::write(
        &inventory,
        format!(
            "[deployment]\nnode ansible_host=192.0.2.1\n[mosip_obs]\nobs ansible_host=192.0.2.2\n[nginx_obs]\nfront \
             ansible_host=192.0.2.3\n[all:vars]\nansible_user=ubuntu\nmosip_domain=mosip.test\n\
             nginx_obs_public_domain_names=rancher.mosip.test\n{more}"
        ),
    )
    .expect("written");
    let settings = Settings {
        inventory: vec![inventory.to_string_lossy().into_owned()],
        ..Settings::default()
    };
    Provisioner::load(settings).expect("good inputs")
}

/// What comes of it when the first connections fail so, and how many were asked for.
async fn verified(errors: Vec<ErrorKind>) -> (Verified, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let connector = Arc::new(FakeConnector::new().failing("node", errors));
    let options = VerifyOptions {
        fronts: false,
        timeout: Duration::from_secs(5),
        every: Duration::from_millis(1),
        ..VerifyOptions::default()
    };
    let verification = provisioner(folder.path(), "")
        .verify(Which::Obs, &options)
        .expect("good inputs");
    let verification = verification.with_connector(connector.clone());
    let verified = verification.run(&|_| {}, &CancelHandle::new()).await;
    (verified, connector.connected().len())
}

fn refused() -> ErrorKind {
    ErrorKind::Auth {
        address: "192.0.2.1:22".into(),
        user: "ubuntu".into(),
        tried: vec!["password".into()],
        offered: Vec::new(),
    }
}

#[tokio::test]
async fn a_refused_login_is_not_tried_again() {
    for (error, outcome) in [
        (refused(), RunOutcome::Unreachable),
        (
            ErrorKind::KeyFile(KeyFileError::Missing("/nowhere".into())),
            RunOutcome::Unreachable,
        ),
        (
            ErrorKind::Become(BecomeError::WrongPassword { user: "root".into() }),
            RunOutcome::Failed,
        ),
    ] {
        let said = error.to_string();
        let (verified, connections) = verified(vec![error]).await;
        assert_eq!(connections, 1, "{said}");
        assert_eq!(verified.outcome(), outcome, "{said}");
        assert_eq!(verified.findings.len(), 1, "{:#?}", verified.findings);
        assert_eq!(verified.findings[0].message, said);
    }
}

#[tokio::test]
async fn what_may_mend_is_waited_for() {
    let away = || ErrorKind::Unreachable {
        address: "192.0.2.1:22".into(),
        cause: ConnectError::Refused,
        attempts: 1,
    };
    // It comes back twice to no good, and then refuses.
    let (verified, connections) = verified(vec![away(), away(), refused()]).await;
    assert_eq!((connections, verified.outcome()), (3, RunOutcome::Unreachable));
    assert!(
        verified.findings[0].message.contains("refused the login"),
        "{:?}",
        verified.findings
    );
    assert!(verified.findings.iter().all(|one| one.level == Level::Failure));
}

#[test]
fn the_authorities_of_rancher_must_be_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = |fronts: bool| {
        let options = VerifyOptions {
            fronts,
            ..VerifyOptions::default()
        };
        let provisioner = provisioner(folder.path(), "rancher_ca_file=authority.pem\n");
        provisioner
            .verify(Which::Obs, &options)
            .err()
            .map(|error| error.to_string())
    };
    assert!(said(true).is_some_and(|said| said.contains("authority.pem, which rancher_ca_file names, cannot be read")));
    assert_eq!(said(false), None);
    std::fs::write(folder.path().join("authority.pem"), "nothing").expect("written");
    assert!(said(true).is_some_and(|said| said.contains("holds no certificate")));
    let pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    std::fs::write(folder.path().join("authority.pem"), pem).expect("written");
    assert_eq!(said(true), None);
}
