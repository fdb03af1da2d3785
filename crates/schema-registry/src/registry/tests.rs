use super::*;
use base::Credential;
use base::secret::Secret;
use schema_server::SchemaServer;
use std::net::TcpListener;
use std::thread;
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(30);

#[path = "../../../../tests/support/schema_server.rs"]
mod schema_server;

fn settings(server: &SchemaServer) -> Settings {
    Settings::new(server.address.parse().unwrap())
}

const SHORT: Delays = Delays { first: Duration::from_millis(5), max: Duration::from_millis(20) };

fn registry(settings: &Settings) -> (Registry, Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    (Registry::with_delays(settings, runtime.handle().clone(), SHORT).unwrap(), runtime)
}

/// The first lookup of an id that the condition holds for.
fn until(registry: &Registry, id: SchemaId, is: impl Fn(&Lookup) -> bool) -> Lookup {
    let end = Instant::now() + PATIENCE;
    loop {
        let lookup = registry.find(id);
        if is(&lookup) {
            return lookup;
        }
        assert!(Instant::now() < end, "{lookup:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn answered(registry: &Registry, id: SchemaId) -> Lookup {
    until(registry, id, |lookup| !matches!(lookup, Lookup::Missing(MissingSchema::Awaited)))
}

fn is_ready(lookup: &Lookup) -> bool {
    matches!(lookup, Lookup::Ready(_))
}

fn failure(lookup: &Lookup) -> (String, String) {
    match lookup {
        Lookup::Missing(MissingSchema::Failed(failure)) => (failure.why.clone(), failure.remedy.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_schema_is_read_once_with_all_that_it_uses() {
    let server = SchemaServer::start();
    let c = r#"{"type":"record","name":"C","fields":[{"name":"a","type":"A"},{"name":"b","type":"B"}]}"#;
    let refers = |name: &str| format!(r#"{{"name":"{name}","subject":"s/{name}","version":2}}"#);
    server.schema("/schemas/ids/7", c, &format!("[{},{}]", refers("B"), refers("A")));
    server.schema(
        "/subjects/s%2FB/versions/2",
        r#"{"type":"record","name":"B","fields":[{"name":"a","type":"A"}]}"#,
        &format!("[{}]", refers("A")),
    );
    server.schema("/subjects/s%2FA/versions/2", r#"{"type":"fixed","name":"A","size":1}"#, "null");
    let (registry, _runtime) = registry(&settings(&server));
    assert!(matches!(registry.find(7), Lookup::Missing(MissingSchema::Awaited)), "it answers at once");
    assert!(is_ready(&answered(&registry, 7)));
    assert!(is_ready(&registry.find(7)));
    assert_eq!(server.requests.try_iter().count(), 3);
    let counts = registry.counts();
    assert_eq!((counts.ok, counts.schemas), (1, 1));
}

#[test]
fn an_id_that_is_registered_later_is_found() {
    let server = SchemaServer::start();
    let (registry, _runtime) = registry(&settings(&server));
    assert!(matches!(answered(&registry, 7), Lookup::Missing(MissingSchema::Unknown)));
    server.schema("/schemas/ids/7", "\"int\"", "[]");
    until(&registry, 7, is_ready);
    assert!(registry.counts().unknown >= 1);
}

#[test]
fn everything_but_the_code_for_unknown_ids_is_a_failure_that_passes() {
    let server = SchemaServer::start();
    let (registry, _runtime) = registry(&settings(&server));
    let mut id = 0;
    let mut f = |status: u16, body: &str, want: &str, remedy: &str| {
        id += 1;
        server.answer(&format!("/schemas/ids/{id}"), status, body);
        let lookup = answered(&registry, id);
        let (why, got) = failure(&lookup);
        assert!(why.contains(want) && got.contains(remedy), "{status}: {why}: {got}");
        server.schema(&format!("/schemas/ids/{id}"), "\"int\"", "[]");
        until(&registry, id, is_ready);
    };
    f(
        404,
        "not found",
        "does not answer like a schema registry (404 Not Found: not found)",
        "/apis/ccompat/v7",
    );
    f(404, r#"{"error_code":40401}"#, "does not answer like a schema registry", "correct `url`");
    f(
        401,
        r#"{"error_code":401,"message":"who?"}"#,
        "refuses the login (401 Unauthorized: who?)",
        "`password`",
    );
    f(403, "", "refuses the login (403 Forbidden)", "permissions");
    f(500, "", "has a problem (500", "tries again by itself");
    f(503, "", "has a problem (503", "tries again by itself");
    f(429, "", "has a problem (429", "tries again by itself");
    f(302, "", "does not answer like a schema registry (302", "correct `url`");
    f(200, "<html>", "a response without a schema: 200 OK: <html>", "correct `url`");
    f(200, r#"{"schema":"\"int\"","schemaType":"XML"}"#, "a response without a schema", "correct `url`");
    f(200, &"x".repeat(5 << 20), "a response has more than 4 MiB", "correct `url`");
}

#[test]
fn a_schema_that_no_value_can_be_read_with_is_not_asked_for_again_at_once() {
    let server = SchemaServer::start();
    server.schema("/schemas/ids/1", "{}", "[]");
    server.answer("/schemas/ids/2", 200, r#"{"schema":"{}","schemaType":"JSON"}"#);
    let (registry, _runtime) = registry(&settings(&server));
    for (id, want) in [(1, "it is not an Avro schema"), (2, "it is a JSON schema")] {
        match answered(&registry, id) {
            Lookup::Unusable(why) => assert!(why.starts_with(want), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    let before = registry.counts().ok;
    registry.find(1);
    assert_eq!((before, registry.counts().ok), (2, 2));
}

#[test]
fn the_next_address_is_asked_where_one_does_not_answer() {
    let server = SchemaServer::start();
    server.schema("/base/schemas/ids/1", "\"int\"", "[]");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let urls = vec![
        format!("http://{closed}").parse().unwrap(),
        format!("{}/base/", server.address).parse().unwrap(),
    ];
    let (found, _runtime) = registry(&Settings { urls, ..settings(&server) });
    assert!(is_ready(&answered(&found, 1)));
    let only = Settings { urls: vec![format!("http://{closed}").parse().unwrap()], ..settings(&server) };
    let (silent, _runtime) = registry(&only);
    let (why, _) = failure(&answered(&silent, 1));
    assert!(why.contains("does not answer") && why.contains(&closed.to_string()), "{why}");
}

#[test]
fn the_login_is_sent_and_read_again_where_it_is_refused() {
    let server = SchemaServer::start();
    server.schema("/schemas/ids/1", "\"int\"", "[]");
    let basic = Credential::Basic { username: "u".to_owned(), password: Secret::new("p") };
    let (found, _runtime) = registry(&Settings { credential: basic, ..settings(&server) });
    assert!(is_ready(&answered(&found, 1)));
    let request = server.requests.recv_timeout(PATIENCE).unwrap().to_lowercase();
    assert!(request.contains("authorization: basic dtpw"), "{request}");
    let file = std::env::temp_dir().join(format!("registry-{}-{:x}", std::process::id(), fastrand::u64(..)));
    std::fs::write(&file, "new").unwrap();
    for status in [401, 403] {
        let server = SchemaServer::start();
        let token = Credential::Token(Secret::from_file("old", file.clone()));
        server.answer("/schemas/ids/2", status, "");
        let (refused, _runtime) = registry(&Settings { credential: token, ..settings(&server) });
        answered(&refused, 2);
        let sent: Vec<String> =
            (0..2).map(|_| server.requests.recv_timeout(PATIENCE).unwrap().to_lowercase()).collect();
        assert!(
            sent[0].contains("authorization: bearer old") && sent[1].contains("authorization: bearer new"),
            "{status}: {sent:?}"
        );
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn references_are_bounded() {
    let server = SchemaServer::start();
    let refers = |to: usize| format!(r#"[{{"name":"N{to}","subject":"s{to}","version":1}}]"#);
    server.schema("/schemas/ids/1", "\"int\"", &refers(0));
    for number in 0..300 {
        server.schema(&format!("/subjects/s{number}/versions/1"), "\"int\"", &refers(number + 1));
    }
    let (registry, _runtime) = registry(&settings(&server));
    let (why, _) = failure(&answered(&registry, 1));
    assert!(why.contains("uses more than 200 other schemas"), "{why}");
    // A schema that uses itself ends.
    server.schema("/schemas/ids/2", "\"int\"", &refers(400));
    server.schema("/subjects/s400/versions/1", "\"int\"", &refers(400));
    assert!(is_ready(&answered(&registry, 2)));
}

#[test]
fn the_blocking_registry_waits_for_the_answer() {
    let server = SchemaServer::start();
    server.schema("/schemas/ids/1", "\"int\"", "[]");
    let blocking = crate::BlockingRegistry::new(&settings(&server)).unwrap();
    assert!(is_ready(&blocking.find(1)));
    assert!(matches!(blocking.find(2), Lookup::Missing(MissingSchema::Unknown)));
}

/// A registry behind TLS that knows one schema, and answers all requests with it.
fn serve_tls() -> reqwest::Url {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use std::io::{Read as _, Write as _};

    base::http::install_crypto();
    let read = |name: &str| std::fs::read(test_certificate(name)).unwrap();
    let certificate = CertificateDer::from_pem_slice(&read("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read("server.key")).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream.unwrap());
            let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(size @ 1..) => request.extend_from_slice(&buffer[..size]),
                    // A client that does not trust the certificate ends the connection.
                    _ => break,
                }
            }
            let body = r#"{"schema":"\"int\""}"#;
            let head = format!("HTTP/1.1 200 x\r\ncontent-length: {}\r\nconnection: close", body.len());
            let _gone = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
        }
    });
    url.parse().unwrap()
}

fn test_certificate(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/testdata/tls").join(name)
}

#[test]
fn a_registry_behind_tls_needs_its_authority() {
    let url = serve_tls();
    let trusting = |authority: &str| {
        let mut settings = Settings::new(url.clone());
        settings.certificates.ca_file = Some(test_certificate(authority));
        registry(&settings)
    };
    let (known, _runtime) = trusting("ca.pem");
    assert!(is_ready(&answered(&known, 7)));
    // The certificate of the server is no authority.
    let (unknown, _runtime) = trusting("server.pem");
    let (why, _) = failure(&answered(&unknown, 7));
    assert!(why.contains(url.as_str()) && why.contains("certificate"), "{why}");
}
