//! Record formats: each turns the bytes of a record into JSON text, which the rest of the crate reads.
//!
//! A new format is a file beside this one and an entry in [`Format`]; rules, record shapes, `init` and `map` need no change.

mod msgpack;

use super::element::Drops;
use super::rejection::{Drop, Rejection};
use std::borrow::Cow;
use std::ops::Range;

/// How a record's value is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object, or an array of objects.
    #[default]
    Json,
    /// Several JSON values, one a line.
    JsonLines,
    /// MessagePack: an object, an array of objects, or several of them one after another.
    Msgpack,
}

/// Properties of a format.
struct Description {
    /// The word in the configuration.
    name: &'static str,
    /// The name in messages.
    title: &'static str,
    /// Whether each line of the JSON text is a value of its own.
    has_lines: bool,
    /// Whether the format has a type for times, so that `time_key` needs no `time_format`.
    has_timestamps: bool,
    /// None: the value is JSON text already.
    transcode: Option<Transcode>,
}

/// Appends the JSON text of the value that begins at a position, on a single line, and returns the position after the value.
type Transcode = fn(bytes: &[u8], at: usize, text: &mut JsonText) -> Result<usize, Rejection>;

const JSON: Description =
    Description { name: "json", title: "JSON", has_lines: false, has_timestamps: false, transcode: None };

const MSGPACK: Description = Description {
    name: "msgpack",
    title: "MessagePack",
    has_lines: true,
    has_timestamps: true,
    transcode: Some(msgpack::transcode),
};

impl Format {
    pub const ALL: [Self; 3] = [Self::Json, Self::JsonLines, Self::Msgpack];

    const fn description(self) -> Description {
        match self {
            Self::Json => JSON,
            Self::JsonLines => Description { name: "json_lines", has_lines: true, ..JSON },
            Self::Msgpack => MSGPACK,
        }
    }

    /// The word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.description().name
    }

    /// The name in messages.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.description().title
    }

    /// Whether each line of [`Format::to_json`] is a value of its own.
    #[must_use]
    pub const fn has_lines(self) -> bool {
        self.description().has_lines
    }

    /// Whether the format has a type for times, so that `time_key` needs no `time_format`.
    #[must_use]
    pub const fn has_timestamps(self) -> bool {
        self.description().has_timestamps
    }

    /// Whether records are bytes rather than text, so that a file holds them one directly after another.
    #[must_use]
    pub const fn is_binary(self) -> bool {
        self.description().transcode.is_some()
    }

    /// The binary format of a record that begins with an object or an array.
    #[must_use]
    pub fn of_binary(record: &[u8]) -> Option<Self> {
        let is_container = |format: &Self| {
            let text = format.to_json(record).unwrap_or_default();
            matches!(text.first(), Some(b'{' | b'['))
        };
        Self::ALL.into_iter().filter(|format| format.is_binary()).find(is_container)
    }

    /// The binary format of a file, by its first record.
    #[must_use]
    pub fn of_binary_file(bytes: &[u8]) -> Option<Self> {
        let first = |format: &Self| {
            let record = format.first_value(bytes).and_then(|length| bytes.get(..length));
            record.and_then(Self::of_binary) == Some(*format)
        };
        Self::ALL.into_iter().find(first)
    }

    /// The JSON text of a record's value, without a mapper's reused buffer.
    ///
    /// # Errors
    /// When the value does not have this format. JSON is not checked.
    pub fn to_json(self, value: &[u8]) -> Result<Cow<'_, [u8]>, Rejection> {
        if !self.is_binary() {
            return Ok(Cow::Borrowed(value));
        }
        let mut text = JsonText::default();
        text.read(self, value)?;
        Ok(Cow::Owned(text.bytes))
    }

    /// The length of the first value in a binary format; none if there is no complete value.
    #[must_use]
    pub fn first_value(self, bytes: &[u8]) -> Option<usize> {
        let transcode = self.description().transcode?;
        transcode(bytes, 0, &mut JsonText::default()).ok()
    }
}

/// Memory that the text keeps from record to record; a larger record's text is freed after it.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// JSON text that a format makes of a record's value. A mapper reuses its memory from record to record.
#[derive(Debug, Default)]
pub(crate) struct JsonText {
    pub bytes: Vec<u8>,
    /// Positions of numbers that are timestamps, in nanoseconds since 1970, ascending.
    pub timestamps: Vec<usize>,
    /// Number of values that JSON can't hold.
    pub drops: Drops,
    /// The first of these values, each with the position of its flattened key in `dropped_keys`. Bounded, since a record can have
    /// any number of such values under long keys.
    pub dropped: Vec<(Drop, Range<usize>)>,
    pub dropped_keys: Vec<u8>,
}

impl JsonText {
    /// Fills the text from a record's value in a binary format; the text stays empty for other formats.
    pub fn read(&mut self, format: Format, value: &[u8]) -> Result<(), Rejection> {
        self.clear();
        let Some(transcode) = format.description().transcode else { return Ok(()) };
        let mut at = 0;
        while at < value.len() {
            let end = transcode(value, at, self)?;
            assert!(end > at, "a value has at least one byte");
            at = end;
            self.bytes.push(b'\n');
        }
        // Scalars have 32-bit positions.
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(Rejection::TooLarge { bytes: self.bytes.len(), bytes_max: u32::MAX as usize });
        }
        Ok(())
    }

    fn clear(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            *self = Self::default();
        }
        self.bytes.clear();
        self.timestamps.clear();
        self.drops = Drops::default();
        self.dropped.clear();
        self.dropped_keys.clear();
    }
}
