//! A strict reader of line protocol, for tests, for the receiver, and for finding lines that InfluxDB refuses. Each point that it
//! reads is the point that InfluxDB 1.x and 2.x store.
//!
//! The reader follows the scanning rules of these servers byte by byte, because the rules differ between the parts of a line: in a
//! name only the previous byte counts, in a field backslashes count in pairs. It refuses lines that the servers refuse, and also
//! text that they misread or drop silently, or that only some accept: comments, extra white space, `.5`, unsigned integers, a
//! field named `time`, text after a string's closing quote.

mod scan;
pub(crate) mod value;

pub use scan::split_lines;

use crate::encode::{KEY_BYTES_MAX, KEY_SEPARATOR_BYTES};
use scan::{Section, keeps_together, scan_until};

/// The content of one line, unescaped.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub measurement: String,
    /// Tags in the order of the line; keys are distinct.
    pub tags: Vec<(String, String)>,
    /// Fields in the order of the line; of equal keys, servers keep the last.
    pub fields: Vec<(String, Value)>,
    /// Nanoseconds since 1970.
    pub time: Option<i64>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Float(f64),
    Integer(i64),
    /// Only [`read_v2_line`] reads these.
    Unsigned(u64),
    Boolean(bool),
    String(String),
}

impl Value {
    /// The servers' name of the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Float(_) => "float",
            Self::Integer(_) => "integer",
            Self::Unsigned(_) => "unsigned",
            Self::Boolean(_) => "boolean",
            Self::String(_) => "string",
        }
    }
}

/// Reason and position of an unreadable line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (column {column})")]
pub struct LineError {
    /// Position in bytes, from 1.
    pub column: usize,
    pub reason: Reason,
}

/// Reason why a line can't be read, in the servers' own text where they have one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("an empty line, which InfluxDB skips")]
    Empty,
    #[error("a comment, which InfluxDB skips")]
    Comment,
    #[error("white space that InfluxDB skips")]
    Whitespace,
    #[error("a raw line break or carriage return outside a string")]
    LineBreak,
    #[error("invalid UTF-8")]
    Utf8,
    #[error("backslashes that InfluxDB reads in two ways")]
    Backslashes,
    #[error("missing measurement")]
    MissingMeasurement,
    #[error("missing tag key")]
    MissingTagKey,
    #[error("missing tag value")]
    MissingTagValue,
    #[error("invalid tag format")]
    InvalidTag,
    #[error("duplicate tags")]
    DuplicateTag,
    #[error("cannot use reserved tag key {0:?}")]
    ReservedTag(String),
    #[error("missing fields")]
    MissingFields,
    #[error("missing field key")]
    MissingFieldKey,
    #[error("missing field value")]
    MissingFieldValue,
    #[error("invalid field format")]
    InvalidField,
    #[error("invalid field name: a field named \"time\" is stripped")]
    TimeField,
    #[error("unbalanced quotes")]
    UnbalancedQuotes,
    #[error("text after a string's closing quote")]
    AfterString,
    #[error("a string field is too long, {0} > 1048576")]
    StringTooLong(usize),
    #[error("invalid number")]
    InvalidNumber,
    #[error("a number that not every InfluxDB takes")]
    NotPortableNumber,
    #[error("unable to parse integer: value out of range")]
    IntegerRange,
    #[error("invalid float: value out of range")]
    FloatRange,
    #[error("invalid boolean")]
    InvalidBoolean,
    #[error("max key length exceeded: {0} > 65535")]
    KeyTooLong(usize),
    #[error("bad timestamp")]
    BadTimestamp,
    #[error("time outside range -9223372036854775806 - 9223372036854775806")]
    TimeRange,
}

/// Tag keys that 2.x answers with 400; the first is its own name for the measurement.
pub(crate) const RESERVED_TAGS: [&str; 4] = ["\0", "_field", "_measurement", "time"];

/// Reads one line, given without its final newline.
pub fn read_line(line: &[u8]) -> Result<Point, LineError> {
    read(line, false)
}

/// Like [`read_line`], but also reads unsigned integers, which InfluxDB 1.x refuses.
pub fn read_v2_line(line: &[u8]) -> Result<Point, LineError> {
    read(line, true)
}

fn read(line: &[u8], unsigned: bool) -> Result<Point, LineError> {
    let text = str::from_utf8(line).map_err(|error| at(error.valid_up_to(), Reason::Utf8))?;
    let mut cursor = Cursor { text, pos: 0, key_end: 0, unsigned };
    let measurement = cursor.measurement()?;
    let tags = cursor.tags()?;
    cursor.key_end = cursor.pos;
    cursor.space(Reason::MissingFields)?;
    let fields = cursor.fields()?;
    let time = cursor.time()?;
    if !keeps_together(line) {
        return Err(at(0, Reason::Backslashes));
    }
    Ok(Point { measurement, tags, fields, time })
}

fn at(pos: usize, reason: Reason) -> LineError {
    LineError { column: pos + 1, reason }
}

/// Reads one line from left to right; `pos` is always a character boundary.
struct Cursor<'a> {
    text: &'a str,
    pos: usize,
    /// End of measurement and tags.
    key_end: usize,
    /// Whether to read unsigned integers.
    unsigned: bool,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    fn rest(&self) -> &'a str {
        // The position never passes the end.
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn fail<T>(&self, reason: Reason) -> Result<T, LineError> {
        Err(at(self.pos, reason))
    }

    /// The raw text up to the next unescaped stop byte or the end.
    fn take(&mut self, stops: &[u8], section: Section) -> Result<&'a str, LineError> {
        let (length, problem) = scan_until(self.rest().as_bytes(), stops, section);
        if let Some(reason) = problem {
            return Err(at(self.pos + length, reason));
        }
        let raw = self.rest().get(..length).unwrap_or_default();
        self.pos += length;
        Ok(raw)
    }

    fn measurement(&mut self) -> Result<String, LineError> {
        match self.peek() {
            None => return self.fail(Reason::Empty),
            Some(b'#') => return self.fail(Reason::Comment),
            Some(b' ' | b'\t' | 0) => return self.fail(Reason::Whitespace),
            Some(b',') => return self.fail(Reason::MissingMeasurement),
            Some(_) => {}
        }
        let raw = self.take(b", ", Section::Key)?;
        // One index of 2.x unescapes these two in a measurement, the other index does not.
        if raw.contains("\\=") || raw.contains("\\\"") {
            return Err(at(0, Reason::Backslashes));
        }
        Ok(scan::unescape(raw, b", "))
    }

    fn tags(&mut self) -> Result<Vec<(String, String)>, LineError> {
        let mut tags: Vec<(String, String)> = Vec::new();
        while self.peek() == Some(b',') {
            self.pos += 1;
            let start = self.pos;
            let tag = self.tag()?;
            if RESERVED_TAGS.contains(&tag.0.as_str()) {
                return Err(at(start, Reason::ReservedTag(tag.0)));
            }
            if tags.iter().any(|(key, _)| *key == tag.0) {
                return Err(at(start, Reason::DuplicateTag));
            }
            tags.push(tag);
        }
        Ok(tags)
    }

    fn tag(&mut self) -> Result<(String, String), LineError> {
        let key = self.take(b"=, ", Section::Key)?;
        if key.is_empty() {
            return self.fail(Reason::MissingTagKey);
        }
        if self.peek() != Some(b'=') {
            return self.fail(Reason::MissingTagValue);
        }
        self.pos += 1;
        let value = self.take(b"=, ", Section::Key)?;
        if self.peek() == Some(b'=') {
            return self.fail(Reason::InvalidTag);
        }
        if value.is_empty() {
            return self.fail(Reason::MissingTagValue);
        }
        Ok((scan::unescape(key, b",= "), scan::unescape(value, b",= ")))
    }

    /// Reads exactly one space, which must not end the line.
    fn space(&mut self, missing: Reason) -> Result<(), LineError> {
        if self.peek() != Some(b' ') {
            return self.fail(missing);
        }
        self.pos += 1;
        match self.peek() {
            None => self.fail(missing),
            Some(b' ' | b'\t' | 0) => self.fail(Reason::Whitespace),
            Some(_) => Ok(()),
        }
    }

    fn fields(&mut self) -> Result<Vec<(String, Value)>, LineError> {
        let mut fields = Vec::new();
        loop {
            fields.push(self.field()?);
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b' ') | None => return Ok(fields),
                Some(_) => return self.fail(Reason::AfterString),
            }
        }
    }

    fn field(&mut self) -> Result<(String, Value), LineError> {
        let start = self.pos;
        let raw = self.take(b"=, ", Section::FieldKey)?;
        if self.peek() != Some(b'=') {
            return self.fail(Reason::InvalidField);
        }
        if raw.is_empty() {
            return self.fail(Reason::MissingFieldKey);
        }
        let key_bytes = self.key_end + KEY_SEPARATOR_BYTES + raw.len();
        if key_bytes > KEY_BYTES_MAX {
            return Err(at(start, Reason::KeyTooLong(key_bytes)));
        }
        let key = scan::unescape(raw, b",\" =");
        if key == "time" {
            return Err(at(start, Reason::TimeField));
        }
        self.pos += 1;
        let (value, length) =
            value::read(self.rest(), self.unsigned).map_err(|reason| at(self.pos, reason))?;
        self.pos += length;
        Ok((key, value))
    }

    fn time(&mut self) -> Result<Option<i64>, LineError> {
        if self.peek().is_none() {
            return Ok(None);
        }
        self.space(Reason::Whitespace)?;
        let digits = self.rest();
        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
        if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.fail(Reason::BadTimestamp);
        }
        // The servers use the lowest two values and the highest one as sentinels.
        match digits.parse::<i64>() {
            Ok(time) if time > i64::MIN + 1 && time < i64::MAX => Ok(Some(time)),
            _ => self.fail(Reason::TimeRange),
        }
    }
}

#[cfg(test)]
mod tests;
