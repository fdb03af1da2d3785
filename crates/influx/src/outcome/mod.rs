//! Decides what an answer of InfluxDB means for the lines that were sent. Pure: a status and a parsed body in, a decision out.
//!
//! An unknown status or message never refuses a line: it blocks, or needs the proof that `salvage` collects. The table of all cases is in
//! docs/faults.md.

use crate::answer::Answer;
use crate::cause::Cause;
use crate::dialects::{LimitScope, missing};
use crate::error::RequestFailure;
use crate::parsed_answer::{AnswerSubject, BodyForm, ParsedAnswer, RefusalCause};
use base::Api;
use std::time::{Duration, SystemTime};

/// Longest accepted `Retry-After`; a longer one is shortened to this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);

/// Consequence of an answer for the lines of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Stored,
    /// The failure may pass: the same request is sent again after a while.
    Retry {
        cause: Cause,
        after: Option<Duration>,
        why: String,
    },
    /// The server did not understand the compression: the same request is sent without it.
    Uncompressed {
        why: String,
    },
    /// The request is too large: smaller ones are sent.
    TooLarge {
        why: String,
        /// The same as in [`Outcome::Refused`].
        is_foreign: bool,
    },
    /// Some line may be refused, and no other line is known to be stored. `salvage` finds the line and the proof.
    Refused {
        why: String,
        /// The body is not in the form of InfluxDB: another address may answer otherwise.
        is_foreign: bool,
    },
    /// Nothing is wrong with the lines: they are kept until the cause is removed.
    Blocked {
        cause: Cause,
        why: String,
        /// The same as in [`Outcome::Refused`].
        is_foreign: bool,
    },
}

/// A request without an answer.
impl From<RequestFailure> for Outcome {
    fn from(RequestFailure { cause, why }: RequestFailure) -> Self {
        match cause {
            // The answer of a proxy to CONNECT. It stays the same until the login is configured.
            Cause::ProxyLogin => Self::Blocked { cause, why, is_foreign: false },
            _ => Self::Retry { cause, after: None, why },
        }
    }
}

impl Outcome {
    /// Whether the address failed, so that another one may work. In its own words InfluxDB answers about the destination or the
    /// credential, which all addresses share.
    pub fn is_failure_of_address(&self) -> bool {
        match self {
            Self::Retry { cause, .. } => cause.is_of_address(),
            // A 407 comes from the proxy of the environment variables, which is the same for all addresses.
            Self::Blocked { cause, is_foreign, .. } => {
                cause.is_of_address() || (*is_foreign && *cause != Cause::ProxyLogin)
            }
            Self::Stored | Self::Uncompressed { .. } | Self::TooLarge { .. } | Self::Refused { .. } => false,
        }
    }
}

/// Decides by status and body.
pub fn classify(api: Api, answer: &Answer) -> Outcome {
    match answer.status {
        // The only success, and the only answer whose body does not matter.
        204 => Outcome::Stored,
        _ => decide(api, answer, &ParsedAnswer::of(answer)),
    }
}

/// Decides like [`classify`], for an answer that is parsed already.
pub fn decide(api: Api, answer: &Answer, parsed: &ParsedAnswer) -> Outcome {
    let status = answer.status;
    let why = reason(answer, &parsed.message);
    let retry = |cause| Outcome::Retry { cause, after: answer.retry_after, why: why.clone() };
    let is_foreign = parsed.form == BodyForm::Foreign;
    let blocked = |cause| Outcome::Blocked { cause, why: why.clone(), is_foreign };
    match status {
        204 => Outcome::Stored,
        ..=299 => match status {
            200.. => blocked(Cause::NotInflux),
            // Never the final answer of HTTP.
            _ => retry(Cause::ServerFailed),
        },
        300..=399 => blocked(Cause::Redirected),
        401 => blocked(Cause::Unauthorized),
        403 => blocked(Cause::Forbidden),
        404 | 410 | 421 => blocked(missing_cause(api, parsed)),
        405 => blocked(Cause::MethodRefused),
        407 => blocked(Cause::ProxyLogin),
        408 | 429 | 499 => retry(Cause::Busy),
        413 => Outcome::TooLarge { why, is_foreign },
        415 => Outcome::Uncompressed { why },
        400 | 422 => match &parsed.subject {
            AnswerSubject::Server(cause) => retry(*cause),
            AnswerSubject::Limit(limit) if limit.scope == LimitScope::Destination => {
                blocked(Cause::ServerLimit)
            }
            AnswerSubject::Request(cause) => blocked(*cause),
            AnswerSubject::EmptyWrite => blocked(Cause::RequestRefused),
            AnswerSubject::Encoding => Outcome::Uncompressed { why },
            AnswerSubject::Limit(_) | AnswerSubject::Line(_) | AnswerSubject::Unknown => {
                Outcome::Refused { why, is_foreign }
            }
        },
        402..=499 => blocked(Cause::RequestRefused),
        500 => match &parsed.subject {
            AnswerSubject::Server(cause) => retry(*cause),
            AnswerSubject::Limit(limit) if limit.scope == LimitScope::Destination => {
                blocked(Cause::ServerLimit)
            }
            // 1.6.7: 500 for a retention policy that is missing.
            AnswerSubject::Request(cause) => blocked(*cause),
            // An error of the server, whose message begins like one about lines: `QuestDB` 9.3.4 does so.
            AnswerSubject::Line(RefusalCause::Named(_) | RefusalCause::Other) => retry(Cause::ServerFailed),
            // Older 2.x answer a conflict with 500.
            AnswerSubject::Limit(_) | AnswerSubject::Line(_) => Outcome::Refused { why, is_foreign },
            AnswerSubject::EmptyWrite | AnswerSubject::Encoding | AnswerSubject::Unknown => {
                retry(Cause::ServerFailed)
            }
        },
        _ => retry(match &parsed.subject {
            AnswerSubject::Server(cause @ (Cause::DiskFull | Cause::CacheFull)) => *cause,
            _ if status == 503 => Cause::Unavailable,
            _ => Cause::ServerFailed,
        }),
    }
}

/// Classifies a 404. InfluxDB names the missing destination. Without its words the endpoint is missing, and another address may have it.
fn missing_cause(api: Api, parsed: &ParsedAnswer) -> Cause {
    match &parsed.subject {
        AnswerSubject::Request(
            cause @ (Cause::BucketMissing
            | Cause::OrgMissing
            | Cause::DatabaseMissing
            | Cause::MappingMissing),
        ) => missing(api, *cause),
        _ => Cause::EndpointMissing,
    }
}

/// Status and message for a log line: `422: failure writing points to database: ...`.
fn reason(answer: &Answer, message: &str) -> String {
    let message = answer.shown(message.trim());
    match &answer.location {
        Some(location) => format!("{}: to {location}", answer.status),
        None if message.is_empty() => answer.status.to_string(),
        None => format!("{}: {message}", answer.status),
    }
}

/// Parses a `Retry-After` header: seconds or an HTTP date, at most `RETRY_AFTER_MAX`.
pub fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    let wanted = match header.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => {
            Duration::from_secs_f64(seconds.min(RETRY_AFTER_MAX.as_secs_f64()))
        }
        Ok(_) => return None,
        // A date that has passed means at once.
        Err(_) => httpdate::parse_http_date(header).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wanted.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests;
