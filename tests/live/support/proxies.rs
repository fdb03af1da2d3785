//! Servers between the bridge and other servers: a TLS server that requires client certificates, one that requires a login, and a proxy.

use super::certificates::Certificates;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The `host:port` of an address.
fn authority(url: &str) -> String {
    url.trim_start_matches("http://").trim_start_matches("https://").to_owned()
}

fn serve(talk: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let talk = Arc::new(talk);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let talk = Arc::clone(&talk);
            // A client that does not accept the certificate has closed the connection.
            thread::spawn(move || drop(talk(stream)));
        }
    });
    address
}

/// Reads up to the empty line after the headers.
fn read_head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    Ok(head)
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Terminates TLS in front of a server without it. Requires a certificate of the same authority. One request per connection.
pub fn tls_before(url: &str, certificates: &Certificates, name: &str) -> SocketAddr {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificates.pem("ca")).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let certificate = CertificateDer::from_pem_file(certificates.pem(name)).unwrap();
    let key = PrivateKeyDer::from_pem_file(certificates.key(name)).unwrap();
    let config = ServerConfig::builder().with_client_cert_verifier(verifier);
    let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
    let server = authority(url);
    serve(move |stream| {
        let session = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        let mut client = StreamOwned::new(session, stream);
        let head = String::from_utf8(read_head(&mut client)?).map_err(io::Error::other)?;
        let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        client.read_exact(&mut body)?;
        let mut server = TcpStream::connect(&server)?;
        server.write_all(head.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes())?;
        server.write_all(&body)?;
        io::copy(&mut server, &mut client)?;
        client.conn.send_close_notify();
        client.flush()
    })
}

/// Requires this `Authorization` in front of a server without a login, and answers 401 without it.
pub fn login_before(url: &str, authorization: &str) -> SocketAddr {
    let (server, wanted) = (authority(url), authorization.to_owned());
    serve(move |mut client| {
        let head = read_head(&mut client)?;
        if header(&String::from_utf8_lossy(&head), "authorization") != Some(wanted.as_str()) {
            return client.write_all(
                b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
        let mut server = TcpStream::connect(&server)?;
        server.write_all(&head)?;
        tunnel(client, server)
    })
}

/// A company's proxy: CONNECT for https, absolute URLs for http. It forwards every host to one server.
pub struct Proxy {
    pub address: SocketAddr,
    login: Arc<Mutex<Option<String>>>,
    tunnels: Arc<AtomicUsize>,
    plain: Arc<AtomicUsize>,
}

impl Proxy {
    pub fn to(url: &str) -> Self {
        let server = authority(url);
        let login: Arc<Mutex<Option<String>>> = Arc::default();
        let (tunnels, plain) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counts = (Arc::clone(&tunnels), Arc::clone(&plain));
        let wanted = Arc::clone(&login);
        let address = serve(move |mut client| {
            let head = read_head(&mut client)?;
            let text = String::from_utf8_lossy(&head);
            let wanted = wanted.lock().unwrap().clone();
            if wanted.is_some() && header(&text, "proxy-authorization") != wanted.as_deref() {
                return client.write_all(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                );
            }
            let mut server = TcpStream::connect(&server)?;
            if text.starts_with("CONNECT ") {
                counts.0.fetch_add(1, Ordering::Relaxed);
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            } else {
                counts.1.fetch_add(1, Ordering::Relaxed);
                server.write_all(&head)?;
            }
            tunnel(client, server)
        });
        Self { address, login, tunnels, plain }
    }

    /// Requires `Basic ...` from now on.
    pub fn want(&self, login: &str) {
        *self.login.lock().unwrap() = Some(login.to_owned());
    }

    /// Number of connections by CONNECT, and of others.
    pub fn counts(&self) -> (usize, usize) {
        (self.tunnels.load(Ordering::Relaxed), self.plain.load(Ordering::Relaxed))
    }
}

fn tunnel(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || {
        let _ended = io::copy(&mut from_server, &mut to_client);
        to_client.shutdown(Shutdown::Write)
    });
    let (mut client, mut server) = (client, server);
    io::copy(&mut client, &mut server)?;
    server.shutdown(Shutdown::Write)?;
    back.join().unwrap()
}
