//! One answer of a server, as far as the bridge keeps it. Its meaning is decided elsewhere: `reading` reads the words, `answer`
//! decides.

use base::text::printable;
use reqwest::header::HeaderValue;
use std::borrow::Cow;
use std::time::Duration;

/// Longest part of an answer's body that is read. InfluxDB's list of unparsable lines may be as long as its request:
/// then the batch goes on with those that were read.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Length of InfluxDB's words in logs and dead letters: a conflict with long names fits.
pub const WORDS_CHARS_MAX: usize = 400;

/// The answer to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// Target of a redirect, printable and without credentials.
    pub location: Option<String>,
    /// First `BODY_BYTES_MAX` bytes, as the server sent them: they may repeat the credential.
    pub body: Vec<u8>,
    /// Whether the body was longer than that.
    pub is_cut: bool,
    /// The `Authorization` header of the request.
    pub credential: Option<HeaderValue>,
}

impl Answer {
    /// The server's words, printable and bounded, with the credential masked: some proxies repeat the request's headers on their
    /// error page. Masking comes after every decision, because it changes words (the token `t` stands in `unable to parse`).
    pub(super) fn shown(&self, words: &str) -> String {
        printable(&without_credential(words, self.credential.as_ref()), WORDS_CHARS_MAX)
    }
}

fn without_credential<'a>(words: &'a str, header: Option<&HeaderValue>) -> Cow<'a, str> {
    let Some(header) = header else { return words.into() };
    // An empty credential is found in no answer.
    let secret = header.as_bytes().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let secret = String::from_utf8_lossy(secret);
    if secret.is_empty() { words.into() } else { words.replace(&*secret, "(secret)").into() }
}
