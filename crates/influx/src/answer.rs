//! Decides what an answer of InfluxDB means for the lines that were sent. Pure: status and reading in, decision out.
//!
//! A status or a sentence that is not known never refuses a line: it blocks, or wants the proof that `salvage` asks for. The
//! table of all cases is in docs/faults.md.

use super::cause::Cause;
use super::reading::{About, LimitScope, Reading};
use super::response::Answer;
use base::Api;
use std::time::{Duration, SystemTime};

/// A server that asks for more is tried after this nevertheless.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);

/// What follows for the lines of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Stored,
    /// Passing: the same request again after a while.
    Retry {
        cause: Cause,
        after: Option<Duration>,
        why: String,
    },
    /// The server did not understand the compression: the same request without it.
    Uncompressed {
        why: String,
    },
    /// Too large: smaller requests.
    Split {
        why: String,
    },
    /// Some line may be refused, and none of the others is known to be stored. `salvage` looks for the line and for proof.
    Refused {
        why: String,
    },
    /// Blocked: nothing is wrong with the lines, keep them until the cause is mended.
    Hold {
        cause: Cause,
        why: String,
    },
}

/// Decides by the status and the reading of the body.
pub fn classify(api: Api, answer: &Answer) -> Outcome {
    match answer.status {
        // The only success, and the only answer whose body does not matter.
        204 => Outcome::Stored,
        _ => decide(api, answer, &Reading::of(answer)),
    }
}

/// As [`classify`], for an answer that was read already.
pub(super) fn decide(api: Api, answer: &Answer, reading: &Reading) -> Outcome {
    let status = answer.status;
    let why = words(answer, &reading.message);
    let retry = |cause| Outcome::Retry { cause, after: answer.retry_after, why: why.clone() };
    let hold = |cause| Outcome::Hold { cause, why: why.clone() };
    match status {
        204 => Outcome::Stored,
        ..=299 => match status {
            200.. => hold(Cause::NotInflux),
            // Never the last answer of HTTP.
            _ => retry(Cause::ServerFailed),
        },
        300..=399 => hold(Cause::Redirected),
        401 => hold(Cause::Unauthorized),
        403 => hold(Cause::Forbidden),
        404 | 410 | 421 => hold(what_is_missing(api, reading)),
        405 => hold(Cause::MethodRefused),
        407 => hold(Cause::ProxyLogin),
        408 | 429 | 499 => retry(Cause::Busy),
        413 => Outcome::Split { why },
        415 => Outcome::Uncompressed { why },
        400 | 422 => match &reading.about {
            About::Server(cause) => retry(*cause),
            About::Limit(limit) if limit.scope == LimitScope::Destination => hold(Cause::ServerLimit),
            About::Request(cause) => hold(*cause),
            About::EmptyWrite => hold(Cause::RequestRefused),
            About::Encoding => Outcome::Uncompressed { why },
            About::Limit(_) | About::Line(_) | About::Unknown => Outcome::Refused { why },
        },
        402..=499 => hold(Cause::RequestRefused),
        500 => match &reading.about {
            About::Server(cause) => retry(*cause),
            About::Limit(limit) if limit.scope == LimitScope::Destination => hold(Cause::ServerLimit),
            // 1.6.7: 500 for a retention policy that is missing.
            About::Request(cause) => hold(*cause),
            // Older 2.x answer a conflict with 500.
            About::Limit(_) | About::Line(_) => Outcome::Refused { why },
            About::EmptyWrite | About::Encoding | About::Unknown => retry(Cause::ServerFailed),
        },
        _ => retry(match &reading.about {
            About::Server(cause @ (Cause::DiskFull | Cause::CacheFull)) => *cause,
            _ if status == 503 => Cause::Unavailable,
            _ => Cause::ServerFailed,
        }),
    }
}

/// In InfluxDB's own words the destination is missing, in others' the endpoint: then another address may have it.
fn what_is_missing(api: Api, reading: &Reading) -> Cause {
    match &reading.about {
        About::Request(Cause::BucketMissing) if api == Api::V1 => Cause::MappingMissing,
        About::Request(
            cause @ (Cause::BucketMissing
            | Cause::OrgMissing
            | Cause::DatabaseMissing
            | Cause::MappingMissing),
        ) => *cause,
        _ => Cause::EndpointMissing,
    }
}

/// `422: failure writing points to database: ...`, fit for a log line.
fn words(answer: &Answer, message: &str) -> String {
    let said = answer.shown(message.trim());
    match &answer.location {
        Some(location) => format!("{}: to {location}", answer.status),
        None if said.is_empty() => answer.status.to_string(),
        None => format!("{}: {said}", answer.status),
    }
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
