//! Why a record, or one element of it, can't become a point; and what of a point was left out.

use super::TimeError;
use crate::decode::{Syntax, SyntaxError};
use std::fmt;
use thiserror::Error;

/// Why something was rejected. The text ends in what to do where there is something to do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Rejection {
    #[error("its value is empty")]
    Empty,
    #[error("it has {bytes} bytes, more than `record_bytes_max` = {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("it is not JSON: {0}{hint}", hint = syntax_hint(.0.why))]
    Undecodable(SyntaxError),
    #[error("it is nested too deeply: {0}")]
    TooDeep(SyntaxError),
    #[error("{0} is no object, and only objects become points")]
    NotAnObject(&'static str),
    #[error("it has no value under `time_key` {0:?}")]
    TimeMissing(String),
    #[error("its time {text:?} under {key:?} can't be used: {why}")]
    Time { key: String, text: String, why: TimeError },
    #[error("Kafka's timestamp of it can't be used: {0}; is the producer's clock right?")]
    KafkaTime(TimeError),
    #[error("Kafka holds no timestamp for it: name a `time_key`")]
    KafkaTimeMissing,
    #[error("its measurement {0:?} begins with \"#\", which InfluxDB reads as a comment")]
    Comment(String),
    #[error("it has no measurement: name and topic are empty")]
    MeasurementMissing,
    #[error("its measurement and tags, with the key {key:?}, have {bytes} bytes, InfluxDB stores 65535")]
    KeyTooLong { key: String, bytes: usize },
    #[error("its string under {key:?} has {bytes} bytes, InfluxDB stores 1048576")]
    StringTooLong { key: String, bytes: usize },
    #[error("it becomes {bytes} bytes of lines, more than half of `batch.memory_max`")]
    LinesTooLarge { bytes: usize },
    #[error("no [[mapping]] matches its topic")]
    NoMapping,
}

/// The kinds of rejection, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    Empty,
    TooLarge,
    Undecodable,
    TooDeep,
    NotAnObject,
    Time,
    Measurement,
    TooLong,
    NoMapping,
}

impl Reason {
    pub const ALL: [Self; 9] = [
        Self::Empty,
        Self::TooLarge,
        Self::Undecodable,
        Self::TooDeep,
        Self::NotAnObject,
        Self::Time,
        Self::Measurement,
        Self::TooLong,
        Self::NoMapping,
    ];

    /// As it stands in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::Undecodable => "undecodable",
            Self::TooDeep => "too_deep",
            Self::NotAnObject => "not_an_object",
            Self::Time => "time",
            Self::Measurement => "measurement",
            Self::TooLong => "too_long",
            Self::NoMapping => "no_mapping",
        }
    }
}

impl Rejection {
    pub fn reason(&self) -> Reason {
        match self {
            Self::Empty => Reason::Empty,
            Self::TooLarge { .. } | Self::LinesTooLarge { .. } => Reason::TooLarge,
            Self::Undecodable(_) => Reason::Undecodable,
            Self::TooDeep(_) => Reason::TooDeep,
            Self::NotAnObject(_) => Reason::NotAnObject,
            Self::TimeMissing(_) | Self::Time { .. } | Self::KafkaTime(_) | Self::KafkaTimeMissing => {
                Reason::Time
            }
            Self::Comment(_) | Self::MeasurementMissing => Reason::Measurement,
            Self::KeyTooLong { .. } | Self::StringTooLong { .. } => Reason::TooLong,
            Self::NoMapping => Reason::NoMapping,
        }
    }
}

impl From<SyntaxError> for Rejection {
    fn from(error: SyntaxError) -> Self {
        if error.why == Syntax::Depth { Self::TooDeep(error) } else { Self::Undecodable(error) }
    }
}

fn syntax_hint(why: Syntax) -> &'static str {
    match why {
        Syntax::Trailing => "; for several JSON values in one record say `format = \"json_lines\"`",
        _ => "",
    }
}

/// Why a value of a point was left out, or its text changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Drop {
    /// A string or boolean that no option keeps.
    String,
    /// A string under `number_fields` that is no number.
    NotANumber,
    /// An integer of more than 64 bits, with `integers = "int"`.
    IntegerRange,
    /// A final key that InfluxDB reserves: `time`, `_field`, `_measurement`; or an empty one.
    ReservedKey,
    /// A value whose final key occurs again in the same point: the last stays.
    Duplicate,
    /// Backslashes that can't be written at the end of a name or before an escaped character.
    Backslash,
    /// Bytes that are not UTF-8, written as U+FFFD.
    NotUtf8,
}

impl Drop {
    pub const ALL: [Self; 7] = [
        Self::String,
        Self::NotANumber,
        Self::IntegerRange,
        Self::ReservedKey,
        Self::Duplicate,
        Self::Backslash,
        Self::NotUtf8,
    ];

    /// As it stands in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::NotANumber => "not_a_number",
            Self::IntegerRange => "integer_range",
            Self::ReservedKey => "reserved_key",
            Self::Duplicate => "duplicate",
            Self::Backslash => "backslash",
            Self::NotUtf8 => "not_utf8",
        }
    }

    /// What happened, and the option that keeps the value.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::String => {
                "strings and booleans are dropped: add the key to `string_fields` (or `tag_keys`, or `number_fields` for quoted numbers), or to `exclude` to say that it is not wanted"
            }
            Self::NotANumber => {
                "the string under `number_fields` is no number: take the key out, or add it to `string_fields`"
            }
            Self::IntegerRange => {
                "an integer of more than 64 bits is dropped: `integers = \"float\"` keeps it, rounded"
            }
            Self::ReservedKey => {
                "InfluxDB reserves this key or can't store it: give it another with `rename`"
            }
            Self::Duplicate => {
                "two values of a point have this final key, the last stays: keep both with `rename`"
            }
            Self::Backslash => {
                "backslashes at the end of a name or before a comma, equals sign or space can't be written and are left out"
            }
            Self::NotUtf8 => "bytes that are not UTF-8 are written as U+FFFD: let the producer send UTF-8",
        }
    }
}

impl fmt::Display for Drop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.remedy())
    }
}
