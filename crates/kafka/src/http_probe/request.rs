//! Detects an HTTP server at the address of a broker. Such a server waits for the end of a request line, which Kafka's requests do
//! not have, so that it stays silent until its own timeout.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Time limit of the request. The address accepted a connection before.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// librdkafka's default port.
const PORT: u16 = 9092;

/// An address of `kafka.brokers` with its port.
pub fn with_port(address: &str) -> String {
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port && !address.ends_with(']') { address.to_owned() } else { format!("{address}:{PORT}") }
}

/// Sends `HEAD` to `host:port` and checks the first bytes of the response.
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
    // On an error the server counts as another protocol's.
    begin().is_ok_and(|begin| &begin == b"HTTP/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// The address of a server that reads a whole request and sends `response`.
    fn server(response: &'static [u8]) -> String {
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
            stream.write_all(response).unwrap();
        });
        address
    }

    #[test]
    fn adds_the_default_port() {
        let f = |address: &str, want: &str| assert_eq!(with_port(address), want);
        f("nuc", "nuc:9092");
        f("nuc:1", "nuc:1");
        f("[::1]", "[::1]:9092");
        f("[::1]:1", "[::1]:1");
    }

    #[test]
    fn recognizes_http_among_other_protocols() {
        assert!(answers_http(&server(b"HTTP/1.1 404 Not Found\r\n\r\n")));
        assert!(!answers_http(&server(b"SSH-2.0-x\r\n")));
        assert!(!answers_http(&server(b"")));
        assert!(!answers_http("127.0.0.1:1"));
    }
}
