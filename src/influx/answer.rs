//! What an answer of InfluxDB means for the lines that were sent. Pure: bytes in, decision out.

use super::cause::Cause;
use super::connection::Api;
use crate::text::printable;
use std::time::{Duration, SystemTime};

/// Of an answer's body; what is longer is not read. InfluxDB's list of unparsable lines may be as long as its request:
/// then the batch goes on with those that were read.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Of InfluxDB's words in logs and dead letters: a conflict with long names fits.
pub const WORDS_CHARS_MAX: usize = 400;

/// Words that decide stand at the start, before all lines that an answer may quote.
const DECIDING_CHARS_MAX: usize = 4_000;

/// A server that asks for more is tried after this nevertheless.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);

/// What came back for one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// Where a redirect points, harmless and without credentials.
    pub location: Option<String>,
    /// At most `BODY_BYTES_MAX` of it.
    pub body: Vec<u8>,
    /// Whether it went on beyond that.
    pub is_cut: bool,
}

/// What follows for the lines of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Stored,
    /// Passing: the same again after a while.
    Retry {
        cause: Cause,
        after: Option<Duration>,
        why: String,
    },
    /// Too large: smaller requests.
    Split {
        why: String,
    },
    /// At least one line is refused, and none of the others is known to be stored.
    Refused {
        why: String,
    },
    /// Nothing is wrong with the lines: keep them until the cause is mended.
    Hold {
        cause: Cause,
        why: String,
    },
}

/// Which of the outcomes an answer is. The status decides; words only tell apart what shares one.
pub fn classify(api: Api, answer: &Answer) -> Outcome {
    let message = message(&answer.body);
    let why = words(answer, &message);
    let lower: String = message.chars().take(DECIDING_CHARS_MAX).map(|c| c.to_ascii_lowercase()).collect();
    let hold = |cause| Outcome::Hold { cause, why: why.clone() };
    let retry = |cause| Outcome::Retry { cause, after: answer.retry_after, why: why.clone() };
    match answer.status {
        204 => Outcome::Stored,
        200..=299 => hold(Cause::NotInflux),
        300..=399 => hold(Cause::Redirected),
        400 if speaks_of_lines(&lower) => Outcome::Refused { why },
        400 => hold(Cause::RequestRefused),
        401 => hold(Cause::Unauthorized),
        403 => hold(Cause::Forbidden),
        404 => hold(what_is_missing(api, &lower)),
        405 => hold(Cause::MethodRefused),
        407 => hold(Cause::ProxyLogin),
        408 | 429 | 499 => retry(Cause::Busy),
        413 => Outcome::Split { why },
        402..=498 => Outcome::Refused { why },
        500 if is_permanent(&lower) => Outcome::Refused { why },
        // 1.x: the policy is a parameter of the request, so no line is to blame.
        500 if lower.contains("retention policy not found") => hold(Cause::PolicyMissing),
        500 => retry(failure(&lower)),
        503 => retry(Cause::Unavailable),
        _ => retry(Cause::ServerFailed),
    }
}

/// 400 is also what a wrong precision or a missing parameter gets. Beside 1.x and 2.x, whose words these
/// are, Cloud and 3.x say `failed to parse line protocol`.
fn speaks_of_lines(lower: &str) -> bool {
    ["unable to parse", "partial write", "line protocol"].iter().any(|words| lower.contains(words))
}

/// Older 2.x answer a conflict with 500.
fn is_permanent(lower: &str) -> bool {
    ["field type conflict", "partial write"].iter().any(|words| lower.contains(words))
}

fn failure(lower: &str) -> Cause {
    if lower.contains("cache-max-memory-size exceeded") {
        Cause::CacheFull
    } else if lower.contains("no space left") || lower.contains("disk quota exceeded") {
        Cause::DiskFull
    } else if lower.contains("timeout") {
        Cause::Unavailable
    } else {
        Cause::ServerFailed
    }
}

fn what_is_missing(api: Api, lower: &str) -> Cause {
    if lower.contains("dbrp") {
        Cause::MappingMissing
    } else if lower.contains("database not found") {
        Cause::DatabaseMissing
    } else if lower.contains("organization") && lower.contains("not found") {
        Cause::OrgMissing
    } else if api == Api::V2 && lower.contains("bucket") && lower.contains("not found") {
        Cause::BucketMissing
    } else {
        Cause::EndpointMissing
    }
}

/// `422: failure writing points to database: ...`, fit for a log line.
fn words(answer: &Answer, message: &str) -> String {
    let said = printable(message.trim(), WORDS_CHARS_MAX);
    match &answer.location {
        Some(location) => format!("{}: to {location}", answer.status),
        None if said.is_empty() => answer.status.to_string(),
        None => format!("{}: {said}", answer.status),
    }
}

/// What the server said: 2.x in `message`, 1.x and 3.x in `error`, a proxy in whatever it likes.
pub fn message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    if !text.trim_start().starts_with('{') {
        return text.into_owned();
    }
    let said = match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(json) => {
            json.get("message").or_else(|| json.get("error")).and_then(|said| Some(said.as_str()?.to_owned()))
        }
        Err(_) => cut_string(&text, "\"message\":\"").or_else(|| cut_string(&text, "\"error\":\"")),
    };
    said.unwrap_or_else(|| text.into_owned())
}

/// A string of JSON that was cut somewhere in it.
fn cut_string(text: &str, before: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    // An escape has up to six characters, two of them may make one character.
    (0..12).find_map(|back| {
        let end = rest.len().checked_sub(back)?;
        serde_json::from_str(&format!("\"{}\"", rest.get(..end)?)).ok()
    })
}

/// Seconds or an HTTP date, bounded.
pub fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    let wanted = match header.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => {
            Duration::from_secs_f64(seconds.min(RETRY_AFTER_MAX.as_secs_f64()))
        }
        Ok(_) => return None,
        // Also for a date that has passed: at once.
        Err(_) => httpdate::parse_http_date(header).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wanted.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests;
