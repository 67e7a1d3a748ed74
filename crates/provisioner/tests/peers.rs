//! Peers are looked at and fetched by asking alone: nothing that may change a host is ever sent.

use mosip_prov::peers::{self, PeersError, PeersOf};
use mosip_prov::resources::testing::frames;
use mosip_prov::transport::ErrorKind;
use mosip_prov::transport::fake::{CallKind, FakeConnector, FakeHost, failure, stdout};
use mosip_prov::{Provisioner, Settings};
use std::sync::Arc;

const KEY: &str = "cHJpdmF0ZSBrZXkgb2YgcGVlcjEsIG5vIHJlYWwgb25lISE=";

/// What the host says when it is asked for its peers.
fn said() -> String {
    let digest = "0".repeat(64);
    [
        "now\t1000".to_owned(),
        "wg".to_owned(),
        format!("file\tserver\t-\t/etc/wireguard/wg0.conf\t600\troot\troot\t{digest}\t-"),
        "c[Interface]".to_owned(),
        "cAddress = 10.13.13.1/24".to_owned(),
        "cPrivateKey = (kept 3)".to_owned(),
        "c".to_owned(),
        "c[Peer]".to_owned(),
        "c# peer1".to_owned(),
        "cPublicKey = PUBLIC1".to_owned(),
        "cAllowedIPs = 10.13.13.2/32".to_owned(),
        format!("file\tpeer\tpeer1\t/etc/wireguard/peers/peer1/peer1.conf\t600\troot\troot\t{digest}\tPUBLIC1"),
        "c[Interface]".to_owned(),
        "cAddress = 10.13.13.2".to_owned(),
        "cPrivateKey = (kept 3)".to_owned(),
        "c[Peer]".to_owned(),
        "up\tSERVER\t51820".to_owned(),
        "at\tPUBLIC1\t192.0.2.7:4242\t10.13.13.2/32\t990\t2048\t1024".to_owned(),
        "at\tSTRANGER\t(none)\t10.13.13.9/32\t0\t0\t0".to_owned(),
    ]
    .join("\n")
}

fn provisioner(folder: &std::path::Path) -> Provisioner {
    let inventory = folder.join("hosts.ini");
    std::fs::write(
        &inventory,
        "[wireguard]\nbastion ansible_host=192.0.2.1 wireguard_endpoint=192.0.2.1\ngone ansible_host=192.0.2.2 \
         wireguard_endpoint=192.0.2.2\n[wireguard:vars]\nwireguard_backend=native\nansible_user=ubuntu\n",
    )
    .expect("written");
    let settings = Settings {
        inventory: vec![inventory.to_string_lossy().into_owned()],
        check: true,
        ..Settings::default()
    };
    Provisioner::load(settings).expect("good inputs")
}

#[tokio::test]
async fn two_exchanges_and_no_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = FakeHost::new("bastion").handler(|identity, request| {
        assert_eq!(identity.to_string(), "root");
        Some(if request.script.contains("wg show wg0 dump") {
            stdout(frames(&[(0, &frames(&[(0, &said())]))]))
        } else if request.script.contains("cat -- /etc/wireguard/peers/peer1/peer1.conf") {
            assert!(request.sensitive);
            stdout(frames(&[(0, &format!("[Interface]\nPrivateKey = {KEY}"))]))
        } else {
            failure(127, "not foreseen")
        })
    });
    let host = Arc::new(host);
    let refused = ErrorKind::BadRequest("nobody is there".into());
    let connector = FakeConnector::new().with(host.clone()).failing("gone", [refused]);
    let found = PeersOf::prepare(&provisioner(folder.path())).expect("good inputs");
    let found = found.map(|asking| asking.with_connector(Arc::new(connector)));
    assert_eq!(found.hosts(), ["bastion", "gone"]);
    let inquiry = found.open();
    let mut states = found.look(&inquiry).await;
    assert_eq!(states.len(), 2);
    let (name, gone) = states.remove(1);
    assert_eq!(name, "gone");
    assert!(matches!(gone, Err(PeersError::Host(_))));
    let state = states.remove(0).1.expect("answered");
    let list = state.peers();
    let names: Vec<_> = list.iter().map(|p| p.name.as_ref().map(ToString::to_string)).collect();
    assert_eq!(names, [Some("peer1".to_owned()), None]);
    assert!(list[0].configured && list[0].running.as_ref().is_some_and(|r| r.handshake == Some(990)));
    assert!(!list[1].configured && list[1].public_key.as_deref() == Some("STRANGER"));

    let files = vec![(
        list[0].name.clone().expect("a name"),
        list[0].file.clone().expect("a file"),
    )];
    let contents = peers::fetch(&inquiry, "bastion", &files).await.expect("read");
    assert_eq!(contents[0].1.expose(), format!("[Interface]\nPrivateKey = {KEY}\n"));
    assert!(!format!("{contents:?}").contains(KEY));
    assert!(peers::fetch(&inquiry, "nobody", &files).await.is_err());
    inquiry.close().await;

    assert!(host.mutations().is_empty());
    let calls = host.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| call.kind == CallKind::Ask));
}

#[tokio::test]
async fn what_the_host_cannot_answer_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let answer = frames(&[(0, &frames(&[(1, "/etc/wireguard may not be read; is this user root?")]))]);
    let connector = FakeConnector::new()
        .with(FakeHost::new("bastion").handler(move |_, _| Some(stdout(answer.clone()))))
        .with(FakeHost::new("gone").handler(|_, _| Some(stdout("garbage"))));
    let found = PeersOf::prepare(&provisioner(folder.path())).expect("good inputs");
    let found = found.map(|asking| asking.with_connector(Arc::new(connector)));
    let inquiry = found.open();
    for (host, state) in found.look(&inquiry).await {
        let error = state.expect_err("no answer");
        assert!(matches!(error, PeersError::Answer(_)), "{host}: {error}");
        assert!(
            host == "gone" || error.to_string().contains("may not be read"),
            "{error}"
        );
    }
}
