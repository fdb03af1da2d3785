//! The answer to one request, as far as the bridge keeps it. `parsed_answer` parses it, and `outcome` decides what it means.

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
    /// page. Masking comes after every decision, because it may change words.
    pub(crate) fn shown(&self, message: &str) -> String {
        printable(&without_credential(message, self.credential.as_ref()), WORDS_CHARS_MAX)
    }
}

/// Shorter credentials are parts of ordinary words.
const ANYWHERE_BYTES_MIN: usize = 4;

fn without_credential<'a>(message: &'a str, header: Option<&HeaderValue>) -> Cow<'a, str> {
    let Some(header) = header else { return message.into() };
    let secret = header.as_bytes().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let secret = String::from_utf8_lossy(secret);
    match secret.len() {
        // An empty credential is not masked.
        0 => message.into(),
        ANYWHERE_BYTES_MIN.. => message.replace(&*secret, MASK).into(),
        // A repeated header has the credential as a word. Inside of another word, it reveals nothing.
        _ => without_word(message, &secret).into(),
    }
}

const MASK: &str = "(secret)";

/// Masks `word` where no letter, digit or `_` stands beside it.
fn without_word(message: &str, word: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let (mut masked, mut copied) = (String::new(), 0);
    for (at, _) in message.match_indices(word) {
        let (before, after) = (message.get(..at), message.get(at + word.len()..));
        if before.is_some_and(|text| text.ends_with(is_part))
            || after.is_some_and(|text| text.starts_with(is_part))
        {
            continue;
        }
        masked.push_str(message.get(copied..at).unwrap_or_default());
        masked.push_str(MASK);
        copied = at + word.len();
    }
    masked.push_str(message.get(copied..).unwrap_or_default());
    masked
}
