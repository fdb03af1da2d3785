//! Times of records, to nanoseconds since 1970.

use jiff::tz::TimeZone;
use thiserror::Error;

/// How `time_key`'s value is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// Numbers since 1970, quoted or not, with a fraction or an exponent; `unit_ns` nanoseconds are one.
    Unix {
        unit_ns: i64,
    },
    Rfc3339,
    /// A pattern of strptime.
    Pattern(String),
}

#[derive(Debug, Error)]
pub enum TimeFormatError {
    #[error(
        "{0:?} is neither unix, unix_ms, unix_us, unix_ns, rfc3339 nor a strptime pattern such as \"%Y-%m-%d %H:%M:%S\""
    )]
    Unknown(String),
    #[error("{layout:?} is a Go layout; as a pattern it is {pattern:?}")]
    GoLayout { layout: String, pattern: String },
    #[error("{pattern:?} is not a strptime pattern: {why}")]
    Pattern { pattern: String, why: String },
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum TimeError {
    #[error("it is not written as {0}")]
    Unreadable(String),
    #[error("it lies outside what InfluxDB can store (1677-09-21 to 2262-04-11): is time_format right?")]
    OutOfRange,
}

impl TimeFormat {
    /// # Errors
    /// When the text is no format; a Go layout is answered with its pattern.
    pub fn parse(text: &str) -> Result<Self, TimeFormatError> {
        Err(TimeFormatError::Unknown(text.to_owned()))
    }
}

/// A zone of the built-in database.
#[must_use]
pub fn zone_by_name(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}
