//! Real requests through the deployed fronts to stand-ins on the cluster's node ports, from inside and from outside.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mosip_prov_tests::curl::{Reply, ask};
use mosip_prov_tests::output;
use mosip_prov_tests::program::Program;
use mosip_prov_tests::stand_in::{MAIN_CLUSTER, OBS_CLUSTER, StandIns};
use mosip_prov_tests::testbed::{DOMAIN, HERE, NGINX, NGINX_OBS, NGINX_OUTSIDE, OBS, OUTSIDE_CLIENT, Testbed, address};

/// Deploys a front, which costs little when it is there.
fn deploy(testbed: &Testbed, playbook: &str, more: &[&str]) {
    let inventory = testbed.inventory();
    let words = [&["run", playbook, "-i", inventory.to_str().expect("UTF-8")], more].concat();
    Program::new().run(&words).expect(0);
}

#[track_caller]
fn served_by(reply: &Reply, port: u16) -> serde_json::Value {
    assert_eq!(reply.status, 200, "{reply:?}");
    let seen = reply.json();
    assert_eq!(seen["port"], port, "{seen:#}");
    seen
}

/// What every proxied location adds or passes on.
#[track_caller]
fn forwarded(seen: &serde_json::Value, host: &str, client: &str, scheme: &str) {
    let headers = &seen["headers"];
    assert_eq!(seen["protocol"], "HTTP/1.1", "{seen:#}");
    assert_eq!(headers["host"], host, "{seen:#}");
    assert_eq!(headers["x-real-ip"], client, "{seen:#}");
    assert_eq!(
        headers["x-forwarded-for"],
        format!("203.0.113.9, {client}"),
        "appended: {seen:#}"
    );
    assert_eq!(headers["x-forwarded-proto"], scheme, "{seen:#}");
    assert_eq!(headers["upgrade"], "websocket", "{seen:#}");
    assert_eq!(headers["connection"], "upgrade", "{seen:#}");
    assert_eq!(headers["referer"], "https://elsewhere.test/page", "{seen:#}");
    assert_eq!(headers["x-of-our-own"], "kept", "{seen:#}");
    assert_eq!(headers["cookie"], "a=b", "{seen:#}");
}

const CLIENT_SAYS: &[&str] = &[
    "-H",
    "X-Forwarded-For: 203.0.113.9",
    "-H",
    "X-Real-IP: 203.0.113.9",
    "-H",
    "X-Forwarded-Proto: gopher",
    "-H",
    "Upgrade: websocket",
    "-H",
    "Connection: Upgrade",
    "-H",
    "Referer: https://elsewhere.test/page",
    "-H",
    "X-Of-Our-Own: kept",
    "-H",
    "Cookie: a=b",
];

#[test]
#[ignore = "needs the testbed"]
fn the_main_front_serves_every_name_and_port() {
    let testbed = Testbed::get();
    deploy(&testbed, "deploy-nginx", &[]);
    let _cluster = StandIns::start(&testbed, &["vm4", "vm5", "vm6"], MAIN_CLUSTER);
    let front = address(NGINX);
    let get = |url: &str, words: &[&str]| ask(&testbed, false, url, &front, words);

    for name in ["api", "prereg", "resident", "idp"] {
        let host = format!("{name}.{DOMAIN}");
        let reply = get(&format!("https://{host}/v1/x?y=1"), CLIENT_SAYS);
        let seen = served_by(&reply, 30080);
        assert_eq!(seen["path"], "/v1/x?y=1");
        assert_eq!(seen["peer"], front);
        forwarded(&seen, &host, HERE, "https");
        assert_eq!(reply.header("server"), "nginx", "no version is told");
    }
    for host in [
        DOMAIN.to_owned(),
        format!("api-internal.{DOMAIN}"),
        format!("pmp.{DOMAIN}"),
    ] {
        let seen = served_by(&get(&format!("https://{host}/"), CLIENT_SAYS), 31080);
        forwarded(&seen, &host, HERE, "https");
    }
    let host = format!("api-internal.{DOMAIN}");
    let seen = served_by(
        &get(&format!("https://{host}/v1/packetcreator/create"), CLIENT_SAYS),
        31080,
    );
    assert_eq!(seen["path"], "/v1/packetcreator/create");
    forwarded(&seen, &host, HERE, "https");

    // As $host or $http_host; both name the server.
    let host = format!("object-store.{DOMAIN}");
    let seen = served_by(&get(&format!("https://{host}:9000/bucket"), CLIENT_SAYS), 30900);
    assert!(
        seen["headers"]["host"]
            .as_str()
            .is_some_and(|have| have.starts_with(&host)),
        "{seen:#}"
    );
    assert_eq!(seen["headers"]["x-forwarded-for"], format!("203.0.113.9, {HERE}"));
    assert_eq!(seen["headers"]["upgrade"], "websocket");

    for (port, upstream) in [(5432, 31432), (61616, 31616)] {
        let mut stream = TcpStream::connect((front.as_str(), port)).expect("a stream port that answers");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        stream.write_all(b"ping\n").expect("sent");
        let wanted = format!("hello from {upstream}\n{upstream} heard: ping\n");
        let mut text = vec![0; wanted.len()];
        // Both ends stay open: nginx ends a session when either closes.
        stream.read_exact(&mut text).expect("an answer");
        assert_eq!(String::from_utf8_lossy(&text), wanted);
    }

    // 30 MB may pass, more may not.
    let file = tempfile::NamedTempFile::new().expect("a file");
    for (size, status) in [(29 << 20, 200), (31 << 20, 413)] {
        file.as_file().set_len(size).expect("grown");
        let body = format!("@{}", file.path().display());
        let reply = get(&format!("https://api.{DOMAIN}/upload"), &["--data-binary", &body]);
        assert_eq!(reply.status, status, "{size} bytes: {reply:?}");
    }
    for (version, works) in [("1.1", false), ("1.2", true), ("1.3", true)] {
        let reply = get(
            &format!("https://api.{DOMAIN}/"),
            &[
                &format!("--tlsv{version}"),
                "--tls-max",
                version,
                "--ciphers",
                "DEFAULT:@SECLEVEL=0",
            ],
        );
        assert_eq!(reply.status == 200, works, "TLS {version}: {reply:?}");
    }
}

#[test]
#[ignore = "needs the testbed"]
fn all_workers_take_part_and_one_may_be_down() {
    let testbed = Testbed::get();
    deploy(&testbed, "deploy-nginx", &[]);
    let _two = StandIns::start(&testbed, &["vm4", "vm6"], MAIN_CLUSTER);
    for _ in 0..6 {
        served_by(
            &ask(&testbed, false, &format!("https://api.{DOMAIN}/"), &address(NGINX), &[]),
            30080,
        );
    }
}

/// Whether a TCP connection from outside to the front gets any byte.
fn is_answered_outside(testbed: &Testbed, front: &str, port: u16) -> bool {
    let script = format!("exec 3<>/dev/tcp/{front}/{port} && echo ping >&3 && timeout 3 head -c 1 <&3");
    let done = output(testbed.outside("timeout").args(["5", "bash", "-c", &script]));
    !done.stdout.is_empty()
}

#[test]
#[ignore = "needs the testbed"]
fn from_outside_only_the_public_names_answer() {
    let testbed = Testbed::get();
    deploy(&testbed, "deploy-nginx", &[]);
    let _cluster = StandIns::start(&testbed, &["vm4", "vm5", "vm6"], MAIN_CLUSTER);
    let front = address(NGINX);
    for name in ["api", "prereg", "resident", "idp"] {
        let host = format!("{name}.{DOMAIN}");
        let seen = served_by(
            &ask(&testbed, true, &format!("https://{host}/"), &front, CLIENT_SAYS),
            30080,
        );
        forwarded(&seen, &host, OUTSIDE_CLIENT, "https");
    }
    let internal = format!("api-internal.{DOMAIN}");
    let api = format!("api.{DOMAIN}");
    for (what, url, words) in [
        ("the internal name", format!("https://{internal}/"), vec![]),
        (
            "the long location",
            format!("https://{internal}/v1/packetcreator/x"),
            vec![],
        ),
        ("the domain itself", format!("https://{DOMAIN}/"), vec![]),
        ("minio", format!("https://object-store.{DOMAIN}:9000/"), vec![]),
        ("minio by a public name", format!("https://{api}:9000/"), vec![]),
        // A public name for TLS, an internal one in the request.
        (
            "an internal Host behind a public SNI",
            format!("https://{api}/"),
            vec!["-H".to_owned(), format!("Host: {internal}")],
        ),
        (
            "an unknown name",
            "https://nowhere.example/".to_owned(),
            vec!["--insecure".to_owned()],
        ),
        (
            "the address",
            format!("https://{front}/"),
            vec!["--insecure".to_owned()],
        ),
    ] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let reply = ask(&testbed, true, &url, &front, &words);
        assert!(reply.is_shut_out(), "{what} answers outside: {reply:?}");
    }
    for port in [5432, 61616] {
        assert!(
            !is_answered_outside(&testbed, &front, port),
            "port {port} answers outside"
        );
    }
    // A client outside cannot talk its way in.
    let claim = ["-H", "X-Forwarded-For: 10.61.0.1", "-H", "X-Real-IP: 10.61.0.1"];
    assert!(ask(&testbed, true, &format!("https://{internal}/"), &front, &claim).is_shut_out());
}

#[test]
#[ignore = "needs the testbed"]
fn public_and_internal_names_can_have_addresses_of_their_own() {
    let testbed = Testbed::get();
    let public = format!("nginx_public_listen_ip={NGINX_OUTSIDE}");
    deploy(&testbed, "deploy-nginx", &["-e", &public]);
    let cluster = StandIns::start(&testbed, &["vm4", "vm5", "vm6"], MAIN_CLUSTER);
    let (api, internal) = (
        format!("https://api.{DOMAIN}/"),
        format!("https://api-internal.{DOMAIN}/"),
    );
    served_by(&ask(&testbed, true, &api, NGINX_OUTSIDE, &[]), 30080);
    served_by(&ask(&testbed, false, &internal, &address(NGINX), &[]), 31080);
    assert!(ask(&testbed, true, &internal, NGINX_OUTSIDE, &[]).is_shut_out());
    assert!(ask(&testbed, true, &internal, &address(NGINX), &[]).is_shut_out());
    drop(cluster);
    deploy(&testbed, "deploy-nginx", &[]);
}

#[test]
#[ignore = "needs the testbed"]
fn the_observation_front_redirects_and_serves() {
    let testbed = Testbed::get();
    deploy(&testbed, "deploy-rancher-obs-nginx", &[]);
    let _cluster = StandIns::start(&testbed, &[OBS], OBS_CLUSTER);
    let front = address(NGINX_OBS);
    for name in ["rancher", "keycloak"] {
        let host = format!("{name}.{DOMAIN}");
        let reply = ask(&testbed, false, &format!("http://{host}/dashboard?a=1"), &front, &[]);
        assert_eq!(reply.status, 301, "{reply:?}");
        assert_eq!(reply.header("location"), format!("https://{host}/dashboard?a=1"));
        let reply = ask(&testbed, false, reply.header("location"), &front, CLIENT_SAYS);
        let seen = served_by(&reply, 30080);
        assert_eq!(seen["path"], "/dashboard?a=1");
        assert_eq!(seen["peer"], front);
        let headers = &seen["headers"];
        assert_eq!(seen["protocol"], "HTTP/1.1");
        assert_eq!(headers["host"], host);
        assert_eq!(headers["x-real-ip"], HERE);
        assert_eq!(headers["x-forwarded-for"], format!("203.0.113.9, {HERE}"));
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["upgrade"], "websocket");
        assert!(
            headers["connection"]
                .as_str()
                .is_some_and(|value| value.eq_ignore_ascii_case("upgrade")),
            "{seen:#}"
        );
    }
}
