//! The minimal HTTP/1.1 that the tools need, on blocking sockets.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;

/// A request with its body as sent.
pub struct Request {
    pub path: String,
    pub gzip: bool,
    pub body: Vec<u8>,
}

/// None if the client has closed the connection.
pub fn read_request(stream: &mut impl BufRead, answers: &mut impl Write) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let (mut length, mut chunked, mut gzip) = (0, false, false);
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse().map_err(io::Error::other)?,
            ("transfer-encoding", value) => chunked = value == "chunked",
            ("content-encoding", value) => gzip = value == "gzip",
            ("expect", _) => answers.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
            _ => {}
        }
    }
    let body = if chunked { read_chunks(stream)? } else { read_exactly(stream, length)? };
    Ok(Some(Request { path, gzip, body }))
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

/// A connection that posts lines to one URL.
pub struct Poster {
    stream: io::BufReader<TcpStream>,
    head: String,
}

impl Poster {
    /// `address` is host and port, `place` path and query.
    pub fn new(address: &str, place: &str, token: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!("POST {place} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Token {token}\r\n");
        Self { stream: io::BufReader::new(stream), head }
    }

    /// Writes one body; any answer except 204 is an error.
    pub fn post(&mut self, body: &[u8], gzip: bool) {
        let encoding = if gzip { "Content-Encoding: gzip\r\n" } else { "" };
        let head = format!("{}{encoding}Content-Length: {}\r\n\r\n", self.head, body.len());
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let (mut answer, mut line) = (String::new(), String::new());
        self.stream.read_line(&mut answer).unwrap();
        assert_eq!(answer.split(' ').nth(1), Some("204"), "{answer}");
        while self.stream.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
    }
}
