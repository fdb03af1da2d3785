//! Reasons why a record or an element can't become a point.

use super::formats::{Beginning, Format, SchemaId};
use super::not_json::{Context, NotJson};
use super::time::TimeError;
use crate::decode::{Syntax, SyntaxError};
use base::text::counted;
use line_protocol::reader::{LineError, Reason as LineReason};
use std::sync::Arc;
use thiserror::Error;

/// Reason of a rejection. The text ends in a remedy where one exists.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Rejection {
    #[error("its value is empty")]
    Empty,
    #[error("it has {bytes} bytes, more than `record_bytes_max` = {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("its compressed value has more than `record_bytes_max` = {bytes_max} bytes when it is unpacked")]
    UnpackedTooLarge { bytes_max: usize },
    #[error("it is not JSON: {0}")]
    Undecodable(NotJson),
    #[error("it is not {format}: {why} at byte {at}{}", shown(.context.as_ref()))]
    Unreadable { format: &'static str, why: &'static str, at: usize, context: Option<Context> },
    #[error("its line {line} has {}, and its header has {columns}: is `delimiter` right?", counted(*cells as usize, "cell"))]
    Row { line: u32, cells: u32, columns: usize },
    #[error("a quote before the end of its line {line} is never closed")]
    OpenQuote { line: u32 },
    #[error("its line {line} is not line protocol: {error}{}", line_remedy(.error))]
    BadLine { line: usize, error: LineError },
    #[error("the time {time} in its line {line} can't be used: {why}")]
    LineTime { line: usize, time: i64, why: TimeError },
    #[error(
        "its rows become more than {bytes_max} bytes with the names of their columns, half of `batch.memory_max`: let the producer send fewer rows in a record"
    )]
    RowsTooLarge { bytes_max: usize },
    #[error(
        "the flattened keys of one object have more than 8 MB together, because a long key stands around many values: shorten the key, or select the values inside it with `query`"
    )]
    KeysTooLong,
    #[error(
        "`query` or `where` visits its values over and over, because \"..\" or filters stand within one another and its values are nested \
         deeply: write a query that names the keys on the way"
    )]
    TooMuchWork,
    #[error("it does not fit {}: {why} at byte {at}{}", schema_name(*.schema), looks_like(*.looks))]
    Unfit { schema: Option<SchemaId>, why: &'static str, at: usize, looks: Beginning },
    #[error(
        "it does not begin with the frame of a schema registry (0x00 and a schema id of four bytes): {0}"
    )]
    Unframed(Beginning),
    #[error(
        "it begins with the frame of a schema registry (schema {schema}), which values of format = {format:?} do not have: set `format` to that of the \
         registry's serializer (\"avro\", or \"json\" for JSON Schema)"
    )]
    Framed { schema: SchemaId, format: &'static str },
    #[error("{}", missing_schema(*.id, .why))]
    SchemaMissing { id: SchemaId, why: MissingSchema },
    #[error(
        "its schema {id} can't be used: {why}: register a new version of the schema, or give the topic the right `format`"
    )]
    SchemaUnusable { id: SchemaId, why: Arc<str> },
    #[error(
        "it becomes more than {bytes_max} bytes with the names of its fields, half of `batch.memory_max`: let the producer send less in a record"
    )]
    TextTooLarge { bytes_max: usize },
    #[error(
        "it does not fit {}: its field {number} is {written} at byte {at}, and the schema declares {declared}{}",
        schema_name(*.schema),
        if schema.is_none() { ": correct `message`, or take the schema of the producer" } else { "" }
    )]
    FieldType {
        schema: Option<SchemaId>,
        number: u32,
        written: &'static str,
        declared: &'static str,
        at: usize,
    },
    #[error(
        "its frame selects the message with the index {index}, which {} does not have{}",
        schema_name(*.schema),
        if schema.is_none() { ": take the file that the producer registered" } else { "" }
    )]
    MessageIndex { schema: Option<SchemaId>, index: u64 },
    #[error("it is nested too deeply: {0}")]
    TooDeep(SyntaxError),
    #[error("its row has {}, and `columns` names {columns}: name each column", counted(*values, "value"))]
    LongRow { values: usize, columns: usize },
    #[error(
        "its row has an object or an array as its value {value}, and `columns` names single values: select the rows themselves with `query`, or let the producer send flat rows"
    )]
    NestedRow { value: usize },
    #[error(
        "its arrays under `explode` have different lengths: {first:?} has {}, {second:?} has {}",
        counted(*of_first, "item"),
        counted(*of_second, "item")
    )]
    Lengths { first: String, of_first: usize, second: String, of_second: usize },
    #[error(
        "its elements after `explode` are more than {bytes_max} bytes, half of `batch.memory_max`: let the producer send fewer items in a record"
    )]
    ExplodedTooLarge { bytes_max: usize },
    #[error("{0} is no object, and only objects become points: {remedy}", remedy = remedy_of(.0))]
    NotAnObject(&'static str),
    #[error("it has no value under `time_key` {0:?}")]
    TimeMissing(String),
    #[error("it has no value for a placeholder of `time` = {0:?}")]
    TimePartMissing(String),
    #[error("its time {text:?} under {key:?} can't be used: {why}")]
    Time { key: String, text: String, why: TimeError },
    #[error("its Kafka timestamp can't be used: {0}; is the producer's clock right?")]
    KafkaTime(TimeError),
    #[error("it has no Kafka timestamp: set `time_key` to the key of its time")]
    KafkaTimeMissing,
    #[error(
        "its Kafka timestamp is out of range: {0} ms since 1970 is after the year 2262; is the producer's clock right?"
    )]
    KafkaTimeOutOfRange(i64),
    #[error("its measurement {0:?} begins with \"#\", which InfluxDB reads as a comment")]
    Comment(String),
    #[error("it has no measurement: name and topic are empty")]
    MeasurementMissing,
    #[error(
        "its measurement and tags, with the key {key:?}, have {bytes} bytes, more than the 65535 that InfluxDB stores"
    )]
    KeyTooLong { key: String, bytes: usize },
    #[error("its string under {key:?} has {bytes} bytes, more than the 1048576 that InfluxDB stores")]
    StringTooLong { key: String, bytes: usize },
    #[error(
        "it becomes {bytes} bytes of lines, more than half of `batch.memory_max`; text from outside of its elements, such as a tag of their parent, \
         counts for each of them: let the producer send fewer elements in a record"
    )]
    LinesTooLarge { bytes: usize },
    #[error("no [[mapping]] matches its topic")]
    NoMapping,
}

/// Reason why a schema is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingSchema {
    /// No schema registry is configured.
    NoRegistry,
    /// The registry has not answered yet.
    Awaited,
    /// The registry can't be asked, or its answer does not count. The failure says why, and what to do.
    Failed(Arc<SchemaFailure>),
    /// The registry has no schema with this id.
    Unknown,
}

/// Failure of a schema registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFailure {
    pub why: String,
    pub remedy: String,
}

fn missing_schema(id: SchemaId, why: &MissingSchema) -> String {
    match why {
        MissingSchema::NoRegistry => format!(
            "it begins with the frame of a schema registry (schema {id}), and no registry is configured: add [schema_registry] with its `url`"
        ),
        MissingSchema::Awaited => format!("the schema registry has not answered yet what its schema {id} is"),
        MissingSchema::Failed(failure) => {
            format!("its schema {id} can't be read: {}: {}", failure.why, failure.remedy)
        }
        MissingSchema::Unknown => format!(
            "the schema registry has no schema {id}: correct `url` of [schema_registry], or register the schema again under its id"
        ),
    }
}

fn shown(context: Option<&Context>) -> String {
    context.map(ToString::to_string).unwrap_or_default()
}

/// What the beginning of a value shows, behind another message.
fn looks_like(looks: Beginning) -> String {
    if looks == Beginning::Other { String::new() } else { format!("; {looks}") }
}

fn schema_name(id: Option<SchemaId>) -> String {
    id.map_or_else(|| "its `schema`".to_owned(), |id| format!("its schema {id}"))
}

/// Kinds of rejection, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    Empty,
    TooLarge,
    Undecodable,
    TooDeep,
    NotAnObject,
    /// An element that `columns` or `explode` cannot rearrange.
    Shape,
    Time,
    Measurement,
    TooLong,
    NoMapping,
    /// Its schema is unknown or can't be used.
    Schema,
}

impl Reason {
    pub const ALL: [Self; 11] = [
        Self::Empty,
        Self::TooLarge,
        Self::Undecodable,
        Self::TooDeep,
        Self::NotAnObject,
        Self::Shape,
        Self::Time,
        Self::Measurement,
        Self::TooLong,
        Self::NoMapping,
        Self::Schema,
    ];

    /// The name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::Undecodable => "undecodable",
            Self::TooDeep => "too_deep",
            Self::NotAnObject => "not_an_object",
            Self::Shape => "shape",
            Self::Time => "time",
            Self::Measurement => "measurement",
            Self::TooLong => "too_long",
            Self::NoMapping => "no_mapping",
            Self::Schema => "schema",
        }
    }
}

impl Rejection {
    pub fn reason(&self) -> Reason {
        match self {
            Self::Empty => Reason::Empty,
            Self::TooLarge { .. }
            | Self::UnpackedTooLarge { .. }
            | Self::LinesTooLarge { .. }
            | Self::RowsTooLarge { .. }
            | Self::KeysTooLong
            | Self::TooMuchWork
            | Self::ExplodedTooLarge { .. }
            | Self::TextTooLarge { .. } => Reason::TooLarge,
            Self::TimeMissing(_)
            | Self::TimePartMissing(_)
            | Self::Time { .. }
            | Self::LineTime { .. }
            | Self::BadLine { error: LineError { reason: LineReason::TimeRange, .. }, .. }
            | Self::KafkaTime(_)
            | Self::KafkaTimeMissing
            | Self::KafkaTimeOutOfRange(_) => Reason::Time,
            Self::Undecodable(_)
            | Self::Unreadable { .. }
            | Self::Row { .. }
            | Self::OpenQuote { .. }
            | Self::BadLine { .. }
            | Self::Unfit { .. }
            | Self::FieldType { .. }
            | Self::MessageIndex { .. }
            | Self::Unframed(_)
            | Self::Framed { .. } => Reason::Undecodable,
            Self::SchemaMissing { .. } | Self::SchemaUnusable { .. } => Reason::Schema,
            Self::TooDeep(_) => Reason::TooDeep,
            Self::NotAnObject(_) => Reason::NotAnObject,
            Self::LongRow { .. } | Self::NestedRow { .. } | Self::Lengths { .. } => Reason::Shape,
            Self::Comment(_) | Self::MeasurementMissing => Reason::Measurement,
            Self::KeyTooLong { .. } | Self::StringTooLong { .. } => Reason::TooLong,
            Self::NoMapping => Reason::NoMapping,
        }
    }
}

impl From<SyntaxError> for Rejection {
    fn from(error: SyntaxError) -> Self {
        match error.why {
            Syntax::Depth => Self::TooDeep(error),
            Syntax::Keys => Self::KeysTooLong,
            Syntax::Work => Self::TooMuchWork,
            _ => Self::Undecodable(error.into()),
        }
    }
}

/// What to do about a bad line.
fn line_remedy(error: &LineError) -> &'static str {
    match error.reason {
        LineReason::MissingFields | LineReason::InvalidField => {
            "; is `format` right, and does the producer escape spaces, commas and equals signs in names?"
        }
        LineReason::UnbalancedQuotes | LineReason::AfterString | LineReason::InvalidBoolean => {
            "; let the producer quote strings, and escape quotes and backslashes inside of them"
        }
        LineReason::ReservedTag(_) => ", which InfluxDB reserves: give the tag another key with `rename`",
        LineReason::DuplicateTag => ": let the producer write each tag once",
        LineReason::MissingTagValue => "; let the producer leave out tags without a value",
        LineReason::BadTimestamp => "; a time is an integer in the unit of `precision`",
        _ => "",
    }
}

impl Rejection {
    /// The rejection of a value that has no frame.
    pub(super) fn unframed(value: &[u8]) -> Self {
        Self::Unframed(Beginning::of(value))
    }

    /// The hint at the end of the text that says what the value seems to be, with a remedy; empty if nothing is known.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Undecodable(why) => why.hint(),
            Self::Unreadable { context, .. } => context.as_ref().map_or("", Context::hint),
            _ => "",
        }
    }

    /// The text without any content of the record.
    pub fn without_values(&self) -> String {
        match self {
            Self::Time { key, why, .. } => format!("its time under {key:?} can't be used: {why}"),
            Self::LineTime { line, why, .. } => format!("the time in its line {line} can't be used: {why}"),
            Self::Undecodable(NotJson { error, .. }) => format!("it is not JSON: {error}"),
            Self::Unreadable { format, why, at, .. } => format!("it is not {format}: {why} at byte {at}"),
            Self::Comment(_) => {
                "its measurement begins with \"#\", which InfluxDB reads as a comment".to_owned()
            }
            other => other.to_string(),
        }
    }

    /// Adds an excerpt of the record, where reading its text or bytes failed.
    pub fn with_excerpt(self, record: &[u8], format: Format) -> Self {
        match self {
            Self::Undecodable(why) => Self::Undecodable(why.with_excerpt(record, format)),
            Self::Unreadable { format, why, at, .. } => {
                Self::Unreadable { format, why, at, context: Some(Context::around(at, record)) }
            }
            other => other,
        }
    }
}

/// The remedy for records whose value is no object but of this kind.
fn remedy_of(kind: &str) -> &'static str {
    if kind == "a string" {
        "a producer that encodes JSON twice should send the object itself, and plain texts need `format = \"value\"`"
    } else {
        "select values inside of the record with `query`"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn can_be_shown_without_values() {
        let why = TimeError::OutOfRange;
        let time = Rejection::Time { key: "t".into(), text: "hidden".into(), why };
        let comment = Rejection::Comment("#hidden".into());
        let error = SyntaxError { at: 0, why: Syntax::Value };
        let undecodable = Rejection::from(error).with_excerpt(b"hidden", Format::Json);
        let unreadable = Rejection::Unreadable { format: "CBOR", why: "cut off", at: 0, context: None };
        let unreadable = unreadable.with_excerpt(b"hidden", Format::Cbor);
        for rejection in [time, comment, undecodable, unreadable] {
            assert!(rejection.to_string().contains("hidden"));
            assert!(!rejection.without_values().contains("hidden"));
        }
    }
}
