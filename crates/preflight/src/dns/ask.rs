//! Asking nameservers: over UDP, and over TCP where an answer is too long for that.

use super::message::{self, NO_SUCH_NAME, NotAName, REFUSED, Reply, SERVER_FAILURE, Type, Unreadable};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

/// The port of nameservers.
const PORT: u16 = 53;
/// Where the system names its nameservers.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How long a server may think before it is asked again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a silent server is asked.
const TRIES: u32 = 2;

/// The servers to ask: the second when the first has no answer, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nameservers(Vec<SocketAddr>);

/// The system names no nameserver.
#[derive(Debug, thiserror::Error)]
pub enum NoNameserver {
    /// The file cannot be read.
    #[error("{RESOLV_CONF} cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// There is none in it.
    #[error("{RESOLV_CONF} names no nameserver")]
    None,
}

impl Nameservers {
    /// These; `None` for an empty list.
    pub fn new(servers: Vec<SocketAddr>) -> Option<Self> {
        (!servers.is_empty()).then_some(Self(servers))
    }

    /// Those of `/etc/resolv.conf`.
    ///
    /// # Errors
    /// It cannot be read, or names none.
    pub fn of_system() -> Result<Self, NoNameserver> {
        let text = std::fs::read_to_string(Path::new(RESOLV_CONF)).map_err(NoNameserver::Unreadable)?;
        Self::new(in_resolv_conf(&text)).ok_or(NoNameserver::None)
    }

    /// Each, in the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().copied()
    }
}

/// The `nameserver` lines of a resolv.conf(5); the C library uses the first three.
fn in_resolv_conf(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next()? == "nameserver").then_some(())?;
            parse_nameserver(words.next()?).ok()
        })
        .take(3)
        .collect()
}

/// Reads `IP`, `IP:PORT` or `[IP]:PORT`.
///
/// # Errors
/// What is wanted instead.
pub fn parse_nameserver(text: &str) -> Result<SocketAddr, String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, PORT));
    }
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        _ => Err(
            "a nameserver is written as 192.0.2.53 or 192.0.2.53:5353, an IPv6 one with a port as [2001:db8::53]:5353"
                .to_owned(),
        ),
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AskError {
    /// Nothing came back.
    #[error("{server} does not answer ({TRIES} times asked, 2 seconds each)")]
    Silent {
        /// The server.
        server: SocketAddr,
    },
    /// It cannot be reached: nothing listens there, or there is no way to it.
    #[error("{server} cannot be reached: {reason}")]
    Unreachable {
        /// The server.
        server: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// It does not answer us, or not about this zone.
    #[error("{server} refuses to answer (REFUSED)")]
    Refused {
        /// The server.
        server: SocketAddr,
    },
    /// It tried and failed.
    #[error("{server} could not find out (SERVFAIL)")]
    ServerFailure {
        /// The server.
        server: SocketAddr,
    },
    /// Another code that is no answer.
    #[error("{server} answers with error {code}")]
    Code {
        /// The server.
        server: SocketAddr,
        /// The code, as IANA numbers them.
        code: u8,
    },
    /// It names other servers instead of asking them.
    #[error("{server} only names other servers: it neither speaks for the zone nor asks others")]
    Referral {
        /// The server.
        server: SocketAddr,
    },
    /// What it sends cannot be read.
    #[error("{server} sends what is no answer of the DNS")]
    Damaged {
        /// The server.
        server: SocketAddr,
    },
    /// There can be no such name.
    #[error("{0}")]
    Name(String),
}

impl From<NotAName> for AskError {
    fn from(error: NotAName) -> Self {
        Self::Name(error.to_string())
    }
}

/// Asks nameservers.
#[derive(Debug, Clone)]
pub struct Client {
    servers: Nameservers,
    patience: Duration,
}

impl Client {
    /// One that asks `servers`.
    pub fn new(servers: Nameservers) -> Self {
        Self {
            servers,
            patience: PATIENCE,
        }
    }

    /// The servers it asks.
    pub fn servers(&self) -> &Nameservers {
        &self.servers
    }

    /// Asks for the records of `kind` of `name`. An answer is also that there are none, or no such name
    /// ([`NO_SUCH_NAME`]). Takes at most 4 seconds for each server.
    ///
    /// # Errors
    /// No server answered; what the first one did.
    pub async fn ask(&self, name: &str, kind: Type) -> Result<Reply, AskError> {
        let mut first = None;
        for server in self.servers.iter() {
            match self.ask_one(server, name, kind).await {
                Ok(reply) => return Ok(reply),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| AskError::Name(name.to_owned())))
    }

    async fn ask_one(&self, server: SocketAddr, name: &str, kind: Type) -> Result<Reply, AskError> {
        let mut outcome = Err(AskError::Silent { server });
        for _ in 0..TRIES {
            outcome = self.exchange(server, name, kind).await;
            if !matches!(outcome, Err(AskError::Silent { .. })) {
                break;
            }
        }
        let reply = outcome?;
        match reply.code {
            0 if is_referral(&reply) => Err(AskError::Referral { server }),
            0 | NO_SUCH_NAME => Ok(reply),
            SERVER_FAILURE => Err(AskError::ServerFailure { server }),
            REFUSED => Err(AskError::Refused { server }),
            code => Err(AskError::Code { server, code }),
        }
    }

    async fn exchange(&self, server: SocketAddr, name: &str, kind: Type) -> Result<Reply, AskError> {
        // The port and this number are what an answer from elsewhere would have to guess.
        let id = RandomState::new().hash_one(name) as u16;
        let question = message::question(id, name, kind)?;
        let unreachable = |error: io::Error| AskError::Unreachable {
            server,
            reason: error.to_string(),
        };
        let silent = |_| AskError::Silent { server };
        let udp = async {
            let any: IpAddr = match server {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let socket = UdpSocket::bind((any, 0)).await?;
            socket.connect(server).await?;
            socket.send(&question).await?;
            let mut bytes = [0_u8; 4096];
            loop {
                let length = socket.recv(&mut bytes).await?;
                match message::reply(&bytes[..length], id, name, kind) {
                    Err(Unreadable::NotOurs) => {}
                    read => return Ok(read),
                }
            }
        };
        let read = tokio::time::timeout(self.patience, udp)
            .await
            .map_err(silent)?
            .map_err(unreachable)?;
        let damaged = |_| AskError::Damaged { server };
        let reply = read.map_err(damaged)?;
        if !reply.truncated {
            return Ok(reply);
        }
        let tcp = async {
            let mut stream = TcpStream::connect(server).await?;
            let length = u16::try_from(question.len()).unwrap_or(u16::MAX);
            stream
                .write_all(&[&length.to_be_bytes()[..], &question].concat())
                .await?;
            let length = stream.read_u16().await?;
            let mut bytes = vec![0_u8; usize::from(length)];
            stream.read_exact(&mut bytes).await?;
            Ok(message::reply(&bytes, id, name, kind))
        };
        tokio::time::timeout(self.patience, tcp)
            .await
            .map_err(silent)?
            .map_err(unreachable)?
            .map_err(damaged)
    }
}

/// No answer, and no word that there is none (which comes with the zone's SOA), but names of other servers.
fn is_referral(reply: &Reply) -> bool {
    let names_servers = reply
        .authorities
        .iter()
        .any(|rr| matches!(rr.data, message::Data::Ns(_)));
    reply.answers.is_empty() && !reply.authoritative && !reply.recursion && names_servers
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::bytes;
    use super::*;

    #[test]
    fn nameservers_as_they_are_written() {
        for (text, wanted) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ] {
            assert_eq!(
                parse_nameserver(text).map(|a| a.to_string()),
                Ok(wanted.to_owned()),
                "{text}"
            );
        }
        for text in ["", "ns.example.org", "192.0.2.", "192.0.2.53:0", "192.0.2.53:70000"] {
            assert!(parse_nameserver(text).is_err(), "{text}");
        }
        let text = "# made by hand\nsearch example.org\n nameserver 192.0.2.1\nnameserver\t::1 \nnameserver x\noptions edns0\n\
                    nameserver 192.0.2.3\nnameserver 192.0.2.4\n";
        let found: Vec<String> = in_resolv_conf(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[::1]:53", "192.0.2.3:53"]);
        assert_eq!(in_resolv_conf("search x\n"), []);
    }

    fn client(servers: &[SocketAddr]) -> Client {
        Client {
            servers: Nameservers::new(servers.to_vec()).expect("some"),
            patience: Duration::from_millis(200),
        }
    }

    async fn socket() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("its address");
        (socket, address)
    }

    /// Answers one question with what `make` makes of its number.
    fn answer_once(socket: UdpSocket, make: impl Fn(u16) -> Vec<Vec<u8>> + Send + 'static) {
        tokio::spawn(async move {
            let mut bytes = [0_u8; 512];
            let (_, from) = socket.recv_from(&mut bytes).await.expect("a question");
            for reply in make(u16::from_be_bytes([bytes[0], bytes[1]])) {
                socket.send_to(&reply, from).await.expect("sent");
            }
        });
    }

    #[tokio::test]
    async fn an_answer_is_waited_for_through_those_that_are_not_ours() {
        let (socket, server) = socket().await;
        answer_once(socket, |id| {
            let reply = |id: u16, last| {
                bytes(
                    id,
                    0x8180,
                    "api.test",
                    Type::A,
                    &[("api.test", 1, 60, vec![192, 0, 2, last])],
                )
            };
            vec![reply(id.wrapping_add(1), 66), b"noise".to_vec(), reply(id, 1)]
        });
        let reply = client(&[server]).ask("api.test", Type::A).await.expect("an answer");
        assert_eq!(reply.answers[0].data, message::Data::A(Ipv4Addr::new(192, 0, 2, 1)));
    }

    #[tokio::test]
    async fn what_servers_do_instead_of_answering() {
        let (silent, server) = socket().await;
        let error = client(&[server]).ask("api.test", Type::A).await.expect_err("silence");
        assert_eq!(error, AskError::Silent { server });
        drop(silent);
        let error = client(&[server]).ask("api.test", Type::A).await.expect_err("nobody");
        assert!(matches!(error, AskError::Unreachable { .. }), "{error}");
        for (flags, wanted) in [(0x8182, "SERVFAIL"), (0x8185, "REFUSED"), (0x8184, "error 4")] {
            let (socket, server) = socket().await;
            answer_once(socket, move |id| vec![bytes(id, flags, "api.test", Type::A, &[])]);
            let error = client(&[server]).ask("api.test", Type::A).await.expect_err("no answer");
            assert!(error.to_string().contains(wanted), "{error}");
        }
        let (socket, server) = socket().await;
        answer_once(socket, |id| {
            vec![bytes(id, 0x8180, "api.test", Type::A, &[("api.test", 1, 60, vec![1])])]
        });
        let error = client(&[server]).ask("api.test", Type::A).await.expect_err("damaged");
        assert_eq!(error, AskError::Damaged { server });
    }

    #[tokio::test]
    async fn the_second_server_is_asked_when_the_first_has_no_answer() {
        let (_silent, first) = socket().await;
        let (socket, second) = socket().await;
        answer_once(socket, |id| vec![bytes(id, 0x8183, "api.test", Type::A, &[])]);
        let reply = client(&[first, second])
            .ask("api.test", Type::A)
            .await
            .expect("an answer");
        assert_eq!(reply.code, NO_SUCH_NAME);
    }

    #[tokio::test]
    async fn what_is_too_long_comes_over_tcp() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = listener.local_addr().expect("its address");
        let socket = UdpSocket::bind(server).await.expect("the same port");
        answer_once(socket, |id| vec![bytes(id, 0x8380, "api.test", Type::A, &[])]);
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let length = stream.read_u16().await.expect("a length");
            let mut question = vec![0_u8; usize::from(length)];
            stream.read_exact(&mut question).await.expect("a question");
            let id = u16::from_be_bytes([question[0], question[1]]);
            let reply = bytes(
                id,
                0x8180,
                "api.test",
                Type::A,
                &[("api.test", 1, 60, vec![192, 0, 2, 9])],
            );
            let length = u16::try_from(reply.len()).expect("short");
            stream.write_all(&length.to_be_bytes()).await.expect("sent");
            stream.write_all(&reply).await.expect("sent");
        });
        let reply = client(&[server]).ask("api.test", Type::A).await.expect("an answer");
        assert_eq!(reply.answers.len(), 1);
    }
}
