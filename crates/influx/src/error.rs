//! Errors of the client: a configuration that gives no client, and requests that got no usable answer.

use crate::answer::WORDS_CHARS_MAX;
use crate::cause::Cause;
use base::text::printable;
use std::error::Error;
use std::path::PathBuf;

/// Why `[influx]` gives no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no address to write to: set influx.url")]
    NoAddress,
    #[error("cannot read {key} {}: {source}; it must be a PEM file that the bridge may read", path.display())]
    Unreadable { key: &'static str, path: PathBuf, source: std::io::Error },
    #[error("influx.tls.ca_file {} contains no certificate: it must be a PEM file, not DER or PKCS#12", path.display())]
    NoCertificate { path: PathBuf },
    #[error(
        "influx.tls.cert_file and key_file give no client certificate: both are needed, as PEM, the key unencrypted"
    )]
    Identity,
    #[error(
        "influx.token contains a character that no header may carry: remove the line break or space at its end"
    )]
    Token,
    #[error("cannot prepare connections to InfluxDB: {0}; check [influx.tls] and the system's certificates")]
    Build(String),
}

/// A request that got no answer, or a statement that the server did not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct RequestFailure {
    pub cause: Cause,
    pub why: String,
}

impl From<&reqwest::Error> for RequestFailure {
    fn from(error: &reqwest::Error) -> Self {
        let cause = if wants_proxy_login(error) {
            Cause::ProxyLogin
        } else if is_tls_error(error) {
            Cause::TlsFailed
        } else if error.is_connect() {
            Cause::Unreachable
        } else if error.is_timeout() {
            Cause::TimedOut
        } else {
            Cause::Disconnected
        };
        Self { cause, why: error_chain(error) }
    }
}

/// The messages of the errors that caused `error`. The message of `error` itself is left out, because it may contain the URL.
pub fn error_chain(error: &reqwest::Error) -> String {
    let mut messages: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !messages.iter().any(|before| before.contains(&message)) {
            messages.push(message);
        }
        cause = error.source();
    }
    if messages.is_empty() {
        messages.push(if error.is_timeout() { "timed out" } else { "the request failed" }.to_owned());
    }
    printable(&messages.join(": "), WORDS_CHARS_MAX)
}

/// A proxy's answer to CONNECT is an error whose type is not public.
fn wants_proxy_login(error: &reqwest::Error) -> bool {
    error.is_connect() && error_chain(error).contains("proxy authorization required")
}

fn is_tls_error(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if wraps_tls_error(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// I/O errors wrap other errors without naming them as their source, and more than one level deep.
fn wraps_tls_error(error: &(dyn Error + 'static)) -> bool {
    let mut inner = error;
    loop {
        if inner.is::<rustls::Error>() {
            return true;
        }
        match inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(deeper) => inner = deeper,
            None => return false,
        }
    }
}
