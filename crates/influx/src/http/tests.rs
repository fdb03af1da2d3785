use super::*;
use crate::test_support::connection;
use crate::{Cause, Client, ConnectionSettings, RequestFailure, Tls};
use base::certificates::CertificateFiles;
use base::http::install_crypto;
use base::secret::Secret;
use base::{Credential, Destination};
use bytes::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

const AUTHORITY: &[u8] = include_bytes!("../../../testkit/testdata/tls/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../../testkit/testdata/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../../testkit/testdata/tls/server.key");

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testkit/testdata/tls").join(name)
}

/// Answers 204 to the first request of every connection, and sends the request to the test.
fn serve(
    talk: impl Fn(TcpStream) -> Option<String> + Send + 'static,
) -> (SocketAddr, mpsc::Receiver<String>) {
    serve_at("127.0.0.1:0", talk)
}

fn serve_at(
    address: &str,
    talk: impl Fn(TcpStream) -> Option<String> + Send + 'static,
) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            if let Some(request) = talk(stream) {
                // Not every test reads requests.
                let _ = sender.send(request);
            }
        }
    });
    (address, requests)
}

fn answer(mut stream: impl Read + Write, answer: &str) -> Option<String> {
    let mut buffer = [0; 4096];
    let mut request = String::new();
    while !request.ends_with("m v=1 1\n") {
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => request.push_str(&String::from_utf8_lossy(&buffer[..length])),
            _ => return None,
        }
    }
    stream.write_all(answer.as_bytes()).ok()?;
    stream.flush().ok()?;
    Some(request)
}

const STORED: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

fn serve_tls(wants_client: bool) -> SocketAddr {
    serve_tls_at("127.0.0.1:0", wants_client)
}

fn serve_tls_at(address: &str, wants_client: bool) -> SocketAddr {
    install_crypto();
    let builder = rustls::ServerConfig::builder();
    let builder = if wants_client {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(AUTHORITY).unwrap()).unwrap();
        builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = Arc::new(builder.with_single_cert(vec![certificate], key).unwrap());
    let (address, _) = serve_at(address, move |stream| {
        let session = rustls::ServerConnection::new(Arc::clone(&config)).ok()?;
        answer(rustls::StreamOwned::new(session, stream), STORED)
    });
    address
}

async fn write(connection: &ConnectionSettings) -> Result<u16, RequestFailure> {
    let client = Client::new(connection).unwrap();
    let destination = Destination::Bucket { org: "o".into(), bucket: "b".into() };
    let lines = Bytes::from_static(b"m v=1 1\n");
    client.write(client.addresses().current(), &destination, lines, false).await.map(|answer| answer.status)
}

fn https(address: SocketAddr, tls: Tls) -> ConnectionSettings {
    ConnectionSettings { tls, ..connection(&format!("https://127.0.0.1:{}", address.port())) }
}

const NO_FILES: CertificateFiles = CertificateFiles { ca_file: None, cert_file: None, key_file: None };

fn with_files(files: CertificateFiles) -> Tls {
    Tls { files, ..Tls::default() }
}

#[tokio::test]
async fn trusts_a_configured_authority() {
    let address = serve_tls(false);
    let tls = with_files(CertificateFiles { ca_file: Some(file("ca.pem")), ..NO_FILES });
    assert_eq!(write(&https(address, tls.clone())).await, Ok(204));
    let by_number = ConnectionSettings { tls, ..connection(&format!("https://{address}")) };
    assert_eq!(write(&by_number).await, Ok(204));
}

#[tokio::test]
async fn verifies_certificates_unless_disabled() {
    let address = serve_tls(false);
    assert_eq!(write(&https(address, Tls { verify: false, ..Tls::default() })).await, Ok(204));
    // The server's own certificate is no authority.
    let stranger = with_files(CertificateFiles { ca_file: Some(file("server.pem")), ..NO_FILES });
    let failure = write(&https(address, stranger)).await.unwrap_err();
    assert_eq!(failure.cause, Cause::TlsFailed);
    assert!(failure.why.contains("certificate"), "{}", failure.why);
}

/// Linux has all of 127.0.0.0/8; the certificate names only one address of it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn checks_the_name_in_the_certificate() {
    let address = serve_tls_at("127.0.0.2:0", false);
    let tls = with_files(CertificateFiles { ca_file: Some(file("ca.pem")), ..NO_FILES });
    let failure =
        write(&ConnectionSettings { tls, ..connection(&format!("https://{address}")) }).await.unwrap_err();
    assert_eq!(failure.cause, Cause::TlsFailed);
    assert!(failure.why.contains("not valid for name"), "{}", failure.why);
}

#[tokio::test]
async fn sends_a_client_certificate() {
    let address = serve_tls(true);
    let ca_file = Some(file("ca.pem"));
    let both = with_files(CertificateFiles {
        cert_file: Some(file("server.pem")),
        key_file: Some(file("server.key")),
        ca_file: ca_file.clone(),
    });
    assert_eq!(write(&https(address, both)).await, Ok(204));
    let failure =
        write(&https(address, with_files(CertificateFiles { ca_file, ..NO_FILES }))).await.unwrap_err();
    assert_eq!(failure.cause, Cause::TlsFailed, "{}", failure.why);
}

#[tokio::test]
async fn https_to_a_plain_server_is_a_tls_failure() {
    let (address, _requests) = serve(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").ok()?;
        None
    });
    let tls = Tls { verify: false, ..Tls::default() };
    assert_eq!(write(&https(address, tls)).await.unwrap_err().cause, Cause::TlsFailed);
}

/// Counts its connections and keeps them open. A request for `/slow` is answered when the test releases it.
fn serve_kept(release: mpsc::Receiver<()>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let (counted, release) = (Arc::clone(&connections), Arc::new(Mutex::new(release)));
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            counted.fetch_add(1, Ordering::SeqCst);
            let release = Arc::clone(&release);
            std::thread::spawn(move || {
                let (mut buffer, mut request) = ([0; 4096], String::new());
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    request.push_str(&String::from_utf8_lossy(&buffer[..length]));
                    if !request.ends_with("\r\n\r\n") {
                        continue;
                    }
                    if request.starts_with("GET /slow ") {
                        release.lock().unwrap().recv().unwrap();
                    }
                    request.clear();
                    if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                        break;
                    }
                }
            });
        }
    });
    (address, connections)
}

#[tokio::test]
async fn connections_are_replaced_after_five_minutes_and_requests_in_flight_are_answered() {
    let (release, waiting) = mpsc::channel();
    let (address, connections) = serve_kept(waiting);
    let url: Url = format!("http://{address}").parse().unwrap();
    let start = Instant::now();
    let http = HttpClient::new(&connection(url.as_str()), &url, ConnectOptions::default(), start).unwrap();
    let request = async |age: Duration| {
        let response = http.get(start + age).0.get(url.clone()).send().await.unwrap();
        (response.status().as_u16(), connections.load(Ordering::SeqCst))
    };
    let before = |age: Duration| age.saturating_sub(Duration::from_secs(1));
    assert_eq!(request(Duration::ZERO).await, (204, 1));
    assert_eq!(request(before(CONNECTION_AGE_MAX)).await, (204, 1), "kept alive");
    let slow = http.get(start).0.get(url.join("/slow").unwrap()).send();
    let slow = tokio::spawn(slow);
    assert_eq!(request(CONNECTION_AGE_MAX).await.0, 204);
    let after_renewal = connections.load(Ordering::SeqCst);
    assert!(after_renewal >= 2, "a new connection");
    assert_eq!(request(before(CONNECTION_AGE_MAX * 2)).await, (204, after_renewal), "kept alive again");
    release.send(()).unwrap();
    assert_eq!(
        slow.await.unwrap().unwrap().status().as_u16(),
        204,
        "the request in flight keeps its connection"
    );
    assert_eq!(request(CONNECTION_AGE_MAX * 2).await, (204, after_renewal + 1), "each five minutes");
}

/// The client keeps the certificates that it read at the start: the files may be replaced while it runs.
#[tokio::test]
async fn renewed_connections_need_no_files() {
    let address = serve_tls(false);
    let folder = std::env::temp_dir().join(format!("bridge-renewed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ca_file = folder.join("ca.pem");
    std::fs::copy(file("ca.pem"), &ca_file).unwrap();
    let connection = https(address, with_files(CertificateFiles { ca_file: Some(ca_file), ..NO_FILES }));
    let start = Instant::now();
    let http = HttpClient::new(&connection, &connection.urls[0], ConnectOptions::default(), start).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let request = http.get(start + CONNECTION_AGE_MAX).0.post(connection.urls[0].clone()).body("m v=1 1\n");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 204);
}

#[test]
fn names_the_wrong_file() {
    let f = |tls: Tls, want: &str| {
        let connection = ConnectionSettings { tls, ..connection("https://h") };
        let error = Client::new(&connection).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    };
    let missing = || Some(file("missing.pem"));
    f(with_files(CertificateFiles { ca_file: missing(), ..NO_FILES }), "cannot read influx.tls.ca_file");
    f(with_files(CertificateFiles { cert_file: missing(), ..NO_FILES }), "cannot read influx.tls.cert_file");
    f(with_files(CertificateFiles { key_file: missing(), ..NO_FILES }), "cannot read influx.tls.key_file");
    f(
        with_files(CertificateFiles { ca_file: Some(file("server.key")), ..NO_FILES }),
        "contains no certificate",
    );
    f(with_files(CertificateFiles { cert_file: Some(file("server.pem")), ..NO_FILES }), "both are needed");
    let line_break = Credential::Token(Secret::new("token\n"));
    let error =
        Client::new(&ConnectionSettings { credential: line_break, ..connection("http://h") }).unwrap_err();
    assert!(error.to_string().contains("influx.token") && !error.to_string().contains("token\n"), "{error}");
}

#[tokio::test]
async fn sends_what_influxdb_expects_and_nothing_secret_in_the_url() {
    let (address, requests) = serve(|stream| answer(stream, STORED));
    let f = async |user: &str, credential: Credential, want: &str| {
        let connection = ConnectionSettings { credential, ..connection(&format!("http://{user}{address}")) };
        assert_eq!(write(&connection).await, Ok(204));
        let request = requests.recv().unwrap();
        assert!(
            request.starts_with("POST /api/v2/write?org=o&bucket=b&precision=ns HTTP/1.1\r\n"),
            "{request}"
        );
        let lower = request.to_ascii_lowercase();
        assert!(
            lower.contains(concat!("user-agent: kafka-influx-bridge/", env!("CARGO_PKG_VERSION"))),
            "{request}"
        );
        assert!(lower.contains("content-type: text/plain; charset=utf-8\r\n"), "{request}");
        assert!(lower.contains("content-length: 8\r\n"), "{request}");
        assert!(!lower.contains("accept-encoding") && !lower.contains("content-encoding"), "{request}");
        let sent = request.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization: "));
        assert_eq!(sent.map(|line| &line["authorization: ".len()..]).unwrap_or_default(), want);
    };
    let basic = Credential::Basic { username: "u".into(), password: Secret::new("p") };
    f("", Credential::None, "").await;
    f("", Credential::Token(Secret::new("t0ken")), "Token t0ken").await;
    f("", basic, "Basic dTpw").await;
    f("u:p@", Credential::None, "Basic dTpw").await;
    f("u:p@", Credential::Token(Secret::new("t0ken")), "Token t0ken").await;
}

/// InfluxDB 1.x repeats its error in a header, with the control characters of a name.
#[tokio::test]
async fn reads_answers_with_invalid_headers() {
    let f = async |headers: &'static str, status: u16| {
        let answer_with = format!("HTTP/1.1 400 Bad Request\r\n{headers}Content-Length: 0\r\n\r\n");
        let (address, _requests) = serve(move |stream| answer(stream, &answer_with));
        assert_eq!(write(&connection(&format!("http://{address}"))).await, Ok(status), "{headers:?}");
    };
    f("X-Influxdb-Error: field \"f\" on measurement \"m\u{1}\u{7f}\"\r\n", 400).await;
    f("X-Influxdb-Error: \u{1b}[2J\r\n", 400).await;
    f("X-Influxdb-Error: cut \u{fffd}\r\n", 400).await;
    f("no header at all\r\n", 400).await;
}

#[tokio::test]
async fn follows_no_redirect() {
    let (elsewhere, followed) = serve(|stream| answer(stream, STORED));
    let moved =
        format!("HTTP/1.1 307 Moved\r\nLocation: http://u:p@{elsewhere}/x?y\r\nContent-Length: 0\r\n\r\n");
    let (address, _requests) = serve(move |stream| answer(stream, &moved));
    let connection = connection(&format!("http://{address}"));
    let client = Client::new(&connection).unwrap();
    let destination = Destination::Database { database: "d".into(), retention_policy: None };
    let lines = Bytes::from_static(b"m v=1 1\n");
    let answer = client.write(client.addresses().current(), &destination, lines, false).await.unwrap();
    assert_eq!(answer.status, 307);
    assert_eq!(answer.location, Some(format!("http://{elsewhere}/x")));
    assert!(followed.try_recv().is_err());
}
