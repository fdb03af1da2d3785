//! Record formats: each turns the bytes of a record into JSON text, which the rest of the crate reads.
//!
//! A new format is a file beside this one and an entry in [`Format`]; rules, record shapes, `init` and `map` need no change.

mod cbor;
mod cell;
mod csv;
mod input;
mod json_text;
mod msgpack;

use super::Rules;
use super::compression;
use super::rejection::Rejection;
pub use csv::{Csv, Header};
use input::Input;
pub(crate) use json_text::{JsonText, KEPT_BYTES_MAX};
use std::borrow::Cow;

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
    /// CBOR: an object, an array of objects, or several of them one after another.
    Cbor,
    /// Rows of text; each becomes an object with the columns' names as keys.
    Csv,
    /// One number or text, which becomes an object with the key "value".
    Value,
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
    /// Whether one bad element rejects its whole record unless the configuration says otherwise.
    strict: bool,
    reading: Reading,
}

/// How a record's value becomes JSON text.
#[derive(Clone, Copy)]
enum Reading {
    /// It is JSON text already.
    Json,
    /// Values of a binary format stand one directly after another.
    Values(Transcode),
    /// Rows of text, with the settings of the rules.
    Rows,
    /// Text that is one value.
    Cell,
}

/// Appends the JSON text of the next value, on a single line.
type Transcode = fn(input: &mut Input<'_>, text: &mut JsonText) -> Result<(), Rejection>;

const JSON: Description = Description {
    name: "json",
    title: "JSON",
    has_lines: false,
    has_timestamps: false,
    strict: true,
    reading: Reading::Json,
};

const MSGPACK: Description = Description {
    name: "msgpack",
    title: "MessagePack",
    has_lines: true,
    has_timestamps: true,
    reading: Reading::Values(msgpack::transcode),
    ..JSON
};

const CBOR: Description =
    Description { name: "cbor", title: "CBOR", reading: Reading::Values(cbor::transcode), ..MSGPACK };

const CSV: Description = Description {
    name: "csv",
    title: "CSV",
    has_lines: true,
    // A row is a point of its own, and a producer that dies in the middle of a row cuts one off.
    strict: false,
    reading: Reading::Rows,
    ..JSON
};

const VALUE: Description =
    Description { name: "value", title: "a single value", reading: Reading::Cell, ..JSON };

impl Format {
    pub const ALL: [Self; 6] =
        [Self::Json, Self::JsonLines, Self::Msgpack, Self::Cbor, Self::Csv, Self::Value];

    const fn description(self) -> Description {
        match self {
            Self::Json => JSON,
            Self::JsonLines => Description { name: "json_lines", has_lines: true, ..JSON },
            Self::Msgpack => MSGPACK,
            Self::Cbor => CBOR,
            Self::Csv => CSV,
            Self::Value => VALUE,
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

    /// Whether each line of [`Rules::to_json`] is a value of its own.
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
        self.transcode().is_some()
    }

    /// Whether a record's value is JSON text.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self.description().reading, Reading::Json)
    }

    /// Whether one bad element rejects its whole record unless the configuration says otherwise.
    #[must_use]
    pub const fn is_strict(self) -> bool {
        self.description().strict
    }

    const fn transcode(self) -> Option<Transcode> {
        match self.description().reading {
            Reading::Values(transcode) => Some(transcode),
            Reading::Json | Reading::Rows | Reading::Cell => None,
        }
    }

    /// The binary format in which a record is an object, an array of objects, or several of them.
    #[must_use]
    pub fn of_binary(record: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|format| !record.is_empty() && format.objects_end(record) == record.len())
    }

    /// The binary format of a file: the one that reads most of its bytes as objects. A shorter beginning of another format can read
    /// as objects by chance.
    #[must_use]
    pub fn of_binary_file(bytes: &[u8]) -> Option<Self> {
        let ends = Self::ALL.into_iter().map(|format| (format.objects_end(bytes), format));
        let longest = ends.rev().max_by_key(|(end, _)| *end);
        longest.filter(|(end, _)| *end > 0).map(|(_, format)| format)
    }

    /// End of the objects and arrays of objects with which bytes in a binary format begin; 0 if there are none.
    fn objects_end(self, bytes: &[u8]) -> usize {
        let Some(transcode) = self.transcode() else { return 0 };
        let (mut input, mut text, mut end) = (Input::new(bytes, self.title()), JsonText::default(), 0);
        while !input.is_at_end() {
            text.clear();
            let is_read = transcode(&mut input, &mut text).is_ok();
            if !is_read || !(text.bytes.starts_with(b"{") || text.bytes.starts_with(b"[{")) {
                break;
            }
            end = input.position();
        }
        end
    }

    /// The length of the first value in a binary format; none if there is no complete value.
    #[must_use]
    pub fn first_value(self, bytes: &[u8]) -> Option<usize> {
        let transcode = self.transcode()?;
        let mut input = Input::new(bytes, self.title());
        input.refuse_json().ok()?;
        transcode(&mut input, &mut JsonText::default()).ok()?;
        Some(input.position())
    }
}

impl Rules {
    /// The JSON text of a record's value, without a mapper's reused buffers.
    ///
    /// # Errors
    /// When the value does not have the format of these rules. JSON is not checked.
    pub fn to_json<'v>(&self, value: &'v [u8]) -> Result<Cow<'v, [u8]>, Rejection> {
        let value = compression::unpacked_as(self.compression, self.format, value)?;
        if self.format.is_json() {
            return Ok(value);
        }
        let mut text = JsonText::default();
        text.read(self, &value, compression::BYTES_MAX)?;
        Ok(Cow::Owned(text.bytes))
    }
}

impl JsonText {
    /// Fills the text from a record's value in the format of the rules; the text stays empty for JSON. `bytes_max` bounds text in
    /// which the record's bytes are repeated, as the names of columns are.
    pub fn read(&mut self, rules: &Rules, value: &[u8], bytes_max: usize) -> Result<(), Rejection> {
        self.clear();
        match rules.format.description().reading {
            Reading::Json => return Ok(()),
            Reading::Values(transcode) => self.read_values(rules.format, transcode, value)?,
            Reading::Rows => csv::read(value, rules, self, bytes_max)?,
            Reading::Cell => cell::read(value, self),
        }
        // Scalars have 32-bit positions.
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(Rejection::TooLarge { bytes: self.bytes.len(), bytes_max: u32::MAX as usize });
        }
        Ok(())
    }

    fn read_values(&mut self, format: Format, transcode: Transcode, value: &[u8]) -> Result<(), Rejection> {
        let mut input = Input::new(value, format.title());
        while !input.is_at_end() {
            input.refuse_json()?;
            let start = input.position();
            transcode(&mut input, self)?;
            assert!(input.position() > start, "a value has at least one byte");
            self.bytes.push(b'\n');
        }
        Ok(())
    }
}
