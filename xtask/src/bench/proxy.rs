//! A TCP proxy between a contestant and the hosts: delays every byte, cuts connections, and counts what passes.
//!
//! Everything is counted on the client's side. A round trip is counted whenever something comes to the client after it has
//! sent something: what is sent in a row, and what comes in a row, is one. What the client sends last, to which nothing
//! comes, is none; what the host would have sent anyway is one all the same, so that the figure is rather too high.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::sh::{Context, Result};

/// Of how many connections one is cut.
pub const ONE_IN: u64 = 50;
/// The first that is, so that every contestant meets one.
const FIRST_CUT: u64 = 2;
/// Every second of those that are cut is cut when so much has come from the host: after keys are agreed on, at work.
const CUT_AFTER: u64 = 8 << 10;

/// What passed through.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Wire {
    /// Connections that the contestant made.
    pub connections: u64,
    /// Of them those that the proxy cut.
    pub cut: u64,
    /// Bytes to the hosts.
    pub up: u64,
    /// Bytes from the hosts.
    pub down: u64,
    /// Round trips of the connection that had most.
    pub most_round_trips: u64,
    /// Round trips of all connections.
    pub round_trips: u64,
}

/// One connection, as seen from the client.
#[derive(Default)]
struct Connection {
    up: AtomicU64,
    down: AtomicU64,
    round_trips: AtomicU64,
    /// The client has sent something since anything came to it.
    asked: AtomicBool,
    cut: AtomicBool,
}

impl Connection {
    fn sent(&self, count: u64) {
        self.up.fetch_add(count, Ordering::SeqCst);
        self.asked.store(true, Ordering::SeqCst);
    }

    fn came(&self, count: u64) {
        self.down.fetch_add(count, Ordering::SeqCst);
        if self.asked.swap(false, Ordering::SeqCst) {
            self.round_trips.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Listens until this goes.
pub struct Proxy {
    addresses: Vec<String>,
    ended: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<Arc<Connection>>>>,
    one_way: Duration,
}

impl Proxy {
    /// Listens at the first of each pair of `address:port` and forwards to the second, each direction half a round trip
    /// later; with `loss` one connection in [`ONE_IN`] is cut.
    pub fn start(routes: &[(String, String)], round_trip: Duration, loss: bool) -> Result<Self> {
        let made = Self {
            addresses: routes.iter().map(|(listen, _)| listen.clone()).collect(),
            ended: Arc::default(),
            connections: Arc::default(),
            one_way: round_trip / 2,
        };
        let number = Arc::new(AtomicU64::new(0));
        for (listen, target) in routes {
            let listener = TcpListener::bind(listen).doing(format!("cannot listen on {listen}"))?;
            let (ended, all, number) = (made.ended.clone(), made.connections.clone(), number.clone());
            let (target, one_way) = (target.clone(), made.one_way);
            thread::spawn(move || {
                for client in listener.incoming() {
                    if ended.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(client) = client else { continue };
                    let one = Arc::new(Connection::default());
                    if let Ok(mut all) = all.lock() {
                        all.push(one.clone());
                    }
                    let at = number.fetch_add(1, Ordering::SeqCst);
                    let cut = loss && at % ONE_IN == FIRST_CUT;
                    one.cut.store(cut, Ordering::SeqCst);
                    if cut && (at / ONE_IN).is_multiple_of(2) {
                        continue;
                    }
                    // A refused connection shows to the client as one that is closed at once.
                    let Ok(server) = TcpStream::connect(&target) else {
                        continue;
                    };
                    join(client, server, one_way, &one);
                }
            });
        }
        Ok(made)
    }

    /// What has passed since the last call.
    pub fn take(&self) -> Wire {
        // What is still under way when a contestant has ended was its own.
        thread::sleep(self.one_way * 2 + Duration::from_millis(50));
        let connections = self.connections.lock().map(|mut all| std::mem::take(&mut *all));
        let mut wire = Wire::default();
        for one in connections.unwrap_or_default() {
            let round_trips = one.round_trips.load(Ordering::SeqCst);
            wire.connections += 1;
            wire.cut += u64::from(one.cut.load(Ordering::SeqCst));
            wire.up += one.up.load(Ordering::SeqCst);
            wire.down += one.down.load(Ordering::SeqCst);
            wire.round_trips += round_trips;
            wire.most_round_trips = wire.most_round_trips.max(round_trips);
        }
        wire
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        for address in &self.addresses {
            // Wakes the listener up, to see that it is over.
            let _ = TcpStream::connect(address);
        }
    }
}

fn join(client: TcpStream, server: TcpStream, one_way: Duration, one: &Arc<Connection>) {
    for stream in [&client, &server] {
        // Without it the kernel would add delays of its own.
        let _ = stream.set_nodelay(true);
    }
    let (Ok(back_from), Ok(back_to)) = (server.try_clone(), client.try_clone()) else {
        return;
    };
    let up = one.clone();
    pump(client, server, one_way, move |count| up.sent(count), |_| true);
    let down = one.clone();
    pump(
        back_from,
        back_to,
        one_way,
        |_| (),
        move |count| {
            down.came(count);
            !(down.cut.load(Ordering::SeqCst) && down.down.load(Ordering::SeqCst) >= CUT_AFTER)
        },
    );
}

/// Passes on bytes, telling of them when they are read and when they are about to be written; where the latter says false
/// both directions end.
fn pump(
    mut from: TcpStream,
    to: TcpStream,
    one_way: Duration,
    read: impl Fn(u64) + Send + 'static,
    write: impl Fn(u64) -> bool + Send + 'static,
) {
    let (sender, receiver): (Sender<(Instant, Vec<u8>)>, Receiver<_>) = channel();
    thread::spawn(move || deliver(&receiver, to, write));
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            read(count as u64);
            if sender
                .send((Instant::now() + one_way, buffer[..count].to_vec()))
                .is_err()
            {
                break;
            }
        }
    });
}

fn deliver(receiver: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream, write: impl Fn(u64) -> bool) {
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if !write(bytes.len() as u64) {
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers every four bytes by four.
    fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a client");
                thread::spawn(move || {
                    let mut four = [0; 4];
                    while stream.read_exact(&mut four).is_ok() {
                        stream.write_all(&four).expect("answered");
                    }
                });
            }
        });
        address
    }

    fn free_address() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("its address").to_string()
    }

    #[test]
    fn round_trips_and_bytes_are_counted_and_take_their_time() {
        let listen = free_address();
        let round_trip = Duration::from_millis(20);
        let proxy = Proxy::start(&[(listen.clone(), server())], round_trip, false).expect("a proxy");
        let mut stream = TcpStream::connect(&listen).expect("a connection");
        let began = Instant::now();
        for _ in 0..3 {
            // Two answers in a row, and one round trip.
            stream.write_all(b"12345678").expect("sent");
            stream.read_exact(&mut [0; 8]).expect("answered");
        }
        assert!(began.elapsed() >= round_trip * 3);
        let wire = proxy.take();
        let expected = Wire {
            connections: 1,
            cut: 0,
            up: 24,
            down: 24,
            most_round_trips: 3,
            round_trips: 3,
        };
        // The two halves of an answer may come apart, but the client sends only when it has both.
        assert_eq!(wire, expected);
        assert_eq!(proxy.take(), Wire::default());
    }

    #[test]
    fn one_in_fifty_is_cut_at_once_or_at_work() {
        let listen = free_address();
        let proxy = Proxy::start(&[(listen.clone(), server())], Duration::ZERO, true).expect("a proxy");
        let mut broken = Vec::new();
        for at in 0..60 {
            let mut stream = TcpStream::connect(&listen).expect("a connection");
            let mut answers = 0;
            let all = (0..4096).all(|_| {
                let fine = stream.write_all(b"1234").is_ok() && stream.read_exact(&mut [0; 4]).is_ok();
                answers += usize::from(fine);
                fine
            });
            if !all {
                broken.push((at, answers > 0));
            }
        }
        assert_eq!(broken, [(2, false), (52, true)]);
        let wire = proxy.take();
        assert_eq!((wire.connections, wire.cut), (60, 2));
    }
}
