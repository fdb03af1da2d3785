//! Errors of the client: a configuration that gives no client, and requests that got no usable answer.

use crate::answer::WORDS_CHARS_MAX;
use crate::cause::Cause;
use base::certificates::CertificateError;
use base::http::error_chain;
use std::error::Error;

/// Why `[influx]` gives no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no address to write to: set influx.url")]
    NoAddress,
    #[error(transparent)]
    Certificates(#[from] CertificateError),
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
        Self { cause, why: error_chain(error, WORDS_CHARS_MAX) }
    }
}

/// A proxy's answer to CONNECT is an error whose type is not public.
fn wants_proxy_login(error: &reqwest::Error) -> bool {
    error.is_connect() && error_chain(error, WORDS_CHARS_MAX).contains("proxy authorization required")
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
