//! Finds out why a broker's certificate is not trusted. librdkafka reports only that it is not.

use base::http::http_builder;
use reqwest::{Certificate, Url};
use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Time limit of the handshake. The broker answered a moment ago, and the calling thread also serves the group.
const HANDSHAKE_MAX: Duration = Duration::from_secs(2);

/// Starts a second TLS handshake with the broker that `error` names, as in `ssl://host:9093/bootstrap: SSL handshake failed: ...`.
/// It uses the HTTP client, whose TLS library reports causes. None: the handshake finds nothing wrong.
pub fn why_untrusted(error: &str, ca_file: Option<&Path>) -> Option<String> {
    let (_, rest) = error.split_once("ssl://")?;
    let (broker, _) = rest.split_once('/')?;
    let url = Url::parse(&format!("https://{broker}/")).ok()?;
    let mut builder = http_builder(&url, HANDSHAKE_MAX).no_proxy();
    if let Some(path) = ca_file {
        let certificates = Certificate::from_pem_bundle(&std::fs::read(path).ok()?).ok()?;
        builder = builder.tls_certs_only(certificates);
    }
    let client = builder.build().ok()?;
    let handshake = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let error = runtime.block_on(async { client.get(url).send().await }).err()?;
        let mut cause = error.source();
        let mut last = None;
        while let Some(error) = cause {
            last = Some(error.to_string());
            cause = error.source();
        }
        last.filter(|last| last.contains("certificate"))
    };
    // The caller may be a thread of a tokio runtime, which must not block on another runtime.
    thread::scope(|scope| scope.spawn(handshake).join()).ok()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject as _;

    #[test]
    fn reports_the_cause_that_the_handshake_finds() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let error = format!("ssl://{}/bootstrap: certificate verify failed", listener.local_addr().unwrap());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/testdata/tls");
        thread::spawn(move || {
            let _installed_before = rustls::crypto::ring::default_provider().install_default();
            let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/testdata/tls");
            let certificate =
                rustls::pki_types::CertificateDer::from_pem_file(testdata.join("server.pem")).unwrap();
            let key = rustls::pki_types::PrivateKeyDer::from_pem_file(testdata.join("server.key")).unwrap();
            let config = rustls::ServerConfig::builder().with_no_client_auth();
            let config = std::sync::Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
            while let Ok((mut stream, _)) = listener.accept() {
                let mut session = rustls::ServerConnection::new(std::sync::Arc::clone(&config)).unwrap();
                let _refused = session.complete_io(&mut stream);
            }
        });
        // The server's own certificate is not an authority.
        let why = why_untrusted(&error, Some(&folder.join("server.pem"))).unwrap();
        assert!(why.contains("certificate"), "{why}");
        assert_eq!(why_untrusted(&error, Some(&folder.join("ca.pem"))), None);
    }

    #[test]
    fn reports_nothing_for_servers_that_do_not_answer() {
        for error in
            ["", "ssl://", "ssl://:9/", "sasl_ssl://127.0.0.1:1/bootstrap: no", "1/1 brokers are down"]
        {
            assert_eq!(why_untrusted(error, None), None, "{error}");
        }
    }
}
