//! A TCP proxy that delays every byte: a long way to a host, on a machine whose kernel cannot make one.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Listens on a port of 127.0.0.1 until this goes; connections under way then live on until their ends close them.
pub struct DelayingProxy {
    port: u16,
    ended: Arc<AtomicBool>,
}

impl DelayingProxy {
    /// Forwards to `target` (`address:port`), each direction `one_way` later.
    ///
    /// # Panics
    /// No port can be listened on.
    pub fn start(target: &str, one_way: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port to listen on");
        let port = listener.local_addr().expect("its address").port();
        let ended = Arc::new(AtomicBool::new(false));
        let (target, over) = (target.to_owned(), ended.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                // A refused connection shows to the client as one that is closed at once.
                let Ok(server) = TcpStream::connect(&target) else {
                    continue;
                };
                join(client, server, one_way);
            }
        });
        Self { port, ended }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for DelayingProxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the listener up, to see that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn join(client: TcpStream, server: TcpStream, one_way: Duration) {
    for stream in [&client, &server] {
        // Without it the kernel would add delays of its own.
        let _ = stream.set_nodelay(true);
    }
    let (Ok(back_from), Ok(back_to)) = (server.try_clone(), client.try_clone()) else {
        return;
    };
    pump(client, server, one_way);
    pump(back_from, back_to, one_way);
}

fn pump(mut from: TcpStream, to: TcpStream, one_way: Duration) {
    let (sender, receiver): (Sender<(Instant, Vec<u8>)>, Receiver<_>) = channel();
    thread::spawn(move || deliver(&receiver, to));
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender
                .send((Instant::now() + one_way, buffer[..count].to_vec()))
                .is_err()
            {
                break;
            }
        }
    });
}

fn deliver(receiver: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_arrive_whole_in_order_and_no_sooner_than_said() {
        let echo = TcpListener::bind("127.0.0.1:0").expect("a port");
        let target = echo.local_addr().expect("its address").to_string();
        thread::spawn(move || {
            let (mut stream, _) = echo.accept().expect("a client");
            let mut back = stream.try_clone().expect("a clone");
            let _ = std::io::copy(&mut stream, &mut back);
            let _ = back.shutdown(Shutdown::Write);
        });
        let one_way = Duration::from_millis(20);
        let proxy = DelayingProxy::start(&target, one_way);
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).expect("a connection");
        let sent: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        let began = Instant::now();
        let mut writer = stream.try_clone().expect("a clone");
        let to_send = sent.clone();
        thread::spawn(move || {
            writer.write_all(&to_send).expect("sent");
            writer.shutdown(Shutdown::Write).expect("closed");
        });
        let mut first = [0];
        stream.read_exact(&mut first).expect("an echo");
        // What a proxy promises is a least time, which no load of the machine can shorten.
        assert!(began.elapsed() >= one_way * 2, "{:?}", began.elapsed());
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the rest");
        assert_eq!([&first[..], &rest].concat(), sent);
    }
}
