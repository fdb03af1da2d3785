//! The answer to one request, as far as the bridge keeps it. `reading` parses it, and `outcome` decides what it means.

use base::text::printable;
use reqwest::header::HeaderValue;
use std::borrow::Cow;
use std::time::Duration;

/// Bytes of an answer's body that are read. InfluxDB's list of unparsable lines may be as long as its request; then the batch continues
/// with the lines that were read.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Length of InfluxDB's message in logs and dead letters: a conflict with long names fits.
pub const WORDS_CHARS_MAX: usize = 400;

/// The answer to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// Target of a redirect, printable and without credentials.
    pub location: Option<String>,
    /// First `BODY_BYTES_MAX` bytes as the server sent them. They may repeat the credential.
    pub body: Vec<u8>,
    /// Whether the body was longer.
    pub is_cut: bool,
    /// The `Authorization` header of the request.
    pub credential: Option<HeaderValue>,
}

impl Answer {
    /// The server's message, printable and bounded, with the credential masked: some proxies repeat the request's headers on their error
    /// page. Masking comes after every decision, because it changes words (`unable to parse` contains the token `t`).
    pub(crate) fn shown(&self, message: &str) -> String {
        printable(&without_credential(message, self.credential.as_ref()), WORDS_CHARS_MAX)
    }
}

fn without_credential<'a>(message: &'a str, header: Option<&HeaderValue>) -> Cow<'a, str> {
    let Some(header) = header else { return message.into() };
    // An empty credential is not masked.
    let secret = header.as_bytes().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let secret = String::from_utf8_lossy(secret);
    if secret.is_empty() { message.into() } else { message.replace(&*secret, "(secret)").into() }
}
