//! The HTTP client behind one address: TLS, proxies, time-outs.

use super::address::is_loopback;
use super::client::ClientError;
use super::connection::{Connection, Tls};
use reqwest::{Certificate, Identity, Url, redirect};
use std::path::Path;
use std::time::Duration;

const USER_AGENT: &str = concat!("kafka-influx-bridge/", env!("CARGO_PKG_VERSION"));

/// A packet to nowhere gets no answer: long enough for two lost ones, short enough to try the next address.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// InfluxDB closes idle connections after 3 minutes, proxies often after one: leave first.
const IDLE_MAX: Duration = Duration::from_secs(50);

/// What every client here has: a time-out, no redirects, the system's proxies except for this machine itself.
pub fn http_builder(url: &Url, timeout: Duration) -> reqwest::ClientBuilder {
    install_crypto();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .timeout(timeout)
        .connect_timeout(timeout.min(CONNECT_TIMEOUT_MAX))
        .pool_idle_timeout(IDLE_MAX)
        // A redirected POST would lose its body or its credential: the answer says so instead.
        .redirect(redirect::Policy::none())
        // 1.x repeats its error in a header, with control characters if a name has some: the status must be heard all the same,
        // or the line would be sent for ever.
        .http1_ignore_invalid_headers_in_responses(true)
        // Every attempt is the writer's own, which counts them.
        .retry(reqwest::retry::never());
    if is_loopback(url) { builder.no_proxy() } else { builder }
}

pub(super) fn client(connection: &Connection, url: &Url) -> Result<reqwest::Client, ClientError> {
    let builder = http_builder(url, connection.timeout);
    let builder = if url.scheme() == "https" {
        tls(builder, &connection.tls)?
    } else {
        // Not to need, nor keep, the system's certificates where there is no TLS.
        builder.tls_certs_only([])
    };
    builder.build().map_err(|error| ClientError::Build(super::client::causes(&error)))
}

/// The process has one provider of cryptography; whoever installed one before is as good.
fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn tls(mut builder: reqwest::ClientBuilder, tls: &Tls) -> Result<reqwest::ClientBuilder, ClientError> {
    if let Some(path) = &tls.ca_file {
        let pem = read("influx.tls.ca_file", path)?;
        let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err(ClientError::NoCertificate { path: path.clone() });
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(identity) = identity(tls)? {
        builder = builder.identity(identity);
    }
    Ok(builder.tls_danger_accept_invalid_certs(!tls.verify))
}

/// Certificate and key may be in one file, named by either key.
fn identity(tls: &Tls) -> Result<Option<Identity>, ClientError> {
    let mut pem = Vec::new();
    for (key, path) in [("influx.tls.cert_file", &tls.cert_file), ("influx.tls.key_file", &tls.key_file)] {
        if let Some(path) = path {
            pem.extend(read(key, path)?);
            pem.push(b'\n');
        }
    }
    if pem.is_empty() {
        return Ok(None);
    }
    Identity::from_pem(&pem).map(Some).map_err(|_| ClientError::Identity)
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(path).map_err(|source| ClientError::Unreadable { key, path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
