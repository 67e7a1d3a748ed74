//! HTTP/1.1, as much as `kubectl`, `curl` and our own client speak: whole bodies in, whole bodies or chunks out.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};

/// Larger bodies are no business of a test.
const MOST: u64 = 32 << 20;

/// A request.
#[derive(Debug, Default)]
pub struct Request {
    /// `GET`, …
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query's parameters, decoded.
    pub query: BTreeMap<String, String>,
    /// Headers by their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A header; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// A parameter of the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether a parameter of the query is true.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.param(name), Some("true" | "1"))
    }
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<BTreeMap<String, String>> {
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(wrong("the connection ended within the headers"));
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("a header without colon"))?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

/// A body by its headers; `to_end` when it ends with the connection where they do not say.
fn read_body(reader: &mut impl BufRead, headers: &BTreeMap<String, String>, to_end: bool) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let size = line.trim().split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size, 16).map_err(|_| wrong("a chunk without length"))?;
            if size + body.len() as u64 > MOST {
                return Err(wrong("the body is too large"));
            }
            reader.take(size).read_to_end(&mut body)?;
            line.clear();
            reader.read_line(&mut line)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match headers.get("content-length") {
        Some(length) => {
            let length: u64 = length.parse().map_err(|_| wrong("no length"))?;
            if length > MOST {
                return Err(wrong("the body is too large"));
            }
            reader.take(length).read_to_end(&mut body)?;
        }
        None if to_end => {
            reader.take(MOST).read_to_end(&mut body)?;
        }
        None => {}
    }
    Ok(body)
}

/// Reads a request; nothing when the connection ended before one.
///
/// # Errors
/// It is none, or the connection broke.
pub fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut first = String::new();
    match reader.read_line(&mut first) {
        Ok(0) => return Ok(None),
        Ok(_) => {}
        // A client that goes without a goodbye is gone all the same.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut words = first.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(wrong("no request line"));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    });
    let headers = read_headers(reader)?;
    let body = read_body(reader, &headers, false)?;
    Ok(Some(Request {
        method: method.to_owned(),
        path: decode(path),
        query: pairs.collect(),
        headers,
        body,
    }))
}

/// `%XX` and `+` undone.
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        match (byte, after.get(..2).and_then(hex)) {
            (b'%', Some(value)) => {
                bytes.push(value);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes an answer with its length.
///
/// # Errors
/// The connection broke.
pub fn respond(writer: &mut impl Write, code: u16, kind: &str, body: &[u8], close: bool) -> io::Result<()> {
    let connection = if close { "close" } else { "keep-alive" };
    let mut bytes = format!(
        "HTTP/1.1 {code} {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n",
        phrase(code),
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    writer.write_all(&bytes)?;
    writer.flush()
}

/// Begins an answer of chunks.
///
/// # Errors
/// The connection broke.
pub fn begin_chunks(writer: &mut impl Write, kind: &str) -> io::Result<()> {
    write!(
        writer,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )?;
    writer.flush()
}

/// Writes a chunk; an empty one is the last.
///
/// # Errors
/// The connection broke.
pub fn chunk(writer: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let mut all = format!("{:x}\r\n", bytes.len()).into_bytes();
    all.extend_from_slice(bytes);
    all.extend_from_slice(b"\r\n");
    writer.write_all(&all)?;
    writer.flush()
}

fn phrase(code: u16) -> &'static str {
    match code {
        200 => "OK",
        201 => "Created",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        422 => "Unprocessable Entity",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

/// Sends a request over a fresh connection and reads the answer: its code and body.
///
/// # Errors
/// The connection broke, or what came is no answer.
pub fn exchange(
    stream: &mut (impl Read + Write),
    host: &str,
    method: &str,
    path: &str,
    kind: &str,
    body: &[u8],
) -> io::Result<(u16, Vec<u8>)> {
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)?;
    stream.flush()?;
    let mut reader = io::BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let code = first.split_whitespace().nth(1).and_then(|code| code.parse().ok());
    let code = code.ok_or_else(|| wrong(format!("no answer of HTTP: {:?}", first.trim_end())))?;
    let headers = read_headers(&mut reader)?;
    Ok((code, read_body(&mut reader, &headers, true)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_whole() {
        let mut text: &[u8] =
            b"POST /a%20b?labelSelector=x%3Dy&watch=true HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\
              GET /next HTTP/1.1\r\n\r\n";
        let first = read_request(&mut text).expect("well formed").expect("a request");
        assert_eq!((first.path.as_str(), first.body.as_slice()), ("/a b", &b"hi"[..]));
        assert_eq!(first.param("labelSelector"), Some("x=y"));
        assert!(first.flag("watch"));
        assert_eq!(
            read_request(&mut text).expect("well formed").expect("another").path,
            "/next"
        );
        assert!(read_request(&mut text).expect("the end").is_none());
    }

    #[test]
    fn chunks_are_put_together() {
        let mut out = Vec::new();
        begin_chunks(&mut out, "application/json").expect("written");
        chunk(&mut out, b"{}\n").expect("written");
        chunk(&mut out, b"").expect("written");
        let mut rest = &out[..];
        let mut first = String::new();
        rest.read_line(&mut first).expect("a line");
        let headers = read_headers(&mut rest).expect("headers");
        assert_eq!(read_body(&mut rest, &headers, false).expect("a body"), b"{}\n");
    }
}
