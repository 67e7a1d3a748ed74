//! Going there: TCP, TLS, one request.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As much of an answer as its head may have.
const HEAD: usize = 16 << 10;

/// A request to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The public name: of the certificate, and of the request.
    pub name: String,
    /// Where it is served, an address or a name; `None`: wherever the system's resolver says that [`Probe::name`] is.
    pub host: Option<String>,
    /// The port.
    pub port: u16,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The name has no address; what the resolver says.
    NoAddress(String),
    /// Nothing listens there.
    Refused,
    /// No connection within the time.
    NoConnection,
    /// No way there; what the system says.
    NoWay(String),
    /// A connection, and no handshake within the time.
    NoHandshake,
    /// The server ended the handshake; the alert that it sent, or what else went wrong.
    Alert(String),
    /// What answers does not speak TLS.
    NoTls,
    /// Closed during the handshake.
    ClosedEarly,
    /// The handshake was made; then no answer.
    Closed(Vec<CertificateDer<'static>>, Closed),
    /// An answer.
    Answer {
        /// What the server showed, its own certificate first.
        certificates: Vec<CertificateDer<'static>>,
        /// The status of the answer.
        status: u16,
        /// Where it leads to, if it does.
        location: Option<String>,
    },
}

/// How a connection went on after the handshake without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The server closed it.
    AtOnce,
    /// The server said nothing within the time.
    Silent,
    /// What it said is no HTTP.
    NoHttp,
}

/// A port that takes plain TCP connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// What is behind it: `postgres`.
    pub name: String,
    /// Where it is.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What came of connecting to a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamSeen {
    /// It takes connections, and leaves them open.
    Open,
    /// It takes connections, and closes them at once.
    ClosedAtOnce,
    /// Nothing listens there.
    Refused,
    /// No connection within the time, or no way there; what the system says.
    Unreachable(String),
}

/// Makes all requests at once, each within `patience` for each of its steps. Blocks.
pub fn look(probes: &[Probe], patience: Duration) -> Vec<Seen> {
    side_by_side(probes, |probe| of_probe(probe, patience))
}

/// Connects to all ports at once. Blocks.
pub fn look_at_streams(streams: &[Stream], patience: Duration) -> Vec<StreamSeen> {
    side_by_side(streams, |stream| of_stream(stream, patience))
}

fn side_by_side<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = all.iter().map(|one| scope.spawn(move || work(one))).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect()
    })
}

/// Tries all addresses in turn; the error of the last.
fn connect(host: &str, port: u16, patience: Duration) -> Result<TcpStream, Seen> {
    let addresses: Vec<SocketAddr> = match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => return Err(Seen::NoAddress(error.to_string())),
    };
    let mut last = Seen::NoAddress("it has no address".into());
    for address in addresses {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                last = match error.kind() {
                    ErrorKind::ConnectionRefused => Seen::Refused,
                    ErrorKind::TimedOut | ErrorKind::WouldBlock => Seen::NoConnection,
                    _ => Seen::NoWay(error.to_string()),
                }
            }
        }
    }
    Err(last)
}

fn of_probe(probe: &Probe, patience: Duration) -> Seen {
    let host = probe.host.as_deref().unwrap_or(&probe.name);
    match connect(host, probe.port, patience) {
        Ok(stream) => over_tls(&probe.name, stream, patience),
        Err(seen) => seen,
    }
}

fn out_of_time(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn over_tls(name: &str, mut stream: TcpStream, patience: Duration) -> Seen {
    let prepared = stream
        .set_read_timeout(Some(patience))
        .and_then(|()| stream.set_write_timeout(Some(patience)));
    let Ok(server) = ServerName::try_from(name.to_owned()) else {
        return Seen::NoAddress(format!("{name} is no DNS name"));
    };
    let connection = config().and_then(|config| ClientConnection::new(config, server));
    let mut connection = match (prepared, connection) {
        (Ok(()), Ok(connection)) => connection,
        (Err(error), _) => return Seen::NoWay(error.to_string()),
        (_, Err(error)) => return Seen::Alert(error.to_string()),
    };
    let deadline = Instant::now() + patience;
    while connection.is_handshaking() {
        match connection.complete_io(&mut stream) {
            Ok(_) if Instant::now() > deadline => return Seen::NoHandshake,
            Ok(_) => {}
            Err(error) => return handshake_failed(&error),
        }
    }
    let shown = connection.peer_certificates().unwrap_or_default();
    let certificates: Vec<CertificateDer<'static>> = shown.iter().map(|one| one.clone().into_owned()).collect();
    let request =
        format!("GET / HTTP/1.1\r\nHost: {name}\r\nUser-Agent: mosip-prov\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    let mut tls = rustls::Stream::new(&mut connection, &mut stream);
    if tls.write_all(request.as_bytes()).and_then(|()| tls.flush()).is_err() {
        return Seen::Closed(certificates, Closed::AtOnce);
    }
    let mut head = Vec::new();
    let mut part = [0; 2048];
    let deadline = Instant::now() + patience;
    loop {
        match tls.read(&mut part) {
            Ok(0) => break,
            Ok(count) => head.extend_from_slice(&part[..count]),
            Err(error) if out_of_time(&error) => {
                return Seen::Closed(certificates, Closed::Silent);
            }
            Err(_) => break,
        }
        if head.windows(4).any(|end| end == b"\r\n\r\n") || head.len() > HEAD {
            break;
        }
        if Instant::now() > deadline {
            return Seen::Closed(certificates, Closed::Silent);
        }
    }
    if head.is_empty() {
        return Seen::Closed(certificates, Closed::AtOnce);
    }
    match answer(&head) {
        Some((status, location)) => Seen::Answer {
            certificates,
            status,
            location,
        },
        None => Seen::Closed(certificates, Closed::NoHttp),
    }
}

/// Status and `Location` of an answer's head.
fn answer(head: &[u8]) -> Option<(u16, Option<String>)> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    words.next()?.strip_prefix("HTTP/1.")?;
    let status = words.next()?.parse().ok()?;
    let headers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'));
    let location = headers
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("location"))
        .map(|(_, value)| value.trim().to_owned());
    Some((status, location))
}

fn handshake_failed(error: &io::Error) -> Seen {
    if out_of_time(error) {
        return Seen::NoHandshake;
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => Seen::Alert(format!("{alert:?}")),
        Some(rustls::Error::InvalidMessage(_)) => Seen::NoTls,
        Some(other) => Seen::Alert(other.to_string()),
        None => Seen::ClosedEarly,
    }
}

fn of_stream(stream: &Stream, patience: Duration) -> StreamSeen {
    let mut connection = match connect(&stream.host, stream.port, patience) {
        Ok(connection) => connection,
        Err(Seen::Refused) => return StreamSeen::Refused,
        Err(Seen::NoAddress(why) | Seen::NoWay(why)) => return StreamSeen::Unreachable(why),
        Err(_) => {
            return StreamSeen::Unreachable(format!("no connection within {} s", patience.as_secs()));
        }
    };
    // A front that finds nobody behind it, or lets us in not at all, hangs up at once. All else waits for us to begin.
    let listening = connection.set_read_timeout(Some(patience.min(Duration::from_millis(700))));
    let mut byte = [0];
    match listening.and_then(|()| connection.read(&mut byte)) {
        Ok(0) => StreamSeen::ClosedAtOnce,
        Ok(_) => StreamSeen::Open,
        Err(error) if out_of_time(&error) => StreamSeen::Open,
        Err(_) => StreamSeen::ClosedAtOnce,
    }
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn config() -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = provider();
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TakeAll(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Takes every certificate, since it is judged after the handshake; nothing is sent that is worth hiding. That the server
/// has the certificate's key is checked all the same.
#[derive(Debug)]
struct TakeAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TakeAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_answers_are_read() {
        let head = b"HTTP/1.1 302 Found\r\nServer: nginx\r\nLOCATION: /dashboard/\r\n\r\nbody";
        assert_eq!(answer(head), Some((302, Some("/dashboard/".into()))));
        assert_eq!(answer(b"HTTP/1.0 404 Not Found\r\n\r\nlocation: x"), Some((404, None)));
        assert_eq!(answer(b"SSH-2.0-OpenSSH_9.2\r\n"), None);
        assert_eq!(answer(b"HTTP/1.1 abc\r\n\r\n"), None);
    }
}
