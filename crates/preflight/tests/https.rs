//! Real servers on the loopback: what a client sees of them, and what that means.

use mosip_prov_events::{Finding, Level};
use mosip_prov_preflight::certificates::Trusted;
use mosip_prov_preflight::https::{
    Awaited, Probe, Roots, Seen, Stream, StreamSeen, is_final, judge, judge_stream, look, look_at_streams,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NAME: &str = "rancher.mosip.test";
const PATIENCE: Duration = Duration::from_secs(2);

/// What a server's certificate is like.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Good,
    Expired,
    OtherName,
    SelfSigned,
    LeafOfKnown,
    /// The server's own certificate is in time; the one of who issued it is not.
    ExpiredIntermediate,
    /// The same, with one that holds from 2080 on.
    EarlyIntermediate,
}

/// A server's certificates and key, and the authority that signed them, in PEM.
struct Made {
    chain: String,
    key: String,
    authority: String,
}

fn make(kind: Kind) -> Made {
    let params = |name: &str, organization: &str, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationName, organization);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2090, 1, 1);
        params
    };
    let organization = match kind {
        Kind::LeafOfKnown => "Let's Encrypt",
        _ => "A test",
    };
    let mut authority = params("Authority of a test", organization, &[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let mut leaf = params(NAME, "A test", &["*.mosip.test"]);
    match kind {
        Kind::Expired => leaf.not_after = date_time_ymd(2021, 1, 1),
        Kind::OtherName => leaf = params(NAME, "A test", &["rancher.other.test"]),
        _ => {}
    }
    let between = || {
        let mut between = params("Issuer between", organization, &[]);
        between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        match kind {
            Kind::EarlyIntermediate => between.not_before = date_time_ymd(2080, 1, 1),
            _ => between.not_after = date_time_ymd(2022, 3, 4),
        }
        CertifiedIssuer::signed_by(between, KeyPair::generate().expect("a key"), &authority).expect("an issuer")
    };
    let chain = match kind {
        Kind::ExpiredIntermediate | Kind::EarlyIntermediate => {
            let between = between();
            leaf.signed_by(&key, &between).expect("signed").pem() + &between.pem()
        }
        Kind::SelfSigned => leaf.self_signed(&key).expect("signed").pem(),
        Kind::LeafOfKnown => leaf.signed_by(&key, &authority).expect("signed").pem(),
        _ => leaf.signed_by(&key, &authority).expect("signed").pem() + &authority.pem(),
    };
    Made {
        chain,
        key: key.serialize_pem(),
        authority: authority.pem(),
    }
}

/// Serves one connection with `work` and returns the port.
fn serve(work: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            work(stream);
        }
    });
    port
}

/// A port where nothing listens.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Serves one request with that answer. None closes after the request, as nginx's 444 does. A request for another name
/// than [`NAME`] is answered with 421.
fn serve_https(made: &Made, answer: &'static str) -> u16 {
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(made.chain.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(made.key.as_bytes()).expect("PEM");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain.expect("PEM"), key)
        .expect("a pair");
    serve(move |stream| {
        let connection = ServerConnection::new(Arc::new(config)).expect("a connection");
        let mut tls = StreamOwned::new(connection, stream);
        let mut request = [0; 1024];
        let count = tls.read(&mut request).unwrap_or(0);
        let request = String::from_utf8_lossy(&request[..count]);
        let named = request.contains(&format!("Host: {NAME}\r\n")) && tls.conn.server_name() == Some(NAME);
        let answer = if named {
            answer
        } else {
            "HTTP/1.1 421 Misdirected Request\r\n\r\n"
        };
        let _ = tls.write_all(answer.as_bytes());
        tls.conn.send_close_notify();
        let _ = tls.flush();
    })
}

fn found(port: u16, awaited: Awaited, roots: &Roots) -> Vec<Finding> {
    let probe = Probe {
        name: NAME.into(),
        host: Some("127.0.0.1".into()),
        port,
    };
    let seen = look(std::slice::from_ref(&probe), PATIENCE);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    judge(&probe, &seen[0], awaited, roots, now)
}

fn checks(found: &[Finding]) -> Vec<(&str, Level)> {
    found.iter().map(|one| (one.check.as_str(), one.level)).collect()
}

fn trusting(made: &Made) -> Roots {
    Roots::public()
        .and_pem(made.authority.as_bytes())
        .expect("an authority")
}

#[test]
fn what_answers_mean_at_each_stage() {
    use Awaited::{Anything, Nothing, Redirect};
    use Level::{Failure, Ok, Warning};
    let made = make(Kind::Good);
    let roots = trusting(&made);
    for (answer, awaited, check, level) in [
        ("HTTP/1.1 404 Not Found\r\n\r\n", Nothing, "answer", Ok),
        ("HTTP/1.1 404 Not Found\r\n\r\n", Redirect, "not_deployed", Failure),
        ("HTTP/1.1 404 Not Found\r\n\r\n", Anything, "answer", Ok),
        (
            "HTTP/1.1 302 Found\r\nLocation: /dashboard/\r\n\r\n",
            Redirect,
            "answer",
            Ok,
        ),
        (
            "HTTP/1.1 308 Permanent\r\nLocation: /dashboard/\r\n\r\n",
            Nothing,
            "helm_already",
            Warning,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nhello", Redirect, "no_redirect", Warning),
        ("HTTP/1.1 200 OK\r\n\r\nhello", Nothing, "unexpected_status", Warning),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", Nothing, "nothing_behind", Warning),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", Redirect, "bad_gateway", Failure),
        (
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
            Anything,
            "unavailable",
            Failure,
        ),
        (
            "HTTP/1.1 504 Gateway Time-out\r\n\r\n",
            Nothing,
            "gateway_timeout",
            Failure,
        ),
        ("HTTP/1.1 500 Internal\r\n\r\n", Redirect, "server_error", Failure),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", Redirect, "bad_request", Failure),
        ("", Nothing, "not_from_here", Warning),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", Nothing, "no_http", Failure),
    ] {
        let found = found(serve_https(&made, answer), awaited, &roots);
        let wanted = [("certificate", Ok), (check, level)];
        assert_eq!(checks(&found), wanted, "{answer:?} {awaited:?}: {found:#?}");
        assert_eq!(found[1].remedy.is_some(), level != Ok, "{found:#?}");
    }
}

#[test]
fn certificates_as_a_client_sees_them() {
    const ANSWER: &str = "HTTP/1.1 404 Not Found\r\n\r\n";
    use Level::{Failure, Ok, Warning};
    for (kind, own, check, level, part) in [
        (
            Kind::Good,
            true,
            "certificate",
            Ok,
            "\"Authority of a test\", valid until 2090-01-01",
        ),
        (
            Kind::Good,
            false,
            "certificate_private",
            Warning,
            "\"Authority of a test\"",
        ),
        (Kind::Expired, true, "certificate_expired", Failure, "2021-01-01"),
        (Kind::OtherName, true, "certificate_name", Failure, "rancher.other.test"),
        (
            Kind::SelfSigned,
            false,
            "certificate_self_signed",
            Warning,
            "self-signed",
        ),
        (
            Kind::SelfSigned,
            true,
            "certificate_self_signed",
            Failure,
            "self-signed",
        ),
        (
            Kind::ExpiredIntermediate,
            true,
            "certificate_issuer_expired",
            Failure,
            "\"Issuer between\" (2020-01-01 to 2022-03-04)",
        ),
        // It has expired, whoever is believed.
        (
            Kind::ExpiredIntermediate,
            false,
            "certificate_issuer_expired",
            Failure,
            "\"Issuer between\"",
        ),
        (
            Kind::EarlyIntermediate,
            true,
            "certificate_issuer_not_yet",
            Failure,
            "\"Issuer between\" (2080-01-01",
        ),
        (
            Kind::LeafOfKnown,
            false,
            "certificate_incomplete",
            Failure,
            "\"Authority of a test\"",
        ),
    ] {
        let made = make(kind);
        let roots = if own { trusting(&made) } else { Roots::public() };
        let found = found(serve_https(&made, ANSWER), Awaited::Nothing, &roots);
        assert_eq!(checks(&found), [(check, level), ("answer", Ok)], "{found:#?}");
        assert!(found[0].message.contains(part), "{found:#?}");
        // What is only early comes into its time by itself.
        let mends = kind == Kind::EarlyIntermediate;
        assert_eq!(is_final(&found[0]), level == Failure && !mends, "{found:#?}");
    }
    // An authority that is installed on this machine.
    let made = make(Kind::Good);
    let installed = Roots::public().and_trusted(&Trusted::in_pem(made.authority.as_bytes()));
    let seen = found(serve_https(&made, ANSWER), Awaited::Nothing, &installed);
    assert_eq!(checks(&seen), [("certificate", Ok), ("answer", Ok)], "{seen:#?}");
    // What it does not vouch for remains a matter of choice.
    let seen = found(
        serve_https(&make(Kind::SelfSigned), ANSWER),
        Awaited::Nothing,
        &installed,
    );
    assert_eq!(checks(&seen)[0], ("certificate_self_signed", Warning), "{seen:#?}");
    // An authority that is not the one of --ca-file.
    let other = trusting(&make(Kind::Good));
    let found = found(serve_https(&make(Kind::Good), ANSWER), Awaited::Nothing, &other);
    assert_eq!(checks(&found)[0].1, Failure, "{found:#?}");
    assert!(
        Roots::public()
            .and_pem(b"nothing")
            .is_err_and(|why| why.contains("no certificate"))
    );
}

#[test]
fn servers_that_do_not_speak_tls_or_nothing_at_all() {
    let only = |port: u16| {
        let found = found(port, Awaited::Nothing, &Roots::public());
        assert_eq!((found.len(), found[0].level), (1, Level::Failure), "{found:#?}");
        assert_eq!(is_final(&found[0]), found[0].check == "no_tls", "{found:#?}");
        found[0].check.clone()
    };
    assert_eq!(only(free_port()), "refused");
    let plain = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 1024]);
    });
    assert_eq!(only(plain), "no_tls");
    let hangs_up = serve(|mut stream| drop(stream.read(&mut [0; 2048])));
    assert_eq!(only(hangs_up), "tls_closed");
    let silent = serve(|stream| {
        std::thread::sleep(2 * PATIENCE);
        drop(stream);
    });
    assert_eq!(only(silent), "tls_timeout");
    let nowhere = Probe {
        name: "no-such-host.invalid".into(),
        host: None,
        port: 443,
    };
    let seen = look(std::slice::from_ref(&nowhere), PATIENCE);
    assert!(matches!(seen[0], Seen::NoAddress(_)), "{seen:?}");
}

#[test]
fn stream_ports() {
    let stream = |port: u16| Stream {
        name: "postgres".into(),
        host: "127.0.0.1".into(),
        port,
    };
    let open = serve(|stream| {
        std::thread::sleep(PATIENCE);
        drop(stream);
    });
    let streams = [stream(open), stream(serve(drop)), stream(free_port())];
    let seen = look_at_streams(&streams, PATIENCE);
    assert_eq!(seen, [StreamSeen::Open, StreamSeen::ClosedAtOnce, StreamSeen::Refused]);
    let checks = |deployed: bool| {
        let found = streams
            .iter()
            .zip(&seen)
            .map(|(one, seen)| judge_stream(one, seen, deployed));
        found
            .map(|one| format!("{} {:?}", one.check, one.level))
            .collect::<Vec<_>>()
    };
    assert_eq!(checks(false), ["stream Ok", "stream Ok", "stream_refused Failure"]);
    assert_eq!(
        checks(true),
        ["stream Ok", "stream_closed Warning", "stream_refused Failure"]
    );
}
