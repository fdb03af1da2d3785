//! Reasons why a record or an element can't become a point, and why a value of a point is dropped.

use super::formats::{Beginning, Format, SchemaId};
use super::time::TimeError;
use crate::decode::{Syntax, SyntaxError};
use base::text::{counted, printable, printable_bytes};
use line_protocol::reader::{LineError, Reason as LineReason};
use std::fmt;
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
    #[error("it is not {format}: {why} at byte {at}")]
    Unreadable { format: &'static str, why: &'static str, at: usize },
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
        "the flattened keys of one object have more than 8 MB: a long key stands around many values; shorten it, or select what is inside with `query`"
    )]
    KeysTooLong,
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
        "its arrays under `explode` have different lengths: {first:?} has {}, {second:?} has {}",
        counted(*of_first, "item"),
        counted(*of_second, "item")
    )]
    Lengths { first: String, of_first: usize, second: String, of_second: usize },
    #[error(
        "its elements after `explode` are more than {bytes_max} bytes, half of `batch.memory_max`: let the producer send fewer items in a record"
    )]
    ExplodedTooLarge { bytes_max: usize },
    #[error("{0} is no object, and only objects become points")]
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
    #[error("it becomes {bytes} bytes of lines, more than half of `batch.memory_max`")]
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
            Self::LongRow { .. } | Self::Lengths { .. } => Reason::Shape,
            Self::Comment(_) | Self::MeasurementMissing => Reason::Measurement,
            Self::KeyTooLong { .. } | Self::StringTooLong { .. } => Reason::TooLong,
            Self::NoMapping => Reason::NoMapping,
        }
    }
}

impl From<SyntaxError> for Rejection {
    fn from(error: SyntaxError) -> Self {
        if error.why == Syntax::Depth {
            Self::TooDeep(error)
        } else if error.why == Syntax::Keys {
            Self::KeysTooLong
        } else {
            Self::Undecodable(NotJson { error, context: None })
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

    /// The text without any content of the record.
    pub fn without_values(&self) -> String {
        match self {
            Self::Time { key, why, .. } => format!("its time under {key:?} can't be used: {why}"),
            Self::LineTime { line, why, .. } => format!("the time in its line {line} can't be used: {why}"),
            Self::Undecodable(NotJson { error, .. }) => format!("it is not JSON: {error}"),
            Self::Comment(_) => {
                "its measurement begins with \"#\", which InfluxDB reads as a comment".to_owned()
            }
            other => other.to_string(),
        }
    }

    /// Adds an excerpt of the record, where reading its JSON failed.
    pub fn with_excerpt(self, record: &[u8], format: Format) -> Self {
        match self {
            Self::Undecodable(NotJson { error, .. }) => {
                Self::Undecodable(NotJson { error, context: Some(Context::of(error, record, format)) })
            }
            other => other,
        }
    }
}

/// Reason and position of a JSON syntax error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson {
    error: SyntaxError,
    context: Option<Context>,
}

/// Bytes of the record that a message shows on each side of the position of the error.
const EXCERPT_BYTES: usize = 24;

/// The bytes around the position. The size is fixed, because a topic whose records are all broken must not cost allocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Context {
    bytes: [u8; 2 * EXCERPT_BYTES],
    before: usize,
    len: usize,
    hint: &'static str,
}

impl Context {
    fn of(error: SyntaxError, record: &[u8], format: Format) -> Self {
        let at = error.at.min(record.len());
        let behind = record.get(at..).unwrap_or_default();
        let from = start_of_character(record, at.saturating_sub(EXCERPT_BYTES)).min(at);
        let to = end_of_character(record, at.saturating_add(EXCERPT_BYTES).min(record.len())).max(at);
        let shown = record.get(from..to).unwrap_or_default();
        let mut bytes = [0; 2 * EXCERPT_BYTES];
        for (to, from) in bytes.iter_mut().zip(shown) {
            *to = *from;
        }
        Self {
            bytes,
            before: at - from,
            len: shown.len(),
            hint: kind_of_value(record).unwrap_or_else(|| hint(error.why, behind, format)),
        }
    }
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        let Some(context) = &self.context else { return Ok(()) };
        let shown = context.bytes.get(..context.len).unwrap_or_default();
        let (before, behind) = shown.split_at_checked(context.before).unwrap_or_default();
        let excerpt = printable_bytes(shown, 2 * EXCERPT_BYTES);
        let is_behind_comma = before.trim_ascii_end().last() == Some(&b',');
        match (self.error.why, behind.first()) {
            (Syntax::Key | Syntax::Value, Some(bracket @ (b'}' | b']'))) if is_behind_comma => {
                write!(f, ": found \"{}\" behind a comma", char::from(*bracket))?;
            }
            (_, Some(b'\'')) => f.write_str(": found a single quote; JSON has double quotes only")?,
            (_, None) => f.write_str(": found the end")?,
            (_, Some(_)) => {
                let first =
                    String::from_utf8_lossy(behind).chars().next().map(String::from).unwrap_or_default();
                write!(f, ": found \"{}\"", printable(&first, 1))?;
            }
        }
        write!(f, ", in `{excerpt}`{}", context.hint)
    }
}

/// The kind of data that a value seems to be, with a remedy. Allocates nothing, because all records of a topic may be of this kind.
fn kind_of_value(record: &[u8]) -> Option<&'static str> {
    match record {
        [0x1F, 0x8B, ..] => Some(
            "; the value seems to be compressed with gzip: set `value_compression = \"gzip\"` or leave it out",
        ),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(
            "; the value seems to be compressed with zstd: set `value_compression = \"zstd\"` or leave it out",
        ),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..] => {
            Some("; the value seems to be UTF-16, and JSON is UTF-8: let the producer send UTF-8")
        }
        [0, _, _, _, _, ..] => Some(
            "; the value seems to be a Schema Registry frame (a zero byte and the id of a schema), such as Avro or Protobuf: set its \
             `format`, or let the producer send JSON",
        ),
        _ if is_line_protocol(record) => {
            Some("; the value seems to be line protocol: set its `format`, or let the producer send JSON")
        }
        _ => None,
    }
}

/// Whether a value begins like a line: measurement and tags without quotes and brackets, a space, and a field.
fn is_line_protocol(value: &[u8]) -> bool {
    let line = value.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut spaces = memchr::memchr_iter(b' ', line);
    let is_plain = |at: &usize| {
        at.checked_sub(1).and_then(|before| line.get(before)).is_some_and(|before| *before != b'\\')
    };
    let Some((series, fields)) = spaces.find(is_plain).and_then(|at| line.split_at_checked(at)) else {
        return false;
    };
    let has_quotes = series.iter().any(|byte| b"{}[]\"':<>".contains(byte) || byte.is_ascii_control());
    let mut parts = fields.get(1..).unwrap_or_default().splitn(2, |byte| *byte == b'=');
    let name = parts.next().unwrap_or_default();
    let is_name = !name.is_empty() && !name.iter().any(|byte| b" \"{}".contains(byte));
    let value = parts.next().and_then(|value| value.first());
    let is_value = value.is_some_and(|byte| byte.is_ascii_digit() || b"-.\"tTfF".contains(byte));
    !has_quotes && is_name && is_value
}

/// The remedy for several values in one record.
fn hint(why: Syntax, behind: &[u8], format: Format) -> &'static str {
    let is_value = matches!(behind.first(), Some(b'{' | b'['));
    if why == Syntax::Trailing && is_value && format == Format::Json {
        "; for several JSON values in one record, set `format = \"json_lines\"`"
    } else {
        ""
    }
}

/// Length of the longest character in UTF-8.
const CHARACTER_BYTES_MAX: usize = 4;

/// The position, or the next character's where the position is within a character.
fn start_of_character(bytes: &[u8], at: usize) -> usize {
    (at..at + CHARACTER_BYTES_MAX).find(|at| is_start(bytes, *at)).unwrap_or(at)
}

/// The position, or the start of the character that the position is within.
fn end_of_character(bytes: &[u8], at: usize) -> usize {
    (at.saturating_sub(CHARACTER_BYTES_MAX - 1)..=at).rfind(|at| is_start(bytes, *at)).unwrap_or(at)
}

fn is_start(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000)
}

/// Reason why a value of a point was left out, or its text changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Drop {
    /// A string or boolean that no option keeps.
    String,
    /// A string under `number_fields` that is not a number.
    NotANumber,
    /// A value that can't become the type that `types` gives its key.
    Type,
    /// An integer of more than 64 bits, with `integers = "int"`.
    IntegerRange,
    /// A final key that InfluxDB reserves: `time`, `_field`, `_measurement`; or an empty one.
    ReservedKey,
    /// A value whose final key occurs again in the same point; the last value is kept.
    Duplicate,
    /// Backslashes that can't be written at the end of a name or before an escaped character.
    Backslash,
    /// Bytes that are not UTF-8, written as U+FFFD.
    NotUtf8,
    /// Binary data, or a type of a binary format that no field can have, such as an integer of more than 64 bits.
    Binary,
    /// NaN or infinity.
    NotFinite,
    /// A placeholder of `measurement` that finds nothing: the point has the topic's name.
    Measurement,
    /// An item of `pivot` or `zip` without a text as its name, or without a value.
    Item,
    /// A string under `parse_json` that is no JSON.
    NotJson,
    /// A field of line protocol whose key is also a tag of the point.
    TagAndField,
}

impl Drop {
    pub const ALL: [Self; 14] = [
        Self::String,
        Self::NotANumber,
        Self::Type,
        Self::IntegerRange,
        Self::ReservedKey,
        Self::Duplicate,
        Self::Backslash,
        Self::NotUtf8,
        Self::Binary,
        Self::NotFinite,
        Self::Measurement,
        Self::Item,
        Self::NotJson,
        Self::TagAndField,
    ];

    /// The name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::NotANumber => "not_a_number",
            Self::Type => "type",
            Self::IntegerRange => "integer_range",
            Self::ReservedKey => "reserved_key",
            Self::Duplicate => "duplicate",
            Self::Backslash => "backslash",
            Self::NotUtf8 => "not_utf8",
            Self::Binary => "binary",
            Self::NotFinite => "not_finite",
            Self::Measurement => "measurement",
            Self::Item => "item",
            Self::NotJson => "not_json",
            Self::TagAndField => "tag_and_field",
        }
    }

    /// What happened, and which option keeps the value.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::String => {
                "strings and booleans are dropped: add the key to `string_fields` (or `tag_keys`, or `number_fields` for quoted numbers), or to `exclude` to say that it is not wanted"
            }
            Self::NotANumber => {
                "the string under `number_fields` is no number, so this point lacks the field; words such as \"unavailable\" need no \
                 remedy, and a key that always holds text belongs out of `number_fields`"
            }
            Self::Type => {
                "the value can't become the type that `types` gives its key, so this point lacks the field: give the key another type, or take the words that stand for no value out with `values`"
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
            Self::Binary => {
                "binary data and types other than text, numbers and timestamps are dropped: let the producer send text or numbers"
            }
            Self::Item => {
                "an item of this list has no text as its name or no value, so it becomes no field: check the keys in `pivot` or `zip`"
            }
            Self::NotJson => {
                "a string under `parse_json` is no JSON and stays a string: if the key never holds JSON, take it out of `parse_json`"
            }
            Self::NotFinite => "InfluxDB stores neither NaN nor infinity, so this point lacks the field",
            Self::Measurement => {
                "a placeholder of `measurement` finds nothing, so the point has the topic's name as its measurement: correct the \
                 placeholder, or let the producer send the value"
            }
            Self::TagAndField => {
                "the key is a tag of the same point, InfluxDB 3 refuses such points, and the tag stays: let the producer rename one of \
                 them, or add the key to `exclude` to say that the field is not wanted"
            }
        }
    }
}

impl fmt::Display for Drop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.remedy())
    }
}

/// Numbers of dropped or changed values, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops([u64; Drop::ALL.len()]);

impl Drops {
    pub fn add(&mut self, drop: Drop) {
        if let Some(count) = self.0.get_mut(drop as usize) {
            *count += 1;
        }
    }

    pub fn has(&self, drop: Drop) -> bool {
        self.0.get(drop as usize).is_some_and(|count| *count > 0)
    }

    pub fn add_all(&mut self, others: &Self) {
        for (count, other) in self.0.iter_mut().zip(others.0) {
            *count += other;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Drop, u64)> + '_ {
        Drop::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0)
    }

    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Scanner;

    fn rejection(record: &[u8], format: Format) -> String {
        let mut scanner = Scanner::new(record);
        let read = scanner.value().and_then(|token| scanner.skip_rest(token, 0)).and_then(|()| scanner.end());
        Rejection::from(read.unwrap_err()).with_excerpt(record, format).to_string()
    }

    #[test]
    fn shows_where_json_breaks() {
        let f = |record: &str, want: &str| {
            let text = rejection(record.as_bytes(), Format::Json);
            assert_eq!(text, format!("it is not JSON: {want}"), "{record}");
        };
        f(r#"{"a":1,}"#, r#"no quoted key at byte 7: found "}" behind a comma, in `{"a":1,}`"#);
        f("[1, ]", "no JSON value at byte 4: found \"]\" behind a comma, in `[1, ]`");
        f("{a:1}", "no quoted key at byte 1: found \"a\", in `{a:1}`");
        f(
            "{'a':1}",
            "no quoted key at byte 1: found a single quote; JSON has double quotes only, in `{'a':1}`",
        );
        f(r#"{"a":1"#, r#"the value is cut off at byte 6: found the end, in `{"a":1`"#);
        f("온도=1", "no JSON value at byte 0: found \"온\", in `온도=1`");
    }

    #[test]
    fn names_what_a_value_seems_to_be() {
        let f = |record: &[u8], want: &str| {
            let text = rejection(record, Format::Json);
            assert_eq!(text.contains("seems to be"), !want.is_empty(), "{text}");
            assert!(text.contains(want), "{text}");
        };
        f(b"\x1F\x8B\x08\0\0", "gzip: set `value_compression");
        f(b"\x28\xB5\x2F\xFD\0", "zstd: set `value_compression");
        f(b"\0\0\0\0\x07\x02", "Schema Registry frame");
        f(b"\xFF\xFE{\0\"\0", "UTF-16");
        f(b"{\0\"\0a\0", "UTF-16");
        f(b"\0{\0\"\0a", "UTF-16");
        f(b"cpu,host=a\\ b usage=0.5 1700000000000000000", "line protocol: set its `format`");
        f(b"cpu s=\"text\"\ncpu s=\"text\"", "line protocol");
        f(b"hello world", "");
        f(b"{'a':1} b=1", "");
        f(b"level=info msg=x", "");
        f(b"\0\0", "");
        f(b"{\"a\":1,}", "");
    }

    #[test]
    fn an_excerpt_is_short_and_printable() {
        let long = format!("{{\"{}\":1,\u{1b}[2J{}", "온".repeat(100), "x".repeat(1_000));
        let text = rejection(long.as_bytes(), Format::Json);
        assert!(
            text.chars().count() < 200 && !text.contains('\u{1b}') && !text.contains('\u{fffd}'),
            "{text}"
        );
        let broken = [&b"{\"a\":\xff\xfe"[..], &[0x80; 100]].concat();
        assert!(rejection(&broken, Format::Json).chars().count() < 200);
        for at in (0..long.len() + 3).filter(|at| *at >= long.len() || long.is_char_boundary(*at)) {
            let error = SyntaxError { at, why: Syntax::Comma };
            let text = Rejection::from(error).with_excerpt(long.as_bytes(), Format::Json).to_string();
            assert!(!text.contains('\u{fffd}'), "{at}: {text}");
        }
    }

    #[test]
    fn advises_json_lines_only_where_it_helps() {
        let f = |record: &str, format: Format, want: bool| {
            let text = rejection(record.as_bytes(), format);
            assert_eq!(text.contains("set `format = \"json_lines\"`"), want, "{text}");
        };
        f("{\"a\":1}\n{\"a\":2}", Format::Json, true);
        f("{\"a\":1}{\"a\":2}", Format::Json, true);
        f("{\"a\":1} [2]", Format::Json, true);
        f("{\"a\":1},", Format::Json, false);
        f("01", Format::Json, false);
        f("{\"a\":1},", Format::JsonLines, false);
    }

    #[test]
    fn can_be_shown_without_values() {
        let why = TimeError::OutOfRange;
        let time = Rejection::Time { key: "t".into(), text: "hidden".into(), why };
        let comment = Rejection::Comment("#hidden".into());
        let error = SyntaxError { at: 0, why: Syntax::Value };
        let undecodable = Rejection::from(error).with_excerpt(b"hidden", Format::Json);
        for rejection in [time, comment, undecodable] {
            assert!(rejection.to_string().contains("hidden"));
            assert!(!rejection.without_values().contains("hidden"));
        }
    }

    #[test]
    fn no_advice_changes_the_type_of_a_field() {
        assert!(!Drop::NotANumber.remedy().contains("string_fields"));
    }
}
