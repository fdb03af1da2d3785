//! Whether an HTTP server listens where a broker should. Such a server waits for the end of a request line, which no request of
//! Kafka has, so it is silent until its own timeout.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Every HTTP server answers a line that it can't read within this time; the address took a connection before.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Sends `HEAD` to `host:port` and looks at the first bytes of the answer.
pub fn answers_http(address: &str) -> bool {
    let begin = || {
        let socket = address.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
        let mut stream = TcpStream::connect_timeout(&socket, ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        stream.write_all(b"HEAD / HTTP/1.0\r\n\r\n")?;
        let mut begin = [0; 5];
        stream.read_exact(&mut begin)?;
        std::io::Result::Ok(begin)
    };
    // An error means that it is no HTTP server, or none that can be told from another.
    begin().is_ok_and(|begin| &begin == b"HTTP/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A server that reads a request up to its end and answers this.
    fn server(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(answer).unwrap();
        });
        address
    }

    #[test]
    fn tells_http_from_other_protocols() {
        assert!(answers_http(&server(b"HTTP/1.1 404 Not Found\r\n\r\n")));
        assert!(!answers_http(&server(b"SSH-2.0-x\r\n")));
        assert!(!answers_http(&server(b"")));
        assert!(!answers_http("127.0.0.1:1"));
    }
}
