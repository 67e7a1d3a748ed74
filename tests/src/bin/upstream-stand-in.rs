//! A stand-in for what answers on the node ports of a cluster, for tests and the demo of the fronts.
//!
//! `upstream-stand-in [--seconds N] [--stay] [--helm FILE] HTTP_PORT... [--tcp PORT]...` listens on all addresses. An HTTP request is answered
//! with what arrived, as JSON: port, peer, method, path, protocol, all headers, length of the body. A connection to a
//! `--tcp` port (the place of PostgreSQL or ActiveMQ) is greeted with `hello from PORT` and then told what it said.
//! With `--helm` it plays an ingress before and after Helm: 404 for all until FILE is there, then a redirect to `/dashboard/`.
//! It says `ready` once all ports are bound, and ends when its standard input closes (not with `--stay`) or after N seconds (600).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

struct Ports {
    http: Vec<u16>,
    tcp: Vec<u16>,
    seconds: u64,
    stay: bool,
    helm: Option<String>,
}

fn ports(mut words: impl Iterator<Item = String>) -> Result<Ports, String> {
    let mut ports = Ports {
        http: Vec::new(),
        tcp: Vec::new(),
        seconds: 600,
        stay: false,
        helm: None,
    };
    let number = |word: Option<String>| {
        let word = word.ok_or("a number is missing at the end")?;
        word.parse::<u64>().map_err(|_| format!("`{word}` is no number"))
    };
    let port = |number: u64| u16::try_from(number).map_err(|_| format!("{number} is no port"));
    while let Some(word) = words.next() {
        match word.as_str() {
            "--tcp" => ports.tcp.push(port(number(words.next())?)?),
            "--seconds" => ports.seconds = number(words.next())?,
            "--stay" => ports.stay = true,
            "--helm" => ports.helm = Some(words.next().ok_or("a file is missing at the end")?),
            _ => ports.http.push(port(number(Some(word))?)?),
        }
    }
    if ports.http.is_empty() && ports.tcp.is_empty() {
        return Err("no port is named".into());
    }
    Ok(ports)
}

fn main() -> ExitCode {
    let listening = ports(std::env::args().skip(1)).and_then(|ports| {
        let helm = ports.helm.clone();
        let web: Answer = match helm {
            Some(file) => Arc::new(move |_, stream| ingress(&file, stream)),
            None => Arc::new(http),
        };
        for (list, answer) in [(&ports.http, web), (&ports.tcp, Arc::new(tcp))] {
            for port in list {
                listen(*port, &answer)?;
            }
        }
        Ok((ports.seconds, ports.stay))
    });
    let (seconds, stay) = match listening {
        Ok(listening) => listening,
        Err(error) => {
            eprintln!("upstream-stand-in: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("ready");
    // Whoever started it goes away: so does this.
    let (ended, wait) = std::sync::mpsc::channel();
    let wait_for_input = move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    };
    // Kept until the time is over, where nothing closes.
    let _kept = match stay {
        true => Some(wait_for_input),
        false => {
            std::thread::spawn(wait_for_input);
            None
        }
    };
    let _ = wait.recv_timeout(Duration::from_secs(seconds));
    ExitCode::SUCCESS
}

type Answer = Arc<dyn Fn(u16, TcpStream) -> std::io::Result<()> + Send + Sync>;

fn listen(port: u16, answer: &Answer) -> Result<(), String> {
    let answer = Arc::clone(answer);
    let listener = TcpListener::bind(("0.0.0.0", port)).map_err(|error| format!("port {port}: {error}"))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away in the middle is its own business.
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || answer(port, stream));
        }
    });
    Ok(())
}

/// Answers one request as an ingress does: nothing is known by it until `file` is there.
fn ingress(file: &str, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
    }
    let head = match std::path::Path::new(file).exists() {
        true => "302 Found\r\nLocation: /dashboard/",
        false => "404 Not Found",
    };
    write!(
        stream,
        "HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

/// Greets, then says what was said, line by line.
fn tcp(port: u16, mut stream: TcpStream) -> std::io::Result<()> {
    writeln!(stream, "hello from {port}")?;
    let reader = BufReader::new(stream.try_clone()?);
    for line in reader.lines() {
        writeln!(stream, "{port} heard: {}", line?)?;
    }
    Ok(())
}

/// Answers requests until the connection is closed.
fn http(port: u16, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let peer = stream.peer_addr()?.ip().to_string();
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut words = first.split_whitespace();
        let (method, path, protocol) = (
            words.next().unwrap_or_default().to_owned(),
            words.next().unwrap_or_default().to_owned(),
            words.next().unwrap_or_default().to_owned(),
        );
        let mut headers = serde_json::Map::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            let (name, value) = (name.to_ascii_lowercase(), value.trim());
            let value = match headers.get(&name).and_then(|have| have.as_str()) {
                Some(have) => format!("{have}, {value}"),
                None => value.to_owned(),
            };
            headers.insert(name, value.into());
        }
        let length = headers
            .get("content-length")
            .and_then(|value| value.as_str()?.parse::<u64>().ok())
            .unwrap_or(0);
        let body = std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())?;
        let close = protocol != "HTTP/1.1" || headers.get("connection").is_some_and(|value| value == "close");
        let answer = serde_json::json!({
            "port": port,
            "peer": peer,
            "method": method,
            "path": path,
            "protocol": protocol,
            "headers": headers,
            "body": body,
        })
        .to_string();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: {}\r\n\r\n{answer}",
            answer.len(),
            if close { "close" } else { "keep-alive" },
        )?;
        if close {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Ports, String> {
        ports(words.split_whitespace().map(String::from))
    }

    #[test]
    fn ports_are_read_and_mistakes_named() {
        let ports = read("30080 --tcp 31432 31080 --seconds 5").expect("good words");
        assert_eq!(
            (ports.http, ports.tcp, ports.seconds),
            (vec![30080, 31080], vec![31432], 5)
        );
        for (words, part) in [
            ("", "no port"),
            ("--tcp", "missing"),
            ("x", "`x` is no number"),
            ("70000", "70000 is no port"),
        ] {
            let error = read(words).err().expect("an error");
            assert!(error.contains(part), "{words}: {error}");
        }
    }

    #[test]
    fn a_request_is_answered_with_what_arrived() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            http(30080, stream)
        });
        let mut client = TcpStream::connect(address).expect("connected");
        client
            .write_all(b"POST /a?b HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
            .expect("sent");
        let mut text = String::new();
        client.read_to_string(&mut text).expect("answered");
        let (_, body) = text.split_once("\r\n\r\n").expect("a body");
        let json: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(json["method"], "POST");
        assert_eq!(json["path"], "/a?b");
        assert_eq!(json["port"], 30080);
        assert_eq!(json["headers"]["x-a"], "1, 2");
        assert_eq!(json["body"], 3);
    }
}
