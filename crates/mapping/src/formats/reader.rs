//! Reads a record's value in its format, and writes it as JSON text.

use super::avro;
use super::csv::Table;
use super::frame::{Beginning, Frame};
use super::input::Input;
use super::json_text::{JsonText, RecordText};
use super::key_texts::KeyTexts;
use super::schema::{Schema, SchemaUse};
use super::{Format, cbor, cell, msgpack, protobuf};
use crate::compression;
use crate::rejection::Rejection;
use crate::rules::Rules;
use std::borrow::Cow;

/// Memory that a mapper keeps from record to record; a larger record's memory is freed after it.
pub(crate) const KEPT_BYTES_MAX: usize = 256 << 10;

/// Appends the JSON text of the next value, on a single line.
pub(super) type Transcode =
    fn(input: &mut Input<'_>, text: &mut JsonText, keys: &mut KeyTexts) -> Result<(), Rejection>;

/// Writes values in the format of the rules as JSON text. A mapper reuses its memory from record to record.
#[derive(Debug, Default)]
pub(crate) struct FormatReader {
    /// The last value's JSON text; empty for JSON and line protocol, which need no other text.
    pub json: JsonText,
    /// Whether the bytes between the scalars of a binary format are noted, from which a shape is learned.
    pub notes_gaps: bool,
    pub(super) keys: KeyTexts,
    table: Table,
    messages: protobuf::Work,
}

impl FormatReader {
    /// Reads a record's value, without the frame that its schema is found by. `bytes_max` bounds text in which the record's bytes are
    /// repeated, as the names of columns are.
    pub fn read(
        &mut self,
        rules: &Rules,
        value: &[u8],
        schema: Option<SchemaUse<'_>>,
        bytes_max: usize,
    ) -> Result<(), Rejection> {
        let json = &mut self.json;
        json.clear();
        if self.notes_gaps {
            json.gaps.begin();
        }
        if !(rules.format.has_schema() || rules.format.is_json())
            && let Some(Frame { schema, .. }) = Frame::of(value)
        {
            return Err(Rejection::Framed { schema, format: rules.format.name() });
        }
        match rules.format {
            Format::Avro => {
                let schema = schema.ok_or_else(|| Rejection::Unframed(Beginning::of(value)))?;
                read_avro(value, schema, json, bytes_max)?;
            }
            // The mapper reads lines of line protocol without JSON text.
            Format::Json | Format::JsonLines | Format::Influx => {}
            Format::Msgpack | Format::Cbor => read_values(rules.format, value, json, &mut self.keys)?,
            Format::Protobuf => {
                let schema = schema.ok_or_else(|| Rejection::Unframed(Beginning::of(value)))?;
                let SchemaUse { id, schema: Schema::Protobuf(schema) } = schema else {
                    unreachable!("a schema is chosen by the format");
                };
                protobuf::read(value, id, schema, json, &mut self.messages, bytes_max)?;
            }
            Format::Csv => self.table.read(value, rules, json, bytes_max)?,
            Format::Value => cell::read(value, rules, json),
        }
        // Scalars have 32-bit positions.
        if u32::try_from(json.bytes.len()).is_err() {
            return Err(Rejection::TooLarge { bytes: json.bytes.len(), bytes_max: u32::MAX as usize });
        }
        Ok(())
    }

    /// Empties the text, and frees the memory of a large record.
    pub fn clear(&mut self) {
        let memory = self.json.memory() + self.keys.memory() + self.table.memory() + self.messages.memory();
        if memory > KEPT_BYTES_MAX {
            *self = Self::default();
        }
        self.json.clear();
        self.notes_gaps = false;
    }
}

/// Reads the values of a binary format, which stand one directly after another.
fn read_values(
    format: Format,
    value: &[u8],
    json: &mut JsonText,
    keys: &mut KeyTexts,
) -> Result<(), Rejection> {
    let Some(transcode) = format.transcode() else { unreachable!("the format is self-describing") };
    let mut input = Input::new(value, format.title());
    while !input.is_at_end() {
        input.refuse_json()?;
        let start = input.position();
        transcode(&mut input, json, keys)?;
        assert!(input.position() > start, "a value has at least one byte");
        json.bytes.push(b'\n');
    }
    json.gaps.finish(&input);
    Ok(())
}

/// Reads one value of Avro, and nothing behind it.
fn read_avro(
    value: &[u8],
    SchemaUse { id, schema }: SchemaUse<'_>,
    json: &mut JsonText,
    bytes_max: usize,
) -> Result<(), Rejection> {
    let Schema::Avro(schema) = schema else { unreachable!("a schema is chosen by the format") };
    let mut input = Input::new(value, avro::TITLE);
    let read = avro::transcode(&mut input, schema, json, bytes_max).and_then(|()| {
        if input.is_at_end() {
            Ok(())
        } else {
            Err(input.unreadable("bytes behind the value", input.position()))
        }
    });
    read.map_err(|rejection| match rejection {
        Rejection::Unreadable { why, at, .. } => {
            let frame = if id.is_some() { Frame::BYTES } else { 0 };
            let looks = if id.is_some() { Beginning::Other } else { Beginning::of(value) };
            Rejection::Unfit { schema: id, why, at: at + frame, looks }
        }
        other => other,
    })
}

/// The length of the first value that is read with a schema; none if there is no complete value.
pub(crate) fn length_with_schema(bytes: &[u8], SchemaUse { schema, .. }: SchemaUse<'_>) -> Option<usize> {
    let Schema::Avro(schema) = schema else { return None };
    let mut input = Input::new(bytes, avro::TITLE);
    avro::transcode(&mut input, schema, &mut JsonText::default(), compression::BYTES_MAX).ok()?;
    // A value without bytes would never end.
    Some(input.position()).filter(|position| *position > 0)
}

impl Format {
    /// Whether the bytes of a value alone show its types and its end, in a binary format.
    pub(crate) const fn is_self_describing(self) -> bool {
        self.transcode().is_some()
    }

    /// The function that reads a value whose bytes alone show its types and its end.
    pub(super) const fn transcode(self) -> Option<Transcode> {
        match self {
            Self::Msgpack => Some(msgpack::transcode),
            Self::Cbor => Some(cbor::transcode),
            Self::Json
            | Self::JsonLines
            | Self::Influx
            | Self::Avro
            | Self::Protobuf
            | Self::Csv
            | Self::Value => None,
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
        let mut keys = KeyTexts::default();
        while !input.is_at_end() {
            text.clear();
            let is_read = transcode(&mut input, &mut text, &mut keys).is_ok();
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
        transcode(&mut input, &mut JsonText::default(), &mut KeyTexts::default()).ok()?;
        Some(input.position())
    }
}

impl Rules {
    /// The JSON text of a record's value, without a mapper's reused buffers. Empty for line protocol. Schemas of a registry are not known
    /// here.
    ///
    /// # Errors
    /// When the value does not have the format of these rules. JSON is not checked.
    pub fn to_json<'v>(&self, value: &'v [u8]) -> Result<Cow<'v, [u8]>, Rejection> {
        Ok(self.text_of(value)?.json)
    }

    /// Like [`Rules::to_json`], with the times of the format.
    pub(crate) fn text_of<'v>(&self, value: &'v [u8]) -> Result<RecordText<'v>, Rejection> {
        let value = compression::unpacked_as(self.compression, self.format, value)?;
        if self.format.is_json() {
            let framed = Frame::of(&value).map_or(0, |_| Frame::BYTES);
            let json = match value {
                Cow::Borrowed(value) => Cow::Borrowed(value.get(framed..).unwrap_or_default()),
                Cow::Owned(mut value) => {
                    value.drain(..framed);
                    Cow::Owned(value)
                }
            };
            return Ok(json.into());
        }
        let mut reader = FormatReader::default();
        let schema = self.schema.as_ref().map(|schema| SchemaUse { id: None, schema });
        reader.read(self, &value, schema, compression::BYTES_MAX)?;
        Ok(reader.json.into())
    }
}
