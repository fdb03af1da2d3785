//! The value of a record: unpacks it, and makes JSON text of it.

use super::Mapper;
use super::pass::{MapCall, Pass};
use crate::decode::{Scanner, Source};
use crate::formats::{FormatReader, Frame, JsonText, without_bom};
use crate::rejection::Rejection;
use crate::reshape::{ParsedJson, TextRef};
use crate::scalar::Texts;
use crate::{Format, Rules};
use std::sync::Arc;

impl Mapper {
    /// Maps the value of a record. The usual formats go first, each on a short way.
    pub(super) fn map_value(&mut self, value: &[u8], call: MapCall<'_, '_>) -> Result<(), Rejection> {
        let (bytes, bytes_max) = (value.len(), self.limits.record_bytes_max);
        if bytes > bytes_max {
            return Err(Rejection::TooLarge { bytes, bytes_max });
        }
        if self.maps_plain_objects && value.starts_with(b"{") {
            let result = self.map_plain_object(value, call);
            return result.map_err(|rejection| rejection.with_excerpt(value, self.rules.format));
        }
        if self.maps_plain_lines && value.first().is_some_and(u8::is_ascii_alphabetic) {
            return self.map_influx(value, call);
        }
        let Rules { compression, format, .. } = *self.rules;
        if !compression.may_unpack(format, value) {
            return self.map_unpacked(value, call);
        }
        // Moved out of `self`, which is borrowed mutably while the value is read.
        let mut unpacked = std::mem::take(&mut self.work.unpacked);
        let result = unpacked
            .read(compression, format, value, bytes_max)
            .and_then(|unpacked| self.map_unpacked(unpacked.unwrap_or(value), call));
        self.work.unpacked = unpacked;
        result
    }

    /// Maps a record that is one JSON object, without the steps that other records need: those cost as much as several numbers.
    fn map_plain_object(&mut self, value: &[u8], call: MapCall<'_, '_>) -> Result<(), Rejection> {
        let mut scanner = Scanner::new(value);
        let texts = Texts { record: value, element: b"", values: b"", outside: b"" };
        let mut pass = self.pass(call, texts, None, None);
        scanner.value()?;
        self.map_object(&mut scanner, 0, &mut pass)?;
        Ok(scanner.end()?)
    }

    fn map_unpacked(&mut self, value: &[u8], call: MapCall<'_, '_>) -> Result<(), Rejection> {
        let format = self.rules.format;
        if format == Format::Influx {
            if let Some(Frame { schema, .. }) = Frame::of(value) {
                return Err(Rejection::Framed { schema, format: format.name() });
            }
            return self.map_influx(without_bom(value), call);
        }
        if format.is_json() {
            // Serializers of JSON Schema write the frame. The text behind it needs no schema.
            let value = Frame::of(value).map_or(value, |frame| frame.content);
            let result = self.map_json(value, None, call);
            return result.map_err(|rejection| rejection.with_excerpt(value, format));
        }
        // Moved out of `self`, which is borrowed mutably while the text is read.
        let mut reader = self.work.reader.take().unwrap_or_default();
        let result = self.map_with(&mut reader, value, call);
        // The memory is freed now, because the topic may have no further record.
        reader.clear();
        self.work.reader = Some(reader);
        result
    }

    /// Whether a record may be one object in a binary format, with all that its point needs, and nothing changes its text.
    pub(super) fn maps_binary_objects(&self) -> bool {
        let keeps_text = self.rules.parse_json.is_empty() && self.rules.values.is_empty();
        self.maps_whole_objects && self.rules.format.is_self_describing() && keeps_text
    }

    /// Maps a value whose JSON text `reader` makes.
    fn map_with(
        &mut self,
        reader: &mut FormatReader,
        value: &[u8],
        mut call: MapCall<'_, '_>,
    ) -> Result<(), Rejection> {
        let format = self.rules.format;
        if self.maps_binary_objects() {
            if let Some(result) = self.map_binary_object(value, reader, &mut call) {
                return result;
            }
            reader.notes_gaps = self.shapes.learns_next();
        }
        self.schemas
            .of_value(&self.rules, value)
            .and_then(|(schema, value)| reader.read(&self.rules, value, schema, self.limits.lines_bytes_max))
            .map_err(|rejection| rejection.with_excerpt(value, format))?;
        self.map_json(&reader.json.bytes, Some(&reader.json), call)
    }

    /// Maps JSON text. `json` is the text with its marks, where a format made it.
    fn map_json(
        &mut self,
        value: &[u8],
        json: Option<&JsonText>,
        call: MapCall<'_, '_>,
    ) -> Result<(), Rejection> {
        let value = if self.rules.format == Format::JsonLines { without_nul(value) } else { value };
        let mut scanner = scanner_of(value, json);
        if scanner.is_at_end() {
            return Err(Rejection::Empty);
        }
        if self.rules.parse_json.is_empty() {
            return self.map_text(scanner, json, None, call);
        }
        let source = TextRef {
            bytes: value,
            start: scanner.position(),
            timestamps: json.map_or(&[], |json| &json.timestamps),
            pieces: &[],
            utf8: scanner.is_utf8(),
            source: Source::Record,
        };
        // Moved out of `self`, which is borrowed mutably while the text is read.
        let mut parsed = std::mem::take(&mut self.work.parsed);
        let result = if self.rules.format.has_lines() {
            parsed.read_lines(&self.rules.parse_json, source, &mut self.losses)
        } else {
            parsed.read_value(&self.rules.parse_json, source, &mut self.losses)
        };
        let result = result
            .map_err(Rejection::from)
            .and_then(|()| self.map_text(scanner_of(&parsed.bytes, json), json, Some(&parsed), call));
        self.work.parsed = parsed;
        result
    }

    /// A pass before the first element of a record. `json` and `parsed`: the record's text with its marks, where it has them.
    #[inline]
    pub(super) fn pass<'p, 'r>(
        &self,
        call: MapCall<'p, 'r>,
        texts: Texts<'p>,
        json: Option<&'p JsonText>,
        parsed: Option<&'p ParsedJson>,
    ) -> Pass<'p, 'r> {
        let MapCall { record, lines, mapped } = call;
        let bytes_before = lines.bytes();
        let own = json.map(|json| json.timestamps.as_slice());
        Pass {
            record,
            topic: self.topic_digits,
            texts,
            timestamps: parsed.map(|parsed| parsed.timestamps.as_slice()).or(own).unwrap_or_default(),
            element_timestamps: &[],
            pieces: &[],
            json,
            parsed,
            lines,
            mapped,
            index: 0,
            bytes_before,
            kafka_bytes: self.topic_parts.kafka_bytes(record),
            repeated_bytes: 0,
        }
    }

    /// Maps JSON text in which `parse_json` has replaced strings. `parsed`: that text with its marks, where there is such an option.
    fn map_text(
        &mut self,
        mut scanner: Scanner<'_>,
        json: Option<&JsonText>,
        parsed: Option<&ParsedJson>,
        call: MapCall<'_, '_>,
    ) -> Result<(), Rejection> {
        // Held here, since the mapper is borrowed mutably while the text is read.
        let rules = (!self.rules.values.is_empty()).then(|| Arc::clone(&self.rules));
        let values = rules.as_ref().map_or(&b""[..], |rules| rules.values.json());
        let texts = Texts { record: scanner.bytes(), element: b"", values, outside: b"" };
        let mut pass = self.pass(call, texts, json, parsed);
        self.outside.begin_record(pass.record.key);
        if self.outside.has_lossy() {
            self.replace_outside(&pass);
        }
        self.work.reshaper.begin_record();
        if self.rules.format.has_lines() {
            return self.map_lines(&scanner, &mut pass);
        }
        self.map_document(&mut scanner, &mut pass)?;
        Ok(scanner.end()?)
    }
}

/// A scanner of JSON text. `json` is there if a format made the text.
fn scanner_of<'t>(text: &'t [u8], json: Option<&JsonText>) -> Scanner<'t> {
    let scanner = Scanner::new(text);
    if json.is_some() { scanner.with_marks() } else { scanner }
}

/// The text without the NUL with which producers in C may end it.
fn without_nul(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\0").unwrap_or(text)
}
