//! Many hosts at once, played by a server of ours that listens on all of 127.0.0.0/8 and counts who is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use mosip_prov_transport::{AgentSource, Connector, HostKeyPolicy, RemoteConnector, Target};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How many may be let in at once.
const AT_ONCE: usize = 64;

#[tokio::test]
async fn two_hundred_hosts_are_not_logged_in_to_at_once() {
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (now, most, all) = (
        Arc::<AtomicUsize>::default(),
        Arc::<AtomicUsize>::default(),
        Arc::<AtomicUsize>::default(),
    );
    let counts = (now.clone(), most.clone(), all.clone());
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (now, most, all) = counts.clone();
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            all.fetch_add(1, SeqCst);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                // Counted as gone before it is: the next may be there at once.
                now.fetch_sub(1, SeqCst);
                drop(stream);
            });
        }
    });
    let connector = Arc::new(RemoteConnector::default());
    let mut logins = JoinSet::new();
    for number in 1..=200 {
        let connector = connector.clone();
        logins.spawn(async move {
            let mut target = Target::ssh(format!("vm{number}"), format!("127.0.1.{number}"), "nobody");
            target.port = port;
            target.attempts = 1;
            target.default_keys = false;
            target.agent = AgentSource::None;
            target.host_keys = HostKeyPolicy::Off;
            connector.connect(&target).await.err().expect("it is no SSH server")
        });
    }
    let errors = logins.join_all().await;
    server.abort();
    assert!(
        errors.iter().all(|error| error.is_unreachable()),
        "{:?}",
        errors.first()
    );
    assert_eq!((errors.len(), all.load(SeqCst)), (200, 200), "each host had its turn");
    let most = most.load(SeqCst);
    assert!((2..=AT_ONCE).contains(&most), "{most} at once");
}
