//! Why a broker's certificate is not trusted: librdkafka says only that it is not.

use base::http::http_builder;
use reqwest::{Certificate, Url};
use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The broker answered just now; the thread that asks serves the group, too.
const ASK_MAX: Duration = Duration::from_secs(2);

/// For what librdkafka said, such as `ssl://host:9093/bootstrap: SSL handshake failed: ...`. A second handshake is begun there,
/// by the client that also speaks to InfluxDB, which does say it. None: it finds nothing wrong.
pub fn why_untrusted(said: &str, ca_file: Option<&Path>) -> Option<String> {
    let (_, rest) = said.split_once("ssl://")?;
    let (broker, _) = rest.split_once('/')?;
    let url = Url::parse(&format!("https://{broker}/")).ok()?;
    let mut builder = http_builder(&url, ASK_MAX).no_proxy();
    if let Some(path) = ca_file {
        let certificates = Certificate::from_pem_bundle(&std::fs::read(path).ok()?).ok()?;
        builder = builder.tls_certs_only(certificates);
    }
    let client = builder.build().ok()?;
    let ask = || {
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
    // The caller may be a thread of a runtime, which must not wait for another one.
    thread::scope(|scope| scope.spawn(ask).join()).ok()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject as _;

    #[test]
    fn says_what_the_handshake_says() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let said = format!("ssl://{}/bootstrap: certificate verify failed", listener.local_addr().unwrap());
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
        // Its own certificate is no authority.
        let why = why_untrusted(&said, Some(&folder.join("server.pem"))).unwrap();
        assert!(why.contains("certificate"), "{why}");
        assert_eq!(why_untrusted(&said, Some(&folder.join("ca.pem"))), None);
    }

    #[test]
    fn nothing_is_said_of_what_does_not_answer() {
        for said in
            ["", "ssl://", "ssl://:9/", "sasl_ssl://127.0.0.1:1/bootstrap: no", "1/1 brokers are down"]
        {
            assert_eq!(why_untrusted(said, None), None, "{said}");
        }
    }
}
