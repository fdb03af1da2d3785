//! The minimal HTTP/1.1 that the tools need, on blocking sockets.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;

/// The lines before the body of a request. Empty headers are not sent.
pub struct Head {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub authorization: String,
    pub content_type: String,
    pub gzip: bool,
}

/// A request with its body as sent.
pub struct Request {
    pub head: Head,
    pub body: Vec<u8>,
}

/// None if the client has closed the connection.
pub fn read_request(stream: &mut impl BufRead, answers: &mut impl Write) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut authorization, mut content_type) = (String::new(), String::new());
    let (mut length, mut chunked, mut gzip) = (0, false, false);
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse().map_err(io::Error::other)?,
            ("transfer-encoding", value) => chunked = value == "chunked",
            ("content-encoding", value) => gzip = value == "gzip",
            ("authorization", value) => value.clone_into(&mut authorization),
            ("content-type", value) => value.clone_into(&mut content_type),
            ("expect", _) => answers.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
            _ => {}
        }
    }
    let body = if chunked { read_chunks(stream)? } else { read_exactly(stream, length)? };
    Ok(Some(Request { head: Head { method, target, authorization, content_type, gzip }, body }))
}

impl Head {
    /// Posts lines to this path and query.
    pub fn post(target: &str, token: &str, gzip: bool) -> Self {
        let (method, authorization) = ("POST".to_owned(), format!("Token {token}"));
        Self { method, target: target.to_owned(), authorization, content_type: String::new(), gzip }
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

fn read_exactly(stream: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(length as usize);
    if stream.take(length).read_to_end(&mut body)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

fn read_chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let (mut body, mut line) = (Vec::new(), String::new());
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
        stream.take(length).read_to_end(&mut body)?;
        // The line break after each chunk, including the last one.
        stream.read_line(&mut line)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

/// A connection to a server, with one request in flight.
pub struct Client {
    stream: io::BufReader<TcpStream>,
    address: String,
}

impl Client {
    /// `address` is host and port.
    pub fn new(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: io::BufReader::new(stream), address: address.to_owned() })
    }

    /// Sends a request; any answer except 204 is an error.
    pub fn store(&mut self, head: &Head, body: &[u8]) {
        let (status, answer) = self.ask(head, body).unwrap();
        assert_eq!(status, 204, "{}", String::from_utf8_lossy(&answer));
    }

    /// Sends a request; returns the status and the answer as bytes.
    pub fn ask(&mut self, head: &Head, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let Head { method, target, authorization, content_type, gzip } = head;
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in [("Authorization", authorization.as_str()), ("Content-Type", content_type)] {
            if !value.is_empty() {
                write!(head, "{name}: {value}\r\n").unwrap();
            }
        }
        head += if *gzip { "Content-Encoding: gzip\r\n\r\n" } else { "\r\n" };
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        self.answer()
    }

    /// An answer in chunks gets a length instead.
    fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let (mut head, mut line) = (String::new(), String::new());
        let (mut length, mut chunked) = (0, false);
        while self.stream.read_line(&mut line)? > 2 {
            match line.to_ascii_lowercase().trim_end().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().map_err(io::Error::other)?,
                Some(("transfer-encoding", _)) => chunked = true,
                _ => head += &line,
            }
            line.clear();
        }
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let body =
            if chunked { read_chunks(&mut self.stream)? } else { read_exactly(&mut self.stream, length)? };
        // An answer without content has no length.
        if status != 204 {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        head += "\r\n";
        Ok((status, [head.into_bytes(), body].concat()))
    }
}
